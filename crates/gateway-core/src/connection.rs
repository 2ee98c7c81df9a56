//! The connection: the machine, with its settings, randomness, dialect and statistics.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use core::fmt;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use crate::action::{Action, Actions, GiveUpCause, Outgoing};
use crate::close::CloseCode;
use crate::config::Config;
use crate::context::Context;
use crate::dialect::{Dialect, Interest, NoDialect, Part, Speech, Spoken, Voice};
use crate::event::Event;
use crate::heartbeat::Heartbeat;
use crate::json_heartbeat::JsonHeartbeat;
use crate::login::Login;
use crate::machine::{Closed, Machine, Memory, State, Turn, Waiting};
use crate::observer::Observed;
use crate::secrets::Secrets;
use crate::state::{ConnectionState, SocketId};
use crate::statistics::Statistics;
use crate::tally::Tally;
use crate::time::Instant;
use crate::transitions::Common;

/// The state machine of one WebSocket client connection, with its settings, randomness, dialect and
/// statistics. You supply sockets and clocks.
///
/// Pass each event with the time to [`handle`](Self::handle), and perform the returned [`Actions`]
/// in order. Pass a [`Tick`](Event::Tick) at [`next_deadline`](Self::next_deadline). The same
/// configuration, seed and events give the same actions on every platform.
///
/// ```
/// use std::sync::Arc;
/// use gateway_core::{Action, Config, Connection, ConnectionState, Event, Instant};
///
/// let mut connection = Connection::from_seed(Arc::new(Config::default()), 7);
/// let actions = connection.handle(Instant::ZERO, Event::ConnectRequested);
/// let Some(Action::OpenSocket { id, .. }) =
///     actions.into_iter().find(|action| matches!(action, Action::OpenSocket { .. }))
/// else {
///     unreachable!("a connect request opens a socket");
/// };
/// assert_eq!(connection.state(), ConnectionState::Connecting);
///
/// let _ = connection.handle(Instant::from_millis(40), Event::SocketOpened(id));
/// assert!(connection.is_ready());
/// ```
///
/// A clone continues from the same state and draws the same random numbers. Use it in tests and
/// model checkers, not as a second connection.
#[derive(Clone)]
pub struct Connection<R = ChaCha8Rng, D = NoDialect> {
    machine: Machine,
    tally: Tally,
    config: Arc<Config>,
    dialect: D,
    /// `None` without a dialect.
    speech: Option<Box<Speech>>,
    /// The messages that need the slow path when the connection is ready.
    attention: Interest,
    random: R,
}

impl Connection {
    /// Creates a connection with the default generator and dialect, from a seed.
    ///
    /// Take the seed from the operating system. Clients that share a seed draw the same delays, and
    /// retry together.
    #[must_use]
    pub fn from_seed(config: Arc<Config>, seed: u64) -> Self {
        Self::new(config, ChaCha8Rng::seed_from_u64(seed))
    }
}

/// A connection with the default generator and any dialect. [`Connection::from_seed_with`] creates
/// it.
pub type SeededConnection<D> = Connection<ChaCha8Rng, D>;

impl<D: Dialect> SeededConnection<D> {
    /// Creates a connection with this dialect, from a seed. Drivers call this. The replay of a
    /// journal calls it with the recorded seed.
    #[must_use]
    pub fn from_seed_with(config: Arc<Config>, seed: u64, dialect: D) -> Self {
        Self::with_dialect(config, ChaCha8Rng::seed_from_u64(seed), dialect)
    }
}

impl<R: Rng> Connection<R> {
    /// Creates a connection without a dialect and with your generator.
    #[must_use]
    pub fn new(config: Arc<Config>, random: R) -> Self {
        Self::with_dialect(config, random, NoDialect)
    }
}

impl<R: Rng, D: Dialect> Connection<R, D> {
    /// Creates a connection with your dialect and your generator.
    #[must_use]
    pub fn with_dialect(config: Arc<Config>, random: R, dialect: D) -> Self {
        let speech = (!dialect.is_silent()).then(|| Box::new(Speech::new(dialect.interest())));
        let (machine, tally, attention) = (Machine::new(), Tally::default(), Interest::NONE);
        Self { machine, tally, config, dialect, speech, attention, random }
    }

