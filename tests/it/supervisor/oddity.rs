//! Services out of the common run: they are kept as all others are, or what is wrong with them is said.

use std::fs;
use std::process::Command;
use std::time::Duration;

use jove_install::keeper::proc;
use jove_install::service::limit::Resource;
use jove_install::service::{Probe, ProbeKind, Restart, RestartPolicy, ServiceSpec, Stop};
use jove_install::supervisor::{ServiceState, SwitchOutcome};
use jove_install::text::Text;

use super::{FOREVER, Prefix, is_alive, kill, until};
use crate::life::Life;

#[test]
fn two_megabytes_of_variables_are_given_or_the_service_and_they_are_named() {
    let prefix = Prefix::new();
    let service = |sizes: &[usize], stack: Option<u64>| {
        let mut spec = prefix.service("web", &format!("env | wc -c; {FOREVER}"));
        let large =
            (0..).zip(sizes).map(|(number, size)| (format!("LARGE_{number}"), Text::literal("x".repeat(*size))));
        spec.vars.extend(large);
        // What a program is given may be as large as a quarter of its stack.
        spec.limits.resources.insert(Resource::Stack, stack);
        spec
    };
    let many = [100 << 10; 20];
    prefix.generation(1, vec![service(&many, None)]);
    prefix.commit(1);
    let log = until("its words", || Some(prefix.log("web")).filter(|log| log.ends_with('\n')));
    assert!(log.trim().parse::<usize>().expect("a number") > 2_000_000, "{log}");
    let reason = |number, spec| {
        prefix.generation(number, vec![spec]);
        let SwitchOutcome::BackedOut { reason, .. } = prefix.switch(number) else { panic!("committed") };
        reason
    };
    let said = reason(2, service(&many, Some(1 << 20)));
    assert!(said.starts_with("web: /bin/sh: its variables are too large: with its command they have 204"), "{said}");
    // Longer than any that the kernel takes, however large its pages are.
    let said = reason(3, service(&[10, 3 << 20], None));
    assert!(said.starts_with("web: /bin/sh: its variable `LARGE_1` is too large: it has 3145737 bytes"), "{said}");
    assert!(!said.contains("xxx"), "{said}");
    assert_eq!(prefix.status("web").state, ServiceState::Ready);
}

#[test]
fn one_that_opens_ten_thousand_descriptors_is_stopped_cleanly() {
    const MANY: usize = 10_000;
    let prefix = Prefix::new();
    let script = "import os, resource, signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
held = [os.open('/dev/null', os.O_RDONLY) for _ in range(min(10000, most - 20))]
print('holding', len(held), flush=True)
signal.sigwait([signal.SIGTERM])
open('left', 'w').close()";
    let command = ["/usr/bin/env", "python3", "-c", script].map(Text::literal);
    let ready = Some(Probe::new(ProbeKind::Log("holding".into())));
    let mut spec = ServiceSpec { command: command.into(), ready, ..prefix.service("web", "") };
    spec.limits.resources.insert(Resource::Open, None);
    prefix.generation(1, vec![spec]);
    prefix.commit(1);
    let log = prefix.log("web");
    let held: usize = log.trim().trim_start_matches("holding ").parse().expect("a number");
    if held < MANY {
        eprintln!("only {held} descriptors were tried: this user may have no more");
    }
    let pid = prefix.pid("web");
    assert!(fs::read_dir(format!("/proc/{pid}/fd")).expect("descriptors").count() >= held);
    prefix.stop(&["web"]);
    assert!(!is_alive(pid) && prefix.tree("web").is_empty());
    assert!(prefix.path("left").exists(), "it was killed");
    assert_eq!(prefix.status("web").state, ServiceState::Stopped);
}

/// Whether a process does nothing for a while: one that spins is not seen asleep each time.
fn rests(pid: i32) -> bool {
    (0..100).all(|_| proc::stat(pid).is_some_and(|stat| stat.state == 'S'))
}

