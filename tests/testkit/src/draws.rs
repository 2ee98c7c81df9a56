//! A generator that always draws the same number, so that every delay is predictable.

use core::convert::Infallible;

use rand_core::TryRng;

/// Always draws the same number.
#[derive(Clone, Debug)]
pub struct Fixed(pub u64);

impl Fixed {
    /// The least that can be drawn.
    pub const LEAST: Self = Self(0);
    /// The middle: a delay is half-way between its bounds.
    pub const HALF: Self = Self(1 << 63);
    /// The most that can be drawn.
    pub const MOST: Self = Self(u64::MAX);
}

impl TryRng for Fixed {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok((self.0 >> 32) as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.0)
    }

    fn try_fill_bytes(&mut self, into: &mut [u8]) -> Result<(), Infallible> {
        into.fill((self.0 >> 56) as u8);
        Ok(())
    }
}
