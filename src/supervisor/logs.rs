//! Reads services' logs from their files, whether a supervisor runs or not.
//!
//! The log holds the bytes of both streams as they came, the index says which came when ([`super::index`]). Lines are put
//! together by stream, so that two streams that took turns do not cut each other's lines.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::change::Changes;
use super::index::{self, PREFIXED, Record, index_path, log_path};
use super::shelf;
use crate::generation::{self, Manifest};
use crate::layout::Layout;
use crate::name::PartName;

/// A change that was missed is found after this long.
const LOOK: Duration = Duration::from_secs(1);

/// The most that is read of a log that grows, in one go.
const BATCH: u64 = 1 << 20;

/// Where lines are put together that tell their streams themselves.
const TOLD: usize = 2;

/// One line of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// The service.
    pub service: PartName,
    /// When it came (RFC 3339, UTC).
    #[serde(with = "timestamp")]
    pub when: Timestamp,
    /// `out` or `err`.
    pub stream: Stream,
    /// The line without its end; what is no UTF-8 is replaced.
    pub text: String,
}

/// Where a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// Standard error.
    Err,
    /// Standard output.
    Out,
}

/// Which lines are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Services or parts; empty for all.
    pub names: Vec<PartName>,
    /// The last so many of each service; `None` for all.
    pub lines: Option<usize>,
    /// Go on with what comes.
    pub follow: bool,
    /// Not before this.
    pub since: Option<Timestamp>,
    /// Not after this.
    pub until: Option<Timestamp>,
    /// Only lines that contain this.
    pub grep: Option<String>,
}

/// Gives lines to `write` in the order of their times, until there are no more or it says `false`.
///
/// # Errors
/// If a log cannot be read.
pub fn tail(layout: &Layout, wanted: &Wanted, write: &mut dyn FnMut(LogLine) -> bool) -> io::Result<()> {
    tail_while(layout, wanted, write, &|| true)
}

/// The same for as long as somebody hears, which is asked now and then while no line comes.
pub(super) fn tail_while(
    layout: &Layout,
    wanted: &Wanted,
    write: &mut dyn FnMut(LogLine) -> bool,
    is_heard: &dyn Fn() -> bool,
) -> io::Result<()> {
    let folder = layout.log();
    let names = services(layout, &wanted.names);
    // The watch stands before the first look, so that nothing falls between.
    let changes = if wanted.follow { Some(Changes::of(&folder)?) } else { None };
    let mut readers: Vec<Reader> = names.into_iter().map(|name| Reader::new(&folder, name)).collect();
    let mut lines = Vec::new();
    for reader in &mut readers {
        let mut kept = VecDeque::new();
        reader.read_all(&mut |line| {
            if wanted.has(&line) {
                kept.push_back(line);
                if wanted.lines.is_some_and(|most| kept.len() > most) {
                    kept.pop_front();
                }
            }
        })?;
        lines.extend(kept);
    }
    loop {
        lines.sort_by_key(|line| line.when);
        for line in lines.drain(..) {
            if !write(line) {
                return Ok(());
            }
        }
        let Some(changes) = changes.as_ref().filter(|_| is_heard()) else { return Ok(()) };
        changes.wait(LOOK)?;
        for name in services(layout, &wanted.names) {
            if readers.iter().all(|reader| reader.service != name) {
                readers.push(Reader::new(&folder, name));
            }
        }
        for reader in &mut readers {
            reader.read_on(&mut |line| {
                if wanted.has(&line) {
                    lines.push(line);
                }
            })?;
        }
    }
}

impl Wanted {
    fn has(&self, line: &LogLine) -> bool {
        self.since.is_none_or(|since| line.when >= since)
            && self.until.is_none_or(|until| line.when <= until)
            && self.grep.as_ref().is_none_or(|words| line.text.contains(words.as_str()))
    }
}

/// The services that have logs, of those that are meant.
#[must_use]
pub fn services(layout: &Layout, names: &[PartName]) -> Vec<PartName> {
    let specs = generation::current(layout)
        .and_then(|number| Manifest::services(layout, number).ok())
        .map(|services| services.services)
        .unwrap_or_default();
    let is_meant = |service: &PartName| {
        let part = specs.iter().find(|spec| spec.name == *service).map(|spec| &spec.part);
        names.is_empty() || names.contains(service) || part.is_some_and(|part| names.contains(part))
    };
    let entries = std::fs::read_dir(layout.log()).into_iter().flatten().flatten();
    let mut found: Vec<PartName> = entries
        .filter_map(|entry| entry.file_name().to_str()?.strip_suffix(".idx")?.parse().ok())
        .filter(is_meant)
        .collect();
    found.sort();
    found
}

