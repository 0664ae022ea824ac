//! Paths: absolute from the folder of the file that wrote them, `~` is the home, `.` and `..` are taken out by their letters.

use std::path::{Component, Path, PathBuf};

use crate::diagnostic::Origin;
use crate::recipe::evaluate::World;
use crate::text::{Piece, Text};

impl World<'_> {
    /// A path as it was meant where it was written. One that lies in an object is taken as it is.
    pub(super) fn path(&self, text: Text, origin: &Origin) -> Result<Text, String> {
        if text.is_secret() {
            return Err("a path cannot hold a secret".into());
        }
        if text.objects().next().is_some() {
            return match text.pieces() {
                [Piece::Object { .. }, ..] => Ok(text),
                _ => Err(format!("`{text}` is no path: the folder of an object can only be its beginning")),
            };
        }
        let plain = text.as_plain().unwrap_or_default();
        self.absolute(plain, origin).map(|path| Text::literal(path.display().to_string()))
    }

    /// An absolute path from what was written.
    pub(super) fn absolute(&self, written: &str, origin: &Origin) -> Result<PathBuf, String> {
        if written.is_empty() {
            return Err("a path cannot be empty; write \".\" for the folder itself".into());
        }
        if written.contains('\0') {
            return Err("a path cannot hold a zero byte".into());
        }
        let path = Path::new(written);
        if written == "~" || written.starts_with("~/") {
            let Some(home) = &self.surroundings.home else {
                return Err(format!("`{written}` needs a home, and HOME is not set"));
            };
            return Ok(normalised(&home.join(written.trim_start_matches('~').trim_start_matches('/'))));
        }
        // What has no folder (a recipe's default, an argument) is the project's.
        let folder = origin.source.folder.as_ref().unwrap_or(&self.definition.project.folder);
        Ok(normalised(&folder.join(path)))
    }
}

/// The path without `.` and `..`, by its letters alone.
pub(super) fn normalised(path: &Path) -> PathBuf {
    let mut made = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                made.pop();
            }
            other => made.push(other),
        }
    }
    made
}

/// A path inside an object: relative, without `..`, and naming something.
pub(super) fn inside(written: &str) -> Option<PathBuf> {
    let mut made = PathBuf::new();
    for component in Path::new(written).components() {
        match component {
            Component::Normal(name) => made.push(name),
            Component::CurDir => {}
            Component::ParentDir | Component::Prefix(_) | Component::RootDir => return None,
        }
    }
    Some(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lose_their_dots() {
        for (path, expected) in [("/a/./b/../c", "/a/c"), ("/../a", "/a"), ("/a/..", "/"), ("/a//b/", "/a/b")] {
            assert_eq!(normalised(Path::new(path)), Path::new(expected), "{path}");
        }
    }

    #[test]
    fn paths_inside_an_object_stay_there() {
        assert_eq!(inside("etc/./a.cfg"), Some("etc/a.cfg".into()));
        for wrong in ["/etc/a", "../a", "a/../../b"] {
            assert_eq!(inside(wrong), None, "{wrong}");
        }
    }
}
