//! Draws of the simulated world. All use integers, so they are equal on every platform.

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use crate::scenario::{Distribution, PPM};

/// The generator of the world. Each connection has one of its own.
#[derive(Debug)]
pub(super) struct Draws(ChaCha8Rng);

impl Draws {
    pub(super) fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// A number from 0 to `bound - 1`, or 0 if `bound` is 0.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        // Less than `bound`, so it fits.
        ((u128::from(self.0.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// Whether something of this probability happens. Nothing is drawn if it is certain.
    pub(super) fn happens(&mut self, ppm: u64) -> bool {
        match ppm {
            0 => false,
            PPM => true,
            _ => self.below(PPM) < ppm,
        }
    }

    /// Jitter in microseconds.
    pub(super) fn jitter_us(&mut self, jitter_us: u64, distribution: Distribution) -> u64 {
        match distribution {
            _ if jitter_us == 0 => 0,
            Distribution::Uniform => self.below(jitter_us.saturating_add(1)),
            Distribution::Exponential => {
                let factor = u128::from(negative_ln(self.0.next_u64()));
                u64::try_from((u128::from(jitter_us) * factor) >> 16).unwrap_or(u64::MAX)
            }
        }
    }
}

/// -ln((draw + 1) / 2^64) as a fixed-point number with 16 bits behind the point.
///
/// The standard library's logarithm differs between platforms. This one finds bit after bit of the
/// binary logarithm by squaring.
fn negative_ln(draw: u64) -> u64 {
    const LN_2: u64 = 45_426; // ln(2) · 2^16
    let draw = draw.max(1);
    let zeros = draw.leading_zeros();
    let mut mantissa = u128::from(draw << zeros); // from 2^63, less than 2^64: from 1 to 2
    let mut fraction = 0_u64;
    for _ in 0..16 {
        mantissa = (mantissa * mantissa) >> 63;
        fraction <<= 1;
        if mantissa >> 64 != 0 {
            mantissa >>= 1;
            fraction |= 1;
        }
    }
    let negative_log2 = (u64::from(zeros) + 1) * 65_536 - fraction;
    (negative_log2 * LN_2) >> 16
}

/// The seed of a client's connection: a bijective hash (splitmix64), so no two clients share one.
pub(super) fn client_seed(seed: u64, number: u64) -> u64 {
    let mut hash = seed
        .wrapping_mul(0xd134_2543_de82_ef95)
        .wrapping_add(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_logarithm_is_right_to_three_digits() {
        for draw in [1, 2, 12_345, 1 << 40, u64::MAX / 3, u64::MAX / 2, u64::MAX - 1] {
            let expected = -((draw as f64) / 2_f64.powi(64)).ln();
            let found = negative_ln(draw) as f64 / 65_536.0;
            assert!(
                (found - expected).abs() < 0.001 + expected * 0.001,
                "{draw}: {found} {expected}"
            );
        }
    }

    #[test]
    fn exponential_jitter_has_its_mean() {
        let mut draws = Draws::new(5);
        let sum: u64 =
            (0..100_000).map(|_| draws.jitter_us(10_000, Distribution::Exponential)).sum();
        assert!((9_900..10_100).contains(&(sum / 100_000)), "{}", sum / 100_000);
    }
}
