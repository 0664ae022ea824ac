//! The kernel's answer over netlink (`sock_diag(7)`), which it gives from the sockets that listen alone. To read `/proc/net/tcp`
//! it goes through the places of all connections that there could be, which takes 4 ms on a machine of 24 GB that has none.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with};

use super::Listener;

/// `SOCK_DIAG_BY_FAMILY`: what is asked, and the kind of each answer.
const BY_FAMILY: u16 = 20;
/// `NLMSG_DONE`: there are no more answers.
const DONE: u16 = 3;
/// `NLM_F_REQUEST | NLM_F_DUMP`: all that there are.
const ALL: u16 = 0x301;
/// Bytes of a message's head, `nlmsghdr`.
const HEAD: usize = 16;
/// Bytes of a question, `inet_diag_req_v2`.
const QUESTION: usize = 56;
/// Bytes of an answer, `inet_diag_msg`; attributes follow.
const ANSWER: usize = 72;
/// `INET_DIAG_SKV6ONLY`: an attribute of one byte.
const ONLY_IPV6: u16 = 11;
/// `IPPROTO_TCP`.
const TCP: u8 = 6;
/// The bit of `TCP_LISTEN`.
const LISTENING: u32 = 1 << 10;
/// The kernel answers at once, if it does.
const PATIENCE: Duration = Duration::from_secs(1);

/// All that listen.
///
/// # Errors
/// If the kernel does not answer such questions here.
pub(super) fn listeners() -> io::Result<Vec<Listener>> {
    let socket =
        socket_with(AddressFamily::NETLINK, SocketType::DGRAM, SocketFlags::CLOEXEC, Some(netlink::SOCK_DIAG))?;
    set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE))?;
    let mut found = Vec::new();
    for family in [AddressFamily::INET, AddressFamily::INET6] {
        send(&socket, &question(family), SendFlags::empty())?;
        answers(&socket, &mut found)?;
    }
    Ok(found)
}

/// Which sockets of TCP over this family listen.
fn question(family: AddressFamily) -> Vec<u8> {
    let length = u32::try_from(HEAD + QUESTION).unwrap_or_default();
    let mut bytes = length.to_ne_bytes().to_vec();
    bytes.extend([BY_FAMILY.to_ne_bytes(), ALL.to_ne_bytes()].concat());
    // The number of the question and the asker, which one who asks only once need not know.
    bytes.extend([0; 8]);
    bytes.extend([u8::try_from(family.as_raw()).unwrap_or_default(), TCP, 0, 0]);
    bytes.extend(LISTENING.to_ne_bytes());
    bytes.resize(HEAD + QUESTION, 0);
    bytes
}

/// Reads until the kernel says that these are all.
fn answers(socket: &OwnedFd, found: &mut Vec<Listener>) -> io::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let (count, _) = recv(socket, buffer.as_mut_slice(), RecvFlags::empty())?;
        let mut rest = &buffer[..count];
        while let Some((kind, message)) = message(&mut rest) {
            match kind {
                BY_FAMILY => found.extend(listener(message)),
                DONE => return Ok(()),
                _ => return Err(io::ErrorKind::Unsupported.into()),
            }
        }
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// The kind and the content of the next message, which is taken off.
fn message<'a>(bytes: &mut &'a [u8]) -> Option<(u16, &'a [u8])> {
    let length = usize::try_from(u32::from_ne_bytes(part(bytes, 0)?)).ok()?;
    let kind = u16::from_ne_bytes(part(bytes, 4)?);
    let content = bytes.get(HEAD..length)?;
    // Each begins at a multiple of four.
    *bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    Some((kind, content))
}

/// Reads `inet_diag_msg`: family, state, … and at byte 4 port and address in the network's order, at 64 user and inode.
fn listener(message: &[u8]) -> Option<Listener> {
    let ip: IpAddr = match AddressFamily::from_raw(u16::from(*message.first()?)) {
        AddressFamily::INET => Ipv4Addr::from(part::<4>(message, 8)?).into(),
        AddressFamily::INET6 => Ipv6Addr::from(part::<16>(message, 8)?).into(),
        _ => return None,
    };
    let port = u16::from_be_bytes(part(message, 4)?);
    let (user, inode) = (u32::from_ne_bytes(part(message, 64)?), u32::from_ne_bytes(part(message, 68)?));
    let only_ipv6 = attribute(message, ONLY_IPV6).and_then(|content| content.first()).map(|byte| *byte != 0);
    Some(Listener { address: SocketAddr::new(ip, port), user, inode: u64::from(inode), only_ipv6 })
}

/// The content of an attribute, `nlattr`: its length with these four bytes, and its kind; the next begins at a multiple of four.
fn attribute(message: &[u8], wanted: u16) -> Option<&[u8]> {
    let mut rest = message.get(ANSWER..)?;
    loop {
        let (length, kind) = (u16::from_ne_bytes(part(rest, 0)?), u16::from_ne_bytes(part(rest, 2)?));
        let content = rest.get(4..length.into())?;
        if kind == wanted {
            return Some(content);
        }
        rest = rest.get(usize::from(length).next_multiple_of(4)..)?;
    }
}

fn part<const COUNT: usize>(bytes: &[u8], from: usize) -> Option<[u8; COUNT]> {
    bytes.get(from..from + COUNT)?.try_into().ok()
}
