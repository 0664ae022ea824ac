//! [`ObjectManifest`]: the seal of an object.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path};

use serde::{Deserialize, Serialize};

use super::path::StorePath;
use super::{Store, StoreError, failed};
use crate::digest::Digest;
use crate::fs::Entry;

/// The format number of what this module writes.
pub const FORMAT: u32 = 1;

/// Everything that is known of an object: what it is, and each of its files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectManifest {
    /// [`FORMAT`].
    pub format: u32,
    /// Its whole key.
    pub key: Digest,
    /// What made it: `files`, `python`, `step`.
    pub action: String,
    /// Why it depends on the machine, if it does.
    pub impure: BTreeSet<String>,
    /// What is to be remembered of how it was made (the sandbox that was enforced, versions of tools).
    pub facts: BTreeMap<String, String>,
    /// Everything in it, sorted by path.
    pub entries: Vec<Entry>,
}

impl ObjectManifest {
    /// One digest of everything in the object: contents, names, execution, links; not times.
    #[must_use]
    pub fn content(&self) -> Digest {
        Digest::of_json(&self.entries)
    }

    /// Bytes of all files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.entries
            .iter()
            .map(|entry| match entry.kind {
                crate::fs::EntryKind::File { size, .. } => size,
                crate::fs::EntryKind::Folder | crate::fs::EntryKind::Link { .. } => 0,
            })
            .sum()
    }

    /// As written: the head, then a line for each thing in it.
    ///
    /// # Errors
    /// If a name is no UTF-8.
    pub(super) fn to_text(&self) -> Result<String, serde_json::Error> {
        let head = serde_json::json!({
            "format": self.format, "key": self.key, "action": self.action, "impure": self.impure, "facts": self.facts,
        });
        let mut text = head.to_string();
        text.truncate(text.len() - 1);
        text.push_str(",\"entries\":[");
        for (number, entry) in self.entries.iter().enumerate() {
            text.push_str(if number == 0 { "\n" } else { ",\n" });
            text.push_str(&serde_json::to_string(entry)?);
        }
        text.push_str("\n]}\n");
        Ok(text)
    }

    fn check(&self, path: &StorePath) -> Result<(), String> {
        if !path.has_key(&self.key) {
            return Err(format!("it is the manifest of another object, with key {}", self.key.short()));
        }
        match self.entries.iter().find(|entry| !stays_inside(&entry.path)) {
            Some(entry) => Err(format!("`{}` is no path in an object", entry.path.display())),
            None => Ok(()),
        }
    }
}

/// A manifest lies in the prefix, where anybody who is this user can write: its paths must not lead `verify` out of the object.
fn stays_inside(path: &Path) -> bool {
    path.components().next().is_some() && path.components().all(|part| matches!(part, Component::Normal(_)))
}

impl Store {
    /// The manifest of an object.
    ///
    /// # Errors
    /// If there is none, or it is damaged or newer.
    pub fn manifest(&self, path: &StorePath) -> Result<ObjectManifest, StoreError> {
        let file = self.root.join(path.manifest_name());
        let bytes = match std::fs::read(&file) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(StoreError::Absent(path.clone())),
            Err(error) => return Err(failed("reading", file)(error)),
        };
        let manifest: ObjectManifest = match serde_json::from_slice(&bytes) {
            Ok(manifest) => manifest,
            Err(error) => return Err(newer_or_damaged(file, &bytes, &error)),
        };
        match manifest.check(path) {
            Ok(()) if manifest.format == FORMAT => Ok(manifest),
            Ok(()) => Err(other_format(file, manifest.format.into())),
            Err(reason) => Err(StoreError::Damaged { path: file, reason }),
        }
    }
}

fn newer_or_damaged(path: std::path::PathBuf, bytes: &[u8], error: &serde_json::Error) -> StoreError {
    let found = serde_json::from_slice::<serde_json::Value>(bytes)
        .ok()
        .and_then(|value| value.get("format").and_then(serde_json::Value::as_u64));
    match found {
        Some(found) if found > u64::from(FORMAT) => other_format(path, found),
        _ => StoreError::Damaged { path, reason: error.to_string() },
    }
}

fn other_format(path: std::path::PathBuf, found: u64) -> StoreError {
    if found > u64::from(FORMAT) {
        StoreError::Newer { path, found, known: FORMAT }
    } else {
        StoreError::Damaged { path, reason: format!("format {found} was never written") }
    }
}
