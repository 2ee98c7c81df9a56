//! The whole table: for each situation and each kind of event the next state and the exact actions.
//!
//! Every situation was reached at 0 s, with the wall clock known and draws half-way; a ready connection has
//! sent its first ping at 0 s. Every event comes at 1 s, before any deadline, unless its row says when. The match has no wildcard: a new event or situation
//! does not compile until its rows are written.

mod rows;

use core::convert::Infallible;
use core::time::Duration;
use std::sync::Arc;

use gateway_core::ConnectionState as State;
use gateway_core::{
    Action, Backlog, Because, CloseCode, CloseFrame, Config, ConfigBuilder, ConnectionState,
    DisconnectCause, Event, EventKind, Failure, Frame, GiveUpCause, HeartbeatKind, Instant,
    JsonRule, Login, Message, Network, Notice, OpenError, Outgoing, RetryCause, SendRejection,
    SocketId, UnixMillis, Verdict,
};
use rand_core::TryRng;
use rows::{
    ONE, PONG, Row, TWO, WALL, becomes_ready, changed, changed_without_socket, close_socket,
    closed, failures, frames_when_closing, frames_when_logging_in, frames_when_ready, given_up,
    gone, http, lost, lost_at, lost_until, notice, open_fails, opens, part, ping, rejected, retry,
    row, row_at, stale, text, timer, with,
};

use Situation::{Closed, Closing, Connecting, Idle, LoggingIn, Ready, ReadyAfterLogin, Waiting};
use State::{
    Authenticated, Closed as CLOSED, Closing as CLOSING, Connected, Connecting as CONNECTING,
    Disconnected,
};

type Connection = gateway_core::Connection<Draws>;

/// The first draw is zero where a ready connection is to ping at once; all others are half-way.
#[derive(Clone)]
struct Draws {
    first: Option<u64>,
}

