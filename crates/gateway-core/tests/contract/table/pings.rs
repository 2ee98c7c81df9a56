//! How far the newest ping has come. It left at 0 s, and its pong is due at 5 s.

use core::time::Duration;

use gateway_core::{Backlog, Event};

use super::rows::{ONE, Row, row, timer};
use super::situation::Situation::{
    self, Asking, Closed, Closing, Connecting, Idle, LoggingIn, Ready, ReadyAfterLogin, Refused,
    Waiting,
};
use super::sockets::nothing_or_stale;

pub(crate) fn held(situation: Situation) -> Vec<Row> {
    let same = situation.state();
    let behind = |bytes| Event::PingHeld(ONE, Backlog { bytes, idle: Duration::ZERO });
    match situation {
        // The next ping is due at 30 s, before a transport that takes nothing is dead: at 36 s, interval
        // and timeout after the report.
        Ready | ReadyAfterLogin => vec![
            row(behind(0), same, [timer(30_000)]),
            row(behind(u64::MAX), same, [timer(30_000)]),
        ],
        Idle | Waiting | Asking | Connecting | LoggingIn | Refused | Closing | Closed => {
            nothing_or_stale(behind(9), situation)
        }
    }
}

pub(crate) fn handed(situation: Situation) -> Vec<Row> {
    let same = situation.state();
    match situation {
        Ready | ReadyAfterLogin => vec![
            row(Event::PingHanded(ONE, 65_536), same, [timer(6_000)]),
            row(Event::PingHanded(ONE, 65_536 + 32_768), same, [timer(7_000)]),
            row(Event::PingHanded(ONE, u64::MAX), same, [timer(30_000)]),
        ],
        Idle | Waiting | Asking | Connecting | LoggingIn | Refused | Closing | Closed => {
            nothing_or_stale(Event::PingHanded(ONE, 9), situation)
        }
    }
}

pub(crate) fn write_progressed(situation: Situation) -> Vec<Row> {
    nothing_or_stale(Event::WriteProgressed(ONE), situation)
}
