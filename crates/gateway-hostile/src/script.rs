//! The parts of a script: how a connection opens, what happens on it, how it ends.

use std::time::Duration;

use gateway_core::CloseCode;

use crate::rule::Rule;

/// What the server does to a connection, and the rules for its client.
///
/// [`Script::named`] finds one by its name, and [`Script::all`] lists them.
#[derive(Debug)]
pub struct Script {
    pub(crate) name: &'static str,
    /// What the server does, in one line in the third person.
    pub(crate) about: &'static str,
    /// The rules for a client on this script.
    pub(crate) expects: &'static [Rule],
    pub(crate) opening: Opening,
}

/// What the server does when a TCP connection has been accepted.
#[derive(Debug)]
pub(crate) enum Opening {
    /// Reads and writes nothing until the client ends TCP.
    Silence,
    /// Reads the request, and ends TCP without an answer.
    HangUp,
    /// Answers the upgrade with another HTTP status, and ends TCP.
    Http(HttpAnswer),
    /// Answers the upgrade with bytes that are not HTTP, and ends TCP.
    Bytes(&'static [u8]),
    /// Upgrades to WebSocket, runs the steps in order, then ends the connection.
    Upgrade { pace: Pace, steps: &'static [Step], end: Ending },
}

/// How fast the answer to the upgrade is written.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pace {
    AtOnce,
    ByteABeat,
}

/// An HTTP response that does not upgrade.
#[derive(Debug)]
pub(crate) struct HttpAnswer {
    pub(crate) status: u16,
    pub(crate) reason: &'static str,
    pub(crate) header: Header,
}

/// The header of such a response.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Header {
    None,
    /// `Retry-After` in seconds.
    RetryAfterSeconds(u32),
    /// `Retry-After` as an HTTP date this many seconds ahead.
    RetryAfterDate(u32),
    Location(&'static str),
    Authenticate(&'static str),
}

/// Something that happens on an upgraded connection.
#[derive(Debug)]
pub(crate) enum Step {
    /// Answers messages until the manners' end.
    Answer(Manners),
    /// Writes bytes that break the protocol.
    Bytes(&'static [u8]),
    /// Writes a Close frame. The script continues.
    Close(CloseCode),
    /// Refuses a login after the first message or a beat.
    RefuseLogin,
    /// Sends this many WebSocket pings as fast as possible.
    PingFlood(u32),
}

/// How messages are answered, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manners {
    pub(crate) until: Until,
    pub(crate) pongs: Pongs,
    pub(crate) closing: Closing,
}

/// When a server stops answering.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Until {
    /// When the client closes.
    Closed,
    /// After this many echoed messages or beats, whichever comes first.
    Either { echoes: u32, beats: u32 },
}

/// How the server answers a ping, application-level or a control frame.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pongs {
    Right,
    Never,
    /// This many beats after the ping.
    Late(u32),
    /// With another timestamp, or another payload, than the ping's.
    Wrong,
}

/// How the server treats the client's Close frame.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Closing {
    Replied,
    /// It ends the step, without an answer.
    Ignored,
}

/// How the server ends a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Resets TCP.
    Abort,
    /// Finishes TCP, without a Close frame.
    Finish,
    /// Keeps TCP open, and neither reads nor writes.
    Hold,
    /// Reads until the client closes, and answers only its Pings and its Close frame.
    Obey,
    /// Waits a second for the client's Close frame, then finishes TCP. The script has already sent the
    /// server's Close frame as bytes.
    AwaitClose,
    /// Sends a Close frame, and waits a second for the answer.
    Close { code: CloseCode, reason: &'static str },
    /// Sends a Close frame without a code, and waits a second for the answer.
    CloseWithoutCode,
    /// Closes every connection with 1012. Then the server refuses connections for two beats.
    Restart,
}

impl Manners {
    /// Echoes and pongs until the client closes.
    pub(crate) const GOOD: Self =
        Self { until: Until::Closed, pongs: Pongs::Right, closing: Closing::Replied };

    /// Good manners for one message or one beat, so that a client can become ready before the fault.
    pub(crate) const BRIEF: Self =
        Self { until: Until::Either { echoes: 1, beats: 1 }, ..Self::GOOD };
}

impl Script {
    /// The name, such as `half-open`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// What the server does, in one line in the third person.
    #[must_use]
    pub const fn about(&self) -> &'static str {
        self.about
    }

    /// The rules for a client in words, with this time limit to notice a fault and to reconnect.
    pub fn rules(&self, within: Duration) -> impl Iterator<Item = String> {
        self.expects.iter().map(move |rule| rule.words(within))
    }
}
