//! Killed between any two writes, what is kept of a prefix is the old or the new, and the next run goes on.

use std::collections::BTreeSet;
use std::path::Path;

use super::identity::Claim;
use super::registry::RegistryEntry;
use super::{Identity, Ledger, Registry, State, run};
use crate::fs::crash;
use crate::layout::Layout;

fn claim() -> Claim<'static> {
    Claim { owner: Path::new(""), project: "pywps", profile: "demo", machine: "" }
}

/// What an install does to all of it. The prefix's path is too long for sockets.
fn install(folder: &Path) {
    let layout = Layout::new(folder.join("long".repeat(30)));
    let ledger = Ledger::new(&layout, "ann");
    let identity = Identity::create(&layout, &claim()).expect("made");
    let mut state = State::load(&layout).expect("loaded");
    run::ensure(&layout, &mut state, &identity, &ledger).expect("made");
    state.ports.insert("wps.port".into(), 20_000);
    state.save(&layout).expect("saved");
    let entry = RegistryEntry::of(&identity, state.ports.values().copied().collect(), BTreeSet::new());
    Registry::new(folder.join("registry")).write(&entry).expect("written");
}

#[test]
#[ignore = "is run and killed by the test below"]
fn killed_child() {
    if let Some(folder) = crash::folder() {
        install(&folder);
    }
}

#[test]
fn killed_anywhere_the_next_run_goes_on_and_nothing_is_forgotten() {
    let checkpoints = [
        "identity-before-write",
        "identity-after-write",
        "ledger-after-append",
        "state-before-rename",
        "state-after-rename",
        "registry-before-write",
    ];
    for checkpoint in checkpoints {
        let folder = tempfile::tempdir().expect("folder");
        crash::killed_at("state::crash_tests::killed_child", checkpoint, folder.path());
        install(folder.path());
        let layout = Layout::new(folder.path().join("long".repeat(30)));
        let (ledger, mut state) = (Ledger::new(&layout, "ann"), State::load(&layout).expect("loaded"));
        let identity = Identity::open(&layout).expect("open").expect("there");
        let outside = ledger.outside().expect("read");
        assert_eq!(outside.iter().map(|one| &one.path).collect::<Vec<_>>(), [state.run.as_ref().expect("short")]);
        run::remove(&layout, &mut state, &identity, &ledger).expect("removed");
        assert!(!outside[0].path.exists(), "{checkpoint}");
        assert_eq!(Registry::new(folder.path().join("registry")).list().len(), 1, "{checkpoint}");
    }
}
