//! One file on its way: attempts at one address after the other, until the part has the content that is wanted.

use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use reqwest::header::{ACCEPT_ENCODING, CONTENT_RANGE, ETAG, HeaderMap, HeaderValue, IF_RANGE, LAST_MODIFIED, RANGE};
use reqwest::{Response, StatusCode};
use url::Url;

use super::address::{self, show};
use super::cache::{Content, Hasher};
use super::client::Client;
use super::part::{Facts, Part};
use super::trouble::Trouble;
use crate::digest::{Digest, Sha256};
use crate::progress::{Event, Reporter};

/// What an attempt at an address ended with.
#[derive(Debug)]
pub struct Try {
    /// The address, as people may see it.
    pub address: String,
    /// Why the last attempt failed.
    pub trouble: Trouble,
    /// How many attempts were made.
    pub attempts: u32,
}

/// A part that grows.
pub(super) struct Transfer<'a> {
    client: &'a Client,
    report: &'a Reporter,
    name: &'a str,
    sha256: Sha256,
    size: Option<u64>,
    part: Part,
    hasher: Hasher,
    /// Whether bytes of an earlier attempt are in the part: they may not fit those of this one.
    carried: bool,
    /// Whether the content that was compared last held such bytes.
    mixed: bool,
    /// Whether people were told that it began, and of how many bytes.
    begun: bool,
    /// The most bytes that were reported, so that a start from the beginning is not counted twice.
    reported: u64,
}

impl<'a> Transfer<'a> {
    /// Begins with what is in the part already.
    pub(super) fn begin(
        client: &'a Client,
        report: &'a Reporter,
        wanted: &'a super::Wanted,
        mut part: Part,
    ) -> Result<Self, Trouble> {
        let mut hasher = Hasher::sha256();
        let too_long = wanted.size.is_some_and(|size| part.len() > size);
        let path = part.path().to_owned();
        if too_long { part.restart() } else { part.hash(&mut hasher) }
            .map_err(|error| Trouble::disk(&path, 0, error))?;
        if part.len() > 0 {
            report.report(Event::Detail(format!("`{}`: goes on after {} bytes", wanted.name, part.len())));
        }
        let (name, sha256, size) = (&wanted.name, wanted.sha256, wanted.size);
        let (carried, mixed, begun, reported) = (false, false, false, 0);
        Ok(Self { client, report, name, sha256, size, part, hasher, carried, mixed, begun, reported })
    }

    /// Tries the addresses in their order; gives the part with the content that is wanted.
    pub(super) async fn run(mut self, addresses: &[Url]) -> Result<Part, Vec<Try>> {
        let mut tries = Vec::new();
        // Killed between the last byte and the rename; what is not it after all has been dropped.
        if self.size == Some(self.part.len()) && self.compare().is_ok() {
            self.begin_report(self.size);
            return Ok(self.part);
        }
        for address in addresses {
            match self.try_address(address).await {
                Ok(()) => return Ok(self.part),
                Err(failed) => {
                    let is_local = failed.trouble.is_local();
                    tries.push(failed);
                    if is_local {
                        break;
                    }
                }
            }
        }
        Err(tries)
    }

    async fn try_address(&mut self, address: &Url) -> Result<(), Try> {
        let (mut failed, mut barren) = (0, 0);
        loop {
            let before = self.part.len();
            self.carried = before > 0;
            let trouble = match self.attempt(address).await {
                Ok(()) => return Ok(()),
                Err(trouble) => trouble,
            };
            failed += 1;
            if matches!(trouble, Trouble::Digest { .. }) && self.mixed && failed < 3 {
                // The bytes of before may be the wrong ones (another mirror, a power cut): once more from the start.
                self.note(&format!("what was there before did not fit, so it starts again from {}", show(address)));
                continue;
            }
            barren = if self.part.len() > before { 1 } else { barren + 1 };
            let Some(pause) = self.client.pause_after(address, &trouble, failed, barren) else {
                return Err(Try { address: show(address), trouble, attempts: failed });
            };
            self.note(&format!("{}: {trouble}; next attempt in {}", show(address), shown(pause)));
            tokio::time::sleep(pause).await;
        }
    }

    async fn attempt(&mut self, address: &Url) -> Result<(), Trouble> {
        match address::local(address) {
            Some(path) => self.copy(&path)?,
            None => self.download(address).await?,
        }
        self.compare()
    }

    async fn download(&mut self, address: &Url) -> Result<(), Trouble> {
        let mut response = self.ask(address).await?;
        if response.status() == StatusCode::RANGE_NOT_SATISFIABLE && self.part.len() > 0 {
            if range_total(response.headers()) == Some(self.part.len()) {
                return Ok(());
            }
            self.restart()?;
            response = self.ask(address).await?;
        }
        let total = self.accept(address, &response)?;
        loop {
            match self.client.chunk(&mut response).await {
                Ok(Some(bytes)) => self.append(bytes.as_ref())?,
                Ok(None) => break,
                Err(trouble) => return Err(self.or_short(trouble, total)),
            }
        }
        match total {
            Some(expected) if self.part.len() < expected => Err(Trouble::Short { got: self.part.len(), expected }),
            _ => Ok(()),
        }
    }

