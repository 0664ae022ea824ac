//! Trees of files: digesting, sealing, copying, removing.
//!
//! Nothing here follows a link below the root it is given.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs::{File, Metadata, Permissions};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;
use rustix::fs::{Mode, OFlags};
use serde::{Deserialize, Serialize};

use super::known::Known;
use super::walk::{Found, NOTHING, Skip, at, walk};
use crate::digest::Digest;

/// Files below this are hashed on one core, since there are others to hash beside them.
const LARGE: u64 = 8 << 20;
/// How much of other files is read at a time: no more than a core's own cache holds.
const SMALL: usize = 256 << 10;

thread_local! {
    /// Each core's buffer: zeroing one for each file costs as much as hashing it.
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// One thing in a tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Relative to the root.
    pub path: PathBuf,
    /// What it is.
    pub kind: EntryKind,
}

/// What a thing in a tree is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum EntryKind {
    /// A file.
    File {
        /// Of its content.
        digest: Digest,
        /// Whether its owner may execute it.
        executable: bool,
        /// Bytes.
        size: u64,
    },
    /// A folder.
    Folder,
    /// A link.
    Link {
        /// Where it points to, as written in it.
        target: PathBuf,
    },
}

/// Everything below `root`, sorted by path, files hashed on all cores.
///
/// # Errors
/// What cannot be read, or is neither file, folder nor link, by name.
pub fn digest_tree(root: &Path) -> io::Result<Vec<Entry>> {
    digest_tree_of(root, NOTHING)
}

/// [`digest_tree`], leaving out what `skip` names (as [`copy_tree`] does).
///
/// # Errors
/// As for [`digest_tree`].
pub fn digest_tree_of(root: &Path, skip: Skip) -> io::Result<Vec<Entry>> {
    entries(walk(root, skip)?, |found| entry(root, found, &Known::default()))
}

/// [`make_read_only`] and [`digest_tree`] in one pass, which reads no file whose digest is known.
///
/// # Errors
/// As for [`digest_tree`], and what changing a mode fails with.
pub fn seal_tree(root: &Path, known: &Known) -> io::Result<Vec<Entry>> {
    let sealed = entries(walk(root, NOTHING)?, |found| {
        close(&root.join(&found.path), &found.metadata)?;
        entry(root, found, known)
    });
    set_mode(root, 0o555)?;
    sealed
}

/// Takes away all rights to write: files get 0444 or 0555, folders 0555, `root` too.
///
/// # Errors
/// What cannot be read or changed, by name.
pub fn make_read_only(root: &Path) -> io::Result<()> {
    for found in walk(root, NOTHING)? {
        close(&root.join(&found.path), &found.metadata)?;
    }
    set_mode(root, 0o555)
}

/// The mode that a sealed thing has.
#[must_use]
pub fn sealed_mode(kind: &EntryKind) -> Option<u32> {
    match kind {
        EntryKind::File { executable: false, .. } => Some(0o444),
        EntryKind::File { executable: true, .. } | EntryKind::Folder => Some(0o555),
        EntryKind::Link { .. } => None,
    }
}

/// What these things are. A file that has several of these names is read once.
fn entries(found: Vec<Found>, entry: impl Fn(Found) -> io::Result<Entry> + Sync) -> io::Result<Vec<Entry>> {
    let mut firsts: HashMap<(u64, u64), usize> = HashMap::new();
    let mut twins: Vec<Option<usize>> = Vec::with_capacity(found.len());
    for (place, Found { metadata, .. }) in found.iter().enumerate() {
        let is_shared = metadata.is_file() && metadata.nlink() > 1;
        let first = is_shared.then(|| *firsts.entry((metadata.dev(), metadata.ino())).or_insert(place));
        twins.push(first.filter(|first| *first != place));
    }
    let made = found.into_par_iter().zip(&twins).map(|(found, twin)| match twin {
        None => entry(found),
        // Its kind is that of the first, which is known when all are.
        Some(_) => Ok(Entry { path: found.path, kind: EntryKind::Folder }),
    });
    let mut made = made.collect::<io::Result<Vec<Entry>>>()?;
    for (place, first) in twins.iter().enumerate().filter_map(|(place, first)| Some((place, (*first)?))) {
        made[place].kind = made[first].kind.clone();
    }
    Ok(made)
}

fn entry(root: &Path, found: Found, known: &Known) -> io::Result<Entry> {
    let path = root.join(&found.path);
    let file_type = found.metadata.file_type();
    let kind = if file_type.is_file() {
        let (digest, size) = match known.digest(&path, &found.metadata) {
            Some(digest) => (digest, found.metadata.len()),
            None => digest_file(&path)?,
        };
        EntryKind::File { digest, executable: is_executable(&found.metadata), size }
    } else if file_type.is_dir() {
        EntryKind::Folder
    } else if file_type.is_symlink() {
        EntryKind::Link { target: std::fs::read_link(&path).map_err(at(&path))? }
    } else {
        return Err(strange(&path));
    };
    Ok(Entry { path: found.path, kind })
}

