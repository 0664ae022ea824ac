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
        (0usize..3, any::<bool>()).prop_map(|(killed, is_stuck)| Event::Cleared {
            killed,
            left: is_stuck.then_some(9).into_iter().collect()
        }),
    ]
}

/// A service of any kind, with any policy, that speaks, is asked, or neither.
fn any_spec() -> impl Strategy<Value = ServiceSpec> {
    let policies = prop_oneof![Just(RestartPolicy::Always), Just(RestartPolicy::OnFailure), Just(RestartPolicy::Never)];
    let schedule = Schedule {
        at: "@daily".into(),
        zone: None,
        catch_up: CatchUp::None,
        overlap: Overlap::Skip,
        delay: Duration::ZERO,
    };
    let kinds = prop_oneof![3 => Just(Kind::Daemon), 1 => Just(Kind::Step { key: "1".into() }), 1 => Just(Kind::Schedule(schedule))];
    (policies, kinds, 0usize..3, any::<bool>(), any::<bool>()).prop_map(
        |(policy, kind, which, is_alive, is_bounded)| {
            let spec = [probed, speaking, || spec("web")][which]();
            ServiceSpec {
                restart: Restart { policy, ..Restart::default() },
                live: is_alive
                    .then(|| Liveness { probe: Probe::new(ProbeKind::Tcp("127.0.0.1:1".into())), failures: 3 }),
                timeout: is_bounded.then_some(Duration::from_secs(2)),
                kind,
                ..spec
            }
        },
    )
}

/// What the world allows: only a process that runs ends, only what was asked for answers.
#[derive(Default)]
struct World {
    runs: bool,
    spawning: bool,
    clearing: bool,
    /// It ended by itself, and its policy wants no other start until somebody asks.
    is_over: bool,
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

    fn follow(&mut self, spec: &ServiceSpec, before: Phase, event: &Event, effects: &[Effect]) {
        match event {
            Event::Adopted { .. } => self.runs = true,
            Event::Exited(exit) => {
                self.runs = false;
                self.is_over = matches!(before, Phase::Ready | Phase::Starting | Phase::Stopping(Next::Judge))
                    && (spec.kind != Kind::Daemon
                        || match spec.restart.policy {
                            RestartPolicy::Always => false,
                            RestartPolicy::OnFailure => exit.is_success(),
                            RestartPolicy::Never => true,
                        });
            }
            Event::Spawned(_) => (self.spawning, self.runs) = (false, true),
            Event::Barred(_) | Event::SpawnFailed(_) => self.spawning = false,
            Event::Cleared { .. } => self.clearing = false,
            Event::Changed | Event::Restart | Event::Start => self.is_over = false,
            _ => {}
        }
        for effect in effects {
            match effect {
                Effect::Spawn => {
                    assert!(!self.runs && !self.spawning, "two processes of one service");
                    assert!(!self.is_over, "it was to stay down");
                    self.spawning = true;
                }
                Effect::KillTree => self.clearing = true,
                _ => {}
            }
        }
    }

    /// What happens next where all goes well; nothing, once it is at rest.
    fn good_turn(&self, spec: &ServiceSpec, life: &Life) -> Option<Event> {
        match life.phase {
            Phase::Spawning => Some(Event::Spawned(7)),
            Phase::Stopping(_) => Some(Event::Exited(Exit::Signal(15))),
            Phase::Clearing(_) => Some(cleared()),
            Phase::Waiting => Some(Event::Go),
            Phase::Backoff => Some(Event::Timer(life.serial)),
            Phase::Starting
                if spec.kind == Kind::Daemon
                    && spec.ready.as_ref().is_some_and(|probe| probe.kind == ProbeKind::Notify) =>
            {
                Some(Event::Notice(Notice::Ready))
            }
            Phase::Starting if spec.kind == Kind::Daemon => Some(Event::Answered(life.serial)),
            Phase::Starting => Some(Event::Exited(Exit::Code(0))),
            Phase::Done | Phase::Failed | Phase::Ready | Phase::Stopped => None,
        }
    }
}

/// One service in its world.
struct Play<'a> {
    spec: &'a ServiceSpec,
    life: Life,
    world: World,
    /// When it was started.
    spawns: Vec<f64>,
}

