//! Closing works in every state, at once or within its deadline.

use crate::words::*;

const BYE: Command = Command::Close { code: 4000, reason: "bye" };

pub(crate) fn a_close_is_answered_and_closed() -> Scenario {
    scenario(
        "The client sends a Close with its code and reason. The peer's answer ends the connection.",
    )
    .config(toml!["heartbeat.kind = 'off'"])
    .attempts([accepts_after(millis(20)).polite()])
    .at(seconds(1), BYE)
    .sees([
        passes(&[Connecting, Connected, Closing, Closed]),
        peer_sees(1, &["1000: close 4000 bye", "1020: gone"]),
        gone(&[(1_020, "requested")]),
        quiet_after(1_020),
    ])
}

pub(crate) fn a_close_without_an_answer_ends_at_its_deadline() -> Scenario {
    scenario(
        "The peer does not answer the client's Close. The socket is dropped after two seconds.",
    )
    .answers(&[
        "https://github.com/snapview/tokio-tungstenite/issues/364",
        "https://github.com/snapview/tungstenite-rs/issues/506",
        "https://github.com/websocket-client/websocket-client/issues/592",
        "https://github.com/websockets/ws/issues/1948",
    ])
    .config(toml!["heartbeat.kind = 'off'"])
    .attempts([
        accepts_after(millis(20)).then_each(millis(100), millis(300), 20, |_| Deed::text("tick"))
    ])
    .at(seconds(1), CLOSE)
    .sees([gone(&[(3_000, "close_timeout")]), ends_in(Closed), quiet_after(3_000)])
}

pub(crate) fn connect_while_closing_does_not_wait_for_the_old_socket() -> Scenario {
    scenario("A connect request comes in CLOSING. The old socket is dropped, and a new one opens at once.")
        .answers(&["https://github.com/chartchuo/dart-nats/pull/46"])
        .config(toml!["heartbeat.kind = 'off'"])
        .attempts([accepts_after(millis(20))])
        .at(seconds(1), CLOSE)
        .at(millis(1_500), Command::Connect)
        .sees([
            opens_at(&[0, 1_500]),
            passes(&[Connecting, Connected, Closing, Connecting, Connected]),
            peer_sees(1, &["1000: close 1000", "1500: gone"]),
            ready_to_the_end_since(1_520),
        ])
}

pub(crate) fn a_peer_that_hangs_up_in_place_of_answering_is_as_well() -> Scenario {
    scenario("The peer ends the stream after the client's Close. The connection is closed as asked, without a retry.")
        .config(toml!["heartbeat.kind = 'off'"])
        .attempts([accepts_after(millis(20)).on_close(millis(30), Deed::end())])
        .at(seconds(1), CLOSE)
        .sees([gone(&[(1_030, "requested")]), ends_in(Closed), opens(1), delays(&[])])
}

pub(crate) fn closes_that_cross_end_it_once() -> Scenario {
    scenario("Both sides close at the same time. The peer's Close counts as the answer.")
        .answers(&["https://github.com/twilight-rs/twilight/pull/1964"])
        .config(toml!["heartbeat.kind = 'off'"])
        .attempts([accepts_after(millis(20)).then(millis(990), Deed::close(1012, "restart"))])
        .at(seconds(1), CLOSE)
        .sees([
            gone(&[(1_010, "requested")]),
            peer_sees(1, &["1000: close 1000", "1010: gone"]),
            ends_in(Closed),
            never_gives_up(),
        ])
}

