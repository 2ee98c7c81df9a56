//! gateway-tokio: by the client's inherent `send` and `next`; or in a task of its own, by handle and events.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use gateway_tokio::{Client, ClientEvent, Events, Handle};
use tokio::task::JoinSet;

use super::gateway::{config, is_ready};
use super::{Socket, Target};
use crate::exchange::Seen;
use crate::measures::Answer;
use crate::measures::tasks::{Tasks, next_text};
use crate::statistics::Meter;

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

/// Many tasks, each with a clone of the handle.
pub(super) async fn tasks(work: Tasks) -> Result<Answer> {
    let Spawned { handle, mut events } = Spawned::open(&work.common.target()).await?;
    let (window, mut tally) = (work.window(), work.tally());
    let meter = Meter::start();
    let mut senders = JoinSet::new();
    for task in 0..work.tasks {
        let (work, handle, window) = (work.clone(), handle.clone(), Arc::clone(&window));
        senders.spawn(async move {
            for number in 0..work.each() {
                let text = next_text(&work, task, number, &window).await?;
                handle.send(text).await?;
            }
            anyhow::Ok(())
        });
    }
    loop {
        match events.next().await.context("closed")? {
            ClientEvent::Message(message) => {
                window.add_permits(1);
                if tally.take(message.as_bytes())? {
                    break;
                }
            }
            event => is_ready(&event).map(drop)?,
        }
    }
    let spent = meter.stop();
    while let Some(sent) = senders.join_next().await {
        sent??;
    }
    Ok(work.answer(spent))
}

fn client(target: &Target) -> Result<Client> {
    Ok(Client::builder(target.url()).config(config(target.heartbeat)?).build()?)
}
