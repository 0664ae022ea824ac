//! One suite as its archive has it now: the signed `Release`, checked, and its lists of packages, in the cache.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use url::Url;

use super::DebError;
use super::release::Release;
use super::signature::Keyring;
use super::source::{SignedBy, Source};
use crate::archive::open_packed;
use crate::net::{self, Wanted};
use crate::provider::Kit;

/// A signed `Release` may have this many bytes; the largest has some hundred thousand.
const RELEASE_LIMIT: u64 = 16 << 20;
/// A list of packages may have this many bytes when unpacked; the largest has fifty million.
const PACKAGES_LIMIT: u64 = 1 << 30;

/// Where apt has the keys for sources that name none.
const TRUSTED: [&str; 2] = ["etc/apt/trusted.gpg", "etc/apt/trusted.gpg.d"];

/// Where packages put keyrings: those of distributions, and those to which a source of somebody else is confined (`signed-by`).
const KEYRINGS: &str = "usr/share/keyrings";

/// Fetches the lists of packages of a source, one text a component.
///
/// # Errors
/// If the archive cannot be reached, is not to be trusted, is too old, or contradicts itself.
pub fn packages(kit: &Kit<'_>, source: &Source, architecture: &str) -> Result<Vec<String>, DebError> {
    match packages_once(kit, source, architecture) {
        // A mirror in mid-update has a new `Release` and old lists, or the other way round; what was cached of it is by digest,
        // so asking once more for a fresh `Release` is all that may help.
        Err(DebError::Fetch(_)) => packages_once(kit, source, architecture),
        other => other,
    }
}

fn packages_once(kit: &Kit<'_>, source: &Source, architecture: &str) -> Result<Vec<String>, DebError> {
    let release = release(kit, source)?;
    let base = folder(source)?;
    let mut wanted = Vec::new();
    for component in &source.components {
        // A component without packages for this machine is none.
        let Some((name, sha256, size)) = release.packages(component, architecture) else { continue };
        let mut addresses = Vec::new();
        if release.by_hash
            && let Some((place, _)) = name.rsplit_once('/')
        {
            addresses.extend(base.join(&format!("{place}/by-hash/SHA256/{}", sha256.to_hex())));
        }
        addresses.extend(base.join(&name));
        let file = name.replace('/', "_");
        wanted.push(Wanted { name: file, sha256, size: Some(size), addresses });
    }
    if wanted.is_empty() {
        return Err(DebError::NoLists { suite: source.name(), architecture: architecture.to_owned() });
    }
    let paths = kit.client.block_on(net::fetch(kit.client, kit.cache, &wanted, kit.jobs, kit.report, kit.distrust))?;
    paths.iter().map(|path| read(path)).collect()
}

fn read(path: &Path) -> Result<String, DebError> {
    use std::io::Read as _;
    let at = |source| DebError::Io { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    open_packed(path).map_err(at)?.take(PACKAGES_LIMIT).read_to_end(&mut bytes).map_err(at)?;
    Ok(match String::from_utf8(bytes) {
        Ok(text) => text,
        // A maintainer's name in an old encoding; the fields that count are ASCII.
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    })
}

fn folder(source: &Source) -> Result<Url, DebError> {
    let place = format!("dists/{}/", source.suite);
    source.address.join(&place).map_err(|_| DebError::Suite(source.suite.clone()))
}

/// Where the signed `Release` of a source is.
///
/// # Errors
/// If the suite's name is none.
pub fn in_release(source: &Source) -> Result<Url, DebError> {
    folder(source)?.join("InRelease").map_err(|_| DebError::Suite(source.suite.clone()))
}

/// The `Release` of a source, its signature and its time checked.
///
/// # Errors
/// As [`packages`].
pub fn release(kit: &Kit<'_>, source: &Source) -> Result<Release, DebError> {
    let address = in_release(source)?;
    let answer = kit.client.block_on(kit.client.text(&address, "*/*", RELEASE_LIMIT))?;
    if answer.status != 200 {
        return Err(DebError::NoRelease { address: net::show(&address), status: answer.status });
    }
    let now = Timestamp::now();
    let keyring = keyring(&source.signed_by);
    let untrusted = |why: String| DebError::Untrusted { suite: source.name(), address: net::show(&address), why };
    if keyring.is_empty() {
        return Err(untrusted("there are no keys to check it with; install the archive's keyring package".to_owned()));
    }
    let text = String::from_utf8_lossy(&answer.body);
    let text = keyring.check(&text, now).map_err(|error| untrusted(error.to_string()))?;
    let release = Release::read(&text);
    match release.valid_until {
        Some(end) if end < now && !source.any_age => {
            Err(DebError::Stale { suite: source.name(), address: net::show(&address), end })
        }
        _ => Ok(release),
    }
}

fn keyring(signed_by: &SignedBy) -> Keyring {
    match signed_by {
        SignedBy::Key(key) => {
            let mut keyring = Keyring::default();
            keyring.add(key.as_bytes());
            keyring
        }
        SignedBy::Files(files) => of_files(files),
        SignedBy::Machine => of_machine(Path::new("/")),
    }
}

/// The keys for sources that name none: those that apt trusts. A machine on which it trusts none has those of its distribution,
/// whose archive a source without a key then is.
pub(super) fn of_machine(root: &Path) -> Keyring {
    let trusted: Vec<PathBuf> = TRUSTED.iter().flat_map(|place| key_files(&root.join(place))).collect();
    let trusted = of_files(&trusted);
    if !trusted.is_empty() {
        return trusted;
    }
    let file = |name: String| {
        let endings = ["gpg", "pgp", "asc"].into_iter();
        let mut files = endings.map(|ending| root.join(KEYRINGS).join(format!("{name}-archive-keyring.{ending}")));
        files.find(|path| path.is_file())
    };
    of_files(&distributions(root).into_iter().filter_map(file).collect::<Vec<_>>())
}

/// What this machine is and what that is like, with the two that all others come from.
fn distributions(root: &Path) -> BTreeSet<String> {
    let text = std::fs::read_to_string(root.join("etc/os-release")).unwrap_or_default();
    let said = text.lines().filter_map(|line| line.strip_prefix("ID=").or_else(|| line.strip_prefix("ID_LIKE=")));
    let words = said.flat_map(|words| words.trim_matches(['"', '\'']).split_whitespace());
    words.chain(["debian", "ubuntu"]).map(str::to_owned).collect()
}

fn of_files(files: &[PathBuf]) -> Keyring {
    let mut keyring = Keyring::default();
    for file in files {
        // A file that cannot be read has no keys: the signature then is by a stranger, which is told.
        keyring.add(&std::fs::read(file).unwrap_or_default());
    }
    keyring
}

fn key_files(place: &Path) -> Vec<PathBuf> {
    if place.is_file() {
        return vec![place.to_owned()];
    }
    let is_key = |path: &PathBuf| path.extension().is_some_and(|word| word == "gpg" || word == "asc");
    let entries = std::fs::read_dir(place).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path());
    let mut files: Vec<PathBuf> = entries.filter(is_key).collect();
    files.sort();
    files
}
