//! `docs/json.md` against the program: whatever a verb prints is documented and of the kind that is said, and what is documented
//! is printed.

use std::collections::{BTreeMap, BTreeSet};

use clap::CommandFactory as _;
use jove_install::cli::args::Arguments;
use serde_json::Value;

use super::repository;
use crate::life::{Life, names};

/// What one row of a table says.
#[derive(Debug)]
struct Field {
    kind: String,
    /// Whether it, or what it is in, may be left out.
    is_seldom: bool,
    is_optional: bool,
    /// What a run must have printed for it to be right: what several verbs share is seen with any of them.
    sign: String,
}

/// By path: `services[].name`.
type Fields = BTreeMap<String, Field>;

/// The tables, by the verbs that they are of.
struct Document(BTreeMap<String, Fields>);

type Rows = Vec<(String, String)>;

impl Document {
    fn read() -> Self {
        let text = repository("docs/json.md");
        let (mut verbs, mut shapes) = (BTreeMap::<String, Rows>::new(), BTreeMap::<String, Rows>::new());
        for section in text.split("\n## ").skip(1) {
            let (title, body) = section.split_once('\n').expect("a title");
            let row = |line: &str| {
                let cells: Vec<&str> = line.split('|').map(str::trim).collect();
                let name = cells.get(1)?.strip_prefix('`')?.strip_suffix('`')?;
                Some((name.to_owned(), (*cells.get(2)?).to_owned()))
            };
            let rows: Rows = body.lines().filter_map(row).collect();
            assert!(!rows.is_empty(), "{title} has a table");
            if title.contains('`') {
                let each = title.split('`').skip(1).step_by(2);
                verbs.extend(each.map(|verb| (verb.to_owned(), rows.clone())));
            } else {
                shapes.insert(title.to_owned(), rows);
            }
        }
        verbs.insert("an error".to_owned(), shapes.remove("An error").expect("how errors are printed"));
        let whole = |(verb, rows): (String, Rows)| {
            let mut fields = Fields::new();
            add(&mut fields, &shapes, &rows, ("", &verb), false);
            (verb, fields)
        };
        Self(verbs.into_iter().map(whole).collect())
    }
}

/// Adds rows below a path, and of those that are of a shape its rows.
fn add(
    fields: &mut Fields,
    shapes: &BTreeMap<String, Rows>,
    rows: &[(String, String)],
    place: (&str, &str),
    is_seldom: bool,
) {
    let (above, owner) = place;
    let mut seldom: Vec<&str> = Vec::new();
    for (name, kind) in rows {
        let is_optional = kind.ends_with(", if any");
        let is_seldom = is_seldom || is_optional || seldom.iter().any(|before| name.starts_with(before));
        if is_optional {
            seldom.push(name);
        }
        let path = format!("{above}{name}");
        let kind = kind.trim_end_matches(", if any");
        let (kind, shape) = match kind.split_once('[') {
            Some((kind, link)) => (kind, link.split_once(']').map(|(shape, _)| shape)),
            None => (kind, None),
        };
        if let Some(shape) = shape {
            let rows = shapes.get(shape).unwrap_or_else(|| panic!("{owner}: there is no `{shape}`"));
            let below = if kind == "list of " { format!("{path}[].") } else { format!("{path}.") };
            add(fields, shapes, rows, (&below, &format!("each {shape}")), is_seldom);
        }
        let kind = if shape.is_some() && kind.is_empty() { "table" } else { kind.trim_end() }.to_owned();
        fields.insert(path, Field { kind, is_seldom, is_optional, sign: format!("{owner}: {name}") });
    }
}

impl Field {
    fn takes(&self, value: &Value) -> bool {
        let kind = match self.kind.strip_suffix(" or null") {
            Some(_) if value.is_null() => return true,
            Some(kind) => kind,
            None => &self.kind,
        };
        let all = |is: fn(&Value) -> bool| value.as_array().is_some_and(|list| list.iter().all(is));
        match kind {
            "anything" => true,
            "list" => value.is_array(),
            "list of" => all(Value::is_object),
            "list of number" => all(Value::is_number),
            "list of text" => all(Value::is_string),
            "number" => value.is_number(),
            "table" => value.is_object(),
            "text" => value.is_string(),
            "yes or no" => value.is_boolean(),
            other => panic!("{}: `{other}` is no kind", self.sign),
        }
    }
}

