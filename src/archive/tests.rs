//! Archives made by hand, good and hostile, of every kind.

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

fn packed() -> Vec<(&'static str, Vec<u8>)> {
    let plain = good().done();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&plain).unwrap();
    let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    bzip2.write_all(&plain).unwrap();
    let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 1);
    xz.write_all(&plain).unwrap();
    vec![
        ("zst", zstd::encode_all(plain.as_slice(), 1).unwrap()),
        ("gz", gzip.finish().unwrap()),
        ("bz2", bzip2.finish().unwrap()),
        ("xz", xz.finish().unwrap()),
        ("tar", plain),
    ]
}

#[test]
fn every_packing_gives_the_same_tree() {
    for (kind, bytes) in packed() {
        let place = Place::new();
        assert_eq!(place.unpack(&bytes), Ok(Unpacked { files: 5, bytes: 15 }), "{kind}");
        let top = place.to().join("top");
        assert_eq!(fs_err::read(top.join("up")).unwrap(), b"hello");
        assert_eq!((mode(&top), mode(&top.join("readme"))), (0o755, 0o644));
        assert_eq!(mode(&top.join("bin/run")), 0o755, "no setuid bit");
        for name in ["", "readme", "bin", "bin/run", "bin/again"] {
            assert_eq!(fs_err::symlink_metadata(top.join(name)).unwrap().mtime(), 315_532_800, "{kind} {name}");
        }
    }
}

#[test]
fn leading_components_are_stripped() {
    let place = Place::new();
    place.unpack_with(&good().file("alone", "x").done(), Limits::default(), 1).unwrap();
    let names: Vec<_> = place.names().into_iter().filter(|name| name != "outside").collect();
    assert_eq!(names, ["to", "to/bin", "to/bin/again", "to/bin/run", "to/readme", "to/twin", "to/up"]);
}

#[test]
fn cut_off_archives_are_refused() {
    for (kind, bytes) in packed() {
        let place = Place::new();
        for keep in [bytes.len() - 1030.min(bytes.len() / 8), bytes.len() / 2, bytes.len() * 3 / 4] {
            let error = place.refused(&bytes[..keep]);
            assert!(error.contains("damaged or cut off") || error.contains("cannot be read"), "{kind} {keep}: {error}");
        }
    }
    // Between two entries, where only the missing end tells it.
    let place = Place::new();
    let error = place.refused(&Tar::default().file("a", "x\n").0[..512]);
    assert!(error.contains("entry `a`"), "{error}");
    let error = place.refused(&Tar::default().entry(EntryType::Regular, b"a", 0o644, b"", &[7; 512]).0);
    assert!(error.contains("damaged or cut off"), "{error}");
}

#[test]
fn altered_packings_are_refused() {
    for (kind, mut bytes) in packed() {
        if kind != "tar" && kind != "zst" {
            let at = bytes.len() - 6;
            bytes[at] ^= 0x55;
            Place::new().refused(&bytes);
        }
    }
}

#[test]
fn hostile_tars_are_refused_by_name() {
    let table: [(&str, Tar, &str); 21] = [
        ("dots", Tar::default().file("a/../../outside", "x"), "`a/../../outside`: it climbs out"),
        ("absolute", Tar::default().file("/tmp/jove-x", "x"), "`/tmp/jove-x`: its name is an absolute path"),
        (
            "link out",
            Tar::default().file("a", "x").link("l", "../outside"),
            "`l`: it is a symbolic link to `../outside`",
        ),
        ("link absolute", Tar::default().link("l", "/etc/passwd"), "`l`: it is a symbolic link to `/etc/passwd`"),
        ("link in folder", Tar::default().link("a/b/l", "../../../outside"), "`a/b/l`: it is a symbolic link"),
        (
            "link by link",
            Tar::default().link("d", ".").link("l", "d/d/../outside"),
            "`l`: it is a symbolic link to `d/d/",
        ),
        ("later link", Tar::default().link("a", "d/../outside").link("d", "."), "`a`: it is a symbolic link"),
        ("circle", Tar::default().link("a", "b").link("b", "a"), "leads in a circle"),
        ("through", Tar::default().link("l", ".").file("l/outside", "x"), "`l/outside`: another entry"),
        ("through out", Tar::default().link("l", "..").file("l/outside", "x"), "`l/outside`: another entry"),
        ("replaced", Tar::default().link("l", "a").file("l", "x"), "`l`: another entry"),
        ("replaces", Tar::default().file("l", "x").link("l", "a"), "`l`: another entry"),
        ("folder to link", Tar::default().folder("d/").link("d", "a"), "`d`: another entry"),
        ("hard out", Tar::default().hard("h", "../outside"), "`h`: it is a hard link to `../outside`"),
        ("hard absolute", Tar::default().hard("h", "/etc/passwd"), "`h`: it is a hard link to `/etc/passwd`"),
        ("hard by link", Tar::default().link("l", "../outside").hard("h", "l"), "`h`: it is a hard link to `l`"),
        ("file as folder", Tar::default().file("a", "x").file("a/b", "x"), "`a/b`: another entry"),
        ("device", Tar::default().entry(EntryType::Char, b"null", 0o666, b"", b""), "`null`: it is a character device"),
        ("disk", Tar::default().entry(EntryType::Block, b"sda", 0o666, b"", b""), "`sda`: it is a block device"),
        ("fifo", Tar::default().entry(EntryType::Fifo, b"pipe", 0o666, b"", b""), "`pipe`: it is a fifo"),
        ("sparse", Tar::default().entry(EntryType::GNUSparse, b"s", 0o666, b"", b""), "`s`: it is a sparse file"),
    ];
    for (what, tar, expected) in table {
        let place = Place::new();
        let error = place.refused(&tar.file("z", "x").done());
        assert!(error.starts_with("`ARCHIVE` is not unpacked: entry ") && error.contains(expected), "{what}: {error}");
    }
}

