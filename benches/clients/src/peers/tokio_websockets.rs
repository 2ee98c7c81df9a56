//! tokio-websockets: `send` and `next`; or `feed`, and `flush` once a batch.

use anyhow::{Context, Result, bail};
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_websockets::{ClientBuilder, MaybeTlsStream, Message, WebSocketStream};

use super::{Socket, Target};
use crate::exchange::Seen;

type Stream = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Each text is sent.
pub(crate) struct Each(Stream);

impl Socket for Each {
    async fn open(target: &Target) -> Result<Self> {
        connect(target).await.map(Self)
    }

    async fn send(&mut self, text: &str) -> Result<()> {
        Ok(self.0.send(Message::text(text.to_owned())).await?)
    }

    async fn receive(&mut self, seen: &mut Seen) -> Result<()> {
        receive(&mut self.0, seen).await
    }
}

/// Texts are fed, and flushed together: by its default it also flushes whenever 8 KiB are there.
pub(crate) struct Batched(Stream);

impl Socket for Batched {
    async fn open(target: &Target) -> Result<Self> {
        connect(target).await.map(Self)
    }

    async fn send(&mut self, text: &str) -> Result<()> {
        Ok(self.0.feed(Message::text(text.to_owned())).await?)
    }

    async fn flush(&mut self) -> Result<()> {
        Ok(self.0.flush().await?)
    }

    async fn receive(&mut self, seen: &mut Seen) -> Result<()> {
        receive(&mut self.0, seen).await
    }
}

async fn connect(target: &Target) -> Result<Stream> {
    let url = target.url();
    let (stream, _) = ClientBuilder::new().uri(&url)?.connect().await?;
    if target.no_delay
        && let MaybeTlsStream::Plain(tcp) = stream.get_ref()
    {
        tcp.set_nodelay(true)?;
    }
    Ok(stream)
}

async fn receive(stream: &mut Stream, seen: &mut Seen) -> Result<()> {
    loop {
        let message = stream.next().await.context("closed")??;
        if message.is_text() {
            return seen.take(message.as_payload());
        }
        if message.is_binary() {
            bail!("altered: binary came");
        }
    }
}
