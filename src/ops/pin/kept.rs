//! Resolutions that the cache keeps beside the files, so that a prefix that was wiped with its lock can be made again offline.

use std::path::PathBuf;

use crate::lock::{Inputs, Lock, Resolution};
use crate::net::{Cache, CacheError};
use crate::ops::error::{OpError, OpResult};
use crate::ops::pin::Pinning;
use crate::platform::Platform;
use crate::progress::Event;
use crate::recipe::ResolvedPart;

fn path(pinning: &Pinning<'_>, short: &str) -> OpResult<PathBuf> {
    Ok(pinning.place.host.cache()?.join("resolutions").join(format!("{short}.lock")))
}

/// What these inputs were last resolved to on this machine: the answer of a run that may ask nobody.
///
/// # Errors
/// If they never were.
pub(super) fn find(
    pinning: &Pinning<'_>,
    part: &ResolvedPart,
    platform: &Platform,
    asked: &Inputs,
) -> OpResult<Resolution> {
    let path = path(pinning, &Resolution::id_of(&part.recipe, platform, asked).short())?;
    let lock = Lock::read(&path).ok().flatten();
    let Some(resolution) = lock.and_then(|lock| lock.find(&part.recipe, platform, asked).cloned()) else {
        return Err(OpError::failed(format!("`{}` is not locked yet, and --offline asks nobody", part.name))
            .hint("run once without --offline; from then on jove.lock and the cache serve"));
    };
    let note = format!("{}: offline, so the versions are those that were last resolved on this machine", part.name);
    pinning.report.report(Event::Note(note));
    Ok(resolution)
}

/// Keeps a resolution. One that cannot be kept is in the lock all the same.
///
/// # Errors
/// If there is no place for a cache.
pub(super) fn keep(pinning: &Pinning<'_>, cache: &Cache, resolution: &Resolution) -> OpResult<()> {
    let path = path(pinning, &resolution.short_id())?;
    let folder = path.parent().unwrap_or(&path);
    let mut lock = Lock::default();
    lock.upsert(resolution.clone());
    let kept = std::fs::create_dir_all(folder).map_err(|error| CacheError::at(folder)(error).to_string());
    if let Err(error) = kept.and_then(|()| lock.write(&path).map_err(|error| error.to_string())) {
        cache.note_unkept(pinning.report, &error);
    }
    Ok(())
}
