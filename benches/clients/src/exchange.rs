//! Numbered texts: what is sent, and what must come back, byte for byte and in order.
//!
//! Ten digits, a space, then filler, as the server's `go` makes them too. Both sides hold the one text that is due and
//! count it up in place, so that making one and checking one cost next to nothing, and the same for every peer.

use anyhow::{Result, bail};

/// The digits of a number.
const DIGITS: usize = 10;

/// The shortest text: digits, a space, and some filler.
pub(crate) const LEAST: i64 = 16;

/// The text that is due, of a sequence that begins with number 0.
#[derive(Clone, Debug)]
pub(crate) struct Texts {
    due: Vec<u8>,
}

impl Texts {
    /// Texts of so many bytes each: at least [`LEAST`].
    pub(crate) fn new(bytes: u32) -> Self {
        let length = bytes as usize;
        let mut due = vec![b'x'; length];
        due[..DIGITS].fill(b'0');
        due[DIGITS] = b' ';
        Self { due }
    }

    /// The text that is due.
    pub(crate) fn due(&self) -> &str {
        std::str::from_utf8(&self.due).expect("digits, a space and filler are ASCII")
    }

    /// Goes on to the next number.
    pub(crate) fn advance(&mut self) {
        for digit in self.due[..DIGITS].iter_mut().rev() {
            if *digit != b'9' {
                *digit += 1;
                return;
            }
            *digit = b'0';
        }
    }
}

/// Checks that each text comes once, whole, and in its turn.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    texts: Texts,
}

impl Seen {
    /// Nothing was seen; texts of so many bytes will be.
    pub(crate) fn new(bytes: u32) -> Self {
        Self { texts: Texts::new(bytes) }
    }

    /// Takes what came.
    ///
    /// # Errors
    /// It is not the text that is due: what it is instead.
    pub(crate) fn take(&mut self, came: &[u8]) -> Result<()> {
        if came != self.texts.due {
            return self.complain(came);
        }
        self.texts.advance();
        Ok(())
    }

    #[cold]
    fn complain(&self, came: &[u8]) -> Result<()> {
        let due = &self.texts.due;
        let shown = String::from_utf8_lossy(&came[..came.len().min(48)]);
        if came.len() != due.len() {
            bail!("altered: {} bytes came where {} were due: {shown:?}", came.len(), due.len());
        }
        let (number, filler) = came.split_at(DIGITS);
        if filler != &due[DIGITS..] || !number.iter().all(u8::is_ascii_digit) {
            bail!("altered: {shown:?} came where {:?} was due", self.due_number());
        }
        let number = String::from_utf8_lossy(number);
        // As many digits each: their order is that of the numbers.
        if *number < *self.due_number() {
            bail!("doubled: number {number} came again where {} was due", self.due_number());
        }
        bail!("missing: number {} was due, {number} came", self.due_number());
    }

    /// The texts that are due from here on.
    pub(crate) const fn texts(&self) -> &Texts {
        &self.texts
    }

    fn due_number(&self) -> &str {
        &self.texts.due()[..DIGITS]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: u32 = 32;

    /// The texts with these numbers.
    fn texts(numbers: &[u32]) -> Vec<Vec<u8>> {
        let length = BYTES as usize - DIGITS - 1;
        numbers.iter().map(|n| format!("{n:010} {}", "x".repeat(length)).into_bytes()).collect()
    }

    /// What is said of them, when they come in this order.
    fn told(came: &[Vec<u8>]) -> String {
        let mut seen = Seen::new(BYTES);
        came.iter()
            .find_map(|text| seen.take(text).err())
            .map_or_else(String::new, |error| error.to_string())
    }

    #[test]
    fn texts_are_numbered_from_zero_in_the_servers_form() {
        let mut made = Texts::new(BYTES);
        for text in texts(&(0..1_200).collect::<Vec<_>>()) {
            assert_eq!(made.due().as_bytes(), text);
            made.advance();
        }
    }

    #[test]
    fn all_in_order_is_right() {
        assert_eq!(told(&texts(&(0..1_200).collect::<Vec<_>>())), "");
    }

    #[test]
    fn a_missing_one_is_told() {
        assert_eq!(told(&texts(&[0, 1, 3])), "missing: number 0000000002 was due, 0000000003 came");
    }

    #[test]
    fn a_doubled_one_is_told() {
        let said = "doubled: number 0000000001 came again where 0000000002 was due";
        assert_eq!(told(&texts(&[0, 1, 1])), said);
    }

    #[test]
    fn two_out_of_order_are_told_at_the_first() {
        assert_eq!(told(&texts(&[0, 2, 1])), "missing: number 0000000001 was due, 0000000002 came");
    }

    #[test]
    fn an_altered_byte_is_told_wherever_it_is() {
        for at in 0..BYTES as usize {
            let mut came = texts(&[0]);
            came[0][at] = b'!';
            assert!(told(&came).starts_with("altered"), "byte {at}: {:?}", told(&came));
        }
    }

    #[test]
    fn a_cut_or_a_longer_one_is_told() {
        let mut came = texts(&[0]);
        came[0].pop();
        assert!(told(&came).starts_with("altered: 31 bytes"));
        came[0].extend(b"xx");
        assert!(told(&came).starts_with("altered: 33 bytes"));
        assert!(told(&[Vec::new()]).starts_with("altered: 0 bytes"));
    }
}
