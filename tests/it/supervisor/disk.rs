//! A disk that is full: what cannot be written keeps nobody from what he does.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use jove_install::service::{LogPolicy, OnFull, ServiceSpec};
use jove_install::supervisor::{Client, SwitchOutcome};

use super::{FOREVER, Prefix, kill, until};

/// A prefix with a service that writes into a log which has no room and is to wait for it.
fn stuck() -> Prefix {
    let prefix = Prefix::new();
    let log = LogPolicy { on_full: OnFull::Block, ..LogPolicy::default() };
    prefix.generation(1, vec![ServiceSpec { log, ..prefix.service("web", &format!("echo kept; {FOREVER}")) }]);
    fs::create_dir_all(prefix.layout.log()).expect("folder");
    symlink("/dev/full", prefix.layout.log().join("web.log")).expect("link");
    prefix
}

/// How often a process has rested. One that tries again each second and does nothing else rests once for each time.
fn rests(pid: i32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
    let line = text.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")).expect("a number");
    line.trim().parse().expect("a number")
}

fn supervisor(prefix: &Prefix) -> i32 {
    prefix.client().status().expect("status").supervisor
}

/// Waits until it has tried some times again.
fn tries_again(supervisor: i32) {
    let before = rests(supervisor);
    until("some more tries", || (rests(supervisor) >= before + 5).then_some(()));
}

#[test]
fn a_supervisor_that_can_say_nothing_goes_on() {
    let prefix = stuck();
    symlink("/dev/full", prefix.layout.log().join("supervisor.log")).expect("link");
    prefix.commit(1);
    let (pid, former) = (prefix.pid("web"), supervisor(&prefix));
    tries_again(former);
    assert_eq!((prefix.pid("web"), supervisor(&prefix)), (pid, former));
}

#[test]
fn a_log_that_cannot_be_written_is_told_once_and_nothing_is_lost() {
    let prefix = stuck();
    prefix.commit(1);
    let (pid, former) = (prefix.pid("web"), supervisor(&prefix));
    let told = || prefix.log("supervisor").matches("the log of web cannot be written: No space left").count();
    until("a word", || (told() > 0).then_some(()));
    tries_again(former);
    assert_eq!(told(), 1, "{}", prefix.log("supervisor"));
    fs::remove_file(prefix.layout.log().join("web.log")).expect("remove");
    kill(former);
    until("its line", || (prefix.log("web") == "kept\n").then_some(()));
    assert_eq!(prefix.pid("web"), pid);
}

#[test]
fn what_supervisors_say_is_put_aside_when_it_is_long() {
    let prefix = Prefix::new();
    prefix.generation(1, vec![prefix.service("web", FOREVER)]);
    prefix.commit(1);
    let log = |name: &str| prefix.layout.log().join(name);
    let size = |path: &Path| fs::metadata(path).map_or(0, |facts| facts.len());
    fs::write(log("supervisor.log"), vec![b'\n'; 2 << 20]).expect("write");
    let former = supervisor(&prefix);
    kill(former);
    until("another supervisor", || {
        Client::connect(&prefix.layout).ok()??.status().ok().filter(|status| status.supervisor != former)
    });
    assert!(size(&log("supervisor.log.1")) >= 2 << 20 && size(&log("supervisor.log")) < 1 << 20);
    // From now on both write into the new one.
    let keeper = prefix.client().status().expect("status").keeper;
    kill(supervisor(&prefix));
    until("a word of the keeper", || {
        prefix.log("supervisor").contains("keeper: the supervisor was killed").then_some(())
    });
    assert_eq!(prefix.client().status().expect("status").keeper, keeper);
}

#[test]
fn a_switch_whose_journal_cannot_be_written_changes_nothing() {
    let prefix = Prefix::new();
    prefix.generation(1, vec![prefix.service("web", FOREVER)]);
    prefix.commit(1);
    let pid = prefix.pid("web");
    prefix.generation(2, vec![prefix.service("web", &format!("echo two; {FOREVER}"))]);
    // What is renamed to this name cannot take its place.
    let journal = prefix.layout.switch();
    fs::create_dir(&journal).expect("folder");
    let SwitchOutcome::BackedOut { reason, .. } = prefix.switch(2) else { panic!("committed") };
    let (begins, ends) = (format!("{} cannot be written: ", journal.display()), "; nothing was changed");
    assert!(reason.starts_with(&begins) && reason.ends_with(ends), "{reason}");
    assert_eq!((prefix.pid("web"), prefix.log("web").as_str()), (pid, ""));
    fs::remove_dir(&journal).expect("remove");
    prefix.commit(2);
}
