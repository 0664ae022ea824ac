//! Looking at what is in a FIFO, which keeps it.

use std::cell::OnceCell;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;

use rustix::pipe::{PipeFlags, SpliceFlags, pipe_with, splice, tee};

/// Bytes of one look: what a FIFO holds.
pub(super) const BATCH: usize = 1 << 16;

/// A pipe that takes copies of what is looked at, and a place where bytes vanish. One of each serves all logs.
struct Glass {
    reader: File,
    writer: OwnedFd,
    nothing: File,
}

impl Glass {
    fn new() -> io::Result<Self> {
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        Ok(Self { reader: reader.into(), writer, nothing: File::options().write(true).open("/dev/null")? })
    }
}

fn with<T>(look: impl FnOnce(&Glass) -> io::Result<T>) -> io::Result<T> {
    thread_local!(static GLASS: OnceCell<Glass> = const { OnceCell::new() });
    GLASS.with(|glass| match glass.get() {
        Some(glass) => look(glass),
        None => {
            let made = Glass::new()?;
            look(glass.get_or_init(|| made))
        }
    })
}

/// What is in the FIFO, which keeps it.
pub(super) fn peek(fifo: &OwnedFd, most: usize) -> io::Result<Vec<u8>> {
    with(|glass| {
        let count = tee(fifo, &glass.writer, most.min(BATCH), SpliceFlags::NONBLOCK)?;
        let mut seen = vec![0; count];
        (&glass.reader).read_exact(&mut seen)?;
        Ok(seen)
    })
}

/// Takes bytes out of the FIFO that are there.
pub(super) fn discard(fifo: &OwnedFd, count: usize) -> io::Result<()> {
    with(|glass| {
        let mut left = count;
        while left > 0 {
            left -= splice(fifo, None, &glass.nothing, None, left, SpliceFlags::NONBLOCK)?;
        }
        Ok(())
    })
}

/// How many bytes there are up to and with the first line end in the FIFO, which keeps them; all, if there is none.
pub(super) fn to_line_end(fifo: &OwnedFd) -> io::Result<usize> {
    let seen = peek(fifo, BATCH)?;
    Ok(memchr::memchr(b'\n', &seen).map_or(seen.len().max(1), |end| end + 1))
}

#[cfg(test)]
mod tests {
    use rustix::pipe::{PipeFlags, pipe_with};

    use super::{discard, peek, to_line_end};

    #[test]
    fn what_is_looked_at_stays_until_it_is_taken() {
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).expect("pipe");
        rustix::io::write(&writer, b"one\ntwo\n").expect("write");
        assert_eq!(peek(&reader, 100).expect("seen"), b"one\ntwo\n");
        assert_eq!(to_line_end(&reader).expect("an end"), 4);
        discard(&reader, 4).expect("taken");
        assert_eq!(peek(&reader, 2).expect("seen"), b"tw");
        discard(&reader, 4).expect("taken");
        assert!(peek(&reader, 100).is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock));
    }
}
