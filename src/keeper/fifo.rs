//! Named FIFOs for a service's output. The service and the keeper hold each open for reading and writing, so that the death of
//! whoever reads them takes no line and breaks no service: the kernel keeps up to 64 KiB until the next reader comes.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, mkfifoat, open};

/// The endings of the two FIFOs of a service: its standard output and its standard error.
pub const STREAMS: [&str; 2] = ["out", "err"];

/// The path of a FIFO.
#[must_use]
pub fn path(run: &Path, service: &str, stream: &str) -> PathBuf {
    run.join(format!("{service}.{stream}"))
}

/// Makes a FIFO if it is not there, and opens it for reading and writing.
///
/// # Errors
/// If it cannot be made or opened, or if something else is at its path.
pub fn hold(path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
    match mkfifoat(CWD, path, Mode::RUSR | Mode::WUSR) {
        Ok(()) | Err(rustix::io::Errno::EXIST) => {}
        Err(error) => return Err(error.into()),
    }
    let facts = std::fs::symlink_metadata(path)?;
    if !facts.file_type().is_fifo() || facts.uid() != rustix::process::geteuid().as_raw() {
        return Err(io::Error::other(format!("{} is not a FIFO of yours; remove it", path.display())));
    }
    Ok(open(path, OFlags::RDWR | OFlags::CLOEXEC | flags, Mode::empty())?)
}
