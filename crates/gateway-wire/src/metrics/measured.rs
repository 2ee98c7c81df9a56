//! What a session has noted for its metrics, until the recorder gets it.

use std::time::Duration;

use gateway_core::{DisconnectCause, GiveUpCause, Instant, Notice};

use super::{Meters, Sample};
use crate::event::ClientEvent;
use crate::name::Name;
use crate::outcome::{Fate, Outcome};

/// How old a sample may be while the client does something.
const SAMPLE_EVERY: Duration = Duration::from_secs(1);

/// The most facts that wait. More come only if the driver does not run.
const FACTS: usize = 1_024;

/// The metrics of a session, if it has any. The others have only this pointer.
#[derive(Debug, Default)]
pub(crate) struct Metering(Option<Box<Measured>>);

#[derive(Debug)]
struct Measured {
    /// `None` once the reports are deferred.
    meters: Option<Box<Meters>>,
    report: Report,
    /// Why the connection that was last ready was lost, until the next is ready.
    lost: Option<DisconnectCause>,
    was_ready: bool,
    /// Whether the next report needs a sample.
    is_due: bool,
    /// When the last sample is old.
    next: Instant,
}

/// Facts and counts since the last report, and the newest sample.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(super) facts: Vec<Fact>,
    /// Messages, by their outcomes. One call may settle any number of them.
    pub(super) maybe_sent: u64,
    pub(super) rejected: u64,
    pub(super) expired: u64,
    /// Notices that were dropped.
    pub(super) missed: u64,
    pub(super) sample: Option<Sample>,
}

/// Something that happens rarely.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fact {
    Disconnected(DisconnectCause),
    Reconnected(DisconnectCause),
    GaveUp(GiveUpCause),
    RetryChosen(Duration),
    RoundTrip(Duration),
}

impl Metering {
    /// Registers the metrics with the recorder of this thread or process.
    pub(crate) fn start(name: Option<&Name>) -> Self {
        Self(Some(Box::new(Measured {
            meters: Some(Box::new(Meters::register(name))),
            report: Report::default(),
            lost: None,
            was_ready: false,
            is_due: false,
            next: Instant::ZERO,
        })))
    }

    /// Notes an event for the application.
    #[inline]
    pub(crate) fn news(&mut self, event: &ClientEvent) {
        if let Some(measured) = &mut self.0 {
            measured.news(event);
        }
    }

    /// Notes the outcome of messages.
    #[inline]
    pub(crate) fn outcome(&mut self, outcome: &Outcome) {
        if let Some(measured) = &mut self.0 {
            measured.outcome(outcome);
        }
    }

    /// Notes that events were dropped because the application took none.
    pub(crate) fn missed(&mut self, count: usize) {
        if let Some(measured) = &mut self.0 {
            measured.report.missed = measured.report.missed.saturating_add(count as u64);
            measured.is_due = true;
        }
    }

    /// Notes that a sample is needed.
    #[inline]
    pub(crate) fn touch(&mut self) {
        if let Some(measured) = &mut self.0 {
            measured.is_due = true;
        }
    }

    /// Whether a sample is needed.
    #[inline]
    pub(crate) fn is_due(&self) -> bool {
        self.0.as_ref().is_some_and(|measured| measured.is_due)
    }

    /// Whether the last sample is old. `now` is called only with metrics.
    #[inline]
    pub(crate) fn is_old(&self, now: impl FnOnce() -> Instant) -> bool {
        self.0.as_ref().is_some_and(|measured| now() >= measured.next)
    }

    /// Takes a sample, and passes the report on unless reports are deferred.
    pub(crate) fn take(&mut self, now: Instant, sample: &Sample) {
        let Some(measured) = &mut self.0 else { return };
        measured.is_due = false;
        measured.next = now.saturating_add(SAMPLE_EVERY);
        measured.report.sample = Some(*sample);
        if let Some(meters) = &mut measured.meters {
            meters.apply(&std::mem::take(&mut measured.report));
        }
    }

    /// Returns the handles. From now on reports are kept for [`take_report`](Self::take_report).
    pub(crate) fn defer(&mut self) -> Option<Box<Meters>> {
        self.0.as_mut()?.meters.take()
    }

    /// Returns what was noted since the last call, once there is a sample.
    #[inline]
    pub(crate) fn take_report(&mut self) -> Option<Box<Report>> {
        let measured = self.0.as_mut().filter(|measured| measured.report.sample.is_some())?;
        Some(Box::new(std::mem::take(&mut measured.report)))
    }
}

impl Measured {
    #[cold]
    fn news(&mut self, event: &ClientEvent) {
        // A server may send any number of pongs that answer no ping.
        self.is_due |= !matches!(
            event,
            ClientEvent::Notice(
                Notice::PongReceived { round_trip: None, .. } | Notice::Stale { .. }
            )
        );
        match event {
            ClientEvent::Disconnected { cause, .. } => {
                if self.was_ready && self.lost.is_none() {
                    self.lost = Some(*cause);
                }
                self.note(Fact::Disconnected(*cause));
            }
            ClientEvent::Notice(Notice::Ready { .. }) => {
                self.was_ready = true;
                if let Some(cause) = self.lost.take() {
                    self.note(Fact::Reconnected(cause));
                }
            }
            ClientEvent::Notice(Notice::RetryScheduled { delay, .. }) => {
                self.note(Fact::RetryChosen(*delay));
            }
            ClientEvent::Notice(Notice::PongReceived { round_trip: Some(span), .. }) => {
                self.note(Fact::RoundTrip(*span));
            }
            ClientEvent::Notice(Notice::GaveUp { cause }) => self.note(Fact::GaveUp(*cause)),
            // These are in the sample, or have no metric.
            ClientEvent::Notice(_)
            | ClientEvent::Message(_)
            | ClientEvent::LoginRefused { .. }
            | ClientEvent::Outcome(_)
            | ClientEvent::Lost { .. }
            | ClientEvent::MessagesDropped { .. }
            | ClientEvent::Missed { .. } => {}
        }
    }

    fn outcome(&mut self, outcome: &Outcome) {
        let report = &mut self.report;
        let counted = match outcome.fate {
            Fate::Sent { .. } => return, // frequent, and in the sample
            Fate::MaybeSent { .. } => &mut report.maybe_sent,
            Fate::Rejected => &mut report.rejected,
            Fate::Expired => &mut report.expired,
        };
        *counted = counted.saturating_add(outcome.count());
        self.is_due = true;
    }

    #[cold]
    fn note(&mut self, fact: Fact) {
        self.is_due = true;
        if self.report.facts.len() < FACTS {
            self.report.facts.push(fact);
        }
    }
}
