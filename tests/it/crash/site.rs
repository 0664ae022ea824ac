//! [`Site`]: a small project in a sandbox of its own, whose runs can be killed at a checkpoint.
//!
//! Its word is all that ever changes. It is in a rendered file (`conf`), in what a step makes (`asset`), and in the
//! arguments of a service with a data step, a port and a promise (`app`), so that one can see in a process which generation
//! it is of.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use walkdir::WalkDir;

use crate::life::{half_objects, names};
use crate::sandbox::{Output, Process, Sandbox};

const RECIPE: &str = r#"
summary = "a program that says its word"
action  = "none"

[options.word]
type     = "string"
required = true
doc      = "What it says."

[options.conf]
type     = "path"
required = true
doc      = "A folder that it could read."

[options.asset]
type     = "path"
required = true
doc      = "Another."

[options.elsewhere]
type     = "path"
required = true
doc      = "A folder outside the prefix for more data."

[options.port]
type    = "port"
default = "auto"
doc     = "One to be allotted."

[[step]]
name    = "prepare"
command = ["/bin/sh", "-c", "echo ${.word} >> steps"]
key     = "${.word}"
folder  = "${.data}"
folders = ["${.data}"]

[[service]]
command = ["/bin/sh", "-c", "trap 'exit 0' TERM; while :; do sleep 1000 & wait $!; done", "says", "${.word}", "${.conf}", "${.asset}"]
folder  = "${.data}"
folders = ["${.data}", "${.elsewhere}"]
ready   = { exec = ["/bin/sh", "-c", "test ! -e ${.data}/hold"], interval = "20ms" }

[data]
folders = ["${.data}", "${.elsewhere}"]
version = "1"

[[promise]]
name = "it is not held"
exec = ["/bin/sh", "-c", "test ! -e ${.data}/broken"]
deadline = "1s"
"#;

/// A project and a prefix.
pub struct Site {
    pub sandbox: Sandbox,
    /// The profile, and with it the prefix.
    profile: String,
    checkpoint: PathBuf,
}

impl Site {
    pub fn new() -> Self {
        let mut sandbox = Sandbox::new();
        let checkpoint = sandbox.path("work/checkpoint");
        sandbox.set("JOVE_CHECKPOINT_FILE", checkpoint.display());
        sandbox.enter("site");
        let site = Self { sandbox, profile: "dev".into(), checkpoint };
        site.project(".", "one");
        site
    }

    /// Writes a project.
    pub fn project(&self, folder: &str, word: &str) {
        let folder = Path::new(folder);
        self.sandbox.write(folder.join("app.conf"), "word = {{ values.word }}\n");
        self.sandbox.write(folder.join("recipes/program/recipe.toml"), RECIPE);
        self.sandbox.write(folder.join("jove.toml"), definition(word));
    }

    /// Another prefix, which is not there yet; the project has no lock then.
    pub fn fresh(&mut self, number: usize) {
        let profile = format!("p{number}");
        self.sandbox.write(format!("profiles/{profile}.toml"), "extends = [\"profile:dev\"]\n");
        let _ = fs_err::remove_file(self.sandbox.folder().join("jove.lock"));
        self.profile = profile;
    }

    /// Gives the project a word.
    pub fn says(&self, word: &str) {
        self.sandbox.write("jove.toml", definition(word));
    }

    pub fn prefix(&self) -> PathBuf {
        self.sandbox.home().join("jove").join(format!("site-{}", self.profile))
    }

