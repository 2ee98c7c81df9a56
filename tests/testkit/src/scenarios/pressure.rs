//! Peers that do not read: which bytes wait, which messages are rejected meanwhile, and their outcomes.
//!
//! A frame of the client is six bytes longer than its text: two of a head, four of a mask.

use crate::words::*;

pub(crate) fn a_full_write_buffer_refuses_and_takes_again_when_it_has_drained() -> Scenario {
    scenario(
        "Above the high-water mark messages are returned until everything that waits is written.",
    )
    .config(toml!["heartbeat.kind = 'off'"])
    .high_water(20)
    .attempts([accepts_after(millis(20))
        .takes(0)
        .then(seconds(2), Deed::takes(20))
        .then(seconds(4), Deed::takes_all())])
    .at(millis(1_000), Command::Feed("fourteen bytes"))
    .at(millis(1_100), Command::Feed("over"))
    .at(millis(1_200), Command::Feed("refused"))
    .at(millis(3_000), Command::Feed("refused still"))
    .at(millis(5_000), Command::Feed("taken"))
    .until(seconds(6))
    .sees([
        outcomes(&[
            "sent on 1",
            "sent on 1",
            "rejected: write_blocked",
            "rejected: write_blocked",
            "sent on 1",
        ]),
        peer_sees(
            1,
            &["2020: text fourteen bytes", "4020: text over", "5000: text taken", "6000: gone"],
        ),
    ])
}

pub(crate) fn a_write_buffer_that_is_filled_to_the_mark_is_not_full() -> Scenario {
    scenario(
        "The message that passes the high-water mark by one byte is the last that is accepted.",
    )
    .config(toml!["heartbeat.kind = 'off'"])
    .high_water(20)
    .attempts([accepts_after(millis(20)).takes(0)])
    .at(millis(1_000), Command::Feed("fourteen bytes"))
    .at(millis(1_100), Command::Feed(""))
    .at(millis(1_200), Command::Feed("refused"))
    .until(seconds(2))
    .sees([
        outcomes(&["no outcome yet", "no outcome yet", "rejected: write_blocked"]),
        peer_sees(1, &["2000: gone"]),
    ])
}

pub(crate) fn a_message_larger_than_the_buffer_passes_where_the_peer_reads() -> Scenario {
    scenario("A message fills the buffer and is written at once. The next one is accepted.")
        .config(toml!["heartbeat.kind = 'off'"])
        .high_water(10)
        .attempts([accepts_after(millis(20))])
        .at(millis(1_000), Command::Feed("longer than all of the buffer"))
        .at(millis(1_001), Command::Feed("next"))
        .until(seconds(2))
        .sees([
            outcomes(&["sent on 1", "sent on 1"]),
            peer_sees(
                1,
                &["1000: text longer than all of the buffer", "1001: text next", "2000: gone"],
            ),
        ])
}

pub(crate) fn a_partial_write_is_carried_on() -> Scenario {
    scenario(
        "A socket that accepts a few bytes at a time gets every frame whole, once and in order.",
    )
    .config(toml!["heartbeat.kind = 'off'"])
    .attempts([accepts_after(millis(20))
        .takes(1)
        .then_each(seconds(1), millis(100), 8, |_| Deed::takes(7))])
    .at(millis(500), Command::Feed("one"))
    .at(millis(600), Command::Feed("two"))
    .at(millis(700), Command::Feed("and a rather long three"))
    .at(millis(1_200), Command::Feed("four"))
    .until(seconds(3))
    .sees([
        peer_sees(
            1,
            &[
                "1120: text one",
                "1220: text two",
                "1620: text and a rather long three",
                "1720: text four",
                "3000: gone",
            ],
        ),
        outcomes(&["sent on 1"; 4]),
    ])
}

