//! Channels that the tests write: what comes of good ones, and what is refused of bad ones.

mod channel;
mod refused;
mod served;

use std::fs;

use self::channel::{PLACEHOLDER, Package, Place, listing};
use super::*;

fn padded(text: &str) -> Vec<u8> {
    format!("\u{7f}ELF head\0{text}/lib\0tail").into_bytes()
}

/// A Python, a library, a program that needs both, and a package for every platform.
fn stack() -> Vec<Package> {
    vec![
        Package::new("python", "3.12.4", &["libz >=1.2"])
            .file("bin/python3.12", "an interpreter")
            .file("bin/python", "-> python3.12"),
        Package::new("libz", "1.3", &[])
            .placed("lib/libz.so.1.3", padded(PLACEHOLDER), "binary")
            .file("lib/libz.so.1", "-> libz.so.1.3"),
        Package::new("libz", "1.2", &[]).file("lib/libz.so.1.2", "old"),
        Package::new("tool", "2.0", &["python >=3.11,<3.13", "web", "__glibc >=2.17"]).placed(
            "bin/tool",
            format!("#!{PLACEHOLDER}/bin/python\nrun()\n"),
            "text",
        ),
        Package::new("web", "0.9", &["python"])
            .noarch("python", &["web = web.cli:main"])
            .file("site-packages/web/__init__.py", "x = 1\n")
            .file("python-scripts/web-old", "#!/bin/sh\n"),
    ]
}

