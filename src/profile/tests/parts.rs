//! Parts: the rule table, `recipe`, `like`, `when`, `needs`, `[require]`.

use super::*;
use crate::condition::NeedCondition;
use crate::profile::edit::list_over;

#[test]
fn the_rule_table() {
    // below, above, what becomes of it, or a word of the mistake
    let table = [
        ("", "x = 1", Ok("1")),
        ("x = 1", "", Ok("1")),
        ("x = 1", "x = \"a\"", Ok("\"a\"")),
        ("x = [1, 2]", "x = [3]", Ok("[3]")),
        ("x = [1, 2]", "x.add = [3]", Ok("[1, 2, 3]")),
        ("x = [1, 2]", "x.add = [2, 3, 3]", Ok("[1, 2, 3]")),
        ("x = [1, 2]", "x.remove = [1]", Ok("[2]")),
        ("x = [1, 2]", "x = { remove = [1, 2], add = [2, 4] }", Ok("[2, 4]")),
        ("x = [{ a = 1 }, [1]]", "x.remove = [{ a = 1 }]", Ok("[[1]]")),
        ("x = [1, 2]", "x.remove = [3]", Err("`3` cannot be removed")),
        ("x = 1", "x.add = [3]", Err("it is a number, not a list")),
        ("x = { a = 1 }", "x.add = [3]", Err("it is a table, not a list")),
        ("x = { add = 1 }", "x.add = [3]", Ok("{ add = [3] }")),
        ("", "x.add = [3]", Ok("{ add = [3] }")),
        ("x.add = [3]", "x = [1]", Ok("[1]")),
        ("x = { a = 1, b = { c = 2, d = 3 } }", "x.b.c = 4", Ok("{ a = 1, b = { c = 4, d = 3 } }")),
        ("x = { a = 1 }", "x = 2", Ok("2")),
        ("x = 2", "x = { a = 1 }", Ok("{ a = 1 }")),
    ];
    for (below, above, expected) in table {
        let sandbox = two(
            &format!("[parts.p]\n{below}\n[recipes.r]\n{below}"),
            &format!("[parts.p]\n{above}\n[recipes.r]\n{above}"),
        );
        match expected {
            Ok(expected) => {
                let definition = sandbox.good();
                assert_eq!(value(&definition, "p", "x"), expected, "{below} | {above}");
                assert_eq!(definition.recipes["r"]["x"].value.to_string(), expected, "{below} | {above}");
            }
            Err(word) => assert_eq!(sandbox.bad().matches(word).count(), 2, "{below} | {above}\n{}", sandbox.bad()),
        }
    }
}

#[test]
fn edits_wait_for_the_list_of_the_recipe() {
    let definition =
        two("[parts.p]\nx.add = [\"a\", \"b\"]\n", "[parts.p]\nx = { remove = [\"a\", \"z\"], add = [\"c\"] }\n")
            .good();
    let waiting = setting(&definition, "p", "x");
    let at = &waiting.origin;
    let below =
        |texts: &[&str]| texts.iter().map(|text| (Value::String((*text).into()), at.clone())).collect::<Vec<_>>();
    let over = |texts: &[&str]| list_over(waiting, &below(texts)).expect("a list");
    let shown = |list: &edit::List| list.iter().map(|(value, _)| value.to_string()).collect::<Vec<_>>().join(" ");
    assert_eq!(over(&["z", "y"]).map(|list| shown(&list)), Ok("\"y\" \"b\" \"c\"".to_owned()));
    let mistakes = over(&["zz"]).expect_err("z is not there");
    assert!(draw(&mistakes, false).contains("hint: did you mean `zz`?"), "{mistakes}");
    assert!(list_over(&Setting::new(Value::Int(1), at.clone()), &[]).is_none());
}

