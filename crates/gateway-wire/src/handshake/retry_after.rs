//! The `Retry-After` of an answer (RFC 9110 section 10.2.3).

use std::time::{Duration, SystemTime};

use gateway_core::{RetryAfter, UnixMillis};

use super::head::Head;

/// Parses the value of a `Retry-After` header (RFC 9110 section 10.2.3): a number of seconds of any
/// size, or an HTTP date. Returns `None` for anything else.
#[must_use]
pub fn parse_retry_after(value: &str) -> Option<RetryAfter> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(RetryAfter::Seconds(value.parse().unwrap_or(u64::MAX)));
    }
    parse_date(value).map(RetryAfter::Date)
}

/// Returns the delay that the answer asks for. If it is a date, the delay counts from the answer's
/// own `Date`, because the two clocks may differ. Without a `Date`, the core counts from the local
/// clock.
pub(super) fn of(head: &Head<'_>) -> Option<RetryAfter> {
    let retry_after = head.value("Retry-After").and_then(parse_retry_after)?;
    let now = head.value("Date").and_then(parse_date);
    Some(match (retry_after, now) {
        (RetryAfter::Date(at), Some(now)) => {
            RetryAfter::Seconds(at.saturating_duration_since(now).as_secs())
        }
        (retry_after, _) => retry_after,
    })
}

fn parse_date(value: &str) -> Option<UnixMillis> {
    let date = httpdate::parse_http_date(value.trim()).ok()?;
    let since_epoch = date.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Some(UnixMillis(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)))
}
