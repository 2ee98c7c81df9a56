//! An open socket's frames and bytes.

use gateway_core::SocketId;

use super::breach::Breach;
use crate::codec::Codec;
use crate::message::Message;
use crate::outcome::{Ledger, MessageId};
use crate::output::Output;

/// Kept until the driver has dropped the socket.
pub(super) struct Link {
    pub(super) id: SocketId,
    pub(super) codec: Codec,
    pub(super) output: Output,
    /// Bytes of answers to Ping that wait to be written.
    pub(super) owed: usize,
    pub(super) writing: Writing,
    /// Whether the outgoing bytes end in a Close frame, ours or the answer to the peer's.
    pub(super) farewell: bool,
    pub(super) breach: Option<Breach>,
    /// The core has left the socket: its last bytes may be written, and nothing is read from it.
    pub(super) is_left: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Writing {
    Free,
    Blocked,
}

impl Link {
    pub(super) fn new(id: SocketId, max_message_size: usize) -> Self {
        Self {
            id,
            codec: Codec::new(max_message_size),
            output: Output::default(),
            owed: 0,
            writing: Writing::Free,
            farewell: false,
            breach: None,
            is_left: false,
        }
    }

    /// Encodes a message of the application's, whose bytes the ledger remembers.
    #[inline]
    pub(super) fn take(&mut self, message: &Message, ledger: &mut Ledger) -> MessageId {
        let start = self.output.end();
        self.codec.encode(message, self.output.buffer());
        ledger.take(start..self.output.end())
    }
}
