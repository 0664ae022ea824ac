//! `host`: programs that are on this machine already, each with a range of versions.
//!
//! Nothing is fetched. The lock says only the range; path, version and digest are host facts: they are in the state and in the
//! key, so that a plan says when the machine's program changed. The folder holds links in `bin/`, and is impure.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use pep440_rs::{Version, VersionSpecifiers};

use super::{Kit, Pinned, ProvideError, Provider, Realised};
use crate::digest::Digest;
use crate::host::{Host, is_executable};
use crate::process::{ProcessError, Run, clean_vars};

/// Raised when the same program would be linked in another way.
const VERSION: u32 = 1;

/// How a program is asked for its version, in this order.
const QUESTIONS: [&str; 4] = ["--version", "-V", "-v", "version"];

/// How long a program may think about its version.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where servers are besides `PATH`: those of a plain user do not name them.
const FOLDERS: [&str; 4] = ["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/local/bin"];

/// `nginx >=1.18`: a program by name or absolute path, and the versions that do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    program: String,
    range: String,
    versions: VersionSpecifiers,
}

impl FromStr for Wish {
    type Err = HostError;

    fn from_str(text: &str) -> Result<Self, HostError> {
        let (program, range) = text.trim().split_once(char::is_whitespace).unwrap_or((text.trim(), ""));
        let wrong = || HostError::Wish(text.to_owned());
        let versions = VersionSpecifiers::from_str(range.trim()).map_err(|_| wrong())?;
        let is_name = !program.is_empty() && (program.starts_with('/') || !program.contains('/'));
        if !is_name || matches!(program, "." | "..") {
            return Err(wrong());
        }
        Ok(Self { program: program.to_owned(), range: range.trim().to_owned(), versions })
    }
}

impl fmt::Display for Wish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(format!("{} {}", self.program, self.range).trim_end())
    }
}

/// Programs of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPrograms {
    /// What is wanted.
    pub programs: Vec<Wish>,
}

/// Why this machine's programs do not do.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// Not readable as a program and a range.
    #[error("`{0}` names no program of this machine: write a name and a range of versions (`nginx >=1.18`)")]
    Wish(String),
    /// There is none that fits.
    #[error("this machine has no `{wanted}`{}\ninstall it, or take another provider", looked_at(.seen))]
    Missing {
        /// What is wanted.
        wanted: String,
        /// What was looked at, and why not.
        seen: Vec<String>,
    },
    /// It cannot be read or linked.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The user ended the run.
    #[error("interrupted")]
    Interrupted,
}

fn looked_at(seen: &[String]) -> String {
    seen.iter().fold(String::new(), |text, one| format!("{text}\n    {one}"))
}

/// A program that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Found {
    path: PathBuf,
    version: Option<Version>,
}

/// The first version in what a program says.
fn version_in(text: &str) -> Option<Version> {
    let words = text.split(|c: char| !(c.is_ascii_digit() || c == '.'));
    let mut words = words.map(|word| word.trim_matches('.')).filter(|word| word.contains('.'));
    words.find_map(|word| Version::from_str(word).ok())
}

/// Asks a program for its version; `None` if it does not say one.
fn ask(host: &Host, path: &Path) -> Result<Option<Version>, HostError> {
    for question in QUESTIONS {
        match Run::new(path, clean_vars(host)).arg(question).limit(PATIENCE).capture().go() {
            Ok(done) => {
                let said = format!("{}\n{}", String::from_utf8_lossy(&done.stdout), done.last.join("\n"));
                if let Some(version) = version_in(&said) {
                    return Ok(Some(version));
                }
            }
            Err(ProcessError::Interrupted) => return Err(HostError::Interrupted),
            // The next question may be the one that it knows.
            Err(_) => {}
        }
    }
    Ok(None)
}

impl Wish {
    fn candidates(&self, host: &Host) -> Vec<PathBuf> {
        if self.program.starts_with('/') {
            return vec![PathBuf::from(&self.program)];
        }
        let folders = host.path().into_iter().chain(FOLDERS.map(PathBuf::from));
        let mut found: Vec<PathBuf> = Vec::new();
        for path in folders.filter(|folder| folder.is_absolute()).map(|folder| folder.join(&self.program)) {
            if is_executable(&path) && !found.contains(&path) {
                found.push(path);
            }
        }
        found
    }

    fn find(&self, host: &Host) -> Result<Found, HostError> {
        let mut seen = Vec::new();
        for path in self.candidates(host) {
            if !is_executable(&path) {
                continue;
            }
            if self.versions.is_empty() {
                return Ok(Found { path, version: None });
            }
            match ask(host, &path)? {
                Some(version) if self.versions.contains(&version) => {
                    return Ok(Found { path, version: Some(version) });
                }
                Some(version) => seen.push(format!("{} is {version}", path.display())),
                None => seen.push(format!("{} does not say its version", path.display())),
            }
        }
        Err(HostError::Missing { wanted: self.to_string(), seen })
    }

