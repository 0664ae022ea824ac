//! The client and the fetching against servers that behave badly, and one that behaves.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Barrier, Mutex};
use std::time::Duration;

use super::test_server::{AUTHORITY, Ending, Reply, Request, Server};
use super::{Cache, Client, FetchError, NetError, Patience, Wanted, fetch};
use crate::digest::Sha256;
use crate::host::Host;
use crate::progress::{Event, Report, Reporter};
use url::Url;

const QUICK: Patience = Patience {
    connect: Duration::from_secs(1),
    stall: Duration::from_millis(300),
    attempts: 3,
    pause: Duration::from_millis(1),
    longest_pause: Duration::from_secs(2),
};

#[derive(Default)]
struct Heard(Mutex<Vec<Event>>);

impl Report for Heard {
    fn report(&self, event: Event) {
        self.0.lock().unwrap().push(event);
    }
}

struct Place {
    root: tempfile::TempDir,
    vars: BTreeMap<String, String>,
    offline: bool,
    heard: Arc<Heard>,
}

impl Place {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let vars = [("HOME".to_owned(), root.path().display().to_string())].into();
        Self { root, vars, offline: false, heard: Arc::default() }
    }

    fn var(mut self, name: &str, value: &str) -> Self {
        self.vars.insert(name.to_owned(), value.to_owned());
        self
    }

    fn client(&self) -> Client {
        let host = Host {
            vars: self.vars.clone(),
            folder: self.root.path().to_owned(),
            user: 1,
            name: "test".to_owned(),
            program: PathBuf::from("/bin/true"),
        };
        Client::with_patience(&host, self.offline, QUICK).unwrap()
    }

    fn cache(&self) -> Cache {
        Cache::open(&self.root.path().join("cache")).unwrap()
    }

    fn fetch_all(&self, wanted: &[Wanted]) -> Result<Vec<PathBuf>, FetchError> {
        let (client, report): (_, Reporter) = (self.client(), self.heard.clone());
        client.block_on(fetch(&client, &self.cache(), wanted, 4, &report, false))
    }

    fn fetch(&self, file: &[u8], addresses: &[Url]) -> Result<Sha256, String> {
        let paths = self.fetch_all(&[wanted(file, addresses)]).map_err(|error| error.to_string())?;
        Ok(Sha256::of(fs_err::read(&paths[0]).unwrap()))
    }

    fn text(&self, url: &Url) -> Result<(u16, Vec<u8>), String> {
        let client = self.client();
        let answer = client.block_on(client.text(url, "text/html", 10_000));
        answer.map(|answer| (answer.status, answer.body)).map_err(|error| error.to_string())
    }

    /// Puts the first bytes of a file into its part, as a killed run leaves them.
    fn leave_part(&self, file: &[u8], bytes: &[u8]) {
        let folder = self.cache().path(&Sha256::of(file), "x").parent().unwrap().to_owned();
        fs_err::create_dir_all(&folder).unwrap();
        fs_err::write(folder.join(".part"), bytes).unwrap();
    }

    fn heard(&self) -> Vec<Event> {
        self.heard.0.lock().unwrap().clone()
    }

    fn advanced(&self) -> u64 {
        self.heard().iter().map(|event| if let Event::Advance { bytes, .. } = event { *bytes } else { 0 }).sum()
    }
}

fn wanted(file: &[u8], addresses: &[Url]) -> Wanted {
    Wanted {
        name: "f.whl".to_owned(),
        sha256: Sha256::of(file),
        size: Some(file.len() as u64),
        addresses: addresses.to_vec(),
    }
}

