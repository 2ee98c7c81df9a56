//! Waits for the transport: for space in the write buffer, or until bytes are flushed. A wait may
//! stall.

use std::task::Poll;
use std::time::Duration;

use gateway_core::{ConnectionState, Instant, Login, SendRejection, SocketId};
use thiserror::Error;

use super::Session;
use super::sending::is_closed;
use crate::name::{Name, Prefix};

/// A position in the outgoing bytes of one socket: the end of all that was accepted when the
/// position was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    socket: SocketId,
    end: u64,
}

/// A flush ended before all bytes were flushed. The error's text begins with the client's name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{}{kind}", Prefix(.name.as_ref()))]
pub struct FlushError {
    kind: FlushErrorKind,
    name: Option<Name>,
}

/// Why a flush ended before all bytes were flushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FlushErrorKind {
    /// The transport took no byte for `send_stall`. The bytes stay in the write buffer, and the
    /// connection stays open. Take events, then flush again.
    #[error("the transport took no byte for send_stall; take events, then flush again")]
    Stalled,
    /// The socket was lost first. The outcomes report what happened to each message.
    #[error("the socket was lost before all bytes were written; see the messages' outcomes")]
    Lost,
}

impl FlushError {
    /// Creates the error of the client with this name.
    #[must_use]
    pub const fn new(kind: FlushErrorKind, name: Option<Name>) -> Self {
        Self { kind, name }
    }

    /// Returns why the flush ended.
    #[must_use]
    pub const fn kind(&self) -> FlushErrorKind {
        self.kind
    }

    /// Returns the client's name, if it has one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_ref().map(Name::as_str)
    }
}

/// How long the transport may take nothing while someone waits for it.
#[derive(Debug)]
pub(super) struct Stall {
    span: Duration,
    watch: Watch,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Watch {
    /// No one waits.
    Off,
    /// Someone waits. The driver tries a write at `look_at`. The wait stalls at `stalls_at` if the
    /// transport takes no byte before.
    Until { look_at: Instant, stalls_at: Instant },
    /// The wait has stalled, and the waiting caller has not been woken yet.
    Stalled,
    /// The stall was reported, and the transport has taken no byte since.
    Reported,
}

/// How often a wait tries a write. A kernel may have space and not report it: Linux reports a socket
/// as writable only once a third of its send buffer is free. If the only try were at the end of the
/// span, a byte of space from its beginning would start the span again, so the wait would take twice
/// as long. With these tries it takes at most one part longer.
const LOOKS: u32 = 8;

impl Stall {
    pub(super) const fn new(span: Duration) -> Self {
        Self { span, watch: Watch::Off }
    }

    pub(super) const fn deadline(&self) -> Option<Instant> {
        match self.watch {
            Watch::Until { look_at, .. } => Some(look_at),
            Watch::Off | Watch::Stalled | Watch::Reported => None,
        }
    }

    const fn is_stalled(&self) -> bool {
        matches!(self.watch, Watch::Stalled)
    }

    /// Starts a wait, unless one is already in progress.
    fn begin(&mut self, now: Instant) {
        match self.watch {
            Watch::Until { .. } | Watch::Stalled => {}
            Watch::Off | Watch::Reported => self.restart(now),
        }
    }

    fn restart(&mut self, now: Instant) {
        self.look_until(now, now.saturating_add(self.span));
    }

    fn look_until(&mut self, now: Instant, stalls_at: Instant) {
        let look_at = now.saturating_add(self.span / LOOKS).min(stalls_at);
        self.watch = Watch::Until { look_at, stalls_at };
    }

    fn end(&mut self) {
        match self.watch {
            Watch::Until { .. } => self.watch = Watch::Off,
            Watch::Stalled => self.watch = Watch::Reported,
            Watch::Off | Watch::Reported => {}
        }
    }

    fn on_taken(&mut self, now: Instant) {
        match self.watch {
            Watch::Until { .. } | Watch::Stalled => self.restart(now),
            Watch::Reported => self.watch = Watch::Off,
            Watch::Off => {}
        }
    }

