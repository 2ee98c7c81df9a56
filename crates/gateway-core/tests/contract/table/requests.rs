//! What the application requests: to connect, to close, to send; and the outcome of a login of its own.

use core::time::Duration;

use gateway_core::ConnectionState as State;
use gateway_core::{
    Action, Because, CloseCode, CloseFrame, DisconnectCause, Event, GiveUpCause, Message, Outgoing,
    SendRejection, Verdict,
};

use super::rows::{
    ONE, Row, TWO, becomes_ready, changed, changed_without_socket, given_up, gone, lost,
    lost_until, opens, part, refused, rejected, row, timer, waits_for_close, with,
};
use super::situation::Situation::{
    self, Asking, Closed, Closing, Connecting, Idle, LoggingIn, Ready, ReadyAfterLogin, Refused,
    Waiting,
};

/// Opens a socket, unless one is opening or open.
pub(crate) fn connect(situation: Situation) -> Vec<Row> {
    let (next, actions) = match situation {
        Idle => (State::Connecting, opens(State::Disconnected, ONE, 1_000)),
        Waiting => (State::Connecting, opens(State::Disconnected, TWO, 1_000)),
        Closed => (State::Connecting, opens(State::Closed, TWO, 1_000)),
        Closing => {
            let dropped = [Action::CloseSocket(ONE), gone(DisconnectCause::Requested)];
            (State::Connecting, with(dropped, opens(State::Closing, TWO, 1_000)))
        }
        Asking | Connecting | LoggingIn | Refused | Ready | ReadyAfterLogin => {
            (situation.state(), Vec::new())
        }
    };
    vec![row(Event::ConnectRequested, next, actions)]
}

/// Takes effect at once in every state.
pub(crate) fn close(situation: Situation) -> Vec<Row> {
    let same = situation.state();
    let (next, actions) = match situation {
        Idle => (State::Closed, vec![changed_without_socket(State::Disconnected, State::Closed)]),
        Waiting => {
            let closed = changed_without_socket(State::Disconnected, State::Closed);
            (State::Closed, vec![closed, Action::CancelTimer])
        }
        Asking | Connecting => {
            let actions = vec![
                Action::CloseSocket(ONE),
                gone(DisconnectCause::Requested),
                changed(State::Connecting, State::Closed, ONE),
                Action::CancelTimer,
            ];
            (State::Closed, actions)
        }
        LoggingIn | Refused | Ready | ReadyAfterLogin => {
            let actions = vec![
                Action::Send(ONE, Outgoing::RequestedClose),
                changed(same, State::Closing, ONE),
                timer(3_000),
            ];
            (State::Closing, actions)
        }
        Closing | Closed => (same, Vec::new()),
    };
    vec![row(Event::CloseRequested(CloseFrame::NORMAL), next, actions)]
}

/// Each message has one outcome.
pub(crate) fn send(situation: Situation) -> Vec<Row> {
    let same = situation.state();
    match situation {
        Ready | ReadyAfterLogin => {
            let sent = [Action::Send(ONE, Outgoing::Requested)];
            vec![
                row(Event::SendRequested(Message::Text("x")), same, sent),
                row(Event::SendRequested(Message::Binary(b"x")), same, sent),
            ]
        }
        Idle | Waiting | Asking | Connecting | LoggingIn | Refused => {
            let actions = [rejected(SendRejection::NotReady)];
            vec![row(Event::SendRequested(Message::Text("x")), same, actions)]
        }
        Closing | Closed => {
            let actions = [rejected(SendRejection::Closed)];
            vec![row(Event::SendRequested(Message::Text("x")), same, actions)]
        }
    }
}

/// Ignored unless a login is under way.
pub(crate) fn accept_login(situation: Situation) -> Vec<Row> {
    match situation {
        LoggingIn => {
            let actions = becomes_ready(State::Connected, State::Authenticated);
            vec![row(Event::LoginAccepted, State::Authenticated, actions)]
        }
        Idle | Waiting | Asking | Connecting | Refused | Ready | ReadyAfterLogin | Closing
        | Closed => vec![row(Event::LoginAccepted, situation.state(), [])],
    }
}

/// A login that is under way waits for the peer's Close; a ready connection is left at once. Ignored everywhere else.
pub(crate) fn reject_login(situation: Situation) -> Vec<Row> {
    let least = Verdict::RetryNoSoonerThan(Duration::from_secs(45));
    match situation {
        LoggingIn => [Verdict::Retry, Verdict::RefreshCredentials, least, Verdict::Fatal]
            .map(|verdict| {
                row(Event::LoginRejected(verdict), State::Connected, waits_for_close(verdict))
            })
            .into(),
        Ready | ReadyAfterLogin => {
            let (from, cause) = (situation.state(), DisconnectCause::LoginRefused(None));
            let leaves = |verdict, next, actions| {
                let left = with([refused(verdict)], part(CloseCode::GOING_AWAY).into());
                row(Event::LoginRejected(verdict), next, with(left, actions))
            };
            let ruled = lost_until(from, cause, 49_500, Because::Policy);
            let fatal = given_up(from, cause, GiveUpCause::LoginRefused);
            vec![
                leaves(Verdict::Retry, State::Disconnected, lost(from, cause)),
                leaves(Verdict::RefreshCredentials, State::Disconnected, lost(from, cause)),
                leaves(least, State::Disconnected, ruled),
                leaves(Verdict::Fatal, State::Closed, fatal),
            ]
        }
        Idle | Waiting | Asking | Connecting | Refused | Closing | Closed => {
            vec![row(Event::LoginRejected(Verdict::Fatal), situation.state(), [])]
        }
    }
}
