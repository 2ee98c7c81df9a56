//! What happens to an attempt: a pure function of the seed, the client, and the number of its
//! earlier attempts.

use std::time::Duration;

use crate::draws::{Draws, Purpose};

/// The gateway's faults, by when they happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "a connection has no other stage")]
pub enum Fault {
    /// In place of the upgrade, or during it.
    Opening(Opening),
    /// While it is open.
    Open(Open),
    /// At its end.
    Ending(Ending),
}

/// A fault in place of the upgrade, or during it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// The port refuses connections for a moment.
    Refuse,
    /// An HTTP response in place of an upgrade, with or without a Retry-After.
    Http(u16, Option<u32>),
    /// No HTTP at all.
    Garbage,
    /// The request is read, and the socket closed.
    CutUpgrade,
    /// The request is read, and nothing answered.
    StalledUpgrade,
    /// The answer to the upgrade comes byte by byte.
    SlowUpgrade,
}

/// A fault while a connection is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Open {
    /// Messages in fragments, with a Ping between them.
    Fragments,
    /// One byte a write.
    OneByte,
    /// Unsolicited bursts of messages.
    Burst,
    /// Little is read at a time.
    SlowRead,
    /// Heartbeats are answered late, but in time.
    LatePong,
    /// Heartbeats are never answered; the peer is alive as long as its messages are.
    NoPong,
    /// Pings by the hundred.
    PingFlood,
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The stream ends without a Close frame.
    Fin,
    /// The socket is reset.
    Reset,
    /// Silence: the gateway neither reads nor writes, and keeps the socket.
    HalfOpen,
    /// A Close frame.
    Close(u16),
    /// A Close frame of one byte.
    ShortClose,
    /// A frame with an undefined opcode.
    BadOpcode,
    /// A text that is not UTF-8.
    BadUtf8,
    /// The head of a message above the size limit.
    TooBig,
}

/// Every fault, as often as it is drawn in a deck.
pub const FAULTS: &[Fault] = &[
    Fault::Opening(Opening::Refuse),
    Fault::Opening(Opening::Http(503, None)),
    Fault::Opening(Opening::Http(503, Some(1))),
    Fault::Opening(Opening::Http(429, Some(0))),
    Fault::Opening(Opening::Http(429, None)),
    Fault::Opening(Opening::Garbage),
    Fault::Opening(Opening::CutUpgrade),
    Fault::Opening(Opening::StalledUpgrade),
    Fault::Opening(Opening::SlowUpgrade),
    Fault::Ending(Ending::Fin),
    Fault::Ending(Ending::Reset),
    Fault::Ending(Ending::HalfOpen),
    Fault::Ending(Ending::Close(1001)),
    Fault::Ending(Ending::Close(1011)),
    Fault::Ending(Ending::Close(1012)),
    Fault::Ending(Ending::Close(1013)),
    Fault::Ending(Ending::Close(4000)),
    Fault::Ending(Ending::Close(1005)),
    Fault::Ending(Ending::Close(999)),
    Fault::Ending(Ending::ShortClose),
    Fault::Ending(Ending::BadOpcode),
    Fault::Ending(Ending::BadUtf8),
    Fault::Ending(Ending::TooBig),
    Fault::Open(Open::Fragments),
    Fault::Open(Open::OneByte),
    Fault::Open(Open::Burst),
    Fault::Open(Open::SlowRead),
    Fault::Open(Open::LatePong),
    Fault::Open(Open::NoPong),
    Fault::Open(Open::PingFlood),
];

/// How a connection with another fault may end.
const ENDINGS: &[Ending] = &[
    Ending::Fin,
    Ending::Reset,
    Ending::HalfOpen,
    Ending::Close(1001),
    Ending::Close(1012),
    Ending::Close(4000),
    Ending::BadOpcode,
];

impl Fault {
    /// Its name in the report.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Opening(fault) => fault.name(),
            Self::Open(fault) => fault.name().into(),
            Self::Ending(ending) => ending.name(),
        }
    }

    /// Its index in [`FAULTS`].
    pub(crate) fn index(self) -> usize {
        FAULTS.iter().position(|fault| *fault == self).unwrap_or(0)
    }
}

