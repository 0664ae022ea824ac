//! `dump`: writes out what parts hold, by the commands of their recipes, packed and digested; and proves that it can be restored.

use std::path::Path;

use serde::Serialize;

use crate::digest::Digest;
use crate::dump::{self, Dump, FORMAT, Manifest, PartDump, Scratch, Shelf};
use crate::fs::{free_bytes, private_folder};
use crate::generation;
use crate::layout::Layout;
use crate::ops::data::{self, Held};
use crate::ops::error::{OpError, OpResult, at};
use crate::ops::place::Place;
use crate::ops::prefix;
use crate::progress::{Event, Reporter};
use crate::service::DataVerb;

/// How many dumps are kept if nobody says.
pub const KEEP: usize = 10;

/// What was asked for.
#[derive(Debug, Clone)]
pub struct Request {
    /// The parts; all that have something to dump, if none is named.
    pub parts: Vec<String>,
    /// Do not try whether it can be restored.
    pub no_proof: bool,
    /// How many dumps are left afterwards.
    pub keep: usize,
}

/// What was done.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// The dump.
    pub dump: Dump,
    /// The names of older ones that were dropped for it.
    pub dropped: Vec<String>,
}

/// Dumps.
///
/// # Errors
/// If nothing is installed, a part has nothing to dump, a command fails, or there is no room: then there is no new dump, and the old
/// ones are as they were.
pub fn dump(place: &Place, request: &Request, report: &Reporter) -> OpResult<Summary> {
    let _entered = prefix::enter_existing(place, report)?;
    prefix::check(place, None)?;
    let held = data::held(place, &request.parts, DataVerb::Dump)?;
    if held.is_empty() {
        return Err(OpError::failed("no part here has data that could be dumped")
            .hint("a recipe says in [data] how its data are dumped: jove-install recipe show postgresql"));
    }
    let dump = write(place, &held, "dump", !request.no_proof, report)?;
    let dropped = rotate(place, request.keep)?;
    prefix::record(place, &format!("dump {}", dump.name))?;
    Ok(Summary { dump, dropped })
}

/// The dumps of this prefix, and what is there and cannot be read.
///
/// # Errors
/// If nothing is installed.
pub fn shelf(place: &Place) -> OpResult<Shelf> {
    place.installed()?;
    Ok(dump::shelf(&place.layout.dumps()))
}

/// Writes a dump of some parts. The caller holds the prefix.
///
/// # Errors
/// If a command fails or there is no room: then there is none.
pub fn write(place: &Place, held: &[Held], why: &str, is_proof: bool, report: &Reporter) -> OpResult<Dump> {
    let dumps = place.layout.dumps();
    dump::sweep(&dumps)?;
    let scratch = Scratch::new(&dumps)?;
    let mut made = begin(&place.layout, held.first().map_or(0, |held| held.generation), why)?;
    for one in held {
        report.report(Event::Stage(format!("dumping {}", one.part)));
        let share = part(place, one, &scratch, is_proof, report)
            .map_err(|error| error.context(format!("`{}` could not be dumped, and no dump was made", one.part)))?;
        made.parts.insert(one.part.clone(), share);
    }
    Ok(dump::seal(&dumps, scratch, made)?)
}

/// A dump with nothing in it yet.
///
/// # Errors
/// If the generation cannot be read.
pub fn begin(layout: &Layout, generation: u32, why: &str) -> OpResult<Manifest> {
    let manifest = generation::Manifest::read(layout, generation)?;
    Ok(Manifest {
        format: FORMAT,
        created: crate::ops::install::now(),
        why: why.to_owned(),
        project: manifest.project,
        profile: manifest.profile,
        generation,
        parts: std::collections::BTreeMap::new(),
    })
}

/// Packs what a part's command wrote into a dump that is being made.
///
/// # Errors
/// What packing fails with.
pub fn share(held: &Held, raw: &Scratch, scratch: &Scratch) -> OpResult<PartDump> {
    let file = scratch.path().join(format!("{}.tar.zst", held.part));
    let (bytes, unpacked, digest) = dump::pack(raw.path(), &file)?;
    let (recipe, version) = (held.recipe.clone(), held.version.clone());
    Ok(PartDump { recipe, version, bytes, unpacked, digest, proven: false })
}

fn part(place: &Place, held: &Held, scratch: &Scratch, is_proof: bool, report: &Reporter) -> OpResult<PartDump> {
    let raw = Scratch::new(&place.layout.dumps())?;
    crate::checkpoint::pass("dump-before-command");
    data::run(place, held, DataVerb::Dump, raw.path(), report)?;
    let made = share(held, &raw, scratch)?;
    crate::checkpoint::pass("dump-after-pack");
    if is_proof {
        let contents = contents(raw.path())?;
        drop(raw);
        let file = scratch.path().join(format!("{}.tar.zst", held.part));
        prove(place, held, &file, &made, &contents, report)?;
    }
    Ok(PartDump { proven: is_proof, ..made })
}

/// What is in a folder: names, kinds, content.
fn contents(folder: &Path) -> OpResult<Digest> {
    let entries = crate::fs::digest_tree(folder).map_err(at(folder))?;
    let rows: Vec<String> = entries.iter().map(|entry| format!("{} {:?}", entry.path.display(), entry.kind)).collect();
    Ok(Digest::of_json(&rows))
}

/// Unpacks a dump into a scratch place, finds the same in it, and has the recipe restore it there.
fn prove(
    place: &Place,
    held: &Held,
    file: &Path,
    share: &PartDump,
    contents_before: &Digest,
    report: &Reporter,
) -> OpResult<()> {
    let dumps = place.layout.dumps();
    let free = free_bytes(&dumps).map_err(at(&dumps))?;
    // What is unpacked, and a scratch database of that.
    let needed = share.unpacked.saturating_mul(3);
    if free < needed {
        return Err(OpError::failed(format!(
            "to try whether it can be restored takes {} MiB, and {} MiB are free",
            needed >> 20,
            free >> 20
        ))
        .hint("make room, or dump without that: --no-proof"));
    }
    let unpacked = Scratch::new(&dumps)?;
    dump::unpack_file(file, unpacked.path(), share.unpacked)?;
    if contents(unpacked.path())? != *contents_before {
        return Err(OpError::failed(
            "what was packed does not come out of it again; is something wrong with this disk?",
        ));
    }
    if held.has(DataVerb::Prove) {
        data::run(place, held, DataVerb::Prove, unpacked.path(), report)
            .map_err(|error| error.context("it could not be restored into a scratch place"))?;
    }
    Ok(())
}

/// Drops old dumps, never the last proven one of a part.
fn rotate(place: &Place, keep: usize) -> OpResult<Vec<String>> {
    let folder = place.layout.dumps();
    private_folder(&folder).map_err(at(&folder))?;
    let mut dropped = Vec::new();
    for old in dump::surplus(&dump::list(&folder), keep.max(1)) {
        dump::drop_one(&folder, &old)?;
        dropped.push(old.name);
    }
    Ok(dropped)
}
