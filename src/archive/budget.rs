//! What an archive may become: bytes, entries, and how many times its own size.

use std::cell::Cell;
use std::io::{self, Read};

/// An archive may always grow to this, whatever its ratio: small files compress well.
const ALWAYS: u64 = 16 << 20;

/// How large an archive may become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes that come out of it.
    pub max_bytes: u64,
    /// Entries of any kind.
    pub max_entries: u64,
    /// Bytes that come out for each byte of the archive (not applied to the first 16 MiB).
    pub max_ratio: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_bytes: 8 << 30, max_entries: 1_000_000, max_ratio: 200 }
    }
}

/// A limit that an archive exceeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Exceeded {
    /// Too many bytes.
    #[error("more than {0} bytes would come out of it")]
    Bytes(u64),
    /// Too many bytes for its size: a decompression bomb.
    #[error("it grows to more than {0} times its size, as a decompression bomb does")]
    Ratio(u64),
    /// Too many entries.
    #[error("it has more than {0} entries")]
    Entries(u64),
}

impl From<Exceeded> for io::Error {
    fn from(exceeded: Exceeded) -> Self {
        Self::other(exceeded)
    }
}

/// The limit that a failed read ran into, if that is what it was.
pub(super) fn exceeded(error: &io::Error) -> Option<Exceeded> {
    error.get_ref()?.downcast_ref::<Exceeded>().copied()
}

/// Counts against the limits.
#[derive(Debug)]
pub(super) struct Budget {
    limits: Limits,
    /// What the ratio allows.
    by_ratio: u64,
    bytes: Cell<u64>,
    entries: Cell<u64>,
}

impl Budget {
    pub(super) fn new(limits: Limits, archive_size: u64) -> Self {
        let by_ratio = archive_size.saturating_mul(limits.max_ratio).max(ALWAYS);
        Self { limits, by_ratio, bytes: Cell::new(0), entries: Cell::new(0) }
    }

    pub(super) fn bytes(&self, count: u64) -> Result<(), Exceeded> {
        let bytes = self.bytes.get().saturating_add(count);
        self.bytes.set(bytes);
        if bytes > self.limits.max_bytes {
            return Err(Exceeded::Bytes(self.limits.max_bytes));
        }
        if bytes > self.by_ratio { Err(Exceeded::Ratio(self.limits.max_ratio)) } else { Ok(()) }
    }

    pub(super) fn entry(&self) -> Result<(), Exceeded> {
        self.entries.set(self.entries.get() + 1);
        if self.entries.get() > self.limits.max_entries {
            return Err(Exceeded::Entries(self.limits.max_entries));
        }
        Ok(())
    }
}

/// A reader that counts what passes, and how many zero bytes it ended with.
#[derive(Debug)]
pub(super) struct Counted<'a, R> {
    inner: R,
    budget: &'a Budget,
    zeros: u64,
}

impl<'a, R> Counted<'a, R> {
    pub(super) const fn new(inner: R, budget: &'a Budget) -> Self {
        Self { inner, budget, zeros: 0 }
    }

    /// The zero bytes at the end of all that has passed.
    pub(super) const fn zeros(&self) -> u64 {
        self.zeros
    }
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.budget.bytes(count as u64)?;
        let passed = &buffer[..count];
        self.zeros = match passed.iter().rposition(|byte| *byte != 0) {
            Some(last) => (count - last - 1) as u64,
            None => self.zeros + count as u64,
        };
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_hold_one_by_one() {
        let limits = Limits { max_bytes: 100 << 20, max_entries: 2, max_ratio: 10 };
        let budget = Budget::new(limits, 2 << 20);
        assert_eq!(budget.bytes(20 << 20), Ok(()));
        assert_eq!(budget.bytes(1), Err(Exceeded::Ratio(10)));
        assert_eq!(Budget::new(limits, 1).bytes(ALWAYS), Ok(()));
        assert_eq!(Budget::new(limits, u64::MAX).bytes(u64::MAX), Err(Exceeded::Bytes(100 << 20)));
        assert_eq!((budget.entry(), budget.entry(), budget.entry()), (Ok(()), Ok(()), Err(Exceeded::Entries(2))));
    }

    #[test]
    fn zeros_at_the_end_are_counted() {
        let budget = Budget::new(Limits::default(), 1);
        let mut counted = Counted::new(&b"ab\0\0\0"[..], &budget);
        let mut two = [0; 4];
        let _ = counted.read(&mut two).unwrap();
        assert_eq!(counted.zeros(), 2);
        io::copy(&mut counted, &mut io::sink()).unwrap();
        assert_eq!(counted.zeros(), 3);
    }
}
