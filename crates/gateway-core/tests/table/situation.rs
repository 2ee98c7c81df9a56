//! The situations that a connection can be in, and how a test brings it there.

use core::convert::Infallible;
use std::sync::Arc;

use gateway_core::ConnectionState as State;
use gateway_core::{
    CloseFrame, Config, ConfigBuilder, Event, HeartbeatKind, Instant, JsonRule, Login, OpenError,
    UnixMillis,
};
use rand_core::TryRng;

use crate::rows::{ONE, WALL};

use Situation::{Closed, Closing, Connecting, Idle, LoggingIn, Ready, ReadyAfterLogin, Waiting};

pub(crate) type Connection = gateway_core::Connection<Draws>;

/// A first draw of zero lets a ready connection ping at once; every other draw is half-way.
#[derive(Clone)]
pub(crate) struct Draws {
    pub(crate) first: Option<u64>,
}

impl TryRng for Draws {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.try_next_u64().map(|number| (number >> 32) as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.first.take().unwrap_or(1 << 63))
    }

    fn try_fill_bytes(&mut self, into: &mut [u8]) -> Result<(), Infallible> {
        into.fill(0x80);
        Ok(())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Situation {
    Idle,
    Waiting,
    Connecting,
    LoggingIn,
    Ready,
    ReadyAfterLogin,
    Closing,
    Closed,
}

pub(crate) const SITUATIONS: [Situation; 8] =
    [Idle, Waiting, Connecting, LoggingIn, Ready, ReadyAfterLogin, Closing, Closed];

impl Situation {
    pub(crate) fn state(self) -> State {
        match self {
            Idle | Waiting => State::Disconnected,
            Connecting => State::Connecting,
            LoggingIn | Ready => State::Connected,
            ReadyAfterLogin => State::Authenticated,
            Closing => State::Closing,
            Closed => State::Closed,
        }
    }

    pub(crate) fn config(self) -> Config {
        let login = Login::Message {
            send: "open sesame".into(),
            accepted: JsonRule::parse("/type=welcome"),
            refused: JsonRule::parse("/type=refused"),
            timeout: Login::TIMEOUT,
        };
        match self {
            LoggingIn | ReadyAfterLogin => pinging().login(login).build().unwrap(),
            Idle | Waiting | Connecting | Ready | Closing | Closed => pinging().build().unwrap(),
        }
    }

    /// A connection that has come into this situation at 0 s.
    pub(crate) fn arrange(self) -> Connection {
        let before: &[Event<'static>] = match self {
            Idle => &[],
            Waiting => &[Event::ConnectRequested, Event::OpenFailed(ONE, OpenError::Refused)],
            Connecting => &[Event::ConnectRequested],
            LoggingIn => &[Event::ConnectRequested, Event::SocketOpened(ONE)],
            Ready => &[Event::ConnectRequested, Event::SocketOpened(ONE), Event::Tick],
            ReadyAfterLogin => &[
                Event::ConnectRequested,
                Event::SocketOpened(ONE),
                Event::LoginAccepted,
                Event::Tick,
            ],
            Closing => &[
                Event::ConnectRequested,
                Event::SocketOpened(ONE),
                Event::Tick,
                Event::CloseRequested(CloseFrame::NORMAL),
            ],
            Closed => &[Event::ConnectRequested, Event::CloseRequested(CloseFrame::NORMAL)],
        };
        let first = matches!(self, Ready | ReadyAfterLogin | Closing).then_some(0);
        let mut connection = Connection::new(Arc::new(self.config()), Draws { first });
        let _ = connection.handle(Instant::ZERO, Event::WallClock(UnixMillis(WALL)));
        for event in before {
            let _ = connection.handle(Instant::ZERO, *event);
        }
        connection
    }
}

/// The heartbeat is JSON, and the first ping leaves after a random part of the interval.
fn pinging() -> ConfigBuilder {
    Config::builder().heartbeat(HeartbeatKind::Json).heartbeat_phase(true)
}
