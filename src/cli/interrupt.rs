//! Ctrl-C. What is on disk is valid after every instruction, so an interrupted run just ends: the next one goes on from there.
//! Tools that were started end before this process; services belong to the keeper and do not notice.

use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// Ends the program with 130 and a word at the first Ctrl-C. `what` says what has become of things.
pub fn watch(what: &'static str) {
    let Ok(mut signals) = Signals::new([SIGINT, SIGTERM]) else { return };
    std::thread::spawn(move || {
        if signals.forever().next().is_none() {
            return;
        }
        let tools = crate::process::running();
        anstream::eprintln!("\ninterrupted: {what}");
        tools.interrupt();
        // A tool may clean up; a second Ctrl-C kills it.
        while !tools.are_gone_within(Duration::from_millis(50)) {
            if signals.pending().next().is_some() {
                tools.interrupt();
            }
        }
        std::process::exit(130);
    });
}
