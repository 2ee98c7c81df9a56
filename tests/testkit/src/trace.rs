//! The trace's format: one line for each observed event.

use std::fmt::Write as _;

use gateway_core::{
    Action, Backlog, Credentials, DisconnectCause, Event, Frame, GiveUpCause, JsonHeartbeat,
    Message, Notice, Observed, OpenError, Outgoing, Recognised, RetryCause, UnixMillis,
};

use crate::unlisted::unlisted;

use crate::run::is_idle;

/// The line of an event, or `None` for a check of the clocks without actions.
///
/// Time in milliseconds, the event, the state after it, the actions in order.
#[must_use]
pub fn line(observed: &Observed<'_>) -> Option<String> {
    (!is_idle(&observed.event, observed.actions)).then(|| full_line(observed))
}

/// The line of an event.
pub(crate) fn full_line(observed: &Observed<'_>) -> String {
    let nanos = observed.now.as_nanos();
    let mut line = match nanos % 1_000_000 {
        0 => format!("{:>7}", nanos / 1_000_000),
        rest => format!("{:>7}.{rest:06}", nanos / 1_000_000),
    };
    let _ = write!(line, "  {}", event(&observed.event)); // writing to a String cannot fail
    let _ = write!(line, "  {}", observed.state);
    for (index, action) in observed.actions.iter().enumerate() {
        let _ = write!(line, "{}{}", if index == 0 { ": " } else { "; " }, show(action));
    }
    line
}

fn event(event: &Event<'_>) -> String {
    let name = event.kind().name();
    let socket = event.socket().map(|id| format!(" {id}")).unwrap_or_default();
    let data = match event {
        Event::CloseRequested(frame) => format!(" {} {:?}", frame.code(), frame.reason()),
        Event::SendRequested(Message::Text(text)) => format!(" text {}", text.len()),
        Event::SendRequested(Message::Binary(bytes)) => format!(" binary {}", bytes.len()),
        Event::LoginRejected(verdict) | Event::ProviderFailed(_, verdict) => {
            format!(" {verdict}")
        }
        Event::OpenFailed(_, error) => format!(" {}", open_error(*error)),
        Event::SocketFailed(_, failure) => format!(" {}", failure.name()),
        Event::FrameReceived(_, frame) => format!(" {}", received(frame)),
        Event::WallClock(UnixMillis(wall)) => format!(" {wall}"),
        Event::PingHeld(_, Backlog { bytes, idle }) => {
            format!(" behind {bytes} idle {}", idle.as_millis())
        }
        Event::PingHanded(_, unproven) => format!(" unproven {unproven}"),
        Event::OpenReserved(at) => format!(" {}", at.as_nanos() / 1_000_000),
        Event::NetworkChanged(network) => format!(" {network:?}").to_lowercase(),
        Event::ConnectRequested
        | Event::ReconnectRequested
        | Event::Drained(_)
        | Event::LoginAccepted
        | Event::ProviderAnswered(_)
        | Event::SocketOpened(_)
        | Event::BytesReceived(_)
        | Event::WriteBlocked(_)
        | Event::Flushed(_)
        | Event::ReadingPaused(_)
        | Event::ReadingResumed(_)
        | Event::WriteProgressed(_)
        | Event::Tick => String::new(),
    };
    format!("{name}{socket}{data}")
}

fn received(frame: &Frame<'_>) -> String {
    let stamp =
        |stamp: Option<UnixMillis>| stamp.map(|at| format!(" {}", at.0)).unwrap_or_default();
    match frame {
        Frame::Text(text) => match JsonHeartbeat.recognise(text) {
            Recognised::Pong(at) => format!("text {} pong{}", text.len(), stamp(at)),
            Recognised::Ping(at) => format!("text {} ping{}", text.len(), stamp(at)),
            Recognised::Other => format!("text {}", text.len()),
        },
        Frame::Binary(bytes) => format!("binary {}", bytes.len()),
        Frame::Ping(payload) => format!("ping_frame {}", payload.escape_ascii()),
        Frame::Pong(payload) => format!("pong_frame {}", payload.escape_ascii()),
        Frame::Close(Some(frame)) => format!("close {} {:?}", frame.code(), frame.reason()),
        Frame::Close(None) => "close".to_owned(),
    }
}

fn show(action: &Action) -> String {
    match action {
        Action::AskProvider { id, credentials: Credentials::Cached } => format!("ask {id}"),
        Action::AskProvider { id, credentials: Credentials::Refresh } => {
            format!("ask {id} for new credentials")
        }
        Action::OpenSocket { id, credentials: Credentials::Cached } => format!("open {id}"),
        Action::OpenSocket { id, credentials: Credentials::Refresh } => {
            format!("open {id} with new credentials")
        }
        Action::Send(id, outgoing) => format!("send {id} {}", sent(outgoing)),
        Action::CloseSocket(id) => format!("drop {id}"),
        Action::AbortSocket(id) => format!("abort {id}"),
        Action::Drain(id) => format!("drain {id}"),
        Action::ResumeAt(url) => format!("resume at {} bytes", url.len),
        Action::ReserveOpen(at) => format!("reserve {}", at.as_nanos() / 1_000_000),
        Action::ReleaseOpen => "release".to_owned(),
        Action::ScheduleTimer(at) => format!("timer {}", at.as_nanos() / 1_000_000),
        Action::CancelTimer => "no timer".to_owned(),
        Action::Deliver => "deliver".to_owned(),
        Action::Notify(notice) => format!("notify {}", told(notice)),
    }
}

