//! [`Archive`]: a small Debian archive in a folder, its packages made and its lists signed on the spot.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use pgp::composed::{
    ArmorOptions, CleartextSignedMessage, KeyType, SecretKeyParamsBuilder, SignedPublicKey, SignedSecretKey,
};
use pgp::types::Password;
use sha2::Digest as _;

/// A key that can sign an archive.
pub fn key() -> SignedSecretKey {
    let mut params = SecretKeyParamsBuilder::default();
    params
        .key_type(KeyType::Ed25519Legacy)
        .can_certify(true)
        .can_sign(true)
        .primary_user_id("Archive <a@example.org>".into());
    params.build().expect("parameters").generate(rand::thread_rng()).expect("a key")
}

/// This machine's kind, in Debian's word.
pub fn machine() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn hex(bytes: &[u8]) -> String {
    sha2::Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A package as `dpkg-deb` makes it. The content of a file that begins with `-> ` is the target of a symbolic link, with `=> `
/// that of a hard link.
fn deb<T: AsRef<[u8]>>(files: &[(&str, T)], packing: &str) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (path, content) in files {
        let content = content.as_ref();
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o4755);
        let kinds = [(&b"-> "[..], tar::EntryType::Symlink), (&b"=> "[..], tar::EntryType::Link)];
        let link = kinds.iter().find_map(|(sign, kind)| Some((kind, content.strip_prefix(*sign)?)));
        if let Some((kind, target)) = link {
            header.set_entry_type(*kind);
            header.set_size(0);
            tar.append_link(&mut header, path, std::str::from_utf8(target).expect("text")).expect("link");
        } else {
            header.set_size(content.len() as u64);
            // The library refuses to write what a hostile packer would.
            header.as_gnu_mut().expect("gnu").name[..path.len()].copy_from_slice(path.as_bytes());
            header.set_cksum();
            tar.append(&header, content).expect("file");
        }
    }
    let plain = tar.into_inner().expect("tar");
    let packed = match packing {
        "gz" => {
            let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            packer.write_all(&plain).expect("packed");
            packer.finish().expect("packed")
        }
        "zst" => zstd::encode_all(plain.as_slice(), 1).expect("packed"),
        _ => {
            let mut packer = liblzma::write::XzEncoder::new(Vec::new(), 1);
            packer.write_all(&plain).expect("packed");
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

/// An archive in `debian/` of a folder, with the suite `test`, and its key in `key.asc`.
pub struct Archive {
    folder: PathBuf,
    /// What signs it.
    pub key: SignedSecretKey,
    lists: String,
}

impl Archive {
    /// One without packages, in a folder.
    pub fn new(folder: &Path) -> Self {
        let key = key();
        let public = SignedPublicKey::from(key.clone());
        let armoured = public.to_armored_string(ArmorOptions::default()).expect("armoured");
        std::fs::write(folder.join("key.asc"), armoured).expect("written");
        Self { folder: folder.to_owned(), key, lists: String::new() }
    }

    /// A place in the folder; what is above it is made.
    pub fn path(&self, below: &str) -> PathBuf {
        let path = self.folder.join(below);
        std::fs::create_dir_all(path.parent().expect("parent")).expect("made");
        path
    }

    /// Adds a package; `fields` are further lines of its paragraph.
    pub fn package<T: AsRef<[u8]>>(&mut self, name: &str, fields: &str, files: &[(&str, T)], packing: &str) {
        self.version(name, "1", fields, files, packing);
    }

    /// Adds a version of a package.
    pub fn version<T: AsRef<[u8]>>(
        &mut self,
        name: &str,
        version: &str,
        fields: &str,
        files: &[(&str, T)],
        packing: &str,
    ) {
        let bytes = deb(files, packing);
        let place = format!("pool/{name}_{version}_{}.deb", machine());
        std::fs::write(self.path(&format!("debian/{place}")), &bytes).expect("written");
        let (digest, size) = (hex(&bytes), bytes.len());
        self.lists.push_str(&format!(
            "Package: {name}\nVersion: {version}\nFilename: {place}\nSize: {size}\nSHA256: {digest}\n{fields}\n"
        ));
    }

    /// Signs what there is by a key, valid for as many seconds.
    pub fn sign(&self, key: &SignedSecretKey, life: i64) {
        self.sign_as("test", key, life);
    }

    /// The same for a suite of another name.
    pub fn sign_as(&self, suite: &str, key: &SignedSecretKey, life: i64) {
        let name = format!("main/binary-{}/Packages", machine());
        std::fs::write(self.path(&format!("debian/dists/{suite}/{name}")), &self.lists).expect("written");
        let until = Timestamp::now() + SignedDuration::from_secs(life);
        let release = format!(
            "Origin: Test\nValid-Until: {}\nSHA256:\n {} {} {name}\n",
            until.strftime("%a, %d %b %Y %H:%M:%S UTC"),
            hex(self.lists.as_bytes()),
            self.lists.len()
        );
        let signed = CleartextSignedMessage::sign(rand::thread_rng(), &release, &key.primary_key, &Password::empty());
        let text = signed.expect("signed").to_armored_string(ArmorOptions::default()).expect("armoured");
        std::fs::write(self.path(&format!("debian/dists/{suite}/InRelease")), text).expect("written");
    }
}
