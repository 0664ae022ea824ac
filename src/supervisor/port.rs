//! Finds out, before anything starts, whether an address that a service is to bind is taken, and by whom.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::keeper::proc;

/// A listening socket.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Listener {
    address: SocketAddr,
    user: u32,
    inode: u64,
}

/// Who holds an address: a line for people. Processes with one of `ours` as their mark do not count; they are about to stop.
pub(super) fn holder(address: &str, ours: &[u64]) -> Option<String> {
    let wanted = parse(address)?;
    let listeners = ["/proc/net/tcp", "/proc/net/tcp6"].iter().flat_map(|path| read(path));
    for listener in listeners.filter(|listener| clash(listener.address, wanted)) {
        let Some(pid) = process_with(listener.inode) else {
            return Some(format!("a process of user {} that cannot be looked into", listener.user));
        };
        if !proc::realtime_limit(pid).is_some_and(|mark| ours.contains(&mark)) {
            let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            return Some(format!("{} (pid {pid})", name.trim()));
        }
    }
    None
}

fn parse(address: &str) -> Option<SocketAddr> {
    let (host, port) = address.rsplit_once(':')?;
    let host = match host.trim_matches(['[', ']']) {
        "" | "*" => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        "localhost" => IpAddr::V4(Ipv4Addr::LOCALHOST),
        host => host.parse().ok()?,
    };
    Some(SocketAddr::new(host, port.parse().ok()?))
}

/// Whether two sockets cannot both be bound.
fn clash(a: SocketAddr, b: SocketAddr) -> bool {
    let whole = |address: SocketAddr| address.ip().is_unspecified();
    a.port() == b.port()
        && (a.ip().to_canonical() == b.ip().to_canonical()
            || (whole(a) && (a.is_ipv6() || b.is_ipv4()))
            || (whole(b) && (b.is_ipv6() || a.is_ipv4())))
}

fn read(path: &str) -> Vec<Listener> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().skip(1).filter_map(parse_line).collect()
}

fn parse_line(line: &str) -> Option<Listener> {
    /// `TCP_LISTEN`.
    const LISTEN: &str = "0A";
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    if *fields.get(3)? != LISTEN {
        return None;
    }
    let (host, port) = fields.get(1)?.split_once(':')?;
    // Each group of eight digits is a word in the machine's own order of bytes.
    let mut bytes = Vec::new();
    for start in (0..host.len()).step_by(8) {
        bytes.extend(u32::from_str_radix(host.get(start..start + 8)?, 16).ok()?.to_ne_bytes());
    }
    let ip = match bytes.len() {
        4 => IpAddr::from(<[u8; 4]>::try_from(bytes).ok()?),
        _ => IpAddr::from(<[u8; 16]>::try_from(bytes).ok()?),
    };
    Some(Listener {
        address: SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?),
        user: fields.get(7)?.parse().ok()?,
        inode: fields.get(9)?.parse().ok()?,
    })
}

fn process_with(inode: u64) -> Option<i32> {
    let wanted = format!("socket:[{inode}]");
    proc::pids().into_iter().find(|pid| {
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        descriptors.filter_map(|entry| fs::read_link(entry.path()).ok()).any(|link| link.as_os_str() == wanted.as_str())
    })
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::{clash, holder, parse};

    #[test]
    fn a_held_port_names_its_holder() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
        let port = listener.local_addr().expect("address").port();
        let pid = std::process::id();
        for address in [format!("127.0.0.1:{port}"), format!("0.0.0.0:{port}"), format!("localhost:{port}")] {
            let named = holder(&address, &[]).expect("held");
            assert!(named.contains(&format!("(pid {pid})")), "{named}");
        }
        assert_eq!(holder(&format!("127.0.0.2:{port}"), &[]), None);
        drop(listener);
        assert_eq!(holder(&format!("127.0.0.1:{port}"), &[]), None);
    }

    #[test]
    fn addresses_that_clash() {
        for (a, b, expected) in [
            ("127.0.0.1:80", "127.0.0.1:80", true),
            ("127.0.0.1:80", "127.0.0.1:81", false),
            ("127.0.0.1:80", "127.0.0.2:80", false),
            ("0.0.0.0:80", "127.0.0.1:80", true),
            ("[::]:80", "127.0.0.1:80", true),
            ("0.0.0.0:80", "[::1]:80", false),
            ("[::1]:80", "127.0.0.1:80", false),
        ] {
            assert_eq!(clash(parse(a).expect(a), parse(b).expect(b)), expected, "{a} {b}");
        }
    }
}
