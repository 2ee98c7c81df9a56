//! What follows on a close code or an HTTP status. Every code is judged here, by a table.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::parse_duration;
use crate::time::span_ns;

/// What follows when a connection is lost or refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums)] // the machine's answer to each is part of the contract
pub enum Verdict {
    /// Try again after the backoff's delay.
    Retry,
    /// Try again after the backoff's delay, but no sooner than this, and some jitter on top.
    #[serde(rename = "retry_no_sooner_than_ns", with = "span_ns")]
    RetryNoSoonerThan(Duration),
    /// Try again once with new credentials; if that fails in the same way, it is fatal.
    RefreshCredentials,
    /// Do not try again.
    Fatal,
}

impl Verdict {
    /// Parses `retry`, `refresh`, `fatal` or a least delay such as `30s`; `None` for anything else.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "retry" => Some(Self::Retry),
            "refresh" => Some(Self::RefreshCredentials),
            "fatal" => Some(Self::Fatal),
            span => parse_duration(span).map(Self::RetryNoSoonerThan),
        }
    }

    /// This verdict, or `other` if that one is milder: retry, least delay, refresh, fatal, the mildest first.
    pub(crate) fn softened_by(self, other: Self) -> Self {
        if other.severity() < self.severity() { other } else { self }
    }

    const fn severity(self) -> u8 {
        match self {
            Self::Retry => 0,
            Self::RetryNoSoonerThan(_) => 1,
            Self::RefreshCredentials => 2,
            Self::Fatal => 3,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Retry => f.write_str("retry"),
            Self::RetryNoSoonerThan(least) => write!(f, "retry, no sooner than {least:?}"),
            Self::RefreshCredentials => f.write_str("refresh credentials once, then fatal"),
            Self::Fatal => f.write_str("fatal"),
        }
    }
}

/// A range of codes and what follows on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rule {
    first: u16,
    last: u16,
    verdict: Verdict,
    meaning: &'static str,
}

impl Rule {
    /// A rule of the user's for the codes `first..=last`; `None` unless both are HTTP statuses (100–599) or
    /// both close codes (1000–4999), in order.
    #[must_use]
    pub const fn new(first: u16, last: u16, verdict: Verdict) -> Option<Self> {
        match (first, last) {
            (100..=599, 100..=599) | (1000..=4999, 1000..=4999) if first <= last => {
                Some(Self { first, last, verdict, meaning: "set in the configuration" })
            }
            _ => None,
        }
    }

    /// The first code of the range.
    #[must_use]
    pub const fn first(&self) -> u16 {
        self.first
    }

    /// The last code of the range.
    #[must_use]
    pub const fn last(&self) -> u16 {
        self.last
    }

    /// What follows.
    #[must_use]
    pub const fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// What the codes mean, in a few words.
    #[must_use]
    pub const fn meaning(&self) -> &'static str {
        self.meaning
    }

    /// The codes as a configuration writes them: `CODE` or `CODE-CODE`.
    pub(crate) fn codes(&self) -> String {
        match (self.first, self.last) {
            (first, last) if first == last => first.to_string(),
            (first, last) => format!("{first}-{last}"),
        }
    }

    const fn width(&self) -> u16 {
        self.last - self.first
    }

    const fn covers(&self, code: u16) -> bool {
        self.first <= code && code <= self.last
    }

    /// Whether the ranges cross: they share codes, and neither lies strictly inside the other.
    const fn crosses(&self, other: &Self) -> bool {
        let share = self.first <= other.last && other.first <= self.last;
        let inside = self.first >= other.first && self.last <= other.last;
        let around = self.first <= other.first && self.last >= other.last;
        share && inside == around
    }
}

/// The rules for close codes and HTTP statuses: the defaults, and the user's before them.
///
/// Where several rules cover a code the narrowest of the user's decides, then the default one.
///
/// ```
/// use core::time::Duration;
/// use gateway_core::{Policy, Rule, Verdict};
///
/// let policy = Policy::new([
///     Rule::new(4000, 4099, Verdict::Fatal).unwrap(),
///     Rule::new(4010, 4010, Verdict::RetryNoSoonerThan(Duration::from_secs(30))).unwrap(),
/// ]).unwrap();
/// assert_eq!(policy.judge(4001).verdict(), Verdict::Fatal);
/// assert_eq!(policy.judge(4010).verdict(), Verdict::RetryNoSoonerThan(Duration::from_secs(30)));
/// assert_eq!(policy.judge(1012).verdict(), Verdict::Retry);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Policy {
    rules: Vec<Rule>,
}

