//! The laws: what must hold in every state.

use gateway_testkit::Invariant;

/// What must hold in every history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Law {
    /// I1, seen from the driver: it never holds two sockets, and always the one that the machine names.
    OneSocket,
    /// I7: after a close request nothing is opened until the next connect request.
    CloseWins,
    /// I11: a socket is sent one Close, and nothing after it.
    OneClose,
    /// A socket that the driver holds may be aborted, but not after our Close, and nothing is sent on it after that.
    Abort,
    /// I8 and I10: the actions fit into their capacity, and nothing panics.
    Total,
    /// I3: every state that must end has a deadline.
    NoDeadEnd,
    /// After a Tick the deadline lies ahead.
    TickMovesOn,
    /// CLOSED is left by a connect request alone.
    ClosedStays,
    /// What the testkit's checker holds: I1 to I8, I11, I12, the order of states.
    Checker,
    /// I7: CLOSING ends with its deadline, whatever the network does.
    ClosingEnds,
    /// I2: a Tick out of turn changes nothing.
    EarlyTick,
    /// From here a healthy network leads to ready, and ready stays.
    Recovers,
}

/// A law that was broken.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Fault {
    pub(crate) law: Law,
    pub(crate) what: String,
}

impl Law {
    /// All of them, in the order of the report.
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
            Self::OneClose => "I11 one Close a socket, nothing sent after it",
            Self::Abort => {
                "    nothing is sent on a socket after its abort, no abort after a Close"
            }
            Self::Total => "I8  actions within capacity, no panic (I10)",
            Self::NoDeadEnd => "I3  no dead end: what must end has a deadline",
            Self::TickMovesOn => "I2  after a Tick the deadline lies ahead",
            Self::ClosedStays => "    CLOSED is left by connect alone",
            Self::Checker => "    the testkit's checker agrees with each step",
            Self::ClosingEnds => "I7  CLOSING ends with its deadline",
            Self::EarlyTick => "I2  a Tick out of turn changes nothing",
            Self::Recovers => "I3  a healthy network leads to ready, and ready stays",
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
    /// The law under which a finding of the checker is told.
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
