//! Draws what goes on: bars on a terminal, lines elsewhere. Everything goes to standard error.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::progress::{Event, Report, Reporter, silent};

/// The reporter for a kind of terminal.
#[must_use]
pub fn reporter(terminal: bool, verbose: bool, quiet: bool) -> Reporter {
    match (quiet, terminal) {
        (true, _) => silent(),
        (false, true) => Arc::new(Bars { verbose, all: MultiProgress::new(), bars: Mutex::default() }),
        (false, false) => Arc::new(Lines { verbose }),
    }
}

/// Plain lines: stages, notes, and the end of each piece of work.
struct Lines {
    verbose: bool,
}

impl Report for Lines {
    fn report(&self, event: Event) {
        match event {
            Event::Stage(stage) => anstream::eprintln!("{stage}"),
            Event::Note(note) => anstream::eprintln!("  {note}"),
            Event::Detail(detail) if self.verbose => anstream::eprintln!("  {detail}"),
            Event::End { task } => anstream::eprintln!("  {task}"),
            Event::Detail(_) | Event::Begin { .. } | Event::Advance { .. } => {}
        }
    }
}

/// A bar for each piece of work, below the lines.
struct Bars {
    verbose: bool,
    all: MultiProgress,
    bars: Mutex<BTreeMap<String, ProgressBar>>,
}

impl Bars {
    fn begin(&self, task: String, total: Option<u64>) {
        let bar = match total {
            Some(total) => {
                ProgressBar::new(total).with_style(style("  {msg:36!} {bar:28} {bytes:>10}/{total_bytes} {elapsed}"))
            }
            None => ProgressBar::new_spinner().with_style(style("  {msg:36!} {spinner} {elapsed}")),
        };
        let bar = self.all.add(bar.with_message(task.clone()));
        bar.enable_steady_tick(Duration::from_millis(120));
        self.bars.lock().unwrap_or_else(PoisonError::into_inner).insert(task, bar);
    }
}

impl Report for Bars {
    fn report(&self, event: Event) {
        // A line that cannot be drawn is no reason to stop the work.
        match event {
            Event::Stage(stage) => drop(self.all.println(stage)),
            Event::Note(note) => drop(self.all.println(format!("  {note}"))),
            Event::Detail(detail) if self.verbose => drop(self.all.println(format!("  {detail}"))),
            Event::Detail(_) => {}
            Event::Begin { task, total } => self.begin(task, total),
            Event::Advance { task, bytes } => {
                if let Some(bar) = self.bars.lock().unwrap_or_else(PoisonError::into_inner).get(&task) {
                    bar.inc(bytes);
                }
            }
            Event::End { task } => {
                if let Some(bar) = self.bars.lock().unwrap_or_else(PoisonError::into_inner).remove(&task) {
                    bar.finish_and_clear();
                    self.all.remove(&bar);
                }
            }
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("━╸ ")
}
