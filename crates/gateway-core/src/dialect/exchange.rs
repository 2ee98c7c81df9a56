//! How a dialect says what is to happen.

use alloc::vec::Vec;
use core::fmt::{self, Write as _};
use core::time::Duration;

use arrayvec::ArrayVec;

use super::effect::{DialectCall, DialectCallKind, Effect, Part, Spoken};
use super::{Dialect, Interest, Received};
use crate::action::DisconnectCause;
use crate::close::CloseCode;
use crate::event::Message;
use crate::login::LoginAnswer;
use crate::policy::Verdict;
use crate::state::SocketId;
use crate::time::{Instant, UnixMillis};

/// What a [`Dialect`] knows during a call, and how it says what is to happen.
///
/// The machine acts when the call has returned, in the order of the calls here. One call of a
/// dialect may ask for at most [`Spoken::MAX_EFFECTS`] things, and write at most
/// [`Spoken::MAX_BYTES`] bytes. If it asks for more, the socket is left with code 1011 and cause
/// [`Dialect`](DisconnectCause::Dialect).
///
/// After [`leave`](Self::leave), after a refused login, and while the connection is closing, the
/// machine ignores what a dialect asks for, and counts it in
/// [`effects_ignored`](crate::Statistics::effects_ignored).
pub struct Exchange<'a> {
    now: Instant,
    wall_clock: Option<UnixMillis>,
    socket: SocketId,
    effects: ArrayVec<Effect, { Spoken::MAX_EFFECTS }>,
    numbers: &'a mut u64,
    bytes: &'a mut Vec<u8>,
    start: usize,
    is_over: bool,
    answer: Option<LoginAnswer>,
}

