//! Which generations may go, which objects the others name, and removing one.

use std::collections::BTreeSet;
use std::io;

use super::journal::JournalError;
use super::manifest::{GenerationError, Manifest, Status, list};
use super::{Hold, Journal, current};
use crate::checkpoint;
use crate::fs::{occupied_bytes, remove_tree};
use crate::layout::Layout;
use crate::store::StorePath;

/// Why nobody knows which generations may go.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// The journal of a switch.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The hold.
    #[error(transparent)]
    Hold(#[from] super::hold::HoldError),
}

/// The number for a new generation: above every folder that is there, whole or not.
#[must_use]
pub fn next(layout: &Layout) -> u32 {
    folders(layout).into_iter().max().map_or(1, |number| number + 1)
}

/// The generations beyond the newest `keep` committed ones beside the current one, and folders without a manifest. Never one
/// that a hold or a switch in progress names, and not what was made or failed after the newest committed one: equal inputs
/// are not tried again.
///
/// # Errors
/// If the journal of a switch or the hold cannot be read: then nobody knows what they need.
pub fn surplus(layout: &Layout, keep: usize) -> Result<Vec<u32>, SweepError> {
    let current = current(layout);
    let whole = list(layout);
    let committed: Vec<u32> =
        whole.iter().copied().filter(|number| Status::read(layout, *number) == Status::Committed).collect();
    // Nobody can go back to a damaged one; one of a newer program's is not ours to judge.
    let usable = |number: &u32| !matches!(Manifest::read(layout, *number), Err(GenerationError::Damaged { .. }));
    let newest = committed.last().copied().unwrap_or_default();
    let beside = committed.iter().rev().filter(|number| Some(**number) != current && usable(number));
    let mut kept: BTreeSet<u32> = beside.take(keep).copied().collect();
    kept.extend(current);
    kept.extend(whole.into_iter().filter(|number| *number > newest));
    if let Some(journal) = Journal::read(layout)? {
        kept.extend(journal.from);
        kept.insert(journal.to);
    }
    kept.extend(Hold::read(layout)?.map(|hold| hold.left));
    Ok(folders(layout).into_iter().filter(|number| !kept.contains(number)).collect())
}

/// The objects that all generations but those that go name, for `Store::gc`: of parts, and the program that supervises.
///
/// # Errors
/// If a manifest cannot be read, or names no object: then nothing may be removed.
pub fn objects(layout: &Layout, gone: &[u32]) -> Result<BTreeSet<StorePath>, GenerationError> {
    let mut objects = BTreeSet::new();
    for number in list(layout).into_iter().filter(|number| !gone.contains(number)) {
        let manifest = Manifest::read(layout, number)?;
        let parts = manifest.parts.into_iter();
        let named = parts.filter_map(|(part, record)| Some((format!("the part `{part}`"), record.object?)));
        for (who, name) in named.chain(manifest.program.map(|name| ("the program".to_owned(), name))) {
            let path = name.parse().map_err(|error| GenerationError::Damaged {
                path: layout.generation(number).join("manifest.json"),
                reason: format!("{who}: {error}"),
            })?;
            objects.insert(path);
        }
    }
    Ok(objects)
}

/// Removes a generation, its manifest first; returns the bytes on disk that are free now.
///
/// # Errors
/// If it is the current one, or cannot be removed.
pub fn remove(layout: &Layout, number: u32) -> io::Result<u64> {
    if current(layout) == Some(number) {
        let text = format!("generation {number} is the current one; roll back to another first");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    let folder = layout.generation(number);
    let bytes = occupied_bytes(&folder);
    remove_tree(&folder.join("manifest.json"))?;
    checkpoint::pass("gc-after-generation");
    remove_tree(&folder)?;
    Ok(bytes)
}

fn folders(layout: &Layout) -> BTreeSet<u32> {
    let entries = std::fs::read_dir(layout.generations()).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}
