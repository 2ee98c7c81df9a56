//! The scenarios, by topic. The list of them stands in `suite.rs`.

pub(crate) mod backoff;
