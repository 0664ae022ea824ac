//! A service's log: moves bytes from its FIFOs to its file, within the kernel, so that none is ever in our memory alone.
//!
//! A supervisor that is killed between two moves has lost nothing: what was not moved is still in the FIFO. Rotation cuts behind
//! a line end: the bytes are looked at with `tee`, which does not take them. Where lines are changed or sent on, they are looked at in the same
//! way, written, and taken last: none is lost, at most one batch is doubled. A service is never kept waiting by a full disk unless
//! it is to be: else its bytes are dropped, counted, and a line in the log says how many.

use std::borrow::Cow;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::io::Errno;
use rustix::pipe::{SpliceFlags, splice};

use super::forward::Forward;
use super::history;
use super::index::{self, PREFIXED, Record, index_path, log_path};
use super::peek::{BATCH, discard, peek, to_line_end};
use super::shelf::{self, Shelf};
use crate::service::{LogFormat, LogPolicy, OnFull};
use crate::stderr::Trouble;

/// The most bytes of one move: what a FIFO holds that was made wide.
const MOST: usize = 1 << 20;

/// Less is not worth a move: a file may become so much longer than it is to be.
const LEAST: usize = 1 << 16;

/// The log of one service.
#[derive(Debug)]
pub(super) struct Log {
    folder: PathBuf,
    service: String,
    policy: LogPolicy,
    shelf: Shelf,
    file: File,
    index: File,
    size: u64,
    /// When its first byte came, in milliseconds since 1970.
    began: Option<u64>,
    last: Option<Record>,
    dropped: u64,
    forward: Option<Box<Forward>>,
    /// What keeps its service waiting.
    trouble: Trouble,
    /// What keeps it from being put aside.
    unturned: Trouble,
    /// Which stream has begun a line that has not ended, where lines are prefixed.
    unended: Option<u8>,
}

impl Log {
    /// Opens the log of a service for more.
    pub(super) fn open(folder: &Path, service: &str, policy: LogPolicy) -> io::Result<Self> {
        let (file, index, size) = open_files(&log_path(folder, service, 0), &index_path(folder, service, 0))?;
        let began = index::first(&index_path(folder, service, 0)).filter(|_| size > 0).map(|record| record.millis);
        let (folder, service) = (folder.to_owned(), service.to_owned());
        let shelf = Shelf::new(&folder, &service);
        let mut log = Self {
            folder,
            service,
            policy: LogPolicy::default(),
            shelf,
            file,
            index,
            size,
            began,
            last: None,
            dropped: 0,
            forward: None,
            trouble: Trouble::default(),
            unturned: Trouble::default(),
            unended: None,
        };
        log.unended = (size > 0 && !log.ends_with_line()).then_some(u8::MAX);
        log.set_policy(policy);
        Ok(log)
    }

    /// How long it is.
    pub(super) const fn size(&self) -> u64 {
        self.size
    }

    /// Other rules from now on.
    pub(super) fn set_policy(&mut self, policy: LogPolicy) {
        if self.policy.forward != policy.forward {
            self.forward = policy.forward.as_ref().map(|path| Box::new(Forward::new(path, &self.service)));
        }
        self.policy = policy;
    }

    /// Moves what is in a FIFO, at most one batch. Says how much it was; `WouldBlock` if there is nothing.
    pub(super) fn take(&mut self, fifo: &OwnedFd, stream: u8) -> io::Result<usize> {
        match self.take_batch(fifo, stream) {
            Err(error) if is_disk_trouble(&error) && self.policy.on_full == OnFull::Drop => self.drop_bytes(fifo),
            taken => taken,
        }
    }

