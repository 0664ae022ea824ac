//! [`Run`]: one tool, run to its end.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group};

use super::child;
use super::group::{Running, Word, running};
use super::tail::Tail;
use crate::exec::BeforeExec;

/// How long a tool may take to end after it was asked to.
const GRACE: Duration = Duration::from_secs(3);

/// What a tool may print to be captured; the rest is dropped.
const CAPTURE_LIMIT: u64 = 256 * 1024 * 1024;

/// Why a tool did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// It could not be started.
    #[error("`{}` cannot be started: {source}", program.display())]
    Start {
        /// The tool.
        program: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Its log cannot be written.
    #[error("the log {} cannot be written: {source}", log.display())]
    Log {
        /// The log.
        log: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It ended with an error.
    #[error("`{}` failed ({how}){}", program.display(), said(last, log.as_deref()))]
    Failed {
        /// The tool.
        program: PathBuf,
        /// Its exit status, for people.
        how: String,
        /// Its last lines.
        last: Vec<String>,
        /// The whole of what it said.
        log: Option<PathBuf>,
    },
    /// It took too long and was killed.
    #[error("`{}` was ended: it took longer than {} s{}", program.display(), limit.as_secs(), said(last, log.as_deref()))]
    TimedOut {
        /// The tool.
        program: PathBuf,
        /// The limit.
        limit: Duration,
        /// Its last lines.
        last: Vec<String>,
        /// The whole of what it said.
        log: Option<PathBuf>,
    },
    /// The user ended the run.
    #[error("interrupted")]
    Interrupted,
}

impl ProcessError {
    /// The tool's last lines, where it said any.
    #[must_use]
    pub fn last_lines(&self) -> &[String] {
        match self {
            Self::Failed { last, .. } | Self::TimedOut { last, .. } => last,
            Self::Start { .. } | Self::Log { .. } | Self::Interrupted => &[],
        }
    }
}

fn said(last: &[String], log: Option<&Path>) -> String {
    let mut text = String::new();
    if !last.is_empty() {
        text.push_str("; its last lines:");
        for line in last {
            text.push_str("\n    ");
            text.push_str(line);
        }
    }
    if let Some(log) = log {
        text.push_str(&format!("\nthe whole log: {}", log.display()));
    }
    text
}

/// A tool that did its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// What it printed.
    pub stdout: Vec<u8>,
    /// The last lines of what else it said.
    pub last: Vec<String>,
}

/// One run of a tool.
#[derive(Debug, Clone)]
pub struct Run {
    program: PathBuf,
    args: Vec<OsString>,
    vars: BTreeMap<String, String>,
    folder: Option<PathBuf>,
    log: Option<PathBuf>,
    input: Vec<u8>,
    hidden: Vec<String>,
    limit: Option<Duration>,
    captured: bool,
    before: Option<Arc<dyn BeforeExec>>,
    running: &'static Running,
}

impl Run {
    /// A run of `program` with exactly these vars.
    #[must_use]
    pub fn new(program: impl Into<PathBuf>, vars: BTreeMap<String, String>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            vars,
            folder: None,
            log: None,
            input: Vec::new(),
            hidden: Vec::new(),
            limit: None,
            captured: false,
            before: None,
            running: running(),
        }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Sets one more var.
    #[must_use]
    pub fn var(mut self, name: &str, value: impl Into<String>) -> Self {
        self.vars.insert(name.to_owned(), value.into());
        self
    }

    /// Runs in this folder.
    #[must_use]
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Appends what it says to this file, whose folder is made.
    #[must_use]
    pub fn log(mut self, log: impl Into<PathBuf>) -> Self {
        self.log = Some(log.into());
        self
    }

    /// Gives it these bytes as standard input.
    #[must_use]
    pub fn input(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.input = input.into();
        self
    }

    /// Leaves these words out of everything that is logged or shown.
    #[must_use]
    pub fn hide(mut self, words: impl IntoIterator<Item = String>) -> Self {
        self.hidden.extend(words.into_iter().filter(|word| !word.is_empty()));
        self
    }

    /// Kills it, and all that it started, after this long.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Keeps what it prints for [`Done::stdout`]; otherwise that goes into the log.
    #[must_use]
    pub fn capture(mut self) -> Self {
        self.captured = true;
        self
    }

    /// Lets it do this to itself before it becomes the tool: a sandbox.
    #[must_use]
    pub fn before_exec(mut self, before: Arc<dyn BeforeExec>) -> Self {
        self.before = Some(before);
        self
    }

    /// Listens to another list of running tools than the process's own.
    #[must_use]
    pub fn under(mut self, running: &'static Running) -> Self {
        self.running = running;
        self
    }

