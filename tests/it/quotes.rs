//! Prefixes and secrets that have every character by which a language ends a text: what is rendered means them all the same.

use std::path::PathBuf;

use insta::assert_snapshot;

use crate::life::{Life, until};

/// What a user may call a folder.
const NASTY: &str = r#"o'neil & "sons" $HOME `id` \n 'ltd'"#;
/// What a password may be.
const WORD: &str = r#"it's "$5" \ `a`"#;

const TELLER: &str = r#"
summary = "tells what it was given"
[options.word]
type    = "secret"
default = "generate"
doc     = "A word."
[options.absent]
type    = "string"
doc     = "Nothing."
[[file]]
template = "tell.sh"
path     = "tell.sh"
[[file]]
content  = "{{ [object, data] | tojson }}"
path     = "etc/plain.json"
[[service]]
command = ["/bin/sh", "${.object}/tell.sh", "${.object}"]
vars    = { ADDRESS = "told://${.word|url}@${.object|urlpath}?in=${.data|url}${.absent|url:-&so}" }
folders = ["${.data}"]
"#;

const TELL: &str = r#"#!/bin/sh
set -eu
cd {{ data | shell_quote }}
printf '%s\n' {{ object | shell_quote }} {{ (object ~ "/it's") | shell_quote }} {{ word | shell_quote }} {{ (word ~ "/" ~ data) | shell_quote }} > told.new
printf '%s\n' {{ {"word": word, "folder": object} | tojson | shell_quote }} >> told.new
echo {{ ("in " ~ project_folder) | shell_quote }} {{ (object ~ "/etc/plain.json") | shell_quote }} > /dev/null
printf '%s\n' "$ADDRESS" {{ (word | url) | shell_quote }} >> told.new
mv told.new told
exec sleep 1000
"#;

/// A project with a prefix in a nasty folder; the prefix.
fn nasty(parts: &str) -> (Life, PathBuf) {
    let mut life = Life::of(parts);
    let folder = life.sandbox.home().join(NASTY);
    life.sandbox.set("JOVE_HOME", folder.display());
    life.sandbox.write("recipes/teller/recipe.toml", TELLER);
    life.sandbox.write("recipes/teller/tell.sh", TELL);
    (life, folder.join("app-dev"))
}

#[test]
fn what_is_quoted_is_read_as_it_was_meant_in_any_folder() {
    let (life, prefix) = nasty("[parts.app]\nrecipe = \"teller\"\n");
    life.sandbox.run_with_input(&["install", "--no-start", "--quiet"], "").success();
    life.sandbox.run_with_input(&["secret", "set", "app.word"], &format!("{WORD}\n")).success();
    life.install();
    let data = prefix.join("var/app").display().to_string();
    let told = || std::fs::read_to_string(prefix.join("var/app/told")).ok();
    let told = until("the service tells", || told().filter(|told| told.contains(WORD)));
    let lines: Vec<&str> = told.lines().collect();
    let object = lines[0].to_owned();
    assert!(object.starts_with(&format!("{}/store/", prefix.display())) && object.ends_with("-app"), "{told}");
    assert_eq!(&lines[1..4], [format!("{object}/it's"), WORD.to_owned(), format!("{WORD}/{data}")]);
    let json: serde_json::Value = serde_json::from_str(lines[4]).expect("json");
    assert_eq!(json, serde_json::json!({"word": WORD, "folder": object}));
    let encoded = "it%27s%20%22%245%22%20%5C%20%60a%60";
    assert_eq!(lines[6], encoded);
    let address = lines[5].strip_prefix(&format!("told://{encoded}@/")).expect("the word, percent-encoded");
    let (path, data_in_query) = address.strip_suffix("&so").and_then(|rest| rest.split_once("?in=")).expect("a query");
    let decoded = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    assert!(!path.contains([' ', '\'', '"', '&', '\\']) && !data_in_query.contains('/'), "{address}");
    assert_eq!((format!("/{}", decoded(path)), decoded(data_in_query)), (object.clone(), data.clone()));
    let plain = std::fs::read_to_string(format!("{object}/etc/plain.json")).expect("read");
    assert_eq!(serde_json::from_str::<Vec<String>>(&plain).expect("json"), [object, data]);
    assert_eq!(life.run(&["plan"]).success().stdout(), "nothing to do: all 1 parts are as wished\n");
    life.run(&["verify"]).success();
    life.run(&["wipe", "--data", "--yes"]).success();
    assert!(!prefix.exists());
}

#[test]
fn a_program_that_misreads_a_path_says_so_before_anything_is_done() {
    let (life, prefix) = nasty("[parts.queue]\nrecipe = \"rabbitmq\"\n[parts.web]\nrecipe = \"nginx\"\n");
    assert_snapshot!(life.run(&["install"]).code(1).text(), @r#"
    ------- stderr -------
    error: [HOME]/o'neil & "sons" $HOME `id` \n 'ltd'/app-dev has characters that these take in no path: `queue` (rabbitmq: spaces ' " \ ` $ &), `web` (nginx: $)

    hint: give another place with --prefix DIR, or JOVE_HOME for all of them
    ------- exit 1 -------
    "#);
    assert!(!prefix.join("store").exists());
    life.run(&["wipe", "--data", "--yes"]).success();
}
