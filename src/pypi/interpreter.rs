//! [`Interpreter`]: a Python of this machine, found by version, and what must be known about it.
//!
//! Each candidate is run once, isolated, with a script that prints JSON (`probe.py`). Shims (pyenv, asdf) and virtual
//! environments are resolved to the interpreter behind them, so that an environment made from it does not change its
//! meaning when a shim's setting does. What was found is a host fact: it is recorded in `state.toml`, never in a lock.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::range::PythonRange;
use crate::digest::Digest;
use crate::host::{Host, is_executable};
use crate::process::{ProcessError, Run, clean_vars};

const PROBE: &str = include_str!("probe.py");

/// The newest minor version that is looked for by its own name.
const NEWEST_MINOR: u32 = 20;

/// A Python of this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interpreter {
    /// The real file, behind links, shims and virtual environments.
    pub path: PathBuf,
    /// Its installation's folder (`sys.base_prefix`).
    pub prefix: PathBuf,
    /// `3.12.1`.
    pub version: String,
    /// `cpython`, `pypy` …
    pub implementation: String,
    /// The ABI word of its own wheels: `cp312`, `cp313t` …
    pub abi: String,
    /// The middle of the names of its bytecode files: `cpython-312`.
    pub cache_tag: String,
    /// `linux`, `darwin` …
    pub system: String,
    /// `x86_64`, `aarch64` …
    pub machine: String,
    /// `glibc 2.36`, `musl 1.2.4`; the system's version on macOS.
    pub libc: String,
    /// Where an environment keeps its packages, relative to it: `lib/python3.12/site-packages`.
    pub purelib: PathBuf,
    /// Whether pip can be imported.
    pub has_pip: bool,
    /// Whether venv can be imported.
    pub has_venv: bool,
    /// Whether ensurepip can be imported.
    pub has_ensurepip: bool,
    /// The digest of the real file.
    pub digest: Digest,
    /// Size, time and inode of the real file, to see without reading that it is the same one.
    pub stamp: String,
}

/// What the script prints.
#[derive(Debug, Deserialize)]
struct Answer {
    path: PathBuf,
    prefix: PathBuf,
    version: String,
    implementation: String,
    abi: String,
    cache_tag: String,
    system: String,
    machine: String,
    libc: String,
    purelib: PathBuf,
    has_pip: bool,
    has_venv: bool,
    has_ensurepip: bool,
}

/// An interpreter that was looked at and does not do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Where.
    pub path: PathBuf,
    /// Why not.
    pub why: String,
}

/// Why there is no interpreter.
#[derive(Debug, thiserror::Error)]
pub enum InterpreterError {
    /// None fits.
    #[error(
        "no Python {wanted} was found on this machine{}\n{}widen the option `python`, or give it the path of an interpreter",
        list(seen),
        install(hint.as_deref())
    )]
    None {
        /// What is wanted.
        wanted: String,
        /// A version to install; nothing if none that is known fits.
        hint: Option<String>,
        /// What was looked at.
        seen: Vec<Seen>,
    },
    /// A file is no Python.
    #[error("{} is no usable Python: {why}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The user ended the run.
    #[error("interrupted")]
    Interrupted,
}

fn list(seen: &[Seen]) -> String {
    if seen.is_empty() {
        return "; there is none at all".to_owned();
    }
    // In one line: where a provider is chosen, only the first one is told.
    let each: Vec<String> = seen.iter().map(|seen| format!("{}: {}", seen.path.display(), seen.why)).collect();
    format!("; these were looked at: {}", each.join("; "))
}

fn install(version: Option<&str>) -> String {
    let Some(version) = version else { return String::new() };
    format!("install one (for a user: `uv python install {version}` or pyenv), put it on PATH, ")
}

