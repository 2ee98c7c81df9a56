//! The report: what a client did in each attempt, and the verdicts, as text and as JSON.

use std::{
    fmt::{self, Write as _},
    time::Duration,
};

use gateway_core::format_duration;
use serde::Serialize;

use super::{
    observed::{self, End, Observed, PingKind},
    verdict::{Verdict, judge, seconds},
};
use crate::script::Script;

/// How many attempts the text shows. If there are more, it also shows the last one.
const SHOWN: usize = 20;

/// What clients did on a server, and whether they kept the rules of its script.
///
/// Its `Display` form is a text for people. Its serialized form has the same content for programs.
#[derive(Debug, Serialize)]
pub struct Report {
    script: &'static str,
    about: &'static str,
    span_ms: u64,
    within_ms: u64,
    verdict: Verdict,
    rules: Vec<RuleReport>,
    /// Attempts beyond those that are listed.
    #[serde(skip_serializing_if = "is_zero")]
    unrecorded_attempts: u64,
    attempts: Vec<Attempt>,
}

/// A rule of the script with its verdict.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct RuleReport {
    /// Whether it was kept.
    pub verdict: Verdict,
    /// The rule in words.
    pub rule: String,
    /// The evidence in words.
    pub seen: String,
}

/// One TCP connection of the client. Times are in milliseconds from the start of the watch. A field
/// without a value is not serialized.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct Attempt {
    /// When it came.
    pub at_ms: u64,
    /// The time since the previous attempt was lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<u64>,
    /// When the upgrade was complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opened_ms: Option<u64>,
    /// The status of a response that does not upgrade.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_status: Option<u16>,
    /// When the server sent its own Close frame.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_close_ms: Option<u64>,
    /// The code of that frame.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_close_code: Option<u16>,
    /// When the client's Close frame came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_close_ms: Option<u64>,
    /// The code of that frame, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_close_code: Option<u16>,
    /// When TCP ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_ms: Option<u64>,
    /// Who ended TCP, and how, in words.
    pub end: &'static str,
    /// Messages of the client, other than pings.
    pub messages: u64,
    /// WebSocket pongs of the client.
    pub pongs: u64,
    /// Pings of the client, of both kinds.
    pub ping_count: u64,
    /// The first 256 of these pings.
    pub pings: Vec<Ping>,
    /// Bytes from the client, with the request.
    pub bytes_received: u64,
    /// Bytes to the client, with the response.
    pub bytes_sent: u64,
}

/// A ping of the client.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct Ping {
    /// When it came, in milliseconds from the start of the watch.
    pub at_ms: u64,
    /// `application` for a text message, `websocket` for a control frame.
    pub kind: &'static str,
}

impl Report {
    pub(crate) fn new(script: &'static Script, seen: &Observed, within: Duration) -> Self {
        let rules: Vec<_> = script
            .expects
            .iter()
            .map(|rule| {
                let judgement = judge(*rule, seen, within);
                RuleReport {
                    verdict: judgement.verdict,
                    rule: rule.words(within),
                    seen: judgement.seen,
                }
            })
            .collect();
        Self {
            script: script.name,
            about: script.about,
            span_ms: millis(seen.span),
            within_ms: millis(within),
            verdict: Verdict::of_all(rules.iter().map(|line| line.verdict)),
            rules,
            unrecorded_attempts: seen.unrecorded,
            attempts: (0..seen.attempts.len()).map(|index| Attempt::new(seen, index)).collect(),
        }
    }

    /// The name of the script.
    #[must_use]
    pub const fn script(&self) -> &'static str {
        self.script
    }

    /// The verdict of all rules: broken if one is, kept if one is and none is broken.
    #[must_use]
    pub const fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// The rules of the script, each with its verdict.
    #[must_use]
    pub fn rules(&self) -> &[RuleReport] {
        &self.rules
    }

    /// The attempts, the first 10,000 of them.
    #[must_use]
    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    /// Whether a client connected and broke no rule.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.has_client() && self.verdict != Verdict::Broken
    }

    /// Whether a client connected.
    #[must_use]
    pub const fn has_client(&self) -> bool {
        !self.attempts.is_empty()
    }
}

