//! [`Confinement`]: the best sandbox there is, prepared, and what of it is enforced.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Access, Filter, Machine, Namespaces, Ruleset, SandboxError};

/// Whether the network may be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Network {
    /// As it is outside.
    Any,
    /// Not at all, not even this machine's own addresses.
    None,
}

/// How much of a sandbox there must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Demand {
    /// The best there is.
    Best,
    /// Writes elsewhere and the network are kept out, or nothing is run.
    Required,
}

/// What of a sandbox is enforced. As text for people: what is recorded of an object.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enforced {
    /// Namespaces with a read-only file system.
    pub namespaces: bool,
    /// Landlock, by the kernel's version.
    pub landlock: Option<u32>,
    /// The filter that refuses sockets.
    pub filter: bool,
}

impl fmt::Display for Enforced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let namespaces = self.namespaces.then(|| "namespaces".to_owned());
        let landlock = self.landlock.map(|version| format!("Landlock {version}"));
        let filter = self.filter.then(|| "seccomp".to_owned());
        let words: Vec<String> = [namespaces, landlock, filter].into_iter().flatten().collect();
        f.write_str(if words.is_empty() { "nothing" } else { "" })?;
        f.write_str(&words.join(", "))
    }
}

/// The walls around one program and all that it starts.
#[derive(Debug)]
pub struct Confinement {
    pub(super) namespaces: Option<Namespaces>,
    pub(super) ruleset: Option<Ruleset>,
    pub(super) filter: Option<Filter>,
}

impl Confinement {
    /// Without a network, on this machine.
    ///
    /// # Errors
    /// As [`Confinement::best`] and [`Confinement::required`].
    pub fn make(access: &Access, demand: Demand) -> Result<Self, SandboxError> {
        match demand {
            Demand::Best => Self::best(Machine::current(), access, Network::None),
            Demand::Required => Self::required(Machine::current(), access),
        }
    }

    /// The best that a machine can do.
    ///
    /// # Errors
    /// If a path to write is not there, or the kernel refuses what it said that it can do.
    pub fn best(machine: &Machine, access: &Access, network: Network) -> Result<Self, SandboxError> {
        let is_alone = network == Network::None;
        let namespaces = (machine.namespaces.is_ok() && is_alone).then(|| Namespaces::prepare(access)).transpose()?;
        let ruleset = if machine.landlock.is_ok() { Ruleset::of(access, network)? } else { None };
        let filter = (machine.filter.is_ok() && is_alone).then(Filter::no_network).transpose()?;
        Ok(Self { namespaces, ruleset, filter })
    }

    /// The best that a machine can do, if that keeps a program from writing elsewhere and from the network.
    ///
    /// # Errors
    /// As [`Confinement::best`]; and with what is missing.
    pub fn required(machine: &Machine, access: &Access) -> Result<Self, SandboxError> {
        let (namespaces, landlock) = (machine.namespaces.as_ref().err(), machine.landlock.as_ref().err());
        let mut missing = Vec::new();
        if let (Some(one), Some(other)) = (namespaces, landlock) {
            missing.push(format!("nothing keeps it from writing elsewhere ({one}; {other})"));
        }
        if let (Some(one), Some(other)) = (namespaces, machine.filter.as_ref().err()) {
            missing.push(format!("nothing keeps it from the network ({one}; {other})"));
        }
        if missing.is_empty() {
            Self::best(machine, access, Network::None)
        } else {
            Err(SandboxError::TooWeak { missing })
        }
    }

    /// What of it is enforced.
    #[must_use]
    pub fn enforced(&self) -> Enforced {
        Enforced {
            namespaces: self.namespaces.is_some(),
            landlock: self.ruleset.as_ref().map(Ruleset::version),
            filter: self.filter.is_some(),
        }
    }
}
