//! `stamp.json`: what the last install read, so that a run with nothing to do sees that by `stat` alone.
//!
//! It reads the stamp, asks `stat` of each input, and asks the supervisor once. No file is hashed, no runtime started.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::checkpoint;
use crate::fs::{Stamp, stat_stamp_of, write_atomic};
use crate::generation;
use crate::ops::error::{OpResult, at};
use crate::ops::install::{Summary, processors};
use crate::ops::place::Place;
use crate::ops::prepare::Prepared;
use crate::ops::status::is_well;
use crate::plan::source;
use crate::state::State;
use crate::supervisor::client::Client;
use crate::text::{SecretRef, Secrets as _};

const FORMAT: u32 = 1;

/// The inputs of an install and what came of it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    format: u32,
    profile: String,
    project: Option<PathBuf>,
    sets: Vec<String>,
    /// Every `JOVE_SET_*`, and what values or conditions asked for.
    vars: BTreeMap<String, Option<String>>,
    /// How many processors there were.
    processors: usize,
    /// Variables whose words are secrets, by the secret that holds the word.
    secret_vars: BTreeMap<String, SecretRef>,
    inputs: BTreeMap<PathBuf, Stamp>,
    generation: u32,
    urls: Vec<String>,
}

/// What the last run did, if nothing changed since and everything runs.
#[must_use]
pub fn unchanged(place: &Place, no_start: bool) -> Option<Summary> {
    let bytes = std::fs::read(place.layout.stamp()).ok()?;
    let record: Record = serde_json::from_slice(&bytes).ok()?;
    let same = record.format == FORMAT
        && record.profile == place.profile_name()
        && record.project == place.project
        && record.sets == place.choice.sets
        && record.vars == vars(place, record.vars.keys())
        && record.processors == processors()
        && secrets_hold(place, &record.secret_vars)
        && generation::current(&place.layout) == Some(record.generation)
        // Another copy of this program may have other recipes.
        && record.inputs.contains_key(&place.host.program)
        && record.inputs.iter().all(|(path, stamp)| look(path) == *stamp);
    if !same {
        return None;
    }
    if !no_start {
        let status = Client::connect(&place.layout).ok()??.status().ok()?;
        let well = status.generation == Some(record.generation)
            && status.switching.is_none()
            && status.services.iter().all(is_well);
        if !well {
            return None;
        }
    }
    Some(Summary {
        prefix: place.layout.root().to_owned(),
        profile: record.profile,
        generation: record.generation,
        changed: Vec::new(),
        urls: record.urls,
        seconds: 0.0,
        started: !no_start,
        warnings: crate::diagnostic::Diagnostics::default(),
    })
}

/// Records the inputs of an install. Files that the run itself wrote are stamped now.
///
/// # Errors
/// What writing fails with.
pub fn write(place: &Place, prepared: &Prepared, generation: u32, urls: &[String]) -> OpResult<()> {
    checkpoint::pass("stamp-before-write");
    let mut inputs = prepared.stamps.clone();
    let own = [place.layout.state(), place.layout.hold(), prepared.lock_path.clone(), place.host.program.clone()];
    inputs.extend(own.into_iter().map(|path| (path.clone(), look(&path))));
    let record = Record {
        format: FORMAT,
        profile: place.profile_name(),
        project: place.project.clone(),
        sets: place.choice.sets.clone(),
        vars: vars(place, prepared.stack.vars_used.keys().chain(prepared.loaded.definition.vars_asked.keys())),
        processors: processors(),
        secret_vars: prepared.stack.secret_vars.clone(),
        inputs,
        generation,
        urls: urls.to_vec(),
    };
    let bytes = serde_json::to_vec(&record).map_err(crate::ops::OpError::failed)?;
    write_atomic(&place.layout.stamp(), &bytes, 0o600).map_err(at(&place.layout.stamp()))
}

/// Makes the next run look at everything.
///
/// # Errors
/// What removing fails with.
pub fn forget(place: &Place) -> OpResult<()> {
    match std::fs::remove_file(place.layout.stamp()) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(at(&place.layout.stamp())(error)),
        _ => Ok(()),
    }
}

/// The stamp of a file that was read after `begin`. One that changed since then may not be what was read: it gets a stamp that
/// no file has (git calls such an entry racy).
#[must_use]
pub fn look_before(path: &std::path::Path, begin: jiff::Timestamp) -> Stamp {
    match look(path) {
        Stamp::File { ctime_ns, .. } if i128::from(ctime_ns) >= begin.as_nanosecond() => {
            Stamp::File { size: 0, mtime_ns: 0, ctime_ns: 0, inode: 0 }
        }
        stamp => stamp,
    }
}

/// The stamp of an input; of a folder, what of it would be copied.
#[must_use]
pub fn look(path: &std::path::Path) -> Stamp {
    stat_stamp_of(path, &source::is_left_out)
}

/// Whether each variable still holds the word of its secret.
fn secrets_hold(place: &Place, secret_vars: &BTreeMap<String, SecretRef>) -> bool {
    if secret_vars.is_empty() {
        return true;
    }
    let Ok(state) = State::load(&place.layout) else { return false };
    secret_vars.iter().all(|(name, secret)| state.word(secret).as_ref() == place.host.vars.get(name))
}

/// The variables that an install depends on: those named before, and every `JOVE_SET_*` of now.
fn vars<'a>(place: &'a Place, named: impl Iterator<Item = &'a String>) -> BTreeMap<String, Option<String>> {
    let sets = place.host.vars.keys().filter(|name| name.starts_with("JOVE_SET_"));
    named.chain(sets).map(|name| (name.clone(), place.host.vars.get(name).cloned())).collect()
}
