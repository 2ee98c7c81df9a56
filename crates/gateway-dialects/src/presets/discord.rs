//! Discord's gateway, version 10 in JSON: the server's interval, sequence numbers, and sessions
//! that are resumed. <https://discord.com/developers/docs/events/gateway>

mod scan;

use std::fmt;
use std::time::Duration;

use gateway_core::{
    CloseCode, Dialect, DisconnectCause, Duties, Exchange, Interest, Message, Received, Secret,
    Secrets, Verdict,
};
use serde::Deserialize;

use crate::fault::Fault;
use crate::json::write_escaped;
use crate::phase::Phase;
use scan::{Envelope, scan};

/// What a client asks the gateway for.
pub(super) const PATH: &str = "/?v=10&encoding=json";

/// A close code with which the session can be resumed. After 1000 and 1001 it could not.
const RESUMABLE: u16 = 4000;

/// The least delay before a new session, after one was invalidated.
const FRESH_START: Duration = Duration::from_secs(5);

/// A bot may be in many servers: the first message that it receives is long.
const LOGIN: Duration = Duration::from_secs(30);

/// GUILDS and GUILD_MESSAGES, which need no approval.
const INTENTS: u64 = 513;

#[derive(Default)]
pub(super) struct Discord {
    phase: Phase,
    secrets: Secrets,
    /// The session to resume, if there is one.
    session: Option<Session>,
    /// The number of the last event.
    sequence: Option<u64>,
}

struct Session {
    id: String,
}

#[derive(Deserialize)]
struct Hello {
    d: Interval,
}

#[derive(Deserialize)]
struct Interval {
    heartbeat_interval: serde_json::Value,
}

#[derive(Deserialize)]
struct ReadyEvent {
    d: ReadyData,
}

#[derive(Deserialize)]
struct ReadyData {
    session_id: String,
    resume_gateway_url: Option<String>,
}

#[derive(Deserialize)]
struct InvalidSession {
    d: bool,
}

impl Dialect for Discord {
    fn duties(&self) -> Duties {
        Duties::NONE.with_heartbeat().with_login(LOGIN)
    }

    fn interest(&self) -> Interest {
        match self.phase {
            Phase::Over => Interest::NONE,
            Phase::Waiting | Phase::LoggingIn | Phase::Ready => Interest::TEXT,
        }
    }

    fn opened(&mut self, _: &mut Exchange<'_>) {
        self.phase = Phase::Waiting;
    }

    fn received(&mut self, message: Message<'_>, exchange: &mut Exchange<'_>) -> Received {
        let Message::Text(text) = message else { return Received::Deliver };
        let Some(Envelope { op, sequence, event }) = scan(text, self.phase != Phase::Ready) else {
            return Received::Deliver;
        };
        match op {
            0 => {
                self.sequence = sequence.or(self.sequence);
                if self.phase == Phase::LoggingIn {
                    self.log_in(event, text, exchange);
                }
                Received::Deliver
            }
            1 => {
                exchange.send_text(Beat(self.sequence));
                Received::Consume
            }
            7 => {
                self.leave(Verdict::Retry, "the server asks for a reconnect", exchange);
                Received::Consume
            }
            9 => {
                self.invalidate(text, exchange);
                Received::Consume
            }
            10 => {
                self.greet(text, exchange);
                Received::Consume
            }
            11 => {
                exchange.pong(None);
                Received::Consume
            }
            _ => Received::Deliver,
        }
    }

    fn heartbeat(&mut self, exchange: &mut Exchange<'_>) {
        exchange.send_text(Beat(self.sequence));
    }

    fn secrets(&mut self, secrets: &Secrets) {
        self.secrets = secrets.clone();
    }

    fn lost(&mut self, cause: DisconnectCause) {
        self.phase = Phase::Over;
        // An invalid sequence, and a session that timed out.
        if let DisconnectCause::CloseReceived(Some(code)) = cause
            && matches!(code.number(), 4007 | 4009)
        {
            self.forget();
        }
    }
}

