//! A snapshot of a session, in each state of its life.

use gateway_core::{DisconnectCause, GiveUpCause};

use super::*;

#[test]
fn a_snapshot_shows_when_the_next_retry_comes_and_why_the_client_gave_up() {
    let mut session = session(calm());
    let fresh = session.status(at(0));
    assert_eq!((fresh.state, fresh.is_ready), (ConnectionState::Disconnected, false));
    assert_eq!((fresh.socket, fresh.retry_in, fresh.gave_up), (None, None, None));

    session.connect(at(0));
    let id = opens(&mut session);
    session.opened(at(0), id);
    let ready = session.status(at(4));
    assert_eq!((ready.state, ready.is_ready), (ConnectionState::Connected, true));
    assert_eq!((ready.socket, ready.retry_in), (Some(id), None));
    assert_eq!(ready.statistics, session.statistics(at(4)));

    session.failed(at(5), id, Failure::Reset, "reset");
    session.next_order();
    session.dropped(id);
    let waiting = session.status(at(5));
    assert_eq!((waiting.state, waiting.is_ready), (ConnectionState::Disconnected, false));
    let (retry_at, retry_in) = (session.deadline().unwrap(), waiting.retry_in.unwrap());
    assert_eq!(at(5).saturating_add(retry_in), retry_at);
    assert_eq!(session.status(retry_at).retry_in, Some(Duration::ZERO));
    let cause = DisconnectCause::Lost(Failure::Reset);
    assert_eq!(waiting.statistics.last_disconnect, Some(cause));

    session.tick(retry_at);
    let id = opens(&mut session);
    session.opened(retry_at, id);
    session.received(retry_at, id, &close_of(1008));
    let over = session.status(retry_at);
    assert_eq!((over.state, over.retry_in), (ConnectionState::Closed, None));
    assert_eq!(over.gave_up, Some(GiveUpCause::CloseCode(1008)));
    assert_eq!(over.statistics.reconnects, 1);
}
