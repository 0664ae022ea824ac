//! A service's log: moves bytes from its FIFOs to its file, within the kernel, so that none is ever in our memory alone.
//!
//! A supervisor that is killed between two moves has lost nothing: what was not moved is still in the FIFO. Rotation cuts behind
//! a line end: the bytes are looked at with `tee`, which does not take them. A service is never kept waiting by a full disk:
//! then its bytes are dropped, counted, and a line in the log says how many.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::io::Errno;
use rustix::pipe::{PipeFlags, SpliceFlags, pipe_with, splice, tee};

use super::index::{self, Record, index_path, log_path};
use crate::service::LogPolicy;

/// Bytes of one move: what a FIFO holds.
const BATCH: usize = 1 << 16;

/// The log of one service.
#[derive(Debug)]
pub(super) struct Log {
    folder: PathBuf,
    service: String,
    policy: LogPolicy,
    file: File,
    index: File,
    size: u64,
    last: Option<Record>,
    dropped: u64,
}

impl Log {
    /// Opens the log of a service for more.
    pub(super) fn open(folder: &Path, service: &str, policy: LogPolicy) -> io::Result<Self> {
        let (file, index, size) = open_files(folder, service)?;
        let (folder, service) = (folder.to_owned(), service.to_owned());
        Ok(Self { folder, service, policy, file, index, size, last: None, dropped: 0 })
    }

    /// How long it is.
    pub(super) const fn size(&self) -> u64 {
        self.size
    }

    /// Other rules from now on.
    pub(super) fn set_policy(&mut self, policy: LogPolicy) {
        self.policy = policy;
    }

    /// Moves what is in a FIFO, at most one batch. Says how much it was; `WouldBlock` if there is nothing.
    pub(super) fn take(&mut self, fifo: &OwnedFd, stream: u8) -> io::Result<usize> {
        if self.file.metadata()?.nlink() == 0 {
            (self.file, self.index, self.size) = open_files(&self.folder, &self.service)?;
        }
        if self.size >= self.policy.max_bytes.max(1) && self.ends_with_line() {
            self.rotate()?;
        }
        let wanted = if self.size < self.policy.max_bytes { BATCH } else { to_line_end(fifo)? };
        if self.dropped > 0 {
            self.tell_loss();
        }
        let before = self.size;
        let moved = match self.move_bytes(fifo, wanted) {
            Err(error) if is_disk_trouble(&error) => return self.drop_bytes(fifo),
            other => other?,
        };
        self.size += moved as u64;
        self.record(before, stream);
        if self.size >= self.policy.max_bytes.max(1).saturating_mul(2) {
            self.rotate()?;
        }
        Ok(moved)
    }

    fn move_bytes(&mut self, fifo: &OwnedFd, wanted: usize) -> io::Result<usize> {
        match splice(fifo, None, &self.file, None, wanted, SpliceFlags::NONBLOCK | SpliceFlags::MOVE) {
            // A file system that cannot do it.
            Err(Errno::INVAL) => {
                let mut buffer = vec![0; wanted];
                let count = rustix::io::read(fifo, &mut buffer)?;
                match self.file.write_all(&buffer[..count]) {
                    Err(error) if is_disk_trouble(&error) => {
                        self.dropped += count as u64;
                        Ok(0)
                    }
                    other => other.map(|()| count),
                }
            }
            other => Ok(other?),
        }
    }

    fn record(&mut self, offset: u64, stream: u8) {
        let millis = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
        let record = Record { offset, millis: u64::try_from(millis).unwrap_or(0), stream };
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
        let line = format!("{start}[jove-install: {lost} bytes were lost here, the log could not be written]\n");
        if self.file.write_all(line.as_bytes()).is_ok() {
            let before = self.size;
            self.size += line.len() as u64;
            self.dropped = 0;
            self.record(before, 1);
        }
    }

    fn rotate(&mut self) -> io::Result<()> {
        for path in [log_path, index_path] {
            let at = |number| path(&self.folder, &self.service, number);
            for number in (0..self.policy.keep).rev() {
                match fs::rename(at(number), at(number + 1)) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
            if self.policy.keep == 0 {
                fs::remove_file(at(0))?;
            }
        }
        (self.file, self.index, self.size) = open_files(&self.folder, &self.service)?;
        self.last = None;
        Ok(())
    }
}

fn open_files(folder: &Path, service: &str) -> io::Result<(File, File, u64)> {
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(log_path(folder, service, 0))?;
    let size = file.seek(SeekFrom::End(0))?;
    Ok((file, index::open(&index_path(folder, service, 0))?, size))
}

/// How many bytes there are up to and with the first line end in the FIFO, which keeps them; all, if there is none.
fn to_line_end(fifo: &OwnedFd) -> io::Result<usize> {
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
    let count = tee(fifo, &writer, BATCH, SpliceFlags::NONBLOCK)?;
    drop(writer);
    let mut seen = Vec::with_capacity(count);
    File::from(reader).read_to_end(&mut seen)?;
    Ok(seen.iter().position(|byte| *byte == b'\n').map_or(count.max(1), |end| end + 1))
}

fn is_disk_trouble(error: &io::Error) -> bool {
    let troubles = [Errno::NOSPC, Errno::DQUOT, Errno::FBIG, Errno::IO, Errno::ROFS];
    Errno::from_io_error(error).is_some_and(|error| troubles.contains(&error))
}

#[cfg(test)]
mod tests {
    use rustix::pipe::{PipeFlags, pipe_with};

    use super::Log;
    use crate::service::LogPolicy;

    #[test]
    fn bytes_are_moved_and_rotated_at_line_ends() {
        let folder = tempfile::tempdir().expect("folder");
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).expect("pipe");
        let policy = LogPolicy { max_bytes: 1000, keep: 2 };
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
        let mut log = Log::open(folder.path(), "web", LogPolicy { max_bytes: 1000, keep: 1 }).expect("open");
        for _ in 0..30 {
            rustix::io::write(&writer, &[b'x'; 100]).expect("write");
            while log.take(&reader, 0).is_ok() {}
        }
        assert_eq!(std::fs::metadata(folder.path().join("web.log.1")).expect("rotated").len(), 2000);
        assert_eq!(log.size(), 1000);
    }
}
