//! `diff`: what is different under two profiles: packages, settings, who can reach what, secrets. Nothing is locked or installed.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::host::Host;
use crate::ops::error::OpResult;
use crate::ops::place::{Choice, Place};
use crate::ops::prepare;
use crate::profile::Value;
use crate::recipe::explain::for_people;
use crate::recipe::{OptionValue, ResolvedPart, Stack};
use crate::state::{State, run};

/// What two profiles make different.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Differences {
    /// Parts that only one has, by name with their recipe.
    pub parts: Vec<Difference>,
    /// What is installed.
    pub packages: Vec<Difference>,
    /// Everything else that is set.
    pub settings: Vec<Difference>,
    /// Addresses that are listened on, and those of people.
    pub exposure: Vec<Difference>,
    /// Secrets, by name.
    pub secrets: Vec<Difference>,
}

/// One thing, as it is under the one and under the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// `web.mark`.
    pub subject: String,
    /// Under the first profile; nothing if it is not there.
    pub one: Option<String>,
    /// Under the second.
    pub other: Option<String>,
}

/// Actions whose lists are packages.
const PACKAGES: [&str; 2] = ["packages", "python"];

/// What a profile says, in words that can be compared.
#[derive(Default)]
struct Said {
    parts: BTreeMap<String, String>,
    packages: BTreeMap<String, String>,
    settings: BTreeMap<String, String>,
    exposure: BTreeMap<String, String>,
    secrets: BTreeMap<String, String>,
}

/// Compares two profiles of the project here, or of the examples.
///
/// # Errors
/// If one of them cannot be resolved.
pub fn diff(host: &Host, choice: &Choice, one: &str, other: &str) -> OpResult<Differences> {
    let (one, other) = (said(host, choice, one)?, said(host, choice, other)?);
    Ok(Differences {
        parts: compare(&one.parts, &other.parts),
        packages: compare(&one.packages, &other.packages),
        settings: compare(&one.settings, &other.settings),
        exposure: compare(&one.exposure, &other.exposure),
        secrets: compare(&one.secrets, &other.secrets),
    })
}

fn compare(one: &BTreeMap<String, String>, other: &BTreeMap<String, String>) -> Vec<Difference> {
    let subjects: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    let pairs = subjects.into_iter().map(|subject| (subject, one.get(subject), other.get(subject)));
    let differing = pairs.filter(|(_, one, other)| one != other);
    differing
        .map(|(subject, one, other)| Difference { subject: subject.clone(), one: one.cloned(), other: other.cloned() })
        .collect()
}

fn said(host: &Host, choice: &Choice, profile: &str) -> OpResult<Said> {
    let choice = Choice { profile: Some(profile.to_owned()), prefix: None, ..choice.clone() };
    let place = Place::find(host.clone(), choice)?;
    let mut loaded = prepare::load(&place).map_err(|error| error.context(format!("profile `{profile}`")))?;
    let (stack, _) = prepare::resolved(&place, &mut loaded, State::load(&place.layout)?)
        .map_err(|error| error.context(format!("profile `{profile}`")))?;
    // The run folder may be elsewhere, where the path of the prefix is too long for sockets.
    let run = run::existing(&place.layout).unwrap_or_else(|| place.layout.run());
    let folders = [(run, "PREFIX/run"), (place.layout.root().to_owned(), "PREFIX")];
    Ok(of_stack(&stack, &folders.map(|(folder, name)| (folder.display().to_string(), name))))
}

