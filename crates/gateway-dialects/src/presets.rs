//! The presets: dialects of well-known servers, by name.

mod discord;
mod mqtt;
mod nats;
mod stomp;

use gateway_core::{Dialect, Rule, Verdict};
use thiserror::Error;

use crate::definition::{Definition, Suggestions};
use crate::near::near;
use crate::secret::UnknownSecret;

/// A dialect of well-known servers. [`preset`] finds it by name, [`presets`] lists all.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    name: &'static str,
    covers: &'static str,
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Toml(&'static str),
    Code(Code),
}

/// A dialect that needs more than the format has.
#[derive(Clone, Copy, Debug)]
struct Code {
    summary: &'static str,
    make: fn() -> Box<dyn Dialect + Send + Sync>,
    /// The secrets that it cannot do without.
    secrets: &'static [&'static str],
    /// Other secrets that it uses.
    optional: &'static [&'static str],
    subprotocols: &'static [&'static str],
    path: Option<&'static str>,
    /// What the server's close codes mean.
    policy: &'static [(u16, u16, Verdict)],
}

/// A server may close with 1000 and come back. `Retry` would repeat a refused login forever, because
/// a Close with 1000 would soften the refusal.
const RESTART: (u16, u16, Verdict) = (1000, 1000, Verdict::RefreshCredentials);

impl Code {
    const fn new(summary: &'static str, make: fn() -> Box<dyn Dialect + Send + Sync>) -> Self {
        Self {
            summary,
            make,
            secrets: &[],
            optional: &[],
            subprotocols: &[],
            path: None,
            policy: &[RESTART],
        }
    }

    fn suggestions(&self) -> Suggestions {
        let rules = self.policy.iter();
        Suggestions {
            subprotocols: self.subprotocols.iter().map(ToString::to_string).collect(),
            path: self.path.map(str::to_string),
            policy: rules
                .filter_map(|(first, last, verdict)| Rule::new(*first, *last, *verdict))
                .collect(),
        }
    }
}

/// There is no preset of this name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("there is no preset {name:?}{}", near_names(near))]
#[non_exhaustive]
pub struct UnknownPreset {
    /// The name, at most 64 characters of it.
    pub name: String,
    /// The names that are near it, the nearest first.
    pub near: Vec<&'static str>,
}

fn near_names(near: &[&str]) -> String {
    if near.is_empty() { String::new() } else { format!("; near it: {}", near.join(", ")) }
}

/// Finds a preset by its name.
///
/// ```
/// use gateway_dialects::preset;
/// assert!(preset("socket.io").is_ok());
/// assert_eq!(preset("socketio").unwrap_err().near, ["socket.io"]);
/// ```
///
/// # Errors
/// Returns the names that are near, if there is no such preset.
pub fn preset(name: &str) -> Result<Preset, UnknownPreset> {
    let found = ALL.iter().find(|preset| preset.name == name);
    found.copied().ok_or_else(|| UnknownPreset {
        name: name.chars().take(64).collect(),
        near: near(name, ALL.iter().map(|preset| preset.name)),
    })
}

/// All presets.
#[must_use]
pub fn presets() -> &'static [Preset] {
    ALL
}

impl Preset {
    /// The name, such as `socket.io`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// What the preset is for, in one line.
    #[must_use]
    pub fn summary(&self) -> String {
        match self.kind {
            Kind::Toml(text) => definition(text).summary().unwrap_or_default().to_string(),
            Kind::Code(code) => code.summary.to_string(),
        }
    }

    /// What the preset does, and what it leaves to the application.
    #[must_use]
    pub const fn covers(&self) -> &'static str {
        self.covers
    }

    /// The preset as TOML, to start your own from. `None` if it needs more than the format has.
    #[must_use]
    pub const fn toml(&self) -> Option<&'static str> {
        match self.kind {
            Kind::Toml(text) => Some(text),
            Kind::Code(_) => None,
        }
    }

    /// What else a client needs: subprotocols, path, close codes.
    #[must_use]
    pub fn suggestions(&self) -> Suggestions {
        match self.kind {
            Kind::Toml(text) => definition(text).suggestions().clone(),
            Kind::Code(code) => code.suggestions(),
        }
    }

    /// Creates the dialect for one connection.
    #[must_use]
    pub fn dialect(&self) -> Box<dyn Dialect + Send + Sync> {
        match self.kind {
            Kind::Toml(text) => Box::new(definition(text).dialect()),
            Kind::Code(code) => (code.make)(),
        }
    }

    /// The names of the secrets that the dialect cannot do without.
    #[must_use]
    pub fn secrets(&self) -> Vec<String> {
        match self.kind {
            Kind::Toml(text) => definition(text).secrets().map(str::to_string).collect(),
            Kind::Code(code) => code.secrets.iter().map(ToString::to_string).collect(),
        }
    }

    /// The names of all secrets that the dialect uses, in alphabetical order.
    #[must_use]
    pub fn secret_names(&self) -> Vec<String> {
        match self.kind {
            Kind::Toml(text) => definition(text).secret_names().map(str::to_string).collect(),
            Kind::Code(code) => {
                let names = code.secrets.iter().chain(code.optional);
                let mut names: Vec<_> = names.map(ToString::to_string).collect();
                names.sort_unstable();
                names
            }
        }
    }

    /// # Errors
    /// Returns the names that are near, if the dialect uses no secret of this name.
    pub fn check_secret(&self, name: &str) -> Result<(), UnknownSecret> {
        UnknownSecret::check(name, &self.secret_names())
    }
}

