//! Several sites behind one web server in production: by name and by path, with other names, with clients' certificates, updated
//! by themselves at night. As an ordinary user, nginx from Debian packages.

use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use serde_json::Value;

use crate::home::Home;
use crate::production::{PRODUCTION, ask, ask_as, home, named};

const HOUSES: &str = include_str!("sites/houses.py");

fn street() -> Option<Home> {
    let mut home = home()?;
    home.enter_project("street", "sites");
    Some(home)
}

#[test]
fn sites_stand_side_by_side() {
    let Some(home) = street() else { return };
    home.run(PRODUCTION).success();
    let url = home.url(PRODUCTION, "web");
    are_found_by_name_and_path(&home, &url);
    tells_what_runs(&home, &url);
    is_updated_at_night(&home, &url);
    knows_its_clients(&home, &url);
    home.wipe(PRODUCTION);
}

fn are_found_by_name_and_path(home: &Home, url: &str) {
    let (shop, called) = named(url, "shop.example.org");
    let (www, _) = named(url, "www.shop.example.org");
    let (store, _) = named(url, "store.example.org");
    let (other, _) = named(url, "nobody.example.org");
    let asked = [
        url.to_owned(),
        format!("{shop}/a?b=c"),
        format!("{shop}/wiki/page"),
        format!("{www}/a?b=c"),
        format!("{store}/wiki/"),
        format!("{other}/a"),
        format!("{shop}/health"),
    ];
    let said = ask(home, PRODUCTION, &asked.each_ref().map(String::as_str));
    let text = |index: usize| said[index]["text"].as_str().unwrap().to_owned();
    assert_eq!(text(0), format!("office at {} / for - -", url.trim_end_matches('/')));
    assert_eq!(text(1), format!("first shop at {called} /a for - -"));
    assert_eq!(text(2), format!("wiki at {called}/wiki /page for - -"));
    let sent = |index: usize| (said[index]["status"].clone(), said[index]["headers"]["location"].clone());
    assert_eq!(sent(3), (301.into(), format!("{called}/a?b=c").into()), "to the one name: {said:?}");
    assert_eq!(sent(4), (301.into(), format!("{called}/wiki/").into()), "{said:?}");
    assert!(text(5).starts_with("office at "), "a name that nobody has: {said:?}");
    assert_eq!(said[6]["status"], 200, "for this machine");
    let again = home.run(&["plan", "-p", "production", "--set", "wiki.at=/"]).code(1);
    assert!(again.stderr().contains("would serve two sites at `/` of shop.example.org"), "{}", again.stderr());
}

fn revision(home: &Home, url: &str) -> Value {
    let said = &ask(home, PRODUCTION, &[&format!("{url}.jove/revision")])[0];
    assert_eq!(said["headers"]["content-type"], "application/json", "{said}");
    serde_json::from_str(said["text"].as_str().unwrap()).unwrap_or_else(|_| panic!("{said}"))
}

fn tells_what_runs(home: &Home, url: &str) {
    let said = revision(home, url);
    let generation = &home.status(PRODUCTION)["generation"];
    assert_eq!(
        (&said["generation"], &said["project"], &said["profile"]),
        (generation, &"street".into(), &"production".into())
    );
    assert!(said["created"].is_string() && said["parts"]["shop"]["from"]["folder app"].is_string(), "{said}");
}

