//! When a stream is read again that says little but often.
//!
//! To be woken for each line costs the supervisor a switch and him who writes it another, which a busy web server with its
//! access log feels. So he who says more than two hundred things a second is read two hundred times a second: his lines wait for some
//! milliseconds in the FIFO, where they are as safe. Who fills more than half of it meanwhile is left alone for a shorter time, so that
//! he need not wait for room. Whoever says less, or much at once, is read at once.

use std::time::{Duration, Instant};

/// How long it takes to earn one reading, and the longest rest.
const EVERY: Duration = Duration::from_millis(5);

/// The shortest rest. Timers know whole milliseconds.
const SHORTEST: Duration = Duration::from_millis(1);

/// How much may be read ahead of what was earned.
const AHEAD: Duration = Duration::from_millis(200);

/// A reading that brought so many bytes without a rest was worth its cost.
const MUCH: usize = 1 << 14;

/// How often one stream was read.
#[derive(Debug)]
pub(super) struct Pace {
    /// When all readings are earned.
    earned: Instant,
    /// How long a rest is.
    rest: Duration,
    /// The last reading was followed by a rest.
    has_rested: bool,
}

impl Pace {
    /// Nothing was read yet.
    pub(super) const fn new(now: Instant) -> Self {
        Self { earned: now, rest: EVERY, has_rested: false }
    }

    /// How long to leave the stream alone after a reading that brought so many bytes of a FIFO that holds `room`.
    pub(super) fn rest(&mut self, moved: usize, room: usize, now: Instant) -> Option<Duration> {
        let is_worth_it = if self.has_rested { self.is_too_fast(moved, room) } else { moved >= MUCH };
        let earned = if is_worth_it { now } else { self.earned.max(now) + EVERY };
        self.earned = earned.min(now + AHEAD + EVERY);
        self.has_rested = self.earned - now > AHEAD;
        self.has_rested.then_some(self.rest)
    }

    /// Fits the rest to what the last one brought. Says whether even the shortest is too long.
    fn is_too_fast(&mut self, moved: usize, room: usize) -> bool {
        if moved > room / 2 {
            let was_shortest = self.rest == SHORTEST;
            self.rest = (self.rest / 2).max(SHORTEST);
            return was_shortest;
        }
        if moved < room / 8 {
            self.rest = (self.rest * 2).min(EVERY);
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: usize = 1 << 16;

    /// Reads a stream whose writer writes that much at those times apart, for a second; how often, and how often it rested.
    fn read(bytes: usize, apart: Duration) -> (u32, u32) {
        let begin = Instant::now();
        let (mut pace, mut now, mut readings, mut rests) = (Pace::new(begin), begin, 0, 0);
        let mut moved = bytes;
        while now - begin < Duration::from_secs(1) {
            readings += 1;
            let rest = pace.rest(moved, ROOM, now);
            rests += u32::from(rest.is_some());
            let passed = rest.unwrap_or(apart).max(apart);
            now += passed;
            let pieces = usize::try_from(passed.as_nanos() / apart.as_nanos()).expect("a number");
            moved = (bytes * pieces).min(ROOM);
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
            assert_eq!(pace.rest(100, ROOM, begin), None);
        }
        assert_eq!(pace.rest(100, ROOM, begin), Some(EVERY));
        assert_eq!(pace.rest(100, ROOM, begin + AHEAD), None, "it is earned again by silence");
    }

    #[test]
    fn silence_is_paid_for_once_however_long_somebody_talked() {
        let begin = Instant::now();
        let mut pace = Pace::new(begin);
        for _ in 0..1000 {
            pace.rest(100, ROOM, begin);
        }
        assert_eq!(pace.rest(100, ROOM, begin + AHEAD), None);
    }

    #[test]
    fn many_small_pieces_are_read_two_hundred_times_a_second() {
        let (readings, rests) = read(100, Duration::from_micros(100));
        assert!((200..=250).contains(&readings), "{readings} readings");
        assert!(rests >= 190, "{rests} rests");
    }

    #[test]
    fn who_fills_the_fifo_in_a_rest_is_left_alone_for_a_shorter_time() {
        // 25 bytes a microsecond fill it in 2.6 ms.
        let (readings, rests) = read(25, Duration::from_micros(1));
        assert!((780..=1100).contains(&readings), "{readings} readings");
        assert!(rests >= 740, "{rests} rests");
    }

    #[test]
    fn who_talks_slower_again_is_left_alone_for_longer_again() {
        let begin = Instant::now();
        let mut pace = Pace::new(begin);
        let mut rest = |moved| (0..50).map(|_| pace.rest(moved, ROOM, begin)).last().flatten();
        assert_eq!(rest(100), Some(EVERY));
        assert_eq!(rest(ROOM / 4), Some(EVERY), "it fits");
        assert_eq!(rest(ROOM - 4096), None, "no rest is short enough");
        assert_eq!(rest(ROOM / 4 - 4096), Some(SHORTEST));
        assert_eq!(rest(100), Some(EVERY));
    }

    #[test]
    fn what_fills_the_fifo_is_read_as_fast_as_it_comes() {
        assert_eq!(read(MUCH, Duration::from_micros(100)), (10_000, 0));
    }
}
