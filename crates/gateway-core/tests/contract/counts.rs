//! What the statistics count: frames and payload bytes each way, exactly, whoever wrote them.

use gateway_core::{
    AcceptanceRule, CloseFrame, Config, Event, Failure, Frame, HeartbeatKind, Instant, Login,
    Message, Outgoing, Statistics, UnixMillis,
};
use gateway_testkit::Rig;

use super::words::{PONG, WALL, json, seconds};

fn counted(rig: &Rig) -> Statistics {
    rig.connection.statistics(rig.now)
}

#[test]
fn frames_and_payload_bytes_are_counted_each_way() {
    let login = Login::Message {
        send: "open sesame".into(),
        accepted: AcceptanceRule::Any,
        refused: Vec::new(),
        timeout: seconds(1),
    };
    let config = json().login(login).answer_pings(true).build().unwrap();
    let mut rig = Rig::new(config);
    rig.on(Event::WallClock(UnixMillis(WALL)));
    rig.on(Event::ConnectRequested);
    rig.open(); // "open sesame"
    let id = rig.socket();
    let mut sent = 11;
    assert_eq!((counted(&rig).frames_out, counted(&rig).bytes_out), (1, sent));

    rig.on(Event::FrameReceived(id, Frame::Text("welcome")));
    rig.tick(); // the first ping
    sent += r#"{"type":"ping","timestamp":1700000030000}"#.len() as u64;
    assert_eq!((counted(&rig).frames_out, counted(&rig).bytes_out), (2, sent));
    rig.on(Event::FrameReceived(id, Frame::Text(PONG)));
    rig.on(Event::SendRequested(Message::Binary(b"12345")));
    sent += 5;
    rig.on(Event::FrameReceived(id, Frame::Text(r#"{"type":"ping","timestamp":17}"#)));
    sent += r#"{"type":"pong","timestamp":17}"#.len() as u64;
    rig.on(Event::FrameReceived(id, Frame::Ping(b"abc"))); // the codec answers, and counts for itself
    assert_eq!((counted(&rig).frames_out, counted(&rig).bytes_out), (4, sent));

    rig.on(Event::CloseRequested(CloseFrame::new(4000, "bye").unwrap()));
    sent += 2 + 3;
    let statistics = counted(&rig);
    assert_eq!((statistics.frames_out, statistics.bytes_out), (5, sent));
    let came = ["welcome", PONG, r#"{"type":"ping","timestamp":17}"#, "abc"];
    let received = came.iter().map(|text| text.len() as u64).sum::<u64>();
    assert_eq!((statistics.frames_in, statistics.bytes_in), (4, received));
    assert_eq!((statistics.attempts, statistics.opened, statistics.reconnects), (1, 1, 0));
}

#[test]
fn a_close_of_the_cores_own_and_a_numbered_ping_are_counted() {
    let mut rig = Rig::asked(Config::builder().heartbeat(HeartbeatKind::Ping).build().unwrap());
    let id = rig.socket();
    assert_eq!((counted(&rig).frames_out, counted(&rig).bytes_out), (1, 1), "the ping's digit");

    rig.on(Event::SocketFailed(id, Failure::Protocol)); // told 1002: two bytes

    assert_eq!((counted(&rig).frames_out, counted(&rig).bytes_out), (2, 3));
}

#[test]
fn the_time_spent_ready_is_counted_and_so_is_each_return() {
    let mut rig = Rig::ready(Config::builder().heartbeat(HeartbeatKind::Off).build().unwrap());
    rig.pass(seconds(7));
    assert_eq!(counted(&rig).time_ready, seconds(7), "the present stay as well");
    let id = rig.socket();
    rig.on(Event::SocketFailed(id, Failure::Reset));
    rig.tick();
    rig.open();
    rig.pass(seconds(5));

    let statistics = counted(&rig);
    assert_eq!(statistics.time_ready, seconds(12));
    assert_eq!((statistics.attempts, statistics.opened, statistics.reconnects), (2, 2, 1));
}

#[test]
fn what_the_buffer_held_before_is_neither_touched_nor_counted() {
    let mut connection = Rig::ready(Config::default()).connection;
    let before = connection.statistics(Instant::ZERO).bytes_out;
    let mut buffer = "held before".to_owned();

    connection.encode(&Outgoing::Ping(None), &mut buffer);

    assert_eq!(buffer, r#"held before{"type":"ping"}"#);
    let counted = connection.statistics(Instant::ZERO).bytes_out - before;
    assert_eq!(counted, r#"{"type":"ping"}"#.len() as u64);
}

#[test]
fn a_lost_connection_is_written_with_its_failure() {
    let mut rig = Rig::ready(Config::default());
    let socket = rig.socket();
    rig.on(Event::SocketFailed(socket, Failure::Reset));
    let written = serde_json::to_value(counted(&rig)).unwrap();
    let lost = serde_json::json!({ "cause": "lost", "failure": "reset" });
    assert_eq!(written["last_disconnect"], lost);
}
