//! What a client is built with beyond the settings that all have.

use std::time::Duration;

use gateway_tokio::{CorrelationError, Correlator, Message, Outbox, Rate};

use crate::payload;

/// The parts that a client uses. They depend on its index, so that each driver has all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kit {
    /// Its messages wait in an outbox while it is not ready.
    pub(crate) queues: bool,
    /// Its messages have a limit of their rate.
    pub(crate) is_paced: bool,
    /// It makes requests.
    pub(crate) asks: bool,
    /// It is spawned, if it is async.
    pub(crate) is_spawned: bool,
    /// It connects with TLS.
    pub(crate) is_secure: bool,
}

impl Kit {
    /// That of the client with this index.
    pub(crate) const fn of(index: usize) -> Self {
        Self {
            queues: index % 2 == 1,
            is_paced: index % 4 == 3,
            asks: index % 4 >= 2,
            is_spawned: index % 8 >= 4,
            is_secure: index % 3 == 1,
        }
    }

    /// Small enough that it overflows, and that messages expire in it.
    pub(crate) fn outbox(self) -> Option<Outbox> {
        if !self.queues {
            return None;
        }
        let outbox = Outbox::default().messages(12).bytes(200_000);
        Some(outbox.time_to_live(Duration::from_millis(300)))
    }

    /// Half of what the client sends in a storm.
    pub(crate) const fn rate(self) -> Option<Rate> {
        if self.is_paced { Some(Rate::new(40, Duration::from_millis(500))) } else { None }
    }
}

/// How the requests of these clients and the gateway's answers find each other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ById;

impl Correlator for ById {
    fn attach(&mut self, id: u64, request: &Message) -> Result<Message, CorrelationError> {
        let text = request.as_text().ok_or(CorrelationError::Binary)?;
        Ok(Message::text(format!("{text} {id}")))
    }

    fn answered(&mut self, message: &Message) -> Option<u64> {
        payload::answered(message.as_text()?).map(|(_, id)| id)
    }
}
