//! What is wrong with a journal, and on which line.

use std::io;

use thiserror::Error;

use crate::entry::VERSION;

/// A journal that cannot be read on: what stands before the line is whole.
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
    /// A version that is not known.
    #[error(
        "version {0} of the format is not known: this program reads version {VERSION}, use one that reads {0}"
    )]
    Version(u64),
    /// The head cannot be read.
    #[error("the head is damaged: {0}; without it nothing can be replayed")]
    Head(String),
    /// The last line has no end.
    #[error(
        "the recording breaks off in the middle of this line; remove the line to replay what stands before it"
    )]
    Truncated,
    /// A line that is longer than [`MAX_LINE`](crate::MAX_LINE).
    #[error(
        "the line is longer than 1 MiB, and no line of a journal is; what stands before it can be replayed"
    )]
    TooLong,
    /// An entry cannot be read.
    #[error("the entry is damaged: {0}; what stands before it can be replayed")]
    Entry(String),
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
