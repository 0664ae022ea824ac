//! Ctrl-C. What is on disk is valid after every instruction, so an interrupted run just ends: the next one goes on from there.
//! Tools that were started end before this process; services belong to the keeper and do not notice.

use std::fmt::Display;
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::generation::Journal;
use crate::ops::Place;

/// What becomes of an installation in which something is made anew, and perhaps tried.
pub fn watch_installation(place: &Place) {
    let (layout, command) = (place.layout.clone(), place.command());
    watch_by(move || match Journal::read(&layout) {
        Ok(Some(Journal { from, to, .. })) => {
            let back =
                from.map_or("stops what it started".to_owned(), |from| format!("goes back to generation {from}"));
            format!(
                "generation {to} is being tried, and the supervisor goes on with that: it commits it, or {back} if that fails; \
                 how it stands: {command} status"
            )
        }
        _ => "nothing is lost: what is running goes on, and the next run goes on from here".to_owned(),
    });
}

/// Ends the program with 130 and a word at the first Ctrl-C. `what` says what has become of things.
pub fn watch(what: &'static str) {
    watch_by(move || what);
}

fn watch_by<W: Display>(what: impl FnOnce() -> W + Send + 'static) {
    let Ok(mut signals) = Signals::new([SIGINT, SIGTERM]) else { return };
    std::thread::spawn(move || {
        if signals.forever().next().is_none() {
            return;
        }
        let tools = crate::process::running();
        anstream::eprintln!("\ninterrupted: {}", what());
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
