//! An upgraded connection: frames over a line. It answers nothing by itself: the script decides.

use std::io;

use gateway_core::CloseCode;
use gateway_wire::Message;
use gateway_wire::codec::{Breach, Codec, Incoming, Input, Role};
use thiserror::Error;

use crate::line::Line;

/// How much is read at once.
const READ: usize = 16 * 1024;
/// The code of a Close frame that has none (RFC 6455, 7.1.5).
const NO_CODE: u16 = 1005;

/// An upgraded connection. Sent bytes wait in `output` until [`flush`](Self::flush).
#[derive(Debug)]
pub(crate) struct Socket {
    line: Line,
    codec: Codec,
    /// The bytes of the last read. Of these, the first `decoded` are done.
    input: Vec<u8>,
    decoded: usize,
    /// The bytes to write. Of these, the first `written` are done.
    output: Vec<u8>,
    written: usize,
    /// Whether the client has sent its last frame, a Close, or a breach.
    is_over: bool,
}

/// Why a socket cannot be used.
#[derive(Debug, Error)]
pub(crate) enum SocketError {
    /// The client is gone, and cannot read a Close frame.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The client broke a rule, and can still read a Close frame.
    #[error(transparent)]
    Breach(#[from] Breach),
}

impl Socket {
    /// Creates a socket. The client sent the bytes in `early` after its request.
    pub(crate) fn new(line: Line, early: Vec<u8>, max_message_size: usize) -> Self {
        let codec = Codec::new(Role::Server, max_message_size);
        let (output, is_over) = (Vec::new(), false);
        Self { line, codec, input: early, decoded: 0, output, written: 0, is_over }
    }

    pub(crate) const fn line(&mut self) -> &mut Line {
        &mut self.line
    }

    /// Returns the next message or control frame; `None` after the client's last one. Cancel-safe.
    ///
    /// It reads nothing while bytes wait to be written. So the waiting bytes are bounded by the
    /// answers to one read, even if a client sends pings and never reads.
    pub(crate) async fn next(&mut self) -> Result<Option<Incoming>, SocketError> {
        while !self.is_over {
            if let Some(incoming) = self.decode()? {
                return Ok(Some(incoming));
            }
            self.flush().await?;
            self.input.clear();
            self.decoded = 0;
            self.input.reserve(READ);
            self.is_over = self.line.read(&mut self.input).await? == 0;
        }
        Ok(None)
    }

    fn decode(&mut self) -> Result<Option<Incoming>, Breach> {
        let mut input = Input::new(&self.input[self.decoded..]);
        let decoded = self.codec.decode(&mut input);
        self.decoded = self.input.len() - input.rest().len();
        self.is_over = matches!(decoded, Err(_) | Ok(Some(Incoming::Close(_))));
        decoded
    }

    /// Sends the answer that RFC 6455 asks for: a Pong to a Ping, an echo to a Close.
    pub(crate) fn answer(&mut self, incoming: &Incoming) {
        self.codec.answer(incoming, &mut self.output);
    }

    pub(crate) fn send(&mut self, message: &Message) {
        self.codec.encode(message, &mut self.output);
    }

    pub(crate) fn send_text(&mut self, text: &str) {
        self.codec.encode_text(text, &mut self.output);
    }

    pub(crate) fn send_ping(&mut self, payload: &[u8]) {
        self.codec.encode_ping(payload, &mut self.output);
    }

    /// Sends a Pong that is not the answer of [`answer`](Self::answer).
    pub(crate) fn send_pong(&mut self, payload: &[u8]) {
        self.codec.encode_pong(payload, &mut self.output);
    }

    /// Sends a Close frame that is not an answer.
    pub(crate) fn send_close(&mut self, code: CloseCode, reason: &str) {
        self.line.note(|pen| pen.closes(code.number()));
        self.codec.encode_close(code, reason, &mut self.output);
    }

