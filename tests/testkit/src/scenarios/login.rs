//! The login: nothing is sent before it, everything after it, and a refusal has a verdict.

use crate::words::*;

const WELCOME: &str = r#"{"type":"welcome"}"#;
const REFUSED: &str = r#"{"type":"refused"}"#;

/// A login with a rule that accepts, delays without jitter, and these settings.
macro_rules! login {
    ($($line:literal),* $(,)?) => {
        toml![
            "reconnect.jitter = 'none'",
            "login.send = 'open sesame'",
            "login.accepted = '/type=welcome'",
            $($line),*
        ]
    };
}

/// A refusal asks for new credentials.
const REFRESHED: &str = login!["login.refused = '/type=refused'"];

/// A peer that answers the login with this text.
fn says(text: &str) -> Attempt {
    accepts_after(millis(20)).on_text("open sesame", millis(10), Deed::text(text))
}

pub(crate) fn the_login_is_the_first_frame_and_no_ping_comes_before_its_answer() -> Scenario {
    scenario("Some servers fail on a frame before the login. Pings wait for the answer to it.")
        .answers(&["https://github.com/socketio/socket.io-client/issues/305"])
        .config(login!["heartbeat.interval = '2s'"])
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
    scenario("The token has expired. The credentials are refreshed once. A second refusal ends the connection.")
        .answers(&[
            "https://github.com/enisdenjo/graphql-ws/issues/482",
            "https://github.com/enisdenjo/graphql-ws/issues/558",
            "https://github.com/centrifugal/centrifuge-js/issues/202",
            "https://github.com/pubkey/rxdb/pull/6741",
            "https://github.com/centrifugal/centrifuge-dart/pull/129",
        ])
        .config(REFRESHED)
        .attempts([says(REFUSED)])
        .sees([
            credentials(&[Cached, Refresh]),
            gone(&[(2_030, "login_refused"), (5_060, "login_refused")]),
            peer_sees(1, &["20: text open sesame", "2030: close 1001", "2030: gone"]),
            gives_up("login_refused"),
            quiet_after(5_060),
        ])
}

/// Refuses the login with this text, and does that next.
fn refuses_then(text: &str, after: core::time::Duration, next: Deed) -> Attempt {
    says(text).then(after, next)
}

pub(crate) fn a_refusal_that_a_close_1013_follows_passes() -> Scenario {
    scenario("A starting server refuses the login and closes with 1013. The client retries with the same credentials.")
        .answers(&["https://github.com/openclaw/openclaw/issues/46116"])
        .config(REFRESHED)
        .attempts([
            refuses_then(REFUSED, millis(160), Deed::close(1013, "starting")),
            refuses_then(REFUSED, millis(160), Deed::close(1012, "")),
            refuses_then(REFUSED, millis(160), Deed::close(1014, "")),
            says(WELCOME).polite(),
        ])
        .until(seconds(10))
        .sees([
            credentials(&[Cached, Cached, Cached, Cached]),
            gone(&[
                (180, "login_refused 1013"),
                (1_360, "login_refused 1012"),
                (3_540, "login_refused 1014"),
            ]),
            peer_sees(1, &["20: text open sesame", "180: close 1013 starting", "180: gone"]),
            ready_to_the_end_since(7_570),
        ])
}

pub(crate) fn a_close_that_says_nothing_of_a_refusal_leaves_its_verdict() -> Scenario {
    scenario("The login is refused, then comes a Close with 1001, without a code, or with a code without a rule. One refresh, then the end.")
        .config(REFRESHED)
        .attempts([
            refuses_then(REFUSED, millis(160), Deed::close(1001, "")),
            refuses_then(REFUSED, millis(160), Deed::close(4000, "")),
        ])
        .sees([
            credentials(&[Cached, Refresh]),
            gone(&[(180, "login_refused 1001"), (1_360, "login_refused 4000")]),
            gives_up("login_refused"),
        ])
}

pub(crate) fn a_socket_that_ends_after_a_refusal_ends_by_the_refusal() -> Scenario {
    scenario("The login is refused, then the stream ends or is reset. Without a Close the verdict stays.")
        .config(REFRESHED)
        .attempts([
            refuses_then(REFUSED, millis(160), Deed::end()),
            refuses_then(REFUSED, millis(160), Deed::reset()),
        ])
        .sees([
            credentials(&[Cached, Refresh]),
            gone(&[(180, "login_refused"), (1_360, "login_refused")]),
            peer_sees(1, &["20: text open sesame", "180: gone"]),
            gives_up("login_refused"),
        ])
}

