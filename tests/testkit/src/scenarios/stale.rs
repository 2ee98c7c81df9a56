//! Old sockets, timers and flags: a lost socket does not affect the next one. (A correct driver passes no
//! late events; the core's own tests show that it ignores them.)

use crate::words::*;

pub(crate) fn what_an_old_socket_still_says_does_not_touch_the_new_one() -> Scenario {
    scenario(
        "A dead peer sends again on its old socket and closes it. The new socket is not affected.",
    )
    .answers(&[
        "https://github.com/glowing-bear/glowing-bear/pull/1309",
        "https://github.com/daggerhashimoto/openclaw-nerve/pull/87",
        "https://github.com/daggerhashimoto/openclaw-nerve/pull/326",
        "https://github.com/vueuse/vueuse/pull/4161",
    ])
    .config(toml!["reconnect.jitter = 'none'"])
    .attempts([
        accepts_after(millis(20))
            .then(millis(37_000), Deed::text("late"))
            .then(millis(38_000), Deed::close(1000, "late"))
            .then(millis(38_500), Deed::end()),
        accepts_after(millis(20)).polite(),
    ])
    .sees([
        gone(&[(35_020, "pong_timeout")]),
        opens_at(&[0, 36_020]),
        delivers(&[]),
        ready_to_the_end_since(36_040),
    ])
}

pub(crate) fn a_pong_of_the_old_socket_does_not_keep_the_new_one_alive() -> Scenario {
    scenario("The old socket's pong comes while the new one waits for its own. The new peer is still dead.")
        .answers(&["https://github.com/mezonai/mezon-js/pull/1128"])
        .config(toml![
            "reconnect.jitter = 'none'",
            "heartbeat.kind = 'json'",
            "heartbeat.interval = '2s'",
            "heartbeat.timeout = '2s'",
        ])
        .attempts([
            accepts_after(millis(20))
                .answers_pings(millis(4_000), PongStyle::Bare)
                .then(millis(2_500), Deed::close(1012, "restart")),
            accepts_after(millis(20)),
        ])
        .until(seconds(8))
        .sees([
            gone(&[(2_520, "close_received 1012"), (7_540, "pong_timeout")]),
            round_trips(&[]),
        ])
}

pub(crate) fn the_connect_deadline_does_not_close_the_socket_that_opened() -> Scenario {
    scenario("A socket that opens just in time is not closed at its deadline, nor at that of the attempt before it.")
        .answers(&[
            "https://github.com/pladaria/reconnecting-websocket/pull/50",
            "https://github.com/pladaria/reconnecting-websocket/issues/83",
        ])
        .config(toml!["reconnect.jitter = 'none'"])
        .attempts([
            fails_after(millis(10), OpenError::Refused),
            accepts_after(millis(9_999)).polite(),
        ])
        .sees([opens_at(&[0, 1_010]), ready_to_the_end_since(11_009)])
}

pub(crate) fn connect_by_hand_works_after_every_end() -> Scenario {
    scenario("After all attempts are spent, and after close, a connect request connects.")
        .answers(&[
            "https://github.com/pladaria/reconnecting-websocket/issues/125",
            "https://github.com/pladaria/reconnecting-websocket/issues/165",
            "https://github.com/pladaria/reconnecting-websocket/issues/87",
            "https://github.com/cloudflare/partykit/issues/252",
            "https://github.com/cloudflare/partykit/pull/322",
        ])
        .config(toml!["reconnect.max_attempts = 0", "heartbeat.kind = 'off'"])
        .attempts([
            fails_after(millis(10), OpenError::Refused),
            accepts_after(millis(20)).polite(),
            answers_http(millis(30), 404),
            accepts_after(millis(20)).polite(),
        ])
        .at(seconds(1), Command::Connect)
        .at(seconds(2), CLOSE)
        .at(seconds(3), Command::Connect)
        .at(seconds(4), Command::Connect)
        .sees([opens_at(&[0, 1_000, 3_000, 4_000]), ready_at(&[1_020, 4_020]), ends_in(Connected)])
}

pub(crate) fn close_while_waiting_cancels_the_retry_at_once() -> Scenario {
    scenario("A close during a wait closes at once. No socket is opened after it.")
        .answers(&[
            "https://github.com/lukeed/sockette/issues/49",
            "https://github.com/centrifugal/centrifuge-js/issues/24",
            "https://github.com/sofastack/sofa-bolt/issues/151",
            "https://github.com/commontoolsinc/labs/pull/4640",
        ])
        .attempts([fails_after(millis(10), OpenError::Refused)])
        .at(millis(200), CLOSE)
        .until(seconds(120))
        .sees([
            opens_at(&[0]),
            passes(&[Connecting, Disconnected, Closed]),
            quiet_after(200),
            never_gives_up(),
        ])
}

pub(crate) fn close_while_connecting_drops_the_attempt_at_once() -> Scenario {
    scenario("A close while the socket is opening drops the attempt. Its result is ignored.")
        .answers(&["https://github.com/centrifugal/centrifuge-js/issues/24"])
        .attempts([accepts_after(millis(500))])
        .at(millis(200), CLOSE)
        .sees([
            gone(&[(200, "requested")]),
            passes(&[Connecting, Closed]),
            peer_sees(1, &["200: gone"]),
            quiet_after(200),
        ])
}

pub(crate) fn the_heartbeat_starts_anew_on_each_socket() -> Scenario {
    scenario("No ping of the old socket survives. On the new one pings are sent at whole intervals from its start.")
        .answers(&[
            "https://github.com/firezone/firezone/issues/4348",
            "https://github.com/firezone/firezone/pull/4361",
            "https://github.com/firezone/firezone/pull/5534",
            "https://github.com/Atmosphere/atmosphere-javascript/issues/128",
            "https://github.com/biologist79/ESPuino/pull/368",
        ])
        .config(toml!["reconnect.jitter = 'none'"])
        .attempts([
            accepts_after(millis(20)).polite().then(millis(40_000), Deed::close(1012, "")),
            accepts_after(millis(20)).polite(),
        ])
        .until(seconds(132))
        .sees([
            pings_at(&[30_020, 71_040, 101_040, 131_040]),
            gone(&[(40_020, "close_received 1012")]),
        ])
}

pub(crate) fn a_ping_unanswered_at_the_loss_is_no_timeout_of_the_new_socket() -> Scenario {
    scenario("A ping that was unanswered when the socket was lost is dropped with it.")
        .answers(&["https://github.com/braverhealth/phoenix-socket-dart/pull/28"])
        .config(toml!["reconnect.jitter = 'none'"])
        .attempts([
            accepts_after(millis(20)).then(millis(33_000), Deed::reset()),
            accepts_after(millis(20)).polite(),
        ])
        .sees([gone(&[(33_020, "lost reset")]), ready_to_the_end_since(34_040)])
}

pub(crate) fn a_close_in_the_same_read_as_the_upgrade_is_retried() -> Scenario {
    scenario("The server closes right after the handshake. The retry is scheduled and made.")
        .answers(&["https://github.com/kisaragi-mochi/stackchan-mcp/issues/189"])
        .config(toml!["reconnect.jitter = 'none'"])
        .attempts([
            accepts_after(millis(20)).then(millis(0), Deed::close(1012, "")),
            accepts_after(millis(20)).polite(),
        ])
        .sees([
            gone(&[(20, "close_received 1012")]),
            opens_at(&[0, 1_020]),
            ready_to_the_end_since(1_040),
        ])
}
