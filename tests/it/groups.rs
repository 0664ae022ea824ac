//! Control groups of services: used where one is delegated to the user, never required.

use std::io::Write as _;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};

use jove_install::keeper::proc;
use jove_install::service::group;
use rustix::process::{Pid, Signal, kill_process};

use crate::life::{Life, until};

/// A control group that is delegated to a user, as `systemd --user` does; it goes again with all that is in it.
struct Delegated(PathBuf);

impl Delegated {
    /// Only root can make one.
    fn to(user: u32) -> Result<Self, String> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let read = |path: &str| fs_err::read_to_string(path).map_err(|error| error.to_string());
        let own = group::folder(&read("/proc/self/cgroup")?, &read("/proc/self/mountinfo")?);
        let own = own.ok_or("no control groups of the second kind are mounted")?;
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let made = Self(own.join(format!("jove-it-{}-{number}", std::process::id())));
        fs_err::create_dir(&made.0).map_err(|error| error.to_string())?;
        for file in ["", "cgroup.procs", "cgroup.subtree_control", "cgroup.threads"] {
            chown(made.0.join(file), Some(user), Some(user)).map_err(|error| error.to_string())?;
        }
        Ok(made)
    }

    /// Has a process go into it.
    fn enter(&self, pid: u32) {
        fs_err::write(self.0.join("cgroup.procs"), pid.to_string()).expect("it enters");
    }

    fn has(&self, controller: &str) -> bool {
        let known = fs_err::read_to_string(self.0.join("cgroup.controllers")).expect("controllers");
        known.split_ascii_whitespace().any(|one| one == controller)
    }

    /// The groups in it, at any depth.
    fn groups(&self) -> Vec<PathBuf> {
        let found = walkdir::WalkDir::new(&self.0).min_depth(1).contents_first(true).into_iter().flatten();
        found.filter(|entry| entry.file_type().is_dir()).map(walkdir::DirEntry::into_path).collect()
    }
}

impl Drop for Delegated {
    fn drop(&mut self) {
        let _ = fs_err::write(self.0.join("cgroup.kill"), "1");
        until("the end of a control group", || {
            self.groups().iter().for_each(|group| drop(std::fs::remove_dir(group)));
            (std::fs::remove_dir(&self.0).is_ok() || !self.0.exists()).then_some(())
        });
    }
}

/// The control group of a process.
fn group_of(pid: i64) -> String {
    let text = fs_err::read_to_string(format!("/proc/{pid}/cgroup")).expect("its group");
    text.lines().find_map(|line| line.strip_prefix("0::")).expect("one of the second kind").to_owned()
}

fn is_alive(pid: i64) -> bool {
    proc::stat(i32::try_from(pid).expect("a number")).is_some_and(|stat| stat.state != 'Z')
}

fn kill(pid: i64) {
    let pid = Pid::from_raw(i32::try_from(pid).expect("a number")).expect("a number");
    // It may have ended by itself.
    let _ = kill_process(pid, Signal::KILL);
}

/// A part whose service has a grandchild that did all to be nobody's: a session of its own, no variables, and the mark of its
/// service is off.
fn with_stranger(name: &str) -> String {
    format!(
        "[parts.{name}]\nrecipe = \"command\"\nfolder = \".\"\nlimits = {{ total_processes = 50 }}\ncommand = [\"/bin/sh\", \"-c\", '''\n\
         setsid env -i /bin/sh -c 'prlimit --pid $$ --rttime=7:7; echo $$ > {name}.new; mv {name}.new {name}.pid; exec sleep 1000' \
         >/dev/null 2>&1 </dev/null & while :; do sleep 1000; done''']\n"
    )
}

fn stranger(life: &Life, name: &str) -> i64 {
    let file = life.sandbox.path("work").join(format!("{name}.pid"));
    until("a grandchild", || fs_err::read_to_string(&file).ok()?.trim().parse().ok())
}

