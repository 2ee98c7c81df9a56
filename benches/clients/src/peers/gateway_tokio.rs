//! gateway-tokio: by the client's inherent `send` and `next`; or in a task of its own, by handle and events.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use gateway_tokio::{Client, ClientEvent, Events, Handle};

use super::gateway::{config, is_ready};
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

    /// Its own heartbeat has that interval already.
    async fn rest(&mut self, _interval: Duration) -> Result<()> {
        loop {
            is_ready(&self.0.next().await.context("closed")?)?;
        }
    }
}

/// In a task of its own.
pub(crate) struct Spawned {
    handle: Handle,
    events: Events,
}

impl Socket for Spawned {
    async fn open(target: &Target) -> Result<Self> {
        let (handle, mut events) = client(target)?.spawn();
        while let Some(event) = events.next().await {
            if is_ready(&event)? {
                return Ok(Self { handle, events });
            }
        }
        bail!("given up")
    }

    async fn send(&mut self, text: &str) -> Result<()> {
        self.handle.send(text).await?;
        Ok(())
    }

    async fn receive(&mut self, seen: &mut Seen) -> Result<()> {
        loop {
            match self.events.next().await.context("closed")? {
                ClientEvent::Message(message) => return seen.take(message.as_bytes()),
                event => is_ready(&event).map(drop)?,
            }
        }
    }

    /// Its own heartbeat has that interval already.
    async fn rest(&mut self, _interval: Duration) -> Result<()> {
        loop {
            is_ready(&self.events.next().await.context("closed")?)?;
        }
    }
}

fn client(target: &Target) -> Result<Client> {
    Ok(Client::builder(target.url()).config(config(target.heartbeat)?).build()?)
}
