//! gateway-std, blocking: by the client's `send` and `recv`.

use anyhow::{Context, Result, bail};
use gateway_std::{Client, ClientEvent};

use super::gateway::{config, is_ready};
use super::{Socket, Target};
use crate::exchange::Seen;

/// On the thread that uses it.
pub(crate) struct Blocking(Client);

impl Socket for Blocking {
    const BLOCKS: bool = true;

    async fn open(target: &Target) -> Result<Self> {
        let config = config(target.heartbeat)?;
        let mut client = Client::builder(target.url()).config(config).build()?;
        while let Some(event) = client.recv() {
            if is_ready(&event)? {
                return Ok(Self(client));
            }
        }
        bail!("given up: {:?}", client.gave_up())
    }

    async fn send(&mut self, text: &str) -> Result<()> {
        self.0.send(text)?;
        Ok(())
    }

    async fn receive(&mut self, seen: &mut Seen) -> Result<()> {
        loop {
            match self.0.recv().context("closed")? {
                ClientEvent::Message(message) => return seen.take(message.as_bytes()),
                event => is_ready(&event).map(drop)?,
            }
        }
    }
}
