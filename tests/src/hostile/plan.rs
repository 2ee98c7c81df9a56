//! What goes wrong, and at which poll.

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng as _, SeedableRng as _};

/// What is polled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "a provider and a byte stream have no more")]
pub enum Op {
    /// The attempt to open it.
    Dial,
    /// A read.
    Read,
    /// A write.
    Write,
    /// A flush.
    Flush,
    /// The end of the client's direction.
    Shutdown,
    /// The question to the provider.
    Ask,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "the list of all is below")]
pub enum Fault {
    /// It must be polled again, and wakes at once.
    Wait,
    /// One byte is read or written.
    Short,
    /// A reset: nothing more can be read or written.
    Reset,
    /// Nothing more can be written; what the server has sent can be read.
    Broken,
    /// An unexpected error.
    Other,
    /// The stream ends: a read gives nothing, a write takes nothing.
    End,
    /// The operation is done, and returns an error, as a buffering stream may.
    Passed,
    /// Nothing happens any more, in either direction, without an error.
    Stall,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Wait,
        Self::Short,
        Self::Reset,
        Self::Broken,
        Self::Other,
        Self::End,
        Self::Passed,
        Self::Stall,
    ];

    /// Whether it can happen to this.
    #[must_use]
    pub const fn fits(self, op: Op, plan: &Plan) -> bool {
        match self {
            Self::Wait | Self::Other | Self::Stall => true,
            Self::Reset | Self::Broken => !matches!(op, Op::Ask),
            Self::Short | Self::End => matches!(op, Op::Read | Op::Write),
            Self::Passed => plan.buffered && matches!(op, Op::Write | Op::Flush),
        }
    }

    /// Whether the socket does not outlive it.
    #[must_use]
    pub const fn hurts(self) -> bool {
        !matches!(self, Self::Wait | Self::Short)
    }
}

/// What goes wrong, and where. The polls of a run are counted from 0, over all of its sockets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Plan {
    /// The streams keep a buffer of their own, as TLS does: what was written and not flushed is lost with them.
    pub buffered: bool,
    /// A provider is asked before each socket. It answers, answers late, fails or hangs.
    pub asks: bool,
    /// Every poll waits once before it is done.
    pub waits: bool,
    /// Every read gives one byte.
    pub short_reads: bool,
    /// Every write takes one byte.
    pub short_writes: bool,
    /// These happen at these polls.
    pub faults: Vec<(usize, Fault)>,
}

impl Plan {
    /// Nothing goes wrong.
    #[must_use]
    pub fn none(buffered: bool) -> Self {
        Self { buffered, ..Self::default() }
    }

    /// A provider is asked as well.
    #[must_use]
    pub const fn asking(mut self) -> Self {
        self.asks = true;
        self
    }

    /// This one fault as well.
    #[must_use]
    pub fn and(&self, at: usize, fault: Fault) -> Self {
        let mut plan = self.clone();
        plan.faults.push((at, fault));
        plan
    }

    /// Every way to have the harmless everywhere.
    #[must_use]
    pub fn everywhere(buffered: bool) -> Vec<Self> {
        let plan = |bits: u32| Self {
            buffered,
            waits: bits & 1 != 0,
            short_reads: bits & 2 != 0,
            short_writes: bits & 4 != 0,
            ..Self::default()
        };
        (1..8).map(plan).collect()
    }

    /// Some faults among the first `points` polls, as the seed has it.
    #[must_use]
    pub fn random(seed: u64, points: usize) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut below = |bound: usize| (random.next_u64() % bound as u64) as usize;
        let mut plan = Self::none(below(2) == 0);
        plan.waits = below(4) == 0;
        plan.short_reads = below(8) == 0;
        plan.short_writes = below(8) == 0;
        for _ in 0..2 + below(5) {
            plan.faults.push((below(points), Fault::ALL[below(Fault::ALL.len())]));
        }
        plan
    }

    /// What happens at this poll.
    pub(crate) fn fault(&self, at: usize, op: Op) -> Option<Fault> {
        let here = self.faults.iter().find(|(point, _)| *point == at).map(|(_, fault)| *fault);
        here.filter(|fault| fault.fits(op, self))
    }
}
