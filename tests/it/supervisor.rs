//! Keeper and supervisor with real children: the bad days of services and of our own processes.

mod control;
mod disk;
mod endurance;
mod limits;
mod migration;
mod notify;
mod oddity;
mod orders;
mod output;
mod overlap;
mod probe;
mod reload;
mod schedule;
pub mod sockets;
mod standstill;
mod upgrade;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jove_install::condition::NeedCondition;
use jove_install::digest::Digest;
use jove_install::generation::{self, Manifest};
use jove_install::keeper::{mark, proc};
use jove_install::layout::Layout;
use jove_install::name::PartName;
use jove_install::service::{Kind, LogPolicy, Need, Probe, ProbeKind, Promise, Restart, ServiceSpec, Services, Stop};
use jove_install::supervisor::logs::{self, Wanted};
use jove_install::supervisor::{Client, Outcome, ServiceState, ServiceStatus, SwitchEvent, SwitchOutcome};
use jove_install::text::Text;
use rustix::fs::{FlockOperation, flock, inotify};
use rustix::process::{Pid, Signal, kill_process};

/// A prefix without anything but generations of services.
struct Prefix {
    folder: tempfile::TempDir,
    layout: Layout,
}

impl Prefix {
    fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("jove-it-").tempdir_in("/tmp").expect("folder");
        let layout = Layout::new(folder.path().canonicalize().expect("path"));
        Self { folder, layout }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.layout.root().join(name)
    }

    /// A service that runs a shell script in the prefix.
    fn service(&self, name: &str, script: &str) -> ServiceSpec {
        ServiceSpec {
            command: ["/bin/sh", "-c", script].map(Text::literal).into(),
            folder: self.layout.root().to_owned(),
            vars: BTreeMap::from([("PATH".to_owned(), Text::literal("/usr/bin:/bin"))]),
            restart: Restart { first: Duration::from_millis(10), ..Restart::default() },
            ..ServiceSpec::bare(named(name))
        }
    }

    fn generation(&self, number: u32, services: Vec<ServiceSpec>) {
        self.generation_with(number, services, Vec::new());
    }

    fn generation_with(&self, number: u32, services: Vec<ServiceSpec>, promises: Vec<Promise>) {
        let manifest = Manifest {
            format: 1,
            generation: number,
            created: "2026-01-01T00:00:00Z".into(),
            verb: "install".into(),
            reasons: Vec::new(),
            profile: "demo".into(),
            project: "test".into(),
            definition: Digest::of("definition"),
            lock: Digest::of("lock"),
            program: None,
            parts: BTreeMap::new(),
        };
        let services = services.into_iter().map(Arc::new).collect();
        let services = Services { format: 1, generation: number, services, promises, data: Vec::new() };
        manifest.write(&self.layout, &services, "").expect("generation");
    }

    /// Says which store folder the supervising program of a generation is in.
    fn set_program(&self, number: u32, folder: &str) {
        let path = self.layout.generation(number).join("manifest.json");
        let text = fs::read_to_string(&path).expect("manifest");
        let named = text.replace("\"program\": null", &format!("\"program\": \"{folder}\""));
        assert_ne!(text, named, "{text}");
        fs::write(path, named).expect("manifest");
    }

    fn client(&self) -> Client {
        Client::ensure(&self.layout, Path::new(env!("CARGO_BIN_EXE_jove-install"))).expect("ensure")
    }

    fn switch(&self, to: u32) -> SwitchOutcome {
        self.client().switch(to, "install", &mut |_| {}).expect("switch")
    }

    fn commit(&self, to: u32) {
        assert_eq!(self.switch(to), SwitchOutcome::Committed);
    }

    fn status(&self, name: &str) -> ServiceStatus {
        let status = self.client().status().expect("status");
        status.services.into_iter().find(|service| service.name.as_str() == name).expect("service")
    }

    /// The same while it may not be there yet.
    fn try_status(&self, name: &str) -> Option<ServiceStatus> {
        let status = self.client().status().ok()?;
        status.services.into_iter().find(|service| service.name.as_str() == name)
    }

    fn pid(&self, name: &str) -> i32 {
        self.status(name).pid.expect("runs")
    }

    fn stop(&self, names: &[&str]) {
        let names: Vec<PartName> = names.iter().map(|name| named(name)).collect();
        assert_eq!(self.client().stop(&names, &mut |_| {}).expect("stop"), Outcome::Done);
    }

    /// Kills keeper and supervisor. The supervisor stands still meanwhile, for it would start another keeper.
    fn kill_ours(&self) {
        let ours = self.client().status().expect("status");
        let _ = kill_process(Pid::from_raw(ours.supervisor).expect("pid"), Signal::STOP);
        kill(ours.keeper);
        kill(ours.supervisor);
        until("the end of both", || (!is_alive(ours.keeper) && !is_alive(ours.supervisor)).then_some(()));
    }

    fn log(&self, name: &str) -> String {
        fs::read_to_string(self.layout.log().join(format!("{name}.log"))).unwrap_or_default()
    }

    /// Processes that bear a service's mark.
    fn tree(&self, name: &str) -> Vec<i32> {
        let mark = mark::of(self.layout.root(), name);
        mark::Tree { mark, session: None }.members()
    }

    fn number(&self, name: &str) -> Option<i32> {
        fs::read_to_string(self.path(name)).ok()?.trim().parse().ok()
    }
}

