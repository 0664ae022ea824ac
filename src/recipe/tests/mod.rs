//! The rules of resolving, over small recipes.

mod data;
mod fixture;
mod making;
mod policy;
mod process;
mod real;
mod sites;
mod spare;
mod wild;

use insta::assert_snapshot;

use self::fixture::{Fixture, shown, value};
use crate::recipe::{EdgeKind, OptionValue, Stack};

/// A recipe with an option of every type.
const KINDS: &str = r#"
[options.text]
type = "string"
[options.truth]
type = "bool"
[options.number]
type = "int"
[options.fraction]
type = "float"
[options.bytes]
type = "size"
[options.wait]
type = "duration"
[options.port]
type = "port"
[options.folder]
type = "path"
[options.word]
type = "secret"
[options.level]
type = "enum"
values = ["low", "high"]
[options.tags]
type = "list"
[options.folders]
type = "list"
of = "path"
[options.table]
type = "table"
[options.workers]
type = "workers"
"#;

fn kinds(options: &str) -> Fixture {
    Fixture::new(&format!("[parts.a]\nrecipe = \"kinds\"\n{options}\n")).recipe("kinds", KINDS)
}

fn edges(stack: &Stack, part: &str) -> Vec<String> {
    let edges = stack.parts[part].edges.iter();
    edges.map(|edge| format!("{:?} {} {}", edge.kind, edge.to, edge.origin.line_column().0)).collect()
}