    /// Runs it to its end. Blocks.
    ///
    /// # Errors
    /// If it cannot be started, fails, takes too long or is interrupted.
    pub fn go(self) -> Result<Done, ProcessError> {
        let (sender, words) = mpsc::channel();
        let Some(_entry) = self.running.enter(sender.clone()) else { return Err(ProcessError::Interrupted) };
        let tail = Tail::new(self.open_log()?, self.hidden.clone());
        tail.head(&self.shown());
        let mut child = child::start(&mut self.command(), self.before.clone())
            .map_err(|source| ProcessError::Start { program: self.program.clone(), source })?;
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let mut printed = Vec::new();
        let word = std::thread::scope(|scope| {
            scope.spawn(|| stderr.map(|stream| tail.read(stream)));
            scope.spawn(|| {
                // A tool that reads no input may be gone already.
                stdin.map(|mut stream| stream.write_all(&self.input))
            });
            scope.spawn(|| match stdout {
                Some(stream) if self.captured => drop(stream.take(CAPTURE_LIMIT).read_to_end(&mut printed)),
                Some(stream) => tail.read(stream),
                None => {}
            });
            let pid = Pid::from_child(&child);
            scope.spawn(move || announce_end(pid, &sender));
            self.wait(pid, &words)
        });
        let status = child.wait().map_err(|source| ProcessError::Start { program: self.program.clone(), source })?;
        let last = tail.last();
        match word {
            Some(Word::Interrupted) => Err(ProcessError::Interrupted),
            None => Err(ProcessError::TimedOut {
                program: self.program,
                limit: self.limit.unwrap_or_default(),
                last,
                log: self.log,
            }),
            Some(Word::Ended) if status.success() => Ok(Done { stdout: printed, last }),
            Some(Word::Ended) => {
                Err(ProcessError::Failed { program: self.program, how: status.to_string(), last, log: self.log })
            }
        }
    }

    /// Waits for the end of the tool, or brings it about; `None` if it took too long. On return nothing of its group runs,
    /// and it is not reaped yet, so that its number means nobody else.
    fn wait(&self, pid: Pid, words: &Receiver<Word>) -> Option<Word> {
        let word = match self.limit {
            Some(limit) => words.recv_timeout(limit).ok(),
            None => words.recv().ok(),
        };
        if word != Some(Word::Ended) {
            let _ = kill_process_group(pid, Signal::TERM);
            // It ends, its time is over, or somebody asks a second time.
            let _ = words.recv_timeout(GRACE);
        }
        // Also after a good end: what it left behind would hold its pipes and write where nobody expects it.
        let _ = kill_process_group(pid, Signal::KILL);
        word
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.args).env_clear().envs(&self.vars);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        command
    }

    fn open_log(&self) -> Result<Option<File>, ProcessError> {
        let Some(log) = &self.log else { return Ok(None) };
        let open = || {
            if let Some(folder) = log.parent() {
                fs_err::create_dir_all(folder)?;
            }
            File::options().create(true).append(true).open(log)
        };
        open().map(Some).map_err(|source| ProcessError::Log { log: log.clone(), source })
    }

    /// The command for people.
    fn shown(&self) -> String {
        let words =
            std::iter::once(self.program.to_string_lossy()).chain(self.args.iter().map(|arg| arg.to_string_lossy()));
        format!("$ {}", shell_words::join(words.map(|word| word.chars().take(500).collect::<String>())))
    }
}

