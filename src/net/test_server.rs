//! A server on loopback that answers as a test tells it, badly if need be.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use url::Url;

/// The authority that signed the server's certificate (for `localhost` and `127.0.0.1`). Its key was thrown away.
pub const AUTHORITY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/net/test_pki/ca.pem");

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Request {
    pub target: String,
    headers: Vec<(String, String)>,
    /// How many requests came before it.
    pub number: usize,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The first byte that a Range header asks for.
    pub fn start(&self) -> Option<usize> {
        self.header("range")?.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()
    }
}

/// What happens after the bytes of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    Close,
    /// The connection is reset.
    Reset,
    /// Nothing more comes, until the server is dropped.
    Stall,
    /// Not even a head comes.
    Silence,
}

/// A reply.
#[derive(Debug, Clone)]
pub struct Reply {
    status: String,
    headers: Vec<String>,
    body: Vec<u8>,
    /// Announced, where it differs from the body's.
    length: Option<usize>,
    ending: Ending,
}

impl Reply {
    pub fn new(status: &str, body: impl Into<Vec<u8>>) -> Self {
        let (headers, body) = (Vec::new(), body.into());
        Self { status: status.to_owned(), headers, body, length: None, ending: Ending::Close }
    }

    pub fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self::new("200 OK", body)
    }

    pub fn redirect(to: &str) -> Self {
        Self::new("302 Found", "").header(&format!("Location: {to}"))
    }

    /// The rest of a file, as the request's range asks.
    pub fn range(request: &Request, file: &[u8]) -> Self {
        match request.start() {
            None => Self::ok(file),
            Some(start) if start >= file.len() => {
                Self::new("416 Range Not Satisfiable", "").header(&format!("Content-Range: bytes */{}", file.len()))
            }
            Some(start) => Self::new("206 Partial Content", &file[start..]).header(&format!(
                "Content-Range: bytes {start}-{}/{}",
                file.len() - 1,
                file.len()
            )),
        }
    }

    pub fn header(mut self, header: &str) -> Self {
        self.headers.push(header.to_owned());
        self
    }

    /// Sends only the first bytes of the body, then ends so.
    pub fn cut(mut self, keep: usize, ending: Ending) -> Self {
        self.length = Some(self.body.len());
        self.body.truncate(keep);
        self.ending = ending;
        self
    }

    fn head(&self) -> String {
        let length = self.length.unwrap_or(self.body.len());
        let mut head = format!("HTTP/1.1 {}\r\nContent-Length: {length}\r\nConnection: close\r\n", self.status);
        for header in &self.headers {
            head.push_str(header);
            head.push_str("\r\n");
        }
        head + "\r\n"
    }
}

type Answer = dyn Fn(&Request) -> Reply + Send + Sync;

/// A running server; gone when dropped.
pub struct Server {
    address: String,
    scheme: &'static str,
    requests: Arc<Mutex<Vec<Request>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub fn start(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        Self::serve("http", Arc::new(answer))
    }

    /// With TLS, by the certificate that [`AUTHORITY`] signed.
    pub fn start_tls(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        Self::serve("https", Arc::new(answer))
    }

    fn serve(scheme: &'static str, answer: Arc<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let (seen, stopped) = (requests.clone(), stop.clone());
        let thread = std::thread::spawn(move || {
            let mut parked = Vec::new();
            let mut talks = Vec::new();
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    break;
                }
                let stream = stream.unwrap();
                parked.push(stream.try_clone().unwrap());
                let (answer, seen) = (answer.clone(), seen.clone());
                talks.push(std::thread::spawn(move || {
                    // What the client does to the connection is the client's test.
                    let _ = match scheme {
                        "https" => talk_tls(stream, &*answer, &seen),
                        _ => talk(stream.try_clone().unwrap(), &stream, &*answer, &seen),
                    };
                }));
            }
            for stream in parked {
                let _ = stream.shutdown(std::net::Shutdown::Both);
            }
            for talk in talks {
                let _ = talk.join();
            }
        });
        Self { address, scheme, requests, stop, thread: Some(thread) }
    }

    pub fn url(&self, path: &str) -> Url {
        Url::parse(&format!("{}://{}{path}", self.scheme, self.address)).unwrap()
    }

    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// An address at which nobody listens.
    pub fn nobody() -> Url {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        Url::parse(&format!("http://{free}/x")).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(&self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn talk(
    mut stream: impl Read + Write,
    raw: &TcpStream,
    answer: &Answer,
    seen: &Mutex<Vec<Request>>,
) -> std::io::Result<()> {
    let Some(mut request) = read_request(&mut stream)? else { return Ok(()) };
    {
        let mut seen = seen.lock().unwrap();
        request.number = seen.len();
        seen.push(request.clone());
    }
    let reply = answer(&request);
    if reply.ending != Ending::Silence {
        stream.write_all(reply.head().as_bytes())?;
        stream.write_all(&reply.body)?;
        stream.flush()?;
    }
    match reply.ending {
        Ending::Close => raw.shutdown(std::net::Shutdown::Write)?,
        Ending::Reset => {
            rustix::net::sockopt::set_socket_linger(raw, Some(std::time::Duration::ZERO))?;
            return Ok(());
        }
        Ending::Stall | Ending::Silence => {}
    }
    // Until the client goes, or the server.
    let _ = std::io::copy(&mut stream, &mut std::io::sink());
    Ok(())
}

fn talk_tls(stream: TcpStream, answer: &Answer, seen: &Mutex<Vec<Request>>) -> std::io::Result<()> {
    let certificate = CertificateDer::from_pem_slice(include_bytes!("test_pki/leaf.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("test_pki/leaf.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let session = rustls::ServerConnection::new(Arc::new(config)).unwrap();
    let raw = stream.try_clone()?;
    talk(rustls::StreamOwned::new(session, stream), &raw, answer, seen)
}

fn read_request(stream: &mut impl Read) -> std::io::Result<Option<Request>> {
    let mut lines = BufReader::with_capacity(1, stream).lines();
    let Some(first) = lines.next().transpose()? else { return Ok(None) };
    let target = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut headers = Vec::new();
    for line in lines {
        let line = line?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    Ok(Some(Request { target, headers, number: 0 }))
}
