//! Sockets that are replaced on purpose: the application reconnects, or the connection is renewed.

use super::policy::waits_longer_than_the_policy_asks;
use crate::words::*;

pub(crate) fn a_reconnect_leaves_a_ready_socket_with_a_close_and_opens_the_next() -> Scenario {
    scenario("The application reconnects. The peer gets what was sent, then a Close, and this is no failure.")
        .config(toml!["reconnect.stable_after = '5s'"])
        .attempts([accepts_after(millis(20)).polite(), accepts_after(millis(30)).polite()])
        .at(millis(9_999), Command::Feed("the last"))
        .at(seconds(10), Command::Reconnect)
        .until(seconds(20))
        .sees([
            opens_at(&[0, 10_000]),
            gone(&[(10_000, "reconnect")]),
            because(&["hint"]),
            retries(&[0]),
            outcomes(&["sent on 1"]),
            peer_sees(1, &["9999: text the last", "10000: close 1001", "10000: gone"]),
            ready_to_the_end_since(10_030),
        ])
}

pub(crate) fn reconnects_open_no_closer_than_the_initial_delay() -> Scenario {
    scenario("Twenty reconnects a second open one socket a second.")
        .config(toml!["reconnect.jitter = 'none'"])
        .attempts([accepts_after(millis(20)).polite(), accepts_after(millis(20)).polite()])
        .at(millis(10_000), Command::Reconnect)
        .at(millis(10_050), Command::Reconnect)
        .at(millis(10_100), Command::Reconnect)
        .at(millis(10_150), Command::Reconnect)
        .until(seconds(20))
        .sees([
            opens_at(&[0, 10_000, 11_000]),
            gone(&[(10_000, "reconnect"), (10_050, "reconnect")]),
            delays(&[0, 950]),
            ready_to_the_end_since(11_020),
        ])
}

pub(crate) fn a_reconnect_drops_an_attempt_and_begins_another() -> Scenario {
    scenario("The first attempt hangs. The application reconnects, and the retry count stays.")
        .attempts([
            fails_after(millis(20), OpenError::Refused),
            never_connects(),
            accepts_after(millis(20)).polite(),
        ])
        .config(toml!["reconnect.jitter = 'none'"])
        .at(seconds(3), Command::Reconnect)
        .until(seconds(20))
        .sees([
            opens_at(&[0, 1_020, 3_000]),
            gone(&[(20, "open_failed refused"), (3_000, "reconnect")]),
            retries(&[1, 1]),
            ready_to_the_end_since(3_020),
        ])
}

pub(crate) fn a_reconnect_while_waiting_opens_at_once_and_keeps_the_count() -> Scenario {
    scenario("A retry is scheduled. The application reconnects, and does not wait for it.")
        .config(toml!["reconnect.jitter = 'none'", "reconnect.initial_delay = '5s'"])
        .attempts([
            fails_after(millis(20), OpenError::Refused),
            fails_after(millis(20), OpenError::Refused),
            accepts_after(millis(20)).polite(),
        ])
        .at(seconds(2), Command::Reconnect)
        .until(seconds(30))
        .sees([
            opens_at(&[0, 2_000, 12_020]),
            because(&["backoff", "hint", "backoff"]),
            retries(&[1, 1, 2]),
        ])
}

pub(crate) fn a_reconnect_does_not_undercut_a_least_delay() -> Scenario {
    waits_longer_than_the_policy_asks("The policy asks for five seconds, and the backoff for thirty. A reconnect waits for the five.")
        .at(seconds(2), Command::Reconnect)
        .until(seconds(20))
        .sees([
            delays_within(&[(30_000, 31_000), (3_120, 4_120)]),
            because(&["backoff", "hint"]),
            opens(2),
        ])
}

pub(crate) fn a_reconnect_keeps_a_refresh_that_no_server_has_judged() -> Scenario {
    scenario("New credentials are needed, and the attempt with them hangs. The next attempt needs them, too.")
        .attempts([
            answers_http(millis(20), 401),
            never_connects(),
            accepts_after(millis(20)).polite(),
            accepts_after(millis(20)).polite(),
        ])
        .config(toml!["reconnect.jitter = 'none'"])
        .at(seconds(3), Command::Reconnect)
        .at(seconds(30), Command::Reconnect)
        .until(seconds(40))
        .sees([credentials(&[Cached, Refresh, Refresh, Cached])])
}

