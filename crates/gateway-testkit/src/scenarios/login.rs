//! The login: before it nothing else leaves, after it all does, and its refusal is judged.

use crate::words::*;

const WELCOME: &str = r#"{"type":"welcome"}"#;
const REFUSED: &str = r#"{"type":"refused"}"#;

pub(crate) fn the_login_is_the_first_frame_and_no_ping_comes_before_its_answer() -> Scenario {
    scenario("Gateways break on a frame that comes before the login: pings wait for the answer.")
        .answers(&["https://github.com/socketio/socket.io-client/issues/305"])
        .config(toml![
            "login.send = 'open sesame'",
            "login.accepted = '/type=welcome'",
            "heartbeat.interval = '2s'",
        ])
        .attempts([accepts_after(millis(20)).polite().on_text(
            "open sesame",
            millis(4_000),
            Deed::text(WELCOME),
        )])
        .until(seconds(7))
        .sees([
            peer_sees(1, &["20: text open sesame", "6020: ping 1", "7000: gone"]),
            passes(&[Connecting, Connected, Authenticated]),
            delivers(&[]),
        ])
}

pub(crate) fn a_refused_login_gets_new_credentials_once_and_is_then_fatal() -> Scenario {
    scenario("The token has expired: one refresh, and if that is refused as well, the end.")
        .answers(&[
            "https://github.com/enisdenjo/graphql-ws/issues/482",
            "https://github.com/enisdenjo/graphql-ws/issues/558",
            "https://github.com/centrifugal/centrifuge-js/issues/202",
            "https://github.com/pubkey/rxdb/pull/6741",
            "https://github.com/centrifugal/centrifuge-dart/pull/129",
        ])
        .config(toml![
            "reconnect.jitter = 'none'",
            "login.send = 'open sesame'",
            "login.accepted = '/type=welcome'",
            "login.refused = '/type=refused'"
        ])
        .attempts([accepts_after(millis(20)).on_text(
            "open sesame",
            millis(10),
            Deed::text(REFUSED),
        )])
        .sees([
            credentials(&[Cached, Refresh]),
            gone(&[(30, "login_refused"), (1_060, "login_refused")]),
            peer_sees(1, &["20: text open sesame", "30: close 1001", "30: gone"]),
            gives_up("login_refused"),
            quiet_after(1_060),
        ])
}

pub(crate) fn refreshed_credentials_that_work_are_kept_and_a_stable_session_earns_another_refresh()
-> Scenario {
    scenario(
        "Refused, refreshed, healthy for a while, lost, refused again: there is a refresh again.",
    )
    .answers(&["https://github.com/centrifugal/centrifuge-dart/pull/129"])
    .config(toml![
        "reconnect.jitter = 'none'",
        "login.send = 'open sesame'",
        "login.accepted = '/type=welcome'",
        "login.refused = '/type=refused'"
    ])
    .attempts([
        accepts_after(millis(20)).on_text("open sesame", millis(10), Deed::text(REFUSED)),
        accepts_after(millis(20))
            .polite()
            .on_text("open sesame", millis(10), Deed::text(WELCOME))
            .then(seconds(20), Deed::reset()),
        accepts_after(millis(20)).on_text("open sesame", millis(10), Deed::text(REFUSED)),
        accepts_after(millis(20)).polite().on_text("open sesame", millis(10), Deed::text(WELCOME)),
    ])
    .until(seconds(40))
    .sees([
        credentials(&[Cached, Refresh, Cached, Refresh]),
        ready_at(&[1_060, 23_110 + 1_000]),
        ends_in(Authenticated),
    ])
}

pub(crate) fn a_refresh_that_reached_no_server_is_asked_for_again() -> Scenario {
    scenario("401, then the network fails: the server has not seen the new credentials yet.")
        .answers(&["https://github.com/centrifugal/centrifuge-js/issues/202"])
        .config(toml!["reconnect.jitter = 'none'"])
        .attempts([
            answers_http(millis(20), 401),
            fails_after(millis(10), OpenError::Unreachable),
            accepts_after(millis(20)).polite(),
        ])
        .sees([credentials(&[Cached, Refresh, Refresh]), ready_to_the_end_since(3_050)])
}

pub(crate) fn a_login_without_an_answer_ends_at_its_deadline() -> Scenario {
    scenario("The peer opens and never answers the login: it is told so, and tried again.")
        .answers(&["https://github.com/nautechsystems/nautilus_trader/issues/3871"])
        .config(toml![
            "reconnect.jitter = 'none'",
            "login.send = 'open sesame'",
            "login.timeout = '4s'"
        ])
        .attempts([
            accepts_after(millis(20)),
            accepts_after(millis(20)).polite().on_text(
                "open sesame",
                millis(10),
                Deed::text("hello"),
            ),
        ])
        .until(seconds(20))
        .sees([
            gone(&[(4_020, "login_timeout")]),
            peer_sees(1, &["20: text open sesame", "4020: close 1001", "4020: gone"]),
            ready_to_the_end_since(5_050),
        ])
}

