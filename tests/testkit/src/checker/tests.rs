//! The checker knows every notice and every cause.

use gateway_core::{LoginAnswer, Spoken, every};

use super::*;

const SOCKET: SocketId = SocketId::new(1);

fn seen(event: Event<'static>) -> Observed<'static> {
    let state = ConnectionState::Disconnected;
    static NONE: Spoken = Spoken::NONE;
    let (actions, login) = (&[], LoginAnswer::NotAnAnswer);
    Observed { now: Instant::ZERO, event, actions, spoken: &NONE, login, state, deadline: None }
}

/// A checker of a connection whose socket has just ended.
fn ended(aborted: Option<SocketId>) -> Checker {
    Checker { last_socket: 1, aborted, ..Checker::new(Arc::new(Config::default())) }
}

/// What the checker says of these synthetic histories does not matter: it panics if it does not know
/// the value.
#[test]
fn every_notice_and_every_cause_is_known() {
    for notice in every::notices() {
        let _ = ended(None).notice(notice, &seen(Event::Tick));
    }
    for cause in every::disconnect_causes() {
        for aborted in [None, Some(SOCKET)] {
            let _ = ended(aborted).disconnected(SOCKET, cause, &seen(Event::Tick));
        }
    }
    for cause in every::retry_causes() {
        for because in every::reasons() {
            let _ = ended(None).scheduled(1, Duration::ZERO, cause, because);
        }
    }
    for cause in every::give_up_causes() {
        let mut checker = ended(None);
        let _ = checker.disconnected(SOCKET, DisconnectCause::Requested, &seen(Event::Tick));
        let _ = checker.gave_up(cause);
    }
    for failure in every::failures() {
        let mut checker = ended(None);
        checker.refusal = Some(gateway_core::Verdict::Retry);
        let event = Event::SocketFailed(SOCKET, failure);
        let cause = DisconnectCause::LoginRefused(None);
        let _ = checker.disconnected(SOCKET, cause, &seen(event));
    }
}
