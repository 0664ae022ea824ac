//! Segments of shared memory of the old kind (System V), which outlive the process that made them.
#![allow(unsafe_code, reason = "removing a segment has no safe form; the call takes a number and no memory of ours")]

use std::io;

/// One segment of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// Its number.
    pub id: i32,
    /// The process that made it.
    pub creator: i32,
    /// How many processes use it.
    pub attached: u32,
    /// Its owner.
    pub user: u32,
}

/// All segments of this machine; none where the kernel shows none.
#[must_use]
pub fn all() -> Vec<Segment> {
    read(&std::fs::read_to_string("/proc/sysvipc/shm").unwrap_or_default())
}

/// The columns are named in the first line.
fn read(table: &str) -> Vec<Segment> {
    let mut lines = table.lines();
    let names: Vec<&str> = lines.next().unwrap_or_default().split_whitespace().collect();
    let column = |name: &str| names.iter().position(|known| *known == name);
    let (Some(id), Some(creator), Some(attached), Some(user)) =
        (column("shmid"), column("cpid"), column("nattch"), column("uid"))
    else {
        return Vec::new();
    };
    let segment = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        Some(Segment {
            id: words.get(id)?.parse().ok()?,
            creator: words.get(creator)?.parse().ok()?,
            attached: words.get(attached)?.parse().ok()?,
            user: words.get(user)?.parse().ok()?,
        })
    };
    lines.filter_map(segment).collect()
}

/// Removes a segment; one that is gone already is no error.
///
/// # Errors
/// If it belongs to somebody else.
pub fn remove(id: i32) -> io::Result<()> {
    // SAFETY: IPC_RMID reads no buffer, so none is given.
    let done = unsafe { libc::shmctl(id, libc::IPC_RMID, std::ptr::null_mut()) };
    let error = io::Error::last_os_error();
    match (done, error.raw_os_error()) {
        (0, _) | (_, Some(libc::EINVAL | libc::EIDRM)) => Ok(()),
        _ => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_table_is_read_by_its_column_names() {
        let table = "       key      shmid perms       size  cpid  lpid nattch   uid   gid\n   1007696 6  600  56 100 101 6 1001 1001\n";
        assert_eq!(read(table), [Segment { id: 6, creator: 100, attached: 6, user: 1001 }]);
        assert_eq!(read(""), []);
    }

    #[test]
    fn a_segment_is_made_seen_and_removed() {
        // SAFETY: a new segment of our own, never attached.
        let id = unsafe { libc::shmget(libc::IPC_PRIVATE, 64, 0o600 | libc::IPC_CREAT) };
        assert!(id >= 0, "{}", io::Error::last_os_error());
        let own = i32::try_from(std::process::id()).expect("a number");
        assert!(all().iter().any(|segment| segment.id == id && segment.creator == own && segment.attached == 0));
        remove(id).expect("removed");
        assert!(all().iter().all(|segment| segment.id != id));
        remove(id).expect("gone already");
    }
}
