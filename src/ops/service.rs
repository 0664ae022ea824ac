//! Services: the switch to a generation, and `start`, `stop`, `restart`, `reload`, `run-now`.

use std::cell::LazyCell;
use std::sync::Arc;

use serde::Serialize;

use crate::generation::{self, Manifest, Status};
use crate::name::PartName;
use crate::ops::error::{ErrorKind, OpError, OpResult};
use crate::ops::place::Place;
use crate::ops::{prefix, reach};
use crate::progress::{Event, Reporter};
use crate::service::ServiceSpec;
use crate::state::State;
use crate::supervisor::client::Client;
use crate::supervisor::message::{
    ALL_STOPPED, Outcome, ServiceKind, ServiceState, ServiceStatus, SwitchEvent, SwitchOutcome,
};

/// What is done to services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// Read the configuration again.
    Reload,
    /// Stop and start.
    Restart,
    /// Begin a run of a job now, and wait for its end.
    Run,
    /// Start.
    Start,
    /// Stop.
    Stop,
}

/// What came of it.
#[derive(Debug, Clone, Serialize)]
pub struct Done {
    /// The services that it was done to, as they are now.
    pub services: Vec<ServiceStatus>,
}

/// Moves the services to a generation and commits it; on failure everything is as before.
///
/// # Errors
/// If a service did not get ready or a promise did not hold: with its last lines.
pub fn switch(place: &Place, to: u32, report: &Reporter) -> OpResult<()> {
    report.report(Event::Stage("starting".into()));
    let client = reach::ensure(place, Some(to))?;
    // Only a step that runs asks for them, and most switches have none.
    let specs = LazyCell::new(|| Manifest::services(&place.layout, to).map(|services| services.services));
    let command = |name: &PartName| command_of(specs.as_deref().unwrap_or_default(), name);
    match client.switch(to, &place.choice.verb, &mut |event| tell(report, &event, &command))? {
        SwitchOutcome::Committed => Ok(()),
        SwitchOutcome::BackedOut { reason, last_lines } => {
            // One that could not be tried at all is not to blame.
            let is_kept = matches!(Status::read(&place.layout, to), Status::Failed { .. });
            let back = match generation::current(&place.layout) {
                Some(current) if is_kept => {
                    format!("generation {current} is as it was; what failed is kept as generation {to}")
                }
                Some(current) => format!("generation {current} is as it was"),
                None => "nothing was committed, and everything is stopped".to_owned(),
            };
            Err(not_ready(place, reason, last_lines).hint(back))
        }
    }
}

fn not_ready(place: &Place, reason: String, last_lines: Vec<String>) -> OpError {
    let mut error = OpError::new(ErrorKind::NotReady, reason);
    error.lines.extend(last_lines.into_iter().map(|line| format!("  | {line}")));
    error.hint(format!("the whole log: {} logs", place.command()))
}

/// Nothing is meant to run that could be started anew.
fn all_stopped(place: &Place) -> OpError {
    OpError::failed(ALL_STOPPED).hint(format!("start it: {} start", place.command()))
}

/// What the supervisor does is shown as it happens.
fn tell(report: &Reporter, event: &SwitchEvent, command: &dyn Fn(&PartName) -> Option<String>) {
    match event {
        SwitchEvent::Note { text } => report.report(Event::Note(text.clone())),
        SwitchEvent::Service { service } => tell_of(report, service, command),
        SwitchEvent::BackedOut { .. }
        | SwitchEvent::Committed { .. }
        | SwitchEvent::Done
        | SwitchEvent::Failed { .. } => {}
    }
}

/// A service's new state and, of a step that begins, the command.
pub(super) fn tell_of(report: &Reporter, service: &ServiceStatus, command: &dyn Fn(&PartName) -> Option<String>) {
    let why = service.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    report.report(Event::Detail(format!("{} is {}{why}", service.name, service.state)));
    if (service.kind, service.state) == (ServiceKind::Step, ServiceState::Running)
        && let Some(command) = command(&service.name)
    {
        report.report(Event::Detail(command));
    }
}

/// The command of a service for people, secrets by their names.
pub(super) fn command_of(specs: &[Arc<ServiceSpec>], name: &PartName) -> Option<String> {
    let spec = specs.iter().find(|spec| spec.name == *name)?;
    Some(shell_words::join(spec.command.iter().map(ToString::to_string)))
}

