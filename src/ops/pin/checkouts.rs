//! The option `git` of a part as a request to the provider of that name.

use std::path::{Path, PathBuf};

use crate::name::nearest;
use crate::ops::error::{OpError, OpResult};
use crate::ops::pin::archives::{is_inside, option, plain};
use crate::provider::git::{Checkout, Checkouts};
use crate::recipe::{OptionValue, ResolvedPart};

/// What can be said of one repository.
const KEYS: [&str; 4] = ["rev", "submodules", "to", "url"];

/// What `git` asks for.
///
/// # Errors
/// If it cannot be read.
pub(super) fn git(part: &ResolvedPart) -> OpResult<Option<Checkouts>> {
    let Some(OptionValue::Table(table)) = option(part, "git") else { return Ok(None) };
    let items = table.iter().map(|(name, value)| checkout(name, value)).collect::<OpResult<Vec<_>>>()?;
    Ok((!items.is_empty()).then_some(Checkouts { items }))
}

fn checkout(name: &str, value: &OptionValue) -> OpResult<Checkout> {
    let wrong = |what: &str| {
        OpError::failed(format!("`git.{name}`: {what}")).hint("it says: url = \"https://…/app.git\", rev = \"v1.2\"")
    };
    let OptionValue::Table(table) = value else { return Err(wrong("it is no table")) };
    if let Some(unknown) = table.keys().find(|key| !KEYS.contains(&key.as_str())) {
        let near = nearest(unknown, KEYS).map_or(String::new(), |near| format!(" (did you mean `{near}`?)"));
        return Err(wrong(&format!("there is no `{unknown}`{near}")));
    }
    if !is_inside(Path::new(name)) || name.contains('/') {
        return Err(wrong("its name is no file name"));
    }
    let text = |key: &str| table.get(key).and_then(plain);
    let url = text("url").ok_or_else(|| wrong("it says no `url`"))?;
    let reference = text("rev").unwrap_or_else(|| "HEAD".to_owned());
    let reference =
        reference.parse().map_err(|word: String| wrong(&format!("`{word}` is no branch, tag or commit")))?;
    let to = PathBuf::from(text("to").unwrap_or_default());
    if !is_inside(&to) {
        return Err(wrong("its `to` must be relative and have no `..`"));
    }
    let submodules = match table.get("submodules") {
        None => false,
        Some(OptionValue::Bool(submodules)) => *submodules,
        Some(_) => return Err(wrong("its `submodules` is not true or false")),
    };
    Ok(Checkout { name: name.to_owned(), url, reference, submodules, to })
}