    /// Handles an event and returns the actions to perform, in order.
    ///
    /// Never fails and never panics, for any event in any state at any time. If `now` runs
    /// backwards, the latest `now` so far counts.
    ///
    /// A retry does not allocate, and neither do the events of a ready connection: messages,
    /// heartbeats, reports of a driver and Ticks. There are three exceptions. The answer to the login
    /// of each connection is parsed as JSON. While a JSON ping is unanswered, or if `answer_pings` is
    /// set, a short text that contains `"ping"` or `"pong"` may need one small allocation. And a
    /// dialect needs a buffer for what it writes, which grows to the longest message, and one small
    /// allocation a socket if it sets the heartbeat.
    #[inline]
    pub fn handle(&mut self, now: Instant, event: Event<'_>) -> Actions {
        let now = self.machine.memory.told(now);
        match self.machine.state.on_common(&event, now, &self.config, self.attention) {
            Some(Common::Data { bytes }) => {
                self.tally.count_in(bytes);
                Actions::only(Action::Deliver)
            }
            Some(Common::Send { socket, bytes }) => {
                self.tally.count_bytes_out(bytes);
                self.tally.count_frame_out();
                Actions::only(Action::Send(socket, Outgoing::Requested))
            }
            Some(Common::EarlyTick) => Actions::default(),
            None => self.transit(now, &event),
        }
    }

    /// The slow path, which every event may take.
    #[inline(never)] // its stack frame is large, and the common events do not need it
    fn transit(&mut self, now: Instant, event: &Event<'_>) -> Actions {
        let mut actions = Actions::default();
        let armed = self.machine.deadline();
        let Machine { state, memory } = &mut self.machine;
        let speech = self.speech.as_deref_mut();
        let mut cx = Context {
            now,
            event: event.kind(),
            config: &self.config,
            voice: Voice::new(&mut self.dialect, speech),
            random: &mut self.random,
            memory,
            tally: &mut self.tally,
            actions: &mut actions,
        };
        if let Some(next) = state.on(event, &mut cx) {
            *state = next;
        }
        if cx.voice.has_spoken() {
            state.on_spoken(&mut cx);
        }
        if let Some(speech) = &mut self.speech {
            speech.interest = self.dialect.interest();
            actions.has_spoken = !speech.spoken.is_empty();
        }
        self.attention = self.attention();
        let due = self.machine.deadline();
        if due != armed {
            actions.push(due.map_or(Action::CancelTimer, Action::ScheduleTimer));
        }
        actions
    }

    /// Appends the payload of one of the machine's frames to `into`, and returns the kind of frame.
    /// Call this once for each frame, because it counts the bytes as sent.
    ///
    /// Returns `None` for [`Outgoing::Requested`] and [`Outgoing::RequestedClose`]: their payload
    /// is in the event that you just passed to [`handle`](Self::handle).
    pub fn encode<'a>(&'a mut self, outgoing: &Outgoing, into: &mut String) -> Option<Encoded<'a>> {
        let before = into.len();
        let kind = match *outgoing {
            Outgoing::Requested | Outgoing::RequestedClose => return None,
            Outgoing::Close(code) => {
                self.tally.count_bytes_out(2);
                return Some(Encoded::Close(code));
            }
            Outgoing::Login => {
                if let Login::Message { send, .. } = &self.config.login {
                    into.push_str(send.reveal());
                }
                Encoded::Text
            }
            Outgoing::Dialect(part) | Outgoing::DialectPing(part) => {
                self.tally.count_bytes_out(part.len as usize);
                let bytes = part.of(self.speech.as_ref().map_or(&[], |speech| &speech.written));
                if !part.is_text {
                    return Some(Encoded::Binary(bytes));
                }
                into.push_str(core::str::from_utf8(bytes).unwrap_or_default());
                return Some(Encoded::Text);
            }
            Outgoing::Ping(timestamp) => {
                JsonHeartbeat.write_ping(timestamp, into);
                Encoded::Text
            }
            Outgoing::Pong(timestamp) => {
                JsonHeartbeat.write_pong(timestamp, into);
                Encoded::Text
            }
            Outgoing::WebSocketPing(number) => {
                into.push_str(itoa::Buffer::new().format(number));
                Encoded::Ping
            }
        };
        self.tally.count_bytes_out(into.len() - before);
        Some(kind)
    }
}

impl<R, D: Dialect> Connection<R, D> {
    /// The dialect, to change what it asks for. Its interest is asked for again with the next event
    /// that it sees.
    pub const fn dialect_mut(&mut self) -> &mut D {
        &mut self.dialect
    }