/// Reads one service's log.
struct Reader {
    folder: PathBuf,
    service: PartName,
    /// The file that is read on, and how far it was read.
    file: Option<File>,
    offset: u64,
    /// The index that goes with it: it tells how often the log was put aside since.
    index: Option<File>,
    /// Lines that have not ended yet, by stream; the last ones tell their streams themselves.
    open: [Vec<u8>; 3],
    /// When they began.
    began: [u64; 3],
}

impl Reader {
    fn new(folder: &Path, service: PartName) -> Self {
        Self {
            folder: folder.to_owned(),
            service,
            file: None,
            offset: 0,
            index: None,
            open: Default::default(),
            began: [0; 3],
        }
    }

    /// Everything that is kept, oldest first.
    fn read_all(&mut self, line: &mut dyn FnMut(LogLine)) -> io::Result<()> {
        for number in (1..=shelf::oldest(&self.folder, self.service.as_str())).rev() {
            self.read_kept(number, line)?;
        }
        self.read_on(line)
    }

    /// One that was put aside, whole.
    fn read_kept(&mut self, number: u32, line: &mut dyn FnMut(LogLine)) -> io::Result<()> {
        let service = self.service.as_str();
        let Some(mut file) = shelf::open(&self.folder, service, number)? else { return Ok(()) };
        let records = index::read(&index_path(&self.folder, service, number));
        let mut buffer = vec![0; 1 << 16];
        self.offset = 0;
        loop {
            let count = file.read(&mut buffer)?;
            if count == 0 {
                return Ok(());
            }
            self.take(&buffer[..count], &records, line);
            self.offset += count as u64;
        }
    }

    /// What has come since.
    fn read_on(&mut self, line: &mut dyn FnMut(LogLine)) -> io::Result<()> {
        let service = self.service.as_str().to_owned();
        if let Some(number) = self.put_aside() {
            // The rest of the file that is held, by the index that went with it, and those that came and went since.
            let records = index::read(&index_path(&self.folder, &service, number));
            self.read_file(&records, line)?;
            (self.file, self.index) = (None, None);
            for number in (1..number).rev() {
                self.read_kept(number, line)?;
            }
        }
        if self.file.is_none() {
            self.file = open(&log_path(&self.folder, &service, 0))?;
            self.offset = 0;
        }
        if self.index.is_none() && self.file.is_some() {
            self.index = open(&index_path(&self.folder, &service, 0))?;
        }
        let records = index::read(&index_path(&self.folder, &service, 0));
        self.read_file(&records, line)
    }

    /// How often the log that is read was put aside since; `None` if it is the current one.
    fn put_aside(&self) -> Option<u32> {
        use std::os::unix::fs::MetadataExt as _;
        let held = self.index.as_ref()?.metadata().ok()?.ino();
        let is_it = |number: &u32| {
            let path = index_path(&self.folder, self.service.as_str(), *number);
            std::fs::metadata(path).is_ok_and(|facts| facts.ino() == held)
        };
        let oldest = shelf::oldest(&self.folder, self.service.as_str());
        match (0..=oldest).find(is_it) {
            Some(0) => None,
            // One that is not kept any more is behind the last.
            found => Some(found.unwrap_or(oldest + 1)),
        }
    }

    fn read_file(&mut self, records: &[Record], line: &mut dyn FnMut(LogLine)) -> io::Result<()> {
        loop {
            let Some(file) = &mut self.file else { return Ok(()) };
            file.seek(SeekFrom::Start(self.offset))?;
            let mut bytes = Vec::new();
            file.take(BATCH).read_to_end(&mut bytes)?;
            if bytes.is_empty() {
                return Ok(());
            }
            self.take(&bytes, records, line);
            self.offset += bytes.len() as u64;
        }
    }

    /// Puts lines together from bytes that begin at `self.offset`.
    fn take(&mut self, bytes: &[u8], records: &[Record], line: &mut dyn FnMut(LogLine)) {
        let (start, end) = (self.offset, self.offset + bytes.len() as u64);
        let mut next = records.partition_point(|record| record.offset <= start);
        let mut at = start;
        while at < end {
            let until = records.get(next).map_or(end, |record| record.offset.min(end));
            let record = next.checked_sub(1).and_then(|last| records.get(last));
            let (millis, stream) = record.map_or((0, 0), |record| (record.millis, record.stream));
            // The range is within `bytes` by the two lines above.
            let range = usize::try_from(at - start).unwrap_or(0)..usize::try_from(until - start).unwrap_or(0);
            let slot = if stream & PREFIXED == 0 { usize::from(stream == 1) } else { TOLD };
            self.add(&bytes[range], millis, slot, line);
            (at, next) = (until, next + 1);
        }
    }