impl Exchange<'_> {
    /// What the message means for the configuration's login. A replay says so, because it does not
    /// know the rules; they do not judge the message then. It is no effect.
    #[doc(hidden)]
    pub const fn judge(&mut self, answer: LoginAnswer) {
        self.answer = Some(answer);
    }

    /// The time of the event.
    #[must_use]
    pub const fn now(&self) -> Instant {
        self.now
    }

    /// The wall clock's time, if a driver has ever reported it. The drivers of this project report
    /// it.
    #[must_use]
    pub const fn wall_clock(&self) -> Option<UnixMillis> {
        self.wall_clock
    }

    /// The number of the attempt that opened this socket, from 1.
    #[must_use]
    pub const fn attempt(&self) -> u64 {
        self.socket.number()
    }

    /// Returns the next of this socket's numbers, which start at 1. Use it for the ids of messages:
    /// the drivers take the ids of the application's requests from the same numbers, so that no two
    /// messages of a socket have the same id, and ids grow.
    pub const fn next_number(&mut self) -> u64 {
        *self.numbers = self.numbers.saturating_add(1);
        *self.numbers
    }

    /// Sends a text message. It takes anything that can be displayed, such as `format_args!(…)`,
    /// and allocates no string.
    pub fn send_text(&mut self, text: impl fmt::Display) {
        let part = self.write(text);
        self.ask(Effect::Send(part));
    }

    /// Sends a binary message.
    pub fn send_binary(&mut self, bytes: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        let part = self.part_from(start, false);
        self.ask(Effect::Send(part));
    }

    /// Names the ping that this call of [`heartbeat`](Dialect::heartbeat) sends, so that
    /// [`pong`](Self::pong) can say which ping was answered. The last four pings are remembered.
    /// The two highest stamps count as the same.
    pub fn stamp(&mut self, stamp: u64) {
        self.ask(Effect::Stamp(stamp));
    }

    /// The server answered the ping with this stamp, and with it all earlier pings. With `None`, or
    /// with a stamp of none of the last four pings, it answered the oldest unanswered one.
    pub fn pong(&mut self, stamp: Option<u64>) {
        self.ask(Effect::Pong(stamp));
    }

    /// The server accepted the login: the connection is ready.
    pub fn login_accepted(&mut self) {
        self.ask(Effect::LoginAccepted);
    }

    /// The server refused the login, or no longer accepts it. `verdict` decides what follows. The
    /// event, the log and the error show `reason`; if it is empty, they show the message.
    pub fn login_refused(&mut self, verdict: Verdict, reason: impl fmt::Display) {
        let part = self.write(reason);
        self.ask(Effect::LoginRefused { verdict, reason: (part.len > 0).then_some(part) });
    }

    /// Sets the heartbeat's interval on this socket, and its timeout, which is never longer than the
    /// interval. `None` and a timeout of zero keep the timeout as it is. Both are clamped to 1 s – 24 h.
    ///
    /// The next ping is due at the earlier of its time and one interval from now. A timeout that
    /// runs keeps its deadline; a later restart uses the new timeout. If the heartbeat is off, this
    /// changes nothing. An interval of zero is ignored, and the first one on a socket is
    /// reported as [`EffectIgnored`](crate::Notice::EffectIgnored).
    pub fn set_heartbeat(&mut self, interval: Duration, timeout: Option<Duration>) {
        self.ask(Effect::SetHeartbeat { interval, timeout });
    }

    /// The server sends something at least this often: for example, because it sends the pings. If
    /// no byte comes for this time while the connection is ready, the server is dead: cause
    /// [`PongTimeout`](DisconnectCause::PongTimeout). In strict mode, only a further call of this method
    /// restarts the time. It is clamped to 1 s – 24 h. Zero ends the expectation.
    ///
    /// While the application does not read, the time does not run. It restarts after that, and after
    /// a suspend.
    pub fn expect_within(&mut self, span: Duration) {
        self.ask(Effect::ExpectWithin(span));
    }

    /// Leaves the server: sends a Close frame with this code, and does what the verdict says. The
    /// cause is [`Dialect`](DisconnectCause::Dialect), and the drivers' event and log show `reason`.
    pub fn leave(&mut self, code: CloseCode, verdict: Verdict, reason: impl fmt::Display) {
        let part = self.write(reason);
        self.ask(Effect::Leave { code, verdict, reason: (part.len > 0).then_some(part) });
    }

    /// The dialect cannot go on: drops everything that this call has asked for, and
    /// [leaves](Self::leave) the server with code 1011, to retry.
    pub fn fail(&mut self, reason: impl fmt::Display) {
        self.bytes.truncate(self.start);
        self.effects.clear();
        self.leave(CloseCode::INTERNAL_ERROR, Verdict::Retry, reason);
    }

    /// Opens the next socket at this URL, for example to resume a session. An empty text means the
    /// endpoint again. The drivers use the URL until a socket that was opened with it is lost before
    /// it was ready.
    pub fn resume_at(&mut self, url: impl fmt::Display) {
        let part = self.write(url);
        self.ask(Effect::ResumeAt(part));
    }

    fn ask(&mut self, effect: Effect) {
        let is_too_long = self.bytes.len() - self.start > Spoken::MAX_BYTES;
        self.is_over |= is_too_long || self.effects.try_push(effect).is_err();
        if is_too_long {
            self.bytes.truncate(self.start);
        }
    }

    fn write(&mut self, text: impl fmt::Display) -> Part {
        struct Text<'b>(&'b mut Vec<u8>, usize);
        impl fmt::Write for Text<'_> {
            fn write_str(&mut self, text: &str) -> fmt::Result {
                // A text that is too long ends the call anyway, so it need not be kept.
                if self.0.len() <= self.1 {
                    self.0.extend_from_slice(text.as_bytes());
                }
                Ok(())
            }
        }
        let start = self.bytes.len();
        let most = self.start + Spoken::MAX_BYTES;
        // An error can only come from the caller's own `Display`. Then what it has written counts.
        let _ = write!(Text(self.bytes, most), "{text}");
        self.part_from(start, true)
    }

    fn part_from(&self, start: usize, is_text: bool) -> Part {
        let length = self.bytes.len() - start;
        let number = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
        Part { is_text, start: number(start), len: number(length) }
    }
}

/// Shows no bytes, because they may be secret.
impl fmt::Debug for Exchange<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange")
            .field("now", &self.now)
            .field("socket", &self.socket)
            .field("effects", &self.effects)
            .field("written", &(self.bytes.len() - self.start))
            .finish_non_exhaustive()
    }
}

/// A call of a dialect, with what it needs to know.
#[derive(Clone, Copy)]
enum Call<'a> {
    Opened,
    Received(Message<'a>),
    Heartbeat,
    Closing,
}

/// What a connection keeps for its dialect.
#[derive(Clone)]
pub(crate) struct Speech {
    pub(crate) interest: Interest,
    /// What the dialect wrote during the last event on the slow path.
    pub(crate) written: Vec<u8>,
    /// What it asked for during that event.
    pub(crate) spoken: Spoken,
    /// How many effects were ignored.
    pub(crate) ignored: u64,
    /// The last number that this socket has used for an id.
    numbers: u64,
    /// What the dialect of a replay made of the message in the newest call.
    answer: Option<LoginAnswer>,
}

impl Speech {
    /// The buffer keeps at most this many bytes from one event to the next.
    const KEPT: usize = 4 << 10;

