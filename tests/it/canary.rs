//! Every secret of every shipped recipe, set to a word of its own that is searched for during and after a whole life.
//!
//! The servers' programs are [`fake.py`](canary/fake.py): what is tried is what recipes and this program make of secrets, and what
//! others could see of that. `tests/real` has one with a real application.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::life::Life;
use crate::sandbox::{Output, Said};

/// What all the words begin with.
const CANARY: &str = "Kanarienvogel";

/// A part of each recipe with secrets, called as the recipe; and others that are given some of them.
const PARTS: &str = r#"
[parts.tools]
recipe  = "step"
folder  = "."
inputs  = ["fake.py", "tools.sh"]
command = ["/bin/sh", "tools.sh"]

[parts.nothing]
recipe      = "packages"
abstract    = true
conda       = []
deb         = []
deb_without = []
deb_cures   = {}
host        = ["env"]
programs    = []
links       = {}
[parts.apache-packages]
like = "nothing"
[parts.mariadb-packages]
like = "nothing"
[parts.postgresql-packages]
like = "nothing"
[parts.rabbitmq-packages]
like = "nothing"
[parts.redis-packages]
like = "nothing"

[recipes.apache]
software = "${tools}"
[recipes.mariadb]
software = "${tools}"
[recipes.postgresql]
software = "${tools}"
[recipes.rabbitmq]
software = "${tools}"
[recipes.redis]
software = "${tools}"

[parts.apache]
recipe = "apache"
env    = "${tools}"
app    = "app:app"
[parts.gunicorn]
recipe = "gunicorn"
env    = "${tools}"
app    = "app:app"
[parts.mariadb]
recipe = "mariadb"
[parts.mariadb-database]
recipe = "mariadb-database"
[parts.postgresql]
recipe = "postgresql"
[parts.postgresql-database]
recipe = "postgresql-database"
[parts.rabbitmq]
recipe = "rabbitmq"
[parts.redis]
recipe = "redis"
[parts.wsgi]
recipe = "wsgi"
env    = "${tools}"
app    = "app:app"
vars   = { BROKER = "${rabbitmq.url}", CACHE = "${redis.url}", ONE = "${postgresql-database.url}", OTHER = "${mariadb-database.url}", CONF = "${conf}/etc/all.conf" }
[parts.conf]
recipe = "file"
files  = [{ template = "all.conf", path = "etc/all.conf" }]
values = { admin = "${postgresql.admin_url}", word = "${apache.secret_key}" }
"#;

/// Makes a folder in which every program is the fake one.
const TOOLS: &str = r#"
set -eu
mkdir -p "$JOVE_OBJECT/bin" "$JOVE_OBJECT/share/mysql" "$JOVE_OBJECT/rabbitmq/sbin"
for name in apache2 epmd gunicorn initdb mariadb mariadb-admin mariadb-dump mariadbd pg_dump pg_dumpall pg_isready pg_restore \
    postgres psql rabbitmq-broker redis-cli redis-server; do
    cp fake.py "$JOVE_OBJECT/bin/$name"
    chmod +x "$JOVE_OBJECT/bin/$name"
done
ln -s "@PYTHON@" "$JOVE_OBJECT/bin/python"
for name in mysql_system_tables mysql_performance_tables mysql_system_tables_data fill_help_tables maria_add_gis_sp_bootstrap \
    mysql_sys_schema; do
    : > "$JOVE_OBJECT/share/mysql/$name.sql"
done
cd "$JOVE_OBJECT/rabbitmq/sbin"
echo 'exec "${0%/rabbitmq/*}/bin/rabbitmq-broker" "$(sed -n "s/^listeners.tcp.local = 127.0.0.1://p" "$RABBITMQ_CONFIG_FILE")"' > rabbitmq-server
echo true > rabbitmqctl
"#;

/// Every secret that a shipped recipe declares, as that of a part which is called as its recipe.
fn declared(life: &Life) -> BTreeSet<String> {
    let asked = |arguments: &[&str]| life.run(&[arguments, &["--json"]].concat()).success().json();
    let recipes = asked(&["recipe", "list"]);
    let names: Vec<&str> = recipes.as_array().expect("a list").iter().filter_map(|one| one["name"].as_str()).collect();
    let mut declared = BTreeSet::new();
    for name in names {
        let card = asked(&["recipe", "show", name]);
        let options = card["options"].as_array().expect("options").iter();
        let secrets = options.filter(|option| option["type"] == "secret").filter_map(|option| option["name"].as_str());
        declared.extend(secrets.map(|option| format!("{name}.{option}")));
    }
    declared
}

