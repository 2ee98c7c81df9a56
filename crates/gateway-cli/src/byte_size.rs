//! A number of bytes as people write it: `64KiB`, `1MiB`, or a bare number.

use std::{fmt, str::FromStr};

use thiserror::Error;

const UNITS: [(&str, usize); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// A size in bytes, at least 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ByteSize(usize);

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum ByteSizeError {
    #[error("expected a whole number of bytes, optionally with KiB, MiB or GiB")]
    NotASize,
    #[error("the minimum size is 1 byte")]
    Zero,
    #[error("the size is too large for this machine")]
    TooLarge,
}

impl ByteSize {
    pub(crate) const ONE_MEBIBYTE: Self = Self(1 << 20);

    pub(crate) fn bytes(self) -> usize {
        self.0
    }
}

impl FromStr for ByteSize {
    type Err = ByteSizeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (digits, factor) = UNITS
            .iter()
            .find_map(|(unit, factor)| Some((text.strip_suffix(unit)?.trim_end(), *factor)))
            .unwrap_or((text, 1));
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(ByteSizeError::NotASize);
        }
        // Digits alone fail to parse only where the number is too large.
        let count: usize = digits.parse().map_err(|_| ByteSizeError::TooLarge)?;
        match count.checked_mul(factor) {
            Some(0) => Err(ByteSizeError::Zero),
            Some(bytes) => Ok(Self(bytes)),
            None => Err(ByteSizeError::TooLarge),
        }
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, factor) = UNITS
            .into_iter()
            .find(|(_, factor)| self.0.is_multiple_of(*factor))
            .unwrap_or(("B", 1));
        write!(formatter, "{}{unit}", self.0 / factor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_and_without_a_unit() {
        assert_eq!("1MiB".parse(), Ok(ByteSize::ONE_MEBIBYTE));
        assert_eq!("64 KiB".parse(), Ok(ByteSize(65_536)));
        assert_eq!("7".parse(), Ok(ByteSize(7)));
        assert_eq!("7B".parse(), Ok(ByteSize(7)));
    }

    #[test]
    fn what_is_no_size_is_refused_with_its_reason() {
        for text in ["", "MiB", "-1", "+1", "1.5MiB", "1MB", "ä"] {
            assert_eq!(text.parse::<ByteSize>(), Err(ByteSizeError::NotASize), "{text}");
        }
        assert_eq!("0KiB".parse::<ByteSize>(), Err(ByteSizeError::Zero));
        assert_eq!("99999999999999999999".parse::<ByteSize>(), Err(ByteSizeError::TooLarge));
        assert_eq!("18446744073709551615GiB".parse::<ByteSize>(), Err(ByteSizeError::TooLarge));
    }

    #[test]
    fn a_size_is_shown_in_its_largest_whole_unit() {
        assert_eq!(ByteSize::ONE_MEBIBYTE.to_string(), "1MiB");
        assert_eq!(ByteSize(1_500).to_string(), "1500B");
    }
}
