//! Lists with an explicit length. A derived list ends at each element with one bit, and so has one
//! or two.

use std::ops::Deref;

use arbitrary::{Arbitrary, Result, Unstructured};

/// Up to `MOST` of them.
#[derive(Clone, Debug)]
pub(crate) struct Many<T, const MOST: u8>(pub(crate) Vec<T>);

impl<T, const MOST: u8> Deref for Many<T, MOST> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<'a, T: Arbitrary<'a>, const MOST: u8> Arbitrary<'a> for Many<T, MOST> {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let count = u8::arbitrary(u)? % (MOST + 1);
        let mut all = Vec::new();
        for _ in 0..count {
            if u.is_empty() {
                break;
            }
            all.push(T::arbitrary(u)?);
        }
        Ok(Self(all))
    }
}

/// True once in eight times.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rarely(pub(crate) bool);

impl<'a> Arbitrary<'a> for Rarely {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(Self(u8::arbitrary(u)? % 8 == 7))
    }
}
