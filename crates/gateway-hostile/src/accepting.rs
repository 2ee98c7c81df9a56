//! A bounded rate of accepts, as of a server under load: connections wait for their turn in a queue.

use std::{sync::Arc, time::Duration};

use thiserror::Error;
use tokio::{
    sync::{Mutex, OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

use crate::{clock, line::Line, server::MAX_CONNECTIONS};

/// How many connections a server accepts in a second, and what it does with the others.
///
/// The server works on one connection at a time, for a second divided by the rate. Then it answers
/// the request for an upgrade. Other connections wait in their order. A connection that finds the
/// queue full is reset. A client that leaves keeps its place in the queue until its turn.
#[derive(Clone, Copy, Debug, PartialEq)]
#[must_use]
pub struct AcceptLimit {
    per_second: u32,
    queue: usize,
    dead_work: f64,
}

/// Why an [`AcceptLimit`] is not possible.
#[derive(Clone, Copy, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum AcceptLimitError {
    /// The rate is 0, or too high.
    #[error("the rate of accepts is {0}, and must be from 1 to {max} a second", max = AcceptLimit::MAX_PER_SECOND)]
    PerSecond(u32),
    /// The queue is empty, or longer than the server's limit of open connections.
    #[error("the queue of accepts is {0}, and must be from 1 to {max} connections", max = AcceptLimit::MAX_QUEUE)]
    Queue(usize),
    /// The dead work is not a number, negative, or too much.
    #[error("the dead work is {0}, and must be a number from 0 to {max}", max = AcceptLimit::MAX_DEAD_WORK)]
    DeadWork(f64),
}

impl AcceptLimit {
    /// The highest rate.
    pub const MAX_PER_SECOND: u32 = 1_000_000;
    /// The longest queue: the server has no more connections than this.
    pub const MAX_QUEUE: usize = MAX_CONNECTIONS;
    /// The most dead work.
    pub const MAX_DEAD_WORK: f64 = 10.0;

    /// A limit of accepts in a second, with a queue of 1024 and a dead work of 1.
    ///
    /// # Errors
    /// If the rate is 0 or above [`MAX_PER_SECOND`](Self::MAX_PER_SECOND).
    pub const fn new(per_second: u32) -> Result<Self, AcceptLimitError> {
        if per_second == 0 || per_second > Self::MAX_PER_SECOND {
            return Err(AcceptLimitError::PerSecond(per_second));
        }
        Ok(Self { per_second, queue: 1024, dead_work: 1.0 })
    }

    /// Sets how many connections may wait while the server works on another one.
    ///
    /// # Errors
    /// If it is 0 or above [`MAX_QUEUE`](Self::MAX_QUEUE).
    pub const fn queue(mut self, connections: usize) -> Result<Self, AcceptLimitError> {
        if connections == 0 || connections > Self::MAX_QUEUE {
            return Err(AcceptLimitError::Queue(connections));
        }
        self.queue = connections;
        Ok(self)
    }

    /// Sets the cost of a connection whose client has left before its turn, relative to one whose
    /// client waits. With 1 the server notices only when it writes, as real servers do; with 0 it
    /// skips the connection for free.
    ///
    /// # Errors
    /// If it is not a number from 0 to [`MAX_DEAD_WORK`](Self::MAX_DEAD_WORK).
    pub const fn dead_work(mut self, cost: f64) -> Result<Self, AcceptLimitError> {
        // A comparison with NaN is false.
        if !(cost >= 0.0 && cost <= Self::MAX_DEAD_WORK) {
            return Err(AcceptLimitError::DeadWork(cost));
        }
        self.dead_work = cost;
        Ok(self)
    }

    /// How long the server works on a connection.
    fn work(&self, has_left: bool) -> Duration {
        let work = Duration::from_secs(1) / self.per_second;
        if has_left { work.mul_f64(self.dead_work) } else { work }
    }
}

/// The queue of a server with a limit, and the worker at its head.
#[derive(Debug)]
pub(crate) struct AcceptQueue {
    limit: AcceptLimit,
    /// One for each connection that waits, and one for the connection that is worked on.
    places: Arc<Semaphore>,
    /// A fair lock: the tasks of connections get it in the order of their requests.
    worker: Mutex<Worker>,
}

#[derive(Debug, Default)]
struct Worker {
    free_at: Option<Instant>,
}

/// A connection's place in the queue. Dropping it frees the place.
#[derive(Debug)]
pub(crate) struct Place {
    queue: Arc<AcceptQueue>,
    arrived_at: Instant,
    _permit: OwnedSemaphorePermit,
}

impl AcceptQueue {
    pub(crate) fn new(limit: AcceptLimit) -> Self {
        let places = Arc::new(Semaphore::new(limit.queue.saturating_add(1)));
        Self { limit, places, worker: Mutex::default() }
    }

    /// Reserves a place in the queue for a new connection. Returns `None` if the queue is full.
    pub(crate) fn enter(self: &Arc<Self>) -> Option<Place> {
        let permit = Arc::clone(&self.places).try_acquire_owned().ok()?;
        Some(Place { queue: Arc::clone(self), arrived_at: clock::now(), _permit: permit })
    }
}

impl Worker {
    /// Plans the work on the next connection. Returns when it is done. A timer that fired late does
    /// not lower the rate, because a connection that has waited starts when the previous one was due.
    fn take(&mut self, arrived_at: Instant, work: Duration) -> Instant {
        let starts_at = self.free_at.map_or(arrived_at, |free_at| free_at.max(arrived_at));
        *self.free_at.insert(starts_at + work)
    }
}

impl Place {
    /// Waits until the server has worked on the connection. Returns whether its client had left
    /// before its turn.
    pub(crate) async fn turn(self, line: &Line) -> bool {
        let mut worker = self.queue.worker.lock().await;
        let has_left = line.has_left().await;
        let done_at = worker.take(self.arrived_at, self.queue.limit.work(has_left));
        clock::until(Some(done_at)).await;
        has_left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn milliseconds(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    #[test]
    fn what_is_out_of_its_limits_is_refused_with_its_value_and_limit() {
        let limit = AcceptLimit::new(1).expect("the lowest rate");
        assert!(AcceptLimit::new(AcceptLimit::MAX_PER_SECOND).is_ok());
        assert!(limit.queue(1).is_ok() && limit.queue(AcceptLimit::MAX_QUEUE).is_ok());
        assert!(limit.dead_work(0.0).is_ok() && limit.dead_work(10.0).is_ok());

        for (refused, words) in [
            (AcceptLimit::new(0), "is 0, and must be from 1 to 1000000 a second"),
            (AcceptLimit::new(1_000_001), "is 1000001, and must be from 1 to 1000000 a second"),
            (limit.queue(0), "is 0, and must be from 1 to 4096 connections"),
            (limit.queue(4_097), "is 4097, and must be from 1 to 4096 connections"),
            (limit.dead_work(-0.5), "is -0.5, and must be a number from 0 to 10"),
            (limit.dead_work(10.5), "is 10.5, and must be a number from 0 to 10"),
            (limit.dead_work(f64::NAN), "is NaN, and must be a number from 0 to 10"),
        ] {
            let text = refused.expect_err("out of its limits").to_string();
            assert!(text.ends_with(words), "{text}");
        }
    }

    #[test]
    fn work_is_a_share_of_a_second_and_a_client_that_has_left_costs_its_part() {
        let limit = AcceptLimit::new(500).expect("a rate");
        assert_eq!(limit.work(false), milliseconds(2));
        assert_eq!(limit.work(true), milliseconds(2));

        let limit = limit.dead_work(0.5).expect("a cost");
        assert_eq!(limit.work(false), milliseconds(2));
        assert_eq!(limit.work(true), milliseconds(1));
    }

    #[test]
    fn connections_that_wait_are_a_work_apart_and_an_idle_worker_starts_at_once() {
        let start = clock::now();
        let work = milliseconds(2);
        let mut worker = Worker::default();

        let done = [0, 0, 1, 9].map(|at| worker.take(start + milliseconds(at), work) - start);

        assert_eq!(done, [2, 4, 6, 11].map(milliseconds));
    }

    #[test]
    fn a_full_queue_has_no_place_until_one_is_free() {
        let limit = AcceptLimit::new(1).expect("a rate").queue(2).expect("a length");
        let queue = Arc::new(AcceptQueue::new(limit));
        let mut places: Vec<_> = std::iter::from_fn(|| queue.enter()).take(9).collect();

        assert_eq!(places.len(), 3, "one that is worked on, and two that wait");
        places.pop();
        assert!(queue.enter().is_some());
    }
}
