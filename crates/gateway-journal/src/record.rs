//! Recording: an observer that writes a journal.

use std::{fmt, io, thread};

use gateway_core::{Config, Instant, Observed, Observer, SendingFact};
use thiserror::Error;

use crate::entry::{end_line, entry_line, head_line, sending_line};

/// Writes the journal of one connection.
///
/// The recorder writes each line in one call and flushes it at once, so a crash loses nothing that
/// was recorded before. It calls the writer while the connection works. A writer that blocks delays
/// the connection: use a file, without a buffer around it.
///
/// When you drop the recorder, it writes the end. After a panic it does not, so the journal breaks
/// off.
///
/// The first error ends the recording. The recorder calls the function that you gave to
/// [`new`](Self::new) once, and writes nothing more. The connection goes on as without a recorder.
/// The journal then breaks off, maybe in the middle of a line, and a replay reports that.
pub struct Recorder<W: io::Write> {
    /// The writer, and the function to call on an error; `None` after that call.
    journal: Option<(W, Told)>,
    /// The number of lines so far: the head, and one for each event and fact.
    lines: u64,
}

type Told = Box<dyn FnOnce(RecordError) + Send + Sync>;

impl<W: io::Write> Recorder<W> {
    /// Creates a recorder that writes to `into`, and calls `on_error` if a write fails.
    pub fn new(into: W, on_error: impl FnOnce(RecordError) + Send + Sync + 'static) -> Self {
        Self { journal: Some((into, Box::new(on_error))), lines: 0 }
    }

    /// Whether the recorder still records: no write has failed so far.
    #[must_use]
    pub const fn is_recording(&self) -> bool {
        self.journal.is_some()
    }

    /// Writes a line. `line` gets the number of lines before it.
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

    fn observe(&mut self, observed: &Observed<'_>) {
        self.write(|number| entry_line(number, observed)); // the head is not counted
    }

    fn sending(&mut self, now: Instant, fact: &SendingFact) {
        self.write(|number| sending_line(number, now, fact));
    }
}

impl<W: io::Write> Drop for Recorder<W> {
    fn drop(&mut self) {
        // A journal without a head gets no end, and a writer that has panicked is not called again.
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

/// A write failed: this line of the journal is missing or incomplete, and nothing follows it.
#[derive(Debug, Error)]
#[error("the journal cannot be written from line {line} on, so its recording has ended: {source}")]
#[non_exhaustive]
pub struct RecordError {
    /// The line, counted from 1.
    pub line: u64,
    /// The error of the writer.
    pub source: io::Error,
}
