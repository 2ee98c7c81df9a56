//! Delays between attempts: what makes them grow, and what resets them.

use crate::words::*;

pub(crate) fn accept_then_drop_keeps_growing_the_delay() -> Scenario {
    scenario("The server accepts and then drops. An open socket does not reset the backoff.")
        .answers(&[
            "https://github.com/pladaria/reconnecting-websocket/issues/200",
            "https://github.com/alpacax/alpacon-cli/issues/394",
            "https://github.com/foss42/apidash/issues/1759",
            "https://github.com/gbaranski/ezsockets/issues/104",
        ])
        .config(toml!["reconnect.jitter = 'none'", "heartbeat.kind = 'off'"])
        .attempts([accepts_after(millis(20)).then(millis(30), Deed::reset())])
        .sees([
            opens_at(&[0, 1_050, 3_100, 7_150, 15_200, 31_250]),
            delays(&[1_000, 2_000, 4_000, 8_000, 16_000, 32_000]),
            retries(&[1, 2, 3, 4, 5, 6]),
            never_gives_up(),
        ])
}

pub(crate) fn a_server_that_closes_at_login_is_no_success_of_the_open() -> Scenario {
    scenario("A Close or an end of the stream during the login grows the backoff, like a failure to open.")
        .answers(&[
            "https://github.com/destinygg/chat-gui/pull/872",
            "https://github.com/apollographql/subscriptions-transport-ws/pull/135",
        ])
        .config(toml![
            "reconnect.jitter = 'none'",
            "login.send = 'open sesame'",
            "login.accepted = 'any'"
        ])
        .attempts([
            fails_after(millis(10), OpenError::Refused),
            accepts_after(millis(20)).on_text("open sesame", millis(30), Deed::close(4000, "no")),
            accepts_after(millis(20)).on_text("open sesame", millis(30), Deed::end()),
        ])
        .sees([
            delays(&[1_000, 2_000, 4_000, 8_000, 16_000, 32_000]),
            ready_at(&[]),
            retries(&[1, 2, 3, 4, 5, 6]),
        ])
}

pub(crate) fn a_session_shorter_than_stable_after_counts_as_a_failure() -> Scenario {
    scenario(
        "The connection is ready for nine seconds, and stable after ten. The delay keeps growing.",
    )
    .answers(&["https://github.com/alpacax/alpacon-cli/issues/394"])
    .config(toml!["reconnect.jitter = 'none'", "heartbeat.kind = 'off'"])
    .attempts([accepts_after(millis(20)).then(millis(9_900), Deed::reset())])
    .until(millis(50_500))
    .sees([delays(&[1_000, 2_000, 4_000, 8_000]), retries(&[1, 2, 3, 4])])
}

pub(crate) fn hours_of_health_start_from_the_first_delay_again() -> Scenario {
    scenario("A stable connection resets the count. The next loss waits for the first delay.")
        .answers(&[
            "https://github.com/oscmcompany/fund/pull/1020",
            "https://github.com/obmarg/graphql-ws-client/pull/103",
        ])
        .config(toml!["reconnect.jitter = 'none'"])
        .attempts([
            fails_after(millis(10), OpenError::Refused),
            fails_after(millis(10), OpenError::Refused),
            fails_after(millis(10), OpenError::Refused),
            accepts_after(millis(20)).polite().then(seconds(3 * 3_600 + 7), Deed::reset()),
            accepts_after(millis(20)).polite(),
        ])
        .until(seconds(3 * 3_600 + 60))
        .sees([
            delays(&[1_000, 2_000, 4_000, 1_000]),
            retries(&[1, 2, 3, 1]),
            ready_at(&[7_050, 10_815_070]),
            pings(360 + 1),
        ])
}

