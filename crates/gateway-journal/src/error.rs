//! Errors of a journal, each with its line.

use std::io;

use thiserror::Error;

use crate::entry::VERSION;

/// An error in a line of a journal. Nothing after the line can be read; the lines before it are
/// valid. If the journal [breaks off](Problem::Unfinished) after the line, the line itself is valid
/// too.
#[derive(Debug, Error)]
#[error("line {line}: {problem}")]
pub struct JournalError {
    line: u64,
    problem: Problem,
}

impl JournalError {
    pub(crate) const fn new(line: u64, problem: Problem) -> Self {
        Self { line, problem }
    }

    /// Returns the line, counted from 1.
    #[must_use]
    pub const fn line(&self) -> u64 {
        self.line
    }

    /// Whether the journal only breaks off, and has no other error.
    #[must_use]
    pub const fn is_broken_off(&self) -> bool {
        matches!(self.problem, Problem::Truncated | Problem::Unfinished)
    }

    /// Returns what is wrong with the line.
    #[must_use]
    pub const fn problem(&self) -> &Problem {
        &self.problem
    }
}

/// What is wrong with a line.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Problem {
    /// The journal has no line.
    #[error("the journal is empty: nothing was recorded")]
    Empty,
    /// The first line is not a head.
    #[error(
        "this is not a journal: it must begin with {{\"journal\":\"gateway\",\"version\":{VERSION},…}}"
    )]
    NotAJournal,
    /// The format has another version. Older versions were recorded under other rules, so they
    /// would not replay as recorded.
    #[error(
        "version {0} of the format is refused: this program reads version {VERSION}; replay the journal with the version of the program that recorded it, or record it again"
    )]
    Version(u64),
    /// The head cannot be read.
    #[error("the head is damaged: {0}; without it nothing can be replayed")]
    Head(String),
    /// The last line is incomplete.
    #[error(
        "the recording breaks off in the middle of this line: the program was killed, or the file was cut"
    )]
    Truncated,
    /// The last line is complete, but is not the end.
    #[error(
        "the recording breaks off after this line: the program was killed, or the file was cut"
    )]
    Unfinished,
    /// The line is longer than [`MAX_LINE`](crate::MAX_LINE).
    #[error(
        "the line is longer than 1 MiB, the limit of a journal; the lines before it can be replayed"
    )]
    TooLong,
    /// The entry cannot be read.
    #[error("the entry is damaged: {0}; the lines before it can be replayed")]
    Entry(String),
    /// The entry's number is not the next one.
    #[error(
        "found event {found} in place of event {due}: lines are missing or out of order; the lines before it can be replayed"
    )]
    Gap {
        /// The number that was expected.
        due: u64,
        /// The number of the entry.
        found: u64,
    },
    /// A fact about messages or requests contradicts the lines before it.
    #[error("{0}, which contradicts the lines before; those can be replayed")]
    Sending(String),
    /// The end counts another number of lines than the journal has.
    #[error("the end counts {counted} events, but the journal has {found}: lines are missing")]
    Count {
        /// The number of lines in the end.
        counted: u64,
        /// The number of lines in the journal, without head and end.
        found: u64,
    },
    /// There is a line after the end.
    #[error("the journal ended on the line before; this line is not part of it")]
    AfterEnd,
    /// The operating system could not read the line.
    #[error("it cannot be read: {0}")]
    Read(#[source] io::Error),
}

/// The text of a serde error about one line. It may quote the line, so it is cut, and its control
/// characters are escaped.
pub(crate) fn complaint(error: &serde_json::Error) -> String {
    const LONGEST: usize = 300;
    let text = error.to_string();
    let words = text.rsplit_once(" at line ").map_or(text.as_str(), |(words, _)| words);
    let mut shown: String = words.chars().flat_map(printable).take(LONGEST).collect();
    if words.len() > LONGEST {
        shown.push('…');
    }
    format!("{shown}, at column {}", error.column())
}

fn printable(character: char) -> impl Iterator<Item = char> {
    let is_control = character.is_control();
    let as_it_is = (!is_control).then_some(character);
    let escaped = is_control.then(|| character.escape_default()).into_iter().flatten();
    as_it_is.into_iter().chain(escaped)
}
