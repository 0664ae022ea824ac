//! What services leave in the machine rather than in a folder: segments of shared memory, after a crash of everything at once.
//!
//! Who made a segment is known to the kernel, and which processes were ours to the leases.

use std::collections::BTreeSet;

use crate::host::Host;
use crate::keeper::lease::{Holder, Lease};
use crate::layout::Layout;
use crate::process::segment;
use crate::state::run;

/// The processes of services that ran last on this boot of this machine.
#[must_use]
pub fn last_processes(layout: &Layout) -> BTreeSet<i32> {
    let folder = run::existing(layout).unwrap_or_else(|| layout.run());
    let (leases, _) = Lease::read_all(&folder);
    let of_this_boot = leases.into_iter().filter(|lease| matches!(lease.holder(), Holder::Alive(_) | Holder::Ended(_)));
    of_this_boot.map(|lease| lease.pid).collect()
}

/// Removes the segments that these processes made and nobody uses any more; says how many.
///
/// # Errors
/// If one cannot be removed.
pub fn remove(host: &Host, processes: &BTreeSet<i32>) -> std::io::Result<usize> {
    let ours = segment::all()
        .into_iter()
        .filter(|segment| segment.user == host.user && segment.attached == 0 && processes.contains(&segment.creator));
    let ours: Vec<_> = ours.collect();
    ours.iter().try_for_each(|segment| segment::remove(segment.id))?;
    Ok(ours.len())
}
