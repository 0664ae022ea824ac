//! Documents: small answers that are read at once.

use super::*;

#[test]
fn documents_are_answers_whatever_their_status() {
    let place = Place::new();
    let server = Server::start(|request| match (request.target.as_str(), request.number) {
        ("/none", _) => Reply::new("404 Not Found", "no"),
        ("/large", _) => Reply::ok(vec![0; 20_000]),
        ("/gzip", _) => {
            let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
            std::io::copy(&mut std::io::repeat(b'x').take_bytes(9_000), &mut gzip).unwrap();
            Reply::ok(gzip.finish().unwrap()).header("Content-Encoding: gzip").header("Content-Type: text/x; a=b")
        }
        ("/bomb", _) => {
            let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
            std::io::copy(&mut std::io::repeat(b'x').take_bytes(90_000), &mut gzip).unwrap();
            Reply::ok(gzip.finish().unwrap()).header("Content-Encoding: gzip")
        }
        _ => Reply::new("503 Service Unavailable", ""),
    });
    assert_eq!(place.text(&server.url("/none")), Ok((404, b"no".to_vec())));
    assert_eq!(place.text(&server.url("/gzip")), Ok((200, vec![b'x'; 9_000])));
    for path in ["/large", "/bomb"] {
        let error = place.text(&server.url(path)).unwrap_err();
        assert!(error.contains("larger than 10000 bytes"), "{error}");
    }
    let error = place.text(&server.url("/busy")).unwrap_err();
    assert!(error.ends_with("503 Service Unavailable (after 3 attempts)"), "{error}");
    assert_eq!(server.requests()[0].header("accept"), Some("text/html"));
}

trait TakeBytes: std::io::Read + Sized {
    fn take_bytes(self, count: u64) -> std::io::Take<Self> {
        self.take(count)
    }
}

impl TakeBytes for std::io::Repeat {}

#[test]
fn a_server_may_ask_to_wait_but_not_for_long() {
    let place = Place::new();
    let server = Server::start(|request| match request.number {
        0 => Reply::new("429 Too Many Requests", "").header("Retry-After: Fri, 01 Jan 2010 00:00:00 GMT"),
        1 => Reply::ok("now"),
        _ => Reply::new("429 Too Many Requests", "").header("Retry-After: 3600"),
    });
    assert_eq!(place.text(&server.url("/")), Ok((200, b"now".to_vec())));
    assert!(place.text(&server.url("/")).unwrap_err().ends_with("429 Too Many Requests"));
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn files_are_documents_too() {
    let place = Place { offline: true, ..Place::new() };
    fs_err::create_dir(place.root.path().join("simple")).unwrap();
    fs_err::write(place.root.path().join("simple/index.html"), "<a>").unwrap();
    let folder = Url::from_directory_path(place.root.path().join("simple")).unwrap();
    assert_eq!(place.text(&folder), Ok((200, b"<a>".to_vec())));
    assert_eq!(place.text(&folder.join("none.html").unwrap()), Ok((404, vec![])));
}
