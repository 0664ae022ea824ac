//! Files of an installation that were damaged: they are named, and nothing else is lost.

use std::os::unix::process::ExitStatusExt;

use insta::assert_snapshot;

use super::SLEEPER;
use crate::life::Life;

/// Damages a file in every way; whatever a verb says then, it is no panic, and it ends.
fn survives(life: &Life, file: &str) {
    for content in [&b""[..], b"\xff\xfe", b"[1", b"{\"format\": 99}", b"format = 99\n"] {
        let former = life.damage(file, content);
        let verbs = ["status", "plan", "history", "verify", "list", "rollback", "gc", "install", "start"];
        for verb in verbs {
            let said = life.run(&[verb, "--quiet"]);
            assert!(!said.stderr().contains("panicked"), "{file} {content:?} {verb}\n{}", said.text());
            assert!(said.status().signal().is_none(), "{file} {content:?} {verb}\n{}", said.text());
            let said = said.either(&[0, 1]);
            if said.status().code() == Some(1) && !said.stderr().is_empty() {
                assert!(said.stderr().starts_with("error: "), "{file} {content:?} {verb}\n{}", said.text());
            }
        }
        life.run(&["stop", "--quiet"]).success();
        life.mend(file, former);
        life.run(&["verify", "--quiet"]).success();
    }
    life.install();
    assert_eq!(life.status()["generation"].as_u64().map(|number| number > 0), Some(true));
}

#[test]
fn damaged_records_of_a_prefix_are_told() {
    let life = Life::of(SLEEPER);
    life.install();
    for file in ["prefix.toml", "state.toml", "ledger.jsonl"] {
        survives(&life, file);
    }
}

#[test]
fn damaged_records_of_a_generation_are_told() {
    let life = Life::of(SLEEPER);
    life.install();
    for file in ["generations/1/manifest.json", "generations/1/services.json", "generations/1/status.json"] {
        survives(&life, file);
    }
}

#[test]
fn damaged_records_of_a_run_are_told() {
    let life = Life::of(SLEEPER);
    life.install();
    for file in ["stamp.json", "switch.toml", "hold.toml"] {
        survives(&life, file);
    }
}

#[test]
fn a_damaged_generation_is_made_anew() {
    let life = Life::of(SLEEPER);
    life.install();
    life.damage("generations/1/manifest.json", b"{");
    assert_snapshot!(life.run(&["plan"]).text(), @r"
    ------- stderr -------
    error: [HOME]/jove/app-dev/generations/1/manifest.json is damaged: EOF while parsing an object at line 1 column 1; `jove-install verify --repair` makes the generation anew, `jove-install rollback` takes another
    ------- exit 1 -------
    ");
    assert_snapshot!(life.run(&["verify"]).text(), @r"
    [HOME]/jove/app-dev/generations/1/manifest.json is damaged: EOF while parsing an object at line 1 column 1; `jove-install verify --repair` makes the generation anew, `jove-install rollback` takes another
    ------- stderr -------
    ------- exit 1 -------
    ");
    let pid = life.pid("app");
    assert_snapshot!(life.run(&["verify", "--repair", "--quiet"]).text(), @r"
    the record of generation 1 was damaged; a new generation is made
    ------- stderr -------
    ------- exit 0 -------
    ");
    assert_eq!(life.pid("app"), pid, "nothing of it changed");
    life.run(&["plan"]).success();
    life.damage("generations/2/services.json", b"");
    assert_eq!(life.run(&["verify", "--quiet"]).code(1).stderr(), "");
    life.run(&["stop"]).success();
    life.is_quiet();
    life.run(&["verify", "--repair", "--quiet"]).success();
    assert_eq!(life.service("app")["state"], "ready");
    life.run(&["gc", "--keep", "9"]).success();
    life.run(&["verify"]).success();
}

#[test]
fn a_damaged_identity_is_written_anew_by_adopt() {
    let life = Life::of(SLEEPER);
    life.install();
    life.run(&["stop"]).success();
    life.damage("prefix.toml", b"");
    assert_snapshot!(life.run(&["start"]).text(), @r"
    ------- stderr -------
    error: the identity of the prefix: [HOME]/jove/app-dev/prefix.toml:1:1 is damaged: missing field `format`; if this folder is yours, `jove-install adopt` writes it anew
    ------- exit 1 -------
    ");
    assert_snapshot!(life.run(&["adopt"]).text(), @r"
    [HOME]/jove/app-dev is adopted; install again to make anew what its place is baked into
    ------- stderr -------
    ------- exit 0 -------
    ");
    life.install();
    assert_eq!(life.generation().as_deref(), Some("1"));
    life.run(&["wipe", "--data", "--yes"]).success();
    assert!(!life.prefix().exists());
}

#[test]
fn a_damaged_journal_is_settled_by_the_next_start() {
    let life = Life::of(SLEEPER);
    life.install();
    life.damage("switch.toml", b"x");
    assert_snapshot!(life.run(&["gc"]).text(), @r"
    ------- stderr -------
    error: switch.toml is damaged (key with no value, expected `=`); the generation that `current` names is taken as the good one: `jove-install stop`, then `jove-install start` brings it back
    ------- exit 1 -------
    ");
    life.run(&["stop"]).success();
    life.run(&["start"]).success();
    life.run(&["gc"]).success();
}

#[test]
fn a_damaged_lock_is_named_and_left() {
    let life = Life::of(SLEEPER);
    for (content, expected) in [
        ("", "damaged: missing field `format`"),
        ("hi", "damaged: "),
        ("format = 99\n", "has format 99"),
        ("<<<<<<< ours\n", "jove.lock:1 holds the marks of an unfinished merge"),
    ] {
        life.sandbox.write("jove.lock", content);
        for verb in ["plan", "install", "lock"] {
            let said = life.run(&[verb]).code(1);
            assert!(said.stderr().contains(expected), "{content} {verb}\n{}", said.text());
        }
        assert_eq!(life.sandbox.read("jove.lock"), content);
    }
}
