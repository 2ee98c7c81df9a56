//! The heartbeat: which peers are dead, and when the client knows it.

use crate::words::*;

pub(crate) fn a_half_open_peer_is_found_dead_by_default() -> Scenario {
    scenario("The peer goes silent after its first pong. By default it is dead five seconds after the next ping.")
        .answers(&[
            "https://github.com/snapview/tungstenite-rs/issues/15",
            "https://github.com/snapview/tungstenite-rs/issues/201",
            "https://github.com/snapview/tungstenite-rs/issues/225",
            "https://github.com/snapview/tungstenite-rs/issues/233",
            "https://github.com/firezone/firezone/pull/1974",
            "https://github.com/firezone/firezone/pull/12248",
            "https://github.com/paritytech/subxt/issues/1190",
        ])
        .attempts([
            accepts_after(millis(20)).polite().answers_pings_at_most(1),
            accepts_after(millis(20)).polite(),
        ])
        .until(seconds(100))
        .sees([
            gone(&[(65_020, "pong_timeout")]),
            round_trips(&[Some(20), Some(20)]),
            opens(2),
            ends_in(Connected),
        ])
}

pub(crate) fn our_own_sends_do_not_put_off_the_ping_or_the_death() -> Scenario {
    let sends = (1..22).fold(
        scenario("The client's own traffic is no sign of life. A silent peer is dead in time."),
        |scenario, number| scenario.at(seconds(3 * number), Command::Send("busy")),
    );
    sends
        .answers(&["https://github.com/nats-io/nats.rs/issues/1593"])
        .attempts([accepts_after(millis(20)).polite().answers_pings_at_most(1)])
        .until(millis(65_100))
        .sees([
            pings_at(&[30_020, 60_020]),
            gone(&[(65_020, "pong_timeout")]),
            outcomes(&["sent on 1"; 21]),
        ])
}

pub(crate) fn a_dead_peer_is_left_without_a_close_and_retried() -> Scenario {
    scenario(
        "A dead peer would answer no Close. Its socket is aborted, and the next attempt is made.",
    )
    .answers(&[
        "https://github.com/Polymarket/rs-clob-client-v2/issues/60",
        "https://github.com/gbaranski/ezsockets/issues/104",
    ])
    .config(toml!["reconnect.jitter = 'none'"])
    .attempts([accepts_after(millis(20)), accepts_after(millis(20)).polite()])
    .until(seconds(50))
    .sees([
        peer_sees(1, &["30020: ping 1", "35020: aborted"]),
        opens_at(&[0, 36_020]),
        ready_to_the_end_since(36_040),
    ])
}

pub(crate) fn a_timeout_as_long_as_the_interval_still_fires() -> Scenario {
    scenario("The deadline belongs to the unanswered ping. The next ping does not restart it.")
        .answers(&[
            "https://github.com/hcengineering/platform/issues/10946",
            "https://github.com/phoenixframework/phoenix/pull/5984",
            "https://github.com/mezonai/mezon-js/pull/1128",
        ])
        .config(toml!["heartbeat.interval = '5s'", "heartbeat.timeout = '5s'"])
        .attempts([accepts_after(millis(20)).polite().answers_pings_at_most(2)])
        .until(millis(20_100))
        .sees([pings_at(&[5_020, 10_020, 15_020]), gone(&[(20_020, "pong_timeout")])])
}

pub(crate) fn bulk_data_proves_life_while_the_pong_waits_behind_it() -> Scenario {
    scenario("The pong comes nine seconds late, after data. Bytes are a sign of life, so the peer is kept.")
        .answers(&["https://github.com/python-websockets/websockets/issues/1012"])
        .attempts([accepts_after(millis(20))
            .answers_pings(millis(9_000), PongStyle::Echo)
            .then_each(millis(500), millis(1_000), 100, |_| Deed::binary(&[7; 100]))])
        .until(seconds(94))
        .sees([
            gone(&[]),
            round_trips(&[Some(9_000), Some(9_000)]),
            pings_at(&[30_020, 60_020, 90_020]),
        ])
}

