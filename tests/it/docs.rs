//! What the documents and the help say is true: commands parse, TOML loads, profiles resolve, JSON has its fields.

mod json;

use std::collections::BTreeMap;
use std::path::Path;

use clap::{CommandFactory as _, Parser as _};
use jove_install::cli::args::Arguments;
use jove_install::service::file::{self, Form, Surroundings};

use crate::markdown::{blocks, commands, files};
use crate::sandbox::Sandbox;

fn repository(path: &str) -> String {
    fs_err::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect("a text")
}

#[track_caller]
fn parses(words: &[String], place: &str) {
    let words = std::iter::once("jove-install").chain(words.iter().skip(1).map(String::as_str));
    if let Err(error) = Arguments::try_parse_from(words.clone()) {
        panic!("{place}: {}\n{error}", words.collect::<Vec<_>>().join(" "));
    }
}

#[test]
fn every_command_of_the_documents_parses() {
    let mut count = 0;
    for file in [
        "README.md",
        "recipes/README.md",
        "docs/json.md",
        "docs/production.md",
        "docs/recipes.md",
        "docs/supervisor.md",
        "CONTRIBUTING.md",
        "benches/README.md",
    ] {
        let text = repository(file);
        for block in ["sh", "text", "console"].into_iter().flat_map(|language| blocks(&text, language)) {
            for words in commands(&block) {
                count += 1;
                parses(&words, file);
            }
        }
    }
    assert!(count >= 12, "{count}");
}

/// What is run by a newcomer is exactly what is promised: two commands, each in a block of its own.
#[test]
fn the_readme_starts_with_two_commands() {
    assert_eq!(blocks(&repository("README.md"), "sh"), ["./bootstrap.sh -p demo", "cargo test"]);
}

/// All verbs with their whole names, depth first.
fn verbs(command: &clap::Command, before: &str) -> Vec<(String, clap::Command)> {
    let mut found = Vec::new();
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        let name = format!("{before} {}", verb.get_name());
        found.push((name.clone(), verb.clone()));
        found.extend(verbs(verb, &name));
    }
    found
}

#[test]
fn every_verb_has_examples_that_parse_and_use_it() {
    let whole = Arguments::command();
    for words in commands(&whole.get_after_help().expect("examples").to_string()) {
        parses(&words, "--help");
    }
    for (name, verb) in verbs(&whole, "jove-install") {
        assert!(verb.get_about().is_some(), "{name} says what it does");
        let is_part_of_a_verb = name.split(' ').count() > 2;
        let Some(examples) = verb.get_after_help().map(ToString::to_string) else {
            assert!(is_part_of_a_verb, "{name} has examples");
            continue;
        };
        let lines = commands(&examples);
        assert!(!lines.is_empty() && examples.starts_with("Examples:\n"), "{name}: {examples}");
        for words in &lines {
            parses(words, &name);
        }
        let short = verb.get_name();
        // `install` is the verb that need not be said.
        let uses = lines.iter().any(|words| words.iter().any(|word| word == short)) || short == "install";
        assert!(uses, "{name}: {examples}");
    }
}

#[test]
fn help_is_printed_for_every_verb() {
    let sandbox = Sandbox::new();
    for (name, _) in verbs(&Arguments::command(), "") {
        let words: Vec<&str> = name.split_whitespace().chain(["--help"]).collect();
        let said = sandbox.run(&words).success();
        assert!(said.stdout().contains("Usage: jove-install") && said.stderr().is_empty(), "{words:?}");
        assert!(said.stdout().lines().all(|line| line.chars().count() <= 100), "{words:?}: {}", said.stdout());
    }
}

/// A TOML block of a document as a project: its files made up, so that only what is written counts.
#[track_caller]
fn resolves(sandbox: &Sandbox, text: &str, place: &str) {
    let project = if text.contains("[parts.env]") {
        text.to_owned()
    } else {
        format!("{text}\n[parts.env]\nrecipe = \"python\"\n")
    };
    sandbox.write("jove.toml", project);
    for part in ["wps", "app"].into_iter().filter(|part| text.contains(&format!("[parts.{part}]"))) {
        for profile in ["demo", "dev"] {
            let said = sandbox.run(&["explain", part, "-p", profile, "--json"]);
            assert!(said.status().success(), "{place}, {profile}: {}", said.stderr());
        }
    }
}

#[test]
fn toml_of_the_documents_loads() {
    let sandbox = Sandbox::new();
    sandbox.write("requirements.txt", "flask\n");
    sandbox.write("processes/__init__.py", "PROCESSES = []\n");
    for file in ["README.md", "docs/production.md"] {
        let found = blocks(&repository(file), "toml");
        assert!(!found.is_empty());
        for block in found {
            resolves(&sandbox, &block, file);
        }
    }
    // Each recipe tells at its head how it is used.
    for recipe in ["apache", "pywps", "wsgi"] {
        let text = repository(&format!("recipes/{recipe}/recipe.toml"));
        let head: Vec<&str> = text.lines().take_while(|line| line.starts_with('#')).collect();
        let example: Vec<&str> = head.iter().filter_map(|line| line.strip_prefix("#     ")).collect();
        assert!(example.len() > 4, "{recipe}: {head:?}");
        resolves(&sandbox, &example.join("\n").replace("[parts.site]", "[parts.app]"), recipe);
    }
}

