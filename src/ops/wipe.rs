//! `wipe`: stops everything and removes the software; with `--data` nothing is left. Proves itself: it says what it kept and why.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::checkpoint;
use crate::fs::{occupied_bytes, remove_tree};
use crate::layout::Layout;
use crate::ops::error::{OpError, OpResult, at};
use crate::ops::place::Place;
use crate::ops::{boot, format, prefix, reach, residue};
use crate::progress::{Event, Reporter};
use crate::state::ledger::Outside;
use crate::state::{Identity, Registry, State, run};

/// What to do where something cannot be removed.
const AGAIN: &str = "run the same command again when that is mended";

/// What would go and what would stay.
#[derive(Debug, Clone, Serialize)]
pub struct Outlook {
    /// The prefix.
    pub prefix: PathBuf,
    /// What is removed.
    pub removes: Vec<PathBuf>,
    /// What is kept, and why.
    pub keeps: Vec<Kept>,
    /// Bytes that are freed.
    pub bytes: u64,
}

/// Something that stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// What.
    pub path: PathBuf,
    /// Why.
    pub why: String,
}

/// What `wipe` was asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Request {
    /// Data too.
    pub data: bool,
    /// The download cache too.
    pub cache: bool,
}

/// What belongs to the software, in the order in which it goes; the identity is not among it.
fn software(layout: &Layout) -> Vec<PathBuf> {
    vec![
        layout.stamp(),
        layout.hold(),
        layout.current(),
        layout.generations(),
        layout.store(),
        layout.switch(),
        layout.log(),
        layout.run(),
        layout.example(),
        boot::script(layout),
    ]
}

/// What goes only with `--data`, the identity last.
fn data(layout: &Layout) -> Vec<PathBuf> {
    vec![
        layout.var(),
        layout.dumps(),
        layout.state(),
        before_last(layout),
        layout.lock(),
        layout.ledger(),
        layout.file_lock(),
        layout.identity(),
    ]
}

/// Says what would go. Changes nothing.
///
/// # Errors
/// If nothing is installed.
pub fn outlook(place: &Place, request: Request) -> OpResult<Outlook> {
    place.installed()?;
    let layout = &place.layout;
    let mut removes: Vec<PathBuf> =
        software(layout).into_iter().filter(|path| path.symlink_metadata().is_ok()).collect();
    removes.extend(made_outside(place, false)?);
    let mut keeps = strangers(layout);
    let of_data = data(layout).into_iter().chain(data_elsewhere(place)?).filter(|path| path.symlink_metadata().is_ok());
    if request.data {
        removes.extend(of_data);
    } else {
        keeps.extend(of_data.map(|path| Kept { why: why_kept(&path, layout), path }));
    }
    let cache = place.host.cache()?;
    if request.cache {
        removes.push(cache);
    } else if cache.exists() {
        keeps.push(Kept {
            path: cache,
            why: "the download cache, shared by all installations (--cache removes it)".into(),
        });
    }
    if let Some(project) = &place.project {
        keeps.push(Kept { path: project.clone(), why: "the project's own folder is yours".into() });
    }
    let bytes = removes.iter().map(|path| occupied_bytes(path)).sum();
    Ok(Outlook { prefix: layout.root().to_owned(), removes, keeps, bytes })
}

/// The state as it was before its last change.
fn before_last(layout: &Layout) -> PathBuf {
    layout.root().join("state.toml.1")
}

fn why_kept(path: &Path, layout: &Layout) -> String {
    let why = if path == layout.var() {
        "data"
    } else if path == layout.dumps() {
        "dumps of data"
    } else if path == layout.state() || path == before_last(layout) {
        "passwords and ports that go with the data"
    } else if path == layout.lock() {
        "the versions that the data belong to"
    } else if path == layout.identity() || path == layout.ledger() || path == layout.file_lock() {
        "says whose folder this is"
    } else {
        "data outside the prefix"
    };
    format!("{why} (--data removes it)")
}

/// Files in the prefix that this program did not make.
fn strangers(layout: &Layout) -> Vec<Kept> {
    let ours: Vec<PathBuf> = software(layout).into_iter().chain(data(layout)).collect();
    let entries = std::fs::read_dir(layout.root()).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| !ours.contains(path) && !is_temporary(path))
        .map(|path| Kept { path, why: "jove-install did not make it".into() })
        .collect()
}

