//! `lock`: resolves every outside byte and writes `jove.lock`; `--check` only compares.

use std::path::PathBuf;

use serde::Serialize;

use crate::ops::error::{OpError, OpResult};
use crate::ops::place::Place;
use crate::ops::prefix;
use crate::ops::prepare::{self, Wishes};
use crate::progress::Reporter;

/// What came of it.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// The lock's file.
    pub lock: PathBuf,
    /// Whether its text changed.
    pub changed: bool,
    /// How many packages it pins.
    pub pins: usize,
}

/// Locks.
///
/// # Errors
/// If something cannot be resolved, or with `check` if the lock is not what is needed.
pub fn lock(place: &Place, check: bool, upgrade: Option<String>, report: &Reporter) -> OpResult<Summary> {
    let wishes = Wishes { locked: check, upgrade, offline: place.choice.offline, ..Wishes::default() };
    if !check && place.project.is_none() {
        let project = prepare::load(place)?.definition.project.name;
        let entered = prefix::enter(place, &project, report)?;
        let summary = written(place, &wishes, report);
        drop(entered);
        return summary;
    }
    written(place, &wishes, report)
}

fn written(place: &Place, wishes: &Wishes, report: &Reporter) -> OpResult<Summary> {
    let prepared = prepare::prepare(place, wishes, report)?;
    let text = prepared.lock.to_text()?;
    let changed = std::fs::read_to_string(&prepared.lock_path).ok().as_deref() != Some(text.as_str());
    let pins = prepared.lock.resolutions().map(|resolution| resolution.pins.len()).sum();
    if wishes.locked && changed {
        return Err(OpError::failed(format!("{} is not what the project needs", prepared.lock_path.display()))
            .hint(format!("bring it up to date: {} lock", place.command())));
    }
    if changed {
        prepared.lock.write(&prepared.lock_path)?;
    }
    Ok(Summary { lock: prepared.lock_path, changed, pins })
}