    /// The name of its link.
    fn name(&self) -> &str {
        self.program.rsplit('/').next().unwrap_or(&self.program)
    }
}

fn at(path: &Path) -> impl FnOnce(std::io::Error) -> HostError {
    let path = path.to_owned();
    |source| HostError::Io { path, source }
}

impl HostPrograms {
    /// Where each program is: files whose change makes another folder.
    ///
    /// # Errors
    /// If one is missing.
    pub fn paths(&self, host: &Host) -> Result<Vec<PathBuf>, HostError> {
        self.programs.iter().map(|wish| Ok(wish.find(host)?.path)).collect()
    }
}

impl Provider for HostPrograms {
    fn name(&self) -> &'static str {
        "host"
    }

    fn version(&self) -> String {
        VERSION.to_string()
    }

    fn inputs(&self) -> BTreeMap<String, Vec<String>> {
        [("host".to_owned(), self.programs.iter().map(ToString::to_string).collect())].into()
    }

    fn reachable(&self, kit: &Kit<'_>) -> Result<String, ProvideError> {
        let paths = self.paths(kit.host)?;
        Ok(paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", "))
    }

    fn resolve(&self, kit: &Kit<'_>, _before: &[Pinned]) -> Result<Vec<Pinned>, ProvideError> {
        self.paths(kit.host)?;
        let pin = |wish: &Wish| Pinned {
            name: wish.name().to_owned(),
            version: if wish.range.is_empty() { "any".to_owned() } else { wish.range.clone() },
            place: None,
            trust: "this machine".to_owned(),
            files: Vec::new(),
        };
        Ok(self.programs.iter().map(pin).collect())
    }

    fn host_facts(&self, kit: &Kit<'_>) -> Result<BTreeMap<String, String>, ProvideError> {
        let mut facts = BTreeMap::new();
        for wish in &self.programs {
            let found = wish.find(kit.host)?;
            let digest = Digest::of_file(&found.path).map_err(at(&found.path))?.short();
            let version = found.version.map_or(String::new(), |version| format!(" {version}"));
            facts.insert(wish.name().to_owned(), format!("{}{version} ({digest})", found.path.display()));
        }
        Ok(facts)
    }

    fn fetch(&self, _kit: &Kit<'_>, _pins: &[Pinned]) -> Result<(), ProvideError> {
        Ok(())
    }

    fn realise(&self, kit: &Kit<'_>, _pins: &[Pinned], folder: &Path) -> Result<Realised, ProvideError> {
        let programs = folder.join("bin");
        std::fs::create_dir_all(&programs).map_err(at(&programs))?;
        let mut realised = Realised::default();
        for wish in &self.programs {
            let found = wish.find(kit.host)?;
            let link = programs.join(wish.name());
            std::os::unix::fs::symlink(&found.path, &link).map_err(at(&link))?;
            let version = found.version.map_or(String::new(), |version| format!(" {version}"));
            realised.impure.insert(format!("uses {}{version} of this machine", found.path.display()));
        }
        Ok(realised)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn host(folder: &Path) -> Host {
        Host {
            vars: [("PATH".to_owned(), format!("{}:/usr/bin:/bin", folder.display()))].into(),
            folder: folder.to_owned(),
            user: 0,
            name: "here".into(),
            program: "/bin/true".into(),
        }
    }

    fn program(folder: &Path, name: &str, script: &str) -> PathBuf {
        let path = folder.join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("written");
        std::fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("mode");
        path
    }

    #[test]
    fn the_first_version_said_counts() {
        for (said, version) in [
            ("nginx version: nginx/1.22.1", Some("1.22.1")),
            ("git version 2.47.3", Some("2.47.3")),
            ("Redis server v=7.0.15 sha=00000000:0", Some("7.0.15")),
            ("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)", Some("15.18")),
            ("no word of it", None),
        ] {
            assert_eq!(version_in(said).map(|version| version.to_string()).as_deref(), version, "{said}");
        }
    }

    #[test]
    fn a_program_that_answers_only_one_question_is_found_by_its_range() {
        let folder = tempfile::tempdir().expect("folder");
        let path =
            program(folder.path(), "server", r#"[ "$1" = -v ] && echo "server version: 1.22.1" >&2 && exit 0; exit 1"#);
        let wish: Wish = "server >=1.18,<2".parse().expect("a wish");
        assert_eq!(wish.find(&host(folder.path())).expect("found").path, path);
        let wish: Wish = "server >=2".parse().expect("a wish");
        let error = wish.find(&host(folder.path())).expect_err("too old").to_string();
        assert!(error.starts_with("this machine has no `server >=2`") && error.contains("is 1.22.1"), "{error}");
    }

    #[test]
    fn what_names_no_program_is_refused() {
        for text in ["", "a/b", "..", "nginx newest", "nginx >="] {
            assert!(text.parse::<Wish>().is_err(), "{text}");
        }
    }
}
