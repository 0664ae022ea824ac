//! `history`, `rollback`, `gc`.

use crate::cli::args::{GcArguments, RollbackArguments};
use crate::cli::face::Face;
use crate::cli::render::table::bytes;
use crate::cli::{Exit, interrupt};
use crate::generation::Status;
use crate::ops::history::{self, Entry};
use crate::ops::{OpResult, gc, rollback};

/// Lists the generations.
///
/// # Errors
/// As [`history::history`].
pub fn history(face: &Face) -> OpResult<Exit> {
    let place = face.place("history")?;
    let entries = history::history(&place)?;
    face.result(&entries, || entries.iter().map(entry).collect());
    Ok(Exit::Ok)
}

fn entry(entry: &Entry) -> String {
    let sign = if entry.current { "*" } else { " " };
    let status = match &entry.status {
        Status::Committed => "committed".to_owned(),
        Status::Failed { reason } => format!("failed: {reason}"),
        Status::Prepared => "never started".to_owned(),
    };
    let head = format!("{sign} {:>3}  {}  {}  {status}\n", entry.generation, entry.created, entry.verb);
    let reasons = entry.reasons.iter().map(|reason| format!("         {reason}\n"));
    std::iter::once(head).chain(reasons).collect()
}

/// Goes back.
///
/// # Errors
/// As [`rollback::rollback`].
pub fn rollback(face: &Face, arguments: &RollbackArguments) -> OpResult<Exit> {
    let place = face.place("rollback")?;
    interrupt::watch_installation(&place);
    let summary =
        rollback::rollback(&place, arguments.generation, arguments.force, arguments.no_start, &face.reporter())?;
    face.result(&summary, || {
        format!(
            "generation {} is current again; {} was left, and is held back until something changes or `{} install --release`\n",
            summary.generation,
            summary.left,
            place.command()
        )
    });
    Ok(Exit::Ok)
}

/// Collects garbage.
///
/// # Errors
/// As [`gc::gc`].
pub fn gc(face: &Face, arguments: &GcArguments) -> OpResult<Exit> {
    let place = face.place("gc")?;
    let summary = gc::gc(&place, arguments.keep, arguments.dry_run, &face.reporter())?;
    face.result(&summary, || {
        let verb = if arguments.dry_run { "would remove" } else { "removed" };
        let mut text =
            format!("{verb} {} generations and {} objects", summary.generations.len(), summary.objects.len());
        if !arguments.dry_run {
            text.push_str(&format!(", {} freed", bytes(summary.bytes)));
        }
        text.push('\n');
        text.extend(summary.objects.iter().map(|object| format!("  {object}\n")));
        text
    });
    Ok(Exit::Ok)
}
