//! A whole archive, made and signed on the spot, and everything that may be wrong with one.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};

use pgp::composed::{ArmorOptions, CleartextSignedMessage, SignedPublicKey, SignedSecretKey};
use pgp::types::Password;

use self::archive::key;
use super::source::written;
use super::*;
use crate::host::Host;
use crate::net::test_server::{Ending, Reply, Server};
use crate::net::{Cache, Client, Patience};
use crate::progress;

#[path = "../../../tests/it/deb/archive.rs"]
mod archive;

/// One file of a package: its path in the tar, and its content.
type Content = (&'static str, &'static str);

/// An archive in a folder, its keyring, a cache.
struct Archive {
    archive: archive::Archive,
    folder: tempfile::TempDir,
    client: Client,
}

impl Deref for Archive {
    type Target = archive::Archive;

    fn deref(&self) -> &archive::Archive {
        &self.archive
    }
}

impl DerefMut for Archive {
    fn deref_mut(&mut self) -> &mut archive::Archive {
        &mut self.archive
    }
}

impl Archive {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let archive = archive::Archive::new(folder.path());
        let client = Client::with_patience(&host(folder.path()), false, Patience::default()).expect("client");
        Self { archive, folder, client }
    }

    fn request(&self, packages: &[&str]) -> Packages {
        let address = Url::from_file_path(self.folder.path().join("debian")).expect("address");
        let keyring = self.folder.path().join("key.asc");
        Packages {
            packages: packages.iter().map(ToString::to_string).collect(),
            without: Vec::new(),
            cures: Vec::new(),
            sources: Some(written(&address, &["test".to_owned()], &["main".to_owned()], &[keyring], false)),
        }
    }

    fn with_kit<T>(&self, work: impl FnOnce(&Kit<'_>) -> T) -> T {
        let host = host(self.folder.path());
        let cache = Cache::open(&self.folder.path().join("cache")).expect("cache");
        let (report, lists) = (progress::silent(), lists::Lists::default());
        let log = self.folder.path().join("log");
        work(&Kit {
            work: Path::new("/nowhere"),
            host: &host,
            client: &self.client,
            cache: &cache,
            report: &report,
            log: &log,
            jobs: 2,
            distrust: false,
            lists: Some(&lists),
        })
    }

    /// Everything, into a folder.
    fn install(&self, request: &Packages, folder: &str) -> Result<PathBuf, String> {
        let folder = self.path(&format!("{folder}/x")).parent().expect("parent").to_owned();
        self.with_kit(|kit| {
            let pins = request.resolve(kit, &[])?;
            request.fetch(kit, &pins)?;
            request.realise(kit, &pins, &folder)
        })
        .map(|_| folder)
        .map_err(|error| {
            let mut said = error.to_string();
            said = said.replace(&self.folder.path().display().to_string(), "[DIR]");
            said
        })
    }
}

fn host(folder: &Path) -> Host {
    Host {
        vars: BTreeMap::from([("HOME".to_owned(), folder.display().to_string())]),
        folder: folder.to_owned(),
        user: 0,
        name: "here".into(),
        program: "/bin/true".into(),
    }
}

#[test]
fn packages_are_found_proven_unpacked_and_made_to_fit() {
    let mut archive = Archive::new();
    let conf: Content = ("usr/lib/web/run", "#!/bin/sh\nROOT=/usr/lib/web\n");
    archive.package(
        "web",
        "Depends: words (>= 1), adduser\n",
        &[conf, ("etc/web.conf", "-> /usr/share/web.conf")],
        "xz",
    );
    archive.package("words", "", &[("usr/share/words", "a b")], "zst");
    archive.package("other", "", &[("usr/share/other", "c")], "gz");
    archive.sign(&archive.key, 3600);
    let cure = Cure { path: "usr/lib/*/run".into(), from: "ROOT=".into(), to: "ROOT=@OBJECT@".into() };
    let request = Packages { cures: vec![cure], ..archive.request(&["web"]) };
    let folder = archive.install(&request, "object").expect("installed");
    let read = |path: &str| std::fs::read_to_string(folder.join(path)).expect("read");
    assert_eq!(read("usr/lib/web/run"), format!("#!/bin/sh\nROOT={}/usr/lib/web\n", folder.display()));
    assert_eq!(read("usr/share/words"), "a b");
    assert!(!folder.join("usr/share/other").exists());
    assert_eq!(std::fs::read_link(folder.join("etc/web.conf")).expect("link"), Path::new("../usr/share/web.conf"));
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &folder.join("usr/lib/web/run").metadata().expect("facts").permissions(),
    );
    assert_eq!(mode & 0o7777, 0o755, "no file is run as another user");
}

