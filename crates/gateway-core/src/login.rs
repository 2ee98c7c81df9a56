//! The login: what is sent, and what its answer means.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::policy::Verdict;

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
        /// The answer that accepts. It is asked after all of `refused`.
        accepted: AcceptanceRule,
        /// The answers that refuse. The first rule that matches decides what follows.
        refused: Vec<RefusalRule>,
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
        let answer = serde_json::from_str::<Value>(text).ok();
        let matches = |rule: &JsonRule| answer.as_ref().is_some_and(|answer| rule.matches(answer));
        if let Some(refusal) = refused.iter().find(|refusal| matches(&refusal.rule)) {
            return LoginAnswer::Refused(refusal.verdict);
        }
        match accepted {
            AcceptanceRule::Any => LoginAnswer::AcceptedAndDelivered,
            AcceptanceRule::Json(rule) if matches(rule) => LoginAnswer::Accepted,
            AcceptanceRule::Json(_) => LoginAnswer::NotAnAnswer,
        }
    }
}

/// Which answer accepts a login.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AcceptanceRule {
    /// Any text that does not refuse. It is delivered as a message, too. A configuration says `"any"`.
    ///
    /// Many servers greet before they answer a login. With this rule the greeting accepts the login.
    Any,
    /// A text that matches. It is not delivered.
    Json(JsonRule),
}

impl AcceptanceRule {
    /// Parses `any` or `POINTER=VALUE`; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "any" => Some(Self::Any),
            rule => JsonRule::parse(rule).map(Self::Json),
        }
    }
}

/// An answer that refuses a login, and what follows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_structs)] // a rule and its verdict, and nothing else by design
pub struct RefusalRule {
    /// What the answer looks like.
    pub rule: JsonRule,
    /// What follows. [`Verdict::RefreshCredentials`] is the default: one more attempt with new
    /// credentials, and a second refusal is fatal.
    pub verdict: Verdict,
}

impl RefusalRule {
    /// Parses `POINTER=VALUE[:VERDICT]`, where `VERDICT` is `refresh` (the default), `retry`, `fatal` or a
    /// least delay with its unit, such as `30s`. `None` unless the pointer is empty or starts with `/`.
    ///
    /// Only the last `:WORD` of the value is looked at, and it is part of the value unless it is a verdict.
    /// Write `\:` for a colon that must be part of the value.
    ///
    /// ```
    /// use core::time::Duration;
    /// use gateway_core::{RefusalRule, Verdict};
    /// let verdict = |text| RefusalRule::parse(text).unwrap().verdict;
    /// assert_eq!(verdict("/ok=false"), Verdict::RefreshCredentials);
    /// assert_eq!(verdict("/error=busy:30s"), Verdict::RetryNoSoonerThan(Duration::from_secs(30)));
    /// let rule = RefusalRule::parse(r"/error=auth\:fatal").unwrap();
    /// assert!(rule.rule.matches_text(r#"{"error":"auth:fatal"}"#));
    /// ```
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let JsonRule { pointer, value } = JsonRule::parse(text)?;
        let named = value.rsplit_once(':').filter(|(before, _)| !before.ends_with('\\'));
        let named = named.and_then(|(before, word)| Some((before, verdict_named(word)?)));
        let (value, verdict) = named.unwrap_or((&value, Verdict::RefreshCredentials));
        let value = value.replace("\\:", ":");
        Some(Self { rule: JsonRule { pointer, value }, verdict })
    }
}

/// A bare number is no verdict here: in `/code=error:401` it is part of the value.
fn verdict_named(word: &str) -> Option<Verdict> {
    let is_number = word.bytes().all(|byte| byte.is_ascii_digit());
    Verdict::parse(word).filter(|_| !is_number)
}

/// With the verdict [`Verdict::RefreshCredentials`].
impl From<JsonRule> for RefusalRule {
    fn from(rule: JsonRule) -> Self {
        Self { rule, verdict: Verdict::RefreshCredentials }
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
    /// The login is refused, with what follows; the message is consumed.
    Refused(Verdict),
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
