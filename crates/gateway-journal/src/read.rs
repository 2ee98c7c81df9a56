//! Reads a journal, line by line, with bounded memory.

use std::io::{BufRead, Read as _};

use gateway_core::Config;

use crate::entry::{End, EndLine, Entry, Head, HeadLine, Line, NAME, SendingEntry, Title, VERSION};
use crate::error::{JournalError, Problem, complaint};
use crate::history::History;

/// The longest line that is read, in bytes: 1 MiB.
pub const MAX_LINE: usize = 1 << 20;

/// A journal whose head has been read. It is an iterator of lines, and ends with the first error.
/// A journal that breaks off yields an error after its last complete line.
///
/// It checks that the facts about messages and requests agree with each other. It holds one line of
/// at most [`MAX_LINE`] bytes in memory, and some MiB of numbers at most. It never panics, whatever
/// the bytes are.
#[derive(Debug)]
pub struct Journal<R> {
    head: Head,
    lines: Lines<R>,
    history: History,
    /// Whether the end or an error has been read.
    is_over: bool,
}

impl<R: BufRead> Journal<R> {
    /// Reads the head. Further lines are read only when you ask for them.
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
        Ok(Self { head, lines, history: History::default(), is_over: false })
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
    /// Returns the next line, or `None` at the end.
    fn line(&mut self) -> Result<Option<Line>, JournalError> {
        let before = self.lines.number.saturating_sub(1); // the lines so far, without the head
        let Some(ending) = self.lines.next()? else {
            return Err(JournalError::new(self.lines.number, Problem::Unfinished));
        };
        let number = self.lines.number;
        let parsed = parse(&self.lines.line, ending);
        let next = parsed.and_then(|parsed| self.check(parsed, before));
        let next = next.map_err(|problem| JournalError::new(number, problem))?;
        if next.is_none() && self.lines.next()?.is_some() {
            return Err(JournalError::new(self.lines.number, Problem::AfterEnd));
        }
        Ok(next)
    }

    /// Returns the line if it follows from the lines `before`, or `None` for the end.
    fn check(&mut self, parsed: Parsed, before: u64) -> Result<Option<Line>, Problem> {
        let (due, line) = (before.saturating_add(1), self.lines.number);
        match parsed {
            Parsed::Event(entry) if entry.number == due => {
                Ok(Some(Line::Event(Entry { line, ..entry })))
            }
            Parsed::Sending(entry) if entry.number == due => {
                self.history.add(&entry.fact).map_err(Problem::Sending)?;
                Ok(Some(Line::Sending(SendingEntry { line, ..entry })))
            }
            Parsed::Event(Entry { number: found, .. })
            | Parsed::Sending(SendingEntry { number: found, .. }) => {
                Err(Problem::Gap { due, found })
            }
            Parsed::End(End { events: counted }) if counted == before => Ok(None),
            Parsed::End(End { events: counted }) => Err(Problem::Count { counted, found: before }),
        }
    }
}

impl<R: BufRead> Iterator for Journal<R> {
    type Item = Result<Line, JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let line = self.line().transpose();
        self.is_over = !matches!(line, Some(Ok(_)));
        line
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
    let complain = |error| Problem::Head(complaint(&error));
    let HeadLine::<Config> { seed, config, .. } = serde_json::from_slice(line).map_err(complain)?;
    Ok(Head { config, seed })
}

/// A line after the head.
enum Parsed {
    Event(Entry),
    Sending(SendingEntry),
    End(End),
}

fn parse(line: &[u8], ending: Ending) -> Result<Parsed, Problem> {
    if let Ok(EndLine { end }) = serde_json::from_slice(line) {
        return Ok(Parsed::End(end));
    }
    let sending = match serde_json::from_slice(line) {
        Ok(entry) => return Ok(Parsed::Sending(entry)),
        Err(error) => error,
    };
    serde_json::from_slice(line).map(Parsed::Event).map_err(|error| match ending {
        Ending::Cut => Problem::Truncated,
        Ending::Newline if line.is_empty() => Problem::Entry("it is empty".to_owned()),
        // No event has such a field, so the other error says more.
        Ending::Newline if is_sending(line) => Problem::Entry(complaint(&sending)),
        Ending::Newline => Problem::Entry(complaint(&error)),
    })
}

fn is_sending(line: &[u8]) -> bool {
    let field = b"\"sending\":";
    line.windows(field.len()).any(|part| part == field)
}
