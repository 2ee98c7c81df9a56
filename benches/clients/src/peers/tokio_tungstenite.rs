//! tokio-tungstenite: `send` and `next`; or `feed`, and `flush` once a batch; or with a small read buffer.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, interval_at};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use super::{Socket, Target};
use crate::exchange::Seen;

type Stream = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Each text is sent.
pub(crate) struct Each(Stream);

impl Socket for Each {
    async fn open(target: &Target) -> Result<Self> {
        connect(target, None).await.map(Self)
    }

    async fn send(&mut self, text: &str) -> Result<()> {
        Ok(self.0.send(Message::text(text)).await?)
    }

    async fn receive(&mut self, seen: &mut Seen) -> Result<()> {
        receive(&mut self.0, seen).await
    }

    /// The barest heartbeat: one timer, the JSON ping that ours sends, and no look at whether it is answered.
    async fn rest(&mut self, interval: Duration) -> Result<()> {
        #[expect(clippy::disallowed_methods, reason = "this peer's own clock")]
        let start = Instant::now();
        let mut ticks = interval_at(start + interval, interval);
        loop {
            tokio::select! {
                tick = ticks.tick() => {
                    let timestamp = (tick - start).as_millis();
                    let ping = format!(r#"{{"type":"ping","timestamp":{timestamp}}}"#);
                    self.0.send(Message::text(ping)).await?;
                }
                pong = self.0.next() => match pong.context("closed")?? {
                    Message::Text(text) if text.starts_with(r#"{"type":"pong""#) => {}
                    other => bail!("a message that was not asked for: {other}"),
                },
            }
        }
    }
}

/// Texts are fed, and flushed together.
pub(crate) struct Batched(Stream);

impl Socket for Batched {
    async fn open(target: &Target) -> Result<Self> {
        connect(target, None).await.map(Self)
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

/// Its read buffer in place of 128 KiB.
const SMALL: usize = 4096;

/// With a small read buffer; each text is sent.
pub(crate) struct Small(Stream);

impl Socket for Small {
    async fn open(target: &Target) -> Result<Self> {
        connect(target, Some(WebSocketConfig::default().read_buffer_size(SMALL))).await.map(Self)
    }

    async fn send(&mut self, text: &str) -> Result<()> {
        Ok(self.0.send(Message::text(text)).await?)
    }

    async fn receive(&mut self, seen: &mut Seen) -> Result<()> {
        receive(&mut self.0, seen).await
    }
}

/// With `no_delay` false it is what `connect_async` does.
async fn connect(target: &Target, config: Option<WebSocketConfig>) -> Result<Stream> {
    let (stream, _) = connect_async_with_config(target.url(), config, target.no_delay).await?;
    Ok(stream)
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
