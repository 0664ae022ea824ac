//! The tools that locking itself needs, where they come from a provider: a copy of the Python of an object, in the cache, made
//! before there is an object.
//!
//! A copy only ever decides (which versions, which files); what runs is the object's own. In the download cache:
//!
//! ```text
//! tools/python-<provider>-<digest>/            what the pins realise to, there
//! tools/python-<provider>-<digest>.blake3      the digest of its files: written last, compared before its first use
//! ```

use std::path::{Path, PathBuf};

use crate::apply::packages::{PYTHONS, fill};
use crate::digest::Digest;
use crate::fs::{FileLock, LockError, digest_tree, remove_tree, write_atomic};
use crate::net::CacheError;
use crate::ops::error::{OpError, OpResult, at};
use crate::plan::{Names, ResolvedPackages};
use crate::progress::Event;
use crate::provider::{Kit, Pinned};

/// The digest of all that makes a copy's bytes, but where it is.
fn digest(packages: &ResolvedPackages, names: &Names) -> Digest {
    let provider = packages.request.provider();
    let file = |pin: &Pinned| (pin.name.clone(), pin.files.iter().map(|file| file.sha256).collect::<Vec<_>>());
    let pins: Vec<_> = packages.pins.iter().map(file).collect();
    Digest::of_json(&(provider.name(), provider.version(), provider.settings(), pins, &packages.facts, names))
}

/// Where a copy is, or will be. Equal pins are equal copies.
pub(super) fn folder(kit: &Kit<'_>, packages: &ResolvedPackages, names: &Names) -> PathBuf {
    let name = format!("python-{}-{}", packages.request.provider().name(), digest(packages, names).short());
    kit.cache.root().join("tools").join(name)
}

/// The copy, made if it is not there or not whole.
///
/// # Errors
/// If its packages do not come, or cannot be unpacked.
pub(crate) fn ensure(kit: &Kit<'_>, packages: &ResolvedPackages, names: &Names) -> OpResult<PathBuf> {
    let folder = folder(kit, packages, names);
    let seal = folder.with_extension("blake3");
    // Before it is locked: a cache that cannot be written serves with what it has.
    if is_whole(&folder, &seal) {
        return Ok(folder);
    }
    let tools = kit.cache.root().join("tools");
    std::fs::create_dir_all(&tools).map_err(CacheError::at(&tools))?;
    let lock = folder.with_extension("lock");
    let _held = FileLock::acquire(&lock, "unpacking", true, kit.report).map_err(|error| match error {
        LockError::Open { path, source } => OpError::from(CacheError::Io { path, source }),
        other => other.into(),
    })?;
    if is_whole(&folder, &seal) {
        return Ok(folder);
    }
    kit.report.report(Event::Stage(format!("unpacking {}", called(packages))));
    remove_tree(&folder).map_err(at(&folder))?;
    packages.request.provider().fetch(kit, &packages.pins)?;
    std::fs::create_dir_all(&folder).map_err(at(&folder))?;
    fill(packages, names, kit, &folder).map_err(OpError::failed)?;
    write_atomic(&seal, state(&folder).map_err(at(&folder))?.to_hex().as_bytes(), 0o644).map_err(at(&seal))?;
    Ok(folder)
}

/// The Python in a folder with packages.
pub(super) fn program(folder: &Path) -> Option<PathBuf> {
    PYTHONS.iter().map(|place| folder.join(place)).find(|path| crate::host::is_executable(path))
}

/// The version of the Python in pins, where they tell it for sure: one Python among them, of a release, under its own name.
pub(super) fn version(packages: &ResolvedPackages) -> Option<&str> {
    let provider = packages.request.provider().name();
    let is_python = |name: &str| match provider {
        "conda" => name == "python",
        // `python3` only points to it, and may be of another patch release.
        "deb" => name.strip_prefix("python3.").is_some_and(|minor| minor.parse::<u32>().is_ok()),
        _ => false,
    };
    let mut pythons = packages.pins.iter().filter(|pin| is_python(&pin.name));
    let (Some(pin), None) = (pythons.next(), pythons.next()) else { return None };
    let version = if provider == "deb" { crate::provider::deb::version::upstream(&pin.version) } else { &pin.version };
    let is_release = version.split('.').all(|number| number.parse::<u32>().is_ok());
    is_release.then_some(version)
}

fn called(packages: &ResolvedPackages) -> String {
    let main = packages.pins.iter().find(|pin| pin.name == "python3" || pin.name == "python");
    main.map_or_else(|| "Python".to_owned(), |pin| format!("Python {}", pin.version))
}

/// With its path, which is in its programs: a copy of the cache elsewhere makes its own.
fn state(folder: &Path) -> std::io::Result<Digest> {
    Ok(Digest::of_json(&(folder, digest_tree(folder)?)))
}

fn is_whole(folder: &Path, seal: &Path) -> bool {
    let said: Option<Digest> = std::fs::read_to_string(seal).ok().and_then(|text| text.trim().parse().ok());
    said.is_some_and(|said| state(folder).is_ok_and(|found| found == said))
}
