//! A folder that an archive was unpacked into before, as one more kind of archive: the same walls, and nothing to decompress.

use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::root::Root;
use super::{Fault, Refusal};
use crate::fs::walk::{Found, NOTHING, walk as walk_folder};

pub(super) fn walk(from: &Path, root: &mut Root) -> Result<(), Fault> {
    let mut firsts: HashMap<(u64, u64), PathBuf> = HashMap::new();
    for found in walk_folder(from, NOTHING).map_err(Fault::Whole)? {
        let name = found.path.as_os_str().as_bytes();
        put(from, &found, root, &mut firsts).map_err(|refusal| match refusal {
            Refusal::Read(error) => Fault::read(name, error),
            refusal => Fault::entry(name, refusal),
        })?;
    }
    Ok(())
}

fn put(from: &Path, found: &Found, root: &mut Root, firsts: &mut HashMap<(u64, u64), PathBuf>) -> Result<(), Refusal> {
    let Found { path: place, metadata } = found;
    let path = from.join(place);
    if metadata.is_dir() {
        return root.folder(place);
    }
    if metadata.is_symlink() {
        let target = std::fs::read_link(&path).map_err(Refusal::Read)?;
        return root.link(place.as_os_str().as_bytes(), place, target.as_os_str().as_bytes());
    }
    if !metadata.is_file() {
        return Err(Refusal::Special("special file"));
    }
    if metadata.nlink() > 1 {
        let file = (metadata.dev(), metadata.ino());
        if let Some(first) = firsts.get(&file) {
            return root.hard_link(place, Some(first), &first.display().to_string());
        }
        firsts.insert(file, place.clone());
    }
    let mut file = std::fs::File::open(&path).map_err(Refusal::Read)?;
    let executable = metadata.permissions().mode() & 0o100 != 0;
    root.file(place, executable, false, &mut file).map(drop)
}
