//! `Release`: what a suite has, by digest, and until when that counts.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::control::paragraphs;
use crate::digest::Sha256;

/// What a signed `Release` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// When it was made.
    pub date: Option<Timestamp>,
    /// Until when it counts, if it says.
    pub valid_until: Option<Timestamp>,
    /// Whether its files can be had by their digest, so that a mirror in mid-update does no harm.
    pub by_hash: bool,
    /// Its files: digest and bytes.
    pub files: BTreeMap<String, (Sha256, u64)>,
}

impl Release {
    /// Reads a text whose signature was checked.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let mut release = Self { date: None, valid_until: None, by_hash: false, files: BTreeMap::new() };
        let Some(paragraph) = paragraphs(text).next() else { return release };
        for (field, value) in paragraph.fields() {
            match field {
                "Date" => release.date = time(value),
                "Valid-Until" => release.valid_until = time(value),
                "Acquire-By-Hash" => release.by_hash = value.eq_ignore_ascii_case("yes"),
                "SHA256" => release.files = value.lines().filter_map(file).collect(),
                _ => {}
            }
        }
        release
    }

    /// The best file of a list of packages: its name, digest and bytes.
    #[must_use]
    pub fn packages(&self, component: &str, architecture: &str) -> Option<(String, Sha256, u64)> {
        ["xz", "zst", "gz", ""].iter().find_map(|packing| {
            let dot = if packing.is_empty() { "" } else { "." };
            let name = format!("{component}/binary-{architecture}/Packages{dot}{packing}");
            self.files.get(&name).map(|(digest, size)| (name, *digest, *size))
        })
    }
}

/// `Sat, 11 Jan 2026 10:00:00 UTC`.
fn time(text: &str) -> Option<Timestamp> {
    let text = text.trim().replace(" UTC", " +0000").replace(" GMT", " +0000").replace(" Z", " +0000");
    jiff::fmt::rfc2822::parse(&text).ok().map(|time| time.timestamp())
}

fn file(line: &str) -> Option<(String, (Sha256, u64))> {
    let mut words = line.split_whitespace();
    let digest = words.next()?.parse().ok()?;
    let size = words.next()?.parse().ok()?;
    Some((words.next()?.to_owned(), (digest, size)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_read() {
        let digest = Sha256::of(b"x");
        let text = format!(
            "Origin: Debian\nDate: Sat, 09 Nov 2024 09:09:09 UTC\nValid-Until: Sat, 16 Nov 2024 09:09:09 UTC\n\
             Acquire-By-Hash: yes\nSHA256:\n {0}  12 main/binary-amd64/Packages\n {0} 5 main/binary-amd64/Packages.gz\n",
            digest.to_hex()
        );
        let release = Release::read(&text);
        assert_eq!(release.date.expect("a date").to_string(), "2024-11-09T09:09:09Z");
        assert_eq!(release.valid_until.expect("an end").to_string(), "2024-11-16T09:09:09Z");
        assert!(release.by_hash);
        assert_eq!(release.packages("main", "amd64"), Some(("main/binary-amd64/Packages.gz".to_owned(), digest, 5)));
        assert_eq!(release.packages("contrib", "amd64"), None);
    }
}
