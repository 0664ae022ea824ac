//! The server answers as an index does, and fails as it is told.

use std::io::{Read, Write};
use std::net::TcpStream;

use super::{Fault, IndexServer, Wheel};
use crate::sandbox::Sandbox;

/// Asks for a path; gives head and body, and whether the connection ended in good order.
fn ask(server: &IndexServer, path: &str, headers: &str) -> (String, Vec<u8>, bool) {
    let mut stream = TcpStream::connect(server.address).expect("it listens");
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n{headers}\r\n").as_bytes()).expect("asked");
    let mut said = Vec::new();
    let in_order = stream.read_to_end(&mut said).is_ok();
    let end = said.windows(4).position(|part| part == b"\r\n\r\n").map_or(said.len(), |end| end + 4);
    let body = said.split_off(end);
    (String::from_utf8(said).expect("text"), body, in_order)
}

const FILE: &str = "/files/demo-1.0-py3-none-any.whl";

#[test]
fn it_serves_pages_files_metadata_and_ranges() {
    let server = IndexServer::start([Wheel::new("demo", "1.0").requires("other>=2")]);
    let (_, page, _) = ask(&server, "/simple/demo/", "");
    assert!(String::from_utf8_lossy(&page).contains("<a href=\"/files/demo-1.0-py3-none-any.whl#sha256="));
    let (_, page, _) = ask(&server, "/simple/demo/", "Accept: application/vnd.pypi.simple.v1+json\r\n");
    let page: serde_json::Value = serde_json::from_slice(&page).expect("JSON");
    assert_eq!(page["files"][0]["filename"], "demo-1.0-py3-none-any.whl");
    let (_, metadata, _) = ask(&server, &format!("{FILE}.metadata"), "");
    assert!(String::from_utf8_lossy(&metadata).contains("Requires-Dist: other>=2"));
    let (_, whole, _) = ask(&server, FILE, "");
    let (head, rest, _) = ask(&server, FILE, "Range: bytes=10-\r\n");
    assert!(head.starts_with("HTTP/1.1 206") && rest == whole[10..]);
    assert!(ask(&server, "/simple/nothing/", "").0.starts_with("HTTP/1.1 404"));
    assert_eq!(server.requests()[4], format!("GET {FILE} bytes=10-"));
    assert!(server.requests().is_empty());
}

#[test]
fn it_fails_as_told() {
    let server = IndexServer::start([Wheel::new("demo", "1.0")]);
    let (_, whole, _) = ask(&server, FILE, "");
    server.fail_times(1, "/files/", Fault::Status(503));
    assert!(ask(&server, FILE, "").0.starts_with("HTTP/1.1 503"));
    assert_eq!(ask(&server, FILE, "").1, whole);
    server.fail_times(1, "demo", Fault::Short);
    let (head, half, in_order) = ask(&server, FILE, "");
    assert!(head.contains(&format!("Content-Length: {}", whole.len())) && half == whole[..whole.len() / 2] && in_order);
    server.fail_times(1, "demo", Fault::Reset);
    assert!(!ask(&server, FILE, "").2);
    server.fail(FILE, Fault::Altered);
    let (_, altered, _) = ask(&server, FILE, "");
    assert!(altered.len() == whole.len() && altered != whole);
    server.heal();
    assert_eq!(ask(&server, FILE, "").1, whole);
}

#[test]
fn a_stall_ends_with_the_server() {
    let server = IndexServer::start([Wheel::new("demo", "1.0")]);
    server.fail(FILE, Fault::Stall);
    let mut stream = TcpStream::connect(server.address).expect("it listens");
    stream.write_all(format!("GET {FILE} HTTP/1.1\r\n\r\n").as_bytes()).expect("asked");
    let mut first = [0; 64];
    stream.read_exact(&mut first).expect("the head comes");
    drop(server);
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest);
    assert!(!rest.is_empty());
}

/// The real client: a wheel of ours is one that Python's own installer takes.
#[test]
fn pip_installs_from_it() {
    let server = IndexServer::start([
        Wheel::application("demo-app", "1.2").requires("helper-lib >= 2"),
        Wheel::new("helper-lib", "1.0"),
        Wheel::new("helper-lib", "2.1"),
    ]);
    let sandbox = Sandbox::new();
    let mut question = sandbox.other("python3");
    question.args(["-m", "pip", "--version"]);
    if !question.output().is_ok_and(|output| output.status.success()) {
        return;
    }
    let mut pip = sandbox.other("python3");
    pip.args(["-m", "pip", "install", "--disable-pip-version-check", "--no-cache-dir", "--target", "lib", "demo-app"]);
    pip.env("PIP_INDEX_URL", server.url()).env("PIP_CONFIG_FILE", "/dev/null");
    sandbox.finish(pip, b"").success();
    let mut python = sandbox.other("python3");
    python
        .args(["-c", "import demo_app, helper_lib; print(demo_app.VERSION, helper_lib.VERSION)"])
        .env("PYTHONPATH", "lib");
    assert_eq!(sandbox.finish(python, b"").success().stdout(), "1.2 2.1\n");
}