impl Drop for Prefix {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for name in ["supervisor.log", "events.jsonl"] {
                eprintln!("--- {name}\n{}", fs::read_to_string(self.layout.log().join(name)).unwrap_or_default());
            }
        }
        // A client would make what a test has removed.
        if !self.layout.root().exists() {
            return;
        }
        if let Ok(client) = Client::ensure(&self.layout, Path::new(env!("CARGO_BIN_EXE_jove-install"))) {
            let _ = client.shutdown(&mut |_| {});
        }
        let _ = self.folder.path();
    }
}

fn named(name: &str) -> PartName {
    name.parse().expect("name")
}

/// Waits for something that nobody tells.
fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < end, "{what} did not happen");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

fn kill(pid: i32) {
    let _ = kill_process(Pid::from_raw(pid).expect("pid"), Signal::KILL);
}

fn is_alive(pid: i32) -> bool {
    proc::stat(pid).is_some_and(|stat| stat.state != 'Z')
}

const FOREVER: &str = "while :; do sleep 1000; done";

#[test]
fn a_service_that_is_killed_comes_back() {
    let prefix = Prefix::new();
    prefix.generation(1, vec![prefix.service("web", FOREVER)]);
    prefix.commit(1);
    let first = prefix.pid("web");
    kill(first);
    let second = until("a new process", || prefix.status("web").pid.filter(|pid| *pid != first));
    assert!(is_alive(second));
    let status = prefix.status("web");
    assert_eq!((status.restarts, status.last_exit.as_deref()), (1, Some("was killed by SIGKILL")));
    assert!(!prefix.tree("web").contains(&first));
}

#[test]
fn the_supervisor_is_killed_and_services_go_on() {
    let prefix = Prefix::new();
    let script = "i=0; while :; do i=$((i+1)); echo line $i; sleep 0.01; done";
    prefix.generation(1, vec![prefix.service("web", script)]);
    prefix.commit(1);
    let (pid, keeper) = (prefix.pid("web"), prefix.client().status().expect("status").keeper);
    for _ in 0..3 {
        let former = prefix.client().status().expect("status").supervisor;
        kill(former);
        let status = until("another supervisor", || {
            Client::connect(&prefix.layout).ok()??.status().ok().filter(|status| status.supervisor != former)
        });
        assert_eq!(status.keeper, keeper);
        assert_eq!(prefix.pid("web"), pid);
        assert_eq!(prefix.status("web").state, ServiceState::Ready);
        let length = prefix.log("web").len();
        until("more lines", || (prefix.log("web").len() > length).then_some(()));
    }
    prefix.stop(&[]);
    let log = prefix.log("web");
    let lines: Vec<&str> = log.lines().collect();
    let expected: Vec<String> = (1..=lines.len()).map(|number| format!("line {number}")).collect();
    assert_eq!(lines, expected, "no line was lost or doubled");
}

#[test]
fn the_keeper_is_killed_and_another_takes_over() {
    let prefix = Prefix::new();
    prefix.generation(1, vec![prefix.service("web", FOREVER), prefix.service("db", FOREVER)]);
    prefix.commit(1);
    let (web, db) = (prefix.pid("web"), prefix.pid("db"));
    let former = prefix.client().status().expect("status");
    kill(former.keeper);
    until("the end of the supervisor", || (!is_alive(former.supervisor)).then_some(()));
    let status = prefix.client().status().expect("status");
    assert_ne!(status.keeper, former.keeper);
    assert_eq!((prefix.pid("web"), prefix.pid("db")), (web, db));
    kill(web);
    let second = until("a new process", || prefix.status("web").pid.filter(|pid| *pid != web));
    assert_ne!(second, web);
    prefix.stop(&["db"]);
    assert!(!is_alive(db));
    assert_eq!(prefix.pid("web"), second);
}