    /// Ends the wait: all bytes are written, or the socket is gone.
    pub(super) const fn clear(&mut self) {
        self.watch = Watch::Off;
    }

    /// Returns whether the deadline was due. The driver has just tried a write. If the span is over,
    /// the wait has stalled.
    pub(super) fn expire(&mut self, now: Instant) -> bool {
        match self.watch {
            Watch::Until { stalls_at, .. } if now >= stalls_at => self.watch = Watch::Stalled,
            Watch::Until { look_at, stalls_at } if now >= look_at => {
                self.look_until(now, stalls_at);
            }
            Watch::Until { .. } | Watch::Off | Watch::Stalled | Watch::Reported => return false,
        }
        true
    }
}

/// Waits for the transport. A driver starts the wait, drives the connection until the matching
/// `poll_…` method is ready, and [ends](Self::end_wait) the wait.
///
/// The wait stalls when the transport has taken no byte for `send_stall`. Received bytes do not
/// count, because they bring the message no nearer to the peer. A peer that sends without ever
/// reading would otherwise prolong the wait forever.
///
/// Meanwhile [`deadline`](Self::deadline) includes the instant of the next try: eight in a
/// `send_stall`, the last at its end. Then write what is pending, even if nothing has reported space:
/// a transport may have space without reporting it. Report what it took, and call
/// [`tick`](Self::tick). So a wait stalls at most an eighth of `send_stall` late.
impl Session {
    /// The default of `send_stall`: how long the transport may take no byte before a wait for it
    /// stalls.
    pub const SEND_STALL: Duration = Duration::from_secs(10);

    /// Sets how long the transport may take no byte before a wait for it stalls.
    #[must_use]
    pub const fn with_send_stall(mut self, span: Duration) -> Self {
        self.stall = Stall::new(span);
        self
    }

    /// Returns how long the transport may take no byte before a wait for it stalls.
    #[must_use]
    pub const fn send_stall(&self) -> Duration {
        self.stall.span
    }

    /// Starts or continues a wait for space in the write buffer; see
    /// [`poll_space`](Self::poll_space). If your waits can be dropped, [end](Self::end_wait) an
    /// abandoned wait before you start a new one.
    pub fn wait_for_space(&mut self, now: Instant) {
        if self.is_full() {
            self.await_send();
        }
        // While only reservations fill the buffer, the transport has nothing to take.
        if self.is_write_blocked() || (self.is_full() && !self.pending().is_empty()) {
            self.stall.begin(now);
        }
    }

    /// Starts or continues a wait until all bytes that were accepted so far are flushed; see
    /// [`poll_flushed`](Self::poll_flushed). Returns `None` if all of them are flushed, or if no
    /// socket is open.
    pub fn wait_for_flush(&mut self, now: Instant) -> Option<Position> {
        let position = self.position()?;
        if let Some(link) = &mut self.link {
            link.awaited = position.end;
        }
        self.stall.begin(now);
        Some(position)
    }

    /// Returns the end of what was accepted so far. Returns `None` if all of it is flushed, or if
    /// no socket is open.
    #[must_use]
    pub fn position(&self) -> Option<Position> {
        let link = self.link.as_ref().filter(|_| !self.is_flushed())?;
        Some(Position { socket: link.id, end: link.output.end() })
    }

    /// Reports that the transport took bytes at `now`. Needed only while [someone
    /// waits](Self::is_transport_awaited).
    pub fn transport_took(&mut self, now: Instant) {
        self.stall.on_taken(now);
    }

    /// Whether [`transport_took`](Self::transport_took) must be reported.
    #[must_use]
    pub fn is_transport_awaited(&self) -> bool {
        self.stall.watch != Watch::Off
    }

    /// Whether someone waits for bytes that are written and not yet flushed. Then flush before you
    /// write more.
    #[must_use]
    pub fn is_flush_due(&self) -> bool {
        self.link.as_ref().is_some_and(|link| {
            (link.output.flushed() + 1..=link.output.written()).contains(&link.awaited)
        })
    }

