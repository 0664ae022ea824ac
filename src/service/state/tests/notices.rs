//! What a service says of itself.

use super::*;

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
