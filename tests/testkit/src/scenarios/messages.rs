//! Messages: each sent one has one outcome, each received one is delivered once and in order.

use crate::words::*;

pub(crate) fn a_message_sent_while_away_is_refused_and_not_lost() -> Scenario {
    scenario(
        "Messages before the open, during a wait and after the end are returned at once, with the reason.",
    )
    .answers(&[
        "https://github.com/nats-io/nats.rs/issues/182",
        "https://github.com/nats-io/nats.net.v1/issues/271",
        "https://github.com/socketio/socket.io/issues/3414",
    ])
    .config(toml!["heartbeat.kind = 'off'", "reconnect.jitter = 'none'"])
    .attempts([
        accepts_after(millis(20)).then(seconds(1), Deed::reset()),
        accepts_after(millis(20)).polite(),
    ])
    .at(millis(10), Command::Send("too early"))
    .at(millis(500), Command::Send("in time"))
    .at(millis(1_500), Command::Send("away"))
    .at(millis(2_500), Command::Send("back"))
    .at(seconds(3), CLOSE)
    .at(seconds(4), Command::Send("too late"))
    .sees([
        outcomes(&[
            "rejected: not_ready",
            "sent on 1",
            "rejected: not_ready",
            "sent on 2",
            "rejected: closed",
        ]),
        peer_sees(1, &["500: text in time", "1020: gone"]),
        peer_sees(2, &["2500: text back", "3000: close 1000", "3020: gone"]),
    ])
}

pub(crate) fn nothing_is_flushed_before_the_login() -> Scenario {
    scenario("A message that is sent while the login is unanswered is rejected.")
        .answers(&["https://github.com/socketio/socket.io-client/issues/305"])
        .config(toml![
            "login.send = 'open sesame'",
            "login.accepted = 'any'",
            "heartbeat.kind = 'off'"
        ])
        .attempts([accepts_after(millis(20)).on_text(
            "open sesame",
            millis(500),
            Deed::text("welcome"),
        )])
        .at(millis(200), Command::Send("too early"))
        .at(millis(600), Command::Send("in time"))
        .until(seconds(2))
        .sees([
            outcomes(&["rejected: not_ready", "sent on 1"]),
            peer_sees(1, &["20: text open sesame", "600: text in time", "2000: gone"]),
        ])
}

pub(crate) fn no_old_message_bursts_out_after_a_reconnect() -> Scenario {
    scenario("Rejected messages are not kept. After the reconnect the peer sees only new messages, each once.")
        .answers(&[
            "https://github.com/socketio/socket.io-client/issues/283",
            "https://github.com/socketio/socket.io-client/issues/1158",
            "https://github.com/socketio/socket.io-client-java/issues/519",
        ])
        .config(toml!["heartbeat.kind = 'off'", "reconnect.jitter = 'none'"])
        .attempts([
            accepts_after(millis(20)).then(seconds(1), Deed::end()),
            accepts_after(millis(20)),
        ])
        .at(millis(900), Command::Send("one"))
        .at(millis(1_100), Command::Send("stale"))
        .at(millis(1_200), Command::Send("stale"))
        .at(millis(2_100), Command::Send("two"))
        .until(seconds(5))
        .sees([
            peer_sees(2, &["2100: text two", "5000: gone"]),
            no_peer_sees("stale"),
            outcomes(&["sent on 1", "rejected: not_ready", "rejected: not_ready", "sent on 2"]),
        ])
}

pub(crate) fn echoes_come_back_in_order() -> Scenario {
    let sends = (0..10).fold(
        scenario("Ten messages are sent, and the same ten come back, each once."),
        |scenario, number| {
            scenario.at(millis(100 + 7 * number), Command::Send(NUMBERS[number as usize]))
        },
    );
    sends
        .config(toml!["heartbeat.kind = 'off'"])
        .attempts([accepts_after(millis(20)).echoes(millis(300))])
        .until(seconds(2))
        .sees([
            outcomes(&["sent on 1"; 10]),
            delivers(&[
                (400, "0"),
                (407, "1"),
                (414, "2"),
                (421, "3"),
                (428, "4"),
                (435, "5"),
                (442, "6"),
                (449, "7"),
                (456, "8"),
                (463, "9"),
            ]),
        ])
}

const NUMBERS: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];

pub(crate) fn several_frames_in_one_read_are_several_messages() -> Scenario {
    scenario("A text, an empty text, bytes and a ping come in one read. They are handled in order at one time.")
        .config(toml!["heartbeat.kind = 'off'"])
        .attempts([accepts_after(millis(20)).then(
            seconds(1),
            Deed::text("one")
                .and(Deed::text(""))
                .and(Deed::ping("?"))
                .and(Deed::binary(&[0, 1, 2])),
        )])
        .until(seconds(5))
        .sees([
            delivers(&[(1_020, "one"), (1_020, ""), (1_020, "3 bytes")]),
            peer_sees(1, &["1020: pong ?", "5000: gone"]),
        ])
}

pub(crate) fn a_message_in_pieces_is_delivered_once_and_whole() -> Scenario {
    let pieces = Deed::text("a rather long message").in_pieces(5);
    scenario("A message in five reads is delivered at the time of its last byte.")
        .config(toml!["heartbeat.kind = 'off'"])
        .attempts([accepts_after(millis(20)).then_each(
            millis(100),
            millis(200),
            5,
            move |number| pieces[number as usize].clone(),
        )])
        .until(seconds(5))
        .sees([delivers(&[(920, "a rather long message")]), gone(&[])])
}

pub(crate) fn a_fragmented_message_with_a_ping_inside_is_one_message() -> Scenario {
    scenario("A control frame comes between fragments (RFC 6455 section 5.4). One text is delivered, and one pong sent.")
        .config(toml!["heartbeat.kind = 'off'"])
        .attempts([accepts_after(millis(20))
            .then(millis(100), Deed::raw(b"\x01\x03one".to_vec(), Heard::Part))
            .then(millis(200), Deed::ping("in between"))
            .then(millis(300), Deed::raw(b"\x00\x04 two".to_vec(), Heard::Part))
            .then(millis(400), Deed::raw(b"\x80\x06 three".to_vec(), Heard::Text("one two three".to_owned())))])
        .until(seconds(5))
        .sees([
            delivers(&[(420, "one two three")]),
            peer_sees(1, &["220: pong in between", "5000: gone"]),
        ])
}

pub(crate) fn what_came_before_the_loss_is_delivered() -> Scenario {
    scenario("The last messages and the end of the stream come in one read. The messages are delivered first.")
        .config(toml!["heartbeat.kind = 'off'", "reconnect.jitter = 'none'"])
        .attempts([
            accepts_after(millis(20))
                .then(seconds(1), Deed::text("the").and(Deed::text("last")).and(Deed::end())),
            accepts_after(millis(20)),
        ])
        .sees([
            delivers(&[(1_020, "the"), (1_020, "last")]),
            gone(&[(1_020, "lost eof")]),
            opens(2),
        ])
}
