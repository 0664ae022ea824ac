//! `adopt`: takes a prefix over that was moved or copied, or that another checkout of the project made.

use std::path::PathBuf;

use serde::Serialize;

use crate::fs::{DocumentError, FileLock};
use crate::ops::error::{OpError, OpResult, at};
use crate::ops::place::Place;
use crate::ops::{prefix, prepare, stamp};
use crate::progress::Reporter;
use crate::state::identity::Claim;
use crate::state::{Identity, IdentityError, State, machine_id, run};
use crate::supervisor::client::Client;
use crate::supervisor::desired;

/// What was taken over.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// The prefix.
    pub prefix: PathBuf,
    /// What stood in the way, for people.
    pub differed: Option<String>,
}

impl Summary {
    /// For people.
    #[must_use]
    pub fn text(&self) -> String {
        match &self.differed {
            None => format!("{} is yours already; nothing to adopt", self.prefix.display()),
            Some(_) => {
                format!("{} is adopted; install again to make anew what its place is baked into", self.prefix.display())
            }
        }
    }
}

/// Writes this place's own words into the identity.
///
/// # Errors
/// If nothing is installed or its services run.
pub fn adopt(place: &Place, report: &Reporter) -> OpResult<Summary> {
    place.there()?;
    let _lock = FileLock::acquire(&place.layout.file_lock(), "adopt", !place.choice.no_wait, report)?;
    if Client::connect(&place.layout)?.is_some() {
        return Err(OpError::failed("its services run; a prefix is adopted while it rests")
            .hint(format!("stop them first: {} stop", place.command())));
    }
    let found = match Identity::open(&place.layout) {
        Err(error @ IdentityError::Document(DocumentError::Damaged { .. })) => Err(error.to_string()),
        other => Ok(other?.ok_or_else(|| OpError::failed("it was wiped meanwhile"))?),
    };
    let project = prepare::load(place)?.definition.project.name;
    let (owner, profile, machine) = (place.owner(), place.profile_name(), machine_id());
    let claim = Claim { owner: &owner, project: &project, profile: &profile, machine: &machine };
    let identity = match found {
        Ok(identity) => identity,
        Err(damage) => {
            Identity::anew(&place.layout, &claim)?;
            stamp::forget(place)?;
            return Ok(Summary { prefix: place.layout.root().to_owned(), differed: Some(damage) });
        }
    };
    let differed = identity.check(&place.layout, &claim).err().map(|error| error.to_string());
    let id = identity.id.clone();
    let adopted = identity.adopt(&place.layout, &claim)?;
    let (layout, is_copy) = (&place.layout, adopted.id != id);
    if let Some(run) = run::existing(layout).filter(|_| !is_copy || !layout.run().is_symlink()) {
        // What is installed names the former folder: nothing of it may start before it is made anew here.
        desired::remove(&run);
    }
    if is_copy {
        // A copy: what the first one has outside itself (ports, short run folder) is the first one's.
        let mut state = State::load(&place.layout)?;
        state.forget_places();
        state.save(&place.layout)?;
        prefix::ledger(place).disown().map_err(at(&place.layout.ledger()))?;
    }
    stamp::forget(place)?;
    Ok(Summary { prefix: place.layout.root().to_owned(), differed })
}
