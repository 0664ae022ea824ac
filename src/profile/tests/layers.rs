//! Which layers there are, and their order.

use super::*;

#[test]
fn lie_in_their_order_and_the_last_wins() {
    let sandbox = Sandbox::new(&[
        ("../config/config.toml", "[recipes.wsgi]\nthreads = 1\n[sources]\norder = [\"conda\"]\n"),
        ("jove.toml", "[parts.wps]\nrecipe = \"pywps\"\ntitle = \"1\"\n"),
        ("profiles/dev.toml", "[parts.wps]\ntitle = \"2\"\n"),
        ("jove.local.toml", "[parts.wps]\ntitle = \"3\"\n"),
    ])
    .var("JOVE_SET_WPS__TITLE", "4")
    .set("wps.title=five");
    let definition = sandbox.good();
    let names: Vec<String> = names(&definition)
        .into_iter()
        .map(|name| name.replace(&sandbox.root().display().to_string(), "ROOT"))
        .collect();
    assert_eq!(
        names,
        [
            "profile:demo",
            "profile:dev",
            "ROOT/config/config.toml",
            "jove.toml",
            "profiles/dev.toml",
            "jove.local.toml",
            "JOVE_SET_WPS__TITLE",
            "--set"
        ]
    );
    let title = setting(&definition, "wps", "title");
    assert_eq!(title.value.to_string(), "\"five\"");
    let below: Vec<String> = title.overridden.iter().map(|(value, origin)| format!("{value} {origin}")).collect();
    assert_eq!(
        below,
        [
            "4 JOVE_SET_WPS__TITLE:1:1",
            "\"3\" jove.local.toml:2:9",
            "\"2\" profiles/dev.toml:2:9",
            "\"1\" jove.toml:3:9"
        ]
    );
    assert_eq!(definition.layer_of(&title.origin), Some(7));
    assert_eq!(definition.sources["order"].value.to_string(), "[\"conda\"]");
    assert_eq!(definition.recipes["wsgi"]["debug"].value, Value::Bool(true));
    assert_eq!((definition.profile.as_str(), definition.summary.as_deref()), ("dev", Some("for work")));
    assert_eq!((definition.project.name.as_str(), definition.project.example), ("project", None));
    assert_eq!(definition.inputs.len(), 4);
}

#[test]
fn without_a_project_the_example_runs() {
    let definition = Sandbox::new(&[]).without_project().profile("demo").good();
    assert_eq!(definition.project.name, "emu");
    assert_eq!(definition.project.folder, PathBuf::from("/example"));
    assert_eq!(definition.project.example.as_deref(), Some("pywps"));
    assert_eq!(value(&definition, "wps", "title"), "\"Emu\"");
    let definition = Sandbox::new(&[]).without_project().good();
    assert_eq!(value(&definition, "wps", "title"), "\"Emu at work\"");
    assert_eq!(
        names(&definition),
        ["profile:demo", "profile:dev", "example:pywps/jove.toml", "example:pywps/profiles/dev.toml"]
    );
}

