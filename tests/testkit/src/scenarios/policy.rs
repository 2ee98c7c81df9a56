//! Close codes, HTTP statuses and Retry-After: the policy's table decides.

use crate::words::*;

pub(crate) fn a_code_that_is_set_fatal_ends_it() -> Scenario {
    scenario("A rule of the user makes 4401 fatal, although its range is retried.")
        .answers(&["https://github.com/nyaruka/rapidpro/pull/6836"])
        .config(toml!["policy.4401 = 'fatal'"])
        .attempts([accepts_after(millis(20))
            .polite()
            .then(seconds(1), Deed::close(4401, "expired"))])
        .sees([
            opens_at(&[0]),
            gives_up("close_code 4401"),
            peer_sees_last(1, &["1020: close 4401 expired", "1020: gone"]),
            quiet_after(1_020),
        ])
}

pub(crate) fn http_401_gets_new_credentials_once_and_is_then_fatal() -> Scenario {
    scenario("The server answers 401 twice. There is no third attempt.")
        .answers(&[
            "https://github.com/python-websockets/websockets/issues/1480",
            "https://github.com/felangel/web_socket_client/issues/75",
            "https://github.com/socketio/socket.io-client/issues/1263",
        ])
        .config(toml!["reconnect.jitter = 'none'"])
        .attempts([answers_http(millis(20), 401)])
        .sees([credentials(&[Cached, Refresh]), opens_at(&[0, 1_020]), gives_up("http_status 401")])
}

pub(crate) fn http_statuses_that_pass_are_retried() -> Scenario {
    scenario("408, 425, 429 and 5xx are retried.")
        .answers(&[
            "https://github.com/solidjs/solid/issues/3100",
            "https://github.com/firezone/firezone/pull/11654",
            "https://github.com/langchain-ai/langsmith-sdk/pull/3493",
        ])
        .config(toml!["reconnect.jitter = 'none'"])
        .attempts([
            answers_http(millis(20), 408),
            answers_http(millis(20), 425),
            answers_http(millis(20), 429),
            answers_http(millis(20), 502),
            accepts_after(millis(20)).polite(),
        ])
        .sees([
            delays(&[1_000, 2_000, 4_000, 8_000]),
            because(&["backoff"; 4]),
            ready_to_the_end_since(15_100),
        ])
}

pub(crate) fn http_404_and_a_redirect_are_fatal() -> Scenario {
    scenario("404 and a redirect are not retried, because the answer would be the same.")
        .attempts([answers_http(millis(20), 404), answers_http(millis(20), 302)])
        .at(seconds(5), Command::Connect)
        .sees([
            gone(&[(20, "open_failed http 404"), (5_020, "open_failed http 302")]),
            opens_at(&[0, 5_000]),
            ends_in(Closed),
            quiet_after(5_020),
        ])
}

pub(crate) fn what_1008_means_is_for_the_user_to_say() -> Scenario {
    scenario("Some servers send 1008 for an expired session. A rule makes it refresh.")
        .answers(&["https://github.com/openfrontio/OpenFrontIO/pull/4595"])
        .config(toml!["reconnect.jitter = 'none'", "policy.1008 = 'refresh'"])
        .attempts([
            accepts_after(millis(20)).polite().then(millis(500), Deed::close(1008, "session")),
            accepts_after(millis(20)).polite(),
        ])
        .sees([credentials(&[Cached, Refresh]), ready_to_the_end_since(1_540)])
}

