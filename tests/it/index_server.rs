//! [`IndexServer`]: a package index on loopback that serves wheels made by the test, with faults that can be switched on.
//!
//! It speaks the simple index in both forms (JSON where asked for, else HTML), tells each file's sha256 and serves its metadata beside
//! it, knows `Range` and `HEAD`, and remembers what it was asked for.
#![allow(dead_code, reason = "not every test needs every ability")]

// By path, so that `tests/real` finds them, too, which takes this file by its path.
#[path = "index_server/answer.rs"]
mod answer;
#[path = "index_server/wheel.rs"]
mod wheel;

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

pub use wheel::Wheel;

use answer::{Answer, Request};

/// What goes wrong with an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It sends the wrong bytes, as many as it should.
    Altered,
    /// It knows no ranges: every answer is the whole.
    NoRange,
    /// It redirects to the same address for ever.
    RedirectLoop,
    /// It breaks off in the middle with a reset.
    Reset,
    /// It ends the connection in the middle in good order.
    Short,
    /// It sends half and then nothing, until the server is dropped.
    Stall,
    /// It answers with this status, such as 503.
    Status(u16),
}

/// A fault of some paths, for some time.
#[derive(Debug)]
struct Rule {
    path: String,
    fault: Fault,
    left: Option<u32>,
}

#[derive(Debug, Default)]
struct Shared {
    rules: Mutex<Vec<Rule>>,
    requests: Mutex<Vec<String>>,
    stopped: Mutex<bool>,
    stop: Condvar,
}

/// A package index on loopback. It ends when dropped.
#[derive(Debug)]
pub struct IndexServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    wheels: Arc<Vec<wheel::Built>>,
    thread: Option<JoinHandle<()>>,
}

impl IndexServer {
    /// Serves these wheels.
    #[must_use]
    pub fn start(wheels: impl IntoIterator<Item = Wheel>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let shared = Arc::new(Shared::default());
        let wheels: Arc<Vec<wheel::Built>> = Arc::new(wheels.into_iter().map(Wheel::build).collect());
        let (inside, served) = (Arc::clone(&shared), Arc::clone(&wheels));
        let thread = thread::spawn(move || {
            for stream in listener.incoming().filter_map(Result::ok) {
                if *lock(&inside.stopped) {
                    return;
                }
                let (shared, wheels) = (Arc::clone(&inside), Arc::clone(&served));
                // A client that goes away is no concern of the server.
                thread::spawn(move || drop(serve(&stream, &shared, &wheels)));
            }
        });
        Self { address, shared, wheels, thread: Some(thread) }
    }

    /// The address of a project's first file, and its sha256.
    ///
    /// # Panics
    /// If there is no such project.
    #[must_use]
    pub fn file(&self, project: &str) -> (String, String) {
        let wheel = self.wheels.iter().find(|wheel| wheel.project == project).expect("a project");
        (format!("http://{}/files/{}", self.address, wheel.file), wheel.sha256.clone())
    }

    /// The address of the index, for `index-url`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/simple/", self.address)
    }

    /// From now on every answer whose path contains this text has this fault.
    pub fn fail(&self, path: &str, fault: Fault) {
        lock(&self.shared.rules).push(Rule { path: path.to_owned(), fault, left: None });
    }

    /// The next so many answers whose path contains this text have this fault.
    pub fn fail_times(&self, times: u32, path: &str, fault: Fault) {
        lock(&self.shared.rules).push(Rule { path: path.to_owned(), fault, left: Some(times) });
    }

    /// From now on nothing fails.
    pub fn heal(&self) {
        lock(&self.shared.rules).clear();
    }

    /// What was asked for since the last time, such as `GET /files/demo-1.0-py3-none-any.whl bytes=100-`.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        std::mem::take(&mut *lock(&self.shared.requests))
    }
}

impl Drop for IndexServer {
    fn drop(&mut self) {
        *lock(&self.shared.stopped) = true;
        self.shared.stop.notify_all();
        // Wakes the thread that waits for a connection.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One connection, one answer.
fn serve(mut stream: &TcpStream, shared: &Shared, wheels: &[wheel::Built]) -> std::io::Result<()> {
    let mut lines = Vec::new();
    for line in BufReader::new(stream).lines() {
        let line = line?;
        if line.is_empty() {
            break;
        }
        lines.push(line);
    }
    let Some(request) = Request::read(&lines) else { return Ok(()) };
    lock(&shared.requests).push(request.to_string());
    let fault = fault_of(shared, &request.path);
    let answer = Answer::to(&request, wheels, fault);
    stream.write_all(answer.head().as_bytes())?;
    let body = if request.is_head { &[] } else { answer.body.as_slice() };
    let half = &body[..body.len() / 2];
    match fault {
        Some(Fault::Short) => stream.write_all(half),
        Some(Fault::Reset) => {
            stream.write_all(half)?;
            // Closing with nothing to linger for sends a reset.
            Ok(rustix::net::sockopt::set_socket_linger(stream, Some(std::time::Duration::ZERO))?)
        }
        Some(Fault::Stall) => {
            stream.write_all(half)?;
            let mut stopped = lock(&shared.stopped);
            while !*stopped {
                stopped = shared.stop.wait(stopped).unwrap_or_else(PoisonError::into_inner);
            }
            Ok(())
        }
        Some(Fault::Altered | Fault::NoRange | Fault::RedirectLoop | Fault::Status(_)) | None => stream.write_all(body),
    }
}

fn fault_of(shared: &Shared, path: &str) -> Option<Fault> {
    let mut rules = lock(&shared.rules);
    let rule = rules.iter_mut().find(|rule| path.contains(&rule.path) && rule.left != Some(0))?;
    rule.left = rule.left.map(|left| left - 1);
    Some(rule.fault)
}

#[cfg(test)]
#[path = "index_server/tests.rs"]
mod tests;
