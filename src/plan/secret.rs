//! Files that show secrets: in the store they hold the secrets' names, and each service that names one gets a rendered copy of
//! its own in `run/`, which goes when the service ends.

use std::path::{Path, PathBuf};

use crate::name::PartName;
use crate::plan::action::Action;
use crate::service::SecretFile;
use crate::text::{Piece, Text};

/// A file in the store that holds names of secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sealed {
    /// The part that makes it.
    pub part: PartName,
    /// Its object's folder.
    pub folder: PathBuf,
    /// Its path in there.
    pub path: PathBuf,
}

impl Sealed {
    /// What a part makes of such files.
    pub(super) fn of(part: &PartName, action: Option<&Action>, folder: Option<&Path>) -> Vec<Self> {
        let (Some(Action::Files(files)), Some(folder)) = (action, folder) else { return Vec::new() };
        let secret = files.files.iter().filter(|file| file.secret);
        secret.map(|file| Self { part: part.clone(), folder: folder.to_owned(), path: file.path.clone() }).collect()
    }

    /// Its form for one service.
    pub(super) fn for_service(&self, service: &PartName, run: &Path) -> SecretFile {
        SecretFile {
            sealed: self.folder.join(&self.path),
            rendered: run.join(service.as_str()).join(self.part.as_str()).join(&self.path),
        }
    }

    /// Whether a text names it, or a folder in which it is.
    pub(super) fn is_named_by(&self, text: &Text) -> bool {
        self.is_below(text) || self.is_in(text)
    }

    /// Whether its path is in a text.
    pub(super) fn is_in(&self, text: &Text) -> bool {
        rendered_paths(text, &self.for_service(&self.part, Path::new(""))) != *text
    }

    /// Whether a text is a folder in which it is: what looks there would read names instead of words.
    pub(super) fn is_below(&self, text: &Text) -> bool {
        let folder = text.as_plain().map(Path::new);
        folder
            .is_some_and(|folder| folder.starts_with(&self.folder) && self.folder.join(&self.path).starts_with(folder))
    }
}

/// Where a text names the sealed form of a file, the rendered one is meant.
pub(super) fn rendered_paths(text: &Text, file: &SecretFile) -> Text {
    replaced_paths(text, &file.sealed, &file.rendered)
}

/// Another path in the place of one that a text names.
pub(super) fn replaced_paths(text: &Text, path: &Path, by: &Path) -> Text {
    let (path, by) = (path.display().to_string(), by.display().to_string());
    let mut made = Text::default();
    for piece in text.pieces() {
        made.push(match piece {
            Piece::Literal(literal) => Piece::Literal(replaced(literal, &path, &by)),
            other => other.clone(),
        });
    }
    made
}

/// Replaces a path where it is not the beginning of a longer one.
fn replaced(text: &str, path: &str, by: &str) -> String {
    let mut made = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(path) {
        let (before, after) = (&rest[..at], &rest[at + path.len()..]);
        let ends = !after.starts_with(|next: char| next.is_alphanumeric() || ['.', '-', '_', '/'].contains(&next));
        made.push_str(before);
        made.push_str(if ends { by } else { path });
        rest = after;
    }
    made + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_replaced_where_it_is_whole() {
        for (text, expected) in [
            ("/s/a.conf", "/r/a"),
            ("--config=/s/a.conf --and=/s/a.conf", "--config=/r/a --and=/r/a"),
            ("/s/a.conf.old", "/s/a.conf.old"),
            ("/s/a.conf:/s/a.conf2", "/r/a:/s/a.conf2"),
            ("nothing", "nothing"),
        ] {
            assert_eq!(replaced(text, "/s/a.conf", "/r/a"), expected);
        }
    }

    #[test]
    fn a_folder_around_a_secret_file_is_known() {
        let part: PartName = "conf".parse().expect("a name");
        let sealed = Sealed { part, folder: "/store/1-conf".into(), path: "etc/a.conf".into() };
        for (text, below) in [
            ("/store/1-conf", true),
            ("/store/1-conf/", true),
            ("/store/1-conf/etc", true),
            ("/store/1-conf/etc/b.conf", false),
            ("/store", false),
            ("/store/2-env", false),
        ] {
            assert_eq!(sealed.is_below(&Text::literal(text)), below, "{text}");
        }
    }
}
