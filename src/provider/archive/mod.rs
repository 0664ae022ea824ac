//! `archive`: files of the net by digest, unpacked. What is in them runs as it is.
//!
//! An archive has several addresses and one digest: where its bytes come from does not matter. Mirrors of the user's
//! configuration come first. Nobody is asked at lock time: the definition says the digest.

pub mod item;

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use url::Url;

use super::{Kit, Pinned, ProvideError, Provider, Realised};
use crate::archive::{ArchiveError, Limits, unpack};
use crate::net::{CacheError, FetchError};

pub use item::{Form, Item};

/// Raised when the same archives would give other bytes.
const VERSION: u32 = 1;

/// How long an address may take to answer whether it is there.
const PATIENCE: Duration = Duration::from_secs(10);

/// Archives to be unpacked into one folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archives {
    /// The archives.
    pub items: Vec<Item>,
    /// Folders of the user's configuration in which files may be, by name.
    pub mirrors: Vec<Url>,
}

/// Why archives could not be had.
#[derive(Debug, thiserror::Error)]
pub enum ArchivesError {
    /// No address answers.
    #[error("{0}")]
    Unreachable(String),
    /// Files did not come.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The cache cannot serve.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// A file is not in the cache, where it was put before.
    #[error("`{0}` has gone from the download cache; run it again")]
    Gone(String),
    /// An archive is refused.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A file cannot be written.
    #[error("`{}` cannot be written: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// Puts an item below a folder, at its own place there.
///
/// # Errors
/// If it is not in the cache, refused, or cannot be written.
pub(super) fn place(kit: &Kit<'_>, item: &Item, folder: &Path) -> Result<(), ArchivesError> {
    let file = item::cached(kit.cache, item)?.ok_or_else(|| ArchivesError::Gone(item.file()))?;
    let to = folder.join(&item.to);
    let at = |source| ArchivesError::Io { path: to.clone(), source };
    match item.form {
        Form::Tree => unpack(&file, &to, Limits::default(), item.strip).map(drop).map_err(Into::into),
        Form::File | Form::Patch => {
            std::fs::create_dir_all(to.parent().unwrap_or(folder)).map_err(at)?;
            std::fs::copy(&file, &to).map_err(at)?;
            let mode = if item.form == Form::File { 0o755 } else { 0o644 };
            std::fs::set_permissions(&to, PermissionsExt::from_mode(mode)).map_err(at)
        }
    }
}

impl Provider for Archives {
    fn name(&self) -> &'static str {
        "archive"
    }

    fn version(&self) -> String {
        VERSION.to_string()
    }

    fn inputs(&self) -> BTreeMap<String, Vec<String>> {
        [("archive".to_owned(), self.items.iter().map(Item::asked).collect())].into()
    }

    fn settings(&self) -> BTreeMap<String, Vec<String>> {
        self.items.iter().map(Item::setting).collect()
    }

    fn reachable(&self, kit: &Kit<'_>) -> Result<String, ProvideError> {
        item::reach(kit, &self.items, &self.mirrors).map_err(|why| ArchivesError::Unreachable(why).into())
    }

    fn resolve(&self, _kit: &Kit<'_>, _before: &[Pinned]) -> Result<Vec<Pinned>, ProvideError> {
        Ok(self.items.iter().map(Item::pin).collect())
    }

    fn fetch(&self, kit: &Kit<'_>, pins: &[Pinned]) -> Result<(), ProvideError> {
        Ok(item::fetch(kit, &self.items, &self.mirrors, pins).map_err(ArchivesError::from)?)
    }

    fn realise(&self, kit: &Kit<'_>, _pins: &[Pinned], folder: &Path) -> Result<Realised, ProvideError> {
        self.items.iter().try_for_each(|item| place(kit, item, folder))?;
        Ok(Realised::default())
    }
}
