//! What a transition works with: the time, the settings, the randomness, and its actions.

use core::time::Duration;

use rand_core::Rng;

use crate::action::{
    Action, Actions, Because, Credentials, DisconnectCause, GiveUpCause, Notice, Outgoing,
    RetryCause, SendRejection,
};
use crate::config::Config;
use crate::dialect::{DialectCall, DialectCallKind, Effect, Moment, Received, Voice};
use crate::event::{EventKind, Message, RetryAfter};
use crate::machine::{
    Asking, Closed, Connecting, Memory, Ready, Reason, State, Terms, Turn, Waiting,
};
use crate::policy::Verdict;
use crate::retry::Decision;
use crate::state::{ConnectionState, SocketId};
use crate::tally::Tally;
use crate::time::{Compact, Instant};

pub(crate) struct Context<'a> {
    pub(crate) now: Instant,
    pub(crate) event: EventKind,
    pub(crate) config: &'a Config,
    pub(crate) voice: Voice<'a>,
    pub(crate) random: &'a mut dyn Rng,
    pub(crate) memory: &'a mut Memory,
    pub(crate) tally: &'a mut Tally,
    pub(crate) actions: &'a mut Actions,
}

/// A socket that is gone, and everything that decides what follows.
pub(crate) struct Loss {
    pub(crate) from: ConnectionState,
    pub(crate) socket: SocketId,
    pub(crate) cause: DisconnectCause,
    pub(crate) verdict: Verdict,
    pub(crate) retry_after: Option<RetryAfter>,
    /// The attempt's credentials, if no server has judged them; otherwise `Cached`.
    pub(crate) unjudged: Credentials,
    /// The cause to report if the verdict is fatal.
    pub(crate) fatal: GiveUpCause,
}

/// When the next attempt comes, and why.
struct Wait {
    delay: Duration,
    not_before: Option<Compact>,
    credentials: Credentials,
    reason: Reason,
    cause: RetryCause,
    because: Because,
}

