//! Standard error of a process that must not fall because nobody hears it.
//!
//! `eprintln!` panics where writing fails. Standard error of keeper and supervisor is a file, on a disk that may be full.

use std::fmt::Display;
use std::io::{self, Write as _};

/// Says a line to whoever reads standard error; that it cannot be said changes nothing.
pub fn say(words: impl Display) {
    let _ = writeln!(io::stderr(), "{words}");
}

/// Trouble that lasts while something is tried again and again: told when it begins and when it is over.
#[derive(Debug, Default)]
pub struct Trouble {
    is_told: bool,
}

impl Trouble {
    /// It is there.
    pub fn begins(&mut self, words: impl Display) {
        if !std::mem::replace(&mut self.is_told, true) {
            say(words);
        }
    }

    /// It is not there, or not any more.
    pub fn ends(&mut self, words: impl Display) {
        if std::mem::take(&mut self.is_told) {
            say(words);
        }
    }
}
