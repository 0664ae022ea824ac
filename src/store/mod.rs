//! The store: immutable objects, valid only when their manifest is there.
//!
//! ```text
//! store/<key>[.n]-<name>/                 one object, read-only
//! store/<key>[.n]-<name>.manifest.json    its seal: every file with its digest
//! store/.trash-…                          what a `gc` was removing when it was killed
//! ```
//!
//! `<key>` is the first 20 hexadecimal digits of the object's key. The same key made again (`--force`, `--repair`) gets the
//! next `.n` beside the old one, so that nothing is ever changed under a running service.
//!
//! An object is built in its final folder ([`Build`]), since many programs hold their own path. [`Build::finish`] takes the
//! rights to write away and hashes it; [`Store::commit`] makes all finished ones durable by one `syncfs` and then names their
//! manifests. Whatever has no manifest is rubbish, which the next run for that key or the next [`Store::gc`] removes.

pub mod build;
pub mod gc;
pub mod index;
pub mod manifest;
pub mod path;
pub mod verify;

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

pub use build::{Build, Lookup, ObjectRecord, Sealed};
pub use gc::Swept;
pub use index::Index;
pub use manifest::ObjectManifest;
pub use path::{StorePath, StorePathError};
pub use verify::Difference;

use crate::digest::Digest;
use crate::layout::Layout;
use crate::name::PartName;

/// Why the store cannot do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A folder or file of the store cannot be read, made or removed.
    #[error("while {doing} {path}: {source}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// There is no such object.
    #[error("the store has no object {0}; `jove-install install` makes it again")]
    Absent(StorePath),
    /// A manifest is no manifest.
    #[error("{path} is damaged: {reason}; `jove-install verify --repair` makes the object again")]
    Damaged {
        /// The manifest.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A newer program wrote a manifest.
    #[error(
        "{path} has format {found}, this program reads up to {known}; use the jove-install that made it, or a newer one"
    )]
    Newer {
        /// The manifest.
        path: PathBuf,
        /// Its format.
        found: u64,
        /// The newest that is known here.
        known: u32,
    },
    /// A name in an object cannot be written in a manifest.
    #[error("{path} has a name that is no UTF-8, which no object may hold; rename it in its source")]
    Name {
        /// The file.
        path: PathBuf,
    },
}

/// The objects of one prefix.
#[derive(Debug)]
pub struct Store {
    root: PathBuf,
    index: Mutex<Option<Arc<Index>>>,
}

impl Store {
    /// The store of a prefix. Makes nothing: the folder comes with the first object.
    ///
    /// # Errors
    /// If there is something in the folder's place.
    pub fn open(layout: &Layout) -> io::Result<Self> {
        let root = layout.store();
        if root.exists() && !root.is_dir() {
            let text = format!("{} is no folder; move it away and run again", root.display());
            return Err(io::Error::new(io::ErrorKind::NotADirectory, text));
        }
        Ok(Self { root, index: Mutex::new(None) })
    }

    /// The newest valid object of a key and name, without looking into it. Answers from [`Store::index`].
    #[must_use]
    pub fn find(&self, key: &Digest, name: &PartName) -> Option<StorePath> {
        self.index().find(key, name)
    }

    /// All valid objects, sorted.
    #[must_use]
    pub fn list(&self) -> Vec<StorePath> {
        self.index().objects().cloned().collect()
    }

    /// What is in the store: read once, and again after this store has changed something.
    #[must_use]
    pub fn index(&self) -> Arc<Index> {
        let mut index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(index.get_or_insert_with(|| Arc::new(Index::read(&self.root))))
    }

    /// The folder of an object.
    #[must_use]
    pub fn folder(&self, path: &StorePath) -> PathBuf {
        self.root.join(path.folder_name())
    }

    fn forget_index(&self) {
        *self.index.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Names what was being done to what when it failed.
fn failed(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> StoreError {
    move |source| StoreError::Io { doing, path: path.into(), source }
}

#[cfg(test)]
mod tests;