/// Does something to services, all of them if none is named, and waits until it is done.
///
/// # Errors
/// If nothing is installed, a name is unknown, the supervisor cannot be reached, or a service is not as wished afterwards.
pub fn act(place: &Place, deed: Deed, names: &[String], report: &Reporter) -> OpResult<Done> {
    place.installed()?;
    if deed == Deed::Stop && names.is_empty() && !place.standalone {
        // Whatever there is, or is left of it: also without a generation, and with one that cannot be read.
        reach::stop_all(place, &mut |event| tell(report, &event, &|_| None))?;
        return Ok(Done { services: Vec::new() });
    }
    let Some(current) = generation::current(&place.layout) else {
        return Err(OpError::failed("no generation is committed yet").hint(format!("install it: {}", place.command())));
    };
    let services = Manifest::services(&place.layout, current)?;
    let chosen = choose(&services.services, names)?;
    let is_all = names.is_empty() && !services.services.is_empty();
    let Some(client) = client(place, deed, is_all, current, report)? else {
        return Ok(Done { services: Vec::new() });
    };
    let command = |name: &PartName| command_of(&services.services, name);
    let mut hear = |event: SwitchEvent| tell(report, &event, &command);
    let outcome = match deed {
        Deed::Reload => client.reload(&chosen, &mut hear)?,
        Deed::Restart => client.restart(&chosen, &mut hear)?,
        Deed::Run => client.run(&chosen, &mut hear)?,
        Deed::Start => client.start(&chosen, &mut hear)?,
        Deed::Stop => client.stop(&chosen, &mut hear)?,
    };
    match outcome {
        Outcome::Done => {}
        Outcome::Failed { reason, .. } if deed == Deed::Restart && reason == ALL_STOPPED => {
            return Err(all_stopped(place));
        }
        Outcome::Failed { reason, last_lines } => return Err(not_ready(place, reason, last_lines)),
    }
    let services = client.status()?.services.into_iter();
    Ok(Done { services: services.filter(|service| chosen.is_empty() || chosen.contains(&service.name)).collect() })
}

/// Sends a signal to services, all that run if none is named.
///
/// # Errors
/// If nothing is supervised, a name is unknown, or it is no signal.
pub fn signal(place: &Place, names: &[String], word: &str) -> OpResult<()> {
    place.installed()?;
    let Some(client) = Client::connect(&place.layout)? else {
        return Err(OpError::failed("nothing is supervised here, so nothing can be signalled"));
    };
    let current = generation::current(&place.layout);
    let services = current.and_then(|number| Manifest::services(&place.layout, number).ok());
    let chosen = choose(&services.map(|services| services.services).unwrap_or_default(), names)?;
    match client.signal(&chosen, word)? {
        Outcome::Done => Ok(()),
        Outcome::Failed { reason, .. } => Err(OpError::failed(reason)),
    }
}

/// The supervisor; it is started for whatever needs it, and left alone by a stop.
fn client(place: &Place, deed: Deed, is_all: bool, current: u32, report: &Reporter) -> OpResult<Option<Client>> {
    if deed == Deed::Stop {
        return reach::existing(place);
    }
    if deed == Deed::Run || place.standalone {
        return match Client::connect(&place.layout)? {
            Some(client) => Ok(Some(client)),
            None => Err(OpError::failed("nothing is supervised here").hint(format!(
                "start it: {} {}",
                place.command(),
                if place.standalone { "supervise FILE" } else { "start" }
            ))),
        };
    }
    let entered = prefix::enter_existing(place, report)?;
    prefix::check(place, None)?;
    if deed == Deed::Restart && is_all && reach::existing(place)?.is_none() {
        return Err(all_stopped(place));
    }
    let mut state = State::load(&place.layout)?;
    prefix::run_folder(place, &entered.identity, &mut state)?;
    state.save(&place.layout)?;
    prefix::register(place, &entered.identity, &state)?;
    reach::ensure(place, Some(current)).map(Some)
}

/// The services of those names: a service's own name, or its part's for all of the part's.
///
/// # Errors
/// If a name is neither, with the nearest.
pub fn choose(services: &[Arc<ServiceSpec>], names: &[String]) -> OpResult<Vec<PartName>> {
    let mut chosen = Vec::new();
    for name in names {
        let is_meant = |spec: &&Arc<ServiceSpec>| {
            let group = spec.group.as_ref().is_some_and(|group| group.as_str() == name);
            spec.name.as_str() == name || spec.part.as_str() == name || group
        };
        let meant = services.iter().filter(is_meant);
        let before = chosen.len();
        chosen.extend(meant.map(|spec| spec.name.clone()));
        if chosen.len() == before {
            let error = OpError::usage(format!("there is no service `{name}`"));
            let known: Vec<&str> = services.iter().map(|spec| spec.name.as_str()).collect();
            return Err(match crate::name::nearest(name, known.iter().copied()) {
                Some(near) => error.hint(format!("did you mean `{near}`?")),
                None => error.hint(format!("there are: {}", known.join(", "))),
            });
        }
    }
    chosen.dedup();
    Ok(chosen)
}
