//! What is wrong with a stack beyond its values: circles, and what Python parts ask for.
//!
//! It is looked for in all that could be resolved, so that one run tells of every mistake.

use std::collections::BTreeMap;

use crate::diagnostic::{Diagnostic, Diagnostics, Severity};
use crate::graph::Graph;
use crate::name::PartName;
use crate::ops::pin::asked::{self, Asked};
use crate::ops::prepare;
use crate::profile::Definition;
use crate::recipe::Stack;

/// What is known of a stack in which nothing is wrong.
pub(super) struct Sound {
    /// The parts and their edges.
    pub(super) graph: Graph<PartName>,
    /// What each Python part asks for.
    pub(super) asked: BTreeMap<PartName, Asked>,
}

/// Looks for what is wrong. Asks nothing of the network.
///
/// # Errors
/// Everything that is wrong, in the order of the layers and of their lines.
pub(super) fn none(stack: &Stack, definition: &Definition) -> Result<Sound, Diagnostics> {
    look(stack).map_err(|found| in_order(found, definition))
}

/// What was found already, with everything else that is wrong in the rest of the stack.
pub(super) fn all(mut found: Diagnostics, rest: &Stack, definition: &Definition) -> Diagnostics {
    if let Err(more) = look(rest) {
        found.append(more);
    }
    in_order(found, definition)
}

fn look(stack: &Stack) -> Result<Sound, Diagnostics> {
    match (prepare::graph(stack), asked::read(stack)) {
        (Ok(graph), Ok(asked)) => Ok(Sound { graph, asked }),
        (graph, asked) => {
            let all = graph.err().into_iter().chain(asked.err());
            Err(Diagnostics(all.flat_map(|some| some.0).collect()))
        }
    }
}

/// Mistakes in the order of the layers and of their lines, each once; those without a place first.
fn in_order(mut found: Diagnostics, definition: &Definition) -> Diagnostics {
    let place = |said: &Diagnostic| {
        let origin = &said.labels.first()?.origin;
        // A source without its logins is another one of the same name.
        let by_name = || definition.layers.iter().position(|layer| layer.source.name == origin.source.name);
        let layer = definition.layer_of(origin).or_else(by_name).unwrap_or(usize::MAX);
        Some((layer, origin.source.name.clone(), origin.span.start))
    };
    found.0.sort_by_cached_key(|said| (said.severity == Severity::Warning, place(said)));
    found.0.dedup();
    found
}
