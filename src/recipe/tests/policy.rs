//! What is brought, what is required, what `explain` shows, and recipes that are wrong themselves.

use insta::assert_snapshot;

use super::fixture::Fixture;
use crate::recipe::{Explained, explain};

const APP: &str = "[options.services]\ntype = 'list'\ndefault = []\n[options.debug]\ntype = 'bool'\ndefault = true\n[options.mail]\ntype = 'string'\nplaceholder = 'me@example.org'\ndefault = 'me@example.org'\n[options.level]\ntype = 'enum'\nvalues = ['a', 'b']\n[[brings]]\nrecipe = 'db'\nwhen = { services = 'db' }\noptions = { owner = '${.name}' }\n";
const DB: &str = "[options.owner]\ntype = 'string'\ndefault = 'nobody'\n[options.size]\ntype = 'size'\ndefault = '1M'\n[exports]\nurl = 'db:${.owner}'\n";

fn app(project: &str) -> Fixture {
    Fixture::new(project).recipe("app", APP).recipe("db", DB)
}

#[test]
fn a_part_is_brought_where_there_is_none() {
    let stack =
        app("[parts.site]\nrecipe = 'app'\nservices = ['db']\n[recipes.db]\nsize = '2M'").resolve().expect("stack");
    let db = &stack.parts["db"];
    assert_eq!(db.brought_by.as_ref().map(ToString::to_string).as_deref(), Some("site"));
    assert_eq!(super::value(&stack, "db.url"), r#""db:site""#);
    assert_eq!(super::value(&stack, "db.size"), "2097152");
    let named =
        app("[parts.site]\nrecipe = 'app'\nservices = ['db']\n[parts.db]\nsize = '3M'").resolve().expect("stack");
    assert_eq!(super::value(&named, "db.size"), "3145728");
    let own =
        app("[parts.site]\nrecipe = 'app'\nservices = ['db']\n[parts.store]\nrecipe = 'db'").resolve().expect("stack");
    assert!(!own.parts.contains_key("db") && own.parts["store"].brought_by.is_none());
    assert_eq!(app("[parts.site]\nrecipe = 'app'").resolve().expect("stack").parts.len(), 1);
}

#[test]
fn what_is_brought_must_be_plain_and_have_its_name() {
    assert_snapshot!(app("[parts.site]\nrecipe = 'app'\nservices = ['${vars.X:-db}']").wrong(), @"
    `services` decides which parts there are, so it must be written without references
      jove.toml:3:12 ['${vars.X:-db}'] <>
    ");
    assert_snapshot!(app("[parts.site]\nrecipe = 'app'\nservices = ['db']\n[parts.db]\nrecipe = 'app'").wrong(), @"
    `site` brings a part `db`, but the part of this name has recipe `app`
      jove.toml:5:10 'app' <>
      jove.toml:1:8 site <brought by>
      hint: rename the part
    ");
}

#[test]
fn requirements_name_both_places() {
    let project = "[parts.site]\nrecipe = 'app'\n[parts.other]\nrecipe = 'app'\ndebug = false\nmail = 'x@y'\n[require]\n'app.debug' = false\nplaceholders = false\n'app.debgu' = false\n'ap.debug' = false\n'app.level' = 'c'\npuer = true";
    assert_snapshot!(app(project).wrong(), @r#"
    `app.debgu`: recipe `app` has no option `debgu`
      jove.toml:10:15 false <>
      hint: did you mean `app.debug`?
    `ap.debug`: there is no recipe called `ap`
      jove.toml:11:14 false <>
      hint: did you mean `app`?
    `app.level` can never be "c": it is one of `"a"`, `"b"`
      jove.toml:12:15 'c' <>
    nothing called `puer` can be required
      jove.toml:13:8 true <>
      hint: did you mean `pure`?
      hint: write `"recipe.option" = value`, or `pure = true`
    `site.debug` must be false under profile `dev`, but is `true`
      recipe:app:6:11 true <set here>
      jove.toml:8:15 false <required here>
      hint: change it, or lift the requirement in profiles/dev.toml: [require] "app.debug" = "off"
    `site.mail` still has its placeholder "me@example.org"
      recipe:app:10:11 'me@example.org' <to be changed>
      jove.toml:9:16 false <refused here>
      hint: set `mail` in `[parts.site]`
    "#);
    let stack = app("[require]\npure = true").resolve().expect("stack");
    assert_eq!(stack.facts_required[0].subject, "pure");
}

#[test]
fn a_value_explains_itself() {
    let fixture = app("extends = ['base.toml']\n[parts.site]\nrecipe = 'app'\nmail = '${.name}@x'")
        .file("base.toml", "[recipes.app]\nmail = 'base'\n");
    let catalogue = fixture.catalogue();
    let definition = fixture.definition(&catalogue).expect("definition");
    let stack = fixture.resolve().expect("stack");
    let of = |name: &str| explain(&stack, &definition, &catalogue, name);
    let Ok(Explained::Option(option)) = of("site.mail") else { panic!("an option") };
    let folder = format!("{}/", fixture.folder().display());
    assert_snapshot!(serde_json::to_string_pretty(&option).expect("json").replace(&folder, ""), @r#"
    {
      "name": "site.mail",
      "value": "site@x",
      "shown": "\"site@x\"",
      "origin": "jove.toml:4:8",
      "written": "\"${.name}@x\"",
      "overridden": [
        {
          "value": "\"base\"",
          "origin": "base.toml:2:8"
        },
        {
          "value": "\"me@example.org\"",
          "origin": "recipe:app:10:11"
        }
      ],
      "doc": "",
      "type": "string",
      "default": "\"me@example.org\""
    }
    "#);
    let Ok(Explained::Part(part)) = of("site") else { panic!("a part") };
    assert_eq!((part.recipe.as_str(), part.options.len()), ("app", 4));
    assert_eq!(of("site.mial").expect_err("unknown").0[0].hints, ["did you mean `site.mail`?"]);
    assert_eq!(of("sit").expect_err("unknown").0[0].hints, ["did you mean `site`?"]);
}

const WRONG: &str = r#"
sumary = "x"
action = "file"
[options.data]
type = "path"
[options.port]
type = "prot"
[options.level]
type = "enum"
[options.size]
type = "size"
default = "much"
[options.word]
type = "secret"
default = "hunter2"
[[file]]
template = "a"
copy = "b"
[[service]]
command = ["${.prt}"]
ready = { tpc = "x" }
needs = ["wroker"]
when = { leve = "x", size = "big" }
[[service]]
name = "worker"
[[service]]
command = []
[[step]]
name = "worker"
command = ["${"]
keys = 1
[[promise]]
htpp = "x"
[[brings]]
recipe = "No"
[exports]
"a-b" = 1
"#;

#[test]
#[expect(clippy::too_many_lines, reason = "all mistakes are one answer")]
fn a_recipe_tells_all_its_mistakes() {
    let wrong = Fixture::new("[parts.a]\nrecipe = 'r'\n[parts.b]\nrecipe = 'r'").recipe("r", WRONG).wrong();
    assert_snapshot!(wrong, @r#"
    a recipe knows no `sumary`
      recipe:r:2:10 "x" <unknown key>
      hint: did you mean `summary`?
    `file` is no action: there are files, none, packages, python, step
      recipe:r:3:10 "file" <>
      hint: did you mean `files`?
    no option can be called `data`: the word already has a meaning in a part
      recipe:r:4:1 [options.data] <>
    `prot` is no type of an option here
      recipe:r:7:8 "prot" <>
      hint: did you mean `port`?
    [options.level] has no `values`
      recipe:r:8:1 [options.level] <>
    `default` of option `size` must be a size such as `"10mib"` or a number of bytes, but is the text `"much"`
      recipe:r:12:11 "much" <>
    a secret may not be written in a recipe (option `word`)
      recipe:r:15:11 "hunter2" <>
      hint: write "generate"
    [[file]] has no `path`
      recipe:r:16:1 [[file]] <>
    [[file]] must have exactly one of `template`, `content` and `copy`
      recipe:r:16:1 [[file]] <>
    `when` asks for option `leve`, which this recipe does not declare
      recipe:r:19:1 [[service]] <>
      hint: did you mean `level`?
    `when` compares option `size` with what it can never be
      recipe:r:19:1 [[service]] <>
      hint: it is a size such as `"10MiB"` or a number of bytes
    this recipe has no option or export called `prt`
      recipe:r:20:13 ${.prt} <>
      hint: did you mean `port`?
    `ready` knows no `tpc`
      recipe:r:21:17 "x" <unknown key>
      hint: did you mean `tcp`?
    this recipe has no service, job or step called `wroker`
      recipe:r:22:10 "wroker" <>
      hint: did you mean `worker`?
    [[service]] has no `command`
      recipe:r:24:1 [[service]] <>
    only the first [[service]] or [[schedule]] may be without `name`: it is called as its part
      recipe:r:26:1 [[service]] <>
    two services, jobs or steps of this recipe are called `worker`
      recipe:r:28:1 [[step]] <>
    a reference is not closed: `}` is missing; a plain `${` is written `$${`
      recipe:r:30:13 ${ <>
    [[step]] knows no `keys`
      recipe:r:31:8 1 <unknown key>
      hint: did you mean `key`?
    [[promise]] has no `name`
      recipe:r:32:1 [[promise]] <>
    [[promise]] knows no `htpp`
      recipe:r:33:8 "x" <unknown key>
      hint: did you mean `http`?
    `no` is no name for a part: a part that is brought is called as its recipe
      recipe:r:35:10 "No" <>
      hint: give it a `name`
    no export can be called `a-b`
      recipe:r:37:9 1 <it takes lowercase letters, digits and `_`>
    "#);
}