#[test]
fn a_profile_without_example_needs_a_project() {
    insta::assert_snapshot!(Sandbox::new(&[]).without_project().profile("bare").bad(), @r"
    error: the profile `bare` names no example, and there is no jove.toml here or above
    hint: change into a project's folder, or make one: jove-install init
    ");
}

#[test]
fn an_unknown_profile_is_told_with_the_nearest() {
    let sandbox = Sandbox::new(&[("jove.toml", ""), ("profiles/staging.toml", "")]);
    insta::assert_snapshot!(sandbox.profile("stagin").bad(), @r"
    error: there is no profile `stagin`
    hint: did you mean `staging`?
    hint: the profiles here are bare, demo, dev, strict, staging; a file is given by its path, as -p ./stagin.toml
    ");
    let outside = Sandbox::new(&[("jove.toml", ""), ("secret.toml", "")]);
    assert!(outside.profile("../secret").bad().contains("there is no profile `../secret`"));
}

#[test]
fn a_project_profile_of_a_shipped_name_lies_above_it() {
    let base = |extends: &str| {
        let text = format!("{extends}\n[parts.a]\nx = 1\n");
        let sandbox = Sandbox::new(&[("jove.toml", ""), ("profiles/strict.toml", &text), ("profiles/part.toml", "")]);
        names(&sandbox.profile("strict").good())
    };
    assert_eq!(base(""), ["profile:strict", "jove.toml", "profiles/strict.toml"]);
    assert_eq!(base("extends = []"), ["jove.toml", "profiles/strict.toml"]);
    assert_eq!(
        base("extends = \"./part.toml\""),
        ["profile:strict", "jove.toml", "profiles/part.toml", "profiles/strict.toml"]
    );
    assert_eq!(base("extends = [\"profile:demo\"]"), ["profile:demo", "jove.toml", "profiles/strict.toml"]);
}

#[test]
fn a_project_profile_of_a_new_name_must_extend() {
    let sandbox = Sandbox::new(&[("jove.toml", ""), ("profiles/ci.toml", "[parts.a]\n")]);
    insta::assert_snapshot!(sandbox.profile("ci").bad(), @r#"
    error: the profile `ci` (`profiles/ci.toml`) does not say what it extends, and no profile of its name is shipped
    hint: begin it with a line `extends = ["profile:dev"]`, or `extends = []` if it stands alone
    "#);
}

#[test]
fn a_profile_file_has_the_name_that_it_says_or_its_stem() {
    let mut sandbox = Sandbox::new(&[
        ("jove.toml", ""),
        ("../my.toml", "extends = \"profile:demo\"\n"),
        ("../own.toml", "extends = []\n[profile]\nname = \"site\"\n"),
    ]);
    sandbox.profile = Some(ProfileChoice::File(sandbox.root().join("my.toml")));
    assert_eq!(sandbox.good().profile, "my");
    sandbox.profile = Some(ProfileChoice::File(sandbox.root().join("own.toml")));
    assert_eq!(sandbox.good().profile, "site");
    assert_eq!(profile_name(sandbox.profile.as_ref(), &Inside), Ok("site".to_owned()));
    sandbox.profile = Some(ProfileChoice::File(sandbox.root().join("none.toml")));
    assert_eq!(sandbox.bad(), "error: there is no profile file `ROOT/none.toml`\n");
    assert_eq!(profile_name(None, &Inside), Ok("dev".to_owned()));
}

#[test]
fn the_users_configuration_holds_three_tables_only() {
    let sandbox =
        Sandbox::new(&[("../config/config.toml", "[parts.x]\nrecipe = \"y\"\n[host]\ncores = 2\n"), ("jove.toml", "")]);
    insta::assert_snapshot!(sandbox.bad(), @r"
    error: `parts` has no place in the user's config.toml, which holds [recipes], [sources] and [host]
     --> ROOT/config/config.toml:1:2
      |
    1 | [parts.x]
      |  ^^^^^
    hint: write it in the project's jove.toml or a profile
    ");
}

#[test]
fn a_project_is_named_by_its_file_or_folder() {
    assert_eq!(project("name = \"klima wandel\"").good().project.name, "klima wandel");
    for wrong in ["..", "a/b", "", " a", "-a", "a\\u0007"] {
        let drawn = project(&format!("name = \"{wrong}\"")).bad();
        assert!(drawn.contains("part of a folder's name"), "{drawn}");
    }
}

#[test]
fn a_profile_file_lies_above_the_examples_profile() {
    let text = "extends = \"profile:demo\"\n[parts.wps]\ntitle = \"mine\"\n";
    let mut sandbox = Sandbox::new(&[("../dev.toml", text)]).without_project();
    sandbox.profile = Some(ProfileChoice::File(sandbox.root().join("dev.toml")));
    let definition = sandbox.good();
    assert_eq!(value(&definition, "wps", "title"), "\"mine\"");
    assert_eq!(setting(&definition, "wps", "title").overridden.len(), 2);
}

#[test]
fn sources_and_host_are_known_by_dotted_keys() {
    let below = "[sources]\norder = [\"conda\"]\nconda.channels = [\"x\"]\n[host]\ncores = 2\n";
    let definition = two(below, "[sources]\norder.add = [\"deb\"]\n[host.python]\npath = \"/p\"\n").good();
    let shown = |settings: &BTreeMap<String, Setting>| {
        settings.iter().map(|(key, setting)| format!("{key} = {}", setting.value)).collect::<Vec<_>>().join("; ")
    };
    assert_eq!(shown(&definition.sources), "conda.channels = [\"x\"]; order = [\"conda\", \"deb\"]");
    assert_eq!(shown(&definition.host), "cores = 2; python.path = \"/p\"");
}

#[test]
fn what_loading_depends_on_is_listed() {
    let definition =
        project("[parts.a]\nwhen.vars = { CI = \"1\", NONE = \"\" }\n").var("CI", "1").var("OTHER", "2").good();
    let asked = BTreeMap::from([("CI".to_owned(), Some("1".to_owned())), ("NONE".to_owned(), None)]);
    assert_eq!(definition.vars_asked, asked);
    let names = definition.inputs.iter().filter_map(|path| path.file_name()?.to_str());
    assert_eq!(names.collect::<Vec<_>>(), ["bare.toml", "config.toml", "jove.toml", "jove.local.toml"]);
}
