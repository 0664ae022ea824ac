//! Bad days: what is wrong is said, with what to do next, and nothing is lost.
#![allow(clippy::too_many_lines, reason = "what the program says stands in its test")]

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Stdio};

use insta::assert_snapshot;
use rustix::process::{Pid, Signal, kill_process};

use crate::life::{Life, until};

const SLEEPER: &str =
    "[parts.app]\nrecipe = \"command\"\ncommand = [\"/bin/sh\", \"-c\", \"while :; do sleep 1000; done\"]\n";

#[test]
fn all_that_is_wrong_is_told_in_one_run() {
    let life = Life::of(
        r#"
[parts.a]
recipe = "comand"
command = ["/bin/true"]
[parts.b]
recipe = "command"
comand = ["/bin/true"]
port = "many"
stop_grace = "soon"
restart = "sometimes"
[parts.c]
recipe = "command"
command = ["${bb.port}", "${b.prt}"]
needs = ["dd"]
[parts.py]
recipe = "python"
pypi = [
    "numpy",
    "flask >>3",
]
[parts.pz]
recipe = "python"
python = "abc"
pypi = ["-r none.txt", "-r some.txt", "x @ https://user:canary-word@h/x"]
[parts.d]
recipe = "command"
command = ["/bin/true"]
needs = ["e"]
[parts.e]
recipe = "command"
command = ["/bin/true"]
needs = ["d"]
[parts.st]
recipe = "step"
command = ["/bin/true"]
inputs = ["jove.toml", "none.txt", "none"]
"#,
    );
    life.sandbox.write("some.txt", "numpy\nflask >>2 # no\n");
    assert_snapshot!(life.run(&["plan"]).text(), @r#"
    ------- stderr -------
    error: there is no recipe called `comand`
     --> jove.toml:4:10
      |
    4 | recipe = "comand"
      |          ^^^^^^^^ unknown recipe
    hint: did you mean `command`?
    hint: `jove-install recipe list` shows them all

    error: part `b` must say its `command`: recipe `command` requires it
     --> jove.toml:6:8
      |
    6 | [parts.b]
      |        ^
    hint: command: The program (an absolute path) and its arguments. It must stay in the foreground. Secrets belong in `vars`: everybody can see arguments.
    hint: for example `command = ["${env}/bin/celery", "--app", "tasks", "worker"]`

    error: recipe `command` has no option `comand`
     --> jove.toml:8:1
      |
    8 | comand = ["/bin/true"]
      | ^^^^^^ unknown option
    hint: did you mean `command`?
    hint: `jove-install recipe show command` shows them all

    error: `b.port` must be a port from 1 to 65535, or `"auto"`, but is the text `"many"`
     --> jove.toml:9:8
      |
    9 | port = "many"
      |        ^^^^^^ expected a port from 1 to 65535, or `"auto"`

    error: `b.stop_grace` must be a duration such as `"[DURATION]"`, `"2m"` or a number of seconds, but is the text `"soon"`
      --> jove.toml:10:14
       |
    10 | stop_grace = "soon"
       |              ^^^^^^ expected a duration such as `"[DURATION]"`, `"2m"` or a number of seconds

    error: `b.restart` must be one of `"always"`, `"on-failure"`, `"never"`, but is the text `"sometimes"`
      --> jove.toml:11:11
       |
    11 | restart = "sometimes"
       |           ^^^^^^^^^^^ expected one of `"always"`, `"on-failure"`, `"never"`

    error: there is no part called `bb`
      --> jove.toml:14:13
       |
    14 | command = ["${bb.port}", "${b.prt}"]
       |             ^^^^^^^^^^
    hint: did you mean `b`?

    error: part `b` (recipe `command`) has no option or export called `prt`
      --> jove.toml:14:27
       |
    14 | command = ["${bb.port}", "${b.prt}"]
       |                           ^^^^^^^^
    hint: did you mean `port`?

    error: there is no part called `dd`
      --> jove.toml:15:10
       |
    15 | needs = ["dd"]
       |          ^^^^
    hint: did you mean `d`?

    error: `flask >>3` is no requirement: no such comparison operator ">>", must be one of ~= == != <= >= < > ===
      --> jove.toml:20:5
       |
    20 |     "flask >>3",
       |     ^^^^^^^^^^^

    error: `pz.python`: `abc` says no Python: write a version (`3.12`), a range (`>=3.9,<3.14`) or the path of an interpreter
      --> jove.toml:24:10
       |
    24 | python = "abc"
       |          ^^^^^

    error: the file [WORK]/none.txt is not there; correct the path or make the file
      --> jove.toml:25:9
       |
    25 | pypi = ["-r none.txt", "-r some.txt", "x @ https://****************@h/x"]
       |         ^^^^^^^^^^^^^

    error: a lock names content, never hosts, so a direct address or a repository cannot be required; put the file where find-links or an index of pip.conf or uv.toml has it, or use a clone in place with `-e FOLDER`
      --> jove.toml:25:39
       |
    25 | pypi = ["-r none.txt", "-r some.txt", "x @ https://****************@h/x"]
       |                                       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

    error: parts wait for each other, so none can start first: `d → e → d`
      --> jove.toml:29:10
       |
    29 | needs = ["e"]
       |          ^^^ `d` starts after `e`
       |
      ::: jove.toml:33:10
       |
    33 | needs = ["d"]
       |          --- `e` starts after `d`
    hint: take one of them out of `needs`

    error: the file or folder [WORK]/none.txt of part `st` is not there
      --> jove.toml:37:24
       |
    37 | inputs = ["jove.toml", "none.txt", "none"]
       |                        ^^^^^^^^^^

    error: the file or folder [WORK]/none of part `st` is not there
      --> jove.toml:37:36
       |
    37 | inputs = ["jove.toml", "none.txt", "none"]
       |                                    ^^^^^^

    error: `flask >>2` is no requirement: no such comparison operator ">>", must be one of ~= == != <= >= < > ===
     --> some.txt:2:1
      |
    2 | flask >>2 # no
      | ^^^^^^^^^
    ------- exit 1 -------
    "#);
    assert_eq!(life.run(&["install"]).code(1).stderr(), life.run(&["plan"]).code(1).stderr());
    // With a setting that cannot be merged, too; and without any that is no value.
    let right = "[parts.d]\nrecipe = \"command\"\ncommand = [\"/bin/true\"]\nneeds = [\"e\"]\n\
         [parts.e]\nrecipe = \"command\"\ncommand = [\"/bin/true\"]\nneeds = [\"d\"]\n\
         [parts.py]\nrecipe = \"python\"\npypi = [\"flask >>3\"]\n\
         [parts.st]\nrecipe = \"step\"\ncommand = [\"/bin/true\"]\ninputs = [\"none.txt\"]\n";
    for definition in [right.to_owned(), format!("nmae = \"shop\"\n{right}")] {
        life.define(&definition);
        let said = life.run(&["plan"]).code(1);
        for expected in
            ["parts wait for each other", "`flask >>3` is no requirement", "none.txt of part `st` is not there"]
        {
            assert!(said.stderr().contains(expected), "{expected} in\n{}", said.text());
        }
        assert_eq!(said.stderr().contains("means nothing here"), definition.starts_with("nmae"), "{}", said.text());
    }
}

#[test]
fn what_cannot_be_merged_hides_no_other_mistake() {
    // `b` is like nobody, so that what it lacks is no mistake of its own.
    let life = Life::of(
        r#"
nmae = "shop"
[parts.a]
recipe = "comand"
[parts.b]
recipe = "command"
like = "nobody"
[parts.c]
recipe = "command"
command = ["${b.prt}"]
needs = "b"
"#,
    );
    assert_snapshot!(life.run(&["plan"]).text(), @r#"
    ------- stderr -------
    error: `nmae` means nothing here
     --> jove.toml:3:1
      |
    3 | nmae = "shop"
      | ^^^^
    hint: did you mean `name`?

    error: there is no recipe called `comand`
     --> jove.toml:5:10
      |
    5 | recipe = "comand"
      |          ^^^^^^^^ unknown recipe
    hint: did you mean `command`?
    hint: `jove-install recipe list` shows them all

    error: part `b` is like `nobody`, which no layer has
     --> jove.toml:8:8
      |
    8 | like = "nobody"
      |        ^^^^^^^^

    error: part `b` (recipe `command`) has no option or export called `prt`
      --> jove.toml:11:13
       |
    11 | command = ["${b.prt}"]
       |             ^^^^^^^^
    hint: did you mean `port`?

    error: `needs` is a list of parts, not a text
      --> jove.toml:12:9
       |
    12 | needs = "b"
       |         ^^^ as `["db", "migrate:succeeded"]`
    ------- exit 1 -------
    "#);
}

#[test]
fn names_on_the_command_line_must_be_there() {
    let life = Life::of(SLEEPER);
    assert_snapshot!(life.run(&["-p", "dve", "plan"]).text(), @r"
    ------- stderr -------
    error: there is no profile `dve`
    hint: did you mean `dev`?
    hint: the profiles here are demo, dev, production, stage; a file is given by its path, as -p ./dve.toml
    ------- exit 1 -------
    ");
    assert_snapshot!(life.run(&["-p", "./none.toml", "plan"]).text(), @r"
    ------- stderr -------
    error: there is no profile file `[WORK]/none.toml`
    ------- exit 1 -------
    ");
    assert_snapshot!(life.run(&["--set", "ap.port=1", "plan"]).text(), @r"
    ------- stderr -------
    error: `--set` names a part `ap`, which no layer has
     --> --set:1:1
      |
    1 | ap.port=1
      | ^^
    hint: did you mean `app`?
    ------- exit 1 -------
    ");
    assert_snapshot!(life.run(&["--set", "nonsense", "plan"]).text(), @r"
    ------- stderr -------
    error: `--set nonsense` has no `=`: it is PART.OPTION=VALUE, or += and -= on a list
     --> --set:1:1
      |
    1 | nonsense
      | ^^^^^^^^
    ------- exit 1 -------
    ");
    assert_snapshot!(life.run(&["install", "--force", "ap"]).text(), @r"
    ------- stderr -------
    error: there is no part `ap`

    hint: did you mean `app`?
    ------- exit 64 -------
    ");
    assert_snapshot!(life.run(&["lock", "--upgrade", "ap"]).text(), @r"
    ------- stderr -------
    error: there is no part `ap`

    hint: did you mean `app`?
    ------- exit 64 -------
    ");
    assert_snapshot!(life.run(&["install", "--jobs", "0"]).text(), @r"
    ------- stderr -------
    error: invalid value '0' for '--jobs <N>': a number from 1 on is needed

    For more information, try '--help'.
    ------- exit 64 -------
    ");
}

#[test]
fn files_that_are_no_projects_are_refused() {
    let life = Life::of("");
    for (content, expected) in [
        (&b"\xff\xfe garbage"[..], "jove.toml"),
        (b"name = [", "jove.toml"),
        (b"name = 7\n", "jove.toml:1:8"),
        (b"parts = \"none\"\n", "jove.toml:1:"),
        (b"[parts.a]\nrecipe = \"command\"\nrecipe = \"file\"\n", "jove.toml:3:1"),
        (b"extends = [\"./jove.toml\"]\n", "jove.toml"),
        (b"extends = [\"./nowhere.toml\"]\n", "nowhere.toml"),
        (b"[parts.a.b.c]\nd = 1\n", "jove.toml"),
    ] {
        life.sandbox.write("jove.toml", content);
        let said = life.run(&["plan"]).code(1);
        assert!(said.stderr().starts_with("error: ") && said.stderr().contains(expected), "{}", said.text());
        assert!(!said.stderr().contains("panicked"), "{}", said.text());
    }
    life.sandbox.write("jove.toml", "");
    assert_snapshot!(life.run(&["plan"]).text(), @r"
    nothing to do: all 0 parts are as wished
    ------- stderr -------
    warning: the project `work` has no parts, so nothing is installed
    hint: `jove-install init --stdout` prints one to begin with, `jove-install recipe list` what parts can be
    ------- exit 0 -------
    ");
    // Deeply nested and very large ones end in time, and in words.
    life.sandbox.write("jove.toml", format!("x = {}", "[".repeat(100_000)));
    life.run(&["plan"]).code(1);
    let many: String = (0..40_000)
        .map(|number| {
            format!(
                "[parts.p{number}]\nrecipe = \"command\"\nabstract = true\ncommand = [\"/bin/true\", \"{}\"]\n",
                "x".repeat(190)
            )
        })
        .collect();
    assert!(many.len() > 10 << 20);
    life.define(&many);
    life.run(&["plan"]).success();
}

#[test]
fn a_project_of_others_is_not_run() {
    let life = Life::of(SLEEPER);
    let mode = |path: &str, mode| {
        fs_err::set_permissions(life.sandbox.path(path), PermissionsExt::from_mode(mode)).expect("mode");
    };
    mode("work/jove.toml", 0o666);
    assert_snapshot!(life.run(&["plan"]).text(), @r"
    ------- stderr -------
    error: the project `[WORK]/jove.toml` is not trusted: everybody can write it
    hint: if it is yours: chmod go-w '[WORK]/jove.toml'
    ------- exit 1 -------
    ");
    mode("work/jove.toml", 0o644);
    mode("work", 0o777);
    assert_snapshot!(life.run(&["install"]).text(), @r"
    ------- stderr -------
    error: the project `[WORK]/jove.toml` is not trusted: `[WORK]`: everybody can write it
    hint: if it is yours: chmod go-w '[WORK]'
    ------- exit 1 -------
    ");
    mode("work", 0o755);
    life.run(&["plan"]).success();
    if rustix::process::geteuid().is_root() {
        let file = life.sandbox.path("work/jove.toml");
        std::os::unix::fs::chown(&file, Some(19_998), None).expect("given away");
        let said = life.run(&["plan"]).code(1);
        assert!(said.stderr().contains("is not trusted: it belongs to another user (id 19998)"), "{}", said.text());
    }
    assert!(!life.prefix().exists());
}

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

/// What a step does that ends only when it is killed.
const STUBBORN: &str = "trap '' TERM INT; sleep 1234 & wait; sleep 1234";

/// A run in the background, when its step has begun.
fn interrupted_install(life: &Life, step: &str) -> Child {
    life.define(&format!(
        "{SLEEPER}[parts.slow]\nrecipe = \"step\"\nfolder = \".\"\n\
         command = [\"/bin/sh\", \"-c\", \"if test -e quick; then exit 0; fi; {step}\"]\n"
    ));
    let child = background(life);
    // It may write nowhere that this test can see: its processes tell that it runs.
    let begun = || life.sandbox.processes().iter().any(|process| process.command.starts_with("sleep 1234"));
    until("the step", || begun().then_some(()));
    child
}

fn background(life: &Life) -> Child {
    let mut command = life.sandbox.command(&["install"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts")
}

fn interrupt(child: &Child) {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a pid");
    let _ = kill_process(pid, Signal::INT);
}

/// It ended of an interrupt, of which it said this once.
#[track_caller]
fn ended_by(child: Child, word: &str) -> String {
    let said = child.wait_with_output().expect("it ends");
    let told = String::from_utf8_lossy(&said.stderr).into_owned();
    assert_eq!(said.status.code(), Some(130), "{told}");
    assert!(told.matches("interrupted: ").count() == 1 && told.contains(word), "{told}");
    told
}

#[test]
fn ctrl_c_ends_a_run_and_all_that_it_started() {
    let life = Life::of("");
    let child = interrupted_install(&life, STUBBORN);
    interrupt(&child);
    ended_by(child, "interrupted: nothing is lost");
    life.is_quiet();
    assert_eq!(life.generation(), None);
    let left: Vec<_> = fs_err::read_dir(life.sandbox.path("tmp")).expect("tmp").filter_map(Result::ok).collect();
    assert!(left.is_empty(), "{left:?}");
    life.sandbox.write("quick", "");
    life.install();
    assert_eq!(life.generation().as_deref(), Some("1"));
    life.run(&["wipe", "--data", "--yes"]).success();
    assert!(!life.prefix().exists());
}

#[test]
fn a_second_ctrl_c_does_not_wait_for_a_tool_that_tidies_up() {
    let life = Life::of("");
    let tidy = "trap 'echo asked; sleep 2.9; echo tidied; exit' TERM; sleep 1234 & wait";
    let mut child = interrupted_install(&life, tidy);
    let log = life.prefix().join("log/install/1/slow.log");
    let has_said = |word: &str| {
        let said = fs_err::read_to_string(&log).unwrap_or_default();
        said.lines().any(|line| line == word).then_some(())
    };
    interrupt(&child);
    until("a word of the tool", || has_said("asked"));
    assert!(child.try_wait().expect("known").is_none(), "after the first it may tidy up");
    interrupt(&child);
    ended_by(child, "interrupted: nothing is lost");
    assert_eq!(has_said("tidied"), None, "the second is not heard");
    life.is_quiet();
    assert_eq!(life.generation(), None);
    life.sandbox.write("quick", "");
    life.install();
}

/// A project whose second service is ready when the file `go` is there, and ends when `fail` is.
fn tried(life: &Life) -> Child {
    let folder = life.sandbox.folder().display().to_string();
    life.define(&format!(
        "{SLEEPER}[parts.late]\nrecipe = \"command\"\nrestart = \"never\"\n\
         command = [\"/bin/sh\", \"-c\", \"until test -e {folder}/fail; do sleep 0.05; done; exit 3\"]\n\
         ready = {{ exec = [\"/bin/sh\", \"-c\", \"test -e {folder}/go\"], interval = \"20ms\" }}\n"
    ));
    let child = background(life);
    until("the trial", || (life.prefix().join("switch.toml").exists()).then_some(()));
    until("its service", || {
        let services = life.status()["services"].clone();
        services.as_array().into_iter().flatten().any(|service| service["name"] == "late").then_some(())
    });
    child
}

#[test]
fn ctrl_c_in_a_trial_leaves_it_to_the_supervisor_and_says_so() {
    for (file, generation, code) in [("go", "2", 0), ("fail", "1", 1)] {
        let life = Life::of(SLEEPER);
        life.install();
        let pid = life.pid("app");
        let child = tried(&life);
        interrupt(&child);
        let told = ended_by(child, "interrupted: generation 2 is being tried, and the supervisor goes on with that");
        assert!(told.contains("goes back to generation 1 if that fails"), "{told}");
        assert!(told.contains("how it stands: jove-install status"), "{told}");
        assert_eq!((life.generation().as_deref(), life.pid("app")), (Some("1"), pid), "services are as before");
        assert!(life.run(&["status"]).code(1).stdout().contains("late"), "and `status` shows what is tried");
        life.sandbox.write(file, "");
        until("the end of the trial", || (!life.prefix().join("switch.toml").exists()).then_some(()));
        assert_eq!((life.generation().as_deref(), life.pid("app")), (Some(generation), pid));
        life.run(&["install"]).code(code);
        life.define(SLEEPER);
        life.install();
        assert_eq!(life.pid("app"), pid);
    }
}

#[test]
fn a_first_trial_that_is_interrupted_goes_on() {
    let life = Life::of("");
    let child = tried(&life);
    interrupt(&child);
    let told = ended_by(child, "interrupted: generation 1 is being tried");
    assert!(told.contains("stops what it started if that fails"), "{told}");
    life.sandbox.write("go", "");
    until("the commit", || (life.generation().as_deref() == Some("1")).then_some(()));
    life.run(&["install"]).success();
}

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

const KEYS: &str = "summary = \"a token\"\naction = \"files\"\n[options.token]\ntype = \"secret\"\ndefault = \"generate\"\n\
    doc = \"A token.\"\n[[file]]\npath = \"token\"\ncontent = \"{{ token }}\"\n";

#[test]
fn a_step_is_given_no_secret_neither_as_a_word_nor_by_a_file() {
    let life = Life::of(
        "[parts.made]\nrecipe = \"step\"\ncommand = [\"/bin/cp\", \"${keys}/token\", \"${.object}\"]\n\
         vars = { TOKEN = \"${keys.token}\" }\n[parts.keys]\nrecipe = \"keys\"\n",
    );
    life.sandbox.write("recipes/keys/recipe.toml", KEYS);
    assert_snapshot!(life.run(&["plan"]).text(), @r#"
    ------- stderr -------
    error: the step `made` is given token of `keys`, which shows a secret: it would read the secret's name, not its word
     --> jove.toml:4:24
      |
    4 | command = ["/bin/cp", "${keys}/token", "${.object}"]
      |                        ^^^^^^^
    hint: secrets are there only while services run: use it in a service, or in a data step (`[[step]]`) of a recipe, which runs before its service

    error: the step `made` is given the secret `keys.token`, and what it makes would hold it
     --> jove.toml:5:19
      |
    5 | vars = { TOKEN = "${keys.token}" }
      |                   ^^^^^^^^^^^^^
    hint: secrets are there only while services run: use it in a service, or in a data step (`[[step]]`) of a recipe, which runs before its service
    ------- exit 1 -------
    "#);
    let folder = "command = [\"/bin/cp\", \"-r\", \"${keys}\", \"${.object}\"]\n";
    let input = "command = [\"/bin/true\"]\ninputs = [\"${keys}/token\"]\n";
    for (given, line) in [(folder, 4), (input, 5)] {
        life.define(&format!("[parts.made]\nrecipe = \"step\"\n{given}[parts.keys]\nrecipe = \"keys\"\n"));
        let said = life.run(&["plan"]).code(1);
        assert!(
            said.stderr().contains("error: the step `made` is given token of `keys`, which shows a secret"),
            "{}",
            said.text()
        );
        assert!(said.stderr().contains(&format!(" --> jove.toml:{line}:")), "{}", said.text());
    }
}

#[test]
fn a_step_has_no_file_with_a_secret() {
    let life = Life::of("[parts.made]\nrecipe = \"maker\"\n");
    let maker = KEYS.replace("action = \"files\"", "action = \"step\"")
        + "[options.command]\ntype = \"list\"\ndefault = [\"/bin/cat\", \"${.object}/token\"]\ndoc = \"It.\"\n";
    life.sandbox.write("recipes/maker/recipe.toml", maker);
    assert_snapshot!(life.run(&["plan"]).text(), @r#"
    ------- stderr -------
    error: the step `made` has a file token that shows a secret: its command would read the secret's name, not its word
     --> jove.toml:2:8
      |
    2 | [parts.made]
      |        ^^^^
    hint: secrets are there only while services run: use it in a service, or in a data step (`[[step]]`) of a recipe, which runs before its service
    ------- exit 1 -------
    "#);
}

#[test]
fn a_file_does_not_lead_to_the_name_of_a_secret() {
    let life = Life::of(
        "[parts.conf]\nrecipe = \"file\"\nfiles = [{ template = \"a.conf\", path = \"a.conf\" }]\n\
         values = { token = \"${keys}/token\" }\n\
         [parts.keys]\nrecipe = \"keys\"\n",
    );
    life.sandbox.write("recipes/keys/recipe.toml", KEYS);
    life.sandbox.write("a.conf", "include {{ values.token }}");
    assert_snapshot!(life.run(&["plan"]).text(), @r#"
    ------- stderr -------
    error: a.conf of `conf` names token of `keys`, which shows a secret
     --> jove.toml:5:21
      |
    5 | values = { token = "${keys}/token" }
      |                     ^^^^^^^
    hint: the store holds only the secret's name: give the service `${keys}/token` as an argument or a variable, and the file is rendered when it starts
    ------- exit 1 -------
    "#);
}
