//! Packages that are refused, each by its name, and nothing of them left.

use std::fs;

use super::channel::{PLACEHOLDER, Package, Place, archive, listing};
use super::*;

#[test]
fn a_package_that_would_write_elsewhere_or_over_anothers_file_is_refused_by_name() {
    let refused = |packages: &[Package], wanted: &[&str]| {
        let place = Place::new();
        place.write("channel", packages);
        let object = place.path("env");
        let error = place.install(&place.request(wanted), &object).expect_err("refused").to_string();
        assert!(!place.path("escaped").exists());
        let linked = listing(&object).lines().filter(|line| !line.starts_with(".packages/")).count();
        assert_eq!(linked, 0, "nothing was linked");
        error.replace(&place.root.path().display().to_string(), "[ROOT]")
    };
    let one = |path: &'static str| [Package::new("bad", "1", &[]).file(path, "x")];
    insta::assert_snapshot!(refused(&one("../escaped"), &["bad"]), @"`bad-1-h0_0.conda` is not unpacked: entry `../escaped`: it climbs out of its folder with `..`");
    insta::assert_snapshot!(refused(&[Package::new("bad", "1", &[]).file("lib/out", "-> ../../escaped")], &["bad"]), @"`bad-1-h0_0.conda` is not unpacked: entry `lib/out`: it is a symbolic link to `../../escaped`, which is outside of the archive");
    insta::assert_snapshot!(refused(&[Package::new("bad", "1", &[]).noarch("python", &["../x = a:b"])], &["bad"]), @r#"`bad-1-h0_0.conda` is no conda package: its info/link.json cannot be read: entry point command must not contain path separators or NUL: "../x" at line 1 column 57"#);
    let clash =
        [Package::new("a", "1", &[]).file("etc/x.conf", "one"), Package::new("b", "1", &[]).file("etc/x.conf", "two")];
    insta::assert_snapshot!(refused(&clash, &["a", "b"]), @r#"the packages `a-1-h0_0.conda` and `b-1-h0_0.conda` both have `etc/x.conf`, and differ in it: neither may overwrite the other; ask for a version of one of them that does not have it, take them into two parts, or allow the later one to win: conda_clobber = "later""#);
    let astray =
        [Package::new("a", "1", &[]).file("lib", "-> share"), Package::new("b", "1", &[]).file("lib/x", "two")];
    insta::assert_snapshot!(refused(&astray, &["a", "b"]), @r#"the packages `a-1-h0_0.conda` and `b-1-h0_0.conda` both have `lib`, and differ in it: neither may overwrite the other; ask for a version of one of them that does not have it, take them into two parts, or allow the later one to win: conda_clobber = "later""#);
    let python = [Package::new("web", "1", &[]).noarch("python", &[]).file("site-packages/web.py", "")];
    insta::assert_snapshot!(refused(&python, &["web"]), @"the package `web-1-h0_0.conda` is Python for every platform, and there is no `python` among the others");
}

#[test]
fn a_place_longer_than_its_room_in_a_program_is_told_before_anything_is_linked() {
    let place = Place::new();
    place.write("channel", &stack());
    let object = place.path(&"long".repeat(30));
    let told = place.install(&place.request(&["libz"]), &object).expect_err("too long").to_string();
    let told =
        told.replace(&object.display().to_string(), "[OBJECT]").replace(&object.as_os_str().len().to_string(), "[N]");
    insta::assert_snapshot!(told, @"`lib/libz.so.1.3` of the package `libz-1.3-h0_0.conda` has room for a path of 83 bytes, and the environment's has [N] ([OBJECT]); choose a shorter folder with `--prefix`, or by JOVE_HOME");
    assert!(!object.join("lib").exists() && !object.join("conda-meta").exists());
    // A text has room for any.
    place.write("channel", &[Package::new("text", "1", &[]).placed("etc/x", PLACEHOLDER, "text")]);
    let object = place.path(&"other".repeat(30));
    place.install(&place.request(&["text"]), &object).expect("installed");
    assert_eq!(fs::read_to_string(object.join("etc/x")).expect("read"), object.display().to_string());
}

#[test]
fn a_package_that_is_another_than_the_index_says_is_refused() {
    let place = Place::new();
    place.write("channel", &[Package::new("libz", "1.3", &[])]);
    let request = place.request(&["libz"]);
    let mut pins = place.with_kit(|kit| request.resolve(kit, &[])).expect("pins");
    // An index that tells the right digest of the wrong package.
    let other = archive(&Package::new("other", "7", &[]), "conda");
    pins[0].files[0].sha256 = Sha256::of(&other);
    pins[0].files[0].size = None;
    let own = subdir(&Platform::current()).expect("platform");
    fs::write(place.path(&format!("channel/{own}/libz-1.3-h0_0.conda")), &other).expect("written");
    let object = place.path("env");
    fs::create_dir(&object).expect("made");
    let made = place.with_kit(|kit| {
        request.fetch(kit, &pins)?;
        request.realise(kit, &pins, &object)
    });
    insta::assert_snapshot!(made.expect_err("refused"), @"`libz-1.3-h0_0.conda` says that it is other 7: the channel's index and its packages disagree; run again with `--upgrade`");
}

#[test]
fn a_damaged_or_strange_package_is_refused_by_name() {
    let folder = tempfile::tempdir().expect("folder");
    let refused = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).expect("written");
        let error = package::unpack(&path, &folder.path().join("to").join(name)).expect_err("refused").to_string();
        error.replace(&folder.path().display().to_string(), "[ROOT]")
    };
    let good = archive(&Package::new("libz", "1.3", &[]).file("lib/z", "z".repeat(5000)), "conda");
    assert!(refused("cut.conda", &good[..good.len() / 2]).starts_with("`cut.conda` is no conda package:"));
    insta::assert_snapshot!(refused("text.conda", b"<html>not found</html>"), @"`text.conda` is no archive: expected tar (plain, gz, xz, zst, bz2) or zip");
    let mut bare = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(0);
    bare.append_data(&mut header, "lib/x", std::io::empty()).expect("file");
    insta::assert_snapshot!(refused("bare.tar.bz2", &bare.into_inner().expect("tar")), @"`bare.tar.bz2` is no conda package: its info/index.json cannot be read: failed to open file `[ROOT]/to/bare.tar.bz2/info/index.json`: No such file or directory (os error 2)");
}
