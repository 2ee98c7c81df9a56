//! MQTT 3.1.1 over WebSocket: the login, PINGREQ and PINGRESP, and DISCONNECT.
//! <https://docs.oasis-open.org/mqtt/mqtt/v3.1.1/mqtt-v3.1.1.html>
//!
//! A binary message may hold several packets, or a part of one (section 6). So all of them are
//! looked at, but only the packets' headers.

use std::time::Duration;

use gateway_core::{
    CloseCode, Dialect, DisconnectCause, Duties, Exchange, Interest, Login, Message, Received,
    Secret, Secrets, Verdict,
};

use crate::phase::Phase;

/// The longest silence of the client that the server accepts, times 1.5. It is twice the default
/// interval of the heartbeat.
const KEEP_ALIVE: Duration = Duration::from_secs(60);

const CONNECT: u8 = 0x10;
const CONNACK: u8 = 0x20;
const PINGREQ: [u8; 2] = [0xc0, 0];
const PINGRESP: u8 = 0xd0;
const DISCONNECT: [u8; 2] = [0xe0, 0];

#[derive(Default)]
pub(super) struct Mqtt {
    phase: Phase,
    secrets: Secrets,
    packets: Packets,
}

impl Dialect for Mqtt {
    fn duties(&self) -> Duties {
        Duties::NONE.with_heartbeat().with_login(Login::TIMEOUT)
    }

    fn interest(&self) -> Interest {
        match self.phase {
            Phase::Over => Interest::NONE,
            Phase::Waiting | Phase::LoggingIn | Phase::Ready => Interest::BINARY,
        }
    }

    fn opened(&mut self, exchange: &mut Exchange<'_>) {
        self.phase = Phase::LoggingIn;
        self.packets = Packets::default();
        exchange.send_binary(&connect(&self.secrets));
    }

    fn received(&mut self, message: Message<'_>, exchange: &mut Exchange<'_>) -> Received {
        let Message::Binary(bytes) = message else { return Received::Deliver };
        let Some(seen) = self.packets.read(bytes) else {
            self.phase = Phase::Over;
            exchange.leave(
                CloseCode::PROTOCOL_ERROR,
                Verdict::Retry,
                "an MQTT packet is malformed",
            );
            return Received::Deliver;
        };
        match (self.phase, seen.return_code) {
            (Phase::LoggingIn, Some(0)) => {
                self.phase = Phase::Ready;
                exchange.login_accepted();
            }
            (Phase::LoggingIn, Some(code)) => {
                self.phase = Phase::Over;
                let (verdict, reason) = refusal(code);
                exchange.login_refused(verdict, reason);
            }
            (Phase::Over | Phase::Waiting | Phase::LoggingIn | Phase::Ready, _) => {}
        }
        if seen.is_answered {
            exchange.pong(None);
        }
        if seen.is_ours { Received::Consume } else { Received::Deliver }
    }

    fn heartbeat(&mut self, exchange: &mut Exchange<'_>) {
        exchange.send_binary(&PINGREQ);
    }

    fn closing(&mut self, exchange: &mut Exchange<'_>) {
        if self.phase == Phase::Ready {
            exchange.send_binary(&DISCONNECT);
        }
    }

    fn secrets(&mut self, secrets: &Secrets) {
        self.secrets = secrets.clone();
    }

    fn lost(&mut self, _: DisconnectCause) {
        self.phase = Phase::Over;
    }
}

/// Section 3.2.2.3.
fn refusal(code: u8) -> (Verdict, &'static str) {
    match code {
        1 => (Verdict::Fatal, "the server does not support MQTT 3.1.1"),
        2 => (Verdict::Fatal, "the server does not allow the client identifier"),
        3 => (Verdict::Retry, "the MQTT service is unavailable"),
        4 => (Verdict::RefreshCredentials, "the user name or password is malformed"),
        5 => (Verdict::RefreshCredentials, "the client is not authorized to connect"),
        _ => (Verdict::Retry, "the server refused with a reserved return code"),
    }
}

/// The CONNECT packet (section 3.1), with a clean session.
fn connect(secrets: &Secrets) -> Vec<u8> {
    let value = |name| secrets.get(name).map(Secret::reveal);
    let password = value("password");
    // A password needs a user name (section 3.1.2.9).
    let username = value("username").or(password.map(|_| ""));
    let flags = 0x02 | u8::from(username.is_some()) << 7 | u8::from(password.is_some()) << 6;
    let mut body = b"\x00\x04MQTT\x04".to_vec();
    body.push(flags);
    let keep_alive = u16::try_from(KEEP_ALIVE.as_secs()).unwrap_or(u16::MAX);
    body.extend(keep_alive.to_be_bytes());
    let identifier = value("client_id").or(Some(""));
    for field in [identifier, username, password].into_iter().flatten() {
        // A longer field does not fit into one call, so this packet is not sent.
        let length = u16::try_from(field.len()).unwrap_or(u16::MAX);
        body.extend(length.to_be_bytes());
        body.extend(field.as_bytes());
    }
    let mut packet = vec![CONNECT];
    let mut rest = body.len();
    loop {
        let digit = u8::try_from(rest % 128).unwrap_or_default();
        rest /= 128;
        packet.push(if rest > 0 { digit | 0x80 } else { digit });
        if rest == 0 {
            break;
        }
    }
    packet.extend(body);
    packet
}

