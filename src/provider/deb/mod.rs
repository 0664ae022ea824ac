//! `deb`: packages of Debian and its kin, unpacked without root.
//!
//! # Theory
//!
//! The machine's own apt sources say where packages are ([`source`]); the archive's signature and the digests in what it signs
//! say that they are the archive's ([`signature`], [`release`], [`suite`]). What a set of packages needs is closed by the greedy
//! rule that apt comes to, too ([`index`], [`closure`]). Every package is unpacked as if the folder were the machine's root, kept
//! so in the cache ([`super::kept`]) and copied into one folder ([`package`]), and programs are told to look there for their
//! loader and libraries ([`patch`]): so they run on a machine of another release. No script of a package is ever run.
//!
//! # Weakness
//!
//! Paths that are compiled into programs still name the machine's root; recipes set what matters by option, or cure a file
//! ([`Cure`]). Packages that only serve scripts are left out by a list.

pub mod closure;
pub mod control;
pub mod index;
pub mod lists;
pub mod package;
pub mod patch;
pub mod reach;
pub mod relation;
pub mod release;
pub mod signature;
pub mod source;
pub mod suite;
#[cfg(test)]
mod tests;
pub mod version;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rayon::prelude::*;
use url::Url;

use self::closure::{ClosureError, Question, WITHOUT, close};
use self::index::{Index, Record};
use self::lists::Skipped;
use self::package::PackageError;
use self::patch::PatchError;
use self::source::{Source, architecture, of_machine};
use super::kept::Kept;
use super::{Kit, Pinned, PinnedFile, ProvideError, Provider, Realised};
use crate::checkpoint;
use crate::net::{self, CacheError, Client, FetchError, NetError, Wanted};
use crate::platform::Platform;

/// Raised when the same packages would give other bytes.
const VERSION: u32 = 1;

/// Raised when the same package would be unpacked to other files.
const KEPT: &str = "deb-1";

/// How long an archive may take to answer whether it is there.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where a text of the object itself stands in a cure.
const OBJECT: &str = "@OBJECT@";

/// Packages that are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packages {
    /// Their names, each perhaps with a version (`nginx (>= 1.22)`).
    pub packages: Vec<String>,
    /// What they are said to need and do not.
    pub without: Vec<String>,
    /// What must be changed in their files.
    pub cures: Vec<Cure>,
    /// The archives; those of the machine if `None`.
    pub sources: Option<Vec<Source>>,
}

/// A text in a package's file that must be another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cure {
    /// The files, relative to the object; `*` stands for any word.
    pub path: String,
    /// The text.
    pub from: String,
    /// What it becomes; `@OBJECT@` stands for the object's folder.
    pub to: String,
}