fn definition(text: &str) -> Definition {
    // A test reads them all.
    Definition::parse_with(text, &|_| None).expect("a preset has no errors and no environment")
}

const ALL: &[Preset] = &[
    Preset {
        name: "json",
        covers: "heartbeat with round trips; login with one token, refused with a reason",
        kind: Kind::Toml(include_str!("../presets/json.toml")),
    },
    Preset {
        name: "graphql-transport-ws",
        covers: "connection_init with a payload, pings of both sides; subscriptions are yours",
        kind: Kind::Toml(include_str!("../presets/graphql-transport-ws.toml")),
    },
    Preset {
        name: "home-assistant",
        covers: "greeting and login with a token; WebSocket Pings; commands and their ids are yours",
        kind: Kind::Toml(include_str!("../presets/home-assistant.toml")),
    },
    Preset {
        name: "socket.io",
        covers: "main namespace with auth, the server's pings and its interval; events are yours, \
                 acknowledgements and binary attachments too",
        kind: Kind::Toml(include_str!("../presets/socket-io.toml")),
    },
    Preset {
        name: "phoenix",
        covers: "heartbeat with round trips; joining channels is yours",
        kind: Kind::Toml(include_str!("../presets/phoenix.toml")),
    },
    Preset {
        name: "janus",
        covers: "a session on each connection, kept alive; handles and plugins are yours",
        kind: Kind::Toml(include_str!("../presets/janus.toml")),
    },
    Preset {
        name: "nats",
        covers: "INFO, CONNECT with token or user name and password, pings of both sides; \
                 subscriptions are yours; no nkeys or JWTs, which need signatures",
        kind: Kind::Code(Code {
            optional: &["password", "token", "username"],
            ..Code::new("NATS, in binary messages", || Box::<nats::Nats>::default())
        }),
    },
    Preset {
        name: "stomp",
        covers: "CONNECT with user name and password, beats of both sides as negotiated, \
                 DISCONNECT; subscriptions are yours",
        kind: Kind::Code(Code {
            optional: &["host", "password", "username"],
            subprotocols: &["v12.stomp", "v11.stomp", "v10.stomp"],
            ..Code::new("STOMP 1.0 to 1.2, in text messages", || Box::<stomp::Stomp>::default())
        }),
    },
    Preset {
        name: "mqtt",
        covers: "CONNECT with user name and password and a clean session, PINGREQ, DISCONNECT; \
                 subscriptions and acknowledgements are yours",
        kind: Kind::Code(Code {
            optional: &["client_id", "password", "username"],
            subprotocols: &["mqtt"],
            path: Some("/mqtt"),
            ..Code::new("MQTT 3.1.1", || Box::<mqtt::Mqtt>::default())
        }),
    },
    Preset {
        name: "discord",
        covers: "the server's interval, identify and resume, requests to reconnect; events are \
                 yours; no compression, one shard",
        kind: Kind::Code(Code {
            secrets: &["token"],
            optional: &["intents"],
            path: Some(discord::PATH),
            policy: &[
                (1000, 1000, Verdict::Retry),
                (4004, 4004, Verdict::Fatal),
                (4010, 4014, Verdict::Fatal),
            ],
            ..Code::new("Discord's gateway for bots, version 10 in JSON", || {
                Box::<discord::Discord>::default()
            })
        }),
    },
    Preset {
        name: "ping",
        covers: "heartbeat",
        kind: Kind::Toml(include_str!("../presets/ping.toml")),
    },
    Preset {
        name: "op-ping",
        covers: "heartbeat; logins and subscriptions are yours",
        kind: Kind::Toml(include_str!("../presets/op-ping.toml")),
    },
];
