//! The faults of a scenario as a list of changes in time.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::scenario::{Away, Fault, FaultKind, Scenario};

/// A change of the world at an instant. What ends names what began, because faults may overlap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Change {
    /// A share of the connections is lost.
    Drop { share_ppm: u64 },
    /// A node goes away. `None`: all nodes.
    Leave { node: Option<u32>, how: Leave },
    /// A node returns. `None`: all nodes.
    Return { node: Option<u32>, how: Leave },
    /// The balancer sees a node's state.
    See { node: u32, is_up: bool },
    /// The server becomes silent, or speaks again.
    Silence(bool),
    /// The server begins to close each connection after a while.
    Cut(u64),
    /// It does not any more.
    CutEnds(u64),
    /// The server begins to refuse each attempt with an HTTP status.
    Reject(Reject),
    /// It does not any more.
    RejectEnds(Reject),
}

impl Change {
    /// The order within a millisecond: what ends, what begins, and what connections are lost. So the
    /// order of the faults in a file does not matter.
    pub(super) const fn rank(&self) -> u8 {
        match self {
            Self::Return { .. }
            | Self::See { .. }
            | Self::Silence(false)
            | Self::CutEnds(_)
            | Self::RejectEnds(_) => 0,
            Self::Leave { .. } | Self::Silence(true) | Self::Cut(_) | Self::Reject(_) => 1,
            Self::Drop { .. } => 2,
        }
    }
}

/// An HTTP status, and the `Retry-After` header in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Reject {
    pub(super) status: u16,
    pub(super) retry_after_ms: Option<u64>,
}

/// How a node goes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Leave {
    /// Its sockets end.
    Fail(Away),
    /// It closes its connections with 1012.
    Close,
}

impl Leave {
    /// What clients see of the node meanwhile.
    pub(super) const fn away(self) -> Away {
        match self {
            Self::Fail(away) => away,
            Self::Close => Away::Refusing,
        }
    }
}

/// The changes by millisecond, and what to call a wave that begins with them.
pub(super) type Changes = BTreeMap<u64, Vec<(Change, &'static str)>>;

pub(super) fn changes(scenario: &Scenario) -> Changes {
    let mut found = Vec::new();
    for Fault { kind } in &scenario.faults {
        // The shorter of two faults that begin together is within the longer one.
        let within = Reverse(kind.released_ms());
        let mut add = |at: u64, change: Change, words| {
            if at < scenario.horizon_ms {
                found.push((at, change.rank(), within, change, words));
            }
        };
        match *kind {
            FaultKind::Drop { at_ms, share_ppm } => add(at_ms, Change::Drop { share_ppm }, "drop"),
            FaultKind::Outage { from_ms, to_ms, how } => {
                add(from_ms, Change::Leave { node: None, how: Leave::Fail(how) }, "outage");
                add(to_ms, Change::Return { node: None, how: Leave::Fail(how) }, "outage ends");
            }
            FaultKind::HalfOpen { from_ms, to_ms } => {
                add(from_ms, Change::Silence(true), "half-open");
                add(to_ms, Change::Silence(false), "half-open ends");
            }
            FaultKind::AcceptThenDrop { from_ms, to_ms, after_ms } => {
                add(from_ms, Change::Cut(after_ms), "accept-then-drop");
                add(to_ms, Change::CutEnds(after_ms), "accept-then-drop ends");
            }
            FaultKind::Flapping { from_ms, to_ms, up_ms, down_ms } => {
                let mut at = from_ms;
                while at < to_ms && at < scenario.horizon_ms {
                    let how = Leave::Fail(Away::Refusing);
                    add(at, Change::Leave { node: None, how }, "flap down");
                    at = at.saturating_add(down_ms).min(to_ms);
                    add(at, Change::Return { node: None, how }, "flap up");
                    at = at.saturating_add(up_ms);
                }
            }
            FaultKind::RollingRestart { at_ms, every_ms, down_ms, nodes } => {
                for node in 0..nodes {
                    let at = at_ms.saturating_add(every_ms.saturating_mul(u64::from(node)));
                    let (node, how) = (Some(node), Leave::Close);
                    add(at, Change::Leave { node, how }, "node restarts");
                    add(at.saturating_add(down_ms), Change::Return { node, how }, "node returns");
                }
            }
            FaultKind::Reject { from_ms, to_ms, status, retry_after_ms } => {
                let reject = Reject { status, retry_after_ms };
                add(from_ms, Change::Reject(reject), "reject");
                add(to_ms, Change::RejectEnds(reject), "reject ends");
            }
        }
    }
    found.sort_unstable();
    let mut changes = Changes::new();
    for (at, _, _, change, words) in found {
        changes.entry(at).or_default().push((change, words));
    }
    changes
}
