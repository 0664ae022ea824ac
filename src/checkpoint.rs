//! Named points at which a test may kill or pause this process, to prove that what is on disk is always whole.
//!
//! In a debug build the variable `JOVE_CHECKPOINT` holds `NAME` (kill there with SIGKILL, without any destructor) or
//! `NAME=stop` (SIGSTOP). A release build has no such points. [`NAMES`] is the whole list, so that a test can iterate it and
//! an unknown name is a mistake that a test finds.
#![allow(clippy::disallowed_methods, reason = "read at the moment of passing, in debug builds only")]

/// Every checkpoint, in the rough order in which an install passes them.
pub const NAMES: &[&str] = &[
    "identity-before-write",
    "identity-after-write",
    "state-before-rename",
    "state-after-rename",
    "lock-before-rename",
    "lock-after-rename",
    "fetch-before-insert",
    "fetch-after-insert",
    "object-before-build",
    "object-after-build",
    "object-before-seal",
    "object-after-seal",
    "python-before-install",
    "python-before-bytecode",
    "generation-before-write",
    "generation-after-write",
    "journal-before-write",
    "journal-after-write",
    "trial-before-stop",
    "trial-after-stop",
    "trial-after-start",
    "step-before-run",
    "step-after-run",
    "promises-before",
    "commit-before-rename",
    "commit-after-rename",
    "journal-before-remove",
    "journal-after-remove",
    "stamp-before-write",
    "rollback-before-switch",
    "rollback-after-switch",
    "gc-before-object",
    "gc-after-manifest",
    "gc-after-generation",
    "wipe-before-stop",
    "wipe-after-stop",
    "wipe-before-store",
    "wipe-before-data",
    "wipe-before-identity",
    "registry-before-write",
    "ledger-after-append",
];

/// Passes a checkpoint: does nothing unless a test asked for this one.
pub fn pass(name: &str) {
    #[cfg(debug_assertions)]
    {
        debug_assert!(NAMES.contains(&name), "checkpoint `{name}` is not in the list");
        if let Ok(wanted) = std::env::var("JOVE_CHECKPOINT") {
            let (wanted, signal) = match wanted.split_once('=') {
                Some((wanted, _)) => (wanted.to_owned(), rustix::process::Signal::STOP),
                None => (wanted, rustix::process::Signal::KILL),
            };
            if wanted == name {
                let _ = rustix::process::kill_process(rustix::process::getpid(), signal);
            }
        }
    }
    #[cfg(not(debug_assertions))]
    let _ = name;
}
