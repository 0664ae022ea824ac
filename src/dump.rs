//! Dumps: what parts hold, packed and digested, in a folder of the prefix.
//!
//! ```text
//! <prefix>/dumps/20300203T040506Z/
//!   db.tar.zst        what the part's `dump` command wrote
//!   manifest.json     what belongs to what, with digests; written last
//! ```
//! A dump is made beside and appears by one rename, so that one that is there is whole. Each file is checked by its digest, and the
//! manifest by its own seal, before anything is loaded.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::archive::{ArchiveError, Limits, unpack};
use crate::digest::Digest;
use crate::fs::{private_folder, remove_tree, sync_filesystem, write_atomic};
use crate::name::PartName;

/// The format number of what this module writes.
pub const FORMAT: u32 = 1;

/// How names of folders begin in which dumps are made or unpacked.
const SCRATCH: &str = ".tmp-dump-";

/// What is known of a dump.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: u32,
    /// When it was made (RFC 3339, UTC).
    pub created: String,
    /// Why: `dump`, `before load`, `before update` …
    pub why: String,
    /// The project.
    pub project: String,
    /// The profile.
    pub profile: String,
    /// The generation whose commands wrote it.
    pub generation: u32,
    /// The parts in it.
    pub parts: BTreeMap<PartName, PartDump>,
}

/// One part's share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartDump {
    /// The part's recipe.
    pub recipe: String,
    /// The format of its data.
    pub version: Option<String>,
    /// Its file's size.
    pub bytes: u64,
    /// The size of what is packed in it.
    pub unpacked: u64,
    /// Its file's digest.
    pub digest: Digest,
    /// Whether it was restored once into a scratch place.
    pub proven: bool,
}

/// A dump on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Dump {
    /// The folder's name.
    pub name: String,
    /// The folder.
    pub path: PathBuf,
    /// What is known of it.
    #[serde(flatten)]
    pub manifest: Manifest,
}

/// Why a dump cannot be made or used.
#[derive(Debug, thiserror::Error)]
pub enum DumpError {
    /// A file cannot be used.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is not what it was when it was made.
    #[error("the dump {path} is damaged: {reason}")]
    Damaged {
        /// The dump.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A newer program made it.
    #[error("the dump {path} has format {found}, this program reads up to {FORMAT}; use the jove-install that made it")]
    Newer {
        /// The dump.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
    /// It cannot be unpacked.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
}

/// A manifest with the digest of its own words.
#[derive(Serialize, Deserialize)]
struct Sealed {
    seal: Digest,
    dump: Manifest,
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> DumpError {
    let path = path.to_owned();
    move |source| DumpError::File { path, source }
}

/// A folder in which something is made or unpacked; it goes with this value.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// A new empty folder beside the dumps.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn new(dumps: &Path) -> Result<Self, DumpError> {
        private_folder(dumps).map_err(at(dumps))?;
        let folder = tempfile::Builder::new().prefix(SCRATCH).tempdir_in(dumps).map_err(at(dumps))?;
        Ok(Self { path: folder.keep() })
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next run.
        let _ = remove_tree(&self.path);
    }
}

/// Removes what killed runs left.
///
/// # Errors
/// What removing fails with.
pub fn sweep(dumps: &Path) -> Result<(), DumpError> {
    for entry in std::fs::read_dir(dumps).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(SCRATCH) {
            remove_tree(&entry.path()).map_err(at(&entry.path()))?;
        }
    }
    Ok(())
}

/// Packs a folder into a file: its size, that of what is in it, and its digest.
///
/// # Errors
/// What reading or writing fails with.
pub fn pack(folder: &Path, file: &Path) -> Result<(u64, u64, Digest), DumpError> {
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file).map_err(at(file))?;
    let packed = pack_into(folder, made).map_err(at(file))?;
    let digest = Digest::of_file(file).map_err(at(file))?;
    let bytes = file.metadata().map_err(at(file))?.len();
    Ok((bytes, packed, digest))
}