pub(crate) fn the_peers_own_ping_after_our_close_is_neither_answered_nor_delivered() -> Scenario {
    scenario("A ping of the peer is not delivered as a message. Nothing is sent after the client's Close.")
        .config(toml!["heartbeat.answer_pings = true", "heartbeat.kind = 'off'"])
        .attempts([accepts_after(millis(20))
            .then(millis(1_100), Deed::text(r#"{"type":"ping","timestamp":17}"#))
            .on_close(millis(500), Deed::close(1000, ""))])
        .at(seconds(1), CLOSE)
        .sees([
            delivers(&[]),
            peer_sees(1, &["1000: close 1000", "1500: gone"]),
            gone(&[(1_500, "requested")]),
        ])
}

pub(crate) fn messages_are_delivered_until_the_peers_close() -> Scenario {
    scenario("Messages that the peer sent before it received the Close are delivered.")
        .config(toml!["heartbeat.kind = 'off'"])
        .attempts([accepts_after(millis(20))
            .then(millis(1_100), Deed::text("one"))
            .then(millis(1_200), Deed::binary(b"two").and(Deed::text("three")))
            .on_close(
                millis(500),
                Deed::text("last").and(Deed::close(1000, "")).and(Deed::text("never")),
            )])
        .at(seconds(1), CLOSE)
        .sees([
            delivers(&[(1_120, "one"), (1_220, "3 bytes"), (1_220, "three"), (1_500, "last")]),
            ends_in(Closed),
        ])
}

pub(crate) fn the_pong_of_a_ping_before_the_close_is_still_ours() -> Scenario {
    scenario("A pong that arrives in CLOSING is not delivered as a message.")
        .config(toml!["heartbeat.kind = 'json'"])
        .attempts([accepts_after(millis(20))
            .answers_pings(millis(300), PongStyle::Echo)
            .answers_close(millis(900))])
        .at(millis(30_200), CLOSE)
        .sees([delivers(&[]), round_trips(&[Some(300)]), gone(&[(31_100, "requested")])])
}

pub(crate) fn nothing_is_sent_after_our_close() -> Scenario {
    scenario("In CLOSING a message, a second close and a due ping are not sent.")
        .config(toml!["heartbeat.interval = '1s'", "heartbeat.timeout = '1s'"])
        .attempts([accepts_after(millis(20))
            .answers_pings(millis(20), PongStyle::Echo)
            .then(millis(2_300), Deed::ping("still there?"))])
        .at(millis(1_900), CLOSE)
        .at(millis(2_000), Command::Send("more"))
        .at(millis(2_100), BYE)
        .at(millis(4_500), Command::Send("and more"))
        .sees([
            peer_sees(1, &["1020: ping 1", "1900: close 1000", "3900: gone"]),
            outcomes(&["rejected: closed", "rejected: closed"]),
        ])
}

pub(crate) fn close_in_the_middle_of_a_login_is_a_close() -> Scenario {
    scenario("The client closes while the login is unanswered. The answer to the login is ignored.")
        .config(toml!["login.send = 'open sesame'", "login.accepted = 'any'"])
        .attempts([accepts_after(millis(20)).polite().on_text(
            "open sesame",
            millis(500),
            Deed::text("welcome"),
        )])
        .at(millis(515), CLOSE)
        .sees([
            passes(&[Connecting, Connected, Closing, Closed]),
            peer_sees(1, &["20: text open sesame", "515: close 1000", "535: gone"]),
            ready_at(&[]),
            delivers(&[(520, "welcome")]),
        ])
}

pub(crate) fn a_client_that_is_dropped_aborts() -> Scenario {
    scenario("Without a close request the peer sees the end of the socket (1006), not a Close.")
        .answers(&["https://github.com/sdroege/async-tungstenite/issues/41"])
        .config(toml!["heartbeat.kind = 'off'"])
        .attempts([accepts_after(millis(20)).polite()])
        .until(seconds(5))
        .sees([peer_sees(1, &["5000: gone"]), no_peer_sees("close"), ends_in(Connected)])
}

pub(crate) fn a_zombie_that_is_closed_and_wanted_again_neither_panics_nor_stays() -> Scenario {
    scenario("A dead peer, an unanswered close, several connects and closes. The last request decides the end.")
        .answers(&[
            "https://github.com/twilight-rs/twilight/pull/1964",
            "https://github.com/serenity-rs/serenity/pull/1255",
            "https://github.com/discordjs/discord.js/issues/10174",
            "https://github.com/discordjs/discord.js/issues/3201",
        ])
        .config(toml!["heartbeat.interval = '500ms'", "heartbeat.timeout = '500ms'"])
        .attempts([accepts_after(millis(20)), accepts_after(millis(20)), accepts_after(millis(20)).polite()])
        .at(seconds(1), CLOSE)
        .at(millis(1_500), Command::Connect)
        .at(seconds(2), CLOSE)
        .at(millis(2_100), CLOSE)
        .at(millis(4_500), Command::Connect)
        .until(seconds(12))
        .sees([opens_at(&[0, 1_500, 4_500]), gone(&[(1_500, "requested"), (4_000, "close_timeout")]), ready_to_the_end_since(4_520)])
}

pub(crate) fn every_code_that_may_be_sent_is_sent_as_it_is() -> Scenario {
    scenario("The client may send 1014. The peer sees the code and its reason.")
        .config(toml!["heartbeat.kind = 'off'"])
        .attempts([accepts_after(millis(20)).polite()])
        .at(seconds(1), Command::Close { code: 1014, reason: "upstream" })
        .sees([peer_sees(1, &["1000: close 1014 upstream", "1020: gone"]), ends_in(Closed)])
}
