//! The log lines of all drivers. A transition is one info line with its names, cause, attempt and
//! delay.

#[cfg(test)]
pub(crate) mod captured;

use gateway_core::{
    CloseCode, ConnectionState, DisconnectCause, GiveUpCause, Notice, OpenError, SocketId,
};
use tracing::field::{DebugValue, DisplayValue};
use tracing::{Level, debug, enabled, info, trace, warn};

use crate::endpoint::Endpoint;
use crate::event::ClientEvent;
use crate::outcome::{Fate, Outcome};

/// Joins the notices of one transition into one line. It remembers only the current transition.
#[derive(Debug, Default)]
pub(crate) struct Log {
    /// The endpoint in each line, without userinfo and query.
    endpoint: Option<Box<str>>,
    lost: Option<Box<Lost>>,
}

#[derive(Debug)]
struct Lost {
    socket: SocketId,
    cause: DisconnectCause,
    detail: Box<str>,
    states: Option<(ConnectionState, ConnectionState)>,
}

impl Log {
    pub(crate) fn set_endpoint(&mut self, endpoint: &Endpoint) {
        self.endpoint = Some(endpoint.to_string().into());
    }

    /// Logs a received message of this many bytes.
    pub(crate) fn message(&self, bytes: usize) {
        trace!(endpoint = self.endpoint(), bytes, "message received");
    }

    /// Logs a notice, or the end of a socket.
    pub(crate) fn news(&mut self, event: &ClientEvent) {
        match event {
            ClientEvent::Disconnected { socket, cause, detail } => {
                // Nothing is kept for a line that the log level hides.
                self.lost = enabled!(Level::WARN).then(|| {
                    let detail = detail.clone();
                    Box::new(Lost { socket: *socket, cause: *cause, detail, states: None })
                });
            }
            ClientEvent::LoginRefused { socket, verdict, reason } => {
                let (endpoint, reason) = (self.endpoint(), shown(reason));
                let verdict = verdict.to_string(); // as a string it is quoted
                info!(endpoint, %socket, verdict, reason, "login refused");
            }
            ClientEvent::Notice(notice) => self.notice(notice),
            ClientEvent::Message(_) | ClientEvent::Outcome(_) | ClientEvent::Missed { .. } => {}
        }
    }

    /// Logs how many events were dropped because the application takes none.
    pub(crate) fn dropped(&self, count: usize) {
        debug!(endpoint = self.endpoint(), count, "unread notices dropped");
    }

    /// Logs a driver's call that was out of order.
    pub(crate) fn ignored_call(&self) {
        debug!(endpoint = self.endpoint(), "ignored a driver's call that was out of order");
    }

    pub(crate) fn outcome(&self, outcome: &Outcome) {
        let endpoint = self.endpoint();
        let (first, last) = (outcome.first.number(), outcome.last.number());
        match outcome.fate {
            Fate::Sent { socket } => trace!(endpoint, %socket, first, last, "messages sent"),
            Fate::MaybeSent { socket } => {
                warn!(
                    endpoint, %socket, first, last,
                    "messages partly written when the socket was lost"
                );
            }
            Fate::Rejected => {
                warn!(endpoint, first, last, "messages not written when the socket was lost");
            }
        }
    }

    fn notice(&mut self, notice: &Notice) {
        match *notice {
            Notice::StateChanged { from, to, socket } => self.changed(from, to, socket),
            Notice::RetryScheduled { attempt, delay, cause, because } => {
                let lost = self.lost.take();
                let endpoint = self.endpoint();
                let (cause, because) = (cause.name(), because.name());
                let delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
                match lost.map(|lost| *lost) {
                    Some(Lost { socket, cause, detail, states: Some((from, to)) }) => {
                        let (code, http_status) = numbers(cause);
                        let detail = shown(&detail);
                        let cause = cause.name();
                        info!(
                            endpoint, %socket, cause, code, http_status, detail, attempt, delay_ms,
                            because, "{from} -> {to}"
                        );
                    }
                    _ => info!(endpoint, attempt, delay_ms, cause, because, "retry scheduled"),
                }
            }
            Notice::GaveUp { cause: gave_up } => self.gave_up(gave_up),
            Notice::Ready { socket, after } => {
                debug!(endpoint = self.endpoint(), %socket, ?after, "ready");
            }
            Notice::PingSent { socket } => {
                trace!(endpoint = self.endpoint(), %socket, "ping sent");
            }
            Notice::PongReceived { socket, round_trip } => {
                trace!(endpoint = self.endpoint(), %socket, ?round_trip, "pong received");
            }
            Notice::Stale { what, socket } => {
                let what = what.name();
                debug!(endpoint = self.endpoint(), %socket, what, "ignored an event of an earlier socket");
            }
            Notice::ClockJumped { by } => {
                info!(endpoint = self.endpoint(), ?by, "the computer was suspended");
            }
            // The session passes the detail of these to other functions of this file.
            Notice::Disconnected { .. } | Notice::LoginRefused { .. } => {}
            // The caller of `send` gets the message back.
            Notice::SendRejected(_) => {}
            // A notice of a later version of the core.
            other => debug!(endpoint = self.endpoint(), ?other, "notice"),
        }
    }

    fn changed(&mut self, from: ConnectionState, to: ConnectionState, socket: Option<SocketId>) {
        let socket = socket.map(SocketId::number);
        let cause = self.lost.as_ref().map(|lost| lost.cause);
        let asked =
            matches!(cause, Some(DisconnectCause::Requested | DisconnectCause::CloseTimeout));
        match &mut self.lost {
            // The retry, or the end, is about to be logged.
            Some(lost) if !asked => lost.states = Some((from, to)),
            Some(_) | None => {
                let cause = cause.map(DisconnectCause::name);
                info!(endpoint = self.endpoint(), socket, cause, "{from} -> {to}");
                self.lost = None;
            }
        }
    }

    fn gave_up(&mut self, gave_up: GiveUpCause) {
        let lost = self.lost.take();
        let endpoint = self.endpoint();
        let reason = gave_up.name();
        match lost.map(|lost| *lost) {
            Some(Lost { socket, cause, detail, states: Some((from, to)) }) => {
                let (code, http_status) = numbers(cause);
                let detail = shown(&detail);
                let cause = cause.name();
                warn!(
                    endpoint, %socket, cause, code, http_status, detail, gave_up = reason,
                    "{from} -> {to}"
                );
            }
            _ => warn!(endpoint, gave_up = reason, "gave up"),
        }
    }

    fn endpoint(&self) -> Option<DisplayValue<&str>> {
        self.endpoint.as_deref().map(tracing::field::display)
    }
}

/// The close code or the HTTP status of a disconnection, if it has one.
fn numbers(cause: DisconnectCause) -> (Option<u16>, Option<u16>) {
    match cause {
        DisconnectCause::CloseReceived(code) | DisconnectCause::LoginRefused(code) => {
            (code.map(CloseCode::number), None)
        }
        DisconnectCause::OpenFailed(OpenError::Http { status, .. }) => (None, Some(status)),
        _ => (None, None),
    }
}

/// A text of the peer's, escaped so that it cannot forge a line or move the cursor. `None` if it is
/// empty.
fn shown(detail: &str) -> Option<DebugValue<&str>> {
    (!detail.is_empty()).then(|| tracing::field::debug(detail))
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
