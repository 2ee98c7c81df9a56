//! A ping's timeout starts when it is handed to the transport. Until then the client watches the
//! transport's progress.
//!
//! A Ping frame of the client has seven bytes: two of a head, four of a mask, one digit.

use crate::words::*;

/// Sends a message of so many bytes.
fn upload(bytes: usize) -> Command {
    Command::Feed("x".repeat(bytes).leak())
}

/// A scenario with 500 KB that the application sends just before the first ping.
fn uploading(about: &'static str) -> Scenario {
    scenario(about).at(seconds(30), upload(500_000))
}

pub(crate) fn a_long_upload_on_a_slow_link_is_not_death() -> Scenario {
    uploading("The kernel takes 500 KB at once and sends them at 60 KB a second. The pong comes 8.4 s after the hand-over.")
        .attempts([accepts_after(millis(20)).answers_pings(millis(8_400), PongStyle::Echo)])
        .until(seconds(59))
        .sees([gone(&[]), round_trips(&[Some(8_400)]), pings_at(&[30_020])])
}

pub(crate) fn a_peer_that_is_silent_after_an_upload_is_dead_once_a_slow_link_has_had_its_time()
-> Scenario {
    uploading("No pong comes after 500 KB. The peer is dead once the slowest link would have carried them.")
        .attempts([accepts_after(millis(20))])
        .until(millis(48_500))
        .sees([
            gone(&[(48_279, "pong_timeout")]),
            outcomes(&["sent on 1"]),
            pings_at(&[30_020]),
        ])
}

pub(crate) fn a_faster_slowest_link_gives_an_upload_less_time() -> Scenario {
    uploading("With a slowest link of 1 MiB a second, 500 KB extend the timeout by less than half a second.")
        .config(toml!["heartbeat.slowest_link = 1_048_576"])
        .attempts([accepts_after(millis(20))])
        .until(seconds(36))
        .sees([gone(&[(35_434, "pong_timeout")]), outcomes(&["sent on 1"])])
}

pub(crate) fn the_time_for_an_upload_is_bounded() -> Scenario {
    scenario("Two megabytes extend the timeout by thirty seconds. No upload extends it by more.")
        .at(seconds(30), upload(2_000_000))
        .attempts([accepts_after(millis(20))])
        .until(millis(65_500))
        .sees([gone(&[(65_020, "pong_timeout")]), outcomes(&["sent on 1"])])
}

pub(crate) fn a_pong_proves_the_upload_before_its_ping() -> Scenario {
    uploading("The ping behind the upload is answered. The next ping gets no time for that upload.")
        .attempts([accepts_after(millis(20)).polite().answers_pings_at_most(1)])
        .until(millis(65_500))
        .sees([
            gone(&[(65_020, "pong_timeout")]),
            round_trips(&[Some(20)]),
            outcomes(&["sent on 1"]),
        ])
}

pub(crate) fn a_ping_behind_a_long_upload_waits_its_turn_and_is_judged_from_its_hand_over()
-> Scenario {
    scenario("The socket takes 40 KB a second. The ping leaves 7.5 s after it was queued, and its timeout begins then.")
        .high_water(1 << 20)
        .attempts([accepts_after(millis(20))
            .takes(0)
            .answers_pings(millis(4_100), PongStyle::Echo)
            .then_each(millis(30_500), seconds(1), 20, |_| Deed::takes(40_000))])
        .at(millis(29_500), upload(300_000))
        .until(seconds(59))
        .sees([
            gone(&[]),
            round_trips(&[Some(11_600)]),
            pings_at(&[30_020]),
            outcomes(&["sent on 1"]),
        ])
}

