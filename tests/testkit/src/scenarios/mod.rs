//! The scenarios by topic. `build.rs` makes a test of each function here that returns a `Scenario`.

pub(crate) mod abort;
pub(crate) mod asking;
pub(crate) mod backoff;
pub(crate) mod budget;
pub(crate) mod closing;
pub(crate) mod connecting;
pub(crate) mod dialect;
pub(crate) mod handover;
pub(crate) mod heartbeat;
pub(crate) mod login;
pub(crate) mod messages;
pub(crate) mod paused;
pub(crate) mod policy;
pub(crate) mod pressure;
pub(crate) mod protocol;
pub(crate) mod replaced;
pub(crate) mod reported;
pub(crate) mod stale;
pub(crate) mod suspend;
