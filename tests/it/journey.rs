//! Everyday life with a project: each verb as a person uses it, and what it says.
#![allow(clippy::too_many_lines, reason = "what the program says stands in its test")]

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use insta::assert_snapshot;
use regex::Regex;

use crate::life::{Life, until};
use crate::sandbox::Sandbox;

/// A service that speaks HTTP, a file that it reads, something made by a command, and a part for another system.
const PARTS: &str = r#"
[parts.base]
recipe = "command"
abstract = true
command = ["/bin/false"]
vars = { GREETING = "hello" }

[parts.web]
recipe = "command"
like = "base"
command = ["/usr/bin/env", "python3", "-m", "http.server", "--bind", "${.host}", "${.port}"]
listens = ["${.host}:${.port}"]
urls = ["http://${.host}:${.port}/"]
ready = { tcp = "${.host}:${.port}" }
vars = { CONF = "${conf}/etc/web.conf", DATA = "${made}/data" }

[parts.conf]
recipe = "file"
files = [{ template = "web.conf", path = "etc/web.conf" }]
values = { port = "${web.port}", title = "a title" }

[parts.made]
recipe = "step"
command = ["/bin/sh", "-c", "cp in.txt '${.object}/data'"]
inputs = ["in.txt"]
folder = "."

[parts.elsewhere]
recipe = "command"
command = ["/bin/false"]
when = { platform = "macos" }
"#;

fn project() -> Life {
    let mut life = Life::of(PARTS);
    // python3 of the sandbox's own PATH, wherever that is.
    life.sandbox.set("JOVE_SET_WEB__PATH", life.sandbox.var("PATH"));
    life.sandbox.write("web.conf", "listen {{ values.port }}; # {{ values.title }}\n");
    life.sandbox.write("in.txt", "first\n");
    life
}

