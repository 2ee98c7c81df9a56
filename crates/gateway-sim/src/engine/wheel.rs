//! The calendar: what happens in which millisecond.

use std::collections::BTreeMap;

/// The slots of the wheel, one a millisecond. What is further away waits in `later`.
const SLOTS: u64 = 1 << 16;

/// What happens to a client. It is kept in eight bytes, because there are millions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry(u64);

/// What an entry means. The `life` of an entry other than a timer names the attempt: if the client
/// has begun another since, the entry is void.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum What {
    /// The connection's deadline is due.
    Timer,
    /// The client's connection request arrives at the balancer.
    Syn,
    /// A worker finishes the accept.
    Accepted,
    /// The client learns that its socket is open.
    Opened,
    /// The client learns that its attempt was refused.
    Refused,
    /// The client gets the HTTP status of the rate limit.
    Limited,
    /// The client gets the HTTP status of a fault.
    Rejected,
    /// The client's login arrives at its node.
    Login,
    /// A worker finishes the login.
    LoggedIn,
    /// The client learns that its login is accepted.
    Welcome,
    /// The server loses the connection after it has served it for a while.
    Cut,
    /// The client notices that its connection is lost.
    Lost,
    /// The client gets a Close frame with 1012.
    Restarted,
    /// The client gets a pong.
    Pong,
}

const WHATS: [What; 14] = [
    What::Timer,
    What::Syn,
    What::Accepted,
    What::Opened,
    What::Refused,
    What::Limited,
    What::Rejected,
    What::Login,
    What::LoggedIn,
    What::Welcome,
    What::Cut,
    What::Lost,
    What::Restarted,
    What::Pong,
];

/// An entry stores the lowest 28 bits of its client's `life`. It is void long before they repeat.
pub(super) const LIFE_MASK: u32 = (1 << 28) - 1;

impl Entry {
    pub(super) const fn new(client: u32, what: What, life: u32) -> Self {
        Self((client as u64) << 32 | ((life & LIFE_MASK) as u64) << 4 | what as u64)
    }

    pub(super) const fn client(self) -> usize {
        (self.0 >> 32) as usize
    }

    pub(super) const fn what(self) -> What {
        WHATS[(self.0 & 15) as usize % WHATS.len()]
    }

    pub(super) const fn life(self) -> u32 {
        (self.0 >> 4) as u32 & LIFE_MASK
    }
}

/// Entries by millisecond. Entries of one millisecond come in the order in which they were added, but
/// those that waited in `later` come at the start of their turn.
#[derive(Debug)]
pub(super) struct Wheel {
    slots: Vec<Vec<Entry>>,
    /// Entries that are more than a turn away, by turn.
    later: BTreeMap<u64, Vec<(u64, Entry)>>,
    now: u64,
}

impl Wheel {
    pub(super) fn new() -> Self {
        Self { slots: vec![Vec::new(); SLOTS as usize], later: BTreeMap::new(), now: 0 }
    }

    /// Adds an entry. One that is due now or before is taken in this millisecond, after all others.
    pub(super) fn push(&mut self, at: u64, entry: Entry) {
        let at = at.max(self.now);
        if at - self.now < SLOTS {
            self.slots[(at % SLOTS) as usize].push(entry);
        } else {
            self.later.entry(at / SLOTS).or_default().push((at, entry));
        }
    }

    /// Goes to this millisecond, which must not skip any.
    pub(super) fn advance(&mut self, now: u64) {
        self.now = now;
        if now.is_multiple_of(SLOTS) {
            for (at, entry) in self.later.remove(&(now / SLOTS)).unwrap_or_default() {
                self.slots[(at % SLOTS) as usize].push(entry);
            }
        }
    }

    /// Takes what is due now. Call it until nothing is left: while entries are handled, others may
    /// be added to this same millisecond. `into` is emptied, and its buffer is used again.
    pub(super) fn take(&mut self, into: &mut Vec<Entry>) {
        into.clear();
        std::mem::swap(&mut self.slots[(self.now % SLOTS) as usize], into);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(client: u32) -> Entry {
        Entry::new(client, What::Timer, 0)
    }

    #[test]
    fn an_entry_keeps_its_parts() {
        for (index, what) in WHATS.into_iter().enumerate() {
            let entry = Entry::new(u32::MAX - 1, what, LIFE_MASK);
            assert_eq!(
                (entry.client(), entry.what(), entry.life()),
                (0xffff_fffe, what, LIFE_MASK)
            );
            assert_eq!(what as usize, index);
        }
    }

    #[test]
    fn every_entry_comes_once_in_its_millisecond_and_in_order() {
        let mut wheel = Wheel::new();
        let times: Vec<u64> = (0..4_000).map(|client| client * client * 7 % 300_000).collect();
        for (client, at) in times.iter().enumerate() {
            wheel.push(*at, entry(u32::try_from(client).unwrap()));
        }
        let (mut seen, mut taken) = (0, Vec::new());
        for now in 0..300_000 {
            wheel.advance(now);
            wheel.take(&mut taken);
            assert!(taken.is_sorted_by_key(|entry| entry.client()));
            assert!(taken.iter().all(|entry| times[entry.client()] == now));
            seen += taken.len();
        }
        assert_eq!(seen, times.len());
    }

    #[test]
    fn what_is_added_to_the_millisecond_that_is_taken_is_not_lost() {
        let mut wheel = Wheel::new();
        wheel.advance(0);
        wheel.push(0, entry(1));
        let mut taken = Vec::new();
        wheel.take(&mut taken);
        wheel.push(0, entry(2));
        assert_eq!(taken, [entry(1)]);
        wheel.take(&mut taken);
        assert_eq!(taken, [entry(2)]);
    }
}
