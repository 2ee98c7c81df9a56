//! The dialects whose server's side the server speaks.

pub(crate) mod envelope;
pub(crate) mod exchange;
mod graphql;
mod home_assistant;
mod json;
mod plain;
mod socket_io;
#[cfg(test)]
mod talk;

use std::{fmt, time::Duration};

use gateway_wire::Message;

use self::{
    exchange::Exchange,
    graphql::Graphql,
    home_assistant::HomeAssistant,
    json::Json,
    plain::{Pings, Plain},
    socket_io::SocketIo,
};
use crate::options::Options;

/// A dialect of which the server plays the server's side: greeting, login, heartbeat and answers.
///
/// ```
/// use gateway_hostile::ServedDialect;
///
/// assert_eq!(ServedDialect::named("socket.io"), Some(ServedDialect::SocketIo));
/// for dialect in ServedDialect::ALL {
///     println!("{}: {}", dialect.name(), dialect.about());
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ServedDialect {
    /// The first message is `{"type":"POST_LOGIN","token":TOKEN}`. Pings are JSON.
    Json,
    /// GraphQL subscriptions over the subprotocol of the same name.
    GraphqlTransportWs,
    /// Home Assistant's WebSocket API.
    HomeAssistant,
    /// Socket.IO 5 over Engine.IO 4, by WebSocket alone.
    SocketIo,
    /// The text `ping` is answered by `pong`.
    Ping,
    /// The text `{"op":"ping"}` is answered by `{"op":"pong"}`.
    OpPing,
}

/// The server's side of one connection. It does no IO, and reads no clock.
///
/// After each call the caller performs the [replies](exchange::Reply), and asks for
/// [`due_at`](Self::due_at) again.
pub(crate) trait Speaker: fmt::Debug + Send + Sync {
    /// The connection is upgraded.
    fn opened(&mut self, _: &mut Exchange<'_>) {}

    /// A message has come.
    fn received(&mut self, message: Message, exchange: &mut Exchange<'_>);

    /// When [`due`](Self::due) must be called, on the clock of [`Exchange::now`].
    fn due_at(&self) -> Option<Duration> {
        None
    }

    /// It is [`due_at`](Self::due_at), or later.
    fn due(&mut self, _: &mut Exchange<'_>) {}

    /// What refuses a login, whatever its token. `None` if the dialect refuses by its close code alone.
    fn refusal(&self) -> Option<&'static str>;
}

/// What a speaker must know about its connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Upgraded {
    /// The connection's number among the upgraded ones.
    pub(crate) number: u64,
    /// When it was upgraded, on the clock of [`Exchange::now`].
    pub(crate) at: Duration,
    pub(crate) subprotocol: Subprotocol,
}

/// Whether the client has offered the subprotocol that the dialect needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subprotocol {
    /// It has, or the dialect needs none.
    Acceptable,
    Missing,
}

impl ServedDialect {
    /// Every dialect that the server speaks.
    pub const ALL: &'static [Self] = &[
        Self::Json,
        Self::GraphqlTransportWs,
        Self::HomeAssistant,
        Self::SocketIo,
        Self::Ping,
        Self::OpPing,
    ];