#[test]
fn a_file_of_several_names_stays_one() {
    use std::os::unix::fs::MetadataExt as _;
    let mut archive = Archive::new();
    let files = [
        ("usr/bin/words", "a b"),
        ("usr/bin/one", "#!/usr/bin/words\nROOT=/x\n"),
        ("usr/lib/two", "=> usr/bin/one"),
        ("usr/lib/three", "=> usr/bin/one"),
    ];
    archive.package("many", "", &files, "xz");
    archive.sign(&archive.key, 3600);
    let cure = Cure { path: "usr/lib/t*".into(), from: "ROOT=".into(), to: "ROOT=@OBJECT@".into() };
    let plain = archive.install(&archive.request(&["many"]), "plain").expect("installed");
    let cured = archive.install(&Packages { cures: vec![cure], ..archive.request(&["many"]) }, "cured").expect("cured");
    let of = |folder: &Path, name: &str| {
        let path = folder.join(name);
        (path.metadata().expect("facts").ino(), std::fs::read_to_string(path).expect("read"))
    };
    let first = of(&plain, "usr/bin/one");
    assert_eq!(first.1, format!("#!{}/usr/bin/words\nROOT=/x\n", plain.display()));
    assert_eq!([&of(&plain, "usr/lib/two"), &of(&plain, "usr/lib/three")], [&first, &first]);
    // A cure names files by path: what it does not name stays, and what it names stays together.
    assert!(of(&cured, "usr/bin/one").1.ends_with("ROOT=/x\n"));
    assert!(of(&cured, "usr/lib/two").1.ends_with(&format!("ROOT={}/x\n", cured.display())));
    assert_eq!(of(&cured, "usr/lib/two"), of(&cured, "usr/lib/three"));
}

#[test]
fn what_is_pinned_comes_from_the_cache_when_the_archive_is_gone() {
    let mut archive = Archive::new();
    archive.package("web", "", &[("usr/bin/web", "x")], "xz");
    archive.sign(&archive.key, 3600);
    let request = archive.request(&["web"]);
    let pins = archive.with_kit(|kit| {
        let pins = request.resolve(kit, &[]).expect("resolved");
        request.fetch(kit, &pins).expect("fetched");
        pins
    });
    assert_eq!(pins[0].place.as_deref(), Some(format!("test pool/web_1_{}.deb", machine()).as_str()));
    assert_eq!((pins[0].version.as_str(), pins[0].trust.as_str()), ("1", "signature"));
    std::fs::remove_dir_all(archive.folder.path().join("debian")).expect("removed");
    archive.with_kit(|kit| request.fetch(kit, &pins).expect("nothing is asked"));
}

