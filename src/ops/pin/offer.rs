//! What a part offers: its options as requests to providers.

use crate::ops::error::{OpError, OpResult};
use crate::plan::value::strings;
use crate::provider::{HostPrograms, Request};
use crate::recipe::ResolvedPart;

/// A request to each provider for which a part says something.
///
/// # Errors
/// If what it says cannot be read.
pub(super) fn offers(part: &ResolvedPart) -> OpResult<Vec<Request>> {
    let mut offered = Vec::new();
    let programs = strings(part, "host");
    if !programs.is_empty() {
        let programs = programs.iter().map(|text| text.parse().map_err(OpError::failed)).collect::<OpResult<_>>()?;
        offered.push(Request::Host(HostPrograms { programs }));
    }
    Ok(offered)
}
