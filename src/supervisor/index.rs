//! The index beside a service's log: from which byte on it was written when, and by which stream.
//!
//! The log holds the service's own bytes and nothing else. A record of 16 bytes goes with each batch that was moved there: the
//! offset of its first byte, and milliseconds since 1970 with the stream in the lowest eight bits.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Bytes of one record.
const SIZE: usize = 16;

/// Marks the stream of a batch whose lines tell time and stream themselves.
pub(super) const PREFIXED: u8 = 2;

/// One batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Record {
    /// Its first byte in the log.
    pub offset: u64,
    /// When it was moved there, in milliseconds since 1970.
    pub millis: u64,
    /// 0 for standard output, 1 for standard error.
    pub stream: u8,
}

/// The log of a service, and what was rotated away (`number` 1 and more).
pub(super) fn log_path(folder: &Path, service: &str, number: u32) -> PathBuf {
    numbered(folder, service, "log", number)
}

/// The index of that log.
pub(super) fn index_path(folder: &Path, service: &str, number: u32) -> PathBuf {
    numbered(folder, service, "idx", number)
}

fn numbered(folder: &Path, service: &str, kind: &str, number: u32) -> PathBuf {
    folder.join(if number == 0 { format!("{service}.{kind}") } else { format!("{service}.{kind}.{number}") })
}

/// Opens an index for appending.
pub(super) fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

/// Appends a record.
pub(super) fn append(file: &mut File, record: Record) -> io::Result<()> {
    let mut bytes = [0; SIZE];
    bytes[..8].copy_from_slice(&record.offset.to_le_bytes());
    bytes[8..].copy_from_slice(&((record.millis << 8) | u64::from(record.stream)).to_le_bytes());
    file.write_all(&bytes)
}

/// The first record, if there is one.
pub(super) fn first(path: &Path) -> Option<Record> {
    use std::io::Read as _;
    let mut bytes = [0; SIZE];
    File::open(path).ok()?.read_exact(&mut bytes).ok()?;
    parse(&bytes).pop()
}

/// All records, in the order of their offsets; a torn last one is left out.
pub(super) fn read(path: &Path) -> Vec<Record> {
    parse(&fs::read(path).unwrap_or_default())
}

fn parse(bytes: &[u8]) -> Vec<Record> {
    let mut records: Vec<Record> = Vec::with_capacity(bytes.len() / SIZE);
    for record in bytes.chunks_exact(SIZE) {
        let number = |range| u64::from_le_bytes(<[u8; 8]>::try_from(&record[range]).unwrap_or_default());
        let (offset, second) = (number(0..8), number(8..16));
        if records.last().is_none_or(|last| last.offset <= offset) {
            records.push(Record { offset, millis: second >> 8, stream: (second & 0xff) as u8 });
        }
    }
    records
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::{Record, append, index_path, log_path, open, read};

    #[test]
    fn records_come_back_without_a_torn_one() {
        let folder = tempfile::tempdir().expect("folder");
        let path = index_path(folder.path(), "web", 0);
        let mut file = open(&path).expect("open");
        let records = [(0, 5, 0), (10, 6, 1)].map(|(offset, millis, stream)| Record { offset, millis, stream });
        for record in records {
            append(&mut file, record).expect("append");
        }
        file.write_all(&[1, 2, 3]).expect("torn");
        assert_eq!(read(&path), records);
        assert!(log_path(folder.path(), "web", 2).ends_with("web.log.2"));
    }
}
