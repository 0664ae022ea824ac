//! The cache beside the network: what is there, what is shared, what does not fit.

use super::*;

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