fn sent(outgoing: &Outgoing) -> String {
    let stamp =
        |stamp: &Option<UnixMillis>| stamp.map(|at| format!(" {}", at.0)).unwrap_or_default();
    match outgoing {
        Outgoing::Requested => "the message".to_owned(),
        Outgoing::RequestedClose => "the close".to_owned(),
        Outgoing::Close(code) => format!("close {code}"),
        Outgoing::Login => "login".to_owned(),
        Outgoing::Dialect(part) => format!("dialect {}", part.len),
        Outgoing::DialectPing(part) => format!("dialect_ping {}", part.len),
        Outgoing::Ping(at) => format!("ping{}", stamp(at)),
        Outgoing::WebSocketPing(number) => format!("ping_frame {number}"),
        Outgoing::Pong(at) => format!("pong{}", stamp(at)),
    }
}

fn told(notice: &Notice) -> String {
    match notice {
        Notice::StateChanged { from, to, .. } => format!("{from} -> {to}"),
        Notice::Ready { socket, after } => format!("ready {socket} after {}", after.as_millis()),
        Notice::Disconnected { socket, cause: why } => {
            format!("disconnected {socket} {}", cause(*why))
        }
        Notice::RetryScheduled { attempt, delay, cause: RetryCause::Disconnected(_), because } => {
            format!("retry {attempt} in {} by {}", delay.as_millis(), because.name())
        }
        Notice::RetryScheduled { attempt, delay, cause, because } => {
            let (delay, because) = (delay.as_millis(), because.name());
            format!("retry {attempt} in {delay} by {because} for {}", cause.name())
        }
        Notice::LoginRefused { socket, verdict } => format!("login refused {socket} {verdict}"),
        Notice::PingSent { socket } => format!("ping sent {socket}"),
        Notice::PongReceived { socket, round_trip } => match round_trip {
            Some(span) => format!("pong received {socket} after {}", span.as_millis()),
            None => format!("pong received {socket}"),
        },
        Notice::Stale { what, socket } => format!("stale {} {socket}", what.name()),
        Notice::EffectIgnored { socket } => format!("effect ignored {socket}"),
        Notice::ClockJumped { by } => format!("clock jumped by {}", by.as_millis()),
        Notice::GaveUp { cause } => format!("gave up {}", gave_up(*cause)),
        Notice::SendRejected(why) => format!("send rejected {}", why.name()),
        unknown => unlisted(file!(), unknown),
    }
}

/// A cause of disconnection, with its code or error.
pub(crate) fn cause(cause: DisconnectCause) -> String {
    let data = match cause {
        DisconnectCause::CloseReceived(Some(code)) | DisconnectCause::LoginRefused(Some(code)) => {
            format!(" {code}")
        }
        DisconnectCause::Lost(failure) | DisconnectCause::ProtocolError(failure) => {
            format!(" {}", failure.name())
        }
        DisconnectCause::OpenFailed(error) => format!(" {}", open_error(error)),
        DisconnectCause::CloseReceived(None)
        | DisconnectCause::LoginRefused(None)
        | DisconnectCause::Provider
        | DisconnectCause::AttemptTimeout
        | DisconnectCause::ConnectTimeout
        | DisconnectCause::PongTimeout
        | DisconnectCause::WriteStall
        | DisconnectCause::Dialect
        | DisconnectCause::DataTimeout
        | DisconnectCause::LoginTimeout
        | DisconnectCause::CloseTimeout
        | DisconnectCause::Requested
        | DisconnectCause::Reconnect
        | DisconnectCause::Renewal => String::new(),
        unknown => unlisted(file!(), &unknown),
    };
    format!("{}{data}", cause.name())
}

/// Why a connection was given up, with its code.
pub(crate) fn gave_up(cause: GiveUpCause) -> String {
    let data = match cause {
        GiveUpCause::CloseCode(code) | GiveUpCause::HttpStatus(code) => format!(" {code}"),
        GiveUpCause::LoginRefused
        | GiveUpCause::Provider
        | GiveUpCause::Dialect
        | GiveUpCause::AttemptsSpent
        | GiveUpCause::Configuration => String::new(),
        unknown => unlisted(file!(), &unknown),
    };
    format!("{}{data}", cause.name())
}

fn open_error(error: OpenError) -> String {
    match error {
        OpenError::Http { status, retry_after: None } => format!("http {status}"),
        OpenError::Http { status, retry_after: Some(after) } => format!("http {status} {after:?}"),
        error => error.name().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use gateway_core::every;

    use super::*;

    #[test]
    fn every_notice_and_every_cause_has_its_words() {
        every::notices().iter().for_each(|notice| drop(told(notice)));
        every::disconnect_causes().into_iter().for_each(|why| drop(cause(why)));
        every::give_up_causes().into_iter().for_each(|cause| drop(gave_up(cause)));
    }
}
