//! `install`, and the bare call.

use crate::cli::args::InstallArguments;
use crate::cli::face::Face;
use crate::cli::render::change::changes;
use crate::cli::render::table::seconds;
use crate::cli::{Exit, interrupt};
use crate::ops::install::{self, Request, Summary};
use crate::ops::{OpResult, Place, plan};

/// Installs, or with `--dry-run` says what would be done.
///
/// # Errors
/// As [`install::install`].
pub fn run(face: &Face, arguments: &InstallArguments) -> OpResult<Exit> {
    let place = face.place("install")?;
    let request = Request {
        locked: arguments.locked,
        upgrade: arguments.upgrade.clone(),
        dry_run: arguments.dry_run,
        no_start: arguments.no_start,
        jobs: arguments.jobs,
        force: arguments.force.clone(),
        retry: arguments.retry,
        release: arguments.release,
        anew: false,
        distrust: false,
    };
    let report = face.reporter();
    if arguments.dry_run {
        let outlook = plan::plan(&place, &install::wishes(&place, &request)?, &report)?;
        face.warn(&outlook.warnings);
        face.result(&outlook, || super::plan::text(&outlook));
        return Ok(Exit::Ok);
    }
    interrupt::watch_installation(&place);
    let summary = install::install(&place, &request, &report)?;
    face.warn(&summary.warnings);
    face.result(&summary, || text(&place, &summary, face.global.quiet));
    Ok(Exit::Ok)
}

/// What came of it, for people.
#[must_use]
pub fn text(place: &Place, summary: &Summary, quiet: bool) -> String {
    let command = place.command();
    let took = seconds(summary.seconds);
    let mut text = changes(&summary.changed);
    let generation = summary.generation;
    let prefix = summary.prefix.display();
    text.push_str(&match (summary.changed.is_empty(), summary.started) {
        (true, true) => format!("nothing to do; generation {generation} runs in {prefix} ({took})\n"),
        (true, false) => format!("nothing to do; generation {generation} is in {prefix} ({took})\n"),
        (false, true) => format!("generation {generation} runs in {prefix} ({took})\n"),
        (false, false) => format!("generation {generation} is in {prefix}, not started ({took})\n"),
    });
    for url in &summary.urls {
        text.push_str(&format!("\n    {url}\n"));
    }
    if !summary.changed.is_empty() && !quiet {
        text.push_str(&format!(
            "\nnext: {command} status · {command} logs -f · {command} stop · {command} wipe --data\n"
        ));
    }
    text
}

/// The bare call outside a project: help, and the two commands to try. Installs nothing.
///
/// # Errors
/// None.
pub fn welcome(face: &Face) -> OpResult<Exit> {
    use clap::CommandFactory as _;
    face.print(&crate::cli::args::Arguments::command().render_help().ansi().to_string());
    face.print("\nThere is no jove.toml here. Try the demo, or make this folder a project:\n\n    jove-install -p demo\n    jove-install init");
    Ok(Exit::Ok)
}
