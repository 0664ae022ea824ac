//! `rollback`: goes back to a kept generation. Nothing is resolved, fetched or rendered anew; secrets and ports are those of now.
//!
//! Afterwards the prefix is *held* (`hold.toml`): `install` goes forward only with `--release` or with changed inputs.

use serde::Serialize;

use crate::checkpoint;
use crate::digest::Digest;
use crate::generation::{self, Hold, Manifest, Status, manifest, migration};
use crate::layout::Layout;
use crate::ops::error::{OpError, OpResult, at};
use crate::ops::place::Place;
use crate::ops::{format, prefix, service, stamp};
use crate::progress::{Event, Reporter};
use crate::state::State;
use crate::store::Store;

/// What a rollback did.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// The generation that is current now.
    pub generation: u32,
    /// The one that was left.
    pub left: u32,
    /// Whether services were started.
    pub started: bool,
}

/// Goes back.
///
/// # Errors
/// If there is no such generation, one of its objects is gone, or data have a newer format.
pub fn rollback(place: &Place, to: Option<u32>, force: bool, no_start: bool, report: &Reporter) -> OpResult<Summary> {
    let entered = prefix::enter_existing(place, report)?;
    prefix::check(place, None)?;
    let layout = &place.layout;
    let mut state = State::load(layout)?;
    format::note(layout, &mut state);
    let Some(left) = generation::current(layout) else {
        return Err(OpError::failed("no generation is committed, so there is none to go back to"));
    };
    let former = Hold::read(layout)?;
    let Step { left, to, target } = match begun(layout, to)? {
        Some(step) => step,
        None => step(place, to, left, (!force).then_some(&state))?,
    };
    check_objects(place, &target)?;
    prefix::run_folder(place, &entered.identity, &mut state)?;
    state.save(layout)?;
    prefix::register(place, &entered.identity, &state)?;
    stamp::forget(place)?;
    // One that cannot be read is a reason to go back, not one to stay: then no definition is held back.
    let definition = Manifest::read(layout, left).map_or_else(|_| Digest::of(""), |manifest| manifest.definition);
    let hold = Hold::new(to, left, definition);
    hold.write(layout).map_err(at(&layout.hold()))?;
    checkpoint::pass("rollback-before-switch");
    let running = crate::supervisor::client::Client::connect(layout)?.is_some();
    let moved = if no_start && !running {
        generation::commit(layout, to).map_err(at(&layout.current()))
    } else {
        service::switch(place, to, report)
    };
    if moved.is_err() && generation::current(layout) != Some(to) {
        // Held as it was before.
        let restored = former.map_or_else(|| Hold::remove(layout), |former| former.write(layout));
        restored.map_err(at(&layout.hold()))?;
    }
    moved?;
    checkpoint::pass("rollback-after-switch");
    prefix::record(place, &format!("generation {left} → {to}"))?;
    tell_migrations(place, left, to, report)?;
    Hold { is_done: true, ..hold }.write(layout).map_err(at(&layout.hold()))?;
    Ok(Summary { generation: to, left, started: !no_start || running })
}

/// A step back.
struct Step {
    left: u32,
    to: u32,
    target: Manifest,
}

/// The step that a killed rollback has committed and not ended, if that is the one that is asked for.
fn begun(layout: &Layout, to: Option<u32>) -> OpResult<Option<Step>> {
    let hold = Hold::in_force(layout)?.filter(|hold| !hold.is_done && to.is_none_or(|to| to == hold.at));
    let Some(Hold { at: to, left, .. }) = hold else { return Ok(None) };
    Ok(Some(Step { left, to, target: Manifest::read(layout, to)? }))
}

/// A step to a generation that reads the data, of which `state` knows; to any, without.
fn step(place: &Place, to: Option<u32>, left: u32, state: Option<&State>) -> OpResult<Step> {
    let to = match to {
        Some(to) => to,
        None => before(place, left)?,
    };
    let target = wanted(place, to, left)?;
    if let Some(state) = state {
        if let Ok(former) = Manifest::read(&place.layout, left) {
            check_data(&former, &target)?;
        }
        format::check_former(place, &target, state)?;
    }
    Ok(Step { left, to, target })
}

