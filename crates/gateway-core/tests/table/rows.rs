//! The words that the table is written in: rows, and the actions in them.

use core::time::Duration;

use gateway_core::ConnectionState as State;
use gateway_core::{
    Action, Because, CloseCode, CloseFrame, ConnectionState, Credentials, DisconnectCause, Event,
    Failure, Frame, GiveUpCause, Instant, Notice, OpenError, Outgoing, RetryAfter, RetryCause,
    SendRejection, SocketId, UnixMillis,
};

use State::{
    Authenticated, Closed as CLOSED, Closing as CLOSING, Connected, Connecting as CONNECTING,
    Disconnected,
};

pub(crate) const WALL: u64 = 1_700_000_000_000;
pub(crate) const PONG: &str = r#"{"type":"pong"}"#;

/// The first socket, and the one after it.
pub(crate) const ONE: SocketId = SocketId::new(1);
pub(crate) const TWO: SocketId = SocketId::new(2);

/// An event at an instant, and what it must yield.
pub(crate) struct Row {
    pub(crate) at: u64,
    pub(crate) event: Event<'static>,
    pub(crate) actions: Vec<Action>,
    pub(crate) next: ConnectionState,
}

/// At 1 s.
pub(crate) fn row(
    event: Event<'static>,
    next: ConnectionState,
    actions: impl Into<Vec<Action>>,
) -> Row {
    Row { at: 1_000, event, actions: actions.into(), next }
}

pub(crate) fn row_at(
    at: u64,
    event: Event<'static>,
    next: ConnectionState,
    actions: Vec<Action>,
) -> Row {
    Row { at, event, actions, next }
}

pub(crate) fn notice(notice: Notice) -> Action {
    Action::Notify(notice)
}

pub(crate) fn changed(from: State, to: State, socket: SocketId) -> Action {
    notice(Notice::StateChanged { from, to, socket: Some(socket) })
}

pub(crate) fn changed_without_socket(from: State, to: State) -> Action {
    notice(Notice::StateChanged { from, to, socket: None })
}

pub(crate) fn open(id: SocketId, credentials: Credentials) -> Action {
    Action::OpenSocket { id, credentials }
}

pub(crate) fn timer(millis: u64) -> Action {
    Action::ScheduleTimer(Instant::from_millis(millis))
}

pub(crate) fn gone(cause: DisconnectCause) -> Action {
    notice(Notice::Disconnected { socket: ONE, cause })
}

pub(crate) fn gave_up(cause: GiveUpCause) -> Action {
    notice(Notice::GaveUp { cause })
}

pub(crate) fn retry(attempt: u32, millis: u64, cause: RetryCause, because: Because) -> Action {
    let delay = Duration::from_millis(millis);
    notice(Notice::RetryScheduled { attempt, delay, cause, because })
}

pub(crate) fn ready_after(millis: u64) -> Action {
    notice(Notice::Ready { socket: ONE, after: Duration::from_millis(millis) })
}

/// The two actions of a heartbeat at so many milliseconds of the wall clock.
pub(crate) fn ping(millis: u64) -> [Action; 2] {
    let stamp = Some(UnixMillis(WALL + millis));
    [Action::Send(ONE, Outgoing::Ping(stamp)), notice(Notice::PingSent { socket: ONE })]
}

pub(crate) fn rejected(why: SendRejection) -> Action {
    notice(Notice::SendRejected(why))
}

pub(crate) fn stale(event: Event<'static>, next: State) -> Vec<Row> {
    let told = notice(Notice::Stale { what: event.kind(), socket: event.socket().unwrap() });
    vec![row(event, next, [told])]
}

/// The socket is lost at 1 s for this cause, and retried after the first delay: 2 s, half-way in 1 s to 3 s.
pub(crate) fn lost(from: State, cause: DisconnectCause) -> Vec<Action> {
    lost_at(1_000, from, cause)
}

pub(crate) fn lost_at(millis: u64, from: State, cause: DisconnectCause) -> Vec<Action> {
    let cause_of_retry = RetryCause::Disconnected(cause);
    vec![
        gone(cause),
        changed(from, Disconnected, ONE),
        retry(1, 2_000, cause_of_retry, Because::Backoff),
        timer(millis + 2_000),
    ]
}

/// The socket is lost, retried no sooner than so many milliseconds.
pub(crate) fn lost_until(
    from: State,
    cause: DisconnectCause,
    delay: u64,
    because: Because,
) -> Vec<Action> {
    vec![
        gone(cause),
        changed(from, Disconnected, ONE),
        retry(1, delay, RetryCause::Disconnected(cause), because),
        timer(1_000 + delay),
    ]
}

pub(crate) fn given_up(from: State, cause: DisconnectCause, why: GiveUpCause) -> Vec<Action> {
    vec![gone(cause), changed(from, CLOSED, ONE), gave_up(why), Action::CancelTimer]
}

pub(crate) fn with(before: impl Into<Vec<Action>>, after: Vec<Action>) -> Vec<Action> {
    let mut actions = before.into();
    actions.extend(after);
    actions
}

pub(crate) fn close_socket() -> [Action; 1] {
    [Action::CloseSocket(ONE)]
}

/// A Close of our own, and no waiting for the peer's.
pub(crate) fn part(code: CloseCode) -> [Action; 2] {
    [Action::Send(ONE, Outgoing::Close(code)), Action::CloseSocket(ONE)]
}

pub(crate) fn closed(cause: DisconnectCause) -> Vec<Action> {
    vec![Action::CloseSocket(ONE), gone(cause), changed(CLOSING, CLOSED, ONE), Action::CancelTimer]
}

