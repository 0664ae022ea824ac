//! How much room there is.

use std::io;
use std::path::Path;

/// The bytes that this user may still write at `path`, which need not be there yet.
///
/// # Errors
/// If nothing above it can be asked.
pub fn free_bytes(path: &Path) -> io::Result<u64> {
    let there = path.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("/"));
    let answer = rustix::fs::statvfs(there)
        .map_err(|error| io::Error::new(error.kind(), format!("the free space of {}: {error}", there.display())))?;
    Ok(answer.f_bavail.saturating_mul(answer.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_is_not_there_has_the_room_of_what_is_above() {
        let folder = tempfile::tempdir().expect("folder");
        assert!(free_bytes(&folder.path().join("a/b/c")).expect("asked") > 0);
    }
}
