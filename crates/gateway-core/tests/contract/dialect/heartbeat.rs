//! A dialect's pings and pongs, and the heartbeat's spans that it sets.

use core::time::Duration;

use gateway_core::{
    Action, DisconnectCause, Event, HeartbeatKind, Instant, Message, Notice, Outgoing, Received,
    UnixMillis,
};
use gateway_testkit::{cause, pings};

use super::{SILENT, Says, Talk, beating, logging_in, notices, sent};
use crate::words::{WALL, seconds};

const fn at(second: u64) -> Option<Instant> {
    Some(Instant::from_millis(second * 1_000))
}

/// It sends `h`. An `h!` answers the oldest ping.
const LETTER: Says = Says {
    heartbeat: |exchange| exchange.send_text("h"),
    received: |message, exchange| match message {
        Message::Text("h!") => {
            exchange.pong(None);
            Received::Consume
        }
        _ => Received::Deliver,
    },
    ..SILENT
};

#[test]
fn a_peer_that_answers_none_of_its_pings_is_dead() {
    let mut talk = Talk::ready(beating(), LETTER);

    let done = talk.0.tick();
    assert_eq!((talk.0.now, sent(&done)), (at(30).unwrap(), vec!["ping 1".to_owned()]));
    assert_eq!(notices(&done), [Notice::PingSent { socket: talk.0.socket() }]);

    let done = talk.0.tick();
    assert_eq!(talk.0.now, at(35).unwrap());
    assert_eq!(cause(&done), Some(DisconnectCause::PongTimeout));
    assert!(matches!(done[0], Action::AbortSocket(_)));
}

#[test]
fn an_answered_ping_has_no_timeout_and_a_pong_for_none_is_counted() {
    let mut talk = Talk::ready(beating(), LETTER);
    talk.hear("h!");
    assert_eq!(talk.ignored(), 1, "no ping was sent");
    talk.0.tick();
    talk.0.pass(seconds(2));

    let done = talk.hear("h!");

    let (socket, round_trip) = (talk.0.socket(), Some(seconds(2)));
    assert_eq!(notices(&done), [Notice::PongReceived { socket, round_trip }]);
    assert_eq!(talk.0.connection.next_deadline(), at(60));
    talk.hear("h!");
    assert_eq!(talk.ignored(), 2);
}

#[test]
fn a_heartbeat_that_sends_nothing_is_no_ping() {
    let says = Says { heartbeat: |exchange| exchange.set_heartbeat(seconds(40), None), ..SILENT };
    let mut talk = Talk::ready(beating(), says);

    let done = talk.0.tick();

    assert_eq!((sent(&done), notices(&done)), (vec![], vec![]));
    assert_eq!(talk.0.connection.unanswered_pings(), 0);
    assert_eq!(
        talk.0.connection.next_deadline(),
        at(60),
        "and the next one is due an interval later"
    );
    talk.0.tick();
    assert_eq!(talk.0.connection.next_deadline(), at(100));
}

#[test]
fn the_last_message_of_a_heartbeat_is_the_ping() {
    let says = Says {
        heartbeat: |exchange| {
            exchange.send_text("first");
            exchange.stamp(41);
            exchange.send_binary(b"ping");
        },
        ..SILENT
    };
    let mut talk = Talk::ready(beating(), says);

    let done = talk.0.tick();

    assert_eq!(sent(&done), ["5", "ping 4"]);
    assert_eq!(pings(&done), 1);
    assert_eq!(talk.ignored(), 0);
}

#[test]
fn a_stamp_that_no_ping_takes_is_counted() {
    let stamps = |exchange: &mut gateway_core::Exchange<'_>| exchange.stamp(1);
    let says = Says { opened: stamps, heartbeat: stamps, ..SILENT };
    for config in [beating(), logging_in()] {
        let (talk, _) = Talk::opened(config, says.clone());
        assert_eq!(talk.ignored(), 1);
    }
    let mut talk = Talk::ready(beating(), says);
    talk.0.tick();
    assert_eq!(talk.ignored(), 2);
}

#[test]
fn a_pong_answers_the_ping_of_its_stamp_and_those_before_it_and_any_other_the_oldest() {
    let says = Says {
        heartbeat: |exchange| {
            let second = exchange.now().as_nanos() / 1_000_000_000;
            exchange.stamp(second);
            exchange.send_text("h");
        },
        received: |message, exchange| {
            let Message::Text(text) = message else { return Received::Deliver };
            exchange.pong(text.parse().ok());
            Received::Consume
        },
        ..SILENT
    };
    let mut talk = Talk::ready(beating().heartbeat_timeout(seconds(30)), says);
    let id = talk.0.socket();
    for _ in 0..3 {
        talk.0.tick();
        talk.0.pass(seconds(1));
        talk.0.on(Event::BytesReceived(id));
    }
    assert_eq!(talk.0.connection.unanswered_pings(), 3);

    talk.hear("17");
    assert_eq!(talk.0.connection.unanswered_pings(), 2, "a foreign stamp answers the oldest");
    let done = talk.hear("90");
    assert_eq!(talk.0.connection.unanswered_pings(), 0);
    let round_trip = Some(seconds(1));
    assert_eq!(notices(&done), [Notice::PongReceived { socket: id, round_trip }]);
}

#[test]
fn a_suspend_is_answered_with_a_probe_of_the_dialect() {
    let mut talk = Talk::ready(beating().heartbeat_timeout(seconds(20)), LETTER);
    talk.0.on(Event::WallClock(UnixMillis(WALL)));

    let done = talk.0.on(Event::WallClock(UnixMillis(WALL + 61_000)));

    assert_eq!(sent(&done), ["ping 1"]);
    assert_eq!(talk.0.connection.next_deadline(), at(5), "and its timeout is short");
}

