//! Reading a lock, and checking that it means what it says.

use std::path::Path;

use serde::Deserialize;

use super::text::bad_file;
use super::{FORMAT, Inputs, Lock, LockFileError, Pin, Resolution, Uses};
use crate::digest::Digest;
use crate::fs::TomlDocument;
use crate::platform::Platform;

const DOCUMENT: TomlDocument = TomlDocument { format: FORMAT, limit: 64 << 20, private: false };

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LockFile {
    #[allow(dead_code, reason = "the document door has looked at it; without the field it would be unknown")]
    format: u32,
    #[serde(default)]
    resolution: Vec<ResolutionTable>,
    #[serde(default)]
    uses: Uses,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ResolutionTable {
    id: Digest,
    recipe: String,
    platform: Platform,
    #[serde(default)]
    inputs: Inputs,
    #[serde(default)]
    pin: Vec<Pin>,
}

impl Lock {
    /// Reads the lock at `path`; `None` if there is none.
    ///
    /// # Errors
    /// If it is unreadable, damaged, newer, half merged, or contradicts itself.
    pub fn read(path: &Path) -> Result<Option<Self>, LockFileError> {
        DOCUMENT.text(path)?.map(|text| Self::parse(path, &text)).transpose()
    }

    /// Reads a lock's text; `path` is for errors.
    ///
    /// # Errors
    /// As for [`Lock::read`].
    pub fn parse(path: &Path, text: &str) -> Result<Self, LockFileError> {
        if let Some(line) = merge_mark(text) {
            return Err(LockFileError::Conflict { path: path.to_owned(), line });
        }
        let file: LockFile = DOCUMENT.parse(path, text)?;
        build(file).map_err(|reason| LockFileError::Contradiction { path: path.to_owned(), reason })
    }
}

/// The line of the first mark that git leaves where two sides differ. No line that we write begins so.
fn merge_mark(text: &str) -> Option<usize> {
    let is_mark = |line: &str| {
        ["<<<<<<< ", ">>>>>>> ", "||||||| "].iter().any(|mark| line.starts_with(mark)) || line == "======="
    };
    text.lines().position(is_mark).map(|line| line + 1)
}

fn build(file: LockFile) -> Result<Lock, String> {
    let mut lock = Lock { uses: file.uses, ..Lock::default() };
    for table in file.resolution {
        let ResolutionTable { id, recipe, platform, inputs, pin } = table;
        let resolution = Resolution::new(recipe, platform, inputs, pin);
        if resolution.id != id {
            return Err(format!(
                "the resolution {} has other inputs than its id says ({})",
                id.short(),
                resolution.short_id()
            ));
        }
        check_files(&resolution)?;
        if lock.resolutions.insert(id, resolution).is_some() {
            return Err(format!("the resolution {} stands there twice", id.short()));
        }
    }
    check_uses(&lock)?;
    Ok(lock)
}

fn check_files(resolution: &Resolution) -> Result<(), String> {
    for pin in &resolution.pins {
        if let Some(file) = bad_file(pin) {
            let file = file.escape_debug();
            return Err(format!(
                "the pin `{}` has a file `{file}`, which is no name for one, or that of another",
                pin.name
            ));
        }
    }
    Ok(())
}

fn check_uses(lock: &Lock) -> Result<(), String> {
    let known: std::collections::BTreeSet<String> = lock.resolutions().map(Resolution::short_id).collect();
    for (profile, platforms) in &lock.uses {
        for (part, id) in platforms.values().flatten() {
            if !known.contains(id) {
                return Err(format!("the part `{part}` of `{profile}` uses the resolution {id}, which is not there"));
            }
        }
    }
    Ok(())
}
