//! Services that read their configuration again: the links move just before the signal, and a reload is seen by its effect.

use std::fs;
use std::path::Path;
use std::time::Duration;

use jove_install::service::{ConfFile, Probe, ProbeKind, ReloadShows, ServiceSpec};
use jove_install::state::{SecretEntry, SecretWord, State};
use jove_install::supervisor::{Outcome, ServiceState, SwitchOutcome};
use jove_install::text::{SecretRef, Text};

use super::{Prefix, kill, named, start_with_checkpoint, until};

/// A master with one worker, as nginx: told to reload, it makes a new worker if it likes its configuration, else it goes on.
const MASTER: &str = "import os, signal, socket, time
worker = None
def read(*_):
    global worker
    conf = open('run/web/conf/app.conf').read()
    if conf.startswith('bad'): return print('cannot use', conf, flush=True)
    former, worker = worker, os.fork()
    if worker == 0:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        open('read.new', 'w').write(conf)
        os.rename('read.new', 'read')
        while True: signal.pause()
    if former: os.kill(former, signal.SIGKILL); os.waitpid(former, 0)
signal.signal(signal.SIGHUP, read)
read()
ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
ear.sendto(b'READY=1', os.environ['NOTIFY_SOCKET'])
while True: signal.pause()
";

fn configured(prefix: &Prefix, version: u32, conf: &str) -> ServiceSpec {
    let sealed = prefix.path(&format!("store/{version}-web/app.conf"));
    fs::create_dir_all(sealed.parent().expect("folder")).expect("folder");
    fs::write(&sealed, conf).expect("conf");
    ServiceSpec {
        command: ["/usr/bin/env", "python3", "-c", MASTER].map(Text::literal).into(),
        ready: Some(Probe { deadline: Duration::from_secs(5), ..Probe::new(ProbeKind::Notify) }),
        reload: Some("HUP".into()),
        reload_shows: ReloadShows::Workers,
        conf: vec![ConfFile { sealed, link: prefix.path("run/web/conf/app.conf"), secret: false }],
        ..prefix.service("web", "")
    }
}

fn read(prefix: &Prefix) -> String {
    fs::read_to_string(prefix.path("read")).unwrap_or_default()
}

fn link(prefix: &Prefix) -> String {
    let target = fs::read_link(prefix.path("run/web/conf/app.conf")).expect("link");
    target.strip_prefix(prefix.path("store")).map(Path::to_path_buf).expect("in the store").display().to_string()
}

#[test]
fn a_changed_configuration_is_read_without_a_restart_and_a_bad_one_is_backed_out() {
    let prefix = Prefix::new();
    prefix.generation(1, vec![configured(&prefix, 1, "one")]);
    prefix.commit(1);
    let first = prefix.pid("web");
    until("its reading", || (read(&prefix) == "one").then_some(()));
    prefix.generation(2, vec![configured(&prefix, 2, "two")]);
    prefix.commit(2);
    assert_eq!(
        (prefix.pid("web"), prefix.status("web").restarts, link(&prefix).as_str()),
        (first, 0, "2-web/app.conf")
    );
    until("its reading", || (read(&prefix) == "two").then_some(()));
    // Nothing shows that it has read the third, so that the second is put back and read again.
    prefix.generation(3, vec![configured(&prefix, 3, "bad three")]);
    let SwitchOutcome::BackedOut { reason, last_lines } = prefix.switch(3) else { panic!("committed") };
    assert!(reason.starts_with("web: nothing shows that it has read its configuration again"), "{reason}");
    assert_eq!(last_lines.last().map(String::as_str), Some("cannot use bad three"));
    assert_eq!((prefix.pid("web"), link(&prefix).as_str()), (first, "2-web/app.conf"));
    until("its reading", || (read(&prefix) == "two").then_some(()));
    // Asked for by hand, the same is read again.
    fs::remove_file(prefix.path("read")).expect("remove");
    assert_eq!(prefix.client().reload(&[named("web")], &mut |_| {}).expect("reload"), Outcome::Done);
    until("its reading", || (read(&prefix) == "two").then_some(()));
    // A process that is killed comes back with what is committed.
    kill(first);
    until("a new process", || prefix.status("web").pid.filter(|pid| *pid != first));
    until("its reading", || (read(&prefix) == "two").then_some(()));
}

