//! `git`: the files of a commit.
//!
//! # Theory
//!
//! A reference (branch, tag or commit) is pinned to its commit at lock time. What is fetched goes into a bare repository of the
//! cache ([`repository`]), as shallow as the remote lets it be; the commit's files are written as one tar, which is a file of
//! the cache by its digest like any other. So the lock names the commit and the digest of its files, and what is locked and
//! cached needs neither git nor the remote. Each submodule is a tar of its own.
//!
//! A repository on this machine is only ever read: what is not committed there is not taken, and not touched.
//!
//! # Weakness
//!
//! What `.gitattributes` excludes from archives (`export-ignore`) is left out. Git LFS files are their pointers.

mod repository;
mod submodule;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Seek as _;
use std::path::{Path, PathBuf};

use self::repository::Repository;
use super::{Kit, Pinned, PinnedFile, ProvideError, Provider, Realised};
use crate::archive::{ArchiveError, Limits, unpack};
use crate::checkpoint;
use crate::digest::Sha256;
use crate::net::CacheError;
use crate::process::ProcessError;
use crate::progress::Event;

pub use repository::Reference;

/// Raised when the same commit would give other bytes.
const VERSION: u32 = 1;

/// Submodules within submodules, at most.
const DEPTH: usize = 8;

/// Commits to be checked out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkouts {
    /// Each with a name.
    pub items: Vec<Checkout>,
}

/// One repository and what is wanted of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkout {
    /// Its name: one plain component.
    pub name: String,
    /// Its address, as git takes it; of a repository on this machine its path.
    pub url: String,
    /// The branch, tag or commit.
    pub reference: Reference,
    /// Whether its submodules are wanted, too.
    pub submodules: bool,
    /// Where its files go, relative.
    pub to: PathBuf,
}

/// Why a commit could not be had.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// There is no git.
    #[error("git was not found in PATH; install it (the package `git`), or take another provider")]
    NoGit,
    /// An address is none.
    #[error("`{0}` is no address of a repository: write https://…, ssh://…, git@host:path, file://… or a path")]
    Address(String),
    /// The remote does not answer, or refuses.
    #[error("the repository {url} cannot be read: {source}")]
    Remote {
        /// Its address, without user info.
        url: String,
        /// Why.
        source: Box<ProcessError>,
    },
    /// Offline, and not in the cache.
    #[error("the repository {0} is not asked, because of --offline; run once without it")]
    Offline(String),
    /// There is no such branch or tag.
    #[error("the repository {url} has no branch or tag `{reference}`")]
    NoReference {
        /// Its address, without user info.
        url: String,
        /// What was asked for.
        reference: String,
    },
    /// The commit is gone.
    #[error(
        "the repository {url} has the commit {commit} no more: its history was rewritten; lock another one with --upgrade"
    )]
    NoCommit {
        /// Its address, without user info.
        url: String,
        /// The commit.
        commit: String,
    },
    /// The commit's files are others than those that were locked.
    #[error("the files of the commit {commit} of {url} are not those that jove.lock names; lock again with --upgrade")]
    Other {
        /// Its address, without user info.
        url: String,
        /// The commit.
        commit: String,
    },
    /// A submodule that is not to be trusted.
    #[error("the submodule `{path}` of {url} is refused: {why}")]
    Submodule {
        /// The repository that has it.
        url: String,
        /// Where it says it goes.
        path: String,
        /// Why.
        why: &'static str,
    },
    /// Git failed on what is in the cache.
    #[error("the cached repository of {url} cannot be used: {source}")]
    Local {
        /// Its address, without user info.
        url: String,
        /// Why.
        source: Box<ProcessError>,
    },
    /// The cache cannot serve.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// A tar is refused.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A file cannot be read or written.
    #[error("`{}` cannot be used: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The user ended the run.
    #[error("interrupted")]
    Interrupted,
}

fn at(path: &Path) -> impl FnOnce(std::io::Error) -> GitError {
    let path = path.to_owned();
    |source| GitError::Io { path, source }
}

/// A commit whose files are to be brought into the cache.
struct Wish<'a> {
    name: String,
    url: String,
    commit: String,
    place: PathBuf,
    checkout: &'a Checkout,
    depth: usize,
}

impl Checkout {
    /// Brings a commit, and those of its submodules, into the cache.
    fn collect(&self, kit: &Kit<'_>, commit: &str) -> Result<Vec<Pinned>, GitError> {
        let mut pins = Vec::new();
        let first = Wish {
            name: self.name.clone(),
            url: self.url.clone(),
            commit: commit.to_owned(),
            place: PathBuf::new(),
            checkout: self,
            depth: 0,
        };
        let mut wishes = vec![first];
        while let Some(wish) = wishes.pop() {
            let repository = Repository::open(kit, &wish.url)?;
            repository.bring(&wish.commit)?;
            pins.push(wish.pin(kit, &repository)?);
            if self.submodules {
                wishes.extend(wish.submodules(&repository)?);
            }
        }
        Ok(pins)
    }
}

