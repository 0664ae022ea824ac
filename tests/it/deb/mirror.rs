//! [`Mirror`]: a folder on loopback, as a mirror of an archive serves it; it remembers what it was asked for.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

#[derive(Debug, Default)]
struct Shared {
    requests: Mutex<Vec<String>>,
    is_over: AtomicBool,
}

/// It ends when dropped.
#[derive(Debug)]
pub struct Mirror {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Mirror {
    /// Serves the files below a folder.
    pub fn of(folder: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let shared = Arc::new(Shared::default());
        let (inside, folder) = (Arc::clone(&shared), folder.to_owned());
        let thread = thread::spawn(move || {
            for stream in listener.incoming().filter_map(Result::ok) {
                if inside.is_over.load(Ordering::SeqCst) {
                    return;
                }
                let (shared, folder) = (Arc::clone(&inside), folder.clone());
                // A client that goes away is no concern of the server.
                thread::spawn(move || drop(serve(&stream, &shared, &folder)));
            }
        });
        Self { address, shared, thread: Some(thread) }
    }

    /// The address of the folder.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// The paths that were asked for since the last time.
    pub fn requests(&self) -> Vec<String> {
        std::mem::take(&mut *self.shared.requests.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Mirror {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        // Wakes the thread that waits for a connection.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// One connection, one answer. Ranges are not known: every answer is the whole.
fn serve(mut stream: &TcpStream, shared: &Shared, folder: &Path) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    let mut words = first.split(' ');
    let (verb, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    shared.requests.lock().unwrap_or_else(PoisonError::into_inner).push(path.to_owned());
    let file: PathBuf = folder.join(path.trim_start_matches('/'));
    let (status, body) = match std::fs::read(file) {
        Ok(body) => ("200 OK", body),
        Err(_) => ("404 Not Found", Vec::new()),
    };
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len())?;
    if verb == "HEAD" { Ok(()) } else { stream.write_all(&body) }
}
