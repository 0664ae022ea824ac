//! Generations: what was installed, when and why; which one is current; the journal of a switch; what it did to data; a hold
//! after a rollback.

pub mod current;
pub mod hold;
pub mod journal;
pub mod manifest;
pub mod migration;
pub mod revision;
pub mod sweep;

pub use current::{commit, current};
pub use hold::Hold;
pub use journal::{Journal, Phase};
pub use manifest::{Manifest, PartRecord, Status};
pub use migration::Migration;
pub use revision::Revision;
pub use sweep::{SweepError, next, objects, remove, surplus};

#[cfg(test)]
mod tests;