    fn arguments<'a>(&'a self, arguments: &[&'a str]) -> Vec<&'a str> {
        arguments.iter().copied().chain(["-p", &self.profile]).collect()
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        self.sandbox.run(&self.arguments(arguments))
    }

    pub fn command(&self, arguments: &[&str]) -> std::process::Command {
        self.sandbox.command(&self.arguments(arguments))
    }

    /// Asks for a death at the last of these checkpoints, once the others were passed.
    pub fn arm(&self, words: &[&str]) {
        self.sandbox.write(&self.checkpoint, words.join("\n"));
    }

    /// Whether somebody died since.
    pub fn has_fired(&self) -> bool {
        !self.checkpoint.exists()
    }

    pub fn disarm(&self) {
        let _ = fs_err::remove_file(&self.checkpoint);
    }

    /// Runs a command during which somebody dies at a checkpoint.
    #[track_caller]
    pub fn killed(&self, words: &[&str], arguments: &[&str]) -> Output {
        self.arm(words);
        let output = self.run(arguments);
        let text = output.text();
        assert!(self.has_fired(), "{arguments:?} does not pass {words:?}: {text}");
        output
    }

    /// The committed generation.
    pub fn current(&self) -> Option<u32> {
        let target = fs_err::read_link(self.prefix().join("current")).ok()?;
        target.file_name()?.to_str()?.parse().ok()
    }

    /// The word of a generation, by its services.
    pub fn word(&self, generation: u32) -> String {
        let path = self.prefix().join("generations").join(generation.to_string()).join("services.json");
        let text = fs_err::read_to_string(path).expect("services");
        let (_, rest) = text.split_once("\"says\"").expect("the service");
        rest.split('"').nth(1).expect("its word").to_owned()
    }

    /// The words of all services that run, one a process.
    pub fn words(&self) -> Vec<String> {
        let processes = self.sandbox.processes().into_iter();
        processes.filter_map(|process| says(&process)).collect()
    }

    pub fn pid_of(&self, command: &str) -> Option<i32> {
        let root = self.prefix().display().to_string();
        let mut processes = self.sandbox.processes().into_iter();
        processes.find(|process| process.command.contains(command) && process.command.contains(&root)).map(|it| it.pid)
    }

    /// Waits until no switch is in progress; if nobody lives to end it, that is the next run's affair.
    pub fn settle(&self) {
        until("the end of the switch", || {
            let is_over = !self.prefix().join("switch.toml").exists();
            let is_alone = self.pid_of("internal-keeper").is_none() && self.pid_of("internal-supervisor").is_none();
            (is_over || is_alone).then_some(())
        });
    }

    /// The prefix is one of these generations, and only its services run.
    #[track_caller]
    pub fn is_one_of(&self, when: &str, generations: &[Option<u32>]) {
        self.settle();
        let current = self.current();
        assert!(generations.contains(&current), "{when}: {current:?}, not one of {generations:?}");
        let wanted: BTreeSet<String> = current.iter().map(|number| self.word(*number)).collect();
        // A command's death does not end what it began: services may be on their way.
        until(&format!("{when}: services of one generation ({:?}, not {wanted:?})", self.words()), || {
            let running = self.words();
            (running.len() <= 1 && running.iter().all(|word| wanted.contains(word))).then_some(())
        });
    }

    /// All is as it should be with this word.
    #[track_caller]
    pub fn is_well(&self, when: &str, word: &str) {
        let status = self.run(&["status", "--json"]);
        assert_eq!(status.status().code(), Some(0), "{when}: {}", status.text());
        let verified = self.run(&["verify"]);
        assert_eq!(verified.status().code(), Some(0), "{when}: {}", verified.text());
        assert_eq!(self.words(), [word], "{when}");
        assert_eq!(self.current().map(|number| self.word(number)).as_deref(), Some(word), "{when}");
        let steps = fs_err::read_to_string(self.prefix().join("var/app/steps")).expect("the step was run");
        assert!(steps.lines().any(|step| step == word), "{when}: {steps}");
    }

    /// Nothing lives after `stop`.
    #[track_caller]
    pub fn stops(&self, when: &str) {
        let stopped = self.run(&["stop"]);
        assert_eq!(stopped.status().code(), Some(0), "{when}: {}", stopped.text());
        let left = self.sandbox.processes();
        assert!(left.is_empty(), "{when}: {left:?}");
    }

    /// Nothing is in the sandbox that a killed run left.
    #[track_caller]
    pub fn has_no_rubbish(&self, when: &str) {
        let is_rubbish =
            |name: &str| name.starts_with(".tmp-") || name.starts_with(".trash-") || name.ends_with(".new");
        let entries = WalkDir::new(self.sandbox.home()).into_iter().chain(WalkDir::new(self.sandbox.path("work")));
        let rubbish: Vec<PathBuf> = entries
            .filter_map(Result::ok)
            .map(|entry| entry.path().to_owned())
            .filter(|path| path.file_name().is_some_and(|name| is_rubbish(&name.to_string_lossy())))
            .chain(half_objects(&self.prefix().join("store")))
            .chain(half_generations(&self.prefix().join("generations")))
            .collect();
        assert!(rubbish.is_empty(), "{when}: {rubbish:#?}");
    }

    #[track_caller]
    pub fn collects(&self, when: &str, keep: &str) {
        let collected = self.run(&["gc", "--keep", keep]);
        assert_eq!(collected.status().code(), Some(0), "{when}: {}", collected.text());
        self.has_no_rubbish(when);
    }

    /// Keeps the service from getting ready, or lets it.
    pub fn hold(&self, is_held: bool) {
        let path = self.prefix().join("var/app/hold");
        if is_held {
            self.sandbox.write(&path, "");
        } else {
            fs_err::remove_file(path).expect("held");
        }
    }
}

fn says(process: &Process) -> Option<String> {
    let (_, rest) = process.command.split_once(" says ")?;
    rest.split(' ').next().map(str::to_owned)
}

fn half_generations(generations: &Path) -> Vec<PathBuf> {
    let folders = names(generations).into_iter().map(|name| generations.join(name));
    folders.filter(|folder| !folder.join("manifest.json").exists()).collect()
}

/// Waits for something that nobody tells.
#[track_caller]
pub fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < end, "{what} did not come");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// Kills keeper and supervisor at once: neither can start the other again.
pub fn kill_both(site: &Site) {
    let pids = ["internal-keeper", "internal-supervisor"].map(|process| site.pid_of(process).expect("it runs"));
    let keeper = Pid::from_raw(pids[0]).expect("a pid");
    kill_process(keeper, Signal::STOP).expect("stopped");
    kill(pids[1]);
    kill(pids[0]);
    until("their end", || site.pid_of("internal-").is_none().then_some(()));
}

pub fn kill(pid: i32) {
    let _ = kill_process(Pid::from_raw(pid).expect("a pid"), Signal::KILL);
}

/// A project that says a word.
fn definition(word: &str) -> String {
    format!(
        r#"
name = "site"
[parts.conf]
recipe = "file"
files  = [{{ template = "app.conf", path = "etc/app.conf" }}]
values = {{ word = "{word}" }}
[parts.asset]
recipe  = "step"
command = ["/bin/sh", "-c", "echo $WORD > $JOVE_OBJECT/made"]
vars    = {{ WORD = "{word}" }}
[parts.app]
recipe = "program"
word   = "{word}"
conf   = "${{conf}}"
asset  = "${{asset}}"
elsewhere = "elsewhere"
"#
    )
}
