//! What every driver logs: a transition is one info line with its names, cause, attempt and delay.

use gateway_core::{
    CloseCode, ConnectionState, DisconnectCause, GiveUpCause, Notice, OpenError, SocketId,
};
use tracing::field::DebugValue;
use tracing::{debug, info, trace, warn};

use crate::event::ClientEvent;
use crate::outcome::{Fate, Outcome};

/// Joins the notices of one transition into one line. It remembers only the transition in hand.
#[derive(Debug, Default)]
pub(crate) struct Narrator {
    lost: Option<Lost>,
}

#[derive(Debug)]
struct Lost {
    socket: SocketId,
    cause: DisconnectCause,
    detail: Box<str>,
    states: Option<(ConnectionState, ConnectionState)>,
}

impl Narrator {
    #[inline]
    pub(crate) fn tell(&mut self, event: &ClientEvent) {
        match event {
            ClientEvent::Message(message) => trace!(bytes = message.len(), "message received"),
            news => self.tell_news(news),
        }
    }

    fn tell_news(&mut self, event: &ClientEvent) {
        match event {
            ClientEvent::Message(_) => {} // told apart: there are many
            ClientEvent::Outcome(outcome) => tell_outcome(outcome),
            ClientEvent::Disconnected { socket, cause, detail } => {
                let detail = detail.clone();
                self.lost = Some(Lost { socket: *socket, cause: *cause, detail, states: None });
            }
            ClientEvent::Notice(notice) => self.tell_notice(notice),
            ClientEvent::Missed { count } => debug!(count, "notices were dropped: none were taken"),
        }
    }

    fn tell_notice(&mut self, notice: &Notice) {
        match *notice {
            Notice::StateChanged { from, to, socket } => self.changed(from, to, socket),
            Notice::RetryScheduled { attempt, delay, cause, because } => {
                let (cause, because) = (cause.name(), because.name());
                let delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
                match self.lost.take() {
                    Some(Lost { socket, cause, detail, states: Some((from, to)) }) => {
                        let (code, http_status) = numbers(cause);
                        let detail = shown(&detail);
                        let cause = cause.name();
                        info!(
                            %socket, cause, code, http_status, detail, attempt, delay_ms, because,
                            "{from} -> {to}"
                        );
                    }
                    _ => info!(attempt, delay_ms, cause, because, "retry scheduled"),
                }
            }
            Notice::GaveUp { cause: gave_up } => self.gave_up(gave_up),
            Notice::Ready { socket, after } => debug!(%socket, ?after, "ready"),
            Notice::PingSent { socket } => trace!(%socket, "ping sent"),
            Notice::PongReceived { socket, round_trip } => {
                trace!(%socket, ?round_trip, "pong received");
            }
            Notice::Stale { what, socket } => {
                debug!(%socket, what = what.name(), "event of an old socket ignored");
            }
            Notice::ClockJumped { by } => info!(?by, "the machine was suspended"),
            _ => {}
        }
    }

    fn changed(&mut self, from: ConnectionState, to: ConnectionState, socket: Option<SocketId>) {
        let socket = socket.map(SocketId::number);
        let Some(lost) = &mut self.lost else {
            return info!(socket, "{from} -> {to}");
        };
        let asked =
            matches!(lost.cause, DisconnectCause::Requested | DisconnectCause::CloseTimeout);
        if asked {
            let cause = lost.cause.name();
            info!(socket, cause, "{from} -> {to}");
            self.lost = None;
        } else {
            lost.states = Some((from, to)); // the retry, or the end, is about to be told
        }
    }

    fn gave_up(&mut self, gave_up: GiveUpCause) {
        let reason = gave_up.name();
        match self.lost.take() {
            Some(Lost { socket, cause, detail, states: Some((from, to)) }) => {
                let (code, http_status) = numbers(cause);
                let detail = shown(&detail);
                let cause = cause.name();
                warn!(%socket, cause, code, http_status, detail, gave_up = reason, "{from} -> {to}");
            }
            _ => warn!(gave_up = reason, "gave up"),
        }
    }
}

/// The close code or the HTTP status of a disconnection, where it has one.
fn numbers(cause: DisconnectCause) -> (Option<u16>, Option<u16>) {
    match cause {
        DisconnectCause::CloseReceived(code) => (code.map(CloseCode::number), None),
        DisconnectCause::OpenFailed(OpenError::Http { status, .. }) => (None, Some(status)),
        _ => (None, None),
    }
}

/// A text of the peer's, escaped: it forges no line and moves no cursor. Nothing where it is empty.
fn shown(detail: &str) -> Option<DebugValue<&str>> {
    (!detail.is_empty()).then(|| tracing::field::debug(detail))
}

fn tell_outcome(outcome: &Outcome) {
    let (first, last) = (outcome.first.number(), outcome.last.number());
    match outcome.fate {
        Fate::Sent { socket } => trace!(%socket, first, last, "messages sent"),
        Fate::MaybeSent { socket } => {
            warn!(%socket, first, last, "messages partly written when the socket died");
        }
        Fate::Rejected => warn!(first, last, "messages not written when the socket died"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_the_peers_forges_no_line_and_an_empty_one_is_left_out() {
        let text = format!("{:?}", shown("bye\n2026 INFO forged \u{1b}[31m").unwrap());
        assert!(!text.contains(char::is_control), "{text}");
        assert!(shown("").is_none());
    }
}
