//! Our own processes are killed in every order, and services are never doubled, lost or taken for others.

use std::fs;
use std::time::Duration;

use jove_install::service::{Restart, ServiceSpec};

use super::{FOREVER, Prefix, is_alive, kill, until};

#[test]
fn keeper_and_supervisor_are_killed_in_every_order() {
    let prefix = Prefix::new();
    prefix.generation(1, vec![prefix.service("web", FOREVER), prefix.service("db", FOREVER)]);
    prefix.commit(1);
    // Whoever answers may be about to go: its keeper was killed.
    let pids = || ["web", "db"].map(|name| until("its process", || prefix.try_status(name)?.pid));
    let first = pids();
    for order in ["k", "s", "ks", "sk", "ss", "kk", "sks", "ksk"] {
        for one in order.chars() {
            let status = until("our processes", || prefix.client().status().ok());
            let victim = if one == 'k' { status.keeper } else { status.supervisor };
            kill(victim);
            until("its end", || (!is_alive(victim)).then_some(()));
        }
        assert_eq!(pids(), first, "after {order}");
        for name in ["web", "db"] {
            assert_eq!(prefix.tree(name).len(), 2, "after {order}: a shell and its sleep");
        }
    }
    // Killed at one time, without a look between.
    let status = until("our processes", || prefix.client().status().ok());
    kill(status.supervisor);
    kill(status.keeper);
    assert_eq!(pids(), first);
    prefix.stop(&[]);
    assert!(!first.into_iter().any(is_alive));
}

#[test]
fn everything_ends_when_the_folder_is_removed() {
    let prefix = Prefix::new();
    prefix.generation(1, vec![prefix.service("web", FOREVER)]);
    prefix.commit(1);
    let status = prefix.client().status().expect("status");
    let tree = prefix.tree("web");
    assert!(!tree.is_empty());
    until("its removal", || fs::remove_dir_all(prefix.layout.root()).is_ok().then_some(()));
    for pid in tree.into_iter().chain([status.supervisor, status.keeper]) {
        until("its end", || (!is_alive(pid)).then_some(()));
    }
    assert!(!prefix.layout.root().exists(), "nothing writes there any more");
}

#[test]
fn one_that_ended_is_started_again_also_by_another_keeper() {
    let prefix = Prefix::new();
    let restart = Restart { first: Duration::from_millis(10), ..Restart::default() };
    let script = "while ! test -e go; do sleep 0.02; done; rm go; exit 37";
    prefix.generation(1, vec![ServiceSpec { restart, ..prefix.service("web", script) }]);
    prefix.commit(1);
    let (first, keeper) = (prefix.pid("web"), prefix.client().status().expect("status").keeper);
    kill(keeper);
    until("another keeper", || prefix.client().status().ok().filter(|status| status.keeper != keeper));
    assert_eq!(prefix.pid("web"), first);
    fs::write(prefix.path("go"), "").expect("go");
    until("a new process", || prefix.status("web").pid.filter(|pid| *pid != first));
    // The kernel (6.15 and newer) tells it once init has taken notice, which it may do seconds later; then the record is put right.
    let expected = if tells_ends() { "exited with 37" } else { "ended in a way that nobody saw" };
    until(expected, || prefix.status("web").last_exit.filter(|told| told == expected));
}

/// Whether this kernel tells how a process ended that was not our child.
fn tells_ends() -> bool {
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    let mut numbers = release.split(['.', '-']).map_while(|word| word.parse::<u32>().ok());
    (numbers.next(), numbers.next()) >= (Some(6), Some(15))
}