/// A project with all of them.
fn project() -> Life {
    let life = Life::of(PARTS);
    let path = life.sandbox.var("PATH");
    let python = std::env::split_paths(&path).map(|folder| folder.join("python3")).find(|file| file.is_file());
    let python = python.expect("a python3 on PATH").display().to_string();
    let notes = notes(&life).display().to_string();
    let fake = include_str!("canary/fake.py").replace("@NOTES@", &notes);
    life.sandbox.write("fake.py", format!("#!{python} -IB\n{fake}"));
    life.sandbox.write("tools.sh", TOOLS.replace("@PYTHON@", &python));
    life.sandbox.write("all.conf", "{{ values.admin }} {{ values.word }}\n");
    life.sandbox.write(
        "app.py",
        "import os\ndef app(environ, start_response):\n    start_response('200 OK', [])\n    return [repr(os.environ).encode()]\n",
    );
    life
}

/// Where the fake programs note their arguments.
fn notes(life: &Life) -> PathBuf {
    life.sandbox.path("work/notes")
}

#[track_caller]
fn has_no_word(text: &str, of: &str) {
    let line = text.lines().find(|line| line.contains(CANARY));
    assert!(line.is_none(), "{of} shows {line:?}");
}

/// Nothing that anybody sees has a word in it: what was said, and every process's arguments.
#[track_caller]
fn is_silent(life: &Life, said: Output, of: &str) -> Said {
    let said = said.either(&[0, 1, 2, 64]);
    has_no_word(said.stdout(), of);
    has_no_word(said.stderr(), of);
    for process in life.sandbox.processes() {
        has_no_word(&process.command, of);
    }
    has_no_word(&fs_err::read_to_string(notes(life)).unwrap_or_default(), "an argument");
    said
}

/// Files with a word in them, without those in which words are kept: the state, and where the broker's own tools look for theirs.
#[track_caller]
fn holders(life: &Life) -> Vec<PathBuf> {
    let kept = ["state.toml", "state.toml.1", "var/rabbitmq/.erlang.cookie"].map(|below| life.prefix().join(below));
    let entries = walkdir::WalkDir::new(life.sandbox.root()).into_iter().filter_map(Result::ok);
    let files = entries.filter(|entry| entry.file_type().is_file()).map(walkdir::DirEntry::into_path);
    let holders: Vec<PathBuf> = files.filter(|file| contains(&std::fs::read(file).unwrap_or_default())).collect();
    for file in &holders {
        let mode = file.metadata().expect("a file").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{} is open to others", file.display());
    }
    holders.into_iter().filter(|file| !kept.contains(file)).collect()
}

fn contains(bytes: &[u8]) -> bool {
    bytes.windows(CANARY.len()).any(|window| window == CANARY.as_bytes())
}

/// Only files that were rendered for services that run.
#[track_caller]
fn only_services_have_them(life: &Life) {
    let (run, holders) = (life.prefix().join("run"), holders(life));
    let others: Vec<&Path> = holders.iter().map(PathBuf::as_path).filter(|file| !file.starts_with(&run)).collect();
    assert!(!holders.is_empty() && others.is_empty(), "{others:#?}");
}

/// Gives each secret a word of its own, and says which part has which.
fn set(life: &Life, names: &BTreeSet<String>) -> BTreeMap<String, String> {
    let word = |name: &String| (name.clone(), format!("{CANARY}-{}-7f3a", name.replace(['.', '_'], "-")));
    let words: BTreeMap<String, String> = names.iter().map(word).collect();
    for (name, word) in &words {
        let said = is_silent(life, life.sandbox.run_with_input(&["secret", "set", name], word), name);
        assert_eq!(said.status().code(), Some(0), "{}", said.text());
    }
    words
}

