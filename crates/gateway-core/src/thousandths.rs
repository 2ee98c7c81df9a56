//! Decimals with at most three digits after the point, kept exactly as thousandths.

use core::fmt;

/// Parses a decimal such as `2`, `1.5` or `1.125`. Returns `None` if it has more than three digits
/// after the point, not counting trailing zeros, or does not fit in a `u32`.
pub(crate) fn parse(text: &str) -> Option<u32> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return None;
    }
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > 3 {
        return None;
    }
    let scale = [1_000, 100, 10, 1][fraction.len()];
    let thousandths = if fraction.is_empty() { 0 } else { fraction.parse::<u32>().ok()? * scale };
    let whole = whole.parse::<u32>().ok()?.checked_mul(1_000)?;
    whole.checked_add(thousandths)
}

/// Writes thousandths as a decimal without trailing zeros.
pub(crate) fn write(f: &mut fmt::Formatter<'_>, thousandths: u32) -> fmt::Result {
    let (whole, fraction) = (thousandths / 1_000, thousandths % 1_000);
    if fraction == 0 {
        return write!(f, "{whole}");
    }
    let text = arrayvec::ArrayString::<3>::try_from(format_args!("{fraction:03}"))
        .map_err(|_| fmt::Error)?;
    write!(f, "{whole}.{}", text.trim_end_matches('0'))
}