#[test]
fn one_that_closes_its_output_goes_on_and_wakes_nobody() {
    let prefix = Prefix::new();
    let script =
        "exec >&- 2>&-; trap 'echo left > left; exit 0' TERM; echo closed > closed; while :; do sleep 0.02; done";
    let probe = ProbeKind::Exec(["/bin/sh", "-c", "test -s closed"].map(Text::literal).into());
    let ready = Some(Probe { interval: Duration::from_millis(20), ..Probe::new(probe) });
    prefix.generation(1, vec![ServiceSpec { ready, ..prefix.service("web", script) }]);
    prefix.commit(1);
    let pid = prefix.pid("web");
    for stream in [1, 2] {
        assert!(fs::symlink_metadata(format!("/proc/{pid}/fd/{stream}")).is_err(), "it has {stream} still");
    }
    let ours = prefix.client().status().expect("status");
    for pid in [ours.supervisor, ours.keeper] {
        until("its rest", || rests(pid).then_some(()));
    }
    // One that spins would be seen.
    let mut busy = Command::new("/bin/sh").args(["-c", "while :; do :; done"]).spawn().expect("a process");
    until("its work", || (!rests(busy.id().cast_signed())).then_some(()));
    assert!((0..20).all(|_| !rests(busy.id().cast_signed())));
    busy.kill().and_then(|()| busy.wait()).expect("its end");
    let status = prefix.status("web");
    assert_eq!((status.state, status.pid, status.restarts), (ServiceState::Ready, Some(pid), 0));
    prefix.stop(&["web"]);
    assert!(!is_alive(pid) && prefix.path("left").exists());
    assert_eq!(prefix.log("web"), "");
}

#[test]
fn one_that_exits_well_is_done_unless_it_is_always_wanted() {
    for policy in [RestartPolicy::OnFailure, RestartPolicy::Never] {
        let prefix = Prefix::new();
        let restart = Restart { policy, ..Restart::default() };
        prefix.generation(1, vec![ServiceSpec { restart, ..prefix.service("web", "echo well") }]);
        prefix.commit(1);
        let status = until("its end", || Some(prefix.status("web")).filter(|status| status.pid.is_none()));
        assert_eq!((status.state, status.restarts, status.reason), (ServiceState::Done, 0, None), "{policy:?}");
        assert_eq!(status.last_exit.as_deref(), Some("exited with 0"));
        assert_eq!(prefix.log("web"), "well\n");
    }
    let prefix = Prefix::new();
    prefix.generation(1, vec![prefix.service("web", "test -e go && exit 0; exec sleep 1000")]);
    prefix.commit(1);
    fs::write(prefix.path("go"), "").expect("go");
    kill(prefix.pid("web"));
    let status =
        until("its failure", || Some(prefix.status("web")).filter(|status| status.state == ServiceState::Failed));
    let reason = "it exited with 0; it was started 5 times within 30 s and is given up";
    assert_eq!((status.reason.as_deref(), status.pid), (Some(reason), None));
    assert_eq!(status.last_exit.as_deref(), Some("exited with 0"));
}

#[test]
fn one_that_stands_still_is_killed_after_its_grace() {
    let prefix = Prefix::new();
    let stop = Stop { grace: Duration::from_millis(200), ..Stop::default() };
    prefix.generation(1, vec![ServiceSpec { stop, ..prefix.service("web", "kill -STOP $$; echo went on") }]);
    prefix.commit(1);
    let pid = prefix.pid("web");
    until("its standstill", || proc::stat(pid).filter(|stat| stat.state == 'T'));
    prefix.stop(&["web"]);
    assert!(!is_alive(pid) && prefix.tree("web").is_empty());
    let status = prefix.status("web");
    assert_eq!((status.state, status.last_exit.as_deref()), (ServiceState::Stopped, Some("was killed by SIGKILL")));
    assert_eq!(prefix.log("web"), "");
}

/// The kernel counts all processes of a user, and lets root have as many as he likes: in a sandbox it is a user of its own.
#[test]
fn a_fork_bomb_bursts_within_its_limit_and_everybody_else_goes_on() {
    let script = "import os, signal
made = 0
for _ in range(300):
    try: child = os.fork()
    except BlockingIOError: break
    if child == 0: os.execvp('sleep', ['sleep', '1000'])
    made += 1
print('refused after' if made < 300 else 'never refused:', made, flush=True)
while True: signal.pause()";
    let command = |words: &str| format!("recipe = \"command\"\ncommand = {words}\n");
    let bomb = command(&format!("[\"/usr/bin/env\", \"python3\", \"-c\", '''{script}''']"));
    let web = command(&format!("[\"/bin/sh\", \"-c\", \"{FOREVER}\"]"));
    let life = Life::of(&format!(
        "[parts.web]\n{web}[parts.bomb]\n{bomb}limits = {{ processes = 50 }}\nready = {{ log = \"refused\" }}\n"
    ));
    life.install();
    let said = life.run(&["logs", "bomb"]).success().stdout().to_owned();
    assert!(said.contains("refused after "), "{said}");
    let web = life.pid("web");
    life.run(&["restart", "web"]).success();
    assert_ne!(life.pid("web"), web);
    assert_eq!(life.service("bomb")["state"], "ready");
    life.run(&["stop"]).success();
    life.is_quiet();
}