fn pack_into(folder: &Path, file: File) -> io::Result<u64> {
    let encoder = zstd::Encoder::new(file, 6)?;
    let mut builder = tar::Builder::new(encoder);
    builder.follow_symlinks(false);
    let mut packed = 0;
    for entry in walkdir::WalkDir::new(folder).min_depth(1).sort_by_file_name() {
        let entry = entry?;
        let name = entry.path().strip_prefix(folder).map_err(io::Error::other)?;
        let kind = entry.file_type();
        // Sockets and pipes are no data.
        if kind.is_file() || kind.is_dir() || kind.is_symlink() {
            packed += if kind.is_file() { entry.metadata()?.len() } else { 0 };
            builder.append_path_with_name(entry.path(), name)?;
        }
    }
    let mut file = builder.into_inner()?.finish()?;
    file.flush()?;
    file.sync_all()?;
    Ok(packed)
}

/// Writes the manifest of what is packed in `scratch`, and gives the folder its name, which is free.
///
/// # Errors
/// What writing fails with: then there is no dump.
pub fn seal(dumps: &Path, scratch: Scratch, manifest: Manifest) -> Result<Dump, DumpError> {
    let stem: String = manifest.created.chars().filter(|c| c.is_ascii_alphanumeric()).collect();
    let mut name = stem.clone();
    let mut number = 1;
    while dumps.join(&name).exists() {
        number += 1;
        name = format!("{stem}-{number}");
    }
    let sealed = Sealed { seal: Digest::of_json(&manifest), dump: manifest.clone() };
    let text = serde_json::to_vec_pretty(&sealed).map_err(io::Error::other).map_err(at(scratch.path()))?;
    let file = scratch.path().join("manifest.json");
    write_atomic(&file, &text, 0o600).map_err(at(&file))?;
    sync_filesystem(scratch.path()).map_err(at(scratch.path()))?;
    let path = dumps.join(&name);
    crate::checkpoint::pass("dump-before-rename");
    std::fs::rename(scratch.path(), &path).map_err(at(&path))?;
    crate::checkpoint::pass("dump-after-rename");
    Ok(Dump { name, path, manifest })
}

/// What is in a folder of dumps.
#[derive(Debug, Default)]
pub struct Shelf {
    /// The dumps that can be read, oldest first.
    pub whole: Vec<Dump>,
    /// What cannot be read, by name, with the reason.
    pub damaged: Vec<(String, DumpError)>,
}

/// Looks through a folder of dumps.
#[must_use]
pub fn shelf(dumps: &Path) -> Shelf {
    let mut found = Shelf::default();
    for entry in std::fs::read_dir(dumps).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        // One that is being made or dropped, or was when whoever did it died, is none.
        if name.starts_with(SCRATCH) {
            continue;
        }
        match read(&entry.path()) {
            Ok(dump) => found.whole.push(dump),
            Err(error) => found.damaged.push((name, error)),
        }
    }
    found.whole.sort_by(|one, other| (&one.manifest.created, &one.name).cmp(&(&other.manifest.created, &other.name)));
    found.damaged.sort_by(|(one, _), (other, _)| one.cmp(other));
    found
}

/// All dumps of a folder that can be read, oldest first.
#[must_use]
pub fn list(dumps: &Path) -> Vec<Dump> {
    shelf(dumps).whole
}

/// Reads a dump's manifest.
///
/// # Errors
/// If it is not there, damaged, or newer.
pub fn read(path: &Path) -> Result<Dump, DumpError> {
    let file = path.join("manifest.json");
    let bytes = std::fs::read(&file).map_err(at(&file))?;
    let damaged = |reason: String| DumpError::Damaged { path: path.to_owned(), reason };
    let value: serde_json::Value =
        serde_json::from_slice(&bytes).map_err(|error| damaged(format!("its manifest: {error}")))?;
    let format = value["dump"]["format"].as_u64().and_then(|format| u32::try_from(format).ok()).unwrap_or(0);
    if format > FORMAT {
        return Err(DumpError::Newer { path: path.to_owned(), found: format });
    }
    let sealed: Sealed = serde_json::from_value(value).map_err(|error| damaged(format!("its manifest: {error}")))?;
    if Digest::of_json(&sealed.dump) != sealed.seal {
        return Err(damaged("its manifest was altered".into()));
    }
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(Dump { name, path: path.to_owned(), manifest: sealed.dump })
}