    async fn ask(&self, address: &Url) -> Result<Response, Trouble> {
        let mut headers = HeaderMap::new();
        // The digest is of the file as it lies there.
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let len = self.part.len();
        if let (true, Ok(range)) = (len > 0, HeaderValue::try_from(format!("bytes={len}-"))) {
            headers.insert(RANGE, range);
            let facts = self.part.facts().filter(|facts| facts.address == name_of(address));
            if let Some(Ok(validator)) = facts.map(|facts| HeaderValue::try_from(facts.validator)) {
                headers.insert(IF_RANGE, validator);
            }
        }
        self.client.get(address, &headers).await.map(|(response, _)| response)
    }

    /// Judges an answer's head: where its bytes belong, and how many there should be in the end.
    fn accept(&mut self, address: &Url, response: &Response) -> Result<Option<u64>, Trouble> {
        let start = match response.status() {
            StatusCode::PARTIAL_CONTENT if range_start(response.headers()) == Some(self.part.len()) => self.part.len(),
            StatusCode::PARTIAL_CONTENT => {
                // Not what was asked for; without a range it cannot be misunderstood.
                self.restart()?;
                return Err(Trouble::Connection("the server sent another range than the one asked for".to_owned()));
            }
            StatusCode::OK => 0,
            other => return Err(Trouble::Status(other.as_u16())),
        };
        let announced = response.content_length().map(|length| start + length);
        if let (Some(got), Some(expected)) = (announced, self.size)
            && got != expected
        {
            // This mirror has another file; the bytes of a better one are kept.
            return Err(Trouble::Size { got, expected });
        }
        if start < self.part.len() {
            // The server ignores ranges, or the file is another one than before.
            self.restart()?;
        }
        let facts = validator(response.headers()).map(|validator| Facts { address: name_of(address), validator });
        self.part.keep_facts(facts.as_ref());
        self.begin_report(announced.or(self.size));
        Ok(announced.or(self.size))
    }

    fn copy(&mut self, path: &Path) -> Result<(), Trouble> {
        let mut file = fs_err::File::open(path).map_err(Trouble::File)?;
        self.restart()?;
        self.begin_report(self.size.or_else(|| Some(file.metadata().ok()?.len())));
        let mut buffer = vec![0; 1 << 16];
        loop {
            match file.read(&mut buffer).map_err(Trouble::File)? {
                0 => return Ok(()),
                count => self.append(&buffer[..count])?,
            }
        }
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), Trouble> {
        let got = self.part.len() + bytes.len() as u64;
        if let Some(expected) = self.size.filter(|size| got > *size) {
            self.restart()?;
            return Err(Trouble::Size { got, expected });
        }
        let remaining = self.size.unwrap_or(got) - self.part.len();
        self.part.append(bytes).map_err(|error| Trouble::disk(self.part.path(), remaining, error))?;
        self.hasher.update(bytes);
        self.advance();
        Ok(())
    }

    /// Compares size and digest; what differs is dropped.
    fn compare(&mut self) -> Result<(), Trouble> {
        let got = self.part.len();
        if let Some(expected) = self.size.filter(|size| got != *size) {
            self.restart()?;
            return Err(Trouble::Size { got, expected });
        }
        match std::mem::replace(&mut self.hasher, Hasher::sha256()).finish() {
            Content::Sha256(got) if got == self.sha256 => Ok(()),
            Content::Sha256(got) => {
                self.mixed = self.carried;
                self.restart()?;
                Err(Trouble::Digest { got, expected: self.sha256 })
            }
            Content::Blake3(_) => unreachable!("the hasher is a sha256"),
        }
    }

    fn restart(&mut self) -> Result<(), Trouble> {
        self.hasher = Hasher::sha256();
        self.carried = false;
        let size = self.size.unwrap_or(0);
        self.part.restart().map_err(|error| Trouble::disk(self.part.path(), size, error))
    }

    fn begin_report(&mut self, total: Option<u64>) {
        if !self.begun {
            self.begun = true;
            self.report.report(Event::Begin { task: self.name.to_owned(), total });
        }
        self.advance();
    }

    fn advance(&mut self) {
        let bytes = self.part.len().saturating_sub(self.reported);
        if bytes > 0 {
            self.reported = self.part.len();
            self.report.report(Event::Advance { task: self.name.to_owned(), bytes });
        }
    }

    fn note(&self, text: &str) {
        self.report.report(Event::Note(format!("`{}`: {text}", self.name)));
    }

    /// A body that ended early is told by its bytes; other breaks keep their own words.
    fn or_short(&self, trouble: Trouble, total: Option<u64>) -> Trouble {
        match (trouble, total) {
            (Trouble::Connection(text), Some(expected)) if text.contains("end of file") => {
                Trouble::Short { got: self.part.len(), expected }
            }
            (trouble, _) => trouble,
        }
    }
}

/// The start of `Content-Range: bytes START-END/TOTAL`.
fn range_start(headers: &HeaderMap) -> Option<u64> {
    let text = headers.get(CONTENT_RANGE)?.to_str().ok()?;
    text.trim().strip_prefix("bytes ")?.split_once('-')?.0.trim().parse().ok()
}

/// The size that `Content-Range: bytes */TOTAL` tells.
fn range_total(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_RANGE)?.to_str().ok()?.rsplit_once('/')?.1.trim().parse().ok()
}

/// What may stand in `If-Range`: a strong tag, else a date.
fn validator(headers: &HeaderMap) -> Option<String> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    text(ETAG).filter(|tag| tag.starts_with('"')).or_else(|| text(LAST_MODIFIED)).map(str::to_owned)
}

fn name_of(address: &Url) -> Digest {
    Digest::of(address.as_str())
}

fn shown(pause: Duration) -> String {
    format!("{:.1} s", pause.as_secs_f64())
}
