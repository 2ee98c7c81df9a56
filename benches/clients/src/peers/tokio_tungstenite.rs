//! tokio-tungstenite: `send` and `next`; or `feed`, and `flush` once a batch.

use anyhow::{Context, Result, bail};
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::{Socket, Target};
use crate::exchange::Seen;

type Stream = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Each text is sent.
pub(crate) struct Each(Stream);

impl Socket for Each {
    async fn open(target: &Target) -> Result<Self> {
        let (stream, _) = connect_async(target.url()).await?;
        Ok(Self(stream))
    }

    async fn send(&mut self, text: &str) -> Result<()> {
        Ok(self.0.send(Message::text(text)).await?)
    }

    async fn receive(&mut self, seen: &mut Seen) -> Result<()> {
        receive(&mut self.0, seen).await
    }
}

/// Texts are fed, and flushed together.
pub(crate) struct Batched(Stream);

impl Socket for Batched {
    async fn open(target: &Target) -> Result<Self> {
        Ok(Self(Each::open(target).await?.0))
    }

    async fn send(&mut self, text: &str) -> Result<()> {
        Ok(self.0.feed(Message::text(text)).await?)
    }

    async fn flush(&mut self) -> Result<()> {
        Ok(self.0.flush().await?)
    }

    async fn receive(&mut self, seen: &mut Seen) -> Result<()> {
        receive(&mut self.0, seen).await
    }
}

async fn receive(stream: &mut Stream, seen: &mut Seen) -> Result<()> {
    loop {
        match stream.next().await.context("closed")?? {
            Message::Text(text) => return seen.take(text.as_bytes()),
            Message::Binary(_) => bail!("altered: binary came"),
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_) => {}
        }
    }
}
