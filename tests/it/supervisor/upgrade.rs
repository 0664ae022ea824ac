//! Another program takes over: the keeper becomes it, a new supervisor follows, and services notice nothing.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use jove_install::service::{Restart, ServiceSpec};
use jove_install::supervisor::ServiceState;

use super::sockets::{free_address, serving, under_load};
use super::{FOREVER, Prefix, kill, until};

/// Puts a copy of the program into the store; copies after the first are further names of it.
fn install(prefix: &Prefix, folder: &str) -> PathBuf {
    let path = prefix.path(&format!("store/{folder}/bin/jove-install"));
    fs::create_dir_all(path.parent().expect("folder")).expect("folder");
    let first = prefix.path("store/program");
    if !first.exists() {
        fs::copy(env!("CARGO_BIN_EXE_jove-install"), &first).expect("copy");
    }
    fs::hard_link(first, &path).expect("link");
    path
}

/// Waits until both of our processes run that program.
fn taken_over(prefix: &Prefix, program: &PathBuf) {
    let runs = |pid: i32| fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|own| own == *program);
    until("the new program", || {
        let status = prefix.client().status().ok()?;
        (runs(status.keeper) && runs(status.supervisor)).then_some(())
    });
}

#[test]
fn another_program_takes_over_without_touching_services() {
    let prefix = Prefix::new();
    let (one, two) = (install(&prefix, "1-jove-install"), install(&prefix, "2-jove-install"));
    let address = free_address();
    let services = || {
        let script = "i=0; while :; do i=$((i+1)); echo line $i; sleep 0.005; done";
        vec![serving(&prefix, &[&address]), prefix.service("talk", script), prefix.service("db", FOREVER)]
    };
    prefix.generation(1, services());
    prefix.set_program(1, "1-jove-install");
    prefix.commit(1);
    taken_over(&prefix, &one);
    let keeper = prefix.client().status().expect("status").keeper;
    let pids = || ["web", "talk", "db"].map(|name| prefix.pid(name));
    let first = pids();
    let changed = |number: u32, program: &str| {
        prefix.generation(number, services());
        prefix.set_program(number, program);
        prefix.commit(number);
    };
    under_load(&address, || {
        changed(2, "2-jove-install");
        taken_over(&prefix, &two);
        changed(3, "1-jove-install");
        taken_over(&prefix, &one);
    });
    assert_eq!((pids(), prefix.client().status().expect("status").keeper), (first, keeper));
    // Its children are still its own: it sees how they end.
    kill(first[2]);
    until("a new process", || prefix.status("db").pid.filter(|pid| *pid != first[2]));
    assert_eq!(prefix.status("db").last_exit.as_deref(), Some("was killed by SIGKILL"));
    prefix.stop(&[]);
    let log = prefix.log("talk");
    let lines: Vec<&str> = log.lines().collect();
    let expected: Vec<String> = (1..=lines.len()).map(|number| format!("line {number}")).collect();
    assert_eq!(lines, expected, "no line was lost or doubled");
}

#[test]
fn ends_that_nobody_watched_are_known() {
    let prefix = Prefix::new();
    let programs = [install(&prefix, "1-jove-install"), install(&prefix, "2-jove-install")];
    let restart = Restart { first: Duration::ZERO, burst: 1_000_000, ..Restart::default() };
    // It lasts until `go` is there, then it falls again and again.
    let script = "while ! test -e go; do sleep 0.02; done; sleep 0.02; exit 37";
    let spec = || ServiceSpec { restart: restart.clone(), ..prefix.service("web", script) };
    for number in 1..=6u32 {
        let which = number % 2;
        prefix.generation(number, vec![spec()]);
        prefix.set_program(number, &format!("{}-jove-install", which + 1));
        prefix.commit(number);
        fs::write(prefix.path("go"), "").expect("go");
        taken_over(&prefix, &programs[which as usize]);
        let first = until("a process", || prefix.status("web").pid);
        until("a fall", || prefix.status("web").pid.filter(|pid| *pid != first));
        fs::remove_file(prefix.path("go")).expect("remove");
        until("rest", || (prefix.status("web").state == ServiceState::Ready).then_some(()));
    }
    let events = prefix.client().events(100_000).expect("events");
    let ends: Vec<&str> =
        events.iter().map(|event| event.text.as_str()).filter(|text| text.starts_with("it ")).collect();
    assert!(ends.len() >= 6, "{events:?}");
    assert!(ends.iter().all(|text| !text.contains("nobody saw")), "{ends:?}");
    assert!(events.iter().filter(|event| event.what == "upgrade").count() > 1, "{events:?}");
}

#[test]
fn a_program_that_cannot_run_is_refused() {
    let prefix = Prefix::new();
    let broken = prefix.path("store/3-jove-install/bin/jove-install");
    fs::create_dir_all(broken.parent().expect("folder")).expect("folder");
    fs::write(&broken, "#!/bin/sh\nexit 3\n").expect("write");
    fs::set_permissions(&broken, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("mode");
    prefix.generation(1, vec![prefix.service("web", FOREVER)]);
    prefix.set_program(1, "3-jove-install");
    prefix.commit(1);
    let events = until("a refusal", || {
        let events = prefix.client().events(100).ok()?;
        events.iter().any(|event| event.what == "upgrade").then_some(events)
    });
    assert!(events.iter().any(|event| event.text.contains("cannot take over, this one goes on: exit status: 3")));
    prefix.pid("web");
}