/// By the supervisor's own job, from a folder that was changed meanwhile; and two at once come one after the other.
fn is_updated_at_night(home: &Home, url: &str) {
    let (shop, _) = named(url, "shop.example.org");
    let says = |word: &str| {
        let said = &ask(home, PRODUCTION, &[&format!("{shop}/")])[0];
        assert!(said["text"].as_str().unwrap().starts_with(word), "{said}");
    };
    let before = revision(home, url);
    home.write("houses.py", HOUSES.replace("first shop", "second shop"));
    says("first shop");
    home.run(&[&["run-now", "nightly-update"], PRODUCTION].concat()).success();
    says("second shop");
    let after = revision(home, url);
    assert_eq!(after["verb"], "update", "{after}");
    assert_eq!(after["generation"].as_u64(), before["generation"].as_u64().map(|number| number + 1));
    assert_ne!(after["parts"]["shop"], before["parts"]["shop"]);
    // What cannot be loaded changes nothing, and is told.
    home.write("houses.py", HOUSES.replace("shop, wiki", "shop, wiki = nothing"));
    let failed = home.run(&[&["run-now", "nightly-update"], PRODUCTION].concat()).code(1);
    assert!(failed.stderr().contains("nightly-update"), "{}", failed.stderr());
    says("second shop");
    home.write("houses.py", HOUSES.replace("first shop", "third shop"));
    std::thread::scope(|scope| {
        let by_hand = scope.spawn(|| home.run(&[&["update"], PRODUCTION].concat()).success());
        home.run(&[&["run-now", "nightly-update"], PRODUCTION].concat()).success();
        by_hand.join().unwrap();
    });
    says("third shop");
    let last = revision(home, url);
    let history = home.run(&[&["history", "--json"], PRODUCTION].concat()).success().json();
    let committed = history.as_array().unwrap().iter().filter(|one| one["status"] == "committed").count();
    assert_eq!(committed, 3, "one made it, the other found it made: {history}");
    assert_eq!(last["generation"], history[0]["generation"]);
    let runs = home.run(&[&["runs", "nightly-update", "--json"], PRODUCTION].concat()).success().json();
    let mut ends: Vec<(u64, bool)> =
        runs.as_array().unwrap().iter().map(|run| (run["number"].as_u64().unwrap(), run["ok"] == true)).collect();
    ends.sort_unstable();
    assert_eq!(ends, [(1, true), (2, false), (3, true)], "{runs}");
}

#[test]
fn who_relies_on_certificates_is_not_open_to_everybody() {
    let Some(mut home) = home() else { return };
    home.enter("open");
    home.write("clients.pem", authority("ours").pem());
    home.write("jove.toml", "name = \"open\"\n[parts.web]\nrecipe = \"nginx\"\nclient_ca = \"clients.pem\"\n");
    let said = home.run(&["install"]).code(1);
    assert!(said.stderr().contains("would let everybody in; set tls = \"self-signed\""), "{}", said.stderr());
    let off = ["--set", "web.tls=self-signed", "--set", "web.tls_port=auto"];
    home.run(&[&["install"], &off[..]].concat()).success();
    home.run(&["wipe", "--data", "--yes"]).success();
}

/// Somebody who vouches for clients.
fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A file with a client's certificate and key.
fn client(home: &Home, name: &str, authority: &CertifiedIssuer<'_, KeyPair>) -> PathBuf {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    home.write(format!("clients/{name}.pem"), format!("{}{}", certificate.pem(), key.serialize_pem()))
}

fn knows_its_clients(home: &Home, url: &str) {
    let (ours, others) = (authority("ours"), authority("others"));
    let trusted = home.write("clients/ours.pem", ours.pem());
    let (friend, stranger) = (client(home, "friend", &ours), client(home, "stranger", &others));
    let ca = format!("web.client_ca={}", trusted.display());
    home.run(&[PRODUCTION, &["--set", &ca]].concat()).success();
    let (shop, called) = named(url, "shop.example.org");
    let page = format!("{shop}/");
    let come = |client: Option<&PathBuf>| ask_as(home, PRODUCTION, client.map(PathBuf::as_path), &[&page])[0].clone();
    let friends = format!("third shop at {called} / for SUCCESS CN=friend");
    assert_eq!(come(Some(&friend))["text"], friends);
    let (none, foreign) = (come(None), come(Some(&stranger)));
    assert!(none["status"] == 400 && none["text"].as_str().unwrap().contains("No required SSL certificate"), "{none}");
    assert!(
        foreign["status"] == 400 && foreign["text"].as_str().unwrap().contains("SSL certificate error"),
        "{foreign}"
    );
    // Only wanted: the application decides about those who have none.
    let wanted = ["--set", &ca, "--set", "web.client_certificates=wanted"];
    home.run(&[PRODUCTION, &wanted].concat()).success();
    assert_eq!(come(Some(&friend))["text"], friends);
    assert_eq!(come(None)["text"], format!("third shop at {called} / for NONE -"));
    assert_eq!(come(Some(&stranger))["status"], 400);
    home.run(PRODUCTION).success();
    assert_eq!(come(None)["text"], format!("third shop at {called} / for - -"));
}
