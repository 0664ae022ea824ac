//! Writes that are whole or not at all: a temporary file in the same folder, synced, then renamed.

use std::fs::Permissions;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

use crate::checkpoint;

/// Replaces `path` by `bytes` with the permission bits `mode`: after a crash or power cut it has the old content or the new.
///
/// # Errors
/// What creating, writing, syncing or renaming fails with; the old file is then as before.
pub fn write_atomic(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    write_whole(path, bytes, mode)?;
    sync_folder(folder_of(path)?)
}

/// As [`write_atomic`], but the name is durable only once its folder is synced: for all but the last of several files of a folder.
///
/// # Errors
/// As [`write_atomic`].
pub fn write_whole(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let folder = folder_of(path)?;
    let mut file = tempfile::Builder::new().prefix(&temporary_prefix()).tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().set_permissions(Permissions::from_mode(mode))?;
    file.as_file().sync_all()?;
    checkpoint::pass("write-before-rename");
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Makes `link` point to `target` by one rename.
///
/// # Errors
/// What making or renaming the link fails with; the old link is then as before.
pub fn replace_link(link: &Path, target: &Path) -> io::Result<()> {
    let folder = folder_of(link)?;
    let aside = tempfile::Builder::new()
        .prefix(&temporary_prefix())
        .make_in(folder, |path| std::os::unix::fs::symlink(target, path))?;
    checkpoint::pass("write-before-rename");
    fs_err::rename(aside.path(), link)?;
    // The name is gone: there is nothing for the guard to remove.
    let _ = aside.into_temp_path().keep();
    sync_folder(folder)
}

/// The folder of a path; of a bare name, the working folder.
fn folder_of(path: &Path) -> io::Result<&Path> {
    let folder = path.parent().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    Ok(if folder.as_os_str().is_empty() { Path::new(".") } else { folder })
}

/// What temporary names begin with; the process in them tells whether its writer lives.
const TEMPORARY: &str = ".tmp-jove-";

fn temporary_prefix() -> String {
    format!("{TEMPORARY}{}-", std::process::id())
}

/// Whether a name is one that a killed writer of this module left: no process of its number lives.
fn is_abandoned(name: &str) -> bool {
    let writer = name.strip_prefix(TEMPORARY).and_then(|rest| rest.split('-').next()?.parse().ok());
    writer.and_then(Pid::from_raw).is_some_and(|writer| test_kill_process(writer) == Err(Errno::SRCH))
}

/// Removes what killed writers of this module left in a folder. The supervisor may be writing there at the same time: what a
/// living process writes stays.
///
/// # Errors
/// What listing or removing fails with; none if there is no folder.
pub fn remove_temporaries(folder: &Path) -> io::Result<()> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        if is_abandoned(&entry.file_name().to_string_lossy()) && !entry.file_type()?.is_dir() {
            match std::fs::remove_file(entry.path()) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    #[test]
    fn a_bare_name_is_in_the_working_folder() {
        let folder = |path| folder_of(Path::new(path)).map(Path::to_owned).ok();
        assert_eq!(folder("a"), Some(".".into()));
        assert_eq!(folder("b/a"), Some("b".into()));
        assert_eq!((folder("/a"), folder("/")), (Some("/".into()), None));
    }

    #[test]
    fn a_write_replaces_and_leaves_nothing_else() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("a");
        for (text, mode) in [("one", 0o600), ("two", 0o644)] {
            write_atomic(&path, text.as_bytes(), mode).expect("written");
            assert_eq!(std::fs::read_to_string(&path).expect("read"), text);
            assert_eq!(path.metadata().expect("there").mode() & 0o777, mode);
        }
        assert_eq!(std::fs::read_dir(folder.path()).expect("folder").count(), 1);
        assert!(write_atomic(&folder.path().join("no/a"), b"", 0o600).is_err());
    }

    #[test]
    fn a_link_is_replaced_and_only_temporaries_are_removed() {
        let folder = tempfile::tempdir().expect("folder");
        let link = folder.path().join("current");
        for target in ["one", "two"] {
            replace_link(&link, Path::new(target)).expect("replaced");
            assert_eq!(std::fs::read_link(&link).expect("link"), Path::new(target));
        }
        let mut gone = std::process::Command::new("/bin/true").spawn().expect("started");
        let pid = gone.id();
        gone.wait().expect("ended");
        let living = format!("{}x", temporary_prefix());
        for name in [&format!("{TEMPORARY}{pid}-x"), &living, ".tmp-x", ".tmp-jove-x"] {
            std::fs::write(folder.path().join(name), "").expect("written");
        }
        remove_temporaries(folder.path()).expect("removed");
        remove_temporaries(&folder.path().join("nothing")).expect("absent is fine");
        let entries = std::fs::read_dir(folder.path()).expect("folder").map(|entry| entry.expect("entry").file_name());
        let left: std::collections::BTreeSet<_> = entries.map(|name| name.to_string_lossy().into_owned()).collect();
        assert_eq!(left, [living, ".tmp-x".into(), ".tmp-jove-x".into(), "current".into()].into());
    }
}
