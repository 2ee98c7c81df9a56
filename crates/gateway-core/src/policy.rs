//! The policy: a table of rules that decides what follows on a close code or an HTTP status.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::{format_duration, parse_duration};
use crate::time::span_ns;

/// What the machine does after a connection is lost or refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums)] // the machine's answer to each is part of the contract
pub enum Verdict {
    /// Retry after the backoff's delay.
    Retry,
    /// Retry after the longer of two delays, the backoff's and this least delay. To the longer one
    /// the machine adds a random spread of up to max(1 s, 20 % of the least delay).
    #[serde(rename = "retry_no_sooner_than_ns", with = "span_ns")]
    RetryNoSoonerThan(Duration),
    /// Retry once with new credentials. If this verdict comes again before a connection was stable,
    /// the machine gives up.
    RefreshCredentials,
    /// Give up.
    Fatal,
}

impl Verdict {
    /// Parses `retry`, `refresh`, `fatal` or a least delay such as `30s`. Returns `None` for
    /// anything else.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "retry" => Some(Self::Retry),
            "refresh" => Some(Self::RefreshCredentials),
            "fatal" => Some(Self::Fatal),
            span => parse_duration(span).map(Self::RetryNoSoonerThan),
        }
    }

    /// Returns the milder of two verdicts. From mild to harsh: retry, least delay, refresh, fatal.
    pub(crate) fn softened_by(self, other: Self) -> Self {
        if other.severity() < self.severity() { other } else { self }
    }

    /// Writes the verdict as a configuration does: `parse` reads it back.
    #[must_use]
    pub fn written(self) -> String {
        match self {
            Self::Retry => "retry".to_string(),
            Self::RetryNoSoonerThan(least) => format_duration(least),
            Self::RefreshCredentials => "refresh".to_string(),
            Self::Fatal => "fatal".to_string(),
        }
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

/// A range of codes, and the verdict on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rule {
    first: u16,
    last: u16,
    verdict: Verdict,
    meaning: &'static str,
}

