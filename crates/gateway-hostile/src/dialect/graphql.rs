//! The dialect `graphql-transport-ws`, after the protocol's document in npm's `graphql-ws`. It has no
//! schema: the data of each answer is the query.

use std::{borrow::Cow, collections::BTreeSet, time::Duration};

use gateway_core::json_value;
use gateway_wire::Message;
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};

use super::{
    Speaker, Subprotocol, Upgraded,
    exchange::{Close, Exchange},
};
use crate::{options::Options, table::code};

pub(super) const SUBPROTOCOL: &str = "graphql-transport-ws";

const ACK: &str = r#"{"type":"connection_ack"}"#;
/// How many beats a client may take to send `connection_init`.
const INIT_BEATS: u32 = 3;
/// How many subscriptions a client may have at once.
const MAX_SUBSCRIPTIONS: usize = 100;

const INVALID: Close = Close::with(code(4400), "Invalid message received");
const UNAUTHORIZED: Close = Close::with(code(4401), "Unauthorized");
const FORBIDDEN: Close = Close::with(code(4403), "Forbidden");
const NO_SUBPROTOCOL: Close = Close::with(code(4406), "Subprotocol not acceptable");
const LATE: Close = Close::with(code(4408), "Connection initialisation timeout");
const TAKEN: Close = Close::with(code(4409), "Subscriber already exists");
const TWICE: Close = Close::with(code(4429), "Too many initialisation requests");

#[derive(Debug)]
pub(super) struct Graphql {
    subprotocol: Subprotocol,
    state: State,
}

#[derive(Debug)]
enum State {
    AwaitsInit {
        until: Duration,
    },
    /// The ids are those of the open subscriptions.
    Acknowledged(BTreeSet<String>),
    Closed,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    id: Option<String>,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Operation {
    query: String,
}

impl Graphql {
    pub(super) fn new(upgraded: Upgraded, options: &Options) -> Self {
        let until = upgraded.at.saturating_add(options.beat.saturating_mul(INIT_BEATS));
        Self { subprotocol: upgraded.subprotocol, state: State::AwaitsInit { until } }
    }

    fn on_text(&mut self, text: &str, exchange: &mut Exchange<'_>) -> Result<(), Close> {
        let envelope: Envelope<'_> = serde_json::from_str(text).map_err(|_| INVALID)?;
        let Envelope { kind, id, payload } = envelope;
        match &*kind {
            "connection_init" => self.on_init(payload, exchange),
            "ping" => {
                exchange.pong(pong(payload), None);
                Ok(())
            }
            "pong" => Ok(()),
            "subscribe" => self.on_subscribe(id, payload, exchange),
            "complete" => self.on_complete(id),
            _ => Err(INVALID),
        }
    }

    fn on_init(
        &mut self,
        payload: Option<&RawValue>,
        exchange: &mut Exchange<'_>,
    ) -> Result<(), Close> {
        match self.state {
            State::AwaitsInit { .. } => {}
            State::Acknowledged(_) => return Err(TWICE),
            State::Closed => return Ok(()),
        }
        let payload = match payload.map(|payload| json_value::parse(payload.get())) {
            None | Some(Some(Value::Null)) => Value::Null,
            Some(Some(payload @ Value::Object(_))) => payload,
            Some(Some(_) | None) => return Err(INVALID),
        };
        exchange.login(payload["token"].as_str()).map_err(|refused| {
            tracing::info!(why = refused.words(), "login refused");
            FORBIDDEN
        })?;
        self.state = State::Acknowledged(BTreeSet::new());
        exchange.text(ACK);
        Ok(())
    }

