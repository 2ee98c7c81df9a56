//! What each frame that comes in yields.

use core::time::Duration;

use gateway_core::ConnectionState as State;
use gateway_core::{
    Action, CloseCode, CloseFrame, DisconnectCause, Event, Frame, GiveUpCause, Notice,
};

use crate::rows::{
    ONE, PONG, Row, becomes_ready, close_socket, closed, given_up, lost, notice, part, row, stale,
    timer, with,
};
use crate::situation::Situation::{
    self, Closed, Closing, Connecting, Idle, LoggingIn, Ready, ReadyAfterLogin, Waiting,
};

pub(crate) fn received(situation: Situation) -> Vec<Row> {
    match situation {
        LoggingIn => when_logging_in(),
        Ready | ReadyAfterLogin => when_ready(situation.state()),
        Closing => when_closing(),
        Idle | Waiting | Connecting | Closed => stale(text(PONG), situation.state()),
    }
}

fn when_logging_in() -> Vec<Row> {
    let same = State::Connected;
    let ready = becomes_ready(same, State::Authenticated);
    let refused = lost(same, DisconnectCause::LoginRefused);
    let refused = with(part(CloseCode::GOING_AWAY), refused);
    let mut rows = vec![
        row(text(r#"{"type":"welcome"}"#), State::Authenticated, ready),
        row(text(r#"{"type":"refused"}"#), State::Disconnected, refused),
        row(text("data"), same, [Action::Deliver]),
        row(text(PONG), same, [Action::Deliver]), // no ping of ours is unanswered
        row(Event::FrameReceived(ONE, Frame::Binary(b"data")), same, [Action::Deliver]),
        row(Event::FrameReceived(ONE, Frame::Ping(b"")), same, []),
        row(Event::FrameReceived(ONE, Frame::Pong(b"")), same, []),
    ];
    rows.extend(peer_closes(same));
    rows
}

fn when_ready(same: State) -> Vec<Row> {
    let mut rows = vec![
        row(text("data"), same, [Action::Deliver]),
        // The next ping is due an interval after the first.
        row(text(PONG), same, [pong(), timer(30_000)]),
        row(text(r#"{"type":"ping"}"#), same, [Action::Deliver]),
        row(Event::FrameReceived(ONE, Frame::Binary(b"data")), same, [Action::Deliver]),
        row(Event::FrameReceived(ONE, Frame::Ping(b"")), same, []),
        row(Event::FrameReceived(ONE, Frame::Pong(b"")), same, []),
    ];
    rows.extend(peer_closes(same));
    rows
}

fn when_closing() -> Vec<Row> {
    let same = State::Closing;
    vec![
        row(text("data"), same, [Action::Deliver]),
        row(text(PONG), same, [pong()]), // of a ping that left before our Close
        row(Event::FrameReceived(ONE, Frame::Binary(b"data")), same, [Action::Deliver]),
        row(Event::FrameReceived(ONE, Frame::Ping(b"")), same, []),
        row(Event::FrameReceived(ONE, Frame::Pong(b"")), same, []),
        row(close_frame(1000), State::Closed, closed(DisconnectCause::Requested)),
        row(close_frame(1002), State::Closed, closed(DisconnectCause::Requested)),
    ]
}

/// What the peer's Close yields on an open socket.
fn peer_closes(from: State) -> Vec<Row> {
    let normal = given_up(from, close_received(1000), GiveUpCause::CloseCode(1000));
    let restart = lost(from, close_received(1012));
    let bare = lost(from, DisconnectCause::CloseReceived(None));
    let bare_frame = Event::FrameReceived(ONE, Frame::Close(None));
    vec![
        row(close_frame(1000), State::Closed, with(close_socket(), normal)),
        row(close_frame(1012), State::Disconnected, with(close_socket(), restart)),
        row(bare_frame, State::Disconnected, with(close_socket(), bare)),
    ]
}

fn text(text: &'static str) -> Event<'static> {
    Event::FrameReceived(ONE, Frame::Text(text))
}

fn close_frame(code: u16) -> Event<'static> {
    Event::FrameReceived(ONE, Frame::Close(Some(CloseFrame::new(code, "").unwrap())))
}

fn close_received(code: u16) -> DisconnectCause {
    DisconnectCause::CloseReceived(Some(CloseCode::new(code).unwrap()))
}

/// The ping that left when the connection became ready is answered.
fn pong() -> Action {
    notice(Notice::PongReceived { socket: ONE, round_trip: Some(Duration::from_secs(1)) })
}
