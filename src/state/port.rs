//! Who listens on a port, from `/proc`: no privilege is needed for the user's own processes, and for others at least the user
//! is known.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use serde::Serialize;

/// Who holds a port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Holder {
    /// The port.
    pub port: u16,
    /// Its process, where this user may know it.
    pub pid: Option<i32>,
    /// The process's name.
    pub name: Option<String>,
    /// The user's name, or number where there is no name.
    pub user: String,
}

/// One listening socket.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Listener {
    address: SocketAddr,
    user: u32,
    inode: u64,
}

/// Who listens on a port, on whatever address.
#[must_use]
pub fn who_holds(port: u16) -> Option<Holder> {
    listeners().into_iter().find(|listener| listener.address.port() == port).map(|listener| holder(&listener))
}

/// Who listens where a new listener at `address` could not.
#[must_use]
pub fn who_hinders(address: SocketAddr) -> Option<Holder> {
    listeners().into_iter().find(|listener| hinders(listener.address, address)).map(|listener| holder(&listener))
}

/// All ports on which anybody listens.
#[must_use]
pub fn ports_in_use() -> BTreeSet<u16> {
    listeners().into_iter().map(|listener| listener.address.port()).collect()
}

/// An address of all hinders every one; `[::]` may take the IPv4 ones too, and mostly does.
fn hinders(there: SocketAddr, wanted: SocketAddr) -> bool {
    let same = there.ip().to_canonical() == wanted.ip().to_canonical();
    there.port() == wanted.port() && (same || there.ip().is_unspecified() || wanted.ip().is_unspecified())
}

fn listeners() -> Vec<Listener> {
    ["/proc/net/tcp", "/proc/net/tcp6"]
        .into_iter()
        .filter_map(|table| std::fs::read_to_string(table).ok())
        .flat_map(|text| text.lines().filter_map(parse).collect::<Vec<_>>())
        .collect()
}

/// `   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000 0 4711 1 …`; 0A is LISTEN.
fn parse(line: &str) -> Option<Listener> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let (address, port) = words.get(1)?.split_once(':')?;
    if *words.get(3)? != "0A" {
        return None;
    }
    let address = SocketAddr::new(parse_address(address)?, u16::from_str_radix(port, 16).ok()?);
    Some(Listener { address, user: words.get(7)?.parse().ok()?, inode: words.get(9)?.parse().ok()? })
}

/// The kernel prints each 32 bits as a number of the machine's own byte order.
fn parse_address(text: &str) -> Option<IpAddr> {
    let mut bytes = Vec::new();
    for start in (0..text.len()).step_by(8) {
        let word = u32::from_str_radix(text.get(start..start + 8)?, 16).ok()?;
        bytes.extend_from_slice(&word.to_ne_bytes());
    }
    match bytes.len() {
        4 => Some(IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?))),
        16 => Some(IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?))),
        _ => None,
    }
}

fn holder(listener: &Listener) -> Holder {
    let pid = process_of(listener.inode);
    let name = pid.and_then(|pid| std::fs::read_to_string(format!("/proc/{pid}/comm")).ok());
    let plain = |name: String| name.trim().chars().filter(|c| !c.is_control()).collect();
    Holder { port: listener.address.port(), pid, name: name.map(plain), user: user_name(listener.user) }
}

fn process_of(inode: u64) -> Option<i32> {
    let socket = format!("socket:[{inode}]");
    let has_it = |fds: std::fs::ReadDir| {
        fds.flatten().any(|fd| std::fs::read_link(fd.path()).is_ok_and(|target| target == Path::new(&socket)))
    };
    std::fs::read_dir("/proc").ok()?.flatten().find_map(|process| {
        let pid = process.file_name().to_str()?.parse().ok()?;
        std::fs::read_dir(process.path().join("fd")).is_ok_and(has_it).then_some(pid)
    })
}

fn user_name(user: u32) -> String {
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let names: BTreeMap<&str, &str> = users
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(':');
            Some((fields.next()?, fields.nth(1)?))
        })
        .map(|(name, number)| (number, name))
        .collect();
    let number = user.to_string();
    names.get(number.as_str()).map_or(number.clone(), ToString::to_string)
}

/// `` process 123 (`nginx`) of user `www-data` ``.
impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.pid, &self.name) {
            (Some(pid), Some(name)) => write!(f, "process {pid} (`{name}`) of user `{}`", self.user),
            (Some(pid), None) => write!(f, "process {pid} of user `{}`", self.user),
            (None, _) => write!(f, "a process of user `{}`", self.user),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_listener_of_ours_is_found_by_name() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            // A machine may have no IPv6.
            let Ok(listener) = TcpListener::bind(address) else { continue };
            let address = listener.local_addr().expect("address");
            let holder = who_holds(address.port()).expect("held");
            assert_eq!(holder.pid, i32::try_from(std::process::id()).ok());
            assert!(holder.name.is_some() && !holder.user.is_empty());
            assert_eq!(who_hinders(address).as_ref(), Some(&holder));
            assert!(ports_in_use().contains(&address.port()));
            drop(listener);
            assert_eq!(who_holds(address.port()), None);
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
    fn only_what_is_in_the_way_hinders() {
        let table = [
            ("127.0.0.1:80", "127.0.0.1:80", true),
            ("127.0.0.1:80", "127.0.0.1:81", false),
            ("10.0.0.1:80", "127.0.0.1:80", false),
            ("0.0.0.0:80", "127.0.0.1:80", true),
            ("127.0.0.1:80", "0.0.0.0:80", true),
            ("[::]:80", "127.0.0.1:80", true),
            ("[::1]:80", "127.0.0.1:80", false),
            ("[::ffff:127.0.0.1]:80", "127.0.0.1:80", true),
        ];
        for (there, wanted, expected) in table {
            assert_eq!(hinders(there.parse().expect("a"), wanted.parse().expect("b")), expected, "{there} {wanted}");
        }
    }

    #[test]
    fn a_holder_is_named_as_far_as_it_is_known() {
        let mut holder = Holder { port: 80, pid: Some(7), name: Some("nginx".into()), user: "web".into() };
        assert_eq!(holder.to_string(), "process 7 (`nginx`) of user `web`");
        holder.pid = None;
        assert_eq!(holder.to_string(), "a process of user `web`");
        assert_eq!(user_name(0), "root");
        assert_eq!(user_name(4_000_000_000), "4000000000");
    }
}