    /// Polls a wait for space. It is ready if there is space, or if the connection accepts no
    /// messages anyway: then [`send`](Self::send) returns the reason.
    ///
    /// # Errors
    /// [`SendRejection::Stalled`] if the wait has stalled.
    pub fn poll_space(&self) -> Poll<Result<(), SendRejection>> {
        if !self.is_full() || !self.takes_messages() {
            return Poll::Ready(Ok(()));
        }
        match self.stall.is_stalled() {
            true => Poll::Ready(Err(SendRejection::Stalled)),
            false => Poll::Pending,
        }
    }

    /// Whether the connection accepts messages, or would if there were space. With an
    /// [outbox](crate::Outbox) it accepts them until it is closing.
    #[must_use]
    pub fn takes_messages(&self) -> bool {
        if self.needs_time() {
            if self.is_draining() {
                return false;
            }
            if self.has_outbox() {
                return !is_closed(self.state());
            }
        }
        match self.state() {
            ConnectionState::Connected => {
                // Under `External`, the application's own messages log in.
                let config = self.config();
                let logs_in =
                    matches!(config.login(), Login::Message { .. } | Login::Dialect { .. });
                !logs_in && !self.connection.is_login_refused()
            }
            ConnectionState::Authenticated => true,
            ConnectionState::Disconnected
            | ConnectionState::Connecting
            | ConnectionState::Closing
            | ConnectionState::Closed => false,
        }
    }

    /// Polls whether all bytes before `position` are flushed. If someone
    /// [waited](Self::wait_for_flush) for the flush of a socket that was then lost, the session
    /// remembers the result until the next such socket is lost.
    ///
    /// # Errors
    /// [`FlushErrorKind::Stalled`] if the wait has stalled, and [`FlushErrorKind::Lost`] if the socket was
    /// lost before the flush.
    pub fn poll_flushed(&self, position: Position) -> Poll<Result<(), FlushErrorKind>> {
        match self.link.as_ref().filter(|link| link.id == position.socket) {
            Some(link) if link.output.flushed() >= position.end => Poll::Ready(Ok(())),
            Some(_) if self.stall.is_stalled() => Poll::Ready(Err(FlushErrorKind::Stalled)),
            Some(_) => Poll::Pending,
            None if self.lost.is_some_and(|lost| lost.covers(position)) => Poll::Ready(Ok(())),
            None => Poll::Ready(Err(FlushErrorKind::Lost)),
        }
    }

    /// Whether a `send` whose message was accepted may return. It may if the message is flushed or
    /// lost, or if reading has stopped. In the last case the peer may be waiting until the
    /// application reads, and the message stays in the write buffer.
    #[must_use]
    pub fn is_send_over(&self, position: Position) -> bool {
        self.poll_flushed(position).is_ready() || !self.wants_input()
    }

    /// Ends the current wait, if there is one. A request may leave in place of the message that was
    /// awaited: if it can, [`deadline`](Self::deadline) is due.
    pub fn end_wait(&mut self) {
        self.forget_awaited_send();
        self.stall.end();
    }

    /// Whether a wait is in progress. If so, [`deadline`](Self::deadline) includes the instant of
    /// its next try.
    #[must_use]
    pub const fn is_waiting(&self) -> bool {
        self.stall.deadline().is_some()
    }

    /// Whether a wait has stalled, and the transport has taken nothing since.
    #[must_use]
    pub const fn is_stalled(&self) -> bool {
        matches!(self.stall.watch, Watch::Stalled | Watch::Reported)
    }
}

impl Position {
    pub(super) const fn new(socket: SocketId, end: u64) -> Self {
        Self { socket, end }
    }

