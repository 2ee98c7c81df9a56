//! The login: what is sent, and what its answer means.

use alloc::string::{String, ToString};
use core::fmt;
use core::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How a connection becomes ready once its socket is open.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Login {
    /// No login: ready as soon as the socket is open.
    None,
    /// One message, sent first on every open, and one answer.
    Message {
        /// The message.
        send: Secret,
        /// The answer that accepts; `None`: any text that does not refuse, which is also delivered.
        accepted: Option<JsonRule>,
        /// The answer that refuses.
        refused: Option<JsonRule>,
        /// How long the answer may take.
        timeout: Duration,
    },
    /// The embedder's own handshake, in messages that it receives and sends as any others: they are taken while
    /// CONNECTED, where with a login of the machine's own they are not. It ends with the event
    /// [`LoginAccepted`](crate::Event::LoginAccepted) or [`LoginRejected`](crate::Event::LoginRejected).
    External {
        /// How long it may take.
        timeout: Duration,
    },
}

impl Login {
    /// How long a login may take by default.
    pub const TIMEOUT: Duration = Duration::from_secs(10);

    /// What a text message, received while logging in, means.
    #[must_use]
    pub fn judge(&self, text: &str) -> LoginAnswer {
        let Self::Message { accepted, refused, .. } = self else {
            return LoginAnswer::NotAnAnswer;
        };
        let parsed = || serde_json::from_str::<Value>(text).ok();
        match (accepted, refused) {
            (None, None) => LoginAnswer::AcceptedAndDelivered,
            (accepted, refused) => {
                let value = parsed();
                let matches = |rule: &Option<JsonRule>| match (rule, &value) {
                    (Some(rule), Some(value)) => rule.matches(value),
                    (Some(_) | None, _) => false,
                };
                if matches(refused) {
                    LoginAnswer::Refused
                } else if matches(accepted) {
                    LoginAnswer::Accepted
                } else if accepted.is_none() {
                    LoginAnswer::AcceptedAndDelivered
                } else {
                    LoginAnswer::NotAnAnswer
                }
            }
        }
    }
}

/// What a message means that came while logging in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums)] // the machine's answer to each is part of the contract
pub enum LoginAnswer {
    /// The login is accepted; the message is consumed.
    Accepted,
    /// The login is accepted; the message is the application's as well.
    AcceptedAndDelivered,
    /// The login is refused; the message is consumed.
    Refused,
    /// The message is the application's.
    NotAnAnswer,
}

/// A JSON pointer ([RFC 6901](https://www.rfc-editor.org/rfc/rfc6901)) and the value that must stand there.
///
/// Written `POINTER=VALUE`, such as `/type=login_ok`. A string matches by its content, a number or a
/// boolean by its JSON text.
///
/// ```
/// use gateway_core::JsonRule;
/// let rule = JsonRule::parse("/payload/ok=true").unwrap();
/// assert!(rule.matches_text(r#"{"payload":{"ok":true}}"#));
/// assert!(!rule.matches_text(r#"{"payload":{"ok":false}}"#));
/// assert!(JsonRule::parse("payload=true").is_none());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct JsonRule {
    pointer: String,
    value: String,
}

impl JsonRule {
    /// Parses `POINTER=VALUE`; `None` unless the pointer is empty or starts with `/`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (pointer, value) = text.split_once('=')?;
        let valid = pointer.is_empty() || pointer.starts_with('/');
        valid.then(|| Self { pointer: pointer.to_string(), value: value.to_string() })
    }

    /// Whether `text` is JSON and has the value at the pointer.
    #[must_use]
    pub fn matches_text(&self, text: &str) -> bool {
        serde_json::from_str(text).is_ok_and(|value| self.matches(&value))
    }

    fn matches(&self, document: &Value) -> bool {
        match document.pointer(&self.pointer) {
            Some(Value::String(text)) => *text == self.value,
            Some(other) => {
                let text = other.to_string();
                text == self.value
            }
            None => false,
        }
    }
}

impl fmt::Display for JsonRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.pointer, self.value)
    }
}

/// A text that never shows in `Debug`, logs or errors.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    #[must_use]
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// The secret itself, to be sent and not to be shown.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

impl From<String> for Secret {
    fn from(secret: String) -> Self {
        Self(secret)
    }
}

impl From<&str> for Secret {
    fn from(secret: &str) -> Self {
        Self(secret.to_string())
    }
}
