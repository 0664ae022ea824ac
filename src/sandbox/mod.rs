//! The sandbox: what a build, a step or a service may not do to the machine around it.
//!
//! # Theory
//!
//! Everything is prepared before the fork and applied by plain system calls between fork and exec ([`BeforeExec`]). Three walls,
//! as many of them as this machine has ([`Machine`]):
//!
//! 1. [`Namespaces`]: own user, mount, network, IPC and process namespaces. Every file system but what may be written is
//!    read-only, there is no network, and no process outlives the one that was started.
//! 2. [`Ruleset`]: Landlock from its second version (the first one forbids every rename between folders). What may be read and
//!    written is a list of paths; children inherit it, and nobody can take it off again.
//! 3. [`Filter`]: seccomp. A socket of any family but `AF_UNIX` is refused, and io_uring with it, which could make one.
//!
//! A build or step gets all of them by [`Confinement`], which says as data what was enforced ([`Enforced`]). A service gets a
//! [`Ruleset`] alone: it needs its network.
//!
//! # Weakness
//!
//! Landlock alone does not keep anyone from changing modes, owners, times and attributes of files outside; the mount namespace
//! does. A unix socket that this user may connect to can be connected to. Memory and time are not limited here.

mod access;
mod apply;
mod confinement;
mod filter;
mod machine;
mod namespace;
mod ruleset;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

pub use crate::exec::BeforeExec;
pub use access::Access;
pub use confinement::{Confinement, Demand, Enforced, Network};
pub use filter::Filter;
pub use machine::Machine;
pub use namespace::Namespaces;
pub use ruleset::{OLDEST_LANDLOCK, Ruleset};

/// Why a sandbox could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// A path that is to be opened to it cannot be.
    #[error("`{}` cannot be opened to the sandbox: {source}", path.display())]
    Path {
        /// The path.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The kernel refused the rules.
    #[error("the rules of the sandbox cannot be made: {0}")]
    Rules(#[from] landlock::RulesetError),
    /// The filter does not exist for this kind of machine.
    #[error("the filter of the sandbox cannot be made: {0}")]
    Filter(#[from] seccompiler::BackendError),
    /// This machine cannot enforce what is required.
    #[error("a sandbox is required here, and this machine cannot enforce it: {}", missing.join("; "))]
    TooWeak {
        /// What is missing, and why.
        missing: Vec<String>,
    },
}