#[test]
fn a_reload_that_is_killed_half_way_goes_back() {
    let prefix = Prefix::new();
    prefix.generation(1, vec![configured(&prefix, 1, "one")]);
    prefix.commit(1);
    let first = prefix.pid("web");
    prefix.kill_ours();
    start_with_checkpoint(&prefix, "reload-before-signal");
    prefix.generation(2, vec![configured(&prefix, 2, "two")]);
    assert!(matches!(prefix.switch(2), SwitchOutcome::BackedOut { .. }));
    assert_eq!(link(&prefix), "1-web/app.conf");
    until("readiness", || (prefix.status("web").state == ServiceState::Ready).then_some(()));
    assert_eq!((prefix.pid("web"), read(&prefix).as_str()), (first, "one"));
    prefix.commit(2);
    until("its reading", || (read(&prefix) == "two").then_some(()));
    assert_eq!(prefix.pid("web"), first);
}

#[test]
fn a_configuration_with_secrets_that_is_killed_half_way_goes_back() {
    for checkpoint in ["reload-after-link", "reload-before-signal"] {
        let prefix = Prefix::new();
        let entry = SecretEntry::given(SecretWord::new("canary"));
        let name =
            SecretRef { part: named("web"), option: "password".parse().expect("name"), version: entry.version.clone() };
        let state = State { secrets: [("web.password".to_owned(), entry)].into(), ..State::default() };
        state.save(&prefix.layout).expect("state");
        let configured = |version, word: &str| {
            let mut spec = configured(&prefix, version, &format!("{word} {}", Text::secret(name.clone()).to_marked()));
            spec.conf[0].secret = true;
            spec
        };
        let placed = || fs::read_to_string(prefix.path("run/web/conf/app.conf")).expect("configuration");
        start_with_checkpoint(&prefix, checkpoint);
        prefix.generation(1, vec![configured(1, "one")]);
        prefix.commit(1);
        let first = prefix.pid("web");
        until("its reading", || (read(&prefix) == "one canary").then_some(()));
        prefix.generation(2, vec![configured(2, "two")]);
        assert!(matches!(prefix.switch(2), SwitchOutcome::BackedOut { .. }), "{checkpoint}");
        until("what was before", || (placed() == "one canary").then_some(()));
        until("readiness", || (prefix.status("web").state == ServiceState::Ready).then_some(()));
        assert_eq!((prefix.pid("web"), read(&prefix).as_str()), (first, "one canary"), "{checkpoint}");
        prefix.commit(2);
        until("its reading", || (read(&prefix) == "two canary").then_some(()));
        assert_eq!((prefix.pid("web"), placed().as_str()), (first, "two canary"), "{checkpoint}");
    }
}

#[test]
fn one_that_says_when_it_has_reloaded_is_waited_for() {
    let prefix = Prefix::new();
    let script = "import os, signal, socket, time
ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
def say(text): ear.sendto(text, os.environ['NOTIFY_SOCKET'])
def read(*_):
    say(b'RELOADING=1')
    while not os.path.exists('go'): time.sleep(0.01)
    say(b'READY=1\\nSTATUS=read again')
signal.signal(signal.SIGHUP, read)
say(b'READY=1')
while True: signal.pause()";
    let spec = ServiceSpec {
        command: ["/usr/bin/env", "python3", "-c", script].map(Text::literal).into(),
        ready: Some(Probe { deadline: Duration::from_secs(30), ..Probe::new(ProbeKind::Notify) }),
        reload: Some("HUP".into()),
        reload_shows: ReloadShows::Notice,
        ..prefix.service("web", "")
    };
    prefix.generation(1, vec![spec]);
    prefix.commit(1);
    std::thread::scope(|scope| {
        let reload = scope.spawn(|| prefix.client().reload(&[named("web")], &mut |_| {}).expect("reload"));
        fs::write(prefix.path("go"), "").expect("go");
        assert_eq!(reload.join().expect("thread"), Outcome::Done);
    });
    assert_eq!(prefix.status("web").status.as_deref(), Some("read again"));
}
