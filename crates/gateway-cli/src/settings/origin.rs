//! The source of a value.

use std::{fmt, path::PathBuf};

use super::table::Setting;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Origin {
    Default,
    /// The dialect suggests it.
    Dialect,
    File(PathBuf),
    Variable(&'static str),
    Flag(&'static Setting),
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => formatter.write_str("default"),
            Self::Dialect => formatter.write_str("--dialect"),
            Self::File(path) => path.display().fmt(formatter),
            Self::Variable(name) => formatter.write_str(name),
            Self::Flag(setting) => formatter.write_str(&setting.typed()),
        }
    }
}
