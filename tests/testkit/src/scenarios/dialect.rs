//! A dialect that greets, logs in, pings, leaves and says goodbye.

use gateway_core::{CloseCode, Dialect, Duties, Exchange, Interest, Message, Received, Verdict};

use crate::scenario::Spoken;
use crate::words::*;

/// A server that greets with an interval in milliseconds, wants to know who we are, and answers `h` with
/// `h!`. It may say `go away` or `never come back`.
struct Greeted;

impl Dialect for Greeted {
    fn duties(&self) -> Duties {
        Duties::NONE.with_heartbeat().with_login(seconds(5))
    }

    fn interest(&self) -> Interest {
        Interest::TEXT
    }

    fn received(&mut self, message: Message<'_>, exchange: &mut Exchange<'_>) -> Received {
        let Message::Text(text) = message else { return Received::Deliver };
        match text.split_once(' ').unwrap_or((text, "")) {
            ("hello", interval) => {
                let interval = interval.parse().unwrap_or(0);
                exchange.set_heartbeat(millis(interval), None);
                exchange.send_text("identify");
            }
            ("welcome", _) => exchange.login_accepted(),
            ("h!", stamp) => exchange.pong(stamp.parse().ok()),
            ("go", _) => {
                let verdict = Verdict::RetryNoSoonerThan(seconds(10));
                exchange.leave(CloseCode::NORMAL, verdict, "sent away");
            }
            ("never", _) => exchange.leave(CloseCode::NORMAL, Verdict::Fatal, "banned"),
            _ => return Received::Deliver,
        }
        Received::Consume
    }

    fn heartbeat(&mut self, exchange: &mut Exchange<'_>) {
        exchange.stamp(7);
        exchange.send_text("h");
    }

    fn closing(&mut self, exchange: &mut Exchange<'_>) {
        exchange.send_text("bye");
    }
}

/// A server that sends a `2` every few seconds, and wants a `3`.
struct Pinged;

impl Dialect for Pinged {
    fn interest(&self) -> Interest {
        Interest::texts_up_to(1)
    }

    fn opened(&mut self, exchange: &mut Exchange<'_>) {
        exchange.send_binary(&[1, 2]);
        exchange.expect_within(seconds(6));
    }

    fn received(&mut self, message: Message<'_>, exchange: &mut Exchange<'_>) -> Received {
        if message != Message::Text("2") {
            return Received::Deliver;
        }
        exchange.send_text("3");
        Received::Consume
    }
}

fn greeted() -> Spoken {
    Box::new(Greeted)
}

fn pinged() -> Spoken {
    Box::new(Pinged)
}

/// A peer that greets with this text, and answers.
fn greets(hello: &str) -> Attempt {
    accepts_after(millis(20))
        .then(millis(30), Deed::text(hello))
        .on_text("identify", millis(40), Deed::text("welcome"))
        .on_text("h", millis(15), Deed::text("h! 7"))
        .answers_close(millis(20))
}

pub(crate) fn a_dialect_logs_in_and_pings_at_the_interval_that_the_server_names() -> Scenario {
    scenario("The server greets with an interval and asks who we are. Its answers belong to the dialect.")
        .config(toml!["heartbeat.timeout = '1s'"])
        .dialect(greeted)
        .attempts([greets("hello 4000").then(seconds(2), Deed::text("news"))])
        .at(seconds(1), Command::Send("a message"))
        .at(seconds(11), CLOSE)
        .until(seconds(12))
        .sees([
            passes(&[Connecting, Connected, Authenticated, Closing, Closed]),
            ready_at(&[90]),
            pings_at(&[4_090, 8_090]),
            round_trips(&[Some(15), Some(15)]),
            delivers(&[(2_020, "news")]),
            peer_sees(
                1,
                &[
                    "50: text identify",
                    "1000: text a message",
                    "4090: text h",
                    "8090: text h",
                    "11000: text bye",
                    "11000: close 1000",
                    "11020: gone",
                ],
            ),
        ])
}

pub(crate) fn a_peer_that_no_longer_answers_a_dialects_pings_is_dead() -> Scenario {
    scenario("The server answers no ping of the dialect. The socket is reset, and the next one pings at its own interval.")
        .config(toml!["heartbeat.timeout = '1s'", "reconnect.jitter = 'none'"])
        .dialect(greeted)
        .attempts([
            greets("hello 4000").on_text("nothing", millis(1), Deed::end()).then(seconds(5), Deed::end()),
            accepts_after(millis(20))
                .then(millis(30), Deed::text("hello 2000"))
                .on_text("identify", millis(40), Deed::text("welcome")),
        ])
        .until(seconds(12))
        .sees([
            gone(&[(5_020, "lost eof"), (9_110, "pong_timeout")]),
            pings_at(&[4_090, 8_110]),
        ])
}

pub(crate) fn a_dialect_that_leaves_is_retried_as_its_verdict_says() -> Scenario {
    scenario("The server sends us away for a while, and then for good. The dialect leaves with its own code.")
        .config(toml!["reconnect.jitter = 'none'"])
        .dialect(greeted)
        .attempts([
            greets("hello 4000").then(seconds(2), Deed::text("go away")),
            greets("hello 4000").then(seconds(1), Deed::text("never come back")),
        ])
        .until(seconds(30))
        .sees([
            gone_for(&["dialect", "dialect"]),
            because(&["policy"]),
            delays_within(&[(10_000, 12_000)]),
            gives_up("dialect"),
            peer_sees(
                1,
                &["50: text identify", "2020: close 1000", "2020: gone"],
            ),
        ])
}

pub(crate) fn an_interval_of_zero_is_ignored() -> Scenario {
    scenario("The greeting names no interval. The configured one stays.")
        .config(toml!["heartbeat.interval = '3s'", "heartbeat.timeout = '1s'"])
        .dialect(greeted)
        .attempts([greets("hello").then(seconds(5), Deed::text("hello 0"))])
        .until(seconds(8))
        .sees([pings_at(&[3_090, 6_090]), ready_at(&[90])])
}

pub(crate) fn a_server_that_should_ping_and_is_silent_is_dead() -> Scenario {
    scenario("The server does the pinging. When it stops, the connection is reset after the time that the dialect expects.")
        .config(toml!["heartbeat.kind = 'off'", "reconnect.jitter = 'none'"])
        .dialect(pinged)
        .attempts([accepts_after(millis(20)).then_each(seconds(4), seconds(4), 3, |_| Deed::text("2"))])
        .until(seconds(19))
        .sees([
            gone(&[(18_020, "pong_timeout")]),
            peer_sees(
                1,
                &[
                    "20: binary \\x01\\x02",
                    "4020: text 3",
                    "8020: text 3",
                    "12020: text 3",
                    "18020: aborted",
                ],
            ),
            delivers(&[]),
        ])
}
