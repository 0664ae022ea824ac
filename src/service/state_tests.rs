//! Tables of lives, and random ones.

use std::time::Duration;

use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};

use super::{Effect, Event, Life, Moment, Next, Phase, step};
use crate::service::notice::Notice;
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

fn speaking() -> ServiceSpec {
    ServiceSpec { ready: Some(Probe::new(ProbeKind::Notify)), watchdog: Some(Duration::from_secs(3)), ..spec("web") }
}

#[test]
fn what_it_says_decides() {
    use Notice::{Extend, MainPid, Ready, Status, Stopping, Watchdog, WatchdogUsec};
    let seconds = Duration::from_secs;
    let events = vec![
        Event::Notice(Ready),
        Event::Start,
        Event::Go,
        Event::Spawned(7),
        Event::Notice(Extend(seconds(10))),
        Event::Notice(Extend(seconds(90))),
        Event::Notice(MainPid(8)),
        Event::Main(8),
        Event::Notice(Status("half".into())),
        Event::Notice(Ready),
        Event::Notice(Watchdog),
        Event::Notice(WatchdogUsec(seconds(0))),
        Event::Notice(Stopping),
        Event::Exited(Exit::Code(0)),
        cleared(),
    ];
    let (life, told) = live(&speaking(), events);
    insta::assert_snapshot!(told, @r#"
    Notice(Ready) → Stopped []
    Start → Waiting []
    Go → Spawning [Spawn]
    Spawned(7) → Starting [Timer(3, 60s)]
    Notice(Extend(10s)) → Starting []
    Notice(Extend(90s)) → Starting [Timer(3, 90s)]
    Notice(MainPid(8)) → Starting []
    Main(8) → Starting []
    Notice(Status("half")) → Starting []
    Notice(Ready) → Ready [Timer(4, 10s), Watchdog(4, Some(3s))]
    Notice(Watchdog) → Ready [Watchdog(4, Some(3s))]
    Notice(WatchdogUsec(0ns)) → Ready [Watchdog(4, None)]
    Notice(Stopping) → Stopping(Judge) [Timer(5, 10s)]
    Exited(Code(0)) → Clearing(Retry) [KillTree]
    Cleared { killed: 0, left: [] } → Backoff [Timer(7, 100ms)]
    "#);
    assert_eq!(life.status.as_deref(), Some("half"));
}

#[test]
fn whoever_ends_while_it_reads_its_configuration_reads_no_longer() {
    let restart = Restart { policy: RestartPolicy::OnFailure, ..Restart::default() };
    let spec = ServiceSpec { restart, ..spec("web") };
    let begin = vec![Event::Start, Event::Go, Event::Spawned(7), Event::Notice(Notice::Reloading)];
    assert!(live(&spec, begin.clone()).0.is_reloading);
    let end = vec![Event::Exited(Exit::Code(0)), cleared()];
    let (life, _) = live(&spec, [begin, end].concat());
    assert_eq!((life.phase, life.is_reloading), (Phase::Done, false));
}

#[test]
fn silence_is_ended_by_sigabrt_and_tried_again() {
    let events = vec![
        Event::Start,
        Event::Go,
        Event::Spawned(7),
        Event::Notice(Notice::Ready),
        Event::Watchdog(3),
        Event::Watchdog(4),
        Event::Exited(Exit::Signal(6)),
        cleared(),
    ];
    let (life, told) = live(&speaking(), events);
    insta::assert_snapshot!(told, @r"
    Start → Waiting []
    Go → Spawning [Spawn]
    Spawned(7) → Starting [Timer(3, 60s)]
    Notice(Ready) → Ready [Timer(4, 10s), Watchdog(4, Some(3s))]
    Watchdog(3) → Ready []
    Watchdog(4) → Stopping(Retry) [Signal(6), Timer(5, 10s)]
    Exited(Signal(6)) → Clearing(Retry) [KillTree]
    Cleared { killed: 0, left: [] } → Backoff [Timer(7, 100ms)]
    ");
    assert_eq!(life.reason.as_deref(), Some("it gave no sign of life within 3 s"));
}

fn any_notice() -> impl Strategy<Value = Notice> {
    prop_oneof![
        (0u64..100).prop_map(|seconds| Notice::Extend(Duration::from_secs(seconds))),
        Just(Notice::MainPid(8)),
        Just(Notice::Ready),
        Just(Notice::Reloading),
        Just(Notice::Status("busy".into())),
        Just(Notice::Stopping),
        Just(Notice::Watchdog),
        Just(Notice::WatchdogTrigger),
        (0u64..9).prop_map(|seconds| Notice::WatchdogUsec(Duration::from_secs(seconds))),
    ]
}

fn any_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        any_notice().prop_map(Event::Notice),
        Just(Event::Main(8)),
        (0u64..40).prop_map(Event::Watchdog),
        Just(Event::Start),
        Just(Event::Stop),
        Just(Event::Restart),
        Just(Event::Changed),
        (0u64..40).prop_map(Event::Timer),
        (0u64..40).prop_map(Event::Answered),
        (0u64..40).prop_map(|serial| Event::Unwell(serial, "unwell".into())),
        prop_oneof![Just(Exit::Code(0)), Just(Exit::Signal(9)), Just(Exit::Unknown)].prop_map(Event::Exited),
        Just(Event::Explained(Exit::Code(1))),
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
            Event::Exited(_) | Event::Main(_) => self.runs,
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
    fn whatever_happens(events in proptest::collection::vec(any_event(), 1..200), which in 0..3, is_step: bool) {
        let mut spec = [probed, speaking, || spec("web")][which as usize]();
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
            for effect in &effects {
                match effect {
                    // Only what is ready must give signs of life, and only what runs is told to end.
                    Effect::Watchdog(serial, _) => {
                        assert!(next.phase == Phase::Ready && *serial == next.serial);
                    }
                    Effect::Signal(_) => assert!(world.runs && matches!(next.phase, Phase::Stopping(_))),
                    Effect::Timer(serial, _) => assert_eq!(*serial, next.serial),
                    Effect::KillTree
                    | Effect::ProbeLive(_)
                    | Effect::ProbeReady(_)
                    | Effect::Record
                    | Effect::Spawn => {}
                }
            }
            // What has been told to end, or says that it ends, has a bound.
            if matches!(next.phase, Phase::Stopping(_)) && next.phase != life.phase && !matches!(life.phase, Phase::Stopping(_)) {
                assert!(effects.iter().any(|effect| matches!(effect, Effect::Timer(..))));
            }
            // Only what is ready can read its configuration again.
            assert!(!next.is_reloading || next.phase == Phase::Ready);
            // Giving up comes only after a burst, or from a step.
            if next.phase == Phase::Failed && life.phase != Phase::Failed && !is_step {
                let recent = spawns.iter().filter(|start| now - **start < 30.0).count();
                let in_vain = if life.is_proven { 0 } else { life.unsettled as usize };
                assert!(recent.max(in_vain) >= spec.restart.burst as usize, "given up after {recent} starts");
            }
            life = next;
        }
    }
}