    /// Sends a Close frame without a code.
    pub(crate) fn send_empty_close(&mut self) {
        self.line.note(|pen| pen.closes(NO_CODE));
        self.codec.answer(&Incoming::Close(None), &mut self.output);
    }

    /// Sends bytes that break the protocol.
    pub(crate) fn send_fault(&mut self, bytes: &[u8]) {
        self.line.note(|pen| pen.fault());
        self.output.extend_from_slice(bytes);
    }

    /// Writes the waiting bytes. Cancel-safe.
    pub(crate) async fn flush(&mut self) -> io::Result<()> {
        while let rest @ [_, ..] = &self.output[self.written..] {
            self.written += self.line.write(rest).await?;
        }
        self.output.clear();
        self.output.shrink_to(READ);
        self.written = 0;
        Ok(())
    }

    /// Writes the waiting bytes, and ends TCP.
    pub(crate) async fn end(&mut self) -> io::Result<()> {
        self.flush().await?;
        self.line.end().await
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpSocket, TcpStream};

    use super::*;

    /// A Ping and its Pong have this payload.
    const PAYLOAD: [u8; 100] = [b'p'; 100];
    const LARGEST: usize = 1 << 20;

    async fn pair() -> (TcpStream, Socket) {
        let server = small();
        server.bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
        let server = server.listen(1).expect("a free port");
        let client = small().connect(server.local_addr().expect("bound")).await;
        let (tcp, _) = server.accept().await.expect("a connection");
        (client.expect("a connection"), Socket::new(Line::new(tcp, None), Vec::new(), LARGEST))
    }

    /// The kernel buffers little for it, so that its buffers are soon full.
    fn small() -> TcpSocket {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_send_buffer_size(8 * 1024).expect("a size");
        socket.set_recv_buffer_size(8 * 1024).expect("a size");
        socket
    }

    #[tokio::test]
    async fn a_client_that_pings_and_never_reads_is_read_no_further() {
        let (mut client, mut socket) = pair().await;
        let (mut pings, mut sent) = (Vec::new(), 0);
        let mut codec = Codec::new(Role::Client, LARGEST);

        // Until the kernel's buffers are full in both directions.
        let mut is_full = false;
        while !is_full {
            is_full = true;
            if pings.is_empty() {
                codec.encode_ping(&PAYLOAD, &mut pings);
                sent += 1;
            }
            if let Some(written) = client.write(&pings).now_or_never() {
                pings.drain(..written.expect("open"));
                is_full = false;
            }
            while let Some(incoming) = socket.next().now_or_never() {
                socket.answer(&incoming.expect("legal").expect("open"));
                assert!(socket.output.len() <= READ);
                is_full = false;
            }
            tokio::task::yield_now().await;
        }

        // Once the client reads, each Ping has its Pong.
        let (mut reader, mut writer) = client.split();
        let serving = async {
            while let Some(incoming) = socket.next().await.expect("legal") {
                socket.answer(&incoming);
            }
        };
        let writing = async {
            writer.write_all(&pings).await.expect("open");
            writer.shutdown().await.expect("open");
        };
        let reading = async {
            for _ in 0..sent {
                let mut pong = [0; 102];
                reader.read_exact(&mut pong).await.expect("open");
                assert_eq!(pong[..], [&[0x8a, 100], &PAYLOAD[..]].concat());
            }
        };
        tokio::join!(serving, writing, reading);
    }

    #[tokio::test]
    async fn a_read_that_is_dropped_loses_nothing() {
        let (mut client, mut socket) = pair().await;
        for byte in b"\x81\x82\0\0\0\0hi" {
            assert!(socket.next().now_or_never().is_none());
            client.write_all(&[*byte]).await.expect("open");
            tokio::task::yield_now().await;
        }

        let incoming = socket.next().await.expect("legal");

        assert_eq!(incoming, Some(Incoming::Message(Message::text("hi"))));
    }
}