fn before(place: &Place, current: u32) -> OpResult<u32> {
    let kept = manifest::list(&place.layout).into_iter().rev();
    let mut good = kept.filter(|number| *number < current && Status::read(&place.layout, *number) == Status::Committed);
    good.next().ok_or_else(|| {
        OpError::failed(format!("there is no committed generation before {current}"))
            .hint(format!("what there is: {} history", place.command()))
    })
}

fn wanted(place: &Place, to: u32, current: u32) -> OpResult<Manifest> {
    if to == current {
        return Err(OpError::usage(format!("generation {to} is the current one already")));
    }
    if !manifest::list(&place.layout).contains(&to) {
        return Err(OpError::usage(format!("there is no generation {to}"))
            .hint(format!("what there is: {} history", place.command())));
    }
    Ok(Manifest::read(&place.layout, to)?)
}

fn check_objects(place: &Place, target: &Manifest) -> OpResult<()> {
    let store = Store::open(&place.layout).map_err(at(&place.layout.store()))?;
    let there: std::collections::BTreeSet<String> =
        store.list().iter().map(crate::store::StorePath::folder_name).collect();
    let gone: Vec<&str> =
        target.parts.values().filter_map(|part| part.object.as_deref()).filter(|name| !there.contains(*name)).collect();
    if gone.is_empty() {
        return Ok(());
    }
    Err(OpError::failed(format!("generation {} needs objects that are gone: {}", target.generation, gone.join(", ")))
        .hint("set the project back to what it was then, and install"))
}

/// Data that a recipe brought to a newer format cannot be read by an older one.
fn check_data(current: &Manifest, target: &Manifest) -> OpResult<()> {
    for (name, part) in &target.parts {
        let now = current.parts.get(name).and_then(|part| part.data_version.as_ref());
        if let (Some(now), Some(then)) = (now, &part.data_version)
            && now != then
        {
            let message =
                format!("the data of `{name}` have format {now}; generation {} reads format {then}", target.generation);
            return Err(
                OpError::failed(message).hint("bring back a dump that fits, or go back all the same with --force")
            );
        }
    }
    Ok(())
}

/// What later generations made of data stays, and older code may not read it: who goes back hears so, and what there is of before.
/// It is no reason to refuse: a migration runs with each new version, and mostly has nothing to do.
fn tell_migrations(place: &Place, left: u32, to: u32, report: &Reporter) -> OpResult<()> {
    for name in Manifest::read(&place.layout, left)?.parts.keys() {
        let done = migration::read(&place.layout, name).map_err(at(&place.layout.data(name)))?;
        let mut undone = done.into_iter().filter(|one| one.to > to && one.to <= left);
        // The oldest dump has what the older code left.
        let Some((by, dump)) = undone.find_map(|one| Some((one.to, one.dump?))) else { continue };
        let said = format!("the data of `{name}` stay as the migration of generation {by} left them");
        report.report(Event::Note(if place.layout.dumps().join(&dump).exists() {
            format!("{said}; as they were before: {} load {dump}", place.command())
        } else {
            format!("{said}, and the dump of before is gone")
        }));
    }
    Ok(())
}

/// A held prefix goes forward with `--release`, or when what is wished is not what was left.
///
/// # Errors
/// If it is held and nothing changed since.
pub fn check_hold(place: &Place, wished: &Digest, released: bool) -> OpResult<()> {
    let Some(hold) = Hold::in_force(&place.layout)?.filter(|hold| !released && hold.holds(wished)) else {
        return Ok(());
    };
    Err(OpError::failed(format!("this installation is {}, and nothing changed since", shown(&hold)))
        .hint(format!("go forward again: {} install --release", place.command())))
}

/// A hold for people.
#[must_use]
pub fn shown(hold: &Hold) -> String {
    format!("held at generation {} since {}, when generation {} was left", hold.at, hold.since, hold.left)
}
