//! Sockets that are held for services: whoever serves them may end and come back, and nobody is refused.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use jove_install::service::{ServiceSpec, Sockets};
use jove_install::supervisor::{Outcome, ServiceState, SwitchOutcome};
use jove_install::text::Text;

use super::{FOREVER, Prefix, is_alive, kill, named, until};

/// Answers each caller with its number and what it was given; finishes what it began before it ends.
pub const SERVER: &str = "import os, select, signal, socket, sys, time
stop, wake = [], socket.socketpair()
for end in wake: end.setblocking(False)
signal.signal(signal.SIGTERM, lambda *_: stop.append(1))
signal.set_wakeup_fd(wake[1].fileno())
assert os.environ['LISTEN_PID'] == str(os.getpid()), os.environ['LISTEN_PID']
count = int(os.environ['LISTEN_FDS'])
sockets = [socket.socket(fileno=3 + number) for number in range(count)]
word = os.environ.get('WORD', 'one')
while not stop:
    for ready in select.select([*sockets, wake[0]], [], [])[0]:
        if ready is wake[0] or stop: continue
        ready.setblocking(False)
        try: caller, _ = ready.accept()
        except BlockingIOError: continue
        caller.setblocking(True)
        caller.recv(100)
        caller.sendall(('%s %d %s' % (word, os.getpid(), os.environ['LISTEN_FDNAMES'])).encode())
        caller.close()
";

/// A port that was free a moment ago.
pub fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").expect("bind").local_addr().expect("address").to_string()
}

pub(super) fn serving(prefix: &Prefix, listens: &[&str]) -> ServiceSpec {
    ServiceSpec {
        command: ["/usr/bin/env", "python3", "-c", SERVER].map(Text::literal).into(),
        listens: listens.iter().map(|address| (*address).to_owned()).collect(),
        sockets: Sockets::ListenFds,
        ..prefix.service("web", "")
    }
}

/// What a server answers; an error is a caller who was refused or cut off.
pub fn call(address: &str) -> std::io::Result<String> {
    let mut text = String::new();
    match address.strip_prefix("unix:") {
        Some(path) => {
            let mut stream = UnixStream::connect(path)?;
            stream.write_all(b"hello")?;
            stream.read_to_string(&mut text)?;
        }
        None => {
            let mut stream = TcpStream::connect(address)?;
            stream.write_all(b"hello")?;
            stream.read_to_string(&mut text)?;
        }
    }
    if text.is_empty() { Err(std::io::Error::other("cut off")) } else { Ok(text) }
}

/// Calls again and again from four sides while something happens; nobody may be refused or cut off.
pub fn under_load(address: &str, happens: impl FnOnce()) {
    under_load_by(&|| call(address), happens);
}

