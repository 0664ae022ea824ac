//! A disk that is full: what is wrong is said, nothing is lost, what frees room works, and the next run goes on.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::life::Life;
use crate::sandbox::Sandbox;

const SLEEPER: &str =
    "[parts.app]\nrecipe = \"command\"\ncommand = [\"/bin/sh\", \"-c\", \"while :; do sleep 1000; done\"]\n";

/// A part with words that can be dumped.
const WORDS: &str = r#"
summary = "words"
[[file]]
content = "x"
path    = "x"
[[service]]
command = ["/bin/sleep", "1000000"]
[data]
folders = ["${.data}"]
version = "1"
dump    = ["/bin/sh", "-c", "cp words $JOVE_DUMP/"]
load    = { command = ["/bin/sh", "-c", "cp $JOVE_DUMP/words words"], while = "stopped" }
"#;

/// What a script on a small disk said.
struct Told(String);

impl Told {
    /// How each run of the program ended.
    fn ends(&self) -> Vec<&str> {
        let ends = self.0.lines().filter_map(|line| line.strip_prefix("[exit ")?.strip_suffix(']'));
        ends.collect()
    }

    /// What the `number`-th run said.
    fn run(&self, number: usize) -> &str {
        self.0.split("[exit ").nth(number).unwrap_or_default()
    }

    /// The `number`-th run says what is wrong and what to do.
    #[track_caller]
    fn names_the_disk(&self, number: usize) {
        let said = self.run(number);
        assert!(said.contains("no room left") || said.contains("No space left"), "{}", self.0);
        assert!(said.contains("hint: free some space and run the same command again"), "{}", self.0);
        assert!(!self.0.contains("panicked"), "{}", self.0);
    }
}

