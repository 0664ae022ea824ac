//! An environment: a folder that is Python's `prefix`, with exactly these packages. Made at its final path, to be sealed by the
//! store.
//!
//! The frame (`pyvenv.cfg`, `bin/python`) is ours. uv installs, offline, exactly the chosen files of the download cache, by
//! digest. It keeps unpacked wheels for the next time and copies from there (never links), and every installed file is then
//! proved against its wheel; if one differs, what uv kept is thrown away and the environment is made again from the wheels.
//! What uv writes about times is taken out. Then bytecode is put beside the sources, and nothing writes into the folder any more.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::brought::{self, ShareError};
use super::built::{self, BuildError};
use super::bytecode::{self, BytecodeError, Package};
use super::editable::{self, Described, EditableError};
use super::interpreter::InterpreterError;
use super::kit::Kit;
use super::pin::{PackageName, Pinned, has_suffix};
use super::proof::{self, Places, Proof};
use super::requirement::EditableSource;
use super::script::Adoption;
use super::tool::scratch;
use crate::checkpoint;
use crate::digest::Sha256;
use crate::fs::Known;
use crate::process::ProcessError;
use crate::progress::Event;

/// What uv leaves in an environment that it worked on.
const UV_LOCK: &str = ".lock";

/// What an environment is made of.
#[derive(Debug, Clone, Default)]
pub struct Recipe {
    /// Each package with its chosen file in the cache (a source archive for one that is built).
    pub packages: Vec<(Pinned, PathBuf)>,
    /// Source folders that are used in place.
    pub editable: Vec<EditableSource>,
    /// Whether it sees the packages and programs that its interpreter has already.
    pub is_shared: bool,
}

/// An environment that was made.
#[derive(Debug, Default)]
pub struct Built {
    /// Why its bytes depend on this machine, one reason a line.
    pub impure: Vec<String>,
    /// How long bytecode took, which measurements count apart.
    pub bytecode: Duration,
    /// Digests of what was installed.
    pub known: Known,
}