pub(crate) fn what_was_not_written_when_the_socket_died_is_rejected_and_what_was_begun_is_maybe_sent()
-> Scenario {
    scenario("A fully written message is sent, a partly written one maybe sent, any other rejected. None goes to the next socket.")
        .config(toml!["heartbeat.kind = 'off'", "reconnect.jitter = 'none'"])
        .attempts([
            accepts_after(millis(20)).takes(9 + 1).then(seconds(2), Deed::reset()),
            accepts_after(millis(20)),
        ])
        .at(millis(1_000), Command::Feed("one"))
        .at(millis(1_100), Command::Feed("two"))
        .at(millis(1_200), Command::Feed("three"))
        .at(millis(1_300), Command::Feed("four"))
        .at(seconds(4), Command::Feed("five"))
        .until(seconds(5))
        .sees([
            outcomes(&[
                "sent on 1",
                "maybe sent on 1",
                "rejected: not written",
                "rejected: not written",
                "sent on 2",
            ]),
            peer_sees(1, &["1000: text one", "2020: gone"]),
            peer_sees(2, &["4000: text five", "5000: gone"]),
            gone(&[(2_020, "lost reset")]),
        ])
}

pub(crate) fn a_new_socket_is_not_blocked_by_what_waited_on_the_old_one() -> Scenario {
    scenario("The stream ends while the buffer is full. Its bytes are dropped, and the next socket accepts messages at once.")
        .config(toml!["heartbeat.kind = 'off'", "reconnect.jitter = 'none'"])
        .high_water(20)
        .attempts([
            accepts_after(millis(20)).takes(0).then(seconds(2), Deed::end()),
            accepts_after(millis(20)),
        ])
        .at(millis(1_000), Command::Feed("more than fits into the buffer"))
        .at(millis(1_100), Command::Feed("refused"))
        .at(seconds(4), Command::Feed("fresh"))
        .until(seconds(5))
        .sees([
            outcomes(&["rejected: not written", "rejected: write_blocked", "sent on 2"]),
            peer_sees(2, &["4000: text fresh", "5000: gone"]),
            gone(&[(2_020, "lost eof")]),
        ])
}

pub(crate) fn a_close_behind_a_full_buffer_ends_at_its_deadline() -> Scenario {
    scenario(
        "The Close waits behind bytes that the peer does not read. Its deadline ends the socket.",
    )
    .config(toml!["heartbeat.kind = 'off'"])
    .high_water(20)
    .attempts([accepts_after(millis(20)).polite().takes(10)])
    .at(seconds(1), Command::Feed("more than the socket takes"))
    .at(seconds(2), CLOSE)
    .at(seconds(3), Command::Feed("too late"))
    .until(seconds(10))
    .sees([
        gone(&[(4_000, "close_timeout")]),
        peer_sees(1, &["4000: gone"]),
        outcomes(&["maybe sent on 1", "rejected: closed"]),
        ends_in(Closed),
    ])
}

pub(crate) fn a_close_behind_a_full_buffer_goes_out_once_the_peer_reads() -> Scenario {
    scenario("The peer reads again in time. It gets the waiting bytes and the Close, and the close handshake completes.")
        .config(toml!["heartbeat.kind = 'off'"])
        .high_water(20)
        .attempts([accepts_after(millis(20))
            .polite()
            .takes(10)
            .then(millis(2_500), Deed::takes_all())])
        .at(seconds(1), Command::Feed("more than the socket takes"))
        .at(seconds(2), CLOSE)
        .until(seconds(10))
        .sees([
            gone(&[(2_540, "requested")]),
            peer_sees(
                1,
                &["2520: text more than the socket takes", "2520: close 1000", "2540: gone"],
            ),
            outcomes(&["sent on 1"]),
        ])
}