pub(crate) fn a_breach_after_a_refusal_ends_by_the_refusal() -> Scenario {
    scenario(
        "The login is refused, then a frame breaks the protocol. The Close has its code, and the verdict stays.",
    )
    .config(login!["login.refused = '/type=refused:fatal'"])
    .attempts([refuses_then(REFUSED, millis(160), Deed::breach(b"\xc1\x01x", Failure::Protocol))])
    .sees([
        gone(&[(180, "login_refused")]),
        peer_sees(1, &["20: text open sesame", "180: close 1002", "180: gone"]),
        gives_up("login_refused"),
    ])
}

pub(crate) fn a_code_of_the_users_policy_softens_a_refusal() -> Scenario {
    scenario("A rule of the user matches the Close after the refusal. A least delay is milder than a refresh.")
        .config(login!["login.refused = '/type=refused'", "policy.1000 = '5s'"])
        .attempts([refuses_then(REFUSED, millis(160), Deed::close(1000, ""))])
        .until(seconds(7))
        .sees([
            credentials(&[Cached, Cached]),
            delays_within(&[(5_000, 6_000), (5_000, 6_000)]),
            because(&["policy", "policy"]),
            never_gives_up(),
        ])
}

pub(crate) fn a_close_never_makes_a_refusal_harsher() -> Scenario {
    scenario("The refusal's verdict is retry, and the code of the Close is fatal elsewhere. The client retries.")
        .config(login!["login.refused = '/type=refused:retry'", "policy.1013 = 'fatal'"])
        .attempts([
            refuses_then(REFUSED, millis(160), Deed::close(1008, "")),
            refuses_then(REFUSED, millis(160), Deed::close(1013, "")),
        ])
        .until(seconds(4))
        .sees([delays(&[1_000, 2_000, 4_000]), credentials(&[Cached, Cached, Cached]), never_gives_up()])
}

