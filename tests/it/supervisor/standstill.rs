//! Processes of ours that somebody has stopped (Ctrl-Z at the wrong place, a debugger, a freezer), and who goes on then.

use std::fs;

use jove_install::service::ServiceSpec;
use jove_install::supervisor::{Client, ServiceState};
use rustix::process::{Pid, Signal, kill_process};

use super::{Prefix, is_alive, named, until};

/// One that writes line after line, and one that falls when it is told to.
fn busy() -> Prefix {
    let prefix = Prefix::new();
    let script = "i=0; while :; do i=$((i+1)); echo line $i; echo $i > count; sleep 0.01; done";
    let falls = "while [ ! -f fall ]; do sleep 0.02; done; rm fall; echo fell; exit 1";
    let services: Vec<ServiceSpec> = vec![prefix.service("web", script), prefix.service("weak", falls)];
    prefix.generation(1, services);
    prefix.commit(1);
    prefix
}

/// Has the weak one fall, and the other write, and nobody of ours to see to it.
fn fall(prefix: &Prefix, weak: i32) {
    let count = || prefix.number("count").unwrap_or(0);
    let before = count();
    fs::write(prefix.path("fall"), "").expect("write");
    until("its end", || (!is_alive(weak)).then_some(()));
    until("lines", || (count() > before + 20).then_some(()));
}

fn send(pid: i32, signal: Signal) {
    kill_process(Pid::from_raw(pid).expect("pid"), signal).expect("signal");
}

/// All is as it should be, and no line was lost or doubled.
fn is_well(prefix: &Prefix, former: i32, falls: usize) {
    until("a new process", || {
        let status = prefix.status("weak");
        status.pid.filter(|pid| *pid != former && status.state == ServiceState::Ready)
    });
    prefix.stop(&["web"]);
    assert_eq!(prefix.log("weak"), "fell\n".repeat(falls));
    let log = prefix.log("web");
    let expected: Vec<String> = (1..=log.lines().count()).map(|number| format!("line {number}")).collect();
    assert_eq!(log.lines().collect::<Vec<_>>(), expected);
    assert!(expected.len() >= usize::try_from(prefix.number("count").unwrap_or(0)).expect("a count"));
}

#[test]
fn a_supervisor_that_is_stopped_is_named_and_loses_nothing() {
    let prefix = busy();
    let (supervisor, weak) = (prefix.client().status().expect("status").supervisor, prefix.pid("weak"));
    send(supervisor, Signal::STOP);
    until("its standstill", || jove_install::keeper::proc::stat(supervisor).filter(|stat| stat.state == 'T'));
    fall(&prefix, weak);
    let client = Client::glance(&prefix.layout).expect("found").expect("there");
    let expected = format!(
        "the supervisor (pid {supervisor}) is stopped by a signal and answers nobody; `kill -CONT {supervisor}` has it go on"
    );
    assert_eq!(client.status().expect_err("silence").to_string(), expected);
    // Who wants something done is told so, too.
    let asked = client.signal(&[named("web")], "CONT");
    assert_eq!(asked.expect_err("silence").to_string(), expected);
    send(supervisor, Signal::CONT);
    is_well(&prefix, weak, 1);
    assert_eq!(prefix.client().status().expect("status").supervisor, supervisor);
}

#[test]
fn a_keeper_that_is_stopped_goes_on_with_all_that_came_meanwhile() {
    let prefix = busy();
    let (ours, weak) = (prefix.client().status().expect("status"), prefix.pid("weak"));
    send(ours.keeper, Signal::STOP);
    fall(&prefix, weak);
    // What it does not know yet, nobody does.
    assert_eq!(prefix.status("weak").pid, Some(weak));
    send(ours.keeper, Signal::CONT);
    is_well(&prefix, weak, 1);
    let now = prefix.client().status().expect("status");
    assert_eq!((now.keeper, now.supervisor), (ours.keeper, ours.supervisor));
}
