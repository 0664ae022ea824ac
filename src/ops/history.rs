//! `history`: the generations, what became of them, and why each was made.

use serde::Serialize;

use crate::generation::{self, Manifest, Status, manifest};
use crate::ops::error::OpResult;
use crate::ops::place::Place;

/// One generation for people.
#[derive(Debug, Clone, Serialize)]
pub struct Entry {
    /// Its number.
    pub generation: u32,
    /// Whether it is the current one.
    pub current: bool,
    /// What became of it.
    #[serde(flatten)]
    pub status: Status,
    /// When it was made (RFC 3339, UTC).
    pub created: String,
    /// The verb that made it.
    pub verb: String,
    /// The profile.
    pub profile: String,
    /// Why, a line a change.
    pub reasons: Vec<String>,
}

/// Lists them, newest first. One that cannot be read is listed with that as its reason.
///
/// # Errors
/// If nothing is installed.
pub fn history(place: &Place) -> OpResult<Vec<Entry>> {
    place.installed()?;
    let current = generation::current(&place.layout);
    let numbers = manifest::list(&place.layout).into_iter().rev();
    Ok(numbers.map(|number| entry(place, number, current == Some(number))).collect())
}

fn entry(place: &Place, number: u32, current: bool) -> Entry {
    let status = Status::read(&place.layout, number);
    match Manifest::read(&place.layout, number) {
        Ok(manifest) => Entry {
            generation: number,
            current,
            status,
            created: manifest.created,
            verb: manifest.verb,
            profile: manifest.profile,
            reasons: manifest.reasons,
        },
        Err(error) => Entry {
            generation: number,
            current,
            status,
            created: String::new(),
            verb: String::new(),
            profile: String::new(),
            reasons: vec![error.to_string()],
        },
    }
}
