//! The report: what a client did in each attempt, and the verdicts, as text and as JSON.

use std::{
    fmt::{self, Write as _},
    time::Duration,
};

use gateway_tokio::core::format_duration;
use serde::Serialize;

use super::{
    Attempt, End, Observed, PingKind, Verdict,
    verdict::{judge, seconds},
};
use crate::serve::Script;

/// How many attempts the text shows. If there are more, it also shows the last one.
const SHOWN: usize = 20;

/// The result of `--judge`. Its `Display` form is the text for people.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    script: &'static str,
    about: &'static str,
    span_ms: u64,
    within_ms: u64,
    verdict: Verdict,
    rules: Vec<Line>,
    /// Attempts beyond those that are listed.
    #[serde(skip_serializing_if = "is_zero")]
    unrecorded_attempts: u64,
    attempts: Vec<Row>,
}

/// A rule with its verdict.
#[derive(Debug, Serialize)]
struct Line {
    verdict: Verdict,
    rule: String,
    seen: String,
}

/// An attempt. Times count from the start of the judge; a field without a value is absent.
#[derive(Debug, Serialize)]
struct Row {
    at_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    wait_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    opened_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    http_status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    server_close_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    server_close_code: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_close_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_close_code: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_ms: Option<u64>,
    end: &'static str,
    messages: u64,
    pongs: u64,
    ping_count: u64,
    pings: Vec<Ping>,
    bytes_received: u64,
    bytes_sent: u64,
}

#[derive(Debug, Serialize)]
struct Ping {
    at_ms: u64,
    kind: &'static str,
}

impl Report {
    pub(crate) fn new(script: &'static Script, seen: &Observed, within: Duration) -> Self {
        let rules: Vec<_> = script
            .expects
            .iter()
            .map(|rule| {
                let judgement = judge(*rule, seen, within);
                Line { verdict: judgement.verdict, rule: rule.words(within), seen: judgement.seen }
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
            attempts: (0..seen.attempts.len()).map(|index| Row::new(seen, index)).collect(),
        }
    }

    /// Whether a client connected and broke no rule.
    pub(crate) fn is_kept(&self) -> bool {
        self.has_client() && self.verdict != Verdict::Broken
    }

    pub(crate) fn has_client(&self) -> bool {
        !self.attempts.is_empty()
    }
}

impl Row {
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
        for Line { verdict, rule, seen } in &self.rules {
            writeln!(formatter, "{}: {rule} ({seen})", verdict.as_str())?;
        }
        let within = format_duration(Duration::from_millis(self.within_ms));
        writeln!(formatter, "\nverdict, with a limit of {within}: {}", self.verdict.as_str())
    }
}

fn end(attempt: &Attempt) -> &'static str {
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