#[test]
fn files_of_services_of_the_documents_load() {
    let found = blocks(&repository("docs/supervisor.md"), "toml");
    assert!(!found.is_empty());
    let (vars, folder) = (BTreeMap::new(), Path::new("/site"));
    let surroundings = Surroundings { folder, vars: &vars, declared: &vars, host: "here" };
    for block in found {
        if let Err(error) = file::read(Form::Own, &block, surroundings, &|_| Vec::new()) {
            panic!("{block}\n{error}");
        }
    }
}

/// The guide to a recipe is that of the one which is shipped, and what it shows resolves. That it runs is in `tests/real`.
#[test]
fn the_guide_to_a_recipe_makes_the_shipped_one() {
    let guide = repository("docs/recipes.md");
    let found = files(&guide);
    let recipe = |path: &&String| path.starts_with("recipes/");
    let of_recipe: Vec<&String> = found.keys().filter(recipe).collect();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes/haproxy");
    assert_eq!(of_recipe.len(), fs_err::read_dir(shipped).expect("a folder").count(), "{of_recipe:?}");
    for path in of_recipe {
        assert_eq!(found[path], repository(path), "{path}");
    }
    let sandbox = Sandbox::new();
    for (path, text) in &found {
        sandbox.write(path, text);
    }
    sandbox.run(&["explain", "door", "-p", "demo"]).success();
    let data = blocks(&guide, "toml");
    assert_eq!(data.len(), 1, "the one block that is no file: [data]");
    sandbox.write(
        "recipes/kept/recipe.toml",
        format!("summary = \"kept\"\n[[file]]\ncontent = \"\"\npath = \"dump.sh\"\n{}\n", data[0]),
    );
    sandbox.write("jove.toml", "[parts.kept]\nrecipe = \"kept\"\n");
    let said = sandbox.run(&["explain", "kept", "-p", "demo"]).success();
    assert!(said.stdout().contains("(dump, load)"), "{}", said.stdout());
}

/// What a recipe that runs something does not have of what all should.
fn gaps(recipe: &toml::Table) -> Vec<&'static str> {
    let tables = |key: &str| recipe.get(key).and_then(toml::Value::as_array).cloned().unwrap_or_default();
    let services = tables("service");
    if services.is_empty() && tables("schedule").is_empty() {
        return Vec::new();
    }
    // One that is called as its part is what people mean by the part.
    let is_blind = |service: &toml::Value| service.get("name").is_none() && !service["ready"].is_table();
    let has_exports = recipe.get("exports").and_then(toml::Value::as_table).is_some_and(|exports| !exports.is_empty());
    let data = recipe.get("data");
    let keeps_nothing = data.is_some_and(|data| data["folders"].as_array().is_some_and(Vec::is_empty));
    let is_dumped = data.is_some_and(|data| data.get("dump").is_some() && data.get("load").is_some());
    let found = [
        ("ready", services.iter().any(is_blind)),
        ("exports", !has_exports),
        ("promise", tables("promise").is_empty()),
        ("dump", !keeps_nothing && !is_dumped),
    ];
    found.into_iter().filter(|(_, is_missing)| *is_missing).map(|(word, _)| word).collect()
}

/// Either a recipe has it, or the table of what is left out has the reason; and that table tells of nothing else.
#[test]
fn every_recipe_has_what_it_must_or_a_reason() {
    let readme = repository("recipes/README.md");
    let table = readme.split_once("| recipe | has no | for |\n|---|---|---|\n").expect("a table").1;
    let rows = table.lines().take_while(|line| line.starts_with('|'));
    let mut reasons: BTreeMap<String, Vec<String>> = rows
        .map(|row| {
            let [_, recipe, words, reason, _] = row.split('|').collect::<Vec<_>>()[..] else { panic!("{row}") };
            assert!(reason.split_whitespace().count() > 3, "{row}");
            let words = words.split_whitespace().map(|word| word.trim_matches('`').to_owned());
            (recipe.trim().trim_matches('`').to_owned(), words.collect())
        })
        .collect();
    let recipes = Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes");
    for entry in fs_err::read_dir(recipes).expect("a folder").map(Result::unwrap).filter(|entry| entry.path().is_dir())
    {
        let name = entry.file_name().into_string().expect("a name");
        let text = repository(&format!("recipes/{name}/recipe.toml"));
        let recipe: toml::Table = toml::from_str(&text).expect("TOML");
        assert_eq!(gaps(&recipe), reasons.remove(&name).unwrap_or_default(), "{name}");
        if let Some((before, _)) = text.split_once("[data]\nfolders = []") {
            assert!(before.lines().last().is_some_and(|line| line.starts_with("# ")), "{name} says why it has no data");
        }
    }
    assert!(reasons.is_empty(), "of no recipe: {reasons:?}");
}

