//! Making an object: [`Store::lookup`] gives a [`Build`], [`Build::finish`] a [`Sealed`], [`Store::commit`] a valid object.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::Permissions;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::index::Index;
use super::manifest::{FORMAT, ObjectManifest};
use super::path::{MANIFEST_SUFFIX, StorePath};
use super::{Store, StoreError, failed};
use crate::checkpoint;
use crate::digest::Digest;
use crate::fs::atomic::sync_folder;
use crate::fs::{Entry, Known, remove_tree, seal_tree, sync_filesystem};
use crate::name::PartName;

/// Whether an object is there.
#[derive(Debug)]
pub enum Lookup {
    /// It is.
    Hit(StorePath),
    /// It is not: here is the empty folder to make it in.
    Miss(Build),
}

/// An object that is being made, in its final folder.
#[derive(Debug)]
#[must_use = "an object is valid only after `finish` and `Store::commit`"]
pub struct Build {
    path: StorePath,
    key: Digest,
    folder: PathBuf,
}

/// What is to be remembered of an object's making.
#[derive(Debug, Clone, Default)]
pub struct ObjectRecord {
    /// What made it.
    pub action: String,
    /// Why it depends on the machine, if it does.
    pub impure: BTreeSet<String>,
    /// Anything else, by name.
    pub facts: BTreeMap<String, String>,
}

/// An object that is whole and read-only, but not yet durable or valid.
#[derive(Debug)]
#[must_use = "an object is valid only after `Store::commit`"]
pub struct Sealed {
    path: StorePath,
    manifest: ObjectManifest,
}

impl Store {
    /// Looks for an object, and prepares to make it if it is not there. With `fresh` (`--force`, `--repair`) it is always made,
    /// beside what is there. What a killed run left of it is removed first.
    ///
    /// # Errors
    /// If the store cannot be read, or written where it must be.
    pub fn lookup(&self, key: &Digest, name: &PartName, fresh: bool) -> Result<Lookup, StoreError> {
        let index = self.index();
        let newest = index.find(key, name);
        if let Some(path) = newest.as_ref().filter(|path| !fresh && self.folder(path).is_dir()) {
            // An object whose manifest cannot be read is no object: made again beside it, it is mended.
            match self.manifest(path) {
                Ok(_) => return Ok(Lookup::Hit(path.clone())),
                Err(StoreError::Absent(_) | StoreError::Damaged { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        let serial = newest.map_or(0, |path| path.serial() + 1);
        let path = StorePath::new(key, serial, name.clone());
        let leftovers = leftovers(&index, key, name);
        if leftovers.iter().chain([&path]).any(|path| self.is_valid(path)) {
            // Another run made it since the listing was read; what is valid must not be taken for rubbish.
            self.forget_index();
            return self.lookup(key, name, fresh);
        }
        for leftover in leftovers {
            for path in [self.root.join(leftover.manifest_name()), self.folder(&leftover)] {
                remove_tree(&path).map_err(failed("removing the leftover", path))?;
            }
        }
        self.begin(path, *key).map(Lookup::Miss)
    }

    fn is_valid(&self, path: &StorePath) -> bool {
        self.root.join(path.manifest_name()).exists() && self.folder(path).is_dir()
    }

    fn begin(&self, path: StorePath, key: Digest) -> Result<Build, StoreError> {
        let folder = self.folder(&path);
        std::fs::create_dir_all(&self.root).map_err(failed("making", &self.root))?;
        // What an earlier attempt of this run left, which the listing does not know.
        remove_tree(&folder).map_err(failed("clearing", &folder))?;
        std::fs::create_dir(&folder).map_err(failed("making", &folder))?;
        std::fs::set_permissions(&folder, Permissions::from_mode(0o755)).map_err(failed("making", &folder))?;
        Ok(Build { path, key, folder })
    }

    /// Makes finished objects valid: one `syncfs` for all of them and their manifests, then each manifest gets its name.
    ///
    /// # Errors
    /// If a manifest cannot be written or synced. Those that have their name by then are valid.
    pub fn commit(&self, sealed: Vec<Sealed>) -> Result<Vec<StorePath>, StoreError> {
        if sealed.is_empty() {
            return Ok(Vec::new());
        }
        let mut written = Vec::new();
        for Sealed { path, manifest } in sealed {
            written.push((self.write_aside(&path, &manifest)?, path));
        }
        sync_filesystem(&self.root).map_err(failed("syncing", &self.root))?;
        let mut paths = Vec::new();
        for (file, path) in written {
            let target = self.root.join(path.manifest_name());
            file.persist(&target).map_err(|error| failed("sealing", target)(error.error))?;
            paths.push(path);
        }
        sync_folder(&self.root).map_err(failed("syncing", &self.root))?;
        checkpoint::pass("object-after-seal");
        self.forget_index();
        Ok(paths)
    }

    fn write_aside(&self, path: &StorePath, manifest: &ObjectManifest) -> Result<tempfile::NamedTempFile, StoreError> {
        let target = self.root.join(path.manifest_name());
        let text = manifest.to_text().map_err(|error| failed("writing", &target)(error.into()))?;
        let write = || {
            let mut file = tempfile::Builder::new().prefix(".tmp-").tempfile_in(&self.root)?;
            file.write_all(text.as_bytes())?;
            file.as_file().set_permissions(Permissions::from_mode(0o444))?;
            Ok(file)
        };
        write().map_err(failed("writing", &target))
    }
}

/// What killed runs left of a key and name.
fn leftovers(index: &Index, key: &Digest, name: &PartName) -> BTreeSet<StorePath> {
    let parse = |rubbish: &str| rubbish.strip_suffix(MANIFEST_SUFFIX).unwrap_or(rubbish).parse::<StorePath>();
    index.rubbish().flat_map(parse).filter(|path| path.has_key(key) && path.name() == name).collect()
}

impl Build {
    /// The folder to make it in: its final one, there and empty.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The object's name.
    #[must_use]
    pub fn path(&self) -> &StorePath {
        &self.path
    }

    /// Takes the rights to write away and hashes everything whose digest is not known.
    ///
    /// # Errors
    /// If something in it cannot be read or changed, or has a name that is no UTF-8.
    pub fn finish(self, record: ObjectRecord, known: &Known) -> Result<Sealed, StoreError> {
        checkpoint::pass("object-before-seal");
        let entries = seal_tree(&self.folder, known).map_err(failed("sealing", &self.folder))?;
        let speakable = |entry: &Entry| {
            entry.path.to_str().is_some()
                && !matches!(&entry.kind, crate::fs::EntryKind::Link { target } if target.to_str().is_none())
        };
        if let Some(entry) = entries.iter().find(|entry| !speakable(entry)) {
            return Err(StoreError::Name { path: self.folder.join(&entry.path) });
        }
        let ObjectRecord { action, impure, facts } = record;
        let manifest = ObjectManifest { format: FORMAT, key: self.key, action, impure, facts, entries };
        Ok(Sealed { path: self.path, manifest })
    }

    /// Removes what was made of it so far.
    ///
    /// # Errors
    /// If something cannot be removed.
    pub fn abandon(self) -> Result<(), StoreError> {
        remove_tree(&self.folder).map_err(failed("removing", self.folder))
    }
}

impl Sealed {
    /// The object's name.
    #[must_use]
    pub fn path(&self) -> &StorePath {
        &self.path
    }

    /// What will be its manifest.
    #[must_use]
    pub fn manifest(&self) -> &ObjectManifest {
        &self.manifest
    }
}