#[test]
fn an_archive_that_is_not_to_be_trusted_is_refused_and_nothing_of_it_read() {
    let mut archive = Archive::new();
    archive.package("web", "", &[("usr/bin/web", "x")], "xz");
    let request = archive.request(&["web"]);
    let fails = |archive: &Archive| archive.install(&request, "object").expect_err("refused");
    archive.sign(&key(), 3600);
    let strange = fails(&archive);
    assert!(
        strange.contains("the suite test is not trusted") && strange.contains("by a key of the keyring"),
        "{strange}"
    );
    archive.sign(&archive.key, -60);
    assert!(fails(&archive).contains("the suite test is too old: it counted until"), "{}", fails(&archive));
    let mut snapshot = archive.request(&["web"]);
    snapshot.sources.iter_mut().flatten().for_each(|source| source.any_age = true);
    archive.with_kit(|kit| snapshot.resolve(kit, &[]).expect("a snapshot is taken as it is"));
    archive.sign(&archive.key, 3600);
    let release = archive.path("debian/dists/test/InRelease");
    let text = std::fs::read_to_string(&release).expect("read");
    std::fs::write(&release, text.replace("Origin: Test", "Origin: Tost")).expect("written");
    assert!(fails(&archive).contains("the text was altered"), "{}", fails(&archive));
    std::fs::write(&release, format!("Origin: Evil\n\n{text}")).expect("written");
    assert!(fails(&archive).contains("it is not signed"), "{}", fails(&archive));
    std::fs::write(&release, "Origin: Test\n").expect("written");
    assert!(fails(&archive).contains("it is not signed"), "{}", fails(&archive));
    std::fs::remove_file(&release).expect("removed");
    assert!(fails(&archive).contains("answered 404"), "{}", fails(&archive));
    std::fs::remove_file(archive.path("key.asc")).expect("removed");
    archive.sign(&archive.key, 3600);
    assert!(fails(&archive).contains("there are no keys to check it with"), "{}", fails(&archive));
}

#[test]
fn a_source_without_a_key_of_its_own_is_proven_by_what_apt_trusts() {
    let root = tempfile::tempdir().expect("folder");
    let (own, stranger) = (key(), key());
    let put = |place: &str, key: &SignedSecretKey| {
        let path = root.path().join(place);
        std::fs::create_dir_all(path.parent().expect("parent")).expect("made");
        let public = SignedPublicKey::from(key.clone()).to_armored_string(ArmorOptions::default());
        std::fs::write(path, public.expect("armoured")).expect("written");
    };
    let takes = |key: &SignedSecretKey| {
        let signed =
            CleartextSignedMessage::sign(rand::thread_rng(), "Suite: a\n", &key.primary_key, &Password::empty());
        let text = signed.expect("signed").to_armored_string(ArmorOptions::default()).expect("armoured");
        suite::of_machine(root.path()).check(&text, jiff::Timestamp::now()).is_ok()
    };
    // What only the source of somebody else may use counts for no other, whatever it is called.
    put("usr/share/keyrings/stranger.gpg", &stranger);
    put("usr/share/keyrings/stranger-archive-keyring.gpg", &stranger);
    assert!(suite::of_machine(root.path()).is_empty());
    for name in ["debian", "ubuntu", "kin", "parent"] {
        let place = format!("usr/share/keyrings/{name}-archive-keyring.gpg");
        put(&place, &own);
        let release = "NAME=\"Kin\"\nID=kin\nID_LIKE=\"parent other\"\n";
        std::fs::create_dir_all(root.path().join("etc")).expect("made");
        std::fs::write(root.path().join("etc/os-release"), release).expect("written");
        assert_eq!((takes(&own), takes(&stranger)), (true, false), "{name}");
        std::fs::remove_file(root.path().join(place)).expect("removed");
    }
    // Where apt trusts a key, those alone count.
    put("usr/share/keyrings/debian-archive-keyring.gpg", &stranger);
    for place in ["etc/apt/trusted.gpg", "etc/apt/trusted.gpg.d/own.asc", "etc/apt/trusted.gpg.d/own.gpg"] {
        put(place, &own);
        assert_eq!((takes(&own), takes(&stranger)), (true, false), "{place}");
        std::fs::remove_file(root.path().join(place)).expect("removed");
        assert_eq!((takes(&own), takes(&stranger)), (false, true), "{place}");
    }
}

#[test]
fn a_mirror_that_contradicts_itself_is_told() {
    let mut archive = Archive::new();
    archive.package("web", "", &[("usr/bin/web", "x")], "xz");
    archive.sign(&archive.key, 3600);
    let list = archive.path(&format!("debian/dists/test/main/binary-{}/Packages", machine()));
    std::fs::write(&list, "Package: evil\n").expect("written");
    let said = archive.install(&archive.request(&["web"]), "object").expect_err("refused");
    assert!(said.contains("main_binary-") && said.contains("Packages"), "{said}");
    archive.sign(&archive.key, 3600);
    std::fs::write(archive.path(&format!("debian/pool/web_1_{}.deb", machine())), "cut off").expect("written");
    let said = archive.install(&archive.request(&["web"]), "object").expect_err("refused");
    assert!(said.contains("web_1_"), "{said}");
}