#[test]
fn extension_headers_are_judged_as_names_and_bounded() {
    let place = Place::new();
    let climb =
        Tar::default().entry(EntryType::GNULongName, b"././@LongLink", 0, b"", b"../outside\0").file("short", "x");
    assert!(place.refused(&climb.done()).contains("`../outside`: it climbs out"));
    let pax = Tar::default().entry(EntryType::XHeader, b"pax", 0, b"", b"19 path=../outside\n").file("short", "x");
    assert!(place.refused(&pax.done()).contains("`../outside`: it climbs out"));
    let linked = Tar::default().entry(EntryType::XHeader, b"pax", 0, b"", b"23 linkpath=../outside\n").link("l", "a");
    assert!(place.refused(&linked.done()).contains("symbolic link to `../outside`"));
    let sized =
        Tar::default().entry(EntryType::XHeader, b"pax", 0, b"", b"10 size=1\n").file("short", "x".repeat(9).as_str());
    assert!(place.refused(&sized.done()).contains("size is said twice"));
    let long = vec![b'x'; (1 << 20) + 1];
    let long = Tar::default().entry(EntryType::GNULongName, b"././@LongLink", 0, b"", &long).file("short", "x");
    assert!(place.refused(&long.done()).contains("more than 1048576 bytes"));
}

#[test]
fn good_extension_headers_are_read() {
    let place = Place::new();
    let long = format!("{}/{}", "d".repeat(120), "f".repeat(120));
    let record = format!("path={long}\n");
    let record = format!("{} {record}", record.len() + 4);
    let tar = Tar::default()
        .entry(EntryType::XGlobalHeader, b"pax_global_header", 0, b"", b"12 comment=\n")
        .entry(EntryType::XHeader, b"pax", 0, b"", record.as_bytes())
        .file("short", "x")
        .entry(EntryType::Regular, b"caf\xe9", 0o644, b"", b"not utf-8");
    assert_eq!(place.unpack(&tar.done()), Ok(Unpacked { files: 2, bytes: 10 }));
    assert!(place.to().join(long).is_file());
}

#[test]
fn a_tar_that_was_appended_to_keeps_the_last_and_hard_links_their_content() {
    let place = Place::new();
    place.unpack(&Tar::default().file("a", "old").hard("b", "a").file("a", "new").done()).unwrap();
    assert_eq!(fs_err::read(place.to().join("a")).unwrap(), b"new");
    assert_eq!(fs_err::read(place.to().join("b")).unwrap(), b"old");
}

#[test]
fn bombs_are_refused() {
    let small = Limits { max_bytes: 100_000, max_entries: 5, max_ratio: 10 };
    let place = Place::new();
    let zeros = vec![0_u8; 20 << 20];
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(&Tar::default().entry(EntryType::Regular, b"bomb", 0o644, b"", &zeros).done()).unwrap();
    let gzip = gzip.finish().unwrap();
    assert!(place.refused(&gzip).contains("`bomb`: it grows to more than 200 times its size"));
    assert!(place.refused_with(&gzip, small).contains("`bomb`: more than 100000 bytes"));
    let zip = Zip::new().file("fine", 0o644, b"x").file("bomb", 0o644, &zeros).done();
    assert!(place.refused(&zip).contains("`bomb`: it grows to more than 200 times its size"));
    assert!(place.refused_with(&zip, small).contains("`bomb`: more than 100000 bytes"));
    let many = (0..6).fold(Tar::default(), |tar, n| tar.file(&format!("f{n}"), ""));
    assert!(place.refused_with(&many.done(), small).contains("`f5`: it has more than 5 entries"));
    let many = (0..6).fold(Zip::new(), |zip, n| zip.file(&format!("f{n}"), 0o644, b""));
    assert!(place.refused_with(&many.done(), small).contains("`f5`: it has more than 5 entries"));
    // Bytes after the end count too.
    let mut tail = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    tail.write_all(&Tar::default().file("a", "x").done()).unwrap();
    tail.write_all(&zeros).unwrap();
    assert!(place.refused(&tail.finish().unwrap()).contains("decompression bomb"));
}

