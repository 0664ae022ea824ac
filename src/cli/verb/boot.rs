//! `boot enable`, `boot disable`, `boot status`.

use crate::cli::Exit;
use crate::cli::args::BootVerb;
use crate::cli::face::Face;
use crate::ops::OpResult;
use crate::ops::boot::{self, Boot, Rung};

/// Makes, removes or shows what starts services with the machine.
///
/// # Errors
/// As [`boot::enable`].
pub fn run(face: &Face, asked: BootVerb) -> OpResult<Exit> {
    let place = face.place("boot")?;
    let found = match asked {
        BootVerb::Disable => boot::disable(&place, &face.reporter())?,
        BootVerb::Enable => boot::enable(&place, &face.reporter())?,
        BootVerb::Status => boot::status(&place)?,
    };
    face.result(&found, || shown(&found));
    Ok(match (asked, found.rung) {
        (BootVerb::Status, Rung::None) => Exit::Failed,
        (BootVerb::Disable | BootVerb::Enable | BootVerb::Status, _) => Exit::Ok,
    })
}

fn shown(found: &Boot) -> String {
    let entry = found.entry.as_ref().map(|entry| entry.display().to_string()).unwrap_or_default();
    let mut text = match found.rung {
        Rung::Crontab => "services start with the machine, by a line of your crontab\n".to_owned(),
        Rung::None => "services do not start with the machine\n".to_owned(),
        Rung::Systemd => format!("services start with your systemd, by {entry}\n"),
    };
    text.extend(found.missing.iter().map(|missing| format!("  {missing}\n")));
    text
}
