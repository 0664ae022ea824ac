//! A whole archive, made and signed on the spot, and everything that may be wrong with one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use pgp::composed::{
    ArmorOptions, CleartextSignedMessage, KeyType, SecretKeyParamsBuilder, SignedPublicKey, SignedSecretKey,
};
use pgp::types::Password;

use super::source::written;
use super::*;
use crate::digest::Sha256;
use crate::host::Host;
use crate::net::{Cache, Client, Patience};
use crate::progress;

fn key() -> SignedSecretKey {
    let mut params = SecretKeyParamsBuilder::default();
    params
        .key_type(KeyType::Ed25519Legacy)
        .can_certify(true)
        .can_sign(true)
        .primary_user_id("Archive <a@example.org>".into());
    params.build().expect("parameters").generate(rand::thread_rng()).expect("a key")
}

/// One file of a package: its path in the tar, and its content or, as `-> target`, a link.
type Content = (&'static str, &'static str);

/// A package as `dpkg-deb` makes it.
fn deb(files: &[Content], packing: &str) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o4755);
        if let Some(target) = content.strip_prefix("-> ") {
            header.set_entry_type(tar::EntryType::Symlink);
            header.set_size(0);
            tar.append_link(&mut header, path, target).expect("link");
        } else {
            header.set_size(content.len() as u64);
            // The library refuses to write what a hostile packer would.
            header.as_gnu_mut().expect("gnu").name[..path.len()].copy_from_slice(path.as_bytes());
            header.set_cksum();
            tar.append(&header, content.as_bytes()).expect("file");
        }
    }
    let plain = tar.into_inner().expect("tar");
    let packed = match packing {
        "gz" => {
            let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            std::io::Write::write_all(&mut packer, &plain).expect("packed");
            packer.finish().expect("packed")
        }
        "zst" => zstd::encode_all(plain.as_slice(), 1).expect("packed"),
        _ => {
            let mut packer = liblzma::write::XzEncoder::new(Vec::new(), 1);
            std::io::Write::write_all(&mut packer, &plain).expect("packed");
            packer.finish().expect("packed")
        }
    };
    let mut archive = ar::Builder::new(Vec::new());
    for (name, bytes) in [("debian-binary".to_owned(), b"2.0\n".to_vec()), (format!("data.tar.{packing}"), packed)] {
        let header = ar::Header::new(name.into_bytes(), bytes.len() as u64);
        archive.append(&header, bytes.as_slice()).expect("member");
    }
    archive.into_inner().expect("ar")
}

/// An archive in a folder, its keyring, a cache.
struct Archive {
    folder: tempfile::TempDir,
    key: SignedSecretKey,
    lists: String,
    client: Client,
}

impl Archive {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let key = key();
        let public = SignedPublicKey::from(key.clone());
        let armoured = public.to_armored_string(ArmorOptions::default()).expect("armoured");
        std::fs::write(folder.path().join("key.asc"), armoured).expect("written");
        let host = host(folder.path());
        let client = Client::with_patience(&host, false, Patience::default()).expect("client");
        Self { folder, key, lists: String::new(), client }
    }

    fn path(&self, below: &str) -> PathBuf {
        let path = self.folder.path().join(below);
        std::fs::create_dir_all(path.parent().expect("parent")).expect("made");
        path
    }

    /// Adds a package; `fields` are further lines of its paragraph.
    fn package(&mut self, name: &str, fields: &str, files: &[Content], packing: &str) {
        let bytes = deb(files, packing);
        let place = format!("pool/{name}_1_amd64.deb");
        std::fs::write(self.path(&format!("debian/{place}")), &bytes).expect("written");
        let (digest, size) = (Sha256::of(&bytes).to_hex(), bytes.len());
        self.lists.push_str(&format!(
            "Package: {name}\nVersion: 1\nFilename: {place}\nSize: {size}\nSHA256: {digest}\n{fields}\n"
        ));
    }

    /// Signs what there is by a key, valid for as many seconds.
    fn sign(&self, key: &SignedSecretKey, life: i64) {
        let name = format!("main/binary-{}/Packages", machine());
        std::fs::write(self.path(&format!("debian/dists/test/{name}")), &self.lists).expect("written");
        let until = Timestamp::now() + jiff::SignedDuration::from_secs(life);
        let release = format!(
            "Origin: Test\nValid-Until: {}\nSHA256:\n {} {} {name}\n",
            until.strftime("%a, %d %b %Y %H:%M:%S UTC"),
            Sha256::of(&self.lists).to_hex(),
            self.lists.len()
        );
        let signed = CleartextSignedMessage::sign(rand::thread_rng(), &release, &key.primary_key, &Password::empty());
        let text = signed.expect("signed").to_armored_string(ArmorOptions::default()).expect("armoured");
        std::fs::write(self.path("debian/dists/test/InRelease"), text).expect("written");
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
        let report = progress::silent();
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
    assert_eq!(pins[0].place.as_deref(), Some("test pool/web_1_amd64.deb"));
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
fn a_mirror_that_contradicts_itself_is_told() {
    let mut archive = Archive::new();
    archive.package("web", "", &[("usr/bin/web", "x")], "xz");
    archive.sign(&archive.key, 3600);
    let list = archive.path(&format!("debian/dists/test/main/binary-{}/Packages", machine()));
    std::fs::write(&list, "Package: evil\n").expect("written");
    let said = archive.install(&archive.request(&["web"]), "object").expect_err("refused");
    assert!(said.contains("main_binary-") && said.contains("Packages"), "{said}");
    archive.sign(&archive.key, 3600);
    std::fs::write(archive.path("debian/pool/web_1_amd64.deb"), "cut off").expect("written");
    let said = archive.install(&archive.request(&["web"]), "object").expect_err("refused");
    assert!(said.contains("web_1_amd64.deb"), "{said}");
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
