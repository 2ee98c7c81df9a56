//! A provider that is asked for the request of each attempt before its socket opens.

use crate::words::*;

pub(crate) fn a_socket_opens_once_the_provider_has_given_its_request() -> Scenario {
    scenario("The provider takes a moment on each attempt. The connect timeout starts after that.")
        .config(toml![
            "ask_provider = true",
            "attempt_timeout = '5s'",
            "connect_timeout = '1s'",
            "reconnect.jitter = 'none'",
        ])
        .attempts([
            accepts_after(millis(900))
                .provider_answers(millis(4_900))
                .then(seconds(4), Deed::end()),
            accepts_after(millis(20)).provider_answers(millis(300)).polite(),
        ])
        .until(seconds(30))
        .sees([
            asks_at(&[0, 10_800]),
            asks_for(&[Cached, Cached]),
            opens_at(&[4_900, 11_100]),
            gone(&[(9_800, "lost eof")]),
            ready_to_the_end_since(11_120),
        ])
}

pub(crate) fn a_provider_that_hangs_is_asked_again_after_the_attempt_timeout() -> Scenario {
    scenario(
        "The provider gives nothing. Each attempt ends at its deadline, and no socket is opened.",
    )
    .config(toml!["ask_provider = true", "attempt_timeout = '3s'", "reconnect.jitter = 'none'"])
    .attempts([
        provider_hangs(),
        provider_hangs(),
        accepts_after(millis(20)).provider_answers(millis(2_999)).polite(),
    ])
    .until(seconds(20))
    .sees([
        asks_at(&[0, 4_000, 9_000]),
        gone(&[(3_000, "attempt_timeout"), (7_000, "attempt_timeout")]),
        retries(&[1, 2]),
        opens_at(&[11_999]),
        ready_to_the_end_since(12_019),
    ])
}

pub(crate) fn a_request_that_comes_after_the_attempt_timeout_is_not_used() -> Scenario {
    scenario("The provider is too slow. Its late request opens nothing, and the next attempt asks again.")
        .config(toml!["ask_provider = true", "attempt_timeout = '3s'", "reconnect.jitter = 'none'"])
        .attempts([
            accepts_after(millis(20)).provider_answers(millis(3_500)),
            accepts_after(millis(20)).provider_answers(millis(500)).polite(),
        ])
        .until(seconds(20))
        .sees([
            gone(&[(3_000, "attempt_timeout")]),
            opens_at(&[4_500]),
            peer_sees(1, &[]),
            ready_to_the_end_since(4_520),
        ])
}

pub(crate) fn a_provider_that_fails_is_asked_again_with_backoff() -> Scenario {
    scenario("The provider fails twice. The attempts count, and the delay grows.")
        .config(toml!["ask_provider = true", "reconnect.jitter = 'none'"])
        .attempts([
            provider_fails_after(millis(100), Verdict::Retry),
            provider_fails_after(millis(100), Verdict::Retry),
            accepts_after(millis(20)).provider_answers(millis(100)).polite(),
        ])
        .until(seconds(20))
        .sees([
            asks_at(&[0, 1_100, 3_200]),
            gone(&[(100, "provider"), (1_200, "provider")]),
            because(&["backoff", "backoff"]),
            delays(&[1_000, 2_000]),
            ready_to_the_end_since(3_320),
        ])
}

pub(crate) fn a_provider_may_ask_for_a_least_delay_that_no_hint_undercuts() -> Scenario {
    scenario("The provider says that there is no new token for ten seconds. Neither a network that is back nor a reconnect changes that.")
        .config(toml!["ask_provider = true", "reconnect.jitter = 'none'"])
        .attempts([
            provider_fails_after(millis(100), Verdict::RetryNoSoonerThan(seconds(10))),
            accepts_after(millis(20)).provider_answers(millis(100)).polite(),
        ])
        .at(seconds(2), Command::Network(Network::Online))
        .at(seconds(3), Command::Reconnect)
        .until(seconds(20))
        .sees([
            gone(&[(100, "provider")]),
            because(&["policy"]),
            delays_within(&[(10_000, 12_000)]),
            opens(1),
            ends_in(Connected),
        ])
}

pub(crate) fn a_provider_may_end_the_connection_for_good() -> Scenario {
    scenario("The account is closed, says the provider. No socket is opened, and no retry follows.")
        .config(toml!["ask_provider = true"])
        .attempts([provider_fails_after(millis(100), Verdict::Fatal)])
        .sees([
            gone(&[(100, "provider")]),
            gives_up("provider"),
            opens_nothing(),
            ends_in(Closed),
            quiet_after(100),
        ])
}

