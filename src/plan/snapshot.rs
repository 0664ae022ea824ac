//! Everything that planning reads, taken once: so that planning itself is pure, and can be printed and repeated.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use crate::digest::Digest;
use crate::name::PartName;
use crate::platform::Platform;
use crate::provider;
use crate::pypi::{EditableSource, Interpreter, PackageName, Pinned, PinnedFile};
use crate::store::Index;

/// The world as one run sees it.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// This machine's platform.
    pub platform: Platform,
    /// The store's folder, absolute.
    pub store: PathBuf,
    /// The real folder of sockets and secret files.
    pub run: PathBuf,
    /// The valid objects of the store.
    pub objects: Arc<Index>,
    /// Parts whose objects are to be made again.
    pub forced: BTreeSet<PartName>,
    /// What each Python part resolved to.
    pub python: BTreeMap<PartName, ResolvedPython>,
    /// What each part with packages of a provider resolved to.
    pub packages: BTreeMap<PartName, ResolvedPackages>,
    /// The digest of each folder that a part copies or a step reads.
    pub trees: BTreeMap<PathBuf, Digest>,
}

/// Where the interpreter of a Python part comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InterpreterFrom {
    /// This machine.
    Host,
    /// An object of its own.
    Object {
        /// The part that makes it, by a provider.
        part: PartName,
        /// The folder in the cache in which the tools have a copy of it, which the lock asked.
        copy: PathBuf,
        /// Whether the packages beside it are the environment's, too.
        is_shared: bool,
    },
}

impl InterpreterFrom {
    /// Whether an environment on it sees the packages beside it.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        matches!(self, Self::Object { is_shared: true, .. })
    }
}

/// What a Python part resolved to.
#[derive(Debug, Clone)]
pub struct ResolvedPython {
    /// The interpreter, where the lock asked it.
    pub interpreter: Interpreter,
    /// Where it comes from.
    pub from: InterpreterFrom,
    /// The packages, and of each the file to install here.
    pub packages: Vec<(Pinned, PinnedFile)>,
    /// Projects that are installed without being copied.
    pub editable: Vec<EditableSource>,
    /// Packages that may be built from source.
    pub build: Vec<PackageName>,
}

/// What a part with packages of a provider resolved to.
#[derive(Debug, Clone)]
pub struct ResolvedPackages {
    /// What its provider is asked.
    pub request: provider::Request,
    /// The answer.
    pub pins: Vec<provider::Pinned>,
    /// What of this machine it uses.
    pub facts: BTreeMap<String, String>,
}
