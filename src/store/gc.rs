//! Removing objects that nothing names any more, and rubbish.

use std::collections::BTreeSet;
use std::io;

use serde::Serialize;

use super::path::StorePath;
use super::{Store, StoreError, failed};
use crate::checkpoint;
use crate::fs::{occupied_bytes, remove_tree};

/// What a sweep removed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Swept {
    /// The objects.
    pub objects: Vec<StorePath>,
    /// Leftovers of killed runs.
    pub rubbish: usize,
    /// Bytes on disk that are free now.
    pub bytes: u64,
}

impl Store {
    /// Removes every object that `keep` does not name, and all rubbish. An object loses its manifest first, then its name, then
    /// its files: killed at any moment, it leaves rubbish, never half an object.
    ///
    /// # Errors
    /// What cannot be removed, by name.
    pub fn gc(&self, keep: &BTreeSet<StorePath>) -> Result<Swept, StoreError> {
        self.forget_index();
        let index = self.index();
        let mut swept = Swept::default();
        for name in index.rubbish() {
            let path = self.root.join(name);
            swept.bytes += occupied_bytes(&path);
            swept.rubbish += 1;
            remove_tree(&path).map_err(failed("removing", path))?;
        }
        for path in index.objects().filter(|path| !keep.contains(path)) {
            swept.bytes += self.remove(path)?;
            swept.objects.push(path.clone());
        }
        self.forget_index();
        Ok(swept)
    }

    /// Removes one object; returns the bytes on disk that are free now.
    fn remove(&self, path: &StorePath) -> Result<u64, StoreError> {
        checkpoint::pass("gc-before-object");
        let (folder, manifest) = (self.folder(path), self.root.join(path.manifest_name()));
        let bytes = occupied_bytes(&folder) + occupied_bytes(&manifest);
        match std::fs::remove_file(&manifest) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed("removing", manifest)(error)),
            _ => {}
        }
        checkpoint::pass("gc-after-manifest");
        let trash = self.root.join(format!(".trash-{path}"));
        remove_tree(&trash).map_err(failed("removing", &trash))?;
        std::fs::rename(&folder, &trash).map_err(failed("removing", &folder))?;
        remove_tree(&trash).map_err(failed("removing", &trash))?;
        Ok(bytes)
    }
}