pub(crate) fn a_provider_that_panics_is_an_attempt_that_failed() -> Scenario {
    scenario("The provider panics. The client goes on, and asks again.")
        .config(toml!["ask_provider = true", "reconnect.jitter = 'none'"])
        .attempts([
            provider_panics_after(millis(100)),
            provider_panics_after(millis(0)),
            accepts_after(millis(20)).provider_answers(millis(100)).polite(),
        ])
        .until(seconds(20))
        .sees([
            gone(&[(100, "provider"), (1_100, "provider")]),
            retries(&[1, 2]),
            ready_to_the_end_since(3_220),
        ])
}

pub(crate) fn retries_that_the_provider_fails_are_limited_like_others() -> Scenario {
    scenario("One retry is allowed. The provider fails on both attempts.")
        .config(toml![
            "ask_provider = true",
            "reconnect.jitter = 'none'",
            "reconnect.max_attempts = 1",
        ])
        .attempts([provider_fails_after(millis(100), Verdict::Retry)])
        .sees([asks_at(&[0, 1_100]), gives_up("attempts_spent"), opens_nothing()])
}

pub(crate) fn a_refused_login_asks_the_provider_for_new_credentials() -> Scenario {
    scenario(
        "The login is refused. The provider fails once, and is asked for new credentials again.",
    )
    .config(toml![
        "ask_provider = true",
        "reconnect.jitter = 'none'",
        "login.send = 'open sesame'",
        "login.accepted = '/type=welcome'",
        "login.refused = '/type=refused'",
    ])
    .attempts([
        accepts_after(millis(20)).provider_answers(millis(50)).on_text(
            "open sesame",
            millis(10),
            Deed::text(r#"{"type":"refused"}"#).and(Deed::close(1008, "")),
        ),
        provider_fails_after(millis(50), Verdict::Retry),
        accepts_after(millis(20)).provider_answers(millis(50)).polite().on_text(
            "open sesame",
            millis(10),
            Deed::text(r#"{"type":"welcome"}"#),
        ),
    ])
    .until(seconds(20))
    .sees([
        asks_for(&[Cached, Refresh, Refresh]),
        credentials(&[Cached, Refresh]),
        gone(&[(80, "login_refused 1008"), (1_130, "provider")]),
        ends_in(Authenticated),
    ])
}

pub(crate) fn a_reconnect_while_asking_drops_the_question_and_asks_again() -> Scenario {
    scenario("The provider hangs. The application reconnects, and the retry count stays.")
        .config(toml!["ask_provider = true", "reconnect.jitter = 'none'"])
        .attempts([
            provider_fails_after(millis(20), Verdict::Retry),
            provider_hangs(),
            accepts_after(millis(20)).provider_answers(millis(100)).polite(),
        ])
        .at(seconds(3), Command::Reconnect)
        .until(seconds(20))
        .sees([
            asks_at(&[0, 1_020, 3_000]),
            gone(&[(20, "provider"), (3_000, "reconnect")]),
            retries(&[1, 1]),
            opens_at(&[3_100]),
            ready_to_the_end_since(3_120),
        ])
}

pub(crate) fn reconnects_open_no_closer_than_the_initial_delay_however_fast_the_provider_is()
-> Scenario {
    scenario("The provider is slow, then fast. The second socket opens a second after the first, not after its question.")
        .config(toml!["ask_provider = true", "reconnect.jitter = 'none'"])
        .attempts([
            accepts_after(millis(20)).polite(),
            accepts_after(millis(20)).provider_answers(millis(900)).polite(),
            accepts_after(millis(20)).polite(),
        ])
        .at(seconds(10), Command::Reconnect)
        .at(millis(11_050), Command::Reconnect)
        .at(millis(11_100), Command::Reconnect)
        .until(seconds(20))
        .sees([
            asks_at(&[0, 10_000, 11_900]),
            opens_at(&[0, 10_900, 11_900]),
            gone(&[(10_000, "reconnect"), (11_050, "reconnect")]),
            delays(&[0, 850]),
            ready_to_the_end_since(11_920),
        ])
}

pub(crate) fn reconnects_while_asking_ask_once_a_second() -> Scenario {
    scenario("The provider hangs, and the application reconnects twenty times a second.")
        .config(toml!["ask_provider = true", "reconnect.jitter = 'none'"])
        .attempts([
            provider_hangs(),
            provider_hangs(),
            accepts_after(millis(20)).provider_answers(millis(20)).polite(),
        ])
        .at(millis(1_000), Command::Reconnect)
        .at(millis(1_050), Command::Reconnect)
        .at(millis(1_100), Command::Reconnect)
        .at(millis(1_150), Command::Reconnect)
        .until(seconds(10))
        .sees([
            asks_at(&[0, 1_000, 2_000]),
            gone(&[(1_000, "reconnect"), (1_050, "reconnect")]),
            delays(&[0, 950]),
            opens_at(&[2_020]),
        ])
}

pub(crate) fn a_close_while_asking_ends_the_connection_at_once() -> Scenario {
    scenario("The application closes while the provider is asked. Its request opens nothing.")
        .config(toml!["ask_provider = true"])
        .attempts([accepts_after(millis(20)).provider_answers(seconds(3))])
        .at(seconds(1), CLOSE)
        .until(seconds(10))
        .sees([
            gone(&[(1_000, "requested")]),
            passes(&[Connecting, Closed]),
            opens_nothing(),
            quiet_after(1_000),
        ])
}

pub(crate) fn a_closed_connection_asks_again_when_it_connects() -> Scenario {
    scenario("The application closes and connects while the provider is asked. Only the second request is used.")
        .config(toml!["ask_provider = true"])
        .attempts([
            accepts_after(millis(20)).provider_answers(seconds(3)),
            accepts_after(millis(20)).provider_answers(seconds(3)).polite(),
        ])
        .at(seconds(1), CLOSE)
        .at(seconds(2), Command::Connect)
        .until(seconds(10))
        .sees([asks_at(&[0, 2_000]), opens_at(&[5_000]), ready_to_the_end_since(5_020)])
}

pub(crate) fn a_suspend_while_asking_begins_another_attempt() -> Scenario {
    scenario("The machine sleeps while the provider is asked. Whatever it asked has gone on, so it is asked again.")
        .config(toml!["ask_provider = true", "attempt_timeout = '20s'"])
        .attempts([
            provider_hangs(),
            accepts_after(millis(20)).provider_answers(millis(100)).polite(),
        ])
        .at(seconds(5), Command::Sleep(seconds(3_600)))
        .at(seconds(6), Command::Connect) // a look at the clock
        .until(seconds(20))
        .sees([
            jumps(&[3_600_000]),
            asks_at(&[0, 6_000]),
            gone(&[]),
            because(&["hint"]),
            opens_at(&[6_100]),
            ready_to_the_end_since(6_120),
        ])
}

pub(crate) fn a_stall_of_the_program_does_not_lose_a_request_that_came_meanwhile() -> Scenario {
    scenario("The program is stalled past the deadline. The request that came meanwhile counts.")
        .config(toml!["ask_provider = true", "attempt_timeout = '3s'"])
        .attempts([accepts_after(millis(20)).provider_answers(seconds(2)).polite()])
        .at(seconds(1), Command::Stall(seconds(5)))
        .until(seconds(20))
        .sees([opens_at(&[6_000]), gone(&[]), ready_to_the_end_since(6_020)])
}

pub(crate) fn while_asking_a_connect_and_the_network_change_nothing_and_nothing_is_sent() -> Scenario
{
    scenario(
        "A connect request and a hint come while the provider is asked, and a message is refused.",
    )
    .config(toml!["ask_provider = true"])
    .attempts([accepts_after(millis(20)).provider_answers(seconds(5)).polite()])
    .at(seconds(1), Command::Connect)
    .at(seconds(2), Command::Network(Network::Online))
    .at(seconds(3), Command::Feed("too early"))
    .until(seconds(10))
    .sees([
        asks_at(&[0]),
        opens_at(&[5_000]),
        outcomes(&["rejected: not_ready"]),
        ready_to_the_end_since(5_020),
    ])
}

pub(crate) fn a_renewal_asks_the_provider() -> Scenario {
    scenario(
        "The server ends each connection after a while. The client renews it with a new request.",
    )
    .config(
        toml!["ask_provider = true", "reconnect.renew_after = '20s'", "heartbeat.kind = 'off'",],
    )
    .attempts([accepts_after(millis(20)).provider_answers(millis(200)).polite()])
    .until(seconds(30))
    .sees([gone_for(&["renewal"]), asks_for(&[Cached, Cached]), opens(2), ends_in(Connected)])
}
