//! What a dialect asks for: the model is given the effects of each call, and says when a call must come.

use core::time::Duration;

use gateway_core::{
    Action, CloseCode, DialectCall, DialectCallKind, DisconnectCause, Effect, GiveUpCause,
    HeartbeatKind, Interest, Message, Notice, Outgoing, Spoken, Verdict,
};
use rand_core::Rng;

use super::{Reference, backoff};

/// The shortest and the longest span that a dialect can set.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(86_400);

/// What the dialect has said during an event, and what the model has heard of it.
#[derive(Clone, Debug)]
pub(super) struct Speech {
    pub(super) interest: Interest,
    is_silent: bool,
    /// The calls that the model has not met yet.
    pub(super) calls: Vec<DialectCall>,
    /// The call whose effects come after the event.
    newest: Option<DialectCall>,
    /// Why the core called the dialect when it must not, or did not call it when it must.
    pub(super) complaint: Option<String>,
}

impl Default for Speech {
    fn default() -> Self {
        let interest = Interest::NONE;
        Self { interest, is_silent: true, calls: Vec::new(), newest: None, complaint: None }
    }
}

impl Speech {
    /// `interest` is `None` for a dialect that is silent, which the core never calls.
    pub(super) fn of(interest: Option<Interest>, spoken: &Spoken) -> Self {
        let is_silent = interest.is_none();
        let interest = interest.unwrap_or(Interest::NONE);
        Self { interest, is_silent, calls: spoken.iter().cloned().collect(), ..Self::default() }
    }

    /// The core must have called the dialect now, in one of these ways.
    fn met(&mut self, kinds: &[DialectCallKind]) -> Option<DialectCall> {
        if self.is_silent {
            return None;
        }
        if !self.calls.first().is_some_and(|call| kinds.contains(&call.call)) {
            let told = format!("expected a call of {kinds:?}, and it was {:?}", self.calls);
            self.complaint.get_or_insert(told);
            return None;
        }
        Some(self.calls.remove(0))
    }
}

impl<R: Rng> Reference<R> {
    pub(super) fn tell_opened(&mut self) {
        self.speech.newest = self.speech.met(&[DialectCallKind::Opened]);
    }

    pub(super) fn ask_for_ping(&mut self) {
        self.speech.newest = self.speech.met(&[DialectCallKind::Heartbeat]);
    }

    /// Shows a message to the dialect if it wants to see it. Returns whether the application gets it.
    pub(super) fn show(&mut self, message: Message<'_>) -> bool {
        if !self.speech.interest.wants(message) {
            return true;
        }
        let kinds = [DialectCallKind::Delivered, DialectCallKind::Consumed];
        self.speech.newest = self.speech.met(&kinds);
        let newest = self.speech.newest.as_ref();
        newest.is_none_or(|call| call.call == DialectCallKind::Delivered)
    }

    /// Before our Close the dialect may send something, and do nothing else.
    pub(super) fn say_farewell(&mut self) {
        let Some(id) = self.socket else { return };
        let Some(call) = self.speech.met(&[DialectCallKind::Closing]) else { return };
        for effect in &call.effects {
            match effect {
                Effect::Send(part) => self.act(Action::Send(id, Outgoing::Dialect(*part))),
                _ => self.tally.effects_ignored += 1,
            }
        }
    }

    /// Does what the dialect asked for during the event.
    pub(super) fn obey(&mut self) {
        if let Some(call) = self.speech.newest.take() {
            let is_send = |effect: &Effect| matches!(effect, Effect::Send(_));
            let last = call.effects.iter().rposition(is_send);
            let ping = last.filter(|_| call.call == DialectCallKind::Heartbeat);
            let stamp = call.effects.iter().rev().find_map(|effect| match effect {
                Effect::Stamp(stamp) => Some(*stamp),
                _ => None,
            });
            for (place, effect) in call.effects.iter().enumerate() {
                self.obey_one(effect, ping == Some(place), ping.is_some(), stamp);
            }
        }
        if !self.speech.calls.is_empty() {
            let told = format!("expected no further call, and it was {:?}", self.speech.calls);
            self.speech.complaint.get_or_insert(told);
        }
    }

