//! Many files, in parallel: what is wanted, from the cache or its addresses, with every failure told.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use url::Url;

use super::address::{self, show};
use super::cache::{self, Cache, CacheError, Content, Look};
use super::client::Client;
use super::transfer::{Transfer, Try};
use super::trouble::{self, Trouble};
use crate::digest::Sha256;
use crate::progress::{Event, Reporter};

/// A file that is wanted.
#[derive(Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Its file name: one plain component.
    pub name: String,
    /// Its digest, which is what it *is*.
    pub sha256: Sha256,
    /// Its size, where known.
    pub size: Option<u64>,
    /// Where to get it, in this order; they may carry user info.
    pub addresses: Vec<Url>,
}

impl fmt::Debug for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let addresses: Vec<String> = self.addresses.iter().map(show).collect();
        write!(f, "Wanted({} {} {:?} {addresses:?})", self.name, self.sha256, self.size)
    }
}

/// Why one file did not come.
#[derive(Debug)]
pub enum Cause {
    /// Every address failed.
    Tried(Vec<Try>),
    /// There is no address to try.
    NoAddress,
    /// The cache cannot serve.
    Cache(CacheError),
}

/// A file that did not come.
#[derive(Debug)]
pub struct Failure {
    /// Its name.
    pub name: String,
    /// Why.
    pub cause: Cause,
}

/// Why not all files came.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Some failed; the others are in the cache now.
    #[error("{}", told(.failures, *.of))]
    Files {
        /// Those that failed, in the order in which they were wanted.
        failures: Vec<Failure>,
        /// How many were wanted.
        of: usize,
    },
    /// They would not fit, so nothing was fetched.
    #[error(
        "{need} bytes are to be fetched into {}, where {free} are free: {} more are needed\nfree them, or point \
         XDG_CACHE_HOME to another disk",
        folder.display(),
        need - free
    )]
    Space {
        /// Bytes to fetch.
        need: u64,
        /// Bytes that are free.
        free: u64,
        /// Where.
        folder: PathBuf,
    },
}

impl FetchError {
    /// Whether it is on this machine, so that no other address would end better.
    #[must_use]
    pub fn is_local(&self) -> bool {
        let is_local = |failure: &Failure| match &failure.cause {
            Cause::Cache(_) => true,
            Cause::NoAddress => false,
            Cause::Tried(tries) => tries.iter().any(|tried| tried.trouble.is_local()),
        };
        match self {
            Self::Files { failures, .. } => failures.iter().any(is_local),
            Self::Space { .. } => true,
        }
    }
}

/// Fetches every file that is not in the cache, at most `jobs` at once, and gives their paths in the order of `wanted`.
/// All are tried, whatever happens to one. `distrust` hashes cache entries even if they were verified before in this run.
///
/// Runs on a tokio runtime; a caller without one has [`Client::block_on`].
///
/// # Errors
/// If a file failed at all its addresses; every failure is in the error, and what came stays in the cache.
pub async fn fetch(
    client: &Client,
    cache: &Cache,
    wanted: &[Wanted],
    jobs: usize,
    report: &Reporter,
    distrust: bool,
) -> Result<Vec<PathBuf>, FetchError> {
    let permits = Arc::new(Semaphore::new(jobs.max(1)));
    let found = look_all(cache, wanted, &permits, report, distrust).await;
    enough_space(cache, wanted, &found)?;
    let mut tasks = JoinSet::new();
    let mut ended: BTreeMap<usize, Result<PathBuf, Cause>> = BTreeMap::new();
    for (index, look) in found.into_iter().enumerate() {
        match look {
            Ok(Look::Found(path)) => drop(ended.insert(index, Ok(path))),
            Ok(Look::Absent | Look::Damaged) => {
                let (client, cache, report, permits) = (client.clone(), cache.clone(), report.clone(), permits.clone());
                let wanted = wanted[index].clone();
                tasks.spawn(async move {
                    // The semaphore is never closed; without a permit it would merely run at once.
                    let _permit = permits.acquire().await;
                    (index, one(&client, &cache, &wanted, &report).await)
                });
            }
            Err(error) => drop(ended.insert(index, Err(Cause::Cache(error)))),
        }
    }
    while let Some(joined) = tasks.join_next().await {
        let (index, result) = joined.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
        ended.insert(index, result);
    }
    gather(wanted, ended)
}

