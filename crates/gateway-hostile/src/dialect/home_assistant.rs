//! The dialect `home-assistant`, after its WebSocket API: a greeting, a login, commands whose ids grow,
//! and events.

use std::{collections::BTreeMap, time::Duration};

use gateway_core::{CloseCode, json_value};
use gateway_wire::Message;
use serde_json::{Value, json};

use super::{
    Speaker, Upgraded,
    exchange::{Close, Exchange},
};
use crate::options::Options;

const AUTH_REQUIRED: &str = r#"{"type":"auth_required","ha_version":"2026.1.0"}"#;
const AUTH_OK: &str = r#"{"type":"auth_ok","ha_version":"2026.1.0"}"#;
const AUTH_INVALID: &str =
    r#"{"type":"auth_invalid","message":"Invalid access token or password"}"#;
const MALFORMED_AUTH: &str =
    r#"{"type":"auth_invalid","message":"Auth message incorrectly formatted"}"#;
/// How many beats a client may take to log in.
const AUTH_BEATS: u32 = 10;
/// How many event subscriptions a client may have at once.
const MAX_SUBSCRIPTIONS: usize = 100;
/// Home Assistant closes with 1000 in every case.
const CLOSE: Close = Close::with(CloseCode::NORMAL, "");

#[derive(Debug)]
pub(super) enum HomeAssistant {
    AwaitsAuth { until: Duration },
    LoggedIn(Commands),
    Closed,
}

/// What is left of the commands so far.
#[derive(Debug, Default)]
pub(super) struct Commands {
    last_id: u64,
    /// By the ids of their commands. The value is the event type; `None` is every type.
    subscriptions: BTreeMap<u64, Option<String>>,
}

/// The error of a command.
struct Failure {
    code: &'static str,
    message: &'static str,
}

const INVALID_FORMAT: Failure =
    Failure { code: "invalid_format", message: "Message incorrectly formatted." };
const ID_REUSE: Failure =
    Failure { code: "id_reuse", message: "Identifier values have to increase." };
const UNKNOWN_COMMAND: Failure = Failure { code: "unknown_command", message: "Unknown command." };
const NOT_FOUND: Failure = Failure { code: "not_found", message: "Subscription not found." };
const TOO_MANY: Failure =
    Failure { code: "home_assistant_error", message: "Too many subscriptions; the limit is 100." };

impl HomeAssistant {
    pub(super) fn new(upgraded: Upgraded, options: &Options) -> Self {
        let until = upgraded.at.saturating_add(options.beat.saturating_mul(AUTH_BEATS));
        Self::AwaitsAuth { until }
    }

    fn on_auth(message: &Value, exchange: &mut Exchange<'_>) -> Self {
        let token = message["access_token"].as_str();
        let refusal = match (message["type"].as_str(), token) {
            (Some("auth"), Some(token)) => match exchange.login(Some(token)) {
                Ok(()) => {
                    exchange.text(AUTH_OK);
                    return Self::LoggedIn(Commands::default());
                }
                Err(refused) => {
                    tracing::info!(why = refused.words(), "login refused");
                    AUTH_INVALID
                }
            },
            _ => MALFORMED_AUTH,
        };
        exchange.text(refusal);
        exchange.close(CLOSE);
        Self::Closed
    }
}

impl Speaker for HomeAssistant {
    fn opened(&mut self, exchange: &mut Exchange<'_>) {
        exchange.text(AUTH_REQUIRED);
    }

    fn received(&mut self, message: Message, exchange: &mut Exchange<'_>) {
        let message = message.as_text().and_then(json_value::parse);
        match (&mut *self, message) {
            (Self::Closed, _) => {}
            (Self::AwaitsAuth { .. } | Self::LoggedIn(_), None) => {
                exchange.close(CLOSE);
                *self = Self::Closed;
            }
            (Self::AwaitsAuth { .. }, Some(message)) => {
                *self = Self::on_auth(&message, exchange);
            }
            (Self::LoggedIn(commands), Some(message)) => commands.receive(&message, exchange),
        }
    }

    fn due_at(&self) -> Option<Duration> {
        match self {
            Self::AwaitsAuth { until } => Some(*until),
            Self::LoggedIn(_) | Self::Closed => None,
        }
    }

    fn due(&mut self, exchange: &mut Exchange<'_>) {
        match self {
            Self::AwaitsAuth { until } if exchange.now() >= *until => {
                exchange.close(CLOSE);
                *self = Self::Closed;
            }
            Self::AwaitsAuth { .. } | Self::LoggedIn(_) | Self::Closed => {}
        }
    }