    fn obey_one(&mut self, effect: &Effect, is_ping: bool, has_ping: bool, stamp: Option<u64>) {
        let is_ready = self.ready_since.is_some();
        let is_logging_in = self.is_logging_in();
        let is_open = is_ready || is_logging_in;
        let Some(id) = self.socket else {
            self.tally.effects_ignored += 1;
            return;
        };
        match *effect {
            Effect::Send(part) if is_ready && is_ping => self.send_dialects_ping(part, stamp),
            Effect::Send(part) if is_open => self.act(Action::Send(id, Outgoing::Dialect(part))),
            Effect::Stamp(_) if is_ready && has_ping => {} // the ping has it
            Effect::LoginAccepted if is_logging_in => {
                self.become_ready(gateway_core::ConnectionState::Authenticated);
            }
            Effect::LoginRefused { verdict, .. } if is_logging_in => self.refuse_login(verdict),
            Effect::LoginRefused { verdict, .. } if is_ready => self.refuse_when_ready(verdict),
            Effect::Pong(stamp) if self.awaits_dialects_pong() => {
                self.on_pong(stamp.map(|stamp| stamp.min(u64::MAX - 1)));
            }
            Effect::SetHeartbeat { interval, timeout } if is_open => {
                self.set_pace(interval, timeout);
            }
            Effect::ExpectWithin(span) if is_open => {
                self.expected = (!span.is_zero()).then(|| clamped(span));
                self.expect_anew();
            }
            Effect::Leave { code, verdict, .. } if is_open => self.leave_by_dialect(code, verdict),
            Effect::ResumeAt(url) if is_open => self.act(Action::ResumeAt(url)),
            _ => self.tally.effects_ignored += 1,
        }
    }

    /// Only an answer to a ping of the dialect counts. In CLOSING, too.
    fn awaits_dialects_pong(&self) -> bool {
        let may_answer =
            self.ready_since.is_some() || self.state == gateway_core::ConnectionState::Closing;
        let is_dialects = self.config.heartbeat_kind() == HeartbeatKind::Dialect;
        may_answer && is_dialects && self.is_ping_out()
    }

    /// A heartbeat of no interval is none: it is reported once a socket.
    fn set_pace(&mut self, interval: Duration, timeout: Option<Duration>) {
        if interval.is_zero() {
            self.tally.effects_ignored += 1;
            let Some(socket) = self.socket else { return };
            if !core::mem::replace(&mut self.is_effect_told, true) {
                self.tell(Notice::EffectIgnored { socket });
            }
            return;
        }
        let interval = clamped(interval);
        let asked = timeout.filter(|timeout| !timeout.is_zero()).map(clamped);
        let timeout = asked.unwrap_or(self.timeout()).min(interval);
        self.pace = Some((interval, timeout));
        if self.ready_since.is_some() {
            self.ping_at = self.ping_at.map(|at| at.min(self.now.saturating_add(interval)));
        }
    }

    /// The span of the expectation starts now.
    pub(super) fn expect_anew(&mut self) {
        self.last_byte = self.now;
        self.silent_at = self.expected.map(|span| self.now.saturating_add(span));
    }

    fn leave_by_dialect(&mut self, code: CloseCode, verdict: Verdict) {
        let Some(id) = self.socket else { return };
        self.act(Action::Send(id, Outgoing::Close(code)));
        self.act(Action::CloseSocket(id));
        self.lose_by(DisconnectCause::Dialect, verdict, GiveUpCause::Dialect);
    }

    /// The heartbeat's interval on this socket.
    pub(super) fn interval(&self) -> Duration {
        self.pace.map_or(self.config.heartbeat_interval(), |(interval, _)| interval)
    }

    /// The heartbeat's timeout on this socket.
    pub(super) fn timeout(&self) -> Duration {
        self.pace.map_or(self.config.heartbeat_timeout(), |(_, timeout)| timeout)
    }
}

/// Within a second and a day.
fn clamped(span: Duration) -> Duration {
    backoff::whole_millis(span.min(LONGEST)).max(SHORTEST)
}
