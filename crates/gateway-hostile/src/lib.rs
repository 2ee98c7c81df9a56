//! A WebSocket server that misbehaves on request, for tests of any client: it drops connections,
//! goes silent, refuses upgrades, breaks the protocol, and says afterwards whether the client kept
//! the rules.
//!
//! [`Builder::start`] runs a server on a thread of its own, on a free port of this machine. Connect
//! the client under test, and read the judge's [`Report`]:
//!
//! ```
//! use std::io::{Read, Write};
//! use std::net::TcpStream;
//! use std::time::Duration;
//!
//! use gateway_hostile::{Script, Server, Verdict};
//!
//! let server = Server::builder().script(Script::named("http-503")?).start()?;
//!
//! // The client under test, here one that asks once for an upgrade and gives up.
//! let mut client = TcpStream::connect(server.local_addr())?;
//! client.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
//! let mut answer = String::new();
//! client.read_to_string(&mut answer)?;
//! assert!(answer.starts_with("HTTP/1.1 503 "));
//!
//! let report = server.report(Duration::from_secs(2))?;
//! assert_eq!(report.attempts().len(), 1);
//! assert_ne!(report.verdict(), Verdict::Broken, "{report}");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What does the server do?
//!
//! A [`Script`] says what happens to each connection: [`Script::all`] lists all scripts, and
//! `close-CODE` is one for any close code that may be sent. The default is `echo`, without a fault.
//! [`Builder::faults`] limits the script to the first connections, so that a test sees whether the
//! client recovers.
//!
//! Where no script says otherwise, the server echoes messages, answers WebSocket pings, and answers
//! a text `{"type":"ping","timestamp":T}` with `{"type":"pong","timestamp":T}`. With a
//! [login](Builder::login), the first message must be the token.
//!
//! With a [dialect](ServedDialect) it plays a real gateway instead, such as Home Assistant: greeting,
//! login, heartbeat and answers. Scripts apply to this, too. Tokens can
//! [expire](Builder::login_uses), so that a test sees whether the client fetches a new one.
//!
//! A [`Control`] causes faults at the moment that a test wants: it resets, silences or closes all
//! connections, or refuses new ones.
//!
//! With an [`AcceptLimit`] the server is as slow as a server under load: it accepts so many
//! connections in a second, and others wait in a queue.
//!
//! # Which rules does the judge check?
//!
//! Each script has rules for its clients, such as "tries again within 5s of a loss". Most are from
//! RFC 6455; the text names the section. A rule is [kept, broken or not seen](Verdict). The judge
//! sees the bytes on the wire, so it can judge a client in any language.
//!
//! # In an async test
//!
//! [`Builder::bind`] and [`Server::run`] serve on your own tokio runtime, and [`Server::judge`] does
//! the same and returns a report. The server logs with `tracing`, and prints nothing.

mod accepting;
mod builder;
mod clock;
mod connection;
mod control;
mod dialect;
mod ending;
mod frames;
mod judge;
mod line;
mod logins;
mod opening;
mod options;
mod record;
mod rule;
mod running;
mod script;
mod secret;
mod server;
mod session;
mod socket;
mod table;
#[cfg(test)]
mod tests;

use self::dialect::envelope;
pub use self::{
    accepting::{AcceptLimit, AcceptLimitError},
    builder::Builder,
    control::{Control, Tally},
    dialect::ServedDialect,
    judge::{
        report::{Attempt, Ping, Report, RuleReport},
        verdict::Verdict,
    },
    running::Running,
    script::Script,
    secret::{EmptySecret, Secret},
    server::{ServeError, Server},
    table::NoScript,
};

/// The default answer to a text, other than its echo: the pong for a ping. For fuzz targets.
#[doc(hidden)]
#[must_use]
pub fn answer(text: &str) -> Option<String> {
    match envelope::Incoming::parse(text) {
        envelope::Incoming::Ping(timestamp) => Some(envelope::pong(timestamp)),
        envelope::Incoming::Login(_) | envelope::Incoming::Other => None,
    }
}
