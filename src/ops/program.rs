//! The program that supervises a generation is an object of it: the user's own copy may be replaced or deleted meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::digest::Digest;
use crate::fs::{Known, stat_stamp};
use crate::generation::{self, Manifest};
use crate::host::Host;
use crate::layout::Layout;
use crate::name::PartName;
use crate::ops::error::{OpError, OpResult, at};
use crate::store::{Lookup, ObjectRecord, Store};

/// The object's name. No part of a user has to step aside: a store folder is named by key and name.
pub const NAME: &str = "jove-install";

/// Seals a copy of this program (a fresh one beside a damaged one), and gives the store folder's name.
///
/// # Errors
/// What copying or sealing fails with.
pub fn seal(host: &Host, store: &Store, fresh: bool) -> OpResult<String> {
    let before = stat_stamp(&host.program);
    let digest = Digest::of_file(&host.program).map_err(at(&host.program))?;
    let key = Digest::of_json(&("program", 1, digest));
    let name: PartName = NAME.parse().map_err(OpError::failed)?;
    let build = match store.lookup(&key, &name, fresh)? {
        Lookup::Hit(path) => return Ok(path.folder_name()),
        Lookup::Miss(build) => build,
    };
    let folder = build.folder().join("bin");
    std::fs::create_dir_all(&folder).map_err(at(&folder))?;
    let copy = folder.join(NAME);
    std::fs::copy(&host.program, &copy).map_err(at(&copy))?;
    let mut known = Known::default();
    if before == stat_stamp(&host.program) {
        // It was not written to since, so that the copy is what was hashed.
        known.note(copy.clone(), &copy.metadata().map_err(at(&copy))?, digest);
    }
    let record = ObjectRecord { action: "program".into(), impure: BTreeSet::new(), facts: BTreeMap::new() };
    let sealed = build.finish(record, &known)?;
    let name = sealed.path().folder_name();
    store.commit(vec![sealed])?;
    Ok(name)
}

/// The program that supervises a generation.
#[must_use]
pub fn of_generation(layout: &Layout, number: u32) -> Option<PathBuf> {
    let folder = Manifest::read(layout, number).ok()?.program?;
    let path = layout.store().join(folder).join("bin").join(NAME);
    path.is_file().then_some(path)
}

/// The program that is to supervise a prefix: its current generation's, else this one.
#[must_use]
pub fn supervising(host: &Host, layout: &Layout, number: Option<u32>) -> PathBuf {
    let number = number.or_else(|| generation::current(layout));
    number.and_then(|number| of_generation(layout, number)).unwrap_or_else(|| Path::new(&host.program).to_owned())
}
