//! What a service's processes may use, and how they stand towards others.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use super::group::Totals;

/// What `nice` may be.
pub const NICE: RangeInclusive<i64> = -20..=19;

/// What `oom` may be.
pub const OOM: RangeInclusive<i64> = -1000..=1000;

/// Reads a mask of permissions such as `027`.
#[must_use]
pub fn umask(text: &str) -> Option<u32> {
    u32::from_str_radix(text, 8).ok().filter(|mask| *mask <= 0o777)
}

/// Limits of a service's processes. What is not said is as the keeper was started with; the mask is 022.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// By resource; `None` for as much as this user may have.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub resources: BTreeMap<Resource, Option<u64>>,
    /// How readily it gives way to others, 0 to 19 (less for root only).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nice: Option<i32>,
    /// Permissions that new files do not get.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub umask: Option<u32>,
    /// How readily the kernel ends it when memory runs out, up to 1000 (less than before for root only).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oom: Option<i32>,
    /// Limits of all its processes together, where a control group can see to them.
    #[serde(skip_serializing_if = "Totals::is_default")]
    pub total: Totals,
}

/// A resource that can be limited, for each process unless said otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Resource {
    /// Bytes of a file that is written when it crashes.
    Core,
    /// Seconds of processor time.
    Cpu,
    /// Bytes of the largest file that it may write.
    Files,
    /// Bytes that it may keep from being swapped out.
    Locked,
    /// Bytes of its address space.
    Memory,
    /// Open files.
    Open,
    /// Processes of the whole user.
    Processes,
    /// Bytes of its stack.
    Stack,
}

impl Resource {
    /// All, with their words.
    pub const WORDS: [(&'static str, Self); 8] = [
        ("core", Self::Core),
        ("cpu", Self::Cpu),
        ("files", Self::Files),
        ("locked", Self::Locked),
        ("memory", Self::Memory),
        ("open", Self::Open),
        ("processes", Self::Processes),
        ("stack", Self::Stack),
    ];

    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, resource)| *resource == self).map_or("", |(word, _)| word)
    }
}

impl Limits {
    /// Whether nothing is said.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