impl Policy {
    /// A policy with these rules before the defaults.
    ///
    /// # Errors
    /// Two rules whose ranges cross, so that none of them is the narrower.
    pub fn new(rules: impl IntoIterator<Item = Rule>) -> Result<Self, (Rule, Rule)> {
        let mut rules: Vec<Rule> = rules.into_iter().collect();
        if let Some(crossing) = Self::crossings(&rules).next() {
            return Err(crossing);
        }
        rules.sort_by_key(|rule| (rule.width(), rule.first));
        Ok(Self { rules })
    }

    /// Each rule that crosses one before it, behind the first that it crosses.
    pub(crate) fn crossings(rules: &[Rule]) -> impl Iterator<Item = (Rule, Rule)> {
        rules.iter().enumerate().filter_map(|(place, rule)| {
            let crossed = rules[..place].iter().find(|other| rule.crosses(other));
            crossed.map(|other| (*other, *rule))
        })
    }

    /// The user's rules, the narrow before the wide.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter()
    }

    /// The rule that decides on this code: a close code received from the peer (1005 for a Close frame
    /// without one, 1006 for a connection that ended without a Close frame), or an HTTP status.
    ///
    /// Timeouts of the machine's own (heartbeat, connect, login, data) are no codes: they are always retried.
    #[must_use]
    pub fn judge(&self, code: u16) -> Rule {
        self.rules.iter().chain(DEFAULTS).find(|rule| rule.covers(code)).copied().unwrap_or(UNKNOWN)
    }

    /// The verdict of a close code that may soften a refused login's: the codes of a server that is
    /// restarting or overloaded, and those that the user's rules cover.
    pub(crate) fn softening(&self, code: u16) -> Option<Verdict> {
        let may_soften = matches!(code, 1012..=1014) || self.is_users(code);
        may_soften.then(|| self.judge(code).verdict())
    }

    /// Whether a rule of the user's covers the code.
    fn is_users(&self, code: u16) -> bool {
        self.rules.iter().any(|rule| rule.covers(code))
    }

    /// What happens on this code, and which rule says so; `None` for a number that is neither
    /// a close code (1000–4999) nor an HTTP status (100–599).
    #[must_use]
    pub fn explain(&self, code: u16) -> Option<Explanation> {
        let sent = match code {
            100..=599 => Sent::Never("an HTTP status is the server's answer to the upgrade"),
            1000 => Sent::Asked("sent on the application's close request; then CLOSED"),
            1002 => {
                Sent::Failing("sent to a peer that breaks the protocol; then retried with backoff")
            }
            1007 => {
                Sent::Failing("sent to a peer whose text is not UTF-8; then retried with backoff")
            }
            1009 => Sent::Failing(
                "sent to a peer whose message is too large; then retried with backoff",
            ),
            1001 | 1003 | 1008 | 1010..=1014 | 3000..=4999 => {
                Sent::Asked("sent only where the application closes with this code; then CLOSED")
            }
            1005 => Sent::Never("stands for a Close frame without a code"),
            1006 => Sent::Never("stands for a connection that ended without a Close frame"),
            1015 => Sent::Never("stands for a TLS failure"),
            1004 | 1016..=2999 => Sent::Never(
                "may not be on the wire; a peer that sends it breaks the protocol and is retried with backoff",
            ),
            _ => return None,
        };
        let rule = self.judge(code);
        Some(Explanation { rule, by_user: self.is_users(code), sent })
    }
}

/// What happens on a code, in both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explanation {
    /// The rule that decides when the code is received.
    pub rule: Rule,
    /// Whether that rule is the user's own, not a default.
    pub by_user: bool,
    /// Whether and when this side sends the code, and what follows.
    pub sent: Sent,
}

/// Whether and when this side sends a code, with an explanation in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sent {
    /// On the application's request.
    Asked(&'static str),
    /// By the machine, to fail a peer.
    Failing(&'static str),
    /// Never.
    Never(&'static str),
}

impl Sent {
    /// The explanation in words.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Asked(text) | Self::Failing(text) | Self::Never(text) => text,
        }
    }
}

const fn rule(first: u16, last: u16, verdict: Verdict, meaning: &'static str) -> Rule {
    Rule { first, last, verdict, meaning }
}

const UNKNOWN: Rule = rule(0, u16::MAX, Verdict::Retry, "unknown code");