pub(crate) fn codes_that_accuse_us_are_fatal() -> Scenario {
    scenario("By default 1000, 1002, 1003, 1007, 1008, 1009 and 1010 are fatal, because a retry would get the same.")
        .config(toml!["heartbeat.kind = 'off'"])
        .attempts([1000, 1002, 1003, 1007, 1008, 1009, 1010].map(|code| {
            accepts_after(millis(20)).then(millis(100), Deed::close(code, ""))
        }))
        .at(seconds(1), Command::Connect)
        .at(seconds(2), Command::Connect)
        .at(seconds(3), Command::Connect)
        .at(seconds(4), Command::Connect)
        .at(seconds(5), Command::Connect)
        .at(seconds(6), Command::Connect)
        .sees([
            gone(&[
                (120, "close_received 1000"),
                (1_120, "close_received 1002"),
                (2_120, "close_received 1003"),
                (3_120, "close_received 1007"),
                (4_120, "close_received 1008"),
                (5_120, "close_received 1009"),
                (6_120, "close_received 1010"),
            ]),
            delays(&[]),
            opens(7),
        ])
}

pub(crate) fn codes_of_servers_that_come_back_are_retried() -> Scenario {
    scenario("1001, 1011 to 1013, a private code and a Close without a code are retried.")
        .config(toml![
            "heartbeat.kind = 'off'",
            "reconnect.jitter = 'none'",
            "reconnect.max_delay = '1s'"
        ])
        .attempts(
            [1001, 1011, 1012, 1013, 4999]
                .map(|code| accepts_after(millis(20)).then(millis(100), Deed::close(code, "")))
                .into_iter()
                .chain([
                    accepts_after(millis(20)).then(millis(100), Deed::close_without_code()),
                    accepts_after(millis(20)),
                ]),
        )
        .sees([
            delays(&[1_000; 6]),
            gone(&[
                (120, "close_received 1001"),
                (1_240, "close_received 1011"),
                (2_360, "close_received 1012"),
                (3_480, "close_received 1013"),
                (4_600, "close_received 4999"),
                (5_720, "close_received"),
            ]),
            never_gives_up(),
            ready_to_the_end_since(6_740),
        ])
}

pub(crate) fn retry_after_is_heeded_and_spread() -> Scenario {
    scenario(
        "429 asks for twenty seconds. The retry comes up to a fifth later, because many clients got the same header.",
    )
    .answers(&[
        "https://github.com/firezone/firezone/pull/11594",
        "https://github.com/langchain-ai/langsmith-sdk/pull/3493",
    ])
    .attempts([
        answers_http_with(millis(20), 429, Some(RetryAfter::Seconds(20))),
        answers_http_with(millis(20), 429, Some(RetryAfter::Seconds(20))),
        accepts_after(millis(20)).polite(),
    ])
    .sees([
        delays_within(&[(20_001, 24_000), (20_001, 24_000)]),
        different_delays(2),
        because(&["retry_after", "retry_after"]),
        opens(3),
    ])
}

pub(crate) fn retry_after_may_be_a_date() -> Scenario {
    scenario("A Retry-After date is compared with the wall clock.")
        .answers(&["https://github.com/firezone/firezone/pull/11594"])
        .attempts([
            answers_http_with(
                millis(20),
                503,
                Some(RetryAfter::Date(UnixMillis(1_700_000_030_000))),
            ),
            accepts_after(millis(20)).polite(),
        ])
        .sees([delays_within(&[(29_980, 36_000)]), because(&["retry_after"]), opens(2)])
}

pub(crate) fn an_absurd_retry_after_is_clamped() -> Scenario {
    scenario("A Retry-After of a day is honoured for five minutes, plus at most a fifth.")
        .answers(&["https://github.com/solidjs/solid/issues/3100"])
        .attempts([
            answers_http_with(millis(20), 503, Some(RetryAfter::Seconds(86_400))),
            accepts_after(millis(20)).polite(),
        ])
        .until(seconds(400))
        .sees([delays_within(&[(300_000, 360_000)]), because(&["retry_after"]), ends_in(Connected)])
}

pub(crate) fn a_least_delay_of_the_policy_is_kept_and_spread() -> Scenario {
    scenario("The rule 1013 = 30s delays the retry by 30 s and a random spread.")
        .config(toml!["policy.1013 = '30s'"])
        .attempts([
            accepts_after(millis(20)).polite().then(millis(100), Deed::close(1013, "later")),
            accepts_after(millis(20)).polite(),
        ])
        .sees([delays_within(&[(30_001, 36_000)]), because(&["policy"]), opens(2)])
}