impl Rule {
    /// Creates a rule for the codes `first..=last`. Returns `None` unless both are HTTP statuses
    /// (100–599) or both are close codes (1000–4999), and `first <= last`.
    #[must_use]
    pub const fn new(first: u16, last: u16, verdict: Verdict) -> Option<Self> {
        match (first, last) {
            (100..=599, 100..=599) | (1000..=4999, 1000..=4999) if first <= last => {
                Some(Self { first, last, verdict, meaning: "from the configuration" })
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

    /// The verdict on these codes.
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
    #[must_use]
    pub fn codes(&self) -> String {
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

    /// Whether the ranges cross: they share codes, and neither is strictly inside the other.
    const fn crosses(&self, other: &Self) -> bool {
        let share = self.first <= other.last && other.first <= self.last;
        let inside = self.first >= other.first && self.last <= other.last;
        let around = self.first <= other.first && self.last >= other.last;
        share && inside == around
    }
}

/// The rules for close codes and HTTP statuses: yours, then the defaults.
///
/// If several of your rules cover a code, the narrowest decides. If none of yours covers it, a
/// default rule decides. These are the defaults. The first row that covers a code decides:
///
/// | code | verdict | meaning |
/// |---|---|---|
/// | 1000 | `fatal` | normal closure: the peer has finished |
/// | 1002, 1003, 1007–1010 | `fatal` | the peer cannot accept what this side sent |
/// | 1001 | `retry` | going away |
/// | 1005, 1006 | `retry` | a Close frame without a code; no Close frame |
/// | 1011–1015 | `retry` | error, restart or overload of the server, bad gateway, TLS failure |
/// | 1004, 1016–2999 | `retry` | reserved or unknown |
/// | 3000–4999 | `retry` | codes of libraries and applications |
/// | 401, 403 | `refresh` | the server refused the credentials |
/// | 408, 425, 429 | `retry` | a timeout, or too many requests |
/// | 100–299 | `retry` | no upgrade: the status is not 101 |
/// | 300–399 | `fatal` | a redirect, which the client does not follow |
/// | 400–499 | `fatal` | every other error of the client |
/// | 500–599 | `retry` | an error of the server |
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
    /// Creates a policy with these rules before the defaults.
    ///
    /// # Errors
    /// Returns the first two rules that cross: they share codes, and neither is strictly inside the other.
    pub fn new(rules: impl IntoIterator<Item = Rule>) -> Result<Self, (Rule, Rule)> {
        let mut rules: Vec<Rule> = rules.into_iter().collect();
        if let Some(crossing) = Self::crossings(&rules).next() {
            return Err(crossing);
        }
        rules.sort_by_key(|rule| (rule.width(), rule.first));
        Ok(Self { rules })
    }

    /// Yields each rule that crosses an earlier one, as a pair: the first rule that it crosses,
    /// then the rule itself.
    pub(crate) fn crossings(rules: &[Rule]) -> impl Iterator<Item = (Rule, Rule)> {
        rules.iter().enumerate().filter_map(|(place, rule)| {
            let crossed = rules[..place].iter().find(|other| rule.crosses(other));
            crossed.map(|other| (*other, *rule))
        })
    }

    /// Your rules, the narrowest first.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter()
    }

    /// Returns the rule that decides on this code.
    ///
    /// The code is an HTTP status, or a close code that the peer sent. Pass 1005 for a Close frame
    /// without a code, and 1006 for a connection that ended without a Close frame.
    ///
    /// The machine's timeouts (heartbeat, connect, login, data) have no code. The machine always
    /// retries after them.
    #[must_use]
    pub fn judge(&self, code: u16) -> Rule {
        self.rules.iter().chain(DEFAULTS).find(|rule| rule.covers(code)).copied().unwrap_or(UNKNOWN)
    }

    /// Returns the verdict on a close code, if it may soften a refused login's verdict. Only two
    /// kinds of codes may: 1012 to 1014, which a restarting or overloaded server sends, and codes
    /// that the user's rules cover.
    pub(crate) fn softening(&self, code: u16) -> Option<Verdict> {
        let may_soften = matches!(code, 1012..=1014) || self.is_users(code);
        may_soften.then(|| self.judge(code).verdict())
    }

    /// Whether one of the user's rules covers the code.
    fn is_users(&self, code: u16) -> bool {
        self.rules.iter().any(|rule| rule.covers(code))
    }

    /// Explains what happens on this code, and which rule decides. Returns `None` for a number that
    /// is neither a close code (1000–4999) nor an HTTP status (100–599).
    #[must_use]
    pub fn explain(&self, code: u16) -> Option<Explanation> {
        let sent = match code {
            100..=599 => Sent::Never("an HTTP status is the server's answer to the upgrade"),
            1000 => Sent::Asked("sent on the application's close request; then CLOSED"),
            1002 => Sent::Failing(
                "sent to a peer that violates the protocol; then a retry with backoff",
            ),
            1007 => {
                Sent::Failing("sent to a peer whose text is not UTF-8; then a retry with backoff")
            }
            1009 => Sent::Failing(
                "sent to a peer whose message is too large; then a retry with backoff",
            ),
            1001 => Sent::Failing(
                "sent if the login is late or refused, if no data comes, and on a reconnect or a \
                 renewal; also if the application closes with this code, then CLOSED",
            ),
            1011 => Sent::Failing(
                "sent if a dialect fails; also if the application closes with this code, then CLOSED",
            ),
            1003 | 1008 | 1010 | 1012..=1014 | 3000..=4999 => {
                Sent::Asked("sent only if the application or a dialect closes with this code")
            }
            1005 => Sent::Never("a client reports it for a Close frame without a code"),
            1006 => {
                Sent::Never("a client reports it for a connection that ended without a Close frame")
            }
            1015 => Sent::Never("a client reports it for a TLS failure"),
            1004 | 1016..=2999 => Sent::Never(
                "not allowed on the wire; a peer that sends it violates the protocol; then a retry with backoff",
            ),
            _ => return None,
        };
        let rule = self.judge(code);
        Some(Explanation { rule, by_user: self.is_users(code), sent })
    }
}

/// What happens on a code, received or sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explanation {
    /// The rule that decides if the code is received.
    pub rule: Rule,
    /// Whether that rule is yours, not a default.
    pub by_user: bool,
    /// Whether and when this side sends the code, and what follows.
    pub sent: Sent,
}

/// Whether and when this side sends a code, with an explanation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sent {
    /// This side sends it if the application requests it.
    Asked(&'static str),
    /// The machine sends it where it leaves a connection by itself.
    Failing(&'static str),
    /// This side never sends it.
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

/// The default rules. The first one that covers a code decides, so narrow rules come before wide
/// ones.
const DEFAULTS: &[Rule] = &[
    rule(1000, 1000, Verdict::Fatal, "normal closure: the peer has finished"),
    rule(1001, 1001, Verdict::Retry, "going away"),
    rule(1002, 1002, Verdict::Fatal, "protocol error: the peer rejects our frames"),
    rule(1003, 1003, Verdict::Fatal, "unsupported data"),
    rule(1005, 1005, Verdict::Retry, "closed without a code"),
    rule(1006, 1006, Verdict::Retry, "lost without a Close frame"),
    rule(1007, 1007, Verdict::Fatal, "invalid payload: the peer rejects our text"),
    rule(1008, 1008, Verdict::Fatal, "policy violation"),
    rule(1009, 1009, Verdict::Fatal, "message too big for the peer"),
    rule(1010, 1010, Verdict::Fatal, "a mandatory extension is missing"),
    rule(1011, 1011, Verdict::Retry, "internal error of the server"),
    rule(1012, 1012, Verdict::Retry, "service restart"),
    rule(1013, 1013, Verdict::Retry, "try again later"),
    rule(1014, 1014, Verdict::Retry, "bad gateway"),
    rule(1015, 1015, Verdict::Retry, "TLS failure"),
    rule(
        3000,
        3999,
        Verdict::Retry,
        "registered by a library or framework; the client does not know it",
    ),
    rule(4000, 4999, Verdict::Retry, "private to the application; the client does not know it"),
    rule(1000, 2999, Verdict::Retry, "reserved or unknown"),
    rule(401, 401, Verdict::RefreshCredentials, "unauthorized"),
    rule(403, 403, Verdict::RefreshCredentials, "forbidden"),
    rule(408, 408, Verdict::Retry, "request timeout"),
    rule(425, 425, Verdict::Retry, "too early"),
    rule(429, 429, Verdict::Retry, "too many requests"),
    rule(100, 299, Verdict::Retry, "no upgrade: the status is not 101"),
    rule(300, 399, Verdict::Fatal, "redirect: the client does not follow it"),
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

    /// The rows `| CODE, CODE–CODE | `VERDICT` | MEANING |` of a page, in their order.
    fn documented(page: &str) -> Vec<(core::ops::RangeInclusive<u16>, &str)> {
        let rows = page.lines().filter_map(|line| {
            let row = line.trim_start_matches("/// ").strip_prefix("| ")?;
            let (codes, rest) = row.split_once(" | `")?;
            let (verdict, _) = rest.split_once("` |")?;
            codes.starts_with(|first: char| first.is_ascii_digit()).then_some((codes, verdict))
        });
        rows.flat_map(|(codes, verdict)| {
            codes.split(", ").filter_map(move |range| {
                let (first, last) = range.split_once('–').unwrap_or((range, range));
                Some((first.parse().ok()?..=last.parse().ok()?, verdict))
            })
        })
        .collect()
    }

    #[test]
    fn the_documented_tables_are_the_default_table() {
        let guide = include_str!("../../../docs/guide/src/lifecycle.md");
        let policy = Policy::default();
        for page in [include_str!("policy.rs"), guide] {
            let rows = documented(page);
            for code in (100..=599).chain(1000..=4999) {
                let row = rows.iter().find(|(codes, _)| codes.contains(&code));
                let verdict = policy.judge(code).verdict().written();
                assert_eq!(row.map(|(_, shown)| *shown), Some(verdict.as_str()), "{code}");
            }
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
    fn the_milder_of_two_verdicts_counts_and_of_two_alike_the_first() {
        let least = |seconds| Verdict::RetryNoSoonerThan(Duration::from_secs(seconds));
        assert_eq!(Verdict::Fatal.softened_by(least(1)), least(1));
        assert_eq!(least(1).softened_by(Verdict::Fatal), least(1));
        assert_eq!(least(1).softened_by(least(2)), least(1));
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
