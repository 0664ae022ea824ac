//! Comparing an object with its manifest.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;
use serde::Serialize;

use super::path::StorePath;
use super::{Store, StoreError, failed};
use crate::digest::Digest;
use crate::fs::tree::{digest_file, sealed_mode};
use crate::fs::walk::{NOTHING, walk};
use crate::fs::{Entry, EntryKind};

/// One thing that is not as it was sealed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase", tag = "difference")]
pub enum Difference {
    /// Another content, target or kind; or it cannot be read any more.
    Altered {
        /// Relative to the object.
        path: PathBuf,
    },
    /// It was not there when it was sealed.
    Extra {
        /// Relative to the object.
        path: PathBuf,
    },
    /// It is gone.
    Missing {
        /// Relative to the object.
        path: PathBuf,
    },
    /// Other rights than a sealed thing has.
    Mode {
        /// Relative to the object.
        path: PathBuf,
    },
}

impl Difference {
    /// Where it is, relative to the object.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Altered { path } | Self::Extra { path } | Self::Missing { path } | Self::Mode { path } => path,
        }
    }
}

/// `altered  bin/activate`.
impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self {
            Self::Altered { .. } => "altered",
            Self::Extra { .. } => "extra",
            Self::Missing { .. } => "missing",
            Self::Mode { .. } => "mode",
        };
        write!(f, "{word:8} {}", self.path().display())
    }
}

impl Store {
    /// Hashes every file of an object and names whatever is not as it was sealed, sorted by path.
    ///
    /// # Errors
    /// If its manifest cannot be read.
    pub fn verify(&self, path: &StorePath) -> Result<Vec<Difference>, StoreError> {
        let manifest = self.manifest(path)?;
        let folder = self.folder(path);
        if !folder.is_dir() {
            return Err(StoreError::Absent(path.clone()));
        }
        let known = Known::default();
        let (mut differences, found) = rayon::join(
            || manifest.entries.par_iter().filter_map(|entry| compare(&folder, entry, &known)).collect::<Vec<_>>(),
            || walk(&folder, NOTHING),
        );
        if folder.metadata().is_ok_and(|metadata| metadata.mode() & 0o7777 != 0o555) {
            differences.push(Difference::Mode { path: ".".into() });
        }
        let named: BTreeSet<&Path> = manifest.entries.iter().map(|entry| entry.path.as_path()).collect();
        let extra = found
            .map_err(failed("listing", &folder))?
            .into_iter()
            .map(|found| found.path)
            .filter(|path| !named.contains(path.as_path()));
        differences.extend(extra.map(|path| Difference::Extra { path }));
        differences.sort_by(|one, other| one.path().cmp(other.path()).then_with(|| one.cmp(other)));
        Ok(differences)
    }
}

/// What files of several names have, so that each is read about once.
#[derive(Debug, Default)]
struct Known(Mutex<HashMap<(u64, u64), (Digest, u64)>>);

impl Known {
    fn digest(&self, path: &Path, metadata: &Metadata) -> io::Result<(Digest, u64)> {
        if metadata.nlink() == 1 {
            return digest_file(path);
        }
        let file = (metadata.dev(), metadata.ino());
        // Not locked while it is read: a core that hashes may be given another name of the same file meanwhile.
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&file).copied();
        if let Some(known) = known {
            return Ok(known);
        }
        let found = digest_file(path)?;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(file, found);
        Ok(found)
    }
}

fn compare(folder: &Path, entry: &Entry, known: &Known) -> Option<Difference> {
    let path = folder.join(&entry.path);
    let metadata = match path.symlink_metadata() {
        Ok(metadata) => metadata,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Some(Difference::Missing { path: entry.path.clone() });
        }
        Err(_) => return Some(Difference::Altered { path: entry.path.clone() }),
    };
    let mode_differs = sealed_mode(&entry.kind).is_some_and(|mode| metadata.mode() & 0o7777 != mode);
    if !same_content(&path, &entry.kind, &metadata, known) {
        Some(Difference::Altered { path: entry.path.clone() })
    } else if mode_differs {
        Some(Difference::Mode { path: entry.path.clone() })
    } else {
        None
    }
}

fn same_content(path: &Path, kind: &EntryKind, metadata: &Metadata, known: &Known) -> bool {
    match kind {
        EntryKind::File { digest, size, .. } => {
            metadata.is_file()
                && metadata.len() == *size
                && known.digest(path, metadata).is_ok_and(|found| found == (*digest, *size))
        }
        EntryKind::Folder => metadata.is_dir(),
        EntryKind::Link { target } => std::fs::read_link(path).is_ok_and(|found| found == *target),
    }
}
