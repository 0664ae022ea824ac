//! Tars, good and hostile.

use super::*;

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
