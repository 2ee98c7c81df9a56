//! Numbered texts: what is sent, and what must come back, byte for byte and in order.
//!
//! Ten digits, a space, then filler, as the server's `go` makes them too. Both sides hold the one text that is due and
//! count it up in place, so that making one and checking one cost next to nothing, and the same for every peer.
//!
//! Large ones have the number in each block of 4 KiB, and no two places nearby have the same filler. A piece that
//! belongs elsewhere in the text, or to another text, is then seen, too.

use anyhow::{Result, bail};

/// The digits of a number.
const DIGITS: usize = 10;

/// The shortest text: digits, a space, and some filler.
pub(crate) const LEAST: i64 = 16;

/// A large text repeats its number at each multiple of this.
const BLOCK: usize = 4096;

/// The filler of a large text repeats after so many bytes. A prime, so that no two blocks near each other are alike.
const PERIOD: usize = 23;

/// The text that is due, of a sequence that begins with number 0.
#[derive(Clone, Debug)]
pub(crate) struct Texts {
    number: [u8; DIGITS],
    due: Due,
}

#[derive(Clone, Debug)]
enum Due {
    /// Digits are changed in place, and the bytes shown as a string when it is sent.
    Short(Vec<u8>),
    /// A string for good: to look for wrong UTF-8 in so many bytes would take as long as to mask them.
    Large(String),
}

impl Texts {
    /// Texts of so many bytes each: at least [`LEAST`].
    pub(crate) fn new(bytes: u32) -> Self {
        let mut due = vec![b'x'; bytes as usize];
        due[DIGITS] = b' ';
        Self::beginning(Due::Short(due))
    }

    /// Large texts of so many bytes each: at least [`LEAST`].
    pub(crate) fn large(bytes: u32) -> Self {
        let filler = (0..bytes as usize).map(|place| char::from(b'a' + (place % PERIOD) as u8));
        let mut due: String = filler.collect();
        due.replace_range(DIGITS..=DIGITS, " ");
        Self::beginning(Due::Large(due))
    }

    fn beginning(due: Due) -> Self {
        let mut texts = Self { number: [b'0'; DIGITS], due };
        texts.write_number();
        texts
    }

    /// The length of each.
    pub(crate) const fn bytes(&self) -> u32 {
        match &self.due {
            Due::Short(due) => due.len() as u32,
            Due::Large(due) => due.len() as u32,
        }
    }

    /// The text that is due.
    pub(crate) fn due(&self) -> &str {
        match &self.due {
            Due::Short(due) => ascii(due),
            Due::Large(due) => due,
        }
    }

    fn as_bytes(&self) -> &[u8] {
        match &self.due {
            Due::Short(due) => due,
            Due::Large(due) => due.as_bytes(),
        }
    }

    /// Goes on to the next number.
    pub(crate) fn advance(&mut self) {
        for digit in self.number.iter_mut().rev() {
            if *digit != b'9' {
                *digit += 1;
                break;
            }
            *digit = b'0';
        }
        self.write_number();
    }

    fn write_number(&mut self) {
        match &mut self.due {
            Due::Short(due) => due[..DIGITS].copy_from_slice(&self.number),
            Due::Large(due) => {
                for start in (0..=due.len() - DIGITS).step_by(BLOCK) {
                    due.replace_range(start..start + DIGITS, ascii(&self.number));
                }
            }
        }
    }

    /// The text of this sequence with this number.
    fn numbered(&self, number: [u8; DIGITS]) -> Self {
        let mut texts = Self { number, ..self.clone() };
        texts.write_number();
        texts
    }
}

fn ascii(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("digits, a space and filler are ASCII")
}

/// Checks that each text comes once, whole, and in its turn.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    texts: Texts,
}

impl Seen {
    /// Nothing was seen; these texts will be.
    pub(crate) const fn new(texts: Texts) -> Self {
        Self { texts }
    }

    /// Takes what came.
    ///
    /// # Errors
    /// It is not the text that is due: what it is instead.
    pub(crate) fn take(&mut self, came: &[u8]) -> Result<()> {
        if came != self.texts.as_bytes() {
            return self.complain(came);
        }
        self.texts.advance();
        Ok(())
    }

    #[cold]
    fn complain(&self, came: &[u8]) -> Result<()> {
        let due = self.texts.bytes() as usize;
        let shown = String::from_utf8_lossy(&came[..came.len().min(48)]);
        if came.len() != due {
            bail!("altered: {} bytes came where {due} were due: {shown:?}", came.len());
        }
        let number = came.first_chunk().filter(|number| number.iter().all(u8::is_ascii_digit));
        let Some(number) = number.filter(|number| came == self.texts.numbered(**number).as_bytes())
        else {
            bail!("altered: {shown:?} came where {:?} was due", self.due_number());
        };
        let number = ascii(number);
        // As many digits each: their order is that of the numbers.
        if number < self.due_number() {
            bail!("doubled: number {number} came again where {} was due", self.due_number());
        }
        bail!("missing: number {} was due, {number} came", self.due_number());
    }

    /// The texts that are due from here on.
    pub(crate) const fn texts(&self) -> &Texts {
        &self.texts
    }

    fn due_number(&self) -> &str {
        ascii(&self.texts.number)
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
        let mut seen = Seen::new(Texts::new(BYTES));
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
    fn a_piece_of_a_large_one_that_belongs_elsewhere_is_told() {
        const LARGE: u32 = 65_536;
        let mut next = Texts::large(LARGE);
        next.advance();
        let (first, next) = (Texts::large(LARGE).as_bytes().to_vec(), next.as_bytes().to_vec());
        let told = |came: &[u8]| {
            Seen::new(Texts::large(LARGE))
                .take(came)
                .err()
                .map_or_else(String::new, |error| error.to_string())
        };
        assert_eq!(told(&first), "");
        assert_eq!(told(&next), "missing: number 0000000000 was due, 0000000001 came");

        for size in [BLOCK, 16 << 10, 48 << 10] {
            let mut of_another = first.clone();
            of_another[size..].copy_from_slice(&next[size..]);
            assert!(told(&of_another).starts_with("altered"), "from {size}: {}", told(&of_another));
            let mut twice = first.clone();
            twice.copy_within(..LARGE as usize - size, size);
            assert!(told(&twice).starts_with("altered"), "{size} twice: {}", told(&twice));
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