/// No command is needed for that, and one that dies as soon as it is there is followed, too.
#[test]
fn keepers_that_are_killed_one_after_the_other_are_replaced() {
    let prefix = Prefix::new();
    prefix.generation(1, vec![prefix.service("web", FOREVER)]);
    prefix.commit(1);
    let web = prefix.pid("web");
    let lock = prefix.layout.run().join("keeper.lock");
    // A client would start a keeper itself: the number is in its lock.
    let another = |former: Option<i32>| {
        until("another keeper", || {
            let pid: i32 = fs::read_to_string(&lock).ok()?.trim().parse().ok()?;
            (Some(pid) != former && is_alive(pid)).then_some(pid)
        })
    };
    let mut keeper = another(None);
    for _ in 0..4 {
        kill(keeper);
        keeper = another(Some(keeper));
    }
    assert_eq!(prefix.pid("web"), web);
    kill(web);
    until("a new process", || prefix.status("web").pid.filter(|pid| *pid != web));
    assert_eq!(prefix.client().status().expect("status").keeper, keeper, "and it stays");
}

/// The kernel takes some milliseconds to close what they had open, the keeper's lock last.
#[test]
fn a_start_right_after_both_were_killed_takes_over_what_runs() {
    let prefix = Prefix::new();
    prefix.generation(1, vec![prefix.service("web", FOREVER)]);
    prefix.commit(1);
    let web = prefix.pid("web");
    for _ in 0..5 {
        let ours = prefix.client().status().expect("status");
        kill_process(Pid::from_raw(ours.supervisor).expect("pid"), Signal::STOP).expect("stop");
        kill(ours.keeper);
        kill(ours.supervisor);
        let now = prefix.client().status().expect("status");
        assert_ne!((now.keeper, now.supervisor), (ours.keeper, ours.supervisor));
    }
    assert_eq!(prefix.pid("web"), web);
}

/// Another keeper has the prefix still, and nothing else: it is past the point where it would start a supervisor.
#[test]
fn a_start_that_finds_a_keeper_about_to_end_begins_its_own() {
    let prefix = Prefix::new();
    prefix.generation(1, vec![prefix.service("web", FOREVER)]);
    fs::create_dir_all(prefix.layout.run()).expect("run");
    let path = prefix.layout.run().join("keeper.lock");
    let lock = fs::File::create(&path).expect("lock");
    flock(&lock, FlockOperation::LockExclusive).expect("lock");
    let watch = inotify::init(inotify::CreateFlags::CLOEXEC).expect("inotify");
    inotify::add_watch(&watch, &path, inotify::WatchFlags::CLOSE_WRITE).expect("watch");
    std::thread::scope(|scope| {
        let reached = scope.spawn(|| prefix.client().status());
        // One came, found it taken, and went.
        rustix::io::read(&watch, &mut [0_u8; 256]).expect("news");
        fs::remove_file(&path).expect("remove");
        drop(lock);
        reached.join().expect("thread").expect("status");
    });
    prefix.commit(1);
}

#[test]
fn both_are_killed_and_a_reused_number_is_left_alone() {
    let prefix = Prefix::new();
    prefix.generation(1, vec![prefix.service("web", FOREVER), prefix.service("db", FOREVER)]);
    prefix.commit(1);
    let (web, db) = (prefix.pid("web"), prefix.pid("db"));
    prefix.kill_ours();
    // The number of `web` passes to a stranger: a process of this test.
    kill(web);
    let mut stranger = std::process::Command::new("sleep").arg("1000").spawn().expect("stranger");
    let lease = prefix.layout.run().join("lease/web.json");
    let text = fs::read_to_string(&lease).expect("lease");
    fs::write(&lease, text.replace(&format!("\"pid\":{web}"), &format!("\"pid\":{}", stranger.id()))).expect("lease");
    let fresh = until("a new process", || prefix.status("web").pid.filter(|pid| *pid != web));
    assert_ne!(fresh, stranger.id().cast_signed());
    assert_eq!(prefix.pid("db"), db);
    prefix.stop(&[]);
    assert!(stranger.try_wait().expect("wait").is_none(), "the stranger lives");
    stranger.kill().expect("kill");
    stranger.wait().expect("wait");
}

