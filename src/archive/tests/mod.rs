//! Archives made by hand, good and hostile, of every kind.

mod tars;
mod trees;
mod zips;

use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tar::{EntryType, Header};

use super::{ArchiveError, Limits, Unpacked, unpack};

/// A tar, entry by entry, without the checks of a well-behaved writer.
#[derive(Default)]
struct Tar(Vec<u8>);

impl Tar {
    fn entry(mut self, kind: EntryType, name: &[u8], mode: u32, target: &[u8], content: &[u8]) -> Self {
        let mut header = Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name);
        header.as_old_mut().linkname[..target.len()].copy_from_slice(target);
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(1_700_000_000);
        header.set_size(content.len() as u64);
        header.set_cksum();
        self.0.extend_from_slice(header.as_bytes());
        self.0.extend_from_slice(content);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    fn file(self, name: &str, content: &str) -> Self {
        self.entry(EntryType::Regular, name.as_bytes(), 0o644, b"", content.as_bytes())
    }

    fn link(self, name: &str, target: &str) -> Self {
        self.entry(EntryType::Symlink, name.as_bytes(), 0o777, target.as_bytes(), b"")
    }

    fn hard(self, name: &str, target: &str) -> Self {
        self.entry(EntryType::Link, name.as_bytes(), 0o644, target.as_bytes(), b"")
    }

    fn folder(self, name: &str) -> Self {
        self.entry(EntryType::Directory, name.as_bytes(), 0o700, b"", b"")
    }

    fn done(mut self) -> Vec<u8> {
        self.0.extend_from_slice(&[0; 1024]);
        self.0
    }
}

struct Zip(zip::ZipWriter<std::io::Cursor<Vec<u8>>>);

impl Zip {
    fn new() -> Self {
        Self(zip::ZipWriter::new(std::io::Cursor::default()))
    }

    fn file(mut self, name: &str, mode: u32, content: &[u8]) -> Self {
        let options = zip::write::SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Deflated)
            .unix_permissions(mode);
        self.0.start_file(name, options).unwrap();
        self.0.write_all(content).unwrap();
        self
    }

    fn link(mut self, name: &str, target: &str) -> Self {
        self.0.add_symlink(name, target, zip::write::SimpleFileOptions::default()).unwrap();
        self
    }

    fn done(self) -> Vec<u8> {
        self.0.finish().unwrap().into_inner()
    }
}

struct Place {
    root: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        fs_err::write(root.path().join("outside"), "untouched").unwrap();
        Self { root }
    }

    fn to(&self) -> PathBuf {
        self.root.path().join("to")
    }

    fn unpack_with(&self, bytes: &[u8], limits: Limits, strip: usize) -> Result<Unpacked, String> {
        let archive = self.root.path().join("archive");
        fs_err::write(&archive, bytes).unwrap();
        let result = unpack(&archive, &self.to(), limits, strip);
        fs_err::remove_file(&archive).unwrap();
        result.map_err(|error| error.to_string().replace(&archive.display().to_string(), "ARCHIVE"))
    }

    fn unpack(&self, bytes: &[u8]) -> Result<Unpacked, String> {
        self.unpack_with(bytes, Limits::default(), 0)
    }

    /// Refused, with nothing left and nothing outside touched.
    fn refused_with(&self, bytes: &[u8], limits: Limits) -> String {
        let error = self.unpack_with(bytes, limits, 0).unwrap_err();
        assert_eq!(self.names(), ["outside"], "{error}");
        assert_eq!(fs_err::read(self.root.path().join("outside")).unwrap(), b"untouched");
        error
    }

    fn refused(&self, bytes: &[u8]) -> String {
        self.refused_with(bytes, Limits::default())
    }

    fn names(&self) -> Vec<String> {
        let walk = walkdir::WalkDir::new(self.root.path()).min_depth(1).sort_by_file_name();
        let relative = |entry: walkdir::DirEntry| {
            entry.path().strip_prefix(self.root.path()).unwrap().to_string_lossy().into_owned()
        };
        walk.into_iter().map(|entry| relative(entry.unwrap())).collect()
    }
}

fn mode(path: &Path) -> u32 {
    fs_err::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

fn good() -> Tar {
    Tar::default()
        .folder("top/")
        .file("top/readme", "hello")
        .entry(EntryType::Regular, b"top/bin/run", 0o6755, b"", b"#!/bin/sh\n")
        .link("top/bin/again", "run")
        .link("top/up", "bin/../readme")
        .hard("top/twin", "top/readme")
}
