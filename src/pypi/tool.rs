//! [`Uv`]: the tool that resolves and installs. The host's own, or a wheel kept in the cache by digest.
//!
//! The chain, tried in this order: `uv` on `PATH`; the cache; a wheel that some Python's pip fetches from wherever the user's
//! configuration says (pip itself knows its default, so that no address is spelled here), where need be with the pip that
//! `ensurepip` brings. A cached tool is compared with the digest taken when it was unpacked before each run's first use, and
//! unpacked again from its wheel if it differs.

use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::time::Duration;

use pep440_rs::{Version, VersionSpecifiers};

use super::index::Index;
use super::interpreter::{Interpreter, InterpreterError};
use super::pin::{PackageName, has_suffix};
use crate::digest::{Digest, Sha256};
use crate::fs::tree::digest_file;
use crate::host::Host;
use crate::net::{Cache, CacheError, Client};
use crate::process::{ProcessError, Run, clean_vars};
use crate::progress::{Event, Reporter};

/// The versions that are known to do what is asked of them here.
const RANGE: &str = ">=0.8,<1";

/// The largest tool that is unpacked.
const TOOL_LIMIT: u64 = 512 * 1024 * 1024;

/// Where a tool came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UvSource {
    /// The cache.
    Cache,
    /// Fetched now, by the host's pip.
    Fetched,
    /// The host's `PATH`.
    Host,
}

/// The tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uv {
    /// Its file.
    pub path: PathBuf,
    /// Its version: part of the key of everything that it writes.
    pub version: String,
    /// Where it came from.
    pub source: UvSource,
}

/// Why there is no tool.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// Every link of the chain failed.
    #[error(
        "uv, which resolves and installs Python packages, was not found; tried:{}\ninstall uv {RANGE} or a Python with pip (on Debian: \
         python3-pip or python3-venv), or run once with the network", bullets(.0)
    )]
    None(Vec<String>),
    /// The cache cannot be used.
    #[error("uv cannot be kept in {}: {source}; make room or mend its permissions there, or point XDG_CACHE_HOME to another folder", path.display())]
    Cache {
        /// Where.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// There is no folder of the cache to work in.
    #[error(transparent)]
    Scratch(#[from] CacheError),
    /// The index lists another digest than the file has that came.
    #[error("{file} has not the digest that the package index lists for it; nothing of it was used")]
    Digest {
        /// The file.
        file: String,
    },
    /// The user ended the run.
    #[error("interrupted")]
    Interrupted,
}

fn bullets(tried: &[String]) -> String {
    tried.iter().map(|line| format!("\n  - {}", line.replace('\n', "\n    "))).collect()
}

impl Uv {
    /// A run of it with clean vars and nothing of its own drawn, its cache in `cache`.
    pub(super) fn run(&self, host: &Host, cache: &Path) -> Run {
        Run::new(&self.path, clean_vars(host))
            .var("NO_COLOR", "1")
            .var("UV_CACHE_DIR", cache.display().to_string())
            .var("UV_NO_PROGRESS", "1")
            .var("UV_PYTHON_DOWNLOADS", "never")
    }

    /// The tool by the chain; blocks.
    ///
    /// # Errors
    /// With everything that was tried and what to do.
    pub fn ensure(
        host: &Host,
        client: &Client,
        cache: &Cache,
        interpreter: Option<&Interpreter>,
        report: &Reporter,
    ) -> Result<Self, ToolError> {
        let mut tried = Vec::new();
        if let Some(found) = on_host(host, &mut tried)? {
            return Ok(found);
        }
        if let Some(found) = in_cache(host, cache, &mut tried)? {
            return Ok(found);
        }
        if client.is_offline() {
            tried.push("pip was not asked, because of --offline".to_owned());
            return Err(ToolError::None(tried));
        }
        report.report(Event::Note("fetching uv, which resolves and installs Python packages".to_owned()));
        let Some((python, wheel, _folder)) = by_pip(host, cache, interpreter, &mut tried)? else {
            return Err(ToolError::None(tried));
        };
        keep(host, client, cache, &python, &wheel, report, &mut tried)
    }
}

/// The version that a tool says it has, if it runs and is in range.
fn version_of(host: &Host, path: &Path, tried: &mut Vec<String>) -> Result<Option<String>, ToolError> {
    let run = Run::new(path, clean_vars(host))
        .args(["--no-cache", "--version"])
        .limit(Duration::from_secs(30))
        .capture()
        .go();
    let printed = match run {
        Ok(done) => String::from_utf8_lossy(&done.stdout).into_owned(),
        Err(ProcessError::Interrupted) => return Err(ToolError::Interrupted),
        Err(error) => {
            tried.push(error.to_string());
            return Ok(None);
        }
    };
    let version = printed.split_whitespace().nth(1).unwrap_or_default().to_owned();
    let known = VersionSpecifiers::from_str(RANGE)
        .is_ok_and(|range| Version::from_str(&version).is_ok_and(|version| range.contains(&version)));
    if !known {
        tried.push(format!("{} is {}, not {RANGE}", path.display(), printed.trim()));
    }
    Ok(known.then_some(version))
}

fn on_host(host: &Host, tried: &mut Vec<String>) -> Result<Option<Uv>, ToolError> {
    let Some(path) = host.which("uv") else {
        tried.push("there is no uv on PATH".to_owned());
        return Ok(None);
    };
    let version = version_of(host, &path, tried)?;
    Ok(version.map(|version| Uv { path, version, source: UvSource::Host }))
}

/// The newest tool of the cache that is whole.
fn in_cache(host: &Host, cache: &Cache, tried: &mut Vec<String>) -> Result<Option<Uv>, ToolError> {
    let mut kept: Vec<(Version, PathBuf)> = Vec::new();
    for entry in fs_err::read_dir(tools(cache)).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let version = name.strip_prefix("uv-").and_then(|rest| rest.rsplit_once('-'));
        if let Some(version) = version.and_then(|(version, _)| Version::from_str(version).ok()) {
            kept.push((version, entry.path()));
        }
    }
    kept.sort_by(|one, other| other.cmp(one));
    for (_, folder) in kept {
        let path = folder.join("uv");
        if !is_whole(&folder) {
            let failed = |source| ToolError::Cache { path: folder.clone(), source };
            fs_err::remove_dir_all(&folder).map_err(failed)?;
            let wheel = wheel_of(&folder, cache);
            tried.push(format!("{} was damaged and was removed", path.display()));
            let Some(wheel) = wheel else { continue };
            unpack(&wheel, &folder).map_err(failed)?;
        }
        if let Some(version) = version_of(host, &path, tried)? {
            return Ok(Some(Uv { path, version, source: UvSource::Cache }));
        }
    }
    tried.push("there is none in the cache".to_owned());
    Ok(None)
}