#[test]
fn zips_unpack_with_modes_and_links() {
    let place = Place::new();
    let zip = Zip::new()
        .file("pkg/a.py", 0o600, b"print()\n")
        .file("pkg/run", 0o4711, b"#!/bin/sh\n")
        .link("pkg/again", "run")
        .done();
    assert_eq!(place.unpack(&zip), Ok(Unpacked { files: 3, bytes: 18 }));
    assert_eq!(mode(&place.to().join("pkg/a.py")), 0o644);
    assert_eq!(mode(&place.to().join("pkg/run")), 0o755);
    assert_eq!(fs_err::read_link(place.to().join("pkg/again")).unwrap(), Path::new("run"));
}

/// Replaces bytes everywhere: the central directory and the local headers.
fn patch(mut bytes: Vec<u8>, from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut found = 0;
    for at in 0..bytes.len() - from.len() {
        if bytes[at..].starts_with(from) {
            bytes[at..at + from.len()].copy_from_slice(to);
            found += 1;
        }
    }
    assert!(found > 0);
    bytes
}

#[test]
fn hostile_zips_are_refused_by_name() {
    let one =
        |name: &str| Zip::new().file("fine", 0o644, b"x").file(name, 0o644, b"content that is long enough").done();
    let climbing = patch(one("aaaaaaa/name"), b"aaaaaaa/name", b"../outside/x");
    let absolute = patch(one("aaaaaaa/name"), b"aaaaaaa/name", b"/tmp/jove-zz");
    let twice = patch(one("enif"), b"enif", b"fine");
    // The general purpose flag of the second entry, in both headers.
    let mut encrypted = one("locked");
    for (magic, offset) in [(b"PK\x03\x04", 6), (b"PK\x01\x02", 8)] {
        let at = (0..encrypted.len()).rfind(|at| encrypted[*at..].starts_with(magic)).unwrap();
        encrypted[at + offset] |= 1;
    }
    let mut stored = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    stored.start_file("flipped", options).unwrap();
    stored.write_all(b"right").unwrap();
    let flipped = patch(stored.finish().unwrap().into_inner(), b"right", b"wrong");
    // The upper half of the external attributes: a character device.
    let mut device = Zip::new().file("null", 0o666, b"").done();
    let at = (0..device.len()).find(|at| device[*at..].starts_with(b"PK\x01\x02")).unwrap();
    device[at + 41] = 0x21;
    let table = [
        (climbing, "`../outside/x`: it climbs out"),
        (absolute, "`/tmp/jove-zz`: its name is an absolute path"),
        (twice, "`fine`: there are two entries"),
        (encrypted, "`locked`: it is encrypted"),
        (flipped, "`flipped`: its content does not fit its checksum"),
        (device, "`null`: it is a character device"),
        (Zip::new().link("l", "../outside").done(), "`l`: it is a symbolic link to `../outside`"),
        (Zip::new().link("l", "..").file("l/outside", 0o644, b"x").done(), "`l/outside`: another entry"),
    ];
    for (bytes, expected) in table {
        let error = Place::new().refused(&bytes);
        assert!(error.contains(expected), "{expected}: {error}");
    }
    let whole = one("last");
    let error = Place::new().refused(&whole[..whole.len() - 10]);
    assert!(error.contains("damaged or cut off"), "{error}");
}

#[test]
fn what_was_there_before_stays_and_is_not_written_through() {
    let place = Place::new();
    fs_err::create_dir_all(place.to().join("kept")).unwrap();
    std::os::unix::fs::symlink("..", place.to().join("out")).unwrap();
    for (tar, name) in [
        (Tar::default().file("kept/new", "x").file("out/outside", "x"), "out/outside"),
        (Tar::default().file("kept/new", "x").link("l", "out/outside"), "l"),
    ] {
        let error = place.unpack(&tar.done()).unwrap_err();
        assert!(error.contains(&format!("entry `{name}`")), "{error}");
        assert_eq!(place.names(), ["outside", "to", "to/kept", "to/out"]);
    }
    place.unpack(&Tar::default().file("kept/new", "x").done()).unwrap();
    assert!(place.to().join("kept/new").is_file());
}

#[test]
fn what_is_no_archive_is_said_so() {
    let place = Place::new();
    assert!(place.refused(b"#!/bin/sh\n").contains("is no archive"));
    assert!(place.refused(b"").contains("is no archive"));
    let missing = unpack(&place.root.path().join("none"), &place.to(), Limits::default(), 0);
    assert!(matches!(missing, Err(ArchiveError::Io { .. })));
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(b"no tar in here, but more than one block of text".repeat(40).as_slice()).unwrap();
    assert!(place.refused(&gzip.finish().unwrap()).contains("damaged"));
}