/// Why an environment was not made.
#[derive(Debug, thiserror::Error)]
pub enum EnvironmentError {
    /// A source build failed.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// Bytecode could not be made.
    #[error(transparent)]
    Bytecode(#[from] BytecodeError),
    /// A source folder cannot be used.
    #[error(transparent)]
    Editable(#[from] EditableError),
    /// Files could not be read or written.
    #[error("making the Python environment {}: {source}", target.display())]
    Io {
        /// The environment.
        target: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What its interpreter has cannot be told.
    #[error(transparent)]
    Interpreter(#[from] InterpreterError),
    /// The installer failed.
    #[error("installing Python packages: {0}")]
    Install(#[from] ProcessError),
    /// A folder's name cannot be in a search path.
    #[error("the folder {} cannot be on Python's path: its name has a line break", .0.display())]
    Folder(PathBuf),
}

/// A wheel that is to be installed.
struct Wheel {
    name: PackageName,
    version: String,
    path: PathBuf,
    sha256: Sha256,
}

/// Makes the environment in `target`, which is empty or not there. Blocks.
///
/// # Errors
/// If anything fails; what is in `target` is then of no use.
pub fn build(kit: &Kit<'_>, target: &Path, recipe: &Recipe) -> Result<Built, EnvironmentError> {
    let failed = |source| EnvironmentError::Io { target: target.to_owned(), source };
    let mut built = Built {
        impure: vec![format!("host python {} ({})", kit.interpreter.version, kit.interpreter.path.display())],
        ..Built::default()
    };
    frame(kit, target, recipe.is_shared).map_err(failed)?;
    let work = target.join(".work");
    fs_err::create_dir(&work).map_err(failed)?;
    let mut wheels = Vec::new();
    for (pin, path) in &recipe.packages {
        wheels.push(wheel_of(kit, pin, path, &mut built).map_err(|error| with_target(error, target))?);
    }
    for source in &recipe.editable {
        let described = editable::describe(kit, source)?;
        wheels.push(editable_wheel(&described, &work).map_err(failed)?);
        built.impure.push(format!("editable source {}", source.folder.display()));
        if described.root.to_string_lossy().contains(['\n', '\r']) {
            return Err(EnvironmentError::Folder(described.root));
        }
    }
    checkpoint::pass("python-before-install");
    let place = Place { target, work: &work, is_shared: recipe.is_shared };
    built.known = install_and_prove(kit, &place, &wheels).map_err(|error| with_target(error, target))?;
    fs_err::remove_dir_all(&work).map_err(failed)?;
    match fs_err::remove_file(target.join(UV_LOCK)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let site = target.join(&kit.interpreter.purelib);
    let adoption = Adoption::new(&kit.interpreter.path, &target.join("bin/python"));
    let packages = tidy(&site, &wheels, &adoption).map_err(failed)?;
    if recipe.is_shared {
        brought::share(kit.host, kit.interpreter, target).map_err(|error| match error {
            ShareError::Interpreter(error) => EnvironmentError::Interpreter(error),
            ShareError::Io(error) => failed(error),
        })?;
    }
    checkpoint::pass("python-before-bytecode");
    let started = Instant::now();
    built.known.extend(bytecode::compile(&kit.compiler(), &site, &packages)?);
    built.bytecode = started.elapsed();
    let took = built.bytecode.as_secs_f64();
    kit.report.report(Event::Detail(format!("bytecode of {} packages took {took:.3} s", packages.len())));
    Ok(built)
}

/// An error of a step that does not know the target.
enum StepError {
    Io(io::Error),
    Other(EnvironmentError),
}

impl From<io::Error> for StepError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<BuildError> for StepError {
    fn from(error: BuildError) -> Self {
        Self::Other(error.into())
    }
}

impl From<ProcessError> for StepError {
    fn from(error: ProcessError) -> Self {
        Self::Other(error.into())
    }
}

fn with_target(error: StepError, target: &Path) -> EnvironmentError {
    match error {
        StepError::Io(source) => EnvironmentError::Io { target: target.to_owned(), source },
        StepError::Other(error) => error,
    }
}

/// What makes a folder an environment: its configuration and its interpreter.
fn frame(kit: &Kit<'_>, target: &Path, is_shared: bool) -> io::Result<()> {
    let python = kit.interpreter;
    let bin = target.join("bin");
    fs_err::create_dir_all(&bin)?;
    fs_err::create_dir_all(target.join(&python.purelib))?;
    let home = python.path.parent().unwrap_or(&python.path);
    let config = format!(
        "home = {}\nimplementation = {}\nversion_info = {}\ninclude-system-site-packages = {is_shared}\n",
        home.display(),
        if python.implementation == "cpython" { "CPython" } else { python.implementation.as_str() },
        python.version,
    );
    fs_err::write(target.join("pyvenv.cfg"), config)?;
    std::os::unix::fs::symlink(&python.path, bin.join("python"))?;
    let (major, minor) = python.minor();
    for name in ["python3".to_owned(), format!("python{major}.{minor}")] {
        std::os::unix::fs::symlink("python", bin.join(name))?;
    }
    // Where extension modules look on some systems; the same folder here.
    if python.system == "linux" && !target.join("lib64").exists() && python.purelib.starts_with("lib") {
        std::os::unix::fs::symlink("lib", target.join("lib64"))?;
    }
    Ok(())
}

fn wheel_of(kit: &Kit<'_>, pin: &Pinned, path: &Path, built: &mut Built) -> Result<Wheel, StepError> {
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    let (name, version) = (pin.name.clone(), pin.version.clone());
    if has_suffix(&file, ".whl") {
        let pinned = pin.files.iter().find(|pinned| pinned.file == file);
        let sha256 = pinned.ok_or_else(|| io::Error::other(format!("{file} is no file of the pin of {name}")))?.sha256;
        return Ok(Wheel { name, version, path: path.to_owned(), sha256 });
    }
    let wheel = built::from_source(kit, pin, path)?;
    built.impure.push(format!("host-built {name} {version}"));
    Ok(Wheel { name, version, sha256: built::sha256_of(&wheel)?, path: wheel })
}

/// Our own wheel for a source folder: metadata, scripts, and its path.
fn editable_wheel(described: &Described, work: &Path) -> io::Result<Wheel> {
    let name: PackageName = described.name.parse().map_err(io::Error::other)?;
    let stem = format!("{}-{}", name.as_str().replace('-', "_"), described.version.replace('-', "_"));
    let path = work.join(format!("{stem}-py3-none-any.whl"));
    let root = format!("{}\n", described.root.display());
    let mut files = vec![
        (format!("__editable__.{stem}.pth"), root),
        (format!("{stem}.dist-info/METADATA"), described.metadata()),
        (
            format!("{stem}.dist-info/WHEEL"),
            "Wheel-Version: 1.0\nGenerator: jove-install\nRoot-Is-Purelib: true\nTag: py3-none-any\n".to_owned(),
        ),
    ];
    if !described.entry_points.is_empty() {
        files.push((format!("{stem}.dist-info/entry_points.txt"), described.entry_points.clone()));
    }
    let record_name = format!("{stem}.dist-info/RECORD");
    let mut record: String = files.iter().map(|(name, _)| format!("{name},,\n")).collect();
    record.push_str(&format!("{record_name},,\n"));
    files.push((record_name, record));
    let mut archive = zip::ZipWriter::new(fs_err::File::create(&path)?);
    // The default time is the format's first, so that the bytes are the same each time.
    let options = zip::write::SimpleFileOptions::default().last_modified_time(zip::DateTime::default());
    for (name, text) in files {
        archive.start_file(name, options).map_err(io::Error::other)?;
        archive.write_all(text.as_bytes())?;
    }
    archive.finish().map_err(io::Error::other)?;
    Ok(Wheel { name, version: described.version.clone(), sha256: built::sha256_of(&path)?, path })
}

/// Where an environment is made.
struct Place<'a> {
    target: &'a Path,
    work: &'a Path,
    is_shared: bool,
}

/// Installs from what uv keeps unpacked; from nothing but the wheels if that turns out to be damaged, or cannot be kept.
fn install_and_prove(kit: &Kit<'_>, place: &Place<'_>, wheels: &[Wheel]) -> Result<Known, StepError> {
    let Place { target, work, .. } = *place;
    if wheels.is_empty() {
        return Ok(Known::default());
    }
    let kept = kit.cache.root().join("unpacked");
    match install(kit, target, work, wheels, &kept) {
        Ok(()) => {}
        Err(ProcessError::Interrupted) => return Err(ProcessError::Interrupted.into()),
        Err(error) => {
            // What is wrong with a wheel is wrong again; what was wrong with the cache is not.
            let known = install_anew(kit, place, wheels)?;
            let told = error.last_lines().last().map_or_else(|| error.to_string(), |line| line.trim().to_owned());
            kit.cache.note_unkept(kit.report, &told);
            return Ok(known);
        }
    }
    let Proof { altered, known } = prove(kit, target, wheels)?;
    let Some(first) = altered.first() else { return Ok(known) };
    kit.report.report(Event::Note(format!(
        "{} files of unpacked wheels were damaged in the cache ({} …); they are unpacked again",
        altered.len(),
        first.strip_prefix(target).unwrap_or(first).display()
    )));
    // Taken away by one rename, so that another run finds all of it or nothing.
    let aside = scratch(kit.cache)?;
    match fs_err::rename(&kept, aside.path().join("damaged")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    install_anew(kit, place, wheels)
}

/// Installs from the wheels alone, in place of what was installed so far.
fn install_anew(kit: &Kit<'_>, place: &Place<'_>, wheels: &[Wheel]) -> Result<Known, StepError> {
    let Place { target, work, is_shared } = *place;
    clear(target, work)?;
    frame(kit, target, is_shared)?;
    install(kit, target, work, wheels, &work.join("cache"))?;
    let Proof { altered, known } = prove(kit, target, wheels)?;
    match altered.first() {
        None => Ok(known),
        Some(file) => Err(io::Error::other(format!("{} is not what its wheel has", file.display())).into()),
    }
}

fn prove(kit: &Kit<'_>, target: &Path, wheels: &[Wheel]) -> io::Result<Proof> {
    let (site, lists) = (target.join(&kit.interpreter.purelib), kit.cache.root().join("contents"));
    let paths: Vec<(&Path, Sha256)> = wheels.iter().map(|wheel| (wheel.path.as_path(), wheel.sha256)).collect();
    proof::prove(&Places { target, site: &site, lists: &lists }, &paths)
}

/// Removes everything in the target but the work in progress.
fn clear(target: &Path, work: &Path) -> io::Result<()> {
    for entry in fs_err::read_dir(target)? {
        let entry = entry?;
        if entry.path() == work {
            continue;
        }
        if entry.file_type()?.is_dir() {
            fs_err::remove_dir_all(entry.path())?
        } else {
            fs_err::remove_file(entry.path())?
        }
    }
    Ok(())
}

fn install(kit: &Kit<'_>, target: &Path, work: &Path, wheels: &[Wheel], cache: &Path) -> Result<(), ProcessError> {
    let requirements =
        wheels.iter().map(|wheel| format!("{}=={} --hash=sha256:{}\n", wheel.name, wheel.version, wheel.sha256));
    let requirements: String = requirements.collect();
    let run = kit.uv.run(kit.host, cache).folder(work).log(kit.log);
    let mut run = run.args(["pip", "install", "--quiet", "--offline", "--no-index", "--no-deps", "--require-hashes"]);
    run = run.args(["--no-config", "--no-build", "--link-mode", "copy"]);
    // Each file where it lies, alone in its folder of the cache: a path that stays the same, by which uv knows it again.
    for wheel in wheels {
        run = run.arg("--find-links").arg(wheel.path.parent().unwrap_or(work));
    }
    // By the interpreter behind the environment, of which uv remembers what it is like: asking that of each environment's own
    // takes longer than all else that uv does before it copies.
    run = run.arg("--python").arg(&kit.interpreter.path).arg("--prefix").arg(target);
    run.args(["--requirements", "-"]).input(requirements).go().map(drop)
}

/// Takes out what tells times, has scripts run by the environment's own Python, and lists the sources of each package.
fn tidy(site: &Path, wheels: &[Wheel], scripts: &Adoption) -> io::Result<Vec<Package>> {
    let by_name: BTreeMap<&PackageName, &Wheel> = wheels.iter().map(|wheel| (&wheel.name, wheel)).collect();
    let mut packages = Vec::new();
    for entry in fs_err::read_dir(site)? {
        let entry = entry?;
        let folder = entry.file_name().to_string_lossy().into_owned();
        let Some(stem) = folder.strip_suffix(".dist-info") else { continue };
        let info = entry.path();
        let record = fs_err::read_to_string(info.join("RECORD"))?;
        let mut kept = record.lines().map(|line| scripts.of_record(site, line)).collect::<io::Result<Vec<_>>>()?;
        for told in ["uv_cache.json", "direct_url.json"] {
            if info.join(told).exists() {
                fs_err::remove_file(info.join(told))?;
                let line = format!("{folder}/{told},");
                kept.retain(|other| !other.starts_with(&line));
            }
        }
        kept.sort_unstable();
        // Written anew rather than changed: nothing else may have this file.
        fs_err::remove_file(info.join("RECORD"))?;
        fs_err::write(info.join("RECORD"), kept.iter().map(|line| format!("{line}\n")).collect::<String>())?;
        let name = stem.split('-').next().and_then(|name| name.parse::<PackageName>().ok());
        if let Some(wheel) = name.and_then(|name| by_name.get(&name).copied()) {
            let mut sources: Vec<PathBuf> = kept.iter().filter_map(|line| source_in(line)).collect();
            sources.retain(|source| site.join(source).is_file());
            sources.sort();
            packages.push(Package { name: wheel.name.to_string(), wheel: wheel.sha256, sources });
        }
    }
    packages.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(packages)
}

/// The Python source that a line of `RECORD` names, if it is one below the packages' folder.
fn source_in(line: &str) -> Option<PathBuf> {
    let path = match line.strip_prefix('"') {
        Some(quoted) => quoted.split_once('"')?.0,
        None => line.split(',').next()?,
    };
    let good = has_suffix(path, ".py") && !path.starts_with('/') && !path.split('/').any(|word| word == "..");
    (good && !path.contains(['\t', '\n'])).then(|| PathBuf::from(path))
}
