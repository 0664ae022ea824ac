//! The real resolver and a package index of the test's own: what people see of a faulty one, and what is resolved anew.

use crate::home::Home;
use crate::index_server::{Fault, IndexServer, Wheel};
use crate::sandbox::{Output, Sandbox};

/// Only this server is known as an index, and whoever sends nothing is not waited for.
fn point(home: &mut Sandbox, server: &IndexServer) {
    for tool in ["PIP", "UV"] {
        for word in ["FIND_LINKS", "EXTRA_INDEX_URL", "INDEX", "DEFAULT_INDEX"] {
            home.unset(&format!("{tool}_{word}"));
        }
        home.set(&format!("{tool}_INDEX_URL"), server.url());
    }
    home.set("NO_PROXY", "127.0.0.1");
    home.set("UV_HTTP_TIMEOUT", 1);
}

const PARTS: &str = "name = \"app\"\n[parts.one]\nrecipe = \"python\"\npypi = [\"demo\"]\n\
                     [parts.two]\nrecipe = \"python\"\npypi = [\"other\"]\n";

fn server() -> IndexServer {
    IndexServer::start([Wheel::new("demo", "1.0"), Wheel::new("demo", "2.0"), Wheel::new("other", "1.0")])
}

/// It fails, says where and what to do, and leaves nothing.
#[track_caller]
fn fails(said: Output, fault: Fault, place: &str, remedies: &[&str]) {
    let said = said.code(1);
    let told = said.stderr();
    assert!(told.contains(place), "{fault:?} does not name {place}: {}", said.text());
    assert!(remedies.iter().any(|remedy| told.contains(remedy)), "{fault:?} says no remedy: {}", said.text());
    assert!(!told.contains("panicked"), "{}", said.text());
}

#[test]
fn an_index_that_fails_while_it_is_asked_is_named_with_what_to_do() {
    let faults = [Fault::Stall, Fault::Reset, Fault::Altered, Fault::Status(503), Fault::RedirectLoop];
    for fault in faults {
        let Some(mut home) = Home::new() else { return };
        let server = server();
        point(&mut home, &server);
        home.write("jove.toml", PARTS);
        server.fail("/simple/demo", fault);
        fails(home.run(&["lock"]), fault, "`demo`", &["package index"]);
        assert!(!home.path("work/jove.lock").exists());
        server.heal();
        home.run(&["install", "--quiet"]).success();
        home.run(&["wipe", "--data", "--yes"]).success();
    }
}

#[test]
fn a_file_that_does_not_come_is_named_with_every_try() {
    for fault in [Fault::Short, Fault::Altered, Fault::Status(404)] {
        let Some(mut home) = Home::new() else { return };
        let server = server();
        point(&mut home, &server);
        home.write("jove.toml", PARTS);
        home.run(&["lock"]).success();
        server.fail("/files/demo", fault);
        fails(
            home.run(&["install"]),
            fault,
            "demo-2.0-py3-none-any.whl",
            &["try again", "run again", "mirror", "index"],
        );
        server.heal();
        home.run(&["install", "--quiet"]).success();
        home.run(&["wipe", "--data", "--yes"]).success();
    }
}

#[test]
fn only_what_an_option_touches_is_resolved_anew() {
    let Some(mut home) = Home::new() else { return };
    let server = server();
    point(&mut home, &server);
    home.write("jove.toml", PARTS);
    // What the resolver remembers of the index would hide that it asks.
    let asked = |home: &Sandbox| {
        let kept = home.home().join(".cache/jove-install/uv");
        home.unseal(&kept);
        fs_err::remove_dir_all(&kept).expect("the resolver's own cache");
        let requests = server.requests();
        ["demo", "other"]
            .map(|name| requests.iter().filter(|request| request.contains(&format!("/simple/{name}/"))).count())
    };
    home.run(&["lock"]).success();
    let [demo, other] = asked(&home);
    assert!(demo > 0 && other > 0, "each is asked for at first");
    home.write("jove.toml", PARTS.replace("\"demo\"", "\"demo <2\""));
    home.run(&["lock"]).success();
    let [demo, other] = asked(&home);
    assert!(demo > 0 && other == 0, "{demo} questions for what changed, {other} for what did not");
    assert!(home.read("jove.lock").contains("demo-1.0-py3-none-any.whl"));
    home.run(&["install", "--quiet"]).success();
    let pages = server.requests().into_iter().filter(|request| request.contains("/simple/")).count();
    home.write(
        "jove.toml",
        PARTS.replace("\"demo\"", "\"demo <2\"")
            + "[parts.more]\nrecipe = \"command\"\ncommand = [\"/bin/sleep\", \"1000\"]\n",
    );
    home.run(&["install", "--quiet"]).success();
    assert_eq!(server.requests(), [""; 0], "what was locked is resolved no more ({pages} pages located its files)");
    home.run(&["wipe", "--data", "--yes"]).success();
}
