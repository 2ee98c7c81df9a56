//! What happens to an attempt: a pure function of the seed, the client, and the number of its
//! earlier attempts.

use std::time::Duration;

use crate::draws::{Draws, Purpose};

/// The gateway's faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
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

/// Every fault, as often as it is drawn in a deck.
pub const FAULTS: &[Fault] = &[
    Fault::Refuse,
    Fault::Http(503, None),
    Fault::Http(503, Some(1)),
    Fault::Http(429, Some(0)),
    Fault::Http(429, None),
    Fault::Garbage,
    Fault::CutUpgrade,
    Fault::StalledUpgrade,
    Fault::SlowUpgrade,
    Fault::Fin,
    Fault::Reset,
    Fault::HalfOpen,
    Fault::Close(1001),
    Fault::Close(1011),
    Fault::Close(1012),
    Fault::Close(1013),
    Fault::Close(4000),
    Fault::Close(1005),
    Fault::Close(999),
    Fault::ShortClose,
    Fault::BadOpcode,
    Fault::BadUtf8,
    Fault::TooBig,
    Fault::Fragments,
    Fault::OneByte,
    Fault::Burst,
    Fault::SlowRead,
    Fault::LatePong,
    Fault::NoPong,
    Fault::PingFlood,
];

/// How a connection with another fault may end.
const ENDINGS: &[Fault] = &[
    Fault::Fin,
    Fault::Reset,
    Fault::HalfOpen,
    Fault::Close(1001),
    Fault::Close(1012),
    Fault::Close(4000),
    Fault::BadOpcode,
];

/// When a fault happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// In place of the upgrade, or during it.
    Opening,
    /// While it is open.
    Open,
    /// At its end.
    Ending,
}

impl Fault {
    /// Its name in the report.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Refuse => "refused".into(),
            Self::Http(status, None) => format!("HTTP {status}"),
            Self::Http(status, Some(seconds)) => format!("HTTP {status} + {seconds} s"),
            Self::Garbage => "no HTTP".into(),
            Self::CutUpgrade => "upgrade cut".into(),
            Self::StalledUpgrade => "upgrade stalled".into(),
            Self::SlowUpgrade => "upgrade slow".into(),
            Self::Fin => "FIN".into(),
            Self::Reset => "reset".into(),
            Self::HalfOpen => "half-open".into(),
            Self::Close(code) => format!("close {code}"),
            Self::ShortClose => "close, one byte".into(),
            Self::BadOpcode => "bad opcode".into(),
            Self::BadUtf8 => "bad UTF-8".into(),
            Self::TooBig => "too big".into(),
            Self::Fragments => "fragments".into(),
            Self::OneByte => "one byte a write".into(),
            Self::Burst => "bursts".into(),
            Self::SlowRead => "slow reading".into(),
            Self::LatePong => "late pongs".into(),
            Self::NoPong => "no pongs".into(),
            Self::PingFlood => "ping flood".into(),
        }
    }

    pub(crate) const fn stage(self) -> Stage {
        match self {
            Self::Refuse
            | Self::Http(..)
            | Self::Garbage
            | Self::CutUpgrade
            | Self::StalledUpgrade
            | Self::SlowUpgrade => Stage::Opening,
            Self::Fragments
            | Self::OneByte
            | Self::Burst
            | Self::SlowRead
            | Self::LatePong
            | Self::NoPong
            | Self::PingFlood => Stage::Open,
            Self::Fin
            | Self::Reset
            | Self::HalfOpen
            | Self::Close(_)
            | Self::ShortClose
            | Self::BadOpcode
            | Self::BadUtf8
            | Self::TooBig => Stage::Ending,
        }
    }

    /// Its index in [`FAULTS`].
    pub(crate) fn index(self) -> usize {
        FAULTS.iter().position(|fault| *fault == self).unwrap_or(0)
    }
}

/// The plan of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// A fault of the opening.
    pub(crate) opening: Option<Fault>,
    /// A fault while it is open.
    pub(crate) open: Option<Fault>,
    /// How long it is open.
    pub(crate) life: Duration,
    /// How it ends.
    pub(crate) ending: Fault,
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
    let stage = fault.stage();
    Plan {
        opening: Some(fault).filter(|_| stage == Stage::Opening),
        open: Some(fault).filter(|_| stage == Stage::Open),
        life,
        ending: if stage == Stage::Ending { fault } else { draws.pick(ENDINGS) },
        lingers: draws.once_in(3),
        seed: draws.next(),
    }
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
                plan.opening.or(plan.open).unwrap_or(plan.ending).index()
            })
            .collect();
        met.sort_unstable();
        assert!(met.into_iter().eq(0..FAULTS.len()));
    }
}
