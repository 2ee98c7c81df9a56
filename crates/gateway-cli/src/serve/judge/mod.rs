//! The judgement of a client: what was seen of it, held against what its script leads one to expect.
//!
//! [`observed`] is the record, [`rule`] the rules in words, [`verdict`] the pure function from both to
//! a verdict, [`report`] what is printed.

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
