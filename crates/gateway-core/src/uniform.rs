//! The general form of a draw that does not depend on the previous delay.

use core::fmt;

use crate::backoff::Range;
use crate::thousandths;

/// A uniform draw around the delay without jitter, `capped`. [`Backoff`](crate::Backoff) explains
/// `capped`.
///
/// ```text
/// low  = max(initial, floor · capped)
/// high = min(3 · capped, ceiling · max)
/// ```
///
/// If the draw is clamped, each delay above `max` becomes `max`. That matters only if `ceiling` is
/// above 1. Many clients then draw exactly `max`, and those that lose their connections together
/// retry together.
///
/// Four cases have names: see [`Strategy`](crate::Strategy).
///
/// The text form is `uniform:FLOOR:CEILING`, with `:clamped` at the end if the draw is clamped.
///
/// ```
/// use gateway_core::{Strategy, Uniform};
///
/// let uniform = Uniform::parse("uniform:0.25:1.5:clamped").unwrap();
/// assert_eq!(Uniform::new(250, 1_500, true), Some(uniform));
/// assert_eq!(uniform.to_string(), "uniform:0.25:1.5:clamped");
///
/// let floored = Strategy::DecorrelatedFloored.uniform().unwrap();
/// assert_eq!(floored.to_string(), "uniform:0.5:1");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Uniform {
    floor: u16,
    ceiling: u16,
    is_clamped: bool,
}

impl Uniform {
    /// `decorrelated`.
    pub(crate) const CLAMPED: Self = Self { floor: 0, ceiling: 3_000, is_clamped: true };
    /// `decorrelated-smooth`.
    pub(crate) const SMOOTH: Self = Self { floor: 0, ceiling: 1_000, is_clamped: false };
    /// `decorrelated-floored`.
    pub(crate) const FLOORED: Self = Self { floor: 500, ceiling: 1_000, is_clamped: false };
    /// `decorrelated-unclamped`.
    pub(crate) const UNCLAMPED: Self = Self { floor: 0, ceiling: 3_000, is_clamped: false };

    /// Creates a draw. `floor` is 0 to 1,000 thousandths of `capped`, and `ceiling` is 1,000 to
    /// 3,000 thousandths of `max`. Returns `None` for any other number.
    #[must_use]
    pub const fn new(floor: u16, ceiling: u16, is_clamped: bool) -> Option<Self> {
        match (floor, ceiling) {
            (0..=1_000, 1_000..=3_000) => Some(Self { floor, ceiling, is_clamped }),
            _ => None,
        }
    }

    /// The shortest delay, in thousandths of the delay without jitter.
    #[must_use]
    pub const fn floor(self) -> u16 {
        self.floor
    }

    /// The longest delay before the clamp, in thousandths of the longest delay without jitter.
    #[must_use]
    pub const fn ceiling(self) -> u16 {
        self.ceiling
    }

    /// Whether a delay above the longest delay without jitter becomes that delay.
    #[must_use]
    pub const fn is_clamped(self) -> bool {
        self.is_clamped
    }

    /// Parses the text form, such as `uniform:0.5:1` or `uniform:0:3:clamped`, exactly. Returns
    /// `None` if a number has more than three digits after the point, not counting trailing zeros,
    /// or is out of range.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (floor, rest) = text.strip_prefix(PREFIX)?.split_once(':')?;
        let (ceiling, is_clamped) = match rest.split_once(':') {
            None => (rest, false),
            Some((ceiling, "clamped")) => (ceiling, true),
            Some(_) => return None,
        };
        let number = |text| u16::try_from(thousandths::parse(text)?).ok();
        Self::new(number(floor)?, number(ceiling)?, is_clamped)
    }

    /// The range of the draw, for spans in nanoseconds.
    pub(crate) fn range(self, initial: u64, capped: u64, max: u64) -> Range {
        let low = share(capped, self.floor).max(initial);
        let high = capped.saturating_mul(3).min(share(max, self.ceiling));
        let clamp = if self.is_clamped { max } else { u64::MAX };
        Range { low, high, clamp }
    }
}

/// `span · thousandths / 1000`, rounded down.
fn share(span: u64, thousandths: u16) -> u64 {
    let thousandths = u64::from(thousandths);
    let (whole, rest) = (span / 1_000, span % 1_000);
    whole.saturating_mul(thousandths).saturating_add(rest * thousandths / 1_000)
}

const PREFIX: &str = "uniform:";

impl fmt::Display for Uniform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(PREFIX)?;
        thousandths::write(f, self.floor.into())?;
        f.write_str(":")?;
        thousandths::write(f, self.ceiling.into())?;
        f.write_str(if self.is_clamped { ":clamped" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn a_uniform_is_read_and_written_exactly() {
        for (text, written) in [
            ("uniform:0.5:1", "uniform:0.5:1"),
            ("uniform:0:3:clamped", "uniform:0:3:clamped"),
            ("uniform:0.125:2.999", "uniform:0.125:2.999"),
            ("uniform:1.000:1.50", "uniform:1:1.5"),
        ] {
            let uniform = Uniform::parse(text).unwrap();
            assert_eq!(uniform.to_string(), written);
            assert_eq!(Uniform::parse(written), Some(uniform));
        }
    }

    #[test]
    fn a_uniform_out_of_its_limits_or_of_another_form_is_none() {
        for text in [
            "uniform",
            "uniform:",
            "uniform:0.5",
            "uniform::1",
            "uniform:0.5:",
            "uniform:1.001:1",
            "uniform:0.5:0.999",
            "uniform:0.5:3.001",
            "uniform:0.0005:1",
            "uniform:-0.5:1",
            "uniform:0.5:1:",
            "uniform:0.5:1:clamp",
            "uniform:0.5:1:clamped:",
            "uniform:0.5:66000",
            "Uniform:0.5:1",
            " uniform:0.5:1",
        ] {
            assert_eq!(Uniform::parse(text), None, "{text}");
        }
        assert_eq!(Uniform::new(1_001, 1_000, false), None);
        assert_eq!(Uniform::new(1_000, 999, false), None);
        assert_eq!(Uniform::new(0, 3_001, true), None);
    }

    #[test]
    fn a_share_is_exact_and_rounded_down() {
        for (span, thousandths, expected) in
            [(0, 500, 0), (3, 500, 1), (1_999, 999, 1_997), (1_000_000_007, 500, 500_000_003)]
        {
            assert_eq!(share(span, thousandths), expected);
        }
    }
}