    fn refusal(&self) -> Option<&'static str> {
        Some(AUTH_INVALID)
    }
}

impl Commands {
    fn receive(&mut self, message: &Value, exchange: &mut Exchange<'_>) {
        let id = message["id"].as_u64().filter(|id| *id > 0);
        let (Some(id), Some(kind)) = (id, message["type"].as_str()) else {
            return answer(&message["id"], Err(INVALID_FORMAT), exchange);
        };
        if id <= self.last_id {
            return answer(&json!(id), Err(ID_REUSE), exchange);
        }
        let outcome = match kind {
            "supported_features" => {
                // Client libraries send it on their own, so scripts do not count it.
                self.last_id = id;
                return exchange.text(result(&json!(id), Ok(Value::Null)));
            }
            "ping" => {
                self.last_id = id;
                return exchange.pong(pong(id), Some(pong(id.wrapping_add(1))));
            }
            "subscribe_events" => self.subscribe(id, &message["event_type"]),
            "unsubscribe_events" => self.unsubscribe(&message["subscription"]),
            "fire_event" => Ok(json!({ "context": {} })),
            "get_states" => Ok(json!([])),
            // The id of an unknown command stays free, as in Home Assistant.
            _ => return answer(&json!(id), Err(UNKNOWN_COMMAND), exchange),
        };
        self.last_id = id;
        answer(&json!(id), outcome, exchange);
        if kind == "fire_event" {
            self.fire(&message["event_type"], &message["event_data"], exchange);
        }
    }

    fn subscribe(&mut self, id: u64, event_type: &Value) -> Result<Value, Failure> {
        let event_type = match event_type {
            Value::Null => None,
            Value::String(event_type) => Some(event_type.clone()),
            Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                return Err(INVALID_FORMAT);
            }
        };
        if self.subscriptions.len() >= MAX_SUBSCRIPTIONS {
            return Err(TOO_MANY);
        }
        self.subscriptions.insert(id, event_type);
        Ok(Value::Null)
    }

    fn unsubscribe(&mut self, subscription: &Value) -> Result<Value, Failure> {
        let removed = subscription.as_u64().and_then(|id| self.subscriptions.remove(&id));
        removed.map(|_| Value::Null).ok_or(NOT_FOUND)
    }

    /// Sends an event to the subscriptions of its type.
    fn fire(&self, event_type: &Value, data: &Value, exchange: &mut Exchange<'_>) {
        let data = if data.is_null() { json!({}) } else { data.clone() };
        for (id, wanted) in &self.subscriptions {
            if wanted.as_deref().is_none_or(|wanted| *event_type == *wanted) {
                let event = json!({ "event_type": event_type, "data": data, "origin": "LOCAL" });
                exchange.text(json!({ "id": id, "type": "event", "event": event }).to_string());
            }
        }
    }
}

fn answer(id: &Value, outcome: Result<Value, Failure>, exchange: &mut Exchange<'_>) {
    exchange.echo(Message::text(result(id, outcome)));
}

fn result(id: &Value, outcome: Result<Value, Failure>) -> String {
    let result = match outcome {
        Ok(result) => json!({ "id": id, "type": "result", "success": true, "result": result }),
        Err(Failure { code, message }) => json!({
            "id": id, "type": "result", "success": false,
            "error": { "code": code, "message": message },
        }),
    };
    result.to_string()
}

