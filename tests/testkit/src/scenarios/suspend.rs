//! Sleep, clocks and networks that come and go. (The next timer notices a clock jump.)

use crate::words::*;

pub(crate) fn a_zombie_socket_is_probed_after_sleep_and_found_dead() -> Scenario {
    scenario(
        "The machine slept for an hour, and the peer is gone. A timer notices it, and the peer is dead five seconds later.",
    )
    .answers(&[
        "https://github.com/wireapp/wire-webapp/pull/21477",
        "https://github.com/rust-lang/rust/issues/79462",
        "https://github.com/rust-lang/rust/issues/87906",
        "https://github.com/tokio-rs/tokio/issues/3185",
        "https://github.com/n0-computer/net-tools/issues/205",
    ])
    .config(toml!["heartbeat.timeout = '20s'", "reconnect.jitter = 'none'"])
    .attempts([
        accepts_after(millis(20)).polite().answers_pings_at_most(1),
        accepts_after(millis(20)).polite(),
    ])
    .at(seconds(40), Command::Sleep(seconds(3_600)))
    .until(seconds(100))
    .sees([
        jumps(&[3_600_000]),
        pings_at(&[30_020, 60_020, 96_040]),
        gone(&[(65_020, "pong_timeout")]),
        ready_to_the_end_since(66_040),
    ])
}

pub(crate) fn an_attempt_that_sleep_has_overtaken_starts_anew() -> Scenario {
    scenario("The machine slept while the socket was opening. The attempt is replaced, and is no failure.")
        .answers(&["https://github.com/wireapp/wire-webapp/pull/21477"])
        .attempts([never_connects(), accepts_after(millis(20)).polite()])
        .at(seconds(3), Command::Sleep(seconds(600)))
        .until(seconds(20))
        .sees([
            jumps(&[600_000]),
            opens_at(&[0, 10_000]),
            gone(&[]),
            because(&["hint"]),
            retries(&[0]),
            ready_to_the_end_since(10_020),
        ])
}

pub(crate) fn a_wait_that_ends_with_the_sleep_is_over() -> Scenario {
    scenario(
        "The machine slept during a wait. On waking the attempt is made, and the jump reported.",
    )
    .config(toml!["reconnect.jitter = 'none'"])
    .attempts([fails_after(millis(10), OpenError::Unreachable), accepts_after(millis(20)).polite()])
    .at(millis(400), Command::Sleep(seconds(7_200)))
    .until(seconds(20))
    .sees([jumps(&[7_200_000]), opens_at(&[0, 1_010]), ready_to_the_end_since(1_030)])
}

pub(crate) fn a_wall_clock_that_is_set_back_or_a_little_ahead_is_no_sleep() -> Scenario {
    scenario("Clocks are corrected often. Only a large step forward is a suspend.")
        .attempts([accepts_after(millis(20)).polite()])
        .at(seconds(10), Command::SetBack(seconds(3_600)))
        .at(seconds(50), Command::Sleep(seconds(59)))
        .until(seconds(100))
        .sees([jumps(&[]), pings_at(&[30_020, 60_020, 90_020]), gone(&[])])
}

pub(crate) fn jumps_are_acted_on_once_in_half_a_minute() -> Scenario {
    scenario("A clock that jumps at every check does not cause many probes.")
        .config(toml!["heartbeat.interval = '10s'", "heartbeat.timeout = '2s'"])
        .attempts([accepts_after(millis(20)).polite()])
        .at(seconds(5), Command::Sleep(seconds(600)))
        .at(seconds(15), Command::Sleep(seconds(600)))
        .at(seconds(25), Command::Sleep(seconds(600)))
        .at(seconds(45), Command::Sleep(seconds(600)))
        .until(seconds(55))
        .sees([jumps(&[600_000, 600_000]), gone(&[]), opens(1)])
}

pub(crate) fn without_a_heartbeat_sleep_leaves_the_socket_alone() -> Scenario {
    scenario("Without a heartbeat the socket is trusted after a suspend. The data timeout still applies.")
        .config(toml!["heartbeat.kind = 'off'", "data_timeout = '30s'"])
        .attempts([accepts_after(millis(20)).polite().then_each(seconds(20), seconds(20), 4, |_| Deed::text("tick"))])
        .at(seconds(10), Command::Sleep(seconds(600)))
        .until(seconds(80))
        .sees([jumps(&[600_000]), pings(0), gone(&[])])
}

