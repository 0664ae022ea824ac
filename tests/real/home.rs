//! [`Home`]: a [`Sandbox`] that reaches the package index, with a download cache that all tests fill once.
#![allow(clippy::disallowed_methods, reason = "which index there is, is said by the surroundings")]

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::ops::{Deref, DerefMut};
use std::os::unix::fs::lchown;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use jove_install::digest::Digest;
use jove_install::layout::Layout;
use jove_install::service::{DUMP_VAR, DataState, DataVerb, Services};
use jove_install::state::State;
use jove_install::text::Text;
use rustix::net;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::sandbox::{Listing, Sandbox};

/// Far more than anything here needs: what never comes must not hang the suite.
const PATIENCE: Duration = Duration::from_secs(60);

/// One at a time fills the common cache.
static FILLING: Mutex<()> = Mutex::new(());

/// Everything that the tests install, so that the index is asked for it once.
const EVERYTHING: &str = r#"
[parts.wps]
recipe = "python"
pypi   = ["pywps >=4.6", "psycopg2-binary"]
[parts.flask]
recipe = "python"
pypi   = ["flask"]
[parts.shop]
recipe = "python"
pypi   = ["flask", "gunicorn", "redis", "psycopg2-binary", "celery[redis]", "packaging", "pymemcache"]
[parts.django]
recipe = "python"
pypi   = ["django", "psycopg2-binary", "celery[redis]"]
[parts.pyramid]
recipe = "python"
pypi   = ["pyramid"]
"#;

/// What they install besides where there are Debian packages.
const OF_DEBIAN: &str = r#"
[parts.wps-of-packages]
recipe   = "python"
provider = "deb"
pypi     = ["pywps >=4.6"]
[parts.office]
recipe   = "python"
provider = "deb"
pypi     = ["flask", "pymysql", "amqp"]
"#;

/// A home with network.
#[derive(Debug)]
pub struct Home(Sandbox);

impl Deref for Home {
    type Target = Sandbox;

    fn deref(&self) -> &Sandbox {
        &self.0
    }
}

impl DerefMut for Home {
    fn deref_mut(&mut self) -> &mut Sandbox {
        &mut self.0
    }
}

impl Home {
    /// A fresh home with a warm download cache; nothing where tests shall not use the network.
    pub fn new() -> Option<Self> {
        Self::warm(Sandbox::new)
    }

    /// As [`Home::new`], of a user whom the machine knows by name.
    pub fn of_known_user() -> Option<Self> {
        Self::warm(Sandbox::of_known_user)
    }

    fn warm(sandbox: impl FnOnce() -> Sandbox) -> Option<Self> {
        if !may_use_the_network() {
            return None;
        }
        let home = Self::cold(sandbox());
        let common = common_cache();
        copy(&common, &home.cache(), &home);
        Some(home)
    }

    /// Adds to the download cache what a project needs that few tests install: it is fetched once for all of them.
    pub fn fetch_once(&self, project: &str) {
        copy(&cache_of(project), &self.cache(), self);
    }

    fn cold(mut sandbox: Sandbox) -> Self {
        let of_index = ["INDEX", "FIND_LINKS", "CERT", "PROXY", "TRUSTED", "TIMEOUT"];
        for (name, value) in std::env::vars() {
            let is_tool = name.starts_with("PIP_") || name.starts_with("UV_");
            let is_way = name.to_uppercase().ends_with("_PROXY") || name.starts_with("SSL_CERT_");
            if is_way || is_tool && of_index.iter().any(|part| name.contains(part)) {
                sandbox.set(&name, value);
            }
        }
        Self(sandbox)
    }

