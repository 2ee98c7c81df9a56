//! Randomness from a seed, so that a schedule is a pure function of its inputs.

use std::ops::Range;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng as _, SeedableRng as _};

/// What a stream of numbers is for: no two purposes share one.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    /// The order of a deck of faults.
    Deck,
    /// How an attempt goes.
    Plan,
    /// What the gateway does on a connection.
    Connection,
    /// What a client does.
    Client,
}

/// A stream of numbers.
#[derive(Debug)]
pub(crate) struct Draws(ChaCha8Rng);

impl Draws {
    /// The stream for this purpose that belongs to the seed, to one who draws, and to one of his turns.
    pub(crate) fn of(purpose: Purpose, seed: u64, who: u64, turn: u64) -> Self {
        let mut key = [0; 32];
        for (bytes, part) in key.chunks_exact_mut(8).zip([seed, who, turn, purpose as u64]) {
            bytes.copy_from_slice(&part.to_le_bytes());
        }
        Self(ChaCha8Rng::from_seed(key))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// One of the range, which must not be empty.
    pub(crate) fn within(&mut self, range: Range<u64>) -> u64 {
        range.start + self.next() % (range.end - range.start)
    }

    /// So many milliseconds.
    pub(crate) fn millis(&mut self, range: Range<u64>) -> Duration {
        Duration::from_millis(self.within(range))
    }

    /// True once in so many times.
    pub(crate) fn once_in(&mut self, times: u64) -> bool {
        self.next().is_multiple_of(times)
    }

    /// One of them.
    pub(crate) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[usize::try_from(self.within(0..of.len() as u64)).unwrap_or(0)]
    }

    /// The numbers below `count`, in some order.
    pub(crate) fn shuffled(&mut self, count: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..count).collect();
        for last in (1..count).rev() {
            let other = usize::try_from(self.within(0..last as u64 + 1)).unwrap_or(0);
            order.swap(last, other);
        }
        order
    }
}
