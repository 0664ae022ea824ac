//! The options `archive`, `source` and `build…` of a part as requests to the providers of these names.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use url::Url;

use crate::digest::{Digest, Sha256};
use crate::name::{OptionName, nearest};
use crate::ops::error::{OpError, OpResult, at};
use crate::plan::value::{is_word, seconds, shown, strings};
use crate::profile::{Setting, Value};
use crate::provider::HostPrograms;
use crate::provider::archive::{Archives, Form, Item};
use crate::provider::source::Sources;
use crate::recipe::{OptionValue, ResolvedPart};

/// What can be said of one file.
const KEYS: [&str; 7] = ["form", "sha256", "strip", "to", "url", "urls", "version"];

/// How long a build may take where the part says nothing.
const TIMEOUT: Duration = Duration::from_secs(7200);

/// What `archive` asks for.
///
/// # Errors
/// If it cannot be read.
pub(super) fn archive(part: &ResolvedPart, sources: &BTreeMap<String, Setting>) -> OpResult<Option<Archives>> {
    let items = items(part, "archive")?;
    if items.is_empty() {
        return Ok(None);
    }
    Ok(Some(Archives { items, mirrors: mirrors(sources)? }))
}

/// What `source` and `build…` ask for. The commands and their vars may name objects of other parts, whose folders are not
/// known yet: planning fills them in.
///
/// # Errors
/// If it cannot be read.
pub(super) fn source(part: &ResolvedPart, sources: &BTreeMap<String, Setting>) -> OpResult<Option<Sources>> {
    let items = items(part, "source")?;
    if items.is_empty() {
        return Ok(None);
    }
    let tools = strings(part, "build_tools")
        .iter()
        .map(|text| text.parse().map_err(OpError::failed))
        .collect::<OpResult<_>>()?;
    let patches = strings(part, "patches").into_iter().map(PathBuf::from);
    let patches =
        patches.map(|path| Ok((path.clone(), Digest::of_file(&path).map_err(at(&path))?))).collect::<OpResult<_>>()?;
    Ok(Some(Sources {
        items,
        mirrors: mirrors(sources)?,
        patches,
        folder: option(part, "build_in").and_then(plain),
        commands: Vec::new(),
        vars: BTreeMap::new(),
        tools: HostPrograms { programs: tools },
        timeout: seconds(option(part, "build_timeout")).unwrap_or(TIMEOUT),
        is_sandbox_required: is_word(option(part, "sandbox"), "required"),
    }))
}

pub(super) fn option<'a>(part: &'a ResolvedPart, name: &str) -> Option<&'a OptionValue> {
    let name: OptionName = name.parse().ok()?;
    part.options.get(&name).map(|option| &option.value)
}

pub(super) fn plain(value: &OptionValue) -> Option<String> {
    match value {
        OptionValue::Text(text) => text.as_plain().map(str::to_owned),
        OptionValue::Bool(_)
        | OptionValue::Float(_)
        | OptionValue::Int(_)
        | OptionValue::List(_)
        | OptionValue::None
        | OptionValue::Seconds(_)
        | OptionValue::Table(_) => None,
    }
}

/// `[sources.archive] mirrors`.
fn mirrors(sources: &BTreeMap<String, Setting>) -> OpResult<Vec<Url>> {
    let Some(setting) = sources.get("archive.mirrors") else { return Ok(Vec::new()) };
    let wrong = || {
        OpError::failed("`[sources.archive] mirrors` is a list of addresses").hint("mirrors = [\"https://…/files\"]")
    };
    let Value::List(list) = &setting.value else { return Err(wrong()) };
    let address = |value: &Value| match value {
        Value::String(word) => word.parse().ok().filter(is_usable),
        _ => None,
    };
    list.iter().map(|(value, _)| address(value)).collect::<Option<Vec<Url>>>().ok_or_else(wrong)
}

fn is_usable(address: &Url) -> bool {
    ["file", "http", "https"].contains(&address.scheme())
}

