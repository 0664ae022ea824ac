//! Generations: what was installed, when and why; which one is current; the journal of a switch.

pub mod current;
pub mod journal;
pub mod manifest;

pub use current::{commit, current};
pub use journal::{Journal, Phase};
pub use manifest::{Manifest, PartRecord, Status};
