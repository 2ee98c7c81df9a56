//! What is measured, one file a measure.

use anyhow::Result;
use serde_json::{Map, Value};

use crate::exchange::Texts;
use crate::peers::Socket;
use crate::statistics::Spent;

pub(crate) mod allocations;
pub(crate) mod connects;
mod crowd;
pub(crate) mod flood;
pub(crate) mod heartbeat;
pub(crate) mod idle;
pub(crate) mod large;
pub(crate) mod memory;
pub(crate) mod pipelined;
pub(crate) mod tasks;

/// What a measure tells beside the names: the fields of its answer.
pub(crate) type Answer = Map<String, Value>;

/// One measure with its arguments: runs on any peer.
pub(crate) trait Work: Send + Sync + 'static {
    /// Opens what it needs, measures, and checks every message.
    fn run<S: Socket>(&self) -> impl Future<Output = Result<Answer>> + Send;

    /// The same for a library that calls the application, and is not asked by it; where the measure can be told so.
    fn job(&self) -> Option<Job> {
        None
    }
}

/// One connection's exchange of messages.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) target: crate::peers::Target,
    /// The first text, from which the others follow.
    pub(crate) texts: Texts,
    /// How many texts are received and not counted, before the others.
    pub(crate) warm_up: Option<u64>,
    /// How many texts are received.
    pub(crate) messages: u64,
    pub(crate) by: By,
}

/// What makes texts come.
#[derive(Clone, Debug)]
pub(crate) enum By {
    /// Each that is sent is echoed; so many are under way.
    Echoes(u64),
    /// The server pushes them when it is told so.
    Push,
}

/// The word that has the server push.
pub(crate) fn go(messages: u64, bytes: u32) -> String {
    format!("go {messages} {bytes}")
}

/// An answer of so many messages of so many bytes.
pub(crate) fn answer(spent: Spent, messages: u64, bytes: u32) -> Answer {
    let mut answer = spent_in(spent);
    answer.insert("messages".to_owned(), messages.into());
    answer.insert("bytes".to_owned(), bytes.into());
    answer
}

/// The same, with what the warm-up took: the server's processor time has that in it, too.
pub(crate) fn warmed_up(mut answer: Answer, warm_up: Spent) -> Answer {
    answer.insert("warm_up_seconds".to_owned(), warm_up.seconds.into());
    answer
}

/// An answer, begun.
fn spent_in(spent: Spent) -> Answer {
    let mut answer = Answer::new();
    answer.insert("seconds".to_owned(), spent.seconds.into());
    answer.insert("cpu_seconds".to_owned(), spent.cpu_seconds.into());
    answer
}
