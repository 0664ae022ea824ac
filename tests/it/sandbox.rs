//! [`Sandbox`]: a home of its own in which the program runs as a user would run it.
//!
//! ```text
//! <temporary folder>/        owned by the sandbox's user
//!   home/                    HOME; XDG folders at their usual places in it
//!   tmp/                     TMPDIR
//!   work/                    the working folder
//!   bin/                     the program, where that user could not read the built one
//! ```
//!
//! Variables are cleared but for those named here. As root the program runs as an ordinary user who exists nowhere else, so
//! that everything which that user owns or runs belongs to this sandbox. When it is dropped, so are its processes and
//! files.
#![allow(dead_code, unused_imports, reason = "not every test needs every ability")]
#![allow(clippy::disallowed_methods, reason = "the door of the tests to the surroundings")]

// By path, so that `tests/real` finds them, too, which takes this file by its path.
#[path = "sandbox/filter.rs"]
mod filter;
#[path = "sandbox/listing.rs"]
mod listing;
#[path = "sandbox/output.rs"]
mod output;
#[path = "sandbox/processes.rs"]
mod processes;

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;

pub use listing::Listing;
pub use output::{Output, Said};
pub use processes::Process;

/// The program that is tested: the one just built, unless the variable `JOVE_TEST_PROGRAM` names another, such as a release.
fn tested_program() -> PathBuf {
    std::env::var_os("JOVE_TEST_PROGRAM").unwrap_or_else(|| env!("CARGO_BIN_EXE_jove-install").into()).into()
}

/// User ids from here on are nobody's.
const FIRST_USER: u32 = 20_001;

/// A home of its own for the program.
#[derive(Debug)]
pub struct Sandbox {
    root: TempDir,
    program: PathBuf,
    user: Option<u32>,
    vars: BTreeMap<String, String>,
    folder: PathBuf,
    account: Option<String>,
}

impl Sandbox {
    /// A fresh home; as root that of an ordinary user.
    #[must_use]
    pub fn new() -> Self {
        Self::of(rustix::process::geteuid().is_root().then(free_user))
    }

    /// A fresh home in which the program runs as whoever runs the tests, even as root.
    #[must_use]
    pub fn as_this_user() -> Self {
        Self::of(None)
    }

    /// A fresh home; as root that of an ordinary user whom the machine knows by name, as some programs ask. The account goes
    /// with the sandbox.
    #[must_use]
    pub fn of_known_user() -> Self {
        let mut sandbox = Self::new();
        let Some(user) = sandbox.user else { return sandbox };
        let name = format!("jove-it-{user}");
        let mut made = Command::new("useradd");
        made.args(["--no-create-home", "--no-user-group", "--shell", "/bin/sh", "--uid", &user.to_string(), &name]);
        // Two tests at once wait for each other's lock on the table of users.
        let done = (0..100).any(|_| {
            made.stderr(Stdio::null()).status().is_ok_and(|status| status.success()) || {
                std::thread::sleep(std::time::Duration::from_millis(100));
                false
            }
        });
        assert!(done, "no account could be made: {made:?}");
        sandbox.account = Some(name);
        sandbox
    }

    fn of(user: Option<u32>) -> Self {
        let root =
            tempfile::Builder::new().prefix("jove-it-").tempdir_in(open_temporary_folder(user)).expect("a folder");
        let folder = root.path().join("work");
        let mut made = Self { program: tested_program(), user, vars: BTreeMap::new(), folder, account: None, root };
        for folder in ["home", "tmp", "work", "bin"] {
            made.own(&made.create(&made.root.path().join(folder)));
        }
        fs_err::set_permissions(made.path("tmp"), PermissionsExt::from_mode(0o700)).expect("permissions");
        made.own(made.root.path());
        if user.is_some() && !everyone_reads(&made.program) {
            let copy = made.path("bin/jove-install");
            // A link is quick, but it may be on another file system.
            if fs_err::hard_link(&made.program, &copy).is_err() {
                fs_err::copy(&made.program, &copy).expect("a copy of the program");
            }
            made.program = copy;
        }
        let home = made.home();
        for (name, below) in [
            ("XDG_CACHE_HOME", ".cache"),
            ("XDG_CONFIG_HOME", ".config"),
            ("XDG_DATA_HOME", ".local/share"),
            ("XDG_STATE_HOME", ".local/state"),
        ] {
            made.set(name, home.join(below).display());
        }
        made.set("HOME", home.display());
        made.set("TMPDIR", made.path("tmp").display());
        made.set("PATH", made.search_path());
        made.set("LANG", "C.UTF-8");
        made.set("USER", "jove-test");
        made.set("LOGNAME", "jove-test");
        // Where a conda channel is only a name there is nobody, so that no test asks the world.
        made.set("CONDA_CHANNEL_ALIAS", "http://127.0.0.1:9/");
        // Width and colour of output must not depend on who runs the tests.
        made.set("COLUMNS", "100");
        made
    }

