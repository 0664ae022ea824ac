//! `doctor`.

use crate::cli::Exit;
use crate::cli::args::DoctorArguments;
use crate::cli::face::Face;
use crate::cli::render::table::table;
use crate::ops::doctor::{self, Verdict};
use crate::ops::{OpResult, production};

/// Shows what this machine has; the exit code says whether something is missing.
///
/// # Errors
/// As [`doctor::doctor`].
pub fn run(face: &Face, arguments: &DoctorArguments) -> OpResult<Exit> {
    let checks = if arguments.production {
        production::production(&face.place("doctor")?)?
    } else {
        doctor::doctor(&face.host, face.global.offline)?
    };
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
