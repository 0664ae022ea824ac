//! What a part offers: its options as requests to providers.

use std::collections::BTreeMap;
use std::path::PathBuf;

use url::Url;

use crate::ops::error::{OpError, OpResult};
use crate::plan::value::{shown, strings};
use crate::profile::{Setting, Value};
use crate::provider::deb::source::{Source, written};
use crate::provider::deb::{Cure, Packages};
use crate::provider::{HostPrograms, Request};
use crate::recipe::{OptionValue, ResolvedPart};

/// A request to each provider for which a part says something. `sources` is `[sources]` of the user's configuration.
///
/// # Errors
/// If what it says cannot be read.
pub(super) fn offers(part: &ResolvedPart, sources: &BTreeMap<String, Setting>) -> OpResult<Vec<Request>> {
    let mut offered = Vec::new();
    let packages = strings(part, "deb");
    if !packages.is_empty() {
        let (without, cures) = (strings(part, "deb_without"), cures(part)?);
        offered.push(Request::Deb(Packages { packages, without, cures, sources: debian(sources)? }));
    }
    let programs = strings(part, "host");
    if !programs.is_empty() {
        let programs = programs.iter().map(|text| text.parse().map_err(OpError::failed)).collect::<OpResult<_>>()?;
        offered.push(Request::Host(HostPrograms { programs }));
    }
    Ok(offered)
}

/// `deb_cures = { "usr/bin/x" = ["from", "to"] }`.
fn cures(part: &ResolvedPart) -> OpResult<Vec<Cure>> {
    let Some(OptionValue::Table(table)) = part.options.get("deb_cures").map(|option| &option.value) else {
        return Ok(Vec::new());
    };
    let cure = |(path, words): (&String, &OptionValue)| match words {
        OptionValue::List(words) => match words.as_slice() {
            [from, to] => Ok(Cure { path: path.clone(), from: shown(from), to: shown(to) }),
            _ => Err(wrong(path)),
        },
        _ => Err(wrong(path)),
    };
    table.iter().map(cure).collect()
}

fn wrong(path: &str) -> OpError {
    OpError::failed(format!("`deb_cures` says of `{path}` something else than `[\"from\", \"to\"]`"))
}

fn string(value: &Value) -> Option<String> {
    match value {
        Value::String(word) => Some(word.clone()),
        _ => None,
    }
}

/// `[sources.debian]`: an archive in place of the machine's.
fn debian(sources: &BTreeMap<String, Setting>) -> OpResult<Option<Vec<Source>>> {
    let words = |name: &str| -> Vec<String> {
        match sources.get(&format!("debian.{name}")).map(|setting| &setting.value) {
            Some(Value::List(list)) => list.iter().filter_map(|(word, _)| string(word)).collect(),
            Some(value) => string(value).into_iter().collect(),
            None => Vec::new(),
        }
    };
    let Some(address) = words("address").into_iter().next() else { return Ok(None) };
    let address: Url = address.parse().map_err(|_| {
        OpError::failed("`[sources.debian] address` is no address").hint("write it as apt does: https://…/debian")
    })?;
    let suites = words("suites");
    if suites.is_empty() {
        return Err(OpError::failed("`[sources.debian]` names no `suites`").hint("suites = [\"bookworm\"]"));
    }
    let components = Some(words("components")).filter(|list| !list.is_empty()).unwrap_or(vec!["main".to_owned()]);
    let keyrings: Vec<PathBuf> = words("keyring").into_iter().map(PathBuf::from).collect();
    Ok(Some(written(&address, &suites, &components, &keyrings)))
}
