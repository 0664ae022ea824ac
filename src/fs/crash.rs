//! Killing a process at a checkpoint, for the tests of modules: the test's own program is run again with one ignored test,
//! which does the work and is killed on the way.
#![allow(clippy::disallowed_methods, reason = "the folder comes to the child in a variable")]

use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, WaitOptions, waitpid};

const FOLDER: &str = "JOVE_TEST_FOLDER";

/// Runs the ignored test of that whole name in a process of its own, and sees that it is killed at the checkpoint.
///
/// # Panics
/// If it ends in another way.
pub fn killed_at(test: &str, checkpoint: &str, folder: &Path) {
    let output = command(test, checkpoint, folder).output().expect("run");
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.signal(), Some(9), "{test} was not killed at {checkpoint}: {text}");
}

/// A child that is killed when it is dropped, so that a failing test leaves none.
#[derive(Debug)]
pub struct KilledOnDrop(pub Child);

impl Drop for KilledOnDrop {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts the ignored test in a process of its own, and returns once it has stopped at the checkpoint. It is killed
/// when it is dropped.
///
/// # Panics
/// If it ends instead.
pub fn stopped_at(test: &str, checkpoint: &str, folder: &Path) -> KilledOnDrop {
    let mut command = command(test, &format!("{checkpoint}=stop"), folder);
    let child = KilledOnDrop(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("started"));
    let pid = Pid::from_child(&child.0);
    let (_, status) = waitpid(Some(pid), WaitOptions::UNTRACED).expect("waited").expect("a change");
    assert!(status.stopped(), "{test} did not stop at {checkpoint}: {status:?}");
    child
}

/// Starts the ignored test in a process of its own. It is killed when it is dropped.
///
/// # Panics
/// If it cannot be started.
pub fn started(test: &str, folder: &Path) -> KilledOnDrop {
    let mut command = command(test, "", folder);
    KilledOnDrop(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("started"))
}

fn command(test: &str, checkpoint: &str, folder: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("the test's program"));
    command.args(["--exact", test, "--ignored", "--test-threads=1"]);
    command.env("JOVE_CHECKPOINT", checkpoint).env(FOLDER, folder);
    command
}

/// Where the child works; `None` if somebody runs the ignored tests by hand.
#[must_use]
pub fn folder() -> Option<PathBuf> {
    std::env::var_os(FOLDER).map(PathBuf::from)
}
