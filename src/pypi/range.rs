//! [`PythonRange`]: which Python a part wants, as written in a project.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use pep440_rs::{Version, VersionSpecifier, VersionSpecifiers};

/// Why a text says no Python.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` says no Python: write a version (`3.12`), a range (`>=3.9,<3.14`) or the path of an interpreter")]
pub struct PythonRangeError(String);

/// Which Python is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PythonRange {
    written: String,
    wish: Wish,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Wish {
    Path(PathBuf),
    Versions(VersionSpecifiers),
}

impl FromStr for PythonRange {
    type Err = PythonRangeError;

    /// `3`, `3.12`, `3.12.1` (that version and what refines it), a PEP 440 range, or a path (it has a `/`).
    fn from_str(text: &str) -> Result<Self, PythonRangeError> {
        let written = text.trim().to_owned();
        if written.contains('/') {
            let wish = Wish::Path(PathBuf::from(&written));
            return Ok(Self { written, wish });
        }
        let wrong = || PythonRangeError(text.to_owned());
        let plain = written.chars().all(|c| c.is_ascii_digit() || c == '.');
        let parts = written.split('.').count();
        let range = match (plain, parts) {
            (true, 1 | 2) => format!("=={written}.*"),
            (true, _) => format!("=={written}"),
            (false, _) => written.clone(),
        };
        let versions = VersionSpecifiers::from_str(&range).map_err(|_| wrong())?;
        if written.is_empty() {
            return Err(wrong());
        }
        Ok(Self { written, wish: Wish::Versions(versions) })
    }
}

impl PythonRange {
    /// Any Python.
    #[must_use]
    pub fn any() -> Self {
        Self { written: ">=3".to_owned(), wish: Wish::Versions(VersionSpecifiers::empty()) }
    }

    /// Whether a version is wanted; a path takes any.
    #[must_use]
    pub fn takes(&self, version: &str) -> bool {
        match &self.wish {
            Wish::Path(_) => true,
            Wish::Versions(versions) => Version::from_str(version).is_ok_and(|version| versions.contains(&version)),
        }
    }

    /// The interpreter's path, where one was written.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match &self.wish {
            Wish::Path(path) => Some(path),
            Wish::Versions(_) => None,
        }
    }

    /// The range as conda writes it; nothing for a path.
    #[must_use]
    pub fn for_conda(&self) -> Option<String> {
        let Wish::Versions(versions) = &self.wish else { return None };
        let one = |specifier: &VersionSpecifier| {
            let text = specifier.to_string();
            // Conda writes what begins so without a sign.
            text.strip_prefix("==").filter(|rest| rest.ends_with(".*")).map(str::to_owned).unwrap_or(text)
        };
        Some(versions.iter().map(one).collect::<Vec<_>>().join(","))
    }

    /// Whether some version `3.minor.x` may be wanted, so that `python3.minor` is worth running.
    #[must_use]
    pub fn may_take_minor(&self, minor: u32) -> bool {
        // A range that takes none of these would have to name one patch release: then it names the minor as well.
        let Wish::Versions(versions) = &self.wish else { return true };
        (0..=40).any(|patch| Version::from_str(&format!("3.{minor}.{patch}")).is_ok_and(|v| versions.contains(&v)))
    }
}

impl fmt::Display for PythonRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conda_is_asked_in_its_own_words() {
        for (written, conda) in
            [("3.12", "3.12.*"), ("3.12.1", "==3.12.1"), (">=3.9, <3.13", ">=3.9,<3.13"), ("3", "3.*")]
        {
            assert_eq!(written.parse::<PythonRange>().unwrap().for_conda().as_deref(), Some(conda));
        }
        assert_eq!("/usr/bin/python3".parse::<PythonRange>().unwrap().for_conda(), None);
    }

    #[test]
    fn ranges_take_what_they_say() {
        let table = [
            ("3.12", "3.12.7", true),
            ("3.12", "3.1.2", false),
            ("3", "3.9.1", true),
            ("3.12.1", "3.12.1", true),
            ("3.12.1", "3.12.10", false),
            (">=3.9", "3.9.0", true),
            (">=3.9,<3.12", "3.12.0", false),
            ("~=3.10", "3.13.0", true),
            ("/usr/bin/python3", "2.7.1", true),
        ];
        for (range, version, takes) in table {
            assert_eq!(range.parse::<PythonRange>().unwrap().takes(version), takes, "{range} {version}");
        }
        for wrong in ["", "snake", ">=3.9 or so", "3..1"] {
            assert!(wrong.parse::<PythonRange>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn minors_are_tried_only_where_they_may_fit() {
        let range: PythonRange = ">=3.11.4,<3.13".parse().unwrap();
        let minors: Vec<u32> = (8..16).filter(|minor| range.may_take_minor(*minor)).collect();
        assert_eq!(minors, [11, 12]);
    }
}
