//! Masking (section 5.3): byte `i` of the payload is combined with byte `i` mod 4 of the key.

/// A key, turned so that its first byte is for the next byte of the payload.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mask([u8; 4]);

impl Mask {
    pub(super) const fn new(key: [u8; 4]) -> Self {
        Self(key)
    }

    /// Masks or unmasks the next bytes of the payload.
    #[inline]
    pub(super) fn apply(self, payload: &mut [u8]) {
        let [a, b, c, d] = self.0;
        let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
        let (words, rest) = payload.as_chunks_mut::<8>();
        for word in words {
            *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
        }
        for (byte, key) in rest.iter_mut().zip([a, b, c, d, a, b, c]) {
            *byte ^= key;
        }
    }

    /// Moves on by this many bytes.
    pub(super) fn advance(&mut self, count: usize) {
        self.0.rotate_left(count % 4);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition of section 5.3, against payloads that come in pieces.
    #[test]
    fn bytes_are_combined_with_the_key_however_they_are_cut() {
        let key = [0xa1, 0x02, 0xf3, 0x44];
        let payload: Vec<u8> = (0..50).collect();
        let expected: Vec<u8> =
            payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
        for size in 1..=payload.len() {
            let mut masked = payload.clone();
            let mut mask = Mask::new(key);
            for piece in masked.chunks_mut(size) {
                mask.apply(piece);
                mask.advance(piece.len());
            }
            assert_eq!(masked, expected, "in pieces of {size}");
        }
    }
}
