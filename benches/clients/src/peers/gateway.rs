//! What both of our clients are told, and how the news of both is read.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::{Result, bail};
use gateway_tokio::ClientEvent;
use gateway_tokio::core::{Config, HeartbeatKind, Notice};

/// The default with a JSON heartbeat, as the peers' own ones, and with its interval where one is given. All connections of a process have the same, and share it.
pub(super) fn config(heartbeat: Option<Duration>) -> Result<Arc<Config>> {
    static SHARED: OnceLock<Arc<Config>> = OnceLock::new();
    if let Some(config) = SHARED.get() {
        return Ok(Arc::clone(config));
    }
    let config = Config::builder().heartbeat(HeartbeatKind::Json);
    let config = match heartbeat {
        Some(interval) => config.heartbeat_interval(interval).build()?,
        None => config.build()?,
    };
    Ok(Arc::clone(SHARED.get_or_init(|| Arc::new(config))))
}

/// Reads news of the connection. It must hold: a client that reconnects has lost what was under way.
pub(super) fn is_ready(event: &ClientEvent) -> Result<bool> {
    match event {
        ClientEvent::Notice(Notice::Ready { .. }) => Ok(true),
        ClientEvent::Disconnected { cause, detail, .. } => bail!("lost: {cause:?} {detail}"),
        ClientEvent::Outcome(outcome) => bail!("a message was not sent: {outcome:?}"),
        ClientEvent::Message(message) => bail!("a message that was not asked for: {message:?}"),
        ClientEvent::Notice(_) | ClientEvent::Missed { .. } => Ok(false),
        other => bail!("unknown news: {other:?}"),
    }
}
