//! Replaying: a journal's events, passed to a new connection.

use std::collections::VecDeque;
use std::{io::BufRead, mem, sync::Arc};

use gateway_core::{
    Actions, ConnectionState, Dialect, DialectCall, DialectCallKind, Effect, Exchange, Interest,
    JsonHeartbeat, LoginAnswer, Message, Part, Received, Recognised, SeededConnection, Spoken,
};

use crate::description::Description;
use crate::entry::{Entry, Head, Line};
use crate::error::JournalError;
use crate::fact::{Fact, FrameFact};
use crate::read::Journal;

/// The longest payload of a replayed event, in bytes: 16 MiB. If the recorded payload was longer, a
/// shorter one replaces it. The core only counts these bytes, so its decisions stay the same.
pub const MAX_PAYLOAD: usize = 16 << 20;

/// A connection with the recorded settings and seed, for the recorded events.
///
/// A journal contains no payloads. Each event gets a payload of the recorded length instead, and
/// the replay's dialect asks for what the recorded one asked for.
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
        self.connection.dialect_mut().set(&entry);
        let made = numbered(&entry.event).or_else(|| beat(&entry.event));
        let payload = match &made {
            Some(made) => made.as_str(),
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
    /// Replays every event on a new connection. The other lines are only checked.
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
        loop {
            match self.journal.next()? {
                Ok(Line::Event(entry)) => return Some(Ok(self.replay.step(entry))),
                Ok(Line::Sending(_)) => {}
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

/// A dialect that asks for what was recorded, whatever it is shown.
#[derive(Debug, Default)]
struct Repeating {
    calls: VecDeque<DialectCall>,
    /// The meaning of the next text for the login, by the configuration's rules.
    login: LoginAnswer,
    /// What is sent in place of the dialect's messages.
    filler: String,
}

impl Repeating {
    /// Sets what is asked for during the next event.
    fn set(&mut self, entry: &Entry) {
        self.login = match entry.event {
            Fact::FrameReceived { frame: FrameFact::Text { login, .. }, .. } => login,
            _ => LoginAnswer::NotAnAnswer,
        };
        self.calls = entry.spoken.iter().cloned().collect();
    }

    /// Repeats the next recorded call, if it is one of these.
    fn repeat(
        &mut self,
        kinds: &[DialectCallKind],
        exchange: &mut Exchange<'_>,
    ) -> Option<DialectCallKind> {
        if !self.calls.front().is_some_and(|call| kinds.contains(&call.call)) {
            return None;
        }
        let call = self.calls.pop_front()?;
        for effect in &call.effects {
            self.ask(*effect, exchange);
        }
        Some(call.call)
    }

    fn ask(&mut self, effect: Effect, exchange: &mut Exchange<'_>) {
        let mut text = |part: Option<Part>| {
            // A part that is longer than a dialect may write fails the replay's call just as well.
            let bytes = part.map_or(0, |part| part.len.into()).min(Spoken::MAX_BYTES as u64 + 1);
            filler(&mut self.filler, bytes).to_owned()
        };
        match effect {
            Effect::Send(part) if part.is_text => exchange.send_text(text(Some(part))),
            Effect::Send(part) => exchange.send_binary(text(Some(part)).as_bytes()),
            Effect::Stamp(stamp) => exchange.stamp(stamp),
            Effect::LoginAccepted => exchange.login_accepted(),
            Effect::LoginRefused { verdict, reason } => {
                exchange.login_refused(verdict, text(reason));
            }
            Effect::Pong(stamp) => exchange.pong(stamp),
            Effect::SetHeartbeat { interval, timeout } => exchange.set_heartbeat(interval, timeout),
            Effect::ExpectWithin(span) => exchange.expect_within(span),
            Effect::Leave { code, verdict, reason } => exchange.leave(code, verdict, text(reason)),
            Effect::ResumeAt(url) => exchange.resume_at(text(Some(url))),
            // An effect of a later version of the core, which no journal of this version has.
            _ => {}
        }
    }
}

impl Dialect for Repeating {
    fn interest(&self) -> Interest {
        Interest::ALL
    }

    fn opened(&mut self, exchange: &mut Exchange<'_>) {
        self.repeat(&[DialectCallKind::Opened], exchange);
    }

    fn received(&mut self, _: Message<'_>, exchange: &mut Exchange<'_>) -> Received {
        // The rules of the configuration, which are not in a journal, made this of it.
        exchange.judge(mem::take(&mut self.login));
        let kinds = [DialectCallKind::Delivered, DialectCallKind::Consumed];
        match self.repeat(&kinds, exchange) {
            Some(DialectCallKind::Consumed) => Received::Consume,
            _ => Received::Deliver,
        }
    }

    fn heartbeat(&mut self, exchange: &mut Exchange<'_>) {
        self.repeat(&[DialectCallKind::Heartbeat], exchange);
    }

    fn closing(&mut self, exchange: &mut Exchange<'_>) {
        self.repeat(&[DialectCallKind::Closing], exchange);
    }
}

/// A text that the heartbeat in JSON recognises as it was recorded, padded to the recorded length.
fn beat(event: &Fact) -> Option<String> {
    let Fact::FrameReceived { frame: FrameFact::Text { bytes, recognised, .. }, .. } = *event
    else {
        return None;
    };
    let mut text = String::new();
    match recognised {
        Recognised::Pong(stamp) => JsonHeartbeat.write_pong(stamp, &mut text),
        Recognised::Ping(stamp) => JsonHeartbeat.write_ping(stamp, &mut text),
        Recognised::Other => return None,
    }
    let width = usize::try_from(bytes).unwrap_or(0).min(JsonHeartbeat::MAX_BEAT);
    Some(format!("{text:width$}"))
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
