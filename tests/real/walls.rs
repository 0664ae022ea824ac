//! Walls around a run: Landlock, under which nothing outside can be written by construction.

use std::io::Write as _;
use std::path::Path;

use landlock::{ABI, AccessFs, Ruleset, RulesetAttr as _, RulesetCreatedAttr as _, RulesetStatus, path_beneath_rules};

/// Runs some work, and everything that it starts, where nothing can be written but these places and what is below them. Where
/// the kernel has no Landlock it runs without walls, and says so.
pub fn confined(places: &[&Path], work: impl FnOnce() + Send) {
    let walls = || {
        let writing = AccessFs::from_write(ABI::V3);
        let rules = Ruleset::default().handle_access(writing).unwrap().create().unwrap();
        let status = rules.add_rules(path_beneath_rules(places, writing)).unwrap().restrict_self().unwrap();
        if status.ruleset == RulesetStatus::NotEnforced {
            let _ = writeln!(
                std::io::stderr(),
                "there is no Landlock here: nothing keeps this test from writing elsewhere"
            );
        } else {
            // They stand, or the test proves nothing.
            assert!(std::fs::write(std::env::temp_dir().join("jove-it-walls"), "x").is_err());
        }
        work();
    };
    let done = std::thread::scope(|scope| scope.spawn(walls).join());
    if let Err(panic) = done {
        std::panic::resume_unwind(panic);
    }
}
