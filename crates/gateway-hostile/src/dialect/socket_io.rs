//! The dialect `socket.io`: the Socket.IO protocol 5 over Engine.IO 4, by WebSocket alone, with the
//! namespace `/` alone. Path and query of the request are not checked.

mod packet;

use std::time::Duration;

use gateway_core::json_value;
use gateway_wire::{Message, Text};
use serde_json::{Value, json, value::RawValue};

use self::packet::{Kind, Packet};
use super::{
    Speaker, Upgraded,
    exchange::{Close, Exchange},
};
use crate::{logins::Refused, options::Options};

const REFUSAL: &str = r#"44{"message":"not authorized"}"#;
const EXPIRED: &str = r#"44{"message":"not authorized: token expired"}"#;
const PING: &str = "2";
/// How many beats a client may take to connect to the namespace.
const CONNECT_BEATS: u32 = 45;

#[derive(Debug)]
pub(super) struct SocketIo {
    number: u64,
    ping_interval: Duration,
    ping_timeout: Duration,
    max_payload: usize,
    heart: Heart,
    namespace: Namespace,
    attachments: Attachments,
}

/// The heartbeat: the server pings.
#[derive(Clone, Copy, Debug)]
enum Heart {
    PingAt(Duration),
    PongBy(Duration),
    Stopped,
}

/// Whether the client is connected to the namespace.
#[derive(Clone, Copy, Debug)]
enum Namespace {
    Awaited { until: Duration },
    Connected,
    Left,
}

/// The binary messages that belong to the last packet.
#[derive(Clone, Copy, Debug)]
enum Attachments {
    Echoed(u64),
    Ignored(u64),
}

/// The client broke the protocol, or left.
struct Over;

impl SocketIo {
    pub(super) fn new(upgraded: Upgraded, options: &Options) -> Self {
        let until = upgraded.at.saturating_add(options.beat.saturating_mul(CONNECT_BEATS));
        Self {
            number: upgraded.number,
            ping_interval: options.ping_interval,
            ping_timeout: options.ping_timeout,
            max_payload: options.max_message_size,
            heart: Heart::PingAt(upgraded.at.saturating_add(options.ping_interval)),
            namespace: Namespace::Awaited { until },
            attachments: Attachments::Ignored(0),
        }
    }

    fn on_text(&mut self, text: &Text, exchange: &mut Exchange<'_>) -> Result<(), Over> {
        let (kind, rest) = text.split_at_checked(1).ok_or(Over)?;
        match kind {
            "3" => {
                self.heart = Heart::PingAt(exchange.now().saturating_add(self.ping_interval));
                Ok(())
            }
            "4" if self.attachments.left() == 0 => {
                let packet = Packet::parse(rest).ok_or(Over)?;
                self.on_packet(packet, text, exchange)
            }
            "6" => Ok(()),
            // A close; a ping, which only a server sends; an open or upgrade; no packet at all.
            _ => Err(Over),
        }
    }

    fn on_packet(
        &mut self,
        packet: Packet<'_>,
        text: &Text,
        exchange: &mut Exchange<'_>,
    ) -> Result<(), Over> {
        match (packet.kind, packet.namespace, self.namespace) {
            (Kind::Connect, Some(other), _) => {
                let error = json!({ "message": "Invalid namespace" });
                exchange.text(format!("44{other},{error}"));
                Ok(())
            }
            (_, Some(_), _) => Err(Over),
            (Kind::Connect, None, _) => self.on_connect(packet.data, exchange),
            (
                Kind::Disconnect | Kind::Event | Kind::Ack | Kind::BinaryEvent | Kind::BinaryAck,
                None,
                Namespace::Awaited { .. } | Namespace::Left,
            ) => Err(Over),
            (Kind::Disconnect, None, Namespace::Connected) => {
                self.namespace = Namespace::Left;
                Ok(())
            }
            (Kind::Event | Kind::BinaryEvent, None, Namespace::Connected) => {
                self.attachments = Attachments::Echoed(packet.attachments);
                exchange.echo(Message::Text(echo(&packet, text).ok_or(Over)?));
                Ok(())
            }
            (Kind::Ack | Kind::BinaryAck, None, Namespace::Connected) => {
                self.attachments = Attachments::Ignored(packet.attachments);
                Ok(())
            }
        }
    }

