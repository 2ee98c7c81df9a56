//! What a board supplies: a clock, randomness, and a network.

use core::str;

use gateway_core::{
    CloseCode, CloseFrame, Event, Failure, Frame, Instant, OpenError, SocketId, UnixMillis,
};
use heapless::Vec;

/// The longest message that the network may hand over, in bytes; it fails a socket that brings a longer one with
/// [`Failure::TooBig`].
pub const PAYLOAD: usize = 512;

/// Where the network puts what came.
pub type Payload = Vec<u8, PAYLOAD>;

/// A clock, randomness, and a network that speaks WebSocket. Nothing but [`wait`](Self::wait) waits.
///
/// The network answers Ping and Close by itself (RFC 6455 section 5.5). All that it tells carries the socket's id, also when
/// it comes late.
#[allow(async_fn_in_trait, reason = "the loop is generic over its board: no Send is asked for")]
pub trait Board {
    /// Monotonic time since whenever.
    fn now(&self) -> Instant;

    /// The wall clock, where the board has one, or has learnt it.
    fn wall(&self) -> Option<UnixMillis> {
        None
    }

    /// A seed from the hardware. Devices that share one redial together.
    fn entropy(&mut self) -> [u64; 2];

    /// Begins to open a socket: [`News::Opened`] or [`News::OpenFailed`] follows.
    fn open(&mut self, socket: SocketId);

    /// Takes a frame to be sent. Where that fails the socket is at its end: [`News::Ended`] follows.
    fn send(&mut self, socket: SocketId, frame: Frame<'_>);

    /// Drops a socket, opening or open. What was taken may be sent as far as that needs no waiting.
    fn close(&mut self, socket: SocketId);

    /// Drops the open socket of a dead peer, so that nothing of it arrives later: with a reset, where the network can send one.
    fn abort(&mut self, socket: SocketId) {
        self.close(socket);
    }

    /// Waits for news of the network, and at the longest until the deadline. News that is there already comes first, also
    /// where the deadline has passed: a peer that lives is not taken for dead because the board was busy.
    ///
    /// Dropping the future loses no news.
    async fn wait(&mut self, deadline: Option<Instant>, payload: &mut Payload) -> Wakeup;
}

/// Why a wait has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wakeup {
    /// The network tells something of a socket.
    Network(SocketId, News),
    /// The deadline is reached.
    Due,
}

/// What the network tells of a socket. Of a message the payload holds the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// It is open, the upgrade done.
    Opened,
    /// It could not be opened.
    OpenFailed(OpenError),
    /// It came to its end.
    Ended(Failure),
    /// A text message.
    Text,
    /// A binary message.
    Binary,
    /// A Ping, which the network has answered.
    Ping,
    /// A Pong.
    Pong,
    /// A Close, which the network has answered; without a code where it had none.
    Close(Option<CloseCode>),
}

impl News {
    /// The fact, as the core takes it.
    pub(crate) fn of(self, socket: SocketId, payload: &[u8]) -> Event<'_> {
        let frame = match self {
            Self::Opened => return Event::SocketOpened(socket),
            Self::OpenFailed(error) => return Event::OpenFailed(socket, error),
            Self::Ended(failure) => return Event::SocketFailed(socket, failure),
            Self::Text => match str::from_utf8(payload) {
                Ok(text) => Frame::Text(text),
                Err(_) => return Event::SocketFailed(socket, Failure::InvalidUtf8),
            },
            Self::Binary => Frame::Binary(payload),
            Self::Ping => Frame::Ping(payload),
            Self::Pong => Frame::Pong(payload),
            Self::Close(code) => {
                Frame::Close(code.and_then(|code| CloseFrame::new(code.number(), "").ok()))
            }
        };
        Event::FrameReceived(socket, frame)
    }
}
