//! Pages of an index: PEP 691 JSON, or the older HTML (PEP 503), to a list of files. Pure.

use std::collections::BTreeMap;

use serde::Deserialize;
use url::Url;

use crate::digest::Sha256;

/// What is asked for: JSON where the index has it.
pub const ACCEPT: &str =
    "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1";

/// One file that a page lists.
#[derive(Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub file: String,
    /// Where it is.
    pub url: Url,
    /// Its digest, where the page says.
    pub sha256: Option<Sha256>,
    /// Its bytes, where the page says.
    pub size: Option<u64>,
}

/// Why a page is not understood.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// The JSON is not as PEP 691 has it.
    #[error("its JSON is not understood: {0}")]
    Json(#[from] serde_json::Error),
    /// Neither JSON nor HTML.
    #[error("it is `{0}`, neither JSON nor HTML")]
    Kind(String),
}

/// Reads a page that came from `base`.
///
/// # Errors
/// If it is not understood.
pub fn read(base: &Url, content_type: Option<&str>, body: &[u8]) -> Result<Vec<Listed>, PageError> {
    let kind = content_type.unwrap_or("text/html").split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if kind.ends_with("json") {
        return json(base, body);
    }
    if kind.ends_with("html") || kind.starts_with("text/") {
        return Ok(html(base, &String::from_utf8_lossy(body)));
    }
    Err(PageError::Kind(kind))
}

#[derive(Deserialize)]
struct Page {
    files: Vec<PageFile>,
}

#[derive(Deserialize)]
struct PageFile {
    filename: String,
    url: String,
    #[serde(default)]
    hashes: BTreeMap<String, String>,
    #[serde(default)]
    size: Option<u64>,
}

fn json(base: &Url, body: &[u8]) -> Result<Vec<Listed>, PageError> {
    let page: Page = serde_json::from_slice(body)?;
    let listed = page.files.into_iter().filter_map(|file| {
        Some(Listed {
            url: join(base, &file.url)?,
            sha256: file.hashes.get("sha256").and_then(|hex| hex.parse().ok()),
            size: file.size,
            file: file.filename,
        })
    });
    Ok(listed.collect())
}

/// The anchors of a page. A small reader of tags and attributes: pages of indexes are made by machines.
fn html(base: &Url, text: &str) -> Vec<Listed> {
    let mut base = base.clone();
    let mut listed = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find('<') {
        rest = &rest[start + 1..];
        if let Some(comment) = rest.strip_prefix("!--") {
            rest = comment.find("-->").map_or("", |end| &comment[end + 3..]);
            continue;
        }
        let (name, attributes, after) = tag(rest);
        rest = after;
        let Some(href) = attributes.iter().find(|(key, _)| key == "href").map(|(_, value)| value) else { continue };
        match name.as_str() {
            "base" => base = join(&base, href).unwrap_or(base),
            "a" => listed.extend(join(&base, href).and_then(from_address)),
            _ => {}
        }
    }
    listed
}

/// A file by its address: the name is the last segment, the digest stands in the fragment.
fn from_address(url: Url) -> Option<Listed> {
    let file = decode(url.path_segments()?.next_back()?);
    if file.is_empty() {
        return None;
    }
    let sha256 = url.fragment().and_then(|words| {
        words.split('&').find_map(|word| word.strip_prefix("sha256=")).and_then(|hex| hex.parse().ok())
    });
    let mut url = url;
    url.set_fragment(None);
    Some(Listed { file, url, sha256, size: None })
}

/// A tag's name and attributes, and what follows it.
fn tag(text: &str) -> (String, Vec<(String, String)>, &str) {
    let end_of_name = text.find(|c: char| c.is_whitespace() || c == '>' || c == '/').unwrap_or(text.len());
    let name = text[..end_of_name].to_ascii_lowercase();
    let mut rest = &text[end_of_name..];
    let mut attributes = Vec::new();
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '/');
        if let Some(after) = rest.strip_prefix('>') {
            return (name, attributes, after);
        }
        if rest.is_empty() || rest.starts_with('<') {
            return (name, attributes, rest);
        }
        let end = rest.find(|c: char| c.is_whitespace() || matches!(c, '=' | '>' | '/')).unwrap_or(rest.len());
        let key = rest[..end].to_ascii_lowercase();
        // A stray `=` has no key before it: step over it, so that the loop always moves on.
        rest = if end == 0 { &rest[1..] } else { rest[end..].trim_start() };
        if let Some(value) = rest.strip_prefix('=') {
            let value = value.trim_start();
            let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
            let (value, after) = match quote {
                Some(quote) => value[1..].split_once(quote).unwrap_or((&value[1..], "")),
                None => value.split_at(value.find(|c: char| c.is_whitespace() || c == '>').unwrap_or(value.len())),
            };
            attributes.push((key, unescape(value)));
            rest = after;
        }
    }
}