pub(crate) fn pieces_of_one_long_message_prove_life() -> Scenario {
    let pieces = Deed::text(&"x".repeat(400)).in_pieces(16);
    scenario("A message takes long to arrive. Each part of it is a sign of life.")
        .answers(&["https://github.com/python-websockets/websockets/issues/1012"])
        .attempts([accepts_after(millis(20)).polite().answers_pings_at_most(0).then_each(
            millis(700),
            millis(4_500),
            16,
            move |number| pieces[number as usize].clone(),
        )])
        .until(seconds(70))
        .sees([gone(&[]), pings_at(&[30_020, 60_020]), delivers_lengths(&[(68_220, 400)])])
}

pub(crate) fn pings_keep_their_interval_whatever_comes_in() -> Scenario {
    scenario("Inbound traffic neither postpones pings nor causes bursts of them.")
        .answers(&["https://github.com/miguelgrinberg/simple-websocket/issues/16"])
        .config(toml!["heartbeat.interval = '10s'"])
        .attempts([accepts_after(millis(20)).polite().then_each(
            millis(111),
            millis(333),
            150,
            |_| Deed::text("tick"),
        )])
        .until(seconds(55))
        .sees([pings_at(&[10_020, 20_020, 30_020, 40_020, 50_020]), gone(&[])])
}

pub(crate) fn a_feed_that_stops_while_pongs_come_is_lost() -> Scenario {
    scenario("Pings are answered, but no data comes. The data timeout detects it.")
        .answers(&["https://github.com/hahn-th/homematicip-rest-api/pull/672"])
        .config(toml![
            "data_timeout = '20s'",
            "heartbeat.interval = '7s'",
            "reconnect.jitter = 'none'"
        ])
        .attempts([
            accepts_after(millis(20))
                .polite()
                .then_each(millis(1_500), millis(5_000), 3, |_| Deed::text("price")),
            accepts_after(millis(20)).polite().then(seconds(1), Deed::text("price")),
        ])
        .until(seconds(50))
        .sees([
            gone(&[(31_520, "data_timeout")]),
            peer_sees_last(1, &["31520: close 1001", "31520: gone"]),
            ready_to_the_end_since(32_540),
        ])
}

pub(crate) fn a_round_trip_is_known_where_the_pong_echoes_or_one_ping_is_out() -> Scenario {
    scenario("Pongs have the ping's timestamp, none, or another. The round trip is reported only if it is certain.")
        .config(toml![
            "heartbeat.kind = 'json'",
            "heartbeat.interval = '10s'",
            "heartbeat.timeout = '2s'",
        ])
        .attempts([accepts_after(millis(20))
            .answers_pings(millis(35), PongStyle::Bare)
            .then_each(millis(900), millis(900), 50, |_| Deed::text("tick"))])
        .until(seconds(35))
        .sees([
            round_trips(&[Some(35), Some(35), Some(35)]),
            pings_at(&[10_020, 20_020, 30_020]),
        ])
}

pub(crate) fn a_late_pong_with_a_wrong_stamp_gives_no_round_trip() -> Scenario {
    scenario("Two pings are unanswered, and a pong names neither. It answers the older one, without a round trip.")
        .config(toml!["heartbeat.kind = 'json'", "heartbeat.interval = '5s'"])
        .attempts([accepts_after(millis(20))
            .answers_pings(millis(7_300), PongStyle::Wrong)
            .then_each(millis(900), millis(900), 30, |_| Deed::text("tick"))])
        .until(seconds(19))
        .sees([round_trips(&[None, None]), pings_at(&[5_020, 10_020, 15_020]), gone(&[])])
}

pub(crate) fn a_peer_that_answers_no_json_ping_is_dead() -> Scenario {
    scenario("A peer that answers no JSON ping is dead after the timeout.")
        .config(toml![
            "heartbeat.kind = 'json'",
            "heartbeat.timeout = '3s'",
            "reconnect.jitter = 'none'",
        ])
        .attempts([accepts_after(millis(20)), accepts_after(millis(20)).polite()])
        .until(seconds(70))
        .sees([
            gone(&[(33_020, "pong_timeout")]),
            pings_at(&[30_020, 64_040]),
            round_trips(&[Some(20)]),
        ])
}

pub(crate) fn in_strict_mode_only_a_pong_is_life() -> Scenario {
    scenario("Data arrives, but no pong. In strict mode the peer is dead.")
        .config(toml!["heartbeat.strict = true"])
        .attempts([accepts_after(millis(20))
            .then_each(millis(100), millis(300), 120, |_| Deed::text("tick"))])
        .until(millis(35_500))
        .sees([gone(&[(35_020, "pong_timeout")]), pings_at(&[30_020])])
}

