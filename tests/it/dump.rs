//! Dumps: written, proven, loaded here and elsewhere, refused when damaged; kills, and migrations with a way back.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::life::{Life, until};

/// The checkpoints at which something is killed here.
pub const CHECKPOINTS: &[&str] = &[
    "dump-before-command",
    "dump-after-pack",
    "dump-before-rename",
    "dump-after-rename",
    "load-before-command",
    "load-after-command",
    "migration-before-command",
    "migration-after-command",
    "back-after-load",
];

/// A part that holds words in a file, and whose migration adds to them.
const RECIPE: &str = r#"
summary = "words"
[options.migration]
type    = "string"
default = "true"
[options.seconds]
type    = "string"
default = "1000000"
[[file]]
content = "x"
path    = "x"
[[step]]
name    = "prepare"
command = ["jove-install", "internal-migrate", "--root=${.prefix}", "--part=${.name}", "--", "/bin/sh", "-c", "${.migration}"]
key     = "${.migration}"
folder  = "${.data}"
vars    = { PATH = "/usr/bin:/bin", JOVE_CHECKPOINT_FILE = "${.prefix}/kill" }
[[service]]
command = ["/bin/sleep", "${.seconds}"]
[data]
folders = ["${.data}"]
version = "1"
dump    = ["/bin/sh", "-c", "cp words $JOVE_DUMP/"]
load    = { command = ["/bin/sh", "-c", "cp $JOVE_DUMP/words words.new && mv words.new words"], while = "stopped" }
prove   = ["/bin/sh", "-c", "! grep -q broken $JOVE_DUMP/words"]
"#;

struct Words {
    life: Life,
}

impl Words {
    fn new() -> Self {
        let life = Life::of("[parts.it]\nrecipe = \"words\"\n");
        life.sandbox.write("recipes/words/recipe.toml", RECIPE);
        let words = Self { life };
        words.life.run(&["install", "--quiet", "-p", "demo"]).success();
        words.say("one\n");
        words
    }

    fn prefix(&self) -> PathBuf {
        self.life.sandbox.home().join("jove/app-demo")
    }

    fn say(&self, words: &str) {
        self.life.sandbox.write(self.prefix().join("var/it/words"), words);
    }

    fn said(&self) -> String {
        self.life.sandbox.read(self.prefix().join("var/it/words"))
    }

    fn run(&self, arguments: &[&str]) -> crate::sandbox::Output {
        self.life.run(&[arguments, &["-p", "demo"]].concat())
    }

    #[track_caller]
    fn dump(&self) -> Value {
        self.run(&["dump", "--json"]).success().json()["dump"].clone()
    }

    fn dumps(&self) -> Vec<Value> {
        self.run(&["dump", "--list", "--json"]).success().json().as_array().expect("a list").clone()
    }

    fn is_ready(&self) -> bool {
        let status = self.run(&["status", "--json"]).either(&[0, 1]).json();
        let services = status["services"].as_array().expect("services").clone();
        services.iter().any(|service| service["name"] == "it" && service["state"] == "ready")
    }

    /// Runs the program, which kills itself at a checkpoint.
    fn killed(&self, checkpoint: &str, arguments: &[&str]) {
        let mut command = self.life.sandbox.command(&[arguments, &["-p", "demo"]].concat());
        command.env("JOVE_CHECKPOINT", checkpoint);
        self.life.sandbox.finish(command, b"").signal(9);
    }
}

