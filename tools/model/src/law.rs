//! The laws: what must hold in every state.

use gateway_testkit::Invariant;

/// What must hold in every history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Law {
    /// I1, seen from the driver: it never has two sockets, and always the one that the machine names.
    OneSocket,
    /// I7: after a close request nothing is opened until the next connect request.
    CloseWins,
    /// I11: at most one Close is sent on a socket, and nothing after it.
    OneClose,
    /// A socket may be aborted, but not after the client's Close. Nothing is sent on it after an abort.
    Abort,
    /// I8 and I10: the actions fit into their capacity, and nothing panics.
    Total,
    /// I3: every state that must end has a deadline.
    NoDeadEnd,
    /// After a Tick the deadline is in the future.
    TickMovesOn,
    /// Only a connect request leaves CLOSED.
    ClosedStays,
    /// The testkit's checker: I1 to I8, I11, I12, the order of states.
    Checker,
    /// I7: CLOSING ends with its deadline, whatever the network does.
    ClosingEnds,
    /// I2: an early Tick changes nothing.
    EarlyTick,
    /// From here a healthy network leads to ready, and ready stays until a renewal.
    Recovers,
}

/// A law that was broken.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Fault {
    pub(crate) law: Law,
    pub(crate) what: String,
}

impl Law {
    /// All laws, in the order of the report.
    pub const ALL: [Self; 12] = [
        Self::OneSocket,
        Self::CloseWins,
        Self::OneClose,
        Self::Abort,
        Self::Total,
        Self::NoDeadEnd,
        Self::TickMovesOn,
        Self::ClosedStays,
        Self::Checker,
        Self::EarlyTick,
        Self::ClosingEnds,
        Self::Recovers,
    ];

    /// In words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::OneSocket => "I1  one live socket, the one that the machine names",
            Self::CloseWins => "I7  after a close request nothing opens until a connect",
            Self::OneClose => "I11 at most one Close per socket, nothing sent after it",
            Self::Abort => {
                "    nothing is sent on a socket after its abort, no abort after a Close"
            }
            Self::Total => "I8  actions within capacity, no panic (I10)",
            Self::NoDeadEnd => "I3  every state that must end has a deadline",
            Self::TickMovesOn => "I2  after a Tick the deadline is in the future",
            Self::ClosedStays => "    only connect leaves CLOSED",
            Self::Checker => "    the testkit's checker agrees with each step",
            Self::ClosingEnds => "I7  CLOSING ends with its deadline",
            Self::EarlyTick => "I2  an early Tick changes nothing",
            Self::Recovers => {
                "I3  a healthy network leads to ready, and ready stays until a renewal"
            }
        }
    }

    pub(crate) fn hold(self, holds: bool, what: impl FnOnce() -> String) -> Result<(), Fault> {
        if holds { Ok(()) } else { Err(self.broken(what())) }
    }

    pub(crate) const fn broken(self, what: String) -> Fault {
        Fault { law: self, what }
    }
}

impl From<Invariant> for Law {
    /// The law under which a finding of the checker is reported.
    fn from(invariant: Invariant) -> Self {
        match invariant {
            Invariant::I1 => Self::OneSocket,
            Invariant::I3 => Self::NoDeadEnd,
            Invariant::I8 => Self::Total,
            Invariant::I11 => Self::OneClose,
            _ => Self::Checker, // the others have no law of their own here
        }
    }
}
