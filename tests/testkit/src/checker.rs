//! Checks a connection's actions from outside, event by event, against the invariants I1 to I12.
//!
//! The checker sees only events and actions, nothing inside the core. So it can also check a driver's
//! journal. One run cannot show I9 and I10: see [`Rig`](crate::Rig).

mod after;
mod attempts;
mod budget;
mod jumps;
mod pulse;
mod refusals;
mod renewal;
mod retries;
mod speech;
#[cfg(test)]
mod tests;
mod violation;

use core::time::Duration;
use std::sync::Arc;

use gateway_core::{
    Action, Actions, Config, ConnectionState, DisconnectCause, Event, Frame, HeartbeatKind,
    Instant, Login, Notice, Observed, Outgoing, SocketId, UnixMillis,
};

use crate::unlisted::unlisted;

use attempts::Wait;
use budget::Asked;
use jumps::Jumps;
use pulse::{Pulse, echo};
use renewal::Renewal;
use retries::{Loss, Retries};
use speech::{Terms, beats, stamp_of};
pub use violation::{Invariant, Verdict, Violation};
use violation::{broken, hold};

/// The checker of one connection. It gets every event with its actions, and reports a broken invariant.
///
/// ```
/// use std::sync::Arc;
/// use gateway_core::{Config, Connection, Event, Instant};
/// use gateway_testkit::Checker;
///
/// let config = Arc::new(Config::default());
/// let mut checker = Checker::new(Arc::clone(&config));
/// let mut connection = Connection::from_seed(config, 7);
/// let (now, event) = (Instant::ZERO, Event::ConnectRequested);
/// let actions = connection.handle(now, event);
/// checker.observe(&connection.observed(now, event, &actions))?;
/// # Ok::<(), gateway_testkit::Violation>(())
/// ```
#[derive(Clone, Debug)]
pub struct Checker {
    config: Arc<Config>,
    now: Instant,
    state: ConnectionState,
    timer: Option<Instant>,
    last_socket: u64,
    socket: Socket,
    /// When the current state must end; `None` if it has no deadline.
    stage_due: Option<Instant>,
    is_wanted: bool,
    retries: Retries,
    loss: Option<Loss>,
    wait: Option<Wait>,
    /// The open that the machine asked for, until it is reserved.
    asked: Option<Asked>,
    /// When the reserved open is, until it is used.
    granted: Option<Instant>,
    opened_at: Option<Instant>,
    jumps: Jumps,
    pulse: Option<Pulse>,
    renewal: Option<Renewal>,
    /// When the last reconnect on purpose begins its attempt; once its socket opens, when that is.
    reconnect_at: Option<Instant>,
    /// When the last reconnect on purpose opened its socket.
    replaced_at: Option<Instant>,
    /// The attempt that was last dropped while the provider was asked.
    unasked: Option<SocketId>,
    /// The socket that was last aborted.
    aborted: Option<SocketId>,
    /// The verdict of a refused login whose socket is still open.
    refusal: Option<gateway_core::Verdict>,
    /// Whether there was one before the event.
    was_refused: bool,
    /// Whether the dialect has refused the login during the event.
    is_refused_by_dialect: bool,
    /// What the dialect has set on the socket.
    terms: Terms,
    /// Whether the dialect is called at all. It is known once a socket has opened.
    is_silent: Option<bool>,
    /// How many effects of the current event are accounted for.
    heard: usize,
    /// The verdict of a dialect that has left the server.
    left: Option<gateway_core::Verdict>,
}

#[derive(Clone, Copy, Debug)]
enum Socket {
    None,
    /// The provider is asked. `is_on_purpose` after a reconnect on purpose.
    Asked {
        id: SocketId,
        is_on_purpose: bool,
    },
    Opening(SocketId),
    Open {
        id: SocketId,
        is_reading: bool,
        close_sent: bool,
    },
}

impl Checker {
    /// A checker for a new connection with these settings.
    #[must_use]
    pub fn new(config: Arc<Config>) -> Self {
        Self {
            config,
            now: Instant::ZERO,
            state: ConnectionState::Disconnected,
            timer: None,
            last_socket: 0,
            socket: Socket::None,
            stage_due: None,
            is_wanted: false,
            retries: Retries::default(),
            loss: None,
            wait: None,
            asked: None,
            granted: None,
            opened_at: None,
            jumps: Jumps::default(),
            pulse: None,
            renewal: None,
            reconnect_at: None,
            replaced_at: None,
            unasked: None,
            aborted: None,
            refusal: None,
            was_refused: false,
            is_refused_by_dialect: false,
            terms: Terms::default(),
            is_silent: None,
            heard: 0,
            left: None,
        }
    }

