//! The faults of a scenario as a list of changes in time.

use std::collections::BTreeMap;

use crate::scenario::{Away, Fault, FaultKind, Scenario};

/// A change of the world at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// A share of the connections is lost.
    Drop { share_ppm: u64 },
    /// A node goes away. `None`: all nodes.
    Leave { node: Option<u32>, how: Leave },
    /// A node returns. `None`: all nodes.
    Return { node: Option<u32> },
    /// The balancer sees a node's state.
    See { node: u32, is_up: bool },
    /// The server becomes silent, or speaks again.
    Silence(bool),
    /// The server begins or ends to close each connection after a while.
    Cut(Option<u64>),
    /// The server begins or ends to refuse each attempt with an HTTP status.
    Reject(Option<(u16, Option<u64>)>),
}

/// How a node goes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leave {
    /// Its sockets end.
    Fail(Away),
    /// It closes its connections with 1012.
    Close,
}

/// The changes by millisecond, and what to call a wave that begins with them.
pub(super) type Changes = BTreeMap<u64, Vec<(Change, &'static str)>>;

pub(super) fn changes(scenario: &Scenario) -> Changes {
    let mut changes = Changes::new();
    for Fault { kind } in &scenario.faults {
        let mut add = |at: u64, change, words| {
            if at < scenario.horizon_ms {
                changes.entry(at).or_default().push((change, words));
            }
        };
        match *kind {
            FaultKind::Drop { at_ms, share_ppm } => add(at_ms, Change::Drop { share_ppm }, "drop"),
            FaultKind::Outage { from_ms, to_ms, how } => {
                add(from_ms, Change::Leave { node: None, how: Leave::Fail(how) }, "outage");
                add(to_ms, Change::Return { node: None }, "outage ends");
            }
            FaultKind::HalfOpen { from_ms, to_ms } => {
                add(from_ms, Change::Silence(true), "half-open");
                add(to_ms, Change::Silence(false), "half-open ends");
            }
            FaultKind::AcceptThenDrop { from_ms, to_ms, after_ms } => {
                add(from_ms, Change::Cut(Some(after_ms)), "accept-then-drop");
                add(to_ms, Change::Cut(None), "accept-then-drop ends");
            }
            FaultKind::Flapping { from_ms, to_ms, up_ms, down_ms } => {
                let mut at = from_ms;
                while at < to_ms && at < scenario.horizon_ms {
                    let how = Leave::Fail(Away::Refusing);
                    add(at, Change::Leave { node: None, how }, "flap down");
                    at = at.saturating_add(down_ms).min(to_ms);
                    add(at, Change::Return { node: None }, "flap up");
                    at = at.saturating_add(up_ms);
                }
            }
            FaultKind::RollingRestart { at_ms, every_ms, down_ms, nodes } => {
                for node in 0..nodes {
                    let at = at_ms.saturating_add(every_ms.saturating_mul(u64::from(node)));
                    let node = Some(node);
                    add(at, Change::Leave { node, how: Leave::Close }, "node restarts");
                    add(at.saturating_add(down_ms), Change::Return { node }, "node returns");
                }
            }
            FaultKind::Reject { from_ms, to_ms, status, retry_after_ms } => {
                add(from_ms, Change::Reject(Some((status, retry_after_ms))), "reject");
                add(to_ms, Change::Reject(None), "reject ends");
            }
        }
    }
    changes
}
