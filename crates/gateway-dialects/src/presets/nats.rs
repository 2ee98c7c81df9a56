//! NATS: the greeting, the login, and pings of both sides.
//! <https://docs.nats.io/reference/reference-protocols/nats-protocol>

mod lines;

use std::fmt;

use gateway_core::{
    CloseCode, Dialect, DisconnectCause, Duties, Exchange, Interest, Login, Message, Received,
    Secret, Secrets, Verdict,
};

use crate::json::write_escaped;
use crate::phase::Phase;
use lines::Lines;

#[derive(Default)]
pub(super) struct Nats {
    phase: Phase,
    secrets: Secrets,
    lines: Lines,
}

impl Dialect for Nats {
    fn duties(&self) -> Duties {
        Duties::NONE.with_heartbeat().with_login(Login::TIMEOUT)
    }

    fn interest(&self) -> Interest {
        match self.phase {
            Phase::Over => Interest::NONE,
            // Servers send binary messages, and a ping may be behind data.
            Phase::Waiting | Phase::LoggingIn | Phase::Ready => Interest::BINARY,
        }
    }

    fn opened(&mut self, _: &mut Exchange<'_>) {
        self.phase = Phase::Waiting;
        self.lines = Lines::default();
    }

    fn received(&mut self, message: Message<'_>, exchange: &mut Exchange<'_>) -> Received {
        let Message::Binary(bytes) = message else { return Received::Deliver };
        let Some(seen) = self.lines.read(bytes) else {
            self.phase = Phase::Over;
            exchange.leave(CloseCode::PROTOCOL_ERROR, Verdict::Retry, "a NATS line is malformed");
            return Received::Deliver;
        };
        if seen.is_info && self.phase == Phase::Waiting {
            self.phase = Phase::LoggingIn;
            exchange.send_binary(format!("{}PING\r\n", Connect(&self.secrets)).as_bytes());
        }
        if seen.is_pinged {
            exchange.send_binary(b"PONG\r\n");
        }
        // What the server says later may change what the application does.
        let is_news = self.phase == Phase::Ready && (seen.is_info || seen.error.is_some());
        if let Some(error) = &seen.error
            && matches!(self.phase, Phase::Waiting | Phase::LoggingIn)
        {
            self.phase = Phase::Over;
            exchange.login_refused(verdict(error), error);
        }
        match self.phase {
            Phase::LoggingIn if seen.is_answered => {
                self.phase = Phase::Ready;
                exchange.login_accepted();
            }
            Phase::Ready if seen.is_answered => exchange.pong(None),
            Phase::LoggingIn | Phase::Ready | Phase::Waiting | Phase::Over => {}
        }
        if seen.is_ours && !is_news { Received::Consume } else { Received::Deliver }
    }

    fn heartbeat(&mut self, exchange: &mut Exchange<'_>) {
        exchange.send_binary(b"PING\r\n");
    }

    fn secrets(&mut self, secrets: &Secrets) {
        self.secrets = secrets.clone();
    }

    fn lost(&mut self, _: DisconnectCause) {
        self.phase = Phase::Over;
    }
}

/// What follows an error that came instead of the login's answer.
fn verdict(error: &str) -> Verdict {
    let error = error.to_ascii_lowercase();
    let is_login = error.contains("authorization") || error.contains("authentication");
    if is_login { Verdict::RefreshCredentials } else { Verdict::Retry }
}

/// The CONNECT line.
struct Connect<'a>(&'a Secrets);

impl fmt::Display for Connect<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(r#"CONNECT {"verbose":false,"pedantic":false,"tls_required":false,"#)?;
        f.write_str(r#""lang":"rust","name":"gateway","version":""#)?;
        f.write_str(env!("CARGO_PKG_VERSION"))?;
        f.write_str(r#"","protocol":1,"headers":true,"no_responders":true"#)?;
        for (field, name) in [("auth_token", "token"), ("user", "username"), ("pass", "password")] {
            if let Some(value) = self.0.get(name).map(Secret::reveal) {
                write!(f, r#","{field}":""#)?;
                write_escaped(value, f)?;
                f.write_str("\"")?;
            }
        }
        f.write_str("}\r\n")
    }
}
