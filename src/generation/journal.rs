//! `switch.toml`: the journal of a switch in progress.
//!
//! The supervisor owns it. It is written before the first service moves and removed after the commit or after the way back;
//! a supervisor that starts and finds one goes back to `from`, unless `current` already names `to`.

use std::io;

use serde::{Deserialize, Serialize};

use crate::checkpoint;
use crate::fs::write_atomic;
use crate::layout::Layout;

/// How far a switch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Services move, data steps run.
    Trial,
    /// Promises are checked.
    Promises,
    /// It failed; services go back.
    Back,
}

/// The journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Journal {
    /// 1.
    pub format: u32,
    /// The committed generation before; absent on the first install.
    pub from: Option<u32>,
    /// The generation that is tried.
    pub to: u32,
    /// How far it is.
    pub phase: Phase,
    /// The verb that asked for it.
    pub started_by: String,
}

/// Why a journal cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// It cannot be read.
    #[error("switch.toml cannot be read: {0}")]
    Read(#[source] io::Error),
    /// It is not one.
    #[error(
        "switch.toml is damaged ({0}); the generation that `current` names is taken as the good one: `jove-install stop`, then `jove-install start` brings it back"
    )]
    Damaged(String),
}

impl Journal {
    /// The journal of the prefix, if a switch is in progress.
    ///
    /// # Errors
    /// If there is one and it cannot be read.
    pub fn read(layout: &Layout) -> Result<Option<Self>, JournalError> {
        let text = match std::fs::read_to_string(layout.switch()) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(JournalError::Read(error)),
        };
        let journal: Self = toml::from_str(&text).map_err(|error| JournalError::Damaged(error.message().to_owned()))?;
        if journal.format != 1 {
            return Err(JournalError::Damaged(format!("format {} is not known here", journal.format)));
        }
        Ok(Some(journal))
    }

    /// Writes it, synced.
    ///
    /// # Errors
    /// What writing fails with.
    pub fn write(&self, layout: &Layout) -> io::Result<()> {
        checkpoint::pass("journal-before-write");
        let text = toml::to_string(self).map_err(io::Error::other)?;
        write_atomic(&layout.switch(), text.as_bytes(), 0o600)?;
        checkpoint::pass("journal-after-write");
        Ok(())
    }

    /// Removes it: the switch is over.
    ///
    /// # Errors
    /// What removing fails with; none if there is no journal.
    pub fn remove(layout: &Layout) -> io::Result<()> {
        checkpoint::pass("journal-before-remove");
        match std::fs::remove_file(layout.switch()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        checkpoint::pass("journal-after-remove");
        Ok(())
    }
}
