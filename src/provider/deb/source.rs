//! Where packages come from: the machine's own apt sources, in both of their forms, or those of `[sources.debian]`.

use std::path::{Path, PathBuf};

use super::control::paragraphs;
use url::Url;

/// One suite of one archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Where the archive is: ends with a slash.
    pub address: Url,
    /// The suite: `bookworm-security`.
    pub suite: String,
    /// Its components: `main`.
    pub components: Vec<String>,
    /// Whose signatures count: keyring files, or a whole key in the source itself; those that apt trusts if it names none.
    pub signed_by: SignedBy,
    /// Whether it is taken past the time until which its `Release` counts: a snapshot that nobody renews.
    pub any_age: bool,
}

/// Whose signatures count.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum SignedBy {
    /// The keys that apt trusts for every archive.
    #[default]
    Machine,
    /// These keyring files.
    Files(Vec<PathBuf>),
    /// A key that stands in the source.
    Key(String),
}

impl Source {
    /// A name for people, without a host.
    #[must_use]
    pub fn name(&self) -> String {
        self.suite.clone()
    }
}

/// The word that Debian has for a machine's architecture.
#[must_use]
pub fn architecture(machine: &str) -> &str {
    match machine {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "i686" | "x86" => "i386",
        "powerpc64le" | "ppc64le" => "ppc64el",
        other => other,
    }
}

/// The sources of a machine: `sources.list` and what is beside it, below `etc` (`/etc/apt`). What is unreadable is passed over,
/// as are sources of source packages, other architectures, and transports that are not spoken here.
#[must_use]
pub fn of_machine(etc: &Path, architecture: &str) -> Vec<Source> {
    let mut files = vec![etc.join("sources.list")];
    let mut parts: Vec<PathBuf> = std::fs::read_dir(etc.join("sources.list.d"))
        .map(|entries| entries.filter_map(Result::ok).map(|entry| entry.path()).collect())
        .unwrap_or_default();
    parts.sort();
    files.extend(parts);
    let mut sources = Vec::new();
    for file in files {
        let Ok(text) = std::fs::read_to_string(&file) else { continue };
        match file.extension().and_then(|extension| extension.to_str()) {
            Some("list") => sources.extend(text.lines().flat_map(|line| one_line(line, architecture))),
            Some("sources") => sources.extend(deb822(&text, architecture)),
            _ => {}
        }
    }
    sources
}

/// `deb [arch=amd64 signed-by=/…] http://… bookworm main contrib`.
fn one_line(line: &str, architecture: &str) -> Vec<Source> {
    let line = line.split('#').next().unwrap_or_default().trim();
    let Some(rest) = line.strip_prefix("deb").filter(|rest| rest.starts_with(char::is_whitespace)) else {
        return Vec::new();
    };
    let rest = rest.trim_start();
    let (options, rest) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((options, rest)) => (options, rest),
        None => ("", rest),
    };
    let (mut signed_by, mut any_age) = (SignedBy::Machine, false);
    for option in options.split_whitespace() {
        match option.split_once('=') {
            Some(("arch", list)) if !list.split(',').any(|arch| arch == architecture) => return Vec::new(),
            Some(("signed-by", list)) => signed_by = SignedBy::Files(list.split(',').map(PathBuf::from).collect()),
            Some(("check-valid-until", word)) => any_age = is_no(word),
            _ => {}
        }
    }
    let words: Vec<&str> = rest.split_whitespace().collect();
    let [address, suite, components @ ..] = words.as_slice() else { return Vec::new() };
    made(&[address], &[suite], components, &signed_by, any_age)
}

/// `Types: deb`, `URIs: …` and so on, a paragraph each.
fn deb822(text: &str, architecture: &str) -> Vec<Source> {
    let mut sources = Vec::new();
    for paragraph in paragraphs(text) {
        let list = |name: &str| paragraph.get(name).unwrap_or_default().split_whitespace().collect::<Vec<_>>();
        let architectures = list("Architectures");
        let other = !architectures.is_empty() && !architectures.contains(&architecture);
        let off = paragraph.get("Enabled").is_some_and(is_no);
        let any_age = paragraph.get("Check-Valid-Until").is_some_and(is_no);
        if off || other || !list("Types").contains(&"deb") {
            continue;
        }
        let signed_by = match paragraph.get("Signed-By") {
            None => SignedBy::Machine,
            Some(text) if text.contains("-----BEGIN") => SignedBy::Key(unfolded(text)),
            Some(files) => SignedBy::Files(
                files
                    .split(|c: char| c.is_whitespace() || c == ',')
                    .filter(|file| !file.is_empty())
                    .map(PathBuf::from)
                    .collect(),
            ),
        };
        sources.extend(made(&list("URIs"), &list("Suites"), &list("Components"), &signed_by, any_age));
    }
    sources
}

