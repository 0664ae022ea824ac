//! `doctor`.

use crate::cli::Exit;
use crate::cli::face::Face;
use crate::cli::render::table::table;
use crate::ops::OpResult;
use crate::ops::doctor::{self, Verdict};

/// Shows what this machine has; the exit code says whether something is missing.
///
/// # Errors
/// As [`doctor::doctor`].
pub fn run(face: &Face) -> OpResult<Exit> {
    let checks = doctor::doctor(&face.host)?;
    face.result(&checks, || {
        let rows: Vec<Vec<String>> = checks
            .iter()
            .map(|check| {
                let verdict = match check.verdict {
                    Verdict::Good => "good",
                    Verdict::Limited => "limited",
                    Verdict::Missing => "missing",
                };
                vec![verdict.to_owned(), check.subject.clone(), check.finding.clone()]
            })
            .collect();
        table(&[], &rows)
    });
    let missing = checks.iter().any(|check| check.verdict == Verdict::Missing);
    Ok(if missing { Exit::Failed } else { Exit::Ok })
}
