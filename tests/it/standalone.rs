//! `supervise`: services of a file, without an installation; and staying in the foreground.

use std::io::{Read, Write};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::process::{Child, Stdio};
use std::time::Duration;

use jove_install::keeper::proc;
use jove_install::sandbox::Machine;
use rustix::process::{Pid, Signal, kill_process};

use crate::life::{Life, until};
use crate::sandbox::Sandbox;
use crate::supervisor::sockets::{SERVER, call, free_address, under_load};

const SLEEPER: &str = "while :; do sleep 1000; done";

/// A run of `supervise` in a sandbox.
pub struct Stay {
    pub sandbox: Sandbox,
    child: Option<Child>,
}

impl Stay {
    pub fn new(name: &str, text: &str) -> Self {
        let mut stay = Self::idle(name, text);
        stay.begin(name);
        stay
    }

    pub fn idle(name: &str, text: &str) -> Self {
        let sandbox = Sandbox::new();
        sandbox.write(name, text);
        Self { sandbox, child: None }
    }

    pub fn begin(&mut self, name: &str) {
        self.spawn(name);
        until("all is up", || self.stderr().contains("supervising ").then_some(()));
    }

    fn spawn(&mut self, name: &str) {
        let mut command = self.sandbox.command(&["supervise", "--dir", "run", name]);
        let output = |path: &str| std::fs::File::create(self.sandbox.path(path)).expect("a file");
        self.child = Some(command.stdout(output("out")).stderr(output("err")).spawn().expect("it starts"));
    }

    fn stderr(&self) -> String {
        std::fs::read_to_string(self.sandbox.path("err")).unwrap_or_default()
    }

    pub fn signal(&self, signal: Signal) {
        let pid = self.child.as_ref().and_then(|child| Pid::from_raw(child.id().cast_signed())).expect("it runs");
        kill_process(pid, signal).expect("signalled");
    }

    /// Waits for its end; nothing may be left of it.
    #[track_caller]
    pub fn ends(&mut self, code: Option<i32>) {
        let status = self.child.take().expect("it runs").wait().expect("an end");
        assert_eq!(status.code(), code, "{}", self.stderr());
        until("the end of all processes", || self.sandbox.processes().is_empty().then_some(()));
    }

    fn service(&self, name: &str) -> serde_json::Value {
        let status = self.sandbox.run(&["status", "--dir", "run", "--json"]).either(&[0, 1]).json();
        let services = status["services"].as_array().expect("services").clone();
        services.into_iter().find(|service| service["name"] == name).unwrap_or_else(|| panic!("no {name} in {status}"))
    }

    fn is(&self, name: &str, state: &str) {
        until(state, || (self.service(name)["state"] == state).then_some(()));
    }

    fn verb(&self, words: &[&str]) -> String {
        let words = [&["--dir", "run"], words].concat();
        self.sandbox.run(&words).success().stdout().to_owned()
    }
}

/// A request of the control socket, as plain as can be.
fn get(path: &std::path::Path, target: &str) -> String {
    let mut stream = UnixStream::connect(path).expect("connect");
    write!(stream, "GET {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").expect("write");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("read");
    answer
}

