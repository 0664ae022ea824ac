//! One request of a [`Client`] and its answer.

use std::io::{self, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use super::client::{Client, ClientError};
use super::door::CROWDED;
use super::http::{Body, ResponseHead, read_head};
use super::reach::{self, open};

/// For how long it is tried again where there are too many clients, and how often.
const CROWD: Duration = Duration::from_secs(8);
const AGAIN: Duration = Duration::from_millis(50);

impl Client {
    pub(super) fn question<T: serde::de::DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.read_json(self.request("GET", path, None, Some(self.patience))?)
    }

    pub(super) fn read_json<T: serde::de::DeserializeOwned>(&self, mut body: Body) -> Result<T, ClientError> {
        let mut text = String::new();
        body.read_to_string(&mut text).map_err(|error| self.unheard(error, body.stream()))?;
        serde_json::from_str(&text).map_err(|error| ClientError::Answer(error.to_string()))
    }

    /// Why nothing more was heard.
    fn unheard(&self, error: io::Error, stream: &UnixStream) -> ClientError {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                reach::silence(&self.layout, reach::peer(stream), self.patience)
            }
            _ => ClientError::Talk(error),
        }
    }

    /// Asks, again if there are too many clients at this moment: those who say nothing are sent away soon.
    pub(super) fn request(
        &self,
        method: &str,
        path: &str,
        body: Option<&[u8]>,
        patience: Option<Duration>,
    ) -> Result<Body, ClientError> {
        let end = Instant::now() + CROWD;
        loop {
            match self.request_once(method, path, body, patience) {
                Err(ClientError::Refused(why)) if why == CROWDED && Instant::now() < end => std::thread::sleep(AGAIN),
                answer => return answer,
            }
        }
    }

    fn request_once(
        &self,
        method: &str,
        path: &str,
        body: Option<&[u8]>,
        patience: Option<Duration>,
    ) -> Result<Body, ClientError> {
        // A supervisor that has just ended is followed by another.
        let mut stream = match open(&self.path) {
            Err(ClientError::Connect { .. }) if Self::connect(&self.layout)?.is_some() => open(&self.path)?,
            opened => opened?,
        };
        stream.set_read_timeout(patience).map_err(ClientError::Talk)?;
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: jove\r\nconnection: close\r\n");
        if let Some(body) = body {
            head.push_str(&format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len()));
        } else if method == "POST" {
            head.push_str("content-length: 0\r\n");
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(body.unwrap_or_default());
        stream.write_all(&bytes).map_err(ClientError::Talk)?;
        let mut reader = BufReader::new(stream);
        let ResponseHead { status, length, chunked } =
            read_head(&mut reader).map_err(|error| self.unheard(error, reader.get_ref()))?;
        let mut body = Body::new(reader, length, chunked);
        if status == 200 {
            return Ok(body);
        }
        let mut text = String::new();
        body.read_to_string(&mut text).map_err(|error| self.unheard(error, body.stream()))?;
        Err(ClientError::Refused(text.trim().to_owned()))
    }
}
