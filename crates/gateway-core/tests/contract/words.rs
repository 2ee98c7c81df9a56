//! Short names for what the tests of a connection share.

use core::time::Duration;

use gateway_core::{Config, ConfigBuilder, HeartbeatKind};

pub(crate) const WALL: u64 = 1_700_000_000_000;
pub(crate) const PONG: &str = r#"{"type":"pong"}"#;

pub(crate) const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The default settings, with the JSON heartbeat.
pub(crate) fn json() -> ConfigBuilder {
    Config::builder().heartbeat(HeartbeatKind::Json)
}
