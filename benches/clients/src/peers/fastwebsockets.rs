//! fastwebsockets: `write_frame` and `read_frame`; or over a buffered writer, which is flushed once a batch.
//!
//! It has no write buffer of its own, and wants an HTTP client for the upgrade: hyper, as its documentation shows.

use anyhow::{Result, bail, ensure};
use fastwebsockets::{Frame, OpCode, Payload, Role, WebSocket, handshake};
use http_body_util::Empty;
use hyper::Request;
use hyper::body::Bytes;
use hyper::header::{CONNECTION, HOST, UPGRADE};
use hyper::upgrade::Upgraded;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite, BufWriter};
use tokio::net::TcpStream;

use super::{Socket, Target};
use crate::exchange::Seen;

type Stream = TokioIo<Upgraded>;

/// Each text is sent.
pub(crate) struct Each(WebSocket<Stream>);

impl Socket for Each {
    async fn open(target: &Target) -> Result<Self> {
        connect(target).await.map(Self)
    }

    async fn send(&mut self, text: &str) -> Result<()> {
        Ok(self.0.write_frame(frame(text)).await?)
    }

    async fn receive(&mut self, seen: &mut Seen) -> Result<()> {
        receive(&mut self.0, seen).await
    }
}

/// As much as tungstenite's write buffer holds.
const BUFFER: usize = 128 << 10;

/// Texts are written into a buffer, and flushed together.
pub(crate) struct Batched(WebSocket<BufWriter<Stream>>);

impl Socket for Batched {
    async fn open(target: &Target) -> Result<Self> {
        // The server says nothing before it is asked: what was read is the upgrade, and nothing is lost here.
        let stream = connect(target).await?.into_inner();
        let buffered = BufWriter::with_capacity(BUFFER, stream);
        Ok(Self(WebSocket::after_handshake(buffered, Role::Client)))
    }

    async fn send(&mut self, text: &str) -> Result<()> {
        Ok(self.0.write_frame(frame(text)).await?)
    }

    async fn flush(&mut self) -> Result<()> {
        Ok(self.0.flush().await?)
    }

    async fn receive(&mut self, seen: &mut Seen) -> Result<()> {
        receive(&mut self.0, seen).await
    }
}

fn frame(text: &str) -> Frame<'static> {
    Frame::text(Payload::Owned(text.as_bytes().to_vec()))
}

async fn connect(target: &Target) -> Result<WebSocket<Stream>> {
    let tcp = TcpStream::connect(target.address).await?;
    if target.no_delay {
        tcp.set_nodelay(true)?;
    }
    let request = Request::get("/")
        .header(HOST, target.address.to_string())
        .header(UPGRADE, "websocket")
        .header(CONNECTION, "upgrade")
        .header("Sec-WebSocket-Key", handshake::generate_key())
        .header("Sec-WebSocket-Version", "13")
        .body(Empty::<Bytes>::new())?;
    let (socket, _) = handshake::client(&TokioExecutor::new(), request, tcp).await?;
    Ok(socket)
}

async fn receive<S>(socket: &mut WebSocket<S>, seen: &mut Seen) -> Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        let frame = socket.read_frame().await?;
        match frame.opcode {
            OpCode::Text => {
                ensure!(frame.fin, "altered: a fragment came");
                return seen.take(&frame.payload);
            }
            OpCode::Ping | OpCode::Pong => {}
            other => bail!("altered: {other:?} came"),
        }
    }
}
