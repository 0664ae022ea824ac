//! A migration with a way back: a dump of what it may change is taken before, and comes back if it fails.
//!
//! It is the command of a data step, so the old code is stopped and nobody serves from the data. The name of the dump stands in
//! `var/<part>/.migrating` meanwhile: a step that was killed begins with loading it. What was done is noted
//! ([`generation::migration`]): where the new code does not come up afterwards, the supervisor has the same command bring the dump
//! back, and `rollback` says what it leaves.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::dump::{self, Dump, Scratch};
use crate::fs::write_atomic;
use crate::generation::{self, Journal, Manifest, Migration, migration};
use crate::layout::Layout;
use crate::name::PartName;
use crate::ops::data::{self, Held};
use crate::ops::dump::share;
use crate::ops::error::{OpError, OpResult, at};
use crate::service::{DataCommand, DataState, DataVerb, Kind, Services};
use crate::state::State;

/// Why a dump was taken.
pub const WHY: &str = "before migration";

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Request {
    /// The prefix.
    pub layout: Layout,
    /// The part that migrates.
    pub part: PartName,
    /// Old code works on what it makes: no dump.
    pub compatible: bool,
    /// Nothing is migrated: the data come back from this dump.
    pub back: Option<String>,
    /// The migration.
    pub command: Vec<String>,
}

/// Migrates.
///
/// # Errors
/// If the dump cannot be taken (then nothing was changed) or the command fails (then the data are as before).
pub fn migrate(request: &Request, say: &mut dyn FnMut(&str)) -> OpResult<()> {
    let layout = &request.layout;
    let mark = migration::mark(layout, &request.part);
    let held = protected(layout, &request.part)?;
    let cut_off = migration::cut_off(layout, &request.part);
    if let Some(name) = &cut_off {
        say(&format!("the last migration was cut off; its data come back from the dump {name}"));
        undo(request, &held, name)?;
        remove(&mark)?;
    }
    if let Some(name) = &request.back {
        if cut_off.as_ref() != Some(name) {
            undo(request, &held, name)?;
        }
        say(&format!("the data are again those of the dump {name}"));
        return Ok(());
    }
    if request.compatible || held.is_empty() {
        run(request)?;
        return note(request, None);
    }
    let dump = take(layout, &held)?;
    say(&format!("what there is now is in the dump {}", dump.name));
    write_atomic(&mark, dump.name.as_bytes(), 0o600).map_err(at(&mark))?;
    crate::checkpoint::pass("migration-before-command");
    let tried = run(request);
    crate::checkpoint::pass("migration-after-command");
    if tried.is_err() {
        back(layout, &held, &dump)?;
        say(&format!("it failed; the data are again those of the dump {}", dump.name));
    } else {
        note(request, Some(dump.name))?;
    }
    remove(&mark)?;
    tried
}

/// Remembers what was done. On a first installation there is nothing to go back to.
fn note(request: &Request, dump: Option<String>) -> OpResult<()> {
    let layout = &request.layout;
    let Some(from) = generation::current(layout) else { return Ok(()) };
    let journal = Journal::read(layout).map_err(|error| OpError::failed(error.to_string()))?;
    // Outside of a switch it is the migration of what is current, on data that came from elsewhere.
    let to = journal.map_or(from, |journal| journal.to);
    let done = Migration { from, to, dump, when: jiff::Timestamp::now().to_string() };
    migration::note(layout, &request.part, done).map_err(at(&layout.data(&request.part)))
}

/// Brings back what was there before a migration.
fn undo(request: &Request, held: &[Held], name: &str) -> OpResult<()> {
    let layout = &request.layout;
    back(layout, held, &dump::read(&layout.dumps().join(name))?)?;
    migration::forget(layout, &request.part, name).map_err(at(&layout.data(&request.part)))
}

fn remove(mark: &PathBuf) -> OpResult<()> {
    match std::fs::remove_file(mark) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(at(mark)(error)),
        _ => Ok(()),
    }
}

