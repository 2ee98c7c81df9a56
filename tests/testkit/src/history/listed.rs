//! An index into a list: a word in a text, so that a longer list shifts nothing, and a byte otherwise.

use serde::de::Error as _;
use serde::{Deserialize as _, Deserializer, Serializer};

/// What `#[serde(with = "…")]` names; [`listed!`](crate::listed) implements it.
#[allow(missing_docs, reason = "serde's functions")]
pub trait Listed {
    /// The length of the list.
    const COUNT: u8;

    /// The word at this index.
    fn word(index: usize) -> String;

    fn serialize<S: Serializer>(index: &u8, to: S) -> Result<S::Ok, S::Error> {
        let index = index % Self::COUNT;
        if to.is_human_readable() {
            to.serialize_str(&Self::word(index.into()))
        } else {
            to.serialize_u8(index)
        }
    }

    fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u8, D::Error> {
        if !from.is_human_readable() {
            return Ok(u8::deserialize(from)? % Self::COUNT);
        }
        let word = String::deserialize(from)?;
        let found = (0..Self::COUNT).find(|index| Self::word((*index).into()) == word);
        found.ok_or_else(|| D::Error::custom(format!("no {word:?} in the list")))
    }
}

/// Names a list, and says how its items are written.
#[macro_export]
macro_rules! listed {
    ($visible:vis $name:ident, $list:expr, $item:ident => $word:expr) => {
        $visible struct $name;

        impl $crate::history::Listed for $name {
            const COUNT: u8 = $list.len() as u8;

            fn word(index: usize) -> String {
                let $item = $list[index];
                $word
            }
        }
    };
}