/// What the packets of one message mean.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    /// The return code of a CONNACK.
    return_code: Option<u8>,
    /// A PINGRESP came.
    is_answered: bool,
    /// The message holds whole packets, and only such as the application need not see.
    is_ours: bool,
}

/// Where the stream of packets is.
#[derive(Clone, Copy, Debug, Default)]
enum Packets {
    /// Before a packet.
    #[default]
    Between,
    /// Behind the first byte of a packet, in its length (section 2.2.3).
    Length { kind: u8, length: usize, digits: u32 },
    /// In a packet.
    Body { kind: u8, length: usize, at: usize },
}

impl Packets {
    /// Reads a message. Returns `None` if it is not MQTT.
    fn read(&mut self, bytes: &[u8]) -> Option<Seen> {
        let starts_whole = matches!(self, Self::Between);
        let mut seen = Seen { is_ours: starts_whole && !bytes.is_empty(), ..Seen::default() };
        let mut rest = bytes;
        while let Some((&byte, behind)) = rest.split_first() {
            match self {
                Self::Between => {
                    *self = Self::Length { kind: byte & 0xf0, length: 0, digits: 0 };
                    rest = behind;
                }
                Self::Length { kind, length, digits } => {
                    if *digits == 4 {
                        return None;
                    }
                    *length |= usize::from(byte & 0x7f) << (7 * *digits);
                    *digits += 1;
                    rest = behind;
                    if byte & 0x80 == 0 {
                        *self = Self::Body { kind: *kind, length: *length, at: 0 }.ended(&mut seen);
                    }
                }
                Self::Body { kind, length, at } => {
                    if *kind == CONNACK && *at == 1 {
                        seen.return_code = Some(byte);
                    }
                    // Of a CONNACK each byte is looked at, of others none.
                    let most = if *kind == CONNACK { 1 } else { *length - *at };
                    let taken = most.min(rest.len());
                    *at += taken;
                    rest = &rest[taken..];
                    *self = self.ended(&mut seen);
                }
            }
        }
        seen.is_ours &= matches!(self, Self::Between);
        Some(seen)
    }

    /// If the packet has ended, notes what it was.
    fn ended(self, seen: &mut Seen) -> Self {
        match self {
            Self::Body { kind, length, at } if at == length => {
                seen.is_answered |= kind == PINGRESP;
                seen.is_ours &= matches!(kind, CONNACK | PINGRESP);
                Self::Between
            }
            Self::Between | Self::Length { .. } | Self::Body { .. } => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn packet() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            Just(vec![CONNACK, 2, 0, 0]),
            Just(vec![PINGRESP, 0]),
            prop::collection::vec(any::<u8>(), 0..300).prop_map(|body| {
                let low = u8::try_from(body.len() % 128).unwrap() | 0x80;
                let high = u8::try_from(body.len() / 128).unwrap();
                [vec![0x30, low, high], body].concat()
            }),
        ]
    }

    proptest! {
        #[test]
        fn packets_are_seen_wherever_messages_divide_them(
            packets in prop::collection::vec(packet(), 0..6),
            sizes in prop::collection::vec(1_usize..50, 1..20),
        ) {
            let stream = packets.concat();
            let (mut parser, mut answers, mut rest) = (Packets::default(), 0, stream.as_slice());
            for size in sizes.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (message, behind) = rest.split_at((*size).min(rest.len()));
                answers += usize::from(parser.read(message).unwrap().is_answered);
                rest = behind;
            }
            prop_assert!(matches!(parser, Packets::Between));
            let pongs = packets.iter().filter(|packet| packet[0] == PINGRESP).count();
            prop_assert!(answers <= pongs && (answers > 0) == (pongs > 0));
        }

        #[test]
        fn any_bytes_can_be_read(messages in prop::collection::vec(any::<Vec<u8>>(), 0..9)) {
            let mut parser = Packets::default();
            for message in messages {
                let _ = parser.read(&message);
            }
        }
    }

    #[test]
    fn only_whole_packets_of_the_dialect_are_kept_from_the_application() {
        let read = |bytes: &[u8]| Packets::default().read(bytes).unwrap();
        assert!(read(&[PINGRESP, 0]).is_ours);
        assert!(read(&[CONNACK, 2, 0, 5, PINGRESP, 0]).is_ours);
        assert_eq!(read(&[CONNACK, 2, 0, 5]).return_code, Some(5));
        assert!(!read(&[PINGRESP, 0, 0x30, 0]).is_ours);
        assert!(!read(&[PINGRESP]).is_ours);
        assert!(!read(&[]).is_ours);
        assert_eq!(Packets::default().read(&[0x30, 0xff, 0xff, 0xff, 0xff, 1]), None);
    }
}
