//! `list` and `adopt`.

use crate::cli::Exit;
use crate::cli::args::ListArguments;
use crate::cli::face::Face;
use crate::cli::render::table::table;
use crate::ops::{OpResult, adopt, list};

/// Lists this user's prefixes.
///
/// # Errors
/// As [`list::list`].
pub fn list(face: &Face, arguments: &ListArguments) -> OpResult<Exit> {
    let entries = list::list(&face.host, arguments.prune)?;
    face.result(&entries, || {
        if entries.is_empty() {
            return "nothing is installed; try: jove-install -p demo\n".to_owned();
        }
        let rows: Vec<Vec<String>> = entries
            .iter()
            .map(|entry| {
                let state = match (entry.exists, entry.running) {
                    (false, _) => "gone",
                    (true, true) => "running",
                    (true, false) => "stopped",
                };
                let generation = entry.generation.map_or_else(|| "-".to_owned(), |number| number.to_string());
                vec![
                    entry.prefix.display().to_string(),
                    entry.profile.clone(),
                    entry.project.clone(),
                    generation,
                    state.to_owned(),
                ]
            })
            .collect();
        table(&["PREFIX", "PROFILE", "PROJECT", "GENERATION", "STATE"], &rows)
    });
    Ok(Exit::Ok)
}

/// Takes a prefix over.
///
/// # Errors
/// As [`adopt::adopt`].
pub fn adopt(face: &Face) -> OpResult<Exit> {
    let place = face.place("adopt")?;
    let summary = adopt::adopt(&place, &face.reporter())?;
    face.result(&summary, || format!("{}\n", summary.text()));
    Ok(Exit::Ok)
}
