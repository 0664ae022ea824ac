//! `update`: what an operator does with a new state of the sources: install, under the rules of the profile.
//!
//! A profile that says `locked = true` (stage, production) is updated from `jove.lock` alone; what the lock says is changed by
//! whoever develops the project.

use crate::ops::error::{OpError, OpResult};
use crate::ops::install::{self, Summary};
use crate::ops::place::Place;
use crate::ops::prepare;
use crate::progress::Reporter;

/// What was asked for.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Packages are resolved anew: all, or one part's.
    pub upgrade: Option<String>,
    /// The lock may change although the profile says otherwise.
    pub unlocked: bool,
    /// Try again what failed with the same inputs.
    pub retry: bool,
}

/// Updates. What fails is backed out, and the generation before goes on.
///
/// # Errors
/// If nothing is installed, the profile forbids what was asked for, or whatever stands in the way of an install.
pub fn update(place: &Place, request: &Request, report: &Reporter) -> OpResult<Summary> {
    place.installed()?;
    let locked = prepare::load(place)?.definition.locked && !request.unlocked;
    if let (true, Some(_)) = (locked, &request.upgrade) {
        return Err(OpError::usage(format!("profile `{}` is updated from jove.lock alone", place.profile_name()))
            .hint("bring the lock up to date where the project is developed: jove-install lock --upgrade")
            .hint("or change it here all the same: --unlocked"));
    }
    let asked = install::Request {
        // Without a project the lock is the prefix's own, made by its first install.
        locked,
        upgrade: request.upgrade.clone(),
        retry: request.retry,
        ..install::Request::default()
    };
    install::install(place, &asked, report)
}
