//! `manifest.json` of a generation: what was installed, when and why; and `status.json` beside it: what became of it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::checkpoint;
use crate::digest::Digest;
use crate::fs::{remove_tree, write_atomic, write_whole};
use crate::generation::Revision;
use crate::layout::Layout;
use crate::name::PartName;
use crate::service::{DataFormat, Services};

/// The format number of what this module writes.
pub const FORMAT: u32 = 1;

/// One generation, sealed when it is made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: u32,
    /// Its number.
    pub generation: u32,
    /// When it was made (RFC 3339, UTC).
    pub created: String,
    /// The verb that made it.
    pub verb: String,
    /// Why it was made, a line a change.
    pub reasons: Vec<String>,
    /// The profile.
    pub profile: String,
    /// The project.
    pub project: String,
    /// The digest of everything that is wished: parts, keys, service digests. Equal inputs are not tried twice.
    pub definition: Digest,
    /// The digest of the lock that it was made from (a copy is beside this file).
    pub lock: Digest,
    /// The store folder of the program that supervises it.
    pub program: Option<String>,
    /// The parts.
    pub parts: BTreeMap<PartName, PartRecord>,
}

/// What a generation knows of one part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartRecord {
    /// Its recipe.
    pub recipe: String,
    /// Its object's key, if it has an object.
    pub key: Option<Digest>,
    /// Its object's folder name in the store, if it has an object.
    pub object: Option<String>,
    /// Everything that its key or services depend on, by name, for people: the old and new side of a reason.
    pub facts: BTreeMap<String, String>,
    /// Why the object depends on the machine, if it does.
    pub impure: BTreeSet<String>,
    /// Its data folders.
    pub data: Vec<PathBuf>,
    /// Its data's format.
    pub data_version: Option<String>,
    /// The software whose version is its data's format, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_format: Option<DataFormat>,
}

/// What became of a generation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "status", deny_unknown_fields)]
pub enum Status {
    /// It was the current one at least once.
    Committed,
    /// Its trial failed.
    Failed {
        /// Why, for people.
        reason: String,
    },
    /// It was made and never tried, or its trial is under way.
    Prepared,
}

/// Why a generation cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum GenerationError {
    /// A file cannot be read.
    #[error("{path} cannot be read: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is not what it should be.
    #[error(
        "{path} is damaged: {reason}; `jove-install verify --repair` makes the generation anew, `jove-install rollback` takes another"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A newer program wrote it.
    #[error(
        "{path} has format {found}, this program reads up to {FORMAT}; use the jove-install that made it, or a newer one"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u64,
    },
}

impl Manifest {
    /// Reads the manifest of a generation.
    ///
    /// # Errors
    /// If it is missing, damaged, or of a newer format.
    pub fn read(layout: &Layout, number: u32) -> Result<Self, GenerationError> {
        let path = layout.generation(number).join("manifest.json");
        let manifest: Self = read_json(path.clone())?;
        if manifest.format > FORMAT {
            return Err(GenerationError::Newer { path, found: manifest.format.into() });
        }
        Ok(manifest)
    }

    /// Reads the services of a generation.
    ///
    /// # Errors
    /// If they are missing, damaged, or of a newer format.
    pub fn services(layout: &Layout, number: u32) -> Result<Services, GenerationError> {
        read_json(layout.generation(number).join("services.json"))
    }

    /// Writes a generation whole: its services, the lock's copy, what it is in short, then the manifest, which makes it valid.
    ///
    /// # Errors
    /// What writing fails with.
    pub fn write(&self, layout: &Layout, services: &Services, lock: &str) -> io::Result<()> {
        checkpoint::pass("generation-before-write");
        let folder = layout.generation(self.generation);
        if !folder.join("manifest.json").exists() {
            // What a killed run began.
            remove_tree(&folder)?;
        }
        std::fs::create_dir_all(&folder)?;
        // All of these names are durable with the last one.
        write_whole(&folder.join("services.json"), &json(services)?, 0o600)?;
        write_whole(&folder.join("jove.lock"), lock.as_bytes(), 0o644)?;
        write_whole(&folder.join("revision.json"), &json(&Revision::of(self))?, 0o644)?;
        write_whole(&folder.join("status.json"), &json(&Status::Prepared)?, 0o644)?;
        write_atomic(&folder.join("manifest.json"), &json(self)?, 0o644)?;
        checkpoint::pass("generation-after-write");
        Ok(())
    }
}

impl Status {
    /// What became of a generation; one without a record is [`Status::Prepared`]. The current one is committed, whether or not
    /// its record was written before a crash.
    #[must_use]
    pub fn read(layout: &Layout, number: u32) -> Self {
        if super::current(layout) == Some(number) { Self::Committed } else { Self::recorded(layout, number) }
    }

    fn recorded(layout: &Layout, number: u32) -> Self {
        read_json(layout.generation(number).join("status.json")).unwrap_or(Self::Prepared)
    }

    /// Makes the record of the current generation true, before another takes its place.
    ///
    /// # Errors
    /// What writing fails with.
    pub(super) fn settle(layout: &Layout, number: u32) -> io::Result<()> {
        if Self::recorded(layout, number) == Self::Committed || !layout.generation(number).exists() {
            return Ok(());
        }
        Self::Committed.write(layout, number)
    }

    /// Records what became of a generation.
    ///
    /// # Errors
    /// What writing fails with.
    pub fn write(&self, layout: &Layout, number: u32) -> io::Result<()> {
        write_atomic(&layout.generation(number).join("status.json"), &json(self)?, 0o644)
    }
}

/// The numbers of all generations that have a manifest, lowest first.
#[must_use]
pub fn list(layout: &Layout) -> Vec<u32> {
    let mut numbers: Vec<u32> = std::fs::read_dir(layout.generations())
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|number| layout.generation(*number).join("manifest.json").exists())
        .collect();
    numbers.sort_unstable();
    numbers
}

fn json(value: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec_pretty(value)?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn read_json<T: DeserializeOwned>(path: PathBuf) -> Result<T, GenerationError> {
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(source) => return Err(GenerationError::Read { path, source }),
    };
    serde_json::from_slice(&bytes).map_err(|error| newer_or_damaged(path, &bytes, &error))
}

fn newer_or_damaged(path: PathBuf, bytes: &[u8], error: &serde_json::Error) -> GenerationError {
    let found = serde_json::from_slice::<serde_json::Value>(bytes)
        .ok()
        .and_then(|value| value.get("format").and_then(serde_json::Value::as_u64));
    match found {
        Some(found) if found > u64::from(FORMAT) => GenerationError::Newer { path, found },
        _ => GenerationError::Damaged { path, reason: error.to_string() },
    }
}
