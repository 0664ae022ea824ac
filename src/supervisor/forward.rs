//! Sends lines on to syslog or journald, as datagrams. A line that cannot be sent now is not sent: the log has it.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use jiff::Zoned;

/// A longer line is sent in pieces.
const LONGEST: usize = 8 << 10;

/// Where one service's lines go.
#[derive(Debug)]
pub(super) struct Forward {
    path: PathBuf,
    service: String,
    socket: Option<UnixDatagram>,
    /// Lines that have not ended yet, by stream.
    open: [Vec<u8>; 2],
}

impl Forward {
    pub(super) fn new(path: &Path, service: &str) -> Self {
        Self { path: path.to_owned(), service: service.to_owned(), socket: None, open: Default::default() }
    }

    /// Sends the lines that end in these bytes.
    pub(super) fn send(&mut self, stream: u8, bytes: &[u8]) {
        let slot = usize::from(stream == 1);
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            for part in piece.chunks(LONGEST) {
                self.open[slot].extend_from_slice(part);
                if part.ends_with(b"\n") || self.open[slot].len() >= LONGEST {
                    let line = std::mem::take(&mut self.open[slot]);
                    let line = line.strip_suffix(b"\n").unwrap_or(&line);
                    if !line.is_empty() && self.send_line(stream, line).is_err() {
                        self.socket = None;
                    }
                }
            }
        }
    }

    fn send_line(&mut self, stream: u8, line: &[u8]) -> io::Result<()> {
        let datagram = self.datagram(stream, line);
        let socket = match &mut self.socket {
            Some(socket) => socket,
            None => {
                let socket = UnixDatagram::unbound()?;
                socket.set_nonblocking(true)?;
                socket.connect(&self.path)?;
                self.socket.insert(socket)
            }
        };
        socket.send(&datagram).map(drop)
    }

    fn datagram(&self, stream: u8, line: &[u8]) -> Vec<u8> {
        let head = if self.path.ends_with("journal/socket") {
            let priority = if stream == 1 { 3 } else { 6 };
            format!("PRIORITY={priority}\nSYSLOG_IDENTIFIER={}\nMESSAGE=", self.service)
        } else {
            // Facility `user`, severity `err` or `info`.
            let priority = 8 + if stream == 1 { 3 } else { 6 };
            format!("<{priority}>{} {}: ", Zoned::now().strftime("%b %e %H:%M:%S"), self.service)
        };
        let mut datagram = head.into_bytes();
        datagram.extend_from_slice(line);
        if self.path.ends_with("journal/socket") {
            datagram.push(b'\n');
        }
        datagram
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;

    use super::Forward;

    fn received(name: &str, sent: &[(u8, &[u8])]) -> Vec<String> {
        let folder = tempfile::tempdir().expect("folder");
        std::fs::create_dir(folder.path().join("journal")).expect("folder");
        let path = folder.path().join(name);
        let socket = UnixDatagram::bind(&path).expect("bind");
        socket.set_nonblocking(true).expect("set");
        let mut forward = Forward::new(&path, "web");
        for (stream, bytes) in sent {
            forward.send(*stream, bytes);
        }
        let mut buffer = vec![0; 1 << 16];
        let next = || socket.recv(&mut buffer).ok().map(|count| String::from_utf8_lossy(&buffer[..count]).into_owned());
        std::iter::from_fn(next).collect()
    }

    #[test]
    fn lines_are_put_together_by_stream() {
        let got = received("log", &[(0, b"one\ntw"), (1, b"oops\n"), (0, b"o\n\n")]);
        let tails: Vec<&str> = got.iter().filter_map(|line| line.split_once(" web: ").map(|(_, tail)| tail)).collect();
        assert_eq!(tails, ["one", "oops", "two"]);
        assert!(got[0].starts_with("<14>") && got[1].starts_with("<11>"), "{got:?}");
        let got = received("journal/socket", &[(1, b"oops\n")]);
        assert_eq!(got, ["PRIORITY=3\nSYSLOG_IDENTIFIER=web\nMESSAGE=oops\n"]);
    }

    #[test]
    fn a_long_line_is_sent_in_pieces_and_nobody_listening_is_no_trouble() {
        let long = [vec![b'x'; 20_000], vec![b'\n']].concat();
        let got = received("log", &[(0, &long)]);
        assert_eq!(got.len(), 3);
        Forward::new(std::path::Path::new("/nowhere/log"), "web").send(0, b"lost\n");
    }
}
