//! An application on Apache with mod_wsgi behind nginx in production, with a database of MariaDB that it asked for by name. As an
//! ordinary user, programs from Debian packages.

use crate::home::{Home, kill};
use crate::production::{PRODUCTION, ask, home, named};
use crate::visits::nobody_notices;

const LETTERS: &str = include_str!("letters/letters.py");

fn office() -> Option<Home> {
    let mut home = home()?;
    home.enter_project("letters", "letters");
    Some(home)
}

/// The site in production: where it is reached here, and how it is called there.
fn site(home: &Home) -> (String, String) {
    named(&home.url(PRODUCTION, "web"), "letters.example.org")
}

fn page(home: &Home, path: &str) -> serde_json::Value {
    ask(home, PRODUCTION, &[&format!("{}/post/{path}", site(home).0)])[0].clone()
}

fn text(home: &Home, path: &str) -> String {
    page(home, path)["text"].as_str().unwrap().to_owned()
}

#[test]
fn apache_serves_what_mariadb_keeps() {
    let Some(home) = office() else { return };
    let before = home.outside();
    home.run(PRODUCTION).success();
    let (_, called) = site(&home);
    let says = |edition: &str, count: u32| {
        let who = "site-app@localhost in site-app by mod_wsgi";
        format!("{edition}, {count} Grüße, 山 as {who} at {called}/post/")
    };
    assert_eq!(text(&home, ""), says("first edition", 1));
    assert_eq!(text(&home, "databases"), "information_schema site-app", "its own, and nobody else's");
    if jove_install::sandbox::Machine::current().landlock.is_ok() {
        assert_eq!(text(&home, "peek"), "reached:");
    }
    kill(&home.service(PRODUCTION, "app")["pid"]);
    home.until("the site after a kill", || page(&home, "health")["status"] == 200);
    kill(&home.service(PRODUCTION, "mariadb")["pid"]);
    home.until("the database after a kill", || page(&home, "databases")["status"] == 200);

    is_updated_or_put_back(&home, &says);
    is_dumped_and_loaded(&home, &says);
    home.run(&[&["verify"], PRODUCTION].concat()).success();
    home.wipe(PRODUCTION);
    let lock = home.folder().join("jove.lock");
    let client = home.folder().join("ask.py");
    home.write("letters.py", LETTERS);
    assert_eq!(before.changes(&home.outside().without(&lock).without(&client)), "");
}

fn is_updated_or_put_back(home: &Home, says: &dyn Fn(&str, u32) -> String) {
    nobody_notices(home, &site(home).1, "/post/health", || {
        home.write("letters.py", LETTERS.replace("first edition", "second edition"));
        home.run(&[&["update"], PRODUCTION].concat()).success();
        for (from, to, told) in [
            (
                "return \"well\"",
                "return 1 / 0",
                "the application answers `/post/health` with 500 INTERNAL SERVER ERROR",
            ),
            ("import pymysql", "import nothing", "No module named 'nothing'"),
        ] {
            home.write("letters.py", LETTERS.replace(from, to));
            let failed = home.run(&[&["update"], PRODUCTION].concat()).code(1);
            assert!(failed.stderr().contains(told), "{}", failed.stderr());
        }
        home.write("letters.py", LETTERS.replace("first edition", "second edition"));
        home.run(&[&["restart", "app"], PRODUCTION].concat()).success();
    });
    assert_eq!(text(home, ""), says("second edition", 2));
    home.run(PRODUCTION).success();
}

fn is_dumped_and_loaded(home: &Home, says: &dyn Fn(&str, u32) -> String) {
    let dumped = home.run(&[&["dump", "--json"], PRODUCTION].concat()).success().json();
    for part in ["mariadb", "app-mariadb", "app-files"] {
        assert_eq!(dumped["dump"]["parts"][part]["proven"], true, "{dumped}");
    }
    assert_eq!(text(home, "databases"), "information_schema site-app", "the scratch database went again");
    assert_eq!(text(home, ""), says("second edition", 3));
    home.run(&[&["load"], PRODUCTION].concat()).success();
    assert_eq!(text(home, ""), says("second edition", 3), "one was forgotten and written again");
    home.run(&[&["secret", "rotate", "app-mariadb.password"], PRODUCTION].concat()).success();
    home.run(PRODUCTION).success();
    assert_eq!(text(home, ""), says("second edition", 4), "by a new password");
}

/// mod_wsgi is made for one Python: with another nothing is switched, and people are told what to change.
#[test]
fn another_python_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (software, env) = (folder.path().join("software/modules"), folder.path().join("env/lib/python3.12"));
    std::fs::create_dir_all(&software).unwrap();
    std::fs::create_dir_all(&env).unwrap();
    // As Debian has it.
    std::os::unix::fs::symlink("mod_wsgi.so-3.11", software.join("mod_wsgi.so")).unwrap();
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes/apache/check.sh");
    let mut ask = std::process::Command::new("/bin/sh");
    let said =
        ask.arg(script).args([folder.path().join("software"), folder.path().join("env")]).arg("none").output().unwrap();
    let told = String::from_utf8(said.stderr).unwrap();
    assert!(!said.status.success() && told.contains("python = \"3.11\", with provider = \"deb\""), "{told}");
}
