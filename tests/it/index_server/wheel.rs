//! [`Wheel`]: a pure Python package, made on the spot, the same bytes each time.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Cursor, Write};

use sha2::{Digest, Sha256};
use zip::write::{SimpleFileOptions, ZipWriter};

/// A pure Python package.
#[derive(Debug, Clone)]
pub struct Wheel {
    name: String,
    version: String,
    requires: Vec<String>,
    scripts: Vec<(String, String)>,
    files: BTreeMap<String, String>,
    /// A file as it is, rather than made from the rest.
    given: Option<(String, Vec<u8>)>,
}

/// Its file.
#[derive(Debug)]
pub(super) struct Built {
    /// The name by which the index knows it.
    pub project: String,
    pub version: String,
    pub file: String,
    pub bytes: Vec<u8>,
    pub sha256: String,
    pub metadata: String,
    pub metadata_sha256: String,
}

impl Wheel {
    /// A package with a module of its name (`-` becomes `_`) that holds `VERSION`.
    #[must_use]
    pub fn new(name: &str, version: &str) -> Self {
        let module = format!("{}/__init__.py", name.replace('-', "_"));
        let files = BTreeMap::from([(module, format!("VERSION = \"{version}\"\n"))]);
        Self {
            name: name.into(),
            version: version.into(),
            requires: Vec::new(),
            scripts: Vec::new(),
            files,
            given: None,
        }
    }

    /// A wheel that exists, such as that of a tool: `<name>-<version>-….whl`.
    ///
    /// # Panics
    /// If it is no wheel.
    #[must_use]
    pub fn given(file_name: &str, bytes: Vec<u8>) -> Self {
        let mut words = file_name.split('-');
        let (name, version) = (words.next().unwrap_or_default(), words.next().expect("a wheel's name has a version"));
        Self { given: Some((file_name.to_owned(), bytes)), ..Self::new(name, version) }
    }

    /// Adds or replaces a file.
    #[must_use]
    pub fn file(mut self, path: &str, content: impl Into<String>) -> Self {
        self.files.insert(path.to_owned(), content.into());
        self
    }

    /// Adds a requirement, such as `other >= 2`.
    #[must_use]
    pub fn requires(mut self, requirement: &str) -> Self {
        self.requires.push(requirement.to_owned());
        self
    }

    /// Adds a command that calls `module:function`.
    #[must_use]
    pub fn script(mut self, command: &str, target: &str) -> Self {
        self.scripts.push((command.to_owned(), target.to_owned()));
        self
    }

    /// A WSGI application `<module>:application` that answers with its name, version and path, and the command `<name>-serve PORT [HOST]` that
    /// serves it.
    #[must_use]
    pub fn application(name: &str, version: &str) -> Self {
        let module = name.replace('-', "_");
        let code = format!(
            r#"import os, sys
from wsgiref.simple_server import WSGIServer, make_server

VERSION = "{version}"


class Server(WSGIServer):
    allow_reuse_address = True


def application(environ, start_response):
    body = "{name} {version} " + environ.get("PATH_INFO", "/") + "\n"
    start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
    return [body.encode()]


def main(arguments=None):
    arguments = sys.argv[1:] if arguments is None else arguments
    host = arguments[1] if len(arguments) > 1 else "127.0.0.1"
    with make_server(host, int(arguments[0]), application, server_class=Server) as server:
        print("serving", VERSION, flush=True)
        server.serve_forever()
"#
        );
        Self::new(name, version)
            .file(&format!("{module}/__init__.py"), code)
            .file(&format!("{module}/__main__.py"), format!("from {module} import main\nmain()\n"))
            .script(&format!("{name}-serve"), &format!("{module}:main"))
    }

    /// Its file's name.
    #[must_use]
    pub fn file_name(&self) -> String {
        self.given.as_ref().map_or_else(|| format!("{}-py3-none-any.whl", self.stem()), |(name, _)| name.clone())
    }

    fn stem(&self) -> String {
        format!("{}-{}", self.name.replace('-', "_"), self.version)
    }

    fn metadata(&self) -> String {
        let mut text = format!(
            "Metadata-Version: 2.1\nName: {}\nVersion: {}\nSummary: made by a test\nRequires-Python: >=3.8\n",
            self.name, self.version
        );
        for requirement in &self.requires {
            let _ = writeln!(text, "Requires-Dist: {requirement}");
        }
        text
    }

    pub(super) fn build(self) -> Built {
        let (bytes, metadata) = match &self.given {
            Some((_, bytes)) => (bytes.clone(), metadata_in(bytes, &format!("{}.dist-info/METADATA", self.stem()))),
            None => (self.zipped(), self.metadata()),
        };
        Built {
            project: self.name.to_lowercase().replace(['_', '.'], "-"),
            version: self.version.clone(),
            file: self.file_name(),
            sha256: hex(&Sha256::digest(&bytes)),
            bytes,
            metadata_sha256: hex(&Sha256::digest(&metadata)),
            metadata,
        }
    }

    fn zipped(&self) -> Vec<u8> {
        let info = format!("{}.dist-info", self.stem());
        let mut files = self.files.clone();
        files.insert(format!("{info}/METADATA"), self.metadata());
        files.insert(
            format!("{info}/WHEEL"),
            "Wheel-Version: 1.0\nGenerator: jove-install-test\nRoot-Is-Purelib: true\nTag: py3-none-any\n".into(),
        );
        if !self.scripts.is_empty() {
            let lines = self.scripts.iter().map(|(command, target)| format!("{command} = {target}\n"));
            files.insert(
                format!("{info}/entry_points.txt"),
                format!("[console_scripts]\n{}", lines.collect::<String>()),
            );
        }
        let mut record = String::new();
        for (path, content) in &files {
            let _ = writeln!(record, "{path},sha256={},{}", url_base64(&Sha256::digest(content)), content.len());
        }
        let _ = writeln!(record, "{info}/RECORD,,");
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        let entries = files.into_iter().chain([(format!("{info}/RECORD"), record)]);
        for (path, content) in entries {
            zip.start_file(path, SimpleFileOptions::default().unix_permissions(0o644)).expect("an entry");
            zip.write_all(content.as_bytes()).expect("in memory");
        }
        zip.finish().expect("in memory").into_inner()
    }
}

fn metadata_in(wheel: &[u8], name: &str) -> String {
    let mut archive = zip::ZipArchive::new(Cursor::new(wheel)).expect("a wheel is a zip");
    std::io::read_to_string(archive.by_name(name).expect("a wheel has metadata")).expect("text")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The form that RECORD wants: base64 for addresses, without padding.
fn url_base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let number =
            chunk.iter().fold(0_usize, |number, byte| number << 8 | usize::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..=chunk.len() {
            text.push(char::from(DIGITS[number >> (18 - 6 * place) & 63]));
        }
    }
    text
}

#[test]
fn base64_is_that_of_addresses() {
    for (bytes, text) in [("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg"), ("??>", "Pz8-")] {
        assert_eq!(url_base64(bytes.as_bytes()), text);
    }
}

#[test]
fn a_wheel_is_the_same_bytes_each_time() {
    let made = || Wheel::application("demo-app", "1.0").requires("other").build();
    assert_eq!(made().bytes, made().bytes);
    assert_eq!(made().file, "demo_app-1.0-py3-none-any.whl");
    let again = Wheel::given(&made().file, made().bytes).build();
    assert_eq!((again.project, again.file, again.sha256), (made().project, made().file, made().sha256));
    assert_eq!(again.metadata, made().metadata);
}
