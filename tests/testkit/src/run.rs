//! The result of a harness: every observed event, the bytes on the wire, and what the application saw.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gateway_core::{
    Action, Config, ConnectionState, Event, EventKind, Notice, Observed, Observer, SocketId,
    Statistics,
};

use crate::checker::{Checker, Violation};
use crate::stage::{Diary, millis_of};
use crate::trace;

/// One observed event.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Sighting {
    /// When, in milliseconds.
    pub at: u64,
    /// Which event.
    pub event: EventKind,
    /// Its socket, if it has one.
    pub socket: Option<SocketId>,
    /// The actions.
    pub actions: Vec<Action>,
    /// The state after it.
    pub state: ConnectionState,
}

/// One run of a scenario.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Run {
    /// One line for each event that matters: see [`trace::line`].
    pub trace: Vec<String>,
    /// Every observed event.
    pub sightings: Vec<Sighting>,
    /// What the peers saw of the client.
    pub wire: Vec<String>,
    /// What the application saw.
    pub diary: Diary,
    /// The connection's statistics.
    pub statistics: Statistics,
    /// The first invariant that did not hold.
    pub violation: Option<Violation>,
}

impl Run {
    /// Makes a run from the parts that a harness has recorded.
    #[must_use]
    pub fn new(
        recorder: &Recorder,
        wire: Vec<String>,
        diary: Diary,
        statistics: Statistics,
    ) -> Self {
        let record = recorder.lock();
        Self {
            trace: record.trace.clone(),
            sightings: record.sightings.clone(),
            wire,
            diary,
            statistics,
            violation: record.violation.clone(),
        }
    }

    /// Every action, with its time in milliseconds.
    pub fn actions(&self) -> impl Iterator<Item = (u64, &Action)> {
        self.sightings.iter().flat_map(|seen| seen.actions.iter().map(|action| (seen.at, action)))
    }

    /// Every notice, with its time in milliseconds.
    pub fn notices(&self) -> impl Iterator<Item = (u64, &Notice)> {
        self.actions().filter_map(|(at, action)| match action {
            Action::Notify(notice) => Some((at, notice)),
            Action::AskProvider { .. }
            | Action::OpenSocket { .. }
            | Action::ReserveOpen(_)
            | Action::ReleaseOpen
            | Action::Send(..)
            | Action::CloseSocket(_)
            | Action::AbortSocket(_)
            | Action::Drain(_)
            | Action::ResumeAt(_)
            | Action::ScheduleTimer(_)
            | Action::CancelTimer
            | Action::Deliver => None,
        })
    }

    /// The state at the end.
    #[must_use]
    pub fn state(&self) -> ConnectionState {
        self.sightings.last().map_or(ConnectionState::Disconnected, |seen| seen.state)
    }
}

/// An observer that records everything and checks the invariants. Clones share one record.
#[derive(Clone, Default)]
pub struct Recorder(Arc<Mutex<Record>>);

#[derive(Default)]
struct Record {
    checker: Option<Checker>,
    trace: Vec<String>,
    sightings: Vec<Sighting>,
    violation: Option<Violation>,
}

impl Recorder {
    /// Whether an invariant was broken. Everything after that is meaningless.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.lock().violation.is_some()
    }

    fn lock(&self) -> MutexGuard<'_, Record> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Recorder {
    fn begin(&mut self, config: &Config, _: u64) {
        self.lock().checker = Some(Checker::new(Arc::new(config.clone())));
    }

    fn observe(&mut self, observed: &Observed<'_>) {
        let mut record = self.lock();
        record.trace.extend(trace::line(observed));
        record.sightings.push(Sighting {
            at: millis_of(observed.now),
            event: observed.event.kind(),
            socket: observed.event.socket(),
            actions: observed.actions.to_vec(),
            state: observed.state,
        });
        if record.violation.is_none() {
            let judged = record.checker.as_mut().map(|checker| checker.observe(observed));
            record.violation = judged.and_then(Result::err);
        }
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.lock().sightings.len();
        f.debug_struct("Recorder").field("sightings", &count).finish_non_exhaustive()
    }
}

/// Whether traces omit this event if it has no actions: drivers may check clocks as often as they like.
pub(crate) const fn is_idle(event: &Event<'_>, actions: &[Action]) -> bool {
    matches!(event, Event::Tick | Event::WallClock(_)) && actions.is_empty()
}
