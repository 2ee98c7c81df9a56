//! The name, type, unit and meaning of each metric.

/// A metric of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metric {
    /// The name.
    pub name: &'static str,
    /// The type.
    pub kind: MetricKind,
    /// The unit.
    pub unit: metrics::Unit,
    /// What it measures, for a reader of the scrape.
    pub meaning: &'static str,
}

/// The type of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // the facade has these three
pub enum MetricKind {
    /// It only grows.
    Counter,
    /// It has a current value.
    Gauge,
    /// It counts values in buckets.
    Histogram,
}

use MetricKind::{Counter, Gauge, Histogram};
use metrics::Unit::{Bytes, Count, Seconds};

/// Every metric of a client with [`metrics`](crate::Settings::metrics). Use it to set the buckets of
/// histograms, or to list names in a dashboard.
pub const METRICS: &[Metric] = &[
    metric(STATE, Gauge, Count, "1 for the state that the connection is in, 0 for the others"),
    metric(READY, Gauge, Count, "1 while the connection is ready, otherwise 0"),
    metric(ATTEMPTS, Counter, Count, "Attempts to open a socket"),
    metric(OPENED, Counter, Count, "Sockets that opened"),
    metric(DISCONNECTS, Counter, Count, "Sockets that ended, and attempts that failed, by cause"),
    metric(RECONNECTS, Counter, Count, "Returns to ready, by the cause of the loss before"),
    metric(GIVE_UPS, Counter, Count, "Times the client stopped for good, by cause"),
    metric(RETRY_DELAY, Histogram, Seconds, "Delays chosen before a retry"),
    metric(ROUND_TRIP, Histogram, Seconds, "Round trips of heartbeats"),
    metric(READY_SECONDS, Counter, Seconds, "Time spent ready, in whole seconds"),
    metric(RECEIVED_FRAMES, Counter, Count, "Messages and control frames received"),
    metric(SENT_FRAMES, Counter, Count, "Messages and control frames sent"),
    metric(RECEIVED_BYTES, Counter, Bytes, "Payload received"),
    metric(SENT_BYTES, Counter, Bytes, "Payload sent"),
    metric(OUTBOX_MESSAGES, Gauge, Count, "Messages in the outbox"),
    metric(OUTBOX_BYTES, Gauge, Bytes, "Payload of the messages in the outbox"),
    metric(WRITE_BUFFER_BYTES, Gauge, Bytes, "Bytes that the socket has not taken yet"),
    metric(UNREAD_EVENTS, Gauge, Count, "Events that the application has not taken"),
    metric(UNREAD_BYTES, Gauge, Bytes, "Memory of received messages that it has not taken"),
    metric(UNANSWERED_REQUESTS, Gauge, Count, "Requests that have not ended"),
    metric(UNMATCHED_ANSWERS, Counter, Count, "Answers that came for no request, or too late"),
    metric(MAYBE_SENT, Counter, Count, "Messages partly written when the socket was lost"),
    metric(REJECTED, Counter, Count, "Accepted messages of which nothing was written"),
    metric(EXPIRED, Counter, Count, "Messages that waited in the outbox for too long"),
    metric(DROPPED, Counter, Count, "Received messages dropped because none were taken"),
    metric(MISSED, Counter, Count, "Notices dropped because no events were taken"),
];

pub(super) const STATE: &str = "gateway_state";
pub(super) const READY: &str = "gateway_ready";
pub(super) const ATTEMPTS: &str = "gateway_attempts_total";
pub(super) const OPENED: &str = "gateway_opened_total";
pub(super) const DISCONNECTS: &str = "gateway_disconnects_total";
pub(super) const RECONNECTS: &str = "gateway_reconnects_total";
pub(super) const GIVE_UPS: &str = "gateway_give_ups_total";
pub(super) const RETRY_DELAY: &str = "gateway_retry_delay_seconds";
pub(super) const ROUND_TRIP: &str = "gateway_round_trip_seconds";
pub(super) const READY_SECONDS: &str = "gateway_ready_seconds_total";
pub(super) const RECEIVED_FRAMES: &str = "gateway_received_frames_total";
pub(super) const SENT_FRAMES: &str = "gateway_sent_frames_total";
pub(super) const RECEIVED_BYTES: &str = "gateway_received_bytes_total";
pub(super) const SENT_BYTES: &str = "gateway_sent_bytes_total";
pub(super) const OUTBOX_MESSAGES: &str = "gateway_outbox_messages";
pub(super) const OUTBOX_BYTES: &str = "gateway_outbox_bytes";
pub(super) const WRITE_BUFFER_BYTES: &str = "gateway_write_buffer_bytes";
pub(super) const UNREAD_EVENTS: &str = "gateway_unread_events";
pub(super) const UNREAD_BYTES: &str = "gateway_unread_bytes";
pub(super) const UNANSWERED_REQUESTS: &str = "gateway_unanswered_requests";
pub(super) const UNMATCHED_ANSWERS: &str = "gateway_unmatched_answers_total";
pub(super) const MAYBE_SENT: &str = "gateway_maybe_sent_messages_total";
pub(super) const REJECTED: &str = "gateway_rejected_messages_total";
pub(super) const EXPIRED: &str = "gateway_expired_messages_total";
pub(super) const DROPPED: &str = "gateway_dropped_messages_total";
pub(super) const MISSED: &str = "gateway_missed_events_total";

const fn metric(
    name: &'static str,
    kind: MetricKind,
    unit: metrics::Unit,
    meaning: &'static str,
) -> Metric {
    Metric { name, kind, unit, meaning }
}
