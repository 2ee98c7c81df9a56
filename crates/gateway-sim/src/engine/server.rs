//! A node of the server: two stages with workers and queues.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use crate::scenario::{Admission, Away, Order, PPM, Stage};

/// An attempt in a queue.
#[derive(Clone, Copy, Debug)]
pub(super) struct Queued {
    pub(super) client: u32,
    pub(super) life: u32,
    pub(super) at_ns: u64,
}

/// A stage at work.
#[derive(Debug)]
pub(super) struct Work {
    stage: Stage,
    service_ns: u64,
    dead_ns: u64,
    queue: VecDeque<Queued>,
    /// When each worker is free.
    free: BinaryHeap<Reverse<u64>>,
    /// How many entries came, were given to a worker, and were dropped with the node. Audited.
    came: u64,
    taken: u64,
    dropped: u64,
}

/// An entry that a worker took from the queue.
#[derive(Clone, Copy, Debug)]
pub(super) struct Served {
    pub(super) entry: Queued,
    pub(super) is_alive: bool,
    /// When the worker is done with it.
    pub(super) done_ns: u64,
    /// How long the worker needs.
    pub(super) cost_ns: u64,
}

impl Work {
    pub(super) fn new(stage: &Stage, dead_work_ppm: u64) -> Self {
        let service_ns = u64::try_from(stage.service.as_nanos()).unwrap_or(u64::MAX);
        let dead_ns = u128::from(service_ns) * u128::from(dead_work_ppm) / u128::from(PPM);
        let mut work = Self {
            stage: *stage,
            service_ns,
            dead_ns: u64::try_from(dead_ns).unwrap_or(u64::MAX),
            queue: VecDeque::new(),
            free: BinaryHeap::new(),
            came: 0,
            taken: 0,
            dropped: 0,
        };
        work.restart(0);
        work
    }

    /// All workers are free from this instant, and the queue is empty.
    pub(super) fn restart(&mut self, now_ns: u64) -> VecDeque<Queued> {
        self.free.clear();
        self.free.extend((0..self.stage.workers).map(|_| Reverse(now_ns)));
        self.dropped += self.len();
        std::mem::take(&mut self.queue)
    }

    pub(super) fn len(&self) -> u64 {
        self.queue.len() as u64
    }

    pub(super) fn is_full(&self) -> bool {
        self.len() >= self.stage.queue
    }

    pub(super) const fn stage(&self) -> &Stage {
        &self.stage
    }

    pub(super) const fn service_ns(&self) -> u64 {
        self.service_ns
    }

    pub(super) fn push(&mut self, entry: Queued) {
        self.came += 1;
        self.queue.push_back(entry);
    }

    /// Gives the next entry to a worker, if one is free now.
    pub(super) fn next(
        &mut self,
        now_ns: u64,
        is_alive: impl Fn(&Queued) -> bool,
    ) -> Option<Served> {
        let mut worker = self.free.peek_mut()?;
        if worker.0 > now_ns {
            return None;
        }
        let entry = match self.stage.order {
            Order::Fifo => self.queue.pop_front(),
            Order::Lifo => self.queue.pop_back(),
        }?;
        self.taken += 1;
        let is_alive = is_alive(&entry);
        let cost_ns = if is_alive { self.service_ns } else { self.dead_ns };
        let done_ns = worker.0.max(entry.at_ns).saturating_add(cost_ns);
        worker.0 = done_ns;
        Some(Served { entry, is_alive, done_ns, cost_ns })
    }
}

impl Work {
    /// Whether every entry that came is accounted for.
    pub(super) fn is_conserved(&self) -> bool {
        self.came == self.taken + self.dropped + self.len() && self.len() <= self.stage.queue
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = &Queued> {
        self.queue.iter()
    }
}

/// The token bucket of a node's rate limit.
#[derive(Debug)]
pub(super) struct Bucket {
    pub(super) admission: Admission,
    /// In thousandths of a token: one for each token a second and millisecond.
    thousandths: u64,
    at_ms: u64,
}

impl Bucket {
    pub(super) fn new(admission: Admission) -> Self {
        Self { admission, thousandths: admission.burst.saturating_mul(1_000), at_ms: 0 }
    }

    pub(super) fn admits(&mut self, now: u64) -> bool {
        let gained = (now - self.at_ms).saturating_mul(self.admission.per_second);
        let most = self.admission.burst.saturating_mul(1_000);
        self.thousandths = self.thousandths.saturating_add(gained).min(most);
        self.at_ms = now;
        let is_admitted = self.thousandths >= 1_000;
        if is_admitted {
            self.thousandths -= 1_000;
        }
        is_admitted
    }
}

#[derive(Debug)]
pub(super) struct Node {
    pub(super) accept: Work,
    pub(super) login: Option<Work>,
    pub(super) bucket: Option<Bucket>,
    /// Connections that the node has, silent ones included.
    pub(super) open: u64,
    /// The faults that keep the node away, and what clients see of each.
    pub(super) away: Vec<Away>,
    /// What clients see of it while it is away.
    pub(super) how: Away,
    /// Whether the balancer sends clients to it.
    pub(super) is_seen_up: bool,
    /// Whether it is in the list of nodes with work.
    pub(super) is_listed: bool,
    /// Whether the load has crashed it in this millisecond.
    pub(super) is_crashing: bool,
}

impl Node {
    pub(super) fn is_up(&self) -> bool {
        self.away.is_empty()
    }

    pub(super) fn queued(&self) -> u64 {
        self.accept.len() + self.login.as_ref().map_or(0, Work::len)
    }
}