#[test]
fn no_secret_of_a_recipe_is_found_but_where_it_is_kept() {
    let life = project();
    let declared = declared(&life);
    is_silent(&life, life.run(&["install", "--no-start"]), "install");
    let listed = life.run(&["secret", "list", "--json"]).success().stdout().to_owned();
    let missing: Vec<&String> = declared.iter().filter(|name| !listed.contains(name.as_str())).collect();
    assert!(declared.len() > 10 && missing.is_empty(), "this test needs a part for {missing:?}: {listed}");
    let words = set(&life, &declared);
    assert_eq!(is_silent(&life, life.run(&["install", "-v"]), "install").status().code(), Some(0));
    only_services_have_them(&life);
    for (name, word) in &words {
        assert_eq!(life.run(&["secret", "show", name]).success().stdout().trim(), word, "{name} is set");
    }
    let shown = life.run(&["env", "wsgi", "--reveal"]).success().stdout().to_owned();
    assert_eq!(shown.matches(CANARY).count(), 5, "those who ask for them see them: {shown}");
    for verb in VERBS {
        is_silent(&life, life.run(verb), &verb.join(" "));
    }
    for part in declared.iter().filter_map(|name| name.split('.').next()).chain(["conf"]) {
        for verb in [&["explain", part][..], &["explain", part, "--json"], &["env", part], &["env", part, "--json"]] {
            is_silent(&life, life.run(verb), &verb.join(" "));
        }
    }
    for name in &declared {
        is_silent(&life, life.run(&["explain", name]), name);
    }
    only_services_have_them(&life);
    failures_are_silent(life, &declared);
}

/// What only looks, and what moves services.
const VERBS: &[&[&str]] = &[
    &["plan", "-v"],
    &["plan", "--json", "--set", "redis.databases=3", "--set", "postgresql.user=ann"],
    &["graph"],
    &["graph", "--json"],
    &["graph", "--format", "dot"],
    &["graph", "--format", "svg"],
    &["explain", "--layers"],
    &["install", "-v", "--json", "--set", "redis.databases=3", "--set", "postgresql.user=ann"],
    &["status"],
    &["status", "--json"],
    &["history"],
    &["history", "--json"],
    &["logs", "-n", "1000"],
    &["events", "--json"],
    &["secret", "list"],
    &["list", "--json"],
    &["lock"],
    &["rollback", "-v"],
    &["restart", "-v"],
    &["verify", "--json"],
    &["gc", "--keep", "0"],
    &["dump"],
    &["doctor", "--offline", "--json"],
];

/// Whatever goes wrong carries none out; and afterwards they are gone with what had them.
fn failures_are_silent(mut life: Life, declared: &BTreeSet<String>) {
    let two = format!("{CANARY}-one\n{CANARY}-two\n");
    is_silent(&life, life.sandbox.run_with_input(&["secret", "set", "redis.password"], &two), "two lines");
    life.sandbox.write("broken.py", "raise SystemExit('it cannot be')\n");
    let broken = life.run(&["install", "--set", "wsgi.app=broken:app", "--release"]);
    let broken = is_silent(&life, broken, "a broken application");
    assert!(broken.stderr().contains("it cannot be"), "{}", broken.text());
    for name in declared {
        let written = format!("{name}={CANARY}");
        let refused = is_silent(&life, life.run(&["plan", "--set", &written]), name);
        assert!(refused.stderr().contains("is a secret"), "{}", refused.text());
        let (part, option) = name.split_once('.').expect("a name");
        let in_file =
            PARTS.replace(&format!("[parts.{part}]\n"), &format!("[parts.{part}]\n{option} = \"{CANARY}\"\n"));
        life.define(&in_file);
        let refused = is_silent(&life, life.run(&["plan"]), name);
        assert!(refused.stderr().contains("is a secret"), "{}", refused.text());
        life.define(PARTS);
    }
    life.sandbox.set("JOVE_SET_REDIS__PASSWORD", CANARY);
    is_silent(&life, life.run(&["plan"]), "a process variable");
    life.sandbox.unset("JOVE_SET_REDIS__PASSWORD");
    only_services_have_them(&life);
    is_silent(&life, life.run(&["stop"]), "stop");
    assert_eq!(holders(&life), Vec::<PathBuf>::new());
    is_silent(&life, life.run(&["wipe", "--yes"]), "wipe");
    assert_eq!(holders(&life), Vec::<PathBuf>::new());
    is_silent(&life, life.run(&["wipe", "--data", "--yes"]), "wipe");
    assert!(!life.prefix().exists());
    assert_eq!(holders(&life), Vec::<PathBuf>::new());
}
