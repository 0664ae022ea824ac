//! `kill -9` at every checkpoint: afterwards the prefix is the old generation or the new one, only services of that one run,
//! and the same command run again brings everything to where it should be and leaves no rubbish.
//!
//! Who passes the checkpoint dies: the command, or the supervisor, which has a successor at once.

mod at_once;
mod site;

use std::collections::BTreeSet;

use jove_install::checkpoint;

use site::{Site, until};

/// Of a first install, in the command.
const FIRST: &[&str] = &[
    "identity-before-write",
    "identity-after-write",
    "state-before-rename",
    "state-after-rename",
    "lock-before-rename",
    "lock-after-rename",
    "object-before-build",
    "object-after-build",
    "object-before-seal",
    "object-after-seal",
    "generation-before-write",
    "generation-after-write",
    "registry-before-write",
    "stamp-before-write",
    "ledger-after-append",
];

/// Of any switch to other services, in the supervisor.
const SWITCH: &[&str] = &[
    "journal-before-write",
    "journal-after-write",
    "trial-before-stop",
    "trial-after-stop",
    "step-before-run",
    "step-after-run",
    "trial-after-start",
    "promises-before",
    "commit-before-rename",
    "commit-after-rename",
    "journal-before-remove",
    "journal-after-remove",
];

/// Of a changed install, in the command.
const CHANGED: &[&str] = &[
    "object-before-build",
    "object-after-build",
    "object-before-seal",
    "object-after-seal",
    "generation-before-write",
    "generation-after-write",
    "stamp-before-write",
    "ledger-after-append",
];

/// Of a rollback; its data steps were done before.
const ROLLBACK: &[&str] = &[
    "rollback-before-switch",
    "journal-before-write",
    "journal-after-write",
    "trial-before-stop",
    "trial-after-stop",
    "trial-after-start",
    "promises-before",
    "commit-before-rename",
    "commit-after-rename",
    "journal-before-remove",
    "journal-after-remove",
    "rollback-after-switch",
    "ledger-after-append",
];

const COLLECT: &[&str] = &["gc-after-generation", "gc-before-object", "gc-after-manifest", "ledger-after-append"];

const WIPE: &[&str] =
    &["wipe-before-stop", "wipe-after-stop", "wipe-before-store", "state-before-rename", "ledger-after-append"];

const WIPE_DATA: &[&str] =
    &["wipe-before-stop", "wipe-after-stop", "wipe-before-store", "wipe-before-data", "wipe-before-identity"];

/// Those of Python parts need a package index: `tests/real` has them.
const PYTHON: &[&str] =
    &["fetch-before-insert", "fetch-after-insert", "python-before-install", "python-before-bytecode"];

/// Those of other providers are with what else is tested of them.
const PROVIDERS: [&[&str]; 3] = [crate::deb::CHECKPOINTS, crate::git::CHECKPOINTS, crate::source::CHECKPOINTS];

/// Those of conda packages: `tests/it/conda.rs` makes some.
const CONDA: &[&str] = &["package-before-keep", "conda-before-link", "conda-after-link"];

/// A reload needs a service that reloads: `supervisor::reload` has it.
const RELOAD: &[&str] = &["reload-after-link", "reload-before-signal"];

/// Those of data: `dump` has them.
const DATA: &[&str] = crate::dump::CHECKPOINTS;

/// The `number`-th write of a file, which the sweeps go through.
const WRITE: &str = "write-before-rename";

#[test]
fn no_checkpoint_is_forgotten() {
    let apart = [PYTHON, CONDA, RELOAD, DATA, &[WRITE]].into_iter().chain(PROVIDERS);
    let killed: BTreeSet<&str> = [FIRST, SWITCH, CHANGED, ROLLBACK, COLLECT, WIPE, WIPE_DATA]
        .into_iter()
        .chain(apart)
        .flatten()
        .copied()
        .collect();
    let all: BTreeSet<&str> = checkpoint::NAMES.iter().copied().collect();
    assert_eq!(killed, all);
}

