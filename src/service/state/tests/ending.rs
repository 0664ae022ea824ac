//! Ends that nobody asked for, and those that do not come.

use super::*;

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
fn one_that_cannot_be_made_is_given_up_at_its_first_start() {
    let barred = || Event::Barred("its folder is not there".into());
    let (life, _) = live(&spec("web"), vec![Event::Start, Event::Go, barred()]);
    assert_eq!((life.phase, life.restarts), (Phase::Failed, 0));
    assert_eq!(life.reason.as_deref(), Some("its folder is not there"));
    // Whoever asks again finds out whether it was mended.
    let (again, _) = step(&life, &spec("web"), Event::Start, at(9.0));
    assert_eq!((again.phase, again.reason), (Phase::Waiting, None));
    // One that was ready is tried on, and one that is to stop is stopped.
    let fallen = [Event::Start, Event::Go, Event::Spawned(7), Event::Exited(Exit::Code(1)), cleared()];
    let (mut life, _) = live(&spec("web"), fallen.to_vec());
    for event in [Event::Timer(life.serial), Event::Go, barred()] {
        (life, _) = step(&life, &spec("web"), event, at(9.0));
    }
    assert_eq!(life.phase, Phase::Backoff);
    let (life, _) = live(&spec("web"), vec![Event::Start, Event::Go, Event::Stop, barred()]);
    assert_eq!(life.phase, Phase::Stopped);
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
