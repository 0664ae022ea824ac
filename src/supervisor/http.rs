//! As much of HTTP/1.1 as the blocking client needs: a response's head, and a body by length, by chunks or to the end.

use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::net::UnixStream;

/// What a response's head says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ResponseHead {
    /// The status.
    pub status: u16,
    /// `content-length`.
    pub length: Option<u64>,
    /// Whether the body comes in chunks.
    pub chunked: bool,
}

/// Reads a head up to and with its empty line.
pub(super) fn read_head(reader: &mut impl BufRead) -> io::Result<ResponseHead> {
    let first = read_line(reader)?;
    let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
    let mut head = ResponseHead { status: status.ok_or_else(|| broken("no HTTP"))?, length: None, chunked: false };
    loop {
        let line = read_line(reader)?;
        if line.is_empty() {
            return Ok(head);
        }
        let Some((name, value)) = line.split_once(':') else { return Err(broken("a header without `:`")) };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => head.length = value.trim().parse().ok(),
            "transfer-encoding" => head.chunked = value.trim().eq_ignore_ascii_case("chunked"),
            _ => {}
        }
    }
}

fn read_line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    reader.take(1 << 16).read_line(&mut line)?;
    if line.ends_with('\n') { Ok(line.trim_end().to_owned()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

/// A response's body; reading it to the end fails if it was cut.
#[derive(Debug)]
pub(super) struct Body<R = BufReader<UnixStream>> {
    reader: R,
    rest: Rest,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    /// Bytes of the whole body.
    Length(u64),
    /// Bytes of this chunk; its line end is still to come when it gets to 0.
    Chunk(u64),
    /// A chunk's head comes next.
    ChunkHead,
    /// Everything up to the end.
    ToEnd,
    /// Nothing.
    Nothing,
}

impl<R: BufRead> Body<R> {
    pub(super) fn new(reader: R, length: Option<u64>, chunked: bool) -> Self {
        let rest = match (chunked, length) {
            (true, _) => Rest::ChunkHead,
            (false, Some(length)) => Rest::Length(length),
            (false, None) => Rest::ToEnd,
        };
        Self { reader, rest }
    }

    fn read_some(&mut self, buffer: &mut [u8], left: u64) -> io::Result<u64> {
        let wanted = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        match self.reader.read(&mut buffer[..wanted])? {
            0 if wanted > 0 => Err(io::ErrorKind::UnexpectedEof.into()),
            count => Ok(count as u64),
        }
    }
}

impl Body {
    /// Where it comes from.
    pub(super) fn stream(&self) -> &UnixStream {
        self.reader.get_ref()
    }
}

impl<R: BufRead> Read for Body<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = match self.rest {
                Rest::Nothing | Rest::Length(0) => return Ok(0),
                Rest::ToEnd => return self.reader.read(buffer),
                Rest::Length(left) => {
                    let count = self.read_some(buffer, left)?;
                    self.rest = Rest::Length(left - count);
                    count
                }
                Rest::Chunk(0) => {
                    read_line(&mut self.reader)?;
                    self.rest = Rest::ChunkHead;
                    continue;
                }
                Rest::Chunk(left) => {
                    let count = self.read_some(buffer, left)?;
                    self.rest = Rest::Chunk(left - count);
                    count
                }
                Rest::ChunkHead => {
                    let line = read_line(&mut self.reader)?;
                    let size = line.split(';').next().unwrap_or_default().trim();
                    self.rest = match u64::from_str_radix(size, 16).map_err(|_| broken("no size of a chunk"))? {
                        0 => Rest::Nothing,
                        size => Rest::Chunk(size),
                    };
                    continue;
                }
            };
            return Ok(usize::try_from(count).unwrap_or(usize::MAX));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read as _};

    use super::{Body, ResponseHead, read_head};

    #[test]
    fn chunks_are_joined_and_a_cut_is_found() {
        let text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\n\r\n";
        for (text, expected) in [(text, Some("abcde")), (&text[..text.len() - 12], None)] {
            let mut reader = Cursor::new(text.as_bytes());
            let head = read_head(&mut reader).expect("head");
            assert_eq!(head, ResponseHead { status: 200, length: None, chunked: true });
            let mut body = String::new();
            let read = Body::new(reader, head.length, head.chunked).read_to_string(&mut body);
            assert_eq!(read.ok().map(|_| body.as_str()), expected);
        }
    }

    #[test]
    fn a_length_is_kept_and_a_cut_is_found() {
        for (text, expected) in [("abc-more", Some("abc")), ("ab", None)] {
            let mut body = String::new();
            let read = Body::new(Cursor::new(text), Some(3), false).read_to_string(&mut body);
            assert_eq!(read.ok().map(|_| body.as_str()), expected);
        }
    }
}
