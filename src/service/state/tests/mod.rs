//! Tables of lives, and random ones.

mod ending;
mod lives;
mod notices;
mod wild;

use std::time::Duration;

use super::{Effect, Event, Life, Moment, Next, Phase, step};
use crate::service::notice::Notice;
use crate::service::testing::spec;
use crate::service::{
    CatchUp, Exit, Kind, Liveness, Overlap, Probe, ProbeKind, Restart, RestartPolicy, Schedule, ServiceSpec,
};

fn at(seconds: f64) -> Moment {
    Moment { now: Duration::from_secs_f64(seconds), chance: 1.0 }
}

/// Lives through events, one a second, and tells each phase with its effects.
fn live(spec: &ServiceSpec, events: Vec<Event>) -> (Life, String) {
    let mut life = Life::default();
    let mut told = String::new();
    for (second, event) in (0..).zip(events) {
        let said = format!("{event:?}");
        let (next, effects) = step(&life, spec, event, at(f64::from(second)));
        life = next;
        told.push_str(&format!("{said} → {:?} {effects:?}\n", life.phase));
    }
    (life, told)
}

fn probed() -> ServiceSpec {
    ServiceSpec { ready: Some(Probe::new(ProbeKind::Tcp("127.0.0.1:1".into()))), ..spec("web") }
}

fn speaking() -> ServiceSpec {
    ServiceSpec { ready: Some(Probe::new(ProbeKind::Notify)), watchdog: Some(Duration::from_secs(3)), ..spec("web") }
}

fn cleared() -> Event {
    Event::Cleared { killed: 0, left: Vec::new() }
}
