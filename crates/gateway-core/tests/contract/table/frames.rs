//! What each frame that comes in yields.

use core::time::Duration;

use gateway_core::ConnectionState as State;
use gateway_core::{
    Action, Because, CloseCode, CloseFrame, DisconnectCause, Event, Frame, GiveUpCause, Notice,
    Verdict,
};

use super::rows::{
    ONE, PONG, Row, becomes_ready, close_socket, closed, given_up, lost, lost_until, notice, row,
    stale, timer, waits_for_close, with,
};
use super::situation::REFUSED;
use super::situation::Situation::{
    self, Asking, Closed, Closing, Connecting, Idle, LoggingIn, Ready, ReadyAfterLogin, Refused,
    Waiting,
};

pub(crate) fn received(situation: Situation) -> Vec<Row> {
    match situation {
        LoggingIn => when_logging_in(),
        Refused => when_refused(),
        Ready | ReadyAfterLogin => when_ready(situation.state()),
        Closing => when_closing(),
        Idle | Waiting | Asking | Connecting | Closed => stale(text(PONG), situation.state()),
    }
}

fn when_logging_in() -> Vec<Row> {
    let same = State::Connected;
    let ready = becomes_ready(same, State::Authenticated);
    let least = Verdict::RetryNoSoonerThan(Duration::from_secs(45));
    let mut rows = vec![
        row(text(r#"{"type":"welcome"}"#), State::Authenticated, ready),
        row(REFUSED, same, waits_for_close(Verdict::RefreshCredentials)),
        row(text(r#"{"type":"busy"}"#), same, waits_for_close(least)),
        row(text(r#"{"type":"later"}"#), same, waits_for_close(Verdict::Retry)),
        row(text(r#"{"type":"never"}"#), same, waits_for_close(Verdict::Fatal)),
        row(text("data"), same, [Action::Deliver]),
        row(text(PONG), same, [Action::Deliver]), // no ping of ours is unanswered
        row(Event::FrameReceived(ONE, Frame::Binary(b"data")), same, [Action::Deliver]),
        row(Event::FrameReceived(ONE, Frame::Ping(b"")), same, []),
        row(Event::FrameReceived(ONE, Frame::Pong(b"")), same, []),
    ];
    rows.extend(peer_closes(same));
    rows
}

/// All that comes is delivered, and a Close says what follows. The rules have 1000 as a least delay, and 4001 as fatal.
fn when_refused() -> Vec<Row> {
    let same = State::Connected;
    let closed = |frame: Option<CloseFrame<'static>>,
                  actions: &dyn Fn(DisconnectCause) -> Vec<Action>| {
        let cause = DisconnectCause::LoginRefused(frame.map(|frame| frame.code()));
        let event = Event::FrameReceived(ONE, Frame::Close(frame));
        row(event, State::Disconnected, with(close_socket(), actions(cause)))
    };
    let code = |code| Some(CloseFrame::new(code, "").unwrap());
    let at_once = |cause| lost(same, cause);
    let ruled = |cause| lost_until(same, cause, 49_500, Because::Policy);
    let mut rows = vec![
        row(text(r#"{"type":"welcome"}"#), same, [Action::Deliver]),
        row(REFUSED, same, [Action::Deliver]),
        row(text(PONG), same, [Action::Deliver]),
        row(Event::FrameReceived(ONE, Frame::Binary(b"data")), same, [Action::Deliver]),
        row(Event::FrameReceived(ONE, Frame::Ping(b"")), same, []),
        row(Event::FrameReceived(ONE, Frame::Pong(b"")), same, []),
        closed(code(1000), &ruled),
        closed(None, &at_once),
    ];
    rows.extend([1001, 1008, 1012, 1013, 1014, 4000, 4001].map(|c| closed(code(c), &at_once)));
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
