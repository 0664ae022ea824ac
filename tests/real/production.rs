//! The profiles `production` and `stage`: the shipped example and a Django project with its worker behind nginx with TLS, as an
//! ordinary user, programs from Debian packages; seen by programs, and by a person with a browser.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::browser::Browser;
use crate::home::{Home, get, has_debian, kill};
use crate::migration;

const CLIENT: &str = include_str!("../recipes/wps_client.py");
const ASK: &str = include_str!("production/ask.py");
pub const PRODUCTION: &[&str] = &["-p", "production"];
/// In a folder whose name has spaces, apostrophes and letters of other alphabets.
pub const STAGE: &[&str] = &["-p", "stage", "--prefix", "../o'neil's stage for größe"];

/// A home where packages of Debian can be had.
pub fn home() -> Option<Home> {
    has_debian().then(Home::of_known_user).flatten()
}

/// The site's own certificate.
pub fn certificate(home: &Home, place: &[&str]) -> PathBuf {
    let prefix = home.status(place)["prefix"].as_str().unwrap().to_owned();
    Path::new(&prefix).join("var/web/tls/certificate.pem")
}

/// What a browser gets that trusts the site's own certificate.
#[track_caller]
pub fn ask(home: &Home, place: &[&str], urls: &[&str]) -> Vec<Value> {
    ask_as(home, place, None, urls)
}

/// The same, by somebody who shows a certificate (a file with its key in it).
#[track_caller]
pub fn ask_as(home: &Home, place: &[&str], who: Option<&Path>, urls: &[&str]) -> Vec<Value> {
    ask_trusting(home, place, &certificate(home, place), who, urls)
}