impl Opening {
    fn name(self) -> String {
        match self {
            Self::Refuse => "refused".into(),
            Self::Http(status, None) => format!("HTTP {status}"),
            Self::Http(status, Some(seconds)) => format!("HTTP {status} + {seconds} s"),
            Self::Garbage => "no HTTP".into(),
            Self::CutUpgrade => "upgrade cut".into(),
            Self::StalledUpgrade => "upgrade stalled".into(),
            Self::SlowUpgrade => "upgrade slow".into(),
        }
    }
}

impl Open {
    const fn name(self) -> &'static str {
        match self {
            Self::Fragments => "fragments",
            Self::OneByte => "one byte a write",
            Self::Burst => "bursts",
            Self::SlowRead => "slow reading",
            Self::LatePong => "late pongs",
            Self::NoPong => "no pongs",
            Self::PingFlood => "ping flood",
        }
    }
}

impl Ending {
    pub(crate) fn name(self) -> String {
        match self {
            Self::Fin => "FIN".into(),
            Self::Reset => "reset".into(),
            Self::HalfOpen => "half-open".into(),
            Self::Close(code) => format!("close {code}"),
            Self::ShortClose => "close, one byte".into(),
            Self::BadOpcode => "bad opcode".into(),
            Self::BadUtf8 => "bad UTF-8".into(),
            Self::TooBig => "too big".into(),
        }
    }
}

/// The plan of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// A fault of the opening.
    pub(crate) opening: Option<Opening>,
    /// A fault while it is open.
    pub(crate) open: Option<Open>,
    /// How long it is open.
    pub(crate) life: Duration,
    /// How it ends.
    pub(crate) ending: Ending,
    /// Whether the gateway waits for the client to end TCP after a close handshake.
    pub(crate) lingers: bool,
    /// The seed of its other random choices.
    pub(crate) seed: u64,
}

/// A client's place in a shared deck of faults.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// Which of them.
    pub(crate) index: usize,
    /// How many.
    pub(crate) of: usize,
    /// Which deck.
    pub(crate) deck: u64,
}

impl Place {
    /// A number of its own among all clients.
    pub(crate) fn who(self) -> u64 {
        self.deck << 32 | self.index as u64
    }
}

/// The plan of a client's attempt. The clients of a driver draw from shuffled decks together, so that each fault comes up, and
/// equally often.
pub(crate) fn plan(seed: u64, place: Place, attempt: u64) -> Plan {
    let position = attempt * place.of as u64 + place.index as u64;
    let (deck, card) = (position / FAULTS.len() as u64, position % FAULTS.len() as u64);
    let order = Draws::of(Purpose::Deck, seed, place.deck, deck).shuffled(FAULTS.len());
    let fault = FAULTS[order[usize::try_from(card).unwrap_or(0)]];
    let mut draws = Draws::of(Purpose::Plan, seed, place.who(), attempt);
    let life = if draws.once_in(4) { draws.millis(500..1_500) } else { draws.millis(1..400) };
    let (opening, open, ending) = match fault {
        Fault::Opening(fault) => (Some(fault), None, draws.pick(ENDINGS)),
        Fault::Open(fault) => (None, Some(fault), draws.pick(ENDINGS)),
        Fault::Ending(ending) => (None, None, ending),
    };
    Plan { opening, open, life, ending, lingers: draws.once_in(3), seed: draws.next() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_depends_on_the_seed_the_client_and_the_attempt_alone() {
        let place = Place { index: 3, of: 8, deck: 1 };
        assert_eq!(plan(1, place, 17), plan(1, place, 17));
        assert_ne!(plan(1, place, 17), plan(2, place, 17));
        assert_ne!(plan(1, place, 17), plan(1, place, 18));
        assert_ne!(plan(1, place, 17), plan(1, Place { index: 4, ..place }, 17));
    }

    #[test]
    fn the_clients_of_a_driver_meet_every_fault_in_one_deck() {
        let mut met: Vec<usize> = (0..5)
            .flat_map(|index| (0..6).map(move |attempt| (index, attempt)))
            .map(|(index, attempt)| {
                let plan = plan(7, Place { index, of: 5, deck: 2 }, attempt);
                let opening = plan.opening.map(Fault::Opening);
                let early = opening.or(plan.open.map(Fault::Open));
                early.unwrap_or(Fault::Ending(plan.ending)).index()
            })
            .collect();
        met.sort_unstable();
        assert!(met.into_iter().eq(0..FAULTS.len()));
    }
}
