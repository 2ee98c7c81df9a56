//! The words of which a script is made: how a connection opens, what happens on it, how it ends.

use super::{ending::Ending, script_table::SCRIPTS};

/// What the server does to a connection, under a name. All of them stand in the script table.
#[derive(Debug)]
pub(crate) struct Script {
    pub(crate) name: &'static str,
    /// One line, in the third person: what the client meets.
    pub(crate) about: &'static str,
    pub(crate) opening: Opening,
}

/// What the server does when a TCP connection has been accepted.
#[derive(Debug)]
pub(crate) enum Opening {
    /// Reads nothing and answers nothing, for as long as the client stays.
    Silence,
    /// Answers the upgrade with another HTTP status, and hangs up.
    Http(HttpAnswer),
    /// Answers the upgrade with bytes that are no HTTP, and hangs up.
    Bytes(&'static [u8]),
    /// Upgrades to WebSocket, takes the steps one by one, then ends the connection.
    Upgrade { pace: Pace, steps: &'static [Step], end: Ending },
}

/// How fast the answer to the upgrade is written.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pace {
    AtOnce,
    ByteABeat,
}

/// An HTTP answer that is no upgrade.
#[derive(Debug)]
pub(crate) struct HttpAnswer {
    pub(crate) status: u16,
    pub(crate) reason: &'static str,
    pub(crate) header: Header,
}

/// The header of an HTTP answer that matters to a client.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Header {
    None,
    /// `Retry-After` in seconds.
    RetryAfterSeconds(u32),
    /// `Retry-After` as the HTTP date that lies so many seconds ahead.
    RetryAfterDate(u32),
    Location(&'static str),
    Authenticate(&'static str),
}

/// Something that happens on an upgraded connection.
#[derive(Debug)]
pub(crate) enum Step {
    /// Answers messages until the manners say that it is enough.
    Answer(Manners),
    /// Writes bytes past the WebSocket layer.
    Bytes(&'static [u8]),
    /// Sends so many WebSocket pings as fast as they go.
    PingFlood(u32),
}

/// How messages are answered, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manners {
    pub(crate) until: Until,
    pub(crate) pongs: Pongs,
    pub(crate) closing: Closing,
}

/// When a server has answered enough.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Until {
    /// When the client closes.
    Closed,
    /// After so many echoed messages, or so many beats, whichever comes first.
    Either { echoes: u32, beats: u32 },
}

/// What becomes of an application-level ping.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pongs {
    Right,
    Never,
    /// So many beats after the ping.
    Late(u32),
    /// With another timestamp than the ping's.
    Wrong,
}

/// What becomes of the client's Close frame.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Closing {
    Replied,
    /// Taken as the end of the step, and never answered.
    Ignored,
}

impl Manners {
    /// Echoes and pongs until the client closes.
    pub(crate) const GOOD: Self =
        Self { until: Until::Closed, pongs: Pongs::Right, closing: Closing::Replied };

    /// Good manners for one message or one beat: time for a client to get ready, then the fault.
    pub(crate) const BRIEF: Self =
        Self { until: Until::Either { echoes: 1, beats: 1 }, ..Self::GOOD };
}

impl Script {
    /// The script that does nothing wrong.
    pub(crate) const ECHO: &'static Self = &SCRIPTS[0];

    /// The script of that name.
    pub(crate) fn by_name(name: &str) -> Option<&'static Self> {
        SCRIPTS.iter().find(|script| script.name == name)
    }

    /// Every script, in the order in which they are listed.
    pub(crate) fn all() -> &'static [Self] {
        &SCRIPTS
    }
}
