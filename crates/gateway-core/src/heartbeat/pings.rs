//! The pings that no pong has answered, and which of them a pong answers.

use core::num::NonZeroU64;
use core::time::Duration;

use crate::time::{Instant, Shift};

/// How many unanswered pings are remembered: the newest. The round trip of an older one is unknown.
const KEPT: usize = 4;

/// The number of unanswered pings, and the newest of them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Pings {
    /// The newest first. Answered pings are cleared, except for the newest stamp.
    newest: [Sent; KEPT],
    unanswered: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Sent {
    at: Instant,
    /// The stamp plus one, so that an `Option` of it takes no extra space. The two highest stamps
    /// count as the same.
    stamp: Option<NonZeroU64>,
}

impl Sent {
    const NONE: Self = Self { at: Instant::ZERO, stamp: None };
}

const fn packed(stamp: u64) -> NonZeroU64 {
    NonZeroU64::MIN.saturating_add(stamp)
}

impl Pings {
    pub(super) const NONE: Self = Self { newest: [Sent::NONE; KEPT], unanswered: 0 };

    pub(super) const fn unanswered(&self) -> u32 {
        self.unanswered
    }

    pub(super) fn newest_stamp(&self) -> Option<u64> {
        self.newest[0].stamp.map(|stamp| stamp.get() - 1)
    }

    pub(super) const fn newest_sent_at(&self) -> Instant {
        self.newest[0].at
    }

    pub(super) fn on_sent(&mut self, now: Instant, stamp: Option<u64>) {
        self.newest.rotate_right(1);
        self.newest[0] = Sent { at: now, stamp: stamp.map(packed) };
        self.unanswered = self.unanswered.saturating_add(1);
        self.clear_answered();
    }

    /// Finds the unanswered ping with this number, if stamps count up by one. Returns how many
    /// pings are newer.
    pub(super) fn numbered(&self, number: u64) -> Option<u32> {
        let newer = self.newest_stamp()?.checked_sub(number)?;
        u32::try_from(newer).ok().filter(|newer| *newer < self.unanswered)
    }

    /// Finds the remembered ping with this stamp. Returns how many pings are newer.
    pub(super) fn stamped(&self, stamp: u64) -> Option<u32> {
        let wanted = Some(packed(stamp));
        let place = self.remembered().iter().position(|sent| sent.stamp == wanted);
        place.and_then(|newer| u32::try_from(newer).ok())
    }

    /// A pong answers the ping with `named` newer ones, and all older pings; `None` answers the
    /// oldest. Returns the round trip if it is known which ping was answered.
    pub(super) fn on_pong(&mut self, now: Instant, named: Option<u32>) -> Option<Duration> {
        let answered = match named {
            Some(newer) => Some(newer),
            None => (self.unanswered == 1).then_some(0), // only one ping is unanswered
        };
        let sent = answered.and_then(|newer| self.remembered().get(newer as usize));
        let round_trip = sent.map(|sent| now.saturating_duration_since(sent.at));
        self.unanswered = named.unwrap_or_else(|| self.unanswered.saturating_sub(1));
        self.clear_answered();
        round_trip
    }

    fn remembered(&self) -> &[Sent] {
        &self.newest[..KEPT.min(self.unanswered as usize)]
    }

    /// Clears answered pings, so that histories that no longer differ compare equal.
    fn clear_answered(&mut self) {
        let remembered = self.remembered().len();
        let newest_stamp = self.newest[0].stamp;
        self.newest[remembered..].fill(Sent::NONE);
        self.newest[0].stamp = newest_stamp;
    }

    /// Moves every instant, for a model checker. Clears older pings without a stamp: no pong can
    /// name them.
    pub(super) fn rebase(&mut self, shift: Shift) {
        let remembered = self.remembered().len();
        for (newer, sent) in self.newest[..remembered].iter_mut().enumerate() {
            match sent.stamp {
                None if newer > 0 => *sent = Sent::NONE,
                Some(_) | None => shift.apply(&mut sent.at),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Instant {
        Instant::from_millis(seconds * 1_000)
    }

    fn sent(stamps: &[Option<u64>]) -> Pings {
        let mut pings = Pings::NONE;
        for (second, stamp) in (0..).zip(stamps) {
            pings.on_sent(at(second), *stamp);
        }
        pings
    }

    #[test]
    fn an_older_ping_that_no_pong_can_name_is_not_told_apart() {
        let rebased = |older: (u64, Option<u64>), newer: u64| {
            let mut pings = Pings::NONE;
            pings.on_sent(at(older.0), older.1);
            pings.on_sent(at(newer), None);
            pings.rebase(Shift { from: at(10), to: at(100) });
            pings
        };

        assert_eq!(rebased((1, None), 9), rebased((2, None), 9));
        assert_ne!(rebased((1, None), 8), rebased((1, None), 9));
        assert_ne!(rebased((1, Some(7)), 9), rebased((2, Some(7)), 9));
    }

    #[test]
    fn a_pong_that_names_a_ping_answers_it_and_those_before_it() {
        let mut pings = sent(&[Some(10), Some(11), Some(12), Some(13)]);
        let named = pings.stamped(11);
        assert_eq!(named, Some(2));
        assert_eq!(pings.on_pong(at(9), named), Some(Duration::from_secs(8)));
        assert_eq!(pings.unanswered(), 2);
        assert_eq!((pings.stamped(10), pings.stamped(11)), (None, None), "they are answered");
        assert_eq!(pings.stamped(12), Some(1));
    }

    #[test]
    fn a_number_names_any_unanswered_ping() {
        let mut pings = sent(&[Some(1), Some(2), Some(3), Some(4), Some(5), Some(6)]);
        assert_eq!((pings.numbered(0), pings.numbered(7)), (None, None));
        assert_eq!(pings.numbered(1), Some(5));
        assert_eq!(pings.on_pong(at(9), Some(5)), None, "it is not remembered when it was sent");
        assert_eq!((pings.unanswered(), pings.numbered(1)), (5, None));
        assert_eq!(pings.on_pong(at(9), pings.numbered(6)), Some(Duration::from_secs(4)));
        assert_eq!((pings.unanswered(), pings.numbered(6)), (0, None));
    }

    #[test]
    fn the_last_four_are_remembered() {
        let pings = sent(&[Some(10), Some(11), Some(12), Some(13), Some(14)]);
        assert_eq!(pings.stamped(10), None);
        assert_eq!(pings.stamped(11), Some(3));
        assert_eq!(pings.unanswered(), 5);
    }

    #[test]
    fn a_pong_that_names_none_answers_the_oldest_and_tells_the_round_trip_of_one_alone() {
        let mut pings = sent(&[None, Some(0)]);
        assert_eq!(pings.on_pong(at(5), None), None, "two are unanswered");
        assert_eq!(pings.on_pong(at(5), None), Some(Duration::from_secs(4)));
        assert_eq!(pings.unanswered(), 0);
        assert_eq!(pings.newest_stamp(), Some(0), "the next number follows it");
    }

    #[test]
    fn every_stamp_is_found_the_highest_too() {
        for stamp in [0, 1, u64::MAX - 1, u64::MAX] {
            assert_eq!(sent(&[Some(stamp)]).stamped(stamp), Some(0), "{stamp}");
        }
    }
}