impl Play<'_> {
    fn take(&mut self, event: &Event, now: f64) {
        let (next, effects) = step(&self.life, self.spec, event.clone(), at(now));
        self.world.follow(self.spec, self.life.phase, event, &effects);
        self.spawns.extend(effects.iter().filter(|effect| **effect == Effect::Spawn).map(|_| now));
        self.is_sound(&next, event, &effects, now);
        self.life = next;
    }

    fn is_sound(&self, next: &Life, event: &Event, effects: &[Effect], now: f64) {
        let (life, world) = (&self.life, &self.world);
        // A process is known as long as it runs.
        assert_eq!(next.pid.is_some(), world.runs);
        // Nothing is at rest while something of it runs.
        assert!(!(next.is_down() && (world.runs || world.spawning)));
        // What is not wanted is on its way down.
        if !next.is_wanted {
            assert!(
                matches!(
                    next.phase,
                    Phase::Stopped | Phase::Stopping(Next::Stop) | Phase::Clearing(Next::Stop) | Phase::Spawning
                ),
                "{:?}",
                next.phase
            );
        }
        for effect in effects {
            match effect {
                // Only what is ready must give signs of life, and only what runs is told to end.
                Effect::Watchdog(serial, _) | Effect::ProbeLive(serial) => {
                    assert!(next.phase == Phase::Ready && *serial == next.serial);
                }
                Effect::ProbeReady(serial) => assert!(next.phase == Phase::Starting && *serial == next.serial),
                Effect::Signal(_) => assert!(world.runs && matches!(next.phase, Phase::Stopping(_))),
                Effect::Timer(serial, _) => assert_eq!(*serial, next.serial),
                Effect::Record => {
                    assert!(next.phase == Phase::Done && matches!(self.spec.kind, Kind::Step { .. }));
                    assert!(next.last_exit.is_some_and(Exit::is_success), "a step is done that ended badly");
                }
                Effect::KillTree | Effect::Spawn => {}
            }
        }
        // What has been told to end, or says that it ends, has a bound; so has whoever waits to be started again.
        let is_new = |is: fn(&Phase) -> bool| is(&next.phase) && !is(&life.phase);
        if is_new(|phase| matches!(phase, Phase::Stopping(_))) || is_new(|phase| *phase == Phase::Backoff) {
            assert!(effects.iter().any(|effect| matches!(effect, Effect::Timer(..))));
        }
        // Only what is ready can read its configuration again.
        assert!(!next.is_reloading || next.phase == Phase::Ready);
        // Giving up comes only after a burst, or of what runs once, or of what cannot be made or must not be started again.
        let is_barred = matches!(event, Event::Barred(_)) || self.spec.restart.policy == RestartPolicy::Never;
        if next.phase == Phase::Failed && life.phase != Phase::Failed && self.spec.kind == Kind::Daemon && !is_barred {
            let recent = self.spawns.iter().filter(|start| now - **start < 30.0).count();
            let in_vain = if life.is_proven { 0 } else { life.unsettled as usize };
            assert!(recent.max(in_vain) >= self.spec.restart.burst as usize, "given up after {recent} starts");
        }
    }

    /// Lets all go well until it is at rest, which comes soon.
    fn settle(&mut self, now: f64) -> Phase {
        for _ in 0..12 {
            let Some(event) = self.world.good_turn(self.spec, &self.life) else { return self.life.phase };
            assert!(self.world.allows(&event), "{event:?} in {:?}", self.life.phase);
            self.take(&event, now);
        }
        panic!("it comes to no rest: {:?}", self.life)
    }
}

proptest! {
    #[test]
    fn whatever_happens(
        events in proptest::collection::vec(proptest::option::of(any_event()), 1..200),
        spec in any_spec(),
        adopted in proptest::option::of((any::<bool>(), 0u32..9)),
    ) {
        let mut play = Play { spec: &spec, life: Life::default(), world: World::default(), spawns: Vec::new() };
        if let Some((is_ready, restarts)) = adopted {
            // Only a daemon is ready; a step or a run that was found goes on.
            let is_ready = is_ready && spec.kind == Kind::Daemon;
            play.take(&Event::Adopted { pid: 7, is_ready, restarts }, 0.0);
            assert!(play.life.pid == Some(7) && play.life.restarts == restarts && play.life.is_wanted);
        }
        let mut now = 0.0;
        for event in events {
            // Half of what happens goes well, or few would get far.
            let event = event.or_else(|| play.world.good_turn(&spec, &play.life));
            if let Some(event) = event.filter(|event| play.world.allows(event)) {
                play.take(&event, now);
            }
            now += 0.1;
        }
        // Whatever has happened, it can be brought up, and down.
        play.take(&Event::Start, now);
        let _ = play.settle(now);
        play.take(&Event::Restart, now);
        let is_up = if spec.kind == Kind::Daemon { Phase::Ready } else { Phase::Done };
        assert_eq!(play.settle(now), is_up);
        play.take(&Event::Stop, now);
        assert_eq!(play.settle(now), Phase::Stopped);
        assert!(!play.world.runs && !play.world.spawning && !play.world.clearing);
    }
}