    /// Checks one event and its actions.
    ///
    /// # Errors
    /// The broken invariant. The checker cannot be used after it.
    pub fn observe(&mut self, seen: &Observed<'_>) -> Verdict {
        self.now = self.now.max(seen.now);
        hold(Invariant::I8, seen.actions.len() <= Actions::CAPACITY, || {
            format!("{} actions", seen.actions.len())
        })?;
        if self.is_stale(&seen.event) {
            return self.check_stale(seen);
        }
        let is_tick = matches!(seen.event, Event::Tick);
        let is_late = self.timer.is_some_and(|at| self.now > at);
        if is_tick && self.timer.is_none_or(|at| self.now < at) {
            return self.check_nothing_done(seen, Invariant::I2);
        }
        if let Some(pulse) = &mut self.pulse
            && is_late
        {
            pulse.came_late();
        }
        if let (Some(pulse), true) = (&mut self.pulse, is_tick) {
            pulse.on_tick(self.now);
        }
        self.check_calls(seen)?;
        self.was_refused = self.refusal.is_some();
        self.is_refused_by_dialect = false;
        self.heard = 0;
        self.loss = None;
        self.apply_event(&seen.event);
        if let Some(pulse) = self.pulse.as_mut().filter(|_| beats(seen) > 0) {
            let is_probe = matches!(seen.event, Event::WallClock(_));
            let asked = pulse.on_turn(self.now, is_probe, &self.config);
            asked.or_else(|what| broken(Invariant::Order, what))?;
        }
        for action in seen.actions {
            self.apply(action, seen)?;
        }
        self.check_open(seen)?;
        self.catch_up_with_all(seen)?;
        self.check_farewell(seen)?;
        self.check_after(seen, is_tick)
    }

    /// Whether the event is of another socket than the live one, or impossible in its state.
    fn is_stale(&self, event: &Event<'_>) -> bool {
        let Some(socket) = event.socket() else { return false };
        let is_answer = matches!(event, Event::ProviderAnswered(_) | Event::ProviderFailed(..));
        let is_outcome = matches!(event, Event::SocketOpened(_) | Event::OpenFailed(..));
        match self.socket {
            Socket::None => true,
            Socket::Asked { id, .. } => socket != id || !is_answer,
            Socket::Opening(id) => socket != id || !is_outcome,
            Socket::Open { id, .. } => socket != id || is_outcome || is_answer,
        }
    }

    fn check_stale(&self, seen: &Observed<'_>) -> Verdict {
        let Some(socket) = seen.event.socket() else { return Ok(()) };
        let told = Action::Notify(Notice::Stale { what: seen.event.kind(), socket });
        let is_opened = matches!(seen.event, Event::SocketOpened(_));
        let expected = match self.live() {
            Some(id) if id == socket => vec![told],
            _ if is_opened => vec![told, Action::CloseSocket(socket)],
            _ => vec![told],
        };
        hold(Invariant::I1, seen.actions == expected && seen.spoken.is_empty(), || {
            format!("stale {:?} yielded {:?}", seen.event, seen.actions)
        })?;
        self.check_unmoved(seen, Invariant::I1)
    }

    fn check_nothing_done(&self, seen: &Observed<'_>, invariant: Invariant) -> Verdict {
        hold(invariant, seen.actions.is_empty() && seen.spoken.is_empty(), || {
            format!("{:?} out of turn yielded {:?}", seen.event, seen.actions)
        })?;
        self.check_unmoved(seen, invariant)
    }

    fn check_unmoved(&self, seen: &Observed<'_>, invariant: Invariant) -> Verdict {
        hold(invariant, seen.state == self.state && seen.deadline == self.timer, || {
            format!("{:?} moved the state to {:?}, {:?}", seen.event, seen.state, seen.deadline)
        })
    }

    fn live(&self) -> Option<SocketId> {
        match self.socket {
            Socket::None => None,
            Socket::Asked { id, .. } | Socket::Opening(id) | Socket::Open { id, .. } => Some(id),
        }
    }