#[test]
fn what_was_dumped_is_loaded() {
    let words = Words::new();
    let dump = words.dump();
    assert_eq!(dump["parts"]["it"]["proven"], true, "{dump}");
    let unproven = words.run(&["dump", "--no-proof", "--json"]).success().json();
    assert_eq!(unproven["dump"]["parts"]["it"]["proven"], false);
    words.say("two\n");
    let loaded = words.run(&["load", dump["name"].as_str().expect("a name"), "--json"]).success().json();
    assert_eq!(words.said(), "one\n");
    assert!(words.is_ready());
    // What was there before the load is in a dump, too.
    words.run(&["load", loaded["before"].as_str().expect("a name")]).success();
    assert_eq!(words.said(), "two\n");
    let why: Vec<String> = words.dumps().iter().map(|dump| dump["why"].as_str().expect("why").to_owned()).collect();
    // What came may be older than the software: it is migrated again, with a way back of its own.
    let expected = ["dump", "dump", "before load", "before migration", "before load", "before migration"];
    assert_eq!(why, expected);
    // Stopped, it is dumped all the same, and stays stopped.
    words.run(&["stop"]).success();
    words.dump();
    assert!(words.life.sandbox.processes().is_empty(), "{:?}", words.life.sandbox.processes());
    // Wiped but for its data, what was dumped is still there; with them, nothing is.
    words.run(&["wipe", "--yes"]).success();
    assert!(words.prefix().join("dumps").exists());
    words.run(&["wipe", "--data", "--yes"]).success();
    assert!(!words.prefix().exists());
}

#[test]
fn a_dump_is_for_other_prefixes_too() {
    let words = Words::new();
    let dump = words.dump();
    words.life.sandbox.write("profiles/other.toml", "extends = [\"profile:demo\"]\n");
    words.life.run(&["install", "--quiet", "-p", "other"]).success();
    words.life.run(&["load", dump["path"].as_str().expect("a path"), "-p", "other"]).code(1);
    let there = words.life.sandbox.home().join("jove/app-other/var/it/words");
    words.life.sandbox.write(&there, "other\n");
    words.life.run(&["load", dump["path"].as_str().expect("a path"), "-p", "other"]).success();
    assert_eq!(words.life.sandbox.read(&there), "one\n");
    words.life.run(&["stop", "-p", "other"]).success();
}

#[test]
fn what_is_damaged_or_unfit_is_refused() {
    let words = Words::new();
    let dump = words.dump();
    let folder = PathBuf::from(dump["path"].as_str().expect("a path"));
    let name = dump["name"].as_str().expect("a name");
    let file = folder.join("it.tar.zst");
    let whole = fs_err::read(&file).expect("a file");
    words.say("two\n");
    let mut altered = whole.clone();
    altered[whole.len() / 2] ^= 1;
    for (bytes, said) in [(&whole[..whole.len() / 2], "and had"), (&altered[..], "it.tar.zst was altered")] {
        fs_err::write(&file, bytes).expect("written");
        let refused = words.run(&["load", name]).code(1);
        assert!(
            refused.stderr().contains(said) && refused.stderr().contains("nothing was loaded"),
            "{}",
            refused.stderr()
        );
    }
    fs_err::write(&file, whole).expect("written");
    assert_eq!(words.said(), "two\n");
    // The newest is not passed over in silence.
    let manifest = folder.join("manifest.json");
    let text = fs_err::read_to_string(&manifest).expect("text");
    fs_err::write(&manifest, "{").expect("written");
    let refused = words.run(&["load"]).code(1);
    assert!(refused.stderr().contains("is damaged: its manifest"), "{}", refused.stderr());
    let listed = words.run(&["dump", "--list"]).success();
    assert!(listed.stderr().contains("is damaged: its manifest"), "{}", listed.text());
    fs_err::write(&manifest, text).expect("written");
    assert!(words.run(&["load", "nothing"]).code(64).stderr().contains("there is no dump"));
    assert!(words.run(&["load", name, "ti"]).code(64).stderr().contains("did you mean `it`?"));
    assert!(words.run(&["dump", "ti"]).code(64).stderr().contains("did you mean `it`?"));
    // Data that cannot be restored are no dump.
    words.say("broken\n");
    assert!(words.run(&["dump"]).code(1).stderr().contains("could not be restored into a scratch place"));
    assert_eq!(words.dumps().len(), 1);
    // A newer format of data is not for this software.
    let recipe = words.life.sandbox.folder().join("recipes/words/recipe.toml");
    words.life.sandbox.write(recipe, RECIPE.replace("version = \"1\"", "version = \"2\""));
    words.run(&["install", "--quiet"]).success();
    assert!(words.run(&["load", name]).code(1).stderr().contains("have format 1; what is installed reads format 2"));
    assert_eq!(words.said(), "broken\n");
}

