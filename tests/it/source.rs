//! Archives and programs built from source: mirrors and one digest, builds in a sandbox, and what goes wrong with both.

use std::collections::BTreeMap;

use insta::assert_snapshot;
use jove_install::digest::{Digest, Sha256};
use jove_install::sandbox::Machine;

use crate::life::{Life, until};

/// Killed at each of them a build goes on from the start, and leaves nothing.
pub const CHECKPOINTS: &[&str] = &["source-before-build", "source-after-build"];

/// A packed tar of files, each with a mode; the same bytes each time.
fn tarball(files: &[(&str, u32, &str)]) -> Vec<u8> {
    let packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut tar = tar::Builder::new(packed);
    for (name, mode, text) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(*mode);
        header.set_cksum();
        tar.append_data(&mut header, name, text.as_bytes()).expect("appended");
    }
    tar.into_inner().and_then(flate2::write::GzEncoder::finish).expect("packed")
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::of(bytes).to_hex()
}

/// A project whose `good/` and `bad/` are mirrors of a tarball: `bad/` has other bytes under its name.
fn life(files: &[(&str, u32, &str)]) -> (Life, String) {
    let life = Life::of("");
    let bytes = tarball(files);
    life.sandbox.write("good/tool-1.2.tar.gz", &bytes);
    life.sandbox.write("bad/tool-1.2.tar.gz", tarball(&[("tool-1.2/x", 0o644, "other")]));
    (life, sha256(&bytes))
}

fn address(life: &Life, below: &str) -> String {
    format!("file://{}/{below}", life.sandbox.folder().display())
}

const SOURCES: &[(&str, u32, &str)] = &[
    ("tool-1.2/configure", 0o755, "#!/bin/sh\necho \"flags = $CFLAGS\" > config\necho \"at = $(pwd)\" >> config\n"),
    ("tool-1.2/tool.in", 0o644, "#!/bin/sh\necho tool 1.2\n"),
    (
        "tool-1.2/install",
        0o755,
        "#!/bin/sh -e\nmkdir -p $1/bin $1/share\ncp config $1/share/\ncp tool.in $1/bin/tool\nchmod +x $1/bin/tool\n",
    ),
];

/// A part that builds the tool by these lines.
fn source(life: &Life, sha256: &str, more: &str) -> String {
    format!(
        "[parts.tools]\nrecipe = 'packages'\nprovider = 'source'\nbuild_tools = ['sh']\nprograms = ['tool']\n{more}\n\
         [parts.tools.source.tool]\nversion = '1.2'\nurls = ['{}']\nsha256 = '{sha256}'\n",
        address(life, "good/tool-{version}.tar.gz")
    )
}

const BUILD: &str = "build = ['./configure', './install $JOVE_OBJECT']";

/// Every file of the object of a part, by path below it.
fn object(life: &Life, part: &str, serial: &str) -> BTreeMap<String, Digest> {
    let store = life.prefix().join("store");
    let folders = fs_err::read_dir(&store).expect("a store").flatten();
    let mut folders = folders.into_iter().filter(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        entry.path().is_dir() && name.ends_with(&format!("{serial}-{part}")) && name.contains('.') != serial.is_empty()
    });
    let folder = folders.next().expect("an object").path();
    let files = walkdir::WalkDir::new(&folder).into_iter().flatten().filter(|entry| entry.file_type().is_file());
    files
        .map(|entry| {
            let below = entry.path().strip_prefix(&folder).expect("below").display().to_string();
            (below, Digest::of_file(entry.path()).expect("read"))
        })
        .collect()
}

/// The manifest that records a part's object.
fn manifest(life: &Life, part: &str) -> serde_json::Value {
    let store = life.prefix().join("store");
    let files = walkdir::WalkDir::new(store).max_depth(2).into_iter().flatten();
    let mut found = files.filter(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        entry.file_type().is_file() && name.contains(&format!("-{part}")) && name.ends_with("json")
    });
    let text = fs_err::read_to_string(found.next().expect("a manifest").path()).expect("text");
    serde_json::from_str(&text).expect("json")
}

