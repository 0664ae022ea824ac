//! Pins every outside byte of a stack: from the lock where it has them, else resolved and added to it.
//!
//! [`python`] for Python parts, which are [`asked`] first and whose [`interpreter`] may be one of packages; [`packages`] for what other providers serve;
//! [`kept`] is what the cache remembers of both, [`tool`] what it has of Pythons that are not this machine's.

mod archives;
pub(super) mod asked;
mod checkouts;
pub(super) mod interpreter;
mod kept;
pub(super) mod offer;
pub(super) mod packages;
mod platforms;
mod python;
pub(super) mod tool;

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::digest::Digest;
use crate::lock::{Inputs as LockInputs, Lock};
use crate::name::PartName;
use crate::ops::error::{OpError, OpResult};
use crate::ops::pin::asked::Asked;
use crate::ops::place::Place;
use crate::ops::prepare::{Loaded, Wishes};
use crate::plan::{ResolvedPackages, ResolvedPython};
use crate::platform::Platform;
use crate::progress::Reporter;
use crate::provider::deb::lists::Lists;
use crate::recipe::{OptionValue, ResolvedPart, Stack};
use crate::state::State;

/// What pinning works on.
pub struct Pinning<'a> {
    /// Where the run works.
    pub place: &'a Place,
    /// The definition.
    pub loaded: &'a Loaded,
    /// The resolved stack.
    pub stack: &'a Stack,
    /// What was asked for.
    pub wishes: &'a Wishes,
    /// Who hears of it.
    pub report: &'a Reporter,
    /// What each Python part asks for.
    pub asked: &'a BTreeMap<PartName, Asked>,
    /// Lists of Debian packages that were read for a part, for the next ones.
    pub lists: &'a Lists,
}

/// What came of it.
pub struct Pinned {
    /// The lock, with what was resolved.
    pub lock: Lock,
    /// The state, with the host facts that were found.
    pub state: State,
    /// What each Python part resolved to.
    pub python: BTreeMap<PartName, ResolvedPython>,
    /// What each part with packages of a provider resolved to.
    pub packages: BTreeMap<PartName, ResolvedPackages>,
    /// Of each Python part whose interpreter is an object of its own, the part that makes it.
    pub awake: BTreeMap<PartName, PartName>,
    /// Files that were read for it.
    pub inputs: Vec<PathBuf>,
    uses: BTreeMap<PartName, Digest>,
}

/// Pins.
///
/// # Errors
/// If no interpreter or provider fits, or requirements cannot be resolved.
pub fn pin(pinning: &Pinning<'_>, lock: Lock, state: State) -> OpResult<Pinned> {
    let mut pinned = Pinned {
        lock,
        state,
        python: BTreeMap::new(),
        packages: BTreeMap::new(),
        awake: BTreeMap::new(),
        inputs: Vec::new(),
        uses: BTreeMap::new(),
    };
    for part in pinning.stack.parts.values() {
        match part.action.as_str() {
            "python" => {
                let made = python::pin(pinning, part, &mut pinned)?;
                pinned.inputs.extend(made.inputs);
                pinned.uses.insert(part.name.clone(), made.resolution);
                pinned.python.insert(part.name.clone(), made.resolved);
            }
            "packages" => pin_packages(pinning, part, &mut pinned)?,
            _ => {}
        }
    }
    pinned.lock.set_uses(&pinning.place.profile_name(), &Platform::current(), &pinned.uses);
    pinned.lock.prune();
    Ok(pinned)
}

/// Pins a part with packages, once: what needs its object at once asks for it before its turn.
fn pin_packages(pinning: &Pinning<'_>, part: &ResolvedPart, pinned: &mut Pinned) -> OpResult<()> {
    if pinned.packages.contains_key(&part.name) {
        return Ok(());
    }
    let made = packages::pin(pinning, part, &mut pinned.lock, &mut pinned.state)?;
    pinned.inputs.extend(made.inputs);
    pinned.uses.insert(part.name.clone(), made.resolution);
    pinned.packages.insert(part.name.clone(), made.resolved);
    Ok(())
}

fn wants_resolution(
    wishes: &Wishes,
    part: &ResolvedPart,
    lock: &Lock,
    platform: &Platform,
    asked: &LockInputs,
) -> OpResult<bool> {
    let known = lock.find(&part.recipe, platform, asked).is_some();
    if known && !upgrades(wishes, part) {
        return Ok(false);
    }
    if wishes.locked {
        return Err(OpError::failed(format!(
            "jove.lock has no pins for `{}` as it is asked for now, and --locked forbids making them",
            part.name
        ))
        .hint("make them: jove-install lock"));
    }
    Ok(true)
}

fn upgrades(wishes: &Wishes, part: &ResolvedPart) -> bool {
    // What a part brought is its own affair.
    let by = part.brought_by.as_ref().map(PartName::as_str);
    wishes.upgrade.as_deref().is_some_and(|name| name == "*" || name == part.name.as_str() || Some(name) == by)
}

fn text(part: &ResolvedPart, option: &str) -> Option<String> {
    match &part.options.get(option)?.value {
        OptionValue::Text(text) => text.as_plain().map(str::to_owned),
        _ => None,
    }
}
