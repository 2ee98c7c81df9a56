//! Delays between attempts: what makes them grow, and what alone resets them.

use crate::words::*;

pub(crate) fn accept_then_drop_keeps_growing_the_delay() -> Scenario {
    scenario("A server that accepts and then drops is no success: an open socket resets nothing.")
        .answers(&["https://github.com/pladaria/reconnecting-websocket/issues/200"])
        .config("reconnect.jitter = 'none'\nheartbeat.kind = 'off'")
        .attempts([accepts_after(millis(20)).then(millis(30), Deed::reset())])
        .sees([
            opens_at(&[0, 1_050, 3_100, 7_150, 15_200, 31_250]),
            delays(&[1_000, 2_000, 4_000, 8_000, 16_000, 30_000]),
            retries(&[1, 2, 3, 4, 5, 6]),
            never_gives_up(),
        ])
}
