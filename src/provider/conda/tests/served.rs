//! Channels on a server: logins, bad answers, the cache, no network.

use std::path::PathBuf;

use super::channel::{Package, Place};
use super::*;
use crate::net::test_server::{Ending, Reply, Request, Server};

/// Serves a folder as web servers do, with validators.
fn file(root: &Path, request: &Request) -> Reply {
    let path = root.join(request.target.trim_start_matches('/'));
    let Ok(bytes) = fs::read(path) else { return Reply::new("404 Not Found", "") };
    let tag = format!("\"{}\"", Sha256::of(&bytes).to_hex());
    if request.header("if-none-match") == Some(&tag) {
        return Reply::new("304 Not Modified", "").header(&format!("ETag: {tag}"));
    }
    Reply::ok(bytes).header(&format!("ETag: {tag}"))
}

fn served(place: &Place, answer: impl Fn(&Path, &Request) -> Reply + Send + Sync + 'static) -> Server {
    let root: PathBuf = place.root.path().to_owned();
    Server::start(move |request| answer(&root, request))
}

fn libz(version: &'static str) -> Package {
    Package::new("libz", version, &[]).file("lib/libz", version)
}

fn pinned(place: &Place, request: &Packages) -> Result<String, String> {
    let pins = place.with_kit(|kit| request.resolve(kit, &[]));
    pins.map(|pins| pins[0].version.clone()).map_err(|error| error.to_string())
}

/// How a channel has its index.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Form {
    Sharded,
    Whole,
}

impl Form {
    fn write(self, place: &Place, packages: &[Package]) {
        place.write("channel", packages);
        if self == Self::Sharded {
            place.shard("channel");
        }
    }

    /// That a server was asked for what it has of this form alone, and for one package of it once.
    fn was_asked_once(self, server: &Server) {
        let targets: Vec<String> = server.requests().iter().map(|request| request.target.clone()).collect();
        let is_shard = |target: &&String| target.ends_with(".msgpack.zst") && !target.contains("repodata_shards");
        let shards = targets.iter().filter(is_shard).count();
        let whole = targets.iter().filter(|target| target.contains("/repodata.json")).count();
        assert_eq!((shards, whole > 0), if self == Self::Sharded { (1, false) } else { (0, true) }, "{targets:?}");
    }
}

#[test]
fn a_channel_is_read_through_the_cache_and_then_without_a_network() {
    read_through_the_cache(Form::Whole);
}

#[test]
fn a_channel_in_shards_is_read_through_the_cache_and_then_without_a_network() {
    read_through_the_cache(Form::Sharded);
}

fn read_through_the_cache(form: Form) {
    let mut place = Place::new();
    form.write(&place, &[libz("1.3"), Package::new("other", "1", &[])]);
    let server = served(&place, file);
    let request = place.request_of(&[server.url("/channel").to_string()], &["libz"]);
    place.install(&request, &place.path("env")).expect("installed");
    assert_eq!(pinned(&place, &request).expect("again"), "1.3");
    form.was_asked_once(&server);
    let bodies =
        |server: &Server| server.requests().iter().filter(|request| request.header("if-none-match").is_none()).count();
    let before = bodies(&server);
    form.write(&place, &[libz("1.4")]);
    drop(server);
    place.offline = true;
    assert!(before > 0);
    assert_eq!(pinned(&place, &request).expect("from the cache"), "1.3");
    place.install(&request, &place.path("other")).expect("installed without a network");
    let never = place.request_of(&["http://127.0.0.1:9/never".to_owned()], &["libz"]);
    assert!(pinned(&place, &never).expect_err("half a cache").contains("the run is offline"));
    let reach = place.with_kit(|kit| never.reachable(kit)).expect_err("offline").to_string();
    assert_eq!(reach, "http://127.0.0.1:9/never/ is not asked, since the run is offline");
}

#[test]
fn whether_a_channel_is_there_is_told_at_once() {
    let place = Place::new();
    let server = served(&place, file);
    let reach = |address: &str| {
        let request = place.request_of(&[address.to_owned()], &["libz"]);
        let told = place.with_kit(|kit| request.reachable(kit)).map_err(|error| error.to_string());
        told.unwrap_or_else(|error| error).replace(server.url("").as_str().trim_end_matches('/'), "[SERVER]")
    };
    insta::assert_snapshot!(reach(server.url("/channel").as_str()), @"channel at [SERVER]/channel/");
    insta::assert_snapshot!(reach(server.url("/nothing").as_str()), @"[SERVER]/nothing/ answered 404: there is no channel");
    let nobody = Server::nobody();
    let told = reach(nobody.as_str()).replace(&nobody.port().expect("port").to_string(), "[PORT]");
    insta::assert_snapshot!(told, @"http://127.0.0.1:[PORT]/x/noarch/repodata_shards.msgpack.zst could not be fetched: no connection: Connection refused (os error 111)");
    let closed = Server::start(|_| Reply::new("403 Forbidden", ""));
    let told = reach(closed.url("/team").as_str()).replace(closed.url("").as_str().trim_end_matches('/'), "[SERVER]");
    insta::assert_snapshot!(told, @"[SERVER]/team/ answered 403: it wants a login; it is taken from the address (`https://USER:PASSWORD@…`, `…/t/TOKEN/…`), `~/.netrc` or the file that RATTLER_AUTH_FILE names");
}

