//! `list`: this user's prefixes.

use std::path::PathBuf;

use serde::Serialize;

use crate::generation;
use crate::host::Host;
use crate::layout::Layout;
use crate::ops::error::OpResult;
use crate::state::Registry;
use crate::state::registry::Registered;
use crate::supervisor::client::Client;

/// One prefix for people.
#[derive(Debug, Clone, Serialize)]
pub struct Entry {
    /// Its folder.
    pub prefix: PathBuf,
    /// Whether the folder is there.
    pub exists: bool,
    /// The project.
    pub project: String,
    /// The profile.
    pub profile: String,
    /// The committed generation.
    pub generation: Option<u32>,
    /// Whether its services are supervised now.
    pub running: bool,
}

/// Lists them; with `prune` the entries of folders that are gone are forgotten first.
///
/// # Errors
/// If the registry cannot be read or written.
pub fn list(host: &Host, prune: bool) -> OpResult<Vec<Entry>> {
    let registry = Registry::new(host.registry()?);
    let mut known = registry.list();
    if prune {
        for gone in known.iter().filter(|known| !known.exists) {
            registry.remove(&gone.entry.id)?;
        }
        known.retain(|known| known.exists);
    }
    Ok(known.into_iter().map(look).collect())
}

fn look(known: Registered) -> Entry {
    let layout = Layout::new(&known.entry.path);
    Entry {
        exists: known.exists,
        project: known.entry.project,
        profile: known.entry.profile,
        generation: generation::current(&layout),
        running: Client::connect(&layout).is_ok_and(|client| client.is_some()),
        prefix: known.entry.path,
    }
}
