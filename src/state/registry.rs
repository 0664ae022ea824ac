//! [`Registry`]: the user's prefixes, so that `list` finds them and no two are given one port.
//!
//! `$XDG_STATE_HOME/jove-install/prefixes/<id>.toml`, the one thing that a prefix keeps outside itself. Every verb can write it
//! anew from the prefix; removing the last entry leaves no folder that this program made.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::checkpoint;
use crate::fs::folder::missing_folders;
use crate::fs::{TomlDocument, private_folder, remove_temporaries, write_atomic};

/// The format number of what this module writes.
pub const FORMAT: u32 = 1;

const DOCUMENT: TomlDocument = TomlDocument { format: FORMAT, limit: 1 << 20, private: false };

/// What is known of a prefix from outside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegistryEntry {
    /// [`FORMAT`].
    pub format: u32,
    /// The prefix's id.
    pub id: String,
    /// The prefix.
    pub path: PathBuf,
    /// The project's name.
    pub project: String,
    /// The profile.
    pub profile: String,
    /// Its ports.
    #[serde(default)]
    pub ports: BTreeSet<u16>,
    /// What it made outside itself, from its ledger.
    #[serde(default)]
    pub external: BTreeSet<PathBuf>,
    /// Folders that were made for the registry itself, deepest first.
    #[serde(default)]
    pub folders: Vec<PathBuf>,
}

/// An entry, and whether its prefix is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Registered {
    /// The entry.
    #[serde(flatten)]
    pub entry: RegistryEntry,
    /// Whether its prefix is there, and is still the one with this id.
    pub exists: bool,
}

/// Why the registry cannot be changed. It is never a reason for not reading it.
#[derive(Debug, thiserror::Error)]
#[error("while {doing} the registry entry {path}: {source}; see that you may write there, or set XDG_STATE_HOME")]
pub struct RegistryError {
    doing: &'static str,
    path: PathBuf,
    source: io::Error,
}

/// All prefixes of this user.
#[derive(Debug, Clone)]
pub struct Registry {
    root: PathBuf,
}

impl RegistryEntry {
    /// An entry for a prefix.
    #[must_use]
    pub fn of(identity: &super::Identity, ports: BTreeSet<u16>, external: BTreeSet<PathBuf>) -> Self {
        let super::Identity { id, path, project, profile, .. } = identity.clone();
        Self { format: FORMAT, id, path, project, profile, ports, external, folders: Vec::new() }
    }
}

impl Registry {
    /// The registry in a folder ([`crate::host::Host::registry`]). Makes nothing.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Writes the entry of a prefix if it says something new; says whether it did.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, entry: &RegistryEntry) -> Result<bool, RegistryError> {
        let path = self.file(&entry.id);
        let previous = DOCUMENT.read::<RegistryEntry>(&path).ok().flatten();
        let mut entry = entry.clone();
        match previous {
            Some(previous) => {
                entry.folders.clone_from(&previous.folders);
                if entry == previous {
                    return Ok(false);
                }
            }
            None => entry.folders = missing_folders(&self.folder()),
        }
        let write = || {
            private_folder(&self.folder())?;
            remove_temporaries(&self.folder())?;
            checkpoint::pass("registry-before-write");
            write_atomic(&path, to_text(&entry)?.as_bytes(), 0o600)
        };
        write().map_err(|source| RegistryError { doing: "writing", path: path.clone(), source })?;
        Ok(true)
    }

    /// Removes the entry of a prefix, and the folders that were made for the registry once they are empty.
    ///
    /// # Errors
    /// If it cannot be removed.
    pub fn remove(&self, id: &str) -> Result<(), RegistryError> {
        let path = self.file(id);
        let failed = |source| RegistryError { doing: "removing", path: path.clone(), source };
        let mut folders =
            DOCUMENT.read::<RegistryEntry>(&path).ok().flatten().map_or(Vec::new(), |entry| entry.folders);
        if let Some(mut heir) = self.entries().into_iter().find(|entry| entry.id != id)
            && !folders.is_empty()
        {
            // Another prefix stays: it will be the one that clears up.
            heir.folders.append(&mut folders);
            to_text(&heir)
                .and_then(|text| write_atomic(&self.file(&heir.id), text.as_bytes(), 0o600))
                .map_err(failed)?;
        }
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        folders.extend([self.folder(), self.root.clone()]);
        folders.sort_by_key(|folder| std::cmp::Reverse(folder.components().count()));
        for folder in folders {
            // Of use to somebody else, or gone already: both are fine.
            let _ = std::fs::remove_dir(folder);
        }
        Ok(())
    }

    /// All entries that can be read, sorted by path, each with whether its prefix is there.
    #[must_use]
    pub fn list(&self) -> Vec<Registered> {
        let mut entries: Vec<_> = self.entries().into_iter().map(registered).collect();
        entries.sort_by(|one, other| one.entry.path.cmp(&other.entry.path));
        entries
    }

    /// The ports of all prefixes but one, also of stopped ones; not of those that are gone.
    #[must_use]
    pub fn taken_ports(&self, except: &str) -> BTreeSet<u16> {
        let others = self.list().into_iter().filter(|one| one.exists && one.entry.id != except);
        others.flat_map(|one| one.entry.ports).collect()
    }

    fn entries(&self) -> Vec<RegistryEntry> {
        let files = std::fs::read_dir(self.folder()).into_iter().flatten().flatten().map(|entry| entry.path());
        let entry = |path: PathBuf| {
            let entry: RegistryEntry = DOCUMENT.read(&path).ok()??;
            (path.file_name() == self.file(&entry.id).file_name()).then_some(entry)
        };
        files.filter(|path| path.extension().is_some_and(|extension| extension == "toml")).filter_map(entry).collect()
    }

    fn folder(&self) -> PathBuf {
        self.root.join("prefixes")
    }

    fn file(&self, id: &str) -> PathBuf {
        self.folder().join(format!("{id}.toml"))
    }
}

