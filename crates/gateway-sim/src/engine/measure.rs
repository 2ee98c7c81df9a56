//! What a run measures: counters, sliding windows, recovery and the curve.

use crate::outcome::{Curve, Peak, Recovery, Totals, share};

/// Opens in a sliding window, and the most that were in it.
#[derive(Clone, Debug)]
struct Window {
    opens: u64,
    worst: u64,
    worst_at: u64,
}

impl Window {
    const EMPTY: Self = Self { opens: 0, worst: 0, worst_at: 0 };

    fn slide(&mut self, now: u64, came: u32, left: u32) {
        self.opens = self.opens + u64::from(came) - u64::from(left);
        if self.opens > self.worst {
            (self.worst, self.worst_at) = (self.opens, now);
        }
    }

    fn peak(&self, clients: u64) -> Peak {
        Peak { opens: self.worst, share: share(self.worst, clients), at_ms: self.worst_at }
    }
}

/// The opens of the last second, by millisecond.
#[derive(Clone, Debug)]
pub(super) struct Peaks {
    ring: Vec<u32>,
    at: usize,
    tenth: Window,
    second: Window,
    opens: u64,
}

impl Peaks {
    pub(super) fn new() -> Self {
        Self { ring: vec![0; 1_000], at: 0, tenth: Window::EMPTY, second: Window::EMPTY, opens: 0 }
    }

    /// Ends a millisecond in which this many sockets began to open.
    pub(super) fn slide(&mut self, now: u64, opens: u32) {
        let second_ago = std::mem::replace(&mut self.ring[self.at], opens);
        let tenth_ago = self.ring[(self.at + 900) % 1_000];
        self.at = (self.at + 1) % 1_000;
        self.tenth.slide(now, opens, tenth_ago);
        self.second.slide(now, opens, second_ago);
        self.opens += u64::from(opens);
    }

    pub(super) const fn opens(&self) -> u64 {
        self.opens
    }

    pub(super) fn worst_100ms(&self, clients: u64) -> Peak {
        self.tenth.peak(clients)
    }

    pub(super) fn worst_1s(&self, clients: u64) -> Peak {
        self.second.peak(clients)
    }
}

/// Since when a share of the clients has been served.
#[derive(Clone, Debug)]
pub(super) struct Recovering {
    clients: u64,
    since: [Option<u64>; 3],
}

impl Recovering {
    const PERCENT: [u64; 3] = [50, 90, 99];

    pub(super) const fn new(clients: u64) -> Self {
        Self { clients, since: [None; 3] }
    }

    /// Ends a millisecond.
    pub(super) fn note(&mut self, now: u64, served: u64) {
        for (since, percent) in self.since.iter_mut().zip(Self::PERCENT) {
            if served * 100 < self.clients * percent {
                *since = None;
            } else if since.is_none() {
                *since = Some(now);
            }
        }
    }

    pub(super) fn recovery(&self, from: u64) -> Recovery {
        let [t50_ms, t90_ms, t99_ms] = self.since.map(|at| at.map(|at| at.saturating_sub(from)));
        Recovery { t50_ms, t90_ms, t99_ms }
    }
}

/// What a group has done, and how many of its clients are served.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    pub(super) clients: u64,
    pub(super) served: u64,
    pub(super) totals: Totals,
    /// Opens in this millisecond.
    pub(super) opens_now: u32,
    pub(super) peaks: Peaks,
    pub(super) recovering: Recovering,
}

impl Tally {
    pub(super) fn new(clients: u32) -> Self {
        let clients = u64::from(clients);
        Self {
            clients,
            served: 0,
            totals: Totals::default(),
            opens_now: 0,
            peaks: Peaks::new(),
            recovering: Recovering::new(clients),
        }
    }
}

/// The sum of all groups' counters. The rate is left out.
pub(super) fn sum(tallies: &[Tally]) -> Totals {
    let mut sum = Totals::default();
    for Tally { totals, .. } in tallies {
        sum.opens += totals.opens;
        sum.opened += totals.opened;
        sum.refused += totals.refused;
        sum.connect_timeouts += totals.connect_timeouts;
        sum.login_timeouts += totals.login_timeouts;
        sum.found_dead += totals.found_dead;
        sum.losses += totals.losses;
        sum.became_ready += totals.became_ready;
        sum.gave_up += totals.gave_up;
        sum.left += totals.left;
    }
    sum
}

/// Attempts for each client and minute.
pub(super) fn per_client_minute(opens: u64, clients: u64, millis: u64) -> f64 {
    share(opens.saturating_mul(60_000), clients.saturating_mul(millis))
}

/// The counters at the last row of the curve.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Marks {
    pub(super) opens: u64,
    pub(super) accepted: u64,
    pub(super) refused: u64,
    pub(super) timeouts: u64,
    pub(super) wasted_us: u64,
    pub(super) useful_us: u64,
}

/// The counts at an instant.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counts {
    pub(super) phases: [u64; 5],
    pub(super) served: u64,
    pub(super) accept_queue: u64,
    pub(super) login_queue: u64,
    pub(super) nodes_up: u64,
}

pub(super) fn add_row(curve: &mut Curve, at_ms: u64, counts: &Counts, now: &Marks, before: &Marks) {
    let [waiting, connecting, logging_in, ready, closed] = counts.phases;
    curve.at_ms.push(at_ms);
    curve.ready.push(ready);
    curve.served.push(counts.served);
    curve.waiting.push(waiting);
    curve.connecting.push(connecting);
    curve.logging_in.push(logging_in);
    curve.closed.push(closed);
    curve.opens.push(now.opens - before.opens);
    curve.accepted.push(now.accepted - before.accepted);
    curve.refused.push(now.refused - before.refused);
    curve.timeouts.push(now.timeouts - before.timeouts);
    curve.dead_work_us.push(now.wasted_us - before.wasted_us);
    curve.useful_work_us.push(now.useful_us - before.useful_us);
    curve.accept_queue.push(counts.accept_queue);
    curve.login_queue.push(counts.login_queue);
    curve.nodes_up.push(counts.nodes_up);
}