    /// Records the event itself.
    fn apply_event(&mut self, event: &Event<'_>) {
        match *event {
            Event::ConnectRequested => self.is_wanted = true,
            Event::ReconnectRequested => self.is_wanted |= self.state != ConnectionState::Closing,
            Event::CloseRequested(_) => self.is_wanted = false,
            Event::SocketOpened(id) => {
                self.socket = Socket::Open { id, is_reading: true, close_sent: false };
                self.terms = Terms::default();
                self.stage_due = match self.config.login() {
                    Login::Message { timeout, .. }
                    | Login::External { timeout }
                    | Login::Dialect { timeout } => Some(self.now.saturating_add(*timeout)),
                    _ => None,
                };
            }
            Event::OpenFailed(..) | Event::ProviderFailed(..) => self.socket = Socket::None,
            Event::FrameReceived(..) | Event::BytesReceived(_) => {
                let now = self.now;
                if let Some(pulse) = &mut self.pulse
                    && !self.config.heartbeat_strict()
                {
                    pulse.on_life(now);
                    pulse.on_byte(now);
                }
            }
            Event::ReadingPaused(_) => self.set_reading(false),
            Event::ReadingResumed(_) => self.set_reading(true),
            Event::WallClock(wall) => self.retries.told_wall(self.now, wall),
            Event::PingHeld(_, backlog) => {
                if let Some(pulse) = &mut self.pulse {
                    pulse.on_held(self.now, backlog, &self.config);
                }
            }
            Event::WriteProgressed(_) => {
                if let Some(pulse) = &mut self.pulse {
                    pulse.on_progress(self.now);
                }
            }
            Event::PingHanded(_, unproven) => {
                if let Some(pulse) = &mut self.pulse {
                    pulse.on_handed(self.now, unproven, &self.config);
                }
            }
            Event::OpenReserved(at) => self.open_reserved(at),
            Event::ProviderAnswered(_)
            | Event::SocketFailed(..)
            | Event::WriteBlocked(_)
            | Event::Flushed(_)
            | Event::SendRequested(_)
            | Event::LoginAccepted
            | Event::LoginRejected(_)
            | Event::NetworkChanged(_)
            | Event::Drained(_)
            | Event::Tick => {}
        }
    }

    fn set_reading(&mut self, reading: bool) {
        if let Socket::Open { is_reading, .. } = &mut self.socket {
            *is_reading = reading;
        }
        match &mut self.pulse {
            Some(pulse) if reading => pulse.on_resumed(self.now),
            Some(pulse) => pulse.on_paused(),
            None => {}
        }
    }

    fn apply(&mut self, action: &Action, seen: &Observed<'_>) -> Verdict {
        match *action {
            Action::AskProvider { id, credentials } => self.ask(id, credentials, &seen.event),
            Action::OpenSocket { id, credentials } => self.open(id, credentials, &seen.event),
            Action::ReserveOpen(at) => self.reserve_open(at, seen),
            Action::ReleaseOpen => self.release_open(seen),
            Action::Send(id, outgoing) => self.send(id, outgoing, seen),
            Action::CloseSocket(id) => self.drop_socket(id),
            Action::AbortSocket(id) => {
                let close_sent = matches!(self.socket, Socket::Open { close_sent: true, .. });
                let is_asked = matches!(self.socket, Socket::Asked { .. });
                hold(Invariant::Order, !is_asked, || format!("{id} is aborted and not open"))?;
                self.drop_socket(id)?;
                self.aborted = Some(id);
                hold(Invariant::I11, !close_sent, || format!("{id} is aborted after its Close"))
            }
            Action::Drain(id) => self.drain(id, seen),
            Action::ResumeAt(_) => {
                let is_open = matches!(self.socket, Socket::Open { .. });
                hold(Invariant::Order, is_open, || "a dialect resumes without a socket".to_string())
            }
            Action::ScheduleTimer(at) => {
                let moved = self.timer != Some(at);
                self.timer = Some(at);
                hold(Invariant::I2, moved, || format!("the timer was armed for {at:?} again"))
            }
            Action::CancelTimer => {
                let was_armed = self.timer.take().is_some();
                hold(Invariant::I2, was_armed, || "no timer to cancel".to_string())
            }
            Action::Deliver => self.deliver(seen),
            Action::Notify(notice) => self.notice(notice, seen),
        }
    }