pub(crate) fn a_peer_that_closes_over_a_full_buffer_gets_no_answer_and_is_left() -> Scenario {
    scenario("The answer to the peer's Close cannot be written at once. The client does not wait for it.")
        .config(toml!["heartbeat.kind = 'off'", "reconnect.jitter = 'none'"])
        .attempts([
            accepts_after(millis(20)).takes(10).then(seconds(2), Deed::close(1012, "restart")),
            accepts_after(millis(20)),
        ])
        .at(seconds(1), Command::Feed("more than the socket takes"))
        .until(seconds(4))
        .sees([
            gone(&[(2_020, "close_received 1012")]),
            peer_sees(1, &["2020: gone"]),
            outcomes(&["maybe sent on 1"]),
            opens(2),
        ])
}

pub(crate) fn pongs_wait_their_turn_behind_what_is_not_read() -> Scenario {
    scenario("The answer to a Ping of the peer is queued after the waiting messages.")
        .config(toml!["heartbeat.kind = 'off'"])
        .attempts([accepts_after(millis(20))
            .takes(3)
            .then(seconds(2), Deed::ping("there?"))
            .then(seconds(4), Deed::takes_all())])
        .at(seconds(1), Command::Feed("before"))
        .at(seconds(3), Command::Feed("after"))
        .until(seconds(5))
        .sees([
            peer_sees(
                1,
                &["4020: text before", "4020: pong there?", "4020: text after", "5000: gone"],
            ),
            outcomes(&["sent on 1", "sent on 1"]),
        ])
}

pub(crate) fn a_buffering_transport_that_dies_before_its_flush_makes_maybe_sent() -> Scenario {
    scenario("Bytes that a transport such as TLS has accepted and not flushed may have been sent. After a reset their messages are maybe sent.")
        .config(toml!["heartbeat.kind = 'off'", "reconnect.jitter = 'none'"])
        .attempts([
            accepts_after(millis(20)).takes(9 + 1).buffers(1_000).then(seconds(2), Deed::reset()),
            accepts_after(millis(20)),
        ])
        .at(millis(1_000), Command::Feed("one"))
        .at(millis(1_100), Command::Feed("two"))
        .at(millis(1_200), Command::Feed("three"))
        .until(seconds(4))
        .sees([
            outcomes(&["sent on 1", "maybe sent on 1", "maybe sent on 1"]),
            peer_sees(1, &["1000: text one", "2020: gone"]),
            gone(&[(2_020, "lost reset")]),
        ])
}

pub(crate) fn a_write_that_fails_on_a_buffering_transport_may_have_left() -> Scenario {
    scenario("The transport's buffer is full, and a message waits outside. Its write fails with the reset, so it is maybe sent.")
        .config(toml!["heartbeat.kind = 'off'", "reconnect.jitter = 'none'"])
        .attempts([
            accepts_after(millis(20)).takes(0).buffers(9).then(seconds(2), Deed::reset()),
            accepts_after(millis(20)).takes(0).buffers(9).then(seconds(2), Deed::end()),
            accepts_after(millis(20)),
        ])
        .at(millis(1_000), Command::Feed("one"))
        .at(millis(1_100), Command::Feed("two"))
        .at(millis(4_000), Command::Feed("one"))
        .at(millis(4_100), Command::Feed("two"))
        .until(seconds(10))
        .sees([
            outcomes(&[
                "maybe sent on 1",
                "maybe sent on 1",
                "maybe sent on 2",
                "rejected: not written",
            ]),
            gone(&[(2_020, "lost reset"), (5_040, "lost eof")]),
        ])
}

pub(crate) fn a_buffering_transport_frees_the_buffer_only_with_its_flush() -> Scenario {
    scenario("The transport has accepted everything, but not flushed it. Messages are rejected until it has.")
        .config(toml!["heartbeat.kind = 'off'"])
        .high_water(20)
        .attempts([accepts_after(millis(20))
            .takes(5)
            .buffers(1_000)
            .then(seconds(2), Deed::takes(5))
            .then(seconds(4), Deed::takes_all())])
        .at(seconds(1), Command::Feed("more than the buffer holds"))
        .at(millis(1_500), Command::Feed("refused"))
        .at(seconds(3), Command::Feed("refused still"))
        .at(seconds(5), Command::Feed("taken"))
        .until(seconds(6))
        .sees([
            outcomes(&[
                "sent on 1",
                "rejected: write_blocked",
                "rejected: write_blocked",
                "sent on 1",
            ]),
            peer_sees(
                1,
                &["4020: text more than the buffer holds", "5000: text taken", "6000: gone"],
            ),
        ])
}