pub(crate) fn a_peer_that_is_silent_after_a_hand_over_is_dead_by_its_timeout() -> Scenario {
    scenario("The socket takes the ping ten seconds after it was queued. The peer is dead five seconds after that.")
        .attempts([accepts_after(millis(20)).takes(0).then(seconds(40), Deed::takes_all())])
        .at(seconds(29), Command::Feed("before the ping"))
        .until(millis(45_500))
        .sees([
            peer_sees(1, &["40020: text before the ping", "40020: ping 1", "45020: aborted"]),
            gone(&[(45_020, "pong_timeout")]),
            outcomes(&["sent on 1"]),
        ])
}

pub(crate) fn a_peer_that_stops_reading_is_dead_by_write_stall() -> Scenario {
    scenario("A ping waits, and the transport takes no byte for an interval and a timeout. The peer is dead, and the message is safe to send again.")
        .config(toml!["reconnect.jitter = 'none'"])
        .attempts([accepts_after(millis(20)).takes(0), accepts_after(millis(20)).polite()])
        .at(seconds(29), Command::Feed("never taken"))
        .until(seconds(70))
        .sees([
            gone(&[(64_000, "write_stall")]),
            peer_sees(1, &["64000: aborted"]),
            outcomes(&["rejected: not written"]),
            ready_to_the_end_since(65_020),
        ])
}

pub(crate) fn a_peer_that_takes_a_byte_now_and_then_is_dead_in_the_end() -> Scenario {
    scenario("One byte a second is no stall and no sign of life. The ping may wait for the slowest link, the timeout and thirty seconds.")
        .attempts([accepts_after(millis(20)).takes(0).then_each(
            millis(500),
            seconds(1),
            300,
            |_| Deed::takes(1),
        )])
        .at(seconds(29), upload(1_000))
        .until(millis(65_400))
        .sees([
            gone(&[(65_049, "write_stall")]),
            pings_at(&[30_020]),
            outcomes(&["maybe sent on 1"]),
        ])
}

pub(crate) fn a_slow_peer_that_takes_an_upload_and_speaks_is_kept() -> Scenario {
    scenario("The peer takes a megabyte at 10 KB a second, which is longer than a ping may wait. It sends data meanwhile, so it is kept.")
        .high_water(2 << 20)
        .attempts([accepts_after(millis(20))
            .takes(0)
            .polite()
            .then_each(millis(500), seconds(1), 150, |_| {
                Deed::takes(10_000).and(Deed::text("progress"))
            })])
        .at(millis(29_900), upload(1_000_000))
        .until(seconds(140))
        .sees([gone(&[]), pings_at(&[30_020, 120_020]), outcomes(&["sent on 1"])])
}

pub(crate) fn no_ping_is_queued_behind_one_that_is_held() -> Scenario {
    scenario("No ping is sent while another is held. The schedule goes on after the hand-over.")
        .config(toml!["heartbeat.interval = '10s'", "heartbeat.timeout = '5s'"])
        .attempts([accepts_after(millis(20))
            .takes(0)
            .polite()
            .then_each(millis(1_500), seconds(4), 12, |_| Deed::text("news"))
            .then(seconds(43), Deed::takes_all())])
        .at(seconds(2), Command::Feed("before the ping"))
        .until(seconds(52))
        .sees([
            peer_sees(
                1,
                &["43020: text before the ping", "43020: ping 1", "50020: ping 2", "52000: gone"],
            ),
            round_trips(&[Some(33_020), Some(20)]),
        ])
}

pub(crate) fn a_ping_that_is_answered_counts_as_handed_over() -> Scenario {
    scenario("The transport passes the ping on and keeps a message behind it, so its flush does not end. The pong shows that the ping has left.")
        .attempts([accepts_after(millis(20))
            .takes(36)
            .buffers(1_000)
            .polite()
            .then(millis(31_000), Deed::takes(7))])
        .at(seconds(30), Command::Feed("a message of just thirty bytes"))
        .at(millis(30_030), Command::Feed("behind the ping"))
        .until(seconds(70))
        .sees([gone(&[]), round_trips(&[Some(1_020)]), pings_at(&[30_020, 60_020])])
}
