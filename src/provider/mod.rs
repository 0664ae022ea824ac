//! Providers: where software that is no Python package comes from. One foreign thing a module, all behind [`Provider`].
//!
//! A recipe says what it needs; a provider finds it at lock time ([`Provider::resolve`]: pins by digest), brings it into the
//! download cache ([`Provider::fetch`]) and makes a folder of it ([`Provider::realise`]), from which it runs. [`choose`] is the
//! policy: one order for the whole prefix, chosen once, never a silent fallback.

pub mod archive;
pub mod choose;
pub mod conda;
pub mod deb;
pub mod git;
pub mod host;
pub mod kept;
pub mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::digest::Sha256;
use crate::host::Host;
use crate::net::{Cache, Client};
use crate::progress::Reporter;

pub use self::choose::{Candidate, Choice, Chosen, Decided, NoProvider, Passed, choose};
pub use self::host::{HostError, HostPrograms};

/// What every piece of work of a provider has at hand.
#[derive(Clone, Copy)]
pub struct Kit<'a> {
    /// The surroundings.
    pub host: &'a Host,
    /// The network.
    pub client: &'a Client,
    /// The download cache.
    pub cache: &'a Cache,
    /// Who hears how it goes on.
    pub report: &'a Reporter,
    /// The file that gets everything that tools say.
    pub log: &'a Path,
    /// The prefix, in whose folder work may be done that is gone afterwards.
    pub work: &'a Path,
    /// How much may be done at once.
    pub jobs: usize,
    /// Hash what is cached again before it is used (`verify --repair`).
    pub distrust: bool,
    /// Lists of Debian packages that were read for other parts, where some are resolved one after another.
    pub lists: Option<&'a deb::lists::Lists>,
}

/// One thing from outside, as the lock has it: content, never a host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Pinned {
    /// Its name.
    pub name: String,
    /// Its version; of a host's program, the range that was asked for.
    pub version: String,
    /// Where its provider's index has it, in the provider's own words: `bookworm main pool/main/n/nginx/…`.
    pub place: Option<String>,
    /// How it was first trusted: `signature`, `index digest`, `given digest`, `first use`.
    pub trust: String,
    /// Its files.
    pub files: Vec<PinnedFile>,
}

/// One file of a pin.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PinnedFile {
    /// Its name: one plain component.
    pub file: String,
    /// The publisher's digest of it.
    pub sha256: Sha256,
    /// Its bytes, where known.
    pub size: Option<u64>,
}

/// What is to be remembered of a folder that was made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Realised {
    /// Why it depends on this machine, if it does.
    pub impure: BTreeSet<String>,
    /// What else was found: what a sandbox enforced, which compiler was used.
    pub facts: BTreeMap<String, String>,
}

/// A provider that was asked for something: a value of its own request type.
pub trait Provider: Send + Sync {
    /// Its word: `deb`.
    fn name(&self) -> &'static str;

    /// Raised when the same pins would give other bytes, with the versions of outside tools that write them: enters the key.
    fn version(&self) -> String;

    /// What the answer depends on, besides the platform: the inputs of the lock.
    fn inputs(&self) -> BTreeMap<String, Vec<String>>;

    /// What else the folder depends on beyond its pins: enters the key.
    fn settings(&self) -> BTreeMap<String, Vec<String>> {
        BTreeMap::new()
    }

    /// Whether it can be asked now, in words for people: quick.
    ///
    /// # Errors
    /// Why not.
    fn reachable(&self, kit: &Kit<'_>) -> Result<String, ProvideError>;

    /// Pins what is asked for, and all that it needs. `before` is what was pinned so far, which is preferred.
    ///
    /// # Errors
    /// If it cannot be found, contradicts itself or is not to be trusted.
    fn resolve(&self, kit: &Kit<'_>, before: &[Pinned]) -> Result<Vec<Pinned>, ProvideError>;

    /// What of this machine it uses, by name: host facts for the state. They enter the key.
    ///
    /// # Errors
    /// If what is needed of the machine is not there.
    fn host_facts(&self, _kit: &Kit<'_>) -> Result<BTreeMap<String, String>, ProvideError> {
        Ok(BTreeMap::new())
    }

    /// Brings every file into the cache, its digest checked; asks nobody for what is there.
    ///
    /// # Errors
    /// With every file that did not come.
    fn fetch(&self, kit: &Kit<'_>, pins: &[Pinned]) -> Result<(), ProvideError>;

    /// Fills an empty folder at its final path from the cache. Asks no network.
    ///
    /// # Errors
    /// If a file is not usable or cannot be written.
    fn realise(&self, kit: &Kit<'_>, pins: &[Pinned], folder: &Path) -> Result<Realised, ProvideError>;
}

/// Any provider that was asked for something. The compiler is the checklist of providers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Files of the net, unpacked.
    Archive(archive::Archives),
    /// Packages of conda channels.
    Conda(conda::Packages),
    /// Packages of Debian and its kin.
    Deb(deb::Packages),
    /// Files of commits.
    Git(git::Checkouts),
    /// Programs of this machine.
    Host(HostPrograms),
    /// Programs built from source.
    Source(Box<source::Sources>),
}

impl Request {
    /// It, as a provider.
    #[must_use]
    pub fn provider(&self) -> &dyn Provider {
        match self {
            Self::Archive(request) => request,
            Self::Conda(request) => request,
            Self::Deb(request) => request,
            Self::Git(request) => request,
            Self::Host(request) => request,
            Self::Source(request) => request.as_ref(),
        }
    }
}

/// The words of all providers, in the order in which they are tried where nothing else is said.
pub const ORDER: [&str; 6] = ["conda", "deb", "archive", "git", "source", "host"];

/// Why a provider could not do it.
#[derive(Debug, thiserror::Error)]
pub enum ProvideError {
    /// Archives could not be had.
    #[error(transparent)]
    Archives(#[from] archive::ArchivesError),
    /// Conda packages could not be had.
    #[error(transparent)]
    Conda(#[from] conda::CondaError),
    /// Debian packages could not be had.
    #[error(transparent)]
    Deb(#[from] deb::DebError),
    /// A commit could not be had.
    #[error(transparent)]
    Git(#[from] git::GitError),
    /// This machine's programs do not fit.
    #[error(transparent)]
    Host(#[from] HostError),
    /// Nothing came of the sources.
    #[error(transparent)]
    Source(#[from] source::SourceError),
}
