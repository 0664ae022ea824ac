//! Files of pins into the cache: from the cache itself, else from wherever the index has them now.

use std::path::PathBuf;

use rayon::prelude::{IntoParallelRefIterator as _, ParallelIterator as _};

use super::index::IndexError;
use super::kit::Kit;
use super::pin::{PackageName, PinnedFile};
use crate::net::{self, Wanted};
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
    Cache(#[from] net::CacheError),
}

/// Fetches the files that are not in the cache and gives the paths of all, in their order. `distrust` hashes cache entries
/// even if they were verified before in this run. Blocks.
///
/// # Errors
/// With every file that did not come.
pub fn fetch(
    kit: &Kit<'_>,
    files: &[(&PackageName, &PinnedFile)],
    jobs: usize,
    distrust: bool,
) -> Result<Vec<PathBuf>, PackageFetchError> {
    let mut missing = Vec::new();
    // Each is hashed.
    let looks = files.par_iter().map(|(_, file)| kit.cache.look(&file.sha256, &file.file, distrust));
    let looks = looks.collect::<Result<Vec<_>, _>>()?;
    for ((name, file), look) in files.iter().zip(looks) {
        match look {
            net::cache::Look::Found(_) => {}
            net::cache::Look::Absent => missing.push((*name, *file)),
            net::cache::Look::Damaged => {
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
