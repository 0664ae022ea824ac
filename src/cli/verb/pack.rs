//! `pack`.

use crate::cli::Exit;
use crate::cli::args::PackArguments;
use crate::cli::face::Face;
use crate::cli::render::table::bytes;
use crate::ops::OpResult;
use crate::ops::pack::{self, Packed};

/// Packs parts into a channel.
///
/// # Errors
/// As [`pack::pack`].
pub fn run(face: &Face, arguments: &PackArguments) -> OpResult<Exit> {
    let place = face.place("pack")?;
    let packed = pack::pack(&place, &arguments.parts, &arguments.channel, &face.reporter())?;
    face.result(&packed, || packed.iter().map(line).collect::<String>());
    Ok(Exit::Ok)
}

fn line(packed: &Packed) -> String {
    let room = packed.room.map_or(String::new(), |room| format!(", for paths of up to {room} bytes"));
    format!("{} {}: {} ({}{room})\n", packed.part, packed.version, packed.file.display(), bytes(packed.size))
}