/// The default rules, the narrow before the wide.
const DEFAULTS: &[Rule] = &[
    rule(1000, 1000, Verdict::Fatal, "normal closure: the peer is done with us"),
    rule(1001, 1001, Verdict::Retry, "going away"),
    rule(1002, 1002, Verdict::Fatal, "protocol error: the peer finds our frames invalid"),
    rule(1003, 1003, Verdict::Fatal, "unsupported data"),
    rule(1005, 1005, Verdict::Retry, "closed without a code"),
    rule(1006, 1006, Verdict::Retry, "lost without a Close frame"),
    rule(1007, 1007, Verdict::Fatal, "invalid payload: the peer finds our text invalid"),
    rule(1008, 1008, Verdict::Fatal, "policy violation"),
    rule(1009, 1009, Verdict::Fatal, "message too big for the peer"),
    rule(1010, 1010, Verdict::Fatal, "a mandatory extension is missing"),
    rule(1011, 1011, Verdict::Retry, "internal error of the server"),
    rule(1012, 1012, Verdict::Retry, "service restart"),
    rule(1013, 1013, Verdict::Retry, "try again later"),
    rule(1014, 1014, Verdict::Retry, "bad gateway"),
    rule(1015, 1015, Verdict::Retry, "TLS failure"),
    rule(3000, 3999, Verdict::Retry, "registered by a library or framework, unknown here"),
    rule(4000, 4999, Verdict::Retry, "private to the application, unknown here"),
    rule(1000, 2999, Verdict::Retry, "reserved or unknown"),
    rule(401, 401, Verdict::RefreshCredentials, "unauthorized"),
    rule(403, 403, Verdict::RefreshCredentials, "forbidden"),
    rule(408, 408, Verdict::Retry, "request timeout"),
    rule(425, 425, Verdict::Retry, "too early"),
    rule(429, 429, Verdict::Retry, "too many requests"),
    rule(100, 299, Verdict::Retry, "no upgrade: not 101"),
    rule(300, 399, Verdict::Fatal, "redirect: not followed"),
    rule(400, 499, Verdict::Fatal, "client error"),
    rule(500, 599, Verdict::Retry, "server error"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_table_is_what_the_contract_says() {
        let policy = Policy::default();
        for code in [1000, 1002, 1003, 1007, 1008, 1009, 1010, 301, 302, 307, 400, 404, 410, 426] {
            assert_eq!(policy.judge(code).verdict(), Verdict::Fatal, "{code}");
        }
        for code in [
            1001, 1004, 1005, 1006, 1011, 1012, 1013, 1014, 1015, 1016, 2999, 3000, 3999, 4000,
            4999,
        ] {
            assert_eq!(policy.judge(code).verdict(), Verdict::Retry, "{code}");
        }
        for code in [100, 199, 200, 299, 408, 425, 429, 500, 503, 599, 0, 99, 600, 5000, u16::MAX] {
            assert_eq!(policy.judge(code).verdict(), Verdict::Retry, "{code}");
        }
        for code in [401, 403] {
            assert_eq!(policy.judge(code).verdict(), Verdict::RefreshCredentials, "{code}");
        }
    }

    #[test]
    fn every_default_rule_decides_on_some_code() {
        let policy = Policy::default();
        for rule in DEFAULTS {
            assert!((rule.first..=rule.last).any(|code| policy.judge(code) == *rule), "{rule:?}");
        }
    }

    #[test]
    fn explain_answers_for_every_code_in_both_directions_and_for_no_other_number() {
        let policy = Policy::new([Rule::new(1006, 1006, Verdict::Fatal).unwrap()]).unwrap();
        for code in (100..=599).chain(1000..=4999) {
            let explanation = policy.explain(code).unwrap();
            assert_eq!(explanation.rule, policy.judge(code));
            assert_eq!(explanation.by_user, code == 1006);
            assert!(!explanation.sent.text().is_empty());
            let sendable = crate::CloseCode::new(code).is_ok();
            assert_eq!(sendable, !matches!(explanation.sent, Sent::Never(_)), "{code}");
        }
        for code in [0, 99, 600, 999, 5000, u16::MAX] {
            assert_eq!(policy.explain(code), None);
        }
    }

    #[test]
    fn crossing_rules_are_refused_and_nested_ones_are_not() {
        let rule = |first, last| Rule::new(first, last, Verdict::Fatal).unwrap();
        assert!(Policy::new([rule(4000, 4099), rule(4050, 4050)]).is_ok());
        assert!(Policy::new([rule(4000, 4099), rule(4000, 4050)]).is_ok());
        assert!(Policy::new([rule(4000, 4099), rule(4100, 4199)]).is_ok());
        assert!(Policy::new([rule(4000, 4099), rule(4050, 4150)]).is_err());
        assert!(Policy::new([rule(4000, 4000), rule(4000, 4000)]).is_err());
        assert_eq!(Rule::new(500, 1000, Verdict::Fatal), None);
        assert_eq!(Rule::new(4001, 4000, Verdict::Fatal), None);
    }
}