/// What a run that was killed may leave of an atomic write.
fn is_temporary(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(".tmp-"))
}

/// Data folders outside the prefix.
fn data_elsewhere(place: &Place) -> OpResult<Vec<PathBuf>> {
    made_outside(place, true)
}

/// What the ledger says was made outside the prefix and is there: data, or all but that.
fn made_outside(place: &Place, is_data: bool) -> OpResult<Vec<PathBuf>> {
    let outside = prefix::ledger(place).outside().map_err(at(&place.layout.ledger()))?.into_iter();
    let wanted = outside.filter(|outside| (outside.what == prefix::DATA) == is_data);
    let is_there = |outside: &Outside| outside.what == boot::LINE || outside.path.symlink_metadata().is_ok();
    Ok(wanted.filter(is_there).map(|outside| outside.path).collect())
}

/// Wipes.
///
/// # Errors
/// If something cannot be stopped or removed: what is left is named, and the same command goes on from there.
pub fn wipe(place: &Place, request: Request, report: &Reporter) -> OpResult<Outlook> {
    let entered = prefix::enter_existing(place, report)?;
    let outlook = outlook(place, request)?;
    let layout = &place.layout;
    checkpoint::pass("wipe-before-stop");
    let processes = residue::last_processes(layout);
    report.report(Event::Stage("stopping".into()));
    reach::stop_all(place, &mut |_| {}).map_err(|error| error.context("nothing was removed"))?;
    checkpoint::pass("wipe-after-stop");
    boot::remove(place)?;
    residue::remove(&place.host, &processes).map_err(at(Path::new("shared memory")))?;
    report.report(Event::Stage("removing".into()));
    let elsewhere = data_elsewhere(place)?;
    let mut state = State::load(layout)?;
    format::note(layout, &mut state);
    let closed = close(place, &entered.identity, &mut state);
    // Whoever wipes a full disk wants room: when the software is gone there is some to write that in.
    let is_late = closed.as_ref().is_err_and(OpError::is_of_full_disk);
    if !is_late {
        closed?;
    }
    checkpoint::pass("wipe-before-store");
    for path in software(layout).into_iter().chain(temporaries(layout)) {
        remove(&path)?;
    }
    if is_late && !request.data {
        close(place, &entered.identity, &mut state)?;
    }
    if !request.data {
        prefix::record(place, "software removed")?;
        remove_cache(place, request)?;
        return Ok(outlook);
    }
    checkpoint::pass("wipe-before-data");
    for path in elsewhere {
        remove(&path)?;
    }
    Registry::new(place.host.registry()?).remove(&entered.identity.id)?;
    checkpoint::pass("wipe-before-identity");
    for path in data(layout) {
        remove(&path)?;
    }
    drop(entered);
    remove_if_empty(layout.root())?;
    if let (Some(parent), Ok(ours)) = (layout.root().parent(), place.host.prefixes())
        && parent == ours
    {
        remove_if_empty(parent)?;
    }
    remove_cache(place, request)?;
    Ok(outlook)
}

/// Removes the run folder, and writes down what stays known without the software.
fn close(place: &Place, identity: &Identity, state: &mut State) -> OpResult<()> {
    run::remove(&place.layout, state, identity, &prefix::ledger(place))
        .map_err(|error| OpError::from(error).hint(AGAIN))?;
    state.save(&place.layout)?;
    Ok(())
}

fn temporaries(layout: &Layout) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(layout.root()).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| is_temporary(path)).collect()
}

fn remove(path: &Path) -> OpResult<()> {
    remove_tree(path).map_err(|error| OpError::failed(error.to_string()).hint(AGAIN))
}

fn remove_cache(place: &Place, request: Request) -> OpResult<()> {
    if request.cache { remove(&place.host.cache()?) } else { Ok(()) }
}

fn remove_if_empty(folder: &Path) -> OpResult<()> {
    match std::fs::remove_dir(folder) {
        Err(error) if !matches!(error.kind(), std::io::ErrorKind::DirectoryNotEmpty | std::io::ErrorKind::NotFound) => {
            Err(at(folder)(error))
        }
        _ => Ok(()),
    }
}
