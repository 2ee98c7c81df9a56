//! What the client does to its socket: it opens, writes, reads and leaves it. Every look is one that does not wait.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use gateway_core::{Failure, Instant, SocketId};
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};

use super::{Client, Io, Progress, READS_BEFORE_TICK};

/// The most that one read takes. On the stack: an idle client holds no read buffer of its own.
const READ: usize = 32 << 10;

/// The most that one write is offered: where a write fails it is not known how much of it was passed on.
const WRITE: usize = 64 << 10;

/// The most that is read and thrown away from a socket that is left, so that its Close frame is not overtaken
/// by a reset.
const LINGER: usize = 64 << 10;

impl Client {
    /// One look at the socket: at its opening, or first at what is to be written, then at what can be read.
    pub(super) fn poll_socket(&mut self, cx: &mut Context<'_>) -> Progress {
        match &mut self.io {
            Io::None => Progress::Blocked,
            Io::Opening { .. } => self.poll_opening(cx),
            Io::Open { .. } => {
                let wrote = self.poll_write(cx);
                match self.poll_read(cx) {
                    Progress::Made => Progress::Made,
                    Progress::Blocked => wrote,
                }
            }
        }
    }

    fn poll_opening(&mut self, cx: &mut Context<'_>) -> Progress {
        let Io::Opening { id, opening } = &mut self.io else { return Progress::Blocked };
        let id = *id;
        let Poll::Ready(outcome) = opening.as_mut().poll(cx) else { return Progress::Blocked };
        let now = self.now();
        match outcome {
            Ok(socket) => {
                self.io = Io::Open { id, transport: socket.transport };
                self.subprotocol = socket.opened.subprotocol;
                self.session.set_login(socket.login);
                self.session.opened(now, id);
                if !socket.opened.rest.is_empty() {
                    self.session.received(now, id, &socket.opened.rest);
                }
            }
            Err(failure) => {
                self.io = Io::None;
                self.session.open_failed(now, id, &failure);
            }
        }
        Progress::Made
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Progress {
        if self.session.is_flow_changed() {
            let now = self.now();
            self.session.update_flow(now);
        }
        if !self.session.wants_input() {
            return Progress::Blocked;
        }
        let Io::Open { id, transport } = &mut self.io else { return Progress::Blocked };
        let id = *id;
        let mut storage = [MaybeUninit::uninit(); READ];
        let mut buffer = ReadBuf::uninit(&mut storage);
        let Poll::Ready(outcome) = Pin::new(transport).poll_read(cx, &mut buffer) else {
            self.overdue_reads = 0;
            return Progress::Blocked;
        };
        // The one time for all frames of this read.
        let now = self.now();
        match outcome {
            Ok(()) if buffer.filled().is_empty() => {
                self.session.failed(
                    now,
                    id,
                    Failure::Eof,
                    "the stream ended without a Close frame",
                );
            }
            Ok(()) => self.session.received(now, id, buffer.filled()),
            Err(error) => self.session.failed(now, id, failure(&error), &error.to_string()),
        }
        self.fire_if_overdue(now);
        Progress::Made
    }

    /// A peer that never lets a read block must not keep a deadline from firing.
    fn fire_if_overdue(&mut self, now: Instant) {
        if self.session.deadline().is_none_or(|deadline| now < deadline) {
            self.overdue_reads = 0;
            return;
        }
        self.overdue_reads += 1;
        if self.overdue_reads > READS_BEFORE_TICK {
            self.overdue_reads = 0;
            if let Some(time) = &self.time {
                self.session.wall_clock(now, time.clock.wall());
            }
            self.session.tick(now);
        }
    }

    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>) -> Progress {
        let Io::Open { id, transport } = &mut self.io else { return Progress::Blocked };
        let id = *id;
        let mut progress = Progress::Blocked;
        while !self.session.pending().is_empty() {
            let offered = offer(self.session.pending());
            let count = offered.len();
            match Pin::new(&mut *transport).poll_write(cx, offered) {
                Poll::Ready(Ok(0)) => {
                    return self.write_failed(id, &io::ErrorKind::WriteZero.into());
                }
                Poll::Ready(Ok(count)) => {
                    self.session.written(id, count);
                    progress = Progress::Made;
                }
                Poll::Ready(Err(error)) => {
                    self.lose_offer(id, count);
                    return self.write_failed(id, &error);
                }
                Poll::Pending => break,
            }
        }
        // Also behind a write that waits: what was taken whole is sent, whatever becomes of the rest.
        if self.session.is_dirty() {
            match Pin::new(transport).poll_flush(cx) {
                Poll::Ready(Ok(())) => {
                    self.session.flushed(id);
                    progress = Progress::Made; // somebody may wait for just this
                }
                Poll::Ready(Err(error)) => return self.write_failed(id, &error),
                Poll::Pending => {}
            }
        }
        progress
    }

