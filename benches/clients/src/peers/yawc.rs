//! yawc: `send` and `next_frame`; or `feed`, and `flush` once a batch.

use anyhow::{Result, bail};
use futures_util::SinkExt;
use yawc::{Frame, OpCode, Options, TcpWebSocket, WebSocket};

use super::{Socket, Target};
use crate::exchange::Seen;

/// Each text is sent.
pub(crate) struct Each(TcpWebSocket);

impl Socket for Each {
    async fn open(target: &Target) -> Result<Self> {
        connect(target).await.map(Self)
    }

    async fn send(&mut self, text: &str) -> Result<()> {
        Ok(self.0.send(Frame::text(text.to_owned())).await?)
    }

    async fn receive(&mut self, seen: &mut Seen) -> Result<()> {
        receive(&mut self.0, seen).await
    }
}

/// Texts are fed, and flushed together.
pub(crate) struct Batched(TcpWebSocket);

impl Socket for Batched {
    async fn open(target: &Target) -> Result<Self> {
        connect(target).await.map(Self)
    }

    async fn send(&mut self, text: &str) -> Result<()> {
        Ok(self.0.feed(Frame::text(text.to_owned())).await?)
    }

    async fn flush(&mut self) -> Result<()> {
        Ok(SinkExt::flush(&mut self.0).await?)
    }

    async fn receive(&mut self, seen: &mut Seen) -> Result<()> {
        receive(&mut self.0, seen).await
    }
}

async fn connect(target: &Target) -> Result<TcpWebSocket> {
    let connecting = WebSocket::connect(target.url().parse()?);
    Ok(if target.no_delay {
        connecting.with_options(Options::default().with_no_delay()).await?
    } else {
        connecting.await?
    })
}

async fn receive(socket: &mut TcpWebSocket, seen: &mut Seen) -> Result<()> {
    loop {
        let frame = socket.next_frame().await?;
        match frame.opcode() {
            OpCode::Text => return seen.take(frame.payload()),
            OpCode::Ping | OpCode::Pong => {}
            other => bail!("altered: {other:?} came"),
        }
    }
}
