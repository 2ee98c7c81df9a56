//! Replaying: a journal's entries, passed to a new connection.

use std::{cell::Cell, io::BufRead, sync::Arc};

use gateway_core::{
    Actions, ConnectionState, Dialect, JsonDialect, Login, LoginAnswer, Recognised,
    SeededConnection, UnixMillis,
};

use crate::description::Description;
use crate::entry::{Entry, Head};
use crate::error::JournalError;
use crate::fact::{Fact, FrameFact};
use crate::read::Journal;

/// The longest payload of a replayed event, in bytes: 16 MiB. If the recorded payload was longer, a
/// shorter one replaces it. The core only counts these bytes, so its decisions stay the same.
pub const MAX_PAYLOAD: usize = 16 << 20;

/// A connection with the recorded settings and seed, for the recorded events.
///
/// A journal contains no payloads. Each event gets a payload of the recorded length instead, and
/// the replay's dialect repeats the recorded classification.
#[derive(Debug)]
pub struct Replay {
    connection: SeededConnection<Repeating>,
    filler: String,
}

impl Replay {
    /// Creates the connection that this head describes.
    #[must_use]
    pub fn new(head: &Head) -> Self {
        let config = Arc::new(head.config.clone());
        let connection = SeededConnection::from_seed_with(config, head.seed, Repeating::default());
        Self { connection, filler: String::new() }
    }

    /// Passes the next entry to the connection.
    pub fn step(&mut self, entry: Entry) -> Step {
        self.connection.dialect().set(&entry.event);
        let number;
        let payload = match numbered(&entry.event) {
            Some(digits) => {
                number = digits;
                number.as_str()
            }
            None => filler(&mut self.filler, entry.event.payload_bytes()),
        };
        let actions = self.connection.handle(entry.now, entry.event.event(payload));
        Step { entry, actions, state: self.connection.state() }
    }

    /// Returns the connection in its current state.
    #[must_use]
    pub fn connection(&self) -> &SeededConnection<impl Dialect + use<>> {
        &self.connection
    }
}

/// An entry, and the connection's actions in the replay.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Step {
    /// The recorded entry.
    pub entry: Entry,
    /// The connection's actions in the replay.
    pub actions: Actions,
    /// The connection's state in the replay.
    pub state: ConnectionState,
}

impl Step {
    /// Whether actions and state are the same as recorded.
    #[must_use]
    pub fn is_as_recorded(&self) -> bool {
        self.entry.actions == self.actions.as_slice() && self.entry.state == self.state
    }

    /// Describes the event with the actions and state of the replay.
    #[must_use]
    pub fn description(&self) -> Description {
        let Self { entry, actions, state } = self;
        Description::new(entry.now, &entry.event, actions.as_slice(), *state)
    }

    /// Describes the event with the recorded actions and state.
    #[must_use]
    pub fn recorded(&self) -> Description {
        let Entry { now, event, actions, state, .. } = &self.entry;
        Description::new(*now, event, actions, *state)
    }
}

/// A journal that is replayed while it is read; see [`Journal::replay`].
#[derive(Debug)]
pub struct Replayed<R> {
    journal: Journal<R>,
    replay: Replay,
}

impl<R: BufRead> Journal<R> {
    /// Replays every entry on a new connection.
    pub fn replay(self) -> Replayed<R> {
        let replay = Replay::new(self.head());
        Replayed { journal: self, replay }
    }
}

impl<R> Replayed<R> {
    /// Returns the replay in its current state.
    #[must_use]
    pub const fn replay(&self) -> &Replay {
        &self.replay
    }
}

impl<R: BufRead> Iterator for Replayed<R> {
    type Item = Result<Step, JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.journal.next()?.map(|entry| self.replay.step(entry)))
    }
}

/// A dialect that classifies each text as it was recorded, whatever the text is.
#[derive(Debug)]
struct Repeating {
    recognised: Cell<Recognised>,
    login: Cell<LoginAnswer>,
}

impl Repeating {
    /// Sets the recorded classification for the next text.
    fn set(&self, event: &Fact) {
        if let Fact::FrameReceived { frame: FrameFact::Text { recognised, login, .. }, .. } = *event
        {
            self.recognised.set(recognised);
            self.login.set(login);
        }
    }
}

impl Default for Repeating {
    fn default() -> Self {
        Self {
            recognised: Cell::new(Recognised::Other),
            login: Cell::new(LoginAnswer::NotAnAnswer),
        }
    }
}

impl Dialect for Repeating {
    fn write_ping(&self, timestamp: Option<UnixMillis>, into: &mut String) {
        JsonDialect.write_ping(timestamp, into);
    }

    fn write_pong(&self, timestamp: Option<UnixMillis>, into: &mut String) {
        JsonDialect.write_pong(timestamp, into);
    }

    fn recognise(&self, _: &str) -> Recognised {
        self.recognised.get()
    }

    fn judge_login(&self, _: &Login, _: &str) -> LoginAnswer {
        self.login.get()
    }
}

/// For a Pong whose payload was a number: that number, padded to the recorded length.
fn numbered(event: &Fact) -> Option<String> {
    /// The longest payload of a control frame (RFC 6455 section 5.5).
    const LONGEST: u64 = 125;
    match *event {
        Fact::FrameReceived { frame: FrameFact::Pong { bytes, number: Some(number) }, .. } => {
            let width = usize::try_from(bytes.min(LONGEST)).unwrap_or(0);
            Some(format!("{number:0width$}"))
        }
        _ => None,
    }
}

/// Returns `bytes` bytes without a meaning, at most [`MAX_PAYLOAD`].
fn filler(filler: &mut String, bytes: u64) -> &str {
    let length = usize::try_from(bytes).unwrap_or(MAX_PAYLOAD).min(MAX_PAYLOAD);
    filler.extend(std::iter::repeat_n('x', length.saturating_sub(filler.len())));
    &filler[..length]
}
