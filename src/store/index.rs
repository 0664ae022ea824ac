//! [`Index`]: what is in the store, from one listing of its folder.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::path::{MANIFEST_SUFFIX, StorePath};
use crate::digest::Digest;
use crate::name::PartName;

/// What is in the store, by name only.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Index {
    objects: BTreeSet<StorePath>,
    /// The newest of each key and name, since 10,000 parts each ask for theirs.
    newest: BTreeMap<(PartName, String), u32>,
    rubbish: BTreeSet<String>,
}

impl Index {
    /// Lists a store; one that is not there is empty.
    pub(super) fn read(root: &Path) -> Self {
        let entries = std::fs::read_dir(root).into_iter().flatten().flatten();
        Self::of(entries.map(|entry| entry.file_name().to_string_lossy().into_owned()))
    }

    /// An object is a folder with a manifest; every other name is rubbish.
    fn of(names: impl IntoIterator<Item = String>) -> Self {
        let names: BTreeSet<String> = names.into_iter().collect();
        let mut index = Self::default();
        for name in &names {
            let folder = name.strip_suffix(MANIFEST_SUFFIX).unwrap_or(name);
            let whole = names.contains(folder) && names.contains(&format!("{folder}{MANIFEST_SUFFIX}"));
            match folder.parse() {
                Ok(path) if whole => index.add(path),
                _ => {
                    index.rubbish.insert(name.clone());
                }
            }
        }
        index
    }

    fn add(&mut self, path: StorePath) {
        let newest = self.newest.entry((path.name().clone(), path.short_key().to_owned())).or_default();
        *newest = path.serial().max(*newest);
        self.objects.insert(path);
    }

    /// The newest valid object of a key and name.
    #[must_use]
    pub fn find(&self, key: &Digest, name: &PartName) -> Option<StorePath> {
        let serial = self.newest.get(&(name.clone(), key.short()))?;
        Some(StorePath::new(key, *serial, name.clone()))
    }

    /// All valid objects, sorted by part.
    pub fn objects(&self) -> impl Iterator<Item = &StorePath> {
        self.objects.iter()
    }

    /// Names in the store that are no part of a valid object.
    pub fn rubbish(&self) -> impl Iterator<Item = &str> {
        self.rubbish.iter().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_folders_with_manifests_and_the_newest_is_found() {
        let (key, env): (_, PartName) = (Digest::of("k"), "env".parse().expect("name"));
        let name = |serial| StorePath::new(&key, serial, env.clone()).folder_name();
        let manifest = |serial| StorePath::new(&key, serial, env.clone()).manifest_name();
        let index =
            Index::of([name(0), manifest(0), name(2), manifest(2), name(3), manifest(4), ".trash-x".to_owned()]);
        assert_eq!(index.objects().map(StorePath::serial).collect::<Vec<_>>(), [0, 2]);
        assert_eq!(index.find(&key, &env).map(|path| path.serial()), Some(2));
        assert_eq!(index.find(&Digest::of("other"), &env), None);
        assert_eq!(index.rubbish().collect::<Vec<_>>(), [".trash-x".to_owned(), name(3), manifest(4)]);
    }
}
