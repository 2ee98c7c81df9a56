//! The whole table: for each situation and each kind of event the next state and the exact actions.
//!
//! Each situation is reached at 0 s, with the wall clock known and every draw half-way. A ready connection
//! has sent its first ping at 0 s. Each event comes at 1 s, before any deadline, unless its row says when.
//! No match has a wildcard: a new event or situation does not compile until its rows are written.

mod asking;
mod frames;
mod pings;
mod replaced;
mod requests;
mod rows;
mod situation;
mod sockets;
mod time;

use std::sync::Arc;

use gateway_core::{
    Action, ConnectionState, Event, EventKind, Frame, Instant, Notice, Outgoing, SocketId, every,
};

use rows::{ONE, Row, changed, notice, timer};
use situation::{Connection, Draws, SITUATIONS, Situation};

fn rows(situation: Situation, kind: EventKind) -> Vec<Row> {
    match kind {
        EventKind::ConnectRequested => requests::connect(situation),
        EventKind::ReconnectRequested => replaced::reconnect(situation),
        EventKind::CloseRequested => requests::close(situation),
        EventKind::SendRequested => requests::send(situation),
        EventKind::LoginAccepted => requests::accept_login(situation),
        EventKind::LoginRejected => requests::reject_login(situation),
        EventKind::OpenReserved => asking::open_reserved(situation),
        EventKind::ProviderAnswered => asking::answered(situation),
        EventKind::ProviderFailed => asking::failed(situation),
        EventKind::SocketOpened => sockets::opened(situation),
        EventKind::OpenFailed => sockets::open_failed(situation),
        EventKind::SocketFailed => sockets::failed(situation),
        EventKind::FrameReceived => frames::received(situation),
        EventKind::BytesReceived => sockets::bytes_received(situation),
        EventKind::WriteBlocked => sockets::write_blocked(situation),
        EventKind::Flushed => sockets::flushed(situation),
        EventKind::ReadingPaused => sockets::reading_paused(situation),
        EventKind::ReadingResumed => sockets::reading_resumed(situation),
        EventKind::PingHeld => pings::held(situation),
        EventKind::WriteProgressed => pings::write_progressed(situation),
        EventKind::PingHanded => pings::handed(situation),
        EventKind::Drained => replaced::drained(situation),
        EventKind::WallClock => time::wall_clock(situation),
        EventKind::NetworkChanged => time::network_changed(situation),
        EventKind::Tick => time::tick(situation),
    }
}

#[test]
fn every_event_in_every_situation_yields_exactly_its_row() {
    let mut count = 0;
    for situation in SITUATIONS {
        for kind in every::events(ONE).iter().map(Event::kind) {
            for row in rows(situation, kind) {
                let Row { at, event, actions, next } = row;
                let mut connection = situation.arrange();
                assert_eq!(connection.state(), situation.state());
                assert_eq!(event.kind(), kind, "the row stands in the wrong place");

                let yielded = connection.handle(Instant::from_millis(at), event);

                assert_eq!(yielded.as_slice(), actions, "{situation:?}, {event:?}");
                assert_eq!(connection.state(), next, "{situation:?}, {event:?}");
                count += 1;
            }
        }
    }
    assert!(count > 10 * 24, "only {count} rows");
}

#[test]
fn an_event_of_a_foreign_socket_is_told_and_nothing_else_in_every_situation() {
    for situation in SITUATIONS {
        for foreign in [SocketId::new(0), SocketId::new(77)] {
            let mut events = every::events(foreign);
            events.retain(|event| event.socket().is_some());
            events.push(Event::FrameReceived(foreign, Frame::Close(None)));
            for event in events {
                let mut connection = situation.arrange();
                let before = connection.machine().clone();

                let yielded = connection.handle(Instant::ZERO, event);

                let told = notice(Notice::Stale { what: event.kind(), socket: foreign });
                let expected = match event {
                    Event::SocketOpened(_) => vec![told, Action::CloseSocket(foreign)],
                    _ => vec![told],
                };
                assert_eq!(yielded.as_slice(), expected, "{situation:?}, {event:?}");
                assert_eq!(connection.machine(), &before, "{situation:?}, {event:?}");
            }
        }
    }
}

#[test]
fn an_open_socket_with_a_login_to_do_sends_it_and_is_not_ready() {
    let draws = Draws { first: None };
    let mut connection = Connection::new(Arc::new(Situation::LoggingIn.config()), draws);
    let _ = connection.handle(Instant::ZERO, Event::ConnectRequested);

    let yielded = connection.handle(Instant::from_millis(1_000), Event::SocketOpened(ONE));

    let expected = [
        changed(ConnectionState::Connecting, ConnectionState::Connected, ONE),
        Action::Send(ONE, Outgoing::Login),
        timer(11_000),
    ];
    assert_eq!(yielded.as_slice(), expected);
    assert!(!connection.is_ready());
}