#[test]
fn our_own_form_with_every_verb() {
    let text = format!(
        "[services.web]\ncommand = \"cat made; echo to all $GREETING; {SLEEPER}\"\nvars = {{ GREETING = 'hello' }}\n\
         needs = ['init:succeeded']\n[services.idle]\ncommand = ['sleep', '1000']\nmanual = true\n\
         [steps.init]\ncommand = 'echo made > made'\n[jobs.report]\ncommand = 'date'\nat = '0 3 29 2 *'\n"
    );
    let mut stay = Stay::new("services.toml", &text);
    stay.is("web", "ready");
    stay.is("init", "done");
    stay.is("report", "scheduled");
    stay.is("idle", "stopped");
    until("its words", || {
        std::fs::read_to_string(stay.sandbox.path("work/run/log/web.log"))
            .ok()
            .filter(|text| text == "made\nto all hello\n")
    });
    assert!(get(&stay.sandbox.path("work/run/control.sock"), "/v1/status").contains("\"web\""));
    let pid = stay.service("web")["pid"].as_i64();
    stay.verb(&["restart", "web"]);
    assert_ne!(stay.service("web")["pid"].as_i64(), pid);
    stay.verb(&["start", "idle"]);
    stay.is("idle", "ready");
    stay.verb(&["stop", "web"]);
    stay.is("web", "stopped");
    stay.verb(&["run-now", "report"]);
    assert!(stay.verb(&["runs"]).contains("by hand"));
    assert!(stay.verb(&["logs", "web"]).contains(" to all hello\n"));
    assert!(stay.verb(&["events"]).contains("web stopped"));
    // Those who supervise go on although nothing runs.
    stay.verb(&["stop"]);
    stay.is("idle", "stopped");
    stay.verb(&["start"]);
    stay.is("web", "ready");
    let other = stay.sandbox.run(&["supervise", "--dir", "run", "services.toml"]).code(1);
    assert!(other.stderr().contains("is supervised already"), "{}", other.text());
    stay.verb(&["shutdown"]);
    stay.ends(Some(0));
    assert!(std::fs::symlink_metadata(stay.sandbox.path("work/run/control.sock")).is_err());
    let said = stay.sandbox.run(&["status", "--dir", "run"]).code(1);
    assert!(said.stdout().contains("stopped"), "{}", said.text());
    stay.sandbox.run(&["status", "--dir", "nothing"]).code(1);
    stay.sandbox.run(&["install", "--dir", "run"]).code(64);
}

#[test]
fn a_procfile_with_its_variables_ends_by_a_signal() {
    let mut stay =
        Stay::idle("Procfile", &format!("web: echo $PORT $WORD; {SLEEPER}\nWork_er: echo $PORT; {SLEEPER}\n"));
    stay.sandbox.write(".env", "WORD=\"two words\"\nPORT=7000\n");
    stay.begin("Procfile");
    let log = |name: &str| std::fs::read_to_string(stay.sandbox.path(format!("work/run/log/{name}.log"))).ok();
    until("their words", || (log("web")? == "7000 two words\n" && log("work-er")? == "7100\n").then_some(()));
    let said = stay.stderr();
    assert!(said.contains("`Work_er` is called `work-er` here"), "{said}");
    until("the same in the foreground", || {
        std::fs::read_to_string(stay.sandbox.path("out")).ok().filter(|text| text.contains("web | 7000 two words\n"))
    });
    stay.signal(Signal::TERM);
    stay.ends(Some(0));
}

#[test]
fn a_supervisord_configuration_says_what_it_could_not_carry() {
    let text = "[supervisord]\nnodaemon=true\n[program:web]\ncommand=/bin/sh -c \"echo $WORD; exec sleep 1000\"\n\
                environment=WORD=\"x,y\"\nuser=www\n[program:later]\ncommand=sleep 1000\nautostart=false\n\
                [eventlistener:mail]\ncommand=mail\n";
    let mut stay = Stay::new("supervisord.conf", text);
    stay.is("web", "ready");
    stay.is("later", "stopped");
    let said = stay.stderr();
    for expected in ["[program:web] user = www: everything runs as you", "[eventlistener:mail] is not carried over"] {
        assert!(said.contains(expected), "{said}");
    }
    stay.verb(&["start", "later"]);
    stay.is("later", "ready");
    stay.signal(Signal::INT);
    stay.ends(Some(0));
}

