//! What the documents and the help say is true: commands parse, TOML loads, profiles resolve, JSON has its fields.

use std::path::Path;

use clap::{CommandFactory as _, Parser as _};
use jove_install::cli::args::Arguments;

use crate::sandbox::Sandbox;

fn repository(path: &str) -> String {
    fs_err::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect("a text")
}

/// The fenced blocks of a Markdown text in one language.
fn blocks(markdown: &str, language: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut lines = markdown.lines();
    while let Some(line) = lines.next() {
        let Some(of) = line.strip_prefix("```").filter(|of| !of.is_empty()) else { continue };
        let block: Vec<&str> = lines.by_ref().take_while(|line| !line.starts_with("```")).collect();
        if of == language {
            found.push(block.join("\n"));
        }
    }
    found
}

/// The command lines of a text: what stands at the beginning of a line, without a comment behind.
fn commands(text: &str) -> Vec<Vec<String>> {
    let lines = text
        .lines()
        .map(str::trim)
        .filter(|line| line.starts_with("jove-install") || line.starts_with("./bootstrap.sh "));
    lines
        .filter_map(|line| {
            // What follows two spaces is an explanation, as in the overview of the help.
            let line = line.split("  ").next().unwrap_or(line);
            let line = line.split([';', '|', '>', '<']).next().unwrap_or(line);
            let words = shell_words::split(line.split(" #").next()?).expect(line);
            let words: Vec<String> =
                words.into_iter().filter(|word| word != "--install" || !line.starts_with("./")).collect();
            Some(words)
        })
        .collect()
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
    for file in ["README.md", "recipes/README.md", "CONTRIBUTING.md", "benches/README.md"] {
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
    let readme = repository("README.md");
    let found = blocks(&readme, "toml");
    assert!(!found.is_empty());
    for block in found {
        resolves(&sandbox, &block, "README.md");
    }
    // Each recipe tells at its head how it is used.
    for recipe in ["pywps", "wsgi"] {
        let text = repository(&format!("recipes/{recipe}/recipe.toml"));
        let head: Vec<&str> = text.lines().take_while(|line| line.starts_with('#')).collect();
        let example: Vec<&str> = head.iter().filter_map(|line| line.strip_prefix("#     ")).collect();
        assert!(example.len() > 4, "{recipe}: {head:?}");
        resolves(&sandbox, &example.join("\n").replace("[parts.site]", "[parts.app]"), recipe);
    }
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
        lines.push("[parts.app]\nrecipe = \"command\"\ncommand = [\"/bin/true\"]".to_owned());
        sandbox.write("jove.toml", lines.join("\n"));
        let said = sandbox.run(&["explain", "it", "-p", "demo"]);
        assert!(said.status().success(), "{name}: {}\n{}", said.stderr(), lines.join("\n"));
    }
}

#[test]
fn shipped_profiles_resolve_with_their_examples() {
    let sandbox = Sandbox::new();
    let profiles = sandbox.run(&["profile", "list", "--json"]).success().json();
    let names: Vec<&str> =
        profiles.as_array().expect("a list").iter().filter_map(|profile| profile["name"].as_str()).collect();
    assert_eq!(names, ["demo", "dev"]);
    for name in names {
        let shown = sandbox.run(&["profile", "show", name]).success();
        toml::from_str::<toml::Table>(shown.stdout()).expect("what is shown is the profile's file");
        let graph = sandbox.run(&["graph", "-p", name]).success();
        assert!(graph.stdout().contains("wps") && graph.stdout().contains("env"), "{}", graph.stdout());
        let title = sandbox.run(&["explain", "wps.title", "-p", name, "--json"]).success().json();
        assert!(title.to_string().contains("Demonstration WPS"), "{title}");
    }
}

/// The fields that the design documents, of a project that needs no index.
#[test]
fn json_has_its_documented_fields() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "jove.toml",
        "name = 'fields'\n[parts.note]\nrecipe = 'file'\nfiles = [{ template = 'note.txt', path = 'note.txt' }]\n",
    );
    sandbox.write("note.txt", "a note\n");
    let place = ["-p", "demo", "--json"];
    let run = |verb: &[&str], code: i32| sandbox.run(&[verb, &place].concat()).code(code).json();
    let plan = run(&["plan"], 0);
    for field in ["part", "action", "reasons"] {
        assert!(!plan["changes"][0][field].is_null(), "plan: {field} in {plan}");
    }
    let install = run(&["install"], 0);
    for field in ["generation", "changed", "urls", "seconds"] {
        assert!(!install[field].is_null(), "install: {field} in {install}");
    }
    let status = run(&["status"], 0);
    for field in ["prefix", "profile", "generation", "services"] {
        assert!(!status[field].is_null(), "status: {field} in {status}");
    }
    run(&["wipe", "--data", "--yes"], 0);
}