fn gather(wanted: &[Wanted], ended: BTreeMap<usize, Result<PathBuf, Cause>>) -> Result<Vec<PathBuf>, FetchError> {
    let mut paths = Vec::new();
    let mut failures = Vec::new();
    for (index, result) in ended {
        match result {
            Ok(path) => paths.push(path),
            Err(cause) => failures.push(Failure { name: wanted[index].name.clone(), cause }),
        }
    }
    if failures.is_empty() { Ok(paths) } else { Err(FetchError::Files { failures, of: wanted.len() }) }
}

/// Looks for all files in the cache, hashing in parallel.
async fn look_all(
    cache: &Cache,
    wanted: &[Wanted],
    permits: &Arc<Semaphore>,
    report: &Reporter,
    distrust: bool,
) -> Vec<Result<Look, CacheError>> {
    let looks: Vec<_> = wanted
        .iter()
        .map(|wanted| {
            let (cache, permits, report) = (cache.clone(), permits.clone(), report.clone());
            let (name, sha256) = (wanted.name.clone(), wanted.sha256);
            tokio::spawn(async move {
                let _permit = permits.acquire().await;
                blocking(move || {
                    let look = cache.look(&sha256, &name, distrust);
                    if matches!(look, Ok(Look::Damaged)) {
                        report.report(Event::Note(format!(
                            "`{name}` was damaged in the download cache and is fetched again"
                        )));
                    }
                    look
                })
                .await
            })
        })
        .collect();
    let mut found = Vec::new();
    for look in looks {
        found.push(look.await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic())));
    }
    found
}

/// Refuses to begin what cannot end: all that is to come against what is free.
fn enough_space(cache: &Cache, wanted: &[Wanted], found: &[Result<Look, CacheError>]) -> Result<(), FetchError> {
    let absent = wanted.iter().zip(found).filter(|(_, look)| matches!(look, Ok(Look::Absent | Look::Damaged)));
    let sizes: BTreeMap<Sha256, u64> = absent.filter_map(|(wanted, _)| Some((wanted.sha256, wanted.size?))).collect();
    let need = sizes.values().fold(0_u64, |sum, size| sum.saturating_add(*size));
    match trouble::free(cache.root()) {
        Ok(free) if free < need => Err(FetchError::Space { need, free, folder: cache.root().to_owned() }),
        _ => Ok(()),
    }
}

async fn one(client: &Client, cache: &Cache, wanted: &Wanted, report: &Reporter) -> Result<PathBuf, Cause> {
    if wanted.addresses.is_empty() {
        return Err(Cause::NoAddress);
    }
    if client.is_offline() && !wanted.addresses.iter().any(|address| address::local(address).is_some()) {
        let offline = |address| Try { address: show(address), trouble: Trouble::Offline, attempts: 0 };
        return Err(Cause::Tried(wanted.addresses.iter().map(offline).collect()));
    }
    let path = cache.path(&wanted.sha256, &wanted.name);
    let claimed = {
        let (cache, report, wanted) = (cache.clone(), report.clone(), wanted.clone());
        blocking(move || claim(&cache, &wanted, &report)).await
    };
    let part = match claimed.map_err(Cause::Cache)? {
        Claimed::Found(path) => return Ok(path),
        Claimed::Part(part) => part,
    };
    let local = |trouble| Cause::Tried(vec![Try { address: path.display().to_string(), trouble, attempts: 1 }]);
    let transfer = Transfer::begin(client, report, wanted, part).map_err(local)?;
    let part = transfer.run(&wanted.addresses).await.map_err(Cause::Tried)?;
    let (shared, place) = (cache.clone(), path.clone());
    blocking(move || shared.commit(part, &place)).await.map_err(|error| local(Trouble::disk(&path, 0, error)))?;
    report.report(Event::End { task: wanted.name.clone() });
    Ok(path)
}

