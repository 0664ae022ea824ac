//! Named FIFOs for a service's output. The service and the keeper hold each open for reading and writing, so that the death of
//! whoever reads them takes no line and breaks no service: the kernel keeps up to 64 KiB until the next reader comes.
//!
//! They stay when everything is stopped, as the logs do, for the next start: new ones cost more than all else that is done for it.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, mkfifoat, open};
use rustix::io::Errno;

/// The endings of the two FIFOs of a service: its standard output and its standard error.
pub const STREAMS: [&str; 2] = ["out", "err"];

/// The path of a FIFO.
#[must_use]
pub fn path(run: &Path, service: &str, stream: &str) -> PathBuf {
    run.join(format!("{service}.{stream}"))
}

/// The services that have FIFOs.
#[must_use]
pub fn services(run: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(run).into_iter().flatten().flatten();
    let fifos = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_fifo()));
    fifos
        .filter_map(|entry| {
            let path = entry.path();
            let stream = path.extension()?.to_str()?;
            STREAMS.contains(&stream).then(|| path.file_stem()?.to_str().map(str::to_owned))?
        })
        .collect()
}

/// Removes the FIFOs of a service that is no more.
pub(super) fn remove(run: &Path, service: &str) {
    for stream in STREAMS {
        let _ = std::fs::remove_file(path(run, service, stream));
    }
}

/// Makes a FIFO if it is not there, and opens it for reading and writing.
///
/// # Errors
/// If it cannot be made or opened, or if something else is at its path.
pub fn hold(path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
    let stranger = || io::Error::other(format!("{} is not a FIFO of yours; remove it", path.display()));
    let open = || open(path, OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW | flags, Mode::empty());
    // Most are there already. To try to make one would wait for whoever makes another in the same folder, which takes a while.
    let held = match open() {
        Err(Errno::NOENT) => {
            match mkfifoat(CWD, path, Mode::RUSR | Mode::WUSR) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
            open()
        }
        other => other,
    };
    match held {
        Ok(held) => {
            let facts = fstat(&held)?;
            let is_fifo = FileType::from_raw_mode(facts.st_mode) == FileType::Fifo;
            if is_fifo && facts.st_uid == rustix::process::geteuid().as_raw() { Ok(held) } else { Err(stranger()) }
        }
        // A link, a folder, a socket.
        Err(Errno::LOOP | Errno::ISDIR | Errno::NXIO) => Err(stranger()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use rustix::fs::OFlags;

    use super::hold;

    #[test]
    fn what_is_no_fifo_is_refused_by_name() {
        let folder = tempfile::tempdir().expect("folder");
        let at = |name: &str| folder.path().join(name);
        let fifo = hold(&at("web.out"), OFlags::NONBLOCK).expect("made");
        rustix::io::write(&fifo, b"x").expect("written");
        let again = hold(&at("web.out"), OFlags::NONBLOCK).expect("opened");
        assert_eq!(rustix::io::read(&again, &mut [0; 4]).expect("read"), 1);
        assert_eq!(super::services(folder.path()), ["web".to_owned()].into());
        std::fs::write(at("file"), "").expect("file");
        std::fs::create_dir(at("folder")).expect("folder");
        std::os::unix::fs::symlink(at("web.out"), at("link")).expect("link");
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).expect("socket");
        for name in ["file", "folder", "link", "socket"] {
            let refused = hold(&at(name), OFlags::NONBLOCK).expect_err("refused").to_string();
            assert_eq!(refused, format!("{} is not a FIFO of yours; remove it", at(name).display()));
        }
    }
}
