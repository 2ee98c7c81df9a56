//! The parts of a dialect that is written down.

use std::time::Duration;

use gateway_core::{Rule, Verdict};

use crate::json::Scalar;
use crate::pattern::{Frames, Pattern, Reach};
use crate::template::{Captured, Template};

/// All parts. What is absent does nothing.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    pub(crate) summary: Option<String>,
    pub(crate) suggestions: Suggestions,
    pub(crate) frames: Frames,
    pub(crate) login: Option<LoginPart>,
    pub(crate) heartbeat: Heartbeat,
    pub(crate) answers: Vec<Answer>,
    pub(crate) leaves: Vec<Refusal>,
    pub(crate) on_ready: Vec<Template>,
    pub(crate) closing: Vec<Template>,
    /// The names of all captures.
    pub(crate) captures: Vec<String>,
    /// What rules look at while logging in.
    pub(crate) reach_at_login: Reach,
    /// What rules look at when ready.
    pub(crate) reach_when_ready: Reach,
}

/// What a client of a dialect needs besides the dialect.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Suggestions {
    /// The subprotocols to offer, the preferred one first.
    pub subprotocols: Vec<String>,
    /// The path and query of the URL, if the URL has none.
    pub path: Option<String>,
    /// What the server means by its close codes.
    pub policy: Vec<Rule>,
}

#[derive(Debug)]
pub(crate) struct LoginPart {
    pub(crate) wait: Option<Pattern>,
    pub(crate) send: Vec<Template>,
    pub(crate) ok: Pattern,
    pub(crate) refused: Vec<Refusal>,
    pub(crate) capture: Vec<Capture>,
    pub(crate) is_delivered: bool,
    pub(crate) timeout: Duration,
}

/// A rule that ends a login or a connection.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) when: Pattern,
    pub(crate) verdict: Verdict,
    /// A pointer to the reason.
    pub(crate) reason: Option<String>,
}

#[derive(Debug, Default)]
pub(crate) struct Heartbeat {
    pub(crate) send: Option<Template>,
    pub(crate) pong: Option<Pattern>,
    /// A pointer to the pong's copy of the ping's counter or timestamp.
    pub(crate) stamp: Option<String>,
    pub(crate) interval: Option<Span>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) expect: Option<Span>,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) when: Pattern,
    pub(crate) send: Vec<Template>,
    pub(crate) capture: Vec<Capture>,
    pub(crate) is_delivered: bool,
}

/// A value of a message that is kept for later.
#[derive(Debug)]
pub(crate) struct Capture {
    /// The index of its name.
    pub(crate) index: usize,
    pub(crate) pointer: String,
}

impl Heartbeat {
    /// How long the server may be silent before it has said how often it pings. Without a ping that
    /// it answers, nothing else notices that it is mute.
    const UNNAMED: Duration = Duration::from_secs(5 * 60);

    /// What is expected as soon as the connection is open.
    pub(crate) fn expected_at_first(&self) -> Option<Duration> {
        match (&self.expect, &self.pong) {
            (Some(Span::Fixed(span)), _) => Some(*span),
            (Some(Span::Captured { .. }), None) => Some(Self::UNNAMED),
            (Some(Span::Captured { .. }), Some(_)) | (None, _) => None,
        }
    }
}

/// A span that the definition or the server names.
#[derive(Debug)]
pub(crate) enum Span {
    Fixed(Duration),
    /// The sum of these captures.
    Captured {
        from: Vec<usize>,
        unit: Unit,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Milliseconds,
    Seconds,
    Minutes,
}

impl Span {
    /// Whether one of these captures is part of it.
    pub(crate) fn is_of(&self, captures: &[Capture]) -> bool {
        match self {
            Self::Fixed(_) => false,
            Self::Captured { from, .. } => {
                captures.iter().any(|capture| from.contains(&capture.index))
            }
        }
    }

    /// The span, once all its captures are there. Zero if one of them is no number above zero.
    pub(crate) fn value(&self, captured: &[Captured]) -> Option<Duration> {
        let (from, unit) = match self {
            Self::Fixed(span) => return Some(*span),
            Self::Captured { from, unit } => (from, *unit),
        };
        let mut sum = Duration::ZERO;
        for index in from {
            match captured.get(*index) {
                None | Some(Captured::Nothing) => return None,
                Some(Captured::Value(Scalar::Number(number))) => match number.as_f64() {
                    Some(number) if number > 0.0 => sum = sum.saturating_add(unit.times(number)),
                    Some(_) | None => return Some(Duration::ZERO),
                },
                Some(
                    Captured::Value(Scalar::Text(_) | Scalar::Boolean(_)) | Captured::Unusable,
                ) => {
                    return Some(Duration::ZERO);
                }
            }
        }
        Some(sum)
    }
}

impl Unit {
    /// The core's longest interval is a day.
    const MOST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

    fn times(self, number: f64) -> Duration {
        let seconds = match self {
            Self::Milliseconds => number / 1_000.0,
            Self::Seconds => number,
            Self::Minutes => number * 60.0,
        };
        Duration::try_from_secs_f64(seconds).map_or(Self::MOST, |span| span.min(Self::MOST))
    }
}

impl Parts {
    pub(crate) fn templates(&self) -> impl Iterator<Item = &Template> {
        let login = self.login.iter().flat_map(|login| &login.send);
        let answers = self.answers.iter().flat_map(|answer| &answer.send);
        let others = self.on_ready.iter().chain(&self.closing);
        login.chain(&self.heartbeat.send).chain(answers).chain(others)
    }
}