/// A folder of the cache for the time of one piece of work.
pub(super) fn scratch(cache: &Cache) -> std::io::Result<tempfile::TempDir> {
    cache.scratch("pypi-").map_err(CacheError::into_io)
}

/// The wheel that a tool's folder was unpacked from, if the cache still has it whole.
fn wheel_of(folder: &Path, cache: &Cache) -> Option<PathBuf> {
    let (_, start) = folder.file_name()?.to_str()?.rsplit_once('-')?;
    let kept = cache.root().join("files/sha256").join(start.get(..2)?);
    let entries = fs_err::read_dir(kept).ok()?.flatten();
    let entry = entries.into_iter().find(|entry| entry.file_name().to_string_lossy().starts_with(start))?;
    let sha256: Sha256 = entry.file_name().to_str()?.parse().ok()?;
    let file =
        fs_err::read_dir(entry.path()).ok()?.flatten().map(|file| file.file_name().to_string_lossy().into_owned());
    let file = file.into_iter().find(|file| has_suffix(file, ".whl"))?;
    cache.find(&sha256, &file).ok()?
}

fn tools(cache: &Cache) -> PathBuf {
    cache.root().join("tools")
}

fn is_whole(folder: &Path) -> bool {
    let said = fs_err::read_to_string(folder.join("uv.blake3")).ok().and_then(|text| text.trim().parse().ok());
    said.is_some_and(|said: Digest| digest_file(&folder.join("uv")).is_ok_and(|(found, _)| found == said))
}

type ByPip = (Interpreter, PathBuf, tempfile::TempDir);

/// The wheel, fetched by the pip of the part's own Python or of any other.
fn by_pip(
    host: &Host,
    cache: &Cache,
    interpreter: Option<&Interpreter>,
    tried: &mut Vec<String>,
) -> Result<Option<ByPip>, ToolError> {
    let mut pythons: Vec<Interpreter> = interpreter.cloned().into_iter().collect();
    match Interpreter::all(host) {
        Ok(all) => pythons.extend(all),
        Err(InterpreterError::Interrupted) => return Err(ToolError::Interrupted),
        Err(error) => tried.push(error.to_string()),
    }
    // A Python with pip first; then one whose ensurepip can bring it.
    pythons.sort_by_key(|python| !python.has_pip);
    let mut asked: Vec<PathBuf> = Vec::new();
    for python in pythons {
        if asked.contains(&python.path) || !(python.has_pip || python.has_ensurepip) {
            continue;
        }
        asked.push(python.path.clone());
        let folder = cache.scratch("pypi-")?;
        match download(host, &python, folder.path()) {
            Ok(Some(wheel)) => return Ok(Some((python, wheel, folder))),
            Ok(None) => tried.push(format!("pip of {} left no wheel", python.path.display())),
            Err(ProcessError::Interrupted) => return Err(ToolError::Interrupted),
            Err(error) => tried.push(error.to_string()),
        }
        if asked.len() == 3 {
            break;
        }
    }
    if asked.is_empty() {
        tried.push("no Python with pip or ensurepip was found".to_owned());
    }
    Ok(None)
}