/// Starts a grandchild in a session of its own, without variables, and writes down its number.
fn with_grandchild(file: &Path) -> String {
    let file = file.display();
    format!(
        "setsid env -i /bin/sh -c 'echo $$ > {file}.new; mv {file}.new {file}; exec sleep 1000' >/dev/null 2>&1 </dev/null & {FOREVER}"
    )
}

#[test]
fn escaped_grandchildren_end_with_their_own_service_only() {
    let prefix = Prefix::new();
    let scripts = ["a", "b"].map(|name| prefix.service(name, &with_grandchild(&prefix.path(&format!("{name}.pid")))));
    prefix.generation(1, scripts.into());
    prefix.commit(1);
    let of = |name: &str| until("a grandchild", || prefix.number(&format!("{name}.pid")));
    let (a, b) = (of("a"), of("b"));
    prefix.stop(&["a"]);
    assert!(!is_alive(a) && prefix.tree("a").is_empty());
    assert!(is_alive(b) && prefix.tree("b").contains(&b));
    // The same after another keeper has taken over.
    let status = prefix.client().status().expect("status");
    kill(status.keeper);
    until("the end of the supervisor", || (!is_alive(status.supervisor)).then_some(()));
    fs::remove_file(prefix.path("a.pid")).expect("remove");
    assert_eq!(prefix.client().start(&[named("a")], &mut |_| {}).expect("start"), Outcome::Done);
    let a = of("a");
    prefix.stop(&["b"]);
    assert!(!is_alive(b) && prefix.tree("b").is_empty());
    assert!(is_alive(a));
}

#[test]
fn one_that_ignores_the_signal_is_killed_after_its_grace() {
    let prefix = Prefix::new();
    let stop = Stop { grace: Duration::from_millis(200), ..Stop::default() };
    prefix.generation(1, vec![ServiceSpec { stop, ..prefix.service("web", &format!("trap '' TERM; {FOREVER}")) }]);
    prefix.commit(1);
    let pid = prefix.pid("web");
    prefix.stop(&[]);
    assert!(!is_alive(pid) && prefix.tree("web").is_empty());
    assert_eq!(prefix.status("web").state, ServiceState::Stopped);
}

#[test]
fn one_that_never_gets_ready_is_backed_out_with_its_last_words() {
    let prefix = Prefix::new();
    let probe = Probe { deadline: Duration::from_millis(300), ..Probe::new(ProbeKind::Tcp("127.0.0.1:1".into())) };
    let spec = prefix.service("web", &format!("echo cannot find my database >&2; {FOREVER}"));
    prefix.generation(1, vec![ServiceSpec { ready: Some(probe), ..spec }]);
    let SwitchOutcome::BackedOut { reason, last_lines } = prefix.switch(1) else { panic!("committed") };
    assert_eq!(reason, "web: it was not ready within 0.3 s");
    assert_eq!(last_lines, ["cannot find my database"]);
    assert!(prefix.tree("web").is_empty());
    assert_eq!(generation::current(&prefix.layout), None);
    assert_eq!(generation::Status::read(&prefix.layout, 1), generation::Status::Failed { reason });
    assert!(!prefix.layout.switch().exists());
}

#[test]
fn one_that_exits_at_once_fails_after_a_burst() {
    let prefix = Prefix::new();
    prefix.generation(1, vec![prefix.service("web", "echo port is taken; exit 3")]);
    let SwitchOutcome::BackedOut { reason, last_lines } = prefix.switch(1) else { panic!("committed") };
    assert_eq!(reason, "web: it exited with 3; it was started 5 times within 30 s and is given up");
    assert_eq!(last_lines.last().map(String::as_str), Some("port is taken"));
    assert_eq!(prefix.log("web").lines().count(), 5);
}

#[test]
fn one_that_forks_away_is_ended_and_told_so() {
    let prefix = Prefix::new();
    let script = "setsid sleep 1000 >/dev/null 2>&1 </dev/null & sleep 0.05; exit 0";
    let probe = Probe::new(ProbeKind::Tcp("127.0.0.1:1".into()));
    prefix.generation(1, vec![ServiceSpec { ready: Some(probe), ..prefix.service("web", script) }]);
    let SwitchOutcome::BackedOut { reason, .. } = prefix.switch(1) else { panic!("committed") };
    assert!(reason.contains("it must stay in the foreground"), "{reason}");
    assert!(prefix.tree("web").is_empty());
}