#[test]
fn the_file_is_read_again_when_it_is_told_to() {
    let file = |word: &str| {
        format!("[services.web]\ncommand = \"echo {word}; {SLEEPER}\"\n[services.db]\ncommand = \"{SLEEPER}\"\n")
    };
    let mut stay = Stay::new("services.toml", &file("one"));
    stay.is("web", "ready");
    let (web, db) = (stay.service("web")["pid"].clone(), stay.service("db")["pid"].clone());
    stay.sandbox.write("services.toml", "[services.web]\ncomand = 'x'\n");
    stay.signal(Signal::HUP);
    until("a word", || stay.stderr().contains("it goes on as before").then_some(()));
    stay.sandbox.write("services.toml", file("two"));
    stay.signal(Signal::HUP);
    until("a word", || stay.stderr().contains("is read again").then_some(()));
    assert_eq!(stay.service("db")["pid"], db);
    assert_ne!(stay.service("web")["pid"], web);
    stay.signal(Signal::TERM);
    stay.ends(Some(0));
}

#[test]
fn limits_and_places_to_write_are_those_of_the_file() {
    let text = format!(
        "[services.web]\ncommand = \"ulimit -n; umask; {SLEEPER}\"\nlimits = {{ open = 77, umask = '027' }}\n\
         [steps.init]\ncommand = 'echo fine > allowed/a; echo no > elsewhere || echo refused'\nwrites = ['allowed']\n"
    );
    let mut stay = Stay::idle("services.toml", &text);
    stay.sandbox.write("allowed/x", "");
    stay.begin("services.toml");
    let log = |name: &str| std::fs::read_to_string(stay.sandbox.path(format!("work/run/log/{name}.log")));
    until("its words", || (log("web").ok()? == "77\n0027\n").then_some(()));
    stay.is("init", "done");
    assert!(stay.sandbox.path("work/allowed/a").exists());
    match &Machine::current().landlock {
        Ok(_) => {
            until("the end of its words", || log("init").ok()?.contains("refused\n").then_some(()));
            assert!(!stay.sandbox.path("work/elsewhere").exists());
        }
        Err(missing) => eprintln!("`writes` is not tried: {missing}"),
    }
    stay.signal(Signal::TERM);
    stay.ends(Some(0));
}

#[test]
fn sockets_of_the_file_are_held_while_their_service_restarts() {
    let address = free_address();
    let text = format!(
        "[services.web]\ncommand = ['/usr/bin/env', 'python3', '-c', '''{SERVER}''']\nlistens = ['{address}']\n\
         sockets = 'listen-fds'\n"
    );
    let mut stay = Stay::new("services.toml", &text);
    stay.is("web", "ready");
    let pid = stay.service("web")["pid"].clone();
    assert_eq!(call(&address).expect("an answer"), format!("one {pid} web"));
    under_load(&address, || drop(stay.verb(&["restart", "web"])));
    assert_ne!(stay.service("web")["pid"], pid);
    stay.signal(Signal::TERM);
    stay.ends(Some(0));
    call(&address).expect_err("nobody listens any more");
}

#[test]
fn a_watchdog_of_the_file_starts_again_what_gives_no_sign_of_life() {
    let script = "import os, signal, socket, time
ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
def say(text): ear.sendto(text.encode(), os.environ['NOTIFY_SOCKET'])
say('READY=1')
while not os.path.exists('hang'):
    say('WATCHDOG=1')
    time.sleep(int(os.environ['WATCHDOG_USEC']) / 4e6)
os.unlink('hang')
signal.pause()";
    let text = format!(
        "[services.web]\ncommand = ['/usr/bin/env', 'python3', '-c', '''{script}''']\nready = {{ notify = true }}\n\
         watchdog = '2s'\n"
    );
    let mut stay = Stay::new("services.toml", &text);
    stay.is("web", "ready");
    let pid = stay.service("web")["pid"].clone();
    stay.sandbox.write("hang", "");
    until("a new process", || {
        let service = stay.service("web");
        (service["state"] == "ready" && service["pid"] != pid).then_some(())
    });
    assert_eq!(stay.service("web")["last_exit"], "was killed by SIGABRT");
    stay.signal(Signal::TERM);
    stay.ends(Some(0));
}

