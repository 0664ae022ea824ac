//! A file on its way: what is tried again, what goes on, and what is told.

use super::*;

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
