//! What services say of themselves over their notify sockets.

use std::fs;
use std::time::Duration;

use jove_install::service::{Probe, ProbeKind, ServiceSpec};
use jove_install::supervisor::{ServiceState, SwitchOutcome};
use jove_install::text::Text;
use rustix::process::{Pid, Signal, kill_process};

use super::{Prefix, is_alive, kill, until};

/// Words that a Python program needs to speak.
const SAY: &str = "import os, signal, socket, sys, time
ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
def say(text): ear.sendto(text.encode(), os.environ['NOTIFY_SOCKET'])
def wait(name):
    while not os.path.exists(name): time.sleep(0.01)
    return open(name).read()
";

fn speaking(prefix: &Prefix, script: &str) -> ServiceSpec {
    let ready = Probe { deadline: Duration::from_secs(30), ..Probe::new(ProbeKind::Notify) };
    let command = ["/usr/bin/env", "python3", "-c", &format!("{SAY}{script}")].map(Text::literal);
    ServiceSpec { command: command.into(), ready: Some(ready), ..prefix.service("web", "") }
}

#[test]
fn it_says_that_it_takes_longer_and_what_it_does() {
    let prefix = Prefix::new();
    let script = "say('EXTEND_TIMEOUT_USEC=30000000\\nSTATUS=warming up')
wait('go')
say('READY=1\\nSTATUS=serving')
signal.pause()";
    let mut spec = speaking(&prefix, script);
    // Long enough to begin, too short to get ready.
    spec.ready = Some(Probe { deadline: Duration::from_secs(5), ..Probe::new(ProbeKind::Notify) });
    prefix.generation(1, vec![spec]);
    let started = std::time::Instant::now();
    std::thread::scope(|scope| {
        let switch = scope.spawn(|| prefix.switch(1));
        until("its status", || (prefix.try_status("web")?.status.as_deref() == Some("warming up")).then_some(()));
        until("more than it had", || (started.elapsed() > Duration::from_millis(5500)).then_some(()));
        assert_eq!(prefix.status("web").state, ServiceState::Starting);
        fs::write(prefix.path("go"), "").expect("go");
        assert_eq!(switch.join().expect("switch"), SwitchOutcome::Committed);
    });
    let status = prefix.status("web");
    assert_eq!((status.state, status.status.as_deref(), status.restarts), (ServiceState::Ready, Some("serving"), 0));
}

#[test]
fn it_is_started_again_when_it_gives_no_sign_of_life() {
    let prefix = Prefix::new();
    let script = "often = int(os.environ['WATCHDOG_USEC']) / 1e6
say('READY=1')
while not os.path.exists('hang'):
    say('WATCHDOG=1')
    time.sleep(often / 4)
os.unlink('hang')
signal.pause()";
    let watchdog = Some(Duration::from_secs(2));
    prefix.generation(1, vec![ServiceSpec { watchdog, ..speaking(&prefix, script) }]);
    prefix.commit(1);
    let first = prefix.pid("web");
    fs::write(prefix.path("hang"), "").expect("hang");
    until("a new process", || {
        let status = prefix.status("web");
        (status.state == ServiceState::Ready && status.pid != Some(first)).then_some(())
    });
    let status = prefix.status("web");
    assert_eq!((status.restarts, status.last_exit.as_deref()), (1, Some("was killed by SIGABRT")));
    let events = prefix.client().events(100).expect("events");
    assert!(events.iter().any(|event| event.text.contains("it gave no sign of life within 2 s")), "{events:?}");
}