#[test]
fn removing_what_is_absent_names_the_nearest() {
    insta::assert_snapshot!(two("[parts.web]\nnames = [\"www.example.org\", 3]\n", "[parts.web]\nnames.remove = [\"ww.example.org\"]\n").bad(), @r#"
    error: `"ww.example.org"` cannot be removed: the list below does not hold it
     --> profiles/own.toml:3:17
      |
    3 | names.remove = ["ww.example.org"]
      |                 ^^^^^^^^^^^^^^^^
    hint: did you mean `www.example.org`?
    "#);
}

#[test]
fn a_recipe_is_set_by_one_layer_only() {
    insta::assert_snapshot!(two("[parts.web]\nrecipe = \"wsgi\"\n", "[parts.web]\nrecipe = \"nginx\"\n").bad(), @r#"
    error: part `web` has two recipes: `wsgi` and `nginx`
     --> profiles/own.toml:3:10
      |
    3 | recipe = "nginx"
      |          ^^^^^^^ `nginx` here
      |
     ::: jove.toml:2:10
      |
    2 | recipe = "wsgi"
      |          ------ `wsgi` in a layer below
    hint: rename one of the two parts, or say `replace = true` in [parts.web] to drop all that the layers below say of it
    "#);
    let definition = two("[parts.web]\nrecipe = \"wsgi\"\nx = 1\n", "[parts.web]\nrecipe = \"wsgi\"\n").good();
    assert_eq!(definition.parts["web"].recipe.as_ref().map(|(recipe, _)| recipe.as_str()), Some("wsgi"));
    let definition =
        two("[parts.web]\nrecipe = \"wsgi\"\nx = 1\n", "[parts.web]\nrecipe = \"nginx\"\nreplace = true\ny = 2\n")
            .good();
    assert_eq!(definition.parts["web"].recipe.as_ref().map(|(recipe, _)| recipe.as_str()), Some("nginx"));
    assert_eq!(definition.parts["web"].options.keys().map(|key| key.as_str()).collect::<Vec<_>>(), ["y"]);
}

#[test]
fn like_copies_merged_settings() {
    let below = "[parts.base]\nabstract = true\nrecipe = \"nginx\"\nnames = [\"a\"]\nvars = { X = 1, Y = 1 }\nport = 1\nwhen = false\nneeds = [\"db\"]\n\
        [parts.web]\nlike = \"base\"\nnames.add = [\"b\"]\nvars.X = 2\n[parts.far]\nlike = \"web\"\nport = 3\n";
    let definition = two(below, "[parts.base]\nport = 2\n[parts.web]\nnames.add = [\"c\"]\n").good();
    let web = &definition.parts["web"];
    assert_eq!(value(&definition, "web", "names"), "[\"a\", \"b\", \"c\"]");
    assert_eq!(value(&definition, "web", "vars"), "{ X = 2, Y = 1 }");
    assert_eq!(value(&definition, "web", "port"), "2");
    assert_eq!(setting(&definition, "web", "port").copied_from, Some("base".parse().expect("name")));
    assert_eq!(setting(&definition, "web", "names").copied_from, None);
    assert_eq!(web.recipe.as_ref().map(|(recipe, _)| recipe.as_str()), Some("nginx"));
    assert!(web.needs.is_empty() && web.off.is_none() && !web.is_abstract);
    assert!(definition.parts["base"].off.is_some() && definition.parts["base"].is_abstract);
    assert_eq!(value(&definition, "far", "names"), "[\"a\", \"b\", \"c\"]");
    assert_eq!(value(&definition, "far", "port"), "3");
    assert_eq!(setting(&definition, "far", "vars").copied_from, Some("web".parse().expect("name")));
    assert_eq!(setting(&definition, "far", "port").overridden.len(), 2);
}

#[test]
fn like_goes_in_no_circle_and_to_no_stranger() {
    insta::assert_snapshot!(project("[parts.a]\nlike = \"b\"\n[parts.b]\nlike = \"c\"\n[parts.c]\nlike = \"b\"\n[parts.d]\nlike = \"dd\"\n[parts.ee]\nlike = \"ff\"\n").bad(), @r#"
    error: `like` goes in a circle: b → c → b
     --> jove.toml:4:8
      |
    4 | like = "c"
      |        ^^^ `b` is like `c`
    5 | [parts.c]
    6 | like = "b"
      |        --- `c` is like `b`

    error: part `d` is like `dd`, which no layer has
     --> jove.toml:8:8
      |
    8 | like = "dd"
      |        ^^^^

    error: part `ee` is like `ff`, which no layer has
      --> jove.toml:10:8
       |
    10 | like = "ff"
       |        ^^^^
    "#);
}

#[test]
fn a_long_chain_of_likes_is_no_danger() {
    let mut text = "[parts.p0]\nx = 1\n".to_owned();
    for n in 1..5000 {
        text.push_str(&format!("[parts.p{n}]\nlike = \"p{}\"\n", n - 1));
    }
    assert_eq!(value(&project(&text).good(), "p4999", "x"), "1");
}

#[test]
fn when_asks_for_platform_profile_host_and_variables() {
    let table = [
        ("true", true),
        ("false", false),
        ("{}", true),
        ("{ platform = \"linux\" }", cfg!(target_os = "linux")),
        ("{ platform = [\"plan9\", \"linux-x86_64\", \"linux-aarch64\"] }", cfg!(target_os = "linux")),
        ("{ platform = \"plan9\" }", false),
        ("{ profile = \"bare\" }", true),
        ("{ profile = [\"demo\", \"dev\"] }", false),
        ("{ host.name = \"crunch\" }", true),
        ("{ host = { name = [\"a\", \"b\"] } }", false),
        ("{ vars.CI = \"1\" }", true),
        ("{ vars.CI = 1 }", true),
        ("{ vars.CI = true }", false),
        ("{ vars.NONE = \"1\" }", false),
        ("{ vars.NONE = \"\" }", true),
        ("{ vars.CI = [\"0\", \"1\"], profile = \"bare\" }", true),
        ("{ vars.CI = \"1\", profile = \"dev\" }", false),
        ("{ profile = [] }", false),
    ];
    for (when, active) in table {
        let definition = project(&format!("[parts.p]\nwhen = {when}\n")).var("CI", "1").good();
        assert_eq!(definition.parts["p"].off.is_none(), active, "{when}");
    }
    assert!(two("[parts.p]\nwhen = false\n", "[parts.p]\nwhen = true\n").good().parts["p"].off.is_none());
    let off = project("[parts.p]\n[parts.p.when]\nprofile = \"dev\"\n").good().parts["p"].off.clone();
    assert_eq!(off.map(|origin| origin.to_string()).as_deref(), Some("jove.toml:2:1"));
}

#[test]
fn a_wrong_when_is_told() {
    insta::assert_snapshot!(project("[parts.p]\nwhen = { platfrom = \"linux\", host.nam = 1, vars = 3, profile = [1.5] }\n[parts.q]\nwhen = \"linux\"\n").bad(), @r#"
    error: `when` cannot ask for `platfrom`: it can ask for platform, profile, host.name and vars.NAME
     --> jove.toml:2:10
      |
    2 | when = { platfrom = "linux", host.nam = 1, vars = 3, profile = [1.5] }
      |          ^^^^^^^^
    hint: did you mean `platform`?

    error: `when` cannot ask for `host.nam`: it can ask for `host.name`
     --> jove.toml:2:35
      |
    2 | when = { platfrom = "linux", host.nam = 1, vars = 3, profile = [1.5] }
      |                                   ^^^

    error: `when.vars` is a table: `[when.vars]` on a line of its own
     --> jove.toml:2:51
      |
    2 | when = { platfrom = "linux", host.nam = 1, vars = 3, profile = [1.5] }
      |                                                   ^

    error: `when` compares with a text or a list of texts, not a number with a fraction
     --> jove.toml:2:65
      |
    2 | when = { platfrom = "linux", host.nam = 1, vars = 3, profile = [1.5] }
      |                                                                 ^^^

    error: `when` is a table, `true` or `false`
     --> jove.toml:4:8
      |
    4 | when = "linux"
      |        ^^^^^^^ as `{ platform = "linux" }`
    "#);
}

#[test]
fn needs_are_names_with_conditions() {
    let definition = two(
        "[parts.p]\nneeds = [\"db\", \"migrate:succeeded\", \"x:started\"]\n",
        "[parts.p]\nneeds.add = [\"y:ready\"]\n",
    )
    .good();
    let needs: Vec<_> = definition.parts["p"].needs.iter().map(|need| (need.part.as_str(), need.condition)).collect();
    let expected = [
        ("db", NeedCondition::Ready),
        ("migrate", NeedCondition::Succeeded),
        ("x", NeedCondition::Started),
        ("y", NeedCondition::Ready),
    ];
    assert_eq!(needs, expected);
    insta::assert_snapshot!(project("[parts.p]\nneeds = [\"${db}\", \"a:suceeded\", 3]\n[parts.q]\nneeds = \"db\"\n").bad(), @r#"
    error: `${db}` is no part name: it takes lowercase letters, digits and `-`, and starts with a letter
     --> jove.toml:2:10
      |
    2 | needs = ["${db}", "a:suceeded", 3]
      |          ^^^^^^^
    hint: `needs` names parts without `${}`: "db"

    error: a part can be needed started, ready, succeeded, not `suceeded`
     --> jove.toml:2:19
      |
    2 | needs = ["${db}", "a:suceeded", 3]
      |                   ^^^^^^^^^^^^
    hint: did you mean `succeeded`?

    error: `needs` is a list of parts' names, and a number is none
     --> jove.toml:2:33
      |
    2 | needs = ["${db}", "a:suceeded", 3]
      |                                 ^ write it in quotes

    error: `needs` is a list of parts, not a text
     --> jove.toml:4:9
      |
    4 | needs = "db"
      |         ^^^^ as `["db", "migrate:succeeded"]`
    "#);
}

#[test]
fn requirements_are_lifted_by_the_projects_profile_only() {
    let own = |above: &str| {
        let files = [("jove.toml", "[require]\nwsgi.threads = 2\n"), ("profiles/own.toml", above)];
        Sandbox::new(&files).profile("own")
    };
    let listed = |definition: &Definition| {
        definition.requirements.iter().map(|it| format!("{} = {}", it.subject, it.value)).collect::<Vec<_>>()
    };
    let all = own("extends = [\"profile:strict\"]").good();
    assert_eq!(listed(&all), ["pure = true", "wsgi.debug = false", "wsgi.threads = 2"]);
    let lifted = own("extends = [\"profile:strict\"]\n[require]\n\"wsgi.debug\" = \"off\"\nwsgi.threads = 2\n").good();
    assert_eq!(listed(&lifted), ["pure = true", "wsgi.threads = 2"]);
    insta::assert_snapshot!(own("extends = [\"profile:strict\"]\n[require]\nwsgi.debg = \"off\"\n").bad(), @r#"
    error: the requirement `wsgi.debg` cannot be lifted: no layer below states it
     --> profiles/own.toml:3:13
      |
    3 | wsgi.debg = "off"
      |             ^^^^^
    hint: did you mean `wsgi.debug`?
    "#);
    insta::assert_snapshot!(project("[require]\npure = \"off\"\n").bad(), @r#"
    error: the requirement `pure` can be lifted only by the project's own profile
     --> jove.toml:2:8
      |
    2 | pure = "off"
      |        ^^^^^
    hint: write it in the [require] of profiles/<name>.toml beside jove.toml
    "#);
}

#[test]
#[allow(clippy::too_many_lines, reason = "the lines are what is drawn")]
fn all_mistakes_of_all_files_come_in_one_run() {
    let sandbox = Sandbox::new(&[
        (
            "jove.toml",
            "extend = []\n[parts.Web]\n[parts.host]\n[parts.web]\nserver-names = []\nrecipe = 3\nborn = 2001-02-03\nbig = 99999999999999999999\n[recipes.wsgi]\nwhen = false\n",
        ),
        ("profiles/dev.toml", "name = \"x\"\nparts = 3\n[profile]\nsumary = \"x\"\n[parts2]\n"),
        ("jove.local.toml", "[parts]\nweb = 1\n"),
    ]);
    insta::assert_snapshot!(sandbox.set("web2.x=1").bad(), @r#"
    error: `extend` means nothing here
     --> jove.toml:1:1
      |
    1 | extend = []
      | ^^^^^^
    hint: did you mean `extends`?

    error: `Web` is no part name: it takes lowercase letters, digits and `-`, and starts with a letter
     --> jove.toml:2:8
      |
    2 | [parts.Web]
      |        ^^^

    error: `host` is no part name: `${host.…}` already has a meaning
     --> jove.toml:3:8
      |
    3 | [parts.host]
      |        ^^^^

    error: `server-names` is no option name: it takes lowercase letters, digits and `_`, and starts with a letter
     --> jove.toml:5:1
      |
    5 | server-names = []
      | ^^^^^^^^^^^^
    hint: did you mean `server_names`?

    error: `recipe` is a text, not a number
     --> jove.toml:6:10
      |
    6 | recipe = 3
      |          ^ write it in quotes

    error: there are no dates among settings
     --> jove.toml:7:8
      |
    7 | born = 2001-02-03
      |        ^^^^^^^^^^ write it in quotes

    error: the number `99999999999999999999` is too large
     --> jove.toml:8:7
      |
    8 | big = 99999999999999999999
      |       ^^^^^^^^^^^^^^^^^^^^ write it in quotes if it is a text

    error: `when` belongs to a part, and has no place in [recipes.wsgi]
      --> jove.toml:10:1
       |
    10 | when = false
       | ^^^^
    hint: write it in [parts.NAME]

    error: `name` is a project's; a profile's own name stands in [profile]
     --> profiles/dev.toml:1:1
      |
    1 | name = "x"
      | ^^^^

    error: `parts` is a table: `[parts]` on a line of its own
     --> profiles/dev.toml:2:9
      |
    2 | parts = 3
      |         ^

    error: `sumary` means nothing in [profile], which holds example, locked, name, summary
     --> profiles/dev.toml:4:1
      |
    4 | sumary = "x"
      | ^^^^^^
    hint: did you mean `summary`?

    error: `parts2` means nothing here
     --> profiles/dev.toml:5:2
      |
    5 | [parts2]
      |  ^^^^^^
    hint: did you mean `parts`?

    error: `parts.web` is a table: `[parts.web]` on a line of its own
     --> jove.local.toml:2:7
      |
    2 | web = 1
      |       ^

    error: `--set` names a part `web2`, which no layer has
     --> --set:1:1
      |
    1 | web2.x=1
      | ^^^^
    hint: did you mean `web`?
    "#);
}