/// The same, by callers that call in their own way.
pub fn under_load_by(call: &(impl Fn() -> std::io::Result<String> + Sync), happens: impl FnOnce()) {
    let (is_over, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    let calls = || {
        while !is_over.load(Ordering::Relaxed) {
            call()?;
            answered.fetch_add(1, Ordering::Relaxed);
        }
        Ok::<(), std::io::Error>(())
    };
    std::thread::scope(|scope| {
        let callers: Vec<_> = (0..4).map(|_| scope.spawn(calls)).collect();
        until("first answers", || (answered.load(Ordering::Relaxed) > 20).then_some(()));
        happens();
        let now = answered.load(Ordering::Relaxed);
        until("more answers", || (answered.load(Ordering::Relaxed) > now + 20).then_some(()));
        is_over.store(true, Ordering::Relaxed);
        for caller in callers {
            caller.join().expect("thread").expect("nobody is refused or cut off");
        }
    });
}

#[test]
fn nobody_is_refused_while_a_service_restarts() {
    let prefix = Prefix::new();
    let (tcp, unix) = (free_address(), format!("unix:{}", prefix.path("run/web/web.sock").display()));
    prefix.generation(1, vec![serving(&prefix, &[&tcp, &unix])]);
    prefix.commit(1);
    let first = prefix.pid("web");
    assert_eq!(call(&unix).expect("answer"), format!("one {first} web:web"));
    under_load(&tcp, || {
        for _ in 0..3 {
            assert_eq!(prefix.client().restart(&[named("web")], &mut |_| {}).expect("restart"), Outcome::Done);
        }
    });
    assert_ne!(prefix.pid("web"), first);
    // A crash cuts off whom it served, but the next caller waits for the next process.
    kill(prefix.pid("web"));
    call(&tcp).expect("an answer after a crash");
    // Stopped, it refuses at once; started, it is there again.
    prefix.stop(&["web"]);
    until("refusal", || call(&tcp).err());
    until("no socket", || (!prefix.path("run/web/web.sock").exists()).then_some(()));
    assert_eq!(prefix.client().start(&[], &mut |_| {}).expect("start"), Outcome::Done);
    call(&tcp).and(call(&unix)).expect("answers");
}

#[test]
fn sockets_outlive_the_supervisor_and_the_keeper() {
    let prefix = Prefix::new();
    let address = free_address();
    prefix.generation(1, vec![serving(&prefix, &[&address])]);
    prefix.commit(1);
    let ours = prefix.client().status().expect("status");
    under_load(&address, || {
        kill(ours.supervisor);
        until("another supervisor", || {
            prefix.client().status().ok().filter(|status| status.supervisor != ours.supervisor)
        });
    });
    kill(ours.keeper);
    until("its end", || (!is_alive(ours.keeper)).then_some(()));
    prefix.client();
    // Where one process may look into another, as root may, the next keeper holds the very same socket.
    under_load(&address, || {
        assert_eq!(prefix.client().restart(&[named("web")], &mut |_| {}).expect("restart"), Outcome::Done);
    });
}

#[test]
fn an_address_that_is_taken_is_named_before_anything_starts() {
    let prefix = Prefix::new();
    let stranger = TcpListener::bind("127.0.0.1:0").expect("bind");
    let taken = stranger.local_addr().expect("address").to_string();
    let free = free_address();
    let db = prefix.service("db", FOREVER);
    prefix.generation(1, vec![db, serving(&prefix, &[&free, &taken])]);
    let SwitchOutcome::BackedOut { reason, .. } = prefix.switch(1) else { panic!("committed") };
    assert!(reason.contains(&taken) && reason.contains(&format!("(pid {})", std::process::id())), "{reason}");
    assert!(prefix.log("db").is_empty() && prefix.tree("db").is_empty());
    call(&free).expect_err("nothing listens there either");
    drop(stranger);
    prefix.commit(1);
    call(&taken).and(call(&free)).expect("answers");
}

#[test]
fn nginx_is_told_in_its_own_way_and_nothing_else_is_inherited() {
    let prefix = Prefix::new();
    let address = free_address();
    let script = format!("echo \"NGINX=$NGINX\"; ls /proc/self/fd | tr '\\n' ' '; {FOREVER}");
    let spec = ServiceSpec { listens: vec![address], sockets: Sockets::Nginx, ..prefix.service("web", &script) };
    prefix.generation(1, vec![spec]);
    prefix.commit(1);
    let log = until("its words", || Some(prefix.log("web")).filter(|log| log.lines().count() == 2));
    // `ls` itself has one more open, on the folder that it lists.
    assert_eq!(log, "NGINX=3;\n0 1 2 3 4 ");
    // A worker that comes too late for a connection goes on with those it has.
    let facts = fs::read_to_string(format!("/proc/{}/fdinfo/3", prefix.pid("web"))).expect("facts of the socket");
    let flags = facts.lines().find_map(|line| line.strip_prefix("flags:")).expect("flags").trim();
    assert_ne!(u32::from_str_radix(flags, 8).expect("octal") & 0o4000, 0, "it waits: {flags}");
}

#[test]
fn one_that_fails_refuses_its_callers() {
    let prefix = Prefix::new();
    let address = free_address();
    prefix.generation(1, vec![serving(&prefix, &[&address])]);
    prefix.commit(1);
    // From now on it cannot start.
    let spec = ServiceSpec {
        command: ["/bin/sh", "-c", "test -e well || exit 1; exec sleep 1000"].map(Text::literal).into(),
        ..serving(&prefix, &[&address])
    };
    fs::write(prefix.path("well"), "").expect("well");
    prefix.generation(2, vec![spec]);
    prefix.commit(2);
    fs::remove_file(prefix.path("well")).expect("remove");
    kill(prefix.pid("web"));
    until("failure", || (prefix.status("web").state == ServiceState::Failed).then_some(()));
    until("refusal", || TcpStream::connect(&address).err());
}