fn registered(entry: RegistryEntry) -> Registered {
    let there = super::Identity::open(&crate::layout::Layout::new(&entry.path)).ok().flatten();
    let exists = there.is_some_and(|identity| identity.id == entry.id);
    Registered { entry, exists }
}

fn to_text(entry: &RegistryEntry) -> io::Result<String> {
    let body = toml::to_string(entry).map_err(io::Error::other)?;
    Ok(format!("# A prefix of jove-install; any verb writes this anew.\n{body}"))
}

/// Whether a prefix's entry may be pruned: nothing is at its path any more.
#[must_use]
pub fn is_gone(path: &Path) -> bool {
    path.symlink_metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

#[cfg(test)]
mod tests {
    use super::super::Identity;
    use super::super::identity::Claim;
    use super::*;
    use crate::layout::Layout;

    fn prefix(folder: &tempfile::TempDir, name: &str) -> Identity {
        let claim = Claim { owner: Path::new(""), project: "pywps", profile: name, machine: "" };
        Identity::create(&Layout::new(folder.path().join(name)), &claim).expect("made")
    }

    fn entry(identity: &Identity, port: u16) -> RegistryEntry {
        RegistryEntry::of(identity, [port].into(), BTreeSet::new())
    }

    #[test]
    fn prefixes_are_listed_and_their_ports_known() {
        let folder = tempfile::tempdir().expect("folder");
        let registry = Registry::new(folder.path().join("state/jove-install"));
        let (demo, dev) = (prefix(&folder, "demo"), prefix(&folder, "dev"));
        assert!(registry.list().is_empty());
        assert!(registry.write(&entry(&demo, 20_000)).expect("written"));
        assert!(!registry.write(&entry(&demo, 20_000)).expect("nothing new"));
        assert!(registry.write(&entry(&dev, 20_010)).expect("written"));
        assert_eq!(registry.taken_ports(&demo.id), [20_010].into());
        std::fs::remove_dir_all(&dev.path).expect("removed");
        let listed: Vec<_> = registry.list().into_iter().map(|one| (one.entry.profile, one.exists)).collect();
        assert_eq!(listed, [("demo".to_owned(), true), ("dev".to_owned(), false)]);
        assert!(registry.taken_ports(&demo.id).is_empty());
        assert!(is_gone(&dev.path) && !is_gone(&demo.path));
    }

    #[test]
    fn removing_the_last_leaves_no_folder_that_was_made() {
        let folder = tempfile::tempdir().expect("folder");
        let (demo, dev) = (prefix(&folder, "demo"), prefix(&folder, "dev"));
        std::fs::create_dir(folder.path().join("home")).expect("made");
        let registry = Registry::new(folder.path().join("home/.local/state/jove-install"));
        for identity in [&demo, &dev] {
            registry.write(&entry(identity, 1)).expect("written");
        }
        registry.remove(&demo.id).expect("removed");
        assert_eq!(registry.list().len(), 1);
        registry.remove(&dev.id).expect("removed");
        assert_eq!(std::fs::read_dir(folder.path().join("home")).expect("home").count(), 0);
        registry.remove(&dev.id).expect("absent is fine");
    }

    #[test]
    fn folders_of_others_stay() {
        let folder = tempfile::tempdir().expect("folder");
        let demo = prefix(&folder, "demo");
        let state = folder.path().join(".local/state");
        std::fs::create_dir_all(&state).expect("made");
        let registry = Registry::new(state.join("jove-install"));
        registry.write(&entry(&demo, 1)).expect("written");
        registry.remove(&demo.id).expect("removed");
        assert_eq!(std::fs::read_dir(&state).expect("stays").count(), 0);
    }

    #[test]
    fn rubbish_is_not_listed() {
        let folder = tempfile::tempdir().expect("folder");
        let registry = Registry::new(folder.path());
        let demo = prefix(&folder, "demo");
        registry.write(&entry(&demo, 1)).expect("written");
        let prefixes = folder.path().join("prefixes");
        std::fs::write(prefixes.join("x.toml"), "format = 9").expect("written");
        std::fs::copy(registry.file(&demo.id), prefixes.join("copy.toml")).expect("copied");
        assert_eq!(registry.list().len(), 1);
    }
}