pub(crate) fn each_refusal_has_a_verdict_of_its_own() -> Scenario {
    scenario("The server refuses with four answers: busy, later, expired, banned. The first matching rule decides.")
        .config(login!["login.refused = ['/why=busy:10s', '/why=later:retry', '/why=banned:fatal', '/type=refused']"])
        .attempts([
            refuses_then(r#"{"type":"refused","why":"busy"}"#, millis(20), Deed::end()),
            refuses_then(r#"{"type":"refused","why":"later"}"#, millis(20), Deed::end()),
            refuses_then(r#"{"type":"refused","why":"expired"}"#, millis(20), Deed::end()),
            refuses_then(r#"{"type":"refused","why":"banned"}"#, millis(20), Deed::end()),
        ])
        .until(seconds(30))
        .sees([
            delays_within(&[(10_000, 12_000), (2_000, 2_000), (4_000, 4_000)]),
            because(&["policy", "backoff", "backoff"]),
            credentials(&[Cached, Cached, Cached, Refresh]),
            gives_up("login_refused"),
        ])
}

pub(crate) fn after_a_refusal_nothing_is_sent_and_all_that_comes_is_delivered() -> Scenario {
    scenario("After a refusal the client accepts no message and sends no ping. It delivers what arrives, also a second answer.")
        .config(login!["reconnect.max_attempts = 0", "login.refused = '/type=refused:retry'"])
        .attempts([refuses_then(REFUSED, millis(80), Deed::text(WELCOME))
            .then(millis(180), Deed::text(REFUSED))
            .then(millis(280), Deed::ping("?"))
            .then(millis(380), Deed::binary(b"bytes"))])
        .at(millis(500), Command::Send("let me in"))
        .at(millis(600), Command::LoginAccepted)
        .at(millis(700), Command::LoginRejected(Verdict::Fatal))
        .at(millis(800), Command::Connect)
        .sees([
            passes(&[Connecting, Connected, Closed]),
            outcomes(&["rejected: not_ready"]),
            delivers(&[(100, WELCOME), (200, REFUSED), (400, "5 bytes")]),
            peer_sees(
                1,
                &["20: text open sesame", "300: pong ?", "2030: close 1001", "2030: gone"],
            ),
            gives_up("attempts_spent"),
        ])
}

pub(crate) fn close_wins_over_a_refused_login() -> Scenario {
    scenario("The application closes while the refused socket waits. Its Close is sent, and the verdict is dropped.")
        .config(login!["login.refused = '/type=refused:fatal'"])
        .attempts([says(REFUSED).polite()])
        .at(millis(500), CLOSE)
        .sees([
            passes(&[Connecting, Connected, Closing, Closed]),
            peer_sees(1, &["20: text open sesame", "500: close 1000", "520: gone"]),
            gone(&[(520, "requested")]),
            never_gives_up(),
        ])
}

pub(crate) fn a_suspend_ends_the_wait_of_a_refused_login() -> Scenario {
    scenario("The machine sleeps while a refused socket waits for the peer's Close. After the wake the verdict applies.")
        .config(login!["close_timeout = '10s'", "login.refused = '/type=refused'"])
        .attempts([
            says(REFUSED),
            says(WELCOME).polite(),
        ])
        .at(seconds(3), Command::Sleep(seconds(600)))
        .until(seconds(20))
        .sees([
            jumps(&[600_000]),
            peer_sees(1, &["20: text open sesame", "10030: close 1001", "10030: gone"]),
            gone(&[(10_030, "login_refused")]),
            credentials(&[Cached, Refresh]),
        ])
}

pub(crate) fn refreshed_credentials_that_work_are_kept_and_a_stable_session_earns_another_refresh()
-> Scenario {
    scenario(
        "The login is refused and refreshed, and the connection is stable. After a loss a refusal may refresh again.",
    )
    .answers(&["https://github.com/centrifugal/centrifuge-dart/pull/129"])
    .config(REFRESHED)
    .attempts([
        says(REFUSED),
        says(WELCOME).polite()
            .then(seconds(20), Deed::reset()),
        says(REFUSED),
        says(WELCOME).polite(),
    ])
    .until(seconds(40))
    .sees([
        credentials(&[Cached, Refresh, Cached, Refresh]),
        ready_at(&[3_060, 28_110]),
        ends_in(Authenticated),
    ])
}

pub(crate) fn a_refresh_that_reached_no_server_is_asked_for_again() -> Scenario {
    scenario("After a 401 the network fails. The server has not yet seen the new credentials.")
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
    scenario("The peer never answers the login. The client closes with 1001 and retries.")
        .answers(&["https://github.com/nautechsystems/nautilus_trader/issues/3871"])
        .config(toml![
            "reconnect.jitter = 'none'",
            "login.send = 'open sesame'",
            "login.accepted = 'any'",
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
    scenario("Messages arrive before the answer. They are delivered, the deadline stays, and the answer is found.")
        .answers(&["https://github.com/nautechsystems/nautilus_trader/issues/3871"])
        .config(login!["login.timeout = '2s'"])
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

pub(crate) fn where_any_answer_accepts_the_first_text_does_and_is_delivered() -> Scenario {
    scenario("With `any` the first message accepts the login, and is delivered too.")
        .config(toml!["login.send = 'open sesame'", "login.accepted = 'any'"])
        .attempts([accepts_after(millis(20)).polite().on_text(
            "open sesame",
            millis(10),
            Deed::text("at your service"),
        )])
        .until(seconds(5))
        .sees([delivers(&[(30, "at your service")]), ends_in(Authenticated)])
}

pub(crate) fn an_embedders_own_login_may_speak_before_it_is_accepted() -> Scenario {
    scenario(
        "A login of several messages. They are accepted while CONNECTED, and pings begin once it is done.",
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
    scenario("The embedder refuses the login with a verdict: first a least delay, then fatal.")
        .config(toml!["login.external = true", "reconnect.jitter = 'none'"])
        .attempts([accepts_after(millis(20))])
        .at(millis(100), Command::LoginRejected(Verdict::RetryNoSoonerThan(seconds(5))))
        .at(seconds(8), Command::LoginRejected(Verdict::Fatal))
        .sees([
            delays_within(&[(5_000, 6_000)]),
            because(&["policy"]),
            gives_up("login_refused"),
            quiet_after(10_100),
        ])
}

pub(crate) fn an_embedder_may_refuse_a_login_that_was_accepted() -> Scenario {
    scenario("The token is revoked while the connection is ready. The client closes at once with 1001 and the verdict.")
        .config(toml!["login.external = true", "reconnect.jitter = 'none'"])
        .attempts([accepts_after(millis(20))])
        .at(millis(100), Command::LoginAccepted)
        .at(seconds(5), Command::LoginRejected(Verdict::RefreshCredentials))
        .at(millis(6_100), Command::LoginAccepted)
        .at(seconds(8), Command::LoginRejected(Verdict::RefreshCredentials))
        .sees([
            peer_sees(1, &["5000: close 1001", "5000: gone"]),
            gone(&[(5_000, "login_refused"), (8_000, "login_refused")]),
            credentials(&[Cached, Refresh]),
            gives_up("login_refused"),
        ])
}

pub(crate) fn a_login_verdict_that_comes_late_changes_nothing() -> Scenario {
    scenario("The embedder accepts and refuses a login before the open and after the loss. Both are ignored.")
        .config(toml!["login.external = true", "reconnect.jitter = 'none'"])
        .attempts([accepts_after(millis(500)).polite().then(millis(1_000), Deed::reset()), accepts_after(millis(500)).polite()])
        .at(millis(100), Command::LoginAccepted)
        .at(millis(700), Command::LoginAccepted)
        .at(millis(800), Command::LoginAccepted)
        .at(millis(1_700), Command::LoginRejected(Verdict::Fatal))
        .until(seconds(5))
        .sees([ready_at(&[700]), never_gives_up(), opens_at(&[0, 2_500])])
}
