//! `secret list/show/set/rotate`: the only ways by which a secret is seen or changed.

use serde::Serialize;

use crate::name::{OptionName, PartName};
use crate::ops::error::{OpError, OpResult};
use crate::ops::place::Place;
use crate::ops::{prefix, stamp};
use crate::progress::Reporter;
use crate::state::{SecretWord, State};

/// One secret without its word.
#[derive(Debug, Clone, Serialize)]
pub struct Entry {
    /// `part.option`.
    pub name: String,
    /// Changes with the word.
    pub version: String,
}

/// Their names.
///
/// # Errors
/// If nothing is installed or the state cannot be read.
pub fn list(place: &Place) -> OpResult<Vec<Entry>> {
    place.installed()?;
    let state = State::load(&place.layout)?;
    Ok(state
        .secrets
        .iter()
        .map(|(name, secret)| Entry { name: name.clone(), version: secret.version.clone() })
        .collect())
}

/// One word.
///
/// # Errors
/// If there is no such secret.
pub fn show(place: &Place, name: &str) -> OpResult<String> {
    place.installed()?;
    let state = State::load(&place.layout)?;
    match state.secrets.get(name) {
        Some(secret) => Ok(secret.word.reveal().to_owned()),
        None => Err(unknown(place, name, &state)),
    }
}

/// Sets one, or generates it anew. Services see it after the next install.
///
/// # Errors
/// If the name is none, or the word is empty or has a line break.
pub fn set(place: &Place, name: &str, word: Option<&str>, report: &Reporter) -> OpResult<Entry> {
    let (part, option) = parse(name)?;
    let _entered = prefix::enter_existing(place, report)?;
    let mut state = State::load(&place.layout)?;
    if word.is_none() && !state.secrets.contains_key(name) {
        return Err(unknown(place, name, &state));
    }
    if let Some(word) = word
        && (word.is_empty() || word.contains(['\n', '\0']))
    {
        return Err(OpError::usage("a secret is one line that is not empty, and none was set"));
    }
    state.set_secret(&part, &option, word.map(SecretWord::new));
    state.save(&place.layout)?;
    stamp::forget(place)?;
    prefix::record(place, &format!("secret {name}"))?;
    let version = state.secrets.get(name).map(|secret| secret.version.clone()).unwrap_or_default();
    Ok(Entry { name: name.to_owned(), version })
}

fn parse(name: &str) -> OpResult<(PartName, OptionName)> {
    let (part, option) = name.split_once('.').ok_or_else(|| {
        OpError::usage(format!("`{name}` names no secret")).hint("write PART.OPTION, as in db.password")
    })?;
    Ok((part.parse().map_err(OpError::usage)?, option.parse().map_err(OpError::usage)?))
}

fn unknown(place: &Place, name: &str, state: &State) -> OpError {
    let error = OpError::usage(format!("there is no secret `{name}`"));
    match crate::name::nearest(name, state.secrets.keys().map(String::as_str)) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error.hint(format!("what there is: {} secret list", place.command())),
    }
}
