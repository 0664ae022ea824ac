use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::{Access, BeforeExec, Confinement, Enforced, Filter, Machine, Namespaces, Network, Ruleset, SandboxError};
use crate::process::{ProcessError, Run};

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("folder");
        for name in ["own", "other", "hidden"] {
            std::fs::create_dir(folder.path().join(name)).expect("made");
            std::fs::write(folder.path().join(name).join("file"), name).expect("written");
        }
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn access(&self) -> Access {
        Access::read_all().hide(self.path("hidden")).write(self.path("own"))
    }

    fn run(&self, before: impl BeforeExec + 'static, script: &str) -> Result<String, ProcessError> {
        let vars = BTreeMap::from([("PATH".to_owned(), "/usr/local/bin:/usr/bin:/bin".to_owned())]);
        let run = Run::new("/bin/sh", vars).args(["-c", script]).folder(self.path("own")).capture();
        let done = run.limit(Duration::from_secs(300)).before_exec(Arc::new(before)).go()?;
        Ok(String::from_utf8_lossy(&done.stdout).trim().to_owned())
    }
}

/// One try a line: what fails says its exit code.
fn tries(place: &Place) -> String {
    let tries = [
        ("write-own", "echo x > new && mkdir -p a/b && mv new a/b/new && rm -r a".to_owned()),
        ("write-null", "echo x > /dev/null".to_owned()),
        ("read-other", format!("cat {}/file > /dev/null", place.path("other").display())),
        ("read-hidden", format!("cat {}/file > /dev/null", place.path("hidden").display())),
        ("write-other", format!("echo x > {}/new", place.path("other").display())),
        ("change-other", format!("echo x >> {}/file", place.path("other").display())),
        ("remove-other", format!("rm {}/file", place.path("other").display())),
        ("mode-other", format!("chmod 600 {}/file", place.path("other").display())),
    ];
    tries.iter().map(|(name, try_)| format!("( {try_} ) 2>/dev/null && echo {name}\n")).collect::<String>() + "true\n"
}

fn network(family: &str) -> String {
    format!("python3 -c 'import socket; socket.socket(socket.{family}).close(); print(\"made\")' 2>&1 | tail -1")
}

/// What this machine cannot do cannot be tried on it; which walls it has is asserted nowhere.
fn namespaces(place: &Place) -> Option<Namespaces> {
    Machine::current().namespaces.as_ref().ok()?;
    Some(Namespaces::prepare(&place.access()).expect("prepared"))
}

#[test]
fn landlock_keeps_writes_inside_and_the_hidden_unread() {
    let place = Place::new();
    let Some(rules) = Ruleset::prepare(&place.access()).expect("prepared") else { return };
    // What it does not cover is said in the module's weakness.
    let said = place.run(rules, &tries(&place)).expect("runs");
    assert_eq!(said.lines().collect::<Vec<_>>(), ["write-own", "write-null", "read-other", "mode-other"]);
}

#[test]
fn namespaces_keep_writes_inside() {
    let place = Place::new();
    let Some(namespaces) = namespaces(&place) else { return };
    let said = place.run(namespaces, &tries(&place)).expect("runs");
    assert_eq!(said.lines().collect::<Vec<_>>(), ["write-own", "write-null", "read-other", "read-hidden"]);
}

#[test]
fn in_namespaces_there_is_no_other_process_and_the_user_is_the_same() {
    let place = Place::new();
    let Some(namespaces) = namespaces(&place) else { return };
    let said = place.run(namespaces, "id -u; echo $$; pwd; (sleep 1000 &)").expect("runs");
    let own = place.path("own").display().to_string();
    let user = rustix::process::geteuid().as_raw().to_string();
    assert_eq!(said.lines().collect::<Vec<_>>(), [&user, "2", &own]);
}

#[test]
fn how_a_program_ends_is_seen_through_namespaces() {
    let place = Place::new();
    let how = |script: &str| {
        let namespaces = namespaces(&place)?;
        let Err(ProcessError::Failed { how, .. }) = place.run(namespaces, script) else { panic!("it fails") };
        Some(how)
    };
    let Some(code) = how("exit 7") else { return };
    assert_eq!(code, "exit status: 7");
    assert_eq!(how("kill -SEGV $$").as_deref(), Some("exit status: 139"));
}

#[test]
fn what_leaves_its_session_ends_with_the_namespaces() {
    let place = Place::new();
    let Some(namespaces) = namespaces(&place) else { return };
    let fifo = place.path("own/fifo");
    // It holds the pipe open as long as it lives.
    let script = "mkfifo fifo; setsid sh -c 'exec 3<>fifo; echo up >&3; exec sleep 1000' & head -c1 fifo";
    assert_eq!(place.run(namespaces, script).expect("runs"), "u");
    let open =
        rustix::fs::open(&fifo, rustix::fs::OFlags::WRONLY | rustix::fs::OFlags::NONBLOCK, rustix::fs::Mode::empty());
    assert!(open.is_err(), "nobody has it open any more");
}

#[test]
fn the_filter_refuses_every_network_but_unix_sockets() {
    let place = Place::new();
    if Machine::current().filter.is_err() {
        return;
    }
    for (family, said) in [
        ("AF_UNIX", "made"),
        ("AF_INET", "PermissionError: [Errno 1] Operation not permitted"),
        ("AF_INET6", "PermissionError: [Errno 1] Operation not permitted"),
    ] {
        let filter = Filter::no_network().expect("made");
        assert_eq!(place.run(filter, &network(family)).expect("runs"), said, "{family}");
    }
}

#[test]
fn the_best_there_is_holds_together() {
    let place = Place::new();
    let machine = Machine::current();
    let best = Confinement::best(machine, &place.access(), Network::None).expect("prepared");
    let enforced = best.enforced();
    assert_eq!(enforced.filter, machine.filter.is_ok());
    let said = place.run(best, &tries(&place)).expect("runs");
    if enforced.namespaces && enforced.landlock.is_some() {
        assert_eq!(said.lines().collect::<Vec<_>>(), ["write-own", "write-null", "read-other"]);
    }
}

#[test]
fn a_weaker_machine_does_what_it_can_and_what_is_required_fails() {
    let place = Place::new();
    let none = || "none".to_owned();
    let weak = Machine { namespaces: Err(none()), landlock: Err(none()), filter: Machine::current().filter.clone() };
    let best = Confinement::best(&weak, &place.access(), Network::None).expect("prepared");
    assert_eq!(best.enforced(), Enforced { filter: weak.filter.is_ok(), ..Enforced::default() });
    let weakest = Machine { filter: Err(none()), ..weak };
    let enforced = Confinement::best(&weakest, &place.access(), Network::None).expect("prepared").enforced();
    assert_eq!(enforced.to_string(), "nothing");
    let refused = Confinement::required(&weakest, &place.access()).expect_err("refused").to_string();
    insta::assert_snapshot!(refused, @"a sandbox is required here, and this machine cannot enforce it: nothing keeps it from writing elsewhere (none; none); nothing keeps it from the network (none; none)");
}

#[test]
fn a_path_to_write_must_be_there() {
    let access = Access::read_all().write("/no/such/folder");
    for refused in [Namespaces::prepare(&access).err(), Ruleset::prepare(&access).err()].into_iter().flatten() {
        assert!(
            matches!(&refused, SandboxError::Path { path, .. } if path == Path::new("/no/such/folder")),
            "{refused}"
        );
    }
}