#[test]
fn a_package_that_writes_elsewhere_or_over_another_is_refused() {
    let mut archive = Archive::new();
    archive.package("climber", "", &[("../../evil", "x")], "xz");
    archive.package("first", "", &[("usr/share/same", "1")], "xz");
    archive.package("second", "", &[("usr/share/same", "2")], "xz");
    archive.package("linker", "", &[("usr/out", "-> ../../../etc/passwd")], "xz");
    archive.sign(&archive.key, 3600);
    let said =
        |packages: &[&str], folder: &str| archive.install(&archive.request(packages), folder).expect_err("refused");
    assert!(said(&["climber"], "a").contains("climbs out of its folder"), "{}", said(&["climber"], "a"));
    assert!(said(&["first", "second"], "b").contains("stands in its way"));
    assert!(said(&["linker"], "c").contains("outside of the archive"));
    assert!(said(&["frist"], "d").contains("did you mean `first`?"));
}

#[test]
fn a_cure_that_finds_nothing_says_so() {
    let mut archive = Archive::new();
    archive.package("web", "", &[("usr/bin/web", "x")], "xz");
    archive.sign(&archive.key, 3600);
    let cure = Cure { path: "usr/bin/web".into(), from: "ROOT=".into(), to: "y".into() };
    let request = Packages { cures: vec![cure], ..archive.request(&["web"]) };
    insta::assert_snapshot!(archive.install(&request, "object").expect_err("refused"), @"the cure of `usr/bin/web` found no `ROOT=`: the package changed; correct the recipe's `deb_cures`");
}

#[test]
fn the_suites_that_answer_are_there_whoever_else_does_not() {
    let archive = Archive::new();
    archive.sign(&archive.key, 3600);
    let root = archive.folder.path().to_owned();
    // As a mirror answers: its root too, and the suites that it has.
    let server = Server::start(move |request| match std::fs::read(root.join(request.target.trim_start_matches('/'))) {
        Ok(_) => Reply::ok("signed"),
        Err(_) if request.target == "/debian/" => Reply::ok("<html>"),
        Err(_) => Reply::new("404 Not Found", ""),
    });
    let silent = Server::start(|_| Reply::ok("late").cut(0, Ending::Silence));
    let nobody = Server::nobody();
    let told = |wanted: &[(&Url, &str)], patience: u64| {
        let of = |(address, suite): &(&Url, &str)| {
            written(address, &[(*suite).to_owned()], &["main".to_owned()], &[], false)
        };
        let sources: Vec<Source> = wanted.iter().flat_map(of).collect();
        let told = reach::reach(&archive.client, &sources, Duration::from_secs(patience));
        let mut said = told.unwrap_or_else(|error| format!("not: {error}"));
        for (server, name) in [(&server, "[SERVER]"), (&silent, "[SILENT]")] {
            said = said.replace(server.url("").as_str().trim_end_matches('/'), name);
        }
        said.replace(&format!("http://127.0.0.1:{}", nobody.port().expect("port")), "[NOBODY]")
    };
    let here = server.url("/debian");
    insta::assert_snapshot!(told(&[(&nobody, "a"), (&here, "test"), (&here, "gone")], 60), @"test at [SERVER]/debian/");
    insta::assert_snapshot!(told(&[(&here, "gone"), (&nobody, "a")], 60), @"not: [SERVER]/debian/dists/gone/InRelease answered 404: the archive has no such suite, or no `InRelease`; [NOBODY]/x/dists/a/InRelease could not be fetched: no connection: Connection refused (os error 111)");
    let late = silent.url("/debian");
    insta::assert_snapshot!(told(&[(&late, "a"), (&here, "test"), (&late, "b")], 3), @"test at [SERVER]/debian/");
    insta::assert_snapshot!(told(&[(&late, "a"), (&late, "b")], 1), @"not: [SILENT]/debian/ did not answer within 1 s");
}