impl Dump {
    /// The file of a part.
    #[must_use]
    pub fn file(&self, part: &PartName) -> PathBuf {
        self.path.join(format!("{part}.tar.zst"))
    }

    /// Checks a part's file.
    ///
    /// # Errors
    /// If it is missing, truncated or altered.
    pub fn check(&self, part: &PartName) -> Result<(), DumpError> {
        let Some(known) = self.manifest.parts.get(part) else { return Ok(()) };
        let file = self.file(part);
        let damaged = |reason: String| DumpError::Damaged { path: self.path.clone(), reason };
        let size = file.metadata().map_err(|error| damaged(format!("{}: {error}", file.display())))?.len();
        if size != known.bytes {
            return Err(damaged(format!("{part}.tar.zst has {size} bytes and had {}", known.bytes)));
        }
        if Digest::of_file(&file).map_err(at(&file))? != known.digest {
            return Err(damaged(format!("{part}.tar.zst was altered")));
        }
        Ok(())
    }

    /// Unpacks a part's file, which was checked, into a folder.
    ///
    /// # Errors
    /// If it cannot be unpacked.
    pub fn unpack(&self, part: &PartName, to: &Path) -> Result<(), DumpError> {
        let most = self.manifest.parts.get(part).map_or(0, |known| known.unpacked);
        unpack_file(&self.file(part), to, most)
    }

    /// Whether every part of it was restored once.
    #[must_use]
    pub fn is_proven(&self) -> bool {
        self.manifest.parts.values().all(|part| part.proven)
    }
}

/// Unpacks what [`pack`] made, which has so many bytes in it.
///
/// # Errors
/// If it cannot be unpacked.
pub fn unpack_file(file: &Path, to: &Path, bytes: u64) -> Result<(), DumpError> {
    // It is as we wrote it, however well it was packed; each file has a head of some blocks besides.
    let limits = Limits { max_bytes: bytes.saturating_add(1 << 40), max_entries: 1 << 40, max_ratio: 1 << 20 };
    unpack(file, to, limits, 0)?;
    Ok(())
}

/// Drops a dump. It is none from the first moment on; what a killed run leaves of it goes with the next one.
///
/// # Errors
/// What removing fails with.
pub fn drop_one(dumps: &Path, dump: &Dump) -> Result<(), DumpError> {
    let going = dumps.join(format!("{SCRATCH}{}", dump.name));
    std::fs::rename(&dump.path, &going).map_err(at(&dump.path))?;
    remove_tree(&going).map_err(at(&going))
}

