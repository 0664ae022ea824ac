//! `explain`: a setting's value, its origin and what it overrode; a whole part; the layers.

use serde::Serialize;

use crate::ops::error::OpResult;
use crate::ops::pin::interpreter::wake_known;
use crate::ops::place::Place;
use crate::ops::prepare;
use crate::plan::value::{is_word, shown};
use crate::profile::LayerKind;
use crate::provider::Chosen;
use crate::provider::choose::FORCED;
use crate::recipe::ResolvedPart;
use crate::recipe::explain::Explained;
use crate::state::State;

/// One layer for people.
#[derive(Debug, Clone, Serialize)]
pub struct LayerCard {
    /// Which layer.
    pub kind: LayerKind,
    /// The file, variable or argument.
    pub source: String,
}

/// Explains a part or one of its options.
///
/// # Errors
/// If the definition is wrong or there is no such part or option.
pub fn explain(place: &Place, subject: &str) -> OpResult<Explained> {
    let mut loaded = prepare::load(place)?;
    let (mut stack, state) = prepare::resolved(place, &mut loaded, State::load(&place.layout)?)?;
    wake_known(&mut stack, &state);
    let mut explained = crate::recipe::explain::explain(&stack, &loaded.definition, &loaded.catalogue, subject)?;
    if let Explained::Part(part) = &mut explained {
        part.provider = stack.parts.get(part.name.as_str()).and_then(|part| provider(part, &state));
    }
    Ok(explained)
}

/// Where the packages of a part come from: as it asks now, else as it was decided.
fn provider(part: &ResolvedPart, state: &State) -> Option<Chosen> {
    let option = part.options.get("provider").filter(|_| part.action == "packages")?;
    if is_word(Some(&option.value), "auto") {
        return state.choice(&part.name).filter(|known| known.reason != FORCED).cloned();
    }
    Some(Chosen { provider: shown(&option.value), reason: FORCED.to_owned(), passed: Vec::new() })
}

/// The layers, lowest first.
///
/// # Errors
/// If the definition is wrong.
pub fn layers(place: &Place) -> OpResult<Vec<LayerCard>> {
    let loaded = prepare::load(place)?;
    let layers = loaded.definition.layers.iter();
    Ok(layers.map(|layer| LayerCard { kind: layer.kind, source: layer.source.name.clone() }).collect())
}
