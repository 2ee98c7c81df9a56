//! Time from outside: instants that stop at both ends, and spans as a configuration writes them.

use core::time::Duration;

use gateway_core::{Instant, format_duration, parse_duration};

#[test]
fn instants_are_nanoseconds_that_stop_at_both_ends() {
    let at = Instant::from_nanos(5_000_000_123);
    assert_eq!(at.as_nanos(), 5_000_000_123);
    assert_eq!(at.saturating_sub(Duration::from_secs(2)), Instant::from_nanos(3_000_000_123));
    assert_eq!(at.saturating_sub(Duration::from_secs(6)), Instant::ZERO);
    assert_eq!(at.saturating_add(Duration::MAX), Instant::MAX);
}

#[test]
fn a_span_is_read_in_every_unit_and_written_in_the_largest_that_divides_it() {
    for (text, millis) in [
        ("0", 0),
        ("7", 7),
        ("7ms", 7),
        (" 7 s ", 7_000),
        ("7m", 420_000),
        ("7h", 25_200_000),
        ("7d", 604_800_000),
    ] {
        assert_eq!(parse_duration(text), Some(Duration::from_millis(millis)), "{text}");
    }
    for text in ["", "s", "1.5s", "-1s", "7w", "7 7", "18446744073709551615s"] {
        assert_eq!(parse_duration(text), None, "{text}");
    }
    for (millis, text) in [
        (0, "0ms"),
        (1_500, "1500ms"),
        (90_000, "90s"),
        (420_000, "7m"),
        (25_200_000, "7h"),
        (604_800_000, "7d"),
    ] {
        assert_eq!(format_duration(Duration::from_millis(millis)), text);
    }
    assert_eq!(format_duration(Duration::from_nanos(1_500)), "1.5µs");
}
