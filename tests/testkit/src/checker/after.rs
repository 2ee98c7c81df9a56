//! What must hold after all actions of an event.

use gateway_core::{
    Action, ConnectionState, Event, HeartbeatKind, Instant, Notice, Observed, Outgoing,
};

use super::violation::{Invariant, Verdict, broken, hold};
use super::{Checker, Socket, notices, speech};

impl Checker {
    pub(super) fn check_after(&self, seen: &Observed<'_>, is_tick: bool) -> Verdict {
        let Observed { event, actions, state, deadline, .. } = *seen;
        hold(Invariant::Order, state == self.state, || format!("{state}, told {}", self.state))?;
        hold(Invariant::I2, deadline == self.timer, || {
            format!("the deadline is {deadline:?}, the timer {:?}", self.timer)
        })?;
        let timers = actions
            .iter()
            .filter(|a| matches!(a, Action::ScheduleTimer(_) | Action::CancelTimer))
            .count();
        let is_frame = matches!(event, Event::FrameReceived(..) | Event::BytesReceived(_));
        // A pong clears the pong timeout, a refusal begins the wait for a Close. Any other frame moves the timer only if it changes the state.
        let may_move = |n: &Notice| {
            matches!(
                n,
                Notice::StateChanged { .. }
                    | Notice::PongReceived { .. }
                    | Notice::LoginRefused { .. }
            )
        };
        let most =
            usize::from(!is_frame || notices(seen).any(may_move) || speech::moves_timer(seen));
        hold(Invariant::I2, timers <= most, || format!("{event:?} moved the timer: {actions:?}"))?;
        // A delay may be zero, and the last representable instant is always due.
        let is_due = deadline.is_some_and(|at| at <= self.now) && self.now < Instant::MAX;
        let is_left = is_tick && is_due && state != ConnectionState::Disconnected;
        let invariant =
            if state == ConnectionState::Closing { Invariant::I7 } else { Invariant::I6 };
        hold(invariant, !is_left, || format!("a Tick left {deadline:?} unheeded in {state}"))?;
        self.check_outcome(seen)?;
        self.check_probe(seen)?;
        self.check_requests(&event, state)?;
        self.check_deadline(state, deadline)?;
        if let Some(pulse) = &self.pulse {
            let judged = pulse
                .check(self.now, is_tick, deadline, self.renew_by(), &self.config)
                .and_then(|()| pulse.check_silence(self.now, is_tick, &self.config));
            judged.or_else(|what| broken(Invariant::I6, what))?;
        }
        self.check_renewal(seen)
    }

    /// Each message handed to send has exactly one outcome, and nothing else has one.
    fn check_outcome(&self, seen: &Observed<'_>) -> Verdict {
        let sent =
            seen.actions.iter().filter(|a| matches!(a, Action::Send(_, Outgoing::Requested)));
        let rejected = notices(seen).filter(|n| matches!(n, Notice::SendRejected(_)));
        let outcomes = sent.count() + rejected.count();
        let expected = usize::from(matches!(seen.event, Event::SendRequested(_)));
        hold(Invariant::I12, outcomes == expected, || {
            format!("{outcomes} outcomes of {:?}: {:?}", seen.event, seen.actions)
        })
    }

    /// A suspend of a ready connection is answered with one ping, or the one that is held becomes the probe.
    fn check_probe(&self, seen: &Observed<'_>) -> Verdict {
        let has_jumped = notices(seen).any(|n| matches!(n, Notice::ClockJumped { .. }));
        let Some(pulse) = self.pulse.as_ref().filter(|_| has_jumped) else { return Ok(()) };
        let is_ping = |a: &&Action| {
            matches!(a, Action::Send(_, Outgoing::Ping(_) | Outgoing::WebSocketPing(_)))
        };
        // A dialect may leave it at being asked.
        let pings = seen.actions.iter().filter(is_ping).count() + speech::beats(seen);
        let is_asked = self.config.heartbeat_kind() != HeartbeatKind::Off && !pulse.is_held();
        hold(Invariant::Order, pings == usize::from(is_asked), || {
            format!("{pings} probes after a clock jump: {pulse:?}")
        })
    }

    fn check_requests(&self, event: &Event<'_>, state: ConnectionState) -> Verdict {
        use ConnectionState::{Authenticated, Closed, Closing, Connected, Connecting};
        match event {
            Event::ConnectRequested => {
                let is_on =
                    matches!(state, Connecting | Connected | Authenticated) || self.asked.is_some();
                hold(Invariant::I3, is_on, || format!("{state} after a connect request"))
            }
            Event::ReconnectRequested => {
                let has_stayed = matches!(state, Connected | Authenticated);
                hold(Invariant::Order, !has_stayed, || format!("{state} after a reconnect"))
            }
            Event::CloseRequested(_) => {
                let is_ending = matches!(state, Closing | Closed);
                hold(Invariant::I7, is_ending, || format!("{state} after a close request"))
            }
            _ => Ok(()),
        }
    }

    /// When the retry is due. Under a shared budget nobody knows until its open is reserved.
    fn retry_due(&self) -> Option<Instant> {
        if self.config.shares_budget() { self.granted } else { self.wait.map(|wait| wait.due) }
    }

    /// Every state that must end has the deadline that it should have.
    fn check_deadline(&self, state: ConnectionState, deadline: Option<Instant>) -> Verdict {
        let (invariant, due) = match state {
            ConnectionState::Disconnected => (Invariant::I3, self.retry_due()),
            ConnectionState::Closed => (Invariant::I3, None),
            ConnectionState::Closing => (Invariant::I7, self.stage_due),
            ConnectionState::Connecting
            | ConnectionState::Connected
            | ConnectionState::Authenticated => {
                if self.pulse.is_some() {
                    return Ok(()); // the pulse is judged by itself
                }
                (Invariant::I6, self.stage_due)
            }
        };
        let is_wanted = state == ConnectionState::Disconnected && self.is_wanted;
        let is_reserving = self.asked.is_some();
        hold(Invariant::I3, !is_wanted || is_reserving || deadline.is_some(), || {
            "waits for nothing".to_string()
        })?;
        hold(invariant, deadline == due, || format!("{state} until {deadline:?}, not {due:?}"))?;
        let is_open = matches!(self.socket, Socket::None)
            == matches!(state, ConnectionState::Disconnected | ConnectionState::Closed);
        hold(Invariant::I1, is_open, || format!("{state} with {:?}", self.socket))
    }
}