pub(crate) fn a_network_that_is_back_is_tried_at_once() -> Scenario {
    scenario("The network returns during a long delay. The attempt is made at once.")
        .answers(&[
            "https://github.com/centrifugal/centrifuge-js/issues/203",
            "https://github.com/firezone/firezone/pull/13438",
        ])
        .config(toml!["reconnect.jitter = 'none'"])
        .attempts([
            fails_after(millis(10), OpenError::Unreachable),
            fails_after(millis(10), OpenError::Unreachable),
            fails_after(millis(10), OpenError::Unreachable),
            fails_after(millis(10), OpenError::Unreachable),
            accepts_after(millis(20)).polite(),
        ])
        .at(millis(100), Command::Network(Network::Offline))
        .at(seconds(9), Command::Network(Network::Online))
        .until(seconds(40))
        .sees([
            opens_at(&[0, 1_010, 3_020, 7_030, 9_000]),
            because(&["backoff", "backoff", "backoff", "backoff", "hint"]),
            ready_to_the_end_since(9_020),
        ])
}

pub(crate) fn a_flapping_network_makes_no_storm() -> Scenario {
    scenario("Online comes again and again. It is honoured once in 30 s, and the backoff decides otherwise.")
        .answers(&["https://github.com/firezone/firezone/pull/13438"])
        .config(toml!["reconnect.jitter = 'none'", "reconnect.initial_delay = '10s'"])
        .attempts([fails_after(millis(10), OpenError::Unreachable)])
        .at(seconds(1), Command::Network(Network::Online))
        .at(seconds(2), Command::Network(Network::Online))
        .at(seconds(3), Command::Network(Network::Online))
        .at(seconds(25), Command::Network(Network::Online))
        .at(seconds(31), Command::Network(Network::Online))
        .until(seconds(45))
        .sees([opens_at(&[0, 1_000, 21_010, 31_000])])
}

pub(crate) fn offline_stops_no_attempt() -> Scenario {
    scenario("The system reports no network. It may be wrong, so the retry is made when it is due.")
        .config(toml!["reconnect.jitter = 'none'"])
        .attempts([
            fails_after(millis(10), OpenError::Unreachable),
            accepts_after(millis(20)).polite(),
        ])
        .at(millis(300), Command::Network(Network::Offline))
        .until(seconds(20))
        .sees([opens_at(&[0, 1_010]), ready_to_the_end_since(1_030)])
}

pub(crate) fn a_stall_of_our_own_kills_no_live_peer_and_makes_no_burst() -> Scenario {
    scenario("The program was stalled for two minutes. Data is read before the timeout is checked, and one ping replaces the missed ones.")
        .answers(&[
            "https://github.com/phoenixframework/phoenix/issues/4307",
            "https://github.com/vert-x3/vertx-eventbus-bridge-clients/issues/51",
            "https://github.com/miguelgrinberg/simple-websocket/issues/16",
        ])
        .attempts([accepts_after(millis(20)).polite()])
        .at(millis(30_030), Command::Stall(seconds(120)))
        .until(seconds(190))
        .sees([
            pings_at(&[30_020, 150_030, 180_030]),
            round_trips(&[Some(120_010), Some(20), Some(20)]),
            gone(&[]),
        ])
}

pub(crate) fn silence_that_nobody_asked_to_break_is_no_death_after_a_stall() -> Scenario {
    scenario("No ping was sent during a stall, so the peer is not dead yet. It is pinged first.")
        .answers(&["https://github.com/phoenixframework/phoenix/issues/4307"])
        .attempts([accepts_after(millis(20)).polite().answers_pings_at_most(1)])
        .at(seconds(36), Command::Stall(seconds(60)))
        .until(millis(101_500))
        .sees([pings_at(&[30_020, 96_000]), gone(&[(101_000, "pong_timeout")])])
}

pub(crate) fn a_socket_that_opened_and_spoke_in_a_stall_is_used() -> Scenario {
    scenario("The socket opened in time, but the stalled program noticed it late. It is open, with its messages.")
        .answers(&["https://github.com/vert-x3/vertx-eventbus-bridge-clients/issues/51"])
        .attempts([accepts_after(millis(500)).polite().then(seconds(2), Deed::text("hello"))])
        .at(millis(100), Command::Stall(seconds(30)))
        .until(seconds(50))
        .sees([opens(1), ready_at(&[30_100]), delivers(&[(30_100, "hello")]), gone(&[])])
}

