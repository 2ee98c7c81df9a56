//! Numbers and texts as all results show them.

use std::time::Duration;

/// A text without control characters, which a terminal would execute.
pub(super) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_control() { plain.extend(letter.escape_default()) } else { plain.push(letter) }
    }
    plain
}

/// Seconds with at most one decimal: `45.3 s`, `100 s`.
pub(super) fn seconds(span: Duration) -> String {
    let tenths = (span.as_millis() + 50) / 100;
    match tenths % 10 {
        0 => format!("{} s", tenths / 10),
        tenth => format!("{}.{tenth} s", tenths / 10),
    }
}

/// Like [`seconds`], of milliseconds.
pub(super) fn seconds_of(millis: u64) -> String {
    seconds(Duration::from_millis(millis))
}

/// A time that may not have been reached.
pub(super) fn reached(millis: Option<u64>) -> String {
    millis.map_or_else(|| "–".to_owned(), seconds_of)
}

/// A share as percent with one decimal.
pub(super) fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// A number with a comma between thousands.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A word for a shell.
pub(super) fn quoted(word: &str) -> String {
    let is_safe = |letter: char| letter.is_ascii_alphanumeric() || "-_./,:=%+@".contains(letter);
    if !word.is_empty() && word.chars().all(is_safe) {
        return word.to_owned();
    }
    format!("'{}'", plain(word).replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(plain("a\u{1b}[31m\nb\u{9b}"), "a\\u{1b}[31m\\nb\\u{9b}");
    }

    #[test]
    fn seconds_are_rounded_to_tenths() {
        for (millis, text) in [(45_250, "45.3 s"), (100_000, "100 s"), (49, "0 s"), (60, "0.1 s")] {
            assert_eq!(seconds_of(millis), text);
        }
    }

    #[test]
    fn thousands_are_grouped() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn words_for_a_shell_are_quoted_where_needed() {
        assert_eq!(quoted("a-b.toml"), "a-b.toml");
        assert_eq!(quoted("it's $HOME"), r"'it'\''s $HOME'");
    }
}