#[test]
fn a_flood_of_output_is_rotated_and_blocks_nobody() {
    let prefix = Prefix::new();
    let log = LogPolicy { max_bytes: 100_000, keep: 2, ..LogPolicy::default() };
    let flood = ServiceSpec { log, ..prefix.service("flood", "exec yes 'a line that comes again and again'") };
    prefix.generation(1, vec![flood, prefix.service("web", FOREVER)]);
    prefix.commit(1);
    let size = |name: &str| fs::metadata(prefix.layout.log().join(name)).ok().map(|facts| facts.len());
    until("rotation", || size("flood.log.2"));
    for _ in 0..20 {
        assert_eq!(prefix.status("web").state, ServiceState::Ready);
    }
    prefix.stop(&["flood"]);
    for name in ["flood.log.1", "flood.log.2"] {
        let text = fs::read_to_string(prefix.layout.log().join(name)).expect("log");
        assert!(text.len() <= 200_000 && text.ends_with("again\n"), "{name} has {} bytes", text.len());
    }
    assert_eq!(size("flood.log.3"), None);
    let wanted = Wanted { names: vec![named("flood")], lines: Some(3), ..Wanted::default() };
    let mut lines = Vec::new();
    logs::tail(&prefix.layout, &wanted, &mut |line| {
        lines.push(line.text);
        true
    })
    .expect("tail");
    assert_eq!(lines, ["a line that comes again and again"; 3]);
}

#[test]
fn a_switch_changes_only_what_changed_and_comes_back() {
    let prefix = Prefix::new();
    let (web, db) = (prefix.service("web", FOREVER), prefix.service("db", FOREVER));
    prefix.generation(1, vec![db.clone(), web.clone(), prefix.service("old", FOREVER)]);
    prefix.commit(1);
    let pids = || ["db", "web"].map(|name| prefix.pid(name));
    let first = pids();
    let changed = ServiceSpec { urls: vec!["http://127.0.0.1:1/".into()], ..db.clone() };
    prefix.generation(
        2,
        vec![changed, prefix.service("web", &format!("true; {FOREVER}")), prefix.service("new", FOREVER)],
    );
    prefix.commit(2);
    let second = pids();
    assert_eq!(first[0], second[0], "only its address for people changed");
    assert_ne!(first[1], second[1]);
    assert_eq!(prefix.status("db").urls, ["http://127.0.0.1:1/"]);
    assert!(prefix.tree("old").is_empty() && !prefix.layout.run().join("old.out").exists());
    // The third fails: the second comes back, and what had not changed was never touched.
    prefix.generation(3, vec![db, prefix.service("web", "echo broken; exit 1")]);
    assert!(matches!(prefix.switch(3), SwitchOutcome::BackedOut { .. }));
    let third = pids();
    assert_eq!(third[0], second[0]);
    assert_ne!(third[1], second[1]);
    assert_eq!(prefix.client().status().expect("status").generation, Some(2));
    assert_eq!(generation::current(&prefix.layout), Some(2));
    assert_eq!(prefix.status("new").state, ServiceState::Ready);
}

#[test]
fn a_broken_promise_backs_out() {
    let prefix = Prefix::new();
    let probe = Probe {
        deadline: Duration::from_millis(100),
        ..Probe::new(ProbeKind::Exec(["/bin/sh", "-c", "exit 7"].map(Text::literal).into()))
    };
    let promise = Promise { name: "web: answers".into(), part: named("web"), probe };
    prefix.generation_with(1, vec![prefix.service("web", FOREVER)], vec![promise]);
    let SwitchOutcome::BackedOut { reason, .. } = prefix.switch(1) else { panic!("committed") };
    assert_eq!(reason, "web: answers: /bin/sh: exit status: 7");
    assert!(prefix.tree("web").is_empty());
}

#[test]
fn steps_run_once_a_key_and_before_what_needs_them() {
    let prefix = Prefix::new();
    let step = |key: &str, script: &str| ServiceSpec {
        kind: Kind::Step { key: key.into() },
        part: named("db"),
        ..prefix.service("db-init", script)
    };
    let need = Need { service: named("db-init"), condition: NeedCondition::Succeeded };
    let web = ServiceSpec { needs: vec![need], ..prefix.service("web", &format!("test -f made || exit 1; {FOREVER}")) };
    prefix.generation(1, vec![web.clone(), step("1", "echo run >> made")]);
    prefix.commit(1);
    prefix.generation(2, vec![web.clone(), step("1", "echo run  >> made")]);
    prefix.commit(2);
    assert_eq!(fs::read_to_string(prefix.path("made")).expect("made"), "run\n");
    assert_eq!(prefix.status("db-init").state, ServiceState::Done);
    prefix.generation(3, vec![web.clone(), step("2", "echo again >> made")]);
    prefix.commit(3);
    assert_eq!(fs::read_to_string(prefix.path("made")).expect("made"), "run\nagain\n");
    let web_pid = prefix.pid("web");
    prefix.generation(4, vec![web, step("3", "echo no disk; exit 9")]);
    let SwitchOutcome::BackedOut { reason, last_lines } = prefix.switch(4) else { panic!("committed") };
    assert_eq!((reason.as_str(), last_lines), ("db-init: it exited with 9", vec!["no disk".to_owned()]));
    assert_eq!(prefix.pid("web"), web_pid);
}

