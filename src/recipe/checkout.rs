//! Folders that are files of a commit: `source = "git+https://example.org/team/app.git@v1.2"`.
//!
//! Any option that is a path takes such an address. It stands for a part of the recipe `packages`, called as the part and the
//! option (`app-source`), that has the files, and the option refers to it. So the commit is pinned, fetched, upgraded and wiped
//! as everything else of a provider is.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::str::FromStr;

use crate::diagnostic::{Diagnostic, Diagnostics, Origin};
use crate::profile::{Definition, Value};
use crate::recipe::Catalogue;
use crate::recipe::brought::Brought;
use crate::recipe::schema::OptionType;
use crate::recipe::select::{Active, Layers};
use crate::recipe::value;

/// How such an address begins.
const MARK: &str = "git+";

/// The recipe that has files of commits, its option that says which, and the word under which they are there.
const RECIPE: &str = "packages";
const OPTION: &str = "git";
const ITEM: &str = "source";

/// An address with what is wanted of it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Address {
    url: String,
    /// The branch, tag or commit; the remote's own branch if not said.
    reference: Option<String>,
    /// The folder within the repository, without a slash at its ends.
    folder: String,
    submodules: bool,
}

impl FromStr for Address {
    type Err = String;

    /// `git+URL[@REV][#subdirectory=FOLDER][&submodules]`, as pip has it.
    fn from_str(text: &str) -> Result<Self, String> {
        let rest = text.strip_prefix(MARK).unwrap_or(text);
        let (place, more) = rest.split_once('#').unwrap_or((rest, ""));
        let mut made = Self { url: place.to_owned(), reference: None, folder: String::new(), submodules: false };
        let Some((_, behind)) = place.split_once("://") else { return Err("it has no scheme".to_owned()) };
        // Before the path an `@` ends a user's name.
        let path = behind.find('/').map_or(place.len(), |at| place.len() - behind.len() + at);
        if let Some(at) = place.rfind('@').filter(|at| *at > path) {
            made.url = place[..at].to_owned();
            made.reference = Some(place[at + 1..].to_owned()).filter(|word| !word.is_empty());
        }
        for word in more.split('&').filter(|word| !word.is_empty()) {
            match word.split_once('=') {
                Some(("subdirectory", folder)) => made.folder = folder.trim_matches('/').to_owned(),
                None if word == "submodules" => made.submodules = true,
                _ => return Err(format!("`{word}` is neither `subdirectory=FOLDER` nor `submodules`")),
            }
        }
        if made.folder.split('/').any(|word| word == "..") {
            return Err("its `subdirectory` leads out of the repository".to_owned());
        }
        Ok(made)
    }
}

impl Address {
    /// As the option `git` has it.
    fn table(&self, origin: &Origin) -> Value {
        let at = |value: Value| (value, origin.clone());
        let mut item = BTreeMap::from([("url".to_owned(), at(Value::String(self.url.clone())))]);
        if let Some(reference) = &self.reference {
            item.insert("rev".to_owned(), at(Value::String(reference.clone())));
        }
        if self.submodules {
            item.insert("submodules".to_owned(), at(Value::Bool(true)));
        }
        Value::Table([(ITEM.to_owned(), at(Value::Table(item)))].into())
    }
}

/// Adds the parts with the files of all such folders, and refers to them.
pub(super) fn check_out<'a>(
    definition: &'a Definition,
    catalogue: &'a Catalogue,
    layers: &Layers,
    active: &mut Vec<Active<'a>>,
    wrong: &mut Diagnostics,
) {
    for index in 0..active.len() {
        for option in 0..active[index].recipe.options.len() {
            let Some((address, origin)) = written(&active[index], option, wrong) else { continue };
            let Some(Ok(recipe)) = catalogue.find(RECIPE) else { continue };
            let name =
                format!("{}-{}", active[index].name, active[index].recipe.options[option].name).replace('_', "-");
            let below = if address.folder.is_empty() { String::new() } else { format!("/{}", address.folder) };
            active[index].chosen[option].value =
                Some((Cow::Owned(Value::String(format!("${{{name}}}{below}"))), origin));
            if let Some(other) = active.iter().find(|part| part.name.as_str() == name) {
                let said = format!("its files are the part `{name}`, and there is one of that name");
                wrong.push(Diagnostic::error(said).at(origin, "").at(&other.origin, "this one").hint("rename it"));
                continue;
            }
            let called = name.as_str();
            let brought = Brought { definition, layers, recipe, bringer: index, called, origin, options: None };
            let Some(mut part) = brought.make(active, wrong) else { continue };
            for (spec, chosen) in recipe.options.iter().zip(&mut part.chosen) {
                if spec.name.as_str() == OPTION {
                    chosen.value = Some((Cow::Owned(address.table(origin)), origin));
                    chosen.is_default = false;
                }
            }
            active.push(part);
        }
    }
}

/// The address that an option is, if it is one.
fn written<'a>(part: &Active<'a>, option: usize, wrong: &mut Diagnostics) -> Option<(Address, &'a Origin)> {
    let (spec, chosen) = (&part.recipe.options[option], &part.chosen[option]);
    let (value, origin) = chosen.value.as_ref().filter(|_| spec.kind == OptionType::Path)?;
    let Value::String(text) = value.as_ref() else { return None };
    if !text.starts_with(MARK) {
        return None;
    }
    if value::has_references(value) {
        let said = format!("`{}` decides which parts there are, so it must be written without references", spec.name);
        wrong.push(Diagnostic::error(said).at(origin, ""));
        return None;
    }
    match text.parse() {
        Ok(address) => Some((address, origin)),
        Err(why) => {
            let said = Diagnostic::error(format!("`{text}` is no address of a repository: {why}")).at(origin, "");
            wrong.push(said.hint("write git+https://example.org/team/app.git@v1.2"));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(String, Option<String>, String, bool), String> {
        let Address { url, reference, folder, submodules } = text.parse()?;
        Ok((url, reference, folder, submodules))
    }

    #[test]
    fn addresses_are_read_as_pip_has_them() {
        let plain = |url: &str, reference: Option<&str>| {
            Ok((url.to_owned(), reference.map(str::to_owned), String::new(), false))
        };
        assert_eq!(read("git+https://h.example/a/b.git"), plain("https://h.example/a/b.git", None));
        assert_eq!(read("git+https://h.example/b.git@v1.2"), plain("https://h.example/b.git", Some("v1.2")));
        assert_eq!(read("git+ssh://git@h.example/b@team/x"), plain("ssh://git@h.example/b", Some("team/x")));
        assert_eq!(read("git+https://me@h.example/b.git"), plain("https://me@h.example/b.git", None));
        assert_eq!(read("git+file:///srv/b@main"), plain("file:///srv/b", Some("main")));
        let full = read("git+https://h.example/b.git@v1#subdirectory=/web/app/&submodules");
        assert_eq!(full, Ok(("https://h.example/b.git".to_owned(), Some("v1".to_owned()), "web/app".to_owned(), true)));
        assert!(read("git+h.example/b").is_err() && read("git+https://h/b#egg=x").is_err());
        assert!(read("git+https://h/b#subdirectory=../x").is_err());
    }
}
