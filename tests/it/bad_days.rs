//! Bad days: what is wrong is said, with what to do next, and nothing is lost.
#![allow(clippy::too_many_lines, reason = "what the program says stands in its test")]

mod damage;
mod failure;
mod interruption;
mod mistakes;
mod places;
mod steps;

const SLEEPER: &str =
    "[parts.app]\nrecipe = \"command\"\ncommand = [\"/bin/sh\", \"-c\", \"while :; do sleep 1000; done\"]\n";