#[test]
fn what_is_needed_is_ready_first_and_stops_last() {
    let prefix = Prefix::new();
    let note = |name: &str| {
        format!("echo {name} up >> order; trap 'echo {name} down >> order; exit 0' TERM; while :; do sleep 0.02; done")
    };
    let ready = Probe::new(ProbeKind::Exec(["/bin/sh", "-c", "grep -q 'db up' order"].map(Text::literal).into()));
    let db = ServiceSpec { ready: Some(ready), ..prefix.service("db", &note("db")) };
    let need = Need { service: named("db"), condition: NeedCondition::Ready };
    let log_probe = Probe::new(ProbeKind::Log("listening".into()));
    let script = format!("echo listening; {}", note("web"));
    let web = ServiceSpec { needs: vec![need], ready: Some(log_probe), ..prefix.service("web", &script) };
    prefix.generation(1, vec![web, db]);
    prefix.commit(1);
    until("both", || fs::read_to_string(prefix.path("order")).ok().filter(|text| text.lines().count() == 2));
    prefix.stop(&[]);
    assert_eq!(fs::read_to_string(prefix.path("order")).expect("order"), "db up\nweb up\nweb down\ndb down\n");
}

#[test]
fn a_port_that_is_taken_is_named_before_anything_moves() {
    let prefix = Prefix::new();
    prefix.generation(1, vec![prefix.service("web", FOREVER)]);
    prefix.commit(1);
    let pid = prefix.pid("web");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bind");
    let address = listener.local_addr().expect("address").to_string();
    let spec = ServiceSpec { listens: vec![address.clone()], ..prefix.service("web", FOREVER) };
    prefix.generation(2, vec![spec]);
    let SwitchOutcome::BackedOut { reason, .. } = prefix.switch(2) else { panic!("committed") };
    assert!(reason.starts_with(&format!("{address}, which `web` is to listen on, is held by ")), "{reason}");
    assert!(reason.contains(&format!("(pid {})", std::process::id())), "{reason}");
    assert_eq!(prefix.pid("web"), pid);
    drop(listener);
    prefix.commit(2);
}

#[test]
fn what_was_stopped_stays_stopped_when_the_supervisor_dies() {
    let prefix = Prefix::new();
    prefix.generation(1, vec![prefix.service("web", FOREVER), prefix.service("db", FOREVER)]);
    prefix.commit(1);
    prefix.stop(&["web"]);
    let former = prefix.client().status().expect("status").supervisor;
    kill(former);
    until("another supervisor", || {
        Client::connect(&prefix.layout).ok()??.status().ok().filter(|status| status.supervisor != former)
    });
    assert_eq!(prefix.status("web").state, ServiceState::Stopped);
    assert_eq!(prefix.status("db").state, ServiceState::Ready);
    assert_eq!(prefix.client().start(&[], &mut |_| {}).expect("start"), Outcome::Done);
    assert_eq!(prefix.status("web").state, ServiceState::Ready);
}

#[test]
fn a_change_of_sources_starts_it_anew() {
    let prefix = Prefix::new();
    let source = prefix.path("src");
    fs::create_dir(&source).expect("folder");
    fs::write(source.join("app.sh"), FOREVER).expect("write");
    let spec = ServiceSpec { watch: vec![source.clone()], ..prefix.service("web", "exec sh src/app.sh") };
    prefix.generation(1, vec![spec]);
    prefix.commit(1);
    let first = prefix.pid("web");
    fs::write(source.join("app.sh"), "exit 1").expect("write");
    until("failure", || (prefix.status("web").state == ServiceState::Failed).then_some(()));
    fs::write(source.join("app.sh"), FOREVER).expect("write");
    let second = until("a new process", || {
        let status = prefix.status("web");
        status.pid.filter(|_| status.state == ServiceState::Ready)
    });
    assert_ne!(first, second);
}

