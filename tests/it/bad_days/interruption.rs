//! Ctrl-C, once and twice, while something is made or tried.

use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::SLEEPER;
use crate::life::{Life, until};

/// What a step does that ends only when it is killed.
const STUBBORN: &str = "trap '' TERM INT; sleep 1234 & wait; sleep 1234";

/// A run in the background, when its step has begun.
fn interrupted_install(life: &Life, step: &str) -> Child {
    life.define(&format!(
        "{SLEEPER}[parts.slow]\nrecipe = \"step\"\nfolder = \".\"\n\
         command = [\"/bin/sh\", \"-c\", \"if test -e quick; then exit 0; fi; {step}\"]\n"
    ));
    let child = background(life);
    // It may write nowhere that this test can see: its processes tell that it runs.
    let begun = || life.sandbox.processes().iter().any(|process| process.command.starts_with("sleep 1234"));
    until("the step", || begun().then_some(()));
    child
}

fn background(life: &Life) -> Child {
    let mut command = life.sandbox.command(&["install"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts")
}

fn interrupt(child: &Child) {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a pid");
    let _ = kill_process(pid, Signal::INT);
}

/// It ended of an interrupt, of which it said this once.
#[track_caller]
fn ended_by(child: Child, word: &str) -> String {
    let said = child.wait_with_output().expect("it ends");
    let told = String::from_utf8_lossy(&said.stderr).into_owned();
    assert_eq!(said.status.code(), Some(130), "{told}");
    assert!(told.matches("interrupted: ").count() == 1 && told.contains(word), "{told}");
    told
}

#[test]
fn ctrl_c_ends_a_run_and_all_that_it_started() {
    let life = Life::of("");
    let child = interrupted_install(&life, STUBBORN);
    interrupt(&child);
    ended_by(child, "interrupted: nothing is lost");
    life.is_quiet();
    assert_eq!(life.generation(), None);
    let left: Vec<_> = fs_err::read_dir(life.sandbox.path("tmp")).expect("tmp").filter_map(Result::ok).collect();
    assert!(left.is_empty(), "{left:?}");
    life.sandbox.write("quick", "");
    life.install();
    assert_eq!(life.generation().as_deref(), Some("1"));
    life.run(&["wipe", "--data", "--yes"]).success();
    assert!(!life.prefix().exists());
}

#[test]
fn a_second_ctrl_c_does_not_wait_for_a_tool_that_tidies_up() {
    let life = Life::of("");
    let tidy = "trap 'echo asked; sleep 2.9; echo tidied; exit' TERM; sleep 1234 & wait";
    let mut child = interrupted_install(&life, tidy);
    let log = life.prefix().join("log/install/1/slow.log");
    let has_said = |word: &str| {
        let said = fs_err::read_to_string(&log).unwrap_or_default();
        said.lines().any(|line| line == word).then_some(())
    };
    interrupt(&child);
    until("a word of the tool", || has_said("asked"));
    assert!(child.try_wait().expect("known").is_none(), "after the first it may tidy up");
    interrupt(&child);
    ended_by(child, "interrupted: nothing is lost");
    assert_eq!(has_said("tidied"), None, "the second is not heard");
    life.is_quiet();
    assert_eq!(life.generation(), None);
    life.sandbox.write("quick", "");
    life.install();
}

/// A project whose second service is ready when the file `go` is there, and ends when `fail` is.
fn tried(life: &Life) -> Child {
    let folder = life.sandbox.folder().display().to_string();
    life.define(&format!(
        "{SLEEPER}[parts.late]\nrecipe = \"command\"\nrestart = \"never\"\n\
         command = [\"/bin/sh\", \"-c\", \"until test -e {folder}/fail; do sleep 0.05; done; exit 3\"]\n\
         ready = {{ exec = [\"/bin/sh\", \"-c\", \"test -e {folder}/go\"], interval = \"20ms\" }}\n"
    ));
    let child = background(life);
    until("the trial", || (life.prefix().join("switch.toml").exists()).then_some(()));
    until("its service", || {
        let services = life.status()["services"].clone();
        services.as_array().into_iter().flatten().any(|service| service["name"] == "late").then_some(())
    });
    child
}

#[test]
fn ctrl_c_in_a_trial_leaves_it_to_the_supervisor_and_says_so() {
    for (file, generation, code) in [("go", "2", 0), ("fail", "1", 1)] {
        let life = Life::of(SLEEPER);
        life.install();
        let pid = life.pid("app");
        let child = tried(&life);
        interrupt(&child);
        let told = ended_by(child, "interrupted: generation 2 is being tried, and the supervisor goes on with that");
        assert!(told.contains("goes back to generation 1 if that fails"), "{told}");
        assert!(told.contains("how it stands: jove-install status"), "{told}");
        assert_eq!((life.generation().as_deref(), life.pid("app")), (Some("1"), pid), "services are as before");
        assert!(life.run(&["status"]).code(1).stdout().contains("late"), "and `status` shows what is tried");
        life.sandbox.write(file, "");
        until("the end of the trial", || (!life.prefix().join("switch.toml").exists()).then_some(()));
        assert_eq!((life.generation().as_deref(), life.pid("app")), (Some(generation), pid));
        life.run(&["install"]).code(code);
        life.define(SLEEPER);
        life.install();
        assert_eq!(life.pid("app"), pid);
    }
}

#[test]
fn a_first_trial_that_is_interrupted_goes_on() {
    let life = Life::of("");
    let child = tried(&life);
    interrupt(&child);
    let told = ended_by(child, "interrupted: generation 1 is being tried");
    assert!(told.contains("stops what it started if that fails"), "{told}");
    life.sandbox.write("go", "");
    until("the commit", || (life.generation().as_deref() == Some("1")).then_some(()));
    life.run(&["install"]).success();
}
