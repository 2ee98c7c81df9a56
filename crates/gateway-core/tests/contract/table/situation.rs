//! The situations that a connection can be in, and how a test brings it there.

use core::convert::Infallible;
use core::time::Duration;
use std::sync::Arc;

use gateway_core::ConnectionState as State;
use gateway_core::{
    AcceptanceRule, CloseFrame, Config, ConfigBuilder, Event, Frame, HeartbeatKind, Instant, Login,
    OpenError, RefusalRule, Rule, UnixMillis, Verdict,
};
use rand_core::TryRng;

use super::rows::{ONE, WALL};

use Situation::{
    Asking, Closed, Closing, Connecting, Idle, LoggingIn, Ready, ReadyAfterLogin, Refused, Waiting,
};

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
    Asking,
    Connecting,
    LoggingIn,
    /// The login was refused, with the verdict to refresh.
    Refused,
    Ready,
    ReadyAfterLogin,
    Closing,
    Closed,
}

pub(crate) const SITUATIONS: [Situation; 10] = [
    Idle,
    Waiting,
    Asking,
    Connecting,
    LoggingIn,
    Refused,
    Ready,
    ReadyAfterLogin,
    Closing,
    Closed,
];

impl Situation {
    pub(crate) fn state(self) -> State {
        match self {
            Idle | Waiting => State::Disconnected,
            Asking | Connecting => State::Connecting,
            LoggingIn | Refused | Ready => State::Connected,
            ReadyAfterLogin => State::Authenticated,
            Closing => State::Closing,
            Closed => State::Closed,
        }
    }

    pub(crate) fn config(self) -> Config {
        let login = Login::Message {
            send: "open sesame".into(),
            accepted: AcceptanceRule::parse("/type=welcome").unwrap(),
            refused: ["/type=refused", "/type=busy:45s", "/type=later:retry", "/type=never:fatal"]
                .map(|rule| RefusalRule::parse(rule).unwrap())
                .into(),
            timeout: Login::TIMEOUT,
        };
        match self {
            LoggingIn | ReadyAfterLogin => pinging().login(login).build().unwrap(),
            Refused => {
                let rule = |code, verdict| Rule::new(code, code, verdict).unwrap();
                let least = Verdict::RetryNoSoonerThan(Duration::from_secs(45));
                let config = pinging().login(login).rule(rule(1000, least));
                config.rule(rule(4001, Verdict::Fatal)).build().unwrap()
            }
            Asking => pinging().ask_provider(true).build().unwrap(),
            Idle | Waiting | Connecting | Ready | Closing | Closed => pinging().build().unwrap(),
        }
    }

    /// A connection that has come into this situation at 0 s.
    pub(crate) fn arrange(self) -> Connection {
        let before: &[Event<'static>] = match self {
            Idle => &[],
            Waiting => &[Event::ConnectRequested, Event::OpenFailed(ONE, OpenError::Refused)],
            Asking | Connecting => &[Event::ConnectRequested],
            LoggingIn => &[Event::ConnectRequested, Event::SocketOpened(ONE)],
            Refused => &[Event::ConnectRequested, Event::SocketOpened(ONE), REFUSED],
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

/// The answer that refuses the login, with the verdict to refresh.
pub(crate) const REFUSED: Event<'static> =
    Event::FrameReceived(ONE, Frame::Text(r#"{"type":"refused"}"#));

/// The heartbeat is JSON, and the first ping leaves after a random part of the interval.
fn pinging() -> ConfigBuilder {
    Config::builder().heartbeat(HeartbeatKind::Json).heartbeat_phase(true)
}