    fn drop_socket(&mut self, id: SocketId) -> Verdict {
        let is_live = self.live() == Some(id);
        if let Socket::Asked { id, .. } = self.socket {
            self.unasked = Some(id);
        }
        self.socket = Socket::None;
        hold(Invariant::I1, is_live, || format!("dropped {id}, which is not live"))
    }

    fn send(&mut self, id: SocketId, outgoing: Outgoing, seen: &Observed<'_>) -> Verdict {
        match outgoing {
            Outgoing::Dialect(part) => self.said(part, false, seen)?,
            Outgoing::DialectPing(part) => self.said(part, true, seen)?,
            Outgoing::Close(code) => self.leaves_with(code, seen)?,
            Outgoing::Requested
            | Outgoing::RequestedClose
            | Outgoing::Login
            | Outgoing::Ping(_)
            | Outgoing::Pong(_)
            | Outgoing::WebSocketPing(_) => {}
        }
        let Socket::Open { id: live, close_sent, .. } = &mut self.socket else {
            return broken(Invariant::I1, format!("{outgoing:?} to {id}, which is not open"));
        };
        let (is_live, was_sent) = (*live == id, *close_sent);
        *close_sent |= matches!(outgoing, Outgoing::Close(_) | Outgoing::RequestedClose);
        hold(Invariant::I1, is_live, || format!("{outgoing:?} to {id}"))?;
        hold(Invariant::I11, !was_sent, || format!("{outgoing:?} after the Close of {id}"))?;
        self.check_silence_of_refused(outgoing)?;
        let kind = self.config.heartbeat_kind();
        let fits = match outgoing {
            Outgoing::Requested => matches!(seen.event, Event::SendRequested(_)),
            Outgoing::RequestedClose => matches!(seen.event, Event::CloseRequested(_)),
            Outgoing::Close(_) => true,
            Outgoing::Login => matches!(seen.event, Event::SocketOpened(_)),
            Outgoing::Pong(_) => matches!(seen.event, Event::FrameReceived(_, Frame::Text(_))),
            Outgoing::Ping(_) => kind == HeartbeatKind::Json && self.pulse.is_some(),
            Outgoing::WebSocketPing(_) => kind == HeartbeatKind::Ping && self.pulse.is_some(),
            Outgoing::Dialect(_) => true, // it has asked for it
            Outgoing::DialectPing(_) => kind == HeartbeatKind::Dialect && self.pulse.is_some(),
        };
        hold(Invariant::Order, fits, || format!("{outgoing:?} on {:?}", seen.event))?;
        let stamp = match outgoing {
            Outgoing::Ping(stamp) => stamp.map(|UnixMillis(millis)| millis),
            Outgoing::WebSocketPing(number) => Some(number),
            Outgoing::DialectPing(_) => stamp_of(seen),
            Outgoing::Requested
            | Outgoing::RequestedClose
            | Outgoing::Close(_)
            | Outgoing::Login
            | Outgoing::Dialect(_)
            | Outgoing::Pong(_) => return Ok(()),
        };
        let is_probe = matches!(seen.event, Event::WallClock(_));
        hold(Invariant::Order, is_probe || matches!(seen.event, Event::Tick), || {
            format!("a ping on {:?}", seen.event)
        })?;
        let Some(pulse) = &mut self.pulse else { return Ok(()) };
        let asked = pulse.on_ping(self.now, stamp, is_probe, &self.config);
        asked.or_else(|what| broken(Invariant::Order, what))
    }

    fn deliver(&mut self, seen: &Observed<'_>) -> Verdict {
        let is_message =
            matches!(seen.event, Event::FrameReceived(_, Frame::Text(_) | Frame::Binary(_)));
        let is_open = matches!(self.socket, Socket::Open { .. });
        // A message that a dialect takes for a pong is one nevertheless.
        let is_json = self.config.heartbeat_kind() == HeartbeatKind::Json;
        let is_pong =
            is_json && notices(seen).any(|notice| matches!(notice, Notice::PongReceived { .. }));
        let times = seen.actions.iter().filter(|a| matches!(a, Action::Deliver)).count();
        hold(Invariant::I1, is_message && is_open && times == 1, || {
            format!("delivered {:?}", seen.event)
        })?;
        let now = self.now;
        if let Some(pulse) = &mut self.pulse
            && !is_pong
        {
            pulse.on_data(now);
        }
        Ok(())
    }