/// Why Debian packages could not be had.
#[derive(Debug, thiserror::Error)]
pub enum DebError {
    /// The machine says no archives.
    #[error(
        "this machine has no apt sources (/etc/apt); name an archive in `[sources.debian]` of config.toml, or take another provider"
    )]
    NoSources,
    /// A suite's name is none.
    #[error("`{0}` is no name of a suite")]
    Suite(String),
    /// An archive did not answer.
    #[error(transparent)]
    Net(#[from] NetError),
    /// An archive did not answer in time.
    #[error("{address} did not answer within {seconds} s")]
    Silent {
        /// Its address, without credentials.
        address: String,
        /// How long it was waited for, in seconds.
        seconds: u64,
    },
    /// Nobody may be asked.
    #[error("{address} is not asked, since the run is offline")]
    Offline {
        /// Its address, without credentials.
        address: String,
    },
    /// No archive is there.
    #[error("{0}")]
    Unreachable(String),
    /// An archive has no such suite.
    #[error("{address} answered {status}: the archive has no such suite, or no `InRelease`")]
    NoRelease {
        /// The address, without credentials.
        address: String,
        /// The status.
        status: u16,
    },
    /// A `Release` is not to be trusted.
    #[error("the suite {suite} is not trusted ({address}): {why}")]
    Untrusted {
        /// The suite.
        suite: String,
        /// The address, without credentials.
        address: String,
        /// Why.
        why: String,
    },
    /// A `Release` is past its time.
    #[error(
        "the suite {suite} is too old: it counted until {end} ({address}); the mirror is behind, or this machine's clock is wrong; for a snapshot, `Check-Valid-Until: no` in apt's source, or `check_valid_until = false` in `[sources.debian]`"
    )]
    Stale {
        /// The suite.
        suite: String,
        /// The address, without credentials.
        address: String,
        /// Its end.
        end: Timestamp,
    },
    /// A suite has nothing for this machine.
    #[error("the suite {suite} has no packages for {architecture}")]
    NoLists {
        /// The suite.
        suite: String,
        /// The machine's kind.
        architecture: String,
    },
    /// No suite can be used.
    #[error("no suite can be used:{0}")]
    NoneLeft(Skipped),
    /// An archive that other parts asked, too.
    #[error(transparent)]
    Shared(Arc<DebError>),
    /// The set cannot be closed.
    #[error("{error}{}", without(.skipped))]
    Closure {
        /// Why not.
        error: ClosureError,
        /// Suites that may have what is missing.
        skipped: Skipped,
    },
    /// A list names a package without a digest.
    #[error("the archive says no digest of the package {0}, so it is not taken")]
    NoDigest(String),
    /// Files did not come.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The cache cannot serve.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// A package is refused.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// A program could not be patched.
    #[error(transparent)]
    Patch(#[from] PatchError),
    /// A cure found nothing to change.
    #[error("the cure of `{path}` found no `{from}`: the package changed; correct the recipe's `deb_cures`")]
    Cure {
        /// The files.
        path: String,
        /// The text.
        from: String,
    },
    /// A file cannot be used.
    #[error("`{}` cannot be used: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

fn without(skipped: &Skipped) -> String {
    if skipped.is_empty() { String::new() } else { format!("\nnot looked for in suites that cannot be used:{skipped}") }
}

impl DebError {
    /// Whether it is on this machine, so that no other archive would end better.
    fn is_local(&self) -> bool {
        match self {
            Self::Net(error) => error.is_local(),
            Self::Fetch(error) => error.is_local(),
            Self::Cache(_) | Self::Io { .. } => true,
            _ => false,
        }
    }
}

impl Packages {
    fn sources(&self) -> Result<Vec<Source>, DebError> {
        let found = self.sources.clone().unwrap_or_else(|| of_machine(Path::new("/etc/apt"), &machine()));
        if found.is_empty() { Err(DebError::NoSources) } else { Ok(found) }
    }

    /// Whether an archive has one of the suites now, in words for people.
    ///
    /// # Errors
    /// Why none has, or does not answer within `patience`.
    pub fn reach(&self, client: &Client, patience: Duration) -> Result<String, DebError> {
        reach::reach(client, &self.sources()?, patience)
    }

    /// What is left out. A word that is no pattern is that word.
    fn without(&self) -> Vec<glob::Pattern> {
        let words = WITHOUT.iter().copied().chain(self.without.iter().map(String::as_str));
        words
            .filter_map(|word| {
                glob::Pattern::new(word).or_else(|_| glob::Pattern::new(&glob::Pattern::escape(word))).ok()
            })
            .collect()
    }

    fn pins(&self, kit: &Kit<'_>) -> Result<Vec<Pinned>, DebError> {
        let sources = self.sources()?;
        let (lists, skipped) = lists::read(kit, &sources, &machine())?;
        let mut index = Index::default();
        for (archive, texts) in &lists {
            texts.iter().for_each(|text| index.add(text, *archive));
        }
        let names: Vec<String> = lists.iter().map(|(archive, _)| sources[*archive].name()).collect();
        let question = Question { packages: &self.packages, without: &self.without(), archives: &names.join(", ") };
        let closed = close(&index, &question).map_err(|error| DebError::Closure { error, skipped })?;
        closed.iter().map(|record| pinned(record, &sources)).collect()
    }

    fn cure(&self, folder: &Path) -> Result<(), DebError> {
        for cure in &self.cures {
            let pattern = format!("{}/{}", glob::Pattern::escape(&folder.display().to_string()), cure.path);
            let files = glob::glob(&pattern).into_iter().flatten().filter_map(Result::ok);
            let to = cure.to.replace(OBJECT, &folder.display().to_string());
            let mut cured = false;
            for names in patch::by_file(files.filter(|file| file.is_file()))? {
                let Some(file) = names.first() else { continue };
                let text =
                    std::fs::read_to_string(file).map_err(|source| DebError::Io { path: file.clone(), source })?;
                if text.contains(&cure.from) {
                    patch::replace(&names, text.replace(&cure.from, &to).as_bytes())?;
                    cured = true;
                }
            }
            if !cured {
                return Err(DebError::Cure { path: cure.path.clone(), from: cure.from.clone() });
            }
        }
        Ok(())
    }
}

/// This machine's kind, in Debian's word.
fn machine() -> String {
    architecture(Platform::current().machine()).to_owned()
}

fn pinned(record: &Record<'_>, sources: &[Source]) -> Result<Pinned, DebError> {
    let sha256 = record.digest().ok_or_else(|| DebError::NoDigest(record.name.to_owned()))?;
    let suite = sources.get(record.archive).map_or_else(String::new, Source::name);
    Ok(Pinned {
        name: record.name.to_owned(),
        version: record.version.to_owned(),
        place: Some(format!("{suite} {}", record.filename)),
        trust: "signature".to_owned(),
        files: vec![PinnedFile { file: record.file().to_owned(), sha256, size: record.size }],
    })
}

/// Where a pin's file may be: its suite's archive first, then the others, whose pools may have it too.
fn addresses(pin: &Pinned, sources: &[Source]) -> Vec<Url> {
    let Some((suite, place)) = pin.place.as_deref().and_then(|place| place.split_once(' ')) else { return Vec::new() };
    let (own, others): (Vec<&Source>, Vec<&Source>) = sources.iter().partition(|source| source.suite == suite);
    let mut addresses: Vec<Url> = Vec::new();
    for source in own.into_iter().chain(others) {
        if let Ok(address) = source.address.join(place)
            && !addresses.contains(&address)
        {
            addresses.push(address);
        }
    }
    addresses
}

impl Provider for Packages {
    fn name(&self) -> &'static str {
        "deb"
    }

    fn version(&self) -> String {
        VERSION.to_string()
    }

    fn inputs(&self) -> BTreeMap<String, Vec<String>> {
        [("deb".to_owned(), self.packages.clone()), ("deb without".to_owned(), self.without.clone())].into()
    }

    fn settings(&self) -> BTreeMap<String, Vec<String>> {
        let cures = self.cures.iter().flat_map(|cure| [cure.path.clone(), cure.from.clone(), cure.to.clone()]);
        [("cures".to_owned(), cures.collect())].into()
    }

    fn reachable(&self, kit: &Kit<'_>) -> Result<String, ProvideError> {
        Ok(self.reach(kit.client, PATIENCE)?)
    }

    fn resolve(&self, kit: &Kit<'_>, _before: &[Pinned]) -> Result<Vec<Pinned>, ProvideError> {
        Ok(self.pins(kit)?)
    }

    fn fetch(&self, kit: &Kit<'_>, pins: &[Pinned]) -> Result<(), ProvideError> {
        // Where nothing is missing, nobody needs an address: a machine without sources can still use its cache.
        let sources = self.sources().unwrap_or_default();
        let wanted = pins.iter().flat_map(|pin| {
            let addresses = addresses(pin, &sources);
            let of = move |file: &PinnedFile| Wanted {
                name: file.file.clone(),
                sha256: file.sha256,
                size: file.size,
                addresses: addresses.clone(),
            };
            pin.files.iter().map(of).collect::<Vec<_>>()
        });
        let wanted: Vec<Wanted> = wanted.collect();
        let fetched = net::fetch(kit.client, kit.cache, &wanted, kit.jobs, kit.report, kit.distrust);
        kit.client.block_on(fetched).map_err(DebError::from)?;
        Ok(())
    }

    fn realise(&self, kit: &Kit<'_>, pins: &[Pinned], folder: &Path) -> Result<Realised, ProvideError> {
        let mut files: Vec<&PinnedFile> = pins.iter().flat_map(|pin| &pin.files).collect();
        // The largest first, each to whoever is free: one that came last would be waited for alone.
        files.sort_by_key(|file| std::cmp::Reverse(file.size));
        let kept = Kept::of(kit, KEPT, folder);
        let put = |file: &&PinnedFile| -> Result<(), PackageError> {
            package::put(kept, file, folder)?;
            checkpoint::pass("deb-after-package");
            Ok(())
        };
        files.iter().par_bridge().try_for_each(put).map_err(DebError::from)?;
        checkpoint::pass("deb-before-patch");
        patch::patch(folder).map_err(DebError::from)?;
        checkpoint::pass("deb-after-patch");
        self.cure(folder)?;
        Ok(Realised::default())
    }
}
