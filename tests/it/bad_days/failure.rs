//! Tasks that fail: what else was under way is finished, and every failure is told.

use super::SLEEPER;
use crate::life::Life;

#[test]
fn what_fails_lets_the_rest_finish_and_all_of_it_is_told() {
    let made = |name: &str, script: &str| {
        format!("[parts.{name}]\nrecipe = \"step\"\ncommand = [\"/bin/sh\", \"-c\", \"{script}\"]\n")
    };
    let good = made("good", "echo made > $JOVE_OBJECT/x");
    let reader = "[parts.reader]\nrecipe = \"command\"\ncommand = [\"/bin/true\", \"${bad}\"]\n";
    for jobs in ["1", "4"] {
        let life = Life::of(&format!(
            "{}{}{good}{reader}",
            made("bad", "echo not so; exit 7"),
            made("broken", "echo nor so; exit 8")
        ));
        let said = life.run(&["install", "--jobs", jobs]).code(1);
        for expected in
            ["2 parts could not be built", "bad: ", "not so", "broken: ", "nor so", "because they need `bad`: reader"]
        {
            assert!(said.stderr().contains(expected), "{expected} in\n{}", said.text());
        }
        // What was independent is whole, and is not made again.
        life.define(&good);
        life.install();
        let logs = life.prefix().join("log/install");
        let log = fs_err::read_dir(&logs).expect("logs").flatten().filter(|run| run.path().join("good.log").exists());
        assert_eq!(log.count(), 1, "it was made once");
        let log = fs_err::read_to_string(logs.join("1/good.log")).expect("its log");
        assert_eq!(log.lines().filter(|line| line.starts_with("$ ")).count(), 1, "{log}");
    }
}

#[test]
fn a_build_that_fails_shows_its_last_lines_and_log() {
    let life = Life::of(&format!(
        "{SLEEPER}vars = {{ X = \"${{bad}}\" }}\n\
         [parts.bad]\nrecipe = \"step\"\ncommand = [\"/bin/sh\", \"-c\", \"echo before; echo broken >&2; exit 7\"]\n\
         [parts.worse]\nrecipe = \"step\"\ncommand = [\"/nowhere/program\"]\n"
    ));
    let said = life.run(&["install"]).code(1);
    for expected in [
        "2 parts could not be built; nothing was changed",
        "broken",
        "log/install/1/bad.log",
        "/nowhere/program",
        "not begun, because they need `bad`: app",
    ] {
        assert!(said.stderr().contains(expected), "{expected} in\n{}", said.text());
    }
    assert_eq!(life.generation(), None);
    life.define(SLEEPER);
    life.install();
}

#[test]
fn an_index_that_does_not_answer_is_named_with_every_address() {
    let mut life = Life::of("[parts.env]\nrecipe = \"python\"\npypi = [\"nothing-of-that-name\"]\n");
    let port = closed_port();
    let index = format!("http://user:canary-word@127.0.0.1:{port}/simple/");
    life.sandbox.set("PIP_INDEX_URL", &index);
    life.sandbox.set("UV_INDEX_URL", &index);
    let said = life.run(&["install"]).code(1);
    assert!(said.stderr().contains(&format!("127.0.0.1:{port}")), "{}", said.text());
    assert!(!said.stderr().contains("canary-word"), "{}", said.text());
    assert!(!said.stderr().contains("panicked"), "{}", said.text());
    assert_eq!(life.generation(), None);
    let said = life.run(&["install", "--offline"]).code(1);
    assert!(said.stderr().contains("offline"), "{}", said.text());
}

/// A port of loopback on which nobody listens.
fn closed_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}