    /// Takes every Python, and all that installs Python packages, off the search path.
    pub fn without_python(&mut self) {
        let tools = self.path("bin/machine");
        std::fs::create_dir(&tools).unwrap();
        for folder in ["/usr/bin", "/bin"] {
            for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
                let name = entry.file_name().to_string_lossy().into_owned();
                let is_python =
                    ["python", "pypy", "pip", "uv", "conda", "2to3", "pydoc"].iter().any(|word| name.starts_with(word));
                if !is_python && !tools.join(&name).exists() {
                    std::os::unix::fs::symlink(entry.path(), tools.join(&name)).ok();
                }
            }
        }
        self.set("PATH", tools.display());
    }

    /// The download cache.
    pub fn cache(&self) -> PathBuf {
        self.home().join(".cache/jove-install")
    }

    /// All that the user could have written, without the download cache.
    pub fn outside(&self) -> Listing {
        self.listing().without(&self.cache()).without(&self.home().join(".cache"))
    }

    /// What `status --json` says; it ends with 1 where not all is ready.
    #[track_caller]
    pub fn status(&self, place: &[&str]) -> Value {
        self.run(&[&["status", "--json"], place].concat()).json()
    }

    /// One service of it.
    #[track_caller]
    pub fn service(&self, place: &[&str], name: &str) -> Value {
        let status = self.status(place);
        let services = status["services"].as_array().unwrap_or_else(|| panic!("{status}"));
        services.iter().find(|service| service["name"] == name).unwrap_or_else(|| panic!("no {name}: {status}")).clone()
    }

    /// The first address of a service.
    #[track_caller]
    pub fn url(&self, place: &[&str], name: &str) -> String {
        self.service(place, name)["urls"][0].as_str().expect("an address").to_owned()
    }

    /// Runs the command by which a part's data is written into a folder, or taken out of it.
    pub fn data(&self, prefix: &Path, part: &str, verb: DataVerb, folder: &Path) {
        std::fs::create_dir_all(folder).unwrap();
        self.own(folder);
        let services = std::fs::read(prefix.join("current/services.json")).unwrap();
        let services: Services = serde_json::from_slice(&services).unwrap();
        let mut commands = services.data.into_iter();
        let command = commands.find(|one| one.spec.part.as_str() == part && one.verb == verb).unwrap();
        // A state is read by its owner alone, who is another where root runs the tests.
        let own = tempfile::tempdir_in(folder.parent().unwrap()).unwrap();
        std::fs::copy(prefix.join("state.toml"), own.path().join("state.toml")).unwrap();
        let state = State::load(&Layout::new(own.path())).unwrap();
        let revealed = |text: &Text| text.reveal(&state).unwrap();
        let vars = command.spec.vars.iter().map(|(name, text)| format!("{name}={}", revealed(text)));
        let vars = vars.chain([format!("{DUMP_VAR}={}", folder.display())]);
        let begin = ["run", part, "--", "env"].map(str::to_owned);
        let words: Vec<String> =
            begin.into_iter().chain(vars).chain(command.spec.command.iter().map(revealed)).collect();
        if command.during == DataState::Stopped {
            self.run(&["stop", part]).success();
        }
        self.run(&words.iter().map(String::as_str).collect::<Vec<_>>()).success();
        self.run(&["start"]).success();
    }

    /// Makes the working folder one with the files of a folder of `tests/real`.
    pub fn enter_project(&mut self, name: &str, from: &str) {
        self.enter(name);
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real").join(from);
        let entries = walkdir::WalkDir::new(&from).into_iter().map(Result::unwrap);
        for file in entries.filter(|entry| entry.file_type().is_file()) {
            self.write(file.path().strip_prefix(&from).unwrap(), std::fs::read(file.path()).unwrap());
        }
    }

    /// Wipes an installation with its data, of which no process is left.
    #[track_caller]
    pub fn wipe(&self, place: &[&str]) {
        self.run(&[&["wipe", "--data", "--yes"], place].concat()).success();
        assert_eq!(format!("{:?}", self.processes()), "[]");
    }

    /// Kills everything at once, as when the machine breaks down: nobody is left to clear up.
    pub fn breaks_down(&self) {
        // Who is stopped first cannot start another.
        let mut stopped = std::collections::BTreeSet::new();
        self.until("all to stand still", || {
            let processes = self.processes();
            let fresh: Vec<i32> = processes.iter().map(|one| one.pid).filter(|pid| stopped.insert(*pid)).collect();
            for pid in &fresh {
                let _ = kill_process(Pid::from_raw(*pid).unwrap(), Signal::STOP);
            }
            fresh.is_empty()
        });
        for process in self.processes() {
            kill(&process.pid.into());
        }
        self.until("the end of all", || self.processes().is_empty());
    }

    /// Waits until something holds.
    #[track_caller]
    pub fn until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let begin = Instant::now();
        while !holds() {
            assert!(begin.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Whether tests may use the network; says so, if not.
pub fn may_use_the_network() -> bool {
    let offline = std::env::var_os("JOVE_TEST_OFFLINE").is_some();
    if offline {
        // Not by `eprintln!`, which a passing test does not show.
        let name = std::thread::current().name().unwrap_or_default().to_owned();
        let _ = writeln!(std::io::stderr(), "{name} is skipped, because JOVE_TEST_OFFLINE is set");
    }
    !offline
}

/// Whether packages of Debian and its kin can be had here; says so, if not.
pub fn has_debian() -> bool {
    let has = debian_is_there();
    if !has {
        let name = std::thread::current().name().unwrap_or_default().to_owned();
        let _ = writeln!(std::io::stderr(), "{name} is skipped, because this machine has no apt sources");
    }
    has
}

fn debian_is_there() -> bool {
    ["/etc/apt/sources.list", "/etc/apt/sources.list.d"].iter().any(|path| Path::new(path).exists())
}

/// What a server answers: its status and its text.
#[derive(Debug)]
pub struct Answer {
    /// `200`; 0 if nobody answers.
    pub status: u16,
    /// The body.
    pub text: String,
}

/// Asks for an address `http://host:port/…`.
pub fn get(url: &str) -> Answer {
    let (host, path) = parts(url);
    answered(TcpStream::connect(host).and_then(|stream| ask(stream, host, path)))
}

/// The same, as somebody whose own address is another one of this machine.
pub fn get_from(source: Ipv4Addr, url: &str) -> Answer {
    let (host, path) = parts(url);
    answered(connect_from(source, host).and_then(|stream| ask(stream, host, path)))
}

fn connect_from(source: Ipv4Addr, host: &str) -> std::io::Result<TcpStream> {
    let socket = net::socket_with(net::AddressFamily::INET, net::SocketType::STREAM, net::SocketFlags::CLOEXEC, None)?;
    net::bind(&socket, &SocketAddr::from((source, 0)))?;
    net::connect(&socket, &host.parse::<SocketAddr>().expect("an address"))?;
    Ok(socket.into())
}

/// The host and the path of an address.
fn parts(url: &str) -> (&str, &str) {
    let rest = url.strip_prefix("http://").expect("http");
    rest.split_once('/').unwrap_or((rest, ""))
}

fn answered(asked: std::io::Result<Answer>) -> Answer {
    asked.unwrap_or_else(|error| Answer { status: 0, text: error.to_string() })
}

fn ask(mut stream: TcpStream, host: &str, path: &str) -> std::io::Result<Answer> {
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    write!(stream, "GET /{path} HTTP/1.0\r\nHost: {host}\r\nConnection: close\r\n\r\n")?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
    Ok(Answer { status, text: body.to_owned() })
}

/// `kill -9`.
pub fn kill(pid: &Value) {
    let pid = pid.as_i64().and_then(|pid| Pid::from_raw(i32::try_from(pid).unwrap())).expect("a process");
    kill_process(pid, Signal::KILL).expect("killed");
}

/// The common cache of all tests, below the build folder, filled by the first who asks.
fn common_cache() -> PathBuf {
    cache_of(&format!("{EVERYTHING}{}", if debian_is_there() { OF_DEBIAN } else { "" }))
}

/// What a project downloads, filled by the first who asks.
fn cache_of(project: &str) -> PathBuf {
    let _one = FILLING.lock().unwrap_or_else(PoisonError::into_inner);
    // One for each project: a longer one is fetched anew.
    let common = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("real-cache-{}", Digest::of(project).short()));
    if !common.exists() {
        let home = Home::cold(Sandbox::new());
        home.write("jove.toml", project);
        home.run(&["install", "--no-start", "-p", "demo"]).success();
        // It has the path of that home's cache in it, and each home makes its own.
        let tools = std::fs::read_dir(home.cache().join("tools")).into_iter().flatten();
        for entry in tools.map(Result::unwrap) {
            if entry.file_name().to_string_lossy().starts_with("python-") && entry.path().is_dir() {
                std::fs::remove_dir_all(entry.path()).unwrap();
            }
        }
        let filling = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let copied = filling.path().join("cache");
        let done = Command::new("cp").arg("-r").arg(home.cache()).arg(&copied).status().unwrap();
        assert!(done.success());
        std::fs::rename(copied, &common).unwrap();
    }
    common
}

/// Copies a folder, what of it is not there yet, and gives it to the sandbox's user.
fn copy(from: &Path, to: &Path, home: &Home) {
    std::fs::create_dir_all(to).unwrap();
    home.own(to.parent().unwrap());
    // Folders of the cache are closed, and files may be there already.
    home.unseal(to);
    let done = Command::new("cp").arg("-auf").arg(from.join(".")).arg(to).status().unwrap();
    assert!(done.success());
    for entry in walkdir::WalkDir::new(to).into_iter().map(Result::unwrap) {
        lchown(entry.path(), Some(home.user()), None).unwrap();
    }
}