/// Kills first installs, each in a prefix of its own.
fn first_installs(names: &[&str]) {
    let mut site = Site::new();
    for (number, name) in names.iter().enumerate() {
        site.fresh(number);
        let _ = site.killed(&[name], &["install"]);
        site.is_one_of(name, &[None, Some(1), Some(2)]);
        let again = site.run(&["install"]);
        assert_eq!(again.status().code(), Some(0), "{name}: {}", again.text());
        site.is_well(name, "one");
        site.collects(name, "9");
        site.stops(name);
    }
}

#[test]
fn a_first_install_is_killed() {
    first_installs(&FIRST[..8]);
}

#[test]
fn a_first_install_is_killed_later() {
    first_installs(&FIRST[8..]);
}

#[test]
fn the_supervisor_is_killed_in_a_first_install() {
    first_installs(SWITCH);
}

#[test]
fn an_install_without_start_is_killed() {
    let mut site = Site::new();
    for (number, name) in ["commit-before-rename", "commit-after-rename", "journal-after-remove"].iter().enumerate() {
        site.fresh(number);
        site.killed(&[name], &["install", "--no-start"]).signal(9);
        site.is_one_of(name, &[None, Some(1)]);
        site.run(&["install", "--no-start"]).success();
        let history = site.run(&["history", "--json"]).success().text();
        assert!(!history.contains("prepared") || name == &"commit-before-rename", "{history}");
        site.run(&["install"]).success();
        site.is_well(name, "one");
        site.stops(name);
    }
}

/// Kills changed installs one after another in one prefix, whose services run.
fn changed_installs(names: &[&str]) {
    let site = Site::new();
    site.run(&["install"]).success();
    for name in names {
        let old = site.current();
        let word = format!("after-{name}");
        site.says(&word);
        let _ = site.killed(&[name], &["install"]);
        site.is_one_of(name, &[old, old.map(|old| old + 1)]);
        let again = site.run(&["install"]);
        assert_eq!(again.status().code(), Some(0), "{name}: {}", again.text());
        site.is_well(name, &word);
        site.collects(name, "1");
    }
    site.stops("at the end");
}

#[test]
fn a_changed_install_is_killed() {
    changed_installs(CHANGED);
}

#[test]
fn the_supervisor_is_killed_in_a_changed_install() {
    changed_installs(SWITCH);
}

/// Whatever file is written: its writer dies just before it gets its name.
#[test]
fn a_changed_install_is_killed_at_each_write() {
    let site = Site::new();
    site.run(&["install"]).success();
    for count in 1.. {
        assert!(count < 40, "there is no end of it");
        let (old, word, when) = (site.current(), format!("write-{count}"), format!("at write {count}"));
        site.says(&word);
        site.arm(&vec![WRITE; count]);
        let output = site.run(&["install"]);
        if !site.has_fired() {
            assert!(count > 8, "{}", output.text());
            site.disarm();
            output.success();
            break;
        }
        site.is_one_of(&when, &[old, old.map(|old| old + 1)]);
        let again = site.run(&["install"]);
        assert_eq!(again.status().code(), Some(0), "{when}: {}", again.text());
        site.is_well(&when, &word);
        site.collects(&when, "1");
    }
    site.stops("at the end");
}

#[test]
fn a_first_install_is_killed_at_each_write() {
    let mut site = Site::new();
    for count in 1.. {
        assert!(count < 60, "there is no end of it");
        let when = format!("at write {count}");
        site.fresh(count);
        site.arm(&vec![WRITE; count]);
        let output = site.run(&["install"]);
        if !site.has_fired() {
            assert!(count > 12, "{}", output.text());
            site.disarm();
            output.success();
            break;
        }
        site.is_one_of(&when, &[None, Some(1), Some(2)]);
        let again = site.run(&["install"]);
        assert_eq!(again.status().code(), Some(0), "{when}: {}", again.text());
        site.is_well(&when, "one");
        site.collects(&when, "9");
        site.stops(&when);
    }
}

