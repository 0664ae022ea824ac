//! Wheels that are built on this machine: from a source archive that a part allows, or from a copy of a source folder.
//!
//! What comes out depends on this machine's compiler and on what the build requires at that moment, so everything made of it
//! is impure. It writes only into its own folder and into uv's cache, as far as this machine can see to that. A wheel is built once for each source archive and Python, and kept in the cache.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::kit::Kit;
use super::pin::{Pinned, has_suffix};
use super::tool::scratch;
use crate::digest::{Digest, Sha256};
use crate::process::ProcessError;
use crate::progress::Event;
use crate::sandbox::{Access, Confinement, Machine, Network, SandboxError};

/// Why a build did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The build itself failed.
    #[error("building {what} from source failed:\n{}\nthe whole log: {}\nit may need a compiler or headers; or take a version with a wheel", indented(last), log.display())]
    Failed {
        /// What was built.
        what: String,
        /// The last lines of the build.
        last: Vec<String>,
        /// The whole log.
        log: PathBuf,
    },
    /// Files could not be read or written.
    #[error("building {what} from source: {source}")]
    Io {
        /// What was built.
        what: String,
        /// Why.
        source: std::io::Error,
    },
    /// The build left no wheel.
    #[error("building {what} from source left no wheel; its log: {}", log.display())]
    Nothing {
        /// What was built.
        what: String,
        /// The whole log.
        log: PathBuf,
    },
    /// Its sandbox cannot be made.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// The tool did not run to its end.
    #[error(transparent)]
    Process(ProcessError),
}

fn indented(lines: &[String]) -> String {
    lines.iter().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}

/// What is to be known of a wheel that was built.
#[derive(Debug, Clone)]
pub(super) struct BuiltWheel {
    pub(super) metadata: Vec<(String, String)>,
    pub(super) entry_points: String,
    pub(super) modules: Vec<String>,
    pub(super) is_pure: bool,
}

/// The wheel of a source archive, from the cache or built now.
pub(super) fn from_source(kit: &Kit<'_>, pin: &Pinned, archive: &Path) -> Result<PathBuf, BuildError> {
    let what = format!("`{}` {}", pin.name, pin.version);
    let failed = |source| BuildError::Io { what: what.clone(), source };
    let python = kit.interpreter;
    let sha256 = pin.files.first().map(|file| file.sha256.to_hex()).unwrap_or_default();
    let key = format!("{sha256}-{}-{}_{}", python.abi, python.system, python.machine);
    let kept = kit.cache.root().join("built").join(&key);
    if let Some(wheel) = whole(&kept) {
        return Ok(wheel);
    }
    kit.report.report(Event::Note(format!("building {what} from source")));
    let work = scratch(kit.cache).map_err(failed)?;
    let out = work.path().join("out");
    let wheel = build(kit, &what, archive, &out)?;
    let digest = Digest::of_file(&wheel).map_err(failed)?;
    fs_err::write(out.join("blake3"), digest.to_hex()).map_err(failed)?;
    for entry in fs_err::read_dir(&out).map_err(failed)?.flatten() {
        if entry.path() != wheel && entry.file_name() != "blake3" {
            fs_err::remove_file(entry.path()).map_err(failed)?;
        }
    }
    fs_err::create_dir_all(kept.parent().unwrap_or(&kept)).map_err(failed)?;
    match fs_err::rename(&out, &kept) {
        Ok(()) => {}
        // Another run was quicker, or what was kept is damaged.
        Err(_) if whole(&kept).is_some() => {}
        Err(_) => {
            fs_err::remove_dir_all(&kept).map_err(failed)?;
            fs_err::rename(&out, &kept).map_err(failed)?;
        }
    }
    whole(&kept).ok_or(BuildError::Nothing { what, log: kit.log.to_owned() })
}

/// The wheel of a folder of the cache, if it has the digest that was taken when it was built.
fn whole(folder: &Path) -> Option<PathBuf> {
    let said: Digest = fs_err::read_to_string(folder.join("blake3")).ok()?.parse().ok()?;
    let wheel = first_wheel(folder)?;
    (Digest::of_file(&wheel).ok()? == said).then_some(wheel)
}

fn first_wheel(folder: &Path) -> Option<PathBuf> {
    let paths = fs_err::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    paths.into_iter().find(|path| has_suffix(&path.to_string_lossy(), ".whl"))
}