    fn take_batch(&mut self, fifo: &OwnedFd, stream: u8) -> io::Result<usize> {
        if self.file.metadata()?.nlink() == 0 {
            self.begin_anew()?;
        }
        if self.is_due() {
            if rustix::io::ioctl_fionread(fifo)? == 0 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            if self.ends_with_line() {
                self.rotate();
            }
        }
        let wanted = if self.is_due() { to_line_end(fifo)? } else { self.room() };
        if self.dropped > 0 {
            self.tell_loss();
        }
        let before = self.size;
        let is_changed = self.policy.format == LogFormat::Prefixed || self.forward.is_some();
        let moved =
            if is_changed { self.copy_bytes(fifo, wanted, stream)? } else { self.move_bytes(fifo, wanted, stream)? };
        self.record(before, stream);
        self.trouble.ends(format_args!("supervisor: the log of {} is written again", self.service));
        if self.size >= self.policy.max_bytes.max(1).saturating_mul(2) {
            self.rotate();
        }
        Ok(moved)
    }

    /// It could not be written, and is tried again: said once, and once when it is over, for what is said may go to the same disk.
    pub(super) fn is_stuck(&mut self, error: &io::Error) {
        self.trouble.begins(format_args!("supervisor: the log of {} cannot be written: {error}", self.service));
    }

    /// Whether it is to be rotated at the next line end.
    fn is_due(&self) -> bool {
        let is_old = self
            .policy
            .max_age
            .zip(self.began)
            .is_some_and(|(age, began)| u128::from(millis_now().saturating_sub(began)) >= age.as_millis());
        self.size > 0 && (self.size >= self.policy.max_bytes.max(1) || is_old)
    }

    /// How much is moved before its length is looked at again.
    fn room(&self) -> usize {
        let left = self.policy.max_bytes.saturating_sub(self.size);
        usize::try_from(left).map_or(MOST, |left| left.clamp(LEAST, MOST))
    }

    fn move_bytes(&mut self, fifo: &OwnedFd, wanted: usize, stream: u8) -> io::Result<usize> {
        match splice(fifo, None, &self.file, None, wanted, SpliceFlags::NONBLOCK | SpliceFlags::MOVE) {
            // A file system that cannot do it.
            Err(Errno::INVAL) => self.copy_bytes(fifo, wanted, stream),
            other => {
                let moved = other?;
                self.size += moved as u64;
                Ok(moved)
            }
        }
    }

    /// Looks at bytes, writes them as they are to be kept, and takes them then.
    fn copy_bytes(&mut self, fifo: &OwnedFd, wanted: usize, stream: u8) -> io::Result<usize> {
        let bytes = peek(fifo, wanted)?;
        let (kept, unended) = match self.policy.format {
            LogFormat::Raw => (Cow::Borrowed(bytes.as_slice()), None),
            LogFormat::Prefixed => {
                let (made, unended) = prefixed(&bytes, stream, self.unended, &history::now());
                (Cow::Owned(made), unended)
            }
        };
        if let Err(error) = self.file.write_all(&kept) {
            // Nothing of it is to stay: it comes again.
            let _ = self.file.set_len(self.size).and_then(|()| self.file.seek(SeekFrom::Start(self.size)));
            return Err(error);
        }
        self.size += kept.len() as u64;
        self.unended = unended;
        discard(fifo, bytes.len())?;
        if let Some(forward) = &mut self.forward {
            forward.send(stream, &bytes);
        }
        Ok(bytes.len())
    }

    fn record(&mut self, offset: u64, stream: u8) {
        let stream = if self.policy.format == LogFormat::Prefixed { stream | PREFIXED } else { stream };
        let record = Record { offset, millis: millis_now(), stream };
        self.began.get_or_insert(record.millis);
        // Batches of one millisecond share a record.
        let same = self.last.is_some_and(|last| last.millis == record.millis && last.stream == stream);
        if !same {
            let _ = index::append(&mut self.index, record);
            self.last = Some(record);
        }
    }

    fn ends_with_line(&self) -> bool {
        let mut last = [0];
        self.size > 0 && self.file.read_exact_at(&mut last, self.size - 1).is_ok() && last == *b"\n"
    }

