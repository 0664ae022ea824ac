//! `run` and `shell`.

use crate::cli::Exit;
use crate::cli::args::{RunArguments, ShellArguments};
use crate::cli::face::Face;
use crate::ops::{OpResult, run};

/// Becomes a command with what a part's service sees.
///
/// # Errors
/// As [`run::inside`], or if the command cannot be run.
pub fn run(face: &Face, arguments: &RunArguments) -> OpResult<Exit> {
    Err(run::inside(&face.place("run")?, &arguments.part)?.become_command(&arguments.command))
}

/// Becomes a shell with what a part's service sees.
///
/// # Errors
/// As [`run::inside`], or if the shell cannot be run.
pub fn shell(face: &Face, arguments: &ShellArguments) -> OpResult<Exit> {
    let inside = run::inside(&face.place("shell")?, &arguments.part)?;
    let shell = face.host.var("SHELL").unwrap_or("/bin/sh");
    face.say(&format!("the part `{}`; `exit` leaves it", inside.part));
    Err(inside.become_shell(shell))
}
