//! `init`.

use crate::cli::Exit;
use crate::cli::args::InitArguments;
use crate::cli::face::Face;
use crate::ops::OpResult;
use crate::ops::init::{self, Request};

/// Writes a starter `jove.toml`, or copies an example.
///
/// # Errors
/// As [`init::init`].
pub fn run(face: &Face, arguments: InitArguments) -> OpResult<Exit> {
    let mut host = face.host.clone();
    if let Some(folder) = &face.global.directory {
        host.folder = host.folder.join(folder);
    }
    let is_stdout = arguments.stdout;
    let request = Request {
        example: arguments.example,
        folder: arguments.folder,
        app: arguments.app,
        name: arguments.name,
        stdout: is_stdout,
    };
    let summary = init::init(&host, &request)?;
    face.result(&summary, || {
        if is_stdout {
            return summary.text.clone();
        }
        let files: String = summary.files.iter().map(|file| format!("  {}\n", file.display())).collect();
        let folder = summary.files.iter().find(|file| file.ends_with("jove.toml")).and_then(|file| file.parent());
        let enter = folder.filter(|folder| *folder != host.folder).map(|folder| format!("cd {} && ", folder.display()));
        format!("written ({}):\n{files}\nnext: {}jove-install\n", summary.kind, enter.unwrap_or_default())
    });
    Ok(Exit::Ok)
}