    fn drop_bytes(&mut self, fifo: &OwnedFd) -> io::Result<usize> {
        let mut buffer = vec![0; BATCH];
        let count = rustix::io::read(fifo, &mut buffer)?;
        self.dropped += count as u64;
        // What was written of the batch before the trouble is there.
        self.size = self.file.stream_position()?;
        Ok(count)
    }

    fn tell_loss(&mut self) {
        let start = if self.size == 0 || self.ends_with_line() { "" } else { "\n" };
        let lost = self.dropped;
        let prefix = match self.policy.format {
            LogFormat::Raw => String::new(),
            LogFormat::Prefixed => format!("{} err ", history::now()),
        };
        let line =
            format!("{start}{prefix}[jove-install: {lost} bytes were lost here, the log could not be written]\n");
        if self.file.write_all(line.as_bytes()).is_ok() {
            let before = self.size;
            self.size += line.len() as u64;
            self.dropped = 0;
            self.unended = None;
            self.record(before, 1);
        }
    }

    /// Puts the log aside. Where it cannot be, it becomes longer than it is to be: nobody waits, and nothing is lost for that.
    fn rotate(&mut self) {
        match self.put_aside() {
            Ok(()) => {
                self.unturned.ends(format_args!("supervisor: the log of {} is put aside again", self.service));
                self.shelf.compress(self.policy.compress, self.policy.keep);
            }
            Err(error) => {
                self.unturned
                    .begins(format_args!("supervisor: the log of {} cannot be put aside: {error}", self.service));
            }
        }
    }

    /// The next one is made first, so that one that cannot be made moves no other.
    fn put_aside(&mut self) -> io::Result<()> {
        let of = |kind: &str| self.folder.join(format!("{}.{kind}.next", self.service));
        let (log, index) = (of("log"), of("idx"));
        let made = shelf::remove(&log).and_then(|()| shelf::remove(&index)).and_then(|()| open_files(&log, &index));
        let files = made.and_then(|files| self.shelf.put(self.policy.keep).map(|()| files));
        if files.is_err() {
            let _ = (fs::remove_file(&log), fs::remove_file(&index));
        }
        let files = files?;
        fs_err::rename(log, log_path(&self.folder, &self.service, 0))?;
        fs_err::rename(index, index_path(&self.folder, &self.service, 0))?;
        self.begin_with(files);
        Ok(())
    }

    fn begin_anew(&mut self) -> io::Result<()> {
        let log = log_path(&self.folder, &self.service, 0);
        self.begin_with(open_files(&log, &index_path(&self.folder, &self.service, 0))?);
        Ok(())
    }

    fn begin_with(&mut self, files: (File, File, u64)) {
        (self.file, self.index, self.size) = files;
        (self.last, self.began, self.unended) = (None, None, None);
    }
}

fn millis_now() -> u64 {
    let millis = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    u64::try_from(millis).unwrap_or(0)
}

/// Bytes with the time and the stream before each line. Says which stream has begun a line and not ended it.
fn prefixed(bytes: &[u8], stream: u8, unended: Option<u8>, now: &str) -> (Vec<u8>, Option<u8>) {
    let mut made = Vec::with_capacity(bytes.len() + bytes.len() / 2);
    let mut is_begun = unended == Some(stream);
    if unended.is_some() && !is_begun {
        // The other stream's line is cut here.
        made.push(b'\n');
    }
    let prefix = format!("{now} {} ", if stream == 1 { "err" } else { "out" });
    for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
        if !is_begun {
            made.extend_from_slice(prefix.as_bytes());
        }
        made.extend_from_slice(piece);
        is_begun = !piece.ends_with(b"\n");
    }
    (made, is_begun.then_some(stream))
}

fn open_files(log: &Path, index: &Path) -> io::Result<(File, File, u64)> {
    let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(log)?;
    let size = file.seek(SeekFrom::End(0))?;
    Ok((file, index::open(index)?, size))
}

