//! How use cases reach the supervisor of a prefix: find it, start it, or end it with everything.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::process::WaitOptions;

use crate::keeper::lease::Lease;
use crate::layout::Layout;
use crate::ops::error::{OpError, OpResult};
use crate::ops::place::Place;
use crate::ops::program;
use crate::state::run;
use crate::supervisor::client::Client;
use crate::supervisor::message::{Outcome, SwitchEvent};

/// Held while a supervisor is reached: two threads of this process do not end what the other starts at that moment, and children
/// that are waited for by name are not taken by [`reap`].
static REACHING: Mutex<()> = Mutex::new(());

/// How many supervisors are asked, one after the other, to end everything while somebody kills them.
const TRIES: u32 = 10;

fn reaching() -> MutexGuard<'static, ()> {
    REACHING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reaches the supervisor, or starts keeper and supervisor, with the program of generation `number` (else of the current one).
///
/// # Errors
/// As [`Client::ensure`].
pub fn ensure(place: &Place, number: Option<u32>) -> OpResult<Client> {
    let _reaching = reaching();
    Ok(Client::ensure(&place.layout, &program::supervising(&place.host, &place.layout, number))?)
}

/// The supervisor, for those who end things: one is started only if services may be running although nobody answers, because
/// both processes of ours were killed.
///
/// # Errors
/// If it cannot be reached or started.
pub fn existing(place: &Place) -> OpResult<Option<Client>> {
    let _reaching = reaching();
    let layout = &place.layout;
    if let Some(client) = Client::connect(layout)? {
        return Ok(Some(client));
    }
    if !has_leases(layout) {
        return Ok(None);
    }
    Ok(Some(Client::ensure(layout, &program::supervising(&place.host, layout, None))?))
}

/// Whether services may be running although nobody answers: their keeper was killed.
pub(super) fn has_leases(layout: &Layout) -> bool {
    run::existing(layout).is_some_and(|run| !Lease::read_all(&run).0.is_empty())
}

/// Whether somebody shuts everything down, or has done so.
///
/// # Errors
/// If the supervisor is there and cannot be asked.
pub(super) fn is_ending(layout: &Layout) -> OpResult<bool> {
    match Client::connect(layout)?.map(|client| client.status()) {
        Some(Ok(status)) => Ok(status.is_ending),
        Some(Err(error)) if !error.is_gone() => Err(error.into()),
        Some(Err(_)) | None => Ok(!has_leases(layout)),
    }
}

/// Nobody answers, and nothing is left that another supervisor would take over.
fn is_over(layout: &Layout) -> OpResult<bool> {
    Ok(Client::connect(layout)?.is_none() && !has_leases(layout))
}

/// Ends every process of the prefix, keeper and supervisor too. Services whose keeper was killed are taken over first.
///
/// # Errors
/// If something could not be stopped.
pub fn stop_all(place: &Place, hear: &mut dyn FnMut(SwitchEvent)) -> OpResult<()> {
    let mut tries = 1;
    loop {
        let Some(client) = existing(place)? else { return Ok(()) };
        match client.shutdown(hear) {
            Ok(Outcome::Done) => return Ok(()),
            Ok(Outcome::Failed { reason, .. }) => {
                return Err(OpError::failed(format!("something could not be stopped: {reason}")));
            }
            // Somebody else did it at the same time, or its last words were lost.
            Err(error) if error.is_gone() && is_over(&place.layout)? => return Ok(()),
            // Its keeper had been killed: another takes the services over, and ends them.
            Err(error) if error.is_gone() && tries < TRIES => tries += 1,
            Err(error) => return Err(error.into()),
        }
    }
}

/// As process 1, orphans of the whole container are ours to reap.
pub(super) fn reap() {
    let Ok(_reaching) = REACHING.try_lock() else { return };
    if rustix::process::getpid().is_init() {
        while let Ok(Some(_)) = rustix::process::wait(WaitOptions::NOHANG) {}
    }
}
