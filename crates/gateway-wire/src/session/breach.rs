//! A protocol violation (a "breach") after messages that the application has yet to take. The
//! application may answer them first.

use gateway_core::{Instant, SocketId};

use super::Session;
use crate::codec::Breach;

impl Session {
    /// Handles a violation of the protocol. One read brings many frames, but an application that
    /// reads them one by one would have answered the messages before the violation. So while such
    /// messages wait, the violation waits, and nothing is read.
    pub(super) fn breached(&mut self, now: Instant, id: SocketId, breach: Breach) {
        let waits = self.has_messages() && self.is_connection_ready();
        match self.link.as_mut().filter(|link| waits && link.id == id && link.codec.can_write()) {
            Some(link) => link.breach = Some(breach),
            None => self.failed(now, id, breach.failure(), &breach.to_string()),
        }
    }

    /// Whether a violation waits.
    pub(super) fn is_breached(&self) -> bool {
        self.link.as_ref().is_some_and(|link| link.breach.is_some())
    }

    /// Whether it is time to [fail](Self::fail_breached) the socket: a protocol violation was
    /// waiting, and the application has now taken all messages before it.
    #[must_use]
    pub fn is_breach_due(&self) -> bool {
        self.is_breached() && !self.has_messages()
    }

    /// Fails the socket whose peer violated the protocol.
    pub fn fail_breached(&mut self, now: Instant) {
        if !self.is_breach_due() {
            return self.ignore();
        }
        let breach = self.link.as_mut().and_then(|link| Some((link.id, link.breach.take()?)));
        if let Some((id, breach)) = breach {
            self.failed(now, id, breach.failure(), &breach.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use gateway_core::{CloseCode, Config, DisconnectCause, Failure, NoDialect};

    use super::*;
    use crate::session::{ClientEvent, Order};

    /// The disconnection that a session reports after a server sends this frame.
    fn lost_by(frame: &[u8]) -> (DisconnectCause, Box<str>) {
        let config = Config::builder().max_message_size(1024).build().unwrap();
        let mut session = Session::new(Arc::new(config), 7, Box::new(NoDialect));
        session.connect(Instant::ZERO);
        let Some(Order::Open { id, .. }) = session.next_order() else { panic!("no open") };
        session.opened(Instant::ZERO, id);
        session.received(Instant::ZERO, id, frame);
        loop {
            match session.next_event() {
                Some(ClientEvent::Disconnected { cause, detail, .. }) => return (cause, detail),
                Some(_) => {}
                None => panic!("not lost"),
            }
        }
    }

    #[test]
    fn a_close_in_the_codecs_own_words_is_the_peers_and_no_breach() {
        for number in [1002, 1007, 1009, 1014_u16] {
            let payload = [&number.to_be_bytes()[..], b"Protocol violation"].concat();
            let (cause, detail) = lost_by(&[&[0x88, 20][..], &payload].concat());
            let code = CloseCode::new(number).unwrap();
            assert_eq!(cause, DisconnectCause::CloseReceived(Some(code)));
            assert_eq!(&*detail, "Protocol violation");
        }
        let (cause, _) = lost_by(b"\x88\x14\x03\xedProtocol violation"); // 1005
        assert_eq!(cause, DisconnectCause::ProtocolError(Failure::Protocol));
    }

    #[test]
    fn a_message_that_is_too_long_is_reported_with_the_setting_and_both_sizes() {
        let (cause, detail) = lost_by(b"\x81\x7e\x10\x00");
        assert_eq!(cause, DisconnectCause::ProtocolError(Failure::TooBig));
        for word in ["max_message_size", "4096", "1024"] {
            assert!(detail.contains(word), "{word} in {detail}");
        }
    }
}