/// Undoes the character references that addresses have.
fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('&') {
        plain.push_str(&rest[..start]);
        rest = &rest[start..];
        let reference = rest.find(';').filter(|end| *end <= 8).map(|end| (&rest[1..end], &rest[end + 1..]));
        let known = reference.and_then(|(word, after)| Some((character(word)?, after)));
        match known {
            Some((character, after)) => {
                plain.push(character);
                rest = after;
            }
            None => {
                plain.push('&');
                rest = &rest[1..];
            }
        }
    }
    plain.push_str(rest);
    plain
}

fn character(word: &str) -> Option<char> {
    match word {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = word.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)
        }
    }
}

/// Undoes percent-encoding of a file name.
pub(super) fn decode(text: &str) -> String {
    // A query is what the library decodes; `+` has no other meaning in a path.
    let escaped = text.replace('+', "%2B").replace('&', "%26").replace('=', "%3D");
    url::form_urlencoded::parse(escaped.as_bytes()).next().map(|(name, _)| name.into_owned()).unwrap_or_default()
}

/// An address on a page. One of the same origin gets the user info of the page's own address, which relative joining drops.
fn join(base: &Url, href: &str) -> Option<Url> {
    let mut url = base.join(href).ok()?;
    if url.origin() == base.origin() && url.username().is_empty() && url.password().is_none() {
        // Both fail only for addresses that cannot have user info.
        let _ = url.set_username(base.username());
        let _ = url.set_password(base.password());
    }
    Some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(kind: Option<&str>, body: &str) -> String {
        let base = Url::parse("https://me:pw@index.example/simple/demo/").unwrap();
        let listed = read(&base, kind, body.as_bytes()).unwrap();
        let lines = listed.iter().map(|file| {
            format!(
                "{} {} {:?} {:?}",
                file.file,
                file.url,
                file.sha256.map(|sha| sha.to_hex()[..4].to_owned()),
                file.size
            )
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn json_pages() {
        let body = format!(
            r#"{{"meta":{{"api-version":"1.1"}},"name":"demo","files":[
                {{"filename":"demo-1-py3-none-any.whl","url":"../../files/demo-1-py3-none-any.whl","hashes":{{"sha256":"{0}"}},"size":12,"yanked":"broken"}},
                {{"filename":"demo-1.tar.gz","url":"https://files.example/demo-1.tar.gz","hashes":{{}}}}]}}"#,
            "ab".repeat(32)
        );
        insta::assert_snapshot!(listing(Some("application/vnd.pypi.simple.v1+json"), &body), @r#"
        demo-1-py3-none-any.whl https://me:pw@index.example/files/demo-1-py3-none-any.whl Some("abab") Some(12)
        demo-1.tar.gz https://files.example/demo-1.tar.gz None None
        "#);
    }

    #[test]
    fn html_pages() {
        let body = format!(
            r##"<!DOCTYPE html><!-- <a href="no.whl"> --><html><body><h1>Links</h1>
            <A data-requires-python="&gt;=3.8" HREF='/files/demo-1%2Bcu1-py3-none-any.whl?a=1&amp;b=2#sha256={0}'>demo</A><br/>
            <a href=demo-2.tar.gz>demo-2</a><a name="x">none</a><a href="">empty</a><a href="broken"##,
            "cd".repeat(32)
        );
        insta::assert_snapshot!(listing(Some("text/html; charset=utf-8"), &body), @r#"
        demo-1+cu1-py3-none-any.whl https://me:pw@index.example/files/demo-1%2Bcu1-py3-none-any.whl?a=1&b=2 Some("cdcd") None
        demo-2.tar.gz https://me:pw@index.example/simple/demo/demo-2.tar.gz None None
        broken https://me:pw@index.example/simple/demo/broken None None
        "#);
        assert!(read(&Url::parse("https://h/").unwrap(), Some("image/png"), b"").is_err());
        for hostile in ["<a =x href", "<a/=", "<", "<a href='", "<!--", "<a = = =>", "<<<>>>"] {
            listing(None, hostile);
        }
    }
}
