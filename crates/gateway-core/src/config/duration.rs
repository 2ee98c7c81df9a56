//! Spans as a configuration writes them: `500ms`, `30s`, `5m`, `2h`, `1d`, or a number of
//! milliseconds.

use alloc::string::String;
use core::time::Duration;

use crate::time::whole_millis;

/// Parses a span: a whole number and a unit (`ms`, `s`, `m`, `h`, `d`), or a bare number of
/// milliseconds.
///
/// Returns `None` for anything else, such as a fraction, or more milliseconds than a `u64` holds.
///
/// ```
/// use core::time::Duration;
/// use gateway_core::parse_duration;
/// assert_eq!(parse_duration("30s"), Some(Duration::from_secs(30)));
/// assert_eq!(parse_duration("250"), Some(Duration::from_millis(250)));
/// assert_eq!(parse_duration("1.5s"), None);
/// ```
#[must_use]
pub fn parse_duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit_millis: u64 = match unit.trim_start() {
        "" | "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    let millis = number.parse::<u64>().ok()?.checked_mul(unit_millis)?;
    Some(Duration::from_millis(millis))
}

/// Writes a span as a configuration does, in the largest unit that divides it. A span that is not a
/// whole number of milliseconds is written as its `Debug` shows it.
///
/// ```
/// use core::time::Duration;
/// use gateway_core::format_duration;
/// assert_eq!(format_duration(Duration::from_secs(90)), "90s");
/// assert_eq!(format_duration(Duration::from_secs(300)), "5m");
/// ```
#[must_use]
pub fn format_duration(span: Duration) -> String {
    if whole_millis(span) != span {
        return alloc::format!("{span:?}");
    }
    let millis = span.as_millis();
    let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")];
    for (unit, name) in units {
        if millis > 0 && millis.is_multiple_of(unit) {
            return alloc::format!("{}{name}", millis / unit);
        }
    }
    alloc::format!("{millis}ms")
}
