//! A refused login: its cause, how the wait for the peer's Close may end, and the verdict.

use gateway_core::{
    Action, CloseCode, Config, Event, Failure, Frame, LoginAnswer, Notice, Observed, Outgoing,
    SocketId, Verdict as Ruling,
};

use crate::unlisted::unlisted;

use super::violation::{Invariant, Verdict, broken, hold};
use super::{Checker, notices};

/// The codes of a server that is restarting or overloaded.
const PASSING: [u16; 3] = [1012, 1013, 1014];

impl Checker {
    /// The core reports a refusal, which a matching rule or the embedder caused.
    pub(super) fn login_refused(&mut self, verdict: Ruling, seen: &Observed<'_>) -> Verdict {
        let said = match seen.event {
            Event::LoginRejected(verdict) => Some(verdict),
            _ => match self.judged(seen) {
                LoginAnswer::Refused(verdict) if self.pulse.is_none() => Some(verdict),
                _ => {
                    self.is_refused_by_dialect = true;
                    self.refused_by_dialect(seen)?
                }
            },
        };
        hold(Invariant::Order, said == Some(verdict) && self.refusal.is_none(), || {
            format!("{:?} refused the login: {verdict:?}", seen.event)
        })?;
        self.refusal = Some(verdict);
        self.stage_due = Some(self.now.saturating_add(self.config.close_timeout()));
        Ok(())
    }

    /// The socket of a refused login is lost. Checks its cause and the end of the wait, and returns the verdict.
    pub(super) fn check_refusal(
        &mut self,
        id: SocketId,
        code: Option<CloseCode>,
        seen: &Observed<'_>,
    ) -> Result<Ruling, super::Violation> {
        let Some(verdict) = self.refusal.take() else {
            return Err(super::Violation {
                invariant: Invariant::Order,
                what: format!("{id} is left for a login that nobody refused"),
            });
        };
        let is_due = self.stage_due.is_some_and(|at| self.now >= at);
        let has_jumped = notices(seen).any(|n| matches!(n, Notice::ClockJumped { .. }));
        let received = match seen.event {
            Event::FrameReceived(_, Frame::Close(frame)) => Some(frame.map(|frame| frame.code())),
            _ => None,
        };
        let by_dialect = core::mem::take(&mut self.is_refused_by_dialect);
        let (ends, farewell) = match seen.event {
            // A ready connection does not wait.
            _ if by_dialect && self.pulse.is_some() => (true, Some(CloseCode::GOING_AWAY)),
            Event::FrameReceived(_, Frame::Close(_)) => (true, None),
            Event::SocketFailed(_, failure) => (true, breach(failure)),
            Event::Tick => (is_due, Some(CloseCode::GOING_AWAY)),
            Event::ReconnectRequested => (true, Some(CloseCode::GOING_AWAY)),
            Event::WallClock(_) => (has_jumped, Some(CloseCode::GOING_AWAY)),
            Event::LoginRejected(_) => (self.pulse.is_some(), Some(CloseCode::GOING_AWAY)),
            _ => (false, None),
        };
        hold(Invariant::I6, ends && code == received.flatten(), || {
            format!("{:?} ended the wait of a refused login with {code:?}", seen.event)
        })?;
        let expected: Vec<_> =
            farewell.map(|code| Action::Send(id, Outgoing::Close(code))).into_iter().collect();
        // During one event, the dialect may send something and then refuse the login.
        let is_before = |outgoing| {
            matches!(outgoing, Outgoing::Login | Outgoing::Dialect(_) | Outgoing::DialectPing(_))
        };
        let is_send = |action: &&Action| matches!(action, Action::Send(_, out) if !is_before(*out));
        let sent: Vec<_> = seen.actions.iter().filter(is_send).copied().collect();
        hold(Invariant::I11, sent == expected, || format!("{sent:?} on leaving {id}"))?;
        Ok(received.map_or(verdict, |code| softened(verdict, code, &self.config)))
    }

    /// During the wait nothing is sent but a Close.
    pub(super) fn check_silence_of_refused(&self, outgoing: Outgoing) -> Verdict {
        let is_close = matches!(outgoing, Outgoing::Close(_) | Outgoing::RequestedClose);
        if self.refusal.is_some() && !is_close {
            return broken(Invariant::I12, format!("{outgoing:?} after the login was refused"));
        }
        Ok(())
    }
}

/// The close code after a protocol error.
fn breach(failure: Failure) -> Option<CloseCode> {
    match failure {
        Failure::Protocol => Some(CloseCode::PROTOCOL_ERROR),
        Failure::InvalidUtf8 => Some(CloseCode::INVALID_PAYLOAD),
        Failure::TooBig => Some(CloseCode::TOO_BIG),
        Failure::Eof | Failure::Reset | Failure::Io | Failure::Tls => None,
        unknown => unlisted(file!(), &unknown),
    }
}

/// The verdict after this Close: a code that may soften makes it milder.
fn softened(verdict: Ruling, code: Option<CloseCode>, config: &Config) -> Ruling {
    let number = code.map_or(1005, CloseCode::number);
    let mut rules = config.policy().rules();
    let is_named = rules.any(|rule| rule.first() <= number && number <= rule.last());
    let by = config.policy().judge(number).verdict();
    let harshness = |verdict| match verdict {
        Ruling::Retry => 0,
        Ruling::RetryNoSoonerThan(_) => 1,
        Ruling::RefreshCredentials => 2,
        Ruling::Fatal => 3,
    };
    let may_soften = is_named || PASSING.contains(&number);
    if may_soften && harshness(by) < harshness(verdict) { by } else { verdict }
}
