//! [`Brought`]: a package that an interpreter has in its own folders, as the Python of a conda environment has what conda put
//! beside it. An environment that shares them sees them, and installs none of them again.
//!
//! The resolver must know of them without asking an index, which may never have heard of such a version: for each it is given a
//! wheel of ours with nothing but name, version and extras, and is told that there is no other one.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::time::Duration;

use pep440_rs::Version;
use serde::Deserialize;

use super::interpreter::{Interpreter, InterpreterError};
use super::pin::PackageName;
use super::script::first_line;
use crate::host::{Host, is_executable};
use crate::process::{ProcessError, Run, clean_vars};

const SCRIPT: &str = include_str!("brought.py");

/// How long an interpreter may take to look at its packages.
const PATIENCE: Duration = Duration::from_secs(120);

/// A package that an interpreter has already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brought {
    /// Its name.
    pub name: PackageName,
    /// Its version.
    pub version: String,
    /// The extras that it knows.
    pub extras: Vec<String>,
    /// What its extras need. What it needs itself is there.
    pub requires: Vec<String>,
    /// Its commands, each with `module:function`.
    pub scripts: BTreeMap<String, String>,
}

/// What the script prints.
#[derive(Deserialize)]
struct Answer {
    name: String,
    version: String,
    extras: Vec<String>,
    requires: Vec<String>,
    scripts: BTreeMap<String, String>,
}

/// Asks an interpreter what it has. What has no name or version that the Python package index knows is left out: nothing that
/// is asked for there could mean it.
///
/// # Errors
/// If it does not run or does not answer.
pub fn brought(host: &Host, interpreter: &Interpreter) -> Result<Vec<Brought>, InterpreterError> {
    let unusable = |why: String| InterpreterError::Unusable { path: interpreter.path.clone(), why };
    let run = Run::new(&interpreter.path, clean_vars(host)).args(["-E", "-s", "-"]).input(SCRIPT);
    let done = run.limit(PATIENCE).capture().go().map_err(|error| match error {
        ProcessError::Interrupted => InterpreterError::Interrupted,
        other => unusable(format!("its packages cannot be listed: {other}")),
    })?;
    let answers: Vec<Answer> = serde_json::from_slice(&done.stdout)
        .map_err(|error| unusable(format!("its list of packages is not understood: {error}")))?;
    let mut all: Vec<Brought> = answers.into_iter().filter_map(Answer::read).collect();
    all.sort_by(|one, other| one.name.cmp(&other.name));
    all.dedup_by(|one, other| one.name == other.name);
    Ok(all)
}

impl Answer {
    fn read(self) -> Option<Brought> {
        let version = Version::from_str(&self.version).ok()?.to_string();
        let Self { extras, requires, scripts, .. } = self;
        Some(Brought { name: self.name.parse().ok()?, version, extras, requires, scripts })
    }
}

impl Brought {
    /// `numpy==2.1.0`.
    #[must_use]
    pub fn pinned(&self) -> String {
        format!("{}=={}", self.name, self.version)
    }

    /// Writes the wheel that stands for it into a folder.
    pub(super) fn stub(&self, folder: &Path) -> io::Result<PathBuf> {
        let stem = format!("{}-{}", self.name.as_str().replace('-', "_"), self.version);
        let path = folder.join(format!("{stem}-py3-none-any.whl"));
        let mut metadata = format!("Metadata-Version: 2.1\nName: {}\nVersion: {}\n", self.name, self.version);
        metadata.extend(self.extras.iter().map(|extra| format!("Provides-Extra: {extra}\n")));
        metadata.extend(self.requires.iter().map(|line| format!("Requires-Dist: {line}\n")));
        let wheel =
            "Wheel-Version: 1.0\nGenerator: jove-install\nRoot-Is-Purelib: true\nTag: py3-none-any\n".to_owned();
        let mut archive = zip::ZipWriter::new(fs_err::File::create(&path)?);
        for (name, text) in [("METADATA", metadata), ("WHEEL", wheel), ("RECORD", String::new())] {
            let options = zip::write::SimpleFileOptions::default().last_modified_time(zip::DateTime::default());
            archive.start_file(format!("{stem}.dist-info/{name}"), options).map_err(io::Error::other)?;
            archive.write_all(text.as_bytes())?;
        }
        archive.finish().map_err(io::Error::other)?;
        Ok(path)
    }
}

