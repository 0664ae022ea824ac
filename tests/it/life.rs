//! What tests of a project's life share: waiting without sleeping, a project in a sandbox, what its supervisor says.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::sandbox::{Output, Said, Sandbox};

/// How long anything may take to happen.
const PATIENCE: Duration = Duration::from_secs(60);

/// Asks until there is an answer. Nobody tells, so it is asked again and again, within a bound.
#[track_caller]
pub fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < end, "{what} did not happen");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

/// A project `app` in the sandbox's working folder.
pub struct Life {
    /// Its home.
    pub sandbox: Sandbox,
}

impl Life {
    /// A project of these parts; `name = "app"` is put in front.
    pub fn of(parts: &str) -> Self {
        let life = Self { sandbox: Sandbox::new() };
        life.define(parts);
        life
    }

    /// Sets the project's parts.
    pub fn define(&self, parts: &str) {
        self.sandbox.write("jove.toml", format!("name = \"app\"\n{parts}"));
    }

    /// Runs the program.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.sandbox.run(arguments)
    }

    /// Installs quietly.
    #[track_caller]
    pub fn install(&self) -> Said {
        self.run(&["install", "--quiet"]).success()
    }

    /// Where it is installed.
    pub fn prefix(&self) -> PathBuf {
        self.sandbox.home().join("jove/app-dev")
    }

    /// What `status --json` says.
    pub fn status(&self) -> serde_json::Value {
        let asked = self.run(&["status", "--json"]);
        asked.either(&[0, 1]).json()
    }

    /// What `status` says of one service.
    pub fn service(&self, name: &str) -> serde_json::Value {
        let status = self.status();
        let services = status["services"].as_array().expect("services").iter();
        let found = services.clone().find(|service| service["name"] == name);
        found.unwrap_or_else(|| panic!("no service {name} in {status}")).clone()
    }

    /// A service's process.
    #[track_caller]
    pub fn pid(&self, name: &str) -> i64 {
        self.service(name)["pid"].as_i64().expect("it runs")
    }

    /// The committed generation.
    pub fn generation(&self) -> Option<String> {
        let link = fs_err::read_link(self.prefix().join("current")).ok()?;
        Some(link.file_name()?.to_string_lossy().into_owned())
    }

    /// Overwrites a file of the prefix with something else, keeping its owner; gives its former content.
    pub fn damage(&self, below: impl AsRef<Path>, content: &[u8]) -> Option<Vec<u8>> {
        let path = self.prefix().join(below);
        let former = fs_err::read(&path).ok();
        if former.is_some() {
            let mode = std::os::unix::fs::PermissionsExt::mode(&fs_err::metadata(&path).expect("facts").permissions());
            open_up(&path, mode | 0o200);
            fs_err::write(&path, content).expect("written");
            open_up(&path, mode);
        } else {
            self.sandbox.write(&path, content);
        }
        former
    }

    /// Puts a file back as it was.
    pub fn mend(&self, below: impl AsRef<Path>, former: Option<Vec<u8>>) {
        let path = self.prefix().join(below);
        match former {
            Some(former) => drop(self.damage(path, &former)),
            None => drop(fs_err::remove_file(path)),
        }
    }

    /// Nothing is left of a run that was killed: no part of a download, no half object, nothing that git was about to write.
    #[track_caller]
    pub fn has_no_litter(&self, when: &str) {
        let cache = self.sandbox.home().join(".cache/jove-install");
        let copies = cache.join("git");
        let is_litter = |path: &Path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let is_of_git = name.ends_with(".lock") || name.starts_with("tmp_");
            let signs = [".archive-", ".damaged-", ".part", ".tmp", ".trash-"];
            signs.iter().any(|sign| name.starts_with(sign)) || (is_of_git && path.starts_with(&copies))
        };
        let places = [cache, self.prefix()];
        let entries = places.iter().flat_map(walkdir::WalkDir::new).flatten();
        let litter = entries.map(walkdir::DirEntry::into_path).filter(|path| is_litter(path));
        let litter: Vec<PathBuf> = litter.chain(half_objects(&self.prefix().join("store"))).collect();
        assert!(litter.is_empty(), "{when}: {litter:#?}");
    }

    /// No process of this home is left.
    #[track_caller]
    pub fn is_quiet(&self) {
        let end = Instant::now() + PATIENCE;
        while !self.sandbox.processes().is_empty() {
            assert!(Instant::now() < end, "they have not ended: {:#?}", self.sandbox.processes());
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }
}

/// The names in a folder; none if it is not there.
pub fn names(folder: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// Folders of a store without a manifest, manifests without a folder.
pub fn half_objects(store: &Path) -> Vec<PathBuf> {
    let names = names(store);
    let other = |name: &String| match name.strip_suffix(".manifest.json") {
        Some(folder) => folder.to_owned(),
        None => format!("{name}.manifest.json"),
    };
    names.iter().filter(|name| !names.contains(&other(name))).map(|name| store.join(name)).collect()
}

fn open_up(path: &Path, mode: u32) {
    fs_err::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).expect("mode");
}
