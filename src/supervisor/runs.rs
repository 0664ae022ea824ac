//! `var/<part>/.runs.jsonl`: the runs of a job, and which of its times are dealt with. It survives supervisors and machines, so that
//! a time that was missed is known, and none is kept twice.
//!
//! A line is written when a time is due, when its run begins, and when that ends; a run without an end is one that nobody saw
//! end. Lines are not synced: a power cut forgets the last ones together with what they began.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::history::shown;
use super::message::Run;
use crate::layout::Layout;
use crate::name::PartName;

/// A file of this size is shortened to its last lines.
const LONG: u64 = 1 << 18;

/// How many lines are kept then.
const KEPT: usize = 500;

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Line {
    pub service: PartName,
    #[serde(flatten)]
    pub what: What,
    /// When it was written.
    pub when: String,
}

/// What a line says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "lowercase")]
pub(super) enum What {
    /// Its times count from now on.
    Armed,
    /// A run's process began.
    Began { number: u64 },
    /// A run is to begin; `due` is none if somebody asked for it.
    Due { number: u64, due: Option<String> },
    /// A run has ended.
    Ended { number: u64, ok: bool, result: String },
    /// Times up to `due` were passed over.
    Missed { due: String, count: u32, why: String },
    /// Its times do not count until it is started.
    Stopped,
}

fn path(layout: &Layout, part: &PartName) -> PathBuf {
    layout.data(part).join(".runs.jsonl")
}

/// Appends a line.
pub(super) fn append(layout: &Layout, part: &PartName, service: &PartName, what: What) -> io::Result<()> {
    let folder = layout.data(part);
    if !folder.is_dir() {
        DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
    }
    let path = path(layout, part);
    if fs::metadata(&path).is_ok_and(|facts| facts.len() > LONG) {
        let text = fs::read_to_string(&path)?;
        let lines: Vec<&str> = text.lines().collect();
        let aside = path.with_extension("new");
        fs::write(&aside, lines[lines.len().saturating_sub(KEPT)..].join("\n") + "\n")?;
        fs_err::rename(&aside, &path)?;
    }
    let line = Line { service: service.clone(), what, when: shown(Timestamp::now()) };
    let mut bytes = serde_json::to_vec(&line)?;
    // Behind a line that a crash tore, an empty one does no harm.
    bytes.insert(0, b'\n');
    bytes.push(b'\n');
    OpenOptions::new().append(true).create(true).mode(0o600).open(&path)?.write_all(&bytes)
}

/// All lines of a job that can be read, oldest first.
pub(super) fn lines(layout: &Layout, part: &PartName, service: &PartName) -> Vec<Line> {
    let text = fs::read_to_string(path(layout, part)).unwrap_or_default();
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Line>(line).ok());
    lines.filter(|line| line.service == *service).collect()
}

/// The runs of a job, oldest first. Works without a supervisor.
#[must_use]
pub fn read(layout: &Layout, part: &PartName, service: &PartName) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for line in lines(layout, part, service) {
        match line.what {
            What::Armed | What::Missed { .. } | What::Stopped => {}
            What::Due { number, due } => runs.push(Run {
                service: service.clone(),
                number,
                due,
                began: None,
                ended: None,
                ok: None,
                result: String::new(),
            }),
            What::Began { number } => {
                if let Some(run) = runs.iter_mut().rev().find(|run| run.number == number) {
                    run.began = Some(line.when);
                }
            }
            What::Ended { number, ok, result } => {
                if let Some(run) = runs.iter_mut().rev().find(|run| run.number == number) {
                    (run.ended, run.ok, run.result) = (Some(line.when), Some(ok), result);
                }
            }
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::{What, append, lines, path, read};
    use crate::layout::Layout;

    #[test]
    fn runs_are_put_together_from_their_lines() {
        let folder = tempfile::tempdir().expect("folder");
        let layout = Layout::new(folder.path());
        let name = "nightly".parse().expect("name");
        let add = |what| append(&layout, &name, &name, what).expect("append");
        add(What::Armed);
        add(What::Due { number: 1, due: Some("2026-01-01T03:00:00Z".into()) });
        add(What::Began { number: 1 });
        let torn = std::fs::read_to_string(path(&layout, &name)).expect("read") + "{\"service\":\"nig";
        std::fs::write(path(&layout, &name), torn).expect("tear");
        add(What::Ended { number: 1, ok: false, result: "it exited with 3".into() });
        add(What::Due { number: 2, due: None });
        let runs = read(&layout, &name, &name);
        assert_eq!((runs.len(), runs[0].ok, runs[0].result.as_str()), (2, Some(false), "it exited with 3"));
        assert!(runs[0].began.is_some() && runs[1].began.is_none() && runs[1].due.is_none());
        assert!(lines(&layout, &name, &"other".parse().expect("name")).is_empty());
    }

    #[test]
    fn a_long_file_keeps_its_last_lines() {
        let folder = tempfile::tempdir().expect("folder");
        let layout = Layout::new(folder.path());
        let name = "often".parse().expect("name");
        for number in 0..4000 {
            append(&layout, &name, &name, What::Began { number }).expect("append");
        }
        let lines = lines(&layout, &name, &name);
        assert!((200..4000).contains(&lines.len()), "{}", lines.len());
        assert_eq!(lines.last().expect("a line").what, What::Began { number: 3999 });
    }
}