#[test]
fn another_process_of_it_becomes_the_main_one() {
    let prefix = Prefix::new();
    let script = "child = os.fork()
if child == 0:
    os.setsid()
    signal.pause()
say('STATUS=forked\\nREADY=1\\nMAINPID=%d' % child)";
    prefix.generation(1, vec![speaking(&prefix, script)]);
    prefix.commit(1);
    let status = prefix.status("web");
    let main = status.pid.expect("pid");
    assert_eq!((status.state, status.status.as_deref()), (ServiceState::Ready, Some("forked")));
    // The first process has said its word; it takes its time to end, and that is no failure.
    until("the end of the first process", || (prefix.tree("web") == [main]).then_some(()));
    let status = prefix.status("web");
    assert_eq!((status.state, status.pid, status.restarts), (ServiceState::Ready, Some(main), 0));
    // The same after supervisor and keeper were killed.
    prefix.kill_ours();
    assert_eq!((prefix.pid("web"), prefix.status("web").state), (main, ServiceState::Ready));
    kill(main);
    let second = until("a new process", || prefix.status("web").pid.filter(|pid| *pid != main));
    prefix.stop(&[]);
    assert!(!is_alive(second) && prefix.tree("web").is_empty());
}

#[test]
fn a_stranger_does_not_become_the_main_process() {
    let prefix = Prefix::new();
    let mut stranger = std::process::Command::new("sleep").arg("1000").spawn().expect("stranger");
    let script = format!("say('MAINPID={}\\nREADY=1')\nsignal.pause()", stranger.id());
    prefix.generation(1, vec![speaking(&prefix, &script)]);
    prefix.commit(1);
    assert_eq!(prefix.tree("web"), [prefix.pid("web")]);
    prefix.stop(&[]);
    assert!(stranger.try_wait().expect("wait").is_none(), "it lives");
    stranger.kill().expect("kill");
    stranger.wait().expect("wait");
}

#[test]
fn it_says_that_it_ends_by_itself() {
    let prefix = Prefix::new();
    let script = "def leave(*_):
    say('STOPPING=1')
    wait('go')
    os.unlink('go')
    sys.exit(0)
signal.signal(signal.SIGUSR1, leave)
say('READY=1')
signal.pause()";
    prefix.generation(1, vec![speaking(&prefix, script)]);
    prefix.commit(1);
    let first = prefix.pid("web");
    let _ = kill_process(Pid::from_raw(first).expect("pid"), Signal::USR1);
    until("its word", || (prefix.status("web").state == ServiceState::Stopping).then_some(()));
    fs::write(prefix.path("go"), "").expect("go");
    until("a new process", || {
        let status = prefix.status("web");
        (status.state == ServiceState::Ready && status.pid != Some(first)).then_some(())
    });
    assert_eq!(prefix.status("web").last_exit.as_deref(), Some("exited with 0"));
}

#[test]
fn what_it_says_while_the_supervisor_dies_is_not_lost() {
    let prefix = Prefix::new();
    let script = "wait('go')
say('READY=1\\nSTATUS=said to nobody')
open('said', 'w')
signal.pause()";
    prefix.generation(1, vec![speaking(&prefix, script)]);
    prefix.client();
    std::thread::scope(|scope| {
        let switch = scope.spawn(|| prefix.switch(1));
        until("the start", || prefix.try_status("web")?.pid);
        let supervisor = Pid::from_raw(prefix.client().status().expect("status").supervisor).expect("pid");
        kill_process(supervisor, Signal::STOP).expect("stop");
        fs::write(prefix.path("go"), "").expect("go");
        until("its words", || prefix.path("said").exists().then_some(()));
        kill_process(supervisor, Signal::KILL).expect("kill");
        // The switch is backed out, for nobody knows how far it was; the next one finds it as it is.
        assert!(matches!(switch.join().expect("switch"), SwitchOutcome::BackedOut { .. }));
    });
    prefix.commit(1);
    let (first, former) = (prefix.pid("web"), prefix.client().status().expect("status").supervisor);
    kill(former);
    let status = until("another supervisor", || {
        let status = prefix.client().status().ok().filter(|status| status.supervisor != former)?;
        status.services.into_iter().find(|service| service.name.as_str() == "web")
    });
    assert_eq!((status.pid, status.status.as_deref()), (Some(first), Some("said to nobody")));
}
