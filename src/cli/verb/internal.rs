//! The entries of the two processes that watch over a prefix. Not for people.

use crate::cli::Exit;
use crate::cli::args::InternalArguments;
use crate::cli::face::Face;
use crate::layout::Layout;
use crate::ops::{OpError, OpResult};
use crate::state::State;
use crate::text::Secrets;
use crate::{keeper, supervisor};

/// Is the keeper.
///
/// # Errors
/// If it cannot hold its place.
pub fn keeper(face: &Face, arguments: &InternalArguments) -> OpResult<Exit> {
    keeper::run(&arguments.root, &face.host.program).map_err(OpError::failed)?;
    Ok(Exit::Ok)
}

/// Is the supervisor.
///
/// # Errors
/// If it cannot hold its place.
pub fn supervisor(arguments: &InternalArguments) -> OpResult<Exit> {
    supervisor::run(&arguments.root, secrets).map_err(OpError::failed)?;
    Ok(Exit::Ok)
}

fn secrets(layout: &Layout) -> Result<Box<dyn Secrets + Send>, String> {
    match State::load(layout) {
        Ok(state) => Ok(Box::new(state)),
        Err(error) => Err(error.to_string()),
    }
}