    /// Everything of this sandbox is below.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// A path below the root.
    #[must_use]
    pub fn path(&self, below: impl AsRef<Path>) -> PathBuf {
        self.root.path().join(below)
    }

    /// The home.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.path("home")
    }

    /// The working folder, `work` unless [`Sandbox::enter`] changed it.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The program's file as this sandbox runs it.
    #[must_use]
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// The user id that the program runs as.
    #[must_use]
    pub fn user(&self) -> u32 {
        self.user.unwrap_or_else(|| rustix::process::geteuid().as_raw())
    }

    /// Sets a variable for all later runs.
    pub fn set(&mut self, name: &str, value: impl ToString) {
        self.vars.insert(name.to_owned(), value.to_string());
    }

    /// A variable of all runs.
    #[must_use]
    pub fn var(&self, name: &str) -> String {
        self.vars.get(name).cloned().unwrap_or_default()
    }

    /// Makes what is sealed writable, as its owner could.
    pub fn unseal(&self, folder: &Path) {
        listing::make_removable(folder);
    }

    /// Takes a variable from all later runs.
    pub fn unset(&mut self, name: &str) {
        self.vars.remove(name);
    }

    /// Makes a folder (below the working folder, if relative) the working folder, creating it if need be.
    pub fn enter(&mut self, folder: impl AsRef<Path>) {
        self.folder = self.create(&self.folder.join(folder));
    }

    /// Writes a file (below the working folder, if relative) that belongs to the sandbox's user; gives its path.
    pub fn write(&self, path: impl AsRef<Path>, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.join(path);
        self.create(path.parent().expect("a file is in a folder"));
        fs_err::write(&path, content).expect("written");
        self.own(&path);
        path
    }

    /// Reads a file (below the working folder, if relative).
    #[must_use]
    pub fn read(&self, path: impl AsRef<Path>) -> String {
        fs_err::read_to_string(self.folder.join(path)).expect("a text")
    }

    /// Gives a path to the sandbox's user.
    pub fn own(&self, path: &Path) {
        if let Some(user) = self.user {
            chown(path, Some(user), Some(user)).expect("given away");
        }
    }

    /// The program with these arguments, ready to be run in this sandbox: for runs that are to be killed, or to go on beside others.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.other(&self.program);
        command.args(arguments);
        command
    }

    /// Another program, ready to be run in this sandbox as its user.
    #[must_use]
    pub fn other(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command.env_clear().envs(&self.vars).current_dir(&self.folder).stdin(Stdio::null());
        if let Some(user) = self.user {
            command.uid(user).gid(user);
        }
        command
    }

    /// Runs the program to its end. Its output must end with it: a process that it leaves behind must not hold it open.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.finish(self.command(arguments), b"")
    }

    /// Runs the program to its end with some text to read.
    pub fn run_with_input(&self, arguments: &[&str], input: &str) -> Output {
        self.finish(self.command(arguments), input.as_bytes())
    }

    /// Runs a command to its end.
    pub fn finish(&self, mut command: Command, input: &[u8]) -> Output {
        if !input.is_empty() {
            command.stdin(Stdio::piped());
        }
        let told = format!("{command:?}");
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
        if let Some(mut stdin) = child.stdin.take() {
            // It may end without reading.
            let _ = stdin.write_all(input);
        }
        Output::wait(child, told, self.filters())
    }

    /// What is different in each run of a test, and what stands for it.
    fn filters(&self) -> Vec<(String, &'static str)> {
        vec![
            (self.program.display().to_string(), "[PROGRAM]"),
            (self.home().display().to_string(), "[HOME]"),
            (self.path("work").display().to_string(), "[WORK]"),
            (self.root.path().display().to_string(), "[SANDBOX]"),
        ]
    }

    /// All that this sandbox's user could have written, for comparison before and after.
    #[must_use]
    pub fn listing(&self) -> Listing {
        Listing::take(self.root.path(), self.user)
    }

    /// The processes of this sandbox that are alive.
    #[must_use]
    pub fn processes(&self) -> Vec<Process> {
        processes::of(self.root.path(), self.user)
    }

    /// Creates a folder and those above it, all given to the sandbox's user.
    fn create(&self, folder: &Path) -> PathBuf {
        let missing: Vec<&Path> = folder.ancestors().take_while(|folder| !folder.exists()).collect();
        fs_err::create_dir_all(folder).expect("a folder");
        for folder in missing {
            self.own(folder);
        }
        folder.to_owned()
    }

    /// The folders of the real PATH with programs that are needed, as far as this sandbox's user can use them.
    fn search_path(&self) -> String {
        let real: Vec<PathBuf> =
            std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default();
        let usable = |folder: &PathBuf| self.user.is_none() || everyone_reads(folder);
        let mut folders: Vec<PathBuf> = Vec::new();
        for program in ["python3", "uv"] {
            let found = real.iter().find(|folder| usable(folder) && folder.join(program).is_file());
            // A version manager's shim would tidy up behind its user's back, which this user may not.
            let own = found.filter(|_| program == "python3").and_then(|folder| interpreter_of(folder)).filter(usable);
            folders.extend(own.or_else(|| found.cloned()));
        }
        folders.extend(["/usr/bin", "/bin"].map(PathBuf::from));
        let mut seen = std::collections::BTreeSet::new();
        folders.retain(|folder| seen.insert(folder.clone()));
        std::env::join_paths(folders).expect("no colon in a folder").to_string_lossy().into_owned()
    }
}