    pub(crate) const fn new(interest: Interest) -> Self {
        Self {
            interest,
            written: Vec::new(),
            spoken: Spoken::NONE,
            ignored: 0,
            numbers: 0,
            answer: None,
        }
    }

    pub(crate) const fn next_number(&mut self) -> u64 {
        self.numbers = self.numbers.saturating_add(1);
        self.numbers
    }
}

/// The dialect of a connection, during one event.
pub(crate) struct Voice<'a>(Option<(&'a mut dyn Dialect, &'a mut Speech)>);

/// When and where a dialect is called.
#[derive(Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) now: Instant,
    pub(crate) wall_clock: Option<UnixMillis>,
    pub(crate) socket: SocketId,
}

impl<'a> Voice<'a> {
    /// `speech` is `None` without a dialect.
    #[inline]
    pub(crate) fn new(dialect: &'a mut dyn Dialect, speech: Option<&'a mut Speech>) -> Self {
        let Some(speech) = speech else { return Self(None) };
        speech.written.clear();
        speech.written.shrink_to(Speech::KEPT);
        speech.spoken.0.clear();
        Self(Some((dialect, speech)))
    }

    #[inline]
    pub(crate) const fn is_silent(&self) -> bool {
        self.0.is_none()
    }

    pub(crate) fn opened(&mut self, at: Moment) {
        if let Some((_, speech)) = &mut self.0 {
            speech.numbers = 0;
        }
        self.call(at, Call::Opened);
    }

    /// Shows a message to the dialect, if it wants to see it. Returns whether the application gets
    /// the message.
    pub(crate) fn received(&mut self, at: Moment, message: Message<'_>) -> Received {
        let wants = self.0.as_ref().is_some_and(|(_, speech)| speech.interest.wants(message));
        if !wants {
            return Received::Deliver;
        }
        match self.call(at, Call::Received(message)) {
            Some(DialectCallKind::Consumed) => Received::Consume,
            _ => Received::Deliver,
        }
    }

    pub(crate) fn heartbeat(&mut self, at: Moment) {
        self.call(at, Call::Heartbeat);
    }

    pub(crate) fn closing(&mut self, at: Moment) {
        self.call(at, Call::Closing);
    }

    pub(crate) fn lost(&mut self, cause: DisconnectCause) {
        if let Some((dialect, _)) = &mut self.0 {
            dialect.lost(cause);
        }
    }

    /// Whether the dialect asked for something.
    #[inline]
    pub(crate) fn has_spoken(&self) -> bool {
        self.0.as_ref().is_some_and(|(_, speech)| !speech.spoken.is_empty())
    }

    /// What the dialect of a replay made of the message in the newest call.
    pub(crate) fn answer(&self) -> Option<LoginAnswer> {
        self.0.as_ref()?.1.answer
    }

    /// What the dialect asked for in the newest call.
    pub(crate) fn newest(&self) -> Option<&DialectCall> {
        self.0.as_ref()?.1.spoken.0.last()
    }

    pub(crate) const fn count_ignored(&mut self) {
        if let Some((_, speech)) = &mut self.0 {
            speech.ignored = speech.ignored.saturating_add(1);
        }
    }

    fn call(&mut self, at: Moment, call: Call<'_>) -> Option<DialectCallKind> {
        let (dialect, speech) = self.0.as_mut()?;
        let start = speech.written.len();
        let mut exchange = Exchange {
            now: at.now,
            wall_clock: at.wall_clock,
            socket: at.socket,
            effects: ArrayVec::new(),
            numbers: &mut speech.numbers,
            bytes: &mut speech.written,
            start,
            is_over: false,
            answer: None,
        };
        let call = match call {
            Call::Opened => {
                dialect.opened(&mut exchange);
                DialectCallKind::Opened
            }
            Call::Received(message) => match dialect.received(message, &mut exchange) {
                Received::Deliver => DialectCallKind::Delivered,
                Received::Consume => DialectCallKind::Consumed,
            },
            Call::Heartbeat => {
                dialect.heartbeat(&mut exchange);
                DialectCallKind::Heartbeat
            }
            Call::Closing => {
                dialect.closing(&mut exchange);
                DialectCallKind::Closing
            }
        };
        if exchange.is_over {
            let (effects, bytes) = (Spoken::MAX_EFFECTS, Spoken::MAX_BYTES);
            exchange.fail(format_args!(
                "one call of a dialect may ask for at most {effects} things and write {bytes} bytes"
            ));
        }
        speech.answer = exchange.answer;
        let effects = exchange.effects;
        // Local invariant: an event makes at most two calls. A third one would not be recorded.
        let _ = speech.spoken.0.try_push(DialectCall { call, effects });
        Some(call)
    }
}
