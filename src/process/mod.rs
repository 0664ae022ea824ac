//! Tools of others, run to their end: clean vars, captured output, a log, a time limit, and no orphan.
//!
//! [`Run`] describes one run and [`Run::go`] obeys it. A tool gets the vars that it was given and no others, its own
//! process group, and dies with this program, as do all whom it started (so a `kill -9` of this program leaves no installer
//! writing into a folder that the next run is about to use). What it says goes line by line into a log file, with every word that
//! was named as hidden left out; the last lines are kept for the error.
//!
//! Ctrl-C: a tool does not hear the terminal, being in a group of its own. The face calls [`Running::interrupt`], which
//! ends all tools that run and refuses new ones; [`ProcessError::Interrupted`] then comes up through every caller.

mod child;
mod group;
mod guard;
mod run;
pub mod segment;
mod tail;
mod vars;

pub use group::{Running, running};
pub use run::{Done, ProcessError, Run};
pub use tail::LAST_LINES;
pub use vars::clean_vars;
