//! `var/<part>/.steps.jsonl`: which data steps were done, so that each runs once per key.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::history;
use crate::layout::Layout;
use crate::name::PartName;
use crate::service::{Kind, ServiceSpec};

#[derive(Serialize, Deserialize)]
struct Done {
    name: PartName,
    key: String,
    when: String,
    generation: Option<u32>,
    /// It is as if it had not been done.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_undone: bool,
}

fn path(layout: &Layout, part: &PartName) -> PathBuf {
    layout.data(part).join(".steps.jsonl")
}

/// Whether a service is a data step that was done with its key.
pub(super) fn is_done(layout: &Layout, spec: &ServiceSpec) -> bool {
    let Kind::Step { key } = &spec.kind else { return false };
    let text = fs::read_to_string(path(layout, &spec.part)).unwrap_or_default();
    let mut lines = text.lines().rev().filter_map(|line| serde_json::from_str::<Done>(line).ok());
    let last = lines.find(|done| done.name == spec.name && done.key == *key);
    last.is_some_and(|done| !done.is_undone)
}

/// Records that a data step was done; synced, since running it again may do harm.
pub(super) fn record(layout: &Layout, spec: &ServiceSpec, generation: Option<u32>) -> io::Result<()> {
    write(layout, spec, generation, false)
}

/// Records that what a data step did is undone: it runs again where it is wanted again.
pub(super) fn undo(layout: &Layout, spec: &ServiceSpec) -> io::Result<()> {
    if is_done(layout, spec) { write(layout, spec, None, true) } else { Ok(()) }
}

fn write(layout: &Layout, spec: &ServiceSpec, generation: Option<u32>, is_undone: bool) -> io::Result<()> {
    let Kind::Step { key } = &spec.kind else { return Ok(()) };
    let done = Done { name: spec.name.clone(), key: key.clone(), when: history::now(), generation, is_undone };
    let folder = layout.data(&spec.part);
    if !folder.is_dir() {
        DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
    }
    let path = path(layout, &spec.part);
    let mut file = OpenOptions::new().append(true).read(true).create(true).mode(0o600).open(&path)?;
    let mut line = serde_json::to_vec(&done)?;
    line.push(b'\n');
    if !fs::read(&path)?.ends_with(b"\n") {
        // A torn line of a crash, or an empty file: a line end more does no harm.
        line.insert(0, b'\n');
    }
    file.write_all(&line)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::{is_done, path, record, undo};
    use crate::layout::Layout;
    use crate::service::testing::spec;
    use crate::service::{Kind, ServiceSpec};

    fn step(key: &str) -> ServiceSpec {
        ServiceSpec { kind: Kind::Step { key: key.into() }, ..spec("db") }
    }

    #[test]
    fn a_step_is_done_once_per_key() {
        let folder = tempfile::tempdir().expect("folder");
        let layout = Layout::new(folder.path());
        assert!(!is_done(&layout, &step("1")));
        record(&layout, &step("1"), Some(3)).expect("record");
        assert!(is_done(&layout, &step("1")));
        assert!(!is_done(&layout, &step("2")));
        let file = path(&layout, &step("1").part);
        std::fs::write(&file, std::fs::read_to_string(&file).expect("read") + "{\"torn").expect("tear");
        record(&layout, &step("2"), Some(4)).expect("record");
        assert!(is_done(&layout, &step("1")) && is_done(&layout, &step("2")));
        undo(&layout, &step("2")).expect("undone");
        assert!(is_done(&layout, &step("1")) && !is_done(&layout, &step("2")));
        record(&layout, &step("2"), Some(5)).expect("record");
        assert!(is_done(&layout, &step("2")));
    }
}