/// Folders of an installation, each with the name that it has for all of them.
type Folders = [(String, &'static str)];

fn of_stack(stack: &Stack, folders: &Folders) -> Said {
    let mut said = Said::default();
    for part in stack.parts.values() {
        let name = &part.name;
        let by = part.brought_by.as_ref().map(|by| format!(", brought by {by}")).unwrap_or_default();
        said.parts.insert(name.to_string(), format!("{}{by}", part.recipe));
        for (option, resolved) in &part.options {
            let subject = format!("{name}.{option}");
            let is_auto = resolved.written == Some(Value::String("auto".into()));
            match &resolved.value {
                OptionValue::Text(text) if text.is_secret() => {
                    said.secrets.insert(subject, secret_names(text));
                }
                OptionValue::None => {}
                _ if is_auto => drop(said.settings.insert(subject, "auto".into())),
                value => {
                    let shown = plain(&for_people(value), folders);
                    let group = if is_package(part, value) { &mut said.packages } else { &mut said.settings };
                    group.insert(subject, shown);
                }
            }
        }
        for spec in &part.services {
            let addresses = spec.listens.iter().map(|address| reach(address));
            let addresses: Vec<String> = addresses.chain(spec.urls.iter().cloned()).collect();
            if !addresses.is_empty() {
                said.exposure.insert(spec.name.to_string(), plain(&addresses.join(", "), folders));
            }
        }
    }
    said
}

fn is_package(part: &ResolvedPart, value: &OptionValue) -> bool {
    PACKAGES.contains(&part.action.as_str()) && matches!(value, OptionValue::List(list) if !list.is_empty())
}

fn secret_names(text: &crate::text::Text) -> String {
    text.secrets().map(|secret| format!("{}.{}", secret.part, secret.option)).collect::<Vec<_>>().join(", ")
}

/// The same words for the same thing in two prefixes, and no version of a secret.
fn plain(text: &str, folders: &Folders) -> String {
    let text = folders.iter().fold(text.to_owned(), |text, (folder, name)| text.replace(folder, name));
    let mut made = String::with_capacity(text.len());
    for (index, piece) in text.split("secret:").enumerate() {
        if index == 0 {
            made.push_str(piece);
            continue;
        }
        let (name, rest) = piece.split_once('@').unwrap_or((piece, ""));
        let rest = rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric());
        made.push_str(&format!("secret:{name}{rest}"));
    }
    made
}

fn reach(address: &str) -> String {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host).trim_matches(['[', ']']);
    let is_loopback =
        || host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    let who = if address.starts_with("unix:") {
        "your own user"
    } else if is_loopback() {
        "this machine"
    } else {
        "everybody who can reach it"
    };
    format!("{address} ({who})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_compared_names_no_prefix_and_no_version() {
        for (text, expected) in [
            ("/home/me/jove/demo/var/x", "PREFIX/var/x"),
            ("unix:/home/me/jove/demo/run/app/a.sock", "unix:PREFIX/run/app/a.sock"),
            ("unix:/tmp/jove-x/app/a.sock", "unix:PREFIX/run/app/a.sock"),
            ("redis://:secret:cache.password@abcdefgh@/run", "redis://:secret:cache.password@/run"),
            ("plain", "plain"),
        ] {
            let folders = [("/tmp/jove-x", "PREFIX/run"), ("/home/me/jove/demo", "PREFIX")];
            assert_eq!(plain(text, &folders.map(|(folder, name)| (folder.to_owned(), name))), expected);
        }
    }

    #[test]
    fn who_can_reach_an_address_is_said() {
        assert_eq!(reach("127.0.0.1:80"), "127.0.0.1:80 (this machine)");
        assert_eq!(reach("[::1]:80"), "[::1]:80 (this machine)");
        assert_eq!(reach("0.0.0.0:80"), "0.0.0.0:80 (everybody who can reach it)");
        assert_eq!(reach("shop.example.org:80"), "shop.example.org:80 (everybody who can reach it)");
        assert_eq!(reach("unix:/p/run/app/gunicorn.sock"), "unix:/p/run/app/gunicorn.sock (your own user)");
    }

    #[test]
    fn what_is_on_one_side_alone_is_a_difference() {
        let side = |pairs: &[(&str, &str)]| pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        let found = compare(&side(&[("a", "1"), ("b", "2")]), &side(&[("b", "3"), ("c", "4"), ("a", "1")]));
        let found: Vec<_> =
            found.iter().map(|one| (one.subject.as_str(), one.one.as_deref(), one.other.as_deref())).collect();
        assert_eq!(found, [("b", Some("2"), Some("3")), ("c", None, Some("4"))]);
    }
}
