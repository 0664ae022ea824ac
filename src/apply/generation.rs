//! Writes a generation: what came of a plan, sealed.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use crate::digest::Digest;
use crate::generation::{self, Manifest, PartRecord};
use crate::layout::Layout;
use crate::plan::{Desired, Plan};
use crate::recipe::Stack;
use crate::service::Services;

/// What a generation records beside the wish itself.
#[derive(Debug, Clone)]
pub struct Occasion {
    /// The verb that made it.
    pub verb: String,
    /// When (RFC 3339, UTC).
    pub now: String,
    /// The store folder of the program that supervises it.
    pub program: Option<String>,
}

/// Writes the next generation and gives its number.
///
/// # Errors
/// What writing fails with; a generation without a manifest does not count.
pub fn write(
    layout: &Layout,
    stack: &Stack,
    desired: &Desired,
    plan: &Plan,
    lock: &str,
    occasion: &Occasion,
) -> io::Result<u32> {
    let number = generation::manifest::list(layout).last().map_or(1, |last| last + 1);
    let parts = desired.parts.values().map(|part| {
        let record = PartRecord {
            recipe: part.recipe.clone(),
            key: part.object.as_ref().map(|object| object.key),
            object: part.object.as_ref().map(|object| object.path.folder_name()),
            facts: part.facts.clone(),
            impure: part.object.as_ref().map(|object| object.impure.clone()).unwrap_or_default(),
            data: part.data.clone(),
            data_version: part.data_version.clone(),
            data_format: part.data_format.clone(),
        };
        (part.name.clone(), record)
    });
    let manifest = Manifest {
        format: generation::manifest::FORMAT,
        generation: number,
        created: occasion.now.clone(),
        verb: occasion.verb.clone(),
        reasons: plan.changes.iter().map(|change| format!("{}: {}", change.part, change.reason())).collect(),
        profile: stack.profile.clone(),
        project: stack.project.name.clone(),
        definition: desired.definition,
        lock: Digest::of(lock),
        program: occasion.program.clone(),
        parts: parts.collect::<BTreeMap<_, _>>(),
    };
    let services = Services {
        format: generation::manifest::FORMAT,
        generation: number,
        services: desired.parts.values().flat_map(|part| part.services.iter().cloned().map(Arc::new)).collect(),
        promises: desired.parts.values().flat_map(|part| part.promises.clone()).collect(),
        data: desired.parts.values().flat_map(|part| part.data_commands.clone()).collect(),
    };
    manifest.write(layout, &services, lock)?;
    Ok(number)
}