#[test]
fn restart_reload_and_names() {
    let prefix = Prefix::new();
    let script = "trap 'echo reloaded' HUP; while :; do sleep 0.02; done";
    let web = ServiceSpec { reload: Some("HUP".into()), ..prefix.service("web", script) };
    prefix.generation(1, vec![web, prefix.service("db", FOREVER)]);
    prefix.commit(1);
    let first = prefix.pid("web");
    assert_eq!(prefix.client().reload(&[named("web")], &mut |_| {}).expect("reload"), Outcome::Done);
    until("the reload", || prefix.log("web").contains("reloaded").then_some(()));
    let mut seen = Vec::new();
    let mut keep = |event: SwitchEvent| seen.push(event);
    assert_eq!(prefix.client().restart(&[named("web")], &mut keep).expect("restart"), Outcome::Done);
    assert_ne!(prefix.pid("web"), first);
    assert!(
        seen.iter()
            .any(|event| matches!(event, SwitchEvent::Service { service } if service.state == ServiceState::Stopping))
    );
    let failed = |outcome| match outcome {
        Outcome::Failed { reason, .. } => reason,
        Outcome::Done => panic!("done"),
    };
    let reason = failed(prefix.client().reload(&[named("db")], &mut |_| {}).expect("reload"));
    assert_eq!(reason, "db cannot reload its configuration; `jove-install restart db` does it");
    let reason = failed(prefix.client().start(&[named("wep")], &mut |_| {}).expect("start"));
    assert_eq!(reason, "there is no service `wep`; did you mean `web`?");
}

#[test]
fn two_that_start_at_once_get_one_keeper() {
    let prefix = Prefix::new();
    prefix.generation(1, Vec::new());
    let keepers: Vec<i32> = std::thread::scope(|scope| {
        let started: Vec<_> =
            (0..4).map(|_| scope.spawn(|| prefix.client().status().expect("status").keeper)).collect();
        started.into_iter().map(|thread| thread.join().expect("thread")).collect()
    });
    assert!(keepers.iter().all(|keeper| *keeper == keepers[0]), "{keepers:?}");
}

