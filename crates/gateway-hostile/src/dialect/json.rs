//! The dialect `json`: a login as the first message, then JSON pings and echoes.

use std::borrow::Cow;

use gateway_core::CloseCode;
use gateway_wire::Message;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    Speaker,
    exchange::{Close, Exchange},
    plain::echo_or_pong,
};

const LOGIN: &str = "POST_LOGIN";
const ACCEPTED: &str = r#"{"type":"RTN_LOGIN"}"#;
const REFUSED: Close = Close::with(CloseCode::POLICY_VIOLATION, "login refused");

#[derive(Debug, Default)]
pub(super) enum Json {
    #[default]
    AwaitsLogin,
    LoggedIn,
}

#[derive(Deserialize)]
struct Login<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    token: Option<&'a RawValue>,
}

impl Json {
    fn on_first(message: &Message, exchange: &mut Exchange<'_>) -> Self {
        let Some(login) = message.as_text().and_then(Login::parse) else {
            return Self::refuse("login required", exchange);
        };
        match exchange.login(login.token().as_deref()) {
            Ok(()) => {
                exchange.text(ACCEPTED);
                Self::LoggedIn
            }
            Err(refused) => Self::refuse(refused.words(), exchange),
        }
    }

    fn refuse(reason: &str, exchange: &mut Exchange<'_>) -> Self {
        tracing::info!(reason, "login refused");
        exchange.text(format!(r#"{{"type":"RTN_ERR","reason":"{reason}"}}"#));
        exchange.close(REFUSED);
        Self::AwaitsLogin
    }
}

impl Speaker for Json {
    fn received(&mut self, message: Message, exchange: &mut Exchange<'_>) {
        match (&self, message) {
            (Self::AwaitsLogin, message) => *self = Self::on_first(&message, exchange),
            (Self::LoggedIn, Message::Text(text)) => echo_or_pong(text, exchange),
            (Self::LoggedIn, message @ Message::Binary(_)) => exchange.echo(message),
        }
    }

    fn refusal(&self) -> Option<&'static str> {
        Some(r#"{"type":"RTN_ERR","reason":"login refused"}"#)
    }
}

impl<'a> Login<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let login: Self = serde_json::from_str(text).ok()?;
        (login.kind == LOGIN).then_some(login)
    }

    /// `None` if there is none, or it is no string.
    fn token(&self) -> Option<String> {
        serde_json::from_str(self.token?.get()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::{ServedDialect, talk::Talk};

    #[test]
    fn without_tokens_any_login_is_accepted() {
        for login in [r#"{"type":"POST_LOGIN"}"#, r#"{"token":1,"type":"POST_LOGIN","x":[]}"#] {
            assert_eq!(Talk::with(ServedDialect::Json).say(login), [ACCEPTED]);
        }
    }

    #[test]
    fn after_the_login_pings_are_answered_and_the_rest_is_echoed() {
        let mut talk = Talk::guarded(ServedDialect::Json, "sesame");

        assert_eq!(talk.say(r#"{"type":"POST_LOGIN","token":"sesame"}"#), [ACCEPTED]);
        assert_eq!(
            talk.say(r#"{"type":"ping","timestamp":7}"#),
            [r#"pong: {"type":"pong","timestamp":7}"#]
        );
        assert_eq!(talk.say("hello"), ["echo: hello"]);
    }

    #[test]
    fn a_wrong_token_is_refused_with_its_reason() {
        for token in [r#""Sesame""#, "1", "null"] {
            let mut talk = Talk::guarded(ServedDialect::Json, "sesame");
            let login = format!(r#"{{"type":"POST_LOGIN","token":{token}}}"#);

            assert_eq!(
                talk.say(&login),
                [r#"{"type":"RTN_ERR","reason":"wrong token"}"#, "close 1008: login refused"]
            );
        }
    }

    #[test]
    fn before_the_login_every_other_message_is_refused() {
        for message in [r#"{"type":"ping","timestamp":7}"#, "hello", r#"{"type":"post_login"}"#] {
            let mut talk = Talk::with(ServedDialect::Json);

            assert_eq!(
                talk.say(message),
                [r#"{"type":"RTN_ERR","reason":"login required"}"#, "close 1008: login refused"]
            );
        }
        let mut talk = Talk::with(ServedDialect::Json);
        assert!(talk.say_bytes(br#"{"type":"POST_LOGIN"}"#)[0].contains("login required"));
    }
}