    fn add(&mut self, mut bytes: &[u8], millis: u64, slot: usize, line: &mut dyn FnMut(LogLine)) {
        while !bytes.is_empty() {
            if self.open[slot].is_empty() {
                self.began[slot] = millis;
            }
            let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
                self.open[slot].extend_from_slice(bytes);
                return;
            };
            self.open[slot].extend_from_slice(&bytes[..end]);
            bytes = &bytes[end + 1..];
            let text = std::mem::take(&mut self.open[slot]);
            let text = String::from_utf8_lossy(&text);
            let text = text.trim_end_matches('\r');
            let when = Timestamp::from_millisecond(self.began[slot].cast_signed()).unwrap_or(Timestamp::UNIX_EPOCH);
            let stream = if slot == 1 { Stream::Err } else { Stream::Out };
            let told = if slot == TOLD { told(text) } else { None };
            let (when, stream, text) = told.unwrap_or((when, stream, text));
            line(LogLine { service: self.service.clone(), when, stream, text: text.to_owned() });
        }
    }
}

/// What a line tells of itself before its text.
fn told(line: &str) -> Option<(Timestamp, Stream, &str)> {
    let (when, rest) = line.split_once(' ')?;
    let (stream, text) = rest.split_once(' ')?;
    let stream = match stream {
        "err" => Stream::Err,
        "out" => Stream::Out,
        _ => return None,
    };
    Some((when.parse().ok()?, stream, text))
}

fn open(path: &Path) -> io::Result<Option<File>> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

mod timestamp {
    use jiff::Timestamp;
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(when: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(when)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{LogLine, Stream, Wanted, tail};
    use crate::layout::Layout;
    use crate::supervisor::index::{Record, append, index_path, log_path, open};

    fn write(layout: &Layout, service: &str, number: u32, batches: &[(u64, u8, &str)]) {
        let (mut text, mut index) = (String::new(), open(&index_path(&layout.log(), service, number)).expect("index"));
        for (millis, stream, bytes) in batches {
            let record = Record { offset: text.len() as u64, millis: *millis, stream: *stream };
            append(&mut index, record).expect("append");
            text.push_str(bytes);
        }
        fs::write(log_path(&layout.log(), service, number), text).expect("write");
    }

    fn read(layout: &Layout, wanted: &Wanted) -> Vec<String> {
        let mut lines = Vec::new();
        let mut keep = |line: LogLine| {
            let stream = if line.stream == Stream::Err { "!" } else { "" };
            lines.push(format!("{}{stream} {}", line.service, line.text));
            true
        };
        tail(layout, wanted, &mut keep).expect("tail");
        lines
    }

    fn sample() -> (tempfile::TempDir, Layout) {
        let folder = tempfile::tempdir().expect("folder");
        let layout = Layout::new(folder.path());
        fs::create_dir(layout.log()).expect("folder");
        write(&layout, "web", 1, &[(1000, 0, "one\ntw")]);
        write(&layout, "web", 0, &[(3000, 1, "oops "), (3001, 0, "o\nthree\n"), (5000, 1, "again\n")]);
        write(&layout, "db", 0, &[(2000, 0, "db starts\n")]);
        (folder, layout)
    }

    #[test]
    fn lines_are_put_together_by_stream_and_sorted_by_time() {
        let (_folder, layout) = sample();
        let all = ["web one", "web two", "db db starts", "web! oops again", "web three"];
        assert_eq!(read(&layout, &Wanted::default()), all);
    }

    #[test]
    fn lines_that_tell_their_times_are_told_by_them() {
        let folder = tempfile::tempdir().expect("folder");
        let layout = Layout::new(folder.path());
        fs::create_dir(layout.log()).expect("folder");
        let text = "1970-01-01T00:00:04Z err oops\n1970-01-01T00:00:05Z out fine\nodd\n";
        write(&layout, "web", 0, &[(9000, 2, text)]);
        write(&layout, "db", 0, &[(4500, 0, "db\n")]);
        assert_eq!(read(&layout, &Wanted::default()), ["web! oops", "db db", "web fine", "web odd"]);
        let until = jiff::Timestamp::from_millisecond(4500).ok();
        assert_eq!(read(&layout, &Wanted { until, ..Wanted::default() }), ["web! oops", "db db"]);
    }

    #[test]
    fn lines_are_chosen() {
        let (_folder, layout) = sample();
        let web = vec!["web".parse().expect("name")];
        let wanted = Wanted { names: web, lines: Some(1), ..Wanted::default() };
        assert_eq!(read(&layout, &wanted), ["web! oops again"]);
        let since = jiff::Timestamp::from_millisecond(2500).ok();
        assert_eq!(read(&layout, &Wanted { since, ..Wanted::default() }), ["web! oops again", "web three"]);
        let grep = Some("starts".to_owned());
        assert_eq!(read(&layout, &Wanted { grep, ..Wanted::default() }), ["db db starts"]);
    }
}
