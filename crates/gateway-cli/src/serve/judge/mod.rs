//! Judges a client: compares what it did with the rules of its script.
//!
//! [`observed`] is the record, [`rule`] the rules in words, [`verdict`] a pure function from both to a
//! verdict, [`report`] the printed report.

pub(crate) mod observed;
pub(crate) mod report;
pub(crate) mod rule;
#[cfg(test)]
mod tests;
pub(crate) mod verdict;

pub(crate) use self::{
    observed::{Attempt, End, Observed, PingKind},
    report::Report,
    rule::Rule,
    verdict::Verdict,
};