pub(crate) fn stable_is_no_less_than_the_delay_before() -> Scenario {
    scenario("After a delay of 16 s a session of 12 s is not yet stable. One of 17 s is.")
        .answers(&["https://github.com/pladaria/reconnecting-websocket/issues/200"])
        .config(toml![
            "reconnect.jitter = 'none'",
            "reconnect.initial_delay = '16s'",
            "reconnect.max_delay = '30s'",
            "heartbeat.kind = 'off'"
        ])
        .attempts([
            fails_after(millis(10), OpenError::Refused),
            accepts_after(millis(20)).then(seconds(12), Deed::reset()),
            accepts_after(millis(20)).then(seconds(31), Deed::reset()),
            accepts_after(millis(20)),
        ])
        .until(seconds(120))
        .sees([delays(&[16_000, 30_000, 16_000]), retries(&[1, 2, 1])])
}

pub(crate) fn delays_are_jittered_by_default() -> Scenario {
    scenario("By default delays are random. Clients that were dropped together do not reconnect together.")
        .answers(&[
            "https://github.com/phoenixframework/phoenix/issues/4045",
            "https://github.com/django/channels/issues/568",
            "https://github.com/gravitational/teleport/issues/6889",
            "https://github.com/mattermost/mattermost-webapp/pull/10960",
        ])
        .attempts([fails_after(millis(10), OpenError::Refused)])
        .until(seconds(48))
        .sees([
            delays_begin_within(&[(1_000, 3_000), (1_000, 6_000), (2_000, 12_000), (4_000, 24_000)]),
            different_delays(4),
            delays(&[1_315, 1_839, 9_042, 18_534, 23_632]),
            delays_differ_from_those_of_seed(8),
        ])
}

pub(crate) fn an_error_and_a_close_are_one_loss() -> Scenario {
    scenario("A Close and the end of the stream come in one read. They cause one retry, not two.")
        .answers(&["https://github.com/apollographql/subscriptions-transport-ws/issues/70"])
        .config(toml!["reconnect.jitter = 'none'", "heartbeat.kind = 'off'"])
        .attempts([
            accepts_after(millis(20)).then(millis(100), Deed::close(1011, "").and(Deed::end())),
            accepts_after(millis(20)),
        ])
        .sees([gone(&[(120, "close_received 1011")]), opens_at(&[0, 1_120]), delays(&[1_000])])
}

pub(crate) fn many_requests_make_one_connection() -> Scenario {
    scenario("Connect requests and network hints never open a second socket.")
        .answers(&["https://github.com/openfrontio/OpenFrontIO/pull/5268"])
        .config(toml!["reconnect.jitter = 'none'", "heartbeat.kind = 'off'"])
        .attempts([
            accepts_after(millis(200)).then(seconds(3), Deed::reset()),
            accepts_after(millis(200)),
        ])
        .at(millis(50), Command::Connect)
        .at(millis(100), Command::Network(Network::Online))
        .at(millis(150), Command::Connect)
        .at(millis(700), Command::Connect)
        .at(millis(800), Command::Network(Network::Online))
        .at(millis(4_300), Command::Connect)
        .sees([opens_at(&[0, 4_200]), ready_at(&[200, 4_400])])
}

pub(crate) fn connect_while_waiting_opens_at_once_and_keeps_the_count() -> Scenario {
    scenario("A connect request ends a wait. The number of failures is kept.")
        .config(toml!["reconnect.jitter = 'none'"])
        .attempts([fails_after(millis(10), OpenError::Refused)])
        .at(millis(500), Command::Connect)
        .until(seconds(9))
        .sees([
            opens_at(&[0, 500, 2_510, 6_520]),
            retries(&[1, 2, 3, 4]),
            delays(&[1_000, 2_000, 4_000, 8_000]),
        ])
}

pub(crate) fn the_delay_stops_at_its_maximum() -> Scenario {
    scenario("From some attempt on every delay is the longest. It never overflows, wraps or ends.")
        .config(toml![
            "reconnect.jitter = 'none'",
            "reconnect.max_delay = '5s'",
            "reconnect.multiplier = 1000"
        ])
        .attempts([fails_after(millis(10), OpenError::Refused)])
        .until(seconds(30))
        .sees([delays(&[1_000, 5_000, 5_000, 5_000, 5_000, 5_000, 5_000]), never_gives_up()])
}

