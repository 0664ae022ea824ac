//! Patches: changes to sources, as `diff -u` and git write them, applied without `patch`.

use std::path::{Component, Path, PathBuf};

/// Why a patch is not applied.
#[derive(Debug, thiserror::Error)]
pub enum PatchError {
    /// It cannot be read as a patch.
    #[error("the patch {patch} cannot be read: {why}")]
    Unreadable {
        /// The patch.
        patch: String,
        /// Why.
        why: String,
    },
    /// It names a file outside the sources.
    #[error("the patch {patch} names `{file}`, which is not in the sources")]
    Outside {
        /// The patch.
        patch: String,
        /// The file.
        file: String,
    },
    /// The file is not as the patch expects it.
    #[error("the patch {patch} does not fit `{file}`: {why}; it was made for another version")]
    Unfit {
        /// The patch.
        patch: String,
        /// The file.
        file: String,
        /// Why.
        why: String,
    },
}

/// One file's part of a patch.
#[derive(Debug, PartialEq, Eq)]
struct Part<'a> {
    old: &'a str,
    new: &'a str,
    text: &'a str,
}

/// Applies a patch to the sources in a folder; the first component of its names (`a/`, `b/`) is left out.
///
/// # Errors
/// If it cannot be read, names something else, or does not fit. Some files are then changed: the sources are of no use.
pub(super) fn apply(patch: &str, text: &str, sources: &Path) -> Result<(), PatchError> {
    let parts = parts(text);
    if parts.is_empty() {
        return Err(PatchError::Unreadable { patch: patch.to_owned(), why: "it changes no file".to_owned() });
    }
    parts.iter().try_for_each(|part| change(patch, part, sources))
}

fn change(patch: &str, part: &Part<'_>, sources: &Path) -> Result<(), PatchError> {
    let named = if part.new == "/dev/null" { part.old } else { part.new };
    let outside = || PatchError::Outside { patch: patch.to_owned(), file: named.to_owned() };
    let below = inside(named).ok_or_else(outside)?;
    let path = sources.join(&below);
    // A link in the sources could lead out of them.
    let folder = path.parent().unwrap_or(sources);
    let unfit = |why: String| PatchError::Unfit { patch: patch.to_owned(), file: below.display().to_string(), why };
    let io = |error: std::io::Error| unfit(error.to_string());
    std::fs::create_dir_all(folder).map_err(io)?;
    let is_within = folder.canonicalize().ok().zip(sources.canonicalize().ok());
    if !is_within.is_some_and(|(folder, sources)| folder.starts_with(sources)) || path.is_symlink() {
        return Err(outside());
    }
    let old = if part.old == "/dev/null" { String::new() } else { std::fs::read_to_string(&path).map_err(io)? };
    let parsed = diffy::Patch::from_str(part.text)
        .map_err(|error| PatchError::Unreadable { patch: patch.to_owned(), why: error.to_string() })?;
    let new = diffy::apply(&old, &parsed).map_err(|error| unfit(error.to_string()))?;
    if part.new == "/dev/null" {
        std::fs::remove_file(&path).map_err(io)
    } else {
        std::fs::write(&path, new).map_err(io)
    }
}

/// The name without its first component, if it stays inside.
fn inside(name: &str) -> Option<PathBuf> {
    let name = Path::new(name);
    let is_plain = name.components().all(|component| matches!(component, Component::Normal(_)));
    let below: PathBuf = name.components().skip(1).collect();
    (is_plain && !below.as_os_str().is_empty()).then_some(below)
}

/// Cuts a patch of many files: each part begins with `--- ` before `+++ `, and what mails and git write around it is passed over.
fn parts(text: &str) -> Vec<Part<'_>> {
    let mut starts = Vec::new();
    let mut at = 0;
    let lines: Vec<(usize, &str)> = text
        .split_inclusive('\n')
        .map(|line| {
            let start = at;
            at += line.len();
            (start, line)
        })
        .collect();
    for window in lines.windows(3) {
        let [(start, old), (_, new), (_, hunk)] = window else { continue };
        if let (Some(old), Some(new), true) =
            (old.strip_prefix("--- "), new.strip_prefix("+++ "), hunk.starts_with("@@ "))
        {
            starts.push((*start, name(old), name(new)));
        }
    }
    let ends = starts.iter().skip(1).map(|(start, _, _)| *start).chain([text.len()]);
    let parts = starts.iter().zip(ends);
    parts.map(|((start, old, new), end)| Part { old, new, text: hunks(&text[*start..end]) }).collect()
}

/// The name of a header line, without the time that `diff` writes behind a tab.
fn name(line: &str) -> &str {
    line.split('\t').next().unwrap_or(line).trim_end()
}

/// A part up to its last line that belongs to a hunk: git's headers of the next file follow.
fn hunks(text: &str) -> &str {
    let mut end = 0;
    let mut at = 0;
    for (number, line) in text.split_inclusive('\n').enumerate() {
        at += line.len();
        let is_of_hunk = number < 2 || line.starts_with([' ', '+', '-', '@', '\\']) || line == "\n";
        if !is_of_hunk || line.trim_end() == "-- " || line == "--\n" {
            break;
        }
        end = at;
    }
    text[..end].trim_end_matches('\n').len().checked_add(1).and_then(|end| text.get(..end)).unwrap_or(&text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATCH: &str = "From 123\nSubject: two files\n---\n a | 2 +-\n\ndiff --git a/src/a b/src/a\nindex 1..2 100644\n--- a/src/a\n+++ b/src/a\n@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\ndiff --git a/new b/new\nnew file mode 100644\n--- /dev/null\n+++ b/new\n@@ -0,0 +1 @@\n+fresh\ndiff --git a/old b/old\n--- a/old\t2020-01-01\n+++ /dev/null\n@@ -1 +0,0 @@\n-gone\n";

    #[test]
    fn files_are_changed_added_and_removed() {
        let folder = tempfile::tempdir().expect("folder");
        std::fs::create_dir(folder.path().join("src")).expect("made");
        // One line further down than the patch says.
        std::fs::write(folder.path().join("src/a"), "zero\none\ntwo\nthree\n").expect("written");
        std::fs::write(folder.path().join("old"), "gone\n").expect("written");
        apply("p", PATCH, folder.path()).expect("applied");
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name));
        assert_eq!(read("src/a").expect("there"), "zero\none\n2\nthree\n");
        assert_eq!(read("new").expect("there"), "fresh\n");
        assert!(read("old").is_err());
        let again = apply("p", PATCH, folder.path()).expect_err("it is done").to_string();
        assert!(again.starts_with("the patch p does not fit `src/a`"), "{again}");
    }

    #[test]
    fn nothing_outside_the_sources_is_changed() {
        let folder = tempfile::tempdir().expect("folder");
        let sources = folder.path().join("sources");
        std::fs::create_dir(&sources).expect("made");
        std::os::unix::fs::symlink("..", sources.join("up")).expect("link");
        for name in ["a/../../x", "/etc/x", "a/up/x", "x"] {
            let text = format!("--- /dev/null\n+++ {name}\n@@ -0,0 +1 @@\n+x\n");
            let refused = apply("p", &text, &sources).expect_err("refused");
            assert!(matches!(refused, PatchError::Outside { .. }), "{name}: {refused}");
        }
        assert!(!folder.path().join("x").exists());
        assert!(matches!(apply("p", "hello\n", &sources), Err(PatchError::Unreadable { .. })));
    }
}
