//! What a part offers: its options as requests to providers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use url::Url;

use crate::host::Host;
use crate::name::OptionName;
use crate::ops::error::{OpError, OpResult};
use crate::ops::pin::{archives, checkouts};
use crate::plan::value::{shown, strings};
use crate::profile::{Setting, Value};
use crate::provider::conda::wanted::Wanted;
use crate::provider::deb::source::{Source, written};
use crate::provider::deb::{Cure, Packages};
use crate::provider::{self, HostPrograms, Request, conda};
use crate::recipe::{OptionValue, ResolvedPart};

/// A request to each provider for which a part says something. `sources` is `[sources]` of the user's configuration.
///
/// # Errors
/// If what it says cannot be read.
pub(super) fn offers(
    part: &ResolvedPart,
    sources: &BTreeMap<String, Setting>,
    host: &Host,
    project: &Path,
) -> OpResult<Vec<Request>> {
    let mut offered = Vec::new();
    let words = strings(part, "conda");
    if !words.is_empty() {
        let wrong = |error| OpError::from(provider::ProvideError::from(error));
        let Wanted { packages, channels, digests, files } =
            Wanted::read(&words, &folder_of(part, project)).map_err(wrong)?;
        let channels = self::channels(part, sources, host, channels)?;
        offered.push(Request::Conda(conda::Packages { packages, channels, digests, files }));
    }
    let packages = strings(part, "deb");
    if !packages.is_empty() {
        let (without, cures) = (strings(part, "deb_without"), cures(part)?);
        offered.push(Request::Deb(Packages { packages, without, cures, sources: debian(sources)? }));
    }
    offered.extend(archives::archive(part, sources)?.map(Request::Archive));
    offered.extend(checkouts::git(part)?.map(Request::Git));
    offered.extend(archives::source(part, sources)?.map(|sources| Request::Source(Box::new(sources))));
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

/// Files are named relative to the file that names them.
fn folder_of(part: &ResolvedPart, project: &Path) -> PathBuf {
    let origin = "conda".parse().ok().and_then(|name: OptionName| part.options.get(&name)?.origin.clone());
    origin.and_then(|origin| origin.source.folder.clone()).unwrap_or_else(|| project.to_owned())
}

/// `conda_channels` of the part, else what its files name, else `[sources.conda]`, else conda's own configuration.
fn channels(
    part: &ResolvedPart,
    sources: &BTreeMap<String, Setting>,
    host: &Host,
    of_files: Vec<String>,
) -> OpResult<conda::Channels> {
    let said = [strings(part, "conda_channels"), of_files, words(sources, "conda.channels")];
    let wanted = said.into_iter().find(|list| !list.is_empty()).unwrap_or_default();
    let priority = words(sources, "conda.priority").into_iter().next();
    let priority = priority.map(|word| {
        conda::Priority::of(&word).ok_or_else(|| {
            OpError::failed(format!("`[sources.conda] priority` is `{word}`"))
                .hint("it is `strict`, `flexible` or `disabled`")
        })
    });
    conda::Channels::of(host, &wanted, priority.transpose()?)
        .map_err(|error| OpError::from(provider::ProvideError::from(error)))
}

/// A setting of `[sources]` as words: those of a list, or the one that it is.
fn words(sources: &BTreeMap<String, Setting>, name: &str) -> Vec<String> {
    match sources.get(name).map(|setting| &setting.value) {
        Some(Value::List(list)) => list.iter().filter_map(|(word, _)| string(word)).collect(),
        Some(value) => string(value).into_iter().collect(),
        None => Vec::new(),
    }
}

/// `[sources.debian]`: an archive in place of the machine's.
fn debian(sources: &BTreeMap<String, Setting>) -> OpResult<Option<Vec<Source>>> {
    let words = |name: &str| words(sources, &format!("debian.{name}"));
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
