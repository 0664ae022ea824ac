//! What a confined service may read of the data of others: what its configuration names, and nothing else.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::plan::desire::Lowering;
use crate::plan::value::shown;
use crate::recipe::{EdgeKind, ResolvedPart};
use crate::service::ServiceSpec;

impl Lowering<'_> {
    /// The data folders of other parts that a service of `part` may read, sorted: those that a text of its own names, or one of
    /// its part's options and files, or of the files of an object that its part is made with. Whole folders, for what is in them
    /// may be replaced while it runs (`load` does so).
    pub(super) fn sight(&self, part: &ResolvedPart, spec: &ServiceSpec) -> Vec<PathBuf> {
        let others = self.reached(part, |_| true).into_iter().filter(|other| other.name != part.name);
        let folders: BTreeSet<&PathBuf> = others.flat_map(|other| &other.data).collect();
        let texts = if folders.is_empty() { Vec::new() } else { self.own_texts(part, spec) };
        let is_named = |folder: &Path| texts.iter().any(|text| names(text, folder));
        folders.into_iter().filter(|folder| is_named(folder)).cloned().collect()
    }

    fn own_texts(&self, part: &ResolvedPart, spec: &ServiceSpec) -> Vec<String> {
        let paths = spec.watch.iter().chain([&spec.folder]).map(|path| path.display().to_string());
        let words = spec.command.iter().chain(spec.vars.values()).map(|text| text.to_marked());
        let options = part.options.values().map(|option| shown(&option.value));
        let makers = self.reached(part, |kind| kind == EdgeKind::Object);
        let files = makers.into_iter().flat_map(|maker| &maker.files).map(|file| file.content.to_marked());
        paths.chain(words).chain(options).chain(files).collect()
    }

    /// `part`, and the parts that it reaches by such edges.
    fn reached(&self, part: &ResolvedPart, is_followed: impl Fn(EdgeKind) -> bool) -> Vec<&ResolvedPart> {
        let mut known = BTreeSet::from([&part.name]);
        let mut reached: Vec<_> = self.stack.parts.get(&part.name).into_iter().collect();
        let mut at = 0;
        while let Some(one) = reached.get(at).copied() {
            at += 1;
            let next = one.edges.iter().filter(|edge| is_followed(edge.kind)).map(|edge| &edge.to);
            let new: Vec<_> = next.filter_map(|name| self.stack.parts.get(name)).collect();
            reached.extend(new.into_iter().filter(|part| known.insert(&part.name)));
        }
        reached
    }
}

/// Whether a text names a folder, or something below it; not what a longer name begins with.
fn names(text: &str, folder: &Path) -> bool {
    let folder = folder.display().to_string();
    let is_name = |next: char| next.is_alphanumeric() || ['.', '-', '_'].contains(&next);
    text.match_indices(&folder).any(|(at, _)| !text[at + folder.len()..].starts_with(is_name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_named_by_itself_and_by_what_is_below() {
        let is_named = |text: &str| names(text, Path::new("/p/var/app"));
        assert!(is_named("alias /p/var/app/media/;") && is_named("JOVE_DATA=/p/var/app"));
        assert!(is_named("/p/var/apple and sqlite:////p/var/app/db.sqlite3"));
        assert!(!is_named("/p/var/app-two /p/var/apple /p/var /q/var/app"));
    }
}
