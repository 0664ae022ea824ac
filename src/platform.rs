//! The platform that software is made for.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Operating system and processor, written `linux-x86_64`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Platform(String);

impl Platform {
    /// The platform that this binary was built for.
    #[must_use]
    pub fn current() -> Self {
        Self(format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH))
    }

    /// Any platform: `linux` and `aarch64`.
    #[must_use]
    pub fn of(system: &str, machine: &str) -> Self {
        Self(format!("{system}-{machine}"))
    }

    /// `linux`, `macos` …
    #[must_use]
    pub fn system(&self) -> &str {
        self.0.split('-').next().unwrap_or(&self.0)
    }

    /// `x86_64`, `aarch64` …
    #[must_use]
    pub fn machine(&self) -> &str {
        self.0.split_once('-').map_or("", |(_, machine)| machine)
    }

    /// Whether a name written by a user (`linux`, `x86_64` or `linux-x86_64`) means this platform.
    #[must_use]
    pub fn answers_to(&self, name: &str) -> bool {
        name == self.0 || self.0.split_once('-').is_some_and(|(system, machine)| name == system || name == machine)
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