pub(crate) fn a_websocket_pong_is_an_answer_only_to_the_letter() -> Scenario {
    scenario("The data of pongs is almost that of the ping. In strict mode the peer is dead.")
        .config(toml!["heartbeat.kind = 'ping'", "heartbeat.strict = true"])
        .attempts([accepts_after(millis(20))
            .then(millis(30_100), Deed::pong("01").and(Deed::pong("+1")))
            .then(millis(30_200), Deed::pong("1 ").and(Deed::pong("")))])
        .until(millis(35_500))
        .sees([gone(&[(35_020, "pong_timeout")]), round_trips(&[])])
}

pub(crate) fn without_a_heartbeat_nothing_is_asked_and_nobody_dies() -> Scenario {
    scenario("The heartbeat is off. The connection survives an hour of silence.")
        .config(toml!["heartbeat.kind = 'off'"])
        .attempts([accepts_after(millis(20))])
        .until(seconds(3_600))
        .sees([pings(0), gone(&[]), ready_to_the_end_since(20), quiet_after(20)])
}

pub(crate) fn a_fleet_may_spread_its_first_pings() -> Scenario {
    scenario("With a phase the first ping waits for a part of the interval. The others follow at whole intervals.")
        .config(toml!["heartbeat.phase = true", "heartbeat.interval = '10s'"])
        .attempts([accepts_after(millis(20)).polite()])
        .sees([first_ping_within(21, 10_020), pings_apart_by(10_000), gone(&[])])
}

