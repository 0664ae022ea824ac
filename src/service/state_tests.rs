//! Tables of lives, and random ones.

use std::time::Duration;

use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};

use super::{Effect, Event, Life, Moment, Next, Phase, step};
use crate::service::testing::spec;
use crate::service::{Exit, Kind, Probe, ProbeKind, Restart, RestartPolicy, ServiceSpec};

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

fn cleared() -> Event {
    Event::Cleared { killed: 0, left: Vec::new() }
}

#[test]
fn a_good_life() {
    let events = vec![
        Event::Start,
        Event::Go,
        Event::Spawned(7),
        Event::Answered(3),
        Event::Stop,
        Event::Exited(Exit::Code(0)),
        cleared(),
    ];
    insta::assert_snapshot!(live(&probed(), events).1, @r"
    Start → Waiting []
    Go → Spawning [Spawn]
    Spawned(7) → Starting [ProbeReady(3), Timer(3, 60s)]
    Answered(3) → Ready [Timer(4, 10s)]
    Stop → Stopping(Stop) [Signal(15), Timer(5, 10s)]
    Exited(Code(0)) → Clearing(Stop) [KillTree]
    Cleared { killed: 0, left: [] } → Stopped []
    ");
}

#[test]
fn a_crash_of_one_that_was_well_is_followed_by_a_start_at_once() {
    let events =
        vec![Event::Start, Event::Go, Event::Spawned(7), Event::Timer(3), Event::Exited(Exit::Signal(9)), cleared()];
    let (life, told) = live(&spec("web"), events);
    insta::assert_snapshot!(told, @r"
    Start → Waiting []
    Go → Spawning [Spawn]
    Spawned(7) → Ready [Timer(3, 10s)]
    Timer(3) → Ready []
    Exited(Signal(9)) → Clearing(Retry) [KillTree]
    Cleared { killed: 0, left: [] } → Waiting []
    ");
    assert_eq!((life.restarts, life.pid, life.last_exit), (1, None, Some(Exit::Signal(9))));
}

#[test]
fn one_that_does_not_end_is_killed_again_and_again() {
    let events = vec![
        Event::Start,
        Event::Go,
        Event::Spawned(7),
        Event::Stop,
        Event::Timer(4),
        Event::Cleared { killed: 1, left: vec![7] },
        Event::Timer(4),
        Event::Exited(Exit::Signal(9)),
        cleared(),
    ];
    insta::assert_snapshot!(live(&spec("web"), events).1, @r"
    Start → Waiting []
    Go → Spawning [Spawn]
    Spawned(7) → Ready [Timer(3, 10s)]
    Stop → Stopping(Stop) [Signal(15), Timer(4, 10s)]
    Timer(4) → Stopping(Stop) [KillTree]
    Cleared { killed: 1, left: [7] } → Stopping(Stop) [Timer(4, 1s)]
    Timer(4) → Stopping(Stop) [KillTree]
    Exited(Signal(9)) → Clearing(Stop) [KillTree]
    Cleared { killed: 0, left: [] } → Stopped []
    ");
}

#[test]
fn a_stop_overtakes_a_start() {
    let events =
        vec![Event::Start, Event::Go, Event::Stop, Event::Spawned(7), Event::Exited(Exit::Signal(15)), cleared()];
    insta::assert_snapshot!(live(&probed(), events).1, @r"
    Start → Waiting []
    Go → Spawning [Spawn]
    Stop → Spawning []
    Spawned(7) → Stopping(Stop) [Signal(15), Timer(3, 10s)]
    Exited(Signal(15)) → Clearing(Stop) [KillTree]
    Cleared { killed: 0, left: [] } → Stopped []
    ");
}

#[test]
fn a_missed_deadline_is_remembered_and_tried_again() {
    let events = vec![
        Event::Start,
        Event::Go,
        Event::Spawned(7),
        Event::Timer(2),
        Event::Timer(3),
        Event::Exited(Exit::Signal(15)),
        cleared(),
    ];
    let (life, told) = live(&probed(), events);
    insta::assert_snapshot!(told, @r"
    Start → Waiting []
    Go → Spawning [Spawn]
    Spawned(7) → Starting [ProbeReady(3), Timer(3, 60s)]
    Timer(2) → Starting []
    Timer(3) → Stopping(Retry) [Signal(15), Timer(4, 10s)]
    Exited(Signal(15)) → Clearing(Retry) [KillTree]
    Cleared { killed: 0, left: [] } → Backoff [Timer(6, 100ms)]
    ");
    assert!(life.has_missed);
    assert_eq!(life.reason.as_deref(), Some("it was not ready within 60 s"));
}

#[test]
fn data_steps_end_well_or_have_failed() {
    let step = ServiceSpec { kind: Kind::Step { key: "1".into() }, ..spec("db") };
    for (code, phase) in [(0, Phase::Done), (1, Phase::Failed)] {
        let events = vec![Event::Start, Event::Go, Event::Spawned(7), Event::Exited(Exit::Code(code)), cleared()];
        assert_eq!(live(&step, events).0.phase, phase);
    }
    assert_eq!(live(&step, vec![Event::Start, Event::AlreadyDone]).0.phase, Phase::Done);
}

#[test]
fn a_change_gives_a_failed_one_another_chance() {
    let never = Restart { policy: RestartPolicy::Never, ..Restart::default() };
    let spec = ServiceSpec { restart: never, ..spec("web") };
    let crash = || vec![Event::Go, Event::Spawned(7), Event::Exited(Exit::Code(1)), cleared()];
    let events = [vec![Event::Start], crash(), vec![Event::Changed], crash()].concat();
    let (life, told) = live(&spec, events);
    assert!(told.contains("Changed → Waiting"), "{told}");
    assert_eq!(life.phase, Phase::Failed);
}

fn any_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        Just(Event::Start),
        Just(Event::Stop),
        Just(Event::Restart),
        Just(Event::Changed),
        (0u64..40).prop_map(Event::Timer),
        (0u64..40).prop_map(Event::Answered),
        (0u64..40).prop_map(|serial| Event::Unwell(serial, "unwell".into())),
        prop_oneof![Just(Exit::Code(0)), Just(Exit::Code(1)), Just(Exit::Signal(9))].prop_map(Event::Exited),
        Just(Event::Go),
        Just(Event::AlreadyDone),
        any::<bool>().prop_map(|good| if good { Event::Spawned(7) } else { Event::SpawnFailed("no".into()) }),
        Just(Event::Cleared { killed: 0, left: Vec::new() }),
    ]
}

/// What the world allows: only a process that runs ends, only what was asked for answers.
#[derive(Default)]
struct World {
    runs: bool,
    spawning: bool,
    clearing: bool,
}

impl World {
    fn allows(&self, event: &Event) -> bool {
        match event {
            Event::Exited(_) => self.runs,
            Event::Spawned(_) | Event::SpawnFailed(_) => self.spawning,
            Event::Cleared { .. } => self.clearing,
            Event::Adopted { .. } => false,
            _ => true,
        }
    }

    fn follow(&mut self, event: &Event, effects: &[Effect]) {
        match event {
            Event::Exited(_) => self.runs = false,
            Event::Spawned(_) => (self.spawning, self.runs) = (false, true),
            Event::SpawnFailed(_) => self.spawning = false,
            Event::Cleared { .. } => self.clearing = false,
            _ => {}
        }
        for effect in effects {
            match effect {
                Effect::Spawn => {
                    assert!(!self.runs && !self.spawning, "two processes of one service");
                    self.spawning = true;
                }
                Effect::KillTree => self.clearing = true,
                _ => {}
            }
        }
    }
}

proptest! {
    #[test]
    fn whatever_happens(events in proptest::collection::vec(any_event(), 1..200), has_probe: bool, is_step: bool) {
        let mut spec = if has_probe { probed() } else { spec("web") };
        if is_step {
            spec.kind = Kind::Step { key: "1".into() };
        }
        let (mut life, mut world, mut spawns) = (Life::default(), World::default(), Vec::new());
        for (number, event) in (0..).zip(events) {
            if !world.allows(&event) {
                continue;
            }
            let now = f64::from(number) / 10.0;
            let (next, effects) = step(&life, &spec, event.clone(), at(now));
            world.follow(&event, &effects);
            spawns.extend(effects.iter().filter(|effect| **effect == Effect::Spawn).map(|_| now));
            // A process is known as long as it runs.
            assert_eq!(next.pid.is_some(), world.runs);
            // Nothing is at rest while something of it runs.
            assert!(!(next.is_down() && (world.runs || world.spawning)));
            // What is not wanted is on its way down.
            if !next.is_wanted {
                assert!(matches!(
                    next.phase,
                    Phase::Stopped | Phase::Stopping(Next::Stop) | Phase::Clearing(Next::Stop) | Phase::Spawning
                ), "{:?}", next.phase);
            }
            // Giving up comes only after a burst, or from a step.
            if next.phase == Phase::Failed && life.phase != Phase::Failed && !is_step {
                let recent = spawns.iter().filter(|start| now - **start < 30.0).count();
                assert!(recent >= spec.restart.burst as usize, "given up after {recent} starts");
            }
            life = next;
        }
    }
}