/// A connection whose dialect sets these spans on a message of this length.
fn paced(config: gateway_core::ConfigBuilder) -> Talk {
    let received = |message: Message<'_>, exchange: &mut gateway_core::Exchange<'_>| {
        match message.len() {
            1 => exchange.set_heartbeat(Duration::from_nanos(1), None),
            2 => exchange.set_heartbeat(Duration::MAX, None),
            3 => exchange.set_heartbeat(seconds(10), Some(seconds(60))),
            4 => exchange.set_heartbeat(Duration::from_nanos(7_000_999_999), Some(seconds(2))),
            5 => exchange.set_heartbeat(seconds(60), None),
            _ => exchange.set_heartbeat(Duration::ZERO, Some(seconds(1))),
        }
        Received::Consume
    };
    Talk::ready(config, Says { received, ..LETTER })
}

#[test]
fn the_next_ping_is_due_at_the_earlier_of_its_time_and_an_interval_from_now() {
    for (message, first, second) in [
        ("1", 6_000, 7_000),        // at least a second
        ("22", 30_000, 86_430_000), // at most a day
        ("333", 15_000, 25_000),
        ("4444", 12_000, 19_000), // whole milliseconds
        ("55555", 30_000, 90_000),
    ] {
        let mut talk = paced(beating());
        talk.0.pass(seconds(5));
        talk.hear(message);
        assert_eq!(talk.0.connection.next_deadline(), Some(Instant::from_millis(first)));
        assert_eq!(pings(&talk.0.tick()), 1);
        let id = talk.0.socket();
        talk.0.on(Event::BytesReceived(id));
        while pings(&talk.0.tick()) == 0 {} // the answered ping's timeout
        assert_eq!(talk.0.now, Instant::from_millis(second), "{message}");
    }
}

#[test]
fn a_timeout_is_no_longer_than_its_interval_and_stays_if_none_is_set() {
    for (message, timeout) in [("1", 1), ("22", 5), ("333", 10), ("4444", 2), ("55555", 5)] {
        let mut talk = paced(beating());
        talk.hear(message);
        talk.0.tick();
        let asked_at = talk.0.now;

        let dead_at = asked_at.saturating_add(seconds(timeout));

        // At one instant, a timeout comes before a ping.
        assert_eq!(cause(&talk.0.tick()), Some(DisconnectCause::PongTimeout), "{message}");
        assert_eq!(talk.0.now, dead_at, "{message}");
    }
}

#[test]
fn a_timeout_that_runs_keeps_its_deadline() {
    let mut talk = paced(beating());
    talk.0.tick();

    talk.hear("333");

    assert_eq!(talk.0.connection.next_deadline(), at(35));
}

#[test]
fn an_interval_of_zero_is_ignored_and_reported_once_a_socket() {
    let mut talk = paced(beating());
    let ignored = Notice::EffectIgnored { socket: talk.0.socket() };

    assert_eq!(talk.hear("nothing"), [Action::Notify(ignored)]);
    assert_eq!(talk.hear("nothing"), []);
    assert_eq!(talk.ignored(), 2);
    assert_eq!(talk.0.connection.next_deadline(), at(30));

    talk.0.on(Event::ReconnectRequested);
    talk.0.open();
    let ignored = Notice::EffectIgnored { socket: talk.0.socket() };
    assert_eq!(talk.hear("nothing"), [Action::Notify(ignored)]);
}

#[test]
fn spans_that_are_set_during_the_login_are_in_force_when_it_is_ready() {
    let says = Says {
        opened: |exchange| {
            exchange.set_heartbeat(seconds(40), Some(seconds(20)));
            exchange.set_heartbeat(seconds(50), None);
        },
        ..LETTER
    };
    let (mut talk, _) = Talk::opened(logging_in(), says);
    talk.0.on(Event::LoginAccepted);

    assert_eq!(talk.0.connection.next_deadline(), at(50));
    talk.0.tick();
    assert_eq!(talk.0.connection.next_deadline(), at(70), "the second call kept the timeout");
}

#[test]
fn the_next_socket_has_the_configured_spans_again() {
    let mut talk = paced(beating());
    talk.hear("1");
    talk.0.on(Event::ReconnectRequested);
    talk.0.open();

    assert_eq!(talk.0.connection.next_deadline(), at(30));
}

#[test]
fn spans_that_are_set_hold_for_other_pings_too() {
    let mut talk = paced(beating().heartbeat(HeartbeatKind::Ping));
    talk.hear("333");

    let done = talk.0.tick();

    assert_eq!(talk.0.now, at(10).unwrap());
    assert!(matches!(done[0], Action::Send(_, Outgoing::WebSocketPing(1))));
}

#[test]
fn a_suspend_is_noticed_by_the_interval_in_force() {
    let jump = |talk: &mut Talk, ahead: u64| {
        talk.0.on(Event::WallClock(UnixMillis(WALL)));
        let done = talk.0.on(Event::WallClock(UnixMillis(WALL + ahead)));
        notices(&done).iter().any(|notice| matches!(notice, Notice::ClockJumped { .. }))
    };
    let mut talk = paced(beating());
    talk.hear("55555");
    assert!(!jump(&mut talk, 120_000), "two intervals");
    assert!(jump(&mut talk, 240_001));

    // Without a heartbeat, no interval is in force.
    let mut talk = paced(beating().heartbeat(HeartbeatKind::Off));
    talk.hear("55555");
    assert!(jump(&mut talk, 30_001));
}
