//! The folder that is unpacked into: the only place of this module that writes.
//!
//! Every folder on the way is opened relative to the one above and never through a link. Symbolic links are made at the end,
//! so that nothing can be written through one of this archive.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::io::{self, Read, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Mode, OFlags, Timespec, Timestamps};

use super::place::{self, Astray};
use super::{Fault, Refusal, Unpacked};

/// 1980-01-01, the earliest time that every archive format can say.
const TIME: i64 = 315_532_800;

/// What was made, for undoing it.
#[derive(Debug)]
enum Made {
    Folder(PathBuf),
    Other(PathBuf),
}

/// A symbolic link that will be made.
#[derive(Debug)]
struct Link {
    /// Its entry's name in the archive.
    entry: Vec<u8>,
    target: PathBuf,
}

/// What an absolute symbolic link becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Absolute {
    /// It is refused.
    Refuse,
    /// A relative one: the folder takes the place of the machine's root.
    Reroot,
}

/// The folder.
#[derive(Debug)]
pub(super) struct Root {
    absolute: Absolute,
    path: PathBuf,
    top: OwnedFd,
    /// The folder that was used last, since entries come folder by folder.
    last: Option<(PathBuf, OwnedFd)>,
    made: Vec<Made>,
    files: BTreeSet<PathBuf>,
    links: BTreeMap<PathBuf, Link>,
    unpacked: Unpacked,
}

impl Root {
    pub(super) fn open(path: &Path, absolute: Absolute) -> io::Result<Self> {
        let mut made = Vec::new();
        let missing: Vec<&Path> = path.ancestors().take_while(|folder| !folder.exists()).collect();
        for folder in missing.into_iter().rev().filter(|folder| !folder.as_os_str().is_empty()) {
            fs_err::create_dir(folder)?;
            made.push(Made::Folder(folder.to_owned()));
        }
        let top = open_folder(rustix::fs::CWD, path.as_os_str(), OFlags::empty())?;
        let (files, links) = (BTreeSet::new(), BTreeMap::new());
        Ok(Self { absolute, path: path.to_owned(), top, last: None, made, files, links, unpacked: Unpacked::default() })
    }

    /// Makes a folder and those above it.
    pub(super) fn folder(&mut self, place: &Path) -> Result<(), Refusal> {
        self.enter(place).map(drop)
    }

    /// Writes a file. `again` allows that it replaces an earlier file of this archive, as a tar that was appended to means.
    pub(super) fn file(
        &mut self,
        place: &Path,
        executable: bool,
        again: bool,
        reader: &mut dyn Read,
    ) -> Result<u64, Refusal> {
        let (folder, name) = self.parent(place)?;
        if self.links.contains_key(place) {
            return Err(Refusal::Clash);
        }
        if self.files.contains(place) {
            if !again {
                return Err(Refusal::Twice);
            }
            // Unlinked, never overwritten: other names of the same file keep their content.
            rustix::fs::unlinkat(&folder, &name, AtFlags::empty()).map_err(write)?;
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&folder, &name, flags, Mode::from_raw_mode(0o600)).map_err(write)?;
        if self.files.insert(place.to_owned()) {
            self.made.push(Made::Other(place.to_owned()));
            self.unpacked.files += 1;
        }
        let mut file = std::fs::File::from(file);
        let bytes = copy(reader, &mut file)?;
        let mode = Mode::from_raw_mode(if executable { 0o755 } else { 0o644 });
        rustix::fs::fchmod(&file, mode).map_err(write)?;
        rustix::fs::futimens(&file, &times()).map_err(write)?;
        self.unpacked.bytes += bytes;
        self.last = Some((place.parent().unwrap_or(Path::new("")).to_owned(), folder));
        Ok(bytes)
    }

    /// Remembers a symbolic link for the end.
    pub(super) fn link(&mut self, entry: &[u8], place: &Path, target: &[u8]) -> Result<(), Refusal> {
        let mut target = PathBuf::from(OsString::from(OsStr::from_bytes(target)));
        if self.absolute == Absolute::Reroot
            && let Ok(below) = target.strip_prefix("/")
        {
            let up: PathBuf = place.components().skip(1).map(|_| "..").collect();
            target =
                if below.as_os_str().is_empty() && up.as_os_str().is_empty() { ".".into() } else { up.join(below) };
        }
        let same = self.links.get(place).is_some_and(|link| link.target == target);
        if self.files.contains(place) || (self.links.contains_key(place) && !same) {
            return Err(Refusal::Clash);
        }
        self.links.insert(place.to_owned(), Link { entry: entry.to_owned(), target });
        Ok(())
    }

    /// Gives an earlier file of this archive a second name.
    pub(super) fn hard_link(&mut self, place: &Path, target: Option<&Path>, shown: &str) -> Result<(), Refusal> {
        let target = target.filter(|target| self.files.contains(*target) && *target != place);
        let target = target.ok_or_else(|| Refusal::HardLink(shown.to_owned()))?;
        if self.links.contains_key(place) || self.files.contains(place) {
            return Err(Refusal::Clash);
        }
        let (from, from_name) = self.parent(target)?;
        let (to, to_name) = self.parent(place)?;
        rustix::fs::linkat(&from, &from_name, &to, &to_name, AtFlags::empty()).map_err(write)?;
        self.made.push(Made::Other(place.to_owned()));
        self.files.insert(place.to_owned());
        self.unpacked.files += 1;
        Ok(())
    }