#[test]
fn one_that_was_never_ready_is_given_up_however_slowly_it_fails() {
    let mut spec = spec("web");
    spec.ready = Some(Probe::new(ProbeKind::Notify));
    let fall = |ready: bool| {
        let (mut life, _) = step(&Life::default(), &spec, Event::Start, at(0.0));
        for start in 0..6 {
            let now = f64::from(start) * 40.0;
            for event in [Event::Go, Event::Spawned(7), Event::Answered(life.serial + 2)] {
                if ready || !matches!(event, Event::Answered(_)) {
                    (life, _) = step(&life, &spec, event, at(now));
                }
            }
            (life, _) = step(&life, &spec, Event::Exited(Exit::Code(0)), at(now + 5.0));
            (life, _) = step(&life, &spec, cleared(), at(now + 5.0));
            (life, _) = step(&life, &spec, Event::Timer(life.serial), at(now + 39.0));
        }
        life
    };
    let life = fall(false);
    assert_eq!(life.phase, Phase::Failed);
    assert_eq!(
        life.reason.as_deref(),
        Some("it exited with 0; it was started 5 times and was never ready, so it is given up")
    );
    // One that was ready in between is tried on: what it needs may come back.
    assert_eq!(fall(true).phase, Phase::Waiting);
}

#[test]
fn an_end_that_is_explained_later_is_put_right_and_changes_nothing_else() {
    let events = vec![Event::Start, Event::Go, Event::Spawned(7), Event::Exited(Exit::Unknown), cleared()];
    let (before, _) = live(&spec("web"), events);
    let (after, effects) = step(&before, &spec("web"), Event::Explained(Exit::Code(37)), at(9.0));
    assert_eq!((after.last_exit, after.reason.as_deref()), (Some(Exit::Code(37)), Some("it exited with 37")));
    assert_eq!((after.phase, after.serial, effects), (before.phase, before.serial, Vec::new()));
    // One that was seen is not put right.
    let (same, _) = step(&after, &spec("web"), Event::Explained(Exit::Code(1)), at(10.0));
    assert_eq!(same, after);
}
