//! Listening sockets that the keeper holds for services: whoever serves them may end and come back, and nobody is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, chmod};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket_with, sockopt};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

use crate::service::socket::Address;

/// How many may wait to be served; the kernel takes less where it is told so (`somaxconn`).
const WAITING: i32 = 4096;

/// The sockets that are held, by address as written.
#[derive(Debug, Default)]
pub(super) struct Held(BTreeMap<String, Socket>);

#[derive(Debug)]
struct Socket {
    listener: OwnedFd,
    /// The file of a unix socket: what it was when it was made.
    file: Option<(PathBuf, Option<u64>)>,
}

impl Held {
    /// Listens on all of these that are not held yet; if one cannot be had, on none of them.
    pub(super) fn listen(&mut self, addresses: &[String]) -> Result<(), (String, String)> {
        let mut fresh = Vec::new();
        for address in addresses.iter().collect::<BTreeSet<_>>() {
            if self.0.get(address).is_some_and(Socket::is_whole) {
                continue;
            }
            match open(address) {
                Ok(socket) => fresh.push((address.clone(), socket)),
                Err(error) => {
                    fresh.into_iter().for_each(|(_, socket)| socket.close());
                    return Err((address.clone(), error.to_string()));
                }
            }
        }
        self.0.extend(fresh);
        Ok(())
    }

    /// A socket that is held.
    pub(super) fn get(&self, address: &str) -> Option<BorrowedFd<'_>> {
        self.0.get(address).map(|socket| socket.listener.as_fd())
    }

    /// The sockets of these addresses, as a service gets them.
    pub(super) fn given(&self, addresses: &[String], nonblocking: bool) -> io::Result<Vec<BorrowedFd<'_>>> {
        let sockets: Vec<_> = addresses.iter().filter_map(|address| self.get(address)).collect();
        if nonblocking {
            sockets.iter().try_for_each(|socket| rustix::io::ioctl_fionbio(socket, true))?;
        }
        Ok(sockets)
    }

    /// All, with their addresses.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, BorrowedFd<'_>)> {
        self.0.iter().map(|(address, socket)| (address.as_str(), socket.listener.as_fd()))
    }

    /// Holds a socket that the former program of this process held.
    pub(super) fn take_up(&mut self, text: String, listener: OwnedFd) {
        let file = match text.parse::<Address>() {
            Ok(Address::Unix(path)) => Some((path.clone(), inode(&path))),
            Ok(Address::Tcp(_)) | Err(_) => None,
        };
        self.0.insert(text, Socket { listener, file });
    }

    /// Closes what listens there.
    pub(super) fn release(&mut self, addresses: &[String]) {
        for address in addresses {
            if let Some(socket) = self.0.remove(address) {
                socket.close();
            }
        }
    }

    /// Closes all.
    pub(super) fn release_all(&mut self) {
        std::mem::take(&mut self.0).into_values().for_each(Socket::close);
    }

    /// Takes the sockets of these addresses out of a process that was given them by another keeper. Gives those that could not
    /// be had: whether one process may look into another is the machine's rule.
    pub(super) fn take_from(&mut self, pid: i32, addresses: &[String]) -> Vec<String> {
        let mut found = listeners_of(pid);
        let mut missing = Vec::new();
        for text in addresses.iter().filter(|text| !self.0.contains_key(*text)).cloned().collect::<BTreeSet<_>>() {
            let at = text.parse::<Address>().ok().and_then(|wanted| found.iter().position(|(at, _)| *at == wanted));
            match at.map(|at| found.swap_remove(at)) {
                Some((address, listener)) => {
                    let file = match address {
                        Address::Unix(path) => Some((path.clone(), inode(&path))),
                        Address::Tcp(_) => None,
                    };
                    self.0.insert(text, Socket { listener, file });
                }
                None => missing.push(text),
            }
        }
        missing
    }
}

impl Socket {
    /// Whether clients still find it: the file of a unix socket may have been removed.
    fn is_whole(&self) -> bool {
        self.file.as_ref().is_none_or(|(path, made)| inode(path) == *made)
    }

    fn close(self) {
        if let Some((path, made)) = &self.file
            && inode(path) == *made
        {
            let _ = fs::remove_file(path);
        }
    }
}

fn inode(path: &Path) -> Option<u64> {
    fs::symlink_metadata(path).ok().map(|facts| facts.ino())
}