#[test]
fn a_shutdown_that_comes_while_it_starts_ends_it_calmly() {
    let text = format!("[services.web]\ncommand = \"touch began; {SLEEPER}\"\nready = {{ unix = 'never' }}\n");
    let mut stay = Stay::idle("services.toml", &text);
    stay.spawn("services.toml");
    until("its beginning", || stay.sandbox.path("work/began").exists().then_some(()));
    stay.verb(&["shutdown"]);
    stay.ends(Some(0));
    let said = stay.stderr();
    assert!(!said.contains("error") && !said.contains("supervising"), "{said}");
}

#[test]
fn a_stop_that_comes_while_the_supervisor_is_started_stops_what_comes_up() {
    let text = format!("[services.web]\ncommand = \"{SLEEPER}\"\nready = {{ unix = 'never' }}\n");
    let mut stay = Stay::idle("services.toml", &text);
    stay.spawn("services.toml");
    until("a keeper", || stay.sandbox.path("work/run/run/keeper.lock").exists().then_some(()));
    stay.signal(Signal::TERM);
    stay.ends(Some(0));
    assert!(!stay.stderr().contains("error"), "{}", stay.stderr());
}

#[test]
fn a_second_interruption_kills() {
    let text =
        format!("[services.web]\ncommand = \"trap '' TERM; touch trapped; {SLEEPER}\"\nstop = {{ grace = '1h' }}\n");
    let mut stay = Stay::new("services.toml", &text);
    until("the trap", || stay.sandbox.path("work/trapped").exists().then_some(()));
    stay.signal(Signal::INT);
    until("a word", || stay.stderr().contains("stopping").then_some(()));
    stay.is("web", "stopping");
    stay.signal(Signal::INT);
    stay.ends(Some(0));
}

#[test]
fn services_outlive_whoever_is_in_the_foreground_and_are_taken_over() {
    let text = format!("[services.web]\ncommand = \"{SLEEPER}\"\n");
    let mut stay = Stay::new("services.toml", &text);
    stay.is("web", "ready");
    let pid = stay.service("web")["pid"].clone();
    stay.signal(Signal::KILL);
    stay.child.take().expect("it runs").wait().expect("an end");
    assert_eq!(stay.service("web")["pid"], pid);
    stay.begin("services.toml");
    assert_eq!(stay.service("web")["pid"], pid);
    // The keeper is killed: another takes over, and the foreground goes on.
    let answer = get(&stay.sandbox.path("work/run/control.sock"), "/v1/status");
    let keeper: i32 =
        answer.split("\"keeper\":").nth(1).and_then(|rest| rest.split(',').next()?.parse().ok()).expect("keeper");
    kill_process(Pid::from_raw(keeper).expect("pid"), Signal::KILL).expect("killed");
    until("another keeper", || {
        let status = stay.sandbox.run(&["status", "--dir", "run", "--json"]).either(&[0, 1]).json();
        (status["supervised"] == true && status["services"][0]["pid"] == pid).then_some(())
    });
    stay.signal(Signal::TERM);
    stay.ends(Some(0));
}

#[test]
fn wrong_files_are_refused_with_their_place() {
    let sandbox = Sandbox::new();
    for (name, text, expected) in [
        ("a.toml", "[services.web]\ncomand = 'x'\n", "comand"),
        ("Procfile", "web\n", "line 1"),
        ("a.conf", "[program:x]\n", "it has no `command`"),
        ("b.toml", "[services.web]\ncommand = ['no-such-program']\n", "no-such-program"),
        ("a.yaml", "", "nobody can tell"),
    ] {
        sandbox.write(name, text);
        let said = sandbox.run(&["supervise", "--dir", "run", name]);
        assert!(!said.status().success() && said.stderr().contains(expected), "{name}: {}", said.stderr());
    }
    sandbox.run(&["supervise", "a.toml"]).code(64);
    assert!(sandbox.processes().is_empty());
}