    /// Returns the dialect with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|dialect| dialect.name() == name)
    }

    /// The name, such as `home-assistant`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::GraphqlTransportWs => "graphql-transport-ws",
            Self::HomeAssistant => "home-assistant",
            Self::SocketIo => "socket.io",
            Self::Ping => "ping",
            Self::OpPing => "op-ping",
        }
    }

    /// What the server does in this dialect, in one line in the third person.
    #[must_use]
    pub const fn about(self) -> &'static str {
        match self {
            Self::Json => {
                "wants {\"type\":\"POST_LOGIN\",\"token\":TOKEN} first, answers {\"type\":\"RTN_LOGIN\"} or \
                 {\"type\":\"RTN_ERR\",\"reason\":…} with close 1008, answers JSON pings, echoes the rest"
            }
            Self::GraphqlTransportWs => {
                "wants connection_init with payload.token within 3 s, answers ping, answers each query \
                 with itself, keeps a subscription until the client completes it"
            }
            Self::HomeAssistant => {
                "sends auth_required, wants auth with access_token within 10 s, answers ping, \
                 subscribe_events, fire_event and get_states, refuses ids that do not grow"
            }
            Self::SocketIo => {
                "speaks Engine.IO 4: sends pings, wants their pongs; wants 40{\"token\":TOKEN}, echoes \
                 events, answers those that ask for an acknowledgement"
            }
            Self::Ping => "answers the text ping with pong, echoes the rest",
            Self::OpPing => {
                "answers {\"op\":\"ping\"} with {\"op\":\"pong\"} and the same req_id, echoes the rest"
            }
        }
    }

    /// The subprotocol that the dialect needs.
    pub(crate) const fn subprotocol(self) -> Option<&'static str> {
        match self {
            Self::GraphqlTransportWs => Some(graphql::SUBPROTOCOL),
            Self::Json | Self::HomeAssistant | Self::SocketIo | Self::Ping | Self::OpPing => None,
        }
    }

    fn speaker(self, upgraded: Upgraded, options: &Options) -> Box<dyn Speaker> {
        match self {
            Self::Json => Box::<Json>::default(),
            Self::GraphqlTransportWs => Box::new(Graphql::new(upgraded, options)),
            Self::HomeAssistant => Box::new(HomeAssistant::new(upgraded, options)),
            Self::SocketIo => Box::new(SocketIo::new(upgraded, options)),
            Self::Ping => Box::new(Plain::new(Pings::Text, options)),
            Self::OpPing => Box::new(Plain::new(Pings::Op, options)),
        }
    }
}

/// The speaker for a new connection, of the dialect in the options or of none.
pub(crate) fn speaker(upgraded: Upgraded, options: &Options) -> Box<dyn Speaker> {
    match options.dialect {
        Some(dialect) => dialect.speaker(upgraded, options),
        None => Box::new(Plain::new(Pings::Json, options)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dialect_is_found_by_its_name() {
        for dialect in ServedDialect::ALL {
            assert_eq!(ServedDialect::named(dialect.name()), Some(*dialect));
            assert!(!dialect.about().contains('\n'));
        }
        assert_eq!(ServedDialect::named("JSON"), None);
    }

    /// Messages of the dialects, the logins first.
    const MESSAGES: &[&str] = &[
        r#"{"type":"POST_LOGIN","token":"a"}"#,
        r#"{"type":"connection_init","payload":{"token":"a"}}"#,
        r#"{"type":"auth","access_token":"a"}"#,
        r#"40{"token":"a"}"#,
        r#"{"type":"ping","timestamp":1.5e3}"#,
        r#"{"id":"1","type":"subscribe","payload":{"query":"subscription { a }"}}"#,
        r#"{"id":"1","type":"complete"}"#,
        r#"{"id":1,"type":"subscribe_events","event_type":"a"}"#,
        r#"{"id":2,"type":"fire_event","event_type":"a","event_data":[null,{}]}"#,
        r#"{"id":18446744073709551615,"type":"ping"}"#,
        r#"42/,7["a",{"_placeholder":true}]"#,
        r#"451-7["a",{"_placeholder":true,"num":0}]"#,
        r#"4618446744073709551615-[]"#,
        "3",
        r#"{"op":"ping","req_id":"1"}"#,
        "ping",
    ];

    /// The message with one place of it cut off, left out, doubled or replaced.
    fn changed(message: &str) -> impl Iterator<Item = String> {
        message.char_indices().flat_map(move |(at, letter)| {
            let (start, rest) = message.split_at(at);
            let end = &rest[letter.len_utf8()..];
            [
                start.to_owned(),
                format!("{start}{end}"),
                format!("{start}{letter}{rest}"),
                format!("{start}é{end}"),
                format!("{start}\"{end}"),
                format!("{start}{{{end}"),
                format!("{start}9{end}"),
            ]
        })
    }

    #[test]
    fn no_message_makes_a_dialect_panic_or_speak_after_its_close() {
        for dialect in ServedDialect::ALL {
            for login in &MESSAGES[..4] {
                let mut talk = talk::Talk::with(*dialect);
                talk.say(login);
                for message in MESSAGES.iter().flat_map(|message| changed(message)) {
                    let replies = talk.say(&message);

                    let closed = replies.iter().position(|reply| reply.starts_with("close"));
                    let Some(closed) = closed else { continue };
                    assert_eq!(closed, replies.len() - 1, "{dialect:?}: {message}: {replies:?}");
                    talk = talk::Talk::with(*dialect);
                    talk.say(login);
                }
            }
        }
    }
}
