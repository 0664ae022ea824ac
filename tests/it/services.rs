//! Services on bad days, as the person at the command line sees them.

use std::os::unix::fs::FileTypeExt;

use insta::assert_snapshot;
use rustix::process::{Pid, Signal, kill_process};

use crate::life::{Life, until};

const SLEEPER: &str = "while :; do sleep 1000; done";

/// A part that runs a shell script.
fn part(name: &str, script: &str, more: &str) -> String {
    let script = script.replace('\\', "\\\\").replace('"', "\\\"");
    format!("[parts.{name}]\nrecipe = \"command\"\ncommand = [\"/bin/sh\", \"-c\", \"{script}\"]\n{more}\n")
}

fn kill(pid: i64, signal: Signal) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a pid");
    let _ = kill_process(pid, signal);
}

fn is_alive(pid: i64) -> bool {
    let stat = fs_err::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']))
}

/// A number that a service wrote.
fn number(life: &Life, name: &str) -> i64 {
    let path = life.sandbox.path("work").join(name);
    until("a number", || fs_err::read_to_string(&path).ok()?.trim().parse().ok())
}

#[test]
fn what_never_gets_ready_is_backed_out() {
    let life = Life::of(&part("good", SLEEPER, ""));
    life.install();
    let pid = life.pid("good");
    let never =
        part("never", "echo waiting for godot; sleep 1000", "ready = { tcp = \"127.0.0.1:1\", deadline = \"1s\" }");
    life.define(&(part("good", SLEEPER, "") + &never));
    assert_snapshot!(life.run(&["install", "--quiet"]).text(), @r"
    ------- stderr -------
    error: never: it was not ready within [DURATION]
        | waiting for godot

    hint: the whole log: jove-install logs
    hint: generation 1 is as it was; what failed is kept as generation 2
    ------- exit 1 -------
    ");
    assert_eq!((life.pid("good"), life.generation().as_deref()), (pid, Some("1")));
    // The same is not tried again by itself.
    assert_snapshot!(life.run(&["install", "--quiet"]).text(), @r"
    ------- stderr -------
    error: the same inputs were tried as generation 2, and failed: never: it was not ready within [DURATION]

    hint: change what was wrong and run again, or try the same once more: jove-install install --retry
    ------- exit 1 -------
    ");
    life.run(&["install", "--retry", "--quiet"]).code(1);
    assert_eq!(life.pid("good"), pid);
    life.define(&part("good", SLEEPER, ""));
    life.install();
    assert_eq!(life.pid("good"), pid);
}

#[test]
fn a_first_install_that_fails_leaves_nothing_running_but_can_be_stopped_and_wiped() {
    let life = Life::of(&part("bad", "echo bye; exit 3", ""));
    assert_snapshot!(life.run(&["install", "--quiet"]).text(), @r"
    ------- stderr -------
    error: bad: it exited with 3; it was started 5 times within [DURATION] and is given up
        | bye

    hint: the whole log: jove-install logs
    hint: nothing was committed, and everything is stopped
    ------- exit 1 -------
    ");
    assert_snapshot!(life.run(&["status"]).text(), @r"
    [HOME]/jove/app-dev (dev, no generation is committed yet)

    it has no services
    ------- stderr -------
    ------- exit 1 -------
    ");
    assert_snapshot!(life.run(&["history"]).text(), @r"
        1  [TIME]  install  failed: bad: it exited with 3; it was started 5 times within [DURATION] and is given up
             bad: not installed yet (recipe `command`)
    ------- stderr -------
    ------- exit 0 -------
    ");
    life.run(&["stop"]).success();
    life.is_quiet();
    life.run(&["wipe", "--data", "--yes"]).success();
    assert!(!life.prefix().exists());
}

#[test]
fn a_folder_that_is_not_there_is_told_at_the_first_start() {
    let life = Life::of(&part("lost", SLEEPER, "folder = \"nowhere\""));
    assert_snapshot!(life.run(&["install", "--quiet"]).text(), @r"
    ------- stderr -------
    error: lost: its folder [WORK]/nowhere is not there: make it, or name another one

    hint: the whole log: jove-install logs
    hint: nothing was committed, and everything is stopped
    ------- exit 1 -------
    ");
    life.sandbox.write("nowhere/x", "");
    life.run(&["install", "--retry", "--quiet"]).success();
    assert_eq!(life.service("lost")["restarts"], 0);
    life.run(&["stop"]).success();
}

#[test]
fn a_restart_of_what_is_stopped_says_so() {
    let life = Life::of(&(part("one", SLEEPER, "") + &part("two", SLEEPER, "")));
    life.install();
    life.run(&["stop", "one"]).success();
    life.run(&["restart"]).success();
    assert_eq!(life.service("one")["state"], "stopped", "it was not meant to run");
    life.run(&["stop", "two"]).success();
    assert_snapshot!(life.run(&["restart"]).text(), @r"
    ------- stderr -------
    error: everything is stopped

    hint: start it: jove-install start
    ------- exit 1 -------
    ");
    life.run(&["stop"]).success();
    assert_snapshot!(life.run(&["restart"]).text(), @r"
    ------- stderr -------
    error: everything is stopped

    hint: start it: jove-install start
    ------- exit 1 -------
    ");
    life.is_quiet();
    // One that is named is started in any case.
    life.run(&["restart", "one"]).success();
    let pid = life.pid("one");
    assert!(is_alive(pid));
    life.run(&["stop"]).success();
}

#[test]
fn what_forks_away_is_ended_and_told() {
    let life = Life::of(&part("away", "setsid sleep 1000 & echo $! > pid", "folder = \".\""));
    let said = life.run(&["install", "--quiet"]).code(1);
    assert!(said.stderr().contains("it must stay in the foreground"), "{}", said.text());
    let left = number(&life, "pid");
    until("its end", || (!is_alive(left)).then_some(()));
    life.run(&["stop"]).success();
    life.is_quiet();
}

#[test]
fn what_ignores_the_signal_is_killed_with_all_it_started() {
    let script = "trap '' TERM; setsid sh -c 'trap \"\" TERM HUP; echo $$ > escaped; sleep 1000' & sleep 1000 & echo $! > child; while :; do sleep 1000; done";
    let life =
        Life::of(&(part("stubborn", script, "folder = \".\"\nstop_grace = \"500ms\"") + &part("other", SLEEPER, "")));
    life.install();
    let (own, child, escaped) = (life.pid("stubborn"), number(&life, "child"), number(&life, "escaped"));
    let other = life.pid("other");
    life.run(&["stop", "stubborn"]).success();
    for pid in [own, child, escaped] {
        assert!(!is_alive(pid), "{pid} of {own}, {child}, {escaped}");
    }
    assert_eq!(life.pid("other"), other, "no other is touched");
    life.run(&["start", "stubborn"]).success();
    assert_ne!(life.pid("stubborn"), own);
    life.run(&["stop"]).success();
    life.is_quiet();
}

#[test]
fn what_the_starter_ignores_is_not_ignored_by_services() {
    let life = Life::of(&part("app", &format!("grep SigIgn /proc/self/status; {SLEEPER}"), ""));
    let mut starter = life.sandbox.other("/bin/sh");
    let program = life.sandbox.program().display().to_string();
    starter.args(["-c", "trap '' HUP QUIT PIPE USR1 RTMIN; exec \"$0\" install --quiet", &program]);
    life.sandbox.finish(starter, b"").success();
    let ignored = until("a line", || {
        let log = fs_err::read_to_string(life.prefix().join("log/app.log")).ok()?;
        u64::from_str_radix(log.strip_prefix("SigIgn:\t")?.lines().next()?, 16).ok()
    });
    // The C library keeps two for itself, which it has its children ignore.
    assert_eq!(ignored & !(0b11 << 31), 0, "{ignored:x}");
}

#[test]
fn stop_leaves_no_process_and_no_socket() {
    let life = Life::of(&(part("one", SLEEPER, "") + &part("two", SLEEPER, "needs = [\"one\"]")));
    life.install();
    life.run(&["stop"]).success();
    life.is_quiet();
    let entries = walkdir::WalkDir::new(life.prefix()).into_iter().filter_map(Result::ok);
    let left: Vec<_> =
        entries.filter(|entry| entry.file_type().is_socket()).map(|entry| entry.path().to_owned()).collect();
    assert!(left.is_empty(), "{left:?}");
    life.run(&["start"]).success();
    life.run(&["status"]).success();
}

/// Kills keeper and supervisor; the service goes on.
fn kill_ours(life: &Life, pid: i64) {
    let ours = life.sandbox.processes();
    let internal = ours.iter().filter(|process| process.command.contains("internal-"));
    let pids: Vec<i64> = internal.map(|process| process.pid.into()).collect();
    assert_eq!(pids.len(), 2, "{ours:?}");
    // Each would start the other anew.
    for signal in [Signal::STOP, Signal::KILL] {
        pids.iter().for_each(|pid| kill(*pid, signal));
    }
    until("the end of both", || pids.iter().all(|pid| !is_alive(*pid)).then_some(()));
    assert!(is_alive(pid), "the service goes on");
}

#[test]
fn a_keeper_that_was_killed_does_not_hide_services_from_stop() {
    let life = Life::of(&part("app", SLEEPER, ""));
    life.install();
    let pid = life.pid("app");
    kill_ours(&life, pid);
    life.run(&["stop"]).success();
    assert!(!is_alive(pid));
    life.is_quiet();
    assert_eq!(life.service("app")["state"], "stopped");
}

#[test]
fn what_runs_without_a_keeper_is_shown_as_that_and_taken_over() {
    let life = Life::of(&(part("app", SLEEPER, "") + &part("other", SLEEPER, "")));
    life.install();
    life.run(&["stop", "other"]).success();
    let pid = life.pid("app");
    kill_ours(&life, pid);
    let shown = life.run(&["status"]).code(1).stdout().to_owned();
    assert!(shown.contains("(dev, generation 1, not supervised)\n"), "{shown}");
    assert!(shown.contains("`jove-install start` takes over"), "{shown}");
    let row = shown.lines().find(|line| line.starts_with("app ")).expect("its row");
    assert!(row.contains("runs, not supervised") && row.contains(&format!(" {pid} ")), "{row}");
    let status = life.service("app");
    assert_eq!((status["state"].as_str(), status["pid"].as_i64()), (Some("unsupervised"), Some(pid)));
    assert_eq!(life.service("other")["state"], "stopped");
    life.run(&["start", "app"]).success();
    let status = life.service("app");
    assert_eq!((status["state"].as_str(), status["pid"].as_i64()), (Some("ready"), Some(pid)));
}

#[test]
fn what_another_machine_started_is_named_with_it() {
    let life = Life::of(&part("app", SLEEPER, ""));
    life.install();
    kill_ours(&life, life.pid("app"));
    let path = life.prefix().join("run/lease/app.json");
    let own = fs_err::read(&path).expect("a lease");
    let mut lease: serde_json::Value = serde_json::from_slice(&own).expect("JSON");
    lease["machine"] = "another".into();
    lease["host"] = "node7".into();
    // Over the old one, so that its owner stays.
    fs_err::write(&path, lease.to_string()).expect("written");
    let shown = life.run(&["status"]).code(1).stdout().to_owned();
    let row = shown.lines().find(|line| line.starts_with("app ")).expect("its row").to_owned();
    assert!(row.contains("elsewhere") && row.ends_with("it was started on node7 and may run there still"), "{shown}");
    assert_eq!(life.service("app")["state"], "elsewhere");
    let refused = life.run(&["start"]).code(1);
    let expected = "error: starting the keeper failed: app of this prefix was started on node7 and may run there still";
    assert!(refused.stderr().starts_with(expected), "{}", refused.stderr());
    fs_err::write(&path, own).expect("written");
    assert_eq!(life.service("app")["state"], "unsupervised");
}

#[test]
fn a_flood_of_lines_is_held_to_its_size() {
    let flood = "i=0; while :; do i=$((i+1)); echo $i 0123456789012345678901234567890123456789012345678901234567890123456789; done";
    let life = Life::of(&(part("flood", flood, "") + &part("calm", SLEEPER, "")));
    life.install();
    let size = || {
        let entries = fs_err::read_dir(life.prefix().join("log")).expect("logs").filter_map(Result::ok);
        let logs = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("flood."));
        logs.filter_map(|entry| Some((entry.file_name(), entry.metadata().ok()?.len()))).collect::<Vec<_>>()
    };
    // Rotated at least once.
    until("a rotation", || (size().len() > 2).then_some(()));
    assert_eq!(life.service("calm")["state"], "ready");
    life.run(&["restart", "calm"]).success();
    let last = life.run(&["logs", "flood", "-n", "3"]).success();
    assert_eq!(last.stdout().lines().count(), 3, "{}", last.text());
    life.run(&["stop"]).success();
    life.is_quiet();
    let whole: u64 = size().iter().map(|(_, size)| size).sum();
    assert!(whole < 200 << 20, "{:?}", size());
}

#[test]
fn a_service_that_crashes_comes_back_and_is_given_up_in_a_burst() {
    let script = "echo $$ > pid; if test -e crash; then for n in 1 2 3 4 5 6; do echo line $n; done; exit 5; fi; while :; do sleep 1000; done";
    let life = Life::of(&part("app", script, "folder = \".\""));
    life.install();
    let first = life.pid("app");
    kill(first, Signal::KILL);
    let second = until("another process", || life.service("app")["pid"].as_i64().filter(|pid| *pid != first));
    until("it is ready", || (life.service("app")["state"] == "ready").then_some(()));
    assert_eq!(life.service("app")["restarts"], 1);
    life.sandbox.write("crash", "");
    kill(second, Signal::KILL);
    until("it is given up", || (life.service("app")["state"] == "failed").then_some(()));
    let reason = life.service("app")["reason"].as_str().unwrap_or_default().to_owned();
    assert!(reason.contains("exited with 5") && reason.contains("given up"), "{reason}");
    let lines: Vec<String> = (2..=6).map(|number| format!("line {number}")).collect();
    assert_eq!(life.service("app")["last_lines"], serde_json::json!(lines));
    let shown = life.run(&["status"]).code(1).stdout().to_owned();
    let said = format!("\napp said last:\n  | {}\n", lines.join("\n  | "));
    assert!(shown.contains(&reason) && shown.ends_with(&said), "{shown}");
    fs_err::remove_file(life.sandbox.path("work/crash")).expect("removed");
    life.run(&["start", "app"]).success();
    assert_eq!(life.service("app")["state"], "ready");
    assert_eq!(life.service("app").get("last_lines"), None);
}

#[test]
fn services_outlive_the_terminal_that_started_them() {
    let life = Life::of(&part("app", SLEEPER, ""));
    // A session of its own with a terminal, both gone at its end.
    let typescript = life.sandbox.path("tmp/typescript");
    let mut command = life.sandbox.other("script");
    let line = format!("'{}' install; echo in-terminal", life.sandbox.program().display());
    command.args(["-q", "-e", "-c", &line]).arg(&typescript);
    let said = life.sandbox.finish(command, b"");
    assert!(said.stdout().contains("in-terminal"), "{}", said.text());
    assert_eq!(life.service("app")["state"], "ready");
    let stat = fs_err::read_to_string(format!("/proc/{}/stat", life.pid("app"))).expect("it runs");
    let fields: Vec<&str> = stat.rsplit_once(')').expect("a name").1.split_whitespace().collect();
    assert_eq!(fields[4], "0", "no terminal: {stat}");
}

#[test]
fn two_parts_may_read_each_others_address() {
    let both = |name: &str, other: &str| {
        format!(
            "[parts.{name}]\nrecipe = \"command\"\ncommand = [\"/usr/bin/env\", \"python3\", \"-m\", \"http.server\", \"--bind\", \"127.0.0.1\", \"${{.port}}\"]\n\
             listens = [\"127.0.0.1:${{.port}}\"]\nready = {{ tcp = \"127.0.0.1:${{.port}}\" }}\nvars = {{ OTHER = \"${{{other}.port}}\" }}\n"
        )
    };
    let mut life = Life::of(&(both("front", "back") + &both("back", "front")));
    for name in ["JOVE_SET_FRONT__PATH", "JOVE_SET_BACK__PATH"] {
        let path = life.sandbox.var("PATH");
        life.sandbox.set(name, path);
    }
    life.install();
    let seen =
        |part: &str| life.run(&["run", part, "--", "/bin/sh", "-c", "echo $OTHER"]).success().stdout().to_owned();
    let (front, back) = (seen("back"), seen("front"));
    assert_ne!(front, back);
    // The port of one changes: both are restarted, for each knows it.
    let before = (life.pid("front"), life.pid("back"));
    let port = free_port();
    life.run(&["install", "--quiet", "--set", &format!("front.port={port}")]).success();
    assert_eq!(seen("back").trim(), port.to_string());
    assert!(life.pid("front") != before.0 && life.pid("back") != before.1);
    life.run(&["verify", "--quiet"]).success();
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

#[test]
fn a_busy_port_is_named_before_anything_starts() {
    let web = |port: u16| {
        format!(
            "{}[parts.web]\nrecipe = \"command\"\nport = {port}\nlistens = [\"127.0.0.1:${{.port}}\"]\nready = {{ tcp = \"127.0.0.1:${{.port}}\" }}\n\
             command = [\"/usr/bin/env\", \"python3\", \"-m\", \"http.server\", \"--bind\", \"127.0.0.1\", \"${{.port}}\"]\n",
            part("first", "echo started >> started; while :; do sleep 1000; done", "folder = \".\"")
        )
    };
    let mut life = Life::of("");
    life.sandbox.set("JOVE_SET_WEB__PATH", life.sandbox.var("PATH"));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    life.define(&web(port));
    let said = life.run(&["install", "--quiet"]).code(1);
    let expected = format!("127.0.0.1:{port}, which `web` is to listen on, is held by ");
    assert!(said.stderr().contains(&expected), "{}", said.text());
    assert!(!life.sandbox.path("work/started").exists(), "nothing was started");
    drop(listener);
    // Nothing was tried, so nothing is to be retried by hand.
    life.install();
    // Another prefix of the same user wants the same port.
    let second = life.sandbox.home().join("second").display().to_string();
    let said = life.run(&["--prefix", &second, "install", "--quiet"]).code(1);
    let holder = format!("(pid {})", life.pid("web"));
    assert!(said.stderr().contains(&expected) && said.stderr().contains(&holder), "{}", said.text());
    assert_eq!(life.service("web")["state"], "ready");
    life.run(&["--prefix", &second, "stop"]).success();
    life.run(&["stop"]).success();
    life.is_quiet();
}

#[test]
fn a_day_of_use_leaves_the_software_as_it_was() {
    let life = Life::of(
        &(part(
            "app",
            "echo $$ > $HOME/data; while :; do sleep 1000; done",
            "reload_signal = \"HUP\"\nvars.TOKEN = \"1\"",
        )),
    );
    life.install();
    for arguments in [
        &["restart"][..],
        &["stop", "app"],
        &["start", "app"],
        &["stop"],
        &["start"],
        &["logs"],
        &["status"],
        &["install"],
        &["install", "--set", "app.stop_grace=3s"],
        &["rollback"],
        &["run", "app", "--", "true"],
        &["gc"],
    ] {
        life.run(arguments).success();
    }
    let said = life.run(&["verify", "--json"]).success().json();
    assert_eq!(said["notes"], serde_json::json!([]), "{said}");
    assert!(life.prefix().join("var/app/data").exists());
}

/// A recipe with a command that prepares its data, and knows a secret.
const PREPARED: &str = r#"
summary = "prepared"
[options.round]
type    = "string"
default = "first"
[options.token]
type    = "secret"
default = "generate"
[[file]]
content = "x"
path    = "x"
[[step]]
name    = "prepare"
command = ["/bin/sh", "-c", "echo \"$TOKEN\" > \"$1\"", "prepare", "${.data}/a ${.round} token"]
key     = "${.round}"
folder  = "${.data}"
folders = ["${.data}"]
vars    = { TOKEN = "${.token}" }
[[service]]
command = ["/bin/sleep", "1000000"]
"#;

#[test]
fn the_command_of_a_data_step_is_shown_to_those_who_ask_for_more() {
    let life = Life::of("[parts.it]\nrecipe = \"prepared\"\n");
    life.sandbox.write("recipes/prepared/recipe.toml", PREPARED);
    let said = life.run(&["install", "-v"]).success();
    let data = life.prefix().join("var/it");
    let token = fs_err::read_to_string(data.join("a first token")).expect("prepared");
    let shown =
        |round: &str| format!("  /bin/sh -c 'echo \"$TOKEN\" > \"$1\"' prepare '{}/a {round} token'", data.display());
    let lines: Vec<&str> = said.stderr().lines().collect();
    let begins = lines.iter().position(|line| *line == "  it-prepare is running").expect("it began");
    assert_eq!(lines[begins + 1], shown("first"), "{}", said.text());
    assert!(token.trim().len() > 8 && !said.stderr().contains(token.trim()), "{}", said.text());
    life.define("[parts.it]\nrecipe = \"prepared\"\nround = \"second\"\n");
    let said = life.run(&["install"]).success();
    assert!(data.join("a second token").exists() && !said.stderr().contains("/bin/sh"), "{}", said.text());
    // What is done is not begun again.
    life.run(&["stop"]).success();
    let said = life.run(&["start", "-v"]).success();
    assert!(said.stderr().contains("it is ready") && !said.stderr().contains("/bin/sh"), "{}", said.text());
}