#[test]
fn an_installation_in_the_foreground_tells_whoever_manages_it() {
    let life =
        Life::of(&format!("[parts.web]\nrecipe = \"command\"\ncommand = [\"/bin/sh\", \"-c\", \"{SLEEPER}\"]\n"));
    life.run(&["install", "--quiet", "--no-start"]).success();
    let path = life.sandbox.path("tmp/notify");
    let socket = UnixDatagram::bind(&path).expect("bind");
    life.sandbox.own(&path);
    socket.set_read_timeout(Some(Duration::from_secs(60))).expect("set");
    let mut command = life.sandbox.command(&["start", "--foreground", "--quiet"]);
    let mut child = command.env("NOTIFY_SOCKET", &path).stdout(Stdio::null()).spawn().expect("it starts");
    let mut buffer = [0; 100];
    let mut heard = || {
        let count = socket.recv(&mut buffer).expect("a word");
        String::from_utf8_lossy(&buffer[..count]).into_owned()
    };
    assert_eq!(heard(), "READY=1");
    assert_eq!(life.service("web")["state"], "ready");
    kill_process(Pid::from_raw(child.id().cast_signed()).expect("pid"), Signal::TERM).expect("signalled");
    assert_eq!(heard(), "STOPPING=1");
    assert_eq!(child.wait().expect("an end").code(), Some(0));
    life.is_quiet();
}

#[test]
fn an_installation_that_is_shut_down_while_it_starts_in_the_foreground_ends_calmly() {
    let never = "ready = { tcp = \"127.0.0.1:1\" }";
    let command = format!("command = [\"/bin/sh\", \"-c\", \"{SLEEPER}\"]");
    let life = Life::of(&format!("[parts.web]\nrecipe = \"command\"\n{command}\n{never}\n"));
    life.run(&["install", "--quiet", "--no-start"]).success();
    let mut command = life.sandbox.command(&["start", "--foreground"]);
    let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
    until("its beginning", || (life.service("web")["state"] == "starting").then_some(()));
    life.run(&["shutdown"]).success();
    let output = child.wait_with_output().expect("an end");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("shut down while it started"), "{said}");
    assert!(!said.contains("everything is up"), "{said}");
    life.is_quiet();
}

#[test]
fn a_start_waits_for_the_end_of_a_stop_that_is_under_way() {
    let script = "trap 'sleep 1; exit' TERM; while :; do sleep 0.05; done";
    let life = Life::of(&format!("[parts.web]\nrecipe = \"command\"\ncommand = [\"/bin/sh\", \"-c\", \"{script}\"]\n"));
    life.install();
    let pid = life.pid("web");
    let mut stop = life.sandbox.command(&["stop", "--quiet"]).spawn().expect("it starts");
    until("its stop", || (life.service("web")["state"] == "stopping").then_some(()));
    life.run(&["start"]).success();
    assert!(stop.wait().expect("an end").success());
    assert_eq!(life.service("web")["state"], "ready");
    assert_ne!(life.pid("web"), pid);
    life.run(&["stop"]).success();
    life.is_quiet();
}

/// Numbers of the processes that bear these words in their commands.
fn with_words(words: &[&str]) -> Vec<i32> {
    let has_all = |pid: &i32| {
        let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let command = String::from_utf8_lossy(&command).replace('\0', " ");
        words.iter().all(|word| command.contains(word))
    };
    proc::pids().into_iter().filter(has_all).collect()
}

