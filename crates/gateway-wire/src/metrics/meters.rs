//! The handles of a client's metrics. They are registered once, when the client is built.

use gateway_core::{ConnectionState, every};
use metrics::{Counter, Gauge, Histogram, Label, counter, gauge, histogram};

use super::Sample;
use super::measured::{Fact, Report};
use super::table::{self, METRICS, MetricKind};
use crate::name::Name;

const STATES: [ConnectionState; 6] = [
    ConnectionState::Disconnected,
    ConnectionState::Connecting,
    ConnectionState::Connected,
    ConnectionState::Authenticated,
    ConnectionState::Closing,
    ConnectionState::Closed,
];

/// The handles. A drop reports the client as CLOSED.
pub(crate) struct Meters {
    gauges: Gauges,
    totals: Totals,
    disconnects: ByCause,
    reconnects: ByCause,
    give_ups: ByCause,
    retry_delay: Histogram,
    round_trip: Histogram,
    maybe_sent: Counter,
    rejected: Counter,
    expired: Counter,
    missed: Counter,
}

struct Gauges {
    states: [Gauge; 6],
    ready: Gauge,
    /// The buffers: of the outbox, of the socket, of the application.
    outbox_messages: Gauge,
    outbox_bytes: Gauge,
    write_buffer_bytes: Gauge,
    unread_events: Gauge,
    unread_bytes: Gauge,
    unanswered_requests: Gauge,
}

/// Counters of what the session counts itself.
struct Totals {
    attempts: Total,
    opened: Total,
    ready_seconds: Total,
    received_frames: Total,
    sent_frames: Total,
    received_bytes: Total,
    sent_bytes: Total,
    unmatched_answers: Total,
    dropped: Total,
}

/// A counter, and how much of the session's count it has. Clients of the same name share a series, so
/// it gets differences.
struct Total {
    counter: Counter,
    counted: u64,
}

