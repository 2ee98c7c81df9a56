//! gateway-tokio, by the client's inherent `send` and `next`.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use gateway_tokio::core::{Config, Notice};
use gateway_tokio::{Client, ClientEvent};

use super::{Socket, Target};
use crate::exchange::Seen;

/// Polled by the loop that uses it.
pub(crate) struct Polled(Client);

impl Socket for Polled {
    async fn open(target: &Target) -> Result<Self> {
        let mut client = client(target)?;
        while let Some(event) = client.next().await {
            if is_ready(&event)? {
                return Ok(Self(client));
            }
        }
        bail!("given up: {:?}", client.gave_up())
    }

    async fn send(&mut self, text: &str) -> Result<()> {
        self.0.send(text).await?;
        Ok(())
    }

    async fn receive(&mut self, seen: &mut Seen) -> Result<()> {
        loop {
            match self.0.next().await.context("closed")? {
                ClientEvent::Message(message) => return seen.take(message.as_bytes()),
                event => is_ready(&event).map(drop)?,
            }
        }
    }
}

fn client(target: &Target) -> Result<Client> {
    let builder = Client::builder(target.url());
    Ok(builder.config(config(target.heartbeat)?).build()?)
}

/// The default, but for the heartbeat's interval where one is given.
fn config(heartbeat: Option<Duration>) -> Result<Config> {
    Ok(match heartbeat {
        Some(interval) => Config::builder().heartbeat_interval(interval).build()?,
        None => Config::default(),
    })
}

/// Reads news of the connection. It must hold: a client that reconnects has lost what was under way.
pub(super) fn is_ready(event: &ClientEvent) -> Result<bool> {
    match event {
        ClientEvent::Notice(Notice::Ready { .. }) => Ok(true),
        ClientEvent::Disconnected { cause, detail, .. } => bail!("lost: {cause:?} {detail}"),
        ClientEvent::Outcome(outcome) => bail!("a message was not sent: {outcome:?}"),
        _ => Ok(false),
    }
}
