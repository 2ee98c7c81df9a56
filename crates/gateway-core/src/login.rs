//! The login: its message, and the rules for its answer.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::json_rule::JsonRule;
use crate::policy::Verdict;

/// How a connection logs in once its socket is open.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Login {
    /// No login: the connection is ready as soon as the socket is open.
    None,
    /// The machine sends one message first on each socket, and waits for one answer.
    Message {
        /// The login message, at most [`Config::MAX_LOGIN`](crate::Config::MAX_LOGIN) bytes.
        send: Secret,
        /// The answer that accepts. The machine checks it after all rules of `refused`.
        accepted: AcceptanceRule,
        /// The answers that refuse. The first rule that matches decides.
        refused: Vec<RefusalRule>,
        /// How long the answer may take.
        timeout: Duration,
    },
    /// A login that the application performs with its messages. The machine sends and delivers them
    /// while CONNECTED. ([`Login::Message`] differs: there it rejects sends until the login is
    /// accepted.)
    ///
    /// The login ends with the event [`LoginAccepted`](crate::Event::LoginAccepted) or
    /// [`LoginRejected`](crate::Event::LoginRejected). If the peer closes the socket first, the close
    /// code decides, and a later `LoginRejected` does nothing: use a policy rule for that code.
    External {
        /// How long the login may take.
        timeout: Duration,
    },
    /// The [`Dialect`](crate::Dialect) logs in. Until it calls
    /// [`login_accepted`](crate::Exchange::login_accepted), the machine rejects sends.
    Dialect {
        /// How long the login may take.
        timeout: Duration,
    },
}

impl Login {
    /// The default timeout of a login in a configuration: 10 s.
    pub const TIMEOUT: Duration = Duration::from_secs(10);

    /// Classifies a text message that arrived during the login.
    #[must_use]
    pub fn judge(&self, text: &str) -> LoginAnswer {
        let Self::Message { accepted, refused, .. } = self else {
            return LoginAnswer::NotAnAnswer;
        };
        if let Some(refusal) = refused.iter().find(|refusal| refusal.rule.matches_text(text)) {
            return LoginAnswer::Refused(refusal.verdict);
        }
        match accepted {
            AcceptanceRule::Any => LoginAnswer::AcceptedAndDelivered,
            AcceptanceRule::Json(rule) if rule.matches_text(text) => LoginAnswer::Accepted,
            AcceptanceRule::Json(_) | AcceptanceRule::Dialect => LoginAnswer::NotAnAnswer,
        }
    }
}

/// Which answer accepts a login.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AcceptanceRule {
    /// Any text that matches no rule of `refused`. The machine also delivers it as a message. In a
    /// configuration, write `"any"`.
    ///
    /// Many servers greet before they answer a login. With this rule the greeting accepts the
    /// login.
    Any,
    /// A text that matches the rule. The machine does not deliver it.
    Json(JsonRule),
    /// What the [`Dialect`](crate::Dialect) [accepts](crate::Exchange::login_accepted). In a
    /// configuration, write `"dialect"`.
    Dialect,
}

impl AcceptanceRule {
    /// Parses `any`, `dialect` or `POINTER=VALUE`. Returns `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "any" => Some(Self::Any),
            "dialect" => Some(Self::Dialect),
            rule => JsonRule::parse(rule).map(Self::Json),
        }
    }
}

/// A rule for an answer that refuses a login, and its verdict.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_structs)] // a rule and its verdict, and nothing else on purpose
pub struct RefusalRule {
    /// Which answers match.
    pub rule: JsonRule,
    /// What follows. The default is [`Verdict::RefreshCredentials`]: one more attempt with new
    /// credentials. If this verdict comes again before a connection was stable, the machine gives
    /// up.
    pub verdict: Verdict,
}

impl RefusalRule {
    /// Parses `POINTER=VALUE[:VERDICT]`. `VERDICT` is `refresh` (the default), `retry`, `fatal` or
    /// a least delay with its unit, such as `30s`. Returns `None` unless the pointer is empty or
    /// starts with `/`.
    ///
    /// Only the word after the last colon can be the verdict. If it is not a verdict, it is part of
    /// the value. If the value itself ends with a colon and a verdict, write `\:` for that colon.
    /// Other colons need no escape, and a rule that accepts needs none at all.
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

/// Parses a verdict. A bare number is none: in `/code=error:401` it is part of the value. Nor is a
/// word with a space around it, as in `/error=wait: 30s`.
fn verdict_named(word: &str) -> Option<Verdict> {
    let is_number = word.bytes().all(|byte| byte.is_ascii_digit());
    Verdict::parse(word).filter(|_| !is_number && word.trim() == word)
}

/// Writes the rule as a configuration does, with its verdict.
impl fmt::Display for RefusalRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let JsonRule { pointer, value } = &self.rule;
        write!(f, "{pointer}={}:{}", value.replace(':', "\\:"), self.verdict.written())
    }
}

/// Sets the verdict to [`Verdict::RefreshCredentials`].
impl From<JsonRule> for RefusalRule {
    fn from(rule: JsonRule) -> Self {
        Self { rule, verdict: Verdict::RefreshCredentials }
    }
}

/// What a message that arrived during a login means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums)] // the machine's answer to each is part of the contract
pub enum LoginAnswer {
    /// The message accepts the login, and is not delivered.
    Accepted,
    /// The message accepts the login, and is also delivered.
    AcceptedAndDelivered,
    /// The message refuses the login with this verdict, and is not delivered.
    Refused(Verdict),
    /// The message is not an answer, and is delivered.
    #[default]
    NotAnAnswer,
}

/// A text that never appears in `Debug` output, logs or errors.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    #[must_use]
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// Returns the secret itself. Send it, but do not show it.
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