impl TryRng for Draws {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.try_next_u64().map(|number| (number >> 32) as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.first.take().unwrap_or(1 << 63))
    }

    fn try_fill_bytes(&mut self, into: &mut [u8]) -> Result<(), Infallible> {
        into.fill(0x80);
        Ok(())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Situation {
    Idle,
    Waiting,
    Connecting,
    LoggingIn,
    Ready,
    ReadyAfterLogin,
    Closing,
    Closed,
}

const SITUATIONS: [Situation; 8] =
    [Idle, Waiting, Connecting, LoggingIn, Ready, ReadyAfterLogin, Closing, Closed];

const KINDS: [EventKind; 20] = [
    EventKind::ConnectRequested,
    EventKind::CloseRequested,
    EventKind::SendRequested,
    EventKind::LoginAccepted,
    EventKind::LoginRejected,
    EventKind::SocketOpened,
    EventKind::OpenFailed,
    EventKind::SocketFailed,
    EventKind::FrameReceived,
    EventKind::BytesReceived,
    EventKind::WriteBlocked,
    EventKind::Flushed,
    EventKind::ReadingPaused,
    EventKind::ReadingResumed,
    EventKind::PingHeld,
    EventKind::WriteProgressed,
    EventKind::PingHanded,
    EventKind::WallClock,
    EventKind::NetworkChanged,
    EventKind::Tick,
];

impl Situation {
    fn state(self) -> ConnectionState {
        match self {
            Idle | Waiting => Disconnected,
            Connecting => CONNECTING,
            LoggingIn | Ready => Connected,
            ReadyAfterLogin => Authenticated,
            Closing => CLOSING,
            Closed => CLOSED,
        }
    }

    fn config(self) -> Config {
        let login = Login::Message {
            send: "open sesame".into(),
            accepted: JsonRule::parse("/type=welcome"),
            refused: JsonRule::parse("/type=refused"),
            timeout: Login::TIMEOUT,
        };
        match self {
            LoggingIn | ReadyAfterLogin => asking().login(login).build().unwrap(),
            Idle | Waiting | Connecting | Ready | Closing | Closed => asking().build().unwrap(),
        }
    }

    /// A connection that has come into this situation at 0 s.
    fn arrange(self) -> Connection {
        let before: &[Event<'static>] = match self {
            Idle => &[],
            Waiting => &[Event::ConnectRequested, Event::OpenFailed(ONE, OpenError::Refused)],
            Connecting => &[Event::ConnectRequested],
            LoggingIn => &[Event::ConnectRequested, Event::SocketOpened(ONE)],
            Ready => &[Event::ConnectRequested, Event::SocketOpened(ONE), Event::Tick],
            ReadyAfterLogin => &[
                Event::ConnectRequested,
                Event::SocketOpened(ONE),
                Event::LoginAccepted,
                Event::Tick,
            ],
            Closing => &[
                Event::ConnectRequested,
                Event::SocketOpened(ONE),
                Event::Tick,
                Event::CloseRequested(CloseFrame::NORMAL),
            ],
            Closed => &[Event::ConnectRequested, Event::CloseRequested(CloseFrame::NORMAL)],
        };
        let first = matches!(self, Ready | ReadyAfterLogin | Closing).then_some(0);
        let mut connection = Connection::new(Arc::new(self.config()), Draws { first });
        let _ = connection.handle(Instant::ZERO, Event::WallClock(UnixMillis(WALL)));
        for event in before {
            let _ = connection.handle(Instant::ZERO, *event);
        }
        connection
    }
}

/// The wall clock goes evenly, is set back, or has gone ahead by just no more than the threshold: no jump.
fn even_clocks(state: State) -> Vec<Row> {
    let wall = |millis| Event::WallClock(UnixMillis(WALL + millis));
    vec![
        row(wall(1_000), state, []),
        row(wall(61_000), state, []),
        row(Event::WallClock(UnixMillis(0)), state, []),
    ]
}

/// The wall clock has gone ahead by 61 s more than the monotonic one.
fn jump(next: State, actions: Vec<Action>) -> Row {
    let jumped = notice(Notice::ClockJumped { by: Duration::from_secs(61) });
    row(Event::WallClock(UnixMillis(WALL + 62_000)), next, with([jumped], actions))
}

/// The attempt is worth nothing after a jump: it starts anew.
fn starts_anew(from: State) -> Vec<Action> {
    let start = vec![
        Action::AbortSocket(ONE),
        changed(from, Disconnected, ONE),
        retry(0, 0, RetryCause::ClockJump, Because::Hint),
    ];
    with(start, opens(Disconnected, TWO, 1_000))
}

fn clocks(situation: Situation) -> Vec<Row> {
    let state = situation.state();
    let jumped = match situation {
        Idle | Closing | Closed => jump(state, Vec::new()),
        Waiting => {
            let moved = retry(1, 500, RetryCause::ClockJump, Because::Hint);
            jump(Disconnected, vec![moved, timer(1_500)])
        }
        Connecting | LoggingIn => jump(CONNECTING, starts_anew(state)),
        Ready | ReadyAfterLogin => jump(state, with(ping(62_000), vec![timer(6_000)])),
    };
    let mut rows = even_clocks(state);
    rows.push(jumped);
    rows
}

/// The heartbeat is JSON, and the first ping leaves after a random part of the interval.
fn asking() -> ConfigBuilder {
    Config::builder().heartbeat(HeartbeatKind::Json).heartbeat_phase(true)
}

/// What a driver reports of the newest ping.
fn pings_on_their_way() -> [Event<'static>; 3] {
    let backlog = Backlog { bytes: 9, idle: Duration::ZERO };
    [Event::PingHeld(ONE, backlog), Event::WriteProgressed(ONE), Event::PingHanded(ONE, 9)]
}

#[allow(clippy::too_many_lines, reason = "one table")]
fn rows(situation: Situation, kind: EventKind) -> Vec<Row> {
    let same = situation.state();
    match (situation, kind) {
        // connect(): opens, but where it is already on its way or there.
        (Idle, EventKind::ConnectRequested) => {
            vec![row(Event::ConnectRequested, CONNECTING, opens(Disconnected, ONE, 1_000))]
        }
        (Waiting, EventKind::ConnectRequested) => {
            vec![row(Event::ConnectRequested, CONNECTING, opens(Disconnected, TWO, 1_000))]
        }
        (Closed, EventKind::ConnectRequested) => {
            vec![row(Event::ConnectRequested, CONNECTING, opens(CLOSED, TWO, 1_000))]
        }
        (Closing, EventKind::ConnectRequested) => {
            let aborted = [Action::CloseSocket(ONE), gone(DisconnectCause::Requested)];
            let actions = with(aborted, opens(CLOSING, TWO, 1_000));
            vec![row(Event::ConnectRequested, CONNECTING, actions)]
        }
        (Connecting | LoggingIn | Ready | ReadyAfterLogin, EventKind::ConnectRequested) => {
            vec![row(Event::ConnectRequested, same, [])]
        }

        // close(): wins in every state, at once.
        (Idle, EventKind::CloseRequested) => {
            let actions = [changed_without_socket(Disconnected, CLOSED)];
            vec![row(Event::CloseRequested(CloseFrame::NORMAL), CLOSED, actions)]
        }
        (Waiting, EventKind::CloseRequested) => {
            let actions = [changed_without_socket(Disconnected, CLOSED), Action::CancelTimer];
            vec![row(Event::CloseRequested(CloseFrame::NORMAL), CLOSED, actions)]
        }
        (Connecting, EventKind::CloseRequested) => {
            let actions = [
                Action::CloseSocket(ONE),
                gone(DisconnectCause::Requested),
                changed(CONNECTING, CLOSED, ONE),
                Action::CancelTimer,
            ];
            vec![row(Event::CloseRequested(CloseFrame::NORMAL), CLOSED, actions)]
        }
        (LoggingIn | Ready | ReadyAfterLogin, EventKind::CloseRequested) => {
            let actions = [
                Action::Send(ONE, Outgoing::RequestedClose),
                changed(same, CLOSING, ONE),
                timer(3_000),
            ];
            vec![row(Event::CloseRequested(CloseFrame::NORMAL), CLOSING, actions)]
        }
        (Closing | Closed, EventKind::CloseRequested) => {
            vec![row(Event::CloseRequested(CloseFrame::NORMAL), same, [])]
        }

        // send(): one outcome each.
        (Ready | ReadyAfterLogin, EventKind::SendRequested) => {
            let sent = [Action::Send(ONE, Outgoing::Requested)];
            vec![
                row(Event::SendRequested(Message::Text("x")), same, sent),
                row(Event::SendRequested(Message::Binary(b"x")), same, sent),
            ]
        }
        (Idle | Waiting | Connecting | LoggingIn, EventKind::SendRequested) => {
            let actions = [rejected(SendRejection::NotReady)];
            vec![row(Event::SendRequested(Message::Text("x")), same, actions)]
        }
        (Closing | Closed, EventKind::SendRequested) => {
            let actions = [rejected(SendRejection::Closed)];
            vec![row(Event::SendRequested(Message::Text("x")), same, actions)]
        }

        // The embedder's own login: heard while logging in alone.
        (LoggingIn, EventKind::LoginAccepted) => {
            let actions = becomes_ready(Connected, Authenticated);
            vec![row(Event::LoginAccepted, Authenticated, actions)]
        }
        (
            Idle | Waiting | Connecting | Ready | ReadyAfterLogin | Closing | Closed,
            EventKind::LoginAccepted,
        ) => vec![row(Event::LoginAccepted, same, [])],
        (LoggingIn, EventKind::LoginRejected) => {
            let cause = DisconnectCause::LoginRefused;
            let part = || part(CloseCode::GOING_AWAY);
            let fatal = given_up(Connected, cause, GiveUpCause::LoginRefused);
            let least = Verdict::RetryNoSoonerThan(Duration::from_secs(45));
            let ruled = lost_until(Connected, cause, 49_500, Because::Policy);
            vec![
                row(
                    Event::LoginRejected(Verdict::Retry),
                    Disconnected,
                    with(part(), lost(Connected, cause)),
                ),
                row(
                    Event::LoginRejected(Verdict::RefreshCredentials),
                    Disconnected,
                    with(part(), lost(Connected, cause)),
                ),
                row(Event::LoginRejected(least), Disconnected, with(part(), ruled)),
                row(Event::LoginRejected(Verdict::Fatal), CLOSED, with(part(), fatal)),
            ]
        }
        (
            Idle | Waiting | Connecting | Ready | ReadyAfterLogin | Closing | Closed,
            EventKind::LoginRejected,
        ) => vec![row(Event::LoginRejected(Verdict::Fatal), same, [])],

        // The outcome of an attempt: heard while connecting, once.
        (Connecting, EventKind::SocketOpened) => {
            let actions = becomes_ready(CONNECTING, Connected);
            vec![row(Event::SocketOpened(ONE), Connected, actions)]
        }
        (LoggingIn | Ready | ReadyAfterLogin | Closing, EventKind::SocketOpened) => {
            stale(Event::SocketOpened(ONE), same)
        }
        (Idle | Waiting | Closed, EventKind::SocketOpened) => {
            let event = Event::SocketOpened(ONE);
            let told = notice(Notice::Stale { what: event.kind(), socket: ONE });
            vec![row(event, same, [told, Action::CloseSocket(ONE)])]
        }
        (Connecting, EventKind::OpenFailed) => {
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
                http(503, None),
                http(401, None), // with new credentials
            ]
            .map(|error| open_fails(error, Disconnected, lost(CONNECTING, cause(error))))
            .into();
            let busy = http(429, Some(60));
            let spread = lost_until(CONNECTING, cause(busy), 66_000, Because::RetryAfter);
            rows.push(open_fails(busy, Disconnected, spread));
            let missing = http(404, None);
            let fatal = given_up(CONNECTING, cause(missing), GiveUpCause::HttpStatus(404));
            rows.push(open_fails(missing, CLOSED, fatal));
            let hopeless = OpenError::Configuration;
            let fatal = given_up(CONNECTING, cause(hopeless), GiveUpCause::Configuration);
            rows.push(open_fails(hopeless, CLOSED, fatal));
            rows
        }
        (
            Idle | Waiting | LoggingIn | Ready | ReadyAfterLogin | Closing | Closed,
            EventKind::OpenFailed,
        ) => stale(Event::OpenFailed(ONE, OpenError::Refused), same),

        // What an open socket does.
        (LoggingIn | Ready | ReadyAfterLogin, EventKind::SocketFailed) => failures(same),
        (Closing, EventKind::SocketFailed) => {
            let actions = || closed(DisconnectCause::Requested);
            [Failure::Eof, Failure::Protocol]
                .map(|failure| row(Event::SocketFailed(ONE, failure), CLOSED, actions()))
                .into()
        }
        (Idle | Waiting | Connecting | Closed, EventKind::SocketFailed) => {
            stale(Event::SocketFailed(ONE, Failure::Eof), same)
        }
        (LoggingIn, EventKind::FrameReceived) => frames_when_logging_in(),
        (Ready | ReadyAfterLogin, EventKind::FrameReceived) => frames_when_ready(same),
        (Closing, EventKind::FrameReceived) => frames_when_closing(),
        (Idle | Waiting | Connecting | Closed, EventKind::FrameReceived) => stale(text(PONG), same),
        (LoggingIn | Ready | ReadyAfterLogin | Closing, EventKind::BytesReceived) => {
            vec![row(Event::BytesReceived(ONE), same, [])]
        }
        (Idle | Waiting | Connecting | Closed, EventKind::BytesReceived) => {
            stale(Event::BytesReceived(ONE), same)
        }
        (LoggingIn | Ready | ReadyAfterLogin | Closing, EventKind::WriteBlocked) => {
            vec![row(Event::WriteBlocked(ONE), same, [])]
        }
        (Idle | Waiting | Connecting | Closed, EventKind::WriteBlocked) => {
            stale(Event::WriteBlocked(ONE), same)
        }
        (LoggingIn | Ready | ReadyAfterLogin | Closing, EventKind::Flushed) => {
            vec![row(Event::Flushed(ONE), same, [])]
        }
        (Idle | Waiting | Connecting | Closed, EventKind::Flushed) => {
            stale(Event::Flushed(ONE), same)
        }
        (Ready | ReadyAfterLogin, EventKind::ReadingPaused) => {
            // The judgement waits; the next ping does not.
            vec![row(Event::ReadingPaused(ONE), same, [timer(30_000)])]
        }
        (LoggingIn | Closing, EventKind::ReadingPaused) => {
            vec![row(Event::ReadingPaused(ONE), same, [])] // their deadlines stand
        }
        (Idle | Waiting | Connecting | Closed, EventKind::ReadingPaused) => {
            stale(Event::ReadingPaused(ONE), same)
        }
        (LoggingIn | Ready | ReadyAfterLogin | Closing, EventKind::ReadingResumed) => {
            vec![row(Event::ReadingResumed(ONE), same, [])]
        }
        (Idle | Waiting | Connecting | Closed, EventKind::ReadingResumed) => {
            stale(Event::ReadingResumed(ONE), same)
        }

        // How far the newest ping has come: it left at 0 s, and was to be answered by 5 s.
        (Ready | ReadyAfterLogin, EventKind::PingHeld) => {
            let behind = |bytes| Event::PingHeld(ONE, Backlog { bytes, idle: Duration::ZERO });
            vec![
                // The next ping's turn comes first: nothing is taken for interval + timeout at 36 s.
                row(behind(0), same, [timer(30_000)]),
                row(behind(u64::MAX), same, [timer(30_000)]),
            ]
        }
        (Ready | ReadyAfterLogin, EventKind::PingHanded) => vec![
            row(Event::PingHanded(ONE, 65_536), same, [timer(6_000)]),
            row(Event::PingHanded(ONE, 65_536 + 32_768), same, [timer(7_000)]),
            row(Event::PingHanded(ONE, u64::MAX), same, [timer(30_000)]),
        ],
        (Ready | ReadyAfterLogin, EventKind::WriteProgressed) => {
            vec![row(Event::WriteProgressed(ONE), same, [])]
        }
        (
            LoggingIn | Closing,
            EventKind::PingHeld | EventKind::WriteProgressed | EventKind::PingHanded,
        ) => {
            let of_kind = pings_on_their_way().into_iter().filter(|event| event.kind() == kind);
            of_kind.map(|event| row(event, same, [])).collect()
        }
        (
            Idle | Waiting | Connecting | Closed,
            EventKind::PingHeld | EventKind::WriteProgressed | EventKind::PingHanded,
        ) => {
            let of_kind = pings_on_their_way().into_iter().filter(|event| event.kind() == kind);
            of_kind.flat_map(|event| stale(event, same)).collect()
        }

        // Hints.
        (
            Idle | Waiting | Connecting | LoggingIn | Ready | ReadyAfterLogin | Closing | Closed,
            EventKind::WallClock,
        ) => clocks(situation),
        (Waiting, EventKind::NetworkChanged) => {
            let at_once = [retry(1, 0, RetryCause::Online, Because::Hint)];
            let actions = with(at_once, opens(Disconnected, TWO, 1_000));
            vec![
                row(Event::NetworkChanged(Network::Offline), same, []),
                row(Event::NetworkChanged(Network::Online), CONNECTING, actions),
            ]
        }
        (
            Idle | Connecting | LoggingIn | Ready | ReadyAfterLogin | Closing | Closed,
            EventKind::NetworkChanged,
        ) => vec![
            row(Event::NetworkChanged(Network::Offline), same, []),
            row(Event::NetworkChanged(Network::Online), same, []),
        ],

        // Time: nothing before the deadline, and at it what the state ends with.
        (Idle | Closed, EventKind::Tick) => {
            vec![row(Event::Tick, same, []), row_at(u64::MAX, Event::Tick, same, vec![])]
        }
        (Waiting, EventKind::Tick) => vec![
            row_at(1_999, Event::Tick, same, vec![]),
            row_at(2_000, Event::Tick, CONNECTING, opens(Disconnected, TWO, 2_000)),
        ],
        (Connecting, EventKind::Tick) => {
            let late = lost_at(10_000, CONNECTING, DisconnectCause::ConnectTimeout);
            vec![
                row_at(9_999, Event::Tick, same, vec![]),
                row_at(10_000, Event::Tick, Disconnected, with(close_socket(), late)),
            ]
        }
        (LoggingIn, EventKind::Tick) => {
            let late = lost_at(10_000, Connected, DisconnectCause::LoginTimeout);
            let late = with(part(CloseCode::GOING_AWAY), late);
            vec![
                row_at(9_999, Event::Tick, same, vec![]),
                row_at(10_000, Event::Tick, Disconnected, late),
            ]
        }
        (Ready | ReadyAfterLogin, EventKind::Tick) => {
            let dead = lost_at(5_000, same, DisconnectCause::PongTimeout);
            vec![
                row_at(4_999, Event::Tick, same, vec![]),
                row_at(5_000, Event::Tick, Disconnected, with([Action::AbortSocket(ONE)], dead)),
            ]
        }
        (Closing, EventKind::Tick) => vec![
            row_at(1_999, Event::Tick, same, vec![]),
            row_at(2_000, Event::Tick, CLOSED, closed(DisconnectCause::CloseTimeout)),
        ],
    }
}

