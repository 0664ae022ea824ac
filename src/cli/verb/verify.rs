//! `verify`.

use crate::cli::args::VerifyArguments;
use crate::cli::face::Face;
use crate::cli::render::table::seconds;
use crate::cli::{Exit, interrupt};
use crate::ops::OpResult;
use crate::ops::verify::{self, Damage, Findings};

/// Compares every installed file with what was sealed; with `--repair` mends what is damaged.
///
/// # Errors
/// As [`verify::verify`] and [`verify::repair`].
pub fn run(face: &Face, arguments: &VerifyArguments) -> OpResult<Exit> {
    let place = face.place("verify")?;
    let report = face.reporter();
    interrupt::watch("nothing was changed, or the next run goes on from here");
    let mut findings = verify::verify(&place, &report)?;
    if arguments.repair {
        findings = verify::repair(&place, findings, &report)?;
    }
    face.result(&findings, || text(&findings, &place.command()));
    Ok(if findings.is_whole() { Exit::Ok } else { Exit::Failed })
}

fn text(findings: &Findings, command: &str) -> String {
    if let Some(record) = &findings.record {
        return match findings.repaired {
            true => format!("the record of generation {} was damaged; a new generation is made\n", findings.generation),
            false => format!("{record}\n"),
        };
    }
    let mut text: String = findings.damage.iter().map(damage).collect();
    text.extend(findings.notes.iter().map(|note| format!("note: {note}\n")));
    let (objects, files) = (findings.objects, findings.files);
    let took = seconds(findings.seconds);
    text.push_str(&match (findings.damage.len(), findings.repaired) {
        (0, _) => format!(
            "generation {}: {files} files of {objects} objects are as they were sealed ({took})\n",
            findings.generation
        ),
        (count, true) => format!("{count} damaged objects were made again, and services moved to them\n"),
        (count, false) => {
            format!("{count} of {objects} objects are damaged\n\nhint: mend them: {command} verify --repair\n")
        }
    });
    text
}

fn damage(damage: &Damage) -> String {
    let head = format!("{} ({})\n", damage.part, damage.object);
    let reason = damage.reason.iter().map(|reason| format!("  {reason}\n"));
    let rows = damage.differences.iter().map(|difference| format!("  {difference}\n"));
    std::iter::once(head).chain(reason).chain(rows).collect()
}
