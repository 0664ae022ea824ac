//! An entry's name as a place below the root: plain components, or a refusal.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::Refusal;

/// The place of a name without its first `strip` components; `None` where nothing is left of it (the root itself).
///
/// # Errors
/// If the name is absolute, climbs or cannot be written.
pub fn place(name: &[u8], strip: usize) -> Result<Option<PathBuf>, Refusal> {
    if name.starts_with(b"/") {
        return Err(Refusal::Absolute);
    }
    if name.contains(&0) {
        return Err(Refusal::Nul);
    }
    let mut components = Vec::new();
    for component in name.split(|byte| *byte == b'/') {
        match component {
            b"" | b"." => {}
            b".." => return Err(Refusal::Parent),
            plain => components.push(OsStr::from_bytes(plain)),
        }
    }
    let left: PathBuf = components.into_iter().skip(strip).collect();
    Ok((!left.as_os_str().is_empty()).then_some(left))
}

/// Why a link's target is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Astray {
    /// It leaves the root on its way.
    Out,
    /// It does not end.
    Loop,
}

/// Follows a symbolic link at `link` with `target`, through other links that `read` knows, and says whether every step stays
/// below the root. Whether anything is at the end does not matter.
///
/// # Errors
/// If a step leaves the root, or the steps do not end.
pub fn follow(link: &Path, target: &Path, read: &dyn Fn(&Path) -> Option<PathBuf>) -> Result<(), Astray> {
    // As the kernel, which gives up at 40 links.
    let mut links_left = 40;
    let mut here: Vec<&OsStr> = link.iter().collect();
    here.pop();
    let mut here: Vec<std::ffi::OsString> = here.into_iter().map(OsStr::to_owned).collect();
    let mut ahead: Vec<std::ffi::OsString> = steps(target)?;
    while let Some(step) = ahead.pop() {
        match step.as_bytes() {
            b"." | b"" => {}
            b".." => drop(here.pop().ok_or(Astray::Out)?),
            _ => {
                here.push(step);
                let place: PathBuf = here.iter().collect();
                if let Some(next) = read(&place) {
                    links_left -= 1;
                    if links_left == 0 {
                        return Err(Astray::Loop);
                    }
                    here.pop();
                    ahead.extend(steps(&next)?);
                }
            }
        }
    }
    Ok(())
}

/// The components of a target, last first.
fn steps(target: &Path) -> Result<Vec<std::ffi::OsString>, Astray> {
    if target.as_os_str().as_bytes().starts_with(b"/") {
        return Err(Astray::Out);
    }
    let split = target.as_os_str().as_bytes().split(|byte| *byte == b'/');
    Ok(split.rev().map(|component| OsStr::from_bytes(component).to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn names_become_places() {
        let table: [(&[u8], usize, &str); 7] = [
            (b"a/b", 0, "Ok(Some(\"a/b\"))"),
            (b"./a//b/", 1, "Ok(Some(\"b\"))"),
            (b"a", 1, "Ok(None)"),
            (b"./", 0, "Ok(None)"),
            (b"a/../b", 0, "Err(Parent)"),
            (b"/a", 0, "Err(Absolute)"),
            (b"a\0b", 0, "Err(Nul)"),
        ];
        for (name, strip, expected) in table {
            assert_eq!(format!("{:?}", place(name, strip)), expected);
        }
        // Stripping does not hide a climb.
        assert!(place(b"../a", 1).is_err());
        assert_eq!(place(b"\xff", 0).unwrap().unwrap().as_os_str().as_bytes(), b"\xff");
    }

    #[test]
    fn links_are_followed_through_links() {
        let links: BTreeMap<&str, &str> =
            [("d", "."), ("up", "sub/.."), ("a", "b"), ("b", "a"), ("deep/in", "..")].into();
        let read = |path: &Path| links.get(path.to_str().unwrap()).map(PathBuf::from);
        let table = [
            ("x", "y", Ok(())),
            ("x", "sub/../y", Ok(())),
            ("x", "..", Err(Astray::Out)),
            ("x", "/etc/passwd", Err(Astray::Out)),
            ("s/x", "../y", Ok(())),
            ("s/x", "../../y", Err(Astray::Out)),
            // By its words this stays inside; by its links it does not.
            ("x", "d/d/d/../y", Err(Astray::Out)),
            ("x", "deep/in/y", Ok(())),
            ("x", "deep/in/../y", Err(Astray::Out)),
            ("x", "up/y", Ok(())),
            ("x", "a", Err(Astray::Loop)),
        ];
        for (link, target, expected) in table {
            assert_eq!(follow(Path::new(link), Path::new(target), &read), expected, "{link} -> {target}");
        }
    }
}
