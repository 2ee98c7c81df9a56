//! What a driver reports of a socket: the outcome of an attempt, a failure, and the state of its IO.

use gateway_core::ConnectionState as State;
use gateway_core::{
    Action, Because, CloseCode, DisconnectCause, Event, Failure, GiveUpCause, Notice, OpenError,
};

use super::rows::{
    ONE, Row, becomes_ready, close_socket, closed, given_up, http, lost, lost_until, notice, part,
    row, stale, timer, with,
};
use super::situation::Situation::{
    self, Asking, Closed, Closing, Connecting, Idle, LoggingIn, Ready, ReadyAfterLogin, Refused,
    Waiting,
};

pub(crate) fn opened(situation: Situation) -> Vec<Row> {
    let event = Event::SocketOpened(ONE);
    let same = situation.state();
    match situation {
        Connecting => {
            let actions = becomes_ready(State::Connecting, State::Connected);
            vec![row(event, State::Connected, actions)]
        }
        Asking | LoggingIn | Refused | Ready | ReadyAfterLogin | Closing => stale(event, same),
        Idle | Waiting | Closed => {
            let stale = notice(Notice::Stale { what: event.kind(), socket: ONE });
            vec![row(event, same, [stale, Action::CloseSocket(ONE)])]
        }
    }
}

pub(crate) fn open_failed(situation: Situation) -> Vec<Row> {
    match situation {
        Connecting => attempt_failed(),
        Idle | Waiting | Asking | LoggingIn | Refused | Ready | ReadyAfterLogin | Closing
        | Closed => stale(Event::OpenFailed(ONE, OpenError::Refused), situation.state()),
    }
}

/// What each error of an attempt leads to: a retry, a later retry, or the end.
fn attempt_failed() -> Vec<Row> {
    let from = State::Connecting;
    let cause = DisconnectCause::OpenFailed;
    let mut rows: Vec<Row> = [
        OpenError::Dns,
        OpenError::Refused,
        OpenError::Unreachable,
        OpenError::Io,
        OpenError::Certificate,
        OpenError::Tls,
        OpenError::NotHttp,
        OpenError::Upgrade,
        OpenError::Proxy,
        http(503, None),
        http(401, None), // with new credentials
    ]
    .map(|error| open_fails(error, State::Disconnected, lost(from, cause(error))))
    .into();
    let busy = http(429, Some(60));
    let spread = lost_until(from, cause(busy), 66_000, Because::RetryAfter);
    rows.push(open_fails(busy, State::Disconnected, spread));
    let missing = http(404, None);
    let fatal = given_up(from, cause(missing), GiveUpCause::HttpStatus(404));
    rows.push(open_fails(missing, State::Closed, fatal));
    for hopeless in [OpenError::Configuration, OpenError::ProxyCredentials] {
        let fatal = given_up(from, cause(hopeless), GiveUpCause::Configuration);
        rows.push(open_fails(hopeless, State::Closed, fatal));
    }
    rows
}

/// Opening fails at 1 s with this error.
fn open_fails(error: OpenError, next: State, actions: Vec<Action>) -> Row {
    row(Event::OpenFailed(ONE, error), next, actions)
}

pub(crate) fn failed(situation: Situation) -> Vec<Row> {
    match situation {
        LoggingIn | Ready | ReadyAfterLogin => failures(situation.state()),
        Refused => failures_of_refused(),
        Closing => {
            let actions = || closed(DisconnectCause::Requested);
            [Failure::Eof, Failure::Protocol]
                .map(|failure| row(Event::SocketFailed(ONE, failure), State::Closed, actions()))
                .into()
        }
        Idle | Waiting | Asking | Connecting | Closed => {
            stale(Event::SocketFailed(ONE, Failure::Eof), situation.state())
        }
    }
}

/// What an open socket's failure yields, before and after the login.
fn failures(from: State) -> Vec<Row> {
    let mut rows = Vec::new();
    for failure in [Failure::Eof, Failure::Reset, Failure::Io, Failure::Tls] {
        let actions = with(close_socket(), lost(from, DisconnectCause::Lost(failure)));
        rows.push(row(Event::SocketFailed(ONE, failure), State::Disconnected, actions));
    }
    for (failure, code) in [
        (Failure::Protocol, CloseCode::PROTOCOL_ERROR),
        (Failure::InvalidUtf8, CloseCode::INVALID_PAYLOAD),
        (Failure::TooBig, CloseCode::TOO_BIG),
    ] {
        let actions = with(part(code), lost(from, DisconnectCause::ProtocolError(failure)));
        rows.push(row(Event::SocketFailed(ONE, failure), State::Disconnected, actions));
    }
    rows
}

/// The cause is the refusal, however the socket ends.
fn failures_of_refused() -> Vec<Row> {
    let left = |failure, last: Vec<Action>| {
        let lost = lost(State::Connected, DisconnectCause::LoginRefused(None));
        row(Event::SocketFailed(ONE, failure), State::Disconnected, with(last, lost))
    };
    vec![
        left(Failure::Eof, close_socket().into()),
        left(Failure::Reset, close_socket().into()),
        left(Failure::Protocol, part(CloseCode::PROTOCOL_ERROR).into()),
        left(Failure::TooBig, part(CloseCode::TOO_BIG).into()),
    ]
}

pub(crate) fn bytes_received(situation: Situation) -> Vec<Row> {
    nothing_or_stale(Event::BytesReceived(ONE), situation)
}

pub(crate) fn write_blocked(situation: Situation) -> Vec<Row> {
    nothing_or_stale(Event::WriteBlocked(ONE), situation)
}

pub(crate) fn flushed(situation: Situation) -> Vec<Row> {
    nothing_or_stale(Event::Flushed(ONE), situation)
}

pub(crate) fn reading_paused(situation: Situation) -> Vec<Row> {
    let event = Event::ReadingPaused(ONE);
    match situation {
        // The pong timeout waits; the next ping does not.
        Ready | ReadyAfterLogin => vec![row(event, situation.state(), [timer(30_000)])],
        // The deadlines of a login and of a close go on.
        LoggingIn | Refused | Closing | Idle | Waiting | Asking | Connecting | Closed => {
            nothing_or_stale(event, situation)
        }
    }
}

pub(crate) fn reading_resumed(situation: Situation) -> Vec<Row> {
    nothing_or_stale(Event::ReadingResumed(ONE), situation)
}

/// An event of an open socket that leads to no action. Without an open socket it is stale.
pub(crate) fn nothing_or_stale(event: Event<'static>, situation: Situation) -> Vec<Row> {
    let same = situation.state();
    match situation {
        LoggingIn | Refused | Ready | ReadyAfterLogin | Closing => vec![row(event, same, [])],
        Idle | Waiting | Asking | Connecting | Closed => stale(event, same),
    }
}
