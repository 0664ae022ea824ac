//! Finds out, before anything starts, whether an address that a service is to bind is taken, and by whom.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::keeper::proc;
use crate::listener::listeners;

/// Who holds an address: a line for people. The keeper does not count, nor do processes with one of `ours` as their mark: they
/// are about to stop.
pub(super) fn holder(address: &str, ours: &[u64], keeper: i32) -> Option<String> {
    let named = |inode: u64, user: Option<u32>| {
        let pids = processes_with(inode);
        let is_ours = |pid: &i32| *pid == keeper || proc::realtime_limit(*pid).is_some_and(|mark| ours.contains(&mark));
        match pids.first() {
            _ if pids.iter().any(is_ours) => None,
            Some(pid) => {
                let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
                Some(format!("{} (pid {pid})", name.trim()))
            }
            None => user.map(|user| format!("a process of user {user} that cannot be looked into")),
        }
    };
    if let Some(path) = address.strip_prefix("unix:") {
        return unix_listeners(path).into_iter().find_map(|inode| named(inode, None));
    }
    let wanted = parse(address)?;
    listeners()
        .into_iter()
        .filter(|listener| listener.blocks(wanted))
        .find_map(|listener| named(listener.inode, Some(listener.user)))
}

/// The sockets that listen at a path.
fn unix_listeners(path: &str) -> Vec<u64> {
    /// `__SO_ACCEPTCON`.
    const LISTENS: u32 = 1 << 16;
    let text = fs::read_to_string("/proc/net/unix").unwrap_or_default();
    let inode = |line: &str| {
        let mut fields = line.split_ascii_whitespace();
        let flags = u32::from_str_radix(fields.nth(3)?, 16).ok()?;
        let inode = fields.nth(2)?.parse().ok()?;
        (flags & LISTENS != 0 && fields.next() == Some(path)).then_some(inode)
    };
    text.lines().filter_map(inode).collect()
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

fn processes_with(inode: u64) -> Vec<i32> {
    let wanted = format!("socket:[{inode}]");
    let has_it = |pid: &i32| {
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        descriptors.filter_map(|entry| fs::read_link(entry.path()).ok()).any(|link| link.as_os_str() == wanted.as_str())
    };
    proc::pids().into_iter().filter(has_it).collect()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::holder;

    #[test]
    fn a_held_port_names_its_holder() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
        let port = listener.local_addr().expect("address").port();
        let pid = std::process::id();
        for address in [format!("127.0.0.1:{port}"), format!("0.0.0.0:{port}"), format!("localhost:{port}")] {
            let named = holder(&address, &[], 0).expect("held");
            assert!(named.contains(&format!("(pid {pid})")), "{named}");
        }
        assert_eq!(holder(&format!("127.0.0.2:{port}"), &[], 0), None);
        assert_eq!(holder(&format!("127.0.0.1:{port}"), &[], pid.cast_signed()), None, "it is the keeper's");
        drop(listener);
        assert_eq!(holder(&format!("127.0.0.1:{port}"), &[], 0), None);
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("a.sock");
        let unix = format!("unix:{}", path.display());
        assert_eq!(holder(&unix, &[], 0), None);
        let _listener = std::os::unix::net::UnixListener::bind(path).expect("bind");
        assert!(holder(&unix, &[], 0).is_some_and(|named| named.contains(&format!("(pid {pid})"))));
    }
}
