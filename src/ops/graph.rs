//! `graph`: the parts and their edges, as a picture.

use crate::graph::picture::Picture;
use crate::ops::error::OpResult;
use crate::ops::pin::interpreter::wake_known;
use crate::ops::place::Place;
use crate::ops::prepare;
use crate::state::State;

/// The picture of a definition's graph. Reads the definition only: nothing is resolved.
///
/// # Errors
/// Everything that is wrong in the definition; a cycle, drawn.
pub fn picture(place: &Place) -> OpResult<Picture> {
    let mut loaded = prepare::load(place)?;
    let (mut stack, state) = prepare::resolved(place, &mut loaded, State::load(&place.layout)?)?;
    wake_known(&mut stack, &state);
    let graph = prepare::graph(&stack)?;
    let title = format!("{} in profile {}", stack.project.name, stack.profile);
    Ok(Picture::of(&graph, title, |name| stack.parts.get(name).map_or_else(String::new, |part| part.recipe.clone())))
}