/// Gives an environment the programs beside its interpreter: commands of Python packages run in the environment, so that they
/// see what it adds; all others are links. What the environment has itself stays.
pub(super) fn share(host: &Host, interpreter: &Interpreter, target: &Path) -> Result<(), ShareError> {
    let bin = target.join("bin");
    let python = bin.join("python");
    for package in brought(host, interpreter)? {
        for (name, place) in &package.scripts {
            let (Some((module, function)), path) = (place.split_once(':'), bin.join(name)) else { continue };
            if name.contains('/') || fs_err::symlink_metadata(&path).is_ok() {
                continue;
            }
            fs_err::write(&path, command(&python, module, function))?;
            fs_err::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?;
        }
    }
    let Some(beside) = interpreter.path.parent() else { return Ok(()) };
    let mut programs: Vec<PathBuf> = Vec::new();
    for entry in fs_err::read_dir(beside)? {
        programs.push(entry?.path());
    }
    programs.sort();
    for program in programs {
        let Some(name) = program.file_name() else { continue };
        let is_python = name.to_string_lossy().starts_with("python");
        let path = bin.join(name);
        if !is_python && is_executable(&program) && fs_err::symlink_metadata(&path).is_err() {
            symlink(&program, &path)?;
        }
    }
    Ok(())
}

/// Why programs were not shared.
pub(super) enum ShareError {
    Interpreter(InterpreterError),
    Io(io::Error),
}

impl From<InterpreterError> for ShareError {
    fn from(error: InterpreterError) -> Self {
        Self::Interpreter(error)
    }
}

impl From<io::Error> for ShareError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// The text of a command that calls a function.
fn command(python: &Path, module: &str, function: &str) -> String {
    let first = first_line(python);
    let outer = function.split('.').next().unwrap_or(function);
    format!("{first}import sys\nfrom {module} import {outer}\nsys.exit({function}())\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_for_a_package_says_its_extras_and_nothing_of_what_it_needs() {
        let folder = tempfile::tempdir().expect("folder");
        let answer = Answer {
            name: "Zope.Interface".to_owned(),
            version: "5.0.0-beta1".to_owned(),
            extras: vec!["docs".to_owned()],
            requires: vec!["sphinx>=7; extra == 'docs'".to_owned()],
            scripts: BTreeMap::new(),
        };
        let brought = answer.read().expect("a package");
        assert_eq!(brought.pinned(), "zope-interface==5.0.0b1");
        let wheel = brought.stub(folder.path()).expect("written");
        assert_eq!(wheel.file_name().and_then(|name| name.to_str()), Some("zope_interface-5.0.0b1-py3-none-any.whl"));
        let mut archive = zip::ZipArchive::new(std::fs::File::open(wheel).expect("there")).expect("a zip");
        let entry = archive.by_name("zope_interface-5.0.0b1.dist-info/METADATA").expect("metadata");
        let said = io::read_to_string(entry).expect("read");
        insta::assert_snapshot!(said, @"
        Metadata-Version: 2.1
        Name: zope-interface
        Version: 5.0.0b1
        Provides-Extra: docs
        Requires-Dist: sphinx>=7; extra == 'docs'
        ");
    }

    #[test]
    fn a_real_python_tells_what_it_has_and_what_is_no_package_is_left_out() {
        let host = Host::current().expect("surroundings");
        let any = super::super::range::PythonRange::any();
        let python = Interpreter::find(&host, &any).expect("a Python");
        let found = brought(&host, &python).expect("asked");
        assert!(found.is_sorted_by(|one, other| one.name < other.name), "{found:?}");
        let odd = Answer {
            name: "x".to_owned(),
            version: "unknown".to_owned(),
            extras: Vec::new(),
            requires: Vec::new(),
            scripts: BTreeMap::new(),
        };
        assert_eq!(odd.read(), None);
    }

    #[test]
    fn a_command_runs_in_the_environment_wherever_that_is() {
        let short = command(Path::new("/e/bin/python"), "flask.cli", "main");
        assert_eq!(short, "#!/e/bin/python\nimport sys\nfrom flask.cli import main\nsys.exit(main())\n");
        let long = command(&Path::new("/long").join("x".repeat(150)), "a", "App.run");
        assert!(
            long.starts_with("#!/bin/sh\n'''exec' '/long/xxx")
                && long.ends_with("from a import App\nsys.exit(App.run())\n")
        );
    }
}
