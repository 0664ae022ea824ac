//! The form of `state.toml` on disk, apart from [`State`], so that a state in memory cannot be serialised elsewhere.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{SecretEntry, SecretWord, State};
use crate::name::PartName;
use crate::provider::Chosen;
use crate::service::DataFormat;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Shape {
    format: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    run: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    ports: BTreeMap<String, u16>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    providers: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    choices: BTreeMap<String, Chosen>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    python: BTreeMap<PartName, BTreeMap<String, String>>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    host: BTreeMap<PartName, BTreeMap<String, String>>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    formats: BTreeMap<PartName, DataFormat>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    secrets: BTreeMap<String, SecretShape>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SecretShape {
    word: String,
    version: String,
}

impl From<Shape> for State {
    fn from(shape: Shape) -> Self {
        let Shape { format, run, ports, providers, choices, python, host, formats, secrets } = shape;
        let entry = |secret: SecretShape| SecretEntry { word: SecretWord::new(secret.word), version: secret.version };
        let secrets = secrets.into_iter().map(|(name, secret)| (name, entry(secret))).collect();
        Self { format, run, ports, providers, choices, python, host, formats, secrets }
    }
}

impl From<State> for Shape {
    fn from(state: State) -> Self {
        let State { format, run, ports, providers, choices, python, host, formats, secrets } = state;
        let shape = |entry: SecretEntry| SecretShape { word: entry.word.reveal().to_owned(), version: entry.version };
        let secrets = secrets.into_iter().map(|(name, entry)| (name, shape(entry))).collect();
        Self { format, run, ports, providers, choices, python, host, formats, secrets }
    }
}