/// The same, trusting another certificate.
#[track_caller]
pub fn ask_trusting(home: &Home, place: &[&str], trusted: &Path, who: Option<&Path>, urls: &[&str]) -> Vec<Value> {
    let client = home.folder().join("ask.py");
    // Several may ask at once: it is not written while another reads it.
    if std::fs::read_to_string(&client).ok().as_deref() != Some(ASK) {
        home.write(&client, ASK);
    }
    let certificate = trusted.display().to_string();
    let who = format!("ASK_AS={}", who.map(Path::display).map_or(String::new(), |path| path.to_string()));
    let command = ["--", "env", &who, "python", client.to_str().unwrap(), &certificate];
    let said = home.run(&[&["run", "env"], place, &command, urls].concat()).success();
    said.stdout().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The address at which a site of another name is reached here: `name@127.0.0.1:8443`, and how it is called there.
pub fn named(url: &str, name: &str) -> (String, String) {
    let place = url.trim_start_matches("https://").trim_end_matches('/');
    let port = place.rsplit(':').next().unwrap();
    (format!("https://{name}:{port}@{place}"), format!("https://{name}:{port}"))
}

fn plain_port(home: &Home, place: &[&str]) -> String {
    let port = home.run(&[&["explain", "web.port", "--json"], place].concat()).success().json();
    format!("http://127.0.0.1:{}/", port["value"])
}

#[test]
fn the_example_runs_in_production() {
    let Some(home) = home() else { return };
    let client = home.write("wps_client.py", CLIENT);
    let before = home.outside();
    home.run(PRODUCTION).success();
    let url = home.url(PRODUCTION, "web");
    assert!(url.starts_with("https://127.0.0.1:"), "{url}");
    is_careful(&home, &url);
    a_person_tries_a_process(&home, &url);
    // A WPS client that trusts the certificate speaks to it, and its queue is in the database.
    // Python's own client and `requests` are told of it by a variable each.
    let trusted = certificate(&home, PRODUCTION).display().to_string();
    let (own, requests) = (format!("SSL_CERT_FILE={trusted}"), format!("REQUESTS_CA_BUNDLE={trusted}"));
    let command = ["--", "env", &own, &requests, "python", client.to_str().unwrap(), &format!("{url}wps")];
    let spoke = home.run(&[&["run", "env"], PRODUCTION, &command].concat()).success();
    assert_eq!(spoke.stdout().lines().filter(|line| line.starts_with("ok: ")).count(), 16, "{}", spoke.stdout());
    let again = home.run(&[PRODUCTION, &["--json"]].concat()).success();
    assert_eq!(again.json()["changed"], serde_json::json!([]));

    old_outputs_go_at_their_time(&home, &url);
    kill(&home.service(PRODUCTION, "wps")["pid"]);
    home.until("the service after a kill", || ask(&home, PRODUCTION, &[&url])[0]["status"] == 200);
    let wrong = home.run(&[PRODUCTION, &["--set", "wps.debug=true"]].concat()).code(1);
    assert!(wrong.stderr().contains("`wps.debug` must be false under profile `production`"), "{}", wrong.stderr());
    home.run(&[&["verify"], PRODUCTION].concat()).success();

    is_dumped_and_loaded(&home);
    // The same on Apache, whose mod_wsgi is made for the Python of its packages.
    let apache = ["--set", "wps.server=mod_wsgi", "--set", "env.provider=deb"];
    home.run(&[PRODUCTION, &apache].concat()).success();
    let spoke = home.run(&[&["run", "env"], PRODUCTION, &command].concat()).success();
    assert_eq!(spoke.stdout().lines().filter(|line| line.starts_with("ok: ")).count(), 16, "{}", spoke.stdout());
    home.wipe(PRODUCTION);
    let client = home.folder().join("ask.py");
    assert_eq!(before.changes(&home.outside().without(&client)), "");
}

/// What is older than it is kept is removed by the job `wps-tidy`, but nothing of a job that runs.
fn old_outputs_go_at_their_time(home: &Home, url: &str) {
    let outputs = home.home().join("jove/production/var/wps/outputs");
    let begin = |seconds: u32| {
        let execute = format!(
            "{url}wps?service=WPS&version=1.0.0&request=Execute&identifier=wait&datainputs=seconds={seconds};steps=1&storeExecuteResponse=true&status=true"
        );
        let said = ask(home, PRODUCTION, &[&execute])[0]["text"].as_str().unwrap().to_owned();
        let status = said.split("/outputs/").nth(1).and_then(|rest| rest.split(".xml").next());
        format!("{}.xml", status.unwrap_or_else(|| panic!("{said}")))
    };
    let says = |status: &str, word: &str| std::fs::read_to_string(outputs.join(status)).is_ok_and(|t| t.contains(word));
    let names = || {
        let names = std::fs::read_dir(&outputs).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.collect::<std::collections::BTreeSet<_>>()
    };
    let running = begin(120);
    home.until("a job runs", || says(&running, "step 1 of 1"));
    assert!(names().len() > 5, "{:?}", names());
    // It writes nothing for two minutes.
    let then = std::time::SystemTime::now() - std::time::Duration::from_secs(31 * 24 * 60 * 60);
    for entry in walkdir::WalkDir::new(&outputs).contents_first(true).into_iter().map(Result::unwrap) {
        std::fs::File::open(entry.path()).unwrap().set_modified(then).unwrap();
    }
    let fresh = begin(0);
    home.until("a job is over", || says(&fresh, "ProcessSucceeded"));
    let requests = |more: &str| {
        let code = format!(
            "import os, sqlalchemy as s\nwith s.create_engine(os.environ['JOVE_PYWPS_DATABASE']).begin() as c:\n    {more}\n    \
             print(c.execute(s.text('select count(*) from pywps_requests')).scalar())"
        );
        home.run(&[&["run", "wps"], PRODUCTION, &["--", "python", "-c", &code]].concat()).success().stdout().to_owned()
    };
    let all = "c.execute(s.text(\"update pywps_requests set time_end = time_end - interval '2 years'\"))";
    assert!(requests(all).trim().parse::<u32>().unwrap() > 16);
    home.run(&[&["run-now", "wps-tidy"], PRODUCTION].concat()).success();
    let log = home.run(&[&["logs", "wps-tidy"], PRODUCTION].concat()).success();
    assert!(log.stdout().contains("removed the outputs of"), "{}", log.stdout());
    assert_eq!(names(), ["README.txt".to_owned(), running, fresh].into());
    assert_eq!(requests("pass").trim(), "1", "that of the job that runs");
}

/// The page of the service, as its scripts make it: the form of a process, and what it answers.
fn a_person_tries_a_process(home: &Home, url: &str) {
    let open = format!("open {url}");
    let steps = [
        open.as_str(),
        "say document.title",
        "say getComputedStyle(document.querySelector('.skip')).position",
        "press #process-greet button",
        "until document.querySelector('form.try [name=name]')",
        "write [name=name] Jane",
        "press [type=submit]",
        "until document.querySelector('.outputs').textContent.includes('!')",
        "say document.querySelector('.outputs').textContent",
    ];
    let browser = Browser::install(home);
    let seen = browser.does(home, PRODUCTION, &certificate(home, PRODUCTION), &steps);
    browser.remove(home);
    assert_eq!(seen[..2], ["Demonstration WPS", "absolute"]);
    assert!(seen[2].as_str().unwrap().contains("Hello, Jane!"), "{seen:?}");
}

/// TLS and what goes with it.
fn is_careful(home: &Home, url: &str) {
    let plain = plain_port(home, PRODUCTION);
    let page = format!("{url}page/page.css");
    let answers = ask(
        home,
        PRODUCTION,
        &[url, &plain, &page, &format!("{url}outputs/README.txt"), &format!("{url}.jove/secret")],
    );
    let header = |index: usize, name: &str| answers[index]["headers"][name].as_str().unwrap_or_default().to_owned();
    assert!(
        answers[0]["status"] == 200 && answers[0]["text"].as_str().unwrap().contains("Demonstration WPS"),
        "{answers:?}"
    );
    assert_eq!(header(0, "x-content-type-options"), "nosniff", "{answers:?}");
    assert_eq!(header(0, "x-frame-options"), "SAMEORIGIN");
    assert!(!header(0, "server").contains('/'), "no version is told: {answers:?}");
    assert_eq!((&answers[1]["status"], header(1, "location")), (&301.into(), url.to_owned()));
    assert!(answers[2]["status"] == 200 && header(2, "cache-control").contains("max-age=31536000"), "{answers:?}");
    assert_eq!(header(2, "x-content-type-options"), "nosniff");
    assert!(answers[3]["status"] == 200 && header(3, "content-security-policy").contains("sandbox"), "{answers:?}");
    assert_eq!(answers[4]["status"], 404);
    assert_eq!(get(&format!("{plain}.jove/health")).text, "well\n");
    let mode = certificate(home, PRODUCTION).metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

fn is_dumped_and_loaded(home: &Home) {
    let found = |subject: &str| {
        let checks = home.run(&[&["doctor", "--production", "--json"], PRODUCTION].concat()).either(&[0, 1]).json();
        let check = checks.as_array().unwrap().iter().find(|check| check["subject"] == subject).cloned();
        check.unwrap_or_else(|| panic!("{checks}"))["verdict"].clone()
    };
    assert_eq!(
        (found("services"), found("dumps"), found("web: TLS")),
        ("good".into(), "missing".into(), "limited".into())
    );
    let dumped = home.run(&[&["dump", "--json"], PRODUCTION].concat()).success().json();
    let parts = dumped["dump"]["parts"].as_object().unwrap();
    for part in ["postgresql", "wps", "wps-postgresql"] {
        assert_eq!(parts[part]["proven"], true, "{dumped}");
    }
    assert_eq!(found("dumps"), "good");
    // The profile's own, at night.
    home.run(&[&["run-now", "nightly-dump"], PRODUCTION].concat()).success();
    let dumps = home.run(&[&["dump", "--list", "--json"], PRODUCTION].concat()).success().json();
    assert_eq!(dumps.as_array().map(Vec::len), Some(2), "{dumps}");
    home.run(&[&["load"], PRODUCTION].concat()).success();
    assert!(home.service(PRODUCTION, "wps")["state"] == "ready");
}

fn shop() -> Option<Home> {
    let mut home = home()?;
    home.enter_project("shop", "production/shop");
    Some(home)
}

#[test]
fn a_django_project_lives_in_production() {
    let Some(home) = shop() else { return };
    home.run(PRODUCTION).success();
    let url = home.url(PRODUCTION, "web");
    let file = home.write("upload/note.txt", "<script>a note</script>");
    let upload = format!("{url}upload {}", file.display());
    let pages = ask(&home, PRODUCTION, &[&url, &upload, &format!("{url}health"), &format!("{url}peek")]);
    let page = pages[0]["text"].as_str().unwrap();
    assert!(page.contains("first edition, 1 items") && page.contains(&url), "{pages:?}");
    assert_eq!((pages[1]["text"].as_str(), &pages[2]["status"]), (Some("/media/note.txt"), &200.into()), "{pages:?}");
    if jove_install::sandbox::Machine::current().landlock.is_ok() {
        assert_eq!(pages[3]["text"], "reached:");
    }
    // Collected with a digest in its name, and served by the web server, as are uploads, in which no script runs.
    let css = page.split(", ").nth(2).unwrap();
    let files =
        ask(&home, PRODUCTION, &[&format!("{}{css}", url.trim_end_matches('/')), &format!("{url}media/note.txt")]);
    assert!(css.starts_with("/static/shop.") && css.len() > "/static/shop.css".len(), "{page}");
    assert!(files[0]["text"] == "body { color: teal }\n", "{files:?}");
    assert!(files[0]["headers"]["cache-control"].as_str().unwrap().contains("max-age=31536000"), "{files:?}");
    assert!(files[1]["headers"]["content-security-policy"].as_str().unwrap().contains("sandbox"), "{files:?}");

    a_person_sends_a_note(&home, &url);
    is_updated_or_not_at_all(&home, &url);
    migration::goes_wrong_and_leaves_no_trace(&home, &url);
    stage_stands_beside(&home, &url);
    comes_back_from_a_dump(&home, &url);
    comes_back_after_a_wipe(&home, &url);
    home.wipe(PRODUCTION);
}

/// With a browser: the page in its colours, the form, and what the worker found in the file.
fn a_person_sends_a_note(home: &Home, url: &str) {
    let note = home.write("upload/by hand.txt", "four words by hand");
    let (open, choose) = (format!("open {url}"), format!("choose input[type=file] {}", note.display()));
    let steps = [
        open.as_str(),
        "say document.title",
        "say getComputedStyle(document.body).color",
        choose.as_str(),
        "press button",
        "until document.querySelector('#found')",
        "say document.querySelector('#found').textContent",
        "say location.pathname",
    ];
    let browser = Browser::install(home);
    let seen = browser.does(home, PRODUCTION, &certificate(home, PRODUCTION), &steps);
    browser.remove(home);
    let found = "by hand.txt: 4 words, says the first edition";
    assert_eq!(seen, ["Shop", "rgb(0, 128, 128)", found, "/notes/2"]);
}

/// A file is uploaded, and the worker of that edition finds its words.
#[track_caller]
pub fn is_counted_by(home: &Home, place: &[&str], url: &str, edition: &str) {
    let words = format!("{edition} by a program");
    let file = home.write("upload/program.txt", &words);
    let upload = format!("{url}upload {}", file.display());
    let uploaded = ask(home, place, &[&upload]);
    assert_eq!(uploaded[0]["status"], 200, "{uploaded:?}");
    let expected = format!("{} words, says the {edition}", words.split(' ').count());
    let mut last = Value::Null;
    home.until(&format!("`{expected}`"), || {
        last = ask(home, place, &[&format!("{url}found")])[0]["text"].clone();
        last != ""
    });
    assert_eq!(last, expected.as_str());
}

pub fn edit(home: &Home, from: &str, to: &str) {
    edit_file(home, "urls.py", from, to);
}

fn edit_file(home: &Home, name: &str, from: &str, to: &str) {
    let file = home.folder().join("site_of_shop").join(name);
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains(from));
    home.write(&file, text.replace(from, to));
}

fn is_updated_or_not_at_all(home: &Home, url: &str) {
    edit_file(home, "edition.py", "first edition", "second edition");
    home.run(&[&["update"], PRODUCTION].concat()).success();
    assert!(ask(home, PRODUCTION, &[url])[0]["text"].as_str().unwrap().contains("second edition"));
    is_counted_by(home, PRODUCTION, url, "second edition");
    // Back to the state before, and forward again.
    home.run(&[&["rollback"], PRODUCTION].concat()).success();
    assert!(ask(home, PRODUCTION, &[url])[0]["text"].as_str().unwrap().contains("first edition"));
    is_counted_by(home, PRODUCTION, url, "first edition");
    home.run(&[&["install", "--release"], PRODUCTION].concat()).success();
    assert!(ask(home, PRODUCTION, &[url])[0]["text"].as_str().unwrap().contains("second edition"));
    is_counted_by(home, PRODUCTION, url, "second edition");
    // Fails at its first request, which is ours and nobody else's: the old one goes on.
    edit(home, "HttpResponse(\"well\")", "HttpResponse(1 / 0)");
    edit_file(home, "edition.py", "second edition", "broken edition");
    let failed = home.run(&[&["update"], PRODUCTION].concat()).code(1);
    assert!(failed.stderr().contains("answers `/health` with 500"), "{}", failed.stderr());
    assert!(ask(home, PRODUCTION, &[url])[0]["text"].as_str().unwrap().contains("second edition"));
    is_counted_by(home, PRODUCTION, url, "second edition");
    edit_file(home, "edition.py", "broken edition", "second edition");
    edit(home, "HttpResponse(1 / 0)", "HttpResponse(\"well\")");
    // Fails when it is loaded.
    edit(home, "urlpatterns = [", "urlpatterns = nothing + [");
    home.run(&[&["update"], PRODUCTION].concat()).code(1);
    assert!(ask(home, PRODUCTION, &[url])[0]["text"].as_str().unwrap().contains("second edition"));
    edit(home, "urlpatterns = nothing + [", "urlpatterns = [");
    // What the lock does not say is not taken by an update.
    let toml = std::fs::read_to_string(home.folder().join("jove.toml")).unwrap();
    home.write("jove.toml", toml.replace("\"celery[redis]\"]", "\"celery[redis]\", \"packaging\"]"));
    let locked = home.run(&[&["update"], PRODUCTION].concat()).code(1);
    assert!(locked.stderr().contains("lock"), "{}", locked.stderr());
    home.write("jove.toml", toml);
    home.run(&[&["update"], PRODUCTION].concat()).success();
}

fn stage_stands_beside(home: &Home, url: &str) {
    home.run(STAGE).success();
    let stage = home.url(STAGE, "web");
    assert_ne!(stage, url);
    let page = &ask(home, STAGE, &[&stage])[0];
    assert!(page["text"].as_str().unwrap().contains("second edition, 1 items"), "its own data: {page}");
    assert!(page["text"].as_str().unwrap().contains("stage: a trial"), "{page}");
    let diff = home.run(&["diff", "production", "stage", "--json"]).success().json();
    assert!(diff.to_string().contains("stage: a trial"), "{diff}");
    let dumped = home.run(&[&["dump", "app-postgresql", "--json"], PRODUCTION].concat()).success().json();
    // What production holds, in stage.
    home.run(&[&["load", dumped["dump"]["path"].as_str().unwrap()], STAGE].concat()).success();
    let count = |place: &[&str], url: &str| ask(home, place, &[&format!("{url}count")])[0]["text"].clone();
    assert_eq!(count(STAGE, &stage), count(PRODUCTION, url));
    is_counted_by(home, STAGE, &stage, "second edition");
    home.run(&[&["wipe", "--data", "--yes"], STAGE].concat()).success();
}

fn comes_back_from_a_dump(home: &Home, url: &str) {
    let count = || ask(home, PRODUCTION, &[&format!("{url}count")])[0]["text"].clone();
    let then = count();
    home.run(&[&["dump"], PRODUCTION].concat()).success();
    ask(home, PRODUCTION, &[url, url]);
    assert_ne!(count(), then);
    let prefix = home.status(PRODUCTION)["prefix"].as_str().unwrap().to_owned();
    let folder = Path::new(&prefix).join("var/app-files/files");
    let node = || std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(&folder).unwrap());
    let before = node();
    std::fs::remove_file(folder.join("note.txt")).unwrap();
    home.run(&[&["load"], PRODUCTION].concat()).success();
    assert_eq!(node(), before, "what a confined service may use is this folder, and not another of its name");
    assert_eq!(count(), then);
    assert_eq!(ask(home, PRODUCTION, &[&format!("{url}media/note.txt")])[0]["status"], 200);
    is_counted_by(home, PRODUCTION, url, "second edition");
}

/// A dump that was put away is all that is left of the site, and all that it takes.
fn comes_back_after_a_wipe(home: &Home, url: &str) {
    let count = |url: &str| ask(home, PRODUCTION, &[&format!("{url}count")])[0]["text"].clone();
    let then = count(url);
    let dumped = home.run(&[&["dump", "--json"], PRODUCTION].concat()).success().json();
    let kept = home.folder().join("kept");
    let copied = Command::new("cp").arg("-a").arg(dumped["dump"]["path"].as_str().unwrap()).arg(&kept).status();
    assert!(copied.unwrap().success());
    home.run(&[&["wipe", "--data", "--yes"], PRODUCTION].concat()).success();
    home.run(PRODUCTION).success();
    let url = home.url(PRODUCTION, "web");
    assert_ne!(count(&url), then, "another site, without what people did");
    home.run(&[&["load", kept.to_str().unwrap()], PRODUCTION].concat()).success();
    assert_eq!(count(&url), then);
    assert_eq!(ask(home, PRODUCTION, &[&format!("{url}media/note.txt")])[0]["status"], 200);
}
