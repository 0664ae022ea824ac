//! Real Python packages: resolved, fetched, installed, imported; the same bytes each time; source builds, source folders in
//! place, mistakes, and a local index that tells how the parts behave together.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use jove_install::digest::Digest;
use jove_install::host::Host;
use jove_install::net::{Cache, Client};
use jove_install::progress::{Reporter, silent};
use jove_install::pypi::{
    Chooser, Gathered, Index, Inputs, Interpreter, Kit, PackageFetchError, PackageName, Pinned, PinnedFile,
    PythonRange, Recipe, Upgrade, Uv, build, fetch, gather, look, resolve,
};

/// What a test works with: a cache of its own below the build folder, which keeps uv between runs.
struct Bench {
    host: Host,
    client: Client,
    cache: Cache,
    uv: Uv,
    index: Index,
    interpreter: Interpreter,
    report: Reporter,
    folder: tempfile::TempDir,
    log: PathBuf,
}

/// One at a time fetches uv.
static FETCHING: Mutex<()> = Mutex::new(());

impl Bench {
    /// One with network; nothing where tests shall not use it.
    fn new() -> Option<Self> {
        crate::home::may_use_the_network().then(|| Self::with(Host::current().unwrap(), false))
    }

    /// With these vars in place of all that say where packages come from.
    fn with_vars(vars: &[(&str, &str)], offline: bool) -> Option<Self> {
        let mut host = Host::current().unwrap();
        host.vars.retain(|name, _| !name.starts_with("PIP_") && !name.starts_with("UV_"));
        host.vars.extend(vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        crate::home::may_use_the_network().then(|| Self::with(host, offline))
    }

    fn with(host: Host, offline: bool) -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let report = silent();
        let interpreter = Interpreter::find(&host, &">=3.9".parse::<PythonRange>().unwrap()).unwrap();
        let kept = Cache::open(&Path::new(env!("CARGO_TARGET_TMPDIR")).join("python-cache")).unwrap();
        let real = Host::current().unwrap();
        let uv = {
            let _one = FETCHING.lock().unwrap_or_else(PoisonError::into_inner);
            let client = Client::new(&real, false).unwrap();
            Uv::ensure(&real, &client, &kept, Some(&interpreter), &report).unwrap()
        };
        let index = Index::discover(&host, Some(&interpreter), Some(&uv)).unwrap();
        let client = Client::new(&host, offline).unwrap();
        let cache = Cache::open(&folder.path().join("cache")).unwrap();
        let log = folder.path().join("log/install.log");
        Self { host, client, cache, uv, index, interpreter, report, folder, log }
    }

