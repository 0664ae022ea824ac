//! The ledger: who did what when, and everything that was made outside the prefix, one line each.
//!
//! A line is appended whole and synced *before* the thing it names is made, so that nothing lies outside that the ledger does
//! not know. A line that a power cut tore is passed over.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::checkpoint;
use crate::layout::Layout;

/// What a line is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Something is made outside the prefix.
    Made,
    /// Something outside the prefix was removed.
    Removed,
    /// A verb runs.
    Run,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerEntry {
    /// When (RFC 3339, UTC).
    pub when: String,
    /// Who: the user, and the machine.
    pub who: String,
    /// What the line is about.
    pub kind: Kind,
    /// The verb that ran.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub verb: String,
    /// Its arguments, without secrets (the caller sees to that).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub argv: Vec<String>,
    /// What was made or removed: `run folder`, `registry entry`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub what: Option<String>,
    /// Where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
}

/// Something of ours outside the prefix.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Outside {
    /// Where.
    pub path: PathBuf,
    /// What it is.
    pub what: String,
}

/// The ledger of one prefix.
#[derive(Debug, Clone)]
pub struct Ledger {
    path: PathBuf,
    who: String,
}

impl Ledger {
    /// The ledger of a prefix. `who` is written into each line of this run.
    pub fn new(layout: &Layout, who: impl Into<String>) -> Self {
        Self { path: layout.ledger(), who: who.into() }
    }

    /// Notes that a verb runs.
    ///
    /// # Errors
    /// If the line cannot be written.
    pub fn run(&self, verb: &str, argv: &[String]) -> io::Result<()> {
        self.append(&LedgerEntry { verb: verb.to_owned(), argv: argv.to_vec(), ..self.entry(Kind::Run) })
    }

    /// Notes what is about to be made outside the prefix, unless it is noted already.
    ///
    /// # Errors
    /// If the line cannot be written; then it must not be made.
    pub fn made(&self, what: &str, path: &Path) -> io::Result<()> {
        if self.outside()?.iter().any(|outside| outside.path == path && outside.what == what) {
            return Ok(());
        }
        self.append(&self.about(Kind::Made, what, path))
    }

    /// Notes what was removed outside the prefix.
    ///
    /// # Errors
    /// If the line cannot be written.
    pub fn removed(&self, what: &str, path: &Path) -> io::Result<()> {
        self.append(&self.about(Kind::Removed, what, path))
    }

    /// Notes all that lies outside as not this prefix's: a copy has the ledger of the first one, whose things they are.
    ///
    /// # Errors
    /// If the ledger cannot be read or written.
    pub fn disown(&self) -> io::Result<()> {
        self.outside()?.iter().try_for_each(|outside| self.removed(&outside.what, &outside.path))
    }

    /// All lines that can be read, oldest first.
    ///
    /// # Errors
    /// If the file is there and cannot be read.
    pub fn read(&self) -> io::Result<Vec<LedgerEntry>> {
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(named(&self.path, &error)),
        };
        let mut entries = Vec::new();
        for line in BufReader::new(file).split(b'\n') {
            let line = line.map_err(|error| named(&self.path, &error))?;
            entries.extend(serde_json::from_slice::<LedgerEntry>(&line));
        }
        Ok(entries)
    }

    /// What was made outside the prefix and not removed since, sorted by path.
    ///
    /// # Errors
    /// If the file is there and cannot be read.
    pub fn outside(&self) -> io::Result<Vec<Outside>> {
        let mut outside = std::collections::BTreeSet::new();
        for entry in self.read()? {
            let (Some(path), Some(what)) = (entry.path, entry.what) else { continue };
            let thing = Outside { path, what };
            match entry.kind {
                Kind::Made => outside.insert(thing),
                Kind::Removed => outside.remove(&thing),
                Kind::Run => false,
            };
        }
        Ok(outside.into_iter().collect())
    }

    /// Adds one line, whole and synced.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn append(&self, entry: &LedgerEntry) -> io::Result<()> {
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        let mut write = || {
            let mut file = File::options().read(true).append(true).create(true).mode(0o600).open(&self.path)?;
            if is_torn(&mut file)? {
                line.insert(0, b'\n');
            }
            file.write_all(&line)?;
            file.sync_data()
        };
        write().map_err(|error| named(&self.path, &error))?;
        checkpoint::pass("ledger-after-append");
        Ok(())
    }

    fn entry(&self, kind: Kind) -> LedgerEntry {
        LedgerEntry {
            when: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            who: self.who.clone(),
            kind,
            verb: String::new(),
            argv: Vec::new(),
            what: None,
            path: None,
        }
    }

    fn about(&self, kind: Kind, what: &str, path: &Path) -> LedgerEntry {
        LedgerEntry { what: Some(what.to_owned()), path: Some(path.to_owned()), ..self.entry(kind) }
    }
}