/// Which dumps go so that `keep` are left: the oldest, but never the last proven one of a part.
#[must_use]
pub fn surplus(dumps: &[Dump], keep: usize) -> Vec<Dump> {
    let (old, _) = dumps.split_at(dumps.len().saturating_sub(keep));
    let holds_the_last_proof = |index: usize| {
        dumps[index].manifest.parts.iter().filter(|(_, part)| part.proven).any(|(name, _)| {
            !dumps[index + 1..].iter().any(|later| later.manifest.parts.get(name).is_some_and(|part| part.proven))
        })
    };
    let going = old.iter().enumerate().filter(|(index, _)| !holds_the_last_proof(*index));
    going.map(|(_, dump)| dump.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part() -> PartName {
        "db".parse().expect("a name")
    }

    fn manifest(created: &str, share: PartDump) -> Manifest {
        Manifest {
            format: FORMAT,
            created: created.into(),
            why: "dump".into(),
            project: "shop".into(),
            profile: "production".into(),
            generation: 3,
            parts: [(part(), share)].into(),
        }
    }

    fn made(dumps: &Path) -> Dump {
        let data = Scratch::new(dumps).expect("scratch");
        std::fs::create_dir(data.path().join("sub")).expect("folder");
        std::fs::write(data.path().join("sub/a"), "words ".repeat(1000)).expect("file");
        std::os::unix::fs::symlink("sub/a", data.path().join("link")).expect("link");
        let scratch = Scratch::new(dumps).expect("scratch");
        let (bytes, unpacked, digest) = pack(data.path(), &scratch.path().join("db.tar.zst")).expect("packed");
        assert!(bytes < 1000 && unpacked == 6000, "{bytes} {unpacked}");
        let share =
            PartDump { recipe: "postgresql".into(), version: Some("1".into()), bytes, unpacked, digest, proven: true };
        seal(dumps, scratch, manifest("2030-02-03T04:05:06Z", share)).expect("sealed")
    }

    #[test]
    fn what_is_packed_is_unpacked_again() {
        let folder = tempfile::tempdir().expect("folder");
        let dump = made(folder.path());
        assert_eq!(dump.name, "20300203T040506Z");
        assert_eq!(made(folder.path()).name, "20300203T040506Z-2");
        let read = read(&dump.path).expect("read");
        assert_eq!(read, dump);
        read.check(&part()).expect("whole");
        let to = Scratch::new(folder.path()).expect("scratch");
        read.unpack(&part(), to.path()).expect("unpacked");
        assert_eq!(std::fs::read_to_string(to.path().join("link")).expect("file").len(), 6000);
        drop(to);
        assert_eq!(list(folder.path()).len(), 2);
        assert_eq!(std::fs::read_dir(folder.path()).expect("listed").count(), 2);
    }

    #[test]
    fn what_was_cut_or_altered_is_refused() {
        let folder = tempfile::tempdir().expect("folder");
        let dump = made(folder.path());
        let file = dump.file(&part());
        let bytes = std::fs::read(&file).expect("bytes");
        let refused = |bytes: &[u8]| {
            std::fs::write(&file, bytes).expect("written");
            dump.check(&part()).expect_err("refused").to_string()
        };
        assert!(refused(&bytes[..bytes.len() - 1]).contains("bytes and had"));
        let mut altered = bytes.clone();
        altered[bytes.len() / 2] ^= 1;
        assert!(refused(&altered).contains("was altered"));
        let manifest = dump.path.join("manifest.json");
        let text = std::fs::read_to_string(&manifest).expect("text");
        std::fs::write(&manifest, text.replace("\"proven\": true", "\"proven\": false")).expect("written");
        assert!(read(&dump.path).expect_err("altered").to_string().contains("its manifest was altered"));
        std::fs::write(&manifest, text.replace("\"format\": 1", "\"format\": 2")).expect("written");
        assert!(read(&dump.path).expect_err("newer").to_string().contains("has format 2"));
        std::fs::write(&manifest, "{").expect("written");
        assert!(read(&dump.path).expect_err("torn").to_string().contains("is damaged"));
    }

    #[test]
    fn the_last_proven_one_is_never_dropped() {
        let dump = |name: &str, proven: bool| {
            let digest = Digest::of("");
            let share = PartDump { recipe: "r".into(), version: None, bytes: 0, unpacked: 0, digest, proven };
            Dump { name: name.into(), path: name.into(), manifest: manifest(name, share) }
        };
        let names =
            |dumps: &[Dump], keep| surplus(dumps, keep).iter().map(|dump| dump.name.clone()).collect::<Vec<_>>();
        let dumps = [dump("1", true), dump("2", true), dump("3", false), dump("4", false)];
        assert_eq!(names(&dumps, 4), [""; 0]);
        assert_eq!(names(&dumps, 2), ["1"]);
        assert_eq!(names(&dumps, 1), ["1", "3"]);
        assert_eq!(names(&[], 1), [""; 0]);
    }
}
