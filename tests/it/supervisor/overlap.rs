//! Services that are replaced while they run: the new process is ready before the former one is told to stop.

use std::fs;
use std::time::Duration;

use jove_install::service::{Probe, ProbeKind, ServiceSpec, Sockets};
use jove_install::supervisor::{Outcome, ServiceState, SwitchOutcome};
use jove_install::text::Text;

use super::sockets::{SERVER, call, free_address, serving, under_load, under_load_by};
use super::{Prefix, kill, named, start_with_checkpoint, until};

/// A server that says that it is ready, and writes down when it comes and goes. It cannot start while a file `broken` is there.
fn overlapping(prefix: &Prefix, address: &str, word: &str) -> ServiceSpec {
    let server = SERVER.replace(
        "while not stop:",
        "if os.path.exists('broken'): sys.exit('it is broken')
def note(text):
    with open('order', 'a') as order: order.write('%s %d\\n' % (text, os.getpid()))
note('up')
ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
ear.sendto(b'READY=1', os.environ['NOTIFY_SOCKET'])
while not stop:",
    ) + "note('down')\n";
    let mut spec = ServiceSpec {
        command: ["/usr/bin/env", "python3", "-c", &server].map(Text::literal).into(),
        ready: Some(Probe { deadline: Duration::from_secs(30), ..Probe::new(ProbeKind::Notify) }),
        overlap: true,
        ..serving(prefix, &[address])
    };
    spec.vars.insert("WORD".into(), Text::literal(word));
    spec
}

fn order(prefix: &Prefix) -> Vec<String> {
    fs::read_to_string(prefix.path("order")).unwrap_or_default().lines().map(str::to_owned).collect()
}

/// All processes of a service, by whichever name the keeper calls them.
fn processes(prefix: &Prefix, name: &str) -> Vec<i32> {
    [prefix.tree(name), prefix.tree(&format!("{name}--next"))].concat()
}

fn restart(prefix: &Prefix) -> Outcome {
    prefix.client().restart(&[named("web")], &mut |_| {}).expect("restart")
}

#[test]
fn a_restart_has_no_gap_and_a_failed_one_changes_nothing() {
    let prefix = Prefix::new();
    let address = free_address();
    prefix.generation(1, vec![overlapping(&prefix, &address, "one")]);
    prefix.commit(1);
    let mut pids = vec![prefix.pid("web")];
    under_load(&address, || {
        for _ in 0..3 {
            assert_eq!(restart(&prefix), Outcome::Done);
            pids.push(prefix.pid("web"));
        }
    });
    let mut expected = vec![format!("up {}", pids[0])];
    expected.extend(pids.windows(2).flat_map(|pair| [format!("up {}", pair[1]), format!("down {}", pair[0])]));
    assert_eq!(order(&prefix), expected, "each was ready before the former went");
    assert_eq!(processes(&prefix, "web"), [pids[3]]);
    // A new process that cannot start goes, and nobody has noticed.
    fs::write(prefix.path("broken"), "").expect("break");
    under_load(&address, || {
        let Outcome::Failed { reason, last_lines } = restart(&prefix) else { panic!("done") };
        assert!(reason.contains("the former process goes on"), "{reason}");
        assert_eq!(last_lines.last().map(String::as_str), Some("it is broken"));
    });
    assert_eq!((prefix.status("web").state, prefix.status("web").pid), (ServiceState::Ready, Some(pids[3])));
    assert_eq!(processes(&prefix, "web"), [pids[3]]);
    // It is supervised as before: killed, it comes back.
    fs::remove_file(prefix.path("broken")).expect("mend");
    kill(pids[3]);
    until("a new process", || prefix.status("web").pid.filter(|pid| *pid != pids[3]));
    call(&address).expect("an answer");
    prefix.stop(&[]);
    assert_eq!(processes(&prefix, "web"), [] as [i32; 0]);
}

#[test]
fn a_switch_has_no_gap_whether_it_is_committed_or_backed_out() {
    let prefix = Prefix::new();
    let address = free_address();
    prefix.generation(1, vec![overlapping(&prefix, &address, "one")]);
    prefix.commit(1);
    let first = prefix.pid("web");
    prefix.generation(2, vec![overlapping(&prefix, &address, "two")]);
    under_load(&address, || prefix.commit(2));
    let second = prefix.pid("web");
    assert_eq!(order(&prefix), [format!("up {first}"), format!("up {second}"), format!("down {first}")]);
    assert_eq!(call(&address).expect("answer"), format!("two {second} web"));
    prefix.generation(3, vec![overlapping(&prefix, &address, "three")]);
    fs::write(prefix.path("broken"), "").expect("break");
    under_load(&address, || {
        let SwitchOutcome::BackedOut { reason, .. } = prefix.switch(3) else { panic!("committed") };
        assert!(reason.starts_with("web: it exited with 1"), "{reason}");
    });
    assert_eq!((prefix.status("web").state, prefix.pid("web")), (ServiceState::Ready, second));
    assert_eq!(processes(&prefix, "web"), [second]);
}

