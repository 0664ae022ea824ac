//! `gc`: removes generations beyond those kept, and the objects that none of the rest needs.

use serde::Serialize;

use crate::fs::{occupied_bytes, remove_temporaries};
use crate::generation;
use crate::ops::error::{OpResult, at};
use crate::ops::place::Place;
use crate::ops::prefix;
use crate::progress::Reporter;
use crate::store::{Store, StorePath};

/// What went, or would go.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// Generations.
    pub generations: Vec<u32>,
    /// Objects, by folder name.
    pub objects: Vec<String>,
    /// Bytes freed, or on a dry run those that would be.
    pub bytes: u64,
}

/// Collects garbage. The current generation, those that a hold or a switch names, the newest `keep` committed ones beside it,
/// and what was made after the newest committed one stay.
///
/// # Errors
/// If something cannot be read or removed; what was removed before stays removed.
pub fn gc(place: &Place, keep: usize, dry_run: bool, report: &Reporter) -> OpResult<Summary> {
    let _entered = prefix::enter_existing(place, report)?;
    let layout = &place.layout;
    let gone = generation::surplus(layout, keep)?;
    let needed = generation::objects(layout, &gone)?;
    let store = Store::open(layout).map_err(at(&layout.store()))?;
    let go: Vec<StorePath> = store.list().into_iter().filter(|path| !needed.contains(path)).collect();
    let names: Vec<String> = go.iter().map(StorePath::folder_name).collect();
    if dry_run {
        let folders =
            gone.iter().map(|number| layout.generation(*number)).chain(go.iter().map(|path| store.folder(path)));
        return Ok(Summary {
            bytes: folders.map(|folder| occupied_bytes(&folder)).sum(),
            generations: gone,
            objects: names,
        });
    }
    // Generations go first: an object without a generation is rubbish, a generation without its object would be a lie.
    let mut bytes = 0;
    for number in &gone {
        bytes += generation::remove(layout, *number).map_err(at(&layout.generation(*number)))?;
    }
    for number in generation::manifest::list(layout) {
        let folder = layout.generation(number);
        remove_temporaries(&folder).map_err(at(&folder))?;
    }
    bytes += store.gc(&needed)?.bytes;
    prefix::record(place, &format!("{} generations and {} objects removed", gone.len(), names.len()))?;
    Ok(Summary { generations: gone, objects: names, bytes })
}