    fn on_subscribe(
        &mut self,
        id: Option<String>,
        payload: Option<&RawValue>,
        exchange: &mut Exchange<'_>,
    ) -> Result<(), Close> {
        let id = id.filter(|id| !id.is_empty()).ok_or(INVALID)?;
        let payload = payload.ok_or(INVALID)?.get();
        let Operation { query } = serde_json::from_str(payload).map_err(|_| INVALID)?;
        let State::Acknowledged(subscriptions) = &mut self.state else { return Err(UNAUTHORIZED) };
        if subscriptions.contains(&id) {
            return Err(TAKEN);
        }
        let stays = is_subscription(&query);
        if stays && subscriptions.len() >= MAX_SUBSCRIPTIONS {
            let message = format!("too many subscriptions; the limit is {MAX_SUBSCRIPTIONS}");
            let errors = json!({ "id": id, "type": "error", "payload": [{ "message": message }] });
            exchange.text(errors.to_string());
            return Ok(());
        }
        let next = json!({ "id": id, "type": "next", "payload": { "data": { "query": query } } });
        exchange.echo(Message::text(next.to_string()));
        if stays {
            subscriptions.insert(id);
        } else {
            exchange.text(json!({ "id": id, "type": "complete" }).to_string());
        }
        Ok(())
    }

    fn on_complete(&mut self, id: Option<String>) -> Result<(), Close> {
        let id = id.ok_or(INVALID)?;
        if let State::Acknowledged(subscriptions) = &mut self.state {
            // The server may have completed it meanwhile.
            subscriptions.remove(&id);
        }
        Ok(())
    }

    fn close(&mut self, close: Close, exchange: &mut Exchange<'_>) {
        self.state = State::Closed;
        exchange.close(close);
    }
}

impl Speaker for Graphql {
    fn opened(&mut self, exchange: &mut Exchange<'_>) {
        match self.subprotocol {
            Subprotocol::Acceptable => {}
            Subprotocol::Missing => self.close(NO_SUBPROTOCOL, exchange),
        }
    }

    fn received(&mut self, message: Message, exchange: &mut Exchange<'_>) {
        let text = message.as_text().ok_or(INVALID);
        if let Err(close) = text.and_then(|text| self.on_text(text, exchange)) {
            self.close(close, exchange);
        }
    }

    fn due_at(&self) -> Option<Duration> {
        match self.state {
            State::AwaitsInit { until } => Some(until),
            State::Acknowledged(_) | State::Closed => None,
        }
    }

    fn due(&mut self, exchange: &mut Exchange<'_>) {
        match self.state {
            State::AwaitsInit { until } if exchange.now() >= until => self.close(LATE, exchange),
            State::AwaitsInit { .. } | State::Acknowledged(_) | State::Closed => {}
        }
    }

    fn refusal(&self) -> Option<&'static str> {
        None
    }
}