impl Interpreter {
    /// Finds one: a path as written; else the first on `PATH` that fits (`python3`, `python`, then `python3.N`, newest
    /// first); else the newest of those that pyenv, uv, asdf and mise keep in the user's home.
    ///
    /// # Errors
    /// [`InterpreterError::None`] with everything that was looked at and why it does not do.
    pub fn find(host: &Host, wanted: &PythonRange) -> Result<Self, InterpreterError> {
        if let Some(path) = wanted.path() {
            return Self::ask(host, &host.folder.join(path));
        }
        let mut seen = Vec::new();
        let mut asked = BTreeSet::new();
        for candidate in candidates(host, wanted) {
            let real = fs_err::canonicalize(&candidate).unwrap_or_else(|_| candidate.clone());
            // Shims are one file under many names, so that only a name that was seen at the same file is skipped.
            if !asked.insert((real, candidate.file_name().map(ToOwned::to_owned))) {
                continue;
            }
            match Self::ask(host, &candidate) {
                Ok(found) if found.version.starts_with("2.") => {
                    seen.push(Seen {
                        path: candidate,
                        why: format!("is {}; Python 2 is not supported", found.version),
                    });
                }
                Ok(found) if wanted.takes(&found.version) => return Ok(found),
                Ok(found) => seen.push(Seen { path: candidate, why: format!("is {}", found.version) }),
                Err(InterpreterError::Interrupted) => return Err(InterpreterError::Interrupted),
                Err(InterpreterError::Unusable { why, .. }) => seen.push(Seen { path: candidate, why }),
                Err(InterpreterError::None { .. }) => {}
            }
        }
        // One that most packages have wheels for, else the oldest that is newer.
        let known = (0..=13).rev().chain(14..=NEWEST_MINOR).find(|minor| wanted.may_take_minor(*minor));
        let hint = known.map(|minor| format!("3.{minor}"));
        Err(InterpreterError::None { wanted: wanted.to_string(), hint, seen })
    }

    /// Every Python 3 on `PATH` and among those that version managers keep, in the order of [`find`](Self::find).
    ///
    /// # Errors
    /// If the user ends the run.
    pub fn all(host: &Host) -> Result<Vec<Self>, InterpreterError> {
        let any: PythonRange = PythonRange::any();
        let mut all: Vec<Self> = Vec::new();
        for candidate in candidates(host, &any) {
            match Self::ask(host, &candidate) {
                Ok(found) if !found.version.starts_with("2.") && !all.contains(&found) => all.push(found),
                Ok(_) | Err(InterpreterError::Unusable { .. } | InterpreterError::None { .. }) => {}
                Err(InterpreterError::Interrupted) => return Err(InterpreterError::Interrupted),
            }
        }
        Ok(all)
    }

    /// Asks one interpreter about itself.
    ///
    /// # Errors
    /// If it does not run or does not answer.
    pub fn ask(host: &Host, path: &Path) -> Result<Self, InterpreterError> {
        let unusable = |why: String| InterpreterError::Unusable { path: path.to_owned(), why };
        // `-I` is unknown to Python 2; the vars are clean anyway. What `-S` leaves out the script does where it is needed.
        let run = Run::new(path, clean_vars(host)).args(["-E", "-s", "-S", "-"]).input(PROBE);
        let done = run.limit(Duration::from_secs(30)).capture().go().map_err(|error| match error {
            ProcessError::Interrupted => InterpreterError::Interrupted,
            ProcessError::Failed { how, last, .. } => unusable(
                last.last().map_or_else(|| format!("failed ({how})"), |line| format!("failed: {}", line.trim())),
            ),
            ProcessError::TimedOut { .. } => unusable("does not answer within 30 s".to_owned()),
            ProcessError::Start { source, .. } | ProcessError::Log { source, .. } => unusable(source.to_string()),
        })?;
        let answer: Answer = serde_json::from_slice(&done.stdout)
            .map_err(|error| unusable(format!("its answer is not understood: {error}")))?;
        Self::from_answer(answer).map_err(|error| unusable(error.to_string()))
    }

