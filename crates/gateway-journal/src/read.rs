//! Reads a journal, line by line, with bounded memory.

use std::io::{BufRead, Read as _};

use gateway_core::Config;

use crate::entry::{End, EndLine, Entry, Head, HeadLine, NAME, Title, VERSION};
use crate::error::{JournalError, Problem, complaint};

/// The longest line that is read, in bytes: 1 MiB.
pub const MAX_LINE: usize = 1 << 20;

/// A journal whose head has been read. It is an iterator of entries, and ends with the first error.
/// A journal that breaks off yields an error after its last complete line.
///
/// It holds at most one line of [`MAX_LINE`] bytes in memory, and never panics, whatever the bytes
/// are.
#[derive(Debug)]
pub struct Journal<R> {
    head: Head,
    lines: Lines<R>,
    /// Whether the end or an error has been read.
    is_over: bool,
}

impl<R: BufRead> Journal<R> {
    /// Reads the head. Entries are read only when you ask for them.
    ///
    /// # Errors
    /// The head is missing, or cannot be read.
    pub fn read(reader: R) -> Result<Self, JournalError> {
        let mut lines = Lines { reader, line: Vec::new(), number: 0 };
        let ending = lines.next()?.ok_or(JournalError::new(1, Problem::Empty))?;
        let head = head(&lines.line).map_err(|problem| match ending {
            // A line that is cut inside of the head may not look like a head.
            Ending::Cut if lines.line.starts_with(b"{\"journal\":") => Problem::Truncated,
            Ending::Cut | Ending::Newline => problem,
        });
        let head = head.map_err(|problem| JournalError::new(1, problem))?;
        Ok(Self { head, lines, is_over: false })
    }
}

impl<R> Journal<R> {
    /// Returns the head.
    #[must_use]
    pub const fn head(&self) -> &Head {
        &self.head
    }
}

impl<R: BufRead> Journal<R> {
    /// Returns the next entry, or `None` at the end.
    fn entry(&mut self) -> Result<Option<Entry>, JournalError> {
        let events = self.lines.number.saturating_sub(1); // so far, without the head
        let Some(ending) = self.lines.next()? else {
            return Err(JournalError::new(self.lines.number, Problem::Unfinished));
        };
        let number = self.lines.number;
        let problem = match line(&self.lines.line, ending) {
            Ok(Line::Entry(entry)) if entry.number == events.saturating_add(1) => {
                return Ok(Some(Entry { line: number, ..entry }));
            }
            Ok(Line::Entry(Entry { number: found, .. })) => {
                Problem::Gap { due: events.saturating_add(1), found }
            }
            Ok(Line::End(End { events: counted })) if counted == events => {
                return match self.lines.next()? {
                    Some(_) => Err(JournalError::new(self.lines.number, Problem::AfterEnd)),
                    None => Ok(None),
                };
            }
            Ok(Line::End(End { events: counted })) => Problem::Count { counted, found: events },
            Err(problem) => problem,
        };
        Err(JournalError::new(number, problem))
    }
}

impl<R: BufRead> Iterator for Journal<R> {
    type Item = Result<Entry, JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let entry = self.entry().transpose();
        self.is_over = !matches!(entry, Some(Ok(_)));
        entry
    }
}

/// The lines of a reader, one at a time.
#[derive(Debug)]
struct Lines<R> {
    reader: R,
    /// The last line, without its newline.
    line: Vec<u8>,
    number: u64,
}

/// How a line ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Newline,
    /// At the end of the file.
    Cut,
}

impl<R: BufRead> Lines<R> {
    /// Reads the next line. Returns `None` if there is none.
    fn next(&mut self) -> Result<Option<Ending>, JournalError> {
        self.line.clear();
        let bound = MAX_LINE as u64 + 1; // the newline
        let read = self.reader.by_ref().take(bound).read_until(b'\n', &mut self.line);
        if matches!(read, Ok(0)) {
            return Ok(None);
        }
        self.number = self.number.saturating_add(1);
        let problem = match read {
            Ok(_) if self.line.last() == Some(&b'\n') => {
                self.line.pop();
                return Ok(Some(Ending::Newline));
            }
            Ok(_) if self.line.len() <= MAX_LINE => return Ok(Some(Ending::Cut)),
            Ok(_) => Problem::TooLong,
            Err(error) => Problem::Read(error),
        };
        Err(JournalError::new(self.number, problem))
    }
}

fn head(line: &[u8]) -> Result<Head, Problem> {
    let title: Title<'_> = serde_json::from_slice(line).map_err(|_| Problem::NotAJournal)?;
    if title.journal != NAME {
        return Err(Problem::NotAJournal);
    }
    if title.version != VERSION {
        return Err(Problem::Version(title.version));
    }
    let HeadLine::<Config> { seed, config, .. } =
        serde_json::from_slice(line).map_err(|error| Problem::Head(complaint(&error)))?;
    Ok(Head { config, seed })
}

/// A line after the head.
enum Line {
    Entry(Entry),
    End(End),
}

fn line(line: &[u8], ending: Ending) -> Result<Line, Problem> {
    if let Ok(EndLine { end }) = serde_json::from_slice(line) {
        return Ok(Line::End(end));
    }
    serde_json::from_slice(line).map(Line::Entry).map_err(|error| match ending {
        Ending::Cut => Problem::Truncated,
        Ending::Newline if line.is_empty() => Problem::Entry("it is empty".to_owned()),
        Ending::Newline => Problem::Entry(complaint(&error)),
    })
}
