//! The lines of a journal: the head, one line for each event and each fact about messages, and the
//! end.

use std::borrow::Cow;

use gateway_core::{
    Action, Actions, Config, ConnectionState, Instant, Observed, SendingFact, Spoken,
};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use crate::fact::Fact;

/// The version of the format that this crate writes and reads.
pub const VERSION: u64 = 2;

/// The first line of a journal: what the connection was created with.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Head {
    /// The settings. Of a login they contain only the timeout, and no secret.
    pub config: Config,
    /// The seed of the jitter.
    pub seed: u64,
}

/// A line between the head and the end.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // a reader that ignores a kind of line should not compile
pub enum Line {
    /// An event of the core. A replay repeats it.
    Event(Entry),
    /// What the driver did with a message or a request. A replay ignores it.
    Sending(SendingEntry),
}

/// One event, the core's actions, and the state after it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Entry {
    /// The line of the journal with this entry, counted from 1.
    #[serde(skip)]
    pub line: u64,
    /// The line's number, counted from 1 at the line after the head.
    #[serde(rename = "n")]
    pub number: u64,
    /// The time that the core received with the event.
    #[serde(rename = "t_ns")]
    pub now: Instant,
    /// The event that the core received.
    pub event: Fact,
    /// The actions that the core returned: at most [`Actions::CAPACITY`].
    #[serde(deserialize_with = "actions")]
    pub actions: Vec<Action>,
    /// What the dialect asked for. The core's actions include what follows from it.
    #[serde(default, rename = "dialect")]
    pub spoken: Box<Spoken>,
    /// The state after the event.
    pub state: ConnectionState,
}

/// What the driver did with a message or a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct SendingEntry {
    /// The line of the journal with this entry, counted from 1.
    #[serde(skip)]
    pub line: u64,
    /// The line's number, counted from 1 at the line after the head.
    #[serde(rename = "n")]
    pub number: u64,
    /// When it happened.
    #[serde(rename = "t_ns")]
    pub now: Instant,
    /// What happened.
    #[serde(rename = "sending")]
    pub fact: SendingFact,
}

/// Returns the first line of a journal, without its newline.
#[must_use]
pub fn head_line(config: &Config, seed: u64) -> String {
    json(&HeadLine { journal: NAME.into(), version: VERSION, seed, config })
}

/// Returns the line with this number for an event, without its newline. A
/// [`Recorder`](crate::Recorder) writes the same line.
#[must_use]
pub fn entry_line(number: u64, observed: &Observed<'_>) -> String {
    json(&EntryLine {
        n: number,
        t_ns: observed.now,
        event: Fact::of(observed),
        actions: observed.actions,
        dialect: observed.spoken,
        state: observed.state,
    })
}

/// Returns the line with this number for a fact about messages and requests, without its newline.
#[must_use]
pub fn sending_line(number: u64, now: Instant, fact: &SendingFact) -> String {
    json(&SendingEntry { line: 0, number, now, fact: *fact })
}

/// Returns the last line of a journal with this number of lines between, without its newline.
#[must_use]
pub fn end_line(lines: u64) -> String {
    json(&EndLine { end: End { events: lines } })
}

pub(crate) const NAME: &str = "gateway";

/// The fields of the head that identify the format.
#[derive(Deserialize)]
pub(crate) struct Title<'a> {
    #[serde(borrow)]
    pub(crate) journal: Cow<'a, str>,
    pub(crate) version: u64,
}

/// The head, of version 2.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HeadLine<'a, C> {
    #[serde(borrow)]
    journal: Cow<'a, str>,
    version: u64,
    pub(crate) seed: u64,
    pub(crate) config: C,
}

/// The end.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EndLine {
    pub(crate) end: End,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct End {
    pub(crate) events: u64,
}

/// An [`Entry`] that borrows.
#[derive(Serialize)]
struct EntryLine<'a> {
    n: u64,
    t_ns: Instant,
    event: Fact,
    actions: &'a [Action],
    #[serde(skip_serializing_if = "Spoken::is_empty")]
    dialect: &'a Spoken,
    state: ConnectionState,
}

fn json(line: &impl Serialize) -> String {
    serde_json::to_string(line).expect("its keys are strings, its numbers integers")
}

fn actions<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Action>, D::Error> {
    let actions = Vec::<Action>::deserialize(deserializer)?;
    if actions.len() > Actions::CAPACITY {
        let (many, most) = (actions.len(), Actions::CAPACITY);
        return Err(D::Error::custom(format_args!("{many} actions: one event has at most {most}")));
    }
    Ok(actions)
}
