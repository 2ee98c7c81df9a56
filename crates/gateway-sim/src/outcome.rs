//! The result of a simulation: plain data that serde writes.

use serde::Serialize;

/// The result of a simulation.
///
/// All times are simulated milliseconds. A time that is `None` was not reached before
/// [`horizon_ms`](Self::horizon_ms): read it as "not within the horizon", not as "never".
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Outcome {
    /// The scenario's name.
    pub scenario: String,
    /// The seed of the run.
    pub seed: u64,
    /// The number of clients.
    pub clients: u64,
    /// When the simulation was to end.
    pub horizon_ms: u64,
    /// When the simulation ended. It is less than the horizon if the run is partial.
    pub ended_ms: u64,
    /// Whether the run was stopped before its horizon. Then no time below is final.
    pub is_partial: bool,
    /// Whether at least 99 % of the clients were served, from some instant until the end.
    pub is_recovered: bool,
    /// The instant from which the recovery times count: the end of the last fault.
    pub measured_from_ms: u64,
    /// How long it took from `measured_from_ms` until 50 %, 90 % and 99 % were served for good.
    pub recovery: Recovery,
    /// What the clients did in all.
    pub totals: Totals,
    /// What the server did in all.
    pub server: ServerWork,
    /// The parts of the run between two changes of the faults, in order.
    pub waves: Vec<Wave>,
    /// The groups, in the order of the scenario.
    pub groups: Vec<GroupOutcome>,
    /// The state of fleet and server at each step.
    pub curve: Curve,
    /// The facts that were passed to all connections. A Tick is one of them. If the run is partial, it
    /// includes facts after the end, of clients that ran ahead while every attempt was refused.
    pub events: u64,
}

/// How long it took until a share of the clients was served for good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Recovery {
    /// Until 50 % were served, and stayed so until the end.
    pub t50_ms: Option<u64>,
    /// Until 90 % were served, and stayed so until the end.
    pub t90_ms: Option<u64>,
    /// Until 99 % were served, and stayed so until the end.
    pub t99_ms: Option<u64>,
}

/// What clients did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Totals {
    /// Sockets that the clients started to open.
    pub opens: u64,
    /// Sockets that opened.
    pub opened: u64,
    /// Attempts that the server refused, with a reset or an HTTP status.
    pub refused: u64,
    /// Attempts that ended at the connect timeout.
    pub connect_timeouts: u64,
    /// Logins that ended at the login timeout.
    pub login_timeouts: u64,
    /// Connections that the client's heartbeat found dead.
    pub found_dead: u64,
    /// Connections that were lost or closed by the server.
    pub losses: u64,
    /// Times at which a client became ready.
    pub became_ready: u64,
    /// Clients that gave up for good.
    pub gave_up: u64,
    /// Clients that left because of churn. A fresh client came for each.
    pub left: u64,
    /// Attempts for each client and minute, over the whole run.
    pub attempts_per_client_minute: f64,
}

/// What the server did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ServerWork {
    /// Entries that arrived at the accept stage.
    pub arrivals: u64,
    /// Entries that the accept stage finished, for clients that were still there.
    pub accepted: u64,
    /// Entries that the accept stage worked on for clients that had left.
    pub dead_accepts: u64,
    /// Logins that the server finished, for clients that were still there.
    pub logins: u64,
    /// Logins that the server worked on for clients that had left.
    pub dead_logins: u64,
    /// Attempts that the server refused with a reset.
    pub resets: u64,
    /// Connection requests that were dropped without an answer.
    pub dropped_syns: u64,
    /// Attempts that the server answered with an HTTP status.
    pub rejections: u64,
    /// The work that was of use, in microseconds of a worker.
    pub useful_us: u64,
    /// The work for clients that had left, in microseconds of a worker.
    pub wasted_us: u64,
    /// The share of all work that was for clients that had left.
    pub wasted_share: f64,
    /// Times at which a node crashed under load.
    pub crashes: u64,
}

/// A part of the run between two changes of the faults.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Wave {
    /// What began here, in words: for example `drop` or `outage ends`.
    pub cause: String,
    /// When it began.
    pub from_ms: u64,
    /// When it ended.
    pub to_ms: u64,
    /// Sockets that the clients started to open.
    pub opens: u64,
    /// The most opens within 100 ms.
    pub worst_100ms: Peak,
    /// The most opens within 1 s.
    pub worst_1s: Peak,
    /// Attempts for each client and minute.
    pub attempts_per_client_minute: f64,
}

