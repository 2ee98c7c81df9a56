//! A scenario that is gathered from a journal, and its text.

use std::{
    collections::BTreeMap,
    fmt::{self, Display},
    time::Duration,
};

use gateway_tokio::core::{
    Action, ConnectionState, Credentials, Instant, Notice, OpenError, Outgoing, RetryAfter,
    RetryCause, SendRejection,
};

use super::words;

/// The parts of a scenario.
#[derive(Debug)]
pub(super) struct Tale {
    pub(super) name: String,
    pub(super) config: Vec<String>,
    pub(super) seed: u64,
    pub(super) attempts: Vec<Attempt>,
    /// The application's commands, each with its millisecond.
    pub(super) commands: Vec<(u64, String)>,
    pub(super) end: u64,
    pub(super) seen: Seen,
    /// What a script cannot express, and how often it is in the journal.
    pub(super) left_out: BTreeMap<&'static str, u64>,
}

/// An attempt.
#[derive(Debug)]
pub(super) struct Attempt {
    /// When the socket was ordered; before that, when the provider was asked.
    pub(super) dialled: Instant,
    /// Whether the provider is asked, and has not answered.
    pub(super) is_asked: bool,
    /// How long the provider took to answer, if it was asked.
    pub(super) provided: Option<Duration>,
    /// Its result, if it was known before the attempt was dropped.
    pub(super) opening: Option<String>,
    pub(super) opened: Instant,
    pub(super) deeds: Vec<Done>,
    pub(super) pings: Vec<Instant>,
    pub(super) pongs: Vec<Pong>,
}

/// What the peer does at one instant.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) after: Duration,
    /// When it was recorded. Bytes with the same time came in the same read.
    pub(super) recorded: Instant,
    pub(super) deed: String,
    pub(super) is_pong: bool,
}

/// A pong: how many pings were sent before it, its delay after the last one, and its style.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pong {
    pub(super) pings: usize,
    pub(super) delay: Duration,
    pub(super) style: Style,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Echo,
    Bare,
    /// A pong that no manner of the testkit sends.
    Other,
}

/// What the connection did, as recorded.
#[derive(Debug, Default)]
pub(super) struct Seen {
    asked: Vec<Credentials>,
    causes: Vec<String>,
    delays: Vec<u64>,
    outcomes: Vec<String>,
    gave_up: Option<String>,
    jumps: Vec<u64>,
    delivered: u64,
    /// Whether a delay depends on a date, which HTTP gives in seconds.
    is_dated: bool,
    pub(super) state: Option<ConnectionState>,
}

impl Attempt {
    pub(super) fn at(dialled: Instant) -> Self {
        let (deeds, pings, pongs) = (Vec::new(), Vec::new(), Vec::new());
        let (is_asked, provided, opening) = (false, None, None);
        Self { dialled, is_asked, provided, opening, opened: dialled, deeds, pings, pongs }
    }

    /// The delay and style of all pongs, if they are alike: then the peer's manners describe them.
    fn manners(&self) -> Option<Pong> {
        let first = *self.pongs.first()?;
        let alike = (1..).zip(&self.pongs).all(|(pings, pong)| *pong == Pong { pings, ..first });
        let is_whole = first.delay.subsec_nanos().is_multiple_of(1_000_000);
        // A pong in the same read as another frame is part of that deed.
        let alone = self.deeds.iter().filter(|done| done.is_pong).count() == self.pongs.len();
        (alike && is_whole && alone && first.style != Style::Other).then_some(first)
    }
}

impl Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unfinished = if self.is_asked { "provider_hangs()" } else { "never_connects()" };
        f.write_str(self.opening.as_deref().unwrap_or(unfinished))?;
        if let Some(after) = self.provided {
            write!(f, "\n                .provider_answers({})", words::millis(after))?;
        }
        let manners = self.manners();
        if let Some(Pong { delay, style, .. }) = manners {
            write!(
                f,
                "\n                .answers_pings({}, PongStyle::{style:?})",
                words::millis(delay)
            )?;
            if self.pings.len() > self.pongs.len() {
                write!(f, "\n                .answers_pings_at_most({})", self.pongs.len())?;
            }
        }
        for done in self.deeds.iter().filter(|done| manners.is_none() || !done.is_pong) {
            write!(f, "\n                .then({}, {})", words::millis(done.after), done.deed)?;
        }
        Ok(())
    }
}

impl Tale {
    pub(super) fn left_out(&mut self, what: &'static str) {
        let count = self.left_out.entry(what).or_default();
        *count = count.saturating_add(1);
    }
}