    fn from_answer(answer: Answer) -> std::io::Result<Self> {
        Ok(Self {
            digest: Digest::of_file(&answer.path)?,
            stamp: stamp(&answer.path)?,
            path: answer.path,
            prefix: answer.prefix,
            version: answer.version,
            implementation: answer.implementation,
            abi: answer.abi,
            cache_tag: answer.cache_tag,
            system: answer.system,
            machine: answer.machine,
            libc: answer.libc,
            purelib: answer.purelib,
            has_pip: answer.has_pip,
            has_venv: answer.has_venv,
            has_ensurepip: answer.has_ensurepip,
        })
    }

    /// Whether the file is still the one that was looked at, by one stat.
    #[must_use]
    pub fn still_there(&self) -> bool {
        stamp(&self.path).is_ok_and(|stamp| stamp == self.stamp)
    }

    /// It, where a copy of the folder that it is in lies: what it says of itself is the same, but for the place.
    #[must_use]
    pub fn moved(&self, from: &Path, to: &Path) -> Self {
        let place = |path: &Path| path.strip_prefix(from).map_or_else(|_| path.to_owned(), |below| to.join(below));
        Self { path: place(&self.path), prefix: place(&self.prefix), ..self.clone() }
    }

    /// Major and minor version.
    #[must_use]
    pub fn minor(&self) -> (u32, u32) {
        let mut numbers = self.version.split('.').map(|word| word.parse().unwrap_or(0));
        (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
    }
}

fn stamp(path: &Path) -> std::io::Result<String> {
    let meta = fs_err::metadata(path)?;
    Ok(format!("{}-{}.{:09}-{}", meta.len(), meta.mtime(), meta.mtime_nsec(), meta.ino()))
}

/// Files that may be the wanted interpreter, in the order in which they are asked.
fn candidates(host: &Host, wanted: &PythonRange) -> Vec<PathBuf> {
    let minors: Vec<u32> = (0..=NEWEST_MINOR).rev().filter(|minor| wanted.may_take_minor(*minor)).collect();
    let on_path = |name: &str| -> Vec<PathBuf> {
        host.path().iter().map(|folder| folder.join(name)).filter(|path| is_executable(path)).collect()
    };
    let mut found = on_path("python3");
    found.extend(on_path("python"));
    found.extend(minors.iter().flat_map(|minor| on_path(&format!("python3.{minor}"))));
    let mut kept: Vec<(Vec<u32>, PathBuf)> = Vec::new();
    for folder in kept_folders(host) {
        let Ok(entries) = fs_err::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            let program = entry.path().join("bin/python3");
            let version = version_in(&entry.file_name().to_string_lossy());
            let may_fit = version.len() < 2 || version[0] != 3 || minors.contains(&version[1]);
            if may_fit && is_executable(&program) {
                kept.push((version, program));
            }
        }
    }
    kept.sort_by(|one, other| other.cmp(one));
    found.extend(kept.into_iter().map(|(_, program)| program));
    found
}

/// Where version managers keep interpreters, one folder each.
fn kept_folders(host: &Host) -> Vec<PathBuf> {
    let var = |name: &str, rest: &str| host.var(name).map(|folder| Path::new(folder).join(rest));
    let mut folders =
        vec![var("PYENV_ROOT", "versions"), var("UV_PYTHON_INSTALL_DIR", ""), var("ASDF_DATA_DIR", "installs/python")];
    if let Ok(home) = host.home() {
        for below in
            [".pyenv/versions", ".local/share/uv/python", ".asdf/installs/python", ".local/share/mise/installs/python"]
        {
            folders.push(Some(home.join(below)));
        }
    }
    let mut seen = BTreeSet::new();
    folders.into_iter().flatten().filter(|folder| seen.insert(folder.clone())).collect()
}

