//! What is to be made and run, and why: pure over a [`Snapshot`].
//!
//! [`desire`] lowers a resolved stack to keys, store folders and final service specs; [`change`] compares that with the
//! generation that is installed and gives each difference its reasons.

pub mod action;
pub mod change;
pub mod desire;
mod fact;
mod format;
pub mod key;
mod place;
mod secret;
mod sight;
pub mod snapshot;
pub mod source;
mod step;
#[cfg(test)]
mod tests;
pub mod value;

pub use action::{Action, FilesAction, Names, PackagesAction, PythonAction, RenderedFile, StepAction, Tree};
pub use change::{Change, Deed, Plan};
pub use desire::{Desired, DesiredPart, desire, names};
pub use snapshot::{InterpreterFrom, ResolvedPackages, ResolvedPython, Snapshot};