impl Display for Tale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, config, seed, attempts, commands, end, seen, left_out } = self;
        writeln!(f, "pub(crate) fn {name}() -> Scenario {{")?;
        for (what, count) in left_out {
            writeln!(f, "    // In the journal, but not in this scenario: {count} × {what}.")?;
        }
        writeln!(f, "    scenario(\"What a connection did. Describe what it should do.\")")?;
        if !config.is_empty() {
            writeln!(f, "        .config(toml![")?;
            for line in config {
                writeln!(f, "            {line:?},")?;
            }
            writeln!(f, "        ])")?;
        }
        if *seed != 7 {
            writeln!(f, "        .seed({})", words::number(*seed))?;
        }
        writeln!(f, "        .attempts([")?;
        for attempt in attempts {
            writeln!(f, "            {attempt},")?;
        }
        writeln!(f, "        ])")?;
        for (at, command) in commands {
            writeln!(f, "        .at(millis({}), {command})", words::number(*at))?;
        }
        writeln!(f, "        .until(millis({}))", words::number(*end))?;
        writeln!(f, "        .sees([")?;
        for see in seen.words() {
            writeln!(f, "            {see},")?;
        }
        write!(f, "        ])\n}}")
    }
}

impl Seen {
    /// Adds the actions of one event.
    pub(super) fn take(&mut self, actions: &[Action]) {
        for action in actions {
            match *action {
                Action::OpenSocket { credentials, .. } => self.asked.push(credentials),
                Action::Deliver => self.delivered = self.delivered.saturating_add(1),
                Action::Send(id, Outgoing::Requested) => {
                    self.outcomes.push(format!("sent on {id}"))
                }
                Action::Notify(notice) => self.notice(notice),
                // Their effects on the connection are recorded by later events.
                Action::AskProvider { .. }
                | Action::ReserveOpen(_)
                | Action::ReleaseOpen
                | Action::Send(..)
                | Action::CloseSocket(_)
                | Action::AbortSocket(_)
                | Action::Drain(_)
                | Action::ResumeAt(_)
                | Action::ScheduleTimer(_)
                | Action::CancelTimer => {}
            }
        }
    }

    fn notice(&mut self, notice: Notice) {
        match notice {
            Notice::Disconnected { cause, .. } => self.causes.push(words::cause(cause)),
            Notice::RetryScheduled { delay, cause, .. } => {
                self.delays.push(words::whole_millis(delay));
                self.is_dated |= is_dated(cause);
            }
            Notice::GaveUp { cause } => self.gave_up = Some(words::gave_up(cause)),
            Notice::ClockJumped { by } => self.jumps.push(words::whole_millis(by)),
            // A script cannot cause it: see `Walk::send`.
            Notice::SendRejected(SendRejection::WriteBlocked) => {}
            Notice::SendRejected(why) => self.outcomes.push(format!("rejected: {}", why.name())),
            // Intermediate states, pings and pongs: you can add expectations for them.
            _ => {}
        }
    }

    fn words(&self) -> Vec<String> {
        let quoted = |texts: &[String]| list(texts.iter().map(|text| format!("{text:?}")));
        let spans = |spans: &[u64]| list(spans.iter().map(|span| words::number(*span)));
        let mut words = vec![format!("opens({})", self.asked.len())];
        if self.asked.contains(&Credentials::Refresh) {
            let asked = self.asked.iter().map(|asked| format!("{asked:?}"));
            words.push(format!("credentials(&[{}])", list(asked)));
        }
        words.push(format!("gone_for(&[{}])", quoted(&self.causes)));
        words.push(if self.is_dated {
            let (least, most) = (-1_000, 1_000);
            let within = self.delays.iter().map(|delay| {
                let bound = |by| words::number(delay.saturating_add_signed(by));
                format!("({}, {})", bound(least), bound(most))
            });
            format!("delays_within(&[{}])", list(within))
        } else {
            format!("delays(&[{}])", spans(&self.delays))
        });
        if !self.outcomes.is_empty() {
            words.push(format!("outcomes(&[{}])", quoted(&self.outcomes)));
        }
        if !self.jumps.is_empty() {
            words.push(format!("jumps(&[{}])", spans(&self.jumps)));
        }
        words.push(format!("delivers_count({})", words::number(self.delivered)));
        words.push(match &self.gave_up {
            Some(cause) => format!("gives_up({cause:?})"),
            None => "never_gives_up()".to_owned(),
        });
        words.extend(self.state.map(|state| format!("ends_in({state:?})")));
        words
    }
}

fn is_dated(cause: RetryCause) -> bool {
    use gateway_tokio::core::DisconnectCause::OpenFailed;
    matches!(
        cause,
        RetryCause::Disconnected(OpenFailed(OpenError::Http {
            retry_after: Some(RetryAfter::Date(_)),
            ..
        }))
    )
}

fn list(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join(", ")
}
