//! `jove.lock`: every byte from outside, by digest.
//!
//! It names *content* (name, version, file, digest), never a host, so that mirrors are interchangeable: whatever looks like an
//! address is refused by the writer. Pins are kept by *resolution* (recipe, platform, inputs), so that profiles with equal
//! inputs share them; `uses` says which profile uses which on which platform. Same meaning, same bytes: everything is sorted,
//! and a pin takes a few lines of its own, so that a difference reads well. What depends on the machine is not here but in
//! `state.toml`.
//!
//! [`text`] writes it, [`read`] reads and checks it.

pub mod read;
pub mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::checkpoint;
use crate::digest::{Digest, Sha256};
use crate::fs::{DocumentError, write_atomic};
use crate::name::PartName;
use crate::platform::Platform;

/// The format number of what this module writes.
pub const FORMAT: u32 = 1;

/// What is asked of a provider, by kind of question: `requirements`, `constraints`, `python`. Each list is a set.
pub type Inputs = BTreeMap<String, Vec<String>>;

/// Which resolution each part uses, by profile and platform: the first digits of its id.
pub type Uses = BTreeMap<String, BTreeMap<Platform, BTreeMap<PartName, String>>>;

/// All pins of a project, or of a prefix without one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lock {
    /// By id. Private, so that no two have the same and each is sorted.
    resolutions: BTreeMap<Digest, Resolution>,
    uses: Uses,
}

/// What some inputs resolved to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolution {
    /// The digest of recipe, platform and inputs.
    pub id: Digest,
    /// The recipe that asked.
    pub recipe: String,
    /// The platform asked for.
    pub platform: Platform,
    /// What was asked.
    pub inputs: Inputs,
    /// The answer.
    pub pins: Vec<Pin>,
}

/// One thing from outside.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What kind of source it comes from: `pypi`.
    pub provider: String,
    /// Where its provider's index has it, in the provider's own words.
    #[serde(default)]
    pub place: Option<String>,
    /// Where it applies, in the provider's own words, if not everywhere.
    #[serde(default)]
    pub marker: Option<String>,
    /// How it was first trusted: `https+index digest`.
    pub trust: String,
    /// Its files, any of which may be the one that a machine needs.
    pub files: Vec<PinFile>,
}

/// One file of a pin.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinFile {
    /// Its name.
    pub file: String,
    /// Its digest.
    pub sha256: Sha256,
    /// Bytes, where known.
    #[serde(default)]
    pub size: Option<u64>,
}

/// Why a lock cannot be used or written.
#[derive(Debug, thiserror::Error)]
pub enum LockFileError {
    /// It is unreadable, damaged or newer.
    #[error(
        "the lock: {0}; take it from your version control, or make it anew: move it away and run `jove-install lock`"
    )]
    Document(#[from] DocumentError),
    /// A merge was not finished.
    #[error(
        "the lock {path}:{line} holds the marks of an unfinished merge; take either side whole \
         (`git checkout --ours -- jove.lock`, or `--theirs`) and run `jove-install lock`"
    )]
    Conflict {
        /// The file.
        path: PathBuf,
        /// The first mark.
        line: usize,
    },
    /// It was changed by hand, or a merge went wrong.
    #[error(
        "the lock {path} contradicts itself: {reason}; take it from your version control, or make it anew: move it away and \
         run `jove-install lock`"
    )]
    Contradiction {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        reason: String,
    },
    /// A host would get into the lock.
    #[error(
        "{place} is `{text}`, which looks like an address: a lock names content, never a host; name the package, and \
         configure the address where the tool looks for it"
    )]
    Address {
        /// Of what.
        place: String,
        /// The text, its credentials hidden.
        text: String,
    },
    /// A file's name is none.
    #[error("{place} is `{text}`, which is no name for a file, or that of another")]
    FileName {
        /// Of what.
        place: String,
        /// The text.
        text: String,
    },
    /// It cannot be written.
    #[error("while writing the lock {path}: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Resolution {
    /// A resolution, its lists sorted and free of repeats.
    #[must_use]
    pub fn new(recipe: impl Into<String>, platform: Platform, inputs: Inputs, pins: Vec<Pin>) -> Self {
        let recipe = recipe.into();
        let inputs = normal_inputs(inputs);
        let id = id_of_normal(&recipe, &platform, &inputs);
        let mut pins = pins;
        for pin in &mut pins {
            pin.files.sort();
            pin.files.dedup();
        }
        pins.sort();
        pins.dedup();
        Self { id, recipe, platform, inputs, pins }
    }

    /// The id of what some inputs resolve to.
    #[must_use]
    pub fn id_of(recipe: &str, platform: &Platform, inputs: &Inputs) -> Digest {
        id_of_normal(recipe, platform, &normal_inputs(inputs.clone()))
    }

    /// As `uses` names it.
    #[must_use]
    pub fn short_id(&self) -> String {
        self.id.short()
    }
}

