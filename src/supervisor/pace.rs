//! When a stream is read again that says little but often.
//!
//! To be woken for each line costs the supervisor a switch and him who writes it another, which a busy web server with its
//! access log feels. So he who says more than two hundred things a second is read two hundred times a second: his lines wait for some
//! milliseconds in the FIFO, where they are as safe. Whoever says less, or so much that it fills the FIFO, is read at once.

use std::time::{Duration, Instant};

/// How long it takes to earn one reading.
const EVERY: Duration = Duration::from_millis(5);

/// How much may be read ahead of what was earned.
const AHEAD: Duration = Duration::from_millis(200);

/// A reading that brought so many bytes was worth its cost: a quarter of what a FIFO holds.
const MUCH: usize = 1 << 14;

/// How often one stream was read.
#[derive(Debug)]
pub(super) struct Pace {
    /// When all readings are earned.
    earned: Instant,
}

impl Pace {
    /// Nothing was read yet.
    pub(super) const fn new(now: Instant) -> Self {
        Self { earned: now }
    }

    /// How long to leave the stream alone after a reading that brought so many bytes.
    pub(super) fn rest(&mut self, moved: usize, now: Instant) -> Option<Duration> {
        if moved >= MUCH {
            self.earned = now;
            return None;
        }
        self.earned = self.earned.max(now) + EVERY;
        (self.earned - now > AHEAD).then_some(EVERY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a stream whose writer writes that much at those times apart, for a second; how often, and how often it rested.
    fn read(bytes: usize, apart: Duration) -> (u32, u32) {
        let begin = Instant::now();
        let (mut pace, mut now, mut readings, mut rests) = (Pace::new(begin), begin, 0, 0);
        while now - begin < Duration::from_secs(1) {
            readings += 1;
            let rest = pace.rest(bytes, now);
            rests += u32::from(rest.is_some());
            now += rest.unwrap_or(apart).max(apart);
        }
        (readings, rests)
    }

    #[test]
    fn what_is_said_now_and_then_is_read_at_once() {
        assert_eq!(read(100, Duration::from_millis(10)), (100, 0));
    }

    #[test]
    fn a_short_burst_is_read_at_once() {
        let begin = Instant::now();
        let mut pace = Pace::new(begin);
        for _ in 0..40 {
            assert_eq!(pace.rest(100, begin), None);
        }
        assert_eq!(pace.rest(100, begin), Some(EVERY));
        assert_eq!(pace.rest(100, begin + AHEAD), None, "it is earned again by silence");
    }

    #[test]
    fn many_small_pieces_are_read_two_hundred_times_a_second() {
        let (readings, rests) = read(100, Duration::from_micros(100));
        assert!((200..=250).contains(&readings), "{readings} readings");
        assert!(rests >= 190, "{rests} rests");
    }

    #[test]
    fn what_fills_the_fifo_is_read_as_fast_as_it_comes() {
        assert_eq!(read(MUCH, Duration::from_micros(100)), (10_000, 0));
    }
}