pub(crate) fn a_storm_of_data_does_not_starve_the_login() -> Scenario {
    scenario("Messages pour in before the answer: they are delivered, the deadline stands, the answer is found.")
        .answers(&["https://github.com/nautechsystems/nautilus_trader/issues/3871"])
        .config(toml![
            "login.send = 'open sesame'",
            "login.accepted = '/type=welcome'",
            "login.timeout = '2s'",
            "reconnect.jitter = 'none'"
        ])
        .attempts([
            accepts_after(millis(20)).then_each(millis(7), millis(5), 500, |_| Deed::binary(b"noise")),
            accepts_after(millis(20))
                .polite()
                .then_each(millis(7), millis(5), 300, |_| Deed::binary(b"noise"))
                .on_text("open sesame", millis(1_500), Deed::text(WELCOME)),
        ])
        .until(seconds(10))
        .sees([gone(&[(2_020, "login_timeout")]), ready_at(&[4_540]), delivers_count(399 + 300)])
}

pub(crate) fn a_socket_lost_while_logging_in_makes_the_delay_grow() -> Scenario {
    scenario("Open is not success: a socket that is lost in the login counts like one that never opened.")
        .answers(&["https://github.com/destinygg/chat-gui/pull/872"])
        .config(toml!["reconnect.jitter = 'none'", "login.send = 'open sesame'"])
        .attempts([accepts_after(millis(20)).then(millis(50), Deed::end())])
        .until(seconds(16))
        .sees([delays(&[1_000, 2_000, 4_000, 8_000, 16_000]), ready_at(&[])])
}

pub(crate) fn without_rules_the_first_text_accepts_and_is_delivered() -> Scenario {
    scenario("Where nobody said what an answer looks like, whatever the gateway says first is one, and a message.")
        .config(toml!["login.send = 'open sesame'"])
        .attempts([accepts_after(millis(20)).polite().on_text("open sesame", millis(10), Deed::text("at your service"))])
        .until(seconds(5))
        .sees([delivers(&[(30, "at your service")]), ends_in(Authenticated)])
}

pub(crate) fn an_embedders_own_login_may_speak_before_it_is_accepted() -> Scenario {
    scenario(
        "A handshake in messages: they are taken while CONNECTED, and pings begin when it is done.",
    )
    .config(toml!["login.external = true"])
    .attempts([accepts_after(millis(20)).polite().on_text(
        "who are you",
        millis(30),
        Deed::text("a gateway"),
    )])
    .at(millis(100), Command::Send("who are you"))
    .at(millis(200), Command::LoginAccepted)
    .until(seconds(35))
    .sees([
        outcomes(&["sent on 1"]),
        delivers(&[(130, "a gateway")]),
        pings_at(&[30_200]),
        passes(&[Connecting, Connected, Authenticated]),
    ])
}

pub(crate) fn an_embedders_refusal_says_itself_what_follows() -> Scenario {
    scenario("Refused with a verdict: a least delay the first time, the end the second.")
        .config(toml!["login.external = true", "reconnect.jitter = 'none'"])
        .attempts([accepts_after(millis(20))])
        .at(millis(100), Command::LoginRejected(Verdict::RetryNoSoonerThan(seconds(5))))
        .at(seconds(8), Command::LoginRejected(Verdict::Fatal))
        .sees([
            delays_within(&[(5_000, 6_000)]),
            because(&["policy"]),
            gives_up("login_refused"),
            quiet_after(8_000),
        ])
}

pub(crate) fn a_login_verdict_that_comes_late_changes_nothing() -> Scenario {
    scenario("Accepted while there is no login to accept: before the open, after the loss, when ready already.")
        .config(toml!["login.external = true", "reconnect.jitter = 'none'"])
        .attempts([accepts_after(millis(500)).polite().then(millis(1_000), Deed::reset()), accepts_after(millis(500)).polite()])
        .at(millis(100), Command::LoginAccepted)
        .at(millis(700), Command::LoginAccepted)
        .at(millis(800), Command::LoginRejected(Verdict::Fatal))
        .at(millis(1_700), Command::LoginRejected(Verdict::Fatal))
        .until(seconds(5))
        .sees([ready_at(&[700]), never_gives_up(), opens_at(&[0, 2_500])])
}