impl<'a> Wish<'a> {
    fn pin(&self, kit: &Kit<'_>, repository: &Repository<'_>) -> Result<Pinned, GitError> {
        let short = self.commit.get(..12).unwrap_or(&self.commit);
        let file = format!("{}-{short}.tar", self.name.replace('/', "-"));
        let mut tar = repository.archive(&self.commit)?;
        let read = |tar: &mut File| {
            tar.rewind()?;
            let sha256 = Sha256::of_reader(&mut *tar)?;
            tar.rewind()?;
            Ok((sha256, tar.metadata()?.len()))
        };
        let (sha256, size) = read(&mut tar).map_err(at(Path::new(&file)))?;
        kit.cache.insert(&sha256, &file, &mut tar)?;
        let is_given = self.depth > 0 || matches!(self.checkout.reference, Reference::Commit(_));
        Ok(Pinned {
            name: self.name.clone(),
            version: self.commit.clone(),
            place: (self.depth > 0).then(|| self.place.display().to_string()),
            trust: if is_given { "given commit" } else { "first use" }.to_owned(),
            files: vec![PinnedFile { file, sha256, size: Some(size) }],
        })
    }

    fn submodules(&self, repository: &Repository<'_>) -> Result<Vec<Wish<'a>>, GitError> {
        let found = submodule::of(repository, &self.url, &self.commit)?;
        let wishes = found.into_iter().map(|found| {
            if self.depth == DEPTH {
                return Err(GitError::Submodule {
                    url: repository.shown(),
                    path: found.path,
                    why: "they are nested too deeply",
                });
            }
            Ok(Wish {
                name: format!("{}/{}", self.name, found.path),
                url: found.url,
                commit: found.commit,
                place: self.place.join(&found.path),
                checkout: self.checkout,
                depth: self.depth + 1,
            })
        });
        wishes.collect()
    }
}

impl Provider for Checkouts {
    fn name(&self) -> &'static str {
        "git"
    }

    fn version(&self) -> String {
        VERSION.to_string()
    }

    fn inputs(&self) -> BTreeMap<String, Vec<String>> {
        let asked = |item: &Checkout| {
            let with = if item.submodules { " with submodules" } else { "" };
            format!("{} {} {}{with}", item.name, repository::called(&item.url), item.reference)
        };
        [("git".to_owned(), self.items.iter().map(asked).collect())].into()
    }

    fn settings(&self) -> BTreeMap<String, Vec<String>> {
        self.items.iter().map(|item| (format!("item {}", item.name), vec![item.to.display().to_string()])).collect()
    }

    fn reachable(&self, kit: &Kit<'_>) -> Result<String, ProvideError> {
        for item in &self.items {
            Repository::open(kit, &item.url)?.find(&item.reference)?;
        }
        Ok(self.items.iter().map(|item| repository::shown(&item.url)).collect::<Vec<_>>().join(", "))
    }

    fn resolve(&self, kit: &Kit<'_>, _before: &[Pinned]) -> Result<Vec<Pinned>, ProvideError> {
        let mut pins = Vec::new();
        for item in &self.items {
            let repository = Repository::open(kit, &item.url)?;
            let commit = repository.find(&item.reference)?;
            if repository.has_uncommitted_work() {
                let text = format!("{} has work that is not committed: it is not taken", repository.shown());
                kit.report.report(Event::Note(text));
            }
            drop(repository);
            pins.extend(item.collect(kit, &commit)?);
        }
        Ok(pins)
    }

    fn fetch(&self, kit: &Kit<'_>, pins: &[Pinned]) -> Result<(), ProvideError> {
        for item in &self.items {
            let below = format!("{}/", item.name);
            let own = pins.iter().filter(|pin| pin.name == item.name || pin.name.starts_with(&below));
            let own: Vec<&Pinned> = own.collect();
            let mut missing = false;
            for file in own.iter().flat_map(|pin| &pin.files) {
                missing |= kit.cache.find(&file.sha256, &file.file).map_err(GitError::from)?.is_none();
            }
            let Some(top) = own.iter().find(|pin| pin.name == item.name).filter(|_| missing) else { continue };
            let found = item.collect(kit, &top.version)?;
            let is_same = |pin: &&Pinned| found.iter().any(|found| found.name == pin.name && found.files == pin.files);
            if let Some(other) = own.iter().find(|pin| !is_same(pin)) {
                let url = repository::shown(&item.url);
                return Err(GitError::Other { url, commit: other.version.clone() }.into());
            }
        }
        Ok(())
    }

    fn realise(&self, kit: &Kit<'_>, pins: &[Pinned], folder: &Path) -> Result<Realised, ProvideError> {
        for pin in pins {
            let top = pin.name.split('/').next().unwrap_or_default();
            let to = self.items.iter().find(|item| item.name == top).map(|item| folder.join(&item.to));
            let to = to.unwrap_or_else(|| folder.to_owned()).join(pin.place.as_deref().unwrap_or_default());
            for file in &pin.files {
                let path = kit.cache.path(&file.sha256, &file.file);
                unpack(&path, &to, Limits::default(), 0).map_err(GitError::from)?;
                checkpoint::pass("git-after-checkout");
            }
        }
        Ok(Realised::default())
    }
}
