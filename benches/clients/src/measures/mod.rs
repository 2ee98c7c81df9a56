//! What is measured, one file a measure.

use anyhow::Result;
use serde_json::{Map, Value};

use crate::peers::Socket;
use crate::statistics::Spent;

pub(crate) mod flood;
pub(crate) mod pipelined;

/// What a measure tells beside the names: the fields of its answer.
pub(crate) type Answer = Map<String, Value>;

/// One measure with its arguments: runs on any peer.
pub(crate) trait Work {
    /// Opens what it needs, measures, and checks every message.
    async fn run<S: Socket>(&self) -> Result<Answer>;
}

/// An answer, begun.
pub(crate) fn answer(spent: Spent) -> Answer {
    let mut answer = Answer::new();
    answer.insert("seconds".to_owned(), spent.seconds.into());
    answer.insert("cpu_seconds".to_owned(), spent.cpu_seconds.into());
    answer
}
