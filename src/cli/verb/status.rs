//! `status`.

use std::time::Duration;

use crate::cli::Exit;
use crate::cli::args::StatusArguments;
use crate::cli::face::Face;
use crate::cli::render::status::status as drawn;
use crate::ops::{OpResult, status};

/// Shows how the services are; the exit code says whether all are ready.
///
/// # Errors
/// As [`status::status`].
pub fn run(face: &Face, arguments: &StatusArguments) -> OpResult<Exit> {
    let place = face.place("status")?;
    let mut seen = status::status(&place, &arguments.services)?;
    face.result(&seen, || drawn(&seen, jiff::Timestamp::now()));
    if arguments.watch {
        loop {
            std::thread::sleep(Duration::from_millis(500));
            let now = status::status(&place, &arguments.services)?;
            if now.services != seen.services || now.generation != seen.generation {
                seen = now;
                face.result(&seen, || format!("\n{}", drawn(&seen, jiff::Timestamp::now())));
            }
        }
    }
    Ok(if seen.is_ready() { Exit::Ok } else { Exit::Failed })
}