#[test]
fn a_private_channel_gets_its_login_from_the_usual_places_and_shows_it_nowhere() {
    let mut place = Place::new();
    place.write("channel", &[libz("1.3")]);
    let wanted = |header: &'static str| {
        served(&place, move |root, request| match request.header("authorization") {
            Some(found) if found == header => file(root, request),
            _ => Reply::new("401 Unauthorized", ""),
        })
    };
    // `me:canary-5`, as basic authentication writes it.
    let basic = "Basic bWU6Y2FuYXJ5LTU=";
    let server = wanted(basic);
    let mut address = server.url("/channel");
    let plain = address.to_string();
    assert!(pinned(&place, &place.request_of(std::slice::from_ref(&plain), &["libz"])).is_err());
    address.set_username("me").expect("user");
    address.set_password(Some("canary-5")).expect("password");
    let request = place.request_of(&[address.to_string()], &["libz"]);
    let pins = place.install(&request, &place.path("by-address")).expect("installed");
    assert!(!format!("{request:?} {pins:?}").contains("canary-5"));

    fs::write(place.path("home/.netrc"), "machine 127.0.0.1 login me password canary-5\n").expect("written");
    fs::remove_dir_all(place.path("home/.cache")).expect("an empty cache");
    place.install(&place.request_of(&[plain], &["libz"]), &place.path("by-netrc")).expect("installed");

    let server = wanted("Bearer tk-5");
    let logins = place.path("logins.json");
    fs::write(&logins, r#"{"127.0.0.1": {"BearerToken": "tk-5"}}"#).expect("written");
    place.host.vars.insert("RATTLER_AUTH_FILE".to_owned(), logins.display().to_string());
    fs::remove_dir_all(place.path("home/.cache")).expect("an empty cache");
    let request = place.request_of(&[server.url("/channel").to_string()], &["libz"]);
    place.install(&request, &place.path("by-file")).expect("installed");

    let server = served(&place, |root, request| match request.target.strip_prefix("/t/tk-canary") {
        Some(below) => {
            let mut bare = request.clone();
            below.clone_into(&mut bare.target);
            file(root, &bare)
        }
        None => Reply::new("404 Not Found", ""),
    });
    fs::remove_dir_all(place.path("home/.cache")).expect("an empty cache");
    place.host.vars.remove("RATTLER_AUTH_FILE");
    let request = place.request_of(&[server.url("/t/tk-canary/channel").to_string()], &["libz"]);
    place.install(&request, &place.path("by-token")).expect("installed");
    for entry in walkdir::WalkDir::new(place.path("by-token")).into_iter().map(|entry| entry.expect("entry")) {
        let bytes = fs::read(entry.path()).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&bytes).contains("tk-canary"), "{}", entry.path().display());
    }
}

#[test]
fn a_package_that_is_not_what_the_index_says_is_not_taken() {
    let place = Place::new();
    place.write("channel", &[libz("1.3")]);
    let wrong = served(&place, |root, request| {
        if request.target.ends_with(".conda") { Reply::ok("something else") } else { file(root, request) }
    });
    let request = place.request_of(&[wrong.url("/channel").to_string()], &["libz"]);
    let told = place.install(&request, &place.path("env")).expect_err("wrong digest").to_string();
    assert!(told.contains("libz-1.3-h0_0.conda"), "{told}");
    let cut = served(&place, |root, request| {
        let reply = file(root, request);
        if request.target.ends_with(".conda") { reply.cut(40, Ending::Close) } else { reply }
    });
    // A mirror of the same name that is whole serves where the first one is not.
    let mirrors = [cut.url("/channel").to_string(), place.path("channel").display().to_string()];
    place.install(&place.request_of(&mirrors[..1], &["libz"]), &place.path("cut")).expect_err("truncated");
    place.install(&place.request_of(&mirrors, &["libz"]), &place.path("whole")).expect("by the mirror");
}

#[test]
fn an_answer_without_a_validator_is_mended() {
    for form in [Form::Whole, Form::Sharded] {
        let place = Place::new();
        form.write(&place, &[libz("1.3")]);
        // Says every time that nothing changed, also to those who have nothing.
        let server = served(&place, |root, request| {
            let is_second = request.header("if-none-match").is_some() || request.header("if-modified-since").is_some();
            if is_second { Reply::new("304 Not Modified", "") } else { file(root, request) }
        });
        let request = place.request_of(&[server.url("/channel").to_string()], &["libz"]);
        assert_eq!(pinned(&place, &request).expect("first"), "1.3", "{form:?}");
        assert_eq!(pinned(&place, &request).expect("second"), "1.3", "{form:?}");
        let is_second = |request: &Request| request.header("if-none-match").is_some();
        assert!(server.requests().iter().any(is_second), "{form:?}");
    }
}

#[test]
fn an_answer_of_nonsense_is_told() {
    let place = Place::new();
    let nonsense = Server::start(|_| Reply::ok("<html>log in first</html>"));
    let request = place.request_of(&[nonsense.url("/channel").to_string()], &["libz"]);
    let told = pinned(&place, &request).expect_err("no index");
    assert!(told.contains("cannot be read") && told.contains("/channel"), "{told}");
    // A shard that is not what the list of shards says.
    Form::Sharded.write(&place, &[libz("1.3")]);
    let server = served(&place, |root, request| {
        let is_list = request.target.contains("repodata_shards");
        if is_list || !request.target.ends_with(".zst") { file(root, request) } else { Reply::ok("something else") }
    });
    let request = place.request_of(&[server.url("/channel").to_string()], &["libz"]);
    let told = pinned(&place, &request).expect_err("no shard");
    assert!(told.contains("cannot be read") && told.contains("/channel"), "{told}");
}