#[test]
fn as_process_1_of_a_container_it_buries_everybody() {
    let sandbox = Sandbox::new();
    sandbox.write("services.toml", format!("[services.web]\ncommand = \"{SLEEPER}\"\n"));
    let mut command = sandbox.other("unshare");
    let is_root = rustix::process::geteuid().is_root();
    // As root the sandbox drops to its user itself, before `unshare` runs: a namespace of users makes up for that.
    command.args(["--user", "--map-current-user", "--pid", "--fork", "--mount-proc", "--kill-child"]);
    command.arg(sandbox.program()).args(["supervise", "--dir", "run", "services.toml"]);
    let output = |path: &str| std::fs::File::create(sandbox.path(path)).expect("a file");
    let mut child = command.stdout(output("out")).stderr(output("err")).spawn().expect("unshare runs");
    let stderr = || std::fs::read_to_string(sandbox.path("err")).unwrap_or_default();
    let outcome = until("an outcome", || {
        let is_up = stderr().contains("supervising ");
        (is_up || child.try_wait().expect("a look").is_some()).then_some(is_up)
    });
    if !outcome && stderr().contains("unshare: ") {
        eprintln!("skipped: no namespace of processes can be made here (root: {is_root}): {}", stderr());
        return;
    }
    assert!(outcome, "{}", stderr());
    let init = *proc::children(child.id().cast_signed()).first().expect("process 1");
    let root = sandbox.folder().join("run").display().to_string();
    let keeper = until("a keeper", || with_words(&["internal-keeper", &root]).first().copied());
    // Its children have no other parent now than process 1.
    kill_process(Pid::from_raw(keeper).expect("pid"), Signal::KILL).expect("killed");
    until("another keeper", || with_words(&["internal-keeper", &root]).into_iter().find(|pid| *pid != keeper));
    let restarted = || sandbox.run(&["restart", "--dir", "run", "web"]).status().success();
    until("a restart", || restarted().then_some(()));
    let zombies = || {
        let is_zombie = |pid: &i32| proc::stat(*pid).is_some_and(|stat| stat.state == 'Z');
        proc::children(init).into_iter().filter(is_zombie).collect::<Vec<_>>()
    };
    until("burials", || zombies().is_empty().then_some(()));
    kill_process(Pid::from_raw(init).expect("pid"), Signal::TERM).expect("told to end");
    assert_eq!(child.wait().expect("an end").code(), Some(0), "{}", stderr());
    until("the end of all processes", || sandbox.processes().is_empty().then_some(()));
}

#[test]
fn the_live_view_fills_a_terminal_and_leaves_it_as_it_was() {
    let stay = Stay::new("services.toml", &format!("[services.web]\ncommand = \"echo here I am; {SLEEPER}\"\n"));
    // `script` gives it a terminal of its own.
    let view = format!("stty rows 20 cols 100; exec {} status --dir run --watch", stay.sandbox.program().display());
    let mut command = stay.sandbox.other("script");
    command.args(["--quiet", "--flush", "--return", "--command", &view, "seen"]).env("TERM", "xterm");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("script runs");
    let seen =
        || String::from_utf8_lossy(&std::fs::read(stay.sandbox.folder().join("seen")).unwrap_or_default()).into_owned();
    until("a view", || (seen().contains("web") && seen().contains("here I am")).then_some(()));
    let first = seen();
    assert!(first.contains("\x1b[?1049h") && first.contains("\x1b[?25l"), "{first:?}");
    for column in ["SERVICE", "STATE", "CPU", "MEMORY", "RESTARTS"] {
        assert!(first.contains(column), "no {column}: {first:?}");
    }
    // It goes on by itself.
    until("another look", || (seen().matches("SERVICE").count() > 1).then_some(()));
    // Ctrl-C, as from a keyboard.
    child.stdin.as_mut().expect("a keyboard").write_all(b"\x03").expect("typed");
    child.wait().expect("an end");
    let all = seen();
    let (shown, back) = (all.find("\x1b[?1049h"), all.rfind("\x1b[?1049l"));
    assert!(shown < back && all.rfind("\x1b[?25h") > shown, "{all:?}");
    let mut stay = stay;
    stay.signal(Signal::TERM);
    stay.ends(Some(0));
}