    fn notice(&mut self, notice: Notice, seen: &Observed<'_>) -> Verdict {
        match notice {
            Notice::StateChanged { from, to, .. } => self.changed(from, to),
            Notice::Ready { socket, .. } => {
                self.accepted(seen)?;
                let Socket::Open { id, is_reading, .. } = self.socket else {
                    return broken(Invariant::I1, format!("{socket} is ready and not open"));
                };
                self.stage_due = None;
                self.pulse = Some(Pulse::new(self.now, is_reading, &self.terms, &self.config));
                self.renewal = Renewal::new(self.now, &self.config);
                hold(Invariant::I1, id == socket, || format!("{socket} is ready, {id} is live"))
            }
            Notice::LoginRefused { socket, verdict } => {
                let is_live = self.live() == Some(socket);
                hold(Invariant::I1, is_live, || format!("the login of {socket} is refused"))?;
                self.login_refused(verdict, seen)
            }
            Notice::Disconnected { socket, cause } => self.disconnected(socket, cause, seen),
            Notice::RetryScheduled { attempt, delay, cause, because } => {
                self.scheduled(attempt, delay, cause, because)
            }
            Notice::PongReceived { .. } => {
                let echo = match self.config.heartbeat_kind() {
                    HeartbeatKind::Dialect => self.dialects_pong(seen)?,
                    _ => echo(&seen.event),
                };
                if let Some(pulse) = &mut self.pulse {
                    pulse.on_pong(self.now, echo, &self.config);
                }
                Ok(())
            }
            Notice::EffectIgnored { .. } => self.effect_ignored(seen),
            Notice::GaveUp { cause } => self.gave_up(cause),
            Notice::ClockJumped { by } => self.jumped(by),
            Notice::Stale { .. } => broken(Invariant::I1, format!("{notice:?} of a live socket")),
            Notice::PingSent { .. } | Notice::SendRejected(_) => Ok(()),
            unknown => unlisted(file!(), &unknown),
        }
    }

    fn changed(&mut self, from: ConnectionState, to: ConnectionState) -> Verdict {
        use ConnectionState::{
            Authenticated, Closed, Closing, Connected, Connecting, Disconnected,
        };
        let shares_budget = self.config.shares_budget();
        let may_follow = match from {
            Closing | Closed if shares_budget && to == Disconnected => true,
            Disconnected => matches!(to, Connecting | Closed),
            Connecting => matches!(to, Connected | Disconnected | Closed),
            Connected => matches!(to, Authenticated | Closing | Disconnected | Closed),
            Authenticated => matches!(to, Closing | Disconnected | Closed),
            Closing => matches!(to, Closed | Connecting),
            Closed => matches!(to, Connecting),
        };
        hold(Invariant::Order, from == self.state && may_follow, || {
            format!("{from} to {to}, from {}", self.state)
        })?;
        self.state = to;
        match to {
            Disconnected | Closed => {
                self.stage_due = None;
                if from == Closing || from == Closed {
                    self.retries.reset(); // connect(), which waits for the shared budget
                }
            }
            Closing => {
                self.stage_due = Some(self.now.saturating_add(self.config.close_timeout()));
                self.pulse = None;
                self.renewal = None;
                self.refusal = None; // close() wins
            }
            Connecting => {
                if !shares_budget && (from != Disconnected || self.wait.is_none()) {
                    self.retries.reset(); // connect() from idle, CLOSING or CLOSED
                }
            }
            Connected | Authenticated => {}
        }
        if to == Closed {
            self.wait = None;
        }
        Ok(())
    }