/// What an option's declaration gives as its example or default must be taken by it.
#[test]
fn examples_of_options_are_taken() {
    let sandbox = Sandbox::new();
    sandbox.write("requirements.txt", "flask\n");
    sandbox.write("constraints.txt", "flask\n");
    sandbox.write("templates/app.conf", "port = {{ values.port }}\n");
    sandbox.write("processes/__init__.py", "PROCESSES = []\n");
    let recipes = sandbox.run(&["recipe", "list", "--json"]).success().json();
    let names: Vec<String> = recipes
        .as_array()
        .expect("a list")
        .iter()
        .map(|recipe| recipe["name"].as_str().expect("a name").to_owned())
        .collect();
    assert!(
        ["command", "file", "python", "pywps", "step", "wsgi"]
            .iter()
            .all(|name| names.iter().any(|other| other == name)),
        "{names:?}"
    );
    for name in names {
        let text = repository(&format!("recipes/{name}/recipe.toml"));
        let recipe: toml::Table = toml::from_str(&text).expect("TOML");
        let Some(options) = recipe.get("options").and_then(toml::Value::as_table) else { continue };
        let mut lines = vec![format!("[parts.it]\nrecipe = \"{name}\"")];
        for (option, declared) in options {
            assert!(
                declared.get("doc").and_then(toml::Value::as_str).is_some_and(|doc| !doc.is_empty()),
                "{name}.{option} has words"
            );
            if let Some(example) = declared.get("example") {
                lines.push(format!("{option} = {example}"));
            } else if declared.get("required").is_some() {
                panic!("{name}.{option} must be given, so it needs an example");
            }
        }
        // What the examples refer to.
        lines.push("[parts.env]\nrecipe = \"python\"".to_owned());
        lines.push("[parts.queue]\nrecipe = \"redis\"".to_owned());
        lines.push("[parts.app]\nrecipe = \"wsgi\"\nenv = \"${env}\"\napp = \"app:app\"".to_owned());
        sandbox.write("jove.toml", lines.join("\n"));
        let said = sandbox.run(&["explain", "it", "-p", "demo"]);
        assert!(said.status().success(), "{name}: {}\n{}", said.stderr(), lines.join("\n"));
    }
}

/// What a recipe calls tested is declared, and the test that it names is there.
#[test]
fn tests_that_recipes_name_are_there() {
    let sandbox = Sandbox::new();
    let recipes = sandbox.run(&["recipe", "list", "--json"]).success().json();
    let mut count = 0;
    for recipe in recipes.as_array().expect("a list") {
        let name = recipe["name"].as_str().expect("a name");
        let text = repository(&format!("recipes/{name}/recipe.toml"));
        let written: toml::Table = toml::from_str(&text).expect("TOML");
        let Some(tested) = written.get("tested").and_then(toml::Value::as_table) else { continue };
        for (provider, test) in tested {
            count += 1;
            let test = test.as_str().expect("a name");
            let mut listed = recipe["providers"].as_array().expect("providers").iter();
            let found = listed.find(|one| one["name"] == provider.as_str()).and_then(|one| one["tested"].as_str());
            assert_eq!(found, Some(test), "{name} declares {provider}");
            let (suite, path) = test.split_once(' ').unwrap_or_else(|| panic!("{name}: {test} has a suite"));
            let (module, function) = path.rsplit_once("::").unwrap_or_else(|| panic!("{name}: {test} has a module"));
            let code = repository(&format!("tests/{suite}/{}.rs", module.replace("::", "/")));
            assert!(code.contains(&format!("#[test]\nfn {function}() {{")), "{name}: there is no test {test}");
        }
    }
    assert!(count >= 10, "{count}");
    let shown = sandbox.run(&["recipe", "show", "nginx"]).success();
    let line = "\nproviders: conda (declared), deb (tested), source (tested), host (declared)\n";
    assert!(shown.stdout().contains(line), "{}", shown.stdout());
}

#[test]
fn shipped_profiles_resolve_with_their_examples() {
    let sandbox = Sandbox::new();
    let profiles = sandbox.run(&["profile", "list", "--json"]).success().json();
    let names: Vec<&str> =
        profiles.as_array().expect("a list").iter().filter_map(|profile| profile["name"].as_str()).collect();
    assert_eq!(names, ["demo", "dev", "production", "stage"]);
    for name in names {
        let shown = sandbox.run(&["profile", "show", name]).success();
        toml::from_str::<toml::Table>(shown.stdout()).expect("what is shown is the profile's file");
        let graph = sandbox.run(&["graph", "-p", name]).success();
        assert!(graph.stdout().contains("wps") && graph.stdout().contains("env"), "{}", graph.stdout());
        let title = sandbox.run(&["explain", "wps.title", "-p", name, "--json"]).success().json();
        assert!(title.to_string().contains("Demonstration WPS"), "{title}");
    }
}
