//! sockudo-ws: `send` and `next`; or `feed`, and `flush` once a batch.
//!
//! `connect_raw` keeps the stream's type. `connect` would read and write through a pointer.

use anyhow::{Context, Result, bail};
use futures_util::{SinkExt, StreamExt};
use sockudo_ws::client::WebSocketClient;
use sockudo_ws::{Config, Http1, Message, WebSocketStream};
use tokio::net::TcpStream;

use super::{Socket, Target};
use crate::exchange::Seen;

/// Calibrates its clock, which takes up to 200 ms. Its documentation has programs do so before they build the runtime.
pub(super) use sockudo_ws::init_clock;

type Stream = WebSocketStream<TcpStream>;

/// Each text is sent.
pub(crate) struct Each(Stream);

impl Socket for Each {
    async fn open(target: &Target) -> Result<Self> {
        connect(target).await.map(Self)
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
        connect(target).await.map(Self)
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

async fn connect(target: &Target) -> Result<Stream> {
    let tcp = TcpStream::connect(target.address).await?;
    if target.no_delay {
        tcp.set_nodelay(true)?;
    }
    let client = WebSocketClient::<Http1>::new(Config::default());
    let (stream, _) = client.connect_raw(tcp, &target.address.to_string(), "/", None).await?;
    Ok(stream)
}

async fn receive(stream: &mut Stream, seen: &mut Seen) -> Result<()> {
    loop {
        match stream.next().await.context("closed")?? {
            Message::Text(text) => return seen.take(&text),
            Message::Binary(_) => bail!("altered: binary came"),
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) => {}
        }
    }
}
