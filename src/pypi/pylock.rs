//! What uv writes (PEP 751, `pylock.toml`) to [`Pinned`]s, and back as far as uv needs it to keep versions. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::pin::{PackageName, Pinned, PinnedFile};
use super::simple::decode;
use crate::digest::Sha256;

/// Why uv's answer is not understood.
#[derive(Debug, thiserror::Error)]
pub enum PylockError {
    /// No TOML of that form.
    #[error("uv's answer is not understood: {0}")]
    Form(#[from] toml::de::Error),
    /// A package has no files.
    #[error("uv chose `{0}` without saying any file of it")]
    NoFile(String),
    /// A file has no digest.
    #[error("the package index gives no sha256 digest for {0}, so it cannot be locked")]
    NoDigest(String),
    /// A name is none.
    #[error(transparent)]
    Name(#[from] super::pin::PackageNameError),
}

#[derive(Deserialize)]
struct Pylock {
    #[serde(default)]
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: Option<String>,
    marker: Option<String>,
    #[serde(default)]
    wheels: Vec<File>,
    sdist: Option<File>,
    directory: Option<toml::Table>,
}

#[derive(Deserialize)]
struct File {
    name: Option<String>,
    url: Option<String>,
    path: Option<String>,
    size: Option<u64>,
    #[serde(default)]
    hashes: BTreeMap<String, String>,
}

impl File {
    fn pinned(self) -> Result<PinnedFile, PylockError> {
        let place = self.url.or(self.path).unwrap_or_default();
        let last = place.split(['?', '#']).next().unwrap_or_default().rsplit('/').next().unwrap_or_default();
        let file = self.name.unwrap_or_else(|| decode(last));
        let sha256: Option<Sha256> = self.hashes.get("sha256").and_then(|hex| hex.parse().ok());
        let sha256 = sha256.ok_or_else(|| PylockError::NoDigest(file.clone()))?;
        Ok(PinnedFile { file, sha256, size: self.size })
    }
}

/// The pins of uv's answer, sorted. Folders (editable sources) are no pins, and neither is what is `brought` already.
///
/// # Errors
/// If something cannot be pinned.
pub fn read(text: &str, brought: &BTreeSet<&PackageName>) -> Result<Vec<Pinned>, PylockError> {
    let pylock: Pylock = toml::from_str(text)?;
    let mut pins = Vec::new();
    for package in pylock.packages {
        if package.directory.is_some() {
            continue;
        }
        let name: PackageName = package.name.parse()?;
        if brought.contains(&name) {
            continue;
        }
        // Without a wheel there is a source archive, which uv only gives where a build was allowed.
        let files = if package.wheels.is_empty() { package.sdist.into_iter().collect() } else { package.wheels };
        let mut files = files.into_iter().map(File::pinned).collect::<Result<Vec<_>, _>>()?;
        files.sort();
        let version =
            package.version.filter(|_| !files.is_empty()).ok_or_else(|| PylockError::NoFile(name.to_string()))?;
        pins.push(Pinned { name, version, files, marker: package.marker });
    }
    pins.sort();
    Ok(pins)
}

/// What uv reads to keep versions: names and versions, nothing else.
#[must_use]
pub fn preferences<'a>(pins: impl IntoIterator<Item = &'a Pinned>) -> String {
    let mut text = "lock-version = \"1.0\"\ncreated-by = \"jove-install\"\n".to_owned();
    for pin in pins {
        let version = toml::Value::String(pin.version.clone());
        text.push_str(&format!("\n[[packages]]\nname = \"{}\"\nversion = {version}\n", pin.name));
    }
    text
}

/// Pins as a lock file that every installer of PEP 751 reads, for one minor version of Python. It names files and digests, never a
/// host: whoever reads it has the files beside it (`pip download`, a mirror, a cache), or asks an index for those names.
#[must_use]
pub fn write<'a>(pins: impl IntoIterator<Item = &'a Pinned>, python: (u32, u32)) -> String {
    let (major, minor) = python;
    let mut text =
        format!("lock-version = \"1.0\"\nrequires-python = \"=={major}.{minor}.*\"\ncreated-by = \"jove-install\"\n");
    let quoted = |word: &str| toml::Value::String(word.to_owned()).to_string();
    let file = |file: &PinnedFile| {
        let size = file.size.map_or(String::new(), |size| format!(", size = {size}"));
        let name = quoted(&file.file);
        format!("{{ name = {name}, path = {name}{size}, hashes = {{ sha256 = \"{}\" }} }}", file.sha256)
    };
    for pin in pins {
        text.push_str(&format!("\n[[packages]]\nname = \"{}\"\nversion = {}\n", pin.name, quoted(&pin.version)));
        if let Some(marker) = &pin.marker {
            text.push_str(&format!("marker = {}\n", quoted(marker)));
        }
        let (sources, wheels): (Vec<&PinnedFile>, Vec<&PinnedFile>) =
            pin.files.iter().partition(|file| file.is_source());
        if let Some(source) = sources.first() {
            text.push_str(&format!("sdist = {}\n", file(source)));
        }
        if !wheels.is_empty() {
            text.push_str("wheels = [\n");
            wheels.iter().for_each(|wheel| text.push_str(&format!("    {},\n", file(wheel))));
            text.push_str("]\n");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_become_pins() {
        let sha = "ab".repeat(32);
        let text = format!(
            r#"
lock-version = "1.0"
created-by = "uv"
requires-python = ">=3.11"

[[packages]]
name = "Demo_B"
version = "1.0+cu1"
wheels = [
    {{ url = "https://x.example/demo_b-1.0%2Bcu1-py3-none-any.whl", upload-time = 2026-03-19T14:22:23Z, size = 3, hashes = {{ sha256 = "{sha}" }} }},
    {{ path = "wheels/demo_b-1.0%2Bcu1-cp311-cp311-linux_x86_64.whl", hashes = {{ sha256 = "{sha}" }} }},
]

[[packages]]
name = "a"
version = "2"
sdist = {{ name = "a-2.tar.gz", url = "https://x.example/z", hashes = {{ sha256 = "{sha}" }} }}

[[packages]]
name = "mine"
directory = {{ path = ".", editable = true }}
"#
        );
        let pins = read(&text, &BTreeSet::new()).unwrap();
        let lines: Vec<String> = pins
            .iter()
            .map(|pin| {
                format!(
                    "{} {} {:?}",
                    pin.name,
                    pin.version,
                    pin.files.iter().map(|file| &file.file).collect::<Vec<_>>()
                )
            })
            .collect();
        insta::assert_snapshot!(lines.join("\n"), @r#"
        a 2 ["a-2.tar.gz"]
        demo-b 1.0+cu1 ["demo_b-1.0+cu1-cp311-cp311-linux_x86_64.whl", "demo_b-1.0+cu1-py3-none-any.whl"]
        "#);
        assert!(pins[0].is_built() && !pins[1].is_built());
        assert!(read(&text.replace("sha256", "md5"), &BTreeSet::new()).is_err());
        let brought: PackageName = "demo-b".parse().unwrap();
        assert_eq!(read(&text, &BTreeSet::from([&brought])).unwrap(), pins[..1]);
        assert!(read(&preferences(&pins), &BTreeSet::new()).is_err(), "preferences say no files");
        let written = write(&pins, (3, 11));
        assert_eq!(read(&written, &BTreeSet::new()).unwrap(), pins, "what goes out comes back");
        insta::assert_snapshot!(write(&pins[..1], (3, 11)).replace(&sha, "[SHA]"), @r#"
        lock-version = "1.0"
        requires-python = "==3.11.*"
        created-by = "jove-install"

        [[packages]]
        name = "a"
        version = "2"
        sdist = { name = "a-2.tar.gz", path = "a-2.tar.gz", hashes = { sha256 = "[SHA]" } }
        "#);
        assert!(preferences(&pins).contains("version = \"1.0+cu1\""));
    }
}