pub(crate) fn a_smooth_jitter_has_no_heap_at_the_maximum() -> Scenario {
    scenario("The bound is clamped, not the sample. Long delays stay spread and do not all equal the maximum.")
        .answers(&["https://github.com/App-vNext/Polly/issues/530"])
        .config(toml!["reconnect.jitter = 'decorrelated-smooth'", "reconnect.max_delay = '4s'"])
        .attempts([fails_after(millis(10), OpenError::Refused)])
        .until(seconds(27))
        .sees([
            delays_begin_within(&[(1_000, 3_000), (1_000, 3_999), (1_000, 3_999), (1_000, 3_999), (1_000, 3_999), (1_000, 3_999)]),
            different_delays(6),
        ])
}

pub(crate) fn equal_jitter_keeps_its_bounds() -> Scenario {
    scenario("With equal jitter a delay is from half of the base to all of it.")
        .config(toml!["reconnect.jitter = 'equal'"])
        .attempts([fails_after(millis(10), OpenError::Unreachable)])
        .until(seconds(31))
        .sees([
            delays_begin_within(&[
                (500, 1_000),
                (1_000, 2_000),
                (2_000, 4_000),
                (4_000, 8_000),
                (8_000, 16_000),
            ]),
            delays_differ_from_those_of_seed(8),
        ])
}

pub(crate) fn attempts_are_spent_at_their_bound() -> Scenario {
    scenario("After three retries the connection is closed with the reason, and stays closed.")
        .config(toml!["reconnect.jitter = 'none'", "reconnect.max_attempts = 3"])
        .attempts([fails_after(millis(10), OpenError::Dns)])
        .sees([
            opens_at(&[0, 1_010, 3_020, 7_030]),
            gives_up("attempts_spent"),
            ends_in(Closed),
            quiet_after(7_040),
        ])
}

pub(crate) fn no_attempts_means_no_retry() -> Scenario {
    scenario("Without retries the first loss ends the connection.")
        .config(toml!["reconnect.max_attempts = 0", "heartbeat.kind = 'off'"])
        .attempts([accepts_after(millis(20)).then(seconds(1), Deed::end())])
        .sees([
            opens_at(&[0]),
            passes(&[Connecting, Connected, Closed]),
            gives_up("attempts_spent"),
        ])
}

pub(crate) fn a_spread_lengthens_only_the_first_delay_after_a_ready_connection() -> Scenario {
    scenario("A server drops all its clients. The first retry of each is spread over ten seconds. A failed attempt adds nothing, and neither does a reconnect on purpose.")
        .config(toml![
            "reconnect.jitter = 'none'",
            "reconnect.spread = '10s'",
            "heartbeat.kind = 'off'"
        ])
        .attempts([
            accepts_after(millis(20)).then(seconds(30), Deed::reset()),
            fails_after(millis(10), OpenError::Refused),
            accepts_after(millis(20)),
            accepts_after(millis(20)),
        ])
        .at(seconds(60), Command::Reconnect)
        .until(seconds(65))
        .sees([because(&["spread", "backoff", "hint"])])
}

pub(crate) fn no_hint_shortens_a_spread_and_a_connect_request_does() -> Scenario {
    scenario("The network comes back for all clients at once. Each keeps its part of the spread. A connect request retries at once.")
        .config(toml![
            "reconnect.jitter = 'none'",
            "reconnect.initial_delay = '20s'",
            "reconnect.spread = '10s'",
            "heartbeat.kind = 'off'"
        ])
        .attempts([
            accepts_after(millis(20)).then(seconds(30), Deed::reset()),
            accepts_after(millis(20)).then(seconds(60), Deed::reset()),
            accepts_after(millis(20)),
        ])
        .at(millis(30_100), Command::Network(Network::Online))
        .at(seconds(100), Command::Connect)
        .until(seconds(110))
        .sees([because(&["spread", "hint", "spread"])])
}
