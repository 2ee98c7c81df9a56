//! What a connection says of itself to a driver: when it counts as stable, and how many pings are unanswered.

use gateway_core::{
    CloseFrame, Config, Event, Failure, Frame, HeartbeatKind, OpenError, RetryAfter,
};
use gateway_testkit::Rig;

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
