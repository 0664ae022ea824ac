//! What is wrong with a stack beyond its values: circles, what Python parts ask for, files that are not there.
//!
//! It is looked for in all that could be resolved, so that one run tells of every mistake.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::diagnostic::{Diagnostic, Diagnostics, Origin, Severity};
use crate::graph::Graph;
use crate::name::PartName;
use crate::ops::pin::asked::{self, Asked};
use crate::ops::prepare;
use crate::plan::source;
use crate::plan::value::entries;
use crate::profile::Definition;
use crate::recipe::{ResolvedPart, Stack};

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
    look(stack, definition).map_err(|found| in_order(found, definition))
}

/// What was found already, with everything else that is wrong in the rest of the stack.
pub(super) fn all(mut found: Diagnostics, rest: &Stack, definition: &Definition) -> Diagnostics {
    if let Err(more) = look(rest, definition) {
        found.append(more);
    }
    in_order(found, definition)
}

fn look(stack: &Stack, definition: &Definition) -> Result<Sound, Diagnostics> {
    let (graph, asked) = (prepare::graph(stack), asked::read(stack));
    let wrong = missing(stack, definition);
    match (graph, asked) {
        (Ok(graph), Ok(asked)) if !wrong.has_errors() => Ok(Sound { graph, asked }),
        (graph, asked) => {
            let all = graph.err().into_iter().chain(asked.err()).chain([wrong]);
            Err(Diagnostics(all.flat_map(|some| some.0).collect()))
        }
    }
}

/// The files and folders that a part's object is made of, and where each was said.
pub(super) fn sources(part: &ResolvedPart) -> Vec<(PathBuf, &Origin)> {
    let copied = part.sources.iter().filter(|source| source.object.is_none());
    let copied = copied.map(|source| (source.from.clone(), source.origin.as_ref().unwrap_or(&part.origin)));
    let read = if part.action == "step" { entries(part, "inputs") } else { Vec::new() };
    copied.chain(read.into_iter().map(|(path, origin)| (PathBuf::from(path), origin))).collect()
}

/// Sources that are not there.
fn missing(stack: &Stack, definition: &Definition) -> Diagnostics {
    let sources = stack.parts.values().flat_map(|part| sources(part).into_iter().map(move |source| (part, source)));
    let absent = sources.filter(|(_, (path, _))| !source::is_there(path, &definition.project));
    Diagnostics(absent.map(|(part, (path, origin))| absence(part, &path, origin)).collect())
}

/// That a source is not there.
pub(super) fn absence(part: &ResolvedPart, path: &Path, origin: &Origin) -> Diagnostic {
    let said = format!("the file or folder {} of part `{}` is not there", path.display(), part.name);
    Diagnostic::error(said).at(origin, "")
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
