//! The parts of a script: how a connection opens, what happens on it, how it ends.

use gateway_tokio::core::CloseCode;
use thiserror::Error;

use super::{
    ending::Ending,
    judge::Rule,
    script_table::{self, SCRIPTS},
};

/// What the server does to a connection. The script table lists all scripts.
#[derive(Debug)]
pub(crate) struct Script {
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
    /// Writes bytes past the WebSocket layer that break the protocol.
    Bytes(&'static [u8]),
    /// Writes a Close frame past the WebSocket layer, so that the script continues.
    Close(u16),
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

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum NoScript {
    #[error("unknown script; `--script list` prints all scripts")]
    Name,
    #[error(
        "this close code may not be sent; valid codes are 1000-1003, 1007-1014 and 3000-4999 \
         (RFC 6455, 7.4); the script close-code-1005 sends 1005"
    )]
    Code,
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
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
    /// The script without a fault.
    pub(crate) const ECHO: &'static Self = &SCRIPTS[0];

    /// The script with this name: one of the table, or `close-CODE` with any code that may be sent.
    ///
    /// # Errors
    /// If there is none.
    pub(crate) fn by_name(name: &str) -> Result<&'static Self, NoScript> {
        if let Some(script) = SCRIPTS.iter().find(|script| script.name == name) {
            return Ok(script);
        }
        let code = name.strip_prefix("close-").filter(|code| is_number(code));
        match code.map(str::parse).map(|code| code.map(CloseCode::new)) {
            Some(Ok(Ok(code))) => Ok(script_table::close_with(code)),
            Some(Ok(Err(_)) | Err(_)) => Err(NoScript::Code),
            None => Err(NoScript::Name),
        }
    }

    /// Every script, in the order of the list.
    pub(crate) fn all() -> &'static [Self] {
        &SCRIPTS
    }
}
