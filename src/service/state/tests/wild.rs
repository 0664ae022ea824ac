//! Random lives in a world that allows only what can be.

use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};

use super::*;

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
        Just(Event::Barred("never".into())),
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
            Event::Barred(_) | Event::Spawned(_) | Event::SpawnFailed(_) => self.spawning,
            Event::Cleared { .. } => self.clearing,
            Event::Adopted { .. } => false,
            _ => true,
        }
    }

    fn follow(&mut self, event: &Event, effects: &[Effect]) {
        match event {
            Event::Exited(_) => self.runs = false,
            Event::Spawned(_) => (self.spawning, self.runs) = (false, true),
            Event::Barred(_) | Event::SpawnFailed(_) => self.spawning = false,
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
            // Giving up comes only after a burst, or from a step, or of what cannot be made.
            let is_barred = matches!(event, Event::Barred(_));
            if next.phase == Phase::Failed && life.phase != Phase::Failed && !is_step && !is_barred {
                let recent = spawns.iter().filter(|start| now - **start < 30.0).count();
                let in_vain = if life.is_proven { 0 } else { life.unsettled as usize };
                assert!(recent.max(in_vain) >= spec.restart.burst as usize, "given up after {recent} starts");
            }
            life = next;
        }
    }
}
