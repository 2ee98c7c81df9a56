//! What a connection says of itself to a driver: when it counts as stable, how many pings are unanswered, why it
//! gave up, and when it acts next.

use core::time::Duration;

use gateway_core::{
    Backlog, CloseFrame, Config, DisconnectCause, Event, Failure, Frame, GiveUpCause,
    HeartbeatKind, Network, OpenError, RetryAfter, UnixMillis,
};
use gateway_testkit::{Rig, cause};

use super::words::seconds;

#[test]
fn a_connection_counts_as_stable_after_its_span_or_the_last_delay_whichever_is_longer() {
    let config = Config::builder().heartbeat(HeartbeatKind::Off).build().unwrap();
    let mut rig = Rig::new(config);
    rig.on(Event::ConnectRequested);
    assert_eq!(rig.connection.stable_at(), None, "it is opening");
    let busy = OpenError::Http { status: 503, retry_after: Some(RetryAfter::Seconds(60)) };
    rig.on(Event::OpenFailed(rig.socket(), busy));
    assert_eq!(rig.connection.stable_at(), None, "it waits");

    let delay = seconds(66); // with draws half-way a minute is spread by 6 s
    rig.run_for(delay);
    rig.open();
    let ready_at = rig.now;
    assert_eq!(rig.connection.stable_at(), Some(ready_at.saturating_add(delay)));
    rig.run_for(delay);
    let socket = rig.socket();
    rig.on(Event::SocketFailed(socket, Failure::Eof));
    assert_eq!(rig.connection.stable_at(), None, "it is lost");

    rig.on(Event::ConnectRequested);
    rig.open();
    let span = seconds(10);
    assert_eq!(rig.connection.stable_at(), Some(rig.now.saturating_add(span)));
}

#[test]
fn a_ping_is_unanswered_until_a_pong_names_it_or_a_newer_one() {
    let mut rig = Rig::ready(Config::default());
    let mut unanswered = Vec::new();
    let count = |rig: &Rig| rig.connection.unanswered_pings();
    unanswered.push(count(&rig));
    for _ in 0..3 {
        rig.run_for(seconds(30));
        let socket = rig.socket();
        rig.on(Event::FrameReceived(socket, Frame::Binary(b"alive")));
        unanswered.push(count(&rig));
    }
    let socket = rig.socket();
    rig.on(Event::FrameReceived(socket, Frame::Pong(b"2")));
    unanswered.push(count(&rig));
    rig.on(Event::CloseRequested(CloseFrame::NORMAL));
    unanswered.push(count(&rig));

    assert_eq!(unanswered, [0, 1, 2, 3, 1, 0], "after our Close nothing is judged");
}

#[test]
fn a_connection_says_why_it_gave_up_until_it_connects_again() {
    let mut rig = Rig::new(Config::default());
    rig.on(Event::ConnectRequested);
    assert_eq!(rig.connection.gave_up(), None);
    let refused = OpenError::Http { status: 401, retry_after: None };
    rig.on(Event::OpenFailed(rig.socket(), refused));
    rig.run_for(seconds(5)); // the retry with new credentials
    rig.on(Event::OpenFailed(rig.socket(), refused));
    assert_eq!(rig.connection.gave_up(), Some(GiveUpCause::HttpStatus(401)));

    rig.on(Event::ConnectRequested);
    assert_eq!(rig.connection.gave_up(), None);
    rig.on(Event::CloseRequested(CloseFrame::NORMAL));
    assert_eq!(rig.connection.gave_up(), None, "it was asked to close");
}

#[test]
fn the_answer_to_the_first_of_two_probes_shows_that_the_peer_lives() {
    let mut rig = Rig::ready(Config::default());
    let socket = rig.socket();
    rig.on(Event::ReadingPaused(socket));
    rig.on(Event::WallClock(UnixMillis(1_000_000)));
    rig.on(Event::WallClock(UnixMillis(5_000_000))); // a suspend: the first probe
    rig.run_for(seconds(31)); // an ordinary ping, and the limit on suspends is over
    rig.on(Event::WallClock(UnixMillis(9_000_000))); // the second probe
    assert_eq!(rig.connection.unanswered_pings(), 3);
    rig.on(Event::ReadingResumed(socket));
    let probed = Some(rig.now.saturating_add(seconds(5)));
    assert_eq!(rig.connection.next_deadline(), probed);
    rig.on(Event::FrameReceived(socket, Frame::Pong(b"1")));
    assert!(rig.connection.next_deadline() > probed);
}

#[test]
fn a_probe_after_one_that_was_answered_has_its_own_timeout() {
    let config = Config::builder().heartbeat_interval(seconds(60)).build().unwrap();
    let mut rig = Rig::ready(config);
    let socket = rig.socket();
    rig.on(Event::WallClock(UnixMillis(1_000_000)));
    rig.on(Event::WallClock(UnixMillis(5_000_000))); // a suspend: the first probe
    rig.on(Event::PingHanded(socket, u64::MAX)); // 5 s, and as much as unproven bytes can earn: 30 s
    rig.run_for(seconds(10));
    rig.on(Event::BytesReceived(socket));
    rig.run_for(seconds(21));
    rig.on(Event::WallClock(UnixMillis(9_000_000))); // a suspend: the second probe
    assert_eq!(rig.connection.unanswered_pings(), 2);

    let died = rig.run_for(seconds(5));

    assert_eq!(cause(&died), Some(DisconnectCause::PongTimeout));
}

#[test]
fn bytes_that_came_while_a_ping_was_held_do_not_answer_it() {
    let config = Config::builder().heartbeat_interval(seconds(10)).build().unwrap();
    let mut rig = Rig::asked(config);
    let socket = rig.socket();
    rig.on(Event::PingHanded(socket, u64::MAX)); // dead at 45 s, with the longest allowance
    rig.run_for(seconds(10)); // the second ping
    assert_eq!(rig.connection.unanswered_pings(), 2);
    rig.on(Event::PingHeld(socket, Backlog { bytes: 9, idle: Duration::ZERO }));
    rig.run_for(seconds(2));
    rig.on(Event::BytesReceived(socket));
    rig.run_for(seconds(1));
    rig.on(Event::PingHanded(socket, 0));
    let dead_at = Some(rig.now.saturating_add(seconds(5)));
    assert_eq!(rig.connection.next_deadline(), dead_at);

    let died = rig.run_for(seconds(5));

    assert_eq!(cause(&died), Some(DisconnectCause::PongTimeout));
}

#[test]
fn a_hint_that_brings_a_retry_forward_to_its_least_delay_counts_against_the_limit() {
    let config = Config::builder().initial_delay(seconds(20)).build().unwrap();
    let mut rig = Rig::new(config);
    rig.on(Event::ConnectRequested);
    let busy = OpenError::Http { status: 503, retry_after: Some(RetryAfter::Seconds(5)) };
    rig.on(Event::OpenFailed(rig.socket(), busy));
    let scheduled = rig.connection.next_deadline();
    rig.on(Event::NetworkChanged(Network::Online));
    let hinted = rig.connection.next_deadline();
    assert!(hinted < scheduled && hinted > Some(rig.now), "{hinted:?} {scheduled:?}");

    rig.run_for(seconds(7)); // the retry
    rig.on(Event::OpenFailed(rig.socket(), OpenError::Refused));
    let scheduled = rig.connection.next_deadline();
    rig.on(Event::NetworkChanged(Network::Online));
    assert_eq!(rig.connection.next_deadline(), scheduled, "one hint in 30 s has an effect");
}