pub(crate) fn a_login_that_the_peer_does_not_read_ends_at_its_deadline() -> Scenario {
    scenario("The socket accepts only half of the login. The login's deadline ends it, and the next socket sends the whole login.")
        .config(toml![
            "login.send = 'open sesame'",
            "login.accepted = 'any'",
            "login.timeout = '3s'",
            "heartbeat.kind = 'off'",
            "reconnect.jitter = 'none'",
        ])
        .attempts([
            accepts_after(millis(20)).takes(8),
            accepts_after(millis(20)).on_text("open sesame", millis(500), Deed::text("welcome")),
        ])
        .until(seconds(6))
        .sees([
            peer_sees(1, &["3020: gone"]),
            peer_sees(2, &["4040: text open sesame", "6000: gone"]),
            ready_at(&[4_540]),
        ])
}

pub(crate) fn connect_while_a_close_waits_behind_a_full_buffer_leaves_it_at_once() -> Scenario {
    scenario("A new connection waits neither for old bytes nor for the old Close.")
        .config(toml!["heartbeat.kind = 'off'"])
        .high_water(20)
        .attempts([accepts_after(millis(20)).takes(0), accepts_after(millis(20))])
        .at(seconds(1), Command::Feed("more than fits into the buffer"))
        .at(seconds(2), CLOSE)
        .at(seconds(3), Command::Connect)
        .at(seconds(4), Command::Feed("fresh"))
        .until(seconds(5))
        .sees([
            peer_sees(1, &["3000: gone"]),
            peer_sees(2, &["4000: text fresh", "5000: gone"]),
            outcomes(&["rejected: not written", "sent on 2"]),
            opens_at(&[0, 3_000]),
        ])
}

pub(crate) fn what_waits_is_written_before_what_came_meanwhile_is_read() -> Scenario {
    scenario("The peer reads and sends while the program is stalled. The buffer is empty when its message is handled.")
        .config(toml!["heartbeat.kind = 'off'"])
        .high_water(20)
        .attempts([accepts_after(millis(20))
            .takes(0)
            .then(seconds(2), Deed::takes_all())
            .then(seconds(3), Deed::text("go on"))])
        .at(seconds(1), Command::Feed("more than fits into the buffer"))
        .at(millis(1_500), Command::Stall(seconds(4)))
        .at(seconds(6), Command::Feed("going on"))
        .until(seconds(7))
        .sees([
            delivers(&[(5_500, "go on")]),
            peer_sees(
                1,
                &[
                    "5500: text more than fits into the buffer",
                    "6000: text going on",
                    "7000: gone",
                ],
            ),
            outcomes(&["sent on 1", "sent on 1"]),
        ])
}

pub(crate) fn a_buffering_transport_that_is_left_may_have_sent_what_it_took() -> Scenario {
    scenario("The peer closes while the transport holds a message and the answer. The message is maybe sent.")
        .config(toml!["heartbeat.kind = 'off'", "reconnect.jitter = 'none'"])
        .attempts([
            accepts_after(millis(20))
                .takes(3)
                .buffers(1_000)
                .then(seconds(2), Deed::close(1012, "restart")),
            accepts_after(millis(20)),
        ])
        .at(seconds(1), Command::Feed("held by the transport"))
        .until(seconds(4))
        .sees([
            gone(&[(2_020, "close_received 1012")]),
            peer_sees(1, &["2020: gone"]),
            outcomes(&["maybe sent on 1"]),
        ])
}
