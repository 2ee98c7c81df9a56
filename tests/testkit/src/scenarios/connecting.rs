//! Opening a socket: one deadline covers each attempt, and every failure has a class.

use crate::words::*;

pub(crate) fn a_connect_without_an_answer_ends_at_its_deadline_on_every_attempt() -> Scenario {
    scenario("The network does not answer. Each attempt ends after ten seconds, the first and the third.")
        .answers(&[
            "https://github.com/websockets/ws/issues/1948",
            "https://github.com/home-assistant/home-assistant-js-websocket/issues/760",
            "https://github.com/PlugFox/ws/issues/24",
        ])
        .config(toml!["reconnect.jitter = 'none'", "connect_timeout_max = '10s'"])
        .attempts([never_connects()])
        .until(seconds(36))
        .sees([
            gone(&[
                (10_000, "connect_timeout"),
                (21_000, "connect_timeout"),
                (33_000, "connect_timeout"),
            ]),
            peer_sees(1, &["10000: gone"]),
            peer_sees(3, &["33000: gone"]),
        ])
}

pub(crate) fn the_connect_timeout_grows_while_attempts_time_out() -> Scenario {
    scenario("A server that is overloaded answers too late. The timeout grows fourfold, up to its bound. A refusal between does not reset it, a stable connection does.")
        .config(toml![
            "reconnect.jitter = 'none'",
            "connect_timeout = '2s'",
            "connect_timeout_max = '9s'",
            "heartbeat.kind = 'off'"
        ])
        .attempts([
            never_connects(),
            never_connects(),
            fails_after(millis(10), OpenError::Refused),
            never_connects(),
            accepts_after(millis(6_900)).then(seconds(30), Deed::reset()),
            never_connects(),
        ])
        .until(seconds(75))
        .sees([
            gone(&[
                (2_000, "connect_timeout"),
                (11_000, "connect_timeout"), // 1 s later, and 8 s
                (13_010, "open_failed refused"),
                (26_010, "connect_timeout"), // 4 s later, and 9 s
                (70_910, "lost reset"),
                (73_910, "connect_timeout"),
            ]),
            ready_at(&[40_910]),
        ])
}

pub(crate) fn a_stall_in_the_upgrade_ends_at_the_connect_deadline() -> Scenario {
    scenario("The byte stream opens, and the upgrade is never answered. One deadline covers both.")
        .answers(&[
            "https://github.com/TakahikoKawasaki/nv-websocket-client/issues/213",
            "https://github.com/discordjs/discord.js/issues/3085",
        ])
        .config(toml!["reconnect.jitter = 'none'", "connect_timeout = '3s'"])
        .attempts([stalls_in_the_upgrade(), accepts_after(millis(20)).polite()])
        .sees([
            gone(&[(3_000, "connect_timeout")]),
            peer_sees(1, &["3000: gone"]),
            ready_to_the_end_since(4_020),
        ])
}

pub(crate) fn an_answer_that_trickles_does_not_put_the_deadline_off() -> Scenario {
    scenario("Single bytes of the answer do not extend the deadline.")
        .answers(&["https://github.com/TakahikoKawasaki/nv-websocket-client/issues/213"])
        .config(toml!["reconnect.jitter = 'none'"])
        .attempts([trickles_its_answer(millis(300)), accepts_after(millis(20)).polite()])
        .sees([gone(&[(10_000, "connect_timeout")]), ready_to_the_end_since(11_020)])
}

pub(crate) fn an_answer_after_the_deadline_opens_nothing() -> Scenario {
    scenario("A socket that would open too late is dropped at the deadline. The next attempt has its own deadline.")
        .answers(&["https://github.com/websockets/ws/issues/1948"])
        .config(toml!["reconnect.jitter = 'none'", "connect_timeout = '2s'"])
        .attempts([accepts_after(millis(2_001)), accepts_after(millis(1_999)).polite()])
        .sees([
            gone(&[(2_000, "connect_timeout")]),
            ready_at(&[4_999]),
            peer_sees(1, &["2000: gone"]),
        ])
}

pub(crate) fn every_failure_of_the_network_is_retried() -> Scenario {
    scenario("Failures of names, ports, routes and certificates may be temporary. All are retried.")
        .config(toml!["reconnect.jitter = 'none'"])
        .attempts([
            fails_after(millis(10), OpenError::Dns),
            fails_after(millis(10), OpenError::Refused),
            fails_after(millis(10), OpenError::Unreachable),
            fails_after(millis(10), OpenError::Io),
            fails_after(millis(10), OpenError::Certificate),
            fails_after(millis(10), OpenError::Tls),
            accepts_after(millis(20)).polite(),
        ])
        .until(seconds(100))
        .sees([
            gone(&[
                (10, "open_failed dns"),
                (1_020, "open_failed refused"),
                (3_030, "open_failed unreachable"),
                (7_040, "open_failed io"),
                (15_050, "open_failed certificate"),
                (31_060, "open_failed tls"),
            ]),
            ready_at(&[63_080]),
        ])
}

pub(crate) fn no_http_and_no_upgrade_are_told_apart_and_retried() -> Scenario {
    scenario(
        "A captive portal, a wrong port or a proxy answers. The error is reported and retried.",
    )
    .config(toml!["reconnect.jitter = 'none'"])
    .attempts([
        speaks_no_http(millis(10)),
        upgrades_wrongly(millis(10)),
        hangs_up_in_the_upgrade(millis(10)),
        accepts_after(millis(20)).polite(),
    ])
    .sees([
        gone(&[
            (10, "open_failed not_http"),
            (1_020, "open_failed upgrade"),
            (3_030, "open_failed not_http"),
        ]),
        ready_to_the_end_since(7_050),
    ])
}

pub(crate) fn an_answer_other_than_101_leaves_nothing_wedged() -> Scenario {
    scenario(
        "The server answers 500 and 503. The attempt ends at once, and the retry is scheduled.",
    )
    .answers(&[
        "https://github.com/beyond-all-reason/bar-lobby/issues/715",
        "https://github.com/socketio/socket.io-client/issues/506",
    ])
    .config(toml!["reconnect.jitter = 'none'"])
    .attempts([
        answers_http(millis(40), 500),
        answers_http(millis(40), 503),
        accepts_after(millis(20)).polite(),
    ])
    .sees([
        gone(&[(40, "open_failed http 500"), (1_080, "open_failed http 503")]),
        opens_at(&[0, 1_040, 3_080]),
        ready_to_the_end_since(3_100),
    ])
}

pub(crate) fn settings_that_cannot_work_are_given_up() -> Scenario {
    scenario("A failure that no later attempt can change is not retried.")
        .attempts([fails_after(millis(10), OpenError::Configuration)])
        .sees([opens_at(&[0]), gives_up("configuration"), ends_in(Closed), quiet_after(10)])
}

pub(crate) fn a_message_in_the_same_read_as_the_upgrade_is_delivered() -> Scenario {
    scenario("A message that comes with the answer to the upgrade is not lost.")
        .config(toml!["heartbeat.kind = 'off'"])
        .attempts([
            accepts_after(millis(20)).then(millis(0), Deed::text("hello").and(Deed::text("there")))
        ])
        .sees([delivers(&[(20, "hello"), (20, "there")]), ready_at(&[20])])
}
