//! When lines are logged: at once, or later. A driver that shares its session behind a lock logs
//! after it has unlocked, because a subscriber may block or call back.

use tracing::Span;
use tracing::level_filters::LevelFilter;

use super::Writer;
use crate::endpoint::Endpoint;
use crate::event::ClientEvent;
use crate::metrics::{Meters, Report};
use crate::name::Name;
use crate::outcome::{Fate, Outcome};

/// The log of a session. Boxed, because a process may have many sessions, and each is moved.
#[derive(Debug)]
pub(crate) enum Log {
    Now(Box<Writer>),
    Later(Box<LogLines>),
}

/// Lines that are not yet logged, and metrics that the recorder does not have yet. Get them with
/// [`Session::take_log_lines`](crate::Session::take_log_lines), and pass them to
/// [`DeferredLog::write`].
#[derive(Debug, Default)]
#[must_use = "lines are lost unless they are written"]
pub struct LogLines {
    lines: Vec<Line>,
    /// The number of lines that were dropped, because too many waited.
    dropped: usize,
    report: Option<Box<Report>>,
}

/// The most lines that wait. More come only at level trace, or if the driver does not run.
const LINES: usize = 1_024;

#[derive(Debug)]
enum Line {
    News(ClientEvent),
    Server(Option<String>),
    Outcome(Outcome),
    Message(usize),
    Dropped(usize),
    MessagesDropped(u64),
    OutboxFull,
    IgnoredCall,
    ResumeRefused(String),
}

/// Writes the lines of a session that [defers its log](crate::Session::defer_log), and passes its
/// metrics to the recorder. A drop reports the client as CLOSED to the recorder.
#[derive(Debug)]
pub struct DeferredLog {
    writer: Box<Writer>,
    meters: Option<Box<Meters>>,
}

impl DeferredLog {
    /// Returns the client's span. The lines are in it. Enter it around code of the application's
    /// that the client runs, such as a credentials provider.
    #[must_use]
    pub fn span(&mut self) -> Span {
        self.writer.span()
    }

    pub(crate) fn with_meters(self, meters: Option<Box<Meters>>) -> Self {
        Self { meters, ..self }
    }

    /// Logs these lines, and reports these metrics. Pass in all lines of the session, in their order.
    pub fn write(&mut self, lines: LogLines) {
        for line in lines.lines {
            match line {
                Line::News(event) => self.writer.news(&event),
                Line::Server(server) => self.writer.server(server),
                Line::Outcome(outcome) => self.writer.outcome(&outcome),
                Line::Message(bytes) => self.writer.message(bytes),
                Line::Dropped(count) => self.writer.dropped(count),
                Line::MessagesDropped(count) => self.writer.messages_dropped(count),
                Line::OutboxFull => self.writer.outbox_full(),
                Line::IgnoredCall => self.writer.ignored_call(),
                Line::ResumeRefused(limit) => self.writer.resume_refused(&limit),
            }
        }
        if lines.dropped > 0 {
            self.writer.lines_dropped(lines.dropped);
        }
        if let (Some(meters), Some(report)) = (&mut self.meters, lines.report) {
            meters.apply(&report);
        }
    }
}

impl LogLines {
    /// Whether there is nothing to log.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.dropped == 0 && self.report.is_none()
    }

    pub(crate) fn with_report(self, report: Option<Box<Report>>) -> Self {
        Self { report, ..self }
    }

    fn push(&mut self, level: LevelFilter, line: impl FnOnce() -> Line) {
        if LevelFilter::current() < level {
            return;
        }
        if self.lines.len() >= LINES {
            self.dropped += 1;
        } else {
            self.lines.push(line());
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self::Now(Box::default())
    }
}

impl Log {
    pub(crate) fn new(name: Option<Name>, endpoint: &Endpoint) -> Self {
        Self::Now(Box::new(Writer::new(name, endpoint)))
    }

    /// From now on keeps the lines for [`take_lines`](Self::take_lines).
    pub(crate) fn defer(&mut self) -> DeferredLog {
        match std::mem::replace(self, Self::Later(Box::default())) {
            Self::Now(writer) => DeferredLog { writer, meters: None },
            // The lines that wait are lost. A session is deferred once.
            Self::Later(_) => DeferredLog { writer: Box::default(), meters: None },
        }
    }

    pub(crate) fn take_lines(&mut self) -> LogLines {
        match self {
            Self::Now(_) => LogLines::default(),
            Self::Later(lines) => std::mem::take(&mut **lines),
        }
    }

    /// The client's span, unless the lines are deferred.
    pub(crate) fn span(&mut self) -> Span {
        match self {
            Self::Now(writer) => writer.span(),
            Self::Later(_) => Span::none(),
        }
    }

    pub(crate) fn message(&mut self, bytes: usize) {
        match self {
            Self::Now(writer) => writer.message(bytes),
            Self::Later(lines) => lines.push(LevelFilter::TRACE, || Line::Message(bytes)),
        }
    }

    pub(crate) fn news(&mut self, event: &ClientEvent) {
        match self {
            Self::Now(writer) => writer.news(event),
            // Lines are joined when they are written, so those of all levels are kept.
            Self::Later(lines) => lines.push(LevelFilter::ERROR, || Line::News(event.clone())),
        }
    }

    pub(crate) fn server(&mut self, server: Option<String>) {
        match self {
            Self::Now(writer) => writer.server(server),
            // Not bounded: without it, later lines would show the server before. There is at most one
            // for each attempt that the driver begins.
            Self::Later(lines) => lines.lines.push(Line::Server(server)),
        }
    }

    pub(crate) fn outbox_full(&mut self) {
        match self {
            Self::Now(writer) => writer.outbox_full(),
            Self::Later(lines) => lines.push(LevelFilter::WARN, || Line::OutboxFull),
        }
    }

    pub(crate) fn messages_dropped(&mut self, count: u64) {
        match self {
            Self::Now(writer) => writer.messages_dropped(count),
            Self::Later(lines) => {
                lines.push(LevelFilter::WARN, || Line::MessagesDropped(count));
            }
        }
    }

    pub(crate) fn dropped(&mut self, count: usize) {
        match self {
            Self::Now(writer) => writer.dropped(count),
            Self::Later(lines) => lines.push(LevelFilter::DEBUG, || Line::Dropped(count)),
        }
    }

    pub(crate) fn ignored_call(&mut self) {
        match self {
            Self::Now(writer) => writer.ignored_call(),
            Self::Later(lines) => lines.push(LevelFilter::DEBUG, || Line::IgnoredCall),
        }
    }

    pub(crate) fn resume_refused(&mut self, limit: String) {
        match self {
            Self::Now(writer) => writer.resume_refused(&limit),
            Self::Later(lines) => lines.push(LevelFilter::WARN, || Line::ResumeRefused(limit)),
        }
    }

    pub(crate) fn outcome(&mut self, outcome: &Outcome) {
        let level = match outcome.fate {
            Fate::Sent { .. } => LevelFilter::TRACE,
            Fate::MaybeSent { .. } | Fate::Rejected | Fate::Expired => LevelFilter::WARN,
        };
        match self {
            Self::Now(writer) => writer.outcome(outcome),
            Self::Later(lines) => lines.push(level, || Line::Outcome(*outcome)),
        }
    }
}