pub(crate) fn a_reconnect_in_a_login_begins_another() -> Scenario {
    scenario("The server does not answer the login. The application reconnects.")
        .config(toml!["login.send = 'open sesame'", "login.accepted = '/type=welcome'"])
        .attempts([
            accepts_after(millis(20)),
            accepts_after(millis(20)).polite().on_text(
                "open sesame",
                millis(10),
                Deed::text(r#"{"type":"welcome"}"#),
            ),
        ])
        .at(seconds(3), Command::Reconnect)
        .until(seconds(20))
        .sees([
            gone(&[(3_000, "reconnect")]),
            peer_sees(1, &["20: text open sesame", "3000: close 1001", "3000: gone"]),
            passes(&[Connecting, Connected, Disconnected, Connecting, Connected, Authenticated]),
        ])
}

pub(crate) fn a_reconnect_ends_the_wait_of_a_refused_login_by_its_verdict() -> Scenario {
    scenario("The login was refused for good. A reconnect does not change that.")
        .config(toml![
            "login.send = 'open sesame'",
            "login.accepted = '/type=welcome'",
            "login.refused = '/type=never:fatal'",
        ])
        .attempts([accepts_after(millis(20)).on_text(
            "open sesame",
            millis(10),
            Deed::text(r#"{"type":"never"}"#),
        )])
        .at(seconds(1), Command::Reconnect)
        .until(seconds(5))
        .sees([gone(&[(1_000, "login_refused")]), gives_up("login_refused"), ends_in(Closed)])
}

pub(crate) fn a_reconnect_while_closing_is_ignored_and_when_closed_connects() -> Scenario {
    scenario("A close is not undone by a reconnect, but a closed connection can be opened again.")
        .attempts([accepts_after(millis(20)), accepts_after(millis(20)).polite()])
        .at(seconds(1), CLOSE)
        .at(millis(1_500), Command::Reconnect)
        .at(seconds(5), Command::Reconnect)
        .until(seconds(10))
        .sees([
            gone(&[(3_000, "close_timeout")]),
            opens_at(&[0, 5_000]),
            retries(&[]),
            ready_to_the_end_since(5_020),
        ])
}

pub(crate) fn a_connection_is_renewed_up_to_a_tenth_early() -> Scenario {
    scenario("The server would end the connection after a while. The client is faster, and this is no failure.")
        .config(toml!["reconnect.renew_after = '20s'", "heartbeat.kind = 'off'"])
        .attempts([accepts_after(millis(20)).polite()])
        .until(seconds(45))
        .sees([
            gone_for(&["renewal", "renewal"]),
            because(&["hint", "hint"]),
            retries(&[0, 0]),
            delays(&[0, 0]),
        ])
}

pub(crate) fn a_renewal_waits_until_the_peer_has_read_what_was_sent() -> Scenario {
    scenario("A message waits when the renewal is due. It is sent first, and the Close behind it.")
        .config(toml![
            "reconnect.renew_after = '10s'",
            "heartbeat.kind = 'off'",
            "close_timeout = '5s'",
        ])
        .attempts([
            accepts_after(millis(20)).takes(0).then(seconds(12), Deed::takes_all()),
            accepts_after(millis(20)).polite(),
        ])
        .at(seconds(8), Command::Feed("taken before"))
        .at(seconds(11), Command::Feed("taken meanwhile"))
        .until(seconds(20))
        .sees([
            gone(&[(12_020, "renewal")]),
            outcomes(&["sent on 1", "sent on 1"]),
            peer_sees(
                1,
                &[
                    "12020: text taken before",
                    "12020: text taken meanwhile",
                    "12020: close 1001",
                    "12020: gone",
                ],
            ),
        ])
}

pub(crate) fn a_renewal_waits_no_longer_than_the_close_timeout() -> Scenario {
    scenario("The peer reads nothing. The renewal waits for the close timeout, and the message for no one.")
        .config(toml![
            "reconnect.renew_after = '10s'",
            "heartbeat.kind = 'off'",
            "close_timeout = '3s'",
        ])
        .attempts([accepts_after(millis(20)).takes(0), accepts_after(millis(20)).polite()])
        .at(seconds(8), Command::Feed("not taken"))
        .until(seconds(18))
        .sees([
            gone_for(&["renewal"]),
            outcomes(&["rejected: not written"]),
            opens(2),
            ends_in(Connected),
        ])
}

pub(crate) fn a_peer_that_is_found_dead_first_is_not_renewed() -> Scenario {
    scenario("The peer is silent before the renewal. It is treated as dead, and the delay counts.")
        .config(toml!["reconnect.renew_after = '40s'"])
        .attempts([accepts_after(millis(20)), accepts_after(millis(20)).polite()])
        .until(seconds(50))
        .sees([gone(&[(35_020, "pong_timeout")]), because(&["backoff"]), retries(&[1])])
}
