//! Jobs: their times are kept, whatever becomes of supervisor and machine, and each run is known.

use std::fs;
use std::time::Duration;

use jove_install::service::{CatchUp, Kind, Overlap, Schedule, ServiceSpec};
use jove_install::supervisor::{Client, Outcome, Run, ServiceKind, ServiceState, runs};

use super::{FOREVER, Prefix, is_alive, kill, named, until};

fn every_second() -> Schedule {
    Schedule { at: "* * * * * *".into(), ..daily() }
}

/// Never while a test runs, unless that is at the wrong second of the year.
fn daily() -> Schedule {
    Schedule {
        at: "0 3 29 2 *".into(),
        zone: Some("UTC".into()),
        catch_up: CatchUp::None,
        overlap: Overlap::Skip,
        delay: Duration::ZERO,
    }
}

impl Prefix {
    fn job(&self, name: &str, schedule: Schedule, script: &str) -> ServiceSpec {
        ServiceSpec { kind: Kind::Schedule(schedule), ..self.service(name, script) }
    }

    fn runs(&self, name: &str) -> Vec<Run> {
        runs::read(&self.layout, &named(name), &named(name))
    }

    fn ended(&self, name: &str, least: usize) -> Vec<Run> {
        until("runs", || {
            let ended: Vec<Run> = self.runs(name).into_iter().filter(|run| run.ok.is_some()).collect();
            (ended.len() >= least).then_some(ended)
        })
    }

    fn run_now(&self, name: &str) -> Outcome {
        self.client().run(&[named(name)], &mut |_| {}).expect("run")
    }
}

#[test]
fn a_run_that_takes_too_long_is_ended_and_the_next_one_comes() {
    let prefix = Prefix::new();
    let timeout = Some(Duration::from_millis(300));
    prefix.generation(1, vec![ServiceSpec { timeout, ..prefix.job("slow", daily(), FOREVER) }]);
    prefix.commit(1);
    for number in 1..=2 {
        let Outcome::Failed { reason, .. } = prefix.run_now("slow") else { panic!("run {number} went well") };
        assert_eq!(reason, "slow: it was not done within 0.3 s");
        assert!(prefix.tree("slow").is_empty());
    }
    let runs = prefix.ended("slow", 2);
    assert!(runs.iter().all(|run| run.ok == Some(false)), "{runs:?}");
}

#[test]
fn a_job_runs_at_its_times_and_rests_between_them() {
    let prefix = Prefix::new();
    prefix.generation(1, vec![prefix.job("tick", every_second(), "echo tick >> ticks")]);
    prefix.commit(1);
    let status = prefix.status("tick");
    assert_eq!(status.kind, ServiceKind::Schedule);
    assert!(status.next.is_some(), "{status:?}");
    let runs = prefix.ended("tick", 3);
    let numbers: Vec<u64> = runs.iter().map(|run| run.number).collect();
    assert_eq!(numbers, (1..=runs.len() as u64).collect::<Vec<_>>());
    assert!(runs.iter().all(|run| run.ok == Some(true) && run.due.is_some() && run.began.is_some()), "{runs:?}");
    until("rest", || (prefix.status("tick").state == ServiceState::Scheduled).then_some(()));
    prefix.stop(&["tick"]);
    assert_eq!(prefix.status("tick").state, ServiceState::Stopped);
    let lines = fs::read_to_string(prefix.path("ticks")).expect("ticks").lines().count();
    assert_eq!(lines, prefix.runs("tick").len(), "each run is known, and each that is known ran");
    assert_eq!(prefix.status("tick").next, None);
}

#[test]
fn times_are_kept_once_although_the_supervisor_is_killed() {
    let prefix = Prefix::new();
    prefix.generation(1, vec![prefix.job("tick", every_second(), "echo tick >> ticks")]);
    prefix.commit(1);
    for round in 1..=3 {
        prefix.ended("tick", round * 2);
        let former = prefix.client().status().expect("status").supervisor;
        kill(former);
        until("another supervisor", || {
            Client::connect(&prefix.layout).ok()??.status().ok().filter(|status| status.supervisor != former)
        });
    }
    prefix.ended("tick", 8);
    prefix.stop(&[]);
    let runs = prefix.runs("tick");
    let mut dues: Vec<_> = runs.iter().filter_map(|run| run.due.clone()).collect();
    let count = dues.len();
    dues.sort();
    dues.dedup();
    assert_eq!(dues.len(), count, "no time was kept twice: {runs:?}");
    let began = runs.iter().filter(|run| run.began.is_some()).count();
    assert_eq!(fs::read_to_string(prefix.path("ticks")).expect("ticks").lines().count(), began);
}

#[test]
fn a_run_goes_on_when_the_keeper_is_killed_and_its_end_is_seen() {
    let prefix = Prefix::new();
    let script = "echo $$ > pid; while [ ! -f go ]; do sleep 0.05; done";
    prefix.generation(1, vec![prefix.job("long", every_second(), script)]);
    prefix.commit(1);
    let pid = until("a run", || prefix.number("pid").filter(|_| prefix.status("long").pid.is_some()));
    let former = prefix.client().status().expect("status");
    kill(former.keeper);
    until("the end of the supervisor", || (!is_alive(former.supervisor)).then_some(()));
    assert_eq!(prefix.pid("long"), pid);
    assert_eq!(prefix.status("long").state, ServiceState::Running);
    fs::write(prefix.path("go"), "").expect("write");
    prefix.ended("long", 1);
    assert_eq!(prefix.runs("long")[0].number, 1);
}

