//! A breach of the protocol behind messages that the application has yet to take: it may answer them first.

use gateway_core::{Event, Failure, Instant, SocketId};

use super::perform::Payload;
use super::{Link, Session};

/// What the codec said of it.
pub(super) type Breach = (Failure, String);

impl Session {
    /// The peer broke the protocol. One read brings many frames, but whoever reads them one by one would have answered
    /// the messages before the breach: where the application still has some to take, the breach waits, and so does
    /// the reading. Not so where the breach is a Close frame with a bad code: the codec has answered it, and behind our Close nothing may be
    /// sent.
    pub(super) fn breached(&mut self, now: Instant, id: SocketId, (failure, detail): Breach) {
        let waits = self.has_messages() && self.is_ready();
        let waits = |link: &&mut Link| waits && link.id == id && link.codec.takes_frames();
        match self.link.as_mut().filter(waits) {
            Some(link) => link.breach = Some((failure, detail)),
            None => self.failed(now, id, failure, &detail),
        }
    }

    /// Whether a breach waits.
    pub(super) fn is_breached(&self) -> bool {
        self.link.as_ref().is_some_and(|link| link.breach.is_some())
    }

    /// Whether a breach of the protocol has waited for the application to take what came before it, and it has: time to
    /// [fail](Self::fail_breached) the socket.
    #[must_use]
    pub fn is_breach_due(&self) -> bool {
        self.is_breached() && !self.has_messages()
    }

    /// Fails the socket whose peer broke the protocol.
    pub fn fail_breached(&mut self, now: Instant) {
        let breach = self.link.as_mut().and_then(|link| Some((link.id, link.breach.take()?)));
        if let Some((id, (failure, detail))) = breach {
            self.at(now, Event::SocketFailed(id, failure), Payload::Detail(&detail));
        }
    }
}
