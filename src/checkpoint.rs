//! Named points at which a test may kill or pause this process, to prove that what is on disk is always whole.
//!
//! In a debug build the variable `JOVE_CHECKPOINT` holds `NAME` (kill there with SIGKILL, without any destructor),
//! `NAME=stop` (SIGSTOP) or `NAME=panic`. Or `JOVE_CHECKPOINT_FILE` names a file of such words, a line each: whoever passes the first one takes
//! it away, and who takes the last one is killed. So it reaches processes that run already, happens once, and a name that is
//! written twice means the second time that it is passed. A release build has no such points. [`NAMES`] is the whole list,
//! so that a test can iterate it and an unknown name is a mistake that a test finds.
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
    "git-before-fetch",
    "git-after-fetch",
    "git-after-archive",
    "object-before-build",
    "object-after-build",
    "package-before-keep",
    "deb-after-package",
    "deb-before-patch",
    "deb-after-patch",
    "git-after-checkout",
    "conda-before-link",
    "conda-after-link",
    "object-before-seal",
    "object-after-seal",
    "source-before-build",
    "source-after-build",
    "python-before-install",
    "python-before-bytecode",
    "generation-before-write",
    "generation-after-write",
    "journal-before-write",
    "journal-after-write",
    "trial-before-stop",
    "trial-after-stop",
    "reload-after-link",
    "reload-before-signal",
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
    "dump-before-command",
    "dump-after-pack",
    "dump-before-rename",
    "dump-after-rename",
    "load-before-command",
    "load-after-command",
    "migration-before-command",
    "migration-after-command",
    "back-after-load",
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
    "write-before-rename",
];

/// Passes a checkpoint: does nothing unless a test asked for this one.
pub fn pass(name: &str) {
    #[cfg(debug_assertions)]
    {
        debug_assert!(NAMES.contains(&name), "checkpoint `{name}` is not in the list");
        match wanted_by_variable(name).or_else(|| wanted_by_file(name)) {
            Some(Deed::Panic) => panic!("checkpoint `{name}`"),
            Some(Deed::Signal(signal)) => {
                let _ = rustix::process::kill_process(rustix::process::getpid(), signal);
            }
            None => {}
        }
    }
    #[cfg(not(debug_assertions))]
    let _ = name;
}

/// What happens at a checkpoint.
#[cfg(debug_assertions)]
enum Deed {
    Panic,
    Signal(rustix::process::Signal),
}

/// What the word says, if it is about this checkpoint.
#[cfg(debug_assertions)]
fn deed_of(word: &str, name: &str) -> Option<Deed> {
    use rustix::process::Signal;
    let (wanted, deed) = word.split_once('=').unwrap_or((word, ""));
    let deed = match deed {
        "" => Deed::Signal(Signal::KILL),
        "panic" => Deed::Panic,
        _ => Deed::Signal(Signal::STOP),
    };
    (wanted == name).then_some(deed)
}

#[cfg(debug_assertions)]
fn wanted_by_variable(name: &str) -> Option<Deed> {
    deed_of(&std::env::var("JOVE_CHECKPOINT").ok()?, name)
}

#[cfg(debug_assertions)]
fn wanted_by_file(name: &str) -> Option<Deed> {
    static ONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let path = std::env::var_os("JOVE_CHECKPOINT_FILE")?;
    // Objects are built by several threads: each word is taken by one.
    let _one = ONE.lock();
    let text = std::fs::read_to_string(&path).ok()?;
    let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
    let deed = deed_of(first, name)?;
    if rest.is_empty() {
        return std::fs::remove_file(&path).is_ok().then_some(deed);
    }
    let _ = std::fs::write(&path, rest);
    None
}
