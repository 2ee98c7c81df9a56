//! An idle blocking client sleeps. It wakes only for its own deadlines and for the peer's bytes.

use std::time::Duration;

use gateway_testkit::scenario;
use gateway_testkit::script::{PongStyle, accepts_after, millis};
use gateway_tests::{run_on_std_and_count, serve};

use super::at_rest;

#[test]
fn an_idle_hour_with_a_heartbeat_of_30_s_has_four_wake_ups_a_minute() {
    let polite = accepts_after(millis(20)).answers_pings(millis(20), PongStyle::Echo);
    let hour = scenario("A client that has nothing to do but its heartbeat.")
        .attempts([polite])
        .until(Duration::from_secs(3_600));

    let (run, wakeups) = run_on_std_and_count(&hour);

    // Two pings a minute, and their two pongs. One more is the opening, one the end of the hour.
    assert!(wakeups <= 4 * 60 + 2, "{wakeups}");
    assert_eq!(run.state(), gateway_std::core::ConnectionState::Connected);
}

#[test]
fn on_a_real_socket_nothing_wakes_an_idle_client_but_the_time_it_was_given() {
    let server = serve(async |listener| listener.peer().await.echo().await);
    let mut client = at_rest(&server.url);
    let before = client.wakeups();

    for _ in 0..20 {
        let nothing = client.recv_timeout(Duration::from_millis(5));
        assert!(nothing.is_err(), "{nothing:?}");
    }

    // A wait may end a moment too soon, and is then begun again.
    let woken = client.wakeups() - before;
    assert!((20..=40).contains(&woken), "{woken}");
}
