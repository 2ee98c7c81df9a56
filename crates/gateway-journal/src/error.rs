//! What is wrong with a journal, and on which line.

use std::io;

use thiserror::Error;

use crate::entry::VERSION;

/// A journal that cannot be read on: what stands before the line is whole, and so is a line after which it
/// [breaks off](Problem::Unfinished).
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

    /// The line, counted from 1.
    #[must_use]
    pub const fn line(&self) -> u64 {
        self.line
    }

    /// Whether nothing is wrong but that the rest is missing.
    #[must_use]
    pub const fn is_broken_off(&self) -> bool {
        matches!(self.problem, Problem::Truncated | Problem::Unfinished)
    }

    /// What is wrong with it.
    #[must_use]
    pub const fn problem(&self) -> &Problem {
        &self.problem
    }
}

/// What is wrong with a line.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Problem {
    /// There is no line at all.
    #[error("the journal is empty: nothing was recorded")]
    Empty,
    /// The first line is no head.
    #[error(
        "this is no journal: it must begin with {{\"journal\":\"gateway\",\"version\":{VERSION},…}}"
    )]
    NotAJournal,
    /// Another version of the format. An older one was recorded under other rules, so it would not replay as recorded.
    #[error(
        "version {0} of the format is refused: this program reads version {VERSION}; replay the journal with the version of the program that recorded it, or record it again"
    )]
    Version(u64),
    /// The head cannot be read.
    #[error("the head is damaged: {0}; without it nothing can be replayed")]
    Head(String),
    /// The last line is there in part.
    #[error(
        "the recording breaks off in the middle of this line: the program was killed, or the file was cut"
    )]
    Truncated,
    /// The last line is whole, and not the end.
    #[error(
        "the recording breaks off after this line: the program was killed, or the file was cut"
    )]
    Unfinished,
    /// A line that is longer than [`MAX_LINE`](crate::MAX_LINE).
    #[error(
        "the line is longer than 1 MiB, and no line of a journal is; what stands before it can be replayed"
    )]
    TooLong,
    /// An entry cannot be read.
    #[error("the entry is damaged: {0}; what stands before it can be replayed")]
    Entry(String),
    /// An entry has another number than the next.
    #[error(
        "event {found} stands where event {due} was to: lines are missing, or not in their order; what stands before it can be replayed"
    )]
    Gap {
        /// The number that was to come.
        due: u64,
        /// The number that came.
        found: u64,
    },
    /// The end counts other events than there are.
    #[error("the end counts {counted} events, and {found} stand before it: lines are missing")]
    Count {
        /// How many there were, as the end has it.
        counted: u64,
        /// How many there are.
        found: u64,
    },
    /// A line stands after the end.
    #[error("the journal has ended on the line before: this is not of its recording")]
    AfterEnd,
    /// The operating system does not give the line.
    #[error("it cannot be read: {0}")]
    Read(#[source] io::Error),
}

/// A complaint of serde's about one line, bounded and fit for a terminal: it may quote the line.
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
