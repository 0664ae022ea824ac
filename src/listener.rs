//! The TCP sockets that listen on this machine: who is in the way of a server, and which ports are free.
//!
//! The kernel is asked over netlink ([`diag`]), and where it does not answer there, as in some containers, its list in `/proc`
//! is read ([`table`]).

mod diag;
mod table;

use std::collections::BTreeSet;
use std::io;
use std::net::{SocketAddr, TcpListener};

/// A listening socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Where it listens.
    pub address: SocketAddr,
    /// Whose it is: the number of a user.
    pub user: u32,
    /// Its number, as in the link `socket:[4711]` of a process that has it.
    pub inode: u64,
    /// Whether it leaves IPv4 to others, if it listens on `[::]` and the kernel tells.
    pub only_ipv6: Option<bool>,
}

impl Listener {
    /// Whether it is in the way of a server that is to listen at `wanted`.
    #[must_use]
    pub fn blocks(&self, wanted: SocketAddr) -> bool {
        if !clash(self.address, wanted) {
            return false;
        }
        let is_of_two_kinds = self.address.ip().to_canonical().is_ipv6() && wanted.ip().to_canonical().is_ipv4();
        match self.only_ipv6 {
            _ if !is_of_two_kinds => true,
            Some(is_only) => !is_only,
            None => TcpListener::bind(wanted).is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse),
        }
    }
}

/// All of them.
#[must_use]
pub fn listeners() -> Vec<Listener> {
    diag::listeners().unwrap_or_else(|_| table::listeners())
}

/// All ports on which anybody listens.
#[must_use]
pub fn ports_in_use() -> BTreeSet<u16> {
    listeners().into_iter().map(|listener| listener.address.port()).collect()
}

/// Whether two sockets cannot both be bound. `[::]` takes the IPv4 addresses too, unless it is told not to.
fn clash(a: SocketAddr, b: SocketAddr) -> bool {
    let whole = |address: SocketAddr| address.ip().is_unspecified();
    a.port() == b.port()
        && (a.ip().to_canonical() == b.ip().to_canonical()
            || (whole(a) && (a.is_ipv6() || b.is_ipv4()))
            || (whole(b) && (b.is_ipv6() || a.is_ipv4())))
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr, TcpStream};

    use rustix::net::{AddressFamily, SocketType, bind, listen, socket, sockopt};

    use super::*;

    #[test]
    fn a_listener_is_found_among_connections() {
        for way in [listeners, table::listeners, || diag::listeners().expect("the kernel answers")] {
            found_among_connections(way);
        }
    }

    fn found_among_connections(listeners: fn() -> Vec<Listener>) {
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

    #[test]
    fn who_listens_for_ipv6_alone_leaves_ipv4_to_others() {
        for (listens, only_ipv6, wanted, expected) in [
            ("[::]:80", Some(true), "127.0.0.1:80", false),
            ("[::]:80", Some(true), "0.0.0.0:80", false),
            ("[::]:80", Some(true), "[::1]:80", true),
            ("[::]:80", Some(true), "[::]:80", true),
            ("[::]:80", Some(false), "127.0.0.1:80", true),
            ("[::]:80", Some(false), "127.0.0.1:81", false),
            ("0.0.0.0:80", None, "127.0.0.1:80", true),
            ("0.0.0.0:80", None, "[::]:80", true),
            ("[::ffff:127.0.0.1]:80", Some(false), "127.0.0.1:80", true),
        ] {
            let listener = Listener { address: listens.parse().expect(listens), user: 0, inode: 0, only_ipv6 };
            assert_eq!(listener.blocks(wanted.parse().expect(wanted)), expected, "{listens} {only_ipv6:?} {wanted}");
        }
    }

    #[test]
    fn the_kernel_is_asked_or_tried() {
        for is_only in [true, false] {
            // A machine may have no IPv6.
            let Ok(listener) = socket(AddressFamily::INET6, SocketType::STREAM, None) else { return };
            sockopt::set_ipv6_v6only(&listener, is_only).expect("set");
            if bind(&listener, &SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0))).is_err() {
                return;
            }
            listen(&listener, 1).expect("listen");
            let listener = TcpListener::from(listener);
            let port = listener.local_addr().expect("address").port();
            let ways: [fn() -> Vec<Listener>; 2] =
                [|| diag::listeners().expect("the kernel answers"), table::listeners];
            for (listeners, told) in ways.into_iter().zip([Some(is_only), None]) {
                let found = listeners().into_iter().find(|found| found.address.port() == port).expect("found");
                assert_eq!(found.only_ipv6, told);
                assert_eq!(found.blocks((Ipv4Addr::LOCALHOST, port).into()), !is_only);
                assert!(found.blocks((Ipv6Addr::LOCALHOST, port).into()));
            }
        }
    }
}