#[test]
fn old_dumps_go_but_the_last_proven_one_stays() {
    let words = Words::new();
    let first = words.dump();
    for _ in 0..3 {
        words.run(&["dump", "--no-proof", "--keep", "2"]).success();
    }
    let names: Vec<Value> = words.dumps().iter().map(|dump| dump["name"].clone()).collect();
    assert_eq!(names.len(), 3, "{names:?}");
    assert_eq!(names[0], first["name"]);
}

#[test]
fn a_dump_that_is_killed_or_finds_no_room_loses_nothing() {
    let words = Words::new();
    words.dump();
    let mut known = 1;
    for checkpoint in CHECKPOINTS.iter().filter(|name| name.starts_with("dump-")) {
        words.killed(checkpoint, &["dump"]);
        let now = words.dumps().len();
        assert!(now == known || now == known + 1, "{checkpoint}");
        words.dump();
        known = now + 1;
        let left = fs_err::read_dir(words.prefix().join("dumps")).expect("dumps").count();
        assert_eq!((left, words.dumps().len()), (known, known), "{checkpoint}");
        assert_eq!(words.said(), "one\n");
    }
    // A limit on files stands for a full disk: what is written fails half-way.
    words.say(&"words ".repeat(1 << 20));
    let mut limited = Command::new("/bin/sh");
    limited.args(["-c", "ulimit -f 64; exec \"$0\" \"$@\""]);
    let command = words.life.sandbox.command(&["dump", "-p", "demo"]);
    let mut all = words.life.sandbox.other("/bin/sh");
    all.args(limited.get_args()).arg(command.get_program()).args(command.get_args());
    words.life.sandbox.finish(all, b"").code(1);
    assert_eq!(words.dumps().len(), known);
    words.dump();
}

#[test]
fn a_load_that_is_killed_is_done_again() {
    let words = Words::new();
    let dump = words.dump();
    let name = dump["name"].as_str().expect("a name");
    for checkpoint in CHECKPOINTS.iter().filter(|name| name.starts_with("load-")) {
        words.say("two\n");
        words.killed(checkpoint, &["load", name]);
        assert!(["one\n", "two\n"].contains(&words.said().as_str()), "{checkpoint}");
        words.run(&["load", name]).success();
        assert_eq!(words.said(), "one\n", "{checkpoint}");
        words.run(&["start"]).success();
        assert!(words.is_ready());
    }
}

fn migrate(words: &Words, command: &str) -> crate::sandbox::Output {
    words.run(&["update", "--quiet", "--set", &format!("it.migration={command}")])
}

#[test]
fn a_failed_migration_leaves_the_data_as_they_were() {
    let words = Words::new();
    let failed = migrate(&words, "echo half >> words; false").code(1);
    assert!(
        failed.stderr().contains("it-prepare") && failed.stderr().contains("it failed; the data are again"),
        "{}",
        failed.stderr()
    );
    assert_eq!(words.said(), "one\n");
    until("the service of before", || words.is_ready().then_some(()));
    assert_eq!(words.dumps()[0]["why"], "before migration");
    migrate(&words, "echo more >> words").success();
    assert_eq!(words.said(), "one\nmore\n");
}

