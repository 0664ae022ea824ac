//! [`Machine`]: which walls this machine has, found out by trying.

use std::sync::OnceLock;

use super::{Access, Filter, Namespaces, apply, ruleset};

/// What can be enforced here: each wall, or why there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// Namespaces of a plain user, with a read-only file system in them.
    pub namespaces: Result<(), String>,
    /// The kernel's version of Landlock.
    pub landlock: Result<u32, String>,
    /// The filter of system calls.
    pub filter: Result<(), String>,
}

impl Machine {
    /// This machine; it is asked once in a run.
    #[must_use]
    pub fn current() -> &'static Self {
        static MACHINE: OnceLock<Machine> = OnceLock::new();
        MACHINE.get_or_init(Self::look)
    }

    fn look() -> Self {
        let namespaces = Namespaces::prepare(&Access::default()).map_err(|error| error.to_string());
        let filter = Filter::no_network().map_err(|error| error.to_string());
        Self {
            namespaces: namespaces.and_then(|namespaces| {
                apply::try_out(namespaces)
                    .map_err(|error| format!("a plain user cannot have namespaces of their own: {error}"))
            }),
            landlock: ruleset::version(),
            filter: filter.and_then(|filter| {
                apply::try_out(filter).map_err(|error| format!("the kernel refuses seccomp filters: {error}"))
            }),
        }
    }
}
