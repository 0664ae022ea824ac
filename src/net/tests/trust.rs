//! Whom the client trusts, and to whom it says who the user is.

use super::*;

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
