//! The last lines of a log, for the message that says why something failed.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use super::index::log_path;

/// How many lines are shown where a command fails.
pub(super) const OF_FAILURE: usize = 12;

/// How many lines are shown beside the state of one that has failed.
pub(super) const OF_STATUS: usize = 5;

/// How far back is looked for them.
const BYTES: u64 = 1 << 14;

/// The last lines of a service's log, from a byte on; as many as `most`.
pub(super) fn lines(folder: &Path, service: &str, from: u64, most: usize) -> Vec<String> {
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = File::open(log_path(folder, service, 0))?;
        let end = file.metadata()?.len();
        // A log that was rotated since is shorter.
        let from = if from > end { 0 } else { from };
        file.seek(SeekFrom::Start(from.max(end.saturating_sub(BYTES))))?;
        let mut bytes = Vec::new();
        file.take(BYTES).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(most)..].iter().map(|line| (*line).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::lines;

    #[test]
    fn only_what_was_said_since_counts() {
        let folder = tempfile::tempdir().expect("folder");
        std::fs::write(folder.path().join("web.log"), "old\nnew\nnewer").expect("write");
        assert_eq!(lines(folder.path(), "web", 4, 12), ["new", "newer"]);
        assert_eq!(lines(folder.path(), "web", 400, 12), ["old", "new", "newer"]);
        assert_eq!(lines(folder.path(), "web", 0, 1), ["newer"]);
        assert!(lines(folder.path(), "db", 0, 12).is_empty());
    }
}