#[test]
fn a_service_has_a_control_group_of_its_own_where_one_is_delegated() {
    let life = Life::of(&(with_stranger("web") + &with_stranger("db")));
    let delegated = match Delegated::to(life.sandbox.user()) {
        Ok(delegated) => delegated,
        Err(reason) => return eprintln!("not tried: no control group can be delegated here: {reason}"),
    };
    // Whoever installs is in that group, and nobody else.
    let mut install = life.sandbox.other("/bin/sh");
    install.arg("-c").arg("read go; exec \"$0\" install --quiet").arg(life.sandbox.program());
    let mut install = install.stdin(Stdio::piped()).spawn().expect("a shell");
    delegated.enter(install.id());
    install.stdin.take().expect("its input").write_all(b"go\n").expect("it hears");
    assert!(install.wait().expect("its end").success());

    let strangers = ["web", "db"].map(|name| stranger(&life, name));
    for (name, stranger) in ["web", "db"].into_iter().zip(strangers) {
        let group = group_of(life.pid(name));
        assert!(Path::new(&group).ends_with(name), "{group}");
        assert_eq!(group_of(stranger), group);
        limits_are_seen_to(&life, &delegated, name);
    }
    let status = life.status();
    assert!(status["usage"]["web"]["group"]["cpu"].as_f64().is_some_and(|spent| spent > 0.0), "{status}");
    assert_eq!(status["usage"]["web"]["group"]["memory"].is_u64(), delegated.has("memory"), "{status}");

    life.run(&["stop", "web"]).success();
    assert!(!is_alive(strangers[0]) && is_alive(strangers[1]));
    let left = || delegated.groups().into_iter().map(|group| group.file_name().map(ToOwned::to_owned));
    assert!(left().all(|name| name != Some("web".into())) && left().any(|name| name == Some("db".into())));
    restarted_it_is_in_its_group_again(&life);
    another_keeper_knows_it(&life, &delegated);
}

fn limits_are_seen_to(life: &Life, delegated: &Delegated, name: &str) {
    let said = fs_err::read_to_string(life.prefix().join("log/supervisor.log")).expect("log");
    let unseen = format!("{name}: nothing sees to its limit `total_processes`: ");
    assert_eq!(said.contains(&unseen), !delegated.has("pids"), "{said}");
    if delegated.has("pids") {
        let group = delegated.groups().into_iter().find(|group| group.ends_with(name)).expect("its group");
        assert_eq!(fs_err::read_to_string(group.join("pids.max")).expect("its limit"), "50\n");
    } else {
        eprintln!("its limit was not tried: the controller `pids` is not in this tree");
    }
}

fn restarted_it_is_in_its_group_again(life: &Life) {
    let former = life.pid("db");
    kill(former);
    let fresh = || life.service("db")["pid"].as_i64().filter(|pid| *pid != former);
    let fresh = until("a new process", fresh);
    assert!(group_of(fresh).ends_with("/db"));
}

/// One that was started outside, after both processes were killed.
fn another_keeper_knows_it(life: &Life, delegated: &Delegated) {
    let (db, stranger) = (life.pid("db"), stranger(life, "db"));
    let own = |word: &str| life.sandbox.processes().into_iter().find(|process| process.command.contains(word));
    // The keeper first: it would start another supervisor.
    kill(own("internal-keeper").expect("a keeper").pid.into());
    let end = || match own("internal-") {
        None => Some(()),
        Some(supervisor) => {
            kill(supervisor.pid.into());
            None
        }
    };
    until("the end of both", end);
    life.run(&["start", "--quiet", "db"]).success();
    assert_eq!(life.pid("db"), db);
    assert!(is_alive(stranger));
    life.run(&["stop"]).success();
    assert!(!is_alive(db) && !is_alive(stranger));
    life.is_quiet();
    assert_eq!(delegated.groups(), Vec::<PathBuf>::new());
}

#[test]
fn without_a_control_group_a_limit_of_all_processes_is_no_reason_not_to_run() {
    let life = Life::of(
        "[parts.web]\nrecipe = \"command\"\ncommand = [\"/bin/sh\", \"-c\", \"while :; do sleep 1000; done\"]\n\
         limits = { total_memory = \"1GiB\", total_cpu = 150 }\n",
    );
    life.install();
    let said = fs_err::read_to_string(life.prefix().join("log/supervisor.log")).expect("log");
    if group_of(life.pid("web")).ends_with("/web") {
        eprintln!("not tried: a control group is delegated to this user");
        return;
    }
    assert!(said.contains("web: nothing sees to its limit `total_cpu`: "), "{said}");
    assert!(said.contains("nothing sees to its limit `total_memory`: "), "{said}");
    assert_eq!(life.status()["usage"]["web"]["group"], serde_json::Value::Null);
    life.run(&["stop"]).success();
    life.define("[parts.web]\nrecipe = \"command\"\ncommand = [\"/bin/true\"]\nlimits = { total_cpu = 0 }\n");
    let refused = life.run(&["plan"]).code(1);
    assert!(
        refused.stderr().contains("`total_cpu` of `limits` must be from 1 to 1000000, but is 0"),
        "{}",
        refused.text()
    );
}