/// A new socket, to be given up after 10 s.
pub(crate) fn opens(from: State, id: SocketId, millis: u64) -> Vec<Action> {
    vec![changed(from, CONNECTING, id), open(id, Credentials::Cached), timer(millis + 10_000)]
}

/// Ready at 1 s: the first ping leaves after half of the interval.
pub(crate) fn becomes_ready(from: State, to: State) -> Vec<Action> {
    vec![changed(from, to, ONE), ready_after(1_000), timer(16_000)]
}

pub(crate) fn text(text: &'static str) -> Event<'static> {
    Event::FrameReceived(ONE, Frame::Text(text))
}

pub(crate) fn close_frame(code: u16) -> Event<'static> {
    Event::FrameReceived(ONE, Frame::Close(Some(CloseFrame::new(code, "").unwrap())))
}

pub(crate) fn received(code: u16) -> DisconnectCause {
    DisconnectCause::CloseReceived(Some(CloseCode::new(code).unwrap()))
}

pub(crate) fn http(status: u16, seconds: Option<u64>) -> OpenError {
    OpenError::Http { status, retry_after: seconds.map(RetryAfter::Seconds) }
}

/// Opening fails at 1 s with this error.
pub(crate) fn open_fails(error: OpenError, next: State, actions: Vec<Action>) -> Row {
    row(Event::OpenFailed(ONE, error), next, actions)
}

/// What an open socket's failure yields, with the login done or not.
pub(crate) fn failures(from: State) -> Vec<Row> {
    let mut rows = Vec::new();
    for failure in [Failure::Eof, Failure::Reset, Failure::Io, Failure::Tls] {
        let actions = with(close_socket(), lost(from, DisconnectCause::Lost(failure)));
        rows.push(row(Event::SocketFailed(ONE, failure), Disconnected, actions));
    }
    for (failure, code) in [
        (Failure::Protocol, CloseCode::PROTOCOL_ERROR),
        (Failure::InvalidUtf8, CloseCode::INVALID_PAYLOAD),
        (Failure::TooBig, CloseCode::TOO_BIG),
    ] {
        let actions = with(part(code), lost(from, DisconnectCause::ProtocolError(failure)));
        rows.push(row(Event::SocketFailed(ONE, failure), Disconnected, actions));
    }
    rows
}

/// What the peer's Close yields on an open socket.
pub(crate) fn peer_closes(from: State) -> Vec<Row> {
    let normal = given_up(from, received(1000), GiveUpCause::CloseCode(1000));
    let restart = lost(from, received(1012));
    let bare = lost(from, DisconnectCause::CloseReceived(None));
    let bare_frame = Event::FrameReceived(ONE, Frame::Close(None));
    vec![
        row(close_frame(1000), CLOSED, with(close_socket(), normal)),
        row(close_frame(1012), Disconnected, with(close_socket(), restart)),
        row(bare_frame, Disconnected, with(close_socket(), bare)),
    ]
}

/// The ping that left when the connection became ready is answered.
fn pong() -> Action {
    notice(Notice::PongReceived { socket: ONE, round_trip: Some(Duration::from_secs(1)) })
}

/// What a frame yields on a ready connection.
pub(crate) fn frames_when_ready(state: State) -> Vec<Row> {
    let mut rows = vec![
        row(text("data"), state, [Action::Deliver]),
        // It is the next ping that is due now, an interval after the first.
        row(text(PONG), state, [pong(), Action::ScheduleTimer(Instant::from_millis(30_000))]),
        row(text(r#"{"type":"ping"}"#), state, [Action::Deliver]),
        row(Event::FrameReceived(ONE, Frame::Binary(b"data")), state, [Action::Deliver]),
        row(Event::FrameReceived(ONE, Frame::Ping(b"")), state, []),
        row(Event::FrameReceived(ONE, Frame::Pong(b"")), state, []),
    ];
    rows.extend(peer_closes(state));
    rows
}

pub(crate) fn frames_when_logging_in() -> Vec<Row> {
    let refused = lost(Connected, DisconnectCause::LoginRefused);
    let refused = with(part(CloseCode::GOING_AWAY), refused);
    let mut rows = vec![
        row(text(r#"{"type":"welcome"}"#), Authenticated, becomes_ready(Connected, Authenticated)),
        row(text(r#"{"type":"refused"}"#), Disconnected, refused),
        row(text("data"), Connected, [Action::Deliver]),
        row(text(PONG), Connected, [Action::Deliver]), // no ping of ours is out
        row(Event::FrameReceived(ONE, Frame::Binary(b"data")), Connected, [Action::Deliver]),
        row(Event::FrameReceived(ONE, Frame::Ping(b"")), Connected, []),
        row(Event::FrameReceived(ONE, Frame::Pong(b"")), Connected, []),
    ];
    rows.extend(peer_closes(Connected));
    rows
}

pub(crate) fn frames_when_closing() -> Vec<Row> {
    vec![
        row(text("data"), CLOSING, [Action::Deliver]),
        row(text(PONG), CLOSING, [pong()]), // of a ping that left before our Close
        row(Event::FrameReceived(ONE, Frame::Binary(b"data")), CLOSING, [Action::Deliver]),
        row(Event::FrameReceived(ONE, Frame::Ping(b"")), CLOSING, []),
        row(Event::FrameReceived(ONE, Frame::Pong(b"")), CLOSING, []),
        row(close_frame(1000), CLOSED, closed(DisconnectCause::Requested)),
        row(close_frame(1002), CLOSED, closed(DisconnectCause::Requested)),
    ]
}