#[test]
fn every_type_takes_what_it_should() {
    for (written, option, expected) in [
        ("text = 'x'", "text", r#""x""#),
        ("truth = true", "truth", "true"),
        ("number = -3", "number", "-3"),
        ("fraction = 2", "fraction", "2.0"),
        ("fraction = 0.5", "fraction", "0.5"),
        ("bytes = 10", "bytes", "10"),
        ("bytes = '10MiB'", "bytes", "10485760"),
        ("bytes = '1.5kB'", "bytes", "1500"),
        ("bytes = '1G'", "bytes", "1073741824"),
        ("wait = 3", "wait", r#""3s""#),
        ("wait = '100ms'", "wait", r#""0.1s""#),
        ("wait = '1.5m'", "wait", r#""90s""#),
        ("port = 80", "port", "80"),
        ("port = 'auto'", "port", "20001"),
        ("folder = '/a/../b'", "folder", r#""/b""#),
        ("folder = '~/x'", "folder", r#""/home/u/x""#),
        ("word = 'generate'", "word", r#""secret:a.word@v1""#),
        ("level = 'high'", "level", r#""high""#),
        ("tags = ['x', '${.level:-y}']", "tags", r#"["x", "y"]"#),
        ("table = { a = 1, b = ['${.text:-z}'] }", "table", r#"{ a = 1, b = ["z"] }"#),
        ("workers = 1", "workers", "1"),
        ("workers = 'auto'", "workers", "4"),
        ("", "text", "none"),
    ] {
        let stack = kinds(written).resolve().unwrap_or_else(|wrong| panic!("{written}: {wrong}"));
        assert_eq!(value(&stack, &format!("a.{option}")), expected, "{written}");
    }
}

#[test]
fn workers_are_as_many_as_processors_within_reason() {
    for (processors, expected) in [(1, "2"), (2, "2"), (3, "3"), (8, "8"), (64, "8")] {
        let stack = kinds("workers = 'auto'\nnumber = '${.workers}'").processors(processors).resolve().expect("stack");
        assert_eq!((value(&stack, "a.workers"), value(&stack, "a.number")), (expected.to_owned(), expected.to_owned()));
    }
    let asked = kinds("workers = 30").processors(1).resolve().expect("stack");
    assert_eq!(value(&asked, "a.workers"), "30", "who says a number gets it");
    let set = kinds("").set("a.workers=auto").processors(6).resolve().expect("stack");
    assert_eq!(value(&set, "a.workers"), "6");
    for wrong in ["workers = 0", "workers = 'many'"] {
        let wrong = kinds(wrong).wrong();
        assert!(wrong.contains("`a.workers` must be a number of processes from 1 on, or `\"auto\"`"), "{wrong}");
    }
}

#[test]
fn wrong_types_are_told_all_at_once_in_order() {
    let wrong = kinds(
        "text = 3\ntruth = 'yes'\nnumber = '3'\nbytes = '10 apples'\nwait = -1\nport = 70000\nlevel = 'hihg'\ntags = 'x'\ntable = []\nfolder = ''",
    )
    .wrong();
    assert_snapshot!(wrong, @r#"
    `a.text` must be a text, but is the number 3
      jove.toml:3:8 3 <expected a text>
    `a.truth` must be `true` or `false`, but is the text `"yes"`
      jove.toml:4:9 'yes' <expected `true` or `false`>
    `a.number` must be a whole number, but is the text `"3"`
      jove.toml:5:10 '3' <expected a whole number>
    `a.bytes` must be a size such as `"10mib"` or a number of bytes, but is the text `"10 apples"`
      jove.toml:6:9 '10 apples' <expected a size such as `"10MiB"` or a number of bytes>
    `a.wait` must be a duration such as `"5s"`, `"2m"` or a number of seconds, but is the number -1
      jove.toml:7:8 -1 <expected a duration such as `"5s"`, `"2m"` or a number of seconds>
    `a.port` must be a port from 1 to 65535, or `"auto"`, but is the number 70000
      jove.toml:8:8 70000 <expected a port from 1 to 65535, or `"auto"`>
    `a.level` must be one of `"low"`, `"high"`, but is the text `"hihg"`
      jove.toml:9:9 'hihg' <expected one of `"low"`, `"high"`>
      hint: did you mean `high`?
    `a.tags` must be a list of string values, but is the text `"x"`
      jove.toml:10:8 'x' <expected a list of string values>
    `a.table` must be a table, but is a list
      jove.toml:11:9 [] <expected a table>
    a path cannot be empty; write "." for the folder itself
      jove.toml:12:10 '' <>
    "#);
}

#[test]
fn a_reference_alone_keeps_its_type() {
    let stack = kinds("number = '${b.number}'\ntruth = '${b.truth}'\ntags = '${b.tags}'\nwait = '${b.wait}'\ntext = '${b.number}'\n[parts.b]\nrecipe = 'kinds'\nnumber = 7\ntruth = true\ntags = ['x']\nwait = '2s'")
        .resolve()
        .expect("stack");
    assert_eq!(stack.parts["a"].options["number"].value, OptionValue::Int(7));
    assert_eq!(stack.parts["a"].options["truth"].value, OptionValue::Bool(true));
    assert_eq!(stack.parts["a"].options["wait"].value, OptionValue::Seconds(2.0));
    assert_eq!(value(&stack, "a.tags"), r#"["x"]"#);
    assert_eq!(value(&stack, "a.text"), r#""7""#);
    let wrong = kinds("number = '${.text}'\ntext = '8'").wrong();
    assert!(wrong.starts_with("`a.number` must be a whole number, but is the text `\"8\"`"), "{wrong}");
}

#[test]
fn text_from_outside_is_read_as_the_type() {
    let stack =
        kinds("number = '${vars.N}'\ntruth = '${vars.T:-true}'\nport = '${vars.P:-auto}'\nlevel = '${vars.L:-low}'")
            .var("N", "12")
            .var("L", "")
            .resolve()
            .expect("stack");
    assert_eq!(value(&stack, "a.number"), "12");
    assert_eq!(value(&stack, "a.truth"), "true");
    assert_eq!(value(&stack, "a.port"), "20001");
    assert_eq!(value(&stack, "a.level"), r#""low""#);
    assert_eq!(stack.vars_used["N"].as_deref(), Some("12"));
    assert_eq!(stack.vars_used["P"], None);
    assert_eq!(stack.vars_used["L"].as_deref(), Some(""));
}

#[test]
fn lists_splice_references_and_drop_nothing() {
    let stack = kinds("tags = ['a', '${b.tags}', '${b.text}', 'z-${b.number}']\n[parts.b]\nrecipe = 'kinds'\ntags = ['x', 'y']\nnumber = 1")
        .resolve()
        .expect("stack");
    assert_eq!(value(&stack, "a.tags"), r#"["a", "x", "y", "z-1"]"#);
}

#[test]
fn paths_are_relative_to_the_file_that_wrote_them() {
    let fixture = Fixture::new(
        "extends = ['sub/base.toml']\n[parts.a]\nrecipe = 'kinds'\n[recipes.kinds]\nfolders = ['x', '${.folder}/in']",
    )
    .recipe(
        "kinds",
        &KINDS.replace("[options.level]", "[options.default]\ntype = 'path'\ndefault = 'd'\n[options.level]"),
    )
    .file("sub/base.toml", "[parts.a]\nfolder = '../data'\n");
    let stack = fixture.resolve().expect("stack");
    let folder = fixture.folder().display().to_string();
    assert_eq!(value(&stack, "a.folder"), format!("\"{folder}/data\""));
    assert_eq!(value(&stack, "a.folders"), format!("[\"{folder}/x\", \"{folder}/data/in\"]"));
    // A recipe's default has no folder of its own: the project's.
    assert_eq!(value(&stack, "a.default"), format!("\"{folder}/d\""));
}

#[test]
fn wrong_references_show_the_nearest_name_at_their_place() {
    let wrong = kinds("text = 'x ${a.texd} ${d.text} ${.tetx} ${host.nam} ${vars.NOT} ${.number} ${.tags}'\ntags = []\n[parts.b]\nrecipe = 'kinds'").wrong();
    assert_snapshot!(wrong, @"
    part `a` (recipe `kinds`) has no option or export called `texd`
      jove.toml:3:11 ${a.texd} <>
      hint: did you mean `text`?
    there is no part called `d`
      jove.toml:3:21 ${d.text} <>
    part `a` (recipe `kinds`) has no option or export called `tetx`
      jove.toml:3:31 ${.tetx} <>
      hint: did you mean `text`?
    `host` has no `nam`: there are name, platform
      jove.toml:3:40 ${host.nam} <>
      hint: did you mean `name`?
    process variable `not` is not set
      jove.toml:3:52 ${vars.NOT} <>
      hint: set it, or give a default: `${vars.NOT:-default}`
    `${.number}` is nothing, which cannot be a piece of a text
      jove.toml:3:64 ${.number} <>
      hint: give a default: `${…:-default}`
    `${.tags}` is a list, which cannot be a piece of a text
      jove.toml:3:75 ${.tags} <>
    ");
}

#[test]
fn unknown_recipes_options_and_tables_show_the_nearest() {
    let wrong = Fixture::new("[parts.a]\nrecipe = 'kind'\n[parts.b]\nrecipe = 'kinds'\ntetx = '1'\n[parts.c]\n[recipes.kindz]\nx = 1\n[recipes.kinds]\nnumbre = 1\n")
        .recipe("kinds", KINDS)
        .wrong();
    assert_snapshot!(wrong, @"
    there is no recipe called `kind`
      jove.toml:2:10 'kind' <unknown recipe>
      hint: did you mean `kinds`?
      hint: `jove-install recipe list` shows them all
    recipe `kinds` has no option `tetx`
      jove.toml:5:1 tetx <unknown option>
      hint: did you mean `text`?
      hint: `jove-install recipe show kinds` shows them all
    part `c` has no recipe, and no other part brings one of that name
      jove.toml:6:8 c <>
      hint: add `recipe = \"…\"` to `[parts.c]`
    `[recipes.kindz]`: there is no recipe called `kindz`
      jove.toml:8:5 1 <>
      hint: did you mean `kinds`?
    recipe `kinds` has no option `numbre`
      jove.toml:10:1 numbre <unknown option>
      hint: did you mean `number`?
      hint: `jove-install recipe show kinds` shows them all
    ");
}

#[test]
fn a_circle_of_options_is_drawn() {
    let wrong = kinds("text = '${b.text}'\nlevel = '${.level}'\n[parts.b]\nrecipe = 'kinds'\ntext = 'x${c.text}'\n[parts.c]\nrecipe = 'kinds'\ntext = '${a.text}'\ntags = ['${a.text}']").wrong();
    assert_snapshot!(wrong, @"
    options refer to each other in a circle: `a.text` → `b.text` → `c.text` → `a.text`
      jove.toml:3:9 ${b.text} <`a.text` refers to `b.text`>
      jove.toml:7:10 ${c.text} <`b.text` refers to `c.text`>
      jove.toml:10:9 ${a.text} <`c.text` refers to `a.text`>
      hint: write one of them plainly
    options refer to each other in a circle: `a.level` → `a.level`
      jove.toml:4:10 ${.level} <`a.level` refers to `a.level`>
      hint: write one of them plainly
    ");
}

#[test]
fn a_default_counts_only_where_it_holds() {
    // `b.text` refers back to `a.text`, but only if `a.number` were nothing.
    let stack = kinds("number = 1\ntext = '${.number:-${b.text}}'\n[parts.b]\nrecipe = 'kinds'\ntext = '${a.text}'")
        .resolve()
        .expect("stack");
    assert_eq!(value(&stack, "b.text"), r#""1""#);
    let wrong = kinds("text = '${.number:-${b.text}}'\n[parts.b]\nrecipe = 'kinds'\ntext = '${a.text}'").wrong();
    assert!(wrong.starts_with("options refer to each other in a circle"), "{wrong}");
}

#[test]
fn parts_that_are_off_or_abstract_are_named() {
    let project = "text = '${off.text}'\ntags = ['${off.text:-d}', '${gone.text:-e}']\nneeds = ['off']\nfolder = '${base}'\n[parts.off]\nrecipe = 'kinds'\nwhen = { platform = 'plan9' }\n[parts.base]\nrecipe = 'kinds'\nabstract = true";
    assert_snapshot!(kinds(project).wrong(), @"
    part `off` is switched off by its `when`
      jove.toml:3:9 ${off.text} <referred to here>
      jove.toml:9:8 { platform = 'plan9' } <switched off here>
      hint: give a default: `${off.…:-default}`
    part `off` is switched off by its `when`, but is needed
      jove.toml:5:10 'off' <needed here>
      jove.toml:9:8 { platform = 'plan9' } <switched off here>
    part `base` is abstract: it exists only to be copied by `like`
      jove.toml:6:11 ${base} <>
      jove.toml:10:8 base <declared here>
    ");
    let stack = kinds("tags = ['${off.text:-d}', '${gone.text:-e}']\n[parts.off]\nrecipe = 'kinds'\nwhen = false")
        .resolve()
        .expect("stack");
    assert_eq!(value(&stack, "a.tags"), r#"["d", "e"]"#);
    assert!(!stack.parts.contains_key("off"));
}

#[test]
fn a_later_layer_wins_and_within_one_the_part() {
    let of = |base: &str, project: &str| {
        let project = format!("extends = ['base.toml']\n[parts.a]\nrecipe = 'kinds'\n{project}");
        let fixture = Fixture::new(&project).recipe("kinds", KINDS).file("base.toml", base);
        let stack = fixture.resolve().expect("stack");
        let option = &stack.parts["a"].options["text"];
        let below: Vec<String> = option.overridden.iter().map(|(value, _)| value.to_string()).collect();
        format!("{} over {}", shown(&option.value), below.join(" "))
    };
    assert_eq!(of("", "text = 'part'\n[recipes.kinds]\ntext = 'table'"), r#""part" over "table""#);
    assert_eq!(of("[parts.a]\ntext = 'part'", "[recipes.kinds]\ntext = 'table'"), r#""table" over "part""#);
    assert_eq!(of("[recipes.kinds]\ntext = 'table'", "text = 'part'"), r#""part" over "table""#);
    assert_eq!(
        of("[parts.a]\ntext = 'p1'\n[recipes.kinds]\ntext = 't1'", "text = 'p2'\n[recipes.kinds]\ntext = 't2'"),
        r#""p2" over "t2" "p1" "t1""#
    );
}

#[test]
fn edits_of_lists_reach_tables_and_defaults() {
    let recipe = KINDS.replace("[options.tags]\ntype = \"list\"", "[options.tags]\ntype = \"list\"\ndefault = ['d']");
    let tags = |project: &str| {
        let fixture = Fixture::new(&format!("[parts.a]\nrecipe = 'kinds'\n{project}")).recipe("kinds", &recipe);
        fixture.resolve().map_or_else(|wrong| wrong.to_string(), |stack| value(&stack, "a.tags"))
    };
    assert_eq!(tags("tags.add = ['x']"), r#"["d", "x"]"#);
    assert_eq!(tags("tags.add = ['x']\n[recipes.kinds]\ntags = ['t']"), r#"["t", "x"]"#);
    assert_eq!(tags("tags.add = ['x']\n[recipes.kinds]\ntags.add = ['t']"), r#"["d", "t", "x"]"#);
    assert_eq!(tags("tags.remove = ['d']"), "[]");
    assert!(tags("tags.remove = ['e']").contains("cannot be removed"), "{}", tags("tags.remove = ['e']"));
}

#[test]
fn what_is_required_must_be_said() {
    let recipe = "[options.app]\ntype = 'string'\nrequired = true\ndoc = 'The application.'\nexample = 'a:b'\n";
    let fixture =
        Fixture::new("[parts.a]\nrecipe = 'r'\n[parts.b]\nrecipe = 'r'\napp = '${vars.X:-}'").recipe("r", recipe);
    assert_snapshot!(fixture.wrong(), @r#"
    part `a` must say its `app`: recipe `r` requires it
      jove.toml:1:8 a <>
      hint: app: The application.
      hint: for example `app = "a:b"`
    "#);
}

const WEB: &str = "[options.serves]\ntype = 'list'\nof = 'string'\n[options.env]\ntype = 'path'\n[options.public]\ntype = 'string'\n[options.port]\ntype = 'port'\ndefault = 'auto'\n[[file]]\ncontent = 'x'\npath = 'a'\n[[service]]\ncommand = ['/bin/true']\n[exports]\nurl = 'http://h:${.port}/'\n";

#[test]
fn parts_may_read_each_other() {
    let fixture = Fixture::new("[parts.web]\nrecipe = 'web'\nserves = ['${wps.url}']\n[parts.wps]\nrecipe = 'web'\npublic = '${web.url}wps'\nenv = '${env}/bin'\nneeds = ['db']\n[parts.env]\nrecipe = 'web'\n[parts.db]\nrecipe = 'web'")
        .recipe("web", WEB);
    let stack = fixture.resolve().expect("stack");
    assert_eq!(edges(&stack, "web"), ["Value wps 3"]);
    assert_eq!(edges(&stack, "wps"), ["Value web 6", "Object env 7", "Start db 8"]);
    assert_eq!(value(&stack, "wps.env"), r#""${env}/bin""#);
    let needs: Vec<_> = stack.parts["wps"].services[0].needs.iter().map(|need| need.service.as_str()).collect();
    assert_eq!(needs, ["db"]);
}

#[test]
fn objects_are_carried_by_values() {
    let fixture = Fixture::new("[parts.a]\nrecipe = 'web'\nenv = '${b.env}'\n[parts.b]\nrecipe = 'web'\nenv = '${env}'\n[parts.env]\nrecipe = 'web'").recipe("web", WEB);
    let stack = fixture.resolve().expect("stack");
    assert_eq!(edges(&stack, "a"), ["Value b 3", "Object env 3"]);
    assert!(stack.parts["a"].edges.iter().all(|edge| edge.kind != EdgeKind::Start));
}
