//! A secret that a dialect does not use.

use thiserror::Error;

use crate::near::{near, shown};

/// The dialect uses no secret of this name, so its name is probably misspelled.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the dialect uses no secret {name:?}; {}", others(near, known))]
#[non_exhaustive]
pub struct UnknownSecret {
    /// The name, at most 64 characters of it.
    pub name: String,
    /// The names that are near it, the nearest first.
    pub near: Vec<String>,
    /// All names that the dialect uses, in alphabetical order.
    pub known: Vec<String>,
}

impl UnknownSecret {
    pub(crate) fn check(name: &str, known: &[String]) -> Result<(), Self> {
        if known.iter().any(|other| other == name) {
            return Ok(());
        }
        let near = near(name, known.iter().map(String::as_str));
        let near = near.into_iter().map(str::to_string).collect();
        Err(Self { name: shown(name), near, known: known.to_vec() })
    }
}

fn others(near: &[String], known: &[String]) -> String {
    match (near, known) {
        ([], []) => String::from("it uses none"),
        ([], known) => format!("it uses {}", known.join(", ")),
        (near, _) => format!("near it: {}", near.join(", ")),
    }
}
