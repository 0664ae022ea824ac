//! Entering a prefix: who may write in it, whose it is, and that it is known.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::checkpoint;
use crate::fs::{FileLock, private_folder, remove_temporaries, remove_tree};
use crate::generation::Manifest;
use crate::layout::{Layout, SCRATCH};
use crate::ops::error::{OpError, OpResult, at};
use crate::ops::place::Place;
use crate::progress::Reporter;
use crate::state::identity::Claim;
use crate::state::registry::RegistryEntry;
use crate::state::{Identity, Ledger, Registry, State, machine_id, run};

/// A prefix that this run may write in; the file locks go with it.
pub struct Entered {
    /// Who it is.
    pub identity: Identity,
    _project: Option<FileLock>,
    _prefix: FileLock,
}

/// Enters a prefix for a writing verb, and makes it if it is not there.
///
/// # Errors
/// If the folder is not ours, belongs to another project, was moved, or another run holds it and `--no-wait` was given.
pub fn enter(place: &Place, project: &str, report: &Reporter) -> OpResult<Entered> {
    let layout = &place.layout;
    let (owner, profile, machine) = (place.owner(), place.profile_name(), machine_id());
    let claim = Claim { owner: &owner, project, profile: &profile, machine: &machine };
    // Nothing is made in a folder before it is known to be ours or empty.
    match Identity::open(layout)? {
        Some(identity) => identity.check(layout, &claim)?,
        None => private_folder(layout.root()).map_err(at(layout.root()))?,
    }
    let (project_lock, prefix_lock) = locks(place, report)?;
    sweep(layout).map_err(at(layout.root()))?;
    checkpoint::pass("identity-before-write");
    let identity = Identity::create(layout, &claim)?;
    checkpoint::pass("identity-after-write");
    Ok(Entered { identity, _project: project_lock, _prefix: prefix_lock })
}

/// Removes what steps of a killed run left. Nobody else makes any while the file lock is held.
fn sweep(layout: &Layout) -> std::io::Result<()> {
    for entry in std::fs::read_dir(layout.root())? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(SCRATCH) {
            remove_tree(&entry.path())?;
        }
    }
    Ok(())
}

/// Enters a prefix that must be there already.
///
/// # Errors
/// If nothing is installed, or another run holds it and `--no-wait` was given.
pub fn enter_existing(place: &Place, report: &Reporter) -> OpResult<Entered> {
    place.installed()?;
    let (project, prefix) = locks(place, report)?;
    let identity =
        Identity::open(&place.layout)?.ok_or_else(|| OpError::failed("it was wiped while this run waited"))?;
    Ok(Entered { identity, _project: project, _prefix: prefix })
}

/// File locks are taken in one order everywhere: the project's (its `jove.lock` is shared by all profiles), then the prefix's.
fn locks(place: &Place, report: &Reporter) -> OpResult<(Option<FileLock>, FileLock)> {
    let wait = !place.choice.no_wait;
    let project = place.project.as_ref().map(|folder| FileLock::acquire_folder(folder, wait, report)).transpose()?;
    let prefix = FileLock::acquire(&place.layout.file_lock(), &place.choice.verb, wait, report)?;
    for folder in place.project.iter().map(PathBuf::as_path).chain([place.layout.root()]) {
        remove_temporaries(folder).map_err(at(folder))?;
    }
    Ok((project, prefix))
}

/// Fails if an installation is there and not at home: moved, copied, another project's. What `install` would refuse, a plan
/// and a start refuse in the same words.
///
/// # Errors
/// What differs.
pub fn check(place: &Place, project: Option<&str>) -> OpResult<()> {
    let Some(identity) = Identity::open(&place.layout)? else { return Ok(()) };
    match project {
        Some(project) => place.check(&identity, project),
        None if identity.is_moved(&place.layout) => place.check(&identity, &identity.project),
        None => Ok(()),
    }
}

/// The ledger, with this run's user and machine in its lines.
#[must_use]
pub fn ledger(place: &Place) -> Ledger {
    let user = place.host.var("USER").map_or_else(|| place.host.user.to_string(), str::to_owned);
    Ledger::new(&place.layout, format!("{user}@{}", place.host.name))
}

/// Makes the run folder. A short one is remembered in the state, which the caller saves.
///
/// # Errors
/// If it cannot be made or is not safe to use.
pub fn run_folder(place: &Place, identity: &Identity, state: &mut State) -> OpResult<PathBuf> {
    Ok(run::ensure(&place.layout, state, identity, &ledger(place))?)
}

/// Enters the prefix and what it has outside into the registry.
///
/// # Errors
/// What cannot be written.
pub fn register(place: &Place, identity: &Identity, state: &State) -> OpResult<()> {
    let outside = ledger(place).outside().map_err(at(&place.layout.ledger()))?;
    let outside: BTreeSet<PathBuf> = outside.into_iter().map(|outside| outside.path).collect();
    let entry = RegistryEntry::of(identity, state.ports.values().copied().collect(), outside);
    let registry = Registry::new(place.host.registry()?);
    // A prefix that was deleted by hand and made anew leaves an entry with its former id.
    for gone in registry.list().iter().filter(|known| known.entry.path == entry.path && known.entry.id != entry.id) {
        registry.remove(&gone.entry.id)?;
    }
    registry.write(&entry)?;
    Ok(())
}

/// What the ledger calls a data folder outside the prefix.
pub const DATA: &str = "data";

/// Notes a generation's data folders outside the prefix, before its services make them: `wipe --data` finds them when no
/// generation names them any more.
///
/// # Errors
/// What cannot be read or written.
pub fn note_data(place: &Place, generation: u32) -> OpResult<()> {
    let parts = Manifest::read(&place.layout, generation)?.parts.into_values();
    for folder in parts.flat_map(|part| part.data).filter(|folder| !folder.starts_with(place.layout.root())) {
        ledger(place).made(DATA, &folder).map_err(at(&place.layout.ledger()))?;
    }
    Ok(())
}

/// Adds a line about this run to the ledger.
///
/// # Errors
/// What cannot be written.
pub fn record(place: &Place, what: &str) -> OpResult<()> {
    ledger(place).run(&place.choice.verb, &[what.to_owned()]).map_err(at(&place.layout.ledger()))
}