#[test]
fn an_environment_is_pinned_fetched_and_made_at_its_place() {
    let place = Place::new();
    place.write("channel", &stack());
    let object = place.path("env");
    let pins = place.install(&place.request(&["tool"]), &object).expect("installed");
    let shown: Vec<String> = pins
        .iter()
        .map(|pin| format!("{} {} {} {}", pin.name, pin.version, pin.place.as_deref().unwrap_or(""), pin.files[0].file))
        .collect();
    let own = subdir(&Platform::current()).expect("platform").to_string();
    insta::assert_snapshot!(shown.join("\n").replace(&own, "[HERE]"), @"
    libz 1.3 channel [HERE] libz-1.3-h0_0.conda
    python 3.12.4 channel [HERE] python-3.12.4-h0_0.conda
    tool 2.0 channel [HERE] tool-2.0-h0_0.conda
    web 0.9 channel noarch web-0.9-h0_0.conda
    ");
    assert!(pins.iter().all(|pin| pin.trust == "index digest" && pin.files[0].size.is_some()));
    insta::assert_snapshot!(listing(&object), @r#"
    bin/python -> python3.12
    bin/python3.12 755 an interpreter
    bin/tool 755 #![OBJECT]/bin/python
    run()
    bin/web 775 #![OBJECT]/bin/python3.12
    # -*- coding: utf-8 -*-
    import re
    import sys

    from web.cli import main

    if __name__ == '__main__':
    	sys.argv[0] = re.sub(r'(-script\.pyw?|\.exe)?$', '', sys.argv[0])
    	sys.exit(main())
    bin/web-old 644 #!/bin/sh
    conda-meta/history
    conda-meta/libz-1.3-h0_0.json
    conda-meta/python-3.12.4-h0_0.json
    conda-meta/tool-2.0-h0_0.json
    conda-meta/web-0.9-h0_0.json
    lib/libz.so.1 -> libz.so.1.3
    lib/libz.so.1.3 644 ELF head␀[OBJECT]/lib␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀␀tail
    lib/python3.12/site-packages/web/__init__.py 644 x = 1
    "#);
    let record = fs::read_to_string(object.join("conda-meta/web-0.9-h0_0.json")).expect("record");
    assert!(record.contains("conda://channel/noarch/web-0.9-h0_0.conda"), "{record}");
    assert!(!record.contains(&place.root.path().display().to_string()), "no place of this machine: {record}");
}

#[test]
fn an_environment_is_the_same_where_no_package_can_be_kept() {
    let place = Place::new();
    let mut packages = stack();
    // The name of the cache's own list of what is kept.
    packages.push(Package::new("lists", "1", &["tool"]).file("files.json", "its own").file("files/files.json", "too"));
    place.write("channel", &packages);
    let object = place.path("env");
    place.install(&place.request(&["lists"]), &object).expect("installed");
    let first = listing(&object);
    assert!(first.contains("files.json 644 its own"), "{first}");
    // Once more out of what is kept, and where a file is in the place of that: not even root can write there.
    for is_kept in [true, false] {
        fs::remove_dir_all(&object).expect("removed");
        if !is_kept {
            let packages = place.path("home/.cache/jove-install/packages");
            fs::remove_dir_all(&packages).expect("removed");
            fs::write(&packages, "").expect("written");
        }
        place.install(&place.request(&["lists"]), &object).expect("installed");
        assert_eq!(listing(&object), first);
    }
}

#[test]
fn both_forms_of_packages_give_the_same_files() {
    let (new, old) = (Place::new(), Place::new());
    new.write("channel", &stack());
    old.write_as("channel", &stack(), "tar.bz2");
    for place in [&new, &old] {
        place.install(&place.request(&["tool"]), &place.path("env")).expect("installed");
    }
    assert_eq!(listing(&new.path("env")), listing(&old.path("env")));
}

#[test]
fn what_was_pinned_is_kept_until_it_does_not_do_any_more() {
    let place = Place::new();
    place.write("channel", &stack());
    let request = place.request(&["libz"]);
    let old = place.with_kit(|kit| place.request(&["libz =1.2"]).resolve(kit, &[])).expect("pins");
    let version = |packages: &Packages, before: &[Pinned]| {
        place.with_kit(|kit| packages.resolve(kit, before)).expect("pins")[0].version.clone()
    };
    assert_eq!(version(&request, &[]), "1.3");
    assert_eq!(version(&request, &old), "1.2");
    assert_eq!(version(&place.request(&["libz >1.2"]), &old), "1.3");
}

#[test]
fn no_solution_is_a_tree_with_what_to_change() {
    let place = Place::new();
    let mut packages = stack();
    packages.push(Package::new("new", "1.0", &["python >=3.13"]));
    packages.push(Package::new("modern", "1.0", &["__glibc >=2.99"]));
    place.write("channel", &packages);
    insta::assert_snapshot!(place.refusal(&place.request(&["tool", "new"])), @r#"
    no set of packages of channel is what is asked for (tool, new):
        new * cannot be installed because there are no viable options:
        └─ new 1.0 would require
           └─ python >=3.13, for which no candidates were found.
    widen one of the versions that contradict each other; with `priority = "flexible"` in `[sources.conda]` a later channel may serve what the first has in other versions only
    "#);
    insta::assert_snapshot!(place.refusal(&place.request(&["modern"])), @"
    no set of packages of channel is what is asked for (modern):
        modern * cannot be installed because there are no viable options:
        └─ modern 1.0 would require
           └─ __glibc >=2.99, for which no candidates were found.
    `__glibc` is the C library of the machine, which has 2.17: take an older version of what needs a newer one, or another provider
    ");
    insta::assert_snapshot!(place.refusal(&place.request(&["tol"])), @"
    no set of packages of channel is what is asked for (tol):
        No candidates were found for tol *.
    correct the name or the version, or add the channel that has it (`conda_channels`; asked: channel)
    ");
    insta::assert_snapshot!(place.refusal(&place.request(&["libz >=2"])), @"
    no set of packages of channel is what is asked for (libz >=2):
        No candidates were found for libz >=2.
    correct the name or the version, or add the channel that has it (`conda_channels`; asked: channel)
    ");
}

#[test]
fn what_is_no_wish_is_refused() {
    let place = Place::new();
    insta::assert_snapshot!(place.refusal(&place.request(&["python >="])), @"`python >=` names no conda package: unable to parse version spec: >=; write a name and a range of versions (`nginx >=1.26`)");
    insta::assert_snapshot!(place.refusal(&place.request(&["other::python"])), @"`other::python` names no conda package: a channel belongs into `conda_channels`; write a name and a range of versions (`nginx >=1.26`)");
    insta::assert_snapshot!(place.refusal(&place.request(&["py*"])), @r#"`py*` names no conda package: "py*" looks like a glob but only exact package names are allowed, package names can only contain 0-9, a-z, A-Z, -, _, or .; write a name and a range of versions (`nginx >=1.26`)"#);
}

#[test]
fn priority_decides_among_channels() {
    let place = Place::new();
    place.write("channel", &[Package::new("libz", "1.2", &[])]);
    place.write("second", &[Package::new("libz", "1.3", &[]), Package::new("more", "1", &["libz >=1.3"])]);
    let channels = [place.path("channel").display().to_string(), place.path("second").display().to_string()];
    let mut request = place.request_of(&channels, &["libz"]);
    let pinned =
        |request: &Packages| place.with_kit(|kit| request.resolve(kit, &[])).map(|pins| pins[0].version.clone());
    assert_eq!(pinned(&request).expect("pins"), "1.2");
    request.channels.priority = Priority::Disabled;
    assert_eq!(pinned(&request).expect("pins"), "1.3");
    request.packages = vec!["more".to_owned()];
    request.channels.priority = Priority::Flexible;
    assert_eq!(pinned(&request).expect("pins"), "1.3");
    request.channels.priority = Priority::Strict;
    let told = place.refusal(&request);
    assert!(told.contains("priority = \"flexible\""), "{told}");
}

#[test]
fn the_later_of_two_files_counts_where_that_is_allowed() {
    let place = Place::new();
    let conf = |name, needs: &[&'static str], text: &str| {
        Package::new(name, "1", needs).file("etc/x.conf", text).file("etc/own", "same")
    };
    // The one that needs the others is the last, whatever its name.
    place.write(
        "channel",
        &[conf("a", &["b"], "of a"), conf("b", &[], "of b"), conf("c", &[], "of c").file("bin/c", "c")],
    );
    let request = Packages { clobber: Clobber::Later, ..place.request(&["a", "c"]) };
    assert_eq!(request.settings()["clobber"], ["later"]);
    let object = place.path("env");
    place.install(&request, &object).expect("installed");
    assert_eq!(fs::read_to_string(object.join("etc/x.conf")).expect("read"), "of c");
    let record =
        |name: &str| fs::read_to_string(object.join(format!("conda-meta/{name}-1-h0_0.json"))).expect("a record");
    assert!(!record("a").contains("etc/x.conf") && !record("b").contains("etc/x.conf"));
    assert!(record("c").contains("etc/x.conf"));
    place.write("channel", &[conf("a", &["z"], "of a"), conf("z", &[], "of z")]);
    fs::remove_dir_all(place.path("home/.cache")).expect("an empty cache");
    let request = Packages { clobber: Clobber::Later, ..place.request(&["a"]) };
    place.install(&request, &place.path("other")).expect("installed");
    assert_eq!(fs::read_to_string(place.path("other/etc/x.conf")).expect("read"), "of a");
    // A folder is no file, whoever is later.
    place.write(
        "channel",
        &[Package::new("a", "1", &[]).file("lib/x", "x"), Package::new("b", "1", &[]).file("lib", "-> share")],
    );
    fs::remove_dir_all(place.path("home/.cache")).expect("an empty cache");
    let request = Packages { clobber: Clobber::Later, ..place.request(&["a", "b"]) };
    let told = place.install(&request, &place.path("astray")).expect_err("refused").to_string();
    assert!(told.contains("both have `lib`"), "{told}");
}

#[test]
fn the_same_bytes_of_two_packages_are_one_file() {
    let place = Place::new();
    let licence = |name| Package::new(name, "1", &[]).file("share/licence", "free").file("share/copying", "-> licence");
    place.write("channel", &[licence("a"), licence("b")]);
    place.install(&place.request(&["a", "b"]), &place.path("env")).expect("installed");
    assert!(listing(&place.path("env")).contains("share/licence 644 free"));
}

#[test]
fn an_environment_that_is_not_what_the_lock_says_is_told() {
    let place = Place::new();
    place.write("channel", &stack());
    let object = place.path("env");
    let pins = place.install(&place.request(&["python"]), &object).expect("installed");
    let places = [
        vec![PathBuf::from("lib/libz.so.1.3"), PathBuf::from("lib/libz.so.1")],
        vec![PathBuf::from("bin/python3.12"), PathBuf::from("bin/python")],
    ];
    let due = || {
        let each = pins.iter().zip(&places);
        each.map(|(pin, places)| link::Due { pin, file: &pin.files[0].file, places }).collect::<Vec<_>>()
    };
    let told = || link::prove(&due(), &object).expect_err("it differs").to_string();
    link::prove(&due(), &object).expect("as it should be");
    let meta = |name: &str| object.join("conda-meta").join(name);
    let (library, other) = (meta("libz-1.3-h0_0.json"), meta("libz-1.2-h0_0.json"));
    let whole = fs::read_to_string(&library).expect("a record");

    fs::copy(&library, meta("libz-1.3-h1_0.json")).expect("copied");
    insta::assert_snapshot!(told(), @"the environment is not what the lock says: of its packages it lacks nothing, and has libz 1.3 besides");
    fs::remove_file(meta("libz-1.3-h1_0.json")).expect("removed");
    // As many records as packages, and one of them of another version.
    fs::rename(&library, &other).expect("renamed");
    fs::write(&other, whole.replace("\"version\": \"1.3\"", "\"version\": \"1.2\"")).expect("written");
    insta::assert_snapshot!(told(), @"the environment is not what the lock says: of its packages it lacks libz 1.3, and has libz 1.2 besides");
    fs::write(&other, "{}").expect("written");
    assert!(told().contains("conda-meta/libz-1.2-h0_0.json` is no record: missing field `name`"), "{}", told());
    fs::remove_file(&other).expect("removed");
    insta::assert_snapshot!(told(), @"the environment is not what the lock says: of its packages it lacks libz 1.3, and has nothing besides");
    fs::write(&library, whole).expect("written");
    link::prove(&due(), &object).expect("as it was");
    // A link without its target is there, a file that was removed is not.
    fs::remove_file(object.join("lib/libz.so.1.3")).expect("removed");
    insta::assert_snapshot!(told(), @"the environment is not what the lock says: `lib/libz.so.1.3` of `libz-1.3-h0_0.conda` is missing");
}

#[test]
fn another_platform_is_resolved_by_what_it_has() {
    let place = Place::new();
    place.write("channel", &stack());
    // What this machine's folder of the channel has, under the name of another's.
    let own = subdir(&Platform::current()).expect("platform").to_string();
    let other = if own == "osx-arm64" { "linux-64" } else { "osx-arm64" };
    fs::create_dir(place.path(&format!("channel/{other}"))).expect("made");
    let index = fs::read_to_string(place.path(&format!("channel/{own}/repodata.json"))).expect("read");
    let index = index.replace(&own, other).replace("__glibc >=2.17", "__unix");
    fs::write(place.path(&format!("channel/{other}/repodata.json")), index).expect("written");
    let request = place.request(&["tool"]);
    let pins = place.with_kit(|kit| request.pins_for(kit, other.parse().expect("a platform"), &[])).expect("pins");
    assert_eq!(pins.len(), 4);
    assert!(pins.iter().all(|pin| pin.place.as_deref().is_some_and(|place| !place.ends_with(&own))), "{pins:?}");
    assert_eq!(
        platform(other).and_then(|platform| subdir(&platform)).map(|found| found.to_string()).as_deref(),
        Some(other)
    );
    assert_eq!(platform("amiga-68000"), None);
}

#[test]
fn an_explicit_list_goes_out_and_comes_back_as_the_same_pins() {
    let place = Place::new();
    place.write("channel", &stack());
    let request = place.request(&["tool", "libz =1.3"]);
    let pins = place.with_kit(|kit| request.resolve(kit, &[])).expect("pins");
    let own = subdir(&Platform::current()).expect("platform");
    let text = export::explicit(&request, own, &pins).expect("a list");
    assert!(text.starts_with(&format!("# platform: {own}\n@EXPLICIT\nfile://")), "{text}");
    let read = |text: &str| {
        fs::write(place.path("list.txt"), text).expect("written");
        let wanted::Wanted { packages, channels, digests, files, .. } =
            wanted::Wanted::read(&["--file list.txt".to_owned()], place.root.path()).expect("read");
        let channels = Channels::of(&place.host, &channels, None).expect("channels");
        place
            .with_kit(|kit| Packages { packages, channels, digests, files, clobber: Clobber::Refuse }.resolve(kit, &[]))
    };
    // A newer one that the channel gets meanwhile changes nothing.
    let mut packages = stack();
    packages.push(Package::new("libz", "1.4", &[]));
    place.write("channel", &packages);
    assert_eq!(read(&text).expect("pins"), pins);
    let wrong = text.replace(&pins[0].files[0].sha256.to_hex(), &"0".repeat(64));
    insta::assert_snapshot!(read(&wrong).expect_err("another digest"), @"the channel's `libz-1.3-h0_0.conda` is another than the list's: their digests differ");
    let environment =
        export::environment("x", &request.channels.list, &pins, &[("flask".to_owned(), "3.0".to_owned())]);
    let environment = environment.expect("text").replace(&place.root.path().display().to_string(), "[ROOT]");
    insta::assert_snapshot!(environment, @"
    name: x
    channels:
    - file://[ROOT]/channel
    dependencies:
    - libz ==1.3 h0_0
    - python ==3.12.4 h0_0
    - tool ==2.0 h0_0
    - web ==0.9 h0_0
    - pip:
      - flask==3.0
    ");
}
