//! When lines are logged: at once, or later. A driver that shares its session behind a lock logs
//! after it has unlocked, because a subscriber may block or call back.

use tracing::Span;
use tracing::level_filters::LevelFilter;

use super::Writer;
use crate::endpoint::Endpoint;
use crate::event::ClientEvent;
use crate::name::Name;
use crate::outcome::{Fate, Outcome};

/// The log of a session. Boxed, because a process may have many sessions, and each is moved.
#[derive(Debug)]
pub(crate) enum Log {
    Now(Box<Writer>),
    Later(Box<LogLines>),
}

/// Lines that are not yet logged. Get them with
/// [`Session::take_log_lines`](crate::Session::take_log_lines), and pass them to
/// [`DeferredLog::write`].
#[derive(Debug, Default)]
#[must_use = "lines are lost unless they are written"]
pub struct LogLines {
    lines: Vec<Line>,
    /// The number of lines that were dropped, because too many waited.
    dropped: usize,
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

/// Writes the lines of a session that [defers its log](crate::Session::defer_log).
#[derive(Debug)]
pub struct DeferredLog(Box<Writer>);

impl DeferredLog {
    /// Returns the client's span. The lines are in it. Enter it around code of the application's
    /// that the client runs, such as a credentials provider.
    #[must_use]
    pub fn span(&mut self) -> Span {
        self.0.span()
    }

    /// Logs these lines. Pass in all lines of the session, in their order.
    pub fn write(&mut self, lines: LogLines) {
        for line in lines.lines {
            match line {
                Line::News(event) => self.0.news(&event),
                Line::Server(server) => self.0.server(server),
                Line::Outcome(outcome) => self.0.outcome(&outcome),
                Line::Message(bytes) => self.0.message(bytes),
                Line::Dropped(count) => self.0.dropped(count),
                Line::MessagesDropped(count) => self.0.messages_dropped(count),
                Line::OutboxFull => self.0.outbox_full(),
                Line::IgnoredCall => self.0.ignored_call(),
                Line::ResumeRefused(limit) => self.0.resume_refused(&limit),
            }
        }
        if lines.dropped > 0 {
            self.0.lines_dropped(lines.dropped);
        }
    }
}

impl LogLines {
    /// Whether there is nothing to log.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.dropped == 0
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
            Self::Now(writer) => DeferredLog(writer),
            // The lines that wait are lost. A session is deferred once.
            Self::Later(_) => DeferredLog(Box::default()),
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