fn download(host: &Host, python: &Interpreter, folder: &Path) -> Result<Option<PathBuf>, ProcessError> {
    let mut program = python.path.clone();
    if !python.has_pip {
        let env = folder.join("env");
        Run::new(&program, clean_vars(host)).args(["-m", "venv"]).arg(&env).go()?;
        program = env.join("bin/python");
    }
    let wheels = folder.join("wheels");
    let mut run = Run::new(&program, clean_vars(host));
    for (name, value) in host.vars.iter().filter(|(name, _)| name.starts_with("PIP_")) {
        run = run.var(name, value);
    }
    // For its user agent pip asks a `rustc` that it finds, and where that is rustup's it makes a folder in the home.
    run = run.var("RUSTUP_HOME", folder.join("rustup").display().to_string());
    // Without pip's cache, which would stay in the user's home after a wipe: the wheel goes into ours.
    let args = ["-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input", "--no-cache-dir"];
    let words = Index::discover(host, Some(python), None).map(|index| index.hidden()).unwrap_or_default();
    let run = run
        .args(args)
        .args(["--progress-bar=off", "--disable-pip-version-check"])
        .arg("-d")
        .arg(&wheels)
        .arg(format!("uv{RANGE}"));
    run.hide(words).limit(Duration::from_secs(900)).go()?;
    let found = fs_err::read_dir(&wheels).into_iter().flatten().flatten().map(|entry| entry.path());
    Ok(found.into_iter().find(|path| has_suffix(&path.to_string_lossy(), ".whl")))
}

/// Puts a wheel into the cache and the tool beside it.
fn keep(
    host: &Host,
    client: &Client,
    cache: &Cache,
    python: &Interpreter,
    wheel: &Path,
    report: &Reporter,
    tried: &mut Vec<String>,
) -> Result<Uv, ToolError> {
    let failed = |source| ToolError::Cache { path: tools(cache), source };
    let file = wheel.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let sha256 = Sha256::of_reader(fs_err::File::open(wheel).map_err(failed)?).map_err(failed)?;
    check_listed(host, client, python, &file, sha256, report)?;
    let mut reader = fs_err::File::open(wheel).map_err(failed)?;
    let kept = cache.insert(&sha256, &file, &mut reader)?;
    let version = file.split('-').nth(1).unwrap_or_default();
    let folder = tools(cache).join(format!("uv-{version}-{}", &sha256.to_hex()[..16]));
    unpack(&kept, &folder).map_err(failed)?;
    let path = folder.join("uv");
    match version_of(host, &path, tried)? {
        Some(version) => Ok(Uv { path, version, source: UvSource::Fetched }),
        None => Err(ToolError::None(std::mem::take(tried))),
    }
}

/// Compares with the index's own digest, where the index can be read.
fn check_listed(
    host: &Host,
    client: &Client,
    python: &Interpreter,
    file: &str,
    sha256: Sha256,
    report: &Reporter,
) -> Result<(), ToolError> {
    let name: PackageName = "uv".parse().expect("it is a name");
    let listed = Index::discover(host, Some(python), None).and_then(|index| index.list(client, &[&name]));
    let listed = listed.unwrap_or_default().into_iter().flatten().filter(|listed| listed.file == file);
    let digests: Vec<Sha256> = listed.filter_map(|listed| listed.sha256).collect();
    if digests.is_empty() {
        report.report(Event::Note(format!(
            "{file} is trusted on first use: the index says no digest of it (sha256 {sha256})"
        )));
        return Ok(());
    }
    if digests.contains(&sha256) { Ok(()) } else { Err(ToolError::Digest { file: file.to_owned() }) }
}

/// Takes the one program out of the wheel; whoever renames first wins, and both have the same bytes.
fn unpack(wheel: &Path, folder: &Path) -> std::io::Result<()> {
    if is_whole(folder) {
        return Ok(());
    }
    let above = folder.parent().unwrap_or(folder);
    fs_err::create_dir_all(above)?;
    let aside = tempfile::Builder::new().prefix(".tmp-").tempdir_in(above)?;
    let mut archive = zip::ZipArchive::new(fs_err::File::open(wheel)?).map_err(std::io::Error::other)?;
    let names: Vec<String> = archive.file_names().filter_map(|name| Some(name.ok()?.into_owned())).collect();
    let entry = names.into_iter().find(|name| name.ends_with(".data/scripts/uv") || name.ends_with("/bin/uv"));
    let entry = entry.ok_or_else(|| std::io::Error::other("the wheel has no program `uv`"))?;
    let entry = archive.by_name(&entry).map_err(std::io::Error::other)?;
    let program = aside.path().join("uv");
    let mut file = fs_err::File::create(&program)?;
    std::io::copy(&mut entry.take(TOOL_LIMIT), &mut file)?;
    file.sync_all()?;
    drop(file);
    fs_err::write(aside.path().join("uv.blake3"), Digest::of_file(&program)?.to_hex())?;
    fs_err::set_permissions(&program, std::fs::Permissions::from_mode(0o555))?;
    fs_err::set_permissions(aside.path(), std::fs::Permissions::from_mode(0o755))?;
    match fs_err::rename(aside.path(), folder) {
        Ok(()) => {
            let _ = aside.keep();
            Ok(())
        }
        Err(_) if is_whole(folder) => Ok(()),
        Err(error) => Err(error),
    }
}
