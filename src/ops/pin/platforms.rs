//! Locks for other platforms than this machine's: what `platforms` of a part names is resolved here, too, so that one lock
//! serves a team. Where some are named, those that are not, and are not this machine's, leave the lock.

use crate::lock::{Inputs as LockInputs, Lock, Resolution};
use crate::ops::error::{OpError, OpResult};
use crate::ops::pin::packages::to_lock;
use crate::ops::pin::{Pinning, wants_resolution};
use crate::plan::value::strings;
use crate::platform::Platform;
use crate::progress::Event;
use crate::provider::conda::{self, Packages};
use crate::provider::{Kit, Request};
use crate::recipe::ResolvedPart;

/// Resolves a part for every other platform that it names. Only conda channels can be asked for another platform.
pub(super) fn pin(
    pinning: &Pinning<'_>,
    part: &ResolvedPart,
    request: &Request,
    asked: &LockInputs,
    lock: &mut Lock,
    kit: &Kit<'_>,
) -> OpResult<()> {
    let words = strings(part, "platforms");
    let request = match request {
        Request::Conda(request) => request,
        _ if words.is_empty() => return Ok(()),
        Request::Archive(_) | Request::Deb(_) | Request::Git(_) | Request::Host(_) | Request::Source(_) => {
            let error = format!("`platforms` of `{}`: only conda channels are asked for another platform", part.name);
            return Err(
                OpError::failed(error).hint("take it from there, `provider = \"conda\"`, or take `platforms` away")
            );
        }
    };
    let mut named = vec![Platform::current()];
    for word in &words {
        let platform = conda::platform(word).ok_or_else(|| {
            OpError::failed(format!("`platforms` of `{}`: `{word}` is no platform", part.name))
                .hint("write it as conda does: `linux-64`, `linux-aarch64`, `osx-arm64`")
        })?;
        if platform != Platform::current() {
            one(pinning, part, request, &platform, asked, lock, kit)?;
        }
        named.push(platform);
    }
    // Without any name those that others of the team locked on their machines are theirs.
    if !words.is_empty() {
        lock.keep_uses(&pinning.place.profile_name(), &part.name, &named);
    }
    Ok(())
}

fn one(
    pinning: &Pinning<'_>,
    part: &ResolvedPart,
    request: &Packages,
    platform: &Platform,
    asked: &LockInputs,
    lock: &mut Lock,
    kit: &Kit<'_>,
) -> OpResult<()> {
    if wants_resolution(pinning.wishes, part, lock, platform, asked)? {
        pinning.report.report(Event::Stage(format!("locking {} for {platform}", part.name)));
        let subdir =
            conda::subdir(platform).ok_or_else(|| OpError::failed(format!("conda has no word for {platform}")))?;
        let pins = request.pins_for(kit, subdir, &[]).map_err(|error| {
            OpError::failed(error).context(format!("the packages of `{}` for {platform}", part.name))
        })?;
        let pins = pins.into_iter().map(|pin| to_lock("conda", pin)).collect();
        lock.upsert(Resolution::new(part.recipe.clone(), platform.clone(), asked.clone(), pins));
    }
    let id = Resolution::id_of(&part.recipe, platform, asked);
    lock.note_use(&pinning.place.profile_name(), platform, &part.name, &id);
    Ok(())
}