fn is_no(word: &str) -> bool {
    ["no", "false"].iter().any(|no| word.trim().eq_ignore_ascii_case(no))
}

/// Continuation lines have a space before them, and a dot where they are empty.
fn unfolded(text: &str) -> String {
    let lines = text.lines().map(|line| line.strip_prefix(' ').unwrap_or(line));
    lines.map(|line| if line == "." { "" } else { line }).collect::<Vec<_>>().join("\n")
}

fn made(addresses: &[&str], suites: &[&str], components: &[&str], signed_by: &SignedBy, any_age: bool) -> Vec<Source> {
    let mut sources = Vec::new();
    for address in addresses {
        // A transport of apt's own (`cdrom:`, `mirror+file:`) is not spoken here.
        let Ok(mut address) = Url::parse(address) else { continue };
        if !matches!(address.scheme(), "http" | "https" | "file") {
            continue;
        }
        if !address.path().ends_with('/') {
            let path = format!("{}/", address.path());
            address.set_path(&path);
        }
        for suite in suites {
            // A flat archive (`suite/`) has no components; none of the catalogue's packages are in one.
            if suite.ends_with('/') || components.is_empty() {
                continue;
            }
            sources.push(Source {
                address: address.clone(),
                suite: (*suite).to_owned(),
                components: components.iter().map(ToString::to_string).collect(),
                signed_by: signed_by.clone(),
                any_age,
            });
        }
    }
    sources
}

/// Sources that are written out: `[sources.debian]` with one address.
#[must_use]
pub fn written(
    address: &Url,
    suites: &[String],
    components: &[String],
    keyrings: &[PathBuf],
    any_age: bool,
) -> Vec<Source> {
    let words = |list: &[String]| list.to_vec();
    let signed_by = if keyrings.is_empty() { SignedBy::Machine } else { SignedBy::Files(keyrings.to_vec()) };
    let (suites, components) = (words(suites), words(components));
    made(
        &[address.as_str()],
        &suites.iter().map(String::as_str).collect::<Vec<_>>(),
        &components.iter().map(String::as_str).collect::<Vec<_>>(),
        &signed_by,
        any_age,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(sources: &[Source]) -> Vec<String> {
        let one = |source: &Source| {
            format!("{} {} {} {:?}", source.address, source.suite, source.components.join("+"), source.signed_by)
        };
        sources.iter().map(one).collect()
    }

    #[test]
    fn both_forms_say_the_same() {
        let line = "deb [ arch=amd64,arm64 signed-by=/k.gpg ] http://127.0.0.1/debian bookworm main contrib # why";
        let block = "# c\nTypes: deb deb-src\nURIs: http://127.0.0.1/debian/\nSuites: bookworm\nComponents: main contrib\n\
            Signed-By: /k.gpg\n";
        let expected = ["http://127.0.0.1/debian/ bookworm main+contrib Files([\"/k.gpg\"])"];
        assert_eq!(shown(&one_line(line, "amd64")), expected);
        assert_eq!(shown(&deb822(block, "amd64")), expected);
    }

    #[test]
    fn what_does_not_concern_this_machine_is_passed_over() {
        for line in [
            "deb-src http://127.0.0.1/debian bookworm main",
            "deb [arch=arm64] http://127.0.0.1/debian bookworm main",
            "deb cdrom:[Debian]/ bookworm main",
            "deb http://127.0.0.1/flat ./",
            "# deb http://127.0.0.1/debian bookworm main",
        ] {
            assert_eq!(one_line(line, "amd64"), [], "{line}");
        }
        assert_eq!(deb822("Types: deb\nURIs: http://127.0.0.1/\nSuites: a\nComponents: b\nEnabled: no\n", "amd64"), []);
    }

    #[test]
    fn a_snapshot_may_be_of_any_age() {
        let old = |sources: &[Source]| sources.iter().map(|source| source.any_age).collect::<Vec<_>>();
        let line = |option: &str| one_line(&format!("deb [{option}] http://127.0.0.1/debian sid main"), "amd64");
        assert_eq!(old(&line("check-valid-until=no")), [true]);
        assert_eq!(old(&line("check-valid-until=yes")), [false]);
        let block = "Types: deb\nURIs: http://127.0.0.1/\nSuites: a b\nComponents: c\nCheck-Valid-Until: No\n";
        assert_eq!(old(&deb822(block, "amd64")), [true, true]);
    }

    #[test]
    fn a_key_may_stand_in_the_source() {
        let block =
            "Types: deb\nURIs: http://127.0.0.1/\nSuites: a\nComponents: b\nSigned-By:\n -----BEGIN X-----\n .\n abc\n";
        let sources = deb822(block, "amd64");
        assert_eq!(sources[0].signed_by, SignedBy::Key("-----BEGIN X-----\n\nabc".to_owned()));
    }
}
