//! What every verb has at hand: the surroundings, the global flags, and the two doors to the terminal.

use std::io::{IsTerminal as _, Write as _};

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use crate::cli::args::{Color, Global};
use crate::cli::progress;
use crate::diagnostic::{Diagnostics, draw};
use crate::host::Host;
use crate::ops::{Choice, OpError, OpResult, Place};
use crate::progress::Reporter;

/// Verbs that know the folder of `supervise`.
const OF_FOLDERS: [&str; 12] = [
    "events",
    "logs",
    "reload",
    "restart",
    "run-now",
    "runs",
    "shutdown",
    "signal",
    "start",
    "status",
    "stop",
    "supervise",
];

/// A command line face.
pub struct Face {
    /// The surroundings.
    pub host: Host,
    /// The global flags.
    pub global: Global,
    color: bool,
}

impl Face {
    /// Settles colours once for both doors.
    #[must_use]
    pub fn new(host: Host, global: Global) -> Self {
        let color = match global.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => {
                host.var("NO_COLOR").is_none() && host.var("TERM") != Some("dumb") && std::io::stderr().is_terminal()
            }
        };
        let choice = if color { anstream::ColorChoice::Always } else { anstream::ColorChoice::Never };
        choice.write_global();
        Self { host, global, color }
    }

    /// Whether a project or a profile says what to install; else a bare call is a question.
    #[must_use]
    pub fn names_a_place(&self) -> bool {
        self.global.profile.is_some() || self.global.prefix.is_some() || self.place("install").is_ok()
    }

    /// Where the run works.
    ///
    /// # Errors
    /// As [`Place::find`].
    pub fn place(&self, verb: &str) -> OpResult<Place> {
        let choice = Choice {
            profile: self.global.profile.clone(),
            prefix: self.global.prefix.clone(),
            directory: self.global.directory.clone(),
            sets: self.global.set.clone(),
            offline: self.global.offline,
            no_wait: self.global.no_wait,
            verb: verb.to_owned(),
        };
        match &self.global.dir {
            None => Place::find(self.host.clone(), choice),
            Some(folder) if OF_FOLDERS.contains(&verb) => Ok(Place::of_folder(self.host.clone(), choice, folder)),
            Some(_) => Err(OpError::usage(format!("`{verb}` knows no folder of `supervise` (--dir)"))
                .hint("an installation's folder is given by --prefix")),
        }
    }

    /// Who draws what goes on: bars on a terminal, lines elsewhere, nothing under `--quiet`.
    #[must_use]
    pub fn reporter(&self) -> Reporter {
        let terminal = std::io::stderr().is_terminal() && self.host.var("CI").is_none();
        progress::reporter(terminal, self.global.verbose > 0, self.global.quiet)
    }

    /// Prints a result: as JSON if that is asked for, else as `text` says.
    pub fn result(&self, data: &impl Serialize, text: impl FnOnce() -> String) {
        let out = if self.global.json {
            serde_json::to_string_pretty(data).unwrap_or_else(|error| error.to_string())
        } else {
            text()
        };
        self.print(&out);
    }

    /// Prints text on standard output. A closed pipe ends the program quietly.
    pub fn print(&self, text: &str) {
        // One write for all lines.
        let mut out = std::io::BufWriter::new(anstream::stdout().lock());
        let text = text.trim_end_matches('\n');
        if !text.is_empty() && (writeln!(out, "{text}").is_err() || out.flush().is_err()) {
            std::process::exit(0);
        }
    }

    /// Says something on standard error.
    pub fn say(&self, text: &str) {
        if !self.global.quiet {
            anstream::eprintln!("{text}");
        }
    }

    /// Shows what is worth a look.
    pub fn warn(&self, warnings: &Diagnostics) {
        if !warnings.0.is_empty() && !self.global.quiet {
            anstream::eprintln!("{}", draw::draw(warnings, self.color).trim_end());
        }
    }

    /// Shows an error, its places and its remedies; as JSON on standard output too if that is asked for.
    pub fn error(&self, error: &OpError) {
        if self.global.json {
            let data = serde_json::json!({ "error": {
                "lines": error.lines, "hints": error.hints, "diagnostics": draw::json(&error.diagnostics),
            }});
            self.print(&data.to_string());
        }
        if !error.diagnostics.0.is_empty() {
            anstream::eprintln!("{}", draw::draw(&error.diagnostics, self.color).trim_end());
        }
        let red = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
        for (index, line) in error.lines.iter().enumerate() {
            match index {
                0 => anstream::eprintln!("{red}error{red:#}: {line}"),
                _ => anstream::eprintln!("  {line}"),
            }
        }
        let bold = Style::new().bold();
        if !error.hints.is_empty() && !error.lines.is_empty() {
            anstream::eprintln!();
        }
        for hint in &error.hints {
            anstream::eprintln!("{bold}hint{bold:#}: {hint}");
        }
    }
}