fn id_of_normal(recipe: &str, platform: &Platform, inputs: &Inputs) -> Digest {
    Digest::of_json(&("resolution 1", recipe, platform, inputs))
}

/// Empty lists say nothing, and order in a list neither.
fn normal_inputs(inputs: Inputs) -> Inputs {
    let normal = |list: Vec<String>| list.into_iter().collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>();
    inputs.into_iter().filter(|(_, list)| !list.is_empty()).map(|(name, list)| (name, normal(list))).collect()
}

impl Lock {
    /// All resolutions, by id.
    pub fn resolutions(&self) -> impl Iterator<Item = &Resolution> {
        self.resolutions.values()
    }

    /// Which resolution each part uses.
    #[must_use]
    pub fn uses(&self) -> &Uses {
        &self.uses
    }

    /// What some inputs resolved to, if they are locked.
    #[must_use]
    pub fn find(&self, recipe: &str, platform: &Platform, inputs: &Inputs) -> Option<&Resolution> {
        self.get(&Resolution::id_of(recipe, platform, inputs))
    }

    /// A resolution by its id.
    #[must_use]
    pub fn get(&self, id: &Digest) -> Option<&Resolution> {
        self.resolutions.get(id)
    }

    /// What a part uses under a profile; also when its inputs have changed since, so that old pins can be preferred.
    #[must_use]
    pub fn used_by(&self, profile: &str, platform: &Platform, part: &PartName) -> Option<&Resolution> {
        let short = self.uses.get(profile)?.get(platform)?.get(part)?;
        self.resolutions.values().find(|resolution| resolution.short_id() == *short)
    }

    /// Adds a resolution, in place of one of the same inputs.
    pub fn upsert(&mut self, resolution: Resolution) {
        let Resolution { recipe, platform, inputs, pins, .. } = resolution;
        // Fields are public: made anew, it is sorted and its id is right whatever was done to it.
        let resolution = Resolution::new(recipe, platform, inputs, pins);
        self.resolutions.insert(resolution.id, resolution);
    }

    /// Says which resolutions the parts of a profile use on a platform, in place of what was said before. An empty map forgets
    /// the profile there.
    pub fn set_uses(&mut self, profile: &str, platform: &Platform, parts: &BTreeMap<PartName, Digest>) {
        let short: BTreeMap<PartName, String> = parts.iter().map(|(part, id)| (part.clone(), id.short())).collect();
        let platforms = self.uses.entry(profile.to_owned()).or_default();
        platforms.insert(platform.clone(), short);
        platforms.retain(|_, parts| !parts.is_empty());
        self.uses.retain(|_, platforms| !platforms.is_empty());
    }

    /// Says that a part of a profile uses a resolution on a platform, besides what is said of others.
    pub fn note_use(&mut self, profile: &str, platform: &Platform, part: &PartName, id: &Digest) {
        let platforms = self.uses.entry(profile.to_owned()).or_default();
        platforms.entry(platform.clone()).or_default().insert(part.clone(), id.short());
    }

    /// Forgets what a part of a profile uses on all platforms but these.
    pub fn keep_uses(&mut self, profile: &str, part: &PartName, platforms: &[Platform]) {
        let Some(uses) = self.uses.get_mut(profile) else { return };
        for (platform, parts) in uses.iter_mut() {
            if !platforms.contains(platform) {
                parts.remove(part);
            }
        }
        uses.retain(|_, parts| !parts.is_empty());
        self.uses.retain(|_, platforms| !platforms.is_empty());
    }

    /// Drops resolutions that no profile uses; returns how many.
    pub fn prune(&mut self) -> usize {
        let used: BTreeSet<&String> =
            self.uses.values().flat_map(|platforms| platforms.values()).flat_map(BTreeMap::values).collect();
        let before = self.resolutions.len();
        self.resolutions.retain(|id, _| used.contains(&id.short()));
        before - self.resolutions.len()
    }

    /// The digest of its text: what a generation remembers of it.
    ///
    /// # Errors
    /// As for [`Lock::to_text`].
    pub fn digest(&self) -> Result<Digest, LockFileError> {
        self.to_text().map(Digest::of)
    }

    /// Writes it if it says something new; says whether it did.
    ///
    /// # Errors
    /// If it holds an address, or cannot be written; the old lock is then as before.
    pub fn write(&self, path: &Path) -> Result<bool, LockFileError> {
        let text = self.to_text()?;
        if std::fs::read(path).is_ok_and(|previous| previous == text.as_bytes()) {
            return Ok(false);
        }
        checkpoint::pass("lock-before-rename");
        write_atomic(path, text.as_bytes(), 0o644)
            .map_err(|source| LockFileError::Write { path: path.to_owned(), source })?;
        checkpoint::pass("lock-after-rename");
        Ok(true)
    }
}

#[cfg(test)]
mod tests;
