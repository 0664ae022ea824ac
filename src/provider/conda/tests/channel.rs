//! A channel that a test writes: real packages in both forms, an index, and a place to serve it from.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::super::*;
use crate::host::Host;
use crate::net::{Cache, Client, Patience};
use crate::progress;

/// What stands for the place of an environment in a package, as conda-build writes it.
pub const PLACEHOLDER: &str = "/opt/anaconda1anaconda2anaconda3/_placehold_placehold_placehold_placehold_placehold";

/// A package to be written.
#[derive(Clone)]
pub struct Package {
    pub name: &'static str,
    pub version: &'static str,
    pub depends: Vec<&'static str>,
    pub noarch: Option<&'static str>,
    pub commands: Vec<&'static str>,
    /// Path, content (a link, if it starts with `-> `), and how the placeholder in it is to be replaced.
    pub files: Vec<(&'static str, Vec<u8>, Option<&'static str>)>,
}

impl Package {
    pub fn new(name: &'static str, version: &'static str, depends: &[&'static str]) -> Self {
        Self { name, version, depends: depends.to_vec(), noarch: None, commands: Vec::new(), files: Vec::new() }
    }

    pub fn file(mut self, path: &'static str, content: impl AsRef<[u8]>) -> Self {
        self.files.push((path, content.as_ref().to_vec(), None));
        self
    }

    /// A file that names the environment's place.
    pub fn placed(mut self, path: &'static str, content: impl AsRef<[u8]>, mode: &'static str) -> Self {
        self.files.push((path, content.as_ref().to_vec(), Some(mode)));
        self
    }

    pub fn noarch(mut self, kind: &'static str, commands: &[&'static str]) -> Self {
        self.noarch = Some(kind);
        self.commands = commands.to_vec();
        self
    }

    fn subdir(&self) -> String {
        let own = subdir(&Platform::current()).expect("a platform").to_string();
        if self.noarch.is_some() { "noarch".to_owned() } else { own }
    }

    fn index(&self) -> Value {
        let mut index = json!({
            "name": self.name, "version": self.version, "build": "h0_0", "build_number": 0,
            "depends": self.depends, "subdir": self.subdir(), "timestamp": 1_700_000_000_000_u64,
        });
        if let Some(kind) = self.noarch {
            index["noarch"] = json!(kind);
        }
        index
    }

    fn paths(&self) -> Value {
        let entry = |(path, content, mode): &(&str, Vec<u8>, Option<&str>)| {
            let is_link = content.starts_with(b"-> ");
            let mut entry = json!({"_path": path, "path_type": if is_link { "softlink" } else { "hardlink" }});
            if !is_link {
                entry["sha256"] = json!(Sha256::of(content).to_hex());
                entry["size_in_bytes"] = json!(content.len());
            }
            if let Some(mode) = mode {
                entry["file_mode"] = json!(mode);
                entry["prefix_placeholder"] = json!(PLACEHOLDER);
            }
            entry
        };
        json!({"paths": self.files.iter().map(entry).collect::<Vec<_>>(), "paths_version": 1})
    }

    /// What is said of it and what it holds, as two tars.
    fn tars(&self) -> (Vec<u8>, Vec<u8>) {
        let mut info = vec![
            ("info/index.json", self.index().to_string().into_bytes()),
            ("info/paths.json", self.paths().to_string().into_bytes()),
        ];
        if self.noarch == Some("python") {
            let link =
                json!({"noarch": {"type": "python", "entry_points": self.commands}, "package_metadata_version": 1});
            info.push(("info/link.json", link.to_string().into_bytes()));
        }
        let files: Vec<(&str, Vec<u8>)> =
            self.files.iter().map(|(path, content, _)| (*path, content.clone())).collect();
        (tar(&info), tar(&files))
    }
}

fn tar(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_mode(if path.starts_with("bin/") { 0o755 } else { 0o644 });
        if let Some(target) = content.strip_prefix(b"-> ") {
            header.set_entry_type(tar::EntryType::Symlink);
            header.set_size(0);
            tar.append_link(&mut header, path, String::from_utf8_lossy(target).as_ref()).expect("link");
        } else {
            header.set_size(content.len() as u64);
            // The library refuses to write what a hostile packer would.
            header.as_gnu_mut().expect("gnu").name[..path.len()].copy_from_slice(path.as_bytes());
            header.set_cksum();
            tar.append(&header, content.as_slice()).expect("file");
        }
    }
    tar.into_inner().expect("tar")
}

/// A channel in a folder, and a home with a cache beside it.
pub struct Place {
    pub root: tempfile::TempDir,
    pub host: Host,
    pub offline: bool,
}

