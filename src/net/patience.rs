//! How long to wait, how often to try again, and when to stop: pure decisions.

use std::time::Duration;

/// The limits of waiting and trying.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// For a connection to be made.
    pub connect: Duration,
    /// Without a single byte, before an answer or inside it.
    pub stall: Duration,
    /// Attempts at one address that bring nothing, before the next address is tried.
    pub attempts: u32,
    /// The first pause; each following one is twice as long.
    pub pause: Duration,
    /// No pause is longer, not even one that a server asks for: then the next address is tried.
    pub longest_pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            stall: Duration::from_secs(30),
            attempts: 4,
            pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(60),
        }
    }
}

/// However much each attempt brings, this many are enough for one address.
const MOST_ATTEMPTS: u32 = 60;

impl Patience {
    /// The pause before another attempt, or `None` if the address should be given up.
    ///
    /// `failed` counts the attempts that failed, `barren` those of them since the last that brought bytes. `asked` is what
    /// the server asked for (Retry-After); `jitter` is a random number in 0..=1, so that many clients that were cut off
    /// together do not come back together.
    #[must_use]
    pub fn pause_before(&self, failed: u32, barren: u32, asked: Option<Duration>, jitter: f64) -> Option<Duration> {
        if barren >= self.attempts || failed >= MOST_ATTEMPTS {
            return None;
        }
        if let Some(asked) = asked {
            return (asked <= self.longest_pause).then_some(asked);
        }
        let doubled = self.pause.saturating_mul(1 << barren.saturating_sub(1).min(16)).min(self.longest_pause);
        Some(doubled.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0))
    }
}

/// A random number in 0..=1.
#[must_use]
pub fn jitter() -> f64 {
    let mut byte = [0_u8; 2];
    // Without randomness the pauses are merely not spread.
    let _ = getrandom::fill(&mut byte);
    f64::from(u16::from_ne_bytes(byte)) / f64::from(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_and_end() {
        let patience = Patience::default();
        let pauses: Vec<_> = (1..=4).map(|n| patience.pause_before(n, n, None, 1.0)).collect();
        assert_eq!(
            pauses,
            [Some(Duration::from_millis(500)), Some(Duration::from_secs(1)), Some(Duration::from_secs(2)), None]
        );
        assert_eq!(patience.pause_before(1, 1, None, 0.0), Some(Duration::from_millis(250)));
    }

    #[test]
    fn progress_renews_patience_but_not_for_ever() {
        let patience = Patience::default();
        assert!(patience.pause_before(20, 1, None, 0.5).is_some());
        assert_eq!(patience.pause_before(60, 1, None, 0.5), None);
    }

    #[test]
    fn a_server_is_obeyed_within_reason() {
        let patience = Patience::default();
        assert_eq!(patience.pause_before(1, 1, Some(Duration::from_secs(7)), 0.0), Some(Duration::from_secs(7)));
        assert_eq!(patience.pause_before(1, 1, Some(Duration::from_secs(3600)), 0.0), None);
    }
}
