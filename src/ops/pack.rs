//! `pack`: objects become conda packages of a channel in a folder: a team's own cache of what it built.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde::Serialize;

use crate::apply::{self, Workshop};
use crate::fs::{FileLock, copy_tree, remove_tree};
use crate::net::{Cache, Client};
use crate::ops::error::{OpError, OpResult, at};
use crate::ops::place::Place;
use crate::ops::prepare::{self, Wishes};
use crate::plan::desire::DesiredObject;
use crate::plan::{Action, DesiredPart, PackagesAction};
use crate::platform::Platform;
use crate::progress::{Event, Reporter};
use crate::provider::conda::pack::{About, pack as pack_folder, roomy};
use crate::provider::conda::subdir;
use crate::store::Store;

/// A part that was packed.
#[derive(Debug, Clone, Serialize)]
pub struct Packed {
    /// The part.
    pub part: String,
    /// The package's file.
    pub file: PathBuf,
    /// The package's version.
    pub version: String,
    /// Its bytes.
    pub size: u64,
    /// How long the path of an environment may be, in bytes; without it any.
    pub room: Option<usize>,
}

/// Packs parts into a channel, made if it is not there.
///
/// # Errors
/// If a part is unknown, depends on this machine, or cannot be packed.
pub fn pack(place: &Place, parts: &[String], channel: &Path, report: &Reporter) -> OpResult<Vec<Packed>> {
    let wishes = Wishes { offline: place.choice.offline, ..Wishes::default() };
    let prepared = prepare::prepare(place, &wishes, report)?;
    let names = parts.iter().map(|name| prepare::part_named(&prepared.stack, name)).collect::<OpResult<Vec<_>>>()?;
    let channel = place.host.folder.join(channel);
    std::fs::create_dir_all(&channel).map_err(at(&channel))?;
    let channel = channel.canonicalize().map_err(at(&channel))?;
    let _alone = FileLock::acquire_folder(&channel, true, report).map_err(OpError::failed)?;
    let cache_root = place.host.cache()?;
    let cache = Cache::open(&cache_root)?;
    let client = Client::new(&place.host, place.choice.offline)?;
    let store = Store::open(&place.layout).map_err(at(&place.layout.store()))?;
    let workshop = Workshop {
        layout: &place.layout,
        store: &store,
        host: &place.host,
        cache: &cache,
        client: &client,
        catalogue: &prepared.loaded.catalogue,
        logs: cache_root.join("log"),
        report: report.clone(),
        jobs: 1,
        distrust: false,
        uv: Mutex::default(),
    };
    let mut packed = Vec::new();
    for name in names {
        let Some(part) = prepared.desired.parts.get(&name) else { continue };
        report.report(Event::Stage(format!("packing {name}")));
        packed.push(one(part, &channel, &workshop).map_err(|error| error.context(format!("packing `{name}`")))?);
    }
    Ok(packed)
}

fn one(part: &DesiredPart, channel: &Path, workshop: &Workshop<'_>) -> OpResult<Packed> {
    let object =
        part.object.as_ref().ok_or_else(|| OpError::failed("it has no object, so there is nothing to pack"))?;
    // What a command made is what a team shares; a program of this machine is not in the object.
    if matches!(object.action, Action::Packages(_)) && !object.impure.is_empty() {
        let reasons: Vec<&str> = object.impure.iter().map(String::as_str).collect();
        return Err(OpError::failed(format!("it depends on this machine: {}", reasons.join("; ")))
            .hint("take it from another provider, and pack that"));
    }
    let platform = Platform::current();
    let subdir = subdir(&platform).ok_or_else(|| OpError::failed(format!("conda has no word for {platform}")))?;
    let scratch = workshop.cache.scratch("pack-")?;
    let (folder, prefix, version) = content(part, object, scratch.path(), workshop)?;
    let about = About { name: part.name.to_string(), version, build: format!("h{}_0", object.key.short()), subdir };
    let made = pack_folder(&folder, &prefix, &about, channel).map_err(OpError::failed);
    // What an object has may be read-only, which its remover must know.
    remove_tree(scratch.path()).map_err(at(scratch.path()))?;
    let made = made?;
    Ok(Packed { part: part.name.to_string(), file: made.file, version: made.version, size: made.size, room: made.room })
}

/// A folder with what is to be packed, the text in its files that stands for its place, and its version.
fn content(
    part: &DesiredPart,
    object: &DesiredObject,
    scratch: &Path,
    workshop: &Workshop<'_>,
) -> OpResult<(PathBuf, String, String)> {
    match &object.action {
        Action::Packages(action) => packages(part, action, scratch, workshop),
        Action::Files(_) | Action::Step(_) => {
            if !object.exists {
                return Err(OpError::failed("it is not built yet").hint("install it first: jove-install"));
            }
            let sealed = workshop.store.folder(&object.path);
            let folder = scratch.join("object");
            copy_tree(&sealed, &folder, &|_, _| false).map_err(at(&sealed))?;
            Ok((folder, sealed.display().to_string(), "0".to_owned()))
        }
        Action::Python(_) => {
            Err(OpError::failed("a Python environment refers to its interpreter, which is no part of it")
                .hint("pack the packages that it is made of, or give its users the lock"))
        }
    }
}

/// Packages are put together again at a path that is as long as any, so that whatever names its place has room for all.
fn packages(
    part: &DesiredPart,
    action: &PackagesAction,
    scratch: &Path,
    workshop: &Workshop<'_>,
) -> OpResult<(PathBuf, String, String)> {
    let folder = roomy(scratch);
    std::fs::create_dir_all(&folder).map_err(at(&folder))?;
    let log = workshop.logs.join(format!("pack-{}.log", part.name));
    let provider = action.resolved.request.provider();
    provider.fetch(&workshop.provider_kit(&log), &action.resolved.pins)?;
    // Without bytecode, in which no other place can be written: whoever installs it makes its own.
    let kit = workshop.provider_kit(&log);
    apply::packages::fill(&action.resolved, &action.names, &kit, &folder).map_err(OpError::failed)?;
    let wanted = provider.inputs().remove(provider.name()).unwrap_or_default();
    let first = wanted.first().and_then(|word| word.split_whitespace().next());
    let pins = &action.resolved.pins;
    let main = first.and_then(|name| pins.iter().find(|pin| pin.name == name)).or_else(|| pins.first());
    let version = main.map_or_else(|| "0".to_owned(), |pin| pin.version.clone());
    let prefix = folder.display().to_string();
    Ok((folder, prefix, version))
}