fn is_executable(metadata: &Metadata) -> bool {
    metadata.mode() & 0o100 != 0
}

fn strange(path: &Path) -> io::Error {
    let text = format!("{}: neither a file, a folder nor a link; remove it and run again", path.display());
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

fn close(path: &Path, metadata: &Metadata) -> io::Result<()> {
    let file_type = metadata.file_type();
    let mode = if file_type.is_dir() || (file_type.is_file() && is_executable(metadata)) {
        0o555
    } else if file_type.is_file() {
        0o444
    } else {
        return Ok(());
    };
    if metadata.mode() & 0o7777 == mode { Ok(()) } else { set_mode(path, mode) }
}

fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    std::fs::set_permissions(path, Permissions::from_mode(mode)).map_err(at(path))
}

/// The digest and size of a file that is no link. Read rather than mapped: a file that shrinks meanwhile must not kill us.
///
/// # Errors
/// What opening or reading fails with, by name; also if it is a link.
pub fn digest_file(path: &Path) -> io::Result<(Digest, u64)> {
    let no_follow = i32::try_from((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits()).unwrap_or_default();
    let mut file = File::options().read(true).custom_flags(no_follow).open(path).map_err(at(path))?;
    let size = file.metadata().map_err(at(path))?.len();
    let hashed = if size >= LARGE {
        hash(&mut file, &mut vec![0; 4 << 20], |hasher, bytes| hasher.update_rayon(bytes))
    } else {
        // Nothing in here waits for other work, which could want the same buffer.
        BUFFER.with_borrow_mut(|buffer| {
            buffer.resize(SMALL, 0);
            hash(&mut file, buffer, |hasher, bytes| hasher.update(bytes))
        })
    };
    hashed.map_err(at(path))
}

fn hash(
    file: &mut File,
    buffer: &mut [u8],
    update: impl for<'a> Fn(&'a mut blake3::Hasher, &[u8]) -> &'a mut blake3::Hasher,
) -> io::Result<(Digest, u64)> {
    let mut hasher = blake3::Hasher::new();
    let mut total = 0;
    loop {
        let count = fill(file, buffer)?;
        total += count as u64;
        update(&mut hasher, &buffer[..count]);
        if count < buffer.len() {
            return Ok((Digest::from_bytes(*hasher.finalize().as_bytes()), total));
        }
    }
}

fn fill(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Copies what is in `from` into the folder `to`, which is made if need be: contents, links as they are, and whether a file
/// may be executed; nothing else. What `skip` names stays behind, and so do sockets, and `to` itself if it lies in `from`.
/// Where the file system can share blocks, no byte is moved.
///
/// # Errors
/// What cannot be read or written, by name; a device or FIFO.
pub fn copy_tree(from: &Path, to: &Path, skip: Skip) -> io::Result<()> {
    let inside = to.strip_prefix(from).ok().map(Path::to_owned);
    let leave = |path: &Path, is_folder: bool| inside.as_deref() == Some(path) || skip(path, is_folder);
    let found = walk(from, &leave)?;
    std::fs::create_dir_all(to).map_err(at(to))?;
    for folder in found.iter().filter(|found| found.metadata.is_dir()) {
        let path = to.join(&folder.path);
        match std::fs::create_dir(&path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(at(&path)(error)),
            _ => set_mode(&path, 0o755)?,
        }
    }
    let shares = AtomicBool::new(true);
    found.par_iter().filter(|found| !found.metadata.is_dir()).try_for_each(|found| copy_one(from, to, found, &shares))
}

fn copy_one(from: &Path, to: &Path, found: &Found, shares: &AtomicBool) -> io::Result<()> {
    let (source, target) = (from.join(&found.path), to.join(&found.path));
    let file_type = found.metadata.file_type();
    if file_type.is_symlink() {
        let link = std::fs::read_link(&source).map_err(at(&source))?;
        symlink(link, &target).map_err(at(&target))
    } else if file_type.is_file() {
        copy_file(&source, &target, is_executable(&found.metadata), shares).map(drop)
    } else if file_type.is_socket() {
        Ok(())
    } else {
        Err(strange(&source))
    }
}

/// Copies files of a tree, by their paths below it, under another one, whose folders are there: content, time, and whether a
/// file may be executed. Those of several names stay one file. Where the file system can share blocks, no byte is moved.
///
/// # Errors
/// What cannot be read or written, by name.
pub fn copy_files<'a>(from: &Path, to: &Path, paths: impl Iterator<Item = &'a Path>) -> io::Result<()> {
    let mut firsts: HashMap<(u64, u64), &Path> = HashMap::new();
    let (mut files, mut names) = (Vec::new(), Vec::new());
    for path in paths {
        let source = from.join(path);
        let metadata = source.symlink_metadata().map_err(at(&source))?;
        let first =
            if metadata.nlink() > 1 { *firsts.entry((metadata.dev(), metadata.ino())).or_insert(path) } else { path };
        if first == path { files.push((path, metadata)) } else { names.push((first, path)) }
    }
    let shares = AtomicBool::new(true);
    files.par_iter().try_for_each(|(path, metadata)| {
        let target = to.join(path);
        let copy = copy_file(&from.join(path), &target, is_executable(metadata), &shares)?;
        metadata.modified().and_then(|time| copy.set_modified(time)).map_err(at(&target))
    })?;
    let link = |(first, path): &(&Path, &Path)| std::fs::hard_link(to.join(first), to.join(path)).map_err(at(path));
    names.iter().try_for_each(link)
}

