//! What goes on for months: crashes without end leave nothing behind, and nothing of ours fails in silence.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use jove_install::keeper::proc;
use jove_install::service::{Restart, ServiceSpec};
use jove_install::supervisor::SwitchOutcome;

use super::{FOREVER, Prefix, kill, start_with_checkpoint, until};

/// What a process holds: descriptors, children that it has not buried, and KiB of memory of its own.
#[derive(Debug, Clone, Copy)]
struct Holds {
    descriptors: usize,
    zombies: usize,
    memory: u64,
}

impl Holds {
    fn of(pid: i32) -> Self {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("status");
        let memory = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("memory");
        let is_zombie = |child: &i32| proc::stat(*child).is_some_and(|stat| stat.state == 'Z');
        Self {
            descriptors: fs::read_dir(format!("/proc/{pid}/fd")).expect("descriptors").count(),
            zombies: proc::children(pid).iter().filter(|child| is_zombie(child)).count(),
            memory: memory.trim().trim_end_matches(" kB").parse().expect("a number"),
        }
    }
}

/// Many more with `JOVE_TEST_CRASHES=100000`.
#[allow(clippy::disallowed_methods, reason = "what the person at the test wants, not the program")]
fn crashes() -> u32 {
    std::env::var("JOVE_TEST_CRASHES").ok().and_then(|count| count.parse().ok()).unwrap_or(600)
}

#[test]
fn crashes_without_end_leave_nothing_behind() {
    let prefix = Prefix::new();
    let restart = Restart { first: Duration::ZERO, burst: u32::MAX, ..Restart::default() };
    // It lasts until `go` is there, then it falls again and again.
    let script = "test -e go && exit 7; exec sleep 1000";
    prefix.generation(1, vec![ServiceSpec { restart, ..prefix.service("web", script) }]);
    prefix.commit(1);
    let status = prefix.client().status().expect("status");
    fs::write(prefix.path("go"), "").expect("go");
    kill(prefix.pid("web"));
    let restarts = || prefix.status("web").restarts;
    let after = |count: u32| {
        let (mut seen, mut since) = (0, Instant::now());
        while seen < count {
            let now = restarts();
            if now > seen {
                (seen, since) = (now, Instant::now());
            }
            assert!(since.elapsed() < Duration::from_secs(30), "it was not started again after {seen} crashes");
            std::thread::park_timeout(Duration::from_millis(20));
        }
        [status.keeper, status.supervisor].map(Holds::of)
    };
    let began = Instant::now();
    let early = after(crashes() / 3);
    let late = after(crashes());
    eprintln!("{} crashes in {:?}: {early:?}, then {late:?}", restarts(), began.elapsed());
    for (early, late) in early.into_iter().zip(late) {
        // One of either may be on its way at this moment.
        assert!(late.descriptors <= early.descriptors + 2 && late.zombies <= 1, "{early:?}, then {late:?}");
        assert!(late.memory <= early.memory + 1024, "{early:?}, then {late:?}");
    }
    fs::remove_file(prefix.path("go")).expect("remove");
    let now = prefix.client().status().expect("status");
    assert_eq!((now.keeper, now.supervisor), (status.keeper, status.supervisor), "neither has fallen itself");
}

#[test]
fn a_task_that_panics_is_not_passed_over() {
    let prefix = Prefix::new();
    prefix.generation(1, vec![prefix.service("web", FOREVER)]);
    start_with_checkpoint(&prefix, "trial-before-stop=panic");
    let first = until("a supervisor", || prefix.client().status().ok()).supervisor;
    assert!(matches!(prefix.switch(1), SwitchOutcome::BackedOut { .. }));
    let now = until("another supervisor", || prefix.client().status().ok().filter(|now| now.supervisor != first));
    assert_ne!(now.supervisor, first);
    let log: PathBuf = prefix.layout.log().join("supervisor.log");
    let said = fs::read_to_string(log).expect("log");
    assert!(said.contains("checkpoint `trial-before-stop`"), "{said}");
    assert!(said.contains("the supervisor was killed by SIGABRT; it is started again"), "{said}");
    prefix.commit(1);
}
