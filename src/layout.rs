//! The prefix on disk: which path is what. Pure joins; nothing here touches a file.
//!
//! ```text
//! <prefix>/
//!   prefix.toml               identity            crate::state::identity
//!   current -> generations/4  last committed      crate::generation
//!   generations/4/            manifest.json services.json revision.json jove.lock etc/ bin/
//!   store/<key>[.n]-<name>/   one object          crate::store
//!   store/<key>[.n]-<name>.manifest.json          its seal
//!   var/<part>/               data
//!   dumps/<time>/             dumps of data               crate::dump
//!   log/                      logs of services, and of installs in log/install/
//!   run/                      sockets, leases, secret files (a link to a short folder where the path is long)
//!   state.toml                secrets, ports, host facts       crate::state
//!   hold.toml                 why the prefix does not go forward  crate::generation::hold
//!   switch.toml               journal of a switch in progress  crate::generation::journal
//!   boot.sh                   what starts services with the machine  crate::ops::boot
//!   jove.lock                 pins (without a project)         crate::lock
//!   ledger.jsonl              everything made outside, who did what when
//!   stamp.json                inputs of the last install, for a run that has nothing to do
//!   prefix.lock               the file lock of writing verbs
//! ```

use std::path::{Path, PathBuf};

use crate::name::PartName;

/// How names of folders begin in which steps work; they are in the prefix's own folder, and gone with the step.
pub const SCRATCH: &str = ".tmp-step-";

/// The paths of one prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    root: PathBuf,
}

macro_rules! paths {
    ($($(#[$doc:meta])* $name:ident => $path:literal),* $(,)?) => {
        $($(#[$doc])*
        #[must_use]
        pub fn $name(&self) -> PathBuf {
            self.root.join($path)
        })*
    };
}

impl Layout {
    /// The layout of the prefix at `root`, which must be absolute.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The prefix itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    paths! {
        /// The link to the last committed generation.
        current => "current",
        /// Dumps of data.
        dumps => "dumps",
        /// Where an example project that may be edited is unpacked.
        example => "example",
        /// All generations.
        generations => "generations",
        /// The identity of the prefix.
        identity => "prefix.toml",
        /// What was made outside the prefix, and who did what when.
        ledger => "ledger.jsonl",
        /// The pins of a prefix without a project.
        lock => "jove.lock",
        /// The file lock that writing verbs hold.
        file_lock => "prefix.lock",
        /// Why the prefix does not go forward, after a rollback.
        hold => "hold.toml",
        /// Logs.
        log => "log",
        /// Sockets, leases, secret files.
        run => "run",
        /// Secrets, ports, host facts.
        state => "state.toml",
        /// Objects.
        store => "store",
        /// What the last install read, for the run that has nothing to do.
        stamp => "stamp.json",
        /// The journal of a switch in progress.
        switch => "switch.toml",
        /// Data.
        var => "var",
    }

    /// One generation's folder.
    #[must_use]
    pub fn generation(&self, number: u32) -> PathBuf {
        self.generations().join(number.to_string())
    }

    /// A part's data folder.
    #[must_use]
    pub fn data(&self, part: &PartName) -> PathBuf {
        self.var().join(part.as_str())
    }
}