impl Discord {
    /// The server said hello: sets its interval, and resumes the session or begins one.
    fn greet(&mut self, text: &str, exchange: &mut Exchange<'_>) {
        if self.phase != Phase::Waiting {
            return;
        }
        if let Ok(Hello { d }) = serde_json::from_str(text) {
            let millis = d.heartbeat_interval.as_f64().filter(|millis| *millis > 0.0);
            // Zero is ignored with a warning, and what is too long is clamped.
            let interval = millis.map_or(Duration::ZERO, |millis| {
                Duration::try_from_secs_f64(millis / 1_000.0).unwrap_or(Duration::from_secs(86_400))
            });
            exchange.set_heartbeat(interval, None);
        }
        let Some(token) = self.secrets.get("token").map(Secret::reveal) else {
            return self.fail(&Fault::new("login", "secret:token"), exchange);
        };
        let intents = match self.secrets.get("intents") {
            Some(given) => given.reveal().parse().ok(),
            None => Some(INTENTS),
        };
        match (&self.session, self.sequence, intents) {
            (Some(session), Some(sequence), _) => {
                exchange.send_text(Resume { token, session: &session.id, sequence });
            }
            (_, _, Some(intents)) => exchange.send_text(Identify { token, intents }),
            (_, _, None) => return self.fail(&"${secret:intents} must be a number", exchange),
        }
        self.phase = Phase::LoggingIn;
    }

    fn log_in(&mut self, event: Option<&str>, text: &str, exchange: &mut Exchange<'_>) {
        match event {
            Some("READY") => {}
            Some("RESUMED") => {
                self.phase = Phase::Ready;
                return exchange.login_accepted();
            }
            Some(_) | None => return, // an event that was missed
        }
        self.phase = Phase::Ready;
        exchange.login_accepted();
        let Ok(ReadyEvent { d }) = serde_json::from_str(text) else { return self.forget() };
        let ReadyData { session_id, resume_gateway_url } = d;
        self.session = (session_id.len() <= LONGEST).then_some(Session { id: session_id });
        if let Some(url) = resume_gateway_url.filter(|url| url.len() <= LONGEST) {
            exchange.resume_at(format_args!("{}{PATH}", url.trim_end_matches('/')));
        }
    }

    fn invalidate(&mut self, text: &str, exchange: &mut Exchange<'_>) {
        let can_resume = serde_json::from_str(text).is_ok_and(|InvalidSession { d }| d);
        if can_resume {
            return self.leave(Verdict::Retry, "the session is invalid", exchange);
        }
        self.forget();
        exchange.resume_at("");
        self.leave(Verdict::RetryNoSoonerThan(FRESH_START), "the session is over", exchange);
    }

    fn forget(&mut self) {
        self.session = None;
        self.sequence = None;
    }

    fn leave(&mut self, verdict: Verdict, reason: &str, exchange: &mut Exchange<'_>) {
        self.phase = Phase::Over;
        let code = CloseCode::new(RESUMABLE).unwrap_or(CloseCode::INTERNAL_ERROR);
        exchange.leave(code, verdict, reason);
    }

    fn fail(&mut self, reason: &dyn fmt::Display, exchange: &mut Exchange<'_>) {
        self.phase = Phase::Over;
        exchange.fail(reason);
    }
}

/// The longest session id and URL that are kept.
const LONGEST: usize = 512;

struct Beat(Option<u64>);

impl fmt::Display for Beat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(sequence) => write!(f, r#"{{"op":1,"d":{sequence}}}"#),
            None => f.write_str(r#"{"op":1,"d":null}"#),
        }
    }
}

struct Identify<'a> {
    token: &'a str,
    intents: u64,
}

impl fmt::Display for Identify<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(r#"{"op":2,"d":{"token":""#)?;
        write_escaped(self.token, f)?;
        let (intents, os) = (self.intents, std::env::consts::OS);
        write!(f, r#"","intents":{intents},"properties":{{"os":"{os}","#)?;
        f.write_str(r#""browser":"gateway","device":"gateway"}}}"#)
    }
}

struct Resume<'a> {
    token: &'a str,
    session: &'a str,
    sequence: u64,
}

impl fmt::Display for Resume<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(r#"{"op":6,"d":{"token":""#)?;
        write_escaped(self.token, f)?;
        f.write_str(r#"","session_id":""#)?;
        write_escaped(self.session, f)?;
        write!(f, r#"","seq":{}}}}}"#, self.sequence)
    }
}