fn pong(id: u64) -> String {
    format!(r#"{{"id":{id},"type":"pong"}}"#)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::{ServedDialect, talk::Talk};

    fn talk() -> Talk {
        let mut talk = Talk::guarded(ServedDialect::HomeAssistant, "sesame");
        assert_eq!(talk.open(), [AUTH_REQUIRED]);
        talk
    }

    fn logged_in() -> Talk {
        let mut talk = talk();
        assert_eq!(talk.say(r#"{"type":"auth","access_token":"sesame"}"#), [AUTH_OK]);
        talk
    }

    fn code_of(answer: &[String]) -> Option<String> {
        let answer = answer[0].strip_prefix("echo: ").expect("an answer");
        let answer: Value = serde_json::from_str(answer).expect("JSON");
        answer["error"]["code"].as_str().map(ToOwned::to_owned)
    }

    #[test]
    fn a_wrong_token_is_refused_and_the_connection_closed() {
        for token in ["Sesame", ""] {
            let auth = format!(r#"{{"type":"auth","access_token":"{token}"}}"#);
            assert_eq!(talk().say(&auth), [AUTH_INVALID, "close 1000: "]);
        }
        for auth in [r#"{"type":"auth"}"#, r#"{"id":1,"type":"ping"}"#, "[]"] {
            assert_eq!(talk().say(auth), [MALFORMED_AUTH, "close 1000: "]);
        }
    }

    #[test]
    fn a_client_that_does_not_log_in_is_closed_after_ten_seconds() {
        let mut talk = talk();

        assert!(talk.wait(Duration::from_millis(9_999)).is_empty());
        assert_eq!(talk.wait(Duration::from_millis(1)), ["close 1000: "]);
        assert!(logged_in().wait(Duration::from_secs(60)).is_empty());
    }

    #[test]
    fn a_ping_is_answered_with_its_id() {
        let mut talk = logged_in();

        assert_eq!(talk.say(r#"{"id":1,"type":"ping"}"#), [r#"pong: {"id":1,"type":"pong"}"#]);
        assert_eq!(talk.say(r#"{"id":9,"type":"ping"}"#), [r#"pong: {"id":9,"type":"pong"}"#]);
        assert_eq!(
            talk.say(r#"{"id":10,"type":"supported_features"}"#),
            [r#"{"id":10,"result":null,"success":true,"type":"result"}"#]
        );
    }

    #[test]
    fn an_id_that_does_not_grow_is_refused_whatever_the_command() {
        let mut talk = logged_in();
        talk.say(r#"{"id":5,"type":"get_states"}"#);

        for message in [r#"{"id":5,"type":"ping"}"#, r#"{"id":4,"type":"subscribe_events"}"#] {
            assert_eq!(code_of(&talk.say(message)).as_deref(), Some("id_reuse"));
        }
        assert_eq!(talk.say(r#"{"id":6,"type":"ping"}"#).len(), 1);
    }

    #[test]
    fn what_is_no_command_is_refused_by_name() {
        let mut talk = logged_in();

        for message in ["{}", r#"{"id":0,"type":"ping"}"#, r#"{"id":"1","type":"ping"}"#, "[1]"] {
            assert_eq!(code_of(&talk.say(message)).as_deref(), Some("invalid_format"), "{message}");
        }
        for _ in 0..2 {
            let answer = talk.say(r#"{"id":1,"type":"dance"}"#);
            assert_eq!(code_of(&answer).as_deref(), Some("unknown_command"));
        }
        assert_eq!(talk.say("{"), ["close 1000: "]);
    }

    #[test]
    fn a_fired_event_reaches_the_subscriptions_of_its_type() {
        let mut talk = logged_in();
        let done =
            |id| format!(r#"echo: {{"id":{id},"result":null,"success":true,"type":"result"}}"#);
        assert_eq!(talk.say(r#"{"id":1,"type":"subscribe_events","event_type":"a"}"#), [done(1)]);
        assert_eq!(talk.say(r#"{"id":2,"type":"subscribe_events","event_type":"b"}"#), [done(2)]);
        assert_eq!(talk.say(r#"{"id":3,"type":"subscribe_events"}"#), [done(3)]);

        let fire = r#"{"id":4,"type":"fire_event","event_type":"a","event_data":{"x":1}}"#;
        let fired = talk.say(fire);

        assert_eq!(fired.len(), 3, "{fired:?}");
        for (event, id) in fired[1..].iter().zip([1, 3]) {
            let expected = json!({
                "id": id, "type": "event",
                "event": { "event_type": "a", "data": { "x": 1 }, "origin": "LOCAL" },
            });
            assert_eq!(*event, expected.to_string());
        }
        assert_eq!(talk.say(r#"{"id":5,"type":"unsubscribe_events","subscription":1}"#), [done(5)]);
        assert_eq!(talk.say(&fire.replace("\"id\":4", "\"id\":6")).len(), 2);
        let again = talk.say(r#"{"id":7,"type":"unsubscribe_events","subscription":1}"#);
        assert_eq!(code_of(&again).as_deref(), Some("not_found"));
    }

    #[test]
    fn subscriptions_have_a_limit() {
        let mut talk = logged_in();
        for id in 1..=MAX_SUBSCRIPTIONS {
            let answer = talk.say(&format!(r#"{{"id":{id},"type":"subscribe_events"}}"#));
            assert_eq!(code_of(&answer), None);
        }

        let answer = talk.say(r#"{"id":101,"type":"subscribe_events"}"#);

        assert_eq!(code_of(&answer).as_deref(), Some("home_assistant_error"));
    }
}