pub(crate) fn a_suspend_while_a_ping_is_held_makes_it_the_probe() -> Scenario {
    scenario("The machine sleeps while a ping is held. No second ping is sent, and the held one gets a probe's five seconds.")
        .config(toml!["heartbeat.timeout = '20s'"])
        .attempts([accepts_after(millis(20)).takes(0).then(seconds(62), Deed::takes_all())])
        .at(seconds(29), Command::Feed("before the ping"))
        .at(seconds(40), Command::Sleep(seconds(3_600)))
        .until(millis(67_500))
        .sees([
            jumps(&[3_600_000]),
            pings_at(&[30_020]),
            peer_sees(1, &["62020: text before the ping", "62020: ping 1", "67020: aborted"]),
            gone(&[(67_020, "pong_timeout")]),
        ])
}

pub(crate) fn a_held_probe_that_is_answered_keeps_the_socket() -> Scenario {
    scenario("The machine sleeps while a ping is held, and the peer answers that ping. The socket is kept.")
        .config(toml!["heartbeat.timeout = '20s'"])
        .attempts([accepts_after(millis(20))
            .polite()
            .takes(0)
            .then(seconds(62), Deed::takes_all())])
        .at(seconds(29), Command::Feed("before the ping"))
        .at(seconds(40), Command::Sleep(seconds(3_600)))
        .until(seconds(85))
        .sees([jumps(&[3_600_000]), pings_at(&[30_020]), round_trips(&[Some(32_020)]), gone(&[])])
}

pub(crate) fn a_probe_leaves_while_reading_is_paused_and_is_judged_after_the_resume() -> Scenario {
    scenario("The machine sleeps while the application takes no messages. The probe leaves at once, and its five seconds begin when reading resumes.")
        .config(toml!["heartbeat.timeout = '20s'"])
        .attempts([accepts_after(millis(20))])
        .at(seconds(10), Command::PauseReading)
        .at(seconds(20), Command::Sleep(seconds(3_600)))
        .at(seconds(50), Command::ResumeReading)
        .until(millis(55_500))
        .sees([
            jumps(&[3_600_000]),
            pings_at(&[30_020]),
            gone(&[(55_000, "pong_timeout")]),
        ])
}

pub(crate) fn a_clock_that_is_29_seconds_ahead_is_no_suspend() -> Scenario {
    scenario("A correction below half a minute is no suspend, however short the interval is.")
        .config(toml!["heartbeat.interval = '10s'"])
        .attempts([accepts_after(millis(20)).polite()])
        .at(seconds(15), Command::Sleep(seconds(29)))
        .until(seconds(45))
        .sees([jumps(&[]), pings_at(&[10_020, 20_020, 30_020, 40_020]), opens(1)])
}

pub(crate) fn a_clock_that_is_a_day_ahead_makes_one_probe() -> Scenario {
    scenario("The wall clock is a day ahead of the monotonic one. The peer is probed once, and the schedule goes on.")
        .answers(&["https://github.com/robtaussig/react-use-websocket/issues/269"])
        .config(toml!["heartbeat.timeout = '20s'"])
        .attempts([accepts_after(millis(20)).answers_pings(seconds(4), PongStyle::Echo)])
        .at(seconds(31), Command::Sleep(seconds(86_400)))
        .until(seconds(100))
        .sees([
            jumps(&[86_400_000]),
            pings_at(&[30_020, 60_020, 90_020]),
            round_trips(&[Some(4_000), Some(4_000), Some(4_000)]),
            gone(&[]),
        ])
}

pub(crate) fn a_clock_that_goes_back_and_ahead_again_makes_one_probe() -> Scenario {
    scenario("The wall clock is set back by an hour and then ahead by an hour. Only the second looks like a suspend.")
        .attempts([accepts_after(millis(20)).polite()])
        .at(seconds(10), Command::SetBack(seconds(3_600)))
        .at(seconds(70), Command::Sleep(seconds(3_600)))
        .until(seconds(130))
        .sees([
            jumps(&[3_600_000]),
            pings_at(&[30_020, 60_020, 90_020, 120_020]),
            gone(&[]),
        ])
}
