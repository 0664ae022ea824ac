//! Where packages come from: a local index behind a password, a folder of wheels, an index that lies, one that is gone.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use super::*;

/// A package index on loopback: wheels made here, JSON pages, and a password if one is wanted.
struct Server {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start(wheels: Vec<(String, Vec<u8>)>, password: Option<&'static str>, lies: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let heard = asked.clone();
        // Ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (wheels, heard) = (wheels.clone(), heard.clone());
                std::thread::spawn(move || answer(stream.unwrap(), &wheels, password, lies, &heard));
            }
        });
        Self { port, asked }
    }

    fn address(&self, user_info: &str) -> String {
        format!("http://{user_info}127.0.0.1:{}/simple", self.port)
    }
}

fn answer(
    stream: TcpStream,
    wheels: &[(String, Vec<u8>)],
    password: Option<&str>,
    lies: bool,
    heard: &Mutex<Vec<String>>,
) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
    let Some(request) = lines.next() else { return };
    let headers: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
    heard.lock().unwrap().push(path.clone());
    // `bWU6aHVudGVyMg==` is `me:hunter2`.
    let allowed = password.is_none()
        || headers
            .iter()
            .any(|line| line.to_lowercase().starts_with("authorization: basic ") && line.ends_with("bWU6aHVudGVyMg=="));
    let file = wheels.iter().find(|(name, _)| path == format!("/files/{name}"));
    let package = path.trim_start_matches("/simple/").trim_end_matches('/').to_owned();
    let listed: Vec<String> = wheels
        .iter()
        .filter(|(name, _)| name.split('-').next() == Some(package.as_str()))
        .map(|(name, bytes)| {
            let sha = if lies { "0".repeat(64) } else { jove_install::digest::Sha256::of(bytes).to_hex() };
            format!(
                r#"{{"filename":"{name}","url":"../../files/{name}","hashes":{{"sha256":"{sha}"}},"size":{}}}"#,
                bytes.len()
            )
        })
        .collect();
    let (status, kind, body) = match file {
        _ if !allowed => ("401 Unauthorized", "text/plain", b"who?".to_vec()),
        Some((_, bytes)) => ("200 OK", "application/octet-stream", bytes.clone()),
        None if !listed.is_empty() => {
            let page =
                format!(r#"{{"meta":{{"api-version":"1.1"}},"name":"{package}","files":[{}]}}"#, listed.join(","));
            ("200 OK", "application/vnd.pypi.simple.v1+json", page.into_bytes())
        }
        None => ("404 Not Found", "text/plain", b"none".to_vec()),
    };
    let mut stream = stream;
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\nWWW-Authenticate: Basic realm=\"x\"\r\n\r\n",
        body.len()
    );
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
}

fn wheel(name: &str, version: &str, requires: &str) -> (String, Vec<u8>) {
    let info = format!("{name}-{version}.dist-info");
    let requires = if requires.is_empty() { String::new() } else { format!("Requires-Dist: {requires}\n") };
    let files = [
        (format!("{name}/__init__.py"), format!("VERSION = '{version}'\ndef main():\n    print('{name}')\n")),
        (format!("{info}/METADATA"), format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{requires}")),
        (
            format!("{info}/WHEEL"),
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n".to_owned(),
        ),
        (format!("{info}/entry_points.txt"), format!("[console_scripts]\n{name} = {name}:main\n")),
        (
            format!("{info}/RECORD"),
            format!(
                "{name}/__init__.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/entry_points.txt,,\n{info}/RECORD,,\n"
            ),
        ),
    ];
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (path, text) in files {
        archive.start_file(path, zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(text.as_bytes()).unwrap();
    }
    (format!("{name}-{version}-py3-none-any.whl"), archive.finish().unwrap().into_inner())
}

fn wheels() -> Vec<(String, Vec<u8>)> {
    vec![wheel("alpha", "1.0", "beta>=2"), wheel("beta", "2.1", "")]
}

#[test]
fn an_index_behind_a_password_keeps_it_to_itself() {
    let server = Server::start(wheels(), Some("hunter2"), false);
    let address = server.address("me:hunter2@");
    let Some(bench) = Bench::with_vars(&[("PIP_INDEX_URL", &address)], false) else { return };
    assert_eq!(
        bench.index.shown(),
        [format!("{}/ (from the var PIP_INDEX_URL)", server.address("")).replace("simple/", "simple")]
    );
    let inputs = gather(&bench.inputs(&["alpha"])).unwrap();
    let pins = resolve(&bench.kit(), &inputs, &[], &Upgrade::None).unwrap();
    assert_eq!(pins.iter().map(|pin| pin.name.as_str()).collect::<Vec<_>>(), ["alpha", "beta"]);
    let target = bench.folder.path().join("env");
    build(&bench.kit(), &target, &bench.recipe(&pins, &inputs)).unwrap();
    let said = Command::new(target.join("bin/alpha")).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&said.stdout), "alpha\n");
    // One file was fetched once, and the password is in no file, whatever the tools wrote.
    let asked = server
        .asked
        .lock()
        .unwrap()
        .iter()
        .filter(|path| path.starts_with("/files/beta") && path.ends_with(".whl"))
        .count();
    assert!(asked >= 1, "{asked}");
    let error = resolve(&bench.kit(), &gather(&bench.inputs(&["alpha>9", "nothere"])).unwrap(), &[], &Upgrade::None)
        .unwrap_err();
    assert!(!error.to_string().contains("hunter2"), "{error}");
    for entry in walkdir::WalkDir::new(bench.folder.path())
        .into_iter()
        .map(Result::unwrap)
        .filter(|entry| entry.file_type().is_file())
    {
        let bytes = std::fs::read(entry.path()).unwrap();
        assert!(!bytes.windows(7).any(|window| window == b"hunter2"), "{}", entry.path().display());
    }
}

