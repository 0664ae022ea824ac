//! `status`: how the services are. Waits a moment at most, changes nothing.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use crate::generation::{self, Hold, Manifest};
use crate::keeper::lease::{Holder, Lease};
use crate::keeper::mark;
use crate::layout::Layout;
use crate::name::PartName;
use crate::ops::error::OpResult;
use crate::ops::place::Place;
use crate::ops::rollback;
use crate::ops::service::choose;
use crate::service::{Kind, ServiceSpec};
use crate::state::run;
use crate::supervisor::client::{Client, ClientError};
use crate::supervisor::message::{ServiceKind, ServiceState, ServiceStatus};
use crate::supervisor::{self, Usage};

/// How a prefix is.
#[derive(Debug, Clone, Serialize)]
pub struct PrefixStatus {
    /// The prefix.
    pub prefix: PathBuf,
    /// The profile.
    pub profile: String,
    /// The committed generation.
    pub generation: Option<u32>,
    /// Whether the supervisor runs.
    pub supervised: bool,
    /// A rollback that holds the prefix, for people.
    pub held: Option<String>,
    /// The services, by name.
    pub services: Vec<ServiceStatus>,
    /// What those that run use, where it was asked for.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub usage: BTreeMap<PartName, Usage>,
}

impl PrefixStatus {
    /// Whether every service is ready (a step: done).
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.supervised && self.generation.is_some() && self.services.iter().all(is_well)
    }
}

/// Looks at the services of those names, or at all.
///
/// # Errors
/// If nothing is installed, a name is unknown, or what is cannot be read.
pub fn status(place: &Place, names: &[String]) -> OpResult<PrefixStatus> {
    place.installed()?;
    let generation = generation::current(&place.layout);
    let specs = match generation {
        Some(number) => Manifest::services(&place.layout, number)?.services,
        None => Vec::new(),
    };
    let answer = asked(&place.layout)?;
    let supervised = answer.is_some();
    let live = answer.map(|status| status.services).unwrap_or_default();
    let mut services = if live.is_empty() { specs.iter().map(|spec| stopped(spec)).collect() } else { live };
    if !supervised {
        see_leases(&place.layout, &mut services);
    }
    if !names.is_empty() {
        let chosen = choose(&specs, names)?;
        services.retain(|service: &ServiceStatus| chosen.contains(&service.name));
    }
    Ok(PrefixStatus {
        prefix: place.layout.root().to_owned(),
        profile: place.profile_name(),
        generation,
        supervised,
        held: Hold::in_force(&place.layout)
            .map_or_else(|error| Some(error.to_string()), |hold| hold.map(|hold| rollback::shown(&hold))),
        services,
        usage: BTreeMap::new(),
    })
}

/// What the supervisor says, if there is one.
fn asked(layout: &Layout) -> Result<Option<supervisor::Status>, ClientError> {
    let ask = || -> Result<_, ClientError> { Client::glance(layout)?.map(|client| client.status()).transpose() };
    match ask() {
        // It ends at this moment, or another follows.
        Err(error) if error.is_gone() => ask(),
        answer => answer,
    }
}

/// What services that run use; nothing if nobody can be asked.
#[must_use]
pub fn usage(place: &Place) -> BTreeMap<PartName, Usage> {
    let client = Client::glance(&place.layout).ok().flatten();
    client.and_then(|client| client.usage().ok()).unwrap_or_default()
}

/// Whether a service is as it should be.
#[must_use]
pub fn is_well(service: &ServiceStatus) -> bool {
    match service.kind {
        ServiceKind::Daemon | ServiceKind::Step | ServiceKind::Unknown => {
            matches!(service.state, ServiceState::Ready | ServiceState::Done)
        }
        // Between two runs, in one, and before one.
        ServiceKind::Schedule => {
            matches!(service.state, ServiceState::Scheduled | ServiceState::Running | ServiceState::Starting)
        }
    }
}

/// What runs although nobody answers: both processes of ours were killed, or are on another machine. Leases tell.
fn see_leases(layout: &Layout, services: &mut Vec<ServiceStatus>) {
    let Some(run) = run::existing(layout) else { return };
    let mut leases = Lease::read_all(&run).0;
    // Of two processes of one service the newer is shown.
    leases.sort_by_key(|lease| lease.since);
    for lease in leases {
        // A copy of a prefix has copies of the leases.
        if lease.mark != mark::of(layout.root(), lease.service.as_str()) {
            continue;
        }
        let name = supervisor::service_of(&lease.service);
        let at = services.iter().position(|service| service.name == name).unwrap_or_else(|| {
            services.push(stopped(&ServiceSpec::bare(name)));
            services.len() - 1
        });
        let service = &mut services[at];
        match lease.holder() {
            Holder::Alive(_) => {
                (service.state, service.pid) = (ServiceState::Unsupervised, Some(lease.pid));
            }
            Holder::Elsewhere => {
                service.state = ServiceState::Elsewhere;
                service.reason = Some(format!("it was started on {} and may run there still", lease.host));
            }
            Holder::Ended(_) | Holder::Stale => continue,
        }
        service.restarts = lease.note.restarts;
        let since = jiff::Timestamp::from_millisecond(lease.since.cast_signed());
        service.since = since.map_or_else(|_| String::new(), |since| since.to_string());
    }
}

/// A service of a prefix that nobody supervises.
fn stopped(spec: &ServiceSpec) -> ServiceStatus {
    let (kind, state) = match spec.kind {
        Kind::Daemon => (ServiceKind::Daemon, ServiceState::Stopped),
        Kind::Schedule(_) => (ServiceKind::Schedule, ServiceState::Stopped),
        Kind::Step { .. } => (ServiceKind::Step, ServiceState::Done),
    };
    ServiceStatus {
        name: spec.name.clone(),
        part: spec.part.clone(),
        kind,
        state,
        pid: None,
        since: String::new(),
        restarts: 0,
        urls: spec.urls.clone(),
        reason: None,
        status: None,
        last_exit: None,
        next: None,
        last_run: None,
        latency: None,
        last_lines: Box::default(),
    }
}