#[test]
fn a_project_is_installed_changed_and_brought_back() {
    let life = project();
    assert_snapshot!(life.run(&["plan"]).text(), @r"
    + create conf
        not installed yet (recipe `file`)
    + create made
        not installed yet (recipe `step`)
    + create web
        not installed yet (recipe `command`)
    3 of 3 parts change
    ------- stderr -------
    ------- exit 0 -------
    ");
    assert!(!life.prefix().exists(), "a plan writes nothing");
    assert_snapshot!(life.run(&["--quiet"]).text(), @r"
    + create conf
        not installed yet (recipe `file`)
    + create made
        not installed yet (recipe `step`)
    + create web
        not installed yet (recipe `command`)
    generation 1 runs in [HOME]/jove/app-dev ([DURATION])

        http://127.0.0.1:[PORT]/
    ------- stderr -------
    ------- exit 0 -------
    ");
    assert_snapshot!(life.run(&["--quiet"]).text(), @r"
    nothing to do; generation 1 runs in [HOME]/jove/app-dev ([DURATION])

        http://127.0.0.1:[PORT]/
    ------- stderr -------
    ------- exit 0 -------
    ");
    let first = life.pid("web");
    assert_snapshot!(life.run(&["plan", "--detailed-exitcode"]).text(), @r"
    nothing to do: all 3 parts are as wished
    ------- stderr -------
    ------- exit 0 -------
    ");

    // One value changes: the file is made anew, its reader restarted, and nothing else.
    let title = "conf.values.title=another";
    assert_snapshot!(life.run(&["plan", "--set", title, "--detailed-exitcode"]).text(), @r"
    ~ rebuild conf
        values: {port = [PORT], title = a title} → {port = [PORT], title = another}
    ~ restart web  (interrupts web)
        object conf changed
    2 of 3 parts change
    ------- stderr -------
    ------- exit 2 -------
    ");
    assert_snapshot!(life.run(&["install", "--dry-run", "--set", title]).text(), @r"
    ~ rebuild conf
        values: {port = [PORT], title = a title} → {port = [PORT], title = another}
    ~ restart web  (interrupts web)
        object conf changed
    2 of 3 parts change
    ------- stderr -------
    ------- exit 0 -------
    ");
    assert_eq!(life.pid("web"), first);
    assert_snapshot!(life.run(&["--set", title, "--quiet"]).text(), @r"
    ~ rebuild conf
        values: {port = [PORT], title = a title} → {port = [PORT], title = another}
    ~ restart web  (interrupts web)
        object conf changed
    generation 2 runs in [HOME]/jove/app-dev ([DURATION])

        http://127.0.0.1:[PORT]/
    ------- stderr -------
    ------- exit 0 -------
    ");
    assert_ne!(life.pid("web"), first);
    assert_snapshot!(life.run(&["history"]).text(), @r"
    *   2  [TIME]  install  committed
             conf: values: {port = [PORT], title = a title} → {port = [PORT], title = another}
             web: object conf changed
        1  [TIME]  install  committed
             conf: not installed yet (recipe `file`)
             made: not installed yet (recipe `step`)
             web: not installed yet (recipe `command`)
    ------- stderr -------
    ------- exit 0 -------
    ");

    // Back, and held there until something changes or it is released.
    assert_snapshot!(life.run(&["rollback", "--quiet"]).text(), @r"
    generation 1 is current again; 2 was left, and is held back until something changes or `jove-install install --release`
    ------- stderr -------
    ------- exit 0 -------
    ");
    assert_snapshot!(life.run(&["--set", title]).text(), @r"
    ------- stderr -------
    error: this installation is held at generation 1 since [TIME], when generation 2 was left, and nothing changed since

    hint: go forward again: jove-install install --release
    ------- exit 1 -------
    ");
    assert_eq!(life.generation().as_deref(), Some("1"));
    let held = life.status()["held"].as_str().map(|held| held.starts_with("held at generation 1"));
    assert_eq!(held, Some(true));
    assert_snapshot!(life.run(&["--set", title, "--release", "--quiet"]).text(), @r"
    ~ rebuild conf
        values: {port = [PORT], title = a title} → {port = [PORT], title = another}
    ~ restart web  (interrupts web)
        object conf changed
    generation 3 runs in [HOME]/jove/app-dev ([DURATION])

        http://127.0.0.1:[PORT]/
    ------- stderr -------
    ------- exit 0 -------
    ");
    assert!(life.status()["held"].is_null());
    assert_snapshot!(life.run(&["rollback", "99"]).text(), @r"
    ------- stderr -------
    error: there is no generation 99

    hint: what there is: jove-install history
    ------- exit 64 -------
    ");
    assert_snapshot!(life.run(&["gc", "--keep", "0", "--dry-run"]).text(), @r"
    would remove 2 generations and 1 objects
      [HEX]-conf
    ------- stderr -------
    ------- exit 0 -------
    ");
    assert_snapshot!(life.run(&["gc", "--keep", "0"]).text(), @r"
    removed 2 generations and 1 objects, [SIZE] freed
      [HEX]-conf
    ------- stderr -------
    ------- exit 0 -------
    ");
    assert_eq!(life.run(&["verify", "--json"]).success().json()["damage"], serde_json::json!([]));
    assert_snapshot!(life.run(&["stop"]).text(), @r"
    everything is stopped
    ------- stderr -------
    ------- exit 0 -------
    ");
    life.is_quiet();
}

#[test]
fn nothing_is_left_of_it() {
    let life = project();
    let before = life.sandbox.listing();
    life.install();
    assert_snapshot!(life.run(&["wipe", "--quiet", "--yes"]).text(), @r"
    [HOME]/jove/app-dev is wiped, [SIZE] freed
    kept:
      [HOME]/jove/app-dev/var: data (--data removes it)
      [HOME]/jove/app-dev/state.toml: passwords and ports that go with the data (--data removes it)
      [HOME]/jove/app-dev/state.toml.1: passwords and ports that go with the data (--data removes it)
      [HOME]/jove/app-dev/ledger.jsonl: says whose folder this is (--data removes it)
      [HOME]/jove/app-dev/prefix.lock: says whose folder this is (--data removes it)
      [HOME]/jove/app-dev/prefix.toml: says whose folder this is (--data removes it)
      [HOME]/.cache/jove-install: the download cache, shared by all installations (--cache removes it)
      [WORK]: the project's own folder is yours
    ------- stderr -------
    ------- exit 0 -------
    ");
    life.is_quiet();
    let kept: Vec<String> = fs_err::read_dir(life.prefix())
        .expect("kept")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    assert!(kept.contains(&"var".to_owned()) && !kept.contains(&"store".to_owned()), "{kept:?}");
    life.install();
    life.run(&["wipe", "--data", "--yes"]).success();
    let after = life.sandbox.listing().without(&life.sandbox.home().join(".cache"));
    let changes = before.changes(&after);
    let left: Vec<&str> = changes.lines().filter(|line| !line.contains("/work/jove.lock")).collect();
    // Empty folders of the user's own (XDG) may stay.
    let left: Vec<&str> = left.into_iter().filter(|line| !line.contains("(folder ")).collect();
    assert!(left.is_empty(), "{left:#?}");
}

#[test]
fn values_come_from_layers_and_explain_themselves() {
    let mut life = project();
    life.sandbox.write("base.toml", "[parts.web]\nvars = { FROM_BASE = \"1\" }\nwatch = [\"a\", \"b\"]\n");
    life.define(&format!("extends = [\"./base.toml\"]\n{PARTS}"));
    life.sandbox.write("profiles/dev.toml", "[parts.web]\nstop_grace = \"3s\"\nwatch.remove = [\"a\"]\n");
    life.sandbox.write("jove.local.toml", "[parts.web]\nstop_grace = \"4s\"\n");
    life.sandbox.set("JOVE_SET_WEB__STOP_GRACE", "5s");
    assert_snapshot!(life.run(&["explain", "--layers"]).text(), @r"
    shipped-profile  profile:dev
    project          base.toml
    project          jove.toml
    project-profile  profiles/dev.toml
    local            jove.local.toml
    vars             JOVE_SET_WEB__PATH
    vars             JOVE_SET_WEB__STOP_GRACE
    ------- stderr -------
    ------- exit 0 -------
    ");
    assert_snapshot!(life.run(&["explain", "web.stop_grace", "--set", "web.stop_grace=6s"]).text(), @r#"
    web.stop_grace = "[DURATION]"
      set by --set:1:16
      overrides "[DURATION]" of JOVE_SET_WEB__STOP_GRACE:1:1
      overrides "[DURATION]" of jove.local.toml:2:14
      overrides "[DURATION]" of profiles/dev.toml:2:14
      overrides "[DURATION]" of recipe:command:118:11
      default "[DURATION]"
      duration
      How long it may take to stop; then its whole tree is killed.
    ------- stderr -------
    ------- exit 0 -------
    "#);
    assert_snapshot!(life.run(&["explain", "web.vars"]).text(), @r#"
    web.vars = { CONF = "${conf}/etc/web.conf", DATA = "${made}/data", FROM_BASE = "1", GREETING = "hello" }
      set by jove.toml:17:8
      overrides { GREETING = "hello" } of jove.toml:8:8
      overrides { FROM_BASE = "1", GREETING = "hello" } of base.toml:2:8
      overrides {} of recipe:command:19:11
      default {}
      table
      Process variables, besides `PATH`, `HOME`, `TMPDIR` and `LANG`; they win over these.
    ------- stderr -------
    ------- exit 0 -------
    "#);
    assert_snapshot!(life.run(&["explain", "web.watch", "--set", "web.watch+=c"]).text(), @r#"
    web.watch = ["[WORK]/b", "[WORK]/c"]
      set by --set:1:12
      written ["b", "c"]
      overrides ["b"] of profiles/dev.toml:3:1
      overrides ["a", "b"] of base.toml:3:9
      overrides [] of recipe:command:95:11
      default []
      list of path
      Files and folders whose change restarts it.
    ------- stderr -------
    ------- exit 0 -------
    "#);
    let whole = life.run(&["explain", "conf"]).success();
    assert!(whole.stdout().contains("depends on web (value, jove.toml:"), "{}", whole.stdout());
    assert!(life.run(&["explain", "web.port", "--json"]).success().json().is_object());
    assert_snapshot!(life.run(&["explain", "web.prt"]).text(), @r"
    ------- stderr -------
    error: part `web` (recipe `command`) has no option or export called `prt`
    hint: did you mean `web.port`?
    ------- exit 1 -------
    ");
    assert_snapshot!(life.run(&["explain", "elsewhere.command"]).text(), @r#"
    ------- stderr -------
    error: part `elsewhere` is switched off by its `when`
      --> jove.toml:33:8
       |
    33 | when = { platform = "macos" }
       |        ^^^^^^^^^^^^^^^^^^^^^^
    ------- exit 1 -------
    "#);
}

#[test]
fn the_graph_has_four_forms() {
    let life = project();
    assert_snapshot!(life.run(&["graph"]).text(), @r"
    app in profile dev
    web (command)
    ├── conf (file) [object]
    │   └── web (command) [value] (*)
    └── made (step) [object]
    ------- stderr -------
    ------- exit 0 -------
    ");
    assert_snapshot!(life.run(&["graph", "--format", "dot"]).text(), @r#"
    digraph {
      graph [rankdir=LR, fontname="sans-serif", labelloc=t, label="app in profile dev\nsolid: object · dashed: value · dotted: start"]
      node [shape=box, style=rounded, fontname="sans-serif"]
      "conf" [label="conf\nfile"]
      "made" [label="made\nstep"]
      "web" [label="web\ncommand"]
      "conf" -> "web" [style=dashed, tooltip="value"]
      "web" -> "conf" [style=solid, tooltip="object"]
      "web" -> "made" [style=solid, tooltip="object"]
    }
    ------- stderr -------
    ------- exit 0 -------
    "#);
    assert_snapshot!(life.run(&["graph", "--format", "mermaid"]).text(), @r#"
    ---
    title: "app in profile dev (solid: object, dashed: value, dotted: start)"
    ---
    flowchart LR
      n0["conf<br/>file"]
      n1["made<br/>step"]
      n2["web<br/>command"]
      n0 -.-> n2
      n2 --> n0
      n2 --> n1
      linkStyle 0 stroke-dasharray:6 4
    ------- stderr -------
    ------- exit 0 -------
    "#);
    let svg = life.run(&["graph", "--format", "svg"]).success();
    assert!(svg.stdout().starts_with("<svg ") && svg.stdout().trim_end().ends_with("</svg>"), "{}", svg.stdout());
    let graph = life.run(&["graph", "--json"]).success().json();
    let nodes = serde_json::json!([
        { "name": "conf", "recipe": "file" },
        { "name": "made", "recipe": "step" },
        { "name": "web", "recipe": "command" },
    ]);
    assert_eq!(graph["nodes"], nodes);
    let edges = graph["edges"].as_array().expect("edges").iter();
    let edges: BTreeSet<String> =
        edges.map(|edge| format!("{} {} {}", edge["from"], edge["kind"], edge["to"]).replace('"', "")).collect();
    assert_eq!(edges, ["conf value web", "web object conf", "web object made"].map(String::from).into());
}

#[test]
fn the_lock_is_written_once_and_checked() {
    let life = project();
    assert_snapshot!(life.run(&["lock", "--check"]).text(), @r"
    ------- stderr -------
    error: [WORK]/jove.lock is not what the project needs

    hint: bring it up to date: jove-install lock
    ------- exit 1 -------
    ");
    assert_snapshot!(life.run(&["install", "--locked", "--no-start", "--jobs", "1"]).text(), @r"
    + create conf
        not installed yet (recipe `file`)
    + create made
        not installed yet (recipe `step`)
    + create web
        not installed yet (recipe `command`)
    generation 1 is in [HOME]/jove/app-dev, not started ([DURATION])

        http://127.0.0.1:[PORT]/

    next: jove-install status · jove-install logs -f · jove-install stop · jove-install wipe --data
    ------- stderr -------
    fetching
    building
      conf
      made
    ------- exit 0 -------
    ");
    assert!(!life.sandbox.path("work/jove.lock").exists());
    assert_snapshot!(life.run(&["lock"]).text(), @r"
    [WORK]/jove.lock written: 0 packages pinned
    ------- stderr -------
    ------- exit 0 -------
    ");
    let text = life.sandbox.read("jove.lock");
    assert_snapshot!(life.run(&["lock", "--check"]).text(), @r"
    [WORK]/jove.lock unchanged: 0 packages pinned
    ------- stderr -------
    ------- exit 0 -------
    ");
    life.run(&["lock", "--upgrade"]).success();
    life.run(&["install", "--locked", "--quiet"]).success();
    assert_eq!(life.sandbox.read("jove.lock"), text, "same meaning, same bytes");
}

#[test]
fn an_input_that_changes_makes_its_reader_anew() {
    let life = project();
    life.install();
    life.sandbox.write("in.txt", "second\n");
    assert_snapshot!(life.run(&["plan"]).text(), @r"
    ~ rebuild made
        input [WORK]/in.txt changed
    ~ restart web  (interrupts web)
        object made changed
    2 of 3 parts change
    ------- stderr -------
    ------- exit 0 -------
    ");
    life.install();
    let said = life.run(&["run", "web", "--", "/bin/sh", "-c", "cat $DATA $CONF; echo $GREETING"]).success();
    assert!(said.stdout().starts_with("second\n# made by jove-install from web.conf;"), "{}", said.text());
    assert!(said.stdout().ends_with("# a title\nhello\n"), "{}", said.text());
    assert_snapshot!(life.run(&["run", "wbe", "--", "true"]).text(), @r"
    ------- stderr -------
    error: there is no part `wbe`

    hint: did you mean `web`?
    ------- exit 64 -------
    ");
    assert_snapshot!(life.run(&["run", "made", "--", "/nowhere/program"]).text(), @r"
    ------- stderr -------
    error: /nowhere/program: No such file or directory (os error 2)

    hint: the programs of `made` are in [HOME]/jove/app-dev/store/[HEX]-made/bin
    ------- exit 1 -------
    ");
}

/// Another copy of the program may have other recipes, so that it does not believe what the first one looked at.
#[test]
fn another_copy_of_the_program_looks_at_everything_itself() {
    let life = project();
    life.install();
    let service = life.pid("web");
    let other = life.sandbox.folder().join("other-program");
    fs_err::copy(life.sandbox.program(), &other).expect("copied");
    let mut file = fs_err::OpenOptions::new().append(true).open(&other).expect("opened");
    std::io::Write::write_all(&mut file, b"of another build").expect("altered");
    drop(file);
    let installed = |program: &Path| {
        let mut command = life.sandbox.other(program);
        command.args(["install", "--quiet"]);
        life.sandbox.finish(command, b"").success().stdout().to_owned()
    };
    let sealed = || fs_err::read(life.prefix().join("stamp.json")).expect("stamp");
    let before = sealed();
    let said = installed(&other);
    assert_ne!(sealed(), before, "{said}");
    assert_eq!(life.pid("web"), service, "what runs is not touched by that: {said}");
    let looked = sealed();
    assert!(installed(&other).starts_with("nothing to do"));
    assert_eq!(sealed(), looked, "the second time it knows");
}

#[test]
fn a_file_that_was_altered_is_found_and_mended() {
    let life = project();
    life.install();
    let object = |part: &str| {
        let entries = fs_err::read_dir(life.prefix().join("store")).expect("a store").filter_map(Result::ok);
        let found =
            entries.map(|entry| entry.path()).find(|path| path.to_string_lossy().ends_with(&format!("-{part}")));
        found.expect("an object")
    };
    let (conf, made) = (object("conf"), object("made"));
    life.sandbox.unseal(&conf);
    life.sandbox.unseal(&made);
    let (altered, mode) = (conf.join("etc/web.conf"), |mode| std::fs::Permissions::from_mode(mode));
    fs_err::set_permissions(&altered, mode(0o644)).expect("mode");
    life.sandbox.write(&altered, "altered");
    fs_err::set_permissions(&altered, mode(0o444)).expect("mode");
    life.sandbox.write(conf.join("etc/extra.conf"), "extra");
    fs_err::remove_file(made.join("data")).expect("removed");
    assert_snapshot!(life.run(&["verify", "--quiet"]).text(), @r"
    conf ([HEX]-conf)
      mode     .
      mode     etc
      extra    etc/extra.conf
      altered  etc/web.conf
    made ([HEX]-made)
      mode     .
      missing  data
    2 of 3 objects are damaged

    hint: mend them: jove-install verify --repair
    ------- stderr -------
    ------- exit 1 -------
    ");
    let json = life.run(&["verify", "--json"]).code(1).json();
    assert_eq!(json["damage"].as_array().map(Vec::len), Some(2), "{json}");
    assert_snapshot!(life.run(&["verify", "--repair", "--quiet"]).text(), @r"
    conf ([HEX]-conf)
      mode     .
      mode     etc
      extra    etc/extra.conf
      altered  etc/web.conf
    made ([HEX]-made)
      mode     .
      missing  data
    2 damaged objects were made again, and services moved to them
    ------- stderr -------
    ------- exit 0 -------
    ");
    life.run(&["verify"]).success();
    assert_snapshot!(life.run(&["plan"]).text(), @r"
    nothing to do: all 3 parts are as wished
    ------- stderr -------
    ------- exit 0 -------
    ");
    let said = life.run(&["run", "web", "--", "/bin/sh", "-c", "cat $DATA"]).success();
    assert_eq!(said.stdout(), "first\n");
}

#[test]
fn services_are_shown_stopped_and_started_by_name() {
    let life = project();
    life.install();
    let json = life.status();
    let keys: BTreeSet<&str> = json.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(
        keys.into_iter().collect::<Vec<_>>(),
        ["generation", "held", "prefix", "profile", "services", "supervised", "usage"]
    );
    let service = life.service("web");
    for key in ["name", "state", "pid", "since", "restarts", "urls"] {
        assert!(!service[key].is_null(), "{key} in {service}");
    }
    let first = life.pid("web");
    life.run(&["restart", "web"]).success();
    assert_ne!(life.pid("web"), first);
    assert_snapshot!(life.run(&["reload", "web"]).text(), @r"
    ------- stderr -------
    error: web cannot reload its configuration; `jove-install restart web` does it

    hint: the whole log: jove-install logs
    ------- exit 1 -------
    ");
    assert_snapshot!(life.run(&["stop", "wbe"]).text(), @r"
    ------- stderr -------
    error: there is no service `wbe`

    hint: did you mean `web`?
    ------- exit 64 -------
    ");
    life.run(&["stop", "web"]).success();
    assert_eq!(life.service("web")["state"], "stopped");
    assert_snapshot!(life.run(&["logs", "nothing"]).text(), @r"
    ------- stderr -------
    error: there is no service `nothing`

    hint: there are: web
    ------- exit 64 -------
    ");
    life.run(&["start"]).success();
    assert!(life.run(&["events", "--json"]).success().json().is_array());
    let events = life.run(&["events"]).success();
    let line = Regex::new(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z \S.*\S$").unwrap();
    assert!(events.stdout().lines().all(|said| line.is_match(said)), "{}", events.stdout());
    let listed = life.run(&["list", "--json"]).success().json();
    assert_eq!(listed[0]["running"], true);
    life.run(&["stop"]).success();
    life.is_quiet();
    life.run(&["stop"]).success();
    life.run(&["status"]).code(1);
}

#[test]
fn every_answer_is_json_if_that_is_asked() {
    let life = project();
    assert!(life.run(&["plan", "--json"]).success().json()["changes"][0]["reasons"][0].is_string());
    let made = life.run(&["install", "--json"]).success().json();
    for key in ["generation", "changed", "urls", "seconds"] {
        assert!(!made[key].is_null(), "{key} in {made}");
    }
    let verbs: &[&[&str]] = &[
        &["doctor", "--offline"],
        &["explain", "web"],
        &["explain", "--layers"],
        &["gc"],
        &["history"],
        &["list"],
        &["lock"],
        &["plan"],
        &["profile", "list"],
        &["profile", "show", "demo"],
        &["recipe", "list"],
        &["recipe", "show", "wsgi"],
        &["restart", "web"],
        &["secret", "list"],
        &["start"],
        &["status"],
        &["stop", "web"],
        &["verify"],
        &["stop"],
        &["wipe", "--yes"],
    ];
    for verb in verbs {
        let mut arguments = vec!["--json"];
        arguments.extend(*verb);
        let said = life.run(&arguments).success().json();
        assert!(said.is_object() || said.is_array(), "{arguments:?}: {said}");
    }
    let wrong = life.run(&["--json", "plan", "--set", "web.prt=1"]).code(1).json();
    assert!(wrong["error"]["diagnostics"][0].is_object(), "{wrong}");
}

#[test]
fn a_secret_is_made_shown_set_and_changed() {
    let life = Life::of(
        "[parts.app]\nrecipe = \"command\"\ncommand = [\"/bin/sh\", \"-c\", \"while :; do sleep 1000; done\"]\n\
         vars = { TOKEN = \"${keys.token}\" }\n[parts.keys]\nrecipe = \"keys\"\n",
    );
    life.sandbox.write(
        "recipes/keys/recipe.toml",
        "summary = \"a token\"\naction = \"none\"\n[options.token]\ntype = \"secret\"\ndefault = \"generate\"\ndoc = \"A token.\"\n",
    );
    life.install();
    assert_snapshot!(life.run(&["secret", "list"]).text(), @r"
    keys.token
    ------- stderr -------
    ------- exit 0 -------
    ");
    let word = life.run(&["secret", "show", "keys.token"]).success().stdout().trim().to_owned();
    assert!(word.len() >= 20, "{word}");
    let shown = |life: &Life| {
        life.run(&["run", "app", "--", "/bin/sh", "-c", "echo $TOKEN"]).success().stdout().trim().to_owned()
    };
    assert_eq!(shown(&life), word);
    let set = life.sandbox.run_with_input(&["secret", "set", "keys.token"], "canary-word\n");
    assert_snapshot!(set.text(), @r"
    keys.token is set; bring it to its services: jove-install
    ------- stderr -------
    ------- exit 0 -------
    ");
    let planned = life.run(&["plan"]).success();
    let reason = "vars: {TOKEN = secret:keys.token@";
    assert_eq!(planned.stdout().matches(reason).count(), 1, "{}", planned.text());
    assert!(planned.stdout().contains("} → {TOKEN = secret:keys.token@"), "{}", planned.text());
    life.install();
    assert_eq!(shown(&life), "canary-word");
    life.run(&["secret", "rotate", "keys.token"]).success();
    assert_ne!(life.run(&["secret", "show", "keys.token"]).success().stdout().trim(), "canary-word");
    assert_snapshot!(life.run(&["secret", "show", "keys.tokn"]).text(), @r"
    ------- stderr -------
    error: there is no secret `keys.tokn`

    hint: did you mean `keys.token`?
    ------- exit 64 -------
    ");
    assert_snapshot!(life.sandbox.run_with_input(&["secret", "set", "keys.token"], "").text(), @r"
    ------- stderr -------
    error: a secret is one line that is not empty, and none was set
    ------- exit 64 -------
    ");
    assert_snapshot!(life.run(&["plan", "--set", "keys.token=canary-argument"]).text(), @r#"
    ------- stderr -------
    error: `keys.token` is a secret, and its word is written in `--set`
     --> --set:1:12
      |
    1 | keys.token=***************
      |            ^^^^^^^^^^^^^^^ a secret's word is never in a file or an argument
    hint: `jove-install secret set keys.token` reads it from the terminal or a pipe
    hint: or write "generate", or a process variable: "${vars.NAME}"
    ------- exit 1 -------
    "#);
    let everything = [life.run(&["explain", "app.vars"]), life.run(&["plan", "--json"]), life.run(&["history"])];
    assert!(everything.iter().all(|said| !said.text().contains("canary")));
}

#[test]
fn outside_a_project_there_is_help_and_nothing_is_installed() {
    let life = Sandbox::new();
    let said = life.run(&[]).success();
    let tail: Vec<&str> = said.stdout().lines().rev().take(4).collect();
    assert_eq!(tail, ["    jove-install init", "    jove-install -p demo", "", tail[3]]);
    assert!(!life.home().join("jove").exists());
    assert_snapshot!(life.run(&["plan"]).text(), @r"
    ------- stderr -------
    error: there is no jove.toml in [WORK] or above it, and no profile is named

    hint: try the demo: jove-install -p demo
    hint: make this folder a project: jove-install init
    hint: what is installed already: jove-install list
    ------- exit 64 -------
    ");
    assert_snapshot!(life.run(&["-p", "demmo"]).text(), @r"
    ------- stderr -------
    error: there is no profile `demmo`
    hint: did you mean `demo`?
    hint: the profiles here are demo, dev, production, stage; a file is given by its path, as -p ./demmo.toml
    ------- exit 1 -------
    ");
    assert_snapshot!(life.run(&["-p", "demo", "status"]).text(), @r"
    ------- stderr -------
    error: nothing is installed in [HOME]/jove/demo

    hint: install it: jove-install -p demo
    hint: what is installed elsewhere: jove-install list
    ------- exit 1 -------
    ");
    assert_snapshot!(life.run(&["list"]).text(), @r"
    nothing is installed; try: jove-install -p demo
    ------- stderr -------
    ------- exit 0 -------
    ");
    assert_snapshot!(life.run(&["-C", "nowhere", "plan"]).text(), @r"
    ------- stderr -------
    error: -C: failed to canonicalize path `[WORK]/nowhere`: No such file or directory (os error 2)
    ------- exit 64 -------
    ");
    let said = life.run(&["instal"]).code(64);
    assert_eq!(said.stderr(), "error: there is no verb `instal`\n\nhint: did you mean `install`?\n");
    assert_snapshot!(life.run(&["profile", "list"]).text(), @r"
    demo        a demonstration on this machine, nothing to configure
    dev         debug mode, editable sources, restart on change, verbose logs
    production  one host, no root: nginx and TLS in front, workers, no debugging; updates from the lock alone
    stage       production on other ports, with its own data and a visible mark
    ------- stderr -------
    ------- exit 0 -------
    ");
    assert_snapshot!(life.run(&["recipe", "list"]).text(), @r"
    apache               Apache with mod_wsgi: a Python web application and files
    celery               Celery: workers for an application's tasks, and their schedule
    command              a long-running program of your own
    cron                 a command that runs at its times
    file                 files rendered from the project's own templates
    folder               a folder for an application's files
    gunicorn             gunicorn: a Python web application on several workers, behind a web server
    haproxy              HAProxy: one address in front of several servers
    mariadb              MariaDB: a relational database, as MySQL
    mariadb-database     a database of its own, with its user, on this installation's MariaDB server
    memcached            memcached: a cache in memory
    mod-wsgi             Apache with mod_wsgi, as an application of recipe `wsgi` brings it that is served by it
    nginx                nginx: a web server in front of applications and files
    packages             programs from packages of conda channels, of Debian and its kin, from archives or repositories, built from source, or those of this machine
    postgresql           PostgreSQL: a relational database
    postgresql-database  a database of its own, with its role, on this installation's PostgreSQL server
    python               a Python environment: an interpreter and packages from the Python package index
    pywps                a Web Processing Service by PyWPS
    rabbitmq             RabbitMQ: a broker of messages
    redis                Redis: a store of keys and values in memory, with a queue and a cache
    step                 a command that is run once for its inputs and makes a folder
    upkeep               a verb of jove-install that is run for this installation at its times
    wsgi                 a Python web application: module:callable, a .wsgi file or a PasteDeploy ini file
    ------- stderr -------
    ------- exit 0 -------
    ");
    assert_snapshot!(life.run(&["recipe", "show", "comand"]).text(), @r"
    ------- stderr -------
    error: there is no recipe `comand`

    hint: did you mean `command`?
    ------- exit 64 -------
    ");
    for shell in ["bash", "zsh", "fish"] {
        assert!(life.run(&["completions", shell]).success().stdout().contains("jove-install"));
    }
    assert!(life.run(&["man"]).success().stdout().contains(".TH jove-install"));
    life.run(&["doctor", "--offline"]).either(&[0, 1]);
    life.run(&["--version"]).success();
}

/// As `man | true`, whoever is quicker.
#[test]
fn a_pipe_that_nobody_reads_is_no_failure() {
    let sandbox = Sandbox::new();
    for arguments in [&["completions", "bash"][..], &["man"], &["recipe", "list"], &["--help"]] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command = sandbox.command(arguments);
        let said = command.stdout(writer).stderr(std::process::Stdio::piped()).output().expect("it starts");
        assert_eq!(
            (said.status.code(), String::from_utf8_lossy(&said.stderr).as_ref()),
            (Some(0), ""),
            "{arguments:?}"
        );
    }
}

#[test]
fn a_project_is_begun_by_init() {
    let mut life = Sandbox::new();
    assert_snapshot!(life.run(&["init", "--app", "hello:app", "--name", "hello", "--stdout"]).text(), @r#"
    # What this project is; how it runs is the profile's matter (jove-install -p dev, -p demo, -p production).
    # Every option: jove-install recipe show wsgi
    name = "hello"

    [parts.env]
    recipe = "python"
    pypi   = []

    [parts.app]
    recipe = "wsgi"
    app    = "hello:app"    # WSGI: named by --app
    env    = "${env}"
    ------- stderr -------
    ------- exit 0 -------
    "#);
    assert!(!life.path("work/jove.toml").exists());
    life.enter("hello");
    life.run(&["init", "--app", "hello:app"]).success();
    let text = life.read("jove.toml");
    let again = life.run(&["init", "--app", "other:app"]);
    assert_ne!(again.status().code(), Some(0));
    assert_eq!(life.read("jove.toml"), text, "a file of the user's is never overwritten");
    life.enter("../examples");
    life.run(&["init", "--example", "pywps"]).success();
    assert!(life.path("work/examples/pywps/jove.toml").exists());
    assert_snapshot!(life.run(&["init", "--example", "pyps"]).text(), @r"
    ------- stderr -------
    error: there is no example of a recipe `pyps`

    hint: `jove-install recipe list` shows the recipes, `recipe show NAME` whether one has an example
    ------- exit 64 -------
    ");
}

#[test]
fn what_a_project_says_of_its_packages_is_taken_by_the_recipe() {
    let life = Sandbox::new();
    life.write("app.py", "app = Flask(__name__)\n");
    life.write("uploads/note.txt", "");
    life.write("environment.yml", "dependencies:\n  - python=3.11\n  - flask\n  - gdal\n");
    life.run(&["init"]).success();
    assert!(life.run(&["explain", "env-conda.conda"]).success().stdout().contains("\"--file environment.yml\""));
    fs_err::remove_file(life.path("work/environment.yml")).expect("removed");
    fs_err::remove_file(life.path("work/jove.toml")).expect("removed");
    let index = "source = { registry = \"https://example.org/simple\" }";
    life.write(
        "uv.lock",
        format!(
            "version = 1\nrequires-python = \">=3.9\"\n[[package]]\nname = \"flask\"\nversion = \"3.0.0\"\n{index}\n\
             [[package]]\nname = \"site\"\nversion = \"1\"\nsource = {{ virtual = \".\" }}\ndependencies = [{{ name = \"flask\" }}]\n"
        ),
    );
    assert_snapshot!(life.run(&["init", "--name", "site", "--stdout"]).text(), @r#"
    # What this project is; how it runs is the profile's matter (jove-install -p dev, -p demo, -p production).
    # Every option: jove-install recipe show wsgi
    name = "site"

    [parts.env]
    recipe = "python"
    python = ">=3.9"
    # the versions of uv.lock; when it changes, so must these
    pypi   = ["flask==3.0.0"]

    [parts.app]
    recipe = "wsgi"
    app    = "app:app"    # Flask: app.py makes it
    env    = "${env}"
    # services = ["files"]    # when os.environ.get("JOVE_FILES") takes the place of uploads/
    ------- stderr -------
    ------- exit 0 -------
    "#);
    life.run(&["init"]).success();
    assert!(life.run(&["explain", "env.pypi"]).success().stdout().contains("\"flask==3.0.0\""));
}

#[test]
fn profiles_are_compared_by_what_they_install_set_open_and_keep_secret() {
    let life = Life::of(
        "[parts.env]\nrecipe = \"python\"\n[parts.app]\nrecipe = \"wsgi\"\napp = \"app:app\"\nenv = \"${env}\"\n",
    );
    life.sandbox.write("app.py", "");
    life.sandbox.write("profiles/production.toml", "[parts.cache]\nrecipe = \"redis\"\n");
    let found = life.run(&["diff", "demo", "production", "--json"]).success().json();
    let row = |group: &str, subject: &str| {
        let rows = found[group].as_array().expect("rows").iter();
        let mut of_subject = rows.filter(|row| row["subject"] == subject);
        of_subject.next().unwrap_or_else(|| panic!("no {subject} in {group}: {found}")).clone()
    };
    assert_eq!(row("parts", "web")["other"], "nginx");
    let packages = row("packages", "gunicorn-packages.pypi");
    assert_eq!((packages["one"].is_null(), packages["other"].as_str()), (true, Some("[\"gunicorn\"]")));
    let server = row("settings", "app.server");
    assert_eq!([&server["one"], &server["other"]], ["\"builtin\"", "\"gunicorn\""]);
    let exposed = row("exposure", "app");
    assert!(exposed["one"].as_str().is_some_and(|one| one.contains(" (this machine), http://127.0.0.1:")), "{exposed}");
    assert_eq!(exposed["other"], "unix:PREFIX/run/app/gunicorn.sock (your own user)");
    assert_eq!(row("secrets", "cache.password")["other"], "cache.password");
    let text = life.run(&["diff", "demo", "production"]).success();
    for group in ["parts\n  ", "\npackages\n  ", "\nsettings\n  ", "\nexposure\n  ", "\nsecrets\n  "] {
        assert!(text.stdout().contains(group), "{group:?} in {}", text.stdout());
    }
    // The same socket in two prefixes is no difference.
    let found = life.run(&["diff", "production", "stage", "--json"]).success().json();
    let rows = found["exposure"].as_array().expect("rows");
    let subjects: Vec<&str> = rows.iter().filter_map(|row| row["subject"].as_str()).collect();
    assert_eq!(subjects, ["web"], "ports of its own: {found}");
}

#[test]
fn it_works_from_below_from_elsewhere_and_in_a_prefix_of_ones_choice() {
    let mut life = project();
    life.sandbox.enter("deep/below");
    assert_eq!(life.run(&["plan", "--detailed-exitcode"]).code(2).stderr(), "");
    let work = life.sandbox.path("work").display().to_string();
    life.sandbox.enter(life.sandbox.home());
    let own = life.sandbox.home().join("own place").display().to_string();
    life.run(&["-C", &work, "--prefix", &own, "install", "--no-start", "--quiet"]).success();
    assert!(!life.sandbox.home().join("jove").exists());
    // A prefix that is named knows its profile: no project is needed to look at it.
    let status = life.run(&["--prefix", &own, "status", "--json"]).code(1).json();
    assert_eq!((status["profile"].as_str(), status["generation"].as_u64()), (Some("dev"), Some(1)));
    life.run(&["--prefix", &own, "wipe", "--data", "--yes"]).success();
    assert!(!std::path::Path::new(&own).exists());
}

#[test]
fn logs_are_followed_and_searched() {
    let life = Life::of(
        "[parts.talk]\nrecipe = \"command\"\ncommand = [\"/bin/sh\", \"-c\", \"echo one; echo two >&2; while :; do sleep 1000; done\"]\n",
    );
    life.install();
    until("both lines", || {
        let said = life.run(&["logs", "talk"]).success();
        (said.stdout().contains("one") && said.stdout().contains("two")).then_some(())
    });
    let found = life.run(&["logs", "--grep", "two", "--json"]).success().json();
    assert_eq!(found["text"], "two");
    assert_eq!(life.run(&["logs", "-n", "1"]).success().stdout().lines().count(), 1);
    assert_snapshot!(life.run(&["logs", "--since", "yesterday"]).text(), @r"
    ------- stderr -------
    error: --since yesterday: no time

    hint: write [DURATION], 10m, 2h, 1d, or [TIME]
    ------- exit 64 -------
    ");
}
