//! What was recorded in the field, as `gateway replay --scenario` tells it: each is a journal of real sockets.

use crate::words::*;

pub(crate) fn too_many_requests_then_a_drop_and_a_dead_peer() -> Scenario {
    scenario("What a connection did. Say what it should have done.")
        .config(toml![
            "heartbeat.interval = '500ms'",
            "heartbeat.timeout = '300ms'",
            "reconnect.initial_delay = '200ms'",
            "reconnect.max_delay = '1s'",
        ])
        .seed(5)
        .attempts([
            answers_http_with(millis(1), 429, Some(RetryAfter::Seconds(2))),
            accepts_after(millis(1))
                .answers_pings(millis(1), PongStyle::Echo)
                .then(millis(186), Deed::text("xxxxx").and(Deed::text(&"x".repeat(64))))
                .then(millis(677), Deed::end()),
            accepts_after(millis(2)),
            accepts_after(millis(1))
                .answers_pings(millis(1), PongStyle::Echo)
                .then(millis(1_201), Deed::close(1000, "")),
        ])
        .at(millis(2_719), Command::Send("xxxxx"))
        .at(millis(2_720), Command::Send("x".repeat(64).leak()))
        .at(millis(6_896), CLOSE)
        .until(millis(6_899))
        .sees([
            opens(4),
            gone_for(&["open_failed http 429 Seconds(2)", "lost eof", "pong_timeout", "requested"]),
            delays(&[2_715, 1_000, 1_000]),
            outcomes(&["sent on 2", "sent on 2"]),
            delivers_count(2),
            never_gives_up(),
            ends_in(Closed),
        ])
}

pub(crate) fn a_drop_and_a_login_that_is_refused_from_then_on() -> Scenario {
    scenario("What a connection did. Say what it should have done.")
        .config(toml![
            "heartbeat.interval = '400ms'",
            "heartbeat.timeout = '200ms'",
            "login.send = '(hidden)'",
            "login.timeout = '2s'",
            "reconnect.initial_delay = '200ms'",
            "reconnect.max_delay = '1s'",
            "login.accepted = '/login=accepted'",
            "login.refused = '/login=refused'",
        ])
        .seed(11)
        .attempts([
            accepts_after(millis(5))
                .then(millis(2), Deed::text(r#"{"login":"accepted"}"#))
                .then(
                    millis(5),
                    Deed::text(r#"{"type":"pong","timestamp":1700000000007}"#)
                        .and(Deed::text("xxxxx")),
                )
                .then(millis(6), Deed::text(&"x".repeat(49)))
                .then(millis(405), Deed::text(r#"{"type":"pong","timestamp":1700000000407}"#))
                .then(millis(688), Deed::end()),
            accepts_after(millis(2)).then(millis(1), Deed::text(r#"{"login":"refused"}"#)),
            accepts_after(millis(15)).then(millis(1), Deed::text(r#"{"login":"refused"}"#)),
        ])
        .at(millis(8), Command::Send("xxxxx"))
        .at(millis(9), Command::Send("x".repeat(49).leak()))
        .until(millis(1_345))
        .sees([
            opens(3),
            credentials(&[Cached, Cached, Refresh]),
            gone_for(&["lost eof", "login_refused", "login_refused"]),
            delays(&[342, 290]),
            outcomes(&["sent on 1", "sent on 1"]),
            delivers_count(2),
            gives_up("login_refused"),
            ends_in(Closed),
        ])
}