fn pong(payload: Option<&RawValue>) -> String {
    match payload {
        Some(payload) => format!(r#"{{"type":"pong","payload":{}}}"#, payload.get()),
        None => r#"{"type":"pong"}"#.to_owned(),
    }
}

/// Whether the document begins with a subscription. Comments and fragments before it are not read.
fn is_subscription(query: &str) -> bool {
    let rest = query.trim_start().strip_prefix("subscription");
    rest.is_some_and(|rest| !rest.starts_with(|next: char| next.is_alphanumeric() || next == '_'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::{ServedDialect, talk::Talk};

    const INIT: &str = r#"{"type":"connection_init"}"#;

    fn talk() -> Talk {
        Talk::with(ServedDialect::GraphqlTransportWs)
    }

    fn acknowledged() -> Talk {
        let mut talk = talk();
        assert_eq!(talk.say(INIT), [ACK]);
        talk
    }

    fn subscribe(id: &str, query: &str) -> String {
        json!({ "id": id, "type": "subscribe", "payload": { "query": query } }).to_string()
    }

    #[test]
    fn a_query_is_answered_with_itself_and_completed() {
        let mut talk = acknowledged();

        let answer = talk.say(&subscribe("1", "{ a(b: \"c\") }"));

        assert_eq!(
            answer,
            [
                r#"echo: {"id":"1","payload":{"data":{"query":"{ a(b: \"c\") }"}},"type":"next"}"#,
                r#"{"id":"1","type":"complete"}"#,
            ]
        );
        assert_eq!(talk.say(&subscribe("1", "{ a }")).len(), 2, "the id is free again");
    }

    #[test]
    fn a_subscription_stays_until_the_client_completes_it() {
        let mut talk = acknowledged();

        assert_eq!(talk.say(&subscribe("1", "subscription { a }")).len(), 1);
        assert!(talk.say(r#"{"id":"1","type":"complete"}"#).is_empty());
        assert_eq!(talk.say(&subscribe("1", "subscription{ a }")).len(), 1);

        assert_eq!(talk.say(&subscribe("1", "{ a }")), ["close 4409: Subscriber already exists"]);
    }

    #[test]
    fn subscriptions_have_a_limit() {
        let mut talk = acknowledged();
        for number in 0..MAX_SUBSCRIPTIONS {
            assert!(
                talk.say(&subscribe(&number.to_string(), "subscription { a }"))[0]
                    .starts_with("echo")
            );
        }

        let answer = talk.say(&subscribe("more", "subscription { a }"));

        assert!(answer[0].contains(r#""type":"error""#), "{answer:?}");
    }

    #[test]
    fn a_ping_is_answered_at_any_time() {
        let mut talk = talk();

        assert_eq!(talk.say(r#"{"type":"ping"}"#), [r#"pong: {"type":"pong"}"#]);
        talk.say(INIT);
        assert_eq!(
            talk.say(r#"{"type":"ping","payload":{"a": 1}}"#),
            [r#"pong: {"type":"pong","payload":{"a": 1}}"#]
        );
        assert!(talk.say(r#"{"type":"pong"}"#).is_empty());
    }

    #[test]
    fn a_token_is_a_member_of_the_payload() {
        let guarded = || Talk::guarded(ServedDialect::GraphqlTransportWs, "sesame");

        let good = r#"{"type":"connection_init","payload":{"token":"sesame"}}"#;
        assert_eq!(guarded().say(good), [ACK]);
        for payload in [r#"{"token":"Sesame"}"#, r#"{"token":1}"#, "{}", "null"] {
            let init = format!(r#"{{"type":"connection_init","payload":{payload}}}"#);
            assert_eq!(guarded().say(&init), ["close 4403: Forbidden"]);
        }
        assert_eq!(guarded().say(INIT), ["close 4403: Forbidden"]);
    }

    #[test]
    fn what_comes_out_of_order_closes_with_its_code() {
        assert_eq!(acknowledged().say(INIT), ["close 4429: Too many initialisation requests"]);
        assert_eq!(talk().say(&subscribe("1", "{ a }")), ["close 4401: Unauthorized"]);
    }

    #[test]
    fn what_is_no_message_of_the_protocol_closes_with_4400() {
        for message in [
            "hello",
            "{}",
            r#"{"type":"subscribe","payload":{"query":"{ a }"}}"#,
            r#"{"type":"subscribe","id":"","payload":{"query":"{ a }"}}"#,
            r#"{"type":"subscribe","id":"1","payload":{}}"#,
            r#"{"type":"subscribe","id":"1"}"#,
            r#"{"type":"complete"}"#,
            r#"{"type":"next","id":"1"}"#,
            r#"{"type":"connection_init","payload":"token"}"#,
        ] {
            assert_eq!(talk().say(message), ["close 4400: Invalid message received"], "{message}");
        }
        assert_eq!(talk().say_bytes(INIT.as_bytes()), ["close 4400: Invalid message received"]);
    }

    #[test]
    fn a_client_that_does_not_initialise_in_time_is_closed() {
        let mut talk = talk();

        assert!(talk.wait(Duration::from_millis(2_999)).is_empty());
        assert_eq!(
            talk.wait(Duration::from_millis(1)),
            ["close 4408: Connection initialisation timeout"]
        );
        assert!(acknowledged().wait(Duration::from_secs(60)).is_empty());
    }

    #[test]
    fn without_the_subprotocol_the_connection_is_closed_with_4406() {
        let mut talk = talk();
        talk.subprotocol(Subprotocol::Missing);

        assert_eq!(talk.open(), ["close 4406: Subprotocol not acceptable"]);
    }
}