#[test]
fn a_time_at_which_the_run_before_goes_on() {
    let prefix = Prefix::new();
    let job = |overlap| prefix.job("slow", Schedule { overlap, ..every_second() }, FOREVER);
    // Skipped: one process, and the history says so.
    prefix.generation(1, vec![job(Overlap::Skip)]);
    prefix.commit(1);
    let skipped = |events: &[jove_install::supervisor::Event]| {
        events.iter().any(|event| event.what == "missed" && event.text.contains("the run before still goes on"))
    };
    until("a skip", || skipped(&prefix.client().events(100).ok()?).then_some(()));
    assert_eq!(prefix.runs("slow").len(), 1);
    let first = prefix.pid("slow");
    // Killed: other times and rules apply without a restart of the run; then the next one takes its place.
    prefix.generation(2, vec![job(Overlap::Kill)]);
    prefix.commit(2);
    until("the next run", || prefix.status("slow").pid.filter(|pid| *pid != first));
    assert!(!is_alive(first));
    let ended = prefix.ended("slow", 1);
    assert_eq!((ended[0].ok, ended[0].result.as_str()), (Some(false), "it was stopped: the next run was due"));
    prefix.stop(&["slow"]);
    // Queued: it waits for the end of the one before.
    let before = prefix.runs("slow").len();
    let script = "while [ ! -f go ]; do sleep 0.05; done";
    prefix.generation(3, vec![prefix.job("slow", Schedule { overlap: Overlap::Queue, ..every_second() }, script)]);
    prefix.commit(3);
    until("a queue", || (prefix.runs("slow").len() >= before + 3).then_some(()));
    assert_eq!(prefix.runs("slow").iter().filter(|run| run.began.is_some() && run.ok.is_none()).count(), 1);
    fs::write(prefix.path("go"), "").expect("write");
    until("their turns", || prefix.runs("slow").get(before + 2).filter(|run| run.ok == Some(true)).map(drop));
}

#[test]
fn a_run_by_hand_that_fails_is_told_and_the_next_one_may_do_well() {
    let prefix = Prefix::new();
    let script = "test -f disk || { echo no disk >&2; exit 3; }";
    prefix.generation(1, vec![prefix.job("backup", daily(), script), prefix.service("web", FOREVER)]);
    prefix.commit(1);
    assert_eq!(prefix.status("backup").state, ServiceState::Scheduled);
    assert_eq!(
        prefix.run_now("backup"),
        Outcome::Failed { reason: "backup: it exited with 3".into(), last_lines: vec!["no disk".into()] }
    );
    let status = prefix.status("backup");
    assert_eq!((status.state, status.reason.as_deref()), (ServiceState::Failed, Some("it exited with 3")));
    assert!(status.next.is_some() && status.last_run.is_some_and(|run| run.ok == Some(false)));
    fs::write(prefix.path("disk"), "").expect("write");
    assert_eq!(prefix.run_now("backup"), Outcome::Done);
    assert_eq!(prefix.status("backup").state, ServiceState::Scheduled);
    assert!(prefix.runs("backup").iter().all(|run| run.due.is_none()));
    let Outcome::Failed { reason, .. } = prefix.run_now("web") else { panic!("run") };
    assert_eq!(reason, "web is no job that runs at its times; `jove-install restart web` starts it anew");
    prefix.stop(&["backup"]);
    let Outcome::Failed { reason, .. } = prefix.run_now("backup") else { panic!("run") };
    assert!(reason.starts_with("backup is stopped; "), "{reason}");
}

#[test]
fn nights_that_were_missed_are_made_up_for_as_is_said() {
    for (catch_up, expected) in [(CatchUp::None, 0), (CatchUp::Once, 1), (CatchUp::All, 3)] {
        let prefix = Prefix::new();
        let three_days = jiff::SignedDuration::from_hours(72);
        let armed = jiff::Timestamp::now().checked_sub(three_days).expect("a time");
        let then = armed.to_zoned(jiff::tz::TimeZone::UTC);
        // Some hours from now, so that it is not due by itself.
        let hour = (i32::from(then.hour()) + 4) % 24;
        fs::create_dir_all(prefix.path("var/backup")).expect("folder");
        let line = format!("{{\"service\":\"backup\",\"what\":\"armed\",\"when\":\"{armed}\"}}\n");
        fs::write(prefix.path("var/backup/.runs.jsonl"), line).expect("write");
        let schedule = Schedule { at: format!("0 {hour} * * *"), catch_up, ..daily() };
        prefix.generation(1, vec![prefix.job("backup", schedule, "echo run >> ran")]);
        prefix.commit(1);
        let runs = prefix.ended("backup", expected);
        until("rest", || (prefix.status("backup").state == ServiceState::Scheduled).then_some(()));
        assert_eq!((runs.len(), prefix.runs("backup").len()), (expected, expected), "{catch_up:?}");
        let events = prefix.client().events(100).expect("events");
        let missed = events.iter().find(|event| event.what == "missed").map(|event| event.text.clone());
        assert_eq!(missed.is_some(), expected < 3, "{catch_up:?}: {missed:?}");
    }
}
