//! `plan`: what `install` would do. Writes nothing in the prefix or the project.

use serde::Serialize;

use crate::diagnostic::Diagnostics;
use crate::ops::error::OpResult;
use crate::ops::place::Place;
use crate::ops::prepare::{self, Wishes};
use crate::ops::{format, prefix};
use crate::plan::Change;
use crate::progress::Reporter;

/// What would be done.
#[derive(Debug, Clone, Serialize)]
pub struct Outlook {
    /// The changes, by part.
    pub changes: Vec<Change>,
    /// The parts in all.
    pub parts: usize,
    /// Bytes that would be fetched, as far as known.
    pub fetch: u64,
    /// What is worth a look.
    #[serde(skip)]
    pub warnings: Diagnostics,
}

/// Plans.
///
/// # Errors
/// Whatever stands in the way of a plan.
pub fn plan(place: &Place, wishes: &Wishes, report: &Reporter) -> OpResult<Outlook> {
    let mut prepared = prepare::prepare(place, wishes, report)?;
    prefix::check(place, Some(&prepared.loaded.definition.project.name))?;
    format::check_desired(place, &prepared.desired, &prepared.state)?;
    let fetch = prepared
        .desired
        .parts
        .values()
        .filter_map(|part| part.object.as_ref().filter(|object| !object.exists))
        .map(|object| match &object.action {
            crate::plan::Action::Packages(action) => {
                action.resolved.pins.iter().flat_map(|pin| &pin.files).filter_map(|file| file.size).sum()
            }
            crate::plan::Action::Python(action) => {
                action.resolved.packages.iter().filter_map(|(_, file)| file.size).sum()
            }
            crate::plan::Action::Files(_) | crate::plan::Action::Step(_) => 0,
        })
        .sum();
    let outlook = Outlook {
        changes: std::mem::take(&mut prepared.plan.changes),
        parts: prepared.desired.parts.len(),
        fetch,
        warnings: std::mem::take(&mut prepared.loaded.warnings),
    };
    // The process ends soon. The kernel takes back the memory of thousands of parts at once, piece by piece takes a fifth as
    // long as all the rest of a plan.
    std::mem::forget(prepared);
    Ok(outlook)
}