    fn kit(&self) -> Kit<'_> {
        Kit {
            host: &self.host,
            client: &self.client,
            cache: &self.cache,
            uv: &self.uv,
            index: &self.index,
            interpreter: &self.interpreter,
            report: &self.report,
            log: &self.log,
        }
    }

    fn inputs(&self, requirements: &[&str]) -> Inputs {
        Inputs {
            folder: self.folder.path().to_owned(),
            requirements: requirements.iter().map(|text| (*text).to_owned()).collect(),
            ..Inputs::default()
        }
    }

    fn recipe(&self, pins: &[Pinned], inputs: &Gathered) -> Recipe {
        let chooser = Chooser::new(&self.interpreter);
        let files: Vec<_> = pins.iter().map(|pin| (&pin.name, chooser.choose(pin).unwrap())).collect();
        let paths = fetched(&self.kit(), &files, false).unwrap();
        Recipe {
            packages: pins.iter().cloned().zip(paths).collect(),
            editable: inputs.editable.clone(),
            is_shared: false,
        }
    }

    fn python(&self, target: &Path, script: &str) -> String {
        let output = Command::new(target.join("bin/python"))
            .args(["-c", script])
            .env_clear()
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .output();
        let output = output.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

/// What the cache has of these files, and what it lacked.
fn fetched(
    kit: &Kit<'_>,
    files: &[(&PackageName, &PinnedFile)],
    distrust: bool,
) -> Result<Vec<PathBuf>, PackageFetchError> {
    fetch(kit, files, &look(kit.cache, files, distrust)?, 4)
}

/// Every file, link and mode below a folder.
fn listing(folder: &Path) -> BTreeMap<String, String> {
    use std::os::unix::fs::PermissionsExt as _;
    let entries = walkdir::WalkDir::new(folder).into_iter().map(Result::unwrap);
    entries
        .map(|entry| {
            let path = entry.path();
            let name = path.strip_prefix(folder).unwrap().display().to_string();
            let mode = path.symlink_metadata().unwrap().permissions().mode();
            let what = if entry.file_type().is_symlink() {
                format!("-> {}", path.read_link().unwrap().display())
            } else if entry.file_type().is_dir() {
                "folder".to_owned()
            } else {
                format!("{mode:o} {}", Digest::of_file(path).unwrap())
            };
            (name, what)
        })
        .collect()
}

fn difference(one: &BTreeMap<String, String>, other: &BTreeMap<String, String>) -> Vec<String> {
    let names: std::collections::BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    names.into_iter().filter(|name| one.get(*name) != other.get(*name)).cloned().collect()
}

#[test]
fn pywps_and_gunicorn_are_installed_twice_with_the_same_bytes() {
    let Some(bench) = Bench::new() else { return };
    let inputs = gather(&bench.inputs(&["pywps", "gunicorn"])).unwrap();
    let started = Instant::now();
    let pins = resolve(&bench.kit(), &inputs, &[], &Upgrade::None).unwrap();
    println!("resolved {} packages in {:.2?}", pins.len(), started.elapsed());
    assert!(pins.len() > 10 && pins.iter().any(|pin| pin.name.as_str() == "pywps"));
    assert_eq!(resolve(&bench.kit(), &inputs, &pins, &Upgrade::None).unwrap(), pins);
    let started = Instant::now();
    let recipe = bench.recipe(&pins, &inputs);
    println!("fetched in {:.2?}", started.elapsed());
    // A long path with spaces and letters of other alphabets.
    let target = bench.folder.path().join("pré fix/store/0123-env");
    let started = Instant::now();
    let built = build(&bench.kit(), &target, &recipe).unwrap();
    println!("built with new bytecode in {:.2?}", started.elapsed());
    assert_eq!(built.impure.len(), 1, "{built:?}");
    let first = listing(&target);
    let said = bench.python(&target, "import pywps, gunicorn, numpy, lxml, sys; print(pywps.__version__, pywps.Process.__init__.__code__.co_filename)");
    let (version, file) = said.split_once(' ').unwrap();
    assert_eq!(version, pins.iter().find(|pin| pin.name.as_str() == "pywps").unwrap().version);
    assert!(file.starts_with(&target.display().to_string()), "tracebacks name the real file: {file}");
    let gunicorn = Command::new(target.join("bin/gunicorn")).arg("--version").env_clear().output().unwrap();
    assert!(String::from_utf8_lossy(&gunicorn.stdout).contains("gunicorn"), "{gunicorn:?}");
    // Nothing was written by importing, although writing was not forbidden for gunicorn: all bytecode is there.
    assert_eq!(difference(&first, &listing(&target)), Vec::<String>::new());
    let sources = first.keys().filter(|name| name.ends_with(".py")).count();
    let compiled = first.keys().filter(|name| name.ends_with(".pyc")).count();
    assert!(compiled > 300 && compiled + 40 > sources, "{compiled} of {sources}");
    // No file has a second name anywhere.
    for entry in
        walkdir::WalkDir::new(&target).into_iter().map(Result::unwrap).filter(|entry| entry.file_type().is_file())
    {
        assert_eq!(std::os::unix::fs::MetadataExt::nlink(&entry.metadata().unwrap()), 1, "{}", entry.path().display());
    }
    std::fs::remove_dir_all(&target).unwrap();
    let started = Instant::now();
    build(&bench.kit(), &target, &recipe).unwrap();
    println!("built with kept bytecode in {:.2?}", started.elapsed());
    assert_eq!(difference(&first, &listing(&target)), Vec::<String>::new());
    // And with bytecode that is made anew, in another time zone, with another mask.
    std::fs::remove_dir_all(&target).unwrap();
    std::fs::remove_dir_all(bench.cache.root().join("bytecode")).unwrap();
    build(&bench.kit(), &target, &recipe).unwrap();
    assert_eq!(difference(&first, &listing(&target)), Vec::<String>::new());
}

#[path = "python/measure.rs"]
mod measure;
#[path = "python/places.rs"]
mod places;
#[path = "python/sources.rs"]
mod sources;
#[path = "python/tool.rs"]
mod tool;
#[path = "python/unwritable.rs"]
mod unwritable;