#[test]
fn a_switch_that_is_killed_anywhere_leaves_one_that_serves() {
    for checkpoint in
        ["trial-before-stop", "trial-after-stop", "trial-after-start", "commit-before-rename", "commit-after-rename"]
    {
        let prefix = Prefix::new();
        let address = free_address();
        prefix.generation(1, vec![overlapping(&prefix, &address, "one")]);
        prefix.commit(1);
        prefix.kill_ours();
        start_with_checkpoint(&prefix, checkpoint);
        prefix.generation(2, vec![overlapping(&prefix, &address, "two")]);
        under_load(&address, || {
            let word = if prefix.switch(2) == SwitchOutcome::Committed { "two" } else { "one" };
            let pid = until("one that serves", || {
                let status = prefix.try_status("web")?;
                let pid = status.pid.filter(|_| status.state == ServiceState::Ready)?;
                (processes(&prefix, "web") == [pid]).then_some(pid)
            });
            assert_eq!(call(&address).expect("answer"), format!("{word} {pid} web"), "{checkpoint}");
            prefix.commit(2);
        });
        let pid = prefix.pid("web");
        assert_eq!(call(&address).expect("answer"), format!("two {pid} web"), "{checkpoint}");
        assert_eq!(processes(&prefix, "web"), [pid], "{checkpoint}");
    }
}

/// The same server with a socket of its own, beside which another may listen.
fn sharing(prefix: &Prefix, address: &str, word: &str) -> ServiceSpec {
    let mut spec = overlapping(prefix, address, word);
    let script = spec.command.pop().and_then(|text| text.as_plain().map(str::to_owned)).expect("script");
    let held = "assert os.environ['LISTEN_PID'] == str(os.getpid()), os.environ['LISTEN_PID']
count = int(os.environ['LISTEN_FDS'])
sockets = [socket.socket(fileno=3 + number) for number in range(count)]
";
    let own = "assert 'LISTEN_FDS' not in os.environ
host, port = os.environ['ADDRESS'].split(':')
sockets = [socket.socket()]
for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT): sockets[0].setsockopt(socket.SOL_SOCKET, option, 1)
sockets[0].bind((host, int(port)))
sockets[0].listen(100)
";
    assert!(script.contains(held), "{script}");
    spec.command.push(Text::literal(script.replace(held, own).replace("os.environ['LISTEN_FDNAMES']", "'web'")));
    spec.vars.insert("ADDRESS".into(), Text::literal(address));
    ServiceSpec { sockets: Sockets::ReusePort, ..spec }
}

/// Somebody listens at each moment. Callers who waited for the one that went are cut off, as the kernel has it, and call again.
#[test]
fn a_port_that_is_shared_is_never_without_a_listener() {
    let prefix = Prefix::new();
    let address = free_address();
    prefix.generation(1, vec![sharing(&prefix, &address, "one")]);
    prefix.commit(1);
    let patient = || match call(&address) {
        Err(error) if error.kind() != std::io::ErrorKind::ConnectionRefused => call(&address),
        answer => answer,
    };
    let mut pids = vec![prefix.pid("web")];
    under_load_by(&patient, || {
        assert_eq!(restart(&prefix), Outcome::Done);
        pids.push(prefix.pid("web"));
        prefix.generation(2, vec![sharing(&prefix, &address, "two")]);
        prefix.commit(2);
        pids.push(prefix.pid("web"));
    });
    let mut expected = vec![format!("up {}", pids[0])];
    expected.extend(pids.windows(2).flat_map(|pair| [format!("up {}", pair[1]), format!("down {}", pair[0])]));
    assert_eq!(order(&prefix), expected, "each was ready before the former went");
    assert_eq!(call(&address).expect("answer"), format!("two {} web", pids[2]));
    // To a socket that the keeper holds there is no such way, and none back: one is closed before the other is opened.
    prefix.generation(3, vec![overlapping(&prefix, &address, "three")]);
    prefix.commit(3);
    let third = prefix.pid("web");
    assert_eq!(order(&prefix)[5..], [format!("down {}", pids[2]), format!("up {third}")]);
    prefix.generation(4, vec![sharing(&prefix, &address, "four")]);
    prefix.commit(4);
    assert_eq!(call(&address).expect("answer"), format!("four {} web", prefix.pid("web")));
    assert_eq!(processes(&prefix, "web"), [prefix.pid("web")]);
}

#[test]
fn instances_are_replaced_one_after_another() {
    let prefix = Prefix::new();
    let address = free_address();
    let instance = |number: usize| {
        let spec = overlapping(&prefix, &address, &number.to_string());
        ServiceSpec { name: named(&format!("web-{number}")), group: Some(named("web")), part: named("web"), ..spec }
    };
    prefix.generation(1, (1..=3).map(instance).collect());
    prefix.commit(1);
    let pids = || [1, 2, 3].map(|number| prefix.pid(&format!("web-{number}")));
    let first = pids();
    under_load(&address, || assert_eq!(restart(&prefix), Outcome::Done));
    let second = pids();
    let mut expected: Vec<String> = Vec::new();
    for (old, new) in first.iter().zip(second) {
        expected.extend([format!("up {new}"), format!("down {old}")]);
    }
    assert_eq!(order(&prefix)[3..], expected);
    // All of them serve the one address.
    let mut seen = std::collections::BTreeSet::new();
    until("an answer of each", || {
        seen.insert(call(&address).expect("answer").chars().next());
        (seen.len() == 3).then_some(())
    });
}