impl Context<'_> {
    pub(crate) fn act(&mut self, action: Action) {
        self.actions.push(action);
    }

    pub(crate) fn notify(&mut self, notice: Notice) {
        self.act(Action::Notify(notice));
    }

    pub(crate) fn send(&mut self, socket: SocketId, outgoing: Outgoing) {
        self.tally.count_frame_out();
        self.act(Action::Send(socket, outgoing));
    }

    /// The time and the socket of a dialect's call.
    fn moment(&self, socket: SocketId) -> Moment {
        Moment { now: self.now, wall_clock: self.memory.wall_clock_now(), socket }
    }

    /// Calls the dialect's [`opened`](crate::Dialect::opened).
    #[inline]
    pub(crate) fn tell_opened(&mut self, socket: SocketId) {
        if self.voice.is_silent() {
            return;
        }
        let moment = self.moment(socket);
        self.voice.opened(moment);
    }

    /// Shows a message to the dialect. Returns whether the application gets the message.
    #[inline]
    pub(crate) fn show(&mut self, socket: SocketId, message: Message<'_>) -> Received {
        if self.voice.is_silent() {
            return Received::Deliver;
        }
        let moment = self.moment(socket);
        self.voice.received(moment, message)
    }

    /// Asks the dialect for a ping.
    pub(crate) fn ask_for_ping(&mut self, socket: SocketId) {
        let moment = self.moment(socket);
        self.voice.heartbeat(moment);
    }

    /// Counts an interval of zero that the dialect set, and reports the first one of a socket.
    pub(crate) fn ignore_effect(&mut self, socket: SocketId, terms: &mut Terms) {
        self.voice.count_ignored();
        if !core::mem::replace(&mut terms.is_ignored_reported, true) {
            self.notify(Notice::EffectIgnored { socket });
        }
    }

    /// Sends what the dialect has to say before our Close frame.
    #[inline]
    pub(crate) fn say_farewell(&mut self, socket: SocketId) {
        if !self.voice.is_silent() {
            self.let_say_farewell(socket);
        }
    }

    #[inline(never)]
    fn let_say_farewell(&mut self, socket: SocketId) {
        let moment = self.moment(socket);
        self.voice.closing(moment);
        let call = self.voice.newest().filter(|call| call.call == DialectCallKind::Closing);
        for effect in call.cloned().into_iter().flat_map(|DialectCall { effects, .. }| effects) {
            match effect {
                Effect::Send(part) => self.send(socket, Outgoing::Dialect(part)),
                Effect::Stamp(_)
                | Effect::LoginAccepted
                | Effect::LoginRefused { .. }
                | Effect::Pong(_)
                | Effect::SetHeartbeat { .. }
                | Effect::ExpectWithin(_)
                | Effect::Leave { .. }
                | Effect::ResumeAt(_) => self.voice.count_ignored(),
            }
        }
    }

    pub(crate) fn reject(&mut self, why: SendRejection) {
        self.notify(Notice::SendRejected(why));
    }

    pub(crate) fn changed(
        &mut self,
        from: ConnectionState,
        to: ConnectionState,
        socket: Option<SocketId>,
    ) {
        self.notify(Notice::StateChanged { from, to, socket });
    }

    /// Counts and reports a stale event.
    pub(crate) fn stale(&mut self, socket: SocketId) {
        self.tally.count_stale();
        self.notify(Notice::Stale { what: self.event, socket });
    }

    /// Makes an attempt that waits for nothing but the shared budget, if there is one.
    #[inline]
    pub(crate) fn attempt_now(
        &mut self,
        from: ConnectionState,
        credentials: Credentials,
        reason: Reason,
        cause: RetryCause,
    ) -> State {
        if !self.config.shared_budget {
            return self.attempt(from, credentials, reason);
        }
        self.attempt_within_budget(from, credentials, reason, cause)
    }

    #[cold]
    fn attempt_within_budget(
        &mut self,
        from: ConnectionState,
        credentials: Credentials,
        reason: Reason,
        cause: RetryCause,
    ) -> State {
        if from != ConnectionState::Disconnected {
            self.changed(from, ConnectionState::Disconnected, None);
        }
        self.wait(&Wait {
            delay: Duration::ZERO,
            not_before: None,
            credentials,
            reason,
            cause,
            because: Because::Hint,
        })
    }

    /// Waits for the next attempt, and for its place in the shared budget, if there is one.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "otherwise a reconnect takes 37 instructions more")]
    fn wait(&mut self, wait: &Wait) -> State {
        let Wait { delay, not_before, credentials, reason, cause, because } = *wait;
        let retry_at = self.now.saturating_add(delay);
        let turn = self.take_turn(delay, cause, because);
        State::Waiting(Waiting { retry_at, not_before, credentials, reason, turn })
    }

    /// Reports when the next attempt comes. If the budget is shared, that is not known yet, and an open
    /// is reserved first.
    #[inline]
    pub(crate) fn take_turn(
        &mut self,
        delay: Duration,
        cause: RetryCause,
        because: Because,
    ) -> Turn {
        if self.config.shared_budget {
            self.act(Action::ReserveOpen(self.now.saturating_add(delay)));
            return Turn::Asked { cause, because };
        }
        self.retry_in(delay, cause, because);
        Turn::Own
    }

    /// From DISCONNECTED, CLOSING or CLOSED to CONNECTING, with a new socket id. If there is a
    /// provider, it is asked first.
    pub(crate) fn attempt(
        &mut self,
        from: ConnectionState,
        credentials: Credentials,
        reason: Reason,
    ) -> State {
        self.memory.last_socket = self.memory.last_socket.saturating_add(1);
        let socket = SocketId::new(self.memory.last_socket);
        self.changed(from, ConnectionState::Connecting, Some(socket));
        if !self.config.ask_provider {
            return self.open(socket, credentials, reason);
        }
        self.note(reason);
        self.act(Action::AskProvider { id: socket, credentials });
        let give_up_at = self.now.saturating_add(self.config.attempt_timeout);
        State::Asking(Asking { socket, credentials, give_up_at, reason })
    }

    pub(crate) fn open(
        &mut self,
        socket: SocketId,
        credentials: Credentials,
        reason: Reason,
    ) -> State {
        self.note(reason);
        self.act(Action::OpenSocket { id: socket, credentials });
        let timeout = self.memory.retry.connect_timeout(self.config);
        let give_up_at = self.now.saturating_add(timeout);
        State::Connecting(Connecting { socket, credentials, give_up_at })
    }

    /// The next reconnect on purpose comes at least `initial_delay` after this one has begun, and after
    /// it has opened its socket.
    fn note(&mut self, reason: Reason) {
        match reason {
            Reason::Purpose => self.memory.reconnect_at = Some(Compact::at(self.now)),
            Reason::Other => {}
        }
    }

    /// Starts afresh, on a connect request: from DISCONNECTED before the first one, CLOSING or
    /// CLOSED.
    pub(crate) fn attempt_afresh(&mut self, from: ConnectionState) -> State {
        self.memory.retry.reset();
        self.memory.since = self.now;
        self.attempt_now(from, Credentials::Cached, Reason::Other, RetryCause::Budget)
    }

    /// Counts and reports the end of a socket, which was open unless `from` is CONNECTING.
    pub(crate) fn disconnected(
        &mut self,
        from: ConnectionState,
        socket: SocketId,
        cause: DisconnectCause,
    ) {
        self.tally.count_end(cause);
        if from != ConnectionState::Connecting {
            self.voice.lost(cause);
        }
        self.notify(Notice::Disconnected { socket, cause });
    }

    /// A socket was left on purpose: opens the next one, now or when `initial_delay` has passed since
    /// the last socket that was opened in this way.
    pub(crate) fn replace(
        &mut self,
        from: ConnectionState,
        socket: SocketId,
        cause: DisconnectCause,
        credentials: Credentials,
    ) -> State {
        self.disconnected(from, socket, cause);
        self.changed(from, ConnectionState::Disconnected, Some(socket));
        let (retry_at, cause) = (self.next_reconnect(), RetryCause::Disconnected(cause));
        if retry_at <= self.now && !self.config.shared_budget {
            self.retry_in(Duration::ZERO, cause, Because::Hint);
            return self.attempt(ConnectionState::Disconnected, credentials, Reason::Purpose);
        }
        self.memory.reconnect_at = Some(Compact::at(retry_at));
        self.wait(&Wait {
            delay: retry_at.saturating_duration_since(self.now),
            not_before: None,
            credentials,
            reason: Reason::Purpose,
            cause,
            because: Because::Hint,
        })
    }

    /// When a reconnect on purpose may open a socket.
    pub(crate) fn next_reconnect(&self) -> Instant {
        let spacing = self.config.reconnect.backoff.initial();
        let last = self.memory.reconnect_at;
        last.map_or(self.now, |last| self.now.max(last.instant().saturating_add(spacing)))
    }

    /// A socket is lost: schedules a retry, or gives up.
    pub(crate) fn lose(&mut self, loss: &Loss) -> State {
        let Loss { from, socket, cause, verdict, retry_after, unjudged, fatal } = *loss;
        self.disconnected(from, socket, cause);
        let retry_after = retry_after.and_then(|header| self.span_of(header));
        let spread = self.spread_after(from);
        let decision = self.memory.retry.decide(
            verdict,
            retry_after,
            unjudged,
            spread,
            &self.config.reconnect,
            self.random,
        );
        match decision {
            Decision::Wait { delay, least, because, credentials } => {
                self.changed(from, ConnectionState::Disconnected, Some(socket));
                let not_before =
                    (!least.is_zero()).then(|| Compact::at(self.now.saturating_add(least)));
                self.wait(&Wait {
                    delay,
                    not_before,
                    credentials,
                    reason: Reason::Other,
                    cause: RetryCause::Disconnected(cause),
                    because,
                })
            }
            Decision::Fatal => self.give_up(from, socket, fatal),
            Decision::AttemptsSpent => self.give_up(from, socket, GiveUpCause::AttemptsSpent),
        }
    }

    /// The spread of the next retry: zero unless a ready connection was lost. With a login, a socket
    /// that is not ready has another state's name; without one, it is ready as soon as it is open.
    #[inline]
    fn spread_after(&self, from: ConnectionState) -> Duration {
        let spread = self.config.reconnect.spread;
        let is_off = spread.is_zero() || from != Ready::name(self.config);
        if is_off { Duration::ZERO } else { spread }
    }

    fn give_up(&mut self, from: ConnectionState, socket: SocketId, cause: GiveUpCause) -> State {
        self.changed(from, ConnectionState::Closed, Some(socket));
        self.notify(Notice::GaveUp { cause });
        State::Closed(Closed::GaveUp(cause))
    }

    pub(crate) fn retry_in(&mut self, delay: Duration, cause: RetryCause, because: Because) {
        let attempt = self.memory.retry.attempts();
        self.notify(Notice::RetryScheduled { attempt, delay, cause, because });
    }

    /// The span from now that a `Retry-After` asks for. `None` for a date if the wall clock is
    /// unknown.
    fn span_of(&self, header: RetryAfter) -> Option<Duration> {
        match header {
            RetryAfter::Seconds(seconds) => Some(Duration::from_secs(seconds)),
            RetryAfter::Date(date) => {
                let now = self.memory.wall_clock_now()?;
                Some(date.saturating_duration_since(now))
            }
        }
    }
}