/// A counter for each cause, so that each series exists before its first cause.
struct ByCause(Vec<(&'static str, Counter)>);

impl Meters {
    /// Registers all metrics, and sets the gauges of a client that has not started.
    pub(super) fn register(name: Option<&Name>) -> Self {
        describe();
        let labels: Vec<Label> =
            name.map(|name| Label::new("name", name.as_str().to_owned())).into_iter().collect();
        let counter = |name: &'static str| counter!(name, labels.clone());
        let histogram = |name: &'static str| histogram!(name, labels.clone());
        let disconnects = every::disconnect_causes();
        let give_ups = every::give_up_causes();
        let meters = Self {
            gauges: Gauges::register(&labels),
            totals: Totals::register(&labels),
            disconnects: ByCause::register(
                table::DISCONNECTS,
                disconnects.iter().map(|cause| cause.name()),
                &labels,
            ),
            reconnects: ByCause::register(
                table::RECONNECTS,
                disconnects.iter().map(|cause| cause.name()),
                &labels,
            ),
            give_ups: ByCause::register(
                table::GIVE_UPS,
                give_ups.iter().map(|cause| cause.name()),
                &labels,
            ),
            retry_delay: histogram(table::RETRY_DELAY),
            round_trip: histogram(table::ROUND_TRIP),
            maybe_sent: counter(table::MAYBE_SENT),
            rejected: counter(table::REJECTED),
            expired: counter(table::EXPIRED),
            missed: counter(table::MISSED),
        };
        meters.gauges.rest(ConnectionState::Disconnected);
        meters
    }

    /// Passes a report to the recorder.
    pub(crate) fn apply(&mut self, report: &Report) {
        for fact in &report.facts {
            match *fact {
                Fact::Disconnected(cause) => self.disconnects.count(cause.name()),
                Fact::Reconnected(cause) => self.reconnects.count(cause.name()),
                Fact::GaveUp(cause) => self.give_ups.count(cause.name()),
                Fact::RetryChosen(delay) => self.retry_delay.record(delay),
                Fact::RoundTrip(span) => self.round_trip.record(span),
            }
        }
        for (counter, count) in [
            (&self.maybe_sent, report.maybe_sent),
            (&self.rejected, report.rejected),
            (&self.expired, report.expired),
            (&self.missed, report.missed),
        ] {
            if count > 0 {
                counter.increment(count);
            }
        }
        if let Some(sample) = &report.sample {
            self.totals.apply(sample);
            self.gauges.apply(sample);
        }
    }
}

impl Drop for Meters {
    fn drop(&mut self) {
        self.gauges.rest(ConnectionState::Closed);
    }
}

impl Gauges {
    fn register(labels: &[Label]) -> Self {
        let gauge = |name: &'static str| gauge!(name, labels.to_vec());
        let state = |state: ConnectionState| {
            let own = Label::from_static_parts("state", state.name());
            gauge!(table::STATE, [labels, &[own]].concat())
        };
        Self {
            states: STATES.map(state),
            ready: gauge(table::READY),
            outbox_messages: gauge(table::OUTBOX_MESSAGES),
            outbox_bytes: gauge(table::OUTBOX_BYTES),
            write_buffer_bytes: gauge(table::WRITE_BUFFER_BYTES),
            unread_events: gauge(table::UNREAD_EVENTS),
            unread_bytes: gauge(table::UNREAD_BYTES),
            unanswered_requests: gauge(table::UNANSWERED_REQUESTS),
        }
    }

    fn apply(&self, sample: &Sample) {
        let Sample { status, unread_events, unread_bytes, write_buffer_bytes } = sample;
        if status.state == ConnectionState::Closed {
            return self.rest(ConnectionState::Closed); // what is unread only the application can take
        }
        self.set_state(status.state);
        self.ready.set(f64::from(u8::from(status.is_ready)));
        self.outbox_messages.set(status.queued_messages as f64);
        self.outbox_bytes.set(status.queued_bytes as f64);
        self.write_buffer_bytes.set(*write_buffer_bytes as f64);
        self.unread_events.set(*unread_events as f64);
        self.unread_bytes.set(*unread_bytes as f64);
        self.unanswered_requests.set(status.unanswered_requests as f64);
    }

    /// Sets the gauges of a client in `state` that has no socket and no messages.
    fn rest(&self, state: ConnectionState) {
        self.set_state(state);
        for gauge in [
            &self.ready,
            &self.outbox_messages,
            &self.outbox_bytes,
            &self.write_buffer_bytes,
            &self.unread_events,
            &self.unread_bytes,
            &self.unanswered_requests,
        ] {
            gauge.set(0.0);
        }
    }

    fn set_state(&self, now: ConnectionState) {
        for (state, gauge) in STATES.iter().zip(&self.states) {
            gauge.set(f64::from(u8::from(*state == now)));
        }
    }
}

impl Totals {
    fn register(labels: &[Label]) -> Self {
        let total =
            |name: &'static str| Total { counter: counter!(name, labels.to_vec()), counted: 0 };
        Self {
            attempts: total(table::ATTEMPTS),
            opened: total(table::OPENED),
            ready_seconds: total(table::READY_SECONDS),
            received_frames: total(table::RECEIVED_FRAMES),
            sent_frames: total(table::SENT_FRAMES),
            received_bytes: total(table::RECEIVED_BYTES),
            sent_bytes: total(table::SENT_BYTES),
            unmatched_answers: total(table::UNMATCHED_ANSWERS),
            dropped: total(table::DROPPED),
        }
    }

    fn apply(&mut self, sample: &Sample) {
        let (status, statistics) = (&sample.status, &sample.status.statistics);
        self.attempts.reach(statistics.attempts);
        self.opened.reach(statistics.opened);
        self.ready_seconds.reach(statistics.time_ready.as_secs());
        self.received_frames.reach(statistics.frames_in);
        self.sent_frames.reach(statistics.frames_out);
        self.received_bytes.reach(statistics.bytes_in);
        self.sent_bytes.reach(statistics.bytes_out);
        self.unmatched_answers.reach(status.unmatched_answers);
        self.dropped.reach(status.dropped_messages);
    }
}

impl Total {
    fn reach(&mut self, count: u64) {
        let more = count.saturating_sub(self.counted);
        if more > 0 {
            self.counter.increment(more);
            self.counted = count;
        }
    }
}

impl ByCause {
    fn register(
        name: &'static str,
        causes: impl Iterator<Item = &'static str>,
        labels: &[Label],
    ) -> Self {
        let counter = |cause| {
            let own = Label::from_static_parts("cause", cause);
            (cause, counter!(name, [labels, &[own]].concat()))
        };
        Self(causes.map(counter).collect())
    }

    fn count(&self, cause: &str) {
        if let Some((_, counter)) = self.0.iter().find(|(own, _)| *own == cause) {
            counter.increment(1);
        }
    }
}

fn describe() {
    for metric in METRICS {
        match metric.kind {
            MetricKind::Counter => {
                metrics::describe_counter!(metric.name, metric.unit, metric.meaning);
            }
            MetricKind::Gauge => metrics::describe_gauge!(metric.name, metric.unit, metric.meaning),
            MetricKind::Histogram => {
                metrics::describe_histogram!(metric.name, metric.unit, metric.meaning);
            }
        }
    }
}

impl std::fmt::Debug for Meters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Meters").finish_non_exhaustive()
    }
}
