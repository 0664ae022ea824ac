//! `hold.toml`: after a rollback the prefix stays where it was put, until it is released or its inputs change.
//!
//! Without it the next `install`, perhaps one of cron's, would at once bring back what was just left.

use std::io;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::fs::{DocumentError, TomlDocument, write_atomic};
use crate::layout::Layout;

/// The format number of what this module writes.
pub const FORMAT: u32 = 1;

const DOCUMENT: TomlDocument = TomlDocument { format: FORMAT, limit: 1 << 16, private: false };

/// Why a prefix does not go forward.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hold {
    /// [`FORMAT`].
    pub format: u32,
    /// The generation that it is held at.
    pub at: u32,
    /// The generation that was left.
    pub left: u32,
    /// Since when (RFC 3339, UTC).
    pub since: String,
    /// The definition of the generation that was left: another one ends the hold.
    pub definition: Digest,
    /// Whether the rollback was done to its end. It is written before the switch, so that a rollback that is killed after its
    /// commit holds as well, and the same command ends it instead of going back once more.
    pub is_done: bool,
}

/// Why it cannot be told whether a prefix is held.
#[derive(Debug, thiserror::Error)]
#[error("{0}; remove the file, which releases the installation, or go back once more with `jove-install rollback`")]
pub struct HoldError(#[from] DocumentError);

impl Hold {
    /// Says that a prefix is held once `at` is the current generation.
    #[must_use]
    pub fn new(at: u32, left: u32, definition: Digest) -> Self {
        let since = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        Self { format: FORMAT, at, left, since, definition, is_done: false }
    }

    /// Whether a run that wishes for this definition has to stay.
    #[must_use]
    pub fn holds(&self, definition: &Digest) -> bool {
        self.definition == *definition
    }

    /// The hold of a prefix, if it is held: one of a rollback that did not come to its commit holds nothing.
    ///
    /// # Errors
    /// If there is one and it cannot be read.
    pub fn in_force(layout: &Layout) -> Result<Option<Self>, HoldError> {
        let current = super::current(layout);
        Ok(Self::read(layout)?.filter(|hold| Some(hold.at) == current))
    }

    /// What the file says, whether it holds or not.
    ///
    /// # Errors
    /// If there is one and it cannot be read.
    pub fn read(layout: &Layout) -> Result<Option<Self>, HoldError> {
        Ok(DOCUMENT.read(&layout.hold())?)
    }

    /// Writes it.
    ///
    /// # Errors
    /// What writing fails with.
    pub fn write(&self, layout: &Layout) -> io::Result<()> {
        let text = toml::to_string(self).map_err(io::Error::other)?;
        write_atomic(&layout.hold(), text.as_bytes(), 0o644)
    }

    /// Releases the prefix.
    ///
    /// # Errors
    /// What removing fails with; none if it is not held.
    pub fn remove(layout: &Layout) -> io::Result<()> {
        match std::fs::remove_file(layout.hold()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hold_ends_with_other_inputs_or_when_released() {
        let folder = tempfile::tempdir().expect("folder");
        let layout = Layout::new(folder.path());
        assert_eq!(Hold::read(&layout).expect("not held"), None);
        let hold = Hold::new(4, 5, Digest::of("five"));
        hold.write(&layout).expect("written");
        assert_eq!(Hold::read(&layout).expect("there"), Some(hold.clone()));
        assert_eq!(Hold::in_force(&layout).expect("not held yet"), None);
        crate::generation::commit(&layout, 4).expect("committed");
        assert_eq!(Hold::in_force(&layout).expect("held"), Some(hold.clone()));
        assert!(hold.holds(&Digest::of("five")) && !hold.holds(&Digest::of("six")));
        Hold::remove(&layout).expect("released");
        Hold::remove(&layout).expect("absent is fine");
        assert_eq!(Hold::read(&layout).expect("not held"), None);
        std::fs::write(layout.hold(), "format = 1").expect("written");
        assert!(Hold::read(&layout).expect_err("damaged").to_string().contains("hold.toml:1:1 is damaged"));
    }
}
