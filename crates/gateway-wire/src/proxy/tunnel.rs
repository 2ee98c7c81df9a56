//! The handshake with a proxy: it ends in a stream to the server.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::IpAddr;
use std::sync::Arc;
use std::task::Poll;

use gateway_core::OpenError;

use super::connect::Connect;
use super::server::{Protocol, ProxyServer};
use super::socks5::Socks5;
use crate::endpoint::{Endpoint, bracketed};
use crate::open_failure::{OpenFailure, OpenStep};

/// One handshake with a proxy. When it is done, the stream to the proxy is a stream to the server.
///
/// It never reads a byte behind the proxy's answer. Such bytes are the server's, and the next reader
/// of the stream gets them: TLS, or the upgrade.
pub struct Tunnel {
    proxy: Arc<ProxyServer>,
    output: Vec<u8>,
    /// How much of `output` has been written.
    written: usize,
    answer: Answer,
}

enum Answer {
    Connect(Connect),
    Socks5(Socks5),
}

/// The server to which the proxy connects.
pub(super) struct Target {
    pub(super) host: String,
    pub(super) port: u16,
    /// The host, if it is an IP address.
    pub(super) address: Option<IpAddr>,
}

impl Target {
    fn of(endpoint: &Endpoint) -> Self {
        let host = endpoint.host().to_owned();
        Self { address: host.parse().ok(), host, port: endpoint.port() }
    }

    pub(super) fn authority(&self) -> String {
        format!("{}:{}", bracketed(&self.host), self.port)
    }
}

/// What follows on some bytes of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// More bytes must come.
    More,
    /// The stream leads to the server.
    Done,
}

/// Why a handshake pauses or ends.
enum Stop {
    Blocked,
    Failed(OpenFailure),
}

/// The bytes that one read takes at most.
const READ: usize = 512;

impl Tunnel {
    /// Starts a handshake for a stream to this endpoint.
    ///
    /// # Errors
    /// The proxy's protocol cannot carry the endpoint's host.
    pub(crate) fn start(
        proxy: &Arc<ProxyServer>,
        endpoint: &Endpoint,
    ) -> Result<Self, OpenFailure> {
        let target = Target::of(endpoint);
        let (output, answer) = match proxy.protocol() {
            Protocol::Http | Protocol::Https => {
                let (request, connect) = Connect::start(proxy, &target);
                (request, Answer::Connect(connect))
            }
            Protocol::Socks5 => {
                let (greeting, socks5) = Socks5::start(proxy, &target)?;
                (greeting, Answer::Socks5(socks5))
            }
        };
        Ok(Self { proxy: Arc::clone(proxy), output, written: 0, answer })
    }

    /// Returns the bytes to write.
    pub(super) fn pending(&self) -> &[u8] {
        &self.output[self.written..]
    }

    /// The first `count` pending bytes were written.
    pub(super) const fn wrote(&mut self, count: usize) {
        self.written += count;
    }

    /// How many bytes of the answer may be read now, at most.
    pub(super) fn wants(&self) -> usize {
        match &self.answer {
            Answer::Connect(connect) => connect.wants(),
            Answer::Socks5(socks5) => socks5.wants(),
        }
    }

    /// Processes bytes of the answer, of which there are no more than [`wants`](Self::wants).
    pub(super) fn received(&mut self, bytes: &[u8]) -> Result<Step, OpenFailure> {
        match &mut self.answer {
            Answer::Connect(connect) => connect.received(bytes, &self.proxy),
            Answer::Socks5(socks5) => socks5.received(bytes, &mut self.output, &self.proxy),
        }
    }

    /// Whether the proxy has refused, and only the reason may still come. It is not waited for.
    const fn is_refused(&self) -> bool {
        match &self.answer {
            Answer::Connect(connect) => connect.is_refused(),
            Answer::Socks5(_) => false,
        }
    }

    /// The failure if the stream has ended.
    pub(super) fn ended(&self) -> OpenFailure {
        match &self.answer {
            Answer::Connect(connect) => connect.ended(&self.proxy),
            Answer::Socks5(socks5) => socks5.ended(&self.proxy),
        }
    }

    /// Writes to and reads from the stream, which never blocks, as far as that is possible now.
    /// Call it again when the stream is readable or writable. A handshake that is over must not be
    /// advanced.
    ///
    /// # Errors
    /// Why there is no stream to the server. The text names the proxy, but not its user and
    /// password.
    pub fn advance(&mut self, stream: &mut (impl Read + Write)) -> Poll<Result<(), OpenFailure>> {
        match self.run(stream) {
            Ok(()) => Poll::Ready(Ok(())),
            Err(Stop::Blocked) => Poll::Pending,
            Err(Stop::Failed(failure)) => Poll::Ready(Err(failure)),
        }
    }

    fn run(&mut self, stream: &mut (impl Read + Write)) -> Result<(), Stop> {
        loop {
            while !self.pending().is_empty() {
                let written = stream.write(self.pending());
                match self.taken(written)? {
                    0 => return Err(Stop::Failed(self.ended())),
                    count => self.wrote(count),
                }
            }
            let flushed = stream.flush().map(|()| 0);
            self.taken(flushed)?;
            let mut buffer = [0; READ];
            let most = self.wants().min(READ);
            let read = stream.read(&mut buffer[..most]);
            match self.taken(read)? {
                0 => return Err(Stop::Failed(self.ended())),
                count => match self.received(&buffer[..count]).map_err(Stop::Failed)? {
                    Step::More => {}
                    Step::Done => return Ok(()),
                },
            }
        }
    }

    /// The number of bytes of a call.
    fn taken(&self, outcome: io::Result<usize>) -> Result<usize, Stop> {
        let failure = match outcome {
            Ok(count) => return Ok(count),
            // The body of a refusal usually comes together with the head.
            Err(_) if self.is_refused() => self.ended(),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Err(Stop::Blocked),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => self.ended(),
            Err(error) => {
                let failure = OpenFailure::classify(OpenStep::Upgrade, &error);
                let is_tls = matches!(failure.error(), OpenError::Tls | OpenError::Certificate);
                if is_tls { self.proxy.in_tls(&failure) } else { self.proxy.in_failure(&failure) }
            }
        };
        Err(Stop::Failed(failure))
    }
}

impl fmt::Debug for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tunnel").field("proxy", &self.proxy).finish_non_exhaustive()
    }
}
