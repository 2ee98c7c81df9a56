//! Bytes as hexadecimal digits.

/// Parses pairs of digits. Returns `None` if there are none, or for anything else.
pub(crate) fn parse(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2);
    let value =
        |digit: &u8| char::from(*digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let byte = |pair: &[u8]| match pair {
        [high, low] => Some(value(high)? << 4 | value(low)?),
        _ => None,
    };
    pairs.map(byte).collect::<Option<Vec<_>>>().filter(|bytes| !bytes.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_of_digits_are_bytes() {
        assert_eq!(parse("c0Ff00"), Some(vec![0xc0, 0xff, 0]));
        for wrong in ["", "c", "c0f", "0x", "c0 00", "é"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