pub(crate) fn the_peers_own_ping_is_answered_where_that_is_wanted() -> Scenario {
    scenario("The peer sends pings. Each is answered with its timestamp, and is not delivered.")
        .config(toml!["heartbeat.answer_pings = true", "heartbeat.kind = 'off'"])
        .attempts([accepts_after(millis(20))
            .then(seconds(1), Deed::text(r#"{"type":"ping","timestamp":17}"#))])
        .sees([
            peer_sees(1, &[r#"1020: text {"type":"pong","timestamp":17}"#, "60000: gone"]),
            delivers(&[]),
        ])
}

pub(crate) fn the_peers_own_ping_is_a_message_by_default() -> Scenario {
    scenario("Without `answer_pings` a ping of the peer is delivered as a message.")
        .config(toml!["heartbeat.kind = 'off'"])
        .attempts([accepts_after(millis(20)).then(seconds(1), Deed::text(r#"{"type":"ping"}"#))])
        .sees([delivers(&[(1_020, r#"{"type":"ping"}"#)]), no_frame_leaves()])
}

pub(crate) fn pongs_are_taken_out_of_the_stream_and_only_those_awaited() -> Scenario {
    scenario("A pong for a ping is not delivered. An unsolicited pong is delivered as a message.")
        .config(toml!["heartbeat.kind = 'json'"])
        .attempts([accepts_after(millis(20))
            .polite()
            .then(seconds(31), Deed::text(r#"{"type":"pong"}"#))])
        .until(seconds(50))
        .sees([delivers(&[(31_020, r#"{"type":"pong"}"#)]), round_trips(&[Some(20)])])
}

pub(crate) fn pongs_are_delivered_where_that_is_wanted() -> Scenario {
    scenario("With `deliver_pongs` pongs are delivered too.")
        .config(toml!["heartbeat.kind = 'json'", "heartbeat.deliver_pongs = true"])
        .attempts([accepts_after(millis(20)).answers_pings(millis(20), PongStyle::Bare)])
        .until(seconds(50))
        .sees([delivers(&[(30_040, r#"{"type":"pong"}"#)]), round_trips(&[Some(20)])])
}

pub(crate) fn first_ping_leaves_one_interval_after_ready() -> Scenario {
    scenario("A connection becomes ready three seconds after it opens. Its first ping leaves an interval after that, on the next socket too.")
        .config(toml![
            "login.external = true",
            "heartbeat.interval = '10s'",
            "reconnect.jitter = 'none'",
        ])
        .attempts([
            accepts_after(millis(20)).polite().then(seconds(20), Deed::close(1012, "restart")),
            accepts_after(millis(20)).polite(),
        ])
        .at(seconds(3), Command::LoginAccepted)
        .at(seconds(24), Command::LoginAccepted)
        .until(seconds(36))
        .sees([ready_at(&[3_000, 24_000]), pings_at(&[13_000, 34_000])])
}

pub(crate) fn the_default_heartbeat_is_a_ping_frame_and_no_message() -> Scenario {
    scenario("The default heartbeat is a Ping frame, which every WebSocket server answers. The server sees no text.")
        .attempts([accepts_after(millis(20)).polite().echoes(millis(20))])
        .until(seconds(40))
        .sees([
            peer_sees(1, &["30020: ping 1", "40000: gone"]),
            delivers(&[]),
            round_trips(&[Some(20)]),
        ])
}

pub(crate) fn a_json_heartbeat_is_a_text_where_it_is_set() -> Scenario {
    scenario("With the JSON heartbeat each ping is a text with a timestamp.")
        .config(toml!["heartbeat.kind = 'json'"])
        .attempts([accepts_after(millis(20)).polite()])
        .until(seconds(40))
        .sees([
            peer_sees(
                1,
                &[r#"30020: text {"type":"ping","timestamp":1700000030020}"#, "40000: gone"],
            ),
            delivers(&[]),
            round_trips(&[Some(20)]),
        ])
}

/// A peer that sends data all the time and answers pings only where a scenario says so.
fn busy_peer() -> Attempt {
    accepts_after(millis(20)).then_each(millis(900), millis(900), 40, |_| Deed::text("tick"))
}

pub(crate) fn a_pong_that_names_an_older_ping_answers_it_and_those_before_it() -> Scenario {
    scenario("Three pings are unanswered, and a pong names the second. It answers the first two, so a later pong for the first is ignored.")
        .config(toml!["heartbeat.interval = '5s'"])
        .attempts([busy_peer()
            .then(millis(16_000), Deed::pong("2"))
            .then(millis(16_500), Deed::pong("1"))
            .then(millis(17_500), Deed::pong("3"))])
        .until(seconds(19))
        .sees([
            pings_at(&[5_020, 10_020, 15_020]),
            round_trips(&[Some(6_000), Some(2_500)]),
            gone(&[]),
        ])
}

pub(crate) fn a_json_pong_that_names_an_older_ping_answers_it_and_those_before_it() -> Scenario {
    scenario("A pong with the second ping's timestamp answers two pings. One without a timestamp can then only answer the third.")
        .config(toml!["heartbeat.kind = 'json'", "heartbeat.interval = '5s'"])
        .attempts([busy_peer()
            .then(millis(16_000), Deed::text(r#"{"type":"pong","timestamp":1700000010020}"#))
            .then(millis(17_500), Deed::text(r#"{"type":"pong"}"#))])
        .until(seconds(19))
        .sees([
            pings_at(&[5_020, 10_020, 15_020]),
            round_trips(&[Some(6_000), Some(2_500)]),
            delivers_count(21),
        ])
}

pub(crate) fn the_last_four_pings_are_remembered() -> Scenario {
    scenario(
        "Five pings are unanswered. The round trip of the last four is known, that of the first is not.",
    )
    .config(toml!["heartbeat.interval = '5s'"])
    .attempts([busy_peer()
        .then(millis(26_000), Deed::pong("1"))
        .then(millis(26_500), Deed::pong("2"))])
    .until(seconds(29))
    .sees([pings(5), round_trips(&[None, Some(16_500)]), gone(&[])])
}

pub(crate) fn a_pong_with_the_servers_own_clock_is_life() -> Scenario {
    scenario("Some servers put their own time into each pong. Such a pong answers the ping, in strict mode too.")
        .config(toml![
            "heartbeat.kind = 'json'",
            "heartbeat.strict = true",
            "heartbeat.interval = '10s'",
            "heartbeat.timeout = '2s'",
        ])
        .attempts([accepts_after(millis(20)).answers_pings(millis(35), PongStyle::Wrong)])
        .until(seconds(35))
        .sees([
            pings_at(&[10_020, 20_020, 30_020]),
            round_trips(&[Some(35), Some(35), Some(35)]),
            gone(&[]),
        ])
}
