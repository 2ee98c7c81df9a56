//! The words of which a script is made: how a connection opens, what happens on it, how it ends.

use gateway_tokio::core::CloseCode;
use thiserror::Error;

use super::{
    ending::Ending,
    judge::Rule,
    script_table::{self, SCRIPTS},
};

/// What the server does to a connection, under a name. All of them stand in the script table.
#[derive(Debug)]
pub(crate) struct Script {
    pub(crate) name: &'static str,
    /// One line, in the third person: what the client meets.
    pub(crate) about: &'static str,
    /// The rules that a client is judged by which meets it.
    pub(crate) expects: &'static [Rule],
    pub(crate) opening: Opening,
}

/// What the server does when a TCP connection has been accepted.
#[derive(Debug)]
pub(crate) enum Opening {
    /// Reads nothing and answers nothing, for as long as the client stays.
    Silence,
    /// Reads the request, and hangs up without an answer.
    HangUp,
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
    /// Writes bytes past the WebSocket layer that break the protocol.
    Bytes(&'static [u8]),
    /// Writes a Close frame past the WebSocket layer, so that it is the script that goes on.
    Close(u16),
    /// Refuses a login: the first message, or its absence for a beat.
    RefuseLogin,
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

/// What becomes of a ping, be it application-level or a control frame.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pongs {
    Right,
    Never,
    /// So many beats after the ping.
    Late(u32),
    /// With another timestamp, or another payload, than the ping's.
    Wrong,
}

/// What becomes of the client's Close frame.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Closing {
    Replied,
    /// Taken as the end of the step, and never answered.
    Ignored,
}

/// Why a name names no script.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum NoScript {
    #[error("no such script; `--script list` names them")]
    Name,
    #[error(
        "no such close code may be sent; those that may are 1000-1003, 1007-1014 and 3000-4999 \
         (RFC 6455, 7.4; for 1005 on the wire there is close-code-1005)"
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

    /// Good manners for one message or one beat: time for a client to get ready, then the fault.
    pub(crate) const BRIEF: Self =
        Self { until: Until::Either { echoes: 1, beats: 1 }, ..Self::GOOD };
}

impl Script {
    /// The script that does nothing wrong.
    pub(crate) const ECHO: &'static Self = &SCRIPTS[0];

    /// The script of that name: of the table, or `close-CODE` with any code that may be sent.
    ///
    /// # Errors
    /// Where there is none.
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

    /// Every script, in the order in which they are listed.
    pub(crate) fn all() -> &'static [Self] {
        &SCRIPTS
    }
}