#[test]
fn a_rollback_is_killed() {
    let site = Site::new();
    site.run(&["install"]).success();
    for name in ROLLBACK {
        let words = [format!("before-{name}"), format!("after-{name}")];
        for word in &words {
            site.says(word);
            site.run(&["install", "--release"]).success();
        }
        let old = site.current();
        let target = old.map(|old| old - 1);
        let output = site.killed(&[name], &["rollback"]);
        site.is_one_of(name, &[old, target]);
        if output.status().code() != Some(0) {
            let again = site.run(&["rollback"]);
            assert_eq!(again.status().code(), Some(0), "{name}: {}", again.text());
        }
        site.is_well(name, &words[0]);
        assert_eq!(site.current(), target, "{name}: one step back, not two");
        let held = site.run(&["status"]).success();
        assert!(held.stdout().contains("held at generation"), "{name}: {}", held.text());
        site.run(&["install"]).code(1);
        site.collects(name, "1");
    }
    site.stops("at the end");
}

#[test]
fn a_collection_is_killed() {
    let site = Site::new();
    site.run(&["install"]).success();
    for name in COLLECT {
        site.says(name);
        site.run(&["install"]).success();
        let old = site.current();
        site.killed(&[name], &["gc", "--keep", "0"]).signal(9);
        site.is_one_of(name, &[old]);
        site.collects(name, "0");
        site.is_well(name, name);
        let history = site.run(&["history", "--json"]).success();
        assert_eq!(history.json().as_array().map_or(0, Vec::len), 1, "{name}: {}", history.text());
    }
    site.stops("at the end");
}

#[test]
fn a_wipe_that_keeps_data_is_killed() {
    let site = Site::new();
    for name in WIPE {
        // A long path has a short folder for sockets elsewhere, which the state and the ledger name.
        site.run(&["install"]).success();
        let is_passed = site.wipe(name, &["wipe", "--yes"]);
        assert!(is_passed || ["state-before-rename", "ledger-after-append"].contains(name), "{name} is not passed");
        let kept = fs_err::read_to_string(site.prefix().join("var/app/steps")).expect("data is kept");
        assert_eq!(kept, "one\n", "{name}: the step is not done again");
        assert!(site.sandbox.processes().is_empty(), "{name}");
        site.has_no_rubbish(name);
    }
    site.run(&["install"]).success();
    site.is_well("after all", "one");
    site.stops("at the end");
    let elsewhere = site.sandbox.folder().join("elsewhere");
    site.run(&["wipe", "--yes"]).success();
    assert!(elsewhere.exists(), "data outside the prefix are data");
    // No generation is left that names it.
    site.run(&["wipe", "--data", "--yes"]).success();
    assert!(!elsewhere.exists() && !site.prefix().exists());
}

#[test]
fn a_wipe_with_data_is_killed() {
    let site = Site::new();
    let _ = site.run(&["list"]).success();
    let cache = site.sandbox.home().join(".cache/jove-install");
    let before = site.sandbox.listing();
    for name in WIPE_DATA {
        site.run(&["install"]).success();
        assert!(site.wipe(name, &["wipe", "--data", "--yes"]), "{name} is not passed");
        assert!(site.sandbox.processes().is_empty(), "{name}");
        let lock = site.sandbox.folder().join("jove.lock");
        let after = site.sandbox.listing().without(&cache).without(&lock);
        let more: Vec<String> =
            before.changes(&after).lines().filter(|line| line.starts_with('+')).map(Into::into).collect();
        let more: Vec<&String> = more.iter().filter(|line| !line.contains("/.cache (")).collect();
        assert!(more.is_empty(), "{name}: {more:#?}");
    }
}

impl Site {
    /// A wipe that is killed, and done again; says whether the checkpoint was passed.
    fn wipe(&self, name: &str, arguments: &[&str]) -> bool {
        self.arm(&[name]);
        let output = self.run(arguments);
        if !self.has_fired() {
            self.disarm();
            output.success();
            return false;
        }
        output.signal(9);
        until("an end of what was being stopped", || (self.words().len() <= 1).then_some(()));
        let again = self.run(arguments);
        assert_eq!(again.status().code(), Some(0), "{name}: {}", again.text());
        true
    }
}
