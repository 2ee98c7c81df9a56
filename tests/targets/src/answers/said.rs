//! A server's answer in place of an open connection: drawn from an input, and as bytes on the wire.

use std::time::{Duration, SystemTime};

use gateway_testkit::{history::Listed as _, listed};
use serde::{Deserialize, Serialize};
use tungstenite::handshake::derive_accept_key;

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Close {
    /// One of those below, and a reason.
    Known(#[serde(with = "KnownCode")] u8, #[serde(with = "serde_bytes")] Vec<u8>),
    Code(u16, String),
    Raw(#[serde(with = "serde_bytes")] Vec<u8>),
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    Raw(#[serde(with = "serde_bytes")] Vec<u8>),
    Built {
        status: Status,
        /// An upgrade with this Connection field.
        #[serde(default)]
        upgrade: Option<Said>,
        #[serde(default)]
        fields: Vec<Field>,
        #[serde(default, with = "serde_bytes")]
        rest: Vec<u8>,
    },
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) enum Status {
    Known(#[serde(with = "KnownStatus")] u8),
    Any(u16),
}

/// Close codes that may be sent, and some that may not.
pub(crate) const CODES: [u16; 16] = [
    1000, 1001, 1002, 1003, 1004, 1005, 1006, 1007, 1008, 1009, 1011, 1012, 1013, 1014, 1015, 4000,
];

const STATUSES: [u16; 14] = [101, 200, 302, 400, 401, 403, 404, 408, 103, 429, 500, 503, 599, 600];

impl Status {
    pub(super) fn number(self) -> u16 {
        match self {
            Self::Known(index) => STATUSES[usize::from(index)],
            Self::Any(status) => status % 1_000,
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Field {
    Upgrade,
    Connection(Said),
    /// The right key.
    Accept,
    RetryAfterSeconds(u64),
    /// So many seconds from the epoch.
    RetryAfterDate(u32),
    RetryAfter(#[serde(with = "serde_bytes")] Vec<u8>),
    Other(#[serde(with = "Name")] u8, #[serde(with = "serde_bytes")] Vec<u8>),
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

/// One of them.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Said(#[serde(with = "Connection")] u8);

const NAMES: [&str; 6] = [
    "Sec-WebSocket-Accept",
    "Sec-WebSocket-Protocol",
    "Sec-WebSocket-Extensions",
    "Upgrade",
    "Connection",
    "X-Other",
];

listed!(pub(crate) KnownCode, CODES, code => code.to_string());
listed!(KnownStatus, STATUSES, status => status.to_string());
listed!(Connection, CONNECTIONS, field => field.to_owned());
listed!(Name, NAMES, name => name.to_owned());

impl Close {
    /// Cuts payloads that are longer than any rule needs.
    pub(super) fn cut(&mut self) {
        match self {
            Self::Known(_, bytes) | Self::Raw(bytes) => bytes.truncate(130),
            Self::Code(..) => {}
        }
    }

    pub(super) fn payload(&self) -> Vec<u8> {
        match self {
            Self::Code(code, reason) => [&code.to_be_bytes(), reason.as_bytes()].concat(),
            Self::Known(index, reason) => {
                let code = CODES[usize::from(*index)];
                [&code.to_be_bytes(), &reason[..]].concat()
            }
            Self::Raw(payload) => payload.to_vec(),
        }
    }
}

impl Answer {
    /// Leaves out what makes it so long that this alone is an error.
    pub(super) fn cut(&mut self) {
        match self {
            Self::Raw(bytes) => bytes.truncate(250),
            Self::Built { fields, rest, .. } => {
                fields.truncate(6);
                rest.truncate(40);
            }
        }
    }

    pub(super) fn bytes(&self, key: &str) -> Vec<u8> {
        let (status, upgrade, fields, rest) = match self {
            Self::Raw(bytes) => return bytes.to_vec(),
            Self::Built { status, upgrade, fields, rest } => {
                (status.number(), upgrade, fields, rest)
            }
        };
        let mut bytes = format!("HTTP/1.1 {status:03} Answer\r\n").into_bytes();
        let upgrade = upgrade.map(|said| [Field::Upgrade, Field::Connection(said), Field::Accept]);
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
        match self {
            Self::Upgrade => ("Upgrade", b"websocket".to_vec()),
            Self::Connection(said) => {
                ("Connection", CONNECTIONS[usize::from(said.0)].as_bytes().to_vec())
            }
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
            Self::Other(name, value) => (NAMES[usize::from(*name)], value.clone()),
        }
    }
}

/// The key of an upgrade request.
pub(super) fn key_of(request: &[u8]) -> String {
    let request = std::str::from_utf8(request).expect("a request is text");
    let key = request.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("sec-websocket-key").then_some(value)
    });
    key.expect("a request has a key").to_owned()
}
