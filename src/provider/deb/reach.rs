//! Whether archives are there, asked before anything is read of them.

use std::time::Duration;

use futures_util::future::join_all;

use super::DebError;
use super::source::Source;
use super::suite::in_release;
use crate::net::{self, Client};

/// Asks all sources at once for the signed `Release` of their suites, since an answer of the archive's root says nothing of them;
/// those that have it, in words for people. One is enough: a third party's archive that is gone does not take Debian's with it.
///
/// # Errors
/// Why none has it, or does not answer within `patience`.
pub fn reach(client: &Client, sources: &[Source], patience: Duration) -> Result<String, DebError> {
    let asked = sources.iter().map(|source| is_there(client, source, patience));
    let found = client.block_on(join_all(asked));
    let (mut there, mut reasons) = (Vec::new(), Vec::new());
    for (source, found) in sources.iter().zip(found) {
        match found.map_err(|error| error.to_string()) {
            Ok(()) => there.push(source),
            Err(why) if !reasons.contains(&why) => reasons.push(why),
            Err(_) => {}
        }
    }
    if there.is_empty() { Err(DebError::Unreachable(reasons.join("; "))) } else { Ok(places(&there)) }
}

async fn is_there(client: &Client, source: &Source, patience: Duration) -> Result<(), DebError> {
    let address = in_release(source)?;
    // A folder's lists are not read either: what is pinned without a network was resolved before.
    if client.is_offline() {
        return Err(DebError::Offline { address: net::show(&source.address) });
    }
    match tokio::time::timeout(patience, client.status(&address)).await {
        Ok(Ok(200..300)) => Ok(()),
        Ok(Ok(status)) => Err(DebError::NoRelease { address: net::show(&address), status }),
        Ok(Err(error)) => Err(error.into()),
        Err(_) => Err(DebError::Silent { address: net::show(&source.address), seconds: patience.as_secs() }),
    }
}

/// Suites by their archive: `bookworm, bookworm-updates at http://…/debian/`.
fn places(sources: &[&Source]) -> String {
    let mut places: Vec<(String, Vec<String>)> = Vec::new();
    for source in sources {
        let (address, name) = (net::show(&source.address), source.name());
        match places.iter_mut().find(|(known, _)| *known == address) {
            Some((_, names)) if names.contains(&name) => {}
            Some((_, names)) => names.push(name),
            None => places.push((address, vec![name])),
        }
    }
    let shown = places.iter().map(|(address, names)| format!("{} at {address}", names.join(", ")));
    shown.collect::<Vec<_>>().join(", ")
}
