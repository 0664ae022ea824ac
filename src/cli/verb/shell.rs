//! `completions` and `man`: made from the arguments themselves.

use clap::CommandFactory as _;

use crate::cli::Exit;
use crate::cli::args::{Arguments, CompletionsArguments};
use crate::cli::face::Face;
use crate::ops::{OpError, OpResult};

/// Prints the completions of a shell.
///
/// # Errors
/// None.
pub fn completions(face: &Face, arguments: &CompletionsArguments) -> OpResult<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "jove-install", &mut script);
    face.print(&String::from_utf8_lossy(&script));
    Ok(Exit::Ok)
}

/// Prints the manual page.
///
/// # Errors
/// If it cannot be made.
pub fn man(face: &Face) -> OpResult<Exit> {
    let mut page = Vec::new();
    clap_mangen::Man::new(Arguments::command())
        .render(&mut page)
        .map_err(|error| OpError::failed(format!("making the manual page: {error}")))?;
    face.print(&String::from_utf8_lossy(&page));
    Ok(Exit::Ok)
}