impl Attempt {
    fn new(seen: &Observed, index: usize) -> Self {
        let attempt = &seen.attempts[index];
        let pings = attempt.pings.first.iter();
        Self {
            at_ms: millis(attempt.started),
            wait_ms: seen.wait_before(index).map(|wait| millis(wait.length)),
            opened_ms: attempt.opened.map(millis),
            http_status: attempt.http_status,
            server_close_ms: attempt.server_close.map(|(at, _)| millis(at)),
            server_close_code: attempt.server_close.map(|(_, code)| code),
            client_close_ms: attempt.client_close.map(|(at, _)| millis(at)),
            client_close_code: attempt.client_close.and_then(|(_, code)| code),
            ended_ms: attempt.end.map(|(at, _)| millis(at)),
            end: end(attempt),
            messages: attempt.messages,
            pongs: attempt.pongs,
            ping_count: attempt.pings.count,
            pings: pings.map(|(at, kind)| Ping { at_ms: millis(*at), kind: word(*kind) }).collect(),
            bytes_received: attempt.bytes_received,
            bytes_sent: attempt.bytes_sent,
        }
    }

    /// How the attempt opened and ended, in words.
    fn story(&self) -> String {
        let mut story = match (self.opened_ms, self.http_status) {
            (Some(at), _) => format!("open after {}", span(at.saturating_sub(self.at_ms))),
            (None, Some(status)) => format!("HTTP {status}"),
            (None, None) => "not open".to_owned(),
        };
        // Writing to a string does not fail.
        if let (Some(at), Some(code)) = (self.server_close_ms, self.server_close_code) {
            let _ = write!(story, "; server's Close {code} at {}", span(at));
        }
        if let Some(at) = self.client_close_ms {
            let code =
                self.client_close_code.map_or("without a code".to_owned(), |code| code.to_string());
            let _ = write!(story, "; client's Close {code} at {}", span(at));
        }
        match self.ended_ms {
            Some(at) => {
                let _ = write!(story, "; {} at {}", self.end, span(at));
            }
            None => {
                let _ = write!(story, "; {}", self.end);
            }
        }
        if self.ping_count > 0 {
            let shown: Vec<_> = self
                .pings
                .iter()
                .take(5)
                .map(|ping| format!("{} {}", ping.kind, span(ping.at_ms)))
                .collect();
            let more = if self.ping_count > 5 { ", …" } else { "" };
            let _ = write!(story, "; pings: {} ({}{more})", self.ping_count, shown.join(", "));
        }
        story
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{}: {}", self.script, self.about)?;
        let total = (self.attempts.len() as u64).saturating_add(self.unrecorded_attempts);
        writeln!(formatter, "watched for {}: {total} attempts\n", span(self.span_ms))?;
        if !self.has_client() {
            return writeln!(formatter, "no client connected: there is nothing to judge");
        }
        writeln!(
            formatter,
            "{:>5} {:>9} {:>9} {:>8} {:>6} {:>9} {:>9}  how it went",
            "#", "at", "wait", "messages", "pongs", "bytes in", "bytes out"
        )?;
        for (index, row) in self.attempts.iter().enumerate() {
            if index == SHOWN && total as usize > SHOWN + 1 {
                writeln!(formatter, "      … {} more …", total - SHOWN as u64 - 1)?;
            }
            if index < SHOWN || index + 1 == self.attempts.len() {
                writeln!(
                    formatter,
                    "{:>5} {:>9} {:>9} {:>8} {:>6} {:>9} {:>9}  {}",
                    index + 1,
                    span(row.at_ms),
                    row.wait_ms.map_or("-".to_owned(), span),
                    row.messages,
                    row.pongs,
                    row.bytes_received,
                    row.bytes_sent,
                    row.story()
                )?;
            }
        }
        writeln!(formatter)?;
        for RuleReport { verdict, rule, seen } in &self.rules {
            writeln!(formatter, "{}: {rule} ({seen})", verdict.as_str())?;
        }
        let within = format_duration(Duration::from_millis(self.within_ms));
        writeln!(formatter, "\nverdict, with a limit of {within}: {}", self.verdict.as_str())
    }
}

fn end(attempt: &observed::Attempt) -> &'static str {
    match attempt.end {
        Some((_, End::ClientFinished)) => "client's FIN",
        Some((_, End::ClientReset)) => "client's reset",
        Some((_, End::ServerFinished)) => "server's FIN",
        Some((_, End::ServerReset)) => "server's reset",
        None => "still open",
    }
}

fn word(kind: PingKind) -> &'static str {
    match kind {
        PingKind::Application => "application",
        PingKind::WebSocket => "websocket",
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

fn span(millis: u64) -> String {
    seconds(Duration::from_millis(millis))
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}