fn open(text: &str) -> io::Result<Socket> {
    match text.parse::<Address>().map_err(io::Error::other)? {
        Address::Tcp(address) => {
            let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
            let listener = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
            // Connections of a former socket that linger are in nobody's way.
            sockopt::set_socket_reuseaddr(&listener, true)?;
            if address.is_ipv6() {
                // As nginx does, so that 0.0.0.0 and [::] can both be listened on.
                sockopt::set_ipv6_v6only(&listener, true)?;
            }
            bind(&listener, &address)?;
            listen(&listener, WAITING)?;
            Ok(Socket { listener, file: None })
        }
        Address::Unix(path) => open_unix(path),
    }
}

fn open_unix(path: PathBuf) -> io::Result<Socket> {
    match fs::symlink_metadata(&path) {
        Ok(facts) if !facts.file_type().is_socket() => return Err(io::Error::other("something else has this name")),
        Ok(_) if UnixStream::connect(&path).is_ok() => return Err(io::ErrorKind::AddrInUse.into()),
        Ok(_) => fs::remove_file(&path)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if let Some(folder) = path.parent().filter(|folder| !folder.is_dir()) {
                fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
            }
        }
        Err(error) => return Err(error),
    }
    let listener = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    bind(&listener, &SocketAddrUnix::new(&path)?)?;
    chmod(&path, Mode::RUSR | Mode::WUSR)?;
    listen(&listener, WAITING)?;
    let made = inode(&path);
    Ok(Socket { listener, file: Some((path, made)) })
}

/// Copies of a process's listening sockets, where this is allowed.
fn listeners_of(pid: i32) -> Vec<(Address, OwnedFd)> {
    let handle = Pid::from_raw(pid).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
    let Some(handle) = handle else { return Vec::new() };
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let is_socket = |path: &Path| fs::read_link(path).is_ok_and(|link| link.to_string_lossy().starts_with("socket:"));
    let numbers = entries
        .filter(|entry| is_socket(&entry.path()))
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let copies = numbers.filter_map(|number| pidfd_getfd(&handle, number, PidfdGetfdFlags::empty()).ok());
    copies.filter_map(|socket| Some((listens_at(&socket)?, socket))).collect()
}

fn listens_at(socket: &OwnedFd) -> Option<Address> {
    if !sockopt::socket_acceptconn(socket).ok()? {
        return None;
    }
    let address = rustix::net::getsockname(socket).ok()?;
    if let Ok(address) = std::net::SocketAddr::try_from(address.clone()) {
        return Some(Address::Tcp(address));
    }
    let address = SocketAddrUnix::try_from(address).ok()?;
    let path = address.path()?;
    Some(Address::Unix(PathBuf::from(std::ffi::OsStr::new(path.to_str().ok()?))))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::os::unix::net::UnixStream;

    use super::Held;

    #[test]
    fn sockets_are_opened_all_or_none_and_kept() {
        let folder = tempfile::tempdir().expect("folder");
        let unix = format!("unix:{}/run/a.sock", folder.path().display());
        let taken = TcpListener::bind("127.0.0.1:0").expect("bind");
        let busy = taken.local_addr().expect("address").to_string();
        let mut held = Held::default();
        let (address, reason) = held.listen(&[unix.clone(), busy.clone()]).expect_err("busy");
        assert!(address == busy && reason.contains("in use"), "{reason}");
        assert!(held.get(&unix).is_none() && !folder.path().join("run/a.sock").exists());
        drop(taken);
        let both = [unix.clone(), busy];
        held.listen(&both).expect("listen");
        held.listen(&both).expect("again");
        UnixStream::connect(folder.path().join("run/a.sock")).expect("connect");
        // Somebody removes the file: clients would find nobody.
        std::fs::remove_file(folder.path().join("run/a.sock")).expect("remove");
        held.listen(&both).expect("anew");
        UnixStream::connect(folder.path().join("run/a.sock")).expect("connect");
        held.release(&both);
        assert!(held.get(&unix).is_none() && !folder.path().join("run/a.sock").exists());
    }

    #[test]
    fn sockets_are_taken_out_of_a_process() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
        let address = listener.local_addr().expect("address").to_string();
        let mut held = Held::default();
        let own = std::process::id().cast_signed();
        let missing = held.take_from(own, &[address.clone(), "127.0.0.1:1".into()]);
        assert_eq!(missing, ["127.0.0.1:1"]);
        assert!(held.get(&address).is_some());
    }
}