fn items(part: &ResolvedPart, name: &str) -> OpResult<Vec<Item>> {
    let Some(OptionValue::Table(table)) = option(part, name) else { return Ok(Vec::new()) };
    let item = |(of, value): (&String, &OptionValue)| Words { option: name, name: of, value }.item();
    table.iter().map(item).collect()
}

/// What is said of one file.
struct Words<'a> {
    option: &'a str,
    name: &'a str,
    value: &'a OptionValue,
}

impl Words<'_> {
    fn wrong(&self, what: impl std::fmt::Display) -> OpError {
        let example = "version = \"1.2\", urls = [\"https://…/x-{version}.tar.gz\"], sha256 = \"…\", strip = 1";
        OpError::failed(format!("`{}.{}`: {what}", self.option, self.name)).hint(format!("it says: {example}"))
    }

    fn item(&self) -> OpResult<Item> {
        let OptionValue::Table(table) = self.value else { return Err(self.wrong("it is no table")) };
        if let Some(unknown) = table.keys().find(|key| !KEYS.contains(&key.as_str())) {
            let near = nearest(unknown, KEYS).map_or(String::new(), |near| format!(" (did you mean `{near}`?)"));
            return Err(self.wrong(format!("there is no `{unknown}`{near}")));
        }
        if !is_inside(Path::new(self.name)) || self.name.contains('/') {
            return Err(self.wrong("its name is no file name"));
        }
        let text = |key: &str| table.get(key).and_then(plain);
        let version = text("version").ok_or_else(|| self.wrong("it says no `version`"))?;
        let sha256 = text("sha256").ok_or_else(|| self.wrong("it says no `sha256`"))?;
        let sha256: Sha256 =
            sha256.parse().map_err(|_| self.wrong("its `sha256` is no digest of 64 hexadecimal digits"))?;
        let form = match text("form").as_deref() {
            None | Some("tree") => Form::Tree,
            Some("file") => Form::File,
            Some("patch") => Form::Patch,
            Some(other) => return Err(self.wrong(format!("its `form` is `{other}`, not `tree`, `file` or `patch`"))),
        };
        let strip = match table.get("strip") {
            None if self.option == "source" => 1,
            None => 0,
            Some(OptionValue::Int(strip)) if (0..100).contains(strip) => usize::try_from(*strip).unwrap_or(0),
            Some(other) => return Err(self.wrong(format!("its `strip` is {}, not a small number", shown(other)))),
        };
        let to = PathBuf::from(text("to").unwrap_or_else(|| self.default_place(form)));
        if !is_inside(&to) {
            return Err(self.wrong(format!("its `to` is `{}`, which must be relative and have no `..`", to.display())));
        }
        let addresses = self.addresses(table, &version)?;
        Ok(Item { name: self.name.to_owned(), version, addresses, sha256, strip, to, form })
    }

    fn default_place(&self, form: Form) -> String {
        match (self.option, form) {
            ("archive", Form::File) => format!("bin/{}", self.name),
            ("archive", Form::Patch | Form::Tree) => String::new(),
            _ => self.name.to_owned(),
        }
    }

    fn addresses(&self, table: &BTreeMap<String, OptionValue>, version: &str) -> OpResult<Vec<Url>> {
        let words: Vec<String> = match table.get("urls").or_else(|| table.get("url")) {
            Some(OptionValue::List(list)) => list.iter().filter_map(plain).collect(),
            Some(value) => plain(value).into_iter().collect(),
            None => Vec::new(),
        };
        let address = |word: &String| {
            let address: Option<Url> = word.replace("{version}", version).parse().ok();
            address.filter(is_usable).ok_or_else(|| self.wrong(format!("`{word}` is no address (https, http or file)")))
        };
        let addresses = words.iter().map(address).collect::<OpResult<Vec<Url>>>()?;
        if addresses.is_empty() { Err(self.wrong("it says no `urls`")) } else { Ok(addresses) }
    }
}

pub(super) fn is_inside(path: &Path) -> bool {
    path.components().all(|component| matches!(component, Component::Normal(_)))
}
