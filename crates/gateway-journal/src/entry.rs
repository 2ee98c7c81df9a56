//! The lines of a journal: the head, one entry for each event, and the end.

use std::borrow::Cow;

use gateway_core::{Action, Actions, Config, ConnectionState, Instant, Observed, Spoken};
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

/// One event, the core's actions, and the state after it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Entry {
    /// The line of the journal with this entry, counted from 1.
    #[serde(skip)]
    pub line: u64,
    /// The event's number, counted from 1.
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

/// Returns the first line of a journal, without its newline.
#[must_use]
pub fn head_line(config: &Config, seed: u64) -> String {
    json(&HeadLine { journal: NAME.into(), version: VERSION, seed, config })
}

/// Returns the line for the event with this number, without its newline. A
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

/// Returns the last line of a journal with this number of events, without its newline.
#[must_use]
pub fn end_line(events: u64) -> String {
    json(&EndLine { end: End { events } })
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