fn build(kit: &Kit<'_>, what: &str, source: &Path, out: &Path) -> Result<PathBuf, BuildError> {
    let work = out.parent().unwrap_or(out);
    let failed = |source| BuildError::Io { what: what.to_owned(), source };
    let (temporary, cache) = (work.join("tmp"), kit.cache.root().join("uv"));
    for folder in [&temporary, &cache] {
        fs_err::create_dir_all(folder).map_err(failed)?;
    }
    // What builds need comes from the index meanwhile, so the network is not refused.
    let access =
        [work, &cache].into_iter().fold(Access::of_fetching_work(kit.host.home().ok().as_deref()), Access::write);
    let confinement = Confinement::best(Machine::current(), &access, Network::Any)?;
    let run =
        kit.uv_online().args(["build", "--wheel", "--no-create-gitignore", "--python"]).arg(&kit.interpreter.path);
    let run = run.arg("--out-dir").arg(out).arg(source).before_exec(Arc::new(confinement));
    // A fixed time inside the wheel, as the zip format's first.
    let run = run.var("SOURCE_DATE_EPOCH", "315532800").var("TMPDIR", temporary.display().to_string());
    run.go().map_err(|error| match error {
        ProcessError::Failed { last, .. } => {
            BuildError::Failed { what: what.to_owned(), last, log: kit.log.to_owned() }
        }
        other => BuildError::Process(other),
    })?;
    first_wheel(out).ok_or_else(|| BuildError::Nothing { what: what.to_owned(), log: kit.log.to_owned() })
}

/// Builds a source folder in a copy, to learn what its own build makes of it.
pub(super) fn from_copy(kit: &Kit<'_>, folder: &Path) -> Result<BuiltWheel, BuildError> {
    let what = folder.display().to_string();
    let failed = |source| BuildError::Io { what: what.clone(), source };
    kit.report.report(Event::Note(format!("asking the build of {what} for its metadata, in a copy")));
    let work = scratch(kit.cache).map_err(failed)?;
    // The folder's own name: some builds derive names from it.
    let copy = work.path().join("copy").join(folder.file_name().unwrap_or_default());
    copy_tree(folder, &copy).map_err(failed)?;
    let wheel = build(kit, &what, &copy, &work.path().join("out"))?;
    inspect(&wheel).map_err(failed)
}

/// Folders that no build needs and that may be large.
const LEFT_OUT: [&str; 8] =
    ["__pycache__", ".mypy_cache", ".nox", ".pytest_cache", ".ruff_cache", ".tox", ".venv", "node_modules"];

fn copy_tree(from: &Path, to: &Path) -> std::io::Result<()> {
    let mut walk = walkdir::WalkDir::new(from).into_iter();
    while let Some(entry) = walk.next() {
        let entry = entry?;
        let target = to.join(entry.path().strip_prefix(from).unwrap_or(entry.path()));
        let kind = entry.file_type();
        if kind.is_dir() {
            let environment = entry.depth() > 0 && entry.path().join("pyvenv.cfg").exists();
            if environment || LEFT_OUT.iter().any(|name| entry.file_name() == *name) {
                walk.skip_current_dir();
                continue;
            }
            fs_err::create_dir_all(target)?;
        } else if kind.is_symlink() {
            std::os::unix::fs::symlink(fs_err::read_link(entry.path())?, target)?;
        } else if kind.is_file() {
            fs_err::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

fn inspect(wheel: &Path) -> std::io::Result<BuiltWheel> {
    let mut archive = zip::ZipArchive::new(fs_err::File::open(wheel)?).map_err(std::io::Error::other)?;
    let names: Vec<String> = archive.file_names().filter_map(|name| Some(name.ok()?.into_owned())).collect();
    let mut read = |suffix: &str| -> std::io::Result<String> {
        let mut text = String::new();
        if let Some(name) = names.iter().find(|name| name.ends_with(suffix)) {
            archive.by_name(name).map_err(std::io::Error::other)?.take(16 << 20).read_to_string(&mut text)?;
        }
        Ok(text)
    };
    let (metadata, entry_points, tags) =
        (read(".dist-info/METADATA")?, read(".dist-info/entry_points.txt")?, read(".dist-info/WHEEL")?);
    let mut modules: Vec<String> = names
        .iter()
        .filter_map(|name| name.split('/').next())
        .filter(|top| !has_suffix(top, ".dist-info") && !has_suffix(top, ".data"))
        .map(ToOwned::to_owned)
        .collect();
    modules.sort();
    modules.dedup();
    Ok(BuiltWheel {
        metadata: headers(&metadata),
        entry_points,
        modules,
        is_pure: headers(&tags).iter().any(|(key, value)| key == "Root-Is-Purelib" && value == "true"),
    })
}

/// The header lines of a mail-like text, up to the first empty one.
fn headers(text: &str) -> Vec<(String, String)> {
    let lines = text.lines().take_while(|line| !line.is_empty());
    lines
        .filter_map(|line| line.split_once(": "))
        .map(|(key, value)| (key.to_owned(), value.trim().to_owned()))
        .collect()
}

/// The digest by which uv is told to take exactly this wheel.
pub(super) fn sha256_of(wheel: &Path) -> std::io::Result<Sha256> {
    Sha256::of_reader(fs_err::File::open(wheel)?)
}