fn run(request: &Request) -> OpResult<()> {
    let Some((program, arguments)) = request.command.split_first() else {
        return Err(OpError::usage("there is no command to run"));
    };
    // Its folder, variables and output are those of the step.
    let status = std::process::Command::new(program).args(arguments).status();
    let status = status.map_err(|error| OpError::failed(format!("{program}: {error}")))?;
    if status.success() { Ok(()) } else { Err(OpError::failed(format!("the migration failed ({status})"))) }
}

/// What a part's migration may change: its own data and those of the parts that it needs, of the generation that ran last. On a
/// first installation there is nothing.
fn protected(layout: &Layout, part: &PartName) -> OpResult<Vec<Held>> {
    let Some(current) = generation::current(layout) else { return Ok(Vec::new()) };
    let services = Manifest::services(layout, current)?;
    let needed = needed(&services, part);
    let held = data::of_generation(layout, current)?;
    let is_known = held.iter().any(|held| held.part == *part);
    let meant = held.into_iter().filter(|held| is_known && needed.contains(&held.part) && held.has(DataVerb::Dump));
    // Servers whose every database is a part of its own would be dumped twice; they are whole dumps' affair.
    Ok(meant
        .filter(|held| held.part == *part || (held.has(DataVerb::Load) && !is_kept_by_a_server(&services, held)))
        .collect())
}

/// Whether a part's data are files that its running server would go on with, as a queue's are: taken from under it, they would be
/// lost, and what it writes then with them. The migration needs the server, so that it cannot be stopped.
fn is_kept_by_a_server(services: &Services, held: &Held) -> bool {
    let runs = services.services.iter().any(|spec| spec.part == held.part && spec.kind == Kind::Daemon);
    let needs_rest = |command: &DataCommand| command.verb != DataVerb::Prove && command.during == DataState::Stopped;
    runs && held.commands.iter().any(needs_rest)
}

/// The parts whose services a part's services need, at whatever distance, itself included.
fn needed(services: &Services, part: &PartName) -> BTreeSet<PartName> {
    let mut found: BTreeSet<PartName> = [part.clone()].into();
    loop {
        let specs = services.services.iter().filter(|spec| found.contains(&spec.part));
        let names: BTreeSet<&PartName> = specs.flat_map(|spec| spec.needs.iter().map(|need| &need.service)).collect();
        let parts = services.services.iter().filter(|spec| names.contains(&spec.name)).map(|spec| spec.part.clone());
        let before = found.len();
        let parts: Vec<PartName> = parts.collect();
        found.extend(parts);
        if found.len() == before {
            return found;
        }
    }
}

fn take(layout: &Layout, held: &[Held]) -> OpResult<Dump> {
    let dumps = layout.dumps();
    let scratch = Scratch::new(&dumps)?;
    let state = State::load(layout)?;
    let current = held.first().map_or(0, |held| held.generation);
    let mut made = crate::ops::dump::begin(layout, current, WHY)?;
    for one in held {
        let raw = Scratch::new(&dumps)?;
        data::execute(layout, &state, one, DataVerb::Dump, raw.path())
            .map_err(|error| error.context(format!("`{}` could not be dumped, so nothing was migrated", one.part)))?;
        made.parts.insert(one.part.clone(), share(one, &raw, &scratch)?);
    }
    Ok(dump::seal(&dumps, scratch, made)?)
}

fn back(layout: &Layout, held: &[Held], dump: &Dump) -> OpResult<()> {
    let state = State::load(layout)?;
    for one in held.iter().filter(|one| dump.manifest.parts.contains_key(&one.part)) {
        dump.check(&one.part)?;
        let unpacked = Scratch::new(&layout.dumps())?;
        dump.unpack(&one.part, unpacked.path())?;
        data::execute(layout, &state, one, DataVerb::Load, unpacked.path()).map_err(|error| {
            error.context(format!("`{}` could not be brought back from {}", one.part, dump.path.display()))
        })?;
    }
    Ok(())
}
