//! A dead peer's socket is aborted, and so is one that is replaced after a suspend. No other socket is.

use crate::words::*;

pub(crate) fn a_dead_peer_is_aborted_and_its_messages_are_rejected_or_maybe_sent() -> Scenario {
    scenario("A message that was written is sent, one that was begun is maybe sent, and one that was not begun is rejected.")
        .config(toml!["reconnect.jitter = 'none'"])
        .attempts([
            accepts_after(millis(20)).takes(9 + 7 + 4),
            accepts_after(millis(20)).polite(),
        ])
        .at(seconds(1), Command::Feed("one"))
        .at(seconds(31), Command::Feed("two"))
        .at(seconds(32), Command::Feed("three"))
        .at(seconds(37), Command::Feed("four"))
        .until(seconds(50))
        .sees([
            peer_sees(1, &["1000: text one", "30020: ping 1", "35020: aborted"]),
            peer_sees(2, &["37000: text four", "50000: gone"]),
            outcomes(&[
                "sent on 1",
                "maybe sent on 1",
                "rejected: not written",
                "sent on 2",
            ]),
            gone(&[(35_020, "pong_timeout")]),
        ])
}

pub(crate) fn an_aborted_socket_is_never_one_that_was_closed() -> Scenario {
    scenario("The application closes while a ping is unanswered. The socket is dropped at the close timeout, and is not reset.")
        .attempts([accepts_after(millis(20))])
        .at(seconds(34), CLOSE)
        .until(seconds(50))
        .sees([
            peer_sees(1, &["30020: ping 1", "34000: close 1000", "36000: gone"]),
            gone(&[(36_000, "close_timeout")]),
            ends_in(Closed),
        ])
}

pub(crate) fn a_close_behind_a_held_ping_is_never_aborted() -> Scenario {
    scenario("The application closes just before the peer would be dead by a write stall. The close timeout decides.")
        .attempts([accepts_after(millis(20)).takes(0)])
        .at(seconds(29), Command::Feed("never taken"))
        .at(seconds(63), CLOSE)
        .until(seconds(70))
        .sees([
            peer_sees(1, &["65000: gone"]),
            gone(&[(65_000, "close_timeout")]),
            outcomes(&["rejected: not written"]),
        ])
}

pub(crate) fn a_suspend_while_closing_aborts_nothing() -> Scenario {
    scenario(
        "The machine sleeps while the Close is unanswered. The close timeout ends the connection as usual.",
    )
    .attempts([accepts_after(millis(20))])
    .at(seconds(10), CLOSE)
    .at(seconds(11), Command::Sleep(seconds(3_600)))
    .until(seconds(20))
    .sees([
        peer_sees(1, &["10000: close 1000", "12000: gone"]),
        gone(&[(12_000, "close_timeout")]),
        ends_in(Closed),
    ])
}

pub(crate) fn a_peer_that_is_alive_is_left_with_a_close_and_not_aborted() -> Scenario {
    scenario("The data timeout ends a connection whose peer answers pings. The client sends 1001 and does not reset.")
        .config(toml!["data_timeout = '40s'", "reconnect.jitter = 'none'"])
        .attempts([accepts_after(millis(20)).polite()])
        .until(seconds(41))
        .sees([
            peer_sees(1, &["30020: ping 1", "40020: close 1001", "40020: gone"]),
            gone(&[(40_020, "data_timeout")]),
        ])
}

pub(crate) fn a_suspend_while_connecting_aborts_that_socket() -> Scenario {
    scenario(
        "The machine sleeps before the server answers the upgrade. That socket is reset and the next one opens.",
    )
    .attempts([stalls_in_the_upgrade(), accepts_after(millis(20)).polite()])
    .at(seconds(3), Command::Sleep(seconds(600)))
    .until(seconds(20))
    .sees([
        peer_sees(1, &["10000: aborted"]),
        opens_at(&[0, 10_000]),
        jumps(&[600_000]),
        ready_to_the_end_since(10_020),
    ])
}

pub(crate) fn a_suspend_while_logging_in_aborts_that_socket() -> Scenario {
    scenario(
        "The machine sleeps while the login is unanswered. That socket is reset and the next one opens.",
    )
    .config(toml!["login.send = 'open sesame'", "login.accepted = 'any'"])
    .attempts([
        accepts_after(millis(20)),
        accepts_after(millis(20)).polite().on_text(
            "open sesame",
            millis(10),
            Deed::text("welcome"),
        ),
    ])
    .at(seconds(3), Command::Sleep(seconds(600)))
    .until(seconds(20))
    .sees([
        peer_sees(1, &["20: text open sesame", "10020: aborted"]),
        opens_at(&[0, 10_020]),
        jumps(&[600_000]),
        passes(&[Connecting, Connected, Disconnected, Connecting, Connected, Authenticated]),
    ])
}
