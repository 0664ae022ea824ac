//! What is written wrongly, in files and on the command line: all of it is told in one run, each with its place.

use std::os::unix::fs::PermissionsExt;

use insta::assert_snapshot;

use super::SLEEPER;
use crate::life::Life;

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