impl Default for Sandbox {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        processes::end(self.root.path(), self.user);
        listing::make_removable(self.root.path());
        if let Some(account) = &self.account {
            let _ = Command::new("userdel").arg(account).stderr(Stdio::null()).status();
        }
    }
}

/// The folder of the interpreter that a folder's `python3` runs in the end.
fn interpreter_of(folder: &Path) -> Option<PathBuf> {
    static KNOWN: OnceLock<Option<PathBuf>> = OnceLock::new();
    let ask = || {
        let question = "import os, sys; print(os.path.dirname(sys.executable))";
        let told = Command::new(folder.join("python3")).args(["-c", question]).output().ok()?;
        let text = String::from_utf8(told.stdout).ok()?;
        Some(PathBuf::from(text.trim())).filter(|folder| folder.join("python3").is_file())
    };
    KNOWN.get_or_init(ask).clone()
}

/// A user id without an account, without a process, and not used by another sandbox.
fn free_user() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let accounts = fs_err::read_to_string("/etc/passwd").unwrap_or_default();
    let taken = |user: u32| accounts.lines().any(|line| line.split(':').nth(2) == Some(user.to_string().as_str()));
    loop {
        let number = NEXT.fetch_add(1, Ordering::Relaxed) % 100;
        let user = FIRST_USER + (std::process::id() % 400) * 100 + number;
        if !taken(user) && processes::of_user(user).is_empty() {
            return user;
        }
    }
}

/// The folder for temporary files, if the sandbox's user can go there. A short one leaves room for sockets.
fn open_temporary_folder(user: Option<u32>) -> PathBuf {
    let folder = std::env::temp_dir();
    if user.is_none() || everyone_reads(&folder) { folder } else { "/tmp".into() }
}

/// Whether a path can be read and entered by anyone.
fn everyone_reads(path: &Path) -> bool {
    let Ok(path) = path.canonicalize() else { return false };
    let all = |path: &Path, bits: u32| path.metadata().is_ok_and(|metadata| metadata.mode() & bits == bits);
    all(&path, 0o005) && path.ancestors().skip(1).all(|folder| all(folder, 0o001))
}

#[cfg(test)]
#[path = "sandbox/tests.rs"]
mod tests;
