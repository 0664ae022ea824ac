//! Where installations are, and where they were: odd, closed, moved, copied, and those of others.

use std::os::unix::fs::PermissionsExt;

use insta::assert_snapshot;

use super::SLEEPER;
use crate::life::Life;

#[test]
fn a_folder_of_others_is_never_touched() {
    let life = Life::of(SLEEPER);
    let other = life.sandbox.home().join("precious");
    life.sandbox.write(other.join("thesis.txt"), "years of work");
    let before = life.sandbox.listing();
    let named = other.display().to_string();
    assert_snapshot!(life.run(&["--prefix", &named, "install"]).text(), @r"
    ------- stderr -------
    error: [HOME]/precious is no prefix (it has no prefix.toml) and is not empty (`thesis.txt`), so nothing in it is touched; choose another folder with `--prefix`, or empty this one yourself
    ------- exit 1 -------
    ");
    for verb in [&["plan"][..], &["status"], &["wipe", "--data", "--yes"], &["adopt"], &["stop"], &["lock"], &["gc"]] {
        let mut arguments = vec!["--prefix", named.as_str()];
        arguments.extend(verb);
        life.run(&arguments).either(&[0, 1]);
    }
    let file = other.join("thesis.txt").display().to_string();
    let said = life.run(&["--prefix", &file, "install"]).code(1);
    assert!(said.stderr().contains("is no folder, so it can be no prefix"), "{}", said.text());
    let after = life.sandbox.listing();
    assert_eq!(before.without(&life.sandbox.path("work")).changes(&after.without(&life.sandbox.path("work"))), "");
}

#[test]
fn odd_places_are_places_too() {
    for place in [format!("{}/{}", "long".repeat(25), "path".repeat(25)), "mit Leer, ümlaut ☃".to_owned()] {
        let life = Life::of(SLEEPER);
        let before = life.sandbox.listing();
        let prefix = life.sandbox.home().join(place).display().to_string();
        let run = |arguments: &[&str]| life.run(&[&["--prefix", prefix.as_str()], arguments].concat());
        run(&["install", "--quiet"]).success();
        assert!(run(&["plan"]).success().stdout().starts_with("nothing to do"));
        run(&["install", "--quiet"]).success();
        run(&["status"]).success();
        run(&["verify"]).success();
        run(&["restart", "app"]).success();
        run(&["wipe", "--data", "--yes"]).success();
        let after = life.sandbox.listing();
        let changes = before.changes(&after);
        let left = changes.lines().filter(|line| !line.contains("(folder ") && !line.contains("/work/"));
        assert_eq!(left.filter(|line| !line.contains("/.cache/")).count(), 0, "{changes}");
    }
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let life = Life::of(SLEEPER);
    let said = life.run(&["--prefix", "/proc/jove", "install"]).code(1);
    assert!(said.stderr().starts_with("error: /proc/jove"), "{}", said.text());
    if life.sandbox.user() == 0 {
        eprintln!("skipped: nothing is closed to this user");
        return;
    }
    let closed = life.sandbox.home().join("closed");
    life.sandbox.write(closed.join("x"), "");
    fs_err::set_permissions(&closed, PermissionsExt::from_mode(0o555)).expect("mode");
    let below = closed.join("prefix").display().to_string();
    assert_snapshot!(life.run(&["--prefix", &below, "install"]).text(), @r"
    ------- stderr -------
    error: [HOME]/closed/prefix: [HOME]/closed/prefix cannot be made: Permission denied (os error 13)

    hint: give another place with --prefix DIR, or JOVE_HOME for all of them
    ------- exit 1 -------
    ");
    // An installation that became read-only can still be looked at and stopped.
    life.install();
    let prefix = life.prefix();
    fs_err::set_permissions(&prefix, PermissionsExt::from_mode(0o555)).expect("mode");
    life.run(&["status"]).success();
    life.run(&["plan"]).success();
    let said = life.run(&["install", "--set", "app.stop_grace=3s"]).code(1);
    assert!(said.stderr().contains(".tmp") || said.stderr().contains("app-dev"), "{}", said.text());
    life.run(&["stop"]).success();
    assert_snapshot!(life.run(&["wipe", "--yes"]).text(), @r"
    ------- stderr -------
    stopping
    removing
    error: while removing the run folder: [HOME]/jove/app-dev/run: it cannot be removed: its folder [HOME]/jove/app-dev cannot be written

    hint: run the same command again when that is mended
    ------- exit 1 -------
    ");
    fs_err::set_permissions(&prefix, PermissionsExt::from_mode(0o700)).expect("mode");
    life.install();
}

#[test]
fn a_moved_prefix_is_told_and_adopted() {
    let life = Life::of(SLEEPER);
    life.install();
    life.run(&["stop"]).success();
    let moved = life.sandbox.home().join("moved");
    fs_err::rename(life.prefix(), &moved).expect("moved");
    let named = moved.display().to_string();
    let run = |arguments: &[&str]| life.run(&[&["--prefix", named.as_str()], arguments].concat());
    assert_snapshot!(run(&["install"]).text(), @r"
    ------- stderr -------
    error: the prefix [HOME]/moved was moved from [HOME]/jove/app-dev, and its software holds that path; put it back there, or choose another folder with `--prefix`, or make it at home here with `jove-install adopt`
    ------- exit 1 -------
    ");
    assert_snapshot!(run(&["plan"]).text(), @r"
    ------- stderr -------
    error: the prefix [HOME]/moved was moved from [HOME]/jove/app-dev, and its software holds that path; put it back there, or choose another folder with `--prefix`, or make it at home here with `jove-install adopt`
    ------- exit 1 -------
    ");
    for verb in ["start", "restart", "rollback"] {
        assert!(run(&[verb]).code(1).stderr().contains("was moved from"), "{verb}");
    }
    run(&["status"]).code(1);
    run(&["adopt"]).success();
    run(&["install", "--quiet"]).success();
    run(&["status"]).success();
    assert!(!life.prefix().exists(), "nothing is made where it was");
    run(&["wipe", "--data", "--yes"]).success();
    assert!(!moved.exists());
}

#[test]
fn a_prefix_that_is_moved_while_it_runs_starts_nothing_where_it_was() {
    let life = Life::of(SLEEPER);
    life.install();
    let moved = life.sandbox.home().join("moved");
    fs_err::rename(life.prefix(), &moved).expect("moved");
    let named = moved.display().to_string();
    let run = |arguments: &[&str]| life.run(&[&["--prefix", named.as_str()], arguments].concat());
    run(&["status"]).success();
    run(&["stop"]).success();
    life.is_quiet();
    run(&["adopt"]).success();
    run(&["install", "--quiet"]).success();
    assert!(!life.prefix().exists(), "nothing is made where it was");
    run(&["wipe", "--data", "--yes"]).success();
}

#[test]
fn a_copy_of_a_prefix_leaves_the_first_alone() {
    let life = Life::of(&format!("{SLEEPER}port = \"auto\"\nvars = {{ PORT = \"${{.port}}\" }}\n"));
    life.install();
    let (pid, former) = (life.pid("app"), life.service("app"));
    let copy = life.sandbox.home().join("copy");
    let copied = life.sandbox.other("cp").arg("-a").arg(life.prefix()).arg(&copy).status().expect("cp");
    assert!(copied.success());
    let named = copy.display().to_string();
    let run = |arguments: &[&str]| life.run(&[&["--prefix", named.as_str()], arguments].concat());
    for verb in [&["install"][..], &["plan"], &["status"], &["stop"], &["start"], &["wipe", "--data", "--yes"], &["gc"]]
    {
        assert!(run(verb).code(1).stderr().contains("was copied from"), "{verb:?}");
    }
    assert_snapshot!(run(&["adopt"]).text(), @r"
    [HOME]/copy is adopted; install again to make anew what its place is baked into
    ------- stderr -------
    ------- exit 0 -------
    ");
    run(&["install", "--quiet"]).success();
    let port = |prefix: &std::path::Path| fs_err::read_to_string(prefix.join("state.toml")).expect("state");
    assert_ne!(port(&copy), port(&life.prefix()), "a copy has ports of its own");
    run(&["stop"]).success();
    run(&["wipe", "--data", "--yes"]).success();
    assert_eq!((life.pid("app"), life.service("app")), (pid, former), "the first went on");
    let listed = life.run(&["list", "--json"]).success().json();
    assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed}");
}

#[test]
fn two_checkouts_of_one_name_are_told_apart() {
    let life = Life::of(SLEEPER);
    life.install();
    let pid = life.pid("app");
    let other = life.sandbox.home().join("checkout");
    life.sandbox.write(other.join("jove.toml"), format!("name = \"app\"\n{SLEEPER}"));
    let named = other.display().to_string();
    assert_snapshot!(life.run(&["-C", &named, "install"]).text(), @r"
    ------- stderr -------
    error: the prefix [HOME]/jove/app-dev belongs to the project `app` in [WORK], not to the project `app` in [HOME]/checkout; give this one another folder with `--prefix`, or another `name` in jove.toml, or take that one over with `jove-install adopt`
    ------- exit 1 -------
    ");
    let verbs =
        [&["plan"][..], &["status"], &["stop"], &["restart"], &["rollback"], &["gc"], &["verify"], &["history"]];
    for verb in verbs.iter().chain([&["wipe", "--data", "--yes"][..], &["logs"], &["run", "app", "--", "true"]].iter())
    {
        let said = life.run(&[&["-C", named.as_str()], *verb].concat()).code(1);
        assert!(said.stderr().contains("belongs to the project `app`"), "{verb:?}\n{}", said.text());
    }
    assert_eq!(life.pid("app"), pid);
    // Named, it may be looked at from anywhere; and it may be taken over while it rests.
    let prefix = life.prefix().display().to_string();
    life.run(&["-C", &named, "--prefix", &prefix, "status"]).success();
    assert_snapshot!(life.run(&["-C", &named, "adopt"]).text(), @r"
    ------- stderr -------
    error: its services run; a prefix is adopted while it rests

    hint: stop them first: jove-install stop
    ------- exit 1 -------
    ");
    life.run(&["stop"]).success();
    life.run(&["-C", &named, "adopt"]).success();
    life.run(&["-C", &named, "install", "--quiet"]).success();
    assert!(life.run(&["status"]).code(1).stderr().contains("belongs to the project"));
}

#[test]
fn a_home_is_needed_or_a_prefix() {
    let mut life = Life::of(SLEEPER);
    life.sandbox.unset("HOME");
    assert_snapshot!(life.run(&["plan"]).text(), @r"
    ------- stderr -------
    error: HOME is not set to an absolute path, so there is no place for a prefix; set HOME, or give --prefix
    ------- exit 1 -------
    ");
    life.sandbox.set("HOME", "relative");
    life.run(&["install"]).code(1);
    life.sandbox.unset("HOME");
    let prefix = life.sandbox.home().join("p").display().to_string();
    life.run(&["--prefix", &prefix, "install", "--quiet"]).success();
    life.run(&["--prefix", &prefix, "wipe", "--data", "--yes"]).success();
}