/// The numbers of a folder's name: `3.12.1`, `cpython-3.12.1-linux-…`.
fn version_in(name: &str) -> Vec<u32> {
    let word = name.split('-').find(|word| word.starts_with(|c: char| c.is_ascii_digit())).unwrap_or_default();
    word.split('.').map_while(|number| number.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn host(path: &Path, home: &Path) -> Host {
        let real = Host::current().unwrap();
        Host {
            vars: BTreeMap::from([
                ("PATH".to_owned(), format!("{}:/usr/bin:/bin", path.display())),
                ("HOME".to_owned(), home.display().to_string()),
            ]),
            ..real
        }
    }

    fn script(path: &Path, body: &str) {
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, format!("#!/bin/sh\n{body}\n")).unwrap();
        fs_err::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// A shell script that answers like a Python of that version.
    fn pretend(path: &Path, version: &str) {
        script(
            path,
            &format!(
                r#"cat > /dev/null; echo '{{"path":"{0}","prefix":"/","version":"{version}","implementation":"cpython","abi":"cp311","cache_tag":"cpython-311","system":"linux","machine":"x86_64","libc":"glibc 2.36","purelib":"lib/python3.11/site-packages","has_pip":false,"has_venv":true,"has_ensurepip":false}}'"#,
                path.display()
            ),
        );
    }

    #[test]
    fn the_real_one_answers() {
        let host = Host::current().unwrap();
        let found = Interpreter::find(&host, &">=3.8".parse().unwrap()).unwrap();
        assert!(found.path.is_absolute() && !found.path.is_symlink() && found.still_there(), "{found:?}");
        assert!(found.purelib.ends_with("site-packages") && found.cache_tag.starts_with(&found.implementation));
        let text = toml::to_string(&found).unwrap();
        assert_eq!(toml::from_str::<Interpreter>(&text).unwrap(), found);
        let by_path: PythonRange = found.path.display().to_string().parse().unwrap();
        assert_eq!(Interpreter::find(&host, &by_path).unwrap(), found);
    }

    #[test]
    fn the_first_on_path_wins_then_the_newest_kept() {
        let folder = tempfile::tempdir().unwrap();
        let (bin, home) = (folder.path().join("bin"), folder.path().join("home"));
        pretend(&bin.join("python3"), "3.41.7");
        for version in ["3.41.9", "3.41.10", "2.7.18"] {
            pretend(&home.join(".pyenv/versions").join(version).join("bin/python3"), version);
        }
        script(&home.join(".pyenv/versions/3.41.11/bin/python3"), "echo broken >&2; exit 127");
        let host = host(&bin, &home);
        let find = |range: &str| Interpreter::find(&host, &range.parse().unwrap()).map(|found| found.version);
        assert_eq!(find("==3.41.*").unwrap(), "3.41.7");
        let error = find("==3.41.10").unwrap_err().to_string();
        // Minors above the newest known are not looked for, and what was looked at is named.
        assert!(error.contains("bin/python3: is 3.41.7") && error.contains("no Python ==3.41.10"), "{error}");
        assert!(!error.contains("uv python install"), "{error}");
        let error = find(">=3.16,<3.19").unwrap_err().to_string();
        assert!(error.contains("`uv python install 3.16`"), "{error}");
        let (first, rest) = error.split_once('\n').unwrap();
        assert!(first.contains("bin/python3: is 3.41.7; /") && !rest.contains('\n'), "{error}");
    }

    #[test]
    fn the_newest_kept_serves_where_path_has_none() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("home");
        for version in ["3.19.9", "3.19.10"] {
            pretend(&home.join(".pyenv/versions").join(version).join("bin/python3"), version);
        }
        script(&home.join(".pyenv/versions/3.19.11/bin/python3"), "echo broken >&2; exit 127");
        let host = host(&folder.path().join("bin"), &home);
        let found = Interpreter::find(&host, &"3.19".parse().unwrap()).unwrap();
        assert_eq!(found.version, "3.19.10");
        let stale = Interpreter { stamp: "0".to_owned(), ..found };
        assert!(!stale.still_there());
    }
}
