//! Folders for nobody but this user.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// Makes a folder of mode 0700, and what is missing above it with the usual mode. One that is there is closed to others.
///
/// # Errors
/// If it cannot be made, is no folder, or (as of another user) cannot be closed.
pub fn private_folder(path: &Path) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs_err::create_dir_all(parent)?;
    }
    match std::fs::DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(named(path, "cannot be made", &error)),
    }
    let metadata = fs_err::metadata(path)?;
    if !metadata.is_dir() {
        return Err(io::Error::new(io::ErrorKind::NotADirectory, format!("{} is no folder", path.display())));
    }
    // Also after making it: the umask may have taken bits away, or a default ACL added some.
    if metadata.permissions().mode() & 0o777 != 0o700 {
        fs_err::set_permissions(path, Permissions::from_mode(0o700))?;
    }
    Ok(())
}

/// The folders above and at `path` that are not there yet, lowest (deepest) first: what making it would add.
#[must_use]
pub fn missing_folders(path: &Path) -> Vec<PathBuf> {
    path.ancestors().take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists()).map(Into::into).collect()
}

fn named(path: &Path, what: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{} {what}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_folder_is_private_also_when_it_was_not() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("a/b");
        assert_eq!(missing_folders(&path), [path.clone(), folder.path().join("a")]);
        private_folder(&path).expect("made");
        std::fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("opened");
        private_folder(&path).expect("closed");
        assert_eq!(std::fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o700);
        assert!(missing_folders(&path).is_empty());
    }

    #[test]
    fn a_file_in_its_place_is_named() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("file");
        std::fs::write(&path, "").expect("written");
        assert!(private_folder(&path).expect_err("a file").to_string().contains("is no folder"));
    }
}
