//! Making the environment: packages that the cache has unpacked, each file of them proved, are checked together, then put into
//! place: files in which nothing names the environment are copied, the others written again.
//!
//! Nothing of the cache is linked: every file of the object was written for it alone, so that what a user does to it is done to
//! nothing else. No script of a package is run.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rattler::install::{ExternalSymlinkPolicy, InstallError, InstallOptions, PythonInfo, link_package_sync};
use rattler_conda_types::package::{DistArchiveIdentifier, PathType, PathsEntry as PackedEntry, PathsJson};
use rattler_conda_types::prefix::Prefix;
use rattler_conda_types::prefix_record::PathsEntry;
use rattler_conda_types::{PackageRecord, PrefixRecord, RepoDataRecord, Subdir};
use rayon::prelude::*;
use serde::Deserialize;
use url::Url;

use super::package::{PackageError, Unpacked, take};
use super::placing::{Clobber, Placed, Placement, PlacingError, Replaced, place};
use crate::checkpoint;
use crate::fs::tree::copy_files;
use crate::provider::kept::Kept;
use crate::provider::{Pinned, PinnedFile};

/// So many files of a package are linked one after another.
const AT_ONCE: usize = 16;

/// Why an environment could not be made.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// A package is not usable.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// They do not go together.
    #[error(transparent)]
    Placing(#[from] PlacingError),
    /// A package could not be linked.
    #[error("the package `{package}` could not be installed: {why}")]
    Link {
        /// The package's file.
        package: String,
        /// Why.
        why: String,
    },
    /// Something that should be there is not.
    #[error("the environment is not what the lock says: {0}")]
    Differs(String),
    /// The object's path is no text, which it would be in every file that names it.
    #[error("`{}` is no UTF-8, so that no package can name it", .0.display())]
    Name(PathBuf),
    /// Files cannot be written.
    #[error("`{}` cannot be written: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// A package that goes into an environment.
pub struct Member<'a> {
    /// What the lock says of it.
    pub pin: &'a Pinned,
    /// Its file.
    pub file: &'a PinnedFile,
}