    /// Makes the links, after all of them were followed, and sets the times of the folders.
    pub(super) fn finish(&mut self) -> Result<Unpacked, Fault> {
        let links = std::mem::take(&mut self.links);
        let path = self.path.clone();
        let read = |place: &Path| match links.get(place) {
            Some(link) => Some(link.target.clone()),
            None => std::fs::read_link(path.join(place)).ok(),
        };
        for (place, link) in &links {
            let shown = || link.target.as_os_str().as_bytes().escape_ascii().to_string();
            place::follow(place, &link.target, &read).map_err(|astray| {
                let refusal = match astray {
                    Astray::Out => Refusal::LinkOut(shown()),
                    Astray::Loop => Refusal::LinkLoop(shown()),
                };
                Fault::entry(&link.entry, refusal)
            })?;
        }
        for (place, link) in &links {
            self.make_link(place, &link.target).map_err(|refusal| Fault::entry(&link.entry, refusal))?;
        }
        // Deepest last made, so from the end: what is set inside a folder no longer changes it.
        for made in self.made.iter().rev() {
            if let Made::Folder(place) = made {
                let set = rustix::fs::utimensat(&self.top, place, &times(), AtFlags::SYMLINK_NOFOLLOW);
                set.map_err(|error| Fault::entry(place.as_os_str().as_bytes(), write(error)))?;
            }
        }
        Ok(self.unpacked)
    }

    /// Removes whatever was made.
    pub(super) fn undo(&mut self) {
        while let Some(made) = self.made.pop() {
            // What cannot be removed is left; the refusal matters more.
            let _ = match made {
                Made::Folder(place) => fs_err::remove_dir(self.path.join(place)),
                Made::Other(place) => fs_err::remove_file(self.path.join(place)),
            };
        }
    }

    fn make_link(&mut self, place: &Path, target: &Path) -> Result<(), Refusal> {
        let (folder, name) = self.parent(place)?;
        rustix::fs::symlinkat(target, &folder, &name).map_err(write)?;
        self.made.push(Made::Other(place.to_owned()));
        self.unpacked.files += 1;
        rustix::fs::utimensat(&folder, &name, &times(), AtFlags::SYMLINK_NOFOLLOW).map_err(write)
    }

    /// The folder of a place, open, and the last component.
    fn parent(&mut self, place: &Path) -> Result<(OwnedFd, OsString), Refusal> {
        let name = place.file_name().ok_or(Refusal::Parent)?.to_owned();
        let folder = place.parent().unwrap_or(Path::new(""));
        if let Some((last, handle)) = self.last.take_if(|(last, _)| last == folder) {
            drop(last);
            return Ok((handle, name));
        }
        Ok((self.enter(folder)?, name))
    }

    /// Opens a folder, component by component, making what is missing.
    fn enter(&mut self, place: &Path) -> Result<OwnedFd, Refusal> {
        let mut here = self.top.try_clone().map_err(Refusal::Write)?;
        let mut walked = PathBuf::new();
        for component in place {
            walked.push(component);
            if self.links.contains_key(&walked) {
                return Err(Refusal::Clash);
            }
            match rustix::fs::mkdirat(&here, component, Mode::from_raw_mode(0o755)) {
                Ok(()) => {
                    self.made.push(Made::Folder(walked.clone()));
                    let made = open_folder(&here, component, OFlags::NOFOLLOW).map_err(Refusal::Write)?;
                    // The umask may have taken bits away.
                    rustix::fs::fchmod(&made, Mode::from_raw_mode(0o755)).map_err(write)?;
                    here = made;
                }
                Err(rustix::io::Errno::EXIST) => {
                    // A file or a link, of this archive or from before, is no folder to go through.
                    here = open_folder(&here, component, OFlags::NOFOLLOW).map_err(|_| Refusal::Clash)?;
                }
                Err(error) => return Err(write(error)),
            }
        }
        Ok(here)
    }
}

fn open_folder(at: impl std::os::fd::AsFd, name: &OsStr, more: OFlags) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | more;
    Ok(rustix::fs::openat(at, name, flags, Mode::empty())?)
}

fn copy(reader: &mut dyn Read, file: &mut std::fs::File) -> Result<u64, Refusal> {
    let mut buffer = vec![0; 1 << 16];
    let mut bytes = 0;
    loop {
        let count = match reader.read(&mut buffer) {
            Ok(0) => return Ok(bytes),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Refusal::Read(error)),
        };
        file.write_all(&buffer[..count]).map_err(Refusal::Write)?;
        bytes += count as u64;
    }
}

fn write(error: rustix::io::Errno) -> Refusal {
    match error {
        rustix::io::Errno::EXIST | rustix::io::Errno::ISDIR | rustix::io::Errno::NOTDIR | rustix::io::Errno::LOOP => {
            Refusal::Clash
        }
        other => Refusal::Write(other.into()),
    }
}

const fn times() -> Timestamps {
    let time = Timespec { tv_sec: TIME, tv_nsec: 0 };
    Timestamps { last_access: time, last_modification: time }
}
