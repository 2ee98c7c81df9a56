//! Text of a peer's, made fit for a line of a log.

/// The text with its control characters (C0, DEL and C1) escaped as in Rust: a line end becomes
/// `\n`, an escape `\u{1b}`.
pub(crate) fn escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            control if control.is_control() => shown.extend(control.escape_default()),
            other => shown.push(other),
        }
    }
    shown
}
