//! Recorded connections, as `gateway replay --scenario` prints them. Each is a journal of real sockets.

use crate::words::*;

pub(crate) fn too_many_requests_then_a_drop_and_a_dead_peer() -> Scenario {
    scenario("What a connection did. Describe what it should do.")
        .config(toml![
            "connect_timeout_max = '10s'",
            "heartbeat.interval = '500ms'",
            "heartbeat.kind = 'json'",
            "heartbeat.timeout = '300ms'",
            "reconnect.initial_delay = '200ms'",
            "reconnect.jitter = 'decorrelated'",
            "reconnect.max_delay = '1s'",
        ])
        .seed(5)
        .attempts([
            answers_http_with(millis(2), 429, Some(RetryAfter::Seconds(2))),
            accepts_after(millis(6))
                .answers_pings(millis(6), PongStyle::Echo)
                .then(millis(195), Deed::text("xxxxx").and(Deed::text(&"x".repeat(64))))
                .then(millis(640), Deed::end()),
            accepts_after(millis(2)),
            accepts_after(millis(2))
                .answers_pings(millis(1), PongStyle::Echo)
                .then(millis(1_700), Deed::close(1000, "")),
        ])
        .at(millis(2_724), Command::Send("xxxxx"))
        .at(millis(2_725), Command::Send("x".repeat(64).leak()))
        .at(millis(7_866), CLOSE)
        .until(millis(7_868))
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
    scenario("What a connection did. Describe what it should do.")
        .config(toml![
            "connect_timeout_max = '10s'",
            "heartbeat.interval = '400ms'",
            "heartbeat.kind = 'json'",
            "heartbeat.timeout = '200ms'",
            "login.send = '(hidden)'",
            "login.timeout = '2s'",
            "reconnect.initial_delay = '200ms'",
            "reconnect.jitter = 'decorrelated'",
            "reconnect.max_delay = '1s'",
            "login.accepted = '/login=accepted'",
            "login.refused = ['/login=refused, refresh:refresh']",
        ])
        .seed(11)
        .attempts([
            accepts_after(millis(1))
                .answers_pings(millis(1), PongStyle::Echo)
                .then(millis(1), Deed::text(r#"{"login":"accepted"}"#))
                .then(millis(4), Deed::text("xxxxx"))
                .then(millis(42), Deed::text(&"x".repeat(50)))
                .then(millis(691), Deed::end()),
            accepts_after(millis(1))
                .then(millis(1), Deed::text(r#"{"login":"refused, refresh"}"#))
                .then(millis(44), Deed::close(1008, "xxxxxxxxxxxx")),
            accepts_after(millis(1))
                .then(millis(1), Deed::text(r#"{"login":"refused, refresh"}"#))
                .then(millis(40), Deed::close(1008, "xxxxxxxxxxxx")),
        ])
        .at(millis(3), Command::Send("xxxxx"))
        .at(millis(4), Command::Send("x".repeat(50).leak()))
        .until(millis(1_411))
        .sees([
            opens(3),
            credentials(&[Cached, Cached, Refresh]),
            gone_for(&["lost eof", "login_refused 1008", "login_refused 1008"]),
            delays(&[342, 290]),
            outcomes(&["sent on 1", "sent on 1"]),
            delivers_count(2),
            gives_up("login_refused"),
            ends_in(Closed),
        ])
}

pub(crate) fn a_date_a_sleep_hints_and_a_peer_that_is_silent_at_the_end() -> Scenario {
    // In the journal, but not in this scenario: 1 × a flushed write buffer.
    // In the journal, but not in this scenario: 1 × a full write buffer.
    // In the journal, but not in this scenario: 1 × a message that a full write buffer rejected.
    // In the journal, but not in this scenario: 1 × a part of a message.
    // In the journal, but not in this scenario: 1 × a timer that fired 5 ms late or more.
    // In the journal, but not in this scenario: 1 × an event before the first request to connect.
    // In the journal, but not in this scenario: 1 × an event of an earlier socket.
    // In the journal, but not in this scenario: 1 × the kind of a binary message, which is sent as text.
    scenario("What a connection did. Describe what it should do.")
        .config(toml![
            "heartbeat.interval = '20s'",
            "heartbeat.kind = 'json'",
            "heartbeat.timeout = '4s'",
        ])
        .seed(3)
        .attempts([
            answers_http_with(
                millis(2),
                503,
                Some(RetryAfter::Date(UnixMillis(1_700_000_003_000))),
            ),
            accepts_after(millis(1))
                .then(millis(31), Deed::text(&"x".repeat(300)).and(Deed::binary(b"xxxx")))
                .then(millis(32), Deed::ping("xxxx")),
            accepts_after(millis(1))
                .then(millis(5), Deed::breach(b"\x82\x7f\0\0\0\x10\0\0\0\0", Failure::TooBig)),
            accepts_after(millis(1)),
        ])
        .at(millis(3_115), Command::Send("x".repeat(40).leak()))
        .at(millis(3_116), Command::PauseReading)
        .at(millis(3_117), Command::ResumeReading)
        .at(millis(23_081), Command::Sleep(millis(3_600_000)))
        .at(millis(27_122), Command::Network(Network::Offline))
        .at(millis(27_622), Command::Network(Network::Online))
        .at(millis(29_056), Command::Close { code: 3000, reason: "xxx" })
        .until(millis(31_057))
        .sees([
            opens(4),
            gone_for(&[
                "open_failed http 503 Date(UnixMillis(1700000003000))",
                "pong_timeout",
                "protocol_error too_big",
                "close_timeout",
            ]),
            delays_within(&[(2_829, 4_829), (645, 2_645), (0, 1_000), (418, 2_418)]),
            outcomes(&["sent on 2"]),
            jumps(&[3_600_000]),
            delivers_count(2),
            never_gives_up(),
            ends_in(Closed),
        ])
}

pub(crate) fn logins_that_are_refused_with_each_verdict() -> Scenario {
    scenario("What a connection did. Describe what it should do.")
        .config(toml![
            "heartbeat.kind = 'off'",
            "login.send = '(hidden)'",
            "login.timeout = '10s'",
            "login.accepted = '/login=accepted'",
            "login.refused = ['/login=refused, retry:retry', '/login=refused, 7000ms:7000ms', '/login=refused, refresh:refresh', '/login=refused, fatal:fatal']",
        ])
        .seed(3)
        .attempts([
            accepts_after(millis(1))
                .then(millis(1), Deed::text("xxxxxxxxxxxxxxxxxxx"))
                .then(millis(5), Deed::text(r#"{"login":"refused, retry"}"#))
                .then(millis(9), Deed::text("xxxxxxxxxxxx"))
                .then(millis(39), Deed::close_without_code()),
            accepts_after(millis(1))
                .then(millis(1), Deed::text("xxxxxxxxxxxxxxxxxxx"))
                .then(millis(5), Deed::text(r#"{"login":"refused, retry"}"#))
                .then(millis(9), Deed::text("xxxxxxxxxxxx"))
                .then(millis(39), Deed::end()),
            accepts_after(millis(1))
                .then(millis(1), Deed::text("xxxxxxxxxxxxxxxxxxx"))
                .then(millis(5), Deed::text(r#"{"login":"refused, 7000ms"}"#))
                .then(millis(9), Deed::text("xxxxxxxxxxxx"))
                .then(millis(39), Deed::close(4000, "xxxxxxx")),
            accepts_after(millis(1))
                .then(millis(1), Deed::text("xxxxxxxxxxxxxxxxxxx"))
                .then(millis(5), Deed::text(r#"{"login":"refused, 7000ms"}"#))
                .then(millis(9), Deed::text("xxxxxxxxxxxx"))
                .then(millis(39), Deed::close(1013, "xxxxxxx")),
            accepts_after(millis(1))
                .then(millis(1), Deed::text("xxxxxxxxxxxxxxxxxxx"))
                .then(millis(5), Deed::text(r#"{"login":"refused, refresh"}"#))
                .then(millis(9), Deed::text("xxxxxxxxxxxx"))
                .then(millis(39), Deed::close(1013, "xxxxxxx")),
            accepts_after(millis(1))
                .then(millis(1), Deed::text("xxxxxxxxxxxxxxxxxxx"))
                .then(millis(5), Deed::text(r#"{"login":"refused, fatal"}"#))
                .then(millis(9), Deed::text("xxxxxxxxxxxx"))
                .then(millis(39), Deed::close(1012, "xxxxxxx")),
            accepts_after(millis(1))
                .then(millis(1), Deed::text("xxxxxxxxxxxxxxxxxxx"))
                .then(millis(5), Deed::text(r#"{"login":"refused, refresh"}"#))
                .then(millis(9), Deed::text("xxxxxxxxxxxx")),
            accepts_after(millis(1))
                .then(millis(1), Deed::text("xxxxxxxxxxxxxxxxxxx"))
                .then(millis(5), Deed::text(r#"{"login":"refused, fatal"}"#))
                .then(millis(9), Deed::text("xxxxxxxxxxxx"))
                .then(millis(39), Deed::close(1000, "xxxxxxx")),
        ])
        .until(millis(98_426))
        .sees([
            opens(8),
            credentials(&[Cached, Cached, Cached, Cached, Cached, Cached, Cached, Refresh]),
            gone_for(&["login_refused", "login_refused", "login_refused 4000", "login_refused 1013", "login_refused 1013", "login_refused 1012", "login_refused", "login_refused 1000"]),
            delays(&[2_245, 1_406, 7_117, 15_919, 29_052, 19_677, 20_723]),
            delivers_count(16),
            gives_up("login_refused"),
            ends_in(Closed),
        ])
}

pub(crate) fn a_provider_that_is_slow_fails_and_hangs() -> Scenario {
    // In the journal, but not in this scenario: 1 × an event of an earlier socket.
    scenario("What a connection did. Describe what it should do.")
        .config(toml!["ask_provider = true", "heartbeat.kind = 'off'"])
        .seed(3)
        .attempts([
            accepts_after(millis(20)).provider_answers(millis(40)).then(millis(90), Deed::end()),
            provider_fails_after(millis(5), Verdict::Retry),
            provider_fails_after(millis(5), Verdict::RetryNoSoonerThan(millis(9_000))),
            provider_fails_after(millis(5), Verdict::Retry),
            provider_hangs(),
            provider_hangs(),
            fails_after(millis(3), OpenError::Tls).provider_answers(millis(2)),
            provider_fails_after(millis(1), Verdict::Fatal),
        ])
        .at(millis(67_942), Command::Reconnect)
        .until(millis(87_626))
        .sees([
            opens(2),
            gone_for(&[
                "lost eof",
                "provider",
                "provider",
                "provider",
                "attempt_timeout",
                "reconnect",
                "open_failed tls",
                "provider",
            ]),
            delays(&[2_245, 1_406, 9_150, 15_919, 29_052, 0, 19_677]),
            delivers_count(0),
            gives_up("provider"),
            ends_in(Closed),
        ])
}
