//! The log lines of all drivers. A transition is one info line with its names, cause, attempt and
//! delay. All lines are in the client's span, which has its name and endpoint.

#[cfg(test)]
pub(crate) mod captured;
mod deferred;

use gateway_core::{
    CloseCode, ConnectionState, DisconnectCause, GiveUpCause, Notice, OpenError, SocketId,
};
use tracing::field::{DebugValue, debug as debug_value};
use tracing::{Level, Span, debug, enabled, error_span, info, trace, warn};

pub(crate) use self::deferred::Log;
pub use self::deferred::{DeferredLog, LogLines};
use crate::endpoint::Endpoint;
use crate::event::ClientEvent;
use crate::name::Name;
use crate::outcome::{Fate, Outcome};

/// Writes log lines. Joins the notices of one transition into one line, and remembers only the
/// current transition.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    name: Option<Name>,
    /// The endpoint as its `Display` shows it: without userinfo and query.
    endpoint: Option<Box<str>>,
    span: Option<Span>,
    /// Host and port of the current attempt, if they are not the endpoint's.
    server: Option<String>,
    lost: Option<Box<Lost>>,
}

#[derive(Debug)]
struct Lost {
    socket: SocketId,
    cause: DisconnectCause,
    detail: Box<str>,
    server: Option<String>,
    states: Option<(ConnectionState, ConnectionState)>,
}

impl Writer {
    fn new(name: Option<Name>, endpoint: &Endpoint) -> Self {
        Self { name, endpoint: Some(endpoint.to_string().into()), ..Self::default() }
    }

    /// The client's span. It is made at first use, and again as long as it is disabled: a program
    /// may build its clients before it installs a subscriber.
    fn span(&mut self) -> Span {
        if let Some(span) = &self.span {
            return span.clone();
        }
        let name = self.name.as_ref().map(tracing::field::display);
        let endpoint = self.endpoint.as_ref().map(tracing::field::display);
        // Spans have levels. One of a lower level would be missing where only errors are shown.
        let span = error_span!("client", name, endpoint);
        self.span = Some(span.clone()).filter(|span| !span.is_disabled());
        span
    }

    /// Sets host and port of the attempt that begins, if they are not the endpoint's.
    fn server(&mut self, server: Option<String>) {
        self.server = server;
    }

    /// Logs a received message of this many bytes.
    fn message(&mut self, bytes: usize) {
        trace!(parent: &self.span(), bytes, "message received");
    }

    /// Logs a notice, or the end of a socket.
    fn news(&mut self, event: &ClientEvent) {
        match event {
            ClientEvent::Disconnected { socket, cause, detail } => {
                // Nothing is kept for a line that the log level hides.
                self.lost = enabled!(Level::WARN).then(|| {
                    let (detail, server) = (detail.clone(), self.server.clone());
                    Box::new(Lost { socket: *socket, cause: *cause, detail, server, states: None })
                });
            }
            ClientEvent::LoginRefused { socket, verdict, reason } => {
                let reason = shown(reason);
                let verdict = verdict.to_string(); // as a string it is quoted
                let (span, server) = (self.span(), self.server.as_deref());
                info!(parent: &span, %socket, server, verdict, reason, "login refused");
            }
            ClientEvent::Notice(notice) => self.notice(notice),
            ClientEvent::Lost { away } => {
                let away_ms = u64::try_from(away.as_millis()).unwrap_or(u64::MAX);
                warn!(parent: &self.span(), away_ms, "not connected for a long time");
            }
            ClientEvent::Message(_)
            | ClientEvent::Outcome(_)
            | ClientEvent::MessagesDropped { .. }
            | ClientEvent::Missed { .. } => {}
        }
    }

    /// Logs how many received messages were dropped because the application takes none.
    fn messages_dropped(&mut self, count: u64) {
        warn!(parent: &self.span(), count, "unread messages dropped");
    }

    /// Logs that the outbox drops messages.
    fn outbox_full(&mut self) {
        warn!(parent: &self.span(), "the outbox is full: it drops its oldest messages");
    }

    /// Logs how many events were dropped because the application takes none.
    fn dropped(&mut self, count: usize) {
        debug!(parent: &self.span(), count, "unread notices dropped");
    }

    /// Logs how many log lines were dropped.
    fn lines_dropped(&mut self, count: usize) {
        debug!(parent: &self.span(), count, "log lines dropped: the client could not log in time");
    }

