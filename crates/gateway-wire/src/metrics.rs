//! Metrics of a client, through the facade of the crate `metrics`. Without the feature `metrics`, all
//! of this is empty.
//!
//! A session notes rare facts, such as a disconnection. It takes a [`Sample`] of what changes with each
//! message, but not with each message. Both go to the [`Meters`]: at once, or with the next
//! [`LogLines`](crate::LogLines), because a recorder is code of the application's, which must not run
//! under a driver's lock.

#[cfg(feature = "metrics")]
mod measured;
#[cfg(feature = "metrics")]
mod meters;
#[cfg(not(feature = "metrics"))]
mod off;
#[cfg(feature = "metrics")]
mod table;

use crate::status::Status;

#[cfg(not(feature = "metrics"))]
pub(crate) use self::off::{Metering, Meters, Report};
#[cfg(feature = "metrics")]
pub use self::table::{METRICS, Metric, MetricKind};
#[cfg(feature = "metrics")]
pub(crate) use self::{
    measured::{Metering, Report},
    meters::Meters,
};

/// What a session reports at one instant.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(feature = "metrics"), expect(dead_code, reason = "nobody takes one"))]
pub(crate) struct Sample {
    pub(crate) status: Status,
    /// Events that wait for the application.
    pub(crate) unread_events: usize,
    /// The backlog cost of the messages among them.
    pub(crate) unread_bytes: usize,
    pub(crate) write_buffer_bytes: usize,
}
