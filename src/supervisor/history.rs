//! `log/events.jsonl`: what happened, for `events`; it survives supervisors.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use jiff::{Timestamp, Unit};

use super::message::Event;
use crate::layout::Layout;
use crate::name::PartName;

/// A file of this size is put aside.
const LONG: u64 = 1 << 20;

/// Now, as people read it.
pub(super) fn now() -> String {
    shown(Timestamp::now())
}

/// A moment, as people read it.
pub(super) fn shown(moment: Timestamp) -> String {
    moment.round(Unit::Millisecond).unwrap_or(moment).to_string()
}

fn path(layout: &Layout) -> PathBuf {
    layout.log().join("events.jsonl")
}

/// Appends an entry. Not synced, and no failure stops anything: a full disk must not stop a service.
pub(super) fn append(layout: &Layout, service: Option<&PartName>, what: &str, text: &str) {
    let event = Event { when: now(), service: service.cloned(), what: what.to_owned(), text: text.to_owned() };
    let path = path(layout);
    if fs::metadata(&path).is_ok_and(|facts| facts.len() > LONG) {
        let _ = fs::rename(&path, path.with_extension("jsonl.1"));
    }
    if let (Ok(mut line), Ok(mut file)) =
        (serde_json::to_vec(&event), OpenOptions::new().append(true).create(true).mode(0o600).open(&path))
    {
        line.push(b'\n');
        let _ = file.write_all(&line);
    }
}

/// The last entries, oldest first; lines that are torn are left out. Works without a supervisor.
#[must_use]
pub fn last(layout: &Layout, count: usize) -> Vec<Event> {
    let read = |path: PathBuf| fs::read_to_string(path).unwrap_or_default();
    let text = read(path(layout).with_extension("jsonl.1")) + &read(path(layout));
    let events: Vec<Event> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    events[events.len().saturating_sub(count)..].to_vec()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::{append, last};
    use crate::layout::Layout;

    #[test]
    fn entries_come_back_without_torn_lines() {
        let folder = tempfile::tempdir().expect("folder");
        let layout = Layout::new(folder.path());
        std::fs::create_dir(layout.log()).expect("folder");
        append(&layout, None, "supervisor", "one");
        let mut file = std::fs::File::options().append(true).open(layout.log().join("events.jsonl")).expect("open");
        file.write_all(b"{\"when\":\n").expect("torn");
        append(&layout, Some(&"web".parse().expect("name")), "ready", "");
        let what: Vec<String> = last(&layout, 5).into_iter().map(|event| event.what).collect();
        assert_eq!(what, ["supervisor", "ready"]);
        assert_eq!(last(&layout, 1).len(), 1);
    }
}