    /// Passes the named secrets of an attempt's request to the dialect. Call this before
    /// [`SocketOpened`](Event::SocketOpened).
    pub fn set_secrets(&mut self, secrets: &Secrets) {
        self.dialect.secrets(secrets);
        if let Some(speech) = &mut self.speech {
            speech.interest = self.dialect.interest();
        }
        self.attention = self.attention();
    }
}

impl<R, D> Connection<R, D> {
    /// Which messages need the slow path when the connection is ready: what the dialect wants to see,
    /// and texts that may belong to the heartbeat.
    #[inline]
    fn attention(&self) -> Interest {
        let own = self.speech.as_ref().map_or(Interest::NONE, |speech| speech.interest);
        match &self.machine.state {
            State::Ready(ready) if ready.may_get_beat(&self.config) => own.or(JsonHeartbeat::BEATS),
            _ => own,
        }
    }

    /// A text or message that the dialect wrote during the last event.
    #[must_use]
    pub fn part(&self, part: Part) -> &[u8] {
        part.of(self.speech.as_ref().map_or(&[], |speech| &speech.written))
    }

    /// What the dialect asked for during the last event, which returned these actions. The actions
    /// already include what follows from it.
    #[must_use]
    pub fn spoken(&self, actions: &Actions) -> &Spoken {
        static NOTHING: Spoken = Spoken::NONE;
        let speech = self.speech.as_ref().filter(|_| actions.has_spoken);
        speech.map_or(&NOTHING, |speech| &speech.spoken)
    }

    /// The event that was just handled, as an [`Observer`](crate::Observer) gets it.
    #[must_use]
    pub fn observed<'a>(
        &'a self,
        now: Instant,
        event: Event<'a>,
        actions: &'a Actions,
    ) -> Observed<'a> {
        Observed {
            now,
            event,
            actions: actions.as_slice(),
            spoken: self.spoken(actions),
            login: actions.answer,
            state: self.state(),
            deadline: self.next_deadline(),
        }
    }

    /// When the next [`Tick`](Event::Tick) is due. This always equals the last timer action.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.machine.deadline()
    }

    /// The state as the application sees it.
    #[must_use]
    pub fn state(&self) -> ConnectionState {
        self.machine.name(&self.config)
    }

    /// Whether the connection is ready: CONNECTED if no login is configured, AUTHENTICATED if one
    /// is.
    #[must_use]
    pub const fn is_ready(&self) -> bool {
        self.machine.is_ready()
    }

    /// Returns the next of this socket's numbers, for the id of a message. The dialect takes its ids
    /// [from the same numbers](crate::Exchange::next_number). Returns `None` without a dialect.
    pub fn next_number(&mut self) -> Option<u64> {
        self.speech.as_mut().map(|speech| speech.next_number())
    }

    /// The socket that the provider is asked for, that is opening, or that is open.
    #[must_use]
    pub const fn socket(&self) -> Option<SocketId> {
        self.machine.socket()
    }

    /// The instant at which the connection becomes stable, which may be in the past. `None` while
    /// it is not ready.
    #[must_use]
    pub fn stable_at(&self) -> Option<Instant> {
        let Memory { retry, since, .. } = &self.machine.memory;
        let stable_after = retry.stable_after(&self.config.reconnect);
        self.is_ready().then(|| since.saturating_add(stable_after))
    }

    /// Whether the machine waits for the provider's request. Meanwhile it is CONNECTING.
    #[must_use]
    pub const fn is_asking(&self) -> bool {
        matches!(self.machine.state, State::Asking(_))
    }

    /// Whether the machine waits until an open is reserved in the shared budget. Meanwhile it is
    /// DISCONNECTED, and no deadline runs.
    #[must_use]
    pub const fn is_reserving(&self) -> bool {
        matches!(self.machine.state, State::Waiting(Waiting { turn: Turn::Asked { .. }, .. }))
    }

    /// Whether the login was refused, and the connection only waits for the peer's Close. Meanwhile
    /// it is CONNECTED, and takes no messages.
    #[must_use]
    pub const fn is_login_refused(&self) -> bool {
        matches!(self.machine.state, State::Refused(_))
    }

    /// Why the machine gave up. `None` if it did not, or if a connect request came since.
    #[must_use]
    pub const fn gave_up(&self) -> Option<GiveUpCause> {
        match self.machine.state {
            State::Closed(Closed::GaveUp(cause)) => Some(cause),
            State::Closed(Closed::Asked)
            | State::Idle
            | State::Waiting(_)
            | State::Asking(_)
            | State::Connecting(_)
            | State::LoggingIn(_)
            | State::Refused(_)
            | State::Ready(_)
            | State::Closing(_) => None,
        }
    }

    /// The number of unanswered pings. These are always the newest ones, because a pong answers its
    /// ping and all earlier pings. After a pong, a driver that reports
    /// [`PingHanded`](Event::PingHanded) uses this to find the newest answered ping.
    ///
    /// While the connection is not ready, this is 0.
    #[must_use]
    pub fn unanswered_pings(&self) -> u32 {
        match &self.machine.state {
            State::Ready(ready) => ready.heartbeat.as_ref().map_or(0, Heartbeat::unanswered),
            // After our Close frame, no timeout of a ping runs.
            State::Closing(_)
            | State::Idle
            | State::Waiting(_)
            | State::Asking(_)
            | State::Connecting(_)
            | State::LoggingIn(_)
            | State::Refused(_)
            | State::Closed(_) => 0,
        }
    }

    /// The settings.
    #[must_use]
    pub const fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// The dialect.
    #[must_use]
    pub const fn dialect(&self) -> &D {
        &self.dialect
    }

    /// The machine alone: the state, and what it remembers from one state to the next, such as the
    /// retry count. You can compare and hash it, and shift all its instants by one span: see
    /// [`Machine::rebased`].
    #[must_use]
    pub const fn machine(&self) -> &Machine {
        &self.machine
    }

    /// What the connection has done so far. `time_ready` counts up to `now`.
    #[must_use]
    pub fn statistics(&self, now: Instant) -> Statistics {
        let memory = &self.machine.memory;
        let mut statistics = self.tally.statistics(memory.last_socket);
        statistics.effects_ignored = self.speech.as_ref().map_or(0, |speech| speech.ignored);
        if self.is_ready() {
            let current = now.saturating_duration_since(memory.since);
            statistics.time_ready = statistics.time_ready.saturating_add(current);
        }
        statistics
    }
}

