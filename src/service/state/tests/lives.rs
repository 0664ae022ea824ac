//! Lives from the start to the stop.

use super::*;

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
