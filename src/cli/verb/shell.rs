//! `completions` and `man`: made from the arguments themselves.

use clap::CommandFactory as _;

use crate::cli::Exit;
use crate::cli::args::{Arguments, CompletionsArguments};
use crate::ops::{OpError, OpResult};

/// Prints the completions of a shell.
///
/// # Errors
/// None.
pub fn completions(arguments: &CompletionsArguments) -> OpResult<Exit> {
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "jove-install", &mut std::io::stdout());
    Ok(Exit::Ok)
}

/// Prints the manual page.
///
/// # Errors
/// If standard output cannot be written.
pub fn man() -> OpResult<Exit> {
    let page = clap_mangen::Man::new(Arguments::command());
    page.render(&mut std::io::stdout())
        .map_err(|error| OpError::failed(format!("printing the manual page: {error}")))?;
    Ok(Exit::Ok)
}
