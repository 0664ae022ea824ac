//! `current`: the link to the last committed generation.

use std::io;
use std::path::Path;

use super::Status;
use crate::checkpoint;
use crate::fs::replace_link;
use crate::layout::Layout;

/// The number of the committed generation, if there is one.
#[must_use]
pub fn current(layout: &Layout) -> Option<u32> {
    let target = std::fs::read_link(layout.current()).ok()?;
    target.file_name()?.to_str()?.parse().ok()
}

/// Makes a generation the committed one, by one rename.
///
/// # Errors
/// What replacing the link fails with; then the old one is still committed.
pub fn commit(layout: &Layout, number: u32) -> io::Result<()> {
    if let Some(former) = current(layout) {
        Status::settle(layout, former)?;
    }
    checkpoint::pass("commit-before-rename");
    replace_link(&layout.current(), &Path::new("generations").join(number.to_string()))?;
    checkpoint::pass("commit-after-rename");
    Ok(())
}
