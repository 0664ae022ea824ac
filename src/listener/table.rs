//! The list of sockets in `/proc/net`, where the kernel does not answer over netlink.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::Listener;

/// All that listen.
pub(super) fn listeners() -> Vec<Listener> {
    ["/proc/net/tcp", "/proc/net/tcp6"].into_iter().flat_map(read).collect()
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
    let (user, inode) = (fields.get(7)?.parse().ok()?, fields.get(9)?.parse().ok()?);
    Some(Listener { address, user, inode, only_ipv6: None })
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
    use super::*;

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
}
