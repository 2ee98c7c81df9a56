//! An application that takes no messages. Pings are sent on schedule, and only their timeouts pause.

use crate::words::*;

pub(crate) fn pings_go_out_while_the_application_does_not_read() -> Scenario {
    scenario(
        "The application takes no message for forty seconds. The server still gets a ping every ten.",
    )
    .config(toml!["heartbeat.interval = '10s'", "heartbeat.timeout = '5s'"])
    .attempts([accepts_after(millis(20)).polite()])
    .at(seconds(5), Command::PauseReading)
    .at(seconds(45), Command::ResumeReading)
    .until(seconds(52))
    .sees([
        peer_sees(
            1,
            &[
                "10020: ping 1",
                "20020: ping 2",
                "30020: ping 3",
                "40020: ping 4",
                "50020: ping 5",
                "52000: gone",
            ],
        ),
        round_trips(&[Some(34_980), Some(24_980), Some(14_980), Some(4_980), Some(20)]),
        gone(&[]),
    ])
}

pub(crate) fn judgements_restart_in_full_when_reading_resumes() -> Scenario {
    scenario(
        "Nothing has arrived when reading resumes. The peer gets a whole timeout from then on.",
    )
    .config(toml!["heartbeat.interval = '10s'", "heartbeat.timeout = '5s'"])
    .attempts([accepts_after(millis(20))])
    .at(seconds(5), Command::PauseReading)
    .at(seconds(42), Command::ResumeReading)
    .until(millis(47_500))
    .sees([pings_at(&[10_020, 20_020, 30_020, 40_020]), gone(&[(47_000, "pong_timeout")])])
}

pub(crate) fn what_came_while_reading_was_paused_is_a_sign_of_life_after_the_resume() -> Scenario {
    scenario("A message arrived during the pause. It is delivered at the resume and counts as life until the next ping.")
        .config(toml!["heartbeat.interval = '10s'", "heartbeat.timeout = '5s'"])
        .attempts([accepts_after(millis(20)).then(seconds(31), Deed::text("unread"))])
        .at(seconds(5), Command::PauseReading)
        .at(seconds(42), Command::ResumeReading)
        .until(millis(55_500))
        .sees([
            delivers(&[(42_000, "unread")]),
            pings_at(&[10_020, 20_020, 30_020, 40_020, 50_020]),
            gone(&[(55_020, "pong_timeout")]),
        ])
}

pub(crate) fn the_watch_over_data_waits_while_the_application_does_not_read() -> Scenario {
    scenario(
        "Data is not missed during a pause. The data timeout starts again when reading resumes.",
    )
    .config(toml!["heartbeat.kind = 'off'", "data_timeout = '20s'"])
    .attempts([accepts_after(millis(20))])
    .at(seconds(5), Command::PauseReading)
    .at(seconds(100), Command::ResumeReading)
    .until(millis(120_500))
    .sees([gone(&[(120_000, "data_timeout")])])
}

pub(crate) fn a_write_stall_is_judged_only_after_reading_resumes() -> Scenario {
    scenario("The peer takes no byte and the application reads none. The peer is dead an interval and a timeout after the resume.")
        .config(toml!["heartbeat.interval = '10s'", "heartbeat.timeout = '5s'"])
        .attempts([accepts_after(millis(20)).takes(0)])
        .at(seconds(1), Command::Feed("never taken"))
        .at(seconds(2), Command::PauseReading)
        .at(seconds(60), Command::ResumeReading)
        .until(millis(75_500))
        .sees([
            pings_at(&[10_020]),
            gone(&[(75_000, "write_stall")]),
            outcomes(&["rejected: not written"]),
        ])
}

pub(crate) fn a_login_is_read_while_the_application_takes_no_messages() -> Scenario {
    scenario("The login has a deadline, so its answer is read during a pause. Reading stops once the login is accepted.")
        .config(toml![
            "login.send = 'open sesame'",
            "login.accepted = '/type=welcome'",
            "heartbeat.interval = '10s'",
            "heartbeat.timeout = '5s'",
        ])
        .attempts([accepts_after(millis(20)).on_text(
            "open sesame",
            seconds(4),
            Deed::text(r#"{"type":"welcome"}"#),
        )])
        .at(seconds(1), Command::PauseReading)
        .at(seconds(30), Command::ResumeReading)
        .until(millis(35_500))
        .sees([
            ready_at(&[4_020]),
            pings_at(&[14_020, 24_020, 34_020]),
            gone(&[(35_000, "pong_timeout")]),
        ])
}
