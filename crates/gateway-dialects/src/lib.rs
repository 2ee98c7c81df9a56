//! What WebSocket servers expect beyond RFC 6455: greetings, logins, heartbeats and answers.
//!
//! A *dialect* is a small state machine that a client of gateway-core carries. This crate has two
//! kinds of them: [presets](presets()) for well-known servers, and dialects that you
//! [write in TOML](Definition).
//!
//! ```
//! use std::sync::Arc;
//!
//! use gateway_core::{Config, Connection, Dialect, Event, Instant};
//! use gateway_dialects::Definition;
//!
//! let definition = Definition::parse(r#"
//!     [login]
//!     send = '{"op":"login","key":"${secret:key}"}'
//!     ok = "/op=welcome"
//!     refused = { when = "/op=denied", reason = "/why" }
//!
//!     [heartbeat]
//!     send = '{"op":"ping","id":${counter}}'
//!     pong = "/op=pong"
//!     stamp = "/id"
//! "#)?;
//! assert_eq!(definition.secrets().collect::<Vec<_>>(), ["key"]);
//!
//! // The builders of the drivers take a function that makes dialects:
//! // `.dialect(move || definition.dialect())`. With the core alone:
//! let dialect = definition.dialect();
//! let config = Config::default().with_dialect(dialect.duties());
//! let mut connection = Connection::from_seed_with(Arc::new(config), 7, dialect);
//! let _ = connection.handle(Instant::ZERO, Event::ConnectRequested);
//! # Ok::<(), gateway_core::ConfigErrors>(())
//! ```
//!
//! # Which presets are there?
//!
//! | name | what it does | what is left to you | secrets |
//! |---|---|---|---|
//! | `json` | login by `POST_LOGIN`, JSON heartbeat with round trips | – | `token` |
//! | `graphql-transport-ws` | `connection_init`, pings of both sides | subscriptions | `payload`: a JSON object, by default `{}` |
//! | `home-assistant` | greeting, login; the heartbeat is WebSocket Ping, because all ids must grow | commands and their ids | `token` |
//! | `socket.io` | Engine.IO 4: main namespace, the server's pings and interval | events, acknowledgements, attachments | `auth`: a JSON object, by default none |
//! | `phoenix` | heartbeat with round trips, version 2 of the serializer | joining channels | – |
//! | `janus` | a session on each connection, kept alive | handles, plugins | `apisecret`, `token`, if the gateway wants them |
//! | `nats` | `INFO`, `CONNECT`, pings of both sides, in binary messages | subscriptions; nkeys and JWTs do not work, because they need signatures | `token`, or `username` and `password` |
//! | `stomp` | `CONNECT`, beats of both sides as negotiated, `DISCONNECT` | subscriptions | `username`, `password`, `host` (by default `/`) |
//! | `mqtt` | MQTT 3.1.1: `CONNECT` with a clean session, `PINGREQ`, `DISCONNECT` | subscriptions, acknowledgements | `client_id`, `username`, `password` |
//! | `discord` | the server's interval, identify and resume, requests to reconnect | events; compression and shards do not work | `token`, `intents` (by default 513) |
//! | `ping` | the text `ping`, answered by `pong` | logins, subscriptions | – |
//! | `op-ping` | `{"op":"ping"}` | logins, subscriptions | – |
//!
//! Tests run six of them against servers that others wrote: `graphql-transport-ws` against
//! graphql-ws, `socket.io` against socket.io, `nats` against nats-server, `mqtt` against amqtt,
//! `janus` against Janus, and `stomp` against RabbitMQ. `home-assistant` was run once against Home
//! Assistant 2025.4, and `phoenix` against Phoenix 1.7 on Bandit. The others follow the public
//! documents of their protocols, and have met scripted servers only.
//!
//! [`Preset::suggestions`] has what else a client needs: subprotocols, the URL's path, and what the
//! server's close codes mean. [`Preset::toml`] has those presets as text that are TOML themselves.
//! Start your own from the nearest one.
//!
//! - Home Assistant and Bandit, a web server for Phoenix, close with 1000 when they restart. All
//!   presets but `json`, `ping` and `op-ping` suggest a rule that reconnects after 1000. Where a
//!   message may refuse the login, the rule is `refresh`: the client gives up if the server closes
//!   with 1000 again before the connection was stable.
//! - `stomp` and dialects whose beats nobody answers: a silent server is noticed because it does not
//!   send its own beats. `stomp` asks for one every 10 s. A server may answer that it sends none; then
//!   only `data_timeout` notices that it is silent.
//! - `mqtt` promises a packet every 60 s. Keep `heartbeat.interval` below that.
//! - `discord` asks for `heartbeat.phase`. It ends a session that is closed with code 1000 or 1001,
//!   which the client sends for `reconnect`, `renew_after` and a data timeout. The next connection
//!   then begins a new session.
//!
//! # What can a dialect in TOML do?
//!
//! The guide's page on dialects describes each part with examples. In short:
//!
//! | part | what it does |
//! |---|---|
//! | `[login]` | waits for a greeting (`wait`), sends messages (`send`), and looks for the answer (`ok`, `refused`) |
//! | `[heartbeat]` | sends pings (`send`, `pong`, `interval`), or expects the server's (`expect`) |
//! | `[[answer]]` | answers a message (`when`, `send`), or hides it |
//! | `[[leave]]` | leaves the server when a message comes (`when`, `verdict`) |
//! | `on_ready`, `closing` | messages to send when ready, and before our Close frame |
//!
//! Everything else is the trait [`Dialect`](gateway_core::Dialect).
//!
//! If a message needs a value that is missing, such as a secret that nobody gave, it is not sent.
//! The dialect leaves the server with code 1011, and the reason names the place and the value: see
//! [`Fault`].

mod declared;
mod definition;
mod fault;
mod hex;
mod json;
mod near;
mod pattern;
mod phase;
mod presets;
mod secret;
mod template;

pub use declared::DeclaredDialect;
pub use definition::{Definition, Suggestions};
pub use fault::Fault;
pub use presets::{Preset, UnknownPreset, preset, presets};
pub use secret::UnknownSecret;