enum Claimed {
    Found(PathBuf),
    Part(super::part::Part),
}

/// Takes the entry's file lock, and looks again: whoever had it may have put the file in.
fn claim(cache: &Cache, wanted: &Wanted, report: &Reporter) -> Result<Claimed, CacheError> {
    cache::check(&wanted.name)?;
    let mut waiting = |holder: Option<u32>| {
        let who = holder.map_or_else(|| "another run".to_owned(), |pid| format!("another run (process {pid})"));
        report.report(Event::Note(format!("`{}`: {who} is fetching it; waiting", wanted.name)));
    };
    let part = cache
        .claim(Content::Sha256(wanted.sha256), &mut waiting)
        .map_err(|source| CacheError::Io { path: cache.path(&wanted.sha256, &wanted.name), source })?;
    Ok(match cache.look(&wanted.sha256, &wanted.name, false)? {
        Look::Found(path) => Claimed::Found(path),
        Look::Absent | Look::Damaged => Claimed::Part(part),
    })
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let joined = tokio::task::spawn_blocking(work).await;
    joined.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}

fn told(failures: &[Failure], of: usize) -> String {
    let mut text = match of {
        1 => "a file could not be fetched".to_owned(),
        _ => format!("{} of {of} files could not be fetched", failures.len()),
    };
    for failure in failures {
        text.push_str(&format!("\n  {}", failure.name));
        match &failure.cause {
            Cause::NoAddress => text.push_str("\n    no address is known for it"),
            Cause::Cache(error) => text.push_str(&format!("\n    {error}")),
            Cause::Tried(tries) => tries.iter().for_each(|tried| text.push_str(&format!("\n    {tried}"))),
        }
    }
    text.push('\n');
    text.push_str(remedy(failures));
    text
}

/// What to do about the failure that most likely is behind the others.
fn remedy(failures: &[Failure]) -> &'static str {
    let tries = || {
        failures.iter().flat_map(|failure| match &failure.cause {
            Cause::Tried(tries) => tries.as_slice(),
            Cause::NoAddress | Cause::Cache(_) => &[],
        })
    };
    let any = |test: fn(&Trouble) -> bool| tries().any(|tried| test(&tried.trouble));
    let is_cache = |failure: &Failure| matches!(failure.cause, Cause::Cache(CacheError::Io { .. }));
    if failures.iter().any(is_cache) {
        "a cache that cannot be written serves with what it has, and that is not in it"
    } else if tries().next().is_none() {
        "name an index or mirror that has it in [sources] of config.toml"
    } else if any(|trouble| matches!(trouble, Trouble::Full { .. })) {
        "free space there, or point XDG_CACHE_HOME to another disk; what came is kept"
    } else if any(|trouble| matches!(trouble, Trouble::Disk { .. })) {
        "mend the permissions there, or point XDG_CACHE_HOME to another folder"
    } else if any(|trouble| matches!(trouble, Trouble::Offline)) {
        "run once without --offline to fill the download cache"
    } else if any(|trouble| matches!(trouble, Trouble::Status(401 | 403 | 407))) {
        "check the user and password in the address or in ~/.netrc"
    } else if any(|trouble| matches!(trouble, Trouble::Untrusted(_))) {
        "name the certificate of a private authority in SSL_CERT_FILE"
    } else if any(|trouble| matches!(trouble, Trouble::Digest { .. } | Trouble::Size { .. })) {
        "try another mirror; if its owner says that the file was replaced, lock it again with --upgrade"
    } else if any(Trouble::passes) {
        "check the network, the proxy variables and the mirrors, then run it again: what came is kept"
    } else {
        "check the mirrors' addresses, or lock again with --upgrade if the file is gone"
    }
}

impl fmt::Display for Try {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.address, self.trouble)?;
        if self.attempts > 1 { write!(f, " (after {} attempts)", self.attempts) } else { Ok(()) }
    }
}

/// A folder on this machine, as an address.
#[must_use]
pub fn file_address(path: &Path) -> Option<Url> {
    Url::from_file_path(path).ok()
}
