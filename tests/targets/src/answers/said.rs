//! A server's answer in place of an open connection: drawn from an input, and as bytes on the wire.

use std::time::{Duration, SystemTime};

use arbitrary::Arbitrary;
use tungstenite::handshake::derive_accept_key;

use crate::many::Many;

#[derive(Debug, Arbitrary)]
pub(super) enum Close {
    /// One of those below, and a reason.
    Known(u8, Many<u8, 130>),
    Code(u16, String),
    Raw(Many<u8, 130>),
}

#[derive(Debug, Arbitrary)]
pub(super) enum Answer {
    Raw(Many<u8, 250>),
    Built {
        status: Status,
        /// An upgrade whose Connection field is one of those below.
        upgrade: Option<u8>,
        fields: Many<Field, 6>,
        rest: Many<u8, 40>,
    },
}

#[derive(Clone, Copy, Debug, Arbitrary)]
pub(super) enum Status {
    Known(u8),
    Any(u16),
}

/// Close codes that may be sent, and some that may not.
pub(crate) const CODES: [u16; 16] = [
    1000, 1001, 1002, 1003, 1004, 1005, 1006, 1007, 1008, 1009, 1011, 1012, 1013, 1014, 1015, 4000,
];

const STATUSES: [u16; 16] =
    [101, 101, 101, 200, 302, 400, 401, 403, 404, 408, 103, 429, 500, 503, 599, 600];

impl Status {
    pub(super) fn number(self) -> u16 {
        match self {
            Self::Known(index) => STATUSES[usize::from(index) % STATUSES.len()],
            Self::Any(status) => status % 1_000,
        }
    }
}

#[derive(Debug, Arbitrary)]
pub(super) enum Field {
    Upgrade,
    /// One of those below.
    Connection(u8),
    /// The right key.
    Accept,
    RetryAfterSeconds(u64),
    /// So many seconds from the epoch.
    RetryAfterDate(u32),
    RetryAfter(Vec<u8>),
    Other(u8, Vec<u8>),
}

/// What a Connection field says. The last two are two fields.
const CONNECTIONS: [&str; 7] = [
    "keep-alive, Upgrade",
    "upgrade",
    "Upgrade",
    "close",
    "not-upgrade",
    "close\r\nConnection: Upgrade",
    "not-upgrade\r\nconnection: keep-alive",
];

fn connection(index: u8) -> &'static str {
    CONNECTIONS[usize::from(index) % CONNECTIONS.len()]
}

impl Close {
    pub(super) fn payload(&self) -> Vec<u8> {
        match self {
            Self::Code(code, reason) => [&code.to_be_bytes(), reason.as_bytes()].concat(),
            Self::Known(index, reason) => {
                let code = CODES[usize::from(*index) % CODES.len()];
                [&code.to_be_bytes(), &reason[..]].concat()
            }
            Self::Raw(payload) => payload.to_vec(),
        }
    }
}

impl Answer {
    pub(super) fn bytes(&self, key: &str) -> Vec<u8> {
        let (status, upgrade, fields, rest) = match self {
            Self::Raw(bytes) => return bytes.to_vec(),
            Self::Built { status, upgrade, fields, rest } => {
                (status.number(), upgrade, fields, rest)
            }
        };
        let mut bytes = format!("HTTP/1.1 {status:03} Answer\r\n").into_bytes();
        let upgrade =
            upgrade.map(|index| [Field::Upgrade, Field::Connection(index), Field::Accept]);
        for field in upgrade.iter().flatten().chain(fields.iter()) {
            let (name, value) = field.line(key);
            bytes.extend([name.as_bytes(), b": ", &value, b"\r\n"].concat());
        }
        bytes.extend(b"\r\n");
        bytes.extend(&rest[..]);
        bytes
    }
}

/// The fields of an answer's head, as its lines have them: any bytes of a value may begin another line.
pub(super) struct Head<'a>(Vec<(&'a [u8], &'a [u8])>);

impl<'a> Head<'a> {
    pub(super) fn of(answer: &'a [u8]) -> Self {
        let lines = answer.split(|byte| *byte == b'\n').skip(1);
        let head = lines.map(<[u8]>::trim_ascii_end).take_while(|line| !line.is_empty());
        let field = |line: &'a [u8]| {
            let colon = line.iter().position(|byte| *byte == b':')?;
            Some((&line[..colon], line[colon + 1..].trim_ascii()))
        };
        Self(head.filter_map(field).collect())
    }

    fn values(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        let of_name = |field: &&(&[u8], &[u8])| field.0.eq_ignore_ascii_case(name.as_bytes());
        self.0.iter().filter(of_name).map(|field| field.1)
    }

    /// Whether it says all that an answer must say to be an upgrade, somewhere (RFC 6455 section 4.1).
    pub(super) fn upgrades(&self, key: &str) -> bool {
        let lists = |name: &str, token: &str| {
            self.values(name).any(|list| {
                let mut tokens = list.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
                tokens.any(|listed| listed.eq_ignore_ascii_case(token.as_bytes()))
            })
        };
        let is_websocket = |value: &[u8]| value.eq_ignore_ascii_case(b"websocket");
        let accept = derive_accept_key(key.as_bytes());
        self.values("upgrade").next().is_some()
            && self.values("upgrade").all(is_websocket)
            && lists("connection", "upgrade")
            && self.values("sec-websocket-accept").eq([accept.as_bytes()])
    }
}

impl Field {
    fn line(&self, key: &str) -> (&'static str, Vec<u8>) {
        const NAMES: [&str; 6] = [
            "Sec-WebSocket-Accept",
            "Sec-WebSocket-Protocol",
            "Sec-WebSocket-Extensions",
            "Upgrade",
            "Connection",
            "X-Other",
        ];
        match self {
            Self::Upgrade => ("Upgrade", b"websocket".to_vec()),
            Self::Connection(index) => ("Connection", connection(*index).as_bytes().to_vec()),
            Self::Accept => {
                ("Sec-WebSocket-Accept", derive_accept_key(key.as_bytes()).into_bytes())
            }
            Self::RetryAfterSeconds(seconds) => ("Retry-After", seconds.to_string().into_bytes()),
            Self::RetryAfterDate(seconds) => {
                let span = Duration::from_secs((*seconds).into());
                let date = SystemTime::UNIX_EPOCH + span;
                ("Retry-After", httpdate::fmt_http_date(date).into_bytes())
            }
            Self::RetryAfter(value) => ("retry-after", value.clone()),
            Self::Other(name, value) => (NAMES[usize::from(*name) % NAMES.len()], value.clone()),
        }
    }
}

/// The key of an upgrade request.
pub(crate) fn key_of(request: &[u8]) -> String {
    let request = std::str::from_utf8(request).expect("a request is text");
    let key = request.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("sec-websocket-key").then_some(value)
    });
    key.expect("a request has a key").to_owned()
}