    /// A write failed. What the peer said before it hung up may still be read: a Close frame, with its reason.
    fn write_failed(&mut self, id: SocketId, error: &io::Error) -> Progress {
        let now = self.now();
        let waker = Waker::noop();
        let mut cx = Context::from_waker(waker);
        for _ in 0..READS_BEFORE_TICK {
            let Io::Open { transport, .. } = &mut self.io else { break };
            let mut storage = [MaybeUninit::uninit(); READ];
            let mut buffer = ReadBuf::uninit(&mut storage);
            match Pin::new(transport).poll_read(&mut cx, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    self.session.received(now, id, buffer.filled());
                }
                Poll::Ready(Ok(()) | Err(_)) | Poll::Pending => break,
            }
            if self.session.socket() != Some(id) {
                break; // what was read has ended the socket
            }
        }
        if self.session.socket() == Some(id) {
            self.session.failed(now, id, failure(error), &error.to_string());
        }
        Progress::Made
    }

    /// A write of `count` bytes failed: a transport that buffers, as TLS does, may have passed on some of them.
    fn lose_offer(&mut self, id: SocketId, count: usize) {
        if !self.opener.dial.fails_whole() {
            self.session.write_failed(id, count);
        }
    }

    /// Writes what is waiting, as far as the transport takes it now. Says whether some is left.
    pub(super) fn try_write(&mut self) -> bool {
        let waker = Waker::from(Arc::clone(&self.wakers));
        let _ = self.poll_write(&mut Context::from_waker(&waker));
        !self.session.pending().is_empty()
    }

    /// Writes the last bytes, which end in a Close frame, as far as that needs no waiting.
    pub(super) fn say_farewell(&mut self) {
        let Io::Open { id, transport } = &mut self.io else { return };
        let mut cx = Context::from_waker(Waker::noop());
        while !self.session.pending().is_empty() {
            let offered = offer(self.session.pending());
            let count = offered.len();
            match Pin::new(&mut *transport).poll_write(&mut cx, offered) {
                Poll::Ready(Ok(count)) if count > 0 => self.session.written(*id, count),
                Poll::Ready(Err(_)) => {
                    let id = *id;
                    self.lose_offer(id, count);
                    return;
                }
                Poll::Ready(Ok(_)) | Poll::Pending => break,
            }
        }
        if let Poll::Ready(Ok(())) = Pin::new(&mut *transport).poll_flush(&mut cx) {
            self.session.flushed(*id);
        }
        let _ = Pin::new(&mut *transport).poll_shutdown(&mut cx);
        // A socket that is dropped with unread input is reset, and a reset may overtake the Close.
        let mut left = LINGER;
        while left > 0 {
            let mut storage = [MaybeUninit::uninit(); READ];
            let mut buffer = ReadBuf::uninit(&mut storage);
            match Pin::new(&mut *transport).poll_read(&mut cx, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    left = left.saturating_sub(buffer.filled().len());
                }
                Poll::Ready(Ok(()) | Err(_)) | Poll::Pending => break,
            }
        }
    }
}

/// What one write is offered.
fn offer(pending: &[u8]) -> &[u8] {
    &pending[..pending.len().min(WRITE)]
}

/// How an error of the transport reads to the core.
fn failure(error: &io::Error) -> Failure {
    use io::ErrorKind as Kind;
    let is_tls = error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>());
    match error.kind() {
        _ if is_tls => Failure::Tls,
        Kind::UnexpectedEof => Failure::Eof,
        Kind::ConnectionReset | Kind::ConnectionAborted | Kind::BrokenPipe => Failure::Reset,
        _ => Failure::Io,
    }
}
