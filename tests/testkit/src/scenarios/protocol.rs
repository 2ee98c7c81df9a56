//! Peers that break the protocol get a Close with a code, and are retried: it may have been one bad message.

use crate::words::*;

/// A peer that writes these bytes a second after the opening, and behaves on the next socket.
fn breaching(about: &'static str, bytes: &[u8], failure: Failure) -> Scenario {
    scenario(about)
        .config(toml!["heartbeat.kind = 'off'", "reconnect.jitter = 'none'"])
        .attempts([
            accepts_after(millis(20)).then(seconds(1), Deed::breach(bytes, failure)),
            accepts_after(millis(20)).polite(),
        ])
        .until(seconds(10))
        .sees([opens_at(&[0, 2_020]), never_gives_up(), ready_to_the_end_since(2_040)])
}

pub(crate) fn text_that_is_no_utf8_is_failed_with_1007() -> Scenario {
    breaching(
        "A text message with a byte that cannot be.",
        b"\x81\x02\xc3\x28",
        Failure::InvalidUtf8,
    )
    .sees([
        gone(&[(1_020, "protocol_error invalid_utf8")]),
        peer_sees(1, &["1020: close 1007", "1020: gone"]),
    ])
}

pub(crate) fn a_message_over_the_limit_is_failed_with_1009() -> Scenario {
    breaching(
        "Its head alone says that it is too long: not a byte more is waited for.",
        b"\x82\x7e\x04\x01",
        Failure::TooBig,
    )
    .config(toml!["heartbeat.kind = 'off'", "reconnect.jitter = 'none'", "max_message_size = 1024"])
    .sees([
        gone(&[(1_020, "protocol_error too_big")]),
        peer_sees(1, &["1020: close 1009", "1020: gone"]),
    ])
}

pub(crate) fn a_frame_that_breaks_the_protocol_is_failed_with_1002() -> Scenario {
    let breaches: [&[u8]; 6] = [
        b"\xc1\x01x",                 // compressed, and compression was never agreed on
        b"\x81\x81\x00\x00\x00\x00x", // masked, which a server must not do (RFC 6455 section 5.1)
        b"\x83\x01x",                 // opcode 3 is reserved
        b"\x80\x01x",                 // a fragment without a beginning
        b"\x09\x01x",                 // a Ping that says there is more of it
        b"\x88\x02\x03\xed",          // 1005 on the wire is not a Close without a code
    ];
    let breach =
        |bytes| accepts_after(millis(20)).then(millis(80), Deed::breach(bytes, Failure::Protocol));
    scenario("Six peers in a row break the protocol, each in another way. The client sends 1002, and retries with a growing delay.")
        .config(toml!["heartbeat.kind = 'off'", "reconnect.jitter = 'none'"])
        .attempts(breaches.into_iter().map(breach).chain([accepts_after(millis(20)).polite()]))
        .until(seconds(64))
        .sees([
            gone(&[
                (100, "protocol_error protocol"),
                (1_200, "protocol_error protocol"),
                (3_300, "protocol_error protocol"),
                (7_400, "protocol_error protocol"),
                (15_500, "protocol_error protocol"),
                (31_600, "protocol_error protocol"),
            ]),
            peer_sees(1, &["100: close 1002", "100: gone"]),
            peer_sees(6, &["31600: close 1002", "31600: gone"]),
            delays(&[1_000, 2_000, 4_000, 8_000, 16_000, 32_000]),
            ready_to_the_end_since(63_620),
        ])
}

pub(crate) fn a_close_1002_is_the_peers_whatever_its_reason_says() -> Scenario {
    scenario("The peer's Close says protocol error, in the words of the codec. It counts as a Close of the peer.")
        .config(toml!["heartbeat.kind = 'off'", "reconnect.jitter = 'none'"])
        .attempts([accepts_after(millis(20))
            .then(seconds(1), Deed::close(1002, "Protocol violation"))])
        .until(seconds(5))
        .sees([
            gone(&[(1_020, "close_received 1002")]),
            gives_up("close_code 1002"),
            peer_sees(1, &["1020: close 1002", "1020: gone"]),
        ])
}

pub(crate) fn messages_before_the_breach_are_delivered_and_none_behind_it() -> Scenario {
    scenario(
        "A valid, an invalid and a valid message come in one read. Only the first is delivered.",
    )
    .config(toml!["heartbeat.kind = 'off'", "reconnect.jitter = 'none'"])
    .attempts([
        accepts_after(millis(20)).then(
            seconds(1),
            Deed::text("good")
                .and(Deed::breach(b"\x81\x01\xff", Failure::InvalidUtf8))
                .and(Deed::text("behind")),
        ),
        accepts_after(millis(20)),
    ])
    .sees([
        delivers(&[(1_020, "good")]),
        gone(&[(1_020, "protocol_error invalid_utf8")]),
        opens(2),
    ])
}

pub(crate) fn a_stream_that_ends_in_the_middle_of_a_frame_is_lost_and_no_breach() -> Scenario {
    let half = Deed::text("a message that is cut off").in_pieces(2).remove(0);
    scenario("A stream that ends within a frame is a loss, not a protocol error.")
        .config(toml!["heartbeat.kind = 'off'", "reconnect.jitter = 'none'"])
        .attempts([
            accepts_after(millis(20)).then(seconds(1), half).then(seconds(2), Deed::end()),
            accepts_after(millis(20)),
        ])
        .sees([gone(&[(2_020, "lost eof")]), no_frame_leaves(), opens(2), delivers(&[])])
}

pub(crate) fn a_ping_frame_is_answered_with_its_payload_and_once() -> Scenario {
    scenario("Only the codec answers a Ping.")
        .config(toml!["heartbeat.kind = 'off'"])
        .attempts([accepts_after(millis(20))
            .then(seconds(1), Deed::ping("one"))
            .then(seconds(2), Deed::ping(""))])
        .until(seconds(5))
        .sees([peer_sees(1, &["1020: pong one", "2020: pong", "5000: gone"]), delivers(&[])])
}

pub(crate) fn a_close_of_the_peers_is_answered_once() -> Scenario {
    scenario("A Close is answered once, with its code. Frames after it are ignored.")
        .config(toml!["heartbeat.kind = 'off'", "reconnect.jitter = 'none'"])
        .attempts([
            accepts_after(millis(20)).then(
                seconds(1),
                Deed::close(1012, "restart").and(Deed::text("behind")).and(Deed::close(1000, "")),
            ),
            accepts_after(millis(20)),
        ])
        .until(seconds(5))
        .sees([
            peer_sees(1, &["1020: close 1012 restart", "1020: gone"]),
            delivers(&[]),
            gone(&[(1_020, "close_received 1012")]),
        ])
}
