//! Files of pins into the cache: from the cache itself, else from wherever the index has them now.

use std::path::PathBuf;

use rayon::prelude::{IntoParallelRefIterator as _, ParallelIterator as _};

use super::index::IndexError;
use super::kit::Kit;
use super::pin::{PackageName, PinnedFile};
use crate::net::cache::Look;
use crate::net::{self, Cache, CacheError, Wanted};
use crate::progress::Event;

/// Why files did not come.
#[derive(Debug, thiserror::Error)]
pub enum PackageFetchError {
    /// It is not known where they are.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// They could not be fetched.
    #[error(transparent)]
    Fetch(#[from] net::FetchError),
    /// The cache cannot be read.
    #[error(transparent)]
    Cache(#[from] CacheError),
}

/// Files of packages.
type Files<'a> = [(&'a PackageName, &'a PinnedFile)];

/// Looks for each file in the cache, and hashes it. `distrust` hashes also what was verified before in this run.
///
/// # Errors
/// If the cache cannot be read.
pub fn look(cache: &Cache, files: &Files<'_>, distrust: bool) -> Result<Vec<Look>, CacheError> {
    files.par_iter().map(|(_, file)| cache.look(&file.sha256, &file.file, distrust)).collect()
}

/// Fetches the files that a [`look`] did not find in the cache and gives the paths of all, in their order. Blocks.
///
/// # Errors
/// With every file that did not come.
pub fn fetch(kit: &Kit<'_>, files: &Files<'_>, looks: &[Look], jobs: usize) -> Result<Vec<PathBuf>, PackageFetchError> {
    let mut missing = Vec::new();
    for ((name, file), look) in files.iter().zip(looks) {
        match look {
            Look::Found(_) => {}
            Look::Absent => missing.push((*name, *file)),
            Look::Damaged => {
                kit.report.report(Event::Note(format!("{} was damaged in the cache; it is fetched again", file.file)));
                missing.push((*name, *file));
            }
        }
    }
    if !missing.is_empty() {
        let wanted: Vec<Wanted> = kit.index.locate(kit.client, &missing)?;
        kit.client.block_on(net::fetch(kit.client, kit.cache, &wanted, jobs, kit.report, false))?;
    }
    Ok(files.iter().map(|(_, file)| kit.cache.path(&file.sha256, &file.file)).collect())
}
