//! `--set` and `JOVE_SET_*`.

use super::*;

const PROJECT: &str =
    "[parts.wps]\nrecipe = \"pywps\"\ntags = [\"a\", \"b\"]\nvars = { A = \"1\" }\n[parts.my-app]\n[parts.a--b]\n";

#[test]
fn values_are_toml_or_texts() {
    let table = [
        ("wps.port=8080", "port", "8080"),
        ("wps.title=My title", "title", "\"My title\""),
        ("wps.title=", "title", "\"\""),
        ("wps.title=a=b", "title", "\"a=b\""),
        ("wps.title=\"8080\"", "title", "\"8080\""),
        ("wps.title=\"a\" b", "title", "'\"a\" b'"),
        ("wps.title=nan", "title", "\"nan\""),
        ("wps.title=2001-02-03", "title", "\"2001-02-03\""),
        ("wps.title=99999999999999999999", "title", "\"99999999999999999999\""),
        ("wps.title=${db.url}", "title", "\"${db.url}\""),
        ("wps.debug=true", "debug", "true"),
        ("wps.load=1.5", "load", "1.5"),
        ("wps.tags=[\"x\"]", "tags", "[\"x\"]"),
        ("wps.tags+=c", "tags", "[\"a\", \"b\", \"c\"]"),
        ("wps.tags+=[\"c\", \"d\"]", "tags", "[\"a\", \"b\", \"c\", \"d\"]"),
        ("wps.tags-=a", "tags", "[\"b\"]"),
        ("wps.vars.B=2", "vars", "{ A = \"1\", B = 2 }"),
        ("wps.vars={ C = 1 }", "vars", "{ A = \"1\", C = 1 }"),
    ];
    for (set, option, expected) in table {
        let definition = project(PROJECT).set(set).good();
        assert_eq!(value(&definition, "wps", option), expected, "{set}");
        let origin = &setting(&definition, "wps", option).origin;
        let written = &set[set.find('=').expect("equals") + 1..];
        assert_eq!(origin.source.text.get(origin.span.clone()), Some(written), "{set}");
    }
}

#[test]
fn places_in_an_argument_are_right() {
    let definition = project(PROJECT).set("wps.titel=x").set("wps.tags+=[1, 22]").good();
    let titel = setting(&definition, "wps", "titel");
    assert_eq!((titel.origin.to_string(), titel.key().to_string()), ("--set:1:11".into(), "--set:1:5".into()));
    assert_eq!(setting(&definition, "wps", "tags").key().to_string(), "--set:1:5");
    let Value::List(tags) = &setting(&definition, "wps", "tags").value else { panic!("a list") };
    assert_eq!(tags[3].1.to_string(), "--set:1:15");
}

#[test]
fn other_keys_of_a_part_can_be_set_too() {
    assert!(project(PROJECT).set("wps.when=false").good().parts["wps"].off.is_some());
    assert!(project(PROJECT).set("wps.recipe=x").bad().contains("two recipes"));
}

#[test]
fn wrong_arguments_are_told_together() {
    let sandbox = project(PROJECT)
        .set("wsp.port=1")
        .set("wps.port")
        .set("port=1")
        .set("wps.=1")
        .set("wps.Port=1")
        .set("=")
        .set("")
        .set("wps.tags-=z");
    insta::assert_snapshot!(sandbox.bad(), @r#"
    error: `Port` is no option name: it takes lowercase letters, digits and `_`, and starts with a letter
     --> --set:1:5
      |
    1 | wps.Port=1
      |     ^^^^
    hint: did you mean `port`?

    error: `"z"` cannot be removed: the list below does not hold it
     --> --set:1:11
      |
    1 | wps.tags-=z
      |           ^

    error: `--set` names a part `wsp`, which no layer has
     --> --set:1:1
      |
    1 | wsp.port=1
      | ^^^
    hint: did you mean `wps`?

    error: `--set wps.port` has no `=`: it is PART.OPTION=VALUE, or += and -= on a list
     --> --set:1:1
      |
    1 | wps.port
      | ^^^^^^^^

    error: `--set port` does not name an option: it is PART.OPTION=VALUE, or += and -= on a list
     --> --set:1:1
      |
    1 | port=1
      | ^^^^

    error: `--set wps.` does not name an option: it is PART.OPTION=VALUE, or += and -= on a list
     --> --set:1:1
      |
    1 | wps.=1
      | ^^^^

    error: `--set ` does not name an option: it is PART.OPTION=VALUE, or += and -= on a list
     --> --set:1:1
      |
    1 | =
      | ^

    error: `--set ` has no `=`: it is PART.OPTION=VALUE, or += and -= on a list
     --> --set:1:1
      |
    1 |
      | ^
    "#);
}

#[test]
fn variables_fold_case_and_dashes() {
    let definition = project(PROJECT)
        .var("JOVE_SET_MY_APP__SERVER_NAMES", "[\"x\"]")
        .var("JOVE_SET_wps__port", "1")
        .var("JOVE_SET_A__B__PORT", "7")
        .var("JOVE_SETTING", "no")
        .good();
    assert_eq!(value(&definition, "my-app", "server_names"), "[\"x\"]");
    assert_eq!(value(&definition, "wps", "port"), "1");
    assert_eq!(value(&definition, "a--b", "port"), "7");
    assert_eq!(setting(&definition, "wps", "port").key().to_string(), "JOVE_SET_wps__port:1:1");
}

#[test]
fn a_variable_for_no_part_is_a_warning() {
    let sandbox = project(PROJECT).var("JOVE_SET_WPZ__PORT", "1").var("JOVE_SET_X", "1");
    let (_, warnings) = sandbox.load().expect("loads");
    insta::assert_snapshot!(draw(&warnings, false), @r"
    warning: the variable `JOVE_SET_WPZ__PORT` sets nothing: it is no JOVE_SET_<PART>__<OPTION> of a part here
    hint: did you mean `wps`?

    warning: the variable `JOVE_SET_X` sets nothing: it is no JOVE_SET_<PART>__<OPTION> of a part here
    ");
}
