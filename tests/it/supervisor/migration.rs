//! Data steps beside which no service of their part may run: callers are refused while one runs, and nobody waits for its end.

use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::UnixStream;
use std::thread;

use jove_install::condition::NeedCondition;
use jove_install::service::{Kind, Need, Restart, RestartPolicy, ServiceSpec};
use jove_install::supervisor::SwitchOutcome;
use jove_install::text::Text;

use super::sockets::{call, free_address, serving};
use super::{Prefix, kill, named, until};

/// A service at these addresses, and a data step of its part that waits to be told how it ends.
fn migrated(prefix: &Prefix, listens: &[&str], word: &str, alone: bool) -> Vec<ServiceSpec> {
    let step = ServiceSpec {
        part: named("web"),
        kind: Kind::Step { key: word.into() },
        restart: Restart { policy: RestartPolicy::Never, ..Restart::default() },
        alone,
        ..prefix.service("web-prepare", "read word < gate && test \"$word\" = well")
    };
    let need = Need { service: named("web-prepare"), condition: NeedCondition::Succeeded };
    let mut web = ServiceSpec { needs: vec![need], ..serving(prefix, listens) };
    web.vars.insert("WORD".into(), Text::literal(word));
    vec![step, web]
}

/// Switches, does something while the data step runs, and tells it how it ends.
fn switch(prefix: &Prefix, to: u32, meanwhile: impl FnOnce(), word: &str) -> SwitchOutcome {
    thread::scope(|scope| {
        let switched = scope.spawn(|| prefix.switch(to));
        // It can be opened without waiting once the step is there to read.
        let nonblocking = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).expect("a flag");
        let open = || OpenOptions::new().write(true).custom_flags(nonblocking).open(prefix.path("gate")).ok();
        let mut gate = until("the step", open);
        meanwhile();
        // Nobody reads any more if the step was ended meanwhile.
        let _ = writeln!(gate, "{word}");
        drop(gate);
        switched.join().expect("thread")
    })
}

#[test]
fn callers_are_refused_while_the_data_change_and_answered_afterwards() {
    let prefix = Prefix::new();
    rustix::fs::mkfifoat(rustix::fs::CWD, prefix.path("gate"), rustix::fs::Mode::RWXU).expect("a gate");
    let (tcp, unix) = (free_address(), format!("unix:{}", prefix.path("run/web/web.sock").display()));
    let listens = [tcp.as_str(), unix.as_str()];
    let generation = |number, word: &str, alone| prefix.generation(number, migrated(&prefix, &listens, word, alone));
    let answers = |word: &str| {
        let expected = format!("{word} {} web:web", prefix.pid("web"));
        assert_eq!((call(&tcp).expect("tcp"), call(&unix).expect("unix")), (expected.clone(), expected));
    };
    let refused = || {
        let kinds = listens.map(|address| call(address).expect_err("nobody is there").kind());
        assert_eq!(kinds, [std::io::ErrorKind::ConnectionRefused, std::io::ErrorKind::NotFound]);
    };
    generation(1, "one", true);
    assert_eq!(switch(&prefix, 1, refused, "well"), SwitchOutcome::Committed);
    answers("one");
    generation(2, "two", true);
    assert_eq!(switch(&prefix, 2, refused, "well"), SwitchOutcome::Committed);
    answers("two");
    // It fails: what was there before answers again, without having waited for a step that it has done.
    generation(3, "three", true);
    let SwitchOutcome::BackedOut { reason, .. } = switch(&prefix, 3, refused, "broken") else { panic!("committed") };
    assert!(reason.starts_with("web-prepare: it exited with 1"), "{reason}");
    answers("two");
    // So it does where the supervisor is killed meanwhile.
    generation(4, "four", true);
    let ours = prefix.client().status().expect("status").supervisor;
    let killed = || {
        refused();
        kill(ours);
    };
    let outcome = switch(&prefix, 4, killed, "well");
    assert_ne!(outcome, SwitchOutcome::Committed);
    until("the way back", || prefix.try_status("web").filter(|web| web.pid.is_some()));
    answers("two");
    // Where the former code can go on with what the step makes, nobody is refused.
    generation(5, "five", false);
    let mut callers = None;
    let come = || {
        let path = unix.trim_start_matches("unix:");
        callers = Some((TcpStream::connect(&tcp).expect("tcp"), UnixStream::connect(path).expect("unix")));
    };
    assert_eq!(switch(&prefix, 5, come, "well"), SwitchOutcome::Committed);
    let (tcp, unix) = callers.expect("callers");
    let expected = format!("five {} web:web", prefix.pid("web"));
    assert_eq!((answered(tcp), answered(unix)), (expected.clone(), expected));
}

/// What somebody is answered who was not refused.
fn answered(mut stream: impl Read + Write) -> String {
    let mut text = String::new();
    stream.write_all(b"hello").and_then(|()| stream.read_to_string(&mut text)).expect("an answer");
    text
}
