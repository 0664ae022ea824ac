//! When a service that ended is started again: at once if it had been well, else after a wait that doubles, and not at all after
//! a burst of starts.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Exit, seconds};

/// When a service is started again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Restart {
    /// When.
    pub policy: RestartPolicy,
    /// The first wait; it doubles with each start that does not last, up to `max`.
    #[serde(with = "seconds")]
    pub first: Duration,
    /// The longest wait.
    #[serde(with = "seconds")]
    pub max: Duration,
    /// After this long it counts as well again and the wait starts anew.
    #[serde(with = "seconds")]
    pub settle: Duration,
    /// After so many starts within `window` it has failed; also after so many in all if it was never ready since it was asked for.
    pub burst: u32,
    /// See `burst`.
    #[serde(with = "seconds")]
    pub window: Duration,
}

/// Which ends of a service make it start again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestartPolicy {
    /// Every end.
    Always,
    /// A status other than 0, or a signal.
    OnFailure,
    /// None.
    Never,
}

impl Default for Restart {
    fn default() -> Self {
        Self {
            policy: RestartPolicy::Always,
            first: Duration::from_millis(100),
            max: Duration::from_secs(30),
            settle: Duration::from_secs(10),
            burst: 5,
            window: Duration::from_secs(30),
        }
    }
}

/// What follows an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is started again after this long.
    After(Duration),
    /// It is over, and well.
    Done,
    /// It is over, and not well.
    Fail,
    /// It was started too often.
    Burst,
}

/// Whether this end is followed by a start.
#[must_use]
pub const fn is_wanted(policy: RestartPolicy, exit: Exit) -> Option<Verdict> {
    match (policy, exit.is_success()) {
        (RestartPolicy::Always, _) | (RestartPolicy::OnFailure, false) => None,
        (RestartPolicy::OnFailure | RestartPolicy::Never, true) => Some(Verdict::Done),
        (RestartPolicy::Never, false) => Some(Verdict::Fail),
    }
}

/// How long to wait. `counted` is the number of starts that a burst is made of: those within the window, or all of a service that
/// was never ready. `unsettled` is that of those in a row that did not last; `chance` (0 to 1) spreads the wait, so that services that fell together do not rise together.
#[must_use]
pub fn wait(restart: &Restart, counted: usize, unsettled: u32, chance: f64) -> Verdict {
    if counted >= restart.burst as usize {
        return Verdict::Burst;
    }
    let Some(doublings) = unsettled.checked_sub(1) else { return Verdict::After(Duration::ZERO) };
    let full = restart.first.saturating_mul(1u32.checked_shl(doublings).unwrap_or(u32::MAX)).min(restart.max);
    Verdict::After(full.mul_f64(0.75 + 0.25 * chance.clamp(0.0, 1.0)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Verdict, is_wanted, wait};
    use crate::service::{Exit, Restart, RestartPolicy};

    #[test]
    fn policies() {
        use RestartPolicy::{Always, Never, OnFailure};
        for (policy, code, expected) in [
            (Always, 0, None),
            (Always, 1, None),
            (OnFailure, 0, Some(Verdict::Done)),
            (OnFailure, 1, None),
            (Never, 0, Some(Verdict::Done)),
            (Never, 1, Some(Verdict::Fail)),
        ] {
            assert_eq!(is_wanted(policy, Exit::Code(code)), expected, "{policy:?} {code}");
        }
    }

    #[test]
    fn waits_double_up_to_the_longest_and_a_burst_ends_them() {
        let restart = Restart::default();
        let millis = |unsettled| match wait(&restart, 1, unsettled, 1.0) {
            Verdict::After(wait) => wait.as_millis(),
            other => panic!("{other:?}"),
        };
        assert_eq!([0, 1, 2, 3, 9, 40].map(millis), [0, 100, 200, 400, 25_600, 30_000]);
        assert_eq!(wait(&restart, 5, 1, 0.5), Verdict::Burst);
        assert_eq!(wait(&restart, 1, 1, 0.0), Verdict::After(Duration::from_millis(75)));
    }
}