#[test]
fn shutdown_leaves_nothing_but_what_the_next_start_uses_again() {
    let prefix = Prefix::new();
    let run = prefix.layout.run();
    let names = |folder: &Path| -> Vec<String> {
        let entries = fs::read_dir(folder).expect("folder").map(|entry| entry.expect("entry"));
        let mut names: Vec<String> = entries.map(|entry| entry.file_name().into_string().expect("text")).collect();
        names.sort_unstable();
        names
    };
    let output = || fs::metadata(run.join("web.out")).expect("FIFO").ino();
    prefix.generation(1, vec![prefix.service("web", &with_grandchild(&prefix.path("web.pid")))]);
    prefix.commit(1);
    let grandchild = until("a grandchild", || prefix.number("web.pid"));
    let status = prefix.client().status().expect("status");
    assert_eq!(prefix.client().shutdown(&mut |_| {}).expect("shutdown"), Outcome::Done);
    assert!(![status.keeper, status.supervisor, grandchild].into_iter().any(is_alive));
    assert!(Client::connect(&prefix.layout).expect("connect").is_none());
    assert_eq!((names(&run), names(&run.join("lease"))), (words("lease web.err web.out"), words("web.next")));
    let first = output();
    assert_eq!(prefix.client().start(&[], &mut |_| {}).expect("start"), Outcome::Done);
    assert_eq!(output(), first);
    // What is dropped while nothing runs takes its files along.
    assert_eq!(prefix.client().shutdown(&mut |_| {}).expect("shutdown"), Outcome::Done);
    prefix.generation(2, vec![prefix.service("db", FOREVER)]);
    generation::commit(&prefix.layout, 2).expect("commit");
    assert_eq!(prefix.client().start(&[], &mut |_| {}).expect("start"), Outcome::Done);
    assert_eq!(prefix.client().shutdown(&mut |_| {}).expect("shutdown"), Outcome::Done);
    assert_eq!((names(&run), names(&run.join("lease"))), (words("db.err db.out lease"), words("db.next")));
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

/// Starts a keeper whose first supervisor is killed at a checkpoint.
fn start_with_checkpoint(prefix: &Prefix, checkpoint: &str) {
    let status = std::process::Command::new(env!("CARGO_BIN_EXE_jove-install"))
        .args(["internal-keeper", "--root"])
        .arg(prefix.layout.root())
        .env("JOVE_CHECKPOINT", checkpoint)
        .stdin(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status()
        .expect("keeper");
    assert!(status.success());
    until("the supervisor", || Client::connect(&prefix.layout).ok()?);
}

#[test]
fn a_switch_that_is_killed_anywhere_ends_old_or_new() {
    for checkpoint in [
        "journal-before-write",
        "journal-after-write",
        "trial-before-stop",
        "trial-after-stop",
        "step-before-run",
        "step-after-run",
        "trial-after-start",
        "promises-before",
        "commit-before-rename",
        "commit-after-rename",
        "journal-before-remove",
        "journal-after-remove",
    ] {
        let prefix = Prefix::new();
        let web = |version: &str| prefix.service("web", &format!("echo version {version}; {FOREVER}"));
        prefix.generation(1, vec![web("one"), prefix.service("db", FOREVER)]);
        prefix.commit(1);
        let db = prefix.pid("db");
        // The supervisor alone is replaced: by killing both and taking over.
        prefix.kill_ours();
        start_with_checkpoint(&prefix, checkpoint);
        let step = ServiceSpec { kind: Kind::Step { key: "1".into() }, ..prefix.service("init", "echo done >> steps") };
        prefix.generation(2, vec![step, web("two"), prefix.service("db", FOREVER)]);
        let outcome = prefix.switch(2);
        let current = generation::current(&prefix.layout).expect("current");
        let expected = if current == 2 { SwitchOutcome::Committed } else { outcome.clone() };
        assert_eq!(outcome, expected, "{checkpoint}");
        assert_eq!(current == 1, matches!(outcome, SwitchOutcome::BackedOut { .. }), "{checkpoint}: {outcome:?}");
        assert!(!prefix.layout.switch().exists(), "{checkpoint}");
        let status = prefix.client().status().expect("status");
        assert_eq!(status.generation, Some(current), "{checkpoint}");
        until("web", || (prefix.status("web").state == ServiceState::Ready).then_some(()));
        let version = if current == 2 { "version two" } else { "version one" };
        until("its words", || (prefix.log("web").lines().last() == Some(version)).then_some(()));
        assert_eq!(prefix.tree("web").len(), 2, "{checkpoint}: a shell and its sleep");
        assert_eq!(prefix.pid("db"), db, "{checkpoint}: it was never touched");
        // The next run just works.
        prefix.commit(2);
        assert_eq!(prefix.log("web").lines().last(), Some("version two"), "{checkpoint}");
        assert_eq!(prefix.pid("db"), db, "{checkpoint}");
    }
}

#[test]
fn one_that_is_not_well_any_more_is_started_again() {
    let prefix = Prefix::new();
    fs::write(prefix.path("well"), "").expect("write");
    let probe = Probe {
        interval: Duration::from_millis(20),
        ..Probe::new(ProbeKind::Exec(["/bin/sh", "-c", "test -f well"].map(Text::literal).into()))
    };
    let live = jove_install::service::Liveness { probe, failures: 2 };
    prefix.generation(
        1,
        vec![ServiceSpec { live: Some(live), ..prefix.service("web", &format!("touch well; {FOREVER}")) }],
    );
    prefix.commit(1);
    let first = prefix.pid("web");
    fs::remove_file(prefix.path("well")).expect("remove");
    until("a new process", || prefix.status("web").pid.filter(|pid| *pid != first));
    let events = prefix.client().events(100).expect("events");
    assert!(events.iter().any(|event| event.text.contains("it was not well 2 times in a row")), "{events:?}");
}

#[test]
fn only_declared_variables_are_seen_and_nothing_else_is_inherited() {
    let prefix = Prefix::new();
    let script = format!("env | sort; ls -l /proc/self/fd | grep -c ' -> '; ulimit -Hn; umask; {FOREVER}");
    prefix.generation(1, vec![prefix.service("web", &script)]);
    prefix.commit(1);
    let log = until("its words", || Some(prefix.log("web")).filter(|log| log.lines().count() >= 5));
    let lines: Vec<&str> = log.lines().collect();
    let folder = format!("PWD={}", prefix.layout.root().display());
    assert_eq!(&lines[..2], ["PATH=/usr/bin:/bin", folder.as_str()], "{log}");
    // `ls` itself has one more open, on the folder that it lists.
    assert_eq!((lines[2], lines[4]), ("4", "0022"), "{log}");
}