impl Place {
    pub fn new() -> Self {
        let root = tempfile::tempdir().expect("folder");
        fs::create_dir(root.path().join("home")).expect("home");
        let home = root.path().join("home").display().to_string();
        let host = Host {
            vars: [("HOME".to_owned(), home), ("CONDA_OVERRIDE_GLIBC".to_owned(), "2.17".to_owned())].into(),
            folder: root.path().to_owned(),
            user: 1,
            name: "here".into(),
            program: "/bin/true".into(),
        };
        let place = Self { root, host, offline: false };
        place.write("channel", &[]);
        place
    }

    pub fn path(&self, below: &str) -> PathBuf {
        self.root.path().join(below)
    }

    /// Writes packages, in the newer form, and the index of them into a channel, in place of what it had.
    pub fn write(&self, channel: &str, packages: &[Package]) {
        self.write_as(channel, packages, "conda");
    }

    /// As [`write`](Self::write), in either form.
    pub fn write_as(&self, channel: &str, packages: &[Package], form: &str) {
        let own = subdir(&Platform::current()).expect("a platform").to_string();
        for subdir in [own.as_str(), "noarch"] {
            let folder = self.path(channel).join(subdir);
            fs::create_dir_all(&folder).expect("made");
            let mut index =
                json!({"info": {"subdir": subdir}, "packages": {}, "packages.conda": {}, "repodata_version": 1});
            for package in packages.iter().filter(|package| package.subdir() == subdir) {
                let file = format!("{}-{}-h0_0.{form}", package.name, package.version);
                let bytes = archive(package, form);
                let mut record = package.index();
                record["sha256"] = json!(Sha256::of(&bytes).to_hex());
                record["size"] = json!(bytes.len());
                fs::write(folder.join(&file), &bytes).expect("written");
                index[if form == "conda" { "packages.conda" } else { "packages" }][&file] = record;
            }
            let text = index.to_string();
            fs::write(folder.join("repodata.json"), &text).expect("written");
            fs::write(folder.join("repodata.json.zst"), zstd::encode_all(text.as_bytes(), 1).expect("packed"))
                .expect("written");
        }
    }

    /// Has an index of a channel that is there be in shards, in place of the whole one: a file for each package's name, by its
    /// digest, and a list of them.
    pub fn shard(&self, channel: &str) {
        for folder in fs::read_dir(self.path(channel)).expect("a channel").map(|entry| entry.expect("entry").path()) {
            let text = fs::read(folder.join("repodata.json")).expect("an index");
            let index: Value = serde_json::from_slice(&text).expect("JSON");
            let mut by_name: BTreeMap<String, Value> = BTreeMap::new();
            for kind in ["packages", "packages.conda"] {
                for (file, record) in index[kind].as_object().expect("packages") {
                    let name = record["name"].as_str().expect("a name").to_owned();
                    let empty = || json!({"packages": {}, "packages.conda": {}, "removed": []});
                    by_name.entry(name).or_insert_with(empty)[kind][file] = record.clone();
                }
            }
            let mut list =
                json!({"info": {"subdir": index["info"]["subdir"], "base_url": "./", "shards_base_url": "./"}});
            list["shards"] = json!({});
            for (name, shard) in by_name {
                let packed = packed(&shard);
                let digest = Sha256::of(&packed).to_hex();
                fs::write(folder.join(format!("{digest}.msgpack.zst")), packed).expect("written");
                list["shards"][name] = json!(digest);
            }
            fs::write(folder.join("repodata_shards.msgpack.zst"), packed(&list)).expect("written");
            for whole in ["repodata.json", "repodata.json.zst"] {
                fs::remove_file(folder.join(whole)).expect("removed");
            }
        }
    }

    pub fn request(&self, packages: &[&str]) -> Packages {
        let channel = self.path("channel").display().to_string();
        self.request_of(&[channel], packages)
    }

    pub fn request_of(&self, channels: &[String], packages: &[&str]) -> Packages {
        let channels = Channels::of(&self.host, channels, None).expect("channels");
        let packages = packages.iter().map(ToString::to_string).collect();
        Packages { packages, channels, digests: BTreeMap::new(), files: Vec::new(), clobber: Clobber::Refuse }
    }