fn copy_file(source: &Path, target: &Path, executable: bool, shares: &AtomicBool) -> io::Result<File> {
    let mut input = File::open(source).map_err(at(source))?;
    let mut output = File::options().write(true).create_new(true).open(target).map_err(at(target))?;
    let shared = shares.load(Ordering::Relaxed) && rustix::fs::ioctl_ficlone(&output, &input).is_ok();
    if !shared {
        shares.store(false, Ordering::Relaxed);
        io::copy(&mut input, &mut output).map_err(at(target))?;
    }
    let mode = if executable { 0o755 } else { 0o644 };
    output.set_permissions(Permissions::from_mode(mode)).map_err(at(target))?;
    Ok(output)
}

/// Removes a tree, a file or a link (not what it points to); also a sealed tree, and one that something else is removing
/// too. Absent is fine.
///
/// # Errors
/// What cannot be removed, by name.
pub fn remove_tree(path: &Path) -> io::Result<()> {
    let mut is_closed = false;
    // More than twice only if others make or remove things in it meanwhile.
    for _ in 0..8 {
        let removed = match std::fs::symlink_metadata(path) {
            Ok(metadata) if metadata.is_dir() => std::fs::remove_dir_all(path),
            Ok(_) => std::fs::remove_file(path),
            Err(error) => Err(error),
        };
        match removed.map_err(|error| (error.kind(), error)) {
            Ok(()) => return Ok(()),
            Err((io::ErrorKind::NotFound, _)) if path.symlink_metadata().is_err() => return Ok(()),
            Err((io::ErrorKind::PermissionDenied, error)) => {
                loosen(path).map_err(|_| at(path)(error))?;
                is_closed = true;
            }
            Err((io::ErrorKind::NotFound | io::ErrorKind::DirectoryNotEmpty, _)) => is_closed = false,
            Err((_, error)) => return Err(at(path)(error)),
        }
    }
    let why = match path.parent() {
        Some(folder) if is_closed => format!("its folder {} cannot be written", folder.display()),
        _ => "something keeps writing in it".to_owned(),
    };
    Err(at(path)(io::Error::other(format!("it cannot be removed: {why}"))))
}

/// Gives back the right to write in every folder of a tree.
fn loosen(path: &Path) -> io::Result<()> {
    if !path.symlink_metadata()?.is_dir() {
        return Ok(());
    }
    set_mode(path, 0o700)?;
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            loosen(&entry.path())?;
        }
    }
    Ok(())
}

/// The bytes on disk that removing a tree would free: blocks of files that have no name elsewhere. What cannot be read counts
/// nothing.
#[must_use]
pub fn occupied_bytes(path: &Path) -> u64 {
    let blocks = |metadata: &Metadata| metadata.blocks() * 512;
    let own = path.symlink_metadata().map_or(0, |metadata| if is_alone(&metadata) { blocks(&metadata) } else { 0 });
    let mut shared: HashMap<(u64, u64), u64> = HashMap::new();
    let below = walk(path, NOTHING).unwrap_or_default().into_iter().map(|Found { metadata, .. }| {
        let names = shared.entry((metadata.dev(), metadata.ino())).or_default();
        *names += 1;
        // Its last name goes, too.
        if is_alone(&metadata) || *names == metadata.nlink() { blocks(&metadata) } else { 0 }
    });
    own + below.sum::<u64>()
}

fn is_alone(metadata: &Metadata) -> bool {
    metadata.is_dir() || metadata.nlink() == 1
}

/// Makes everything written so far on the file system of `path` durable, with one call.
///
/// # Errors
/// What opening or syncing fails with.
pub fn sync_filesystem(path: &Path) -> io::Result<()> {
    let handle = rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
        .map_err(|error| at(path)(error.into()))?;
    rustix::fs::syncfs(&handle).map_err(|error| at(path)(error.into()))
}

#[cfg(test)]
mod tests;
