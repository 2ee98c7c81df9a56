//! How a socket ended, for the choice of the next address.

use gateway_core::{DisconnectCause, SocketId};

use super::Session;

/// How an attempt or a socket ended, for a driver that chooses among a host's addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // an end that says nothing about the address is not reported
pub enum SocketEnd {
    /// The attempt failed, or the socket was lost before the connection was stable.
    Unstable,
    /// The connection was stable: it had been ready for max(`stable_after`, the last delay).
    Stable,
}

impl Session {
    /// Returns how the last socket ended, once. Call it before [`next_order`](Self::next_order),
    /// which may open the next socket.
    ///
    /// Some ends say nothing about the server, and are not reported: the provider gave no request, the
    /// application closed or replaced an unstable connection, or a suspend replaced an attempt.
    pub const fn take_end(&mut self) -> Option<(SocketId, SocketEnd)> {
        self.ended.take()
    }

    pub(super) fn note_end(&mut self, socket: SocketId, cause: DisconnectCause) {
        let stable_at = self.stable_at.take_if(|(id, _)| *id == socket);
        let end = match cause {
            _ if stable_at.is_some_and(|(_, at)| self.now >= at) => SocketEnd::Stable,
            DisconnectCause::Provider
            | DisconnectCause::AttemptTimeout
            | DisconnectCause::Requested
            | DisconnectCause::CloseTimeout
            | DisconnectCause::Reconnect
            | DisconnectCause::Renewal => return,
            _ => SocketEnd::Unstable,
        };
        self.ended = Some((socket, end));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use gateway_core::{
        CloseFrame, Config, Failure, HeartbeatKind, Instant, NoDialect, OpenError, UnixMillis,
    };

    use super::*;
    use crate::open_failure::OpenFailure;
    use crate::session::Order;

    fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    /// A session whose first socket opens at zero. If `opens` is false, it is still opening.
    fn dialling(opens: bool) -> (Session, SocketId) {
        let config = Config::builder()
            .heartbeat(HeartbeatKind::Off)
            .stable_after(Duration::from_secs(10))
            .connect_timeout(Duration::from_secs(5));
        let config = Arc::new(config.build().unwrap());
        let mut session = Session::new(config, 7, Box::new(NoDialect));
        session.connect(at(0));
        let Some(Order::Open { id, .. }) = session.next_order() else { panic!("no open") };
        if opens {
            session.opened(at(0), id);
        }
        (session, id)
    }

    #[test]
    fn a_socket_ends_stable_from_stable_after_on_and_is_reported_once() {
        for (millis, expected) in
            [(9_999, SocketEnd::Unstable), (10_000, SocketEnd::Stable), (99_000, SocketEnd::Stable)]
        {
            let (mut session, id) = dialling(true);
            session.failed(at(millis), id, Failure::Eof, "");
            assert_eq!(session.take_end(), Some((id, expected)), "after {millis} ms");
            assert_eq!(session.take_end(), None);
        }
    }

    #[test]
    fn the_last_delay_counts_where_it_is_longer() {
        let (mut session, id) = dialling(false);
        let busy = OpenError::Http {
            status: 503,
            retry_after: Some(gateway_core::RetryAfter::Seconds(60)),
        };
        session.open_failed(at(0), id, &OpenFailure::new(busy, "busy"));
        assert_eq!(session.take_end(), Some((id, SocketEnd::Unstable)));
        let due = session.deadline().unwrap();
        session.tick(due);
        let Some(Order::Open { id, .. }) = session.next_order() else { panic!("no open") };
        session.opened(due, id);

        session.failed(due.saturating_add(Duration::from_secs(59)), id, Failure::Reset, "");

        assert_eq!(session.take_end(), Some((id, SocketEnd::Unstable)));
    }

    #[test]
    fn a_connect_deadline_is_an_end_and_what_the_application_or_a_suspend_ends_is_none() {
        let (mut session, id) = dialling(false);
        session.tick(at(5_000));
        assert_eq!(session.take_end(), Some((id, SocketEnd::Unstable)));

        for opens in [false, true] {
            let (mut session, id) = dialling(opens);
            session.close(at(1), CloseFrame::NORMAL);
            session.failed(at(2), id, Failure::Eof, "");
            assert_eq!(session.take_end(), None, "opens: {opens}");
        }

        let (mut session, _) = dialling(false);
        session.wall_clock(at(1), UnixMillis(1_000_000));
        session.wall_clock(at(2), UnixMillis(100_000_000));
        assert!(matches!(session.next_order(), Some(Order::Abort { .. })), "it is replaced");
        assert_eq!(session.take_end(), None);
    }
}