    fn covers(self, other: Self) -> bool {
        self.socket == other.socket && self.end >= other.end
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use gateway_core::{Config, Failure, HeartbeatKind, NoDialect};

    use super::super::{Limits, Order};
    use super::*;
    use crate::message::Message;

    const STALL: u64 = 10_000;

    fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    /// An open session whose write buffer holds up to 100 bytes, and its socket.
    fn open() -> (Session, SocketId) {
        let config = Config::builder().heartbeat(HeartbeatKind::Off).build().unwrap();
        let limits = Limits { high_water: 100, ..Limits::default() };
        let session = Session::new(Arc::new(config), 7, Box::new(NoDialect));
        let mut session = session.with_limits(limits);
        session.connect(at(0));
        let Some(Order::Open { id, .. }) = session.next_order() else { panic!("no open") };
        session.opened(at(0), id);
        (session, id)
    }

    fn send(session: &mut Session, bytes: usize) {
        session.send(Message::binary(vec![0; bytes])).unwrap();
    }

    /// The transport takes and flushes `count` bytes.
    fn write(session: &mut Session, id: SocketId, count: usize) {
        session.written(id, count);
        session.flushed(id);
    }

    #[test]
    fn a_wait_for_space_stalls_a_span_after_the_last_byte_and_not_before() {
        let (mut session, id) = open();
        send(&mut session, 200);
        assert_eq!(session.deadline(), None, "no one waits");
        session.wait_for_space(at(1_000));

        session.written(id, 1);
        session.transport_took(at(5_000));
        session.received(at(6_000), id, &[0x82, 0]); // received bytes do not count
        session.tick(at(1_000 + STALL));
        assert_eq!(session.poll_space(), Poll::Pending);

        session.tick(at(5_000 + STALL - 1));
        assert_eq!(session.poll_space(), Poll::Pending);
        assert_eq!(session.deadline(), Some(at(5_000 + STALL)));
        session.tick(at(5_000 + STALL));
        assert_eq!(session.poll_space(), Poll::Ready(Err(SendRejection::Stalled)));
        assert_eq!(session.deadline(), None, "it is judged once");
        session.end_wait();
        session.wait_for_space(at(20_000));
        assert_eq!(session.poll_space(), Poll::Pending, "the next wait has its own span");
    }

    #[test]
    fn a_byte_that_moves_after_a_stall_takes_it_back() {
        let (mut session, id) = open();
        send(&mut session, 200);
        session.wait_for_space(at(0));
        session.tick(at(STALL));

        session.written(id, 1);
        session.transport_took(at(STALL + 1));

        assert_eq!(session.poll_space(), Poll::Pending);
        session.tick(at(2 * STALL));
        assert_eq!(session.poll_space(), Poll::Pending);
        session.tick(at(2 * STALL + 1));
        assert!(session.poll_space().is_ready());
    }

    #[test]
    fn a_wait_asks_for_eight_tries_and_stalls_at_the_last() {
        let (mut session, _) = open();
        send(&mut session, 200);
        session.wait_for_space(at(0));

        for part in 1..=8 {
            assert_eq!(session.poll_space(), Poll::Pending);
            let try_at = session.deadline().unwrap();
            assert_eq!(try_at, at(part * STALL / 8));
            session.tick(try_at);
        }

        assert_eq!(session.poll_space(), Poll::Ready(Err(SendRejection::Stalled)));
        assert_eq!(session.deadline(), None);
    }

    #[test]
    fn space_that_no_one_reports_prolongs_a_wait_by_at_most_an_eighth() {
        let (mut session, id) = open();
        send(&mut session, 200);
        session.wait_for_space(at(0));

        // A driver that tries a write when the deadline is due. The space comes at once, after the
        // first write, and only this try finds it.
        let mut space = 1;
        let stalled_at = loop {
            let now = session.deadline().unwrap();
            if space > 0 {
                session.written(id, std::mem::take(&mut space));
                session.transport_took(now);
            }
            session.tick(now);
            if session.poll_space().is_ready() {
                break now;
            }
        };

        assert_eq!(stalled_at, at(STALL + STALL / 8));
    }

    #[test]
    fn a_wait_leaves_no_deadline_behind_when_all_is_written_or_the_socket_is_gone() {
        for is_lost in [false, true] {
            let (mut session, id) = open();
            send(&mut session, 200);
            session.wait_for_space(at(0));
            match is_lost {
                true => {
                    session.failed(at(1), id, Failure::Eof, "");
                    session.dropped(id);
                }
                false => {
                    let all = session.pending().len();
                    write(&mut session, id, all);
                }
            }
            assert_eq!(session.poll_space(), Poll::Ready(Ok(())));
            assert!(!session.is_waiting());
        }
    }

    #[test]
    fn space_is_there_when_what_filled_the_buffer_is_flushed_whatever_came_behind_it() {
        let (mut session, id) = open();
        send(&mut session, 200);
        let filled = session.pending().len();
        session.received(at(1), id, &[0x89, 0]); // a ping, whose answer also waits
        assert!(session.pending().len() > filled);

        write(&mut session, id, filled - 1);
        assert!(session.is_write_blocked());
        write(&mut session, id, 1);

        assert!(!session.is_write_blocked());
        assert!(!session.pending().is_empty());
    }

    #[test]
    fn a_flush_waits_for_its_own_position_alone() {
        let (mut session, id) = open();
        assert_eq!(session.position(), None, "nothing to wait for");
        send(&mut session, 10);
        let first = session.wait_for_flush(at(0)).unwrap();
        let own = session.pending().len();
        send(&mut session, 10);

        session.written(id, own - 1);
        assert!(!session.is_flush_due());
        session.written(id, 1);
        assert!(session.is_flush_due(), "before what was sent behind it is written");
        assert_eq!(session.poll_flushed(first), Poll::Pending);
        session.flushed(id);

        assert!(!session.is_flush_due());
        assert_eq!(session.poll_flushed(first), Poll::Ready(Ok(())));
    }

    #[test]
    fn a_position_of_a_lost_socket_is_lost_unless_it_was_flushed_before() {
        let (mut session, id) = open();
        send(&mut session, 10);
        let first = session.wait_for_flush(at(0)).unwrap();
        let own = session.pending().len();
        send(&mut session, 10);
        let second = session.wait_for_flush(at(0)).unwrap();
        write(&mut session, id, own);

        session.failed(at(1), id, Failure::Reset, "");
        session.dropped(id);

        assert_eq!(session.poll_flushed(first), Poll::Ready(Ok(())));
        assert_eq!(session.poll_flushed(second), Poll::Ready(Err(FlushErrorKind::Lost)));
        assert_eq!(session.wait_for_flush(at(2)), None);
    }

    #[test]
    fn a_flush_that_ended_with_its_socket_is_known_also_when_the_next_socket_is_lost() {
        let (mut session, id) = open();
        send(&mut session, 10);
        let flush = session.wait_for_flush(at(0)).unwrap();
        let all = session.pending().len();
        write(&mut session, id, all);
        session.failed(at(1), id, Failure::Reset, "");
        session.next_order();
        session.dropped(id);

        session.connect(at(2));
        let Some(Order::Open { id, .. }) = session.next_order() else { panic!("no open") };
        session.opened(at(2), id);
        session.failed(at(3), id, Failure::Reset, "");
        session.next_order();
        session.dropped(id);

        assert_eq!(session.poll_flushed(flush), Poll::Ready(Ok(())));
    }

    #[test]
    fn answers_to_pings_are_counted_down_as_they_are_written() {
        const ANSWER: usize = 2 + 4 + 100;
        let (session, id) = open();
        let limits = Limits { owed: 4 * ANSWER, ..Limits::default() };
        let mut session = session.with_limits(limits);
        let ping = [&[0x89, 100][..], &[0; 100]].concat();
        for number in 0..5 {
            assert!(session.wants_input());
            session.received(at(number), id, &ping);
            send(&mut session, 50); // bytes between the answers do not count
        }
        assert!(!session.wants_input());

        session.written(id, ANSWER - 1);
        assert!(!session.wants_input(), "one byte too many is left");
        session.written(id, 1);
        assert!(session.wants_input());

        session.received(at(6), id, &ping);
        assert!(!session.wants_input());
        session.written(id, 2 + 4 + 50);
        assert!(!session.wants_input(), "that was the message behind the first answer");
        session.written(id, ANSWER);
        assert!(session.wants_input() && !session.pending().is_empty());
    }
}