#[test]
fn every_event_in_every_situation_yields_exactly_its_row() {
    let mut count = 0;
    for situation in SITUATIONS {
        for kind in KINDS {
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
    assert!(count > 8 * 20, "only {count} rows");
}

#[test]
fn an_event_of_a_foreign_socket_is_told_and_nothing_else_in_every_situation() {
    for situation in SITUATIONS {
        for foreign in [SocketId::new(0), SocketId::new(77)] {
            for event in [
                Event::SocketOpened(foreign),
                Event::OpenFailed(foreign, OpenError::Configuration),
                Event::SocketFailed(foreign, Failure::Protocol),
                Event::FrameReceived(foreign, Frame::Text(PONG)),
                Event::FrameReceived(foreign, Frame::Close(None)),
                Event::BytesReceived(foreign),
                Event::WriteBlocked(foreign),
                Event::Flushed(foreign),
                Event::ReadingPaused(foreign),
                Event::ReadingResumed(foreign),
                Event::PingHeld(foreign, Backlog { bytes: 0, idle: Duration::ZERO }),
                Event::WriteProgressed(foreign),
                Event::PingHanded(foreign, 0),
            ] {
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
    let mut connection = Connection::new(Arc::new(LoggingIn.config()), draws);
    let _ = connection.handle(Instant::ZERO, Event::ConnectRequested);

    let yielded = connection.handle(Instant::from_millis(1_000), Event::SocketOpened(ONE));

    let expected =
        [changed(CONNECTING, Connected, ONE), Action::Send(ONE, Outgoing::Login), timer(11_000)];
    assert_eq!(yielded.as_slice(), expected);
    assert!(!connection.is_ready());
}