#[test]
fn code_that_does_not_come_up_gives_back_what_its_migration_changed() {
    let mut words = Words::new();
    let checkpoint = words.life.sandbox.folder().join("kill-supervisor");
    words.life.sandbox.set("JOVE_CHECKPOINT_FILE", checkpoint.display());
    words.run(&["stop"]).success();
    words.run(&["start"]).success();
    let broken =
        ["update", "--quiet", "--retry", "--set", "it.migration=echo more >> words", "--set", "it.seconds=none"];
    // The second time, the supervisor is killed when the data are back and that is not written down.
    for is_killed in [false, true] {
        if is_killed {
            words.life.sandbox.write(&checkpoint, "back-after-load");
        }
        words.run(&broken).code(1);
        assert!(!checkpoint.exists(), "it was not passed");
        until("the service of before", || words.is_ready().then_some(()));
        assert_eq!(words.said(), "one\n");
    }
    // It was undone, so that it is done again, once.
    migrate(&words, "echo more >> words").success();
    assert_eq!(words.said(), "one\nmore\n");
    words.run(&["update", "--quiet", "--set", "it.migration=echo more >> words", "--set", "it.seconds=none"]).code(1);
    assert_eq!(words.said(), "one\nmore\n", "what failed had no migration of its own");
}

#[test]
fn a_way_back_over_a_migration_is_told_with_the_dump_of_before() {
    let words = Words::new();
    migrate(&words, "echo more >> words").success();
    migrate(&words, "echo most >> words").success();
    words
        .run(&["install", "--quiet", "--set", "it.migration=echo most >> words", "--set", "it.seconds='2000000'"])
        .success();
    let dump = |place: usize| words.dumps()[place]["name"].as_str().expect("a name").to_owned();
    // What generation 4 changed was no data.
    assert!(!words.run(&["rollback"]).success().text().contains("migration"));
    let told = words.run(&["rollback"]).success();
    let said = "the data of `it` stay as the migration of generation 3 left them";
    assert!(told.text().contains(said) && told.text().contains(&format!("load {}", dump(1))), "{}", told.text());
    words.run(&["rollback", "4"]).success();
    let told = words.run(&["rollback", "1"]).success();
    assert!(told.text().contains(&format!("load {}", dump(0))), "{}", told.text());
    assert_eq!(words.said(), "one\nmore\nmost\n");
    words.run(&["load", &dump(0)]).success();
    assert_eq!(words.said(), "one\n");
    assert!(words.is_ready());
    // A load without a name is of a dump that somebody made.
    assert!(words.run(&["load"]).code(1).stderr().contains("name the one that is meant"));
}

#[test]
fn what_a_running_server_keeps_is_not_taken_from_under_it() {
    let words = Words::new();
    let queue = r#"
summary = "a queue"
[[service]]
command = ["/bin/sh", "-c", "exec 3>>queue; exec /bin/sleep 1000000"]
folder  = "${.data}"
[data]
folders = ["${.data}"]
dump    = { command = ["/bin/sh", "-c", "cp queue $JOVE_DUMP/"], while = "stopped" }
load    = { command = ["/bin/sh", "-c", "rm queue; cp $JOVE_DUMP/queue queue"], while = "stopped" }
"#;
    words.life.sandbox.write("recipes/queue/recipe.toml", queue);
    let project = words.life.sandbox.folder().join("jove.toml");
    let text = words.life.sandbox.read(&project) + "needs = [\"queue\"]\n[parts.queue]\nrecipe = \"queue\"\n";
    words.life.sandbox.write(&project, text);
    words.run(&["install", "--quiet"]).success();
    let inode = || {
        use std::os::unix::fs::MetadataExt as _;
        words.prefix().join("var/queue/queue").metadata().expect("the queue").ino()
    };
    let before = inode();
    migrate(&words, "echo half >> words; false").code(1);
    assert_eq!((inode(), words.said()), (before, "one\n".to_owned()));
    let dumps = words.dumps();
    let parts = dumps[0]["parts"].as_object().expect("parts");
    assert_eq!(parts.keys().collect::<Vec<_>>(), ["it"]);
}

