//! Judges a client: compares what it did with the rules of its script.
//!
//! [`observed`] is the record, [`verdict`] a pure function from it and a rule to a verdict, [`report`]
//! the report.

pub(crate) mod observed;
pub(crate) mod report;
#[cfg(test)]
mod tests;
pub(crate) mod verdict;
