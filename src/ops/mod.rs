//! Use cases: one a file; take data, return data, print nothing.
//!
//! [`place`] finds where a run works, [`prepare`] turns files into a plan, [`install`] carries it out; the others look at what is
//! there or undo it. [`error`] is what all of them fail with.

pub mod adopt;
pub mod boot;
pub mod catalogue;
pub mod certificate;
pub mod data;
pub mod diff;
pub mod doctor;
pub mod dump;
pub mod env;
pub mod error;
pub mod example;
pub mod explain;
pub mod export;
pub mod fetch;
pub mod foreground;
mod format;
pub mod gc;
pub mod graph;
pub mod history;
pub mod init;
pub mod install;
pub mod list;
pub mod load;
pub mod lock;
pub mod logs;
pub mod migrate;
mod mistake;
pub mod pack;
pub mod pin;
pub mod place;
pub mod plan;
pub mod prefix;
pub mod prepare;
pub mod production;
pub mod program;
pub mod reach;
mod refusal;
pub mod residue;
pub mod rollback;
pub mod run;
pub mod secret;
pub mod service;
pub mod stamp;
pub mod status;
pub mod supervise;
pub mod update;
pub mod verify;
pub mod wipe;

pub use error::{ErrorKind, OpError, OpResult};
pub use place::{Choice, Place};