    fn on_connect(&mut self, data: &str, exchange: &mut Exchange<'_>) -> Result<(), Over> {
        let auth = match data {
            "" => Value::Null,
            data => match json_value::parse(data) {
                Some(auth @ Value::Object(_)) => auth,
                Some(_) | None => return Err(Over),
            },
        };
        match exchange.login(auth["token"].as_str()) {
            Ok(()) => {
                self.namespace = Namespace::Connected;
                exchange.text(format!(r#"40{{"sid":"socket-{}"}}"#, self.number));
            }
            Err(refused) => {
                tracing::info!(why = refused.words(), "login refused");
                exchange.text(match refused {
                    Refused::Wrong => REFUSAL,
                    Refused::Expired => EXPIRED,
                });
            }
        }
        Ok(())
    }

    fn on_binary(&mut self, message: Message, exchange: &mut Exchange<'_>) -> Result<(), Over> {
        match &mut self.attachments {
            Attachments::Echoed(0) | Attachments::Ignored(0) => return Err(Over),
            Attachments::Echoed(left) => {
                *left -= 1;
                exchange.echo(message);
            }
            Attachments::Ignored(left) => *left -= 1,
        }
        Ok(())
    }

    /// Engine.IO closes without a code.
    fn close(&mut self, exchange: &mut Exchange<'_>) {
        self.heart = Heart::Stopped;
        self.namespace = Namespace::Left;
        exchange.close(Close::WithoutCode);
    }
}

impl Speaker for SocketIo {
    fn opened(&mut self, exchange: &mut Exchange<'_>) {
        let open = json!({
            "sid": format!("engine-{}", self.number),
            "upgrades": [],
            "pingInterval": millis(self.ping_interval),
            "pingTimeout": millis(self.ping_timeout),
            "maxPayload": self.max_payload,
        });
        exchange.text(format!("0{open}"));
    }

    fn received(&mut self, message: Message, exchange: &mut Exchange<'_>) {
        let result = match message {
            Message::Text(text) => self.on_text(&text, exchange),
            message @ Message::Binary(_) => self.on_binary(message, exchange),
        };
        if let Err(Over) = result {
            self.close(exchange);
        }
    }

    fn due_at(&self) -> Option<Duration> {
        let heart = match self.heart {
            Heart::PingAt(at) | Heart::PongBy(at) => at,
            Heart::Stopped => return None,
        };
        match self.namespace {
            Namespace::Awaited { until } => Some(until.min(heart)),
            Namespace::Connected | Namespace::Left => Some(heart),
        }
    }

    fn due(&mut self, exchange: &mut Exchange<'_>) {
        let now = exchange.now();
        match (self.heart, self.namespace) {
            (_, Namespace::Awaited { until }) if now >= until => self.close(exchange),
            (Heart::PongBy(at), _) if now >= at => self.close(exchange),
            (Heart::PingAt(at), _) if now >= at => {
                self.heart = Heart::PongBy(now.saturating_add(self.ping_timeout));
                exchange.text(PING);
            }
            (Heart::PingAt(_) | Heart::PongBy(_) | Heart::Stopped, _) => {}
        }
    }

    fn refusal(&self) -> Option<&'static str> {
        Some(REFUSAL)
    }
}

impl Attachments {
    const fn left(self) -> u64 {
        match self {
            Self::Echoed(left) | Self::Ignored(left) => left,
        }
    }
}

/// The answer to an event: itself, or its arguments if it asks for an acknowledgement. `None` if it is
/// no event.
fn echo(packet: &Packet<'_>, text: &Text) -> Option<Text> {
    let event: Vec<&RawValue> = serde_json::from_str(packet.data).ok()?;
    let (name, arguments) = event.split_first()?;
    name.get()
        .starts_with(|first: char| first == '"' || first == '-' || first.is_ascii_digit())
        .then_some(())?;
    let Some(id) = packet.id else { return Some(text.clone()) };
    let arguments: Vec<_> = arguments.iter().map(|argument| argument.get()).collect();
    let arguments = arguments.join(",");
    Some(match packet.kind {
        Kind::BinaryEvent => format!("46{}-{id}[{arguments}]", packet.attachments).into(),
        _ => format!("43{id}[{arguments}]").into(),
    })
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
