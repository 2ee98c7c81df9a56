//! Reconnects on purpose: what the application requests, and the report of an empty write buffer.

use gateway_core::ConnectionState as State;
use gateway_core::{Action, Because, CloseCode, DisconnectCause, Event, RetryCause};

use super::rows::{
    ONE, Row, TWO, asks, changed, close_socket, gone, lost, opens, part, retry, row, with,
};
use super::situation::Situation::{
    self, Asking, Closed, Closing, Connecting, Idle, LoggingIn, Ready, ReadyAfterLogin, Refused,
    Waiting,
};
use super::sockets::nothing_or_stale;

/// Replaces the socket, or opens one sooner.
pub(crate) fn reconnect(situation: Situation) -> Vec<Row> {
    let same = situation.state();
    let (next, actions) = match situation {
        Idle => (State::Connecting, opens(same, ONE, 1_000)),
        Closed => (State::Connecting, opens(same, TWO, 1_000)),
        Waiting => {
            let at_once = [retry(1, 0, RetryCause::Reconnect, Because::Hint)];
            (State::Connecting, with(at_once, opens(same, TWO, 1_000)))
        }
        Asking => {
            let replaced = with(left(same), asks(State::Disconnected, TWO, 1_000));
            (State::Connecting, with(close_socket(), replaced))
        }
        Connecting => (State::Connecting, with(close_socket(), replaced(same))),
        LoggingIn | Ready | ReadyAfterLogin => {
            (State::Connecting, with(part(CloseCode::GOING_AWAY), replaced(same)))
        }
        // The refusal's verdict decides what follows.
        Refused => {
            let left = lost(same, DisconnectCause::LoginRefused(None));
            (State::Disconnected, with(part(CloseCode::GOING_AWAY), left))
        }
        Closing => (same, Vec::new()),
    };
    vec![row(Event::ReconnectRequested, next, actions)]
}

fn replaced(from: State) -> Vec<Action> {
    with(left(from), opens(State::Disconnected, TWO, 1_000))
}

fn left(from: State) -> Vec<Action> {
    let cause = DisconnectCause::Reconnect;
    vec![
        gone(cause),
        changed(from, State::Disconnected, ONE),
        retry(0, 0, RetryCause::Disconnected(cause), Because::Hint),
    ]
}

/// No renewal is due, so the machine did not ask for the report.
pub(crate) fn drained(situation: Situation) -> Vec<Row> {
    nothing_or_stale(Event::Drained(ONE), situation)
}
