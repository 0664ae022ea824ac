//! [`Pinned`]: one package at one version, with the files that it may be installed from. Names content, never a host.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::digest::Sha256;

/// A package's name in its one normal form (`charset-normalizer`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PackageName(String);

/// A word that is no package name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no package name: it takes letters, digits, `-`, `_` and `.`, and starts and ends with a letter or digit"
)]
pub struct PackageNameError(String);

impl PackageName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PackageName {
    type Err = PackageNameError;

    fn from_str(text: &str) -> Result<Self, PackageNameError> {
        let plain = |c: char| c.is_ascii_alphanumeric();
        let good = text.starts_with(plain)
            && text.ends_with(plain)
            && text.chars().all(|c| plain(c) || matches!(c, '-' | '_' | '.'));
        if !good {
            return Err(PackageNameError(text.to_owned()));
        }
        let words = text.split(['-', '_', '.']).filter(|word| !word.is_empty()).map(str::to_ascii_lowercase);
        Ok(Self(words.collect::<Vec<_>>().join("-")))
    }
}

impl TryFrom<String> for PackageName {
    type Error = PackageNameError;

    fn try_from(text: String) -> Result<Self, PackageNameError> {
        text.parse()
    }
}

impl From<PackageName> for String {
    fn from(name: PackageName) -> String {
        name.0
    }
}

impl fmt::Display for PackageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// One file of a release.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinnedFile {
    /// Its name: a wheel, or a source archive where [`Pinned::built`].
    pub file: String,
    /// The index's digest of it.
    pub sha256: Sha256,
    /// Its bytes, where the index says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
}

impl PinnedFile {
    /// Whether it is a source archive, to be built on this machine.
    #[must_use]
    pub fn is_source(&self) -> bool {
        !has_suffix(&self.file, ".whl")
    }
}

/// Whether a file's name ends so.
pub(super) fn has_suffix(file: &str, suffix: &str) -> bool {
    file.len() >= suffix.len() && file.as_bytes()[file.len() - suffix.len()..].eq_ignore_ascii_case(suffix.as_bytes())
}

/// One package at one version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pinned {
    /// The package.
    pub name: PackageName,
    /// The version.
    pub version: String,
    /// Its files, sorted by name: the wheels of every machine that a team is likely to have, or one source archive.
    pub files: Vec<PinnedFile>,
    /// When it is needed at all (a PEP 508 marker).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub marker: Option<String>,
}

impl Pinned {
    /// Whether it is built from source on this machine.
    #[must_use]
    pub fn is_built(&self) -> bool {
        self.files.iter().all(PinnedFile::is_source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_one_form() {
        for (written, name) in [("PyWPS", "pywps"), ("charset_normalizer", "charset-normalizer"), ("a.-_b", "a-b")] {
            assert_eq!(written.parse::<PackageName>().unwrap().as_str(), name);
        }
        for wrong in ["", "-a", "a b", "a/b", "a==1", "ä"] {
            assert!(wrong.parse::<PackageName>().is_err(), "{wrong}");
        }
    }
}