pub(crate) fn the_narrower_of_two_rules_decides() -> Scenario {
    scenario("A range is fatal, except for one code in it.")
        .config(toml![
            "reconnect.jitter = 'none'",
            "policy.4000-4099 = 'fatal'",
            "policy.4010 = 'retry'"
        ])
        .attempts([
            accepts_after(millis(20)).polite().then(millis(100), Deed::close(4010, "")),
            accepts_after(millis(20)).polite().then(millis(100), Deed::close(4011, "")),
        ])
        .sees([opens_at(&[0, 1_120]), gives_up("close_code 4011")])
}

pub(crate) fn a_1014_is_judged_by_its_own_rule() -> Scenario {
    scenario("1014 (bad gateway) is a registered code. A rule for it decides, and it is no protocol error.")
        .config(toml!["policy.1014 = 'fatal'", "heartbeat.kind = 'off'"])
        .attempts([accepts_after(millis(20)).then(seconds(1), Deed::close(1014, "upstream"))])
        .sees([
            gone(&[(1_020, "close_received 1014")]),
            peer_sees(1, &["1020: close 1014 upstream", "1020: gone"]),
            gives_up("close_code 1014"),
        ])
}

pub(crate) fn online_does_not_undercut_a_retry_after() -> Scenario {
    scenario(
        "The server asked for twenty seconds. A network that comes back does not shorten them.",
    )
    .attempts([
        answers_http_with(millis(20), 429, Some(RetryAfter::Seconds(20))),
        accepts_after(millis(20)).polite(),
    ])
    .at(seconds(5), Command::Network(Network::Online))
    .until(seconds(40))
    .sees([delays_within(&[(20_001, 24_000)]), because(&["retry_after"]), opens(2)])
}

/// The server closes with 1013. The policy asks for a delay of 5 s, and the backoff for 30 s.
pub(super) fn waits_longer_than_the_policy_asks(about: &'static str) -> Scenario {
    scenario(about)
        .config(toml![
            "policy.1013 = '5s'",
            "reconnect.jitter = 'none'",
            "reconnect.initial_delay = '30s'",
        ])
        .attempts([
            accepts_after(millis(20)).polite().then(millis(100), Deed::close(1013, "later")),
            accepts_after(millis(20)).polite(),
        ])
}

pub(crate) fn online_shortens_a_delay_to_its_least() -> Scenario {
    waits_longer_than_the_policy_asks("The backoff is longer than the policy's least delay. A hint shortens the wait to the least delay.")
        .at(seconds(2), Command::Network(Network::Online))
        .until(seconds(20))
        .sees([
            delays_within(&[(30_000, 31_000), (3_120, 4_120)]),
            because(&["backoff", "hint"]),
            opens(2),
        ])
}

pub(crate) fn online_after_the_least_delay_opens_at_once() -> Scenario {
    waits_longer_than_the_policy_asks(
        "The policy's five seconds have passed and the backoff has not. A hint ends the wait.",
    )
    .at(seconds(10), Command::Network(Network::Online))
    .until(seconds(20))
    .sees([opens_at(&[0, 10_000]), because(&["backoff", "hint"])])
}

pub(crate) fn a_suspend_shortens_a_least_delay() -> Scenario {
    scenario("The server asked for 200 seconds, and the machine slept for 120 of them. The client waits for the rest.")
        .attempts([
            answers_http_with(millis(20), 503, Some(RetryAfter::Seconds(200))),
            accepts_after(millis(20)).polite(),
        ])
        .at(seconds(50), Command::Sleep(seconds(120)))
        .at(seconds(60), Command::Connect)
        .until(seconds(70))
        .sees([
            jumps(&[120_000]),
            delays_within(&[(200_001, 240_000), (20_021, 60_020)]),
            because(&["retry_after", "hint"]),
            opens_at(&[0, 60_000]),
        ])
}
