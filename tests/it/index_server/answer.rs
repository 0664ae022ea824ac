//! What the server says to a request.

use std::fmt::{self, Write};

use super::Fault;
use super::wheel::Built;

/// What a client asked for.
#[derive(Debug)]
pub(super) struct Request {
    pub path: String,
    pub is_head: bool,
    wants_json: bool,
    /// The first byte that is wanted, as `Range` says it.
    range: Option<usize>,
    method: String,
}

/// What it gets.
#[derive(Debug)]
pub(super) struct Answer {
    status: u16,
    kind: &'static str,
    more: String,
    pub body: Vec<u8>,
}

impl Request {
    /// From the lines of its head.
    pub fn read(lines: &[String]) -> Option<Self> {
        let (first, headers) = lines.split_first()?;
        let mut words = first.split_whitespace();
        let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
        let header = |wanted: &str| {
            headers.iter().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case(wanted).then(|| value.trim().to_owned())
            })
        };
        Some(Self {
            path,
            is_head: method == "HEAD",
            wants_json: header("accept").is_some_and(|accept| accept.contains("application/vnd.pypi.simple.v1+json")),
            range: header("range").and_then(|range| range.strip_prefix("bytes=")?.split('-').next()?.parse().ok()),
            method,
        })
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)?;
        self.range.map_or(Ok(()), |first| write!(f, " bytes={first}-"))
    }
}

impl Answer {
    /// The answer to a request.
    pub fn to(request: &Request, wheels: &[Built], fault: Option<Fault>) -> Self {
        match fault {
            Some(Fault::Status(status)) => return Self::new(status, "text/plain", b"not now\n".to_vec()),
            Some(Fault::RedirectLoop) => {
                let more = format!("Location: {}\r\n", request.path);
                return Self { more, ..Self::new(302, "text/plain", Vec::new()) };
            }
            _ => {}
        }
        let Some(mut answer) = Self::whole(request, wheels) else {
            return Self::new(404, "text/plain", b"no such page\n".to_vec());
        };
        if fault == Some(Fault::Altered) {
            for byte in &mut answer.body {
                *byte ^= 0x20;
            }
        }
        match request.range.filter(|_| fault != Some(Fault::NoRange)) {
            Some(first) if first < answer.body.len() => {
                let whole = answer.body.len();
                let _ = write!(answer.more, "Content-Range: bytes {first}-{}/{whole}\r\n", whole - 1);
                answer.status = 206;
                answer.body.drain(..first);
                answer
            }
            Some(_) => {
                let more = format!("Content-Range: bytes */{}\r\n", answer.body.len());
                Self { more, ..Self::new(416, "text/plain", Vec::new()) }
            }
            None => answer,
        }
    }

    /// The head, with the length of the whole body.
    pub fn head(&self) -> String {
        format!(
            "HTTP/1.1 {} Answer\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n{}\r\n",
            self.status,
            self.kind,
            self.body.len(),
            self.more
        )
    }

    fn new(status: u16, kind: &'static str, body: Vec<u8>) -> Self {
        Self { status, kind, more: String::new(), body }
    }

    fn whole(request: &Request, wheels: &[Built]) -> Option<Self> {
        if let Some(name) = request.path.strip_prefix("/files/") {
            let (name, is_metadata) = name.strip_suffix(".metadata").map_or((name, false), |name| (name, true));
            let wheel = wheels.iter().find(|wheel| wheel.file == name)?;
            let body = if is_metadata { wheel.metadata.clone().into_bytes() } else { wheel.bytes.clone() };
            let more = "Accept-Ranges: bytes\r\n".to_owned();
            return Some(Self { more, ..Self::new(200, "application/octet-stream", body) });
        }
        let project = request.path.strip_prefix("/simple/")?.trim_end_matches('/');
        let files: Vec<&Built> = wheels.iter().filter(|wheel| wheel.project == project).collect();
        if files.is_empty() {
            return None;
        }
        Some(if request.wants_json {
            Self::new(200, "application/vnd.pypi.simple.v1+json", json_page(project, &files))
        } else {
            Self::new(200, "text/html", html_page(project, &files))
        })
    }
}

fn json_page(project: &str, files: &[&Built]) -> Vec<u8> {
    let entries: Vec<serde_json::Value> = files
        .iter()
        .map(|wheel| {
            serde_json::json!({
                "filename": wheel.file,
                "url": format!("/files/{}", wheel.file),
                "hashes": { "sha256": wheel.sha256 },
                "size": wheel.bytes.len(),
                "core-metadata": { "sha256": wheel.metadata_sha256 },
                "requires-python": ">=3.8",
                "yanked": false,
            })
        })
        .collect();
    let versions: Vec<&str> = files.iter().map(|wheel| wheel.version.as_str()).collect();
    let page = serde_json::json!({
        "meta": { "api-version": "1.1" }, "name": project, "versions": versions, "files": entries,
    });
    page.to_string().into_bytes()
}

fn html_page(project: &str, files: &[&Built]) -> Vec<u8> {
    let mut page = format!("<!DOCTYPE html>\n<html><head><title>{project}</title></head><body>\n");
    for wheel in files {
        let _ = writeln!(
            page,
            "<a href=\"/files/{0}#sha256={1}\" data-requires-python=\"&gt;=3.8\" data-core-metadata=\"sha256={2}\">{0}</a><br>",
            wheel.file, wheel.sha256, wheel.metadata_sha256
        );
    }
    page.push_str("</body></html>\n");
    page.into_bytes()
}
