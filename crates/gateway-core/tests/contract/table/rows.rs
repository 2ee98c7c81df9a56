//! Short names for the rows of the table and for the actions in them.

use core::time::Duration;

use gateway_core::ConnectionState as State;
use gateway_core::{
    Action, Because, CloseCode, Credentials, DisconnectCause, Event, GiveUpCause, Instant, Notice,
    OpenError, Outgoing, RetryAfter, RetryCause, SendRejection, SocketId, UnixMillis, Verdict,
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
    pub(crate) next: State,
}

/// An event at 1 s.
pub(crate) fn row(event: Event<'static>, next: State, actions: impl Into<Vec<Action>>) -> Row {
    Row { at: 1_000, event, actions: actions.into(), next }
}

pub(crate) fn row_at(at: u64, event: Event<'static>, next: State, actions: Vec<Action>) -> Row {
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

/// The login was refused.
pub(crate) fn refused(verdict: Verdict) -> Action {
    notice(Notice::LoginRefused { socket: ONE, verdict })
}

/// The login is refused at 1 s; the peer's Close is waited for.
pub(crate) fn waits_for_close(verdict: Verdict) -> Vec<Action> {
    vec![refused(verdict), timer(3_000)]
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

/// The actions of a ping that is stamped with so many milliseconds after [`WALL`].
pub(crate) fn ping(millis: u64) -> [Action; 2] {
    let stamp = Some(UnixMillis(WALL + millis));
    [Action::Send(ONE, Outgoing::Ping(stamp)), notice(Notice::PingSent { socket: ONE })]
}

pub(crate) fn rejected(why: SendRejection) -> Action {
    notice(Notice::SendRejected(why))
}

pub(crate) fn stale(event: Event<'static>, next: State) -> Vec<Row> {
    let stale = notice(Notice::Stale { what: event.kind(), socket: event.socket().unwrap() });
    vec![row(event, next, [stale])]
}

/// The socket is lost at 1 s, and retried after the first delay: 2 s, half-way between 1 s and 3 s.
pub(crate) fn lost(from: State, cause: DisconnectCause) -> Vec<Action> {
    lost_at(1_000, from, cause)
}

pub(crate) fn lost_at(millis: u64, from: State, cause: DisconnectCause) -> Vec<Action> {
    let cause_of_retry = RetryCause::Disconnected(cause);
    vec![
        gone(cause),
        changed(from, State::Disconnected, ONE),
        retry(1, 2_000, cause_of_retry, Because::Backoff),
        timer(millis + 2_000),
    ]
}

/// The socket is lost at 1 s, and retried after so many milliseconds.
pub(crate) fn lost_until(
    from: State,
    cause: DisconnectCause,
    delay: u64,
    because: Because,
) -> Vec<Action> {
    vec![
        gone(cause),
        changed(from, State::Disconnected, ONE),
        retry(1, delay, RetryCause::Disconnected(cause), because),
        timer(1_000 + delay),
    ]
}

pub(crate) fn given_up(from: State, cause: DisconnectCause, why: GiveUpCause) -> Vec<Action> {
    vec![gone(cause), changed(from, State::Closed, ONE), gave_up(why), Action::CancelTimer]
}

pub(crate) fn with(before: impl Into<Vec<Action>>, after: Vec<Action>) -> Vec<Action> {
    let mut actions = before.into();
    actions.extend(after);
    actions
}

pub(crate) fn close_socket() -> [Action; 1] {
    [Action::CloseSocket(ONE)]
}

/// Our own Close, without a wait for the peer's.
pub(crate) fn part(code: CloseCode) -> [Action; 2] {
    [Action::Send(ONE, Outgoing::Close(code)), Action::CloseSocket(ONE)]
}

pub(crate) fn closed(cause: DisconnectCause) -> Vec<Action> {
    vec![
        Action::CloseSocket(ONE),
        gone(cause),
        changed(State::Closing, State::Closed, ONE),
        Action::CancelTimer,
    ]
}

/// The provider is asked for a new socket, and must answer within 10 s.
pub(crate) fn asks(from: State, id: SocketId, millis: u64) -> Vec<Action> {
    let ask = Action::AskProvider { id, credentials: Credentials::Cached };
    vec![changed(from, State::Connecting, id), ask, timer(millis + 10_000)]
}

/// A new socket, which must be open within 10 s.
pub(crate) fn opens(from: State, id: SocketId, millis: u64) -> Vec<Action> {
    vec![
        changed(from, State::Connecting, id),
        open(id, Credentials::Cached),
        timer(millis + 10_000),
    ]
}

/// Ready at 1 s: the first ping leaves after half of the interval.
pub(crate) fn becomes_ready(from: State, to: State) -> Vec<Action> {
    vec![changed(from, to, ONE), ready_after(1_000), timer(16_000)]
}

pub(crate) fn http(status: u16, seconds: Option<u64>) -> OpenError {
    OpenError::Http { status, retry_after: seconds.map(RetryAfter::Seconds) }
}