#[test]
fn a_migration_that_is_killed_begins_anew() {
    for checkpoint in CHECKPOINTS.iter().filter(|name| name.starts_with("migration-")) {
        let words = Words::new();
        words.life.sandbox.write(words.prefix().join("kill"), *checkpoint);
        migrate(&words, "echo more >> words").code(1);
        assert!(!words.prefix().join("kill").exists(), "{checkpoint} was not passed");
        // The former code is back, and so is what it knows.
        until("the service of before", || words.is_ready().then_some(()));
        assert_eq!(words.said(), "one\n", "{checkpoint}");
        words.run(&["update", "--quiet", "--retry", "--set", "it.migration=echo more >> words"]).success();
        assert_eq!(words.said(), "one\nmore\n", "{checkpoint}");
    }
}

/// What recipes of applications use: what they hold goes out, and in again in the place of what is there.
#[test]
fn files_and_databases_of_an_application_go_out_and_in() {
    let sandbox = crate::sandbox::Sandbox::new();
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes/gunicorn/data.py");
    let script = sandbox.write("data.py", fs_err::read(script).expect("the script"));
    let python = |code: &str, arguments: &[&str]| {
        let mut command = sandbox.other("python3");
        command.args(["-c", code]).args(arguments);
        sandbox.finish(command, b"").success().stdout().to_owned()
    };
    let data = |verb: &str| {
        let mut command = sandbox.other("python3");
        command.arg(&script).args([verb, "data", "work"]).env("JOVE_DUMP", "dump");
        sandbox.finish(command, b"").success();
    };
    let add = "import os, sqlite3, sys\nfor folder in ('data', 'dump'): os.makedirs(folder, exist_ok=True)\n\
               base = sqlite3.connect('data/base')\nbase.execute('pragma journal_mode = wal')\n\
               base.execute('create table if not exists words (word)')\n\
               base.execute('insert into words values (?)', sys.argv[1:])\nbase.commit()\n";
    let words =
        "import sqlite3\nprint([row[0] for row in sqlite3.connect('data/base').execute('select word from words')])";
    python(add, &["one"]);
    for (path, text) in [("cache/page", "kept"), ("tmp/x", "made anew"), ("work/x", "named"), (".migrating", "a dump")]
    {
        sandbox.write(format!("data/{path}"), text);
    }
    data("dump");
    let listed = "import os\nprint(sorted(os.listdir('dump')))";
    assert_eq!(python(listed, &[]), "['base', 'cache']\n");
    python(add, &["two"]);
    sandbox.write("data/cache/page", "altered");
    sandbox.write("data/later", "not in the dump");
    data("load");
    assert_eq!(python(words, &[]), "['one']\n");
    assert_eq!(sandbox.read("data/cache/page"), "kept");
    let left = "import os\nprint(sorted(os.listdir('data')))";
    assert_eq!(python(left, &[]), "['.migrating', 'base', 'cache', 'tmp', 'work']\n");
}

#[test]
fn a_service_sees_what_env_shows() {
    let life = Life::of(
        "[parts.it]\nrecipe = \"command\"\ncommand = [\"/bin/sleep\", \"1000000\"]\nvars = { WORD = \"${vars.WORD}\" }\n",
    );
    let mut sandbox = life.sandbox;
    sandbox.set("WORD", "a word");
    sandbox.run(&["install", "--quiet", "-p", "demo"]).success();
    let seen = sandbox.run(&["env", "it", "-p", "demo", "--json"]).success().json();
    let pid = sandbox.run(&["status", "--json", "-p", "demo"]).success().json()["services"][0]["pid"].clone();
    let real = fs_err::read_to_string(format!("/proc/{pid}/environ")).expect("its variables");
    let mut real: Vec<&str> = real.split_terminator('\0').collect();
    real.sort_unstable();
    let vars = seen["vars"].as_object().expect("vars");
    let shown: Vec<String> =
        vars.iter().map(|(name, value)| format!("{name}={}", value.as_str().expect("text"))).collect();
    assert_eq!(shown, real);
    assert!(sandbox.run(&["env", "it", "-p", "demo"]).success().stdout().contains("WORD='a word'\n"));
    assert!(sandbox.run(&["env", "ti", "-p", "demo"]).code(64).stderr().contains("did you mean `it`?"));
}
