//! Obeys a plan: objects are built side by side along the graph, sealed together, and become a generation.
//!
//! One file an action ([`files`], [`packages`], [`python`], [`step`]); [`schedule`] hands them to threads; [`generation`] writes what came of it.

pub mod files;
pub mod generation;
pub mod packages;
pub mod python;
pub mod schedule;
pub mod step;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use crate::archive::ArchiveError;
use crate::fs::Known;
use crate::host::Host;
use crate::layout::Layout;
use crate::name::PartName;
use crate::net::{Cache, Client};
use crate::process::ProcessError;
use crate::progress::Reporter;
use crate::provider::{self, ProvideError};
use crate::pypi::{CompileError, EnvironmentError, Uv};
use crate::recipe::Catalogue;
use crate::sandbox::SandboxError;
use crate::store::{Store, StoreError};

/// What building has at hand.
pub struct Workshop<'a> {
    /// The prefix.
    pub layout: &'a Layout,
    /// Its store.
    pub store: &'a Store,
    /// The surroundings.
    pub host: &'a Host,
    /// The download cache.
    pub cache: &'a Cache,
    /// The network.
    pub client: &'a Client,
    /// Where examples come from.
    pub catalogue: &'a Catalogue,
    /// Where whole logs of builds go: `log/install/<n>/`.
    pub logs: PathBuf,
    /// Who hears of it.
    pub report: Reporter,
    /// How many builds at once.
    pub jobs: usize,
    /// Hash cached files again before they are used (`verify --repair`).
    pub distrust: bool,
    /// What installs Python packages, once it was found.
    pub uv: Mutex<Option<Uv>>,
}

impl Workshop<'_> {
    /// What a provider needs of it.
    #[must_use]
    pub fn provider_kit<'a>(&'a self, log: &'a Path) -> provider::Kit<'a> {
        provider::Kit {
            host: self.host,
            client: self.client,
            cache: self.cache,
            report: &self.report,
            log,
            work: self.layout.root(),
            jobs: self.jobs.max(4),
            distrust: self.distrust,
            lists: None,
        }
    }
}

/// What is to be remembered of an object that was filled.
#[derive(Debug, Default)]
pub struct Made {
    /// What made it.
    pub action: &'static str,
    /// Why it depends on this machine, besides what the plan knew.
    pub impure: BTreeSet<String>,
    /// What was found while making it.
    pub facts: BTreeMap<String, String>,
    /// Digests of its files that were made on the way.
    pub known: Known,
}

impl Made {
    /// By an action of which there is nothing more to say.
    #[must_use]
    pub fn by(action: &'static str) -> Self {
        Self { action, ..Self::default() }
    }
}

/// Why an object could not be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A folder to copy cannot be read, or a file cannot be written.
    #[error("{path} cannot be copied or written: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// An archive is not usable.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A Python environment could not be made.
    #[error(transparent)]
    Python(#[from] EnvironmentError),
    /// The tools for Python work were not found.
    #[error(transparent)]
    Tools(#[from] python::ToolsError),
    /// The library of a Python could not be compiled.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// A provider could not fill it.
    #[error(transparent)]
    Provide(#[from] ProvideError),
    /// What a provider gave has not the names that the part promises.
    #[error(transparent)]
    Names(#[from] packages::NamesError),
    /// A command failed.
    #[error(transparent)]
    Run(#[from] ProcessError),
    /// Its sandbox cannot be made.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A builder died.
    #[error("the builder of it ended without an answer; this is a mistake in jove-install, please report it")]
    Lost,
}

/// A part that could not be built.
#[derive(Debug)]
pub struct Failure {
    /// The part.
    pub part: PartName,
    /// Why.
    pub error: BuildError,
    /// Parts that were not begun because they need this one.
    pub blocked: Vec<PartName>,
}

pub(crate) fn io_at(path: &Path) -> impl FnOnce(std::io::Error) -> BuildError {
    let path = path.to_owned();
    |source| BuildError::Io { path, source }
}
