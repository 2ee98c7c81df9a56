//! Time and hints: due deadlines, the wall clock, and changes of the network.

use core::time::Duration;

use gateway_core::ConnectionState as State;
use gateway_core::{
    Action, Because, CloseCode, DisconnectCause, Event, Network, Notice, RetryCause, UnixMillis,
};

use super::rows::{
    ONE, Row, TWO, WALL, asks, changed, close_socket, closed, lost, lost_at, notice, opens, part,
    ping, retry, row, row_at, timer, with,
};
use super::situation::Situation::{
    self, Asking, Closed, Closing, Connecting, Idle, LoggingIn, Ready, ReadyAfterLogin, Refused,
    Waiting,
};

/// A Tick before the deadline does nothing. At the deadline it ends what the state waits for.
pub(crate) fn tick(situation: Situation) -> Vec<Row> {
    let same = situation.state();
    let nothing_at = |millis| row_at(millis, Event::Tick, same, Vec::new());
    match situation {
        Idle | Closed => vec![nothing_at(1_000), nothing_at(u64::MAX)],
        Waiting => {
            let opened = opens(State::Disconnected, TWO, 2_000);
            vec![nothing_at(1_999), row_at(2_000, Event::Tick, State::Connecting, opened)]
        }
        Asking => {
            let late = lost_at(10_000, same, DisconnectCause::AttemptTimeout);
            let late = with(close_socket(), late);
            vec![nothing_at(9_999), row_at(10_000, Event::Tick, State::Disconnected, late)]
        }
        Connecting => {
            let late = lost_at(10_000, same, DisconnectCause::ConnectTimeout);
            let late = with(close_socket(), late);
            vec![nothing_at(9_999), row_at(10_000, Event::Tick, State::Disconnected, late)]
        }
        LoggingIn => {
            let late = lost_at(10_000, same, DisconnectCause::LoginTimeout);
            let late = with(part(CloseCode::GOING_AWAY), late);
            vec![nothing_at(9_999), row_at(10_000, Event::Tick, State::Disconnected, late)]
        }
        Refused => {
            let late = lost_at(2_000, same, DisconnectCause::LoginRefused(None));
            let late = with(part(CloseCode::GOING_AWAY), late);
            vec![nothing_at(1_999), row_at(2_000, Event::Tick, State::Disconnected, late)]
        }
        Ready | ReadyAfterLogin => {
            let dead = lost_at(5_000, same, DisconnectCause::PongTimeout);
            let dead = with([Action::AbortSocket(ONE)], dead);
            vec![nothing_at(4_999), row_at(5_000, Event::Tick, State::Disconnected, dead)]
        }
        Closing => {
            let late = closed(DisconnectCause::CloseTimeout);
            vec![nothing_at(1_999), row_at(2_000, Event::Tick, State::Closed, late)]
        }
    }
}

/// The wall clock as expected, and a clock jump.
pub(crate) fn wall_clock(situation: Situation) -> Vec<Row> {
    let state = situation.state();
    let jumped = match situation {
        Idle | Closing | Closed => jump(state, Vec::new()),
        Waiting => {
            let moved = retry(1, 500, RetryCause::ClockJump, Because::Hint);
            jump(state, vec![moved, timer(1_500)])
        }
        Refused => {
            let left = lost(state, DisconnectCause::LoginRefused(None));
            jump(State::Disconnected, with(part(CloseCode::GOING_AWAY), left))
        }
        Asking => {
            let restarted = with(close_socket(), restarts(state));
            jump(State::Connecting, with(restarted, asks(State::Disconnected, TWO, 1_000)))
        }
        Connecting | LoggingIn => jump(State::Connecting, replaces_attempt(state)),
        Ready | ReadyAfterLogin => jump(state, with(ping(62_000), vec![timer(6_000)])),
    };
    let mut rows = no_jumps(state);
    rows.push(jumped);
    rows
}

/// The wall clock keeps pace, has gone ahead by exactly the threshold, or is set back.
fn no_jumps(state: State) -> Vec<Row> {
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

/// After a suspend an unfinished attempt is aborted, and another starts at once.
fn replaces_attempt(from: State) -> Vec<Action> {
    let aborted = with([Action::AbortSocket(ONE)], restarts(from));
    with(aborted, opens(State::Disconnected, TWO, 1_000))
}

fn restarts(from: State) -> Vec<Action> {
    vec![changed(from, State::Disconnected, ONE), retry(0, 0, RetryCause::ClockJump, Because::Hint)]
}

pub(crate) fn network_changed(situation: Situation) -> Vec<Row> {
    let same = situation.state();
    let (next, actions) = match situation {
        Waiting => {
            let at_once = [retry(1, 0, RetryCause::Online, Because::Hint)];
            (State::Connecting, with(at_once, opens(State::Disconnected, TWO, 1_000)))
        }
        Idle | Asking | Connecting | LoggingIn | Refused | Ready | ReadyAfterLogin | Closing
        | Closed => (same, Vec::new()),
    };
    vec![
        row(Event::NetworkChanged(Network::Offline), same, []),
        row(Event::NetworkChanged(Network::Online), next, actions),
    ]
}
