//! The TCP sockets that listen on this machine, as `/proc` has them: who is in the way of a server, and which ports are free.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// A listening socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Where it listens.
    pub address: SocketAddr,
    /// Whose it is: the number of a user.
    pub user: u32,
    /// Its number, as in the link `socket:[4711]` of a process that has it.
    pub inode: u64,
}

/// All of them.
#[must_use]
pub fn listeners() -> Vec<Listener> {
    ["/proc/net/tcp", "/proc/net/tcp6"].into_iter().flat_map(read).collect()
}

/// All ports on which anybody listens.
#[must_use]
pub fn ports_in_use() -> BTreeSet<u16> {
    listeners().into_iter().map(|listener| listener.address.port()).collect()
}

/// Whether two sockets cannot both be bound. `[::]` takes the IPv4 addresses too.
#[must_use]
pub fn clash(a: SocketAddr, b: SocketAddr) -> bool {
    let whole = |address: SocketAddr| address.ip().is_unspecified();
    a.port() == b.port()
        && (a.ip().to_canonical() == b.ip().to_canonical()
            || (whole(a) && (a.is_ipv6() || b.is_ipv4()))
            || (whole(b) && (b.is_ipv6() || a.is_ipv4())))
}

/// The kernel lists sockets that listen before all others. Those are not read: on a busy server they are connections by the
/// hundred thousand, and listing them would take the kernel a second.
fn read(table: &str) -> Vec<Listener> {
    let Ok(file) = File::open(table) else { return Vec::new() };
    BufReader::new(file).lines().map_while(Result::ok).skip(1).map_while(|line| parse(&line)).collect()
}

/// `   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000 0 4711 1 …`; `None` if it does not listen.
fn parse(line: &str) -> Option<Listener> {
    /// `TCP_LISTEN`.
    const LISTEN: &str = "0A";
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    if *fields.get(3)? != LISTEN {
        return None;
    }
    let (host, port) = fields.get(1)?.split_once(':')?;
    let address = SocketAddr::new(parse_host(host)?, u16::from_str_radix(port, 16).ok()?);
    Some(Listener { address, user: fields.get(7)?.parse().ok()?, inode: fields.get(9)?.parse().ok()? })
}

/// Each group of eight digits is a word in the machine's own order of bytes.
fn parse_host(text: &str) -> Option<IpAddr> {
    let mut bytes = Vec::new();
    for start in (0..text.len()).step_by(8) {
        bytes.extend(u32::from_str_radix(text.get(start..start + 8)?, 16).ok()?.to_ne_bytes());
    }
    match bytes.len() {
        4 => Some(Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?).into()),
        16 => Some(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?).into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_listener_is_found_among_connections() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            // A machine may have no IPv6.
            let Ok(listener) = TcpListener::bind(address) else { continue };
            let address = listener.local_addr().expect("address");
            let connected: Vec<_> = (0..50).map(|_| TcpStream::connect(address).expect("connect")).collect();
            let found = || listeners().into_iter().find(|found| found.address == address);
            let user = rustix::process::getuid().as_raw();
            assert_eq!(found().map(|found| found.user), Some(user));
            assert!(ports_in_use().contains(&address.port()));
            drop(listener);
            assert_eq!(found(), None, "connections do not listen");
            drop(connected);
        }
    }

    #[test]
    fn lines_of_the_kernel() {
        let line = "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000 0 4711 1 x 100 0";
        let listener = parse(line).expect("a listener");
        if cfg!(target_endian = "little") {
            assert_eq!(listener.address, "127.0.0.1:8080".parse().expect("address"));
        }
        assert_eq!((listener.user, listener.inode), (1000, 4711));
        assert_eq!(parse(&line.replace(" 0A ", " 01 ")), None);
        assert_eq!(parse("  sl  local_address rem_address   st"), None);
        assert_eq!(parse("a:b 1"), None);
    }

    #[test]
    fn addresses_that_clash() {
        for (a, b, expected) in [
            ("127.0.0.1:80", "127.0.0.1:80", true),
            ("127.0.0.1:80", "127.0.0.1:81", false),
            ("127.0.0.1:80", "127.0.0.2:80", false),
            ("0.0.0.0:80", "127.0.0.1:80", true),
            ("[::]:80", "127.0.0.1:80", true),
            ("[::ffff:127.0.0.1]:80", "127.0.0.1:80", true),
            ("0.0.0.0:80", "[::1]:80", false),
            ("[::1]:80", "127.0.0.1:80", false),
        ] {
            let (first, second) = (a.parse().expect(a), b.parse().expect(b));
            assert_eq!((clash(first, second), clash(second, first)), (expected, expected), "{a} {b}");
        }
    }
}
