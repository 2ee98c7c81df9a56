//! The invariants by name, and the report of a broken one.

use core::fmt;

/// The invariants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Invariant {
    /// One live socket. Events of stale sockets change nothing.
    I1,
    /// One timer, equal to the deadline; Ticks out of turn are safe; frames move no timer.
    I2,
    /// No dead ends.
    I3,
    /// Delays within their bounds.
    I4,
    /// Attempts are counted until the connection was stable.
    I5,
    /// A silent peer is declared dead in time, a live one never.
    I6,
    /// CLOSING ends, and after a close request nothing opens.
    I7,
    /// Bounded actions.
    I8,
    /// Determinism.
    I9,
    /// At most one Close frame a socket, and nothing after it.
    I11,
    /// One outcome for each message handed to `send`.
    I12,
    /// The order of states and notices.
    Order,
    /// The prediction of the model: see [`Reference`](crate::Reference).
    Model,
}

/// A broken invariant.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Violation {
    /// Which.
    pub invariant: Invariant,
    /// How it was broken.
    pub what: String,
}

impl std::error::Error for Violation {}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.invariant, self.what)
    }
}

/// Whether an invariant holds.
pub type Verdict = Result<(), Violation>;

pub(crate) fn hold(invariant: Invariant, holds: bool, what: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { broken(invariant, what()) }
}

pub(crate) fn broken(invariant: Invariant, what: String) -> Verdict {
    Err(Violation { invariant, what })
}