fn file() -> Vec<u8> {
    (0..200_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

fn whole() -> Result<Sha256, String> {
    Ok(Sha256::of(file()))
}

/// The file, after as many bad replies as given.
fn after(bad: Vec<Reply>) -> impl Fn(&Request) -> Reply {
    move |request| bad.get(request.number).cloned().unwrap_or_else(|| Reply::range(request, &file()))
}

#[test]
fn a_file_is_fetched_once_and_its_progress_told() {
    let place = Place::new();
    let server = Server::start(after(vec![]));
    assert_eq!(place.fetch(&file(), &[server.url("/f.whl")]), whole());
    assert_eq!(place.fetch(&file(), &[server.url("/f.whl")]), whole());
    assert_eq!(server.requests().len(), 1);
    let task = || "f.whl".to_owned();
    assert_eq!(place.heard().first(), Some(&Event::Begin { task: task(), total: Some(200_000) }));
    assert_eq!(place.heard().last(), Some(&Event::End { task: task() }));
    assert_eq!(place.advanced(), 200_000);
}

#[test]
fn what_passes_is_tried_again() {
    let half = |ending| Reply::ok(file()).cut(100_000, ending);
    let table = [
        ("503", Reply::new("503 Service Unavailable", "")),
        ("500", Reply::new("500 Oops", "")),
        ("429", Reply::new("429 Too Many Requests", "").header("Retry-After: 0")),
        ("short", half(Ending::Close)),
        ("reset", half(Ending::Reset)),
        ("stall", half(Ending::Stall)),
        ("silence", Reply::ok("").cut(0, Ending::Silence)),
        ("other range", Reply::new("206 Partial Content", "x").header("Content-Range: bytes 7-7/200000")),
    ];
    // At once, since some of them wait.
    std::thread::scope(|scope| {
        for (what, bad) in table {
            scope.spawn(move || {
                let place = Place::new();
                let server = Server::start(after(vec![bad.clone(), bad]));
                assert_eq!(place.fetch(&file(), &[server.url("/f.whl")]), whole(), "{what}");
                assert_eq!(place.advanced(), 200_000, "{what}");
                assert!(place.heard().iter().any(|event| matches!(event, Event::Note(_))), "{what}");
            });
        }
    });
}

#[test]
fn a_broken_download_goes_on_where_it_stopped() {
    let place = Place::new();
    let tagged = |reply: Reply| reply.header("ETag: \"v1\"");
    let server = Server::start(move |request| match request.number {
        0 => tagged(Reply::ok(file()).cut(60_000, Ending::Close)),
        _ => tagged(Reply::range(request, &file())),
    });
    assert_eq!(place.fetch(&file(), &[server.url("/f.whl")]), whole());
    let second = &server.requests()[1];
    assert_eq!(second.start(), Some(60_000));
    assert_eq!(second.header("if-range"), Some("\"v1\""));
    assert_eq!(second.header("accept-encoding"), Some("identity"));
}

#[test]
fn the_next_run_and_the_next_mirror_go_on_too() {
    let place = Place::new();
    place.leave_part(&file(), &file()[..50_000]);
    let first = Server::start(|_| Reply::ok(file()).header("ETag: \"of first\"").cut(90_000, Ending::Close));
    let second = Server::start(after(vec![]));
    let addresses = [first.url("/f.whl"), second.url("/f.whl")];
    assert_eq!(place.fetch(&file(), &addresses), whole());
    assert_eq!(first.requests()[0].start(), Some(50_000));
    assert_eq!(second.requests()[0].start(), Some(90_000));
    assert_eq!(second.requests()[0].header("if-range"), None, "what one server says means nothing to another");
}

#[test]
fn a_server_that_ignores_ranges_starts_again() {
    let place = Place::new();
    place.leave_part(&file(), &file()[..50_000]);
    let server = Server::start(|_| Reply::ok(file()));
    assert_eq!(place.fetch(&file(), &[server.url("/f.whl")]), whole());
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_part_of_something_else_is_dropped_and_the_same_mirror_asked_again() {
    for rubbish in [vec![0; 50_000], vec![0; 200_000], vec![0; 300_000]] {
        let place = Place::new();
        place.leave_part(&file(), &rubbish);
        let server = Server::start(after(vec![]));
        assert_eq!(place.fetch(&file(), &[server.url("/f.whl")]), whole());
    }
}

#[test]
fn a_whole_part_is_taken_without_a_request() {
    let place = Place::new();
    place.leave_part(&file(), &file());
    assert_eq!(place.fetch(&file(), &[Server::nobody()]), whole());
    // Without a known size only the server can say that it is whole.
    let place = Place::new();
    place.leave_part(&file(), &file());
    let server = Server::start(after(vec![]));
    let unsized_file = Wanted { size: None, ..wanted(&file(), &[server.url("/f.whl")]) };
    assert!(place.fetch_all(&[unsized_file]).is_ok());
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn wrong_content_is_named_and_the_next_mirror_tried() {
    let place = Place::new();
    let mut other = file();
    other[7] ^= 1;
    let wrong = Server::start(move |request| Reply::range(request, &other));
    let longer = Server::start(|_| Reply::ok([file(), vec![1]].concat()));
    let right = Server::start(after(vec![]));
    assert_eq!(place.fetch(&file(), &[wrong.url("/f"), longer.url("/f"), right.url("/f")]), whole());
    assert_eq!((wrong.requests().len(), longer.requests().len()), (1, 1), "no second attempt mends that");
    let place = Place::new();
    let error = place.fetch(&file(), &[wrong.url("/f"), longer.url("/f")]).unwrap_err();
    assert!(error.contains(&format!("{}: its content has another digest", wrong.url("/f"))), "{error}");
    assert!(error.contains(&format!("{}: it has 200001 bytes, expected 200000", longer.url("/f"))), "{error}");
    assert!(!place.cache().path(&Sha256::of(file()), "f.whl").exists());
}

#[test]
fn every_address_of_every_file_is_told() {
    let place = Place::new();
    let server = Server::start(|request| match request.target.as_str() {
        "/good" => Reply::ok("good"),
        "/busy" => Reply::new("503 Service Unavailable", ""),
        _ => Reply::new("404 Not Found", ""),
    });
    let named = |name: &str, addresses: &[Url]| Wanted { name: name.to_owned(), ..wanted(name.as_bytes(), addresses) };
    let mut secret = server.url("/t/canary/x?sig=canary");
    secret.set_username("canary").unwrap();
    secret.set_password(Some("canary")).unwrap();
    let files = [
        named("a", &[secret, server.url("/busy")]),
        named("good", &[server.url("/good")]),
        named("b", &[server.url("/none"), Url::parse("file:///nowhere/b").unwrap()]),
        named("c", &[]),
        named("../d", &[server.url("/good")]),
    ];
    let error = place.fetch_all(&files).unwrap_err();
    let origin = server.url("");
    let text = error.to_string().replace(origin.as_str().trim_end_matches('/'), "SERVER");
    insta::assert_snapshot!(text, @"
    4 of 5 files could not be fetched
      a
        SERVER/t/***/x?sig=***: the server answered 404 Not Found
        SERVER/busy: the server answered 503 Service Unavailable (after 3 attempts)
      b
        SERVER/none: the server answered 404 Not Found
        file:///nowhere/b: the file cannot be read: failed to open file `/nowhere/b`: No such file or directory (os error 2)
      c
        no address is known for it
      ../d
        `../d` is no name for a file of the download cache: it must be one plain component
    check the network, the proxy variables and the mirrors, then run it again: what came is kept
    ");
    let all = format!("{error:?} {files:?} {:?}", place.heard());
    assert!(!all.contains("canary"), "{all}");
    assert!(place.cache().find(&Sha256::of("good"), "good").unwrap().is_some(), "what came is kept");
}

#[test]
fn redirects_are_followed_but_not_in_circles_or_for_ever() {
    let place = Place::new();
    let server = Server::start(|request| match request.target.as_str() {
        "/a" => Reply::redirect("b?x=1"),
        "/b?x=1" => Reply::ok("here"),
        "/loop" => Reply::redirect("/pool"),
        "/pool" => Reply::redirect("/loop"),
        "/bad" => Reply::redirect("ftp://127.0.0.1/x"),
        other => Reply::redirect(&format!("{other}x")),
    });
    assert_eq!(place.text(&server.url("/a")), Ok((200, b"here".to_vec())));
    assert!(place.text(&server.url("/loop")).unwrap_err().contains("redirects in a loop"));
    assert!(place.text(&server.url("/bad")).unwrap_err().contains("`ftp:` addresses are not fetched"));
    let before = server.requests().len();
    assert!(place.text(&server.url("/far")).unwrap_err().contains("more than 10 redirects"));
    assert_eq!(server.requests().len() - before, 11);
}

#[test]
fn credentials_stay_with_their_origin() {
    let place = Place::new();
    fs_err::write(place.root.path().join(".netrc"), "default login any password all\n").unwrap();
    let other = Server::start(|_| Reply::ok("other"));
    let target = other.url("/x").to_string();
    let server = Server::start(move |request| match request.target.as_str() {
        "/away" => Reply::redirect(&target),
        "/near" => Reply::redirect("/here"),
        _ => Reply::ok("here"),
    });
    let with_user = |path: &str| {
        let mut url = server.url(path);
        url.set_username("me").unwrap();
        url.set_password(Some("p%40w")).unwrap();
        url
    };
    assert!(place.text(&with_user("/away")).is_ok());
    assert!(place.text(&with_user("/near")).is_ok());
    let basic = Some("Basic bWU6cEB3");
    assert!(
        server.requests().iter().all(|request| request.header("authorization") == basic),
        "{:?}",
        server.requests()
    );
    assert_eq!(other.requests()[0].header("authorization"), None, "neither those of the address nor the default");
    let client = place.client();
    let answer = client.block_on(client.text(&with_user("/near"), "*/*", 100)).unwrap();
    assert_eq!(answer.final_url, with_user("/here"), "relative links keep them");
    client.block_on(client.text(&server.url("/absolute"), "*/*", 100)).unwrap();
    assert_eq!(server.requests().last().unwrap().header("authorization"), basic, "absolute links of the origin too");
    assert!(place.text(&other.url("/y")).is_ok());
    assert_eq!(
        other.requests()[1].header("authorization"),
        Some("Basic YW55OmFsbA=="),
        "the default, when asked by the user"
    );
}

#[test]
fn netrc_names_a_machine() {
    let place = Place::new();
    let netrc = place.root.path().join("n");
    fs_err::write(&netrc, "machine 127.0.0.1 login a password b\n").unwrap();
    let place = place.var("NETRC", netrc.to_str().unwrap());
    let server = Server::start(|_| Reply::ok(""));
    assert!(place.text(&server.url("/")).is_ok());
    assert_eq!(server.requests()[0].header("authorization"), Some("Basic YTpi"));
}

#[test]
fn a_private_authority_is_trusted_where_it_is_named_and_https_stays_https() {
    let plain = Server::start(|_| Reply::ok("plain"));
    let target = plain.url("/x").to_string();
    let server = Server::start_tls(move |request| match request.target.as_str() {
        "/down" => Reply::redirect(&target),
        _ => Reply::range(request, &file()),
    });
    let error = Place::new().fetch(&file(), &[server.url("/f")]).unwrap_err();
    assert!(error.contains("its certificate is not trusted"), "{error}");
    assert!(!error.contains("attempts") && error.ends_with("in SSL_CERT_FILE"), "{error}");
    for var in ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT"] {
        assert_eq!(Place::new().var(var, AUTHORITY).fetch(&file(), &[server.url("/f")]), whole(), "{var}");
    }
    let folder = std::path::Path::new(AUTHORITY).parent().unwrap().to_str().unwrap();
    let place = Place::new().var("SSL_CERT_DIR", folder);
    assert_eq!(place.fetch(&file(), &[server.url("/f")]), whole());
    let error = place.text(&server.url("/down")).unwrap_err();
    assert!(error.contains("redirects from https to http://127.0.0.1"), "{error}");
    assert!(plain.requests().is_empty());
    let empty = Place::new().var("PIP_CERT", "/dev/null").text(&server.url("/")).unwrap_err();
    assert!(empty.contains("PIP_CERT names `/dev/null`, in which there is no certificate"), "{empty}");
    let missing = Place::new().var("PIP_CERT", "none.pem").fetch(&file(), &[server.url("/f")]).unwrap_err();
    assert!(missing.contains("the certificates that PIP_CERT names cannot be read"), "{missing}");
}

#[test]
fn proxies_come_from_the_variables_of_the_host() {
    let proxy = Server::start(|request| Reply::ok(request.target.clone()));
    let address = proxy.url("").to_string();
    let asked = Url::parse("http://far.example/x").unwrap();
    for (var, value) in [("http_proxy", address.clone()), ("ALL_PROXY", address.replace("http://", ""))] {
        let place = Place::new().var(var, &value).var("NO_PROXY", "near.example,127.0.0.1");
        assert_eq!(place.text(&asked), Ok((200, b"http://far.example/x".to_vec())), "{var}");
    }
    let direct = Server::start(|_| Reply::ok("direct"));
    let place = Place::new().var("http_proxy", &address).var("no_proxy", "127.0.0.1");
    assert_eq!(place.text(&direct.url("/")), Ok((200, b"direct".to_vec())));
    let error = Place::new().var("https_proxy", "::canary::").text(&asked).unwrap_err();
    assert!(error.contains("the proxy in https_proxy is no address") && !error.contains("canary"), "{error}");
}

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
fn offline_uses_the_cache_and_files_and_says_what_is_missing() {
    let place = Place::new();
    let server = Server::start(after(vec![]));
    place.fetch(&file(), &[server.url("/f")]).unwrap();
    let local = place.root.path().join("local.whl");
    fs_err::write(&local, "local").unwrap();
    let offline = Place { offline: true, ..place };
    assert_eq!(offline.fetch(&file(), &[server.url("/f")]), whole());
    assert_eq!(
        offline.fetch(b"local", &[server.url("/l"), Url::from_file_path(&local).unwrap()]),
        Ok(Sha256::of("local"))
    );
    let error = offline.fetch(b"absent", &[server.url("/f.whl")]).unwrap_err();
    let text = error.replace(server.url("").as_str(), "SERVER/");
    insta::assert_snapshot!(text, @"
    a file could not be fetched
      f.whl
        SERVER/f.whl: not tried, because of --offline
    run once without --offline to fill the download cache
    ");
    let client = offline.client();
    let error = client.block_on(client.text(&server.url("/"), "*/*", 10)).unwrap_err();
    assert!(matches!(error, NetError::Text { attempts: 1, .. }), "{error}");
    assert_eq!(server.requests().len(), 1);
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

#[test]
fn nobody_there_is_told_after_all_attempts() {
    let nobody = Server::nobody();
    let place = Place::new();
    let error = place.fetch(b"x", std::slice::from_ref(&nobody)).unwrap_err();
    assert!(error.contains(&format!("{nobody}: no connection: ")), "{error}");
    assert!(error.contains("(after 3 attempts)"), "{error}");
    // The same client does not find it out again and again.
    let client = place.client();
    let ask = || client.block_on(client.text(&nobody, "*/*", 10)).unwrap_err().to_string();
    assert!(ask().ends_with("(after 3 attempts)"));
    assert!(!ask().contains("attempts"));
}

#[test]
fn a_damaged_entry_is_fetched_again() {
    let place = Place::new();
    let server = Server::start(after(vec![]));
    for damage in [&b""[..], b"short", &[0; 200_000]] {
        place.fetch(&file(), &[server.url("/f")]).unwrap();
        let path = place.cache().path(&Sha256::of(file()), "f.whl");
        fs_err::remove_file(&path).unwrap();
        fs_err::write(&path, damage).unwrap();
        assert_eq!(place.fetch(&file(), &[server.url("/f")]), whole());
    }
    assert_eq!(server.requests().len(), 4);
    let note = "`f.whl` was damaged in the download cache and is fetched again";
    assert_eq!(place.heard().iter().filter(|event| **event == Event::Note(note.to_owned())).count(), 3);
}

#[test]
fn two_runs_at_once_fetch_a_file_once() {
    let place = Place::new();
    // The answer waits until both runs are under way, so that one of them must find the other at work.
    let both = Arc::new(Barrier::new(2));
    let gate = both.clone();
    let server = Server::start(move |request| {
        gate.wait();
        Reply::range(request, &file())
    });
    let heard: Vec<Arc<Heard>> = vec![Arc::default(), Arc::default()];
    std::thread::scope(|scope| {
        for heard in &heard {
            let (client, cache, report): (_, _, Reporter) = (place.client(), place.cache(), heard.clone());
            let wanted = [wanted(&file(), &[server.url("/f")])];
            scope.spawn(move || client.block_on(fetch(&client, &cache, &wanted, 1, &report, false)).unwrap());
        }
        // The one that waits says so; then the other is answered.
        while !heard.iter().any(|heard| heard.0.lock().unwrap().iter().any(|event| matches!(event, Event::Note(_)))) {
            std::thread::yield_now();
        }
        both.wait();
    });
    assert_eq!(server.requests().len(), 1);
    let notes: Vec<_> = heard.iter().flat_map(|heard| heard.0.lock().unwrap().clone()).collect();
    assert!(notes.iter().any(|event| matches!(event, Event::Note(text) if text.contains("is fetching it; waiting"))));
}

#[test]
fn one_content_under_two_names_is_fetched_once() {
    let place = Place::new();
    let server = Server::start(after(vec![]));
    let first = wanted(&file(), &[server.url("/f")]);
    let second = Wanted { name: "g.whl".to_owned(), ..first.clone() };
    let paths = place.fetch_all(&[first, second]).unwrap();
    assert_eq!(paths[0].file_name().unwrap(), "f.whl");
    assert_eq!(paths[1].file_name().unwrap(), "g.whl");
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn what_cannot_fit_is_not_begun() {
    let place = Place::new();
    let server = Server::start(after(vec![]));
    let huge = Wanted { size: Some(u64::MAX), ..wanted(b"x", &[server.url("/f")]) };
    let error = place.fetch_all(&[huge]).unwrap_err();
    assert!(matches!(error, FetchError::Space { need: u64::MAX, .. }), "{error}");
    assert!(server.requests().is_empty());
}

#[test]
fn many_files_come_in_their_order() {
    let place = Place::new();
    let server = Server::start(|request| Reply::ok(request.target.clone()));
    let files: Vec<Wanted> = (0..40)
        .map(|n| Wanted {
            name: format!("f{n}"),
            ..wanted(format!("/{n}").as_bytes(), &[server.url(&format!("/{n}"))])
        })
        .collect();
    let paths = place.fetch_all(&files).unwrap();
    for (n, path) in paths.iter().enumerate() {
        assert_eq!(fs_err::read(path).unwrap(), format!("/{n}").as_bytes());
    }
}