/// Fills an empty folder, at its final path, with packages. What one package has in place of another's is the answer.
///
/// # Errors
/// If a package is damaged or refused, or two do not go together; before anything is linked.
pub fn link(
    kept: Kept<'_>,
    members: &[Member<'_>],
    subdir: Subdir,
    object: &Path,
    clobber: Clobber,
) -> Result<Vec<Replaced>, LinkError> {
    let prefix_text = object.to_str().ok_or_else(|| LinkError::Name(object.to_owned()))?;
    let unpacked = members
        .par_iter()
        .map(|member| {
            let unpacked = take(kept, member.file)?;
            is_pinned(&unpacked, member.pin)?;
            Ok(unpacked)
        })
        .collect::<Result<Vec<Unpacked>, PackageError>>()?;
    let python = python(&unpacked, subdir)?;
    let Placement { placed, replaced } = place(&unpacked, python.as_ref(), prefix_text, clobber)?;
    checkpoint::pass("conda-before-link");
    let prefix = Prefix::create(object).map_err(at(object))?;
    // It is no cache: whoever clears caches must leave it alone.
    let tag = object.join("CACHEDIR.TAG");
    if !placed.iter().any(|placed| placed.places.iter().any(|path| path == Path::new("CACHEDIR.TAG"))) {
        fs::remove_file(&tag).map_err(at(&tag))?;
    }
    let together: Vec<(&Member<'_>, &Unpacked, &Placed)> = members
        .iter()
        .zip(&unpacked)
        .zip(&placed)
        .map(|((member, unpacked), placed)| (member, unpacked, placed))
        .collect();
    together.par_iter().try_for_each(|(member, unpacked, placed)| {
        let (plain, other) = parted(unpacked, placed);
        let mut entries = link_all(unpacked, &other, &prefix, python.as_ref(), subdir)?;
        entries.extend(copy_all(unpacked, plain, object)?);
        entries.sort_by(|one, other| one.relative_path.cmp(&other.relative_path));
        remember(member.pin, unpacked, entries, object)
    })?;
    checkpoint::pass("conda-after-link");
    let due = together.iter().map(|(member, unpacked, placed)| Due {
        pin: member.pin,
        file: &unpacked.file,
        places: &placed.places,
    });
    prove(&due.collect::<Vec<_>>(), object)?;
    Ok(replaced)
}

/// The package must be the one that the lock names, whatever its file is called.
fn is_pinned(unpacked: &Unpacked, pin: &Pinned) -> Result<(), PackageError> {
    let index = &unpacked.index;
    if index.name.as_normalized() == pin.name && index.version.to_string() == pin.version {
        return Ok(());
    }
    let found = format!("{} {}", index.name.as_normalized(), index.version);
    Err(PackageError::Other { file: unpacked.file.clone(), found })
}

/// What noarch packages must know of the environment's Python.
fn python(unpacked: &[Unpacked], subdir: Subdir) -> Result<Option<PythonInfo>, LinkError> {
    let Some(package) = unpacked.iter().find(|package| package.index.name.as_normalized() == "python") else {
        return Ok(None);
    };
    let (index, wrong) = (&package.index, |why: String| LinkError::Link { package: package.file.clone(), why });
    let site = index.python_site_packages_path.as_deref();
    PythonInfo::from_version(index.version.version(), site, subdir).map(Some).map_err(|error| wrong(error.to_string()))
}

/// The files that can go into place as they are, and all else: nothing in them names the environment, their places are those that
/// they have in the package, and what is remembered of them is known.
fn parted(unpacked: &Unpacked, placed: &Placed) -> (Vec<PackedEntry>, Vec<PackedEntry>) {
    let is_plain = |entry: &PackedEntry| {
        entry.path_type == PathType::HardLink
            && entry.prefix_placeholder.is_none()
            && entry.sha256.is_some()
            && entry.size_in_bytes.is_some()
            && !unpacked.index.noarch.is_python()
    };
    placed.entries.iter().cloned().partition(is_plain)
}

/// Copies files into place, and says of them what linking them would say.
fn copy_all(unpacked: &Unpacked, plain: Vec<PackedEntry>, object: &Path) -> Result<Vec<PathsEntry>, LinkError> {
    let folders: BTreeSet<&Path> = plain.iter().filter_map(|entry| entry.relative_path.parent()).collect();
    for folder in folders {
        let folder = object.join(folder);
        fs::create_dir_all(&folder).map_err(at(&folder))?;
    }
    copy_files(unpacked.taken.files(), object, plain.iter().map(|entry| entry.relative_path.as_path()))
        .map_err(at(object))?;
    let copied = plain.into_iter().map(|entry| PathsEntry {
        relative_path: entry.relative_path,
        original_path: None,
        path_type: entry.path_type.into(),
        no_link: entry.no_link,
        sha256: entry.sha256,
        sha256_in_prefix: None,
        size_in_bytes: entry.size_in_bytes,
        file_mode: None,
        prefix_placeholder: None,
    });
    Ok(copied.collect())
}

/// Links all other files, several at once: in one call rattler does those of a hundred folders one after another, and most of a
/// large program's are in one.
fn link_all(
    unpacked: &Unpacked,
    entries: &[PackedEntry],
    prefix: &Prefix,
    python: Option<&PythonInfo>,
    subdir: Subdir,
) -> Result<Vec<PathsEntry>, LinkError> {
    if unpacked.index.noarch.is_python() {
        // Each call makes the commands of such a package, too.
        return link_one(unpacked, entries.to_vec(), prefix, python, subdir);
    }
    let linked = entries.par_chunks(AT_ONCE).map(|some| link_one(unpacked, some.to_vec(), prefix, python, subdir));
    Ok(linked.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

fn link_one(
    unpacked: &Unpacked,
    entries: Vec<PackedEntry>,
    prefix: &Prefix,
    python: Option<&PythonInfo>,
    subdir: Subdir,
) -> Result<Vec<PathsEntry>, LinkError> {
    let options = InstallOptions {
        paths_json: Some(PathsJson { paths: entries, paths_version: unpacked.paths.paths_version }),
        index_json: Some(unpacked.index.clone()),
        allow_symbolic_links: Some(true),
        allow_hard_links: Some(false),
        allow_ref_links: Some(false),
        platform: Some(subdir),
        python_info: python.cloned(),
        external_symlink_policy: ExternalSymlinkPolicy::Deny,
        ..InstallOptions::default()
    };
    // Nothing clashes any more, so that nobody has to keep a registry of it.
    let (entries, _) = link_package_sync(unpacked.taken.files(), prefix, Arc::default(), options)
        .map_err(|error| LinkError::Link { package: unpacked.file.clone(), why: told(&error) })?;
    Ok(entries)
}

fn told(error: &InstallError) -> String {
    let mut why = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        why = format!("{why}: {next}");
        cause = next.source();
    }
    why
}

/// Writes down what was installed, as every conda client reads it; without a host, so that all mirrors give the same bytes.
fn remember(pin: &Pinned, unpacked: &Unpacked, entries: Vec<PathsEntry>, object: &Path) -> Result<(), LinkError> {
    let wrong = |why: String| LinkError::Link { package: unpacked.file.clone(), why };
    let (channel, subdir) = pin.place.as_deref().and_then(|place| place.split_once(' ')).unwrap_or_default();
    let file = pin.files.first().ok_or_else(|| wrong("the lock names no file of it".to_owned()))?;
    let digest = rattler_digest::Sha256Hash::from(*file.sha256.as_bytes());
    let package_record = PackageRecord::from_index_json(unpacked.index.clone(), file.size, Some(digest), None)
        .map_err(|error| wrong(error.to_string()))?;
    let identifier: DistArchiveIdentifier =
        file.file.parse().map_err(|_| wrong(format!("`{}` is no name of a package", file.file)))?;
    let url =
        Url::parse(&format!("conda://{channel}/{subdir}/{}", file.file)).map_err(|error| wrong(error.to_string()))?;
    let record = RepoDataRecord { package_record, identifier, url, channel: Some(channel.to_owned()) };
    let record = PrefixRecord::from_repodata_record(record, entries);
    let path = object.join("conda-meta").join(record.file_name());
    let text = serde_json::to_vec_pretty(&record).map_err(|error| wrong(error.to_string()))?;
    fs::write(&path, text).map_err(at(&path))
}

/// What an environment must have of one package.
pub(super) struct Due<'a> {
    /// What the lock says of it.
    pub(super) pin: &'a Pinned,
    /// Its file's name.
    pub(super) file: &'a str,
    /// The places of its files, relative to the environment.
    pub(super) places: &'a [PathBuf],
}

/// What is asked of a record.
#[derive(Deserialize)]
struct Record {
    name: String,
    version: String,
}

/// Compares what is there with what should be: every file of every package, and a record of each pin and of nothing else.
pub(super) fn prove(due: &[Due<'_>], object: &Path) -> Result<(), LinkError> {
    for Due { file, places, .. } in due {
        for path in *places {
            if fs::symlink_metadata(object.join(path)).is_err() {
                return Err(LinkError::Differs(format!("`{}` of `{file}` is missing", path.display())));
            }
        }
    }
    let mut said: Vec<String> = due.iter().map(|due| format!("{} {}", due.pin.name, due.pin.version)).collect();
    let mut found = recorded(object)?;
    said.sort();
    found.sort();
    if said == found {
        return Ok(());
    }
    let only = |these: &[String], others: &[String]| {
        let mut rest = others.to_vec();
        // One that is recorded twice counts twice.
        let is_known = |one: &&String| rest.iter().position(|other| other == *one).map(|at| rest.remove(at)).is_none();
        let left: Vec<&str> = these.iter().filter(is_known).map(String::as_str).collect();
        if left.is_empty() { "nothing".to_owned() } else { left.join(", ") }
    };
    let (lacks, has) = (only(&said, &found), only(&found, &said));
    Err(LinkError::Differs(format!("of its packages it lacks {lacks}, and has {has} besides")))
}

/// The packages that an environment's records name, each with its version.
fn recorded(object: &Path) -> Result<Vec<String>, LinkError> {
    let meta = object.join("conda-meta");
    let entries = fs::read_dir(&meta).and_then(Iterator::collect::<io::Result<Vec<_>>>).map_err(at(&meta))?;
    let paths: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
    let records = paths.par_iter().filter(|path| path.extension().is_some_and(|suffix| suffix == "json"));
    let read = |path: &PathBuf| {
        let text = fs::read(path).map_err(at(path))?;
        let Record { name, version } = serde_json::from_slice(&text)
            .map_err(|error| LinkError::Differs(format!("`{}` is no record: {error}", path.display())))?;
        Ok(format!("{name} {version}"))
    };
    records.map(read).collect()
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> LinkError + use<> {
    let path = path.to_owned();
    |source| LinkError::Io { path, source }
}