/// The most opens within a window of fixed length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Peak {
    /// The opens in the window.
    pub opens: u64,
    /// The same, as a share of all clients. It exceeds 1 if clients opened more than once.
    pub share: f64,
    /// The last millisecond of the window.
    pub at_ms: u64,
}

/// The result of one group of clients.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct GroupOutcome {
    /// The group's name.
    pub name: String,
    /// The number of clients.
    pub clients: u64,
    /// The clients that were served at the end.
    pub served: u64,
    /// How long it took until a share of this group was served for good.
    pub recovery: Recovery,
    /// What the clients of this group did.
    pub totals: Totals,
    /// The most opens of this group within 100 ms, from the last disturbance on. The share is of
    /// the group.
    pub worst_100ms: Peak,
}

/// The state of fleet and server at each step, as columns of equal length.
///
/// Counts of a row are taken at its instant. Sums cover the time since the row before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Curve {
    /// The instant of the row.
    pub at_ms: Vec<u64>,
    /// Clients that are ready, as they see it.
    pub ready: Vec<u64>,
    /// Clients that are ready, and that the server serves.
    pub served: Vec<u64>,
    /// Clients that wait for their next attempt.
    pub waiting: Vec<u64>,
    /// Clients whose socket is opening.
    pub connecting: Vec<u64>,
    /// Clients whose socket is open, and whose login is running.
    pub logging_in: Vec<u64>,
    /// Clients that gave up, or that are closed.
    pub closed: Vec<u64>,
    /// Sum: sockets that the clients started to open.
    pub opens: Vec<u64>,
    /// Sum: attempts that the accept stage finished, for clients that were still there.
    pub accepted: Vec<u64>,
    /// Sum: refusals, by reset or HTTP status.
    pub refused: Vec<u64>,
    /// Sum: attempts and logins that ended at their timeout.
    pub timeouts: Vec<u64>,
    /// Sum: work for clients that had left, in microseconds of a worker.
    pub dead_work_us: Vec<u64>,
    /// Sum: work that was of use, in microseconds of a worker.
    pub useful_work_us: Vec<u64>,
    /// Entries in the accept queues of all nodes, dead ones included.
    pub accept_queue: Vec<u64>,
    /// Entries in the login queues of all nodes, dead ones included.
    pub login_queue: Vec<u64>,
    /// Nodes that are up.
    pub nodes_up: Vec<u64>,
}

impl Curve {
    /// The names of the columns, in order.
    pub const COLUMNS: &[&'static str] = &[
        "at_ms",
        "ready",
        "served",
        "waiting",
        "connecting",
        "logging_in",
        "closed",
        "opens",
        "accepted",
        "refused",
        "timeouts",
        "dead_work_us",
        "useful_work_us",
        "accept_queue",
        "login_queue",
        "nodes_up",
    ];

    /// The columns, in the order of [`COLUMNS`](Self::COLUMNS).
    pub fn columns(&self) -> impl ExactSizeIterator<Item = &[u64]> {
        let columns: [&[u64]; Self::COLUMNS.len()] = [
            &self.at_ms,
            &self.ready,
            &self.served,
            &self.waiting,
            &self.connecting,
            &self.logging_in,
            &self.closed,
            &self.opens,
            &self.accepted,
            &self.refused,
            &self.timeouts,
            &self.dead_work_us,
            &self.useful_work_us,
            &self.accept_queue,
            &self.login_queue,
            &self.nodes_up,
        ];
        columns.into_iter()
    }

    /// The number of rows.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.at_ms.len()
    }

    /// Whether there is no row.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.at_ms.is_empty()
    }
}

/// How far a simulation has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// The simulated time.
    pub now_ms: u64,
    /// When the simulation ends.
    pub horizon_ms: u64,
    /// The number of clients.
    pub clients: u64,
    /// Clients that the server serves.
    pub served: u64,
    /// Sockets that the clients started to open so far.
    pub opens: u64,
    /// The facts that were passed to all connections so far.
    pub events: u64,
}

/// `part / whole` as a share. Zero of nothing is zero.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
pub(crate) fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