/// Tells when the tool has ended, without reaping it.
fn announce_end(pid: Pid, words: &Sender<Word>) {
    loop {
        match rustix::process::waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
            Err(rustix::io::Errno::INTR) => {}
            Ok(_) | Err(_) => {
                let _ = words.send(Word::Ended);
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn sh(script: &str) -> Run {
        Run::new("/bin/sh", BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())])).args(["-c", script])
    }

    #[test]
    fn output_goes_where_it_was_asked_to() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("logs/tool.log");
        let done =
            sh("cat; echo word hunter2 >&2").input("in").log(&log).hide(["hunter2".to_owned()]).capture().go().unwrap();
        assert_eq!(
            (done.stdout.as_slice(), done.last.as_slice()),
            (b"in".as_slice(), ["word ***".to_owned()].as_slice())
        );
        let logged = fs_err::read_to_string(&log).unwrap();
        assert!(
            logged.starts_with("$ /bin/sh -c") && !logged.contains("hunter2") && logged.contains("word ***"),
            "{logged}"
        );
    }

    #[test]
    fn a_tool_sees_no_vars_but_its_own() {
        let done = sh("env").var("ONE", "1").capture().go().unwrap();
        let text = String::from_utf8(done.stdout).unwrap();
        let names: Vec<_> = text
            .lines()
            .filter_map(|line| line.split('=').next())
            .filter(|name| !matches!(*name, "PWD" | "_" | "SHLVL" | "OLDPWD"))
            .collect();
        assert_eq!(names.len(), 2, "{names:?}");
    }

    #[test]
    fn a_failure_says_its_last_lines() {
        let error = sh("for i in $(seq 30); do echo line $i; done; exit 3").go().unwrap_err();
        assert_eq!(error.last_lines().len(), super::super::LAST_LINES);
        let text = error.to_string();
        assert!(text.contains("exit status: 3") && text.ends_with("line 30"), "{text}");
        let error = Run::new("/no/such/tool", BTreeMap::new()).go().unwrap_err();
        assert!(matches!(error, ProcessError::Start { .. }), "{error}");
    }

    #[test]
    fn a_limit_ends_the_whole_group() {
        let folder = tempfile::tempdir().unwrap();
        let pid = folder.path().join("pid");
        let script = format!("trap '' TERM; sleep 1000 & echo $! > {}; wait; sleep 1000", pid.display());
        let error = sh(&script).limit(Duration::from_millis(300)).go().unwrap_err();
        assert!(matches!(error, ProcessError::TimedOut { .. }), "{error}");
        assert!(!lives(&pid));
    }

    #[test]
    fn an_interrupt_ends_tools_and_refuses_more() {
        let list: &'static Running = Box::leak(Box::new(Running::new()));
        let folder = tempfile::tempdir().unwrap();
        let ear = Ear::new(folder.path());
        let run = sh("echo up > fifo; sleep 1000").folder(folder.path()).under(list);
        let tool = std::thread::spawn(move || run.go());
        assert_eq!(ear.line(), "up\n");
        list.interrupt();
        assert!(matches!(tool.join().unwrap(), Err(ProcessError::Interrupted)));
        assert!(matches!(sh("true").under(list).go(), Err(ProcessError::Interrupted)));
    }

    #[test]
    fn what_a_tool_leaves_behind_does_not_hold_us() {
        let folder = tempfile::tempdir().unwrap();
        let pid = folder.path().join("pid");
        sh(&format!("sleep 1000 & echo $! > {}", pid.display())).go().unwrap();
        assert!(!lives(&pid));
    }

    #[test]
    #[ignore = "is run and killed by the test below"]
    fn killed_starter() {
        if let Some(folder) = crate::fs::crash::folder() {
            let _ = sh("trap '' TERM HUP; sleep 1000 & echo $! > fifo; sleep 1000; :").folder(folder).go();
        }
    }

    #[test]
    fn a_tool_ends_with_its_starter_and_so_does_all_that_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let ear = Ear::new(folder.path());
        let starter = crate::fs::crash::started("process::run::tests::killed_starter", folder.path());
        let pid = folder.path().join("pid");
        fs_err::write(&pid, ear.line()).unwrap();
        drop(starter);
        assert!(!lives(&pid));
    }

    #[test]
    fn a_tool_that_is_asked_to_end_has_time_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let (ear, list): (_, &'static Running) = (Ear::new(folder.path()), Box::leak(Box::new(Running::new())));
        let script = "trap 'sleep 0.2; echo orderly > end; exit' TERM; echo up > fifo; sleep 1000 & wait";
        let run = sh(script).folder(folder.path()).under(list);
        let tool = std::thread::spawn(move || run.go());
        assert_eq!(ear.line(), "up\n");
        list.interrupt();
        assert!(matches!(tool.join().unwrap(), Err(ProcessError::Interrupted)));
        assert_eq!(fs_err::read_to_string(folder.path().join("end")).unwrap(), "orderly\n");
    }

    #[test]
    fn how_a_tool_ended_is_told() {
        let how = |script: &str| match sh(script).go() {
            Err(ProcessError::Failed { how, .. }) => how,
            other => panic!("{other:?}"),
        };
        assert_eq!(how("exit 7"), "exit status: 7");
        assert_eq!(how("kill -KILL $$"), "signal: 9 (SIGKILL)");
    }

    /// A FIFO, called `fifo`, by which a tool says a line. Open for writing, too, so that no opening of it waits.
    struct Ear(File);

    impl Ear {
        fn new(folder: &Path) -> Self {
            use rustix::fs::{CWD, FileType, Mode, mknodat};
            let path = folder.join("fifo");
            mknodat(CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
            Self(File::options().read(true).write(true).open(path).unwrap())
        }

        fn line(&self) -> String {
            use rustix::event::{PollFd, PollFlags, Timespec, poll};
            let longest = Timespec { tv_sec: 60, tv_nsec: 0 };
            assert_eq!(poll(&mut [PollFd::new(&self.0, PollFlags::IN)], Some(&longest)), Ok(1), "it says nothing");
            let mut line = [0; 64];
            let length = (&self.0).read(&mut line).unwrap();
            String::from_utf8(line[..length].to_vec()).unwrap()
        }
    }

    /// Whether a process is still there shortly after it was killed.
    fn lives(pid: &Path) -> bool {
        let number = fs_err::read_to_string(pid).unwrap();
        let until = Instant::now() + Duration::from_secs(10);
        let dead = || {
            let status = fs_err::read_to_string(format!("/proc/{}/status", number.trim())).unwrap_or_default();
            !status.contains("\nState:") || status.contains("\nState:\tZ") || status.contains("\nState:\tX")
        };
        while Instant::now() < until {
            if dead() {
                return false;
            }
            std::thread::yield_now();
        }
        true
    }
}