    fn disconnected(
        &mut self,
        id: SocketId,
        cause: DisconnectCause,
        seen: &Observed<'_>,
    ) -> Verdict {
        hold(Invariant::I1, id.number() == self.last_socket && self.live().is_none(), || {
            format!("{id} is told gone, {:?} stands", self.socket)
        })?;
        // Only a dead peer is aborted.
        let is_dead = matches!(cause, DisconnectCause::PongTimeout | DisconnectCause::WriteStall);
        hold(Invariant::Order, is_dead == (self.aborted == Some(id)), || {
            format!("{id} is left for {cause:?}, aborted: {:?}", self.aborted)
        })?;
        let mut ruling = None;
        if let DisconnectCause::LoginRefused(code) = cause {
            ruling = Some(self.check_refusal(id, code, seen)?);
        }
        hold(Invariant::Order, self.refusal.is_none(), || {
            format!("{id} is left for {cause:?}, and its login was refused")
        })?;
        let is_due = self.stage_due.is_some_and(|at| self.now >= at) && seen.event == Event::Tick;
        match cause {
            DisconnectCause::PongTimeout
            | DisconnectCause::WriteStall
            | DisconnectCause::DataTimeout => {
                let Some(pulse) = &self.pulse else {
                    return broken(Invariant::I6, format!("{cause:?} while not ready"));
                };
                let judged = pulse.may_end(self.now, cause, &self.config);
                let judged = judged.and_then(|()| match seen.event {
                    Event::Tick => Ok(()),
                    event => Err(format!("{cause:?} on {event:?}")),
                });
                judged.or_else(|what| broken(Invariant::I6, what))?;
            }
            DisconnectCause::AttemptTimeout
            | DisconnectCause::ConnectTimeout
            | DisconnectCause::LoginTimeout => {
                hold(Invariant::I6, is_due, || format!("{cause:?} before {:?}", self.stage_due))?;
                if cause == DisconnectCause::ConnectTimeout {
                    self.retries.timed_out();
                }
            }
            DisconnectCause::Dialect => {
                ruling = self.left.take();
                hold(Invariant::Order, ruling.is_some(), || format!("{id}: it did not leave"))?;
            }
            DisconnectCause::Provider => {
                let failed = matches!(seen.event, Event::ProviderFailed(..));
                hold(Invariant::Order, failed, || format!("{cause:?} on {:?}", seen.event))?;
            }
            DisconnectCause::CloseTimeout => {
                hold(Invariant::I7, is_due, || format!("{cause:?} before {:?}", self.stage_due))?;
            }
            DisconnectCause::Reconnect | DisconnectCause::Renewal => {
                self.check_replaced(id, cause, self.state, seen)?;
            }
            // The table of verdicts and the state's rules judge these.
            DisconnectCause::CloseReceived(_)
            | DisconnectCause::Lost(_)
            | DisconnectCause::ProtocolError(_)
            | DisconnectCause::OpenFailed(_)
            | DisconnectCause::LoginRefused(_)
            | DisconnectCause::Requested => {}
            unknown => unlisted(file!(), &unknown),
        }
        self.renewal = None;
        if matches!(cause, DisconnectCause::Reconnect | DisconnectCause::Renewal) {
            self.retries.replaced(self.pulse.is_some());
        }
        let was_ready = self.pulse.is_some();
        if let Some(pulse) = self.pulse.take() {
            let ready_for = self.now.saturating_duration_since(pulse.since);
            self.retries.lost_after(ready_for, &self.config);
        }
        if let (DisconnectCause::Provider, Event::ProviderFailed(_, verdict)) = (cause, seen.event)
        {
            ruling = Some(verdict);
        }
        let verdict = ruling.unwrap_or_else(|| retries::verdict_on(cause, &self.config));
        self.loss = Some(self.retries.loss(self.now, cause, verdict, was_ready, &self.config));
        Ok(())
    }

    fn jumped(&mut self, by: Duration) -> Verdict {
        self.retries.slept(by);
        if let Some(pulse) = &mut self.pulse {
            pulse.on_jump(self.now);
        }
        let in_force = self.pulse.as_ref().map(|_| self.terms.interval(&self.config));
        let interval = in_force.unwrap_or(self.config.heartbeat_interval());
        let judged = self.jumps.on_jump(self.now, by, self.is_waiting(), interval, &self.config);
        judged.or_else(|what| broken(Invariant::Order, what))
    }
}

fn notices<'a>(seen: &Observed<'a>) -> impl Iterator<Item = &'a Notice> + use<'a> {
    seen.actions.iter().filter_map(|action| match action {
        Action::Notify(notice) => Some(notice),
        Action::AskProvider { .. }
        | Action::OpenSocket { .. }
        | Action::ReserveOpen(_)
        | Action::ReleaseOpen
        | Action::Send(..)
        | Action::CloseSocket(_)
        | Action::AbortSocket(_)
        | Action::Drain(_)
        | Action::ResumeAt(_)
        | Action::ScheduleTimer(_)
        | Action::CancelTimer
        | Action::Deliver => None,
    })
}