fn is_disk_trouble(error: &io::Error) -> bool {
    let troubles = [Errno::NOSPC, Errno::DQUOT, Errno::FBIG, Errno::IO, Errno::ROFS];
    Errno::from_io_error(error).is_some_and(|error| troubles.contains(&error))
}

#[cfg(test)]
mod tests {
    use rustix::pipe::{PipeFlags, pipe_with};

    use super::{Log, prefixed};
    use crate::service::{LogFormat, LogPolicy, OnFull};

    #[test]
    fn bytes_are_moved_and_rotated_at_line_ends() {
        let folder = tempfile::tempdir().expect("folder");
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).expect("pipe");
        let policy = LogPolicy { max_bytes: 1000, keep: 2, ..LogPolicy::default() };
        let mut log = Log::open(folder.path(), "web", policy).expect("open");
        let mut written = String::new();
        for number in 0..400 {
            let line = format!("line {number} of many\n");
            rustix::io::write(&writer, line.as_bytes()).expect("write");
            written.push_str(&line);
            if number % 7 == 0 {
                while log.take(&reader, 0).is_ok() {}
            }
        }
        while log.take(&reader, 0).is_ok() {}
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).expect("read");
        let kept = format!("{}{}{}", read("web.log.2"), read("web.log.1"), read("web.log"));
        assert!(written.ends_with(&kept), "the kept lines are the last ones, whole and in order");
        for name in ["web.log.1", "web.log.2"] {
            let text = read(name);
            assert!(text.ends_with('\n') && text.len() >= 1000 && text.len() < 1400, "{name}: {}", text.len());
        }
        assert!(!folder.path().join("web.log.3").exists());
    }

    #[test]
    fn a_full_disk_drops_bytes_and_keeps_nobody_waiting() {
        let folder = tempfile::tempdir().expect("folder");
        std::os::unix::fs::symlink("/dev/full", folder.path().join("web.log")).expect("link");
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).expect("pipe");
        let mut log = Log::open(folder.path(), "web", LogPolicy::default()).expect("open");
        rustix::io::write(&writer, b"lost\n").expect("write");
        log.take(&reader, 0).expect("taken");
        assert_eq!((log.dropped, log.size()), (5, 0));
        assert!(log.take(&reader, 0).is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock));
    }

    #[test]
    fn a_line_without_end_is_cut_at_twice_the_size() {
        let folder = tempfile::tempdir().expect("folder");
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).expect("pipe");
        let mut log = Log::open(folder.path(), "web", LogPolicy { max_bytes: 1000, keep: 1, ..LogPolicy::default() })
            .expect("open");
        for _ in 0..30 {
            rustix::io::write(&writer, &[b'x'; 100]).expect("write");
            while log.take(&reader, 0).is_ok() {}
        }
        assert_eq!(std::fs::metadata(folder.path().join("web.log.1")).expect("rotated").len(), 2000);
        assert_eq!(log.size(), 1000);
    }

    #[test]
    fn one_that_cannot_be_put_aside_goes_on_and_moves_no_other() {
        let folder = tempfile::tempdir().expect("folder");
        let path = |name: &str| folder.path().join(name);
        let read = |name: &str| std::fs::read_to_string(path(name)).expect("read");
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).expect("pipe");
        let policy = LogPolicy { max_bytes: 10, keep: 3, ..LogPolicy::default() };
        let mut log = Log::open(folder.path(), "web", policy).expect("open");
        let mut take = |line: &str| {
            rustix::io::write(&writer, line.as_bytes()).expect("write");
            log.take(&reader, 0).expect("taken");
        };
        std::fs::write(path("web.log.1"), "former\n").expect("write");
        // No file can be made where a folder is.
        std::fs::create_dir(path("web.log.next")).expect("folder");
        let lines: Vec<String> = (0..9).map(|number| format!("line {number}\n")).collect();
        lines.iter().for_each(|line| take(line));
        assert_eq!((read("web.log"), read("web.log.1")), (lines.concat(), "former\n".to_owned()));
        assert!(!path("web.log.2").exists());
        std::fs::remove_dir(path("web.log.next")).expect("remove");
        take("last\n");
        assert_eq!(
            (read("web.log"), read("web.log.1"), read("web.log.2")),
            ("last\n".to_owned(), lines.concat(), "former\n".to_owned())
        );
        assert!(!path("web.log.next").exists() && !path("web.idx.next").exists());
    }

    #[test]
    fn a_full_disk_keeps_those_waiting_that_are_to_wait() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("web.log");
        std::os::unix::fs::symlink("/dev/full", &path).expect("link");
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).expect("pipe");
        let policy = LogPolicy { on_full: OnFull::Block, ..LogPolicy::default() };
        let mut log = Log::open(folder.path(), "web", policy.clone()).expect("open");
        rustix::io::write(&writer, b"kept\n").expect("write");
        for _ in 0..3 {
            let error = log.take(&reader, 0).expect_err("full");
            assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
        }
        std::fs::remove_file(&path).expect("remove");
        let mut log = Log::open(folder.path(), "web", policy).expect("open");
        log.take(&reader, 0).expect("taken");
        assert_eq!(std::fs::read_to_string(&path).expect("log"), "kept\n");
    }

    #[test]
    fn old_ones_are_put_aside_when_more_comes() {
        let folder = tempfile::tempdir().expect("folder");
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).expect("pipe");
        let age =
            |seconds| LogPolicy { max_age: Some(std::time::Duration::from_secs(seconds)), ..LogPolicy::default() };
        let mut log = Log::open(folder.path(), "web", age(3600)).expect("open");
        for line in ["one\n", "two\n"] {
            rustix::io::write(&writer, line.as_bytes()).expect("write");
            log.take(&reader, 0).expect("taken");
        }
        assert!(!folder.path().join("web.log.1").exists());
        // Opened again, it still knows how old it is.
        let mut log = Log::open(folder.path(), "web", age(0)).expect("open");
        rustix::io::write(&writer, b"three\nfour\n").expect("write");
        while log.take(&reader, 0).is_ok() {}
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).expect("log");
        assert_eq!((read("web.log.1"), read("web.log")), ("one\ntwo\n".into(), "three\nfour\n".into()));
        assert!(!folder.path().join("web.log.2").exists(), "nothing came since");
    }

    #[test]
    fn each_line_gets_its_prefix_however_bytes_come() {
        let mut unended = None;
        let mut made = Vec::new();
        for (bytes, stream) in [("one\ntw", 0), ("o\nthr", 0), ("oops\n", 1), ("ee\n", 0)] {
            let (text, now) = prefixed(bytes.as_bytes(), stream, unended, "T");
            (unended, made) = (now, [made, text].concat());
        }
        let expected = "T out one\nT out two\nT out thr\nT err oops\nT out ee\n";
        assert_eq!((String::from_utf8_lossy(&made).as_ref(), unended), (expected, None));
    }

    #[test]
    fn bytes_that_are_no_text_are_kept_as_they_are() {
        let folder = tempfile::tempdir().expect("folder");
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).expect("pipe");
        let policy = LogPolicy { format: LogFormat::Prefixed, ..LogPolicy::default() };
        let mut log = Log::open(folder.path(), "web", policy).expect("open");
        rustix::io::write(&writer, b"\xff\x00\xfe\n").expect("write");
        log.take(&reader, 1).expect("taken");
        let kept = std::fs::read(folder.path().join("web.log")).expect("log");
        assert!(kept.ends_with(b" err \xff\x00\xfe\n"), "{kept:?}");
        assert!(log.take(&reader, 1).is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock));
    }
}