    pub fn with_kit<T>(&self, work: impl FnOnce(&Kit<'_>) -> T) -> T {
        let quick = Patience {
            connect: Duration::from_secs(2),
            stall: Duration::from_secs(5),
            attempts: 2,
            pause: Duration::from_millis(1),
            longest_pause: Duration::from_secs(1),
        };
        let client = Client::with_patience(&self.host, self.offline, quick).expect("client");
        let cache = Cache::open(&self.path("home/.cache/jove-install")).expect("cache");
        let (report, log) = (progress::silent(), self.path("log"));
        work(&Kit {
            work: std::path::Path::new("/nowhere"),
            host: &self.host,
            client: &client,
            cache: &cache,
            report: &report,
            log: &log,
            jobs: 4,
            distrust: false,
            lists: None,
        })
    }

    /// Resolves, fetches and makes a folder.
    pub fn install(&self, request: &Packages, object: &Path) -> Result<Vec<Pinned>, ProvideError> {
        self.with_kit(|kit| {
            let pins = request.resolve(kit, &[])?;
            request.fetch(kit, &pins)?;
            fs::create_dir_all(object).expect("made");
            request.realise(kit, &pins, object)?;
            Ok(pins)
        })
    }

    /// What a resolution fails with.
    pub fn refusal(&self, request: &Packages) -> String {
        self.with_kit(|kit| request.resolve(kit, &[])).expect_err("refused").to_string()
    }
}

fn packed(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_value(value, &mut bytes);
    zstd::encode_all(bytes.as_slice(), 1).expect("packed")
}

/// Writes a value as MessagePack; a digest as its bytes, as shards have it.
fn write_value(value: &Value, to: &mut Vec<u8>) {
    fn head(kind: u8, count: usize, to: &mut Vec<u8>) {
        to.push(kind);
        to.extend(u32::try_from(count).expect("a small one").to_be_bytes());
    }
    fn write_text(text: &str, to: &mut Vec<u8>) {
        head(0xdb, text.len(), to);
        to.extend(text.as_bytes());
    }
    match value {
        Value::Null => to.push(0xc0),
        Value::Bool(is_true) => to.push(if *is_true { 0xc3 } else { 0xc2 }),
        Value::Number(number) => {
            to.push(0xcf);
            to.extend(number.as_u64().expect("a natural number").to_be_bytes());
        }
        Value::String(text) => match text.parse::<Sha256>() {
            Ok(digest) => {
                head(0xc6, digest.as_bytes().len(), to);
                to.extend(digest.as_bytes());
            }
            Err(_) => write_text(text, to),
        },
        Value::Array(list) => {
            head(0xdd, list.len(), to);
            list.iter().for_each(|value| write_value(value, to));
        }
        Value::Object(fields) => {
            head(0xdf, fields.len(), to);
            for (name, value) in fields {
                write_text(name, to);
                write_value(value, to);
            }
        }
    }
}

/// The bytes of a package.
pub fn archive(package: &Package, form: &str) -> Vec<u8> {
    let (info, payload) = package.tars();
    if form == "tar.bz2" {
        let both = [&info[..info.len() - 1024], &payload].concat();
        let mut packer = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
        packer.write_all(&both).expect("packed");
        return packer.finish().expect("packed");
    }
    let stem = format!("{}-{}-h0_0", package.name, package.version);
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    // The default time is now, and a package that is written again is the same package.
    let plain = zip::write::SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Stored)
        .last_modified_time(zip::DateTime::default());
    for (name, bytes) in [
        ("metadata.json".to_owned(), br#"{"conda_pkg_format_version": 2}"#.to_vec()),
        (format!("pkg-{stem}.tar.zst"), zstd::encode_all(payload.as_slice(), 1).expect("packed")),
        (format!("info-{stem}.tar.zst"), zstd::encode_all(info.as_slice(), 1).expect("packed")),
    ] {
        zip.start_file(name, plain).expect("member");
        zip.write_all(&bytes).expect("member");
    }
    zip.finish().expect("zip").into_inner()
}

/// The files of a folder: path, mode in octal and content, links as `-> target`.
pub fn listing(folder: &Path) -> String {
    let mut lines = Vec::new();
    for entry in walkdir::WalkDir::new(folder).sort_by_file_name().into_iter().map(|entry| entry.expect("entry")) {
        let path = entry.path().strip_prefix(folder).expect("below").display().to_string();
        let shown = if entry.file_type().is_symlink() {
            format!("-> {}", fs::read_link(entry.path()).expect("link").display())
        } else if entry.file_type().is_file() && !path.starts_with("conda-meta/") {
            let mode = entry.metadata().expect("metadata").permissions().mode() & 0o777;
            let text = String::from_utf8_lossy(&fs::read(entry.path()).expect("read")).replace('\0', "␀");
            format!("{mode:o} {}", text.replace(&folder.display().to_string(), "[OBJECT]"))
        } else if entry.file_type().is_file() {
            String::new()
        } else {
            continue;
        };
        lines.push(format!("{path} {shown}").trim_end().to_owned());
    }
    lines.join("\n")
}
