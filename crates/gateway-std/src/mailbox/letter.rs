//! What other threads want to put into the write buffer.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use gateway_core::SendRejection;
use gateway_wire::{Accepted, Message, Name, SendError, Space};

use crate::permit::ReserveErrorKind;

/// What another thread wants to put into the write buffer, and where the result goes.
pub(crate) enum Letter {
    /// A message.
    Message(Message, SyncSender<Answer>),
    /// To reserve this much.
    Space(Space, SyncSender<Reserved>),
}

/// The result of a message.
pub(crate) type Answer = Result<Accepted, SendError>;

/// Whether space was reserved.
pub(crate) type Reserved = Result<(), ReserveErrorKind>;

impl Letter {
    /// A message, and where its result comes.
    pub(crate) fn new(message: Message) -> (Self, Receiver<Answer>) {
        let (answer, outcome) = sync_channel(1);
        (Self::Message(message, answer), outcome)
    }

    /// A reservation, and where its result comes.
    pub(crate) fn space(space: Space) -> (Self, Receiver<Reserved>) {
        let (answer, outcome) = sync_channel(1);
        (Self::Space(space, answer), outcome)
    }

    /// Refuses it. A reservation is refused as stalled, as gone or as closed.
    pub(crate) fn refuse(self, why: SendRejection, name: Option<Name>) {
        // The channel has space for the one answer, and the sender may be gone.
        match self {
            Self::Message(message, answer) => {
                let _ = answer.send(Err(SendError::new(why, message).named(name)));
            }
            Self::Space(_, answer) => {
                let _ = answer.send(Err(match why {
                    SendRejection::Stalled => ReserveErrorKind::Stalled,
                    SendRejection::Gone => ReserveErrorKind::Gone,
                    SendRejection::Reentrant => ReserveErrorKind::Reentrant,
                    _ => ReserveErrorKind::Closed,
                }));
            }
        }
    }

    /// The message, to be returned.
    pub(super) fn into_message(self) -> Message {
        match self {
            Self::Message(message, _) => message,
            Self::Space(..) => Message::text(""),
        }
    }

    /// The bytes of the message.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Message(message, _) => message.len(),
            Self::Space(..) => 0,
        }
    }
}

/// Which letters wait for space in the write buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wait {
    pub(crate) messages: bool,
    pub(crate) reservations: bool,
}

impl Wait {
    pub(super) const fn holds(self, letter: &Letter) -> bool {
        match letter {
            Letter::Message(..) => self.messages,
            Letter::Space(..) => self.reservations,
        }
    }
}