fn leaves_no_scratch(life: &Life) {
    let names = fs_err::read_dir(life.prefix()).expect("a prefix").flatten();
    let left: Vec<_> =
        names.map(|entry| entry.file_name()).filter(|name| name.to_string_lossy().starts_with(".tmp")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn an_archive_comes_from_the_first_mirror_that_has_its_bytes() {
    let (life, sha256) =
        life(&[("tool-1.2/bin/tool", 0o755, "#!/bin/sh\necho packed\n"), ("tool-1.2/doc/a", 0o644, "a")]);
    let single = b"#!/bin/sh\necho single\n";
    life.sandbox.write("good/one", single);
    life.sandbox.write(
        life.sandbox.home().join(".config/jove/config.toml"),
        format!("[sources.archive]\nmirrors = ['{}']\n", address(&life, "bad")),
    );
    life.define(&format!(
        "[parts.tools]\nrecipe = 'packages'\nprograms = ['tool', 'one']\n[parts.tools.archive.tool]\nversion = '1.2'\nstrip = 1\n\
         urls = ['{}', '{}']\nsha256 = '{sha256}'\n[parts.tools.archive.one]\nversion = '1'\nform = 'file'\nurl = '{}'\nsha256 = '{}'\n",
        address(&life, "missing/tool-{version}.tar.gz"),
        address(&life, "good/tool-{version}.tar.gz"),
        address(&life, "good/one"),
        self::sha256(single),
    ));
    life.install();
    for (program, said) in [("tool", "packed\n"), ("one", "single\n")] {
        assert_eq!(life.run(&["run", "tools", "--", program]).success().stdout(), said);
    }
    let lock = life.sandbox.read("jove.lock");
    assert!(lock.contains(&sha256) && lock.contains("given digest") && !lock.contains("file://"), "{lock}");
    life.run(&["verify"]).success();
    assert_snapshot!(life.run(&["plan"]).stdout(), @"nothing to do: all 1 parts are as wished");
}

#[test]
fn wrong_bytes_everywhere_are_refused_with_every_mirror() {
    let (life, sha256) = life(SOURCES);
    life.define(&format!(
        "[parts.tools]\nrecipe = 'packages'\n[parts.tools.archive.tool]\nversion = '1.2'\nurls = ['{}', '{}']\nsha256 = '{sha256}'\n",
        address(&life, "bad/tool-{version}.tar.gz"),
        address(&life, "missing/tool-{version}.tar.gz"),
    ));
    let said = life.run(&["install", "--quiet"]).code(1);
    for word in ["bad/tool-1.2.tar.gz", "missing/tool-1.2.tar.gz", "digest"] {
        assert!(said.stderr().contains(word), "{}", said.stderr());
    }
    assert!(life.generation().is_none());
}

#[test]
fn what_is_said_of_an_archive_is_checked() {
    let life = Life::of("[parts.tools]\nrecipe = 'packages'\narchive = { tool = { version = '1', shasum = 'x' } }\n");
    assert_snapshot!(life.run(&["plan"]).text(), @r#"
    ------- stderr -------
    error: the packages of `tools`
      `archive.tool`: there is no `shasum`

    hint: it says: version = "1.2", urls = ["https://…/x-{version}.tar.gz"], sha256 = "…", strip = 1
    ------- exit 1 -------
    "#);
    life.define("[parts.tools]\nrecipe = 'packages'\narchive = { tool = { version = '1', sha256 = 'x', urls = ['ftp://x/y'] } }\n");
    assert_snapshot!(life.run(&["plan"]).text(), @r#"
    ------- stderr -------
    error: the packages of `tools`
      `archive.tool`: its `sha256` is no digest of 64 hexadecimal digits

    hint: it says: version = "1.2", urls = ["https://…/x-{version}.tar.gz"], sha256 = "…", strip = 1
    ------- exit 1 -------
    "#);
    let digest = "0".repeat(64);
    life.define(&format!("[parts.tools]\nrecipe = 'packages'\narchive = {{ tool = {{ version = '1', sha256 = '{digest}', urls = ['ftp://x/y'] }} }}\n"));
    assert_snapshot!(life.run(&["plan"]).text(), @r#"
    ------- stderr -------
    error: the packages of `tools`
      `archive.tool`: `ftp://x/y` is no address (https, http or file)

    hint: it says: version = "1.2", urls = ["https://…/x-{version}.tar.gz"], sha256 = "…", strip = 1
    ------- exit 1 -------
    "#);
}

#[test]
fn the_same_sources_give_the_same_bytes_and_say_what_kept_them_inside() {
    let (life, sha256) = life(SOURCES);
    life.sandbox.write(
        "patches/hello.patch",
        "--- a/tool.in\n+++ b/tool.in\n@@ -1,2 +1,2 @@\n #!/bin/sh\n-echo tool 1.2\n+echo patched\n",
    );
    life.define(&source(&life, &sha256, &format!("{BUILD}\npatches = ['patches/hello.patch']")));
    life.install();
    assert_eq!(life.run(&["run", "tools", "--", "tool"]).success().stdout(), "patched\n");
    let first = object(&life, "tools", "");
    assert_eq!(first.len(), 2, "{first:?}");
    life.run(&["install", "--quiet", "--force", "tools"]).success();
    assert_eq!(object(&life, "tools", ".1"), first);
    let manifest = manifest(&life, "tools");
    let machine = Machine::current();
    let said = manifest["facts"]["sandbox enforced"].as_str().expect("recorded");
    assert_eq!(said.contains("Landlock"), machine.landlock.is_ok(), "{said}");
    assert_eq!(said.contains("namespaces"), machine.namespaces.is_ok(), "{said}");
    assert!(manifest["impure"].to_string().contains("built from source"), "{manifest}");
    leaves_no_scratch(&life);
    life.sandbox.write(
        "patches/hello.patch",
        "--- a/tool.in\n+++ b/tool.in\n@@ -1,2 +1,2 @@\n #!/bin/sh\n-echo tool 1.2\n+echo again\n",
    );
    life.install();
    assert_eq!(life.run(&["run", "tools", "--", "tool"]).success().stdout(), "again\n");
}

#[test]
fn a_build_that_fails_or_hangs_says_its_last_lines_and_its_log() {
    let (life, sha256) = life(SOURCES);
    life.define(&source(&life, &sha256, "build = ['echo the last line; exit 3']"));
    let said = life.run(&["install", "--quiet"]).code(1);
    let log = said.stderr().lines().find_map(|line| line.trim().strip_prefix("the whole log: ").map(str::to_owned));
    assert!(
        said.stderr().contains("exit status: 3") && said.stderr().contains("    the last line"),
        "{}",
        said.stderr()
    );
    let log = fs_err::read_to_string(log.expect("a log").replace("[HOME]", &life.sandbox.home().display().to_string()));
    assert!(log.expect("its text").contains("the last line"));
    life.define(&source(
        &life,
        &sha256,
        "build = ['echo waiting; setsid sleep 1000 & sleep 1000']\nbuild_timeout = '1s'",
    ));
    let said = life.run(&["install", "--quiet"]).code(1);
    assert!(said.stderr().contains("took longer than") && said.stderr().contains("build_timeout"), "{}", said.stderr());
    if Machine::current().namespaces.is_ok() {
        life.is_quiet();
    }
    life.define(&source(&life, &sha256, "build = ['true']"));
    let said = life.run(&["install", "--quiet"]).code(1);
    assert!(said.stderr().contains("left nothing in `$JOVE_OBJECT`"), "{}", said.stderr());
    life.define(&source(&life, &sha256, "build = ['true']\npatches = ['good/tool-1.2.patch']"));
    life.sandbox.write("good/tool-1.2.patch", "--- a/tool.in\n+++ b/tool.in\n@@ -1 +1 @@\n-nothing like it\n+x\n");
    let said = life.run(&["install", "--quiet"]).code(1);
    assert!(said.stderr().contains("does not fit `tool.in`"), "{}", said.stderr());
    assert!(life.generation().is_none());
    leaves_no_scratch(&life);
}

/// What a build or step tries that is none of its business; it goes on, and writes what it could do.
const TRIES: &str = "t() { if sh -c \"$2\" 2>/dev/null; then echo $1 >> $JOVE_OBJECT/done; fi; }\n\
    t own 'echo x > $JOVE_OBJECT/x'\n\
    t home 'echo x > '$OUTSIDE'/stray'\n\
    t project 'echo x >> '$OUTSIDE'/../work/jove.toml'\n\
    t state 'cat '$OUTSIDE'/jove/app-dev/state.toml > /dev/null'\n\
    t keys 'cat '$OUTSIDE'/.ssh/id > /dev/null'\n\
    t network 'python3 -c \"import socket; socket.socket().bind((\\\"127.0.0.1\\\", 0))\"'\n\
    t unix 'python3 -c \"import socket; socket.socket(socket.AF_UNIX).close()\"'\n";

/// Runs a part that tries; gives what it could do.
fn tried(life: &Life, part: &str) -> Vec<String> {
    life.sandbox.write(life.sandbox.home().join(".ssh/id"), "a key");
    life.sandbox.write("try.sh", TRIES);
    let before = life.sandbox.read("jove.toml");
    life.install();
    assert!(!life.sandbox.home().join("stray").exists());
    assert_eq!(life.sandbox.read("jove.toml"), before);
    let store = walkdir::WalkDir::new(life.prefix().join("store")).into_iter().flatten();
    let mut done = store.filter(|entry| entry.file_name() == "done");
    let done = done.next().unwrap_or_else(|| panic!("{part} wrote what it did"));
    fs_err::read_to_string(done.path()).expect("text").lines().map(str::to_owned).collect()
}

fn is_confined() -> bool {
    let machine = Machine::current();
    machine.landlock.is_ok() && machine.filter.is_ok()
}

#[test]
fn a_build_can_neither_write_outside_nor_reach_the_network() {
    let (life, sha256) = life(SOURCES);
    let script = life.sandbox.folder().join("try.sh");
    let vars = format!("build_vars = {{ OUTSIDE = '{}' }}", life.sandbox.home().display());
    life.define(
        &source(&life, &sha256, &format!("build = ['. {}']\nsandbox = 'best'\n{vars}", script.display()))
            .replace("programs = ['tool']", ""),
    );
    let done = tried(&life, "tools");
    if is_confined() {
        assert_eq!(done, ["own", "unix"]);
    }
}

#[test]
fn a_step_can_neither_write_outside_nor_reach_the_network() {
    let life = Life::of("");
    let (script, home) = (life.sandbox.folder().join("try.sh"), life.sandbox.home());
    life.define(&format!(
        "[parts.made]\nrecipe = 'step'\ncommand = ['/bin/sh', '{}']\nvars = {{ OUTSIDE = '{}' }}\n",
        script.display(),
        home.display()
    ));
    let done = tried(&life, "made");
    if is_confined() {
        assert_eq!(done, ["own", "unix"]);
    }
    assert!(manifest(&life, "made")["facts"]["sandbox enforced"].is_string());
}

#[test]
fn a_build_is_killed() {
    let (mut life, sha256) = life(SOURCES);
    life.define(&source(&life, &sha256, BUILD));
    let file = life.sandbox.path("work/checkpoint");
    life.sandbox.set("JOVE_CHECKPOINT_FILE", file.display());
    let others = ["fetch-before-insert", "fetch-after-insert", "object-before-seal", "object-after-build"];
    for name in CHECKPOINTS.iter().chain(&others) {
        // What was fetched before is asked for again.
        let _ = fs_err::remove_dir_all(life.sandbox.home().join(".cache"));
        life.sandbox.write(&file, name);
        let _ = life.run(&["install", "--quiet"]);
        assert!(!file.exists(), "{name} is not passed");
        assert!(life.generation().is_none(), "{name}");
    }
    life.install();
    assert_eq!(life.run(&["run", "tools", "--", "tool"]).success().stdout(), "tool 1.2\n");
    leaves_no_scratch(&life);
    life.has_no_litter("a build");
}

#[test]
fn a_build_whose_installer_is_killed_ends_with_it_and_what_runs_stays() {
    let (life, sha256) = life(SOURCES);
    life.define(&source(&life, &sha256, BUILD));
    life.run(&["install", "--no-start", "--quiet"]).success();
    let waits = "build = ['mkdir $JOVE_OBJECT/bin && echo half > $JOVE_OBJECT/bin/tool', 'sleep 1000 & sleep 1000']";
    life.define(&source(&life, &sha256, waits));
    let mut installer = life.sandbox.command(&["install", "--quiet"]).spawn().expect("it starts");
    until("a half object", || {
        let files = walkdir::WalkDir::new(life.prefix().join("store")).into_iter().flatten();
        let mut files = files.filter(|entry| entry.file_name() == "tool" && entry.file_type().is_file());
        files.find(|entry| fs_err::read_to_string(entry.path()).is_ok_and(|text| text == "half\n"))
    });
    installer.kill().expect("killed");
    installer.wait().expect("it is dead");
    if Machine::current().namespaces.is_ok() {
        life.is_quiet();
    }
    assert_eq!(life.run(&["run", "tools", "--", "tool"]).success().stdout(), "tool 1.2\n");
    life.run(&["verify"]).success();
    life.define(&source(
        &life,
        &sha256,
        "build = ['./configure', 'sed -i s/1.2/1.3/ tool.in', './install $JOVE_OBJECT']",
    ));
    life.install();
    assert_eq!(life.run(&["run", "tools", "--", "tool"]).success().stdout(), "tool 1.3\n");
    life.run(&["gc", "--keep", "0"]).success();
    leaves_no_scratch(&life);
    life.has_no_litter("a build");
}