#[test]
fn a_folder_of_wheels_needs_no_network() {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in wheels() {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    let links = folder.path().display().to_string();
    let Some(bench) = Bench::with_vars(&[("PIP_FIND_LINKS", &links), ("PIP_NO_INDEX", "1")], true) else { return };
    let inputs = gather(&bench.inputs(&["alpha"])).unwrap();
    let pins = resolve(&bench.kit(), &inputs, &[], &Upgrade::None).unwrap();
    let target = bench.folder.path().join("env");
    build(&bench.kit(), &target, &bench.recipe(&pins, &inputs)).unwrap();
    assert_eq!(bench.python(&target, "import alpha, beta; print(alpha.VERSION, beta.VERSION)"), "1.0 2.1");
}

#[test]
fn another_digest_than_the_locks_is_refused_and_told() {
    let good = Server::start(wheels(), None, false);
    let Some(bench) = Bench::with_vars(&[("PIP_INDEX_URL", &good.address(""))], false) else { return };
    let pins = resolve(&bench.kit(), &gather(&bench.inputs(&["alpha"])).unwrap(), &[], &Upgrade::None).unwrap();
    let file = &pins[0].files[0];
    let lying = Server::start(wheels(), None, true);
    let Some(other) = Bench::with_vars(&[("PIP_INDEX_URL", &lying.address("me:hunter2@"))], false) else { return };
    let error = fetched(&other.kit(), &[(&pins[0].name, file)], false).unwrap_err().to_string();
    assert!(error.contains("another digest") && error.contains("alpha-1.0-py3-none-any.whl"), "{error}");
    // An extra index that has it serves, though the main one lies: the digest decides.
    let both = [("PIP_INDEX_URL", &*lying.address("")), ("PIP_EXTRA_INDEX_URL", &*good.address(""))];
    let Some(third) = Bench::with_vars(&both, false) else { return };
    fetched(&third.kit(), &[(&pins[0].name, file)], false).unwrap();
}

#[test]
fn an_index_that_is_gone_is_named_without_its_password() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("http://me:hunter2@127.0.0.1:{port}/simple");
    let Some(bench) = Bench::with_vars(&[("PIP_INDEX_URL", &address)], false) else { return };
    let error = resolve(&bench.kit(), &gather(&bench.inputs(&["alpha"])).unwrap(), &[], &Upgrade::None)
        .unwrap_err()
        .to_string();
    assert!(error.contains("cannot be reached") && error.contains(&format!("127.0.0.1:{port}")), "{error}");
    assert!(!error.contains("hunter2"), "{error}");
}

#[test]
fn damaged_bytecode_and_unpacked_wheels_are_made_again() {
    let server = Server::start(wheels(), None, false);
    let Some(bench) = Bench::with_vars(&[("PIP_INDEX_URL", &server.address(""))], false) else { return };
    let inputs = gather(&bench.inputs(&["beta"])).unwrap();
    let pins = resolve(&bench.kit(), &inputs, &[], &Upgrade::None).unwrap();
    let recipe = bench.recipe(&pins, &inputs);
    let target = bench.folder.path().join("env");
    build(&bench.kit(), &target, &recipe).unwrap();
    let first = listing(&target);
    for entry in std::fs::read_dir(bench.cache.root().join("bytecode")).unwrap().map(Result::unwrap) {
        let mut bytes = std::fs::read(entry.path()).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::remove_file(entry.path()).unwrap();
        std::fs::write(entry.path(), bytes).unwrap();
    }
    std::fs::remove_dir_all(&target).unwrap();
    build(&bench.kit(), &target, &recipe).unwrap();
    assert_eq!(difference(&first, &listing(&target)), Vec::<String>::new());
    let unpacked = bench.cache.root().join("unpacked");
    let sources = || {
        walkdir::WalkDir::new(&unpacked)
            .into_iter()
            .map(Result::unwrap)
            .filter(|entry| entry.path().ends_with("beta/__init__.py"))
    };
    let mut altered = 0;
    for source in sources() {
        std::fs::write(source.path(), "VERSION = 'wrong'\n").unwrap();
        altered += 1;
    }
    assert_eq!(altered, 1);
    for _ in 0..2 {
        std::fs::remove_dir_all(&target).unwrap();
        build(&bench.kit(), &target, &recipe).unwrap();
        assert_eq!(difference(&first, &listing(&target)), Vec::<String>::new());
    }
}
