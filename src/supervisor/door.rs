//! The control socket: lets in only its owner, and no more than so many at once.

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::unix::SocketAddr;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Sleep;

use super::nameplate::{Inode, Nameplate, inode};
use crate::stderr::{Trouble, say};

/// How long one who is turned away may take to go.
const PARTING: Duration = Duration::from_secs(1);

/// How much of what one says who is turned away is taken off the line.
const LONGEST_UNHEARD: u64 = 64 << 10;

/// How long one who was let in may take to say what he wants, up to the end of a request's head: his place is kept from others.
const PATIENCE: Duration = Duration::from_secs(2);

/// What one is told who is turned away.
pub(super) const CROWDED: &str = "too many clients";

/// How many may talk at once.
const CLIENTS: usize = 64;

/// The control socket: lets in only its owner, and no more than [`CLIENTS`] at once.
#[derive(Debug)]
pub(super) struct Door {
    listener: UnixListener,
    name: Nameplate,
    places: Arc<Semaphore>,
    trouble: Trouble,
}

impl Door {
    /// Opens the socket at `path`.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        // Watched before there is a socket: the kernel takes some 15 ms to end a watch, and lets go what was opened last first. A
        // socket that outlived its killed supervisor for so long would take callers whom nobody answers.
        let mut name = Nameplate::of(path);
        let (listener, file) = bind(path)?;
        name.is_up(file);
        Ok(Self { listener, name, places: Arc::new(Semaphore::new(CLIENTS)), trouble: Trouble::default() })
    }

    /// Opens it again where it was: somebody has removed it.
    fn open_again(&mut self) {
        match bind(self.name.path()) {
            Ok((listener, file)) => {
                self.listener = listener;
                self.name.is_up(file);
                say("supervisor: the control socket was removed or replaced, and is there again");
            }
            Err(error) => {
                self.trouble
                    .begins(format_args!("supervisor: the control socket is gone, and cannot be made: {error}"));
                self.name.is_to_wait();
            }
        }
    }
}

/// Listens at `path`: under another name first, so that whoever finds it can connect.
fn bind(path: &Path) -> io::Result<(UnixListener, Inode)> {
    use std::os::unix::fs::PermissionsExt as _;
    let aside = path.with_extension("new");
    match std::fs::remove_file(&aside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&aside)?;
    std::fs::set_permissions(&aside, std::fs::Permissions::from_mode(0o600))?;
    let file = inode(&aside)?;
    fs_err::rename(&aside, path)?;
    Ok((listener, file))
}

impl Listener for Door {
    type Io = Guest;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Guest, SocketAddr) {
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = self.name.lost() => {
                    self.open_again();
                    continue;
                }
            };
            let (stream, address) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    self.trouble.begins(format_args!("supervisor: accepting a client failed: {error}"));
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            self.trouble.ends("supervisor: clients are accepted again");
            let own = rustix::process::geteuid().as_raw();
            if !stream.peer_cred().is_ok_and(|peer| peer.uid() == own || peer.uid() == 0) {
                continue;
            }
            match Arc::clone(&self.places).try_acquire_owned() {
                Ok(place) => return (Guest { stream, head: Some(Head::awaited()), _place: place }, address),
                Err(_) => drop(tokio::spawn(turn_away(stream))),
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

async fn turn_away(mut stream: UnixStream) {
    let length = CROWDED.len() + 1;
    let answer =
        format!("HTTP/1.1 503 Service Unavailable\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{CROWDED}\n");
    // A socket that is closed with a request unread resets the line, and the answer would be lost with it.
    let heard = async {
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await?;
        tokio::io::copy(&mut (&mut stream).take(LONGEST_UNHEARD), &mut tokio::io::sink()).await
    };
    let _ = tokio::time::timeout(PARTING, heard).await;
}

/// A client that was let in.
#[derive(Debug)]
pub(super) struct Guest {
    stream: UnixStream,
    /// Until it has come.
    head: Option<Head>,
    _place: OwnedSemaphorePermit,
}

/// A request's head that is still to come.
#[derive(Debug)]
struct Head {
    late: Pin<Box<Sleep>>,
    has_begun: bool,
    is_blank: bool,
}

impl Head {
    fn awaited() -> Self {
        Self { late: Box::pin(tokio::time::sleep(PATIENCE)), has_begun: false, is_blank: true }
    }

    /// Whether it ends in what has come now: with the first blank line that is not before all others.
    fn ends_in(&mut self, bytes: &[u8]) -> bool {
        for byte in bytes {
            match byte {
                b'\n' if self.has_begun && self.is_blank => return true,
                b'\n' => self.is_blank = true,
                b'\r' => {}
                _ => (self.has_begun, self.is_blank) = (true, false),
            }
        }
        false
    }
}

impl AsyncRead for Guest {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let (guest, before) = (self.get_mut(), buf.filled().len());
        let read = Pin::new(&mut guest.stream).poll_read(cx, buf);
        let Some(head) = &mut guest.head else { return read };
        if head.ends_in(&buf.filled()[before..]) {
            guest.head = None;
        } else if read.is_pending() && head.late.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        read
    }
}

impl AsyncWrite for Guest {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::Head;

    #[tokio::test]
    async fn a_head_ends_with_the_first_blank_line_however_it_comes() {
        for (text, ends) in [
            ("GET / HTTP/1.1\r\nhost: x\r\n\r\n", true),
            ("GET / HTTP/1.1\n\n", true),
            ("\r\n\r\nGET / HTTP/1.1\r\n\r\n", true),
            ("\r\n\r\n\r\n", false),
            ("GET / HTTP/1.1\r\nhost: x\r\n", false),
            ("", false),
        ] {
            assert_eq!(Head::awaited().ends_in(text.as_bytes()), ends, "{text:?}");
            let mut head = Head::awaited();
            assert_eq!(text.bytes().any(|byte| head.ends_in(&[byte])), ends, "{text:?} byte by byte");
        }
    }
}
