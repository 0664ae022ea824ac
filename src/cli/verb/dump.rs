//! `dump` and `load`.

use crate::cli::args::{DumpArguments, LoadArguments};
use crate::cli::face::Face;
use crate::cli::render::table::{bytes, table};
use crate::cli::{Exit, interrupt};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::dump::Dump;
use crate::ops::{OpResult, dump, load};

/// Dumps, or with `--list` shows the dumps there are.
///
/// # Errors
/// As [`dump::dump`].
pub fn run(face: &Face, arguments: DumpArguments) -> OpResult<Exit> {
    let place = face.place("dump")?;
    if arguments.list {
        let shelf = dump::shelf(&place)?;
        let said = shelf.damaged.iter().map(|(_, error)| Diagnostic::warning(error.to_string()));
        face.warn(&Diagnostics(said.collect()));
        face.result(&shelf.whole, || listed(&shelf.whole));
        return Ok(Exit::Ok);
    }
    interrupt::watch("no dump was made; those that there were are as they were");
    let request = dump::Request { parts: arguments.parts, no_proof: arguments.no_proof, keep: arguments.keep };
    let summary = dump::dump(&place, &request, &face.reporter())?;
    face.result(&summary, || {
        let mut text = format!("{}\n{}", summary.dump.path.display(), listed(std::slice::from_ref(&summary.dump)));
        for name in &summary.dropped {
            text.push_str(&format!("dropped: {name}\n"));
        }
        text
    });
    Ok(Exit::Ok)
}

fn listed(dumps: &[Dump]) -> String {
    if dumps.is_empty() {
        return "there are no dumps\n".to_owned();
    }
    let rows = dumps.iter().flat_map(|dump| {
        dump.manifest.parts.iter().map(|(name, part)| {
            vec![
                dump.name.clone(),
                name.to_string(),
                part.recipe.clone(),
                bytes(part.bytes),
                if part.proven { "proven" } else { "unproven" }.to_owned(),
                dump.manifest.why.clone(),
            ]
        })
    });
    table(&["DUMP", "PART", "RECIPE", "SIZE", "RESTORED ONCE", "WHY"], &rows.collect::<Vec<_>>())
}

/// Loads.
///
/// # Errors
/// As [`load::load`].
pub fn load(face: &Face, arguments: LoadArguments) -> OpResult<Exit> {
    let place = face.place("load")?;
    interrupt::watch("what was there before is in the newest dump; `dump --list` shows it");
    let request = load::Request { dump: arguments.dump, parts: arguments.parts, force: arguments.force };
    let summary = load::load(&place, &request, &face.reporter())?;
    face.result(&summary, || {
        format!(
            "loaded {} from {}\nwhat was there before is in the dump {}\n",
            summary.parts.join(", "),
            summary.loaded.path.display(),
            summary.before
        )
    });
    Ok(Exit::Ok)
}
