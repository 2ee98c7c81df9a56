//! tungstenite, blocking: `send` and `read`; or `write`, and `flush` once a batch.
//!
//! Its `connect` sets TCP_NODELAY by itself.

use std::net::TcpStream;

use anyhow::{Result, bail};
use tungstenite::stream::MaybeTlsStream;
use tungstenite::{Message, WebSocket, connect};

use super::{Socket, Target};
use crate::exchange::Seen;

type Stream = WebSocket<MaybeTlsStream<TcpStream>>;

/// Each text is sent.
pub(crate) struct Each(Stream);

impl Socket for Each {
    async fn open(target: &Target) -> Result<Self> {
        let (stream, _) = connect(target.url())?;
        Ok(Self(stream))
    }

    async fn send(&mut self, text: &str) -> Result<()> {
        Ok(self.0.send(Message::text(text))?)
    }

    async fn receive(&mut self, seen: &mut Seen) -> Result<()> {
        receive(&mut self.0, seen)
    }
}

/// Texts are written into its buffer, and flushed together.
pub(crate) struct Batched(Stream);

impl Socket for Batched {
    async fn open(target: &Target) -> Result<Self> {
        Ok(Self(Each::open(target).await?.0))
    }

    async fn send(&mut self, text: &str) -> Result<()> {
        Ok(self.0.write(Message::text(text))?)
    }

    async fn flush(&mut self) -> Result<()> {
        Ok(self.0.flush()?)
    }

    async fn receive(&mut self, seen: &mut Seen) -> Result<()> {
        receive(&mut self.0, seen)
    }
}

fn receive(stream: &mut Stream, seen: &mut Seen) -> Result<()> {
    loop {
        match stream.read()? {
            Message::Text(text) => return seen.take(text.as_bytes()),
            Message::Binary(_) => bail!("altered: binary came"),
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_) => {}
        }
    }
}