/// Compares a value with what is documented of it, and all below it.
fn compare(fields: &Fields, value: &Value, path: &str, seen: &mut BTreeSet<String>) {
    let object = match value {
        Value::Object(object) => object,
        Value::Array(list) => {
            let inner = format!("{path}[]");
            if let Some(field) = fields.get(&inner) {
                seen.insert(field.sign.clone());
            }
            return list.iter().for_each(|value| compare(fields, value, &inner, seen));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return,
    };
    let above = if path.is_empty() { String::new() } else { format!("{path}.") };
    for (name, inner) in object {
        let known =
            [format!("{above}{name}"), format!("{above}NAME")].into_iter().find(|path| fields.contains_key(path));
        let path = known.unwrap_or_else(|| panic!("`{above}{name}` is printed and not documented: {value:#}"));
        let field = &fields[&path];
        assert!(field.takes(inner), "{path} is documented as {}: {inner:#}", field.kind);
        seen.insert(field.sign.clone());
        if field.kind != "anything" {
            compare(fields, inner, &path, seen);
        }
    }
    for (path, field) in fields.iter().filter(|(_, field)| !field.is_optional) {
        let Some(name) = path.strip_prefix(&above) else { continue };
        let is_own = !name.contains('.') && !name.contains("[]") && name != "NAME";
        assert!(
            !is_own || object.contains_key(name),
            "`{path}` is documented ({}) and not printed: {value:#}",
            field.kind
        );
    }
}

/// A part with a secret, data and a service.
const RECIPE: &str = r#"
summary = "words"
[options.token]
type    = "secret"
default = "generate"
doc     = "A token."
[options.title]
type    = "string"
default = "none"
doc     = "A title."
[[service]]
command = ["/bin/sh", "-c", "echo begun; exec sleep 1000000"]
vars    = { TOKEN = "${.token}", TITLE = "${.title}" }
[data]
folders = ["${.data}"]
version = "1"
dump    = ["/bin/sh", "-c", "echo words > $JOVE_DUMP/words"]
load    = { command = ["/bin/sh", "-c", "cp $JOVE_DUMP/words words"], while = "stopped" }
prove   = ["/bin/sh", "-c", "test -s $JOVE_DUMP/words"]
"#;

const PARTS: &str = "[parts.it]\nrecipe = 'words'\ntitle = 'mine'\n\
    [parts.note]\nrecipe = 'file'\nfiles = [{ template = 'note.txt', path = 'note.txt' }]\n\
    values = { title = '${it.title}' }\n\
    [parts.report]\nrecipe = 'cron'\nat = '0 3 29 2 *'\ncommand = ['/bin/true']\n\
    [parts.tool]\nrecipe = 'step'\ncommand = ['/bin/sh', 'make.sh']\nfolder = '.'\ninputs = ['make.sh']\n";

/// Runs of verbs, with the exit codes that they may have, in an order in which each has something to tell.
const RUNS: &[(&str, &[&str], &[i32])] = &[
    ("init", &["init", "--example", "pywps", "wps"], &[0]),
    ("plan", &["plan"], &[0]),
    ("install", &["install"], &[0]),
    ("plan", &["plan", "--set", "it.title=other"], &[0]),
    ("install", &["install", "--set", "it.title=other"], &[0]),
    ("update", &["update"], &[0]),
    ("lock", &["lock"], &[0]),
    ("explain", &["explain", "it.title", "--set", "it.title=other"], &[0]),
    ("explain", &["explain", "it", "--set", "it.title=other"], &[0]),
    ("explain --layers", &["explain", "--layers"], &[0]),
    ("graph", &["graph"], &[0]),
    ("stop", &["stop", "it"], &[0]),
    ("start", &["start", "it"], &[0]),
    ("restart", &["restart", "it"], &[0]),
    ("reload", &["reload"], &[0]),
    ("run-now", &["run-now", "report"], &[0]),
    ("status", &["status"], &[0]),
    ("runs", &["runs"], &[0]),
    ("events", &["events"], &[0]),
    ("history", &["history"], &[0]),
    ("env", &["env", "it"], &[0]),
    ("secret list", &["secret", "list"], &[0]),
    ("secret show", &["secret", "show", "it.token"], &[0]),
    ("secret rotate", &["secret", "rotate", "it.token"], &[0]),
    ("secret set", &["secret", "set", "it.token"], &[0]),
    ("doctor", &["doctor", "--offline"], &[0, 1]),
    ("boot status", &["boot", "status"], &[0, 1]),
    ("list", &["list"], &[0]),
    ("diff", &["diff", "demo", "dev"], &[0]),
    ("dump", &["dump"], &[0]),
    ("dump --list", &["dump", "--list"], &[0]),
    ("load", &["load"], &[0]),
    ("pack", &["pack", "tool", "--channel", "channel"], &[0]),
    ("rollback", &["rollback"], &[0]),
    ("gc", &["gc", "--keep", "0"], &[0]),
    ("verify", &["verify"], &[0]),
    ("recipe list", &["recipe", "list"], &[0]),
    ("recipe show", &["recipe", "show", "wsgi"], &[0]),
    ("recipe show", &["recipe", "show", "nginx"], &[0]),
    ("profile list", &["profile", "list"], &[0]),
    ("profile show", &["profile", "show", "demo"], &[0]),
    ("an error", &["plan", "--set", "it.titel=x"], &[1, 64]),
    ("signal", &["signal", "HUP", "it"], &[0]),
    ("shutdown", &["shutdown"], &[0]),
    ("adopt", &["adopt"], &[0]),
    ("wipe", &["wipe", "--yes"], &[0]),
];

/// They print what these do that run above, and need a machine's systemd or a run without an end.
const ALIKE: [(&str, &str); 3] =
    [("boot enable", "boot status"), ("boot disable", "boot status"), ("supervise", "logs")];

#[test]
fn every_field_that_is_printed_is_documented_and_the_other_way_round() {
    let Document(document) = Document::read();
    let life = Life::of(PARTS);
    life.sandbox.write("recipes/words/recipe.toml", RECIPE);
    life.sandbox.write("note.txt", "a note\n");
    life.sandbox.write("profiles/demo.toml", "[parts.it]\ntitle = 'shown'\n");
    life.sandbox.write("make.sh", "mkdir -p \"$JOVE_OBJECT/bin\"; echo x > \"$JOVE_OBJECT/bin/x\"\n");
    let mut seen = BTreeSet::new();
    let mut look = |verb: &str, value: &Value| {
        let fields = document.get(verb).unwrap_or_else(|| panic!("`{verb}` is not documented"));
        compare(fields, value, "", &mut seen);
    };
    for (verb, words, codes) in RUNS {
        let said = life.sandbox.run_with_input(&[*words, &["--json"][..]].concat(), "a word\n").either(codes);
        look(verb, &said.json());
        if *verb == "start" {
            let lines = crate::life::until("a line", || {
                let said = life.run(&["logs", "it", "--json"]).success().stdout().to_owned();
                Some(said).filter(|said| !said.is_empty())
            });
            lines.lines().for_each(|line| look("logs", &serde_json::from_str(line).expect("JSON")));
        }
        if *verb == "verify" {
            let object = names(&life.prefix().join("store")).into_iter().find(|name| name.ends_with("-note"));
            let note = format!("store/{}/note.txt", object.expect("an object"));
            let former = life.damage(&note, b"other");
            look(verb, &life.run(&["verify", "--json"]).code(1).json());
            life.mend(&note, former);
        }
    }
    let run: BTreeSet<&str> = RUNS.iter().map(|(verb, ..)| *verb).chain(["logs"]).collect();
    let alike: BTreeMap<&str, &str> = ALIKE.into();
    for verb in document.keys() {
        assert!(
            run.contains(alike.get(verb.as_str()).unwrap_or(&verb.as_str())),
            "`{verb}` is documented and never run"
        );
    }
    let never = document.iter().filter(|(verb, _)| run.contains(verb.as_str())).flat_map(|(_, fields)| fields.values());
    let never: BTreeSet<&str> = never
        .filter(|field| !field.is_seldom && !seen.contains(&field.sign))
        .map(|field| field.sign.as_str())
        .collect();
    assert!(never.is_empty(), "documented and never seen: {never:#?}");
}

/// A new verb has its table, or says that it prints nothing of its own.
#[test]
fn every_verb_has_its_fields_documented() {
    let (Document(document), text) = (Document::read(), repository("docs/json.md"));
    let others = text.split("\n## ").next().expect("an introduction");
    for verb in Arguments::command().get_subcommands().filter(|verb| !verb.is_hide_set()) {
        let inner: Vec<String> =
            verb.get_subcommands().map(|inner| format!("{} {}", verb.get_name(), inner.get_name())).collect();
        let all = if inner.is_empty() { vec![verb.get_name().to_owned()] } else { inner };
        for name in all {
            assert!(document.contains_key(&name) || others.contains(&format!("`{name}`")), "`{name}`");
        }
    }
}
