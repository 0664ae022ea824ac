//! Zips, good and hostile.

use super::*;

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