/// Runs a script in a mount namespace in which `$DISK` is a small file system of `size`, and `jove` the program with its prefix
/// there; `fill` and `clear` leave no room on it and some. `None` where that is impossible.
fn on_a_small_disk(sandbox: &Sandbox, size: &str, script: &str) -> Option<Told> {
    let disk = sandbox.home().join("small");
    sandbox.write(disk.join("x"), "");
    let user = sandbox.user();
    let is_root = rustix::process::geteuid().is_root();
    let (as_user, owner) = match is_root && user != 0 {
        true => (format!("setpriv --reuid {user} --regid {user} --clear-groups"), format!(",uid={user},gid={user}")),
        false => Default::default(),
    };
    let vars =
        ["HOME", "TMPDIR", "PATH", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "LANG"];
    let mut command = Command::new("unshare");
    match is_root {
        true => command.args(["--mount", "--propagation", "private"]),
        false => command.args(["--user", "--map-root-user", "--mount"]),
    };
    let whole = format!(
        "mount -t tmpfs -o size={size},mode=700{owner} tmpfs \"$DISK\" || exit 77\n\
         as_user() {{ {as_user} \"$@\"; }}\n\
         jove() {{ as_user \"$JOVE\" --prefix \"$PREFIX\" \"$@\" 2>&1; echo \"[exit $?]\"; }}\n\
         grow() {{ mount -o remount,size=400m \"$DISK\" || exit 77; }}\n\
         fill() {{ cat /dev/zero >> \"$DISK/filler\" 2> /dev/null; }}\n\
         clear() {{ rm \"$DISK/filler\"; }}\n{script}"
    );
    command.args(["/bin/sh", "-c", &whole]).env_clear().envs(vars.map(|name| (name, sandbox.var(name))));
    // Its sockets have a folder of their own, which the ledger names.
    let prefix = disk.join("long".repeat(25));
    command.env("DISK", &disk).env("PREFIX", prefix).env("JOVE", sandbox.program()).current_dir(sandbox.folder());
    let said = command.stdin(Stdio::null()).output().expect("unshare runs");
    let text = format!("{}{}", String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
    if said.status.code() == Some(77) || text.contains("unshare failed") {
        // Not by `eprintln!`, which a passing test does not show.
        let name = std::thread::current().name().unwrap_or_default().to_owned();
        let _ =
            writeln!(std::io::stderr(), "{name} is skipped, because no small file system can be mounted here: {text}");
        return None;
    }
    Some(Told(text))
}

#[test]
fn a_first_install_goes_on_when_there_is_room() {
    let size = fs_err::metadata(env!("CARGO_BIN_EXE_jove-install")).expect("the program").len();
    for room in [8 << 10, 32 << 10, 256 << 10, size / 2, size] {
        let life = Life::of(SLEEPER);
        let script =
            "jove install --quiet\ngrow\njove install --quiet\njove verify --quiet\njove status --json\njove stop\n";
        let Some(told) = on_a_small_disk(&life.sandbox, &room.to_string(), script) else { return };
        assert_eq!(told.ends(), ["1", "0", "0", "0", "0"], "{room}\n{}", told.0);
        told.names_the_disk(0);
    }
}

#[test]
fn an_install_leaves_what_runs() {
    let life = Life::of(&format!(
        "{SLEEPER}[parts.made]\nrecipe = \"step\"\nvars = {{ N = \"1\" }}\n\
         command = [\"/bin/sh\", \"-c\", \"head -c 100000 /dev/zero > $JOVE_OBJECT/x\"]\n"
    ));
    let script = "jove install --quiet\nfill\n\
                  jove install --quiet --set made.vars='{N=\"2\"}' --set app.stop_grace=3s\njove status\nclear\n\
                  jove install --quiet --set made.vars='{N=\"2\"}' --set app.stop_grace=3s\n\
                  jove verify --quiet\njove stop\n";
    let Some(told) = on_a_small_disk(&life.sandbox, "400m", script) else { return };
    assert_eq!(told.ends(), ["0", "1", "0", "0", "0", "0"], "{}", told.0);
    told.names_the_disk(1);
    assert!(told.run(2).contains("(dev, generation 1)"), "{}", told.0);
}

#[test]
fn a_rollback_leaves_what_runs() {
    let life = Life::of(SLEEPER);
    let script = "jove install --quiet\njove install --quiet --set app.stop_grace=3s\nfill\njove rollback\nfill\n\
                  jove status\nclear\njove install --quiet --set app.stop_grace=3s\njove rollback\njove status\n\
                  jove verify --quiet\njove stop\n";
    let Some(told) = on_a_small_disk(&life.sandbox, "400m", script) else { return };
    assert_eq!(told.ends(), ["0", "0", "1", "0", "0", "0", "0", "0", "0"], "{}", told.0);
    told.names_the_disk(2);
    assert!(told.run(3).contains("(dev, generation 2)") && !told.run(3).contains("held"), "{}", told.0);
    // What could not be tried is not to blame, and nothing changed.
    assert!(told.run(4).contains("nothing to do; generation 2 runs"), "{}", told.0);
    assert!(told.run(6).contains("(dev, generation 1)"), "{}", told.0);
}

#[test]
fn a_collection_frees_room() {
    let life = Life::of(SLEEPER);
    let script = "jove install --quiet\njove install --quiet --set app.stop_grace=3s\nfill\njove gc --keep 0\n\
                  fill\njove history\nclear\njove verify --quiet\njove install --quiet --set app.stop_grace=4s\njove stop\n";
    let Some(told) = on_a_small_disk(&life.sandbox, "400m", script) else { return };
    assert_eq!(told.ends(), ["0"; 7], "{}", told.0);
    assert!(told.run(2).contains("removed 1 generations"), "{}", told.0);
    assert!(told.run(3).contains("*   2 ") && !told.run(3).contains("    1 "), "{}", told.0);
}

#[test]
fn a_wipe_frees_room_and_keeps_data() {
    let life = Life::of("[parts.it]\nrecipe = \"words\"\n");
    life.sandbox.write("recipes/words/recipe.toml", WORDS);
    let script = "jove install --quiet\necho word > \"$PREFIX/var/it/words\"\nfill\njove wipe --yes\nls \"$PREFIX\"\n\
                  clear\njove install --quiet\ncat \"$PREFIX/var/it/words\"\nfill\njove wipe --data --yes\n\
                  test ! -e \"$PREFIX\" && echo gone\nclear\njove install --quiet\njove stop\n";
    let Some(told) = on_a_small_disk(&life.sandbox, "400m", script) else { return };
    assert_eq!(told.ends(), ["0"; 6], "{}", told.0);
    assert!(told.run(2).contains("state.toml") && !told.run(2).contains("\nstore\n"), "{}", told.0);
    assert!(told.run(3).contains("word\n"), "{}", told.0);
    assert!(told.run(4).contains("gone\n"), "{}", told.0);
    assert!(life.sandbox.processes().is_empty());
}

#[test]
fn a_lock_that_has_no_room_is_as_it_was() {
    let life = Life::of(SLEEPER);
    let packages = "name = \"app\"\n[parts.tools]\nrecipe = \"packages\"\nhost = [\"env\"]\n";
    life.sandbox.write("more.toml", packages);
    let script = "as_user cp -r . \"$DISK/work\"\njove -C \"$DISK/work\" lock\n\
                  as_user cp \"$DISK/work/jove.lock\" \"$DISK/before.lock\"\n\
                  as_user cp \"$DISK/work/more.toml\" \"$DISK/work/jove.toml\"\nfill\njove -C \"$DISK/work\" lock\n\
                  cmp \"$DISK/work/jove.lock\" \"$DISK/before.lock\" && echo same\nls -A \"$DISK/work\"\nclear\n\
                  jove -C \"$DISK/work\" lock\njove -C \"$DISK/work\" lock --check\n";
    let Some(told) = on_a_small_disk(&life.sandbox, "400m", script) else { return };
    assert_eq!(told.ends(), ["0", "1", "0", "0"], "{}", told.0);
    told.names_the_disk(1);
    assert!(told.run(2).contains("same\n") && !told.run(2).contains(".tmp"), "{}", told.0);
    assert!(told.run(2).contains("jove.lock written"), "{}", told.0);
}

#[test]
fn a_dump_that_has_no_room_is_none() {
    let life = Life::of("[parts.it]\nrecipe = \"words\"\n");
    life.sandbox.write("recipes/words/recipe.toml", WORDS);
    // The command of the recipe has no room, and then what packs.
    let script = "jove install --quiet\nas_user head -c 3000000 /dev/urandom > \"$PREFIX/var/it/words\"\n\
                  jove dump --no-proof\nfill\njove dump --no-proof\nclear\n\
                  head -c 4000000 /dev/zero > \"$DISK/spare\"\nfill\nrm \"$DISK/spare\"\njove dump --no-proof\nfill\n\
                  jove dump --list\nls -A \"$PREFIX/dumps\"\nclear\njove dump\njove dump --list\njove stop\n";
    let Some(told) = on_a_small_disk(&life.sandbox, "400m", script) else { return };
    assert_eq!(told.ends(), ["0", "0", "1", "1", "0", "0", "0", "0"], "{}", told.0);
    for number in [2, 3] {
        told.names_the_disk(number);
        assert!(told.run(number).contains("no dump was made"), "{}", told.0);
    }
    let rows = |text: &str| text.lines().filter(|line| line.contains(" words ")).count();
    assert_eq!((rows(told.run(4)), rows(told.run(6))), (1, 2), "the first is as it was\n{}", told.0);
    assert!(!told.run(5).contains(".tmp-dump"), "{}", told.0);
}
