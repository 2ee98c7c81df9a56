//! A login token: compared in constant time, and never printed.

use std::{fmt, hint::black_box, str::FromStr};

use thiserror::Error;

/// A token that a client must present. Its `Debug` form hides it.
#[derive(Clone)]
pub struct Secret(Box<str>);

/// The login token is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the login token is empty")]
pub struct EmptySecret;

impl Secret {
    /// Whether `candidate` is the token. Its time reveals only whether the lengths are equal.
    pub(crate) fn matches(&self, candidate: &str) -> bool {
        let (token, candidate) = (self.0.as_bytes(), candidate.as_bytes());
        if token.len() != candidate.len() {
            return false;
        }
        let difference = token
            .iter()
            .zip(candidate)
            .fold(0, |difference, (left, right)| black_box(difference | (left ^ right)));
        difference == 0
    }
}

impl FromStr for Secret {
    type Err = EmptySecret;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Err(EmptySecret);
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_token_matches() {
        let secret: Secret = "open sesame".parse().expect("not empty");

        assert!(secret.matches("open sesame"));
        for candidate in ["", "open sesamE", "Open sesame", "open sesame ", "open"] {
            assert!(!secret.matches(candidate), "{candidate:?}");
        }
    }

    #[test]
    fn the_debug_form_hides_the_token() {
        let secret: Secret = "hunter2".parse().expect("not empty");

        assert!(!format!("{secret:?}").contains("hunter2"));
        assert_eq!("".parse::<Secret>().err(), Some(EmptySecret));
    }
}
