//! A retry budget that the connection shares with others: it allows one open in twenty seconds.

use core::time::Duration;

use crate::words::*;

const ONE_IN_20_S: RetryBudget = RetryBudget::new(1, Duration::from_secs(20));

pub(crate) fn a_retry_waits_for_the_shared_budget() -> Scenario {
    scenario(
        "The socket is lost, and the backoff's delay is over long before the budget has an open.",
    )
    .config(toml!["reconnect.jitter = 'none'", "connect_timeout = '1s'"])
    .budget(ONE_IN_20_S)
    .attempts([
        accepts_after(millis(20)).then(seconds(4), Deed::reset()),
        accepts_after(millis(30)).polite(),
    ])
    .until(seconds(40))
    .sees([
        opens_at(&[0, 20_000]),
        gone(&[(4_020, "lost reset")]),
        because(&["budget"]),
        retries(&[1]),
        delays(&[15_980]),
        ready_to_the_end_since(20_030),
    ])
}

pub(crate) fn a_retry_that_the_shared_budget_allows_keeps_its_delay() -> Scenario {
    scenario("The backoff's delay is over after the budget's next open.")
        .config(toml!["reconnect.jitter = 'none'"])
        .budget(ONE_IN_20_S)
        .attempts([
            accepts_after(millis(20)).then(seconds(25), Deed::reset()),
            accepts_after(millis(30)).polite(),
        ])
        .until(seconds(40))
        .sees([
            opens_at(&[0, 26_020]),
            because(&["backoff"]),
            delays(&[1_000]),
            ready_to_the_end_since(26_050),
        ])
}

pub(crate) fn a_connect_request_waits_for_the_shared_budget() -> Scenario {
    scenario("The application closes and connects again. The budget has no open yet, and what was reserved for a close is given back.")
        .config(toml!["reconnect.jitter = 'none'"])
        .budget(ONE_IN_20_S)
        .attempts([accepts_after(millis(20)).polite(), accepts_after(millis(30)).polite()])
        .at(seconds(5), Command::Close { code: 1000, reason: "" })
        .at(seconds(6), Command::Connect)
        .at(seconds(7), Command::Close { code: 1000, reason: "" })
        .at(seconds(8), Command::Connect)
        .until(seconds(40))
        .sees([
            opens_at(&[0, 20_000]),
            because(&["budget", "budget"]),
            delays(&[14_000, 12_000]),
            ready_to_the_end_since(20_030),
        ])
}
