//! Reading a journal, line by line, with bounded memory.

use std::io::{BufRead, Read as _};

use gateway_core::Config;

use crate::entry::{Entry, Head, HeadLine, NAME, Title, VERSION};
use crate::error::{JournalError, Problem, complaint};
use crate::replay::Replayed;

/// The longest line that is read, in bytes.
pub const MAX_LINE: usize = 1 << 20;

/// A journal whose head has been read. Yields its entries, and ends with the first error.
///
/// Whatever the bytes are, it takes at most [`MAX_LINE`] of them at once, and never panics.
#[derive(Debug)]
pub struct Journal<R> {
    head: Head,
    lines: Lines<R>,
}

impl<R: BufRead> Journal<R> {
    /// Reads the head. Nothing of the entries is read before they are asked for.
    ///
    /// # Errors
    /// Where there is no head, or one that cannot be read.
    pub fn read(reader: R) -> Result<Self, JournalError> {
        let mut lines = Lines { reader, line: Vec::new(), number: 0, is_over: false };
        let ending = lines.next()?.ok_or(JournalError::new(1, Problem::Empty))?;
        let head = head(&lines.line).map_err(|problem| match ending {
            // What is cut off inside of the head may not look like one.
            Ending::Cut if lines.line.starts_with(b"{\"journal\":") => Problem::Truncated,
            Ending::Cut | Ending::Newline => problem,
        });
        let head = head.map_err(|problem| JournalError::new(1, problem))?;
        Ok(Self { head, lines })
    }

    /// Hands every entry to a new connection.
    pub fn replay(self) -> Replayed<R> {
        Replayed::new(self)
    }
}

impl<R> Journal<R> {
    /// The head.
    #[must_use]
    pub const fn head(&self) -> &Head {
        &self.head
    }
}

impl<R: BufRead> Iterator for Journal<R> {
    type Item = Result<Entry, JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        let ending = match self.lines.next() {
            Ok(ending) => ending?,
            Err(error) => return Some(Err(error)),
        };
        let number = self.lines.number;
        let entry = entry(&self.lines.line, ending)
            .map(|entry| Entry { line: number, ..entry })
            .map_err(|problem| JournalError::new(number, problem));
        self.lines.is_over |= entry.is_err();
        Some(entry)
    }
}

/// The lines of a reader, one at a time.
#[derive(Debug)]
struct Lines<R> {
    reader: R,
    /// The last line, without its newline.
    line: Vec<u8>,
    number: u64,
    is_over: bool,
}

/// How a line ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Newline,
    /// With the file.
    Cut,
}

impl<R: BufRead> Lines<R> {
    /// Reads the next line; `None` where there is none.
    fn next(&mut self) -> Result<Option<Ending>, JournalError> {
        if self.is_over {
            return Ok(None);
        }
        self.line.clear();
        self.number = self.number.saturating_add(1);
        let bound = MAX_LINE as u64 + 1; // the newline
        let read = self.reader.by_ref().take(bound).read_until(b'\n', &mut self.line);
        let ending = match read {
            Ok(0) => None,
            Ok(_) if self.line.last() == Some(&b'\n') => {
                self.line.pop();
                return Ok(Some(Ending::Newline));
            }
            Ok(_) if self.line.len() > MAX_LINE => Some(Err(Problem::TooLong)),
            Ok(_) => Some(Ok(Ending::Cut)),
            Err(error) => Some(Err(Problem::Read(error))),
        };
        self.is_over = true;
        ending.transpose().map_err(|problem| JournalError::new(self.number, problem))
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

fn entry(line: &[u8], ending: Ending) -> Result<Entry, Problem> {
    serde_json::from_slice(line).map_err(|error| match ending {
        Ending::Cut => Problem::Truncated,
        Ending::Newline if line.is_empty() => Problem::Entry("it is empty".to_owned()),
        Ending::Newline => Problem::Entry(complaint(&error)),
    })
}
