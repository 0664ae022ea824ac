//! `env`: the process variables that a part's service sees, these and no others.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::generation::{self, Manifest};
use crate::name::PartName;
use crate::ops::error::{OpError, OpResult};
use crate::ops::place::Place;
use crate::state::State;

/// What a service sees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// The service.
    pub service: PartName,
    /// Its working folder.
    pub folder: String,
    /// Its variables; secrets by name unless they are to be revealed.
    pub vars: BTreeMap<String, String>,
}

/// The variables of a part's first service, or of the service of that name.
///
/// # Errors
/// If nothing is installed, or nothing of that name has a service.
pub fn env(place: &Place, name: &str, reveal: bool) -> OpResult<Seen> {
    place.installed()?;
    let Some(current) = generation::current(&place.layout) else {
        return Err(OpError::failed("no generation is committed yet").hint(format!("install it: {}", place.command())));
    };
    let services = Manifest::services(&place.layout, current)?.services;
    let found = services.iter().find(|spec| spec.name.as_str() == name);
    let Some(spec) = found.or_else(|| services.iter().find(|spec| spec.part.as_str() == name)) else {
        let known: Vec<&str> = services.iter().map(|spec| spec.name.as_str()).collect();
        let error = OpError::usage(format!("no part or service `{name}` runs here"));
        return Err(match crate::name::nearest(name, known.iter().copied()) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error.hint(format!("there are: {}", known.join(", "))),
        });
    };
    let state = State::load(&place.layout)?;
    let word = |text: &crate::text::Text| match reveal {
        true => text.reveal(&state).map_err(OpError::failed),
        false => Ok(text.to_string()),
    };
    let vars = spec.vars.iter().map(|(name, text)| Ok((name.clone(), word(text)?)));
    Ok(Seen {
        service: spec.name.clone(),
        folder: spec.folder.display().to_string(),
        vars: vars.collect::<OpResult<_>>()?,
    })
}
