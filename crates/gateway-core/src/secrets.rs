//! Named secrets of one attempt.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use crate::config::{Config, ConfigError};
use crate::login::Secret;

/// The named secrets of an attempt, for its dialect. `Debug` shows only the names.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets(BTreeMap<Box<str>, Secret>);

impl Secrets {
    /// The most secrets of one attempt.
    pub const MAX_COUNT: usize = 32;

    /// The longest name of a secret, in bytes.
    pub const MAX_NAME: usize = 64;

    /// Checks names and values.
    ///
    /// # Errors
    /// Each secret, by its name, whose name or value is outside the limits.
    pub fn new(given: Vec<(String, Secret)>) -> Result<Self, Vec<ConfigError>> {
        let (mut secrets, mut errors) = (Self::default(), Vec::new());
        if given.len() > Self::MAX_COUNT {
            let limit = format!("must be at most {}", Self::MAX_COUNT);
            return Err(alloc::vec![ConfigError::new("secrets", given.len().to_string(), limit)]);
        }
        for (name, value) in given {
            match check(&name, &value) {
                Ok(()) if secrets.0.contains_key(name.as_str()) => {
                    errors.push(ConfigError::new("secrets", name, "must each have its own name"));
                }
                Ok(()) => drop(secrets.0.insert(name.into(), value)),
                // The name may be too long, or hold the secret itself.
                Err(limit) => errors.push(ConfigError::new("secrets", "", limit)),
            }
        }
        if errors.is_empty() { Ok(secrets) } else { Err(errors) }
    }

    /// Returns the secret of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Secret> {
        self.0.get(name)
    }

    /// The names, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(|name| &**name)
    }

    /// The values, in the order of the names.
    pub fn values(&self) -> impl Iterator<Item = &Secret> {
        self.0.values()
    }
}

fn check(name: &str, value: &Secret) -> Result<(), String> {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    if name.is_empty() || name.len() > Secrets::MAX_NAME || !name.bytes().all(is_name) {
        let most = Secrets::MAX_NAME;
        return Err(format!("must have names of 1 to {most} letters, digits, and _-."));
    }
    if value.reveal().len() > Config::MAX_LOGIN {
        return Err(format!("must each be at most {} bytes", Config::MAX_LOGIN));
    }
    Ok(())
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}
