//! What comes of good archives, and of those that are cut off or none.

use super::*;

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
