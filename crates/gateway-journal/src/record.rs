//! Recording: an observer that writes what it is told.

use std::{fmt, io, thread};

use gateway_core::{Config, Dialect, Observed, Observer};
use thiserror::Error;

use crate::entry::{end_line, entry_line, head_line};

/// Writes the journal of one connection.
///
/// Each line is written in one call and flushed at once: what happened before a crash is there. The writer is
/// called while the connection works, so that one that blocks holds it up: take a file, and no buffer around it.
///
/// Dropped, it writes the end; not so by a panic, for then the recording breaks off.
///
/// The first error ends the recording: the connection goes on as if nobody watched, nothing more is
/// written, and the function given to [`new`](Self::new) is told, once. The journal then breaks off, maybe in the middle
/// of a line, which whoever reads it is told.
pub struct Recorder<W: io::Write> {
    /// Where the lines go, and who is told when they cannot; `None` once that has happened.
    journal: Option<(W, Told)>,
    /// How many there are: the head, and one an event.
    lines: u64,
}

type Told = Box<dyn FnOnce(RecordError) + Send + Sync>;

impl<W: io::Write> Recorder<W> {
    /// A recorder that writes into `into`, and calls `on_error` when that fails.
    pub fn new(into: W, on_error: impl FnOnce(RecordError) + Send + Sync + 'static) -> Self {
        Self { journal: Some((into, Box::new(on_error))), lines: 0 }
    }

    /// Whether it still records: no write has failed.
    #[must_use]
    pub const fn is_recording(&self) -> bool {
        self.journal.is_some()
    }

    /// Writes the line that comes after so many.
    fn write(&mut self, line: impl FnOnce(u64) -> String) {
        let Some((into, _)) = &mut self.journal else { return };
        let mut line = line(self.lines);
        line.push('\n');
        self.lines = self.lines.saturating_add(1);
        let written = into.write_all(line.as_bytes()).and_then(|()| into.flush());
        if let Err(source) = written
            && let Some((_, told)) = self.journal.take()
        {
            told(RecordError { line: self.lines, source });
        }
    }
}

impl<W: io::Write> Observer for Recorder<W> {
    fn begin(&mut self, config: &Config, seed: u64) {
        self.write(|_| head_line(config, seed));
    }

    fn observe(&mut self, observed: &Observed<'_>, dialect: &dyn Dialect) {
        self.write(|number| entry_line(number, observed, dialect)); // the head is not counted
    }
}

impl<W: io::Write> Drop for Recorder<W> {
    fn drop(&mut self) {
        // What was never begun has no end; and a writer that has panicked is not called again.
        if self.lines > 0 && !thread::panicking() {
            self.write(|lines| end_line(lines.saturating_sub(1)));
        }
    }
}

impl<W: io::Write> fmt::Debug for Recorder<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder")
            .field("is_recording", &self.journal.is_some())
            .field("lines", &self.lines)
            .finish_non_exhaustive()
    }
}

/// A journal could not be written on: this line is missing or in part, and so is everything after it.
#[derive(Debug, Error)]
#[error("the journal cannot be written from line {line} on, and no more of it is: {source}")]
#[non_exhaustive]
pub struct RecordError {
    /// The line, counted from 1.
    pub line: u64,
    /// Why.
    pub source: io::Error,
}
