//! The server without a dialect, and the text pings: echoes, a login by token, pings in one of three
//! forms.

use std::borrow::Cow;

use gateway_core::CloseCode;
use gateway_wire::{Message, Text};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    Speaker,
    envelope::{self, Incoming, LOGIN_FAILED, LOGIN_OK},
    exchange::{Close, Exchange},
};
use crate::options::Options;

const TEXT_PING: &str = "ping";
const TEXT_PONG: &str = "pong";
const REFUSED: Close = Close::with(CloseCode::POLICY_VIOLATION, "login failed");

#[derive(Debug)]
pub(super) struct Plain {
    pings: Pings,
    gate: Gate,
}

/// The form of pings and pongs.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pings {
    /// `{"type":"ping","timestamp":…}`
    Json,
    /// `ping`
    Text,
    /// `{"op":"ping","req_id":…}`
    Op,
}

/// Whether the client has logged in.
#[derive(Clone, Copy, Debug)]
enum Gate {
    Shut,
    Open,
}

#[derive(Deserialize)]
struct Op<'a> {
    #[serde(borrow)]
    op: Cow<'a, str>,
    #[serde(borrow)]
    req_id: Option<&'a RawValue>,
}

impl Plain {
    pub(super) const fn new(pings: Pings, options: &Options) -> Self {
        let gate = if options.logins.tokens.is_empty() { Gate::Open } else { Gate::Shut };
        Self { pings, gate }
    }

    fn on_login(&mut self, token: Option<&str>, exchange: &mut Exchange<'_>) {
        match exchange.login(token) {
            Ok(()) => {
                self.gate = Gate::Open;
                exchange.text(LOGIN_OK);
            }
            Err(refused) => {
                tracing::info!(why = refused.words(), "login failed");
                exchange.text(LOGIN_FAILED);
                exchange.close(REFUSED);
            }
        }
    }
}

impl Speaker for Plain {
    fn received(&mut self, message: Message, exchange: &mut Exchange<'_>) {
        match (self.gate, message) {
            (Gate::Shut, Message::Text(text)) => match Incoming::parse(&text) {
                Incoming::Login(token) => self.on_login(Some(&token), exchange),
                Incoming::Ping(_) | Incoming::Other => self.on_login(Some(&text), exchange),
            },
            (Gate::Shut, Message::Binary(_)) => self.on_login(None, exchange),
            (Gate::Open, Message::Text(text)) => self.pings.answer(text, exchange),
            (Gate::Open, message @ Message::Binary(_)) => exchange.echo(message),
        }
    }

    fn refusal(&self) -> Option<&'static str> {
        Some(LOGIN_FAILED)
    }
}

impl Pings {
    /// Answers a ping, and echoes everything else.
    fn answer(self, text: Text, exchange: &mut Exchange<'_>) {
        match self {
            Self::Json => return echo_or_pong(text, exchange),
            Self::Text if &*text == TEXT_PING => return exchange.pong(TEXT_PONG, None),
            Self::Op => {
                if let Some(Op { req_id, .. }) = op_ping(&text) {
                    let wrong = req_id.map(|_| op_pong(Some(r#""wrong""#)));
                    return exchange.pong(op_pong(req_id.map(RawValue::get)), wrong);
                }
            }
            Self::Text => {}
        }
        exchange.echo(Message::Text(text));
    }
}

/// Answers a JSON ping, and echoes everything else.
pub(super) fn echo_or_pong(text: Text, exchange: &mut Exchange<'_>) {
    match Incoming::parse(&text) {
        Incoming::Ping(timestamp) => {
            exchange.pong(envelope::pong(timestamp), Some(envelope::wrong_pong(timestamp)));
        }
        Incoming::Login(_) | Incoming::Other => exchange.echo(Message::Text(text)),
    }
}

fn op_ping(text: &str) -> Option<Op<'_>> {
    let op: Op<'_> = serde_json::from_str(text).ok()?;
    (op.op == "ping").then_some(op)
}

fn op_pong(req_id: Option<&str>) -> String {
    match req_id {
        Some(req_id) => format!(r#"{{"op":"pong","req_id":{req_id}}}"#),
        None => r#"{"op":"pong"}"#.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::{ServedDialect, talk::Talk};

    #[test]
    fn a_text_ping_is_answered_and_the_rest_is_echoed() {
        let mut talk = Talk::with(ServedDialect::Ping);

        assert_eq!(talk.say("ping"), ["pong: pong"]);
        assert_eq!(talk.say("ping "), ["echo: ping "]);
        assert_eq!(talk.say(r#"{"type":"ping"}"#), [r#"echo: {"type":"ping"}"#]);
    }

    #[test]
    fn an_op_pong_repeats_the_request_id_as_it_is_written() {
        let mut talk = Talk::with(ServedDialect::OpPing);

        assert_eq!(talk.say(r#"{"op":"ping"}"#), [r#"pong: {"op":"pong"}"#]);
        for req_id in ["1.50", "\"1\"", "[ 1]"] {
            let ping = format!(r#"{{"req_id":{req_id}, "op":"ping","args":[]}}"#);
            let pong = format!(r#"pong: {{"op":"pong","req_id":{req_id}}}"#);
            assert_eq!(talk.say(&ping), [pong]);
        }
        for other in [r#"{"op":"subscribe"}"#, r#"{"op":1}"#, "ping"] {
            assert_eq!(talk.say(other), [format!("echo: {other}")]);
        }
    }

    #[test]
    fn text_pings_have_the_plain_login() {
        for dialect in [ServedDialect::Ping, ServedDialect::OpPing] {
            let mut talk = Talk::guarded(dialect, "sesame");
            assert_eq!(talk.say("sesame"), [LOGIN_OK]);
            assert_eq!(talk.say("hello"), ["echo: hello"]);

            let mut talk = Talk::guarded(dialect, "sesame");
            assert_eq!(talk.say("ping"), [LOGIN_FAILED, "close 1008: login failed"]);
        }
    }
}
