//! Writes that are whole or not at all: a temporary file in the same folder, synced, then renamed.

use std::fs::Permissions;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rustix::fs::OFlags;

/// Replaces `path` by `bytes` with the permission bits `mode`: after a crash or power cut it has the old content or the new.
///
/// # Errors
/// What creating, writing, syncing or renaming fails with; the old file is then as before.
pub fn write_atomic(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let folder = path.parent().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    let mut file = tempfile::Builder::new().prefix(".tmp-").tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().set_permissions(Permissions::from_mode(mode))?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    sync_folder(folder)
}

/// Makes `link` point to `target` by one rename.
///
/// # Errors
/// What making or renaming the link fails with; the old link is then as before.
pub fn replace_link(link: &Path, target: &Path) -> io::Result<()> {
    let folder = link.parent().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    let aside =
        tempfile::Builder::new().prefix(".tmp-").make_in(folder, |path| std::os::unix::fs::symlink(target, path))?;
    fs_err::rename(aside.path(), link)?;
    // The name is gone: there is nothing for the guard to remove.
    let _ = aside.into_temp_path().keep();
    sync_folder(folder)
}

/// Makes the names in a folder durable.
///
/// # Errors
/// What opening or syncing it fails with.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    let handle =
        rustix::fs::open(folder, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, rustix::fs::Mode::empty())?;
    rustix::fs::fsync(&handle)?;
    Ok(())
}
