//! How a part's data leave it and come back: commands that write them out, take them in again, and try what was written.

use serde::{Deserialize, Serialize};

use super::ServiceSpec;

/// The process variable by which a [`DataCommand`] is told its folder: a dump is written into it, empty before; a load reads it.
pub const DUMP_VAR: &str = "JOVE_DUMP";

/// A command that writes a part's data out, or takes what was written in again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataCommand {
    /// Which of both.
    pub verb: DataVerb,
    /// What the part's services are to be meanwhile.
    pub during: DataState,
    /// What is run, as a data step is, as often as it is asked for: its key says nothing. It is called `<part>-dump` or
    /// `<part>-load`; to its variables comes [`DUMP_VAR`].
    pub spec: ServiceSpec,
}

/// What a [`DataCommand`] does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DataVerb {
    /// It writes the data into the folder that [`DUMP_VAR`] names.
    Dump,
    /// It puts what is in that folder in the place of the data.
    Load,
    /// It tries what is in that folder in a scratch place, and leaves the data as they are.
    Prove,
}

/// What the services of a part are while a [`DataCommand`] of it runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DataState {
    /// They run and are ready.
    #[default]
    Ready,
    /// They are stopped: the command has the data folders for itself.
    Stopped,
}

impl DataVerb {
    /// Its word: `dump`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Dump => "dump",
            Self::Load => "load",
            Self::Prove => "prove",
        }
    }
}

impl DataState {
    /// All of them, by the words of `recipe.toml`.
    pub const WORDS: [(&'static str, Self); 2] = [("ready", Self::Ready), ("stopped", Self::Stopped)];
}
