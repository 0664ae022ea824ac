//! What a part offers: its options as requests to providers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use url::Url;

use crate::diagnostic::Diagnostics;
use crate::host::Host;
use crate::name::OptionName;
use crate::ops::error::{OpError, OpResult};
use crate::ops::pin::{archives, asked, checkouts};
use crate::plan::value::{is_word, shown, strings};
use crate::profile::{Setting, Value};
use crate::provider::conda::wanted::Wanted;
use crate::provider::deb::source::{Source, written};
use crate::provider::deb::{Cure, Packages};
use crate::provider::{self, HostPrograms, Request, conda};
use crate::recipe::{OptionValue, ResolvedPart};

/// A part that offers.
pub(super) struct Offering<'a> {
    /// It.
    pub(super) part: &'a ResolvedPart,
    /// The Python part whose option `conda` it serves.
    pub(super) user: Option<&'a ResolvedPart>,
    /// The surroundings.
    pub(super) host: &'a Host,
    /// The project's folder.
    pub(super) project: &'a Path,
}

impl Offering<'_> {
    /// A request to each provider for which the part says something. `sources` is `[sources]` of the user's configuration.
    ///
    /// # Errors
    /// If what it says cannot be read.
    pub(super) fn offers(&self, sources: &BTreeMap<String, Setting>) -> OpResult<Vec<Request>> {
        let part = self.part;
        let mut offered = Vec::new();
        offered.extend(self.conda(sources)?.map(Request::Conda));
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
            let programs =
                programs.iter().map(|text| text.parse().map_err(OpError::failed)).collect::<OpResult<_>>()?;
            offered.push(Request::Host(HostPrograms { programs }));
        }
        Ok(offered)
    }

    fn conda(&self, sources: &BTreeMap<String, Setting>) -> OpResult<Option<conda::Packages>> {
        let words = strings(self.part, "conda");
        if words.is_empty() {
            return Ok(None);
        }
        // Files are named where the user names them.
        let wanted =
            Wanted::read(&words, &folder_of(self.user.unwrap_or(self.part), self.project)).map_err(wrong_conda)?;
        let Wanted { mut packages, channels, digests, files, pip } = wanted;
        match self.user {
            Some(user) => packages.push(python(user)?),
            None => {
                if let Some((path, packages)) = pip.first() {
                    let (path, packages) = (path.clone(), packages.join(", "));
                    return Err(wrong_conda(conda::CondaError::Pip { path, packages }));
                }
            }
        }
        let channels = self::channels(self.part, sources, self.host, channels)?;
        let allows = is_word(archives::option(self.part, "conda_clobber"), "later");
        let clobber = if allows { conda::Clobber::Later } else { conda::Clobber::Refuse };
        Ok(Some(conda::Packages { packages, channels, digests, files, clobber }))
    }
}

fn wrong_conda(error: conda::CondaError) -> OpError {
    OpError::from(provider::ProvideError::from(error))
}

/// The Python that a part wants, as conda is asked for it.
fn python(part: &ResolvedPart) -> OpResult<String> {
    let wanted = asked::python(part).map_err(Diagnostics::from)?;
    Ok(format!("python {}", wanted.for_conda().unwrap_or_default()))
}

/// What files of conda's users, named in `conda` of a Python part, ask of the Python package index.
///
/// # Errors
/// If a file cannot be read.
pub(super) fn pip_words(part: &ResolvedPart, project: &Path) -> OpResult<Vec<String>> {
    let words = strings(part, "conda");
    let wanted = Wanted::read(&words, &folder_of(part, project)).map_err(wrong_conda)?;
    Ok(wanted.pip.into_iter().flat_map(|(_, words)| words).collect())
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
pub(in crate::ops) fn words(sources: &BTreeMap<String, Setting>, name: &str) -> Vec<String> {
    match sources.get(name).map(|setting| &setting.value) {
        Some(Value::List(list)) => list.iter().filter_map(|(word, _)| string(word)).collect(),
        Some(value) => string(value).into_iter().collect(),
        None => Vec::new(),
    }
}

/// `[sources.debian]`: an archive in place of the machine's.
///
/// # Errors
/// If it says something else than an archive.
pub(in crate::ops) fn debian(sources: &BTreeMap<String, Setting>) -> OpResult<Option<Vec<Source>>> {
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
    let any_age = match sources.get("debian.check_valid_until").map(|setting| &setting.value) {
        None | Some(Value::Bool(true)) => false,
        Some(Value::Bool(false)) => true,
        Some(_) => {
            return Err(OpError::failed("`[sources.debian] check_valid_until` is neither true nor false")
                .hint("false takes a snapshot whose time is past"));
        }
    };
    Ok(Some(written(&address, &suites, &components, &keyrings, any_age)))
}