/// Whether the last line was cut.
fn is_torn(file: &mut File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(false);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("the ledger {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    fn sample() -> (tempfile::TempDir, Ledger) {
        let folder = tempfile::tempdir().expect("folder");
        let ledger = Ledger::new(&Layout::new(folder.path()), "ann@host");
        (folder, ledger)
    }

    #[test]
    fn lines_are_kept_in_order_for_this_user_only() {
        let (_folder, ledger) = sample();
        assert_eq!(ledger.read().expect("none yet"), []);
        ledger.run("install", &["-p".to_owned(), "demo".to_owned()]).expect("appended");
        ledger.made("run folder", Path::new("/tmp/x")).expect("appended");
        let entries = ledger.read().expect("read");
        assert_eq!((entries[0].verb.as_str(), entries[0].kind, entries[1].kind), ("install", Kind::Run, Kind::Made));
        let when = &entries[0].when;
        let text =
            std::fs::read_to_string(&ledger.path).expect("text").replace(when, "T").replace(&entries[1].when, "T");
        insta::assert_snapshot!(text, @r#"
        {"when":"T","who":"ann@host","kind":"run","verb":"install","argv":["-p","demo"]}
        {"when":"T","who":"ann@host","kind":"made","what":"run folder","path":"/tmp/x"}
        "#);
        assert_eq!(ledger.path.metadata().expect("there").mode() & 0o777, 0o600);
    }

    #[test]
    fn what_lies_outside_is_what_was_made_and_not_removed() {
        let (_folder, ledger) = sample();
        for path in ["/tmp/b", "/tmp/a", "/tmp/b"] {
            ledger.made("run folder", Path::new(path)).expect("appended");
        }
        assert_eq!(ledger.read().expect("read").len(), 2);
        ledger.removed("run folder", Path::new("/tmp/b")).expect("appended");
        let outside = ledger.outside().expect("read");
        assert_eq!(outside, [Outside { path: "/tmp/a".into(), what: "run folder".into() }]);
        ledger.made("run folder", Path::new("/tmp/b")).expect("appended");
        assert_eq!(ledger.outside().expect("read").len(), 2);
        ledger.disown().expect("appended");
        assert_eq!(ledger.outside().expect("read"), []);
    }

    #[test]
    fn a_torn_line_costs_only_itself() {
        let (_folder, ledger) = sample();
        for (torn, left) in [(1, 1), (30, 1)] {
            let _ = std::fs::remove_file(&ledger.path);
            ledger.run("install", &[]).expect("appended");
            ledger.run("wipe", &[]).expect("appended");
            let text = std::fs::read(&ledger.path).expect("text");
            std::fs::write(&ledger.path, &text[..text.len() - torn]).expect("torn");
            // Without its last newline only, the line is whole.
            assert_eq!(ledger.read().expect("read").len(), if torn == 1 { 2 } else { left });
            ledger.run("gc", &[]).expect("appended");
            let verbs: Vec<String> = ledger.read().expect("read").into_iter().map(|entry| entry.verb).collect();
            assert_eq!(verbs.last().map(String::as_str), Some("gc"));
            assert_eq!(verbs.first().map(String::as_str), Some("install"));
        }
    }

    #[test]
    fn garbage_is_passed_over() {
        let (_folder, ledger) = sample();
        std::fs::write(&ledger.path, b"\xff\xff\n{}\n[1]\nnull\n").expect("written");
        ledger.run("install", &[]).expect("appended");
        assert_eq!(ledger.read().expect("read").len(), 1);
    }

    #[test]
    fn a_ledger_that_cannot_be_written_is_named() {
        let ledger = Ledger::new(&Layout::new("/nowhere/at/all"), "ann");
        assert!(
            ledger.run("install", &[]).expect_err("no folder").to_string().contains("/nowhere/at/all/ledger.jsonl")
        );
    }
}