impl<R, D> fmt::Debug for Connection<R, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("state", &self.state())
            .field("socket", &self.socket())
            .field("next_deadline", &self.next_deadline())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;
    use crate::event::{Frame, Message};

    /// The fast path does what the slow path does.
    #[test]
    fn the_short_way_of_an_event_leads_where_its_long_way_does() {
        for config in [
            Config::builder(),
            Config::builder().heartbeat_strict(true),
            Config::builder().data_timeout(Some(Duration::from_secs(9))),
            Config::builder().answer_pings(true),
        ] {
            let mut connection = Connection::from_seed(Arc::new(config.build().unwrap()), 7);
            let _ = connection.handle(Instant::ZERO, Event::ConnectRequested);
            let id = connection.socket().unwrap();
            let _ = connection.handle(Instant::from_millis(1), Event::SocketOpened(id));
            for (millis, event) in [
                (2, Event::FrameReceived(id, Frame::Text("before the pong"))),
                (3, Event::FrameReceived(id, Frame::Binary(b"binary"))),
                (4, Event::FrameReceived(id, Frame::Text(r#"{"type":"pong"}"#))),
                (5, Event::FrameReceived(id, Frame::Text("behind the pong"))),
                (6, Event::FrameReceived(SocketId::new(9), Frame::Binary(b"stale"))),
                (7, Event::SendRequested(Message::Text("out"))),
                (7, Event::WriteBlocked(id)),
                (8, Event::SendRequested(Message::Binary(b"refused"))),
                (9, Event::ReadingPaused(id)),
                (10, Event::FrameReceived(id, Frame::Text("read before the pause"))),
            ] {
                let now = Instant::from_millis(millis);
                let mut long = connection.clone();
                let now_told = long.machine.memory.told(now);

                let by_the_long_way = long.transit(now_told, &event);

                assert_eq!(connection.handle(now, event), by_the_long_way, "{event:?}");
                assert_eq!(connection.machine, long.machine, "{event:?}");
                assert_eq!(connection.statistics(now), long.statistics(now), "{event:?}");
            }
        }
    }
}

/// The kind of frame whose payload [`Connection::encode`] wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // a driver that cannot send one of them must not compile
pub enum Encoded<'a> {
    /// A text message.
    Text,
    /// A binary message with these bytes. Nothing was appended. Only a
    /// [`Dialect`](crate::Dialect) sends one.
    Binary(&'a [u8]),
    /// A WebSocket Ping frame.
    Ping,
    /// A Close frame with this code and no reason. Nothing was appended.
    Close(CloseCode),
}