    /// Logs that the dialect's URL is not used. The URL may be secret.
    fn resume_refused(&mut self, limit: &str) {
        warn!(parent: &self.span(), "the URL at which the dialect resumes is not used: it {limit}");
    }

    /// Logs a driver's call that was out of order.
    fn ignored_call(&mut self) {
        debug!(parent: &self.span(), "ignored a driver's call that was out of order");
    }

    /// Logs an outcome.
    fn outcome(&mut self, outcome: &Outcome) {
        let span = &self.span();
        let (first, last) = (outcome.first.number(), outcome.last.number());
        match outcome.fate {
            Fate::Sent { socket } => trace!(parent: span, %socket, first, last, "messages sent"),
            Fate::MaybeSent { socket } => {
                warn!(
                    parent: span, %socket, first, last,
                    "messages partly written when the socket was lost"
                );
            }
            Fate::Rejected => {
                warn!(parent: span, first, last, "messages rejected: nothing of them was written");
            }
            Fate::Expired => {
                warn!(parent: span, first, last, "messages not sent: they waited too long");
            }
        }
    }

    fn notice(&mut self, notice: &Notice) {
        match *notice {
            Notice::StateChanged { from, to, socket } => self.changed(from, to, socket),
            Notice::RetryScheduled { attempt, delay, cause, because } => {
                let lost = self.lost.take();
                let span = &self.span();
                let (cause, because) = (cause.name(), because.name());
                let delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
                match lost.map(|lost| *lost) {
                    Some(Lost { socket, cause, detail, server, states: Some((from, to)) }) => {
                        let (code, http_status) = numbers(cause);
                        let (detail, server) = (shown(&detail), server.as_deref());
                        let cause = cause.name();
                        info!(
                            parent: span, %socket, server, cause, code, http_status, detail,
                            attempt, delay_ms, because, "{from} -> {to}"
                        );
                    }
                    _ => info!(parent: span, attempt, delay_ms, cause, because, "retry scheduled"),
                }
            }
            Notice::GaveUp { cause: gave_up } => self.gave_up(gave_up),
            Notice::Ready { socket, after } => {
                debug!(parent: &self.span(), %socket, ?after, "ready");
            }
            Notice::PingSent { socket } => {
                trace!(parent: &self.span(), %socket, "ping sent");
            }
            Notice::PongReceived { socket, round_trip } => {
                trace!(parent: &self.span(), %socket, ?round_trip, "pong received");
            }
            Notice::Stale { what, socket } => {
                let what = what.name();
                debug!(parent: &self.span(), %socket, what, "ignored an event of an earlier socket");
            }
            Notice::ClockJumped { by } => {
                info!(parent: &self.span(), ?by, "the computer was suspended");
            }
            // The session passes the detail of these to other functions of this file.
            Notice::Disconnected { .. } | Notice::LoginRefused { .. } => {}
            // The caller of `send` gets the message back.
            Notice::SendRejected(_) => {}
            Notice::EffectIgnored { socket } => {
                warn!(
                    parent: &self.span(), %socket,
                    "the dialect set a heartbeat interval that is no span above 0, which is ignored"
                );
            }
            // A notice of a later version of the core.
            other => debug!(parent: &self.span(), ?other, "notice"),
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
                let span = self.span();
                // The next attempt's request is not there yet.
                let server = self.server.as_deref().filter(|_| to != ConnectionState::Connecting);
                info!(parent: &span, socket, server, cause, "{from} -> {to}");
                self.lost = None;
            }
        }
    }

    fn gave_up(&mut self, gave_up: GiveUpCause) {
        let lost = self.lost.take();
        let span = &self.span();
        let reason = gave_up.name();
        match lost.map(|lost| *lost) {
            Some(Lost { socket, cause, detail, server, states: Some((from, to)) }) => {
                let (code, http_status) = numbers(cause);
                let (detail, server) = (shown(&detail), server.as_deref());
                let cause = cause.name();
                warn!(
                    parent: span, %socket, server, cause, code, http_status, detail,
                    gave_up = reason, "{from} -> {to}"
                );
            }
            _ => warn!(parent: span, gave_up = reason, "gave up"),
        }
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
    (!detail.is_empty()).then(|| debug_value(detail))
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
