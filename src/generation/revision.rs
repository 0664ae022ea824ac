//! `revision.json` of a generation: what runs, in a few lines for whoever operates it. The web server shows that of the current
//! generation to its own machine.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::generation::Manifest;
use crate::name::PartName;

/// The beginnings of the facts that say what was taken from outside: a folder's digest, a package's version or commit.
const TAKEN: [&str; 2] = ["folder ", "package "];

/// What runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revision {
    /// The generation's number.
    pub generation: u32,
    /// When it was made (RFC 3339, UTC).
    pub created: String,
    /// The verb that made it.
    pub verb: String,
    /// The project.
    pub project: String,
    /// The profile.
    pub profile: String,
    /// The store folder of the program that supervises it.
    pub program: Option<String>,
    /// The parts that took something from outside.
    pub parts: BTreeMap<PartName, Taken>,
}

/// What a part took from outside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// Its object's folder name in the store.
    pub object: Option<String>,
    /// `folder app` and its digest, `package flask` and its version, that of a repository with its commit.
    pub from: BTreeMap<String, String>,
}

impl Revision {
    /// What of a manifest people ask for when they ask what runs.
    #[must_use]
    pub fn of(manifest: &Manifest) -> Self {
        let parts = manifest.parts.iter().filter_map(|(name, part)| {
            let is_taken = |fact: &&String| TAKEN.iter().any(|begin| fact.starts_with(begin));
            let facts = part.facts.iter().filter(|(fact, _)| is_taken(fact));
            let from: BTreeMap<_, _> = facts.map(|(fact, value)| (fact.clone(), value.clone())).collect();
            (!from.is_empty()).then(|| (name.clone(), Taken { object: part.object.clone(), from }))
        });
        Self {
            generation: manifest.generation,
            created: manifest.created.clone(),
            verb: manifest.verb.clone(),
            project: manifest.project.clone(),
            profile: manifest.profile.clone(),
            program: manifest.program.clone(),
            parts: parts.collect(),
        }
    }
}
