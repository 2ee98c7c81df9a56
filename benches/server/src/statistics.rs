//! What the server counts, and how it tells it.

use std::collections::VecDeque;
use std::fmt::Write as _;

/// Arrivals of heartbeats beyond the newest so many are forgotten.
const ARRIVALS: usize = 100_000;

/// Counts since the start or the last reset. Only upgraded connections count.
#[derive(Default)]
pub(crate) struct Statistics {
    pub(crate) connections: u64,
    accepted: u64,
    /// Data messages received, heartbeats and `go` among them.
    pub(crate) messages: u64,
    /// Data messages sent: echoes, the heartbeats' answers, floods.
    pub(crate) sent: u64,
    pings: u64,
    ping_arrivals: VecDeque<(u64, u64)>,
}

impl Statistics {
    /// A connection was upgraded; returns its number.
    pub(crate) fn on_upgrade(&mut self) -> u64 {
        self.connections += 1;
        self.accepted += 1;
        self.accepted - 1
    }

    /// A JSON heartbeat came in over the connection of that number, at `now` nanoseconds.
    pub(crate) fn on_ping(&mut self, connection: u64, now: u64) {
        self.pings += 1;
        if self.ping_arrivals.len() == ARRIVALS {
            self.ping_arrivals.pop_front();
        }
        self.ping_arrivals.push_back((connection, now));
    }

    pub(crate) fn json(&self) -> String {
        let Self { connections, accepted, messages, sent, pings, ping_arrivals } = self;
        let mut json = format!(
            "{{\"connections\":{connections},\"accepted\":{accepted},\"messages\":{messages},\
             \"sent\":{sent},\"pings\":{pings},\"ping_arrivals\":["
        );
        for (index, (connection, at)) in ping_arrivals.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            // Writing into a String does not fail.
            let _ = write!(json, "{comma}[{connection},{at}]");
        }
        json.push_str("]}");
        json
    }
}
