//! What the engine does with its socket: upgrade, write, read and leave. Nothing here blocks.

use std::io;

use gateway_core::{Failure, Instant, SocketId};

use super::{ByteStream, Engine, Host, Io, Progress, READS_BEFORE_TICK, Upgrading};
use crate::handshake::{Handshake, Opened};
use crate::open_failure::{OpenFailure, OpenStep};
use crate::provider::Private;

/// The most bytes that one write offers: a message of 64 KiB fits. If a write fails, the engine does
/// not know how many of its bytes left the process.
///
/// A look also ends its writes after this many bytes, so that a driver holds its lock for no more
/// than about twice this.
pub(super) const WRITE: usize = 128 << 10;

/// The most bytes that are read and discarded when a socket is left. Unread input would cause a
/// reset, which could overtake the Close frame.
const LINGER: usize = 64 << 10;

/// The bytes that one read of the answer to the upgrade takes.
const HEAD: usize = 16 << 10;

impl<H: Host> Engine<H> {
    /// Writes the upgrade request, and reads its answer.
    pub(super) fn look_at_upgrade(&mut self) -> Progress {
        let Io::Upgrading { id, upgrading } = &mut self.io else { return Progress::Blocked };
        let Upgrading { dialled, written, .. } = &mut **upgrading;
        let id = *id;
        match upgrade(&mut dialled.stream, &mut dialled.handshake, written) {
            Ok(Upgrade::Blocked) => Progress::Blocked,
            Ok(Upgrade::Going) => {
                if dialled.handshake.is_refused() {
                    self.session.wait_for_body(self.host.now(), id);
                }
                Progress::Made
            }
            Ok(Upgrade::Done(opened)) => self.open(id, opened),
            Err(failure) => self.fail_to_open(id, failure),
        }
    }

    fn open(&mut self, id: SocketId, opened: Opened) -> Progress {
        let Io::Upgrading { upgrading, .. } = std::mem::replace(&mut self.io, Io::None) else {
            return Progress::Blocked;
        };
        let Upgrading { dialled, private, .. } = *upgrading;
        let now = self.host.now();
        self.io = Io::Open { id, stream: dialled.stream, rest: opened.rest };
        self.subprotocol = opened.subprotocol;
        self.response_headers = opened.headers;
        self.session.set_private(private.map_or_else(Private::default, |own| *own), opened.hidden);
        self.session.opened(now, id);
        let _ = self.write_some(WRITE); // the login is sent before the application reads the event
        Progress::Made
    }

    pub(super) fn read(&mut self) -> Progress {
        if self.session.is_breach_due() {
            self.session.fail_breached(self.host.now());
            return Progress::Made;
        }
        if self.session.is_flow_changed() {
            self.session.update_flow(self.host.now());
        }
        if !self.session.wants_input() {
            return Progress::Blocked;
        }
        let Io::Open { id, stream, rest } = &mut self.io else { return Progress::Blocked };
        let (id, session, host) = (*id, &mut self.session, &self.host);
        let read = read(stream, rest, session.read_size(), |bytes| {
            // All frames of this read get the same time.
            let now = host.now();
            if bytes.is_empty() {
                session.failed(now, id, Failure::Eof, "the stream ended without a Close frame");
            } else {
                session.received(now, id, bytes);
            }
            now
        });
        let now = match read {
            Ok(now) => now,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.overdue_reads = 0;
                return Progress::Blocked;
            }
            Err(error) => {
                let now = self.host.now();
                self.session.failed(now, id, failure(&error), &error.to_string());
                now
            }
        };
        self.fire_if_overdue(now);
        Progress::Made
    }

    /// Fires an overdue deadline even if every read finds more bytes.
    fn fire_if_overdue(&mut self, now: Instant) {
        if self.session.deadline().is_none_or(|deadline| now < deadline) {
            self.overdue_reads = 0;
            return;
        }
        self.overdue_reads += 1;
        if self.overdue_reads > READS_BEFORE_TICK {
            self.fire(now);
        }
    }

    /// Writes and flushes the pending bytes, as far as the stream accepts them now.
    pub fn write(&mut self) -> Progress {
        self.write_some(usize::MAX)
    }

    /// The same, but begins no write after `most` bytes. If more are pending then, the result is
    /// [`Progress::Made`], and the next call goes on.
    pub(super) fn write_some(&mut self, most: usize) -> Progress {
        let Io::Open { id, stream, .. } = &mut self.io else { return Progress::Blocked };
        let id = *id;
        let mut progress = Progress::Blocked;
        let (mut moved, mut is_blocked, mut left) = (false, false, most);
        while left > 0 && !self.session.pending().is_empty() && !self.session.is_flush_due() {
            let offered = offer(self.session.pending());
            let count = offered.len();
            match stream.write(offered) {
                Ok(0) => return self.write_failed(id, &io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    self.session.written(id, count);
                    left = left.saturating_sub(count);
                    moved = true;
                    progress = Progress::Made;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.session.write_waits(id);
                    is_blocked = true;
                    break;
                }
                Err(error) => {
                    if !stream.fails_whole() {
                        self.session.write_failed(id, count);
                    }
                    return self.write_failed(id, &error);
                }
            }
        }
        // Flush even if the write has to wait: complete messages then count as sent, whatever
        // happens to the rest. If the next call goes on at once, it flushes.
        let goes_on =
            left == 0 && !self.session.pending().is_empty() && !self.session.is_flush_due();
        if self.session.is_dirty() && !goes_on {
            match stream.flush() {
                Ok(()) => {
                    self.session.flushed(id);
                    moved = true;
                    progress = Progress::Made; // someone may be waiting for this flush
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => is_blocked = true,
                Err(error) => return self.write_failed(id, &error),
            }
        }
        moved |= stream.take_progress();
        if moved && self.session.is_transport_awaited() {
            self.session.transport_took(self.host.now());
        }
        // If the loop ended because of the flush, or after `most` bytes, another pass follows.
        let is_over = is_blocked || self.session.is_flushed();
        if is_over && self.session.is_write_watched() {
            self.session.write_ended(self.host.now(), id, moved);
        } else if moved && self.session.is_write_watched() {
            self.session.write_progressed(self.host.now(), id);
        }
        progress
    }

    /// Handles a failed write. The peer's last bytes may still be readable, such as a Close frame
    /// with its reason.
    fn write_failed(&mut self, id: SocketId, error: &io::Error) -> Progress {
        let now = self.host.now();
        for _ in 0..READS_BEFORE_TICK {
            let Io::Open { stream, rest, .. } = &mut self.io else { break };
            let session = &mut self.session;
            let read = read(stream, rest, session.read_size(), |bytes| {
                if !bytes.is_empty() {
                    session.received(now, id, bytes);
                }
                !bytes.is_empty()
            });
            if !matches!(read, Ok(true)) || self.session.socket() != Some(id) {
                break; // no more bytes, or these have ended the socket
            }
        }
        if self.session.socket() == Some(id) {
            self.session.failed(now, id, failure(error), &error.to_string());
        }
        Progress::Made
    }

    /// Writes the last bytes, which end in a Close frame, as far as possible without blocking.
    pub(super) fn say_farewell(&mut self) {
        let Io::Open { id, stream, .. } = &mut self.io else { return };
        while !self.session.pending().is_empty() {
            let offered = offer(self.session.pending());
            let count = offered.len();
            match stream.write(offered) {
                Ok(count) if count > 0 => self.session.written(*id, count),
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
                    if !stream.fails_whole() {
                        self.session.write_failed(*id, count);
                    }
                    return;
                }
                Ok(_) | Err(_) => break,
            }
        }
        if stream.flush().is_ok() {
            self.session.flushed(*id);
        }
        stream.shutdown();
        // Dropping a socket with unread input resets it, and the reset may overtake the Close.
        let mut left = LINGER;
        while left > 0 {
            match stream.read(LINGER, <[u8]>::len) {
                Ok(count) if count > 0 => left = left.saturating_sub(count),
                Ok(_) | Err(_) => break,
            }
        }
    }
}

/// The result of a step of the upgrade.
enum Upgrade {
    Going,
    Blocked,
    Done(Opened),
}

fn upgrade(
    stream: &mut impl ByteStream,
    handshake: &mut Handshake,
    written: &mut usize,
) -> Result<Upgrade, OpenFailure> {
    match write_request(stream, handshake, written) {
        Ok(true) => {}
        Ok(false) => return Ok(Upgrade::Going),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Upgrade::Blocked),
        Err(error) => {
            // A server may refuse a request before it has read all of it.
            let _ = read_answer(stream, handshake);
            return Err(failed(handshake, &error));
        }
    }
    match read_answer(stream, handshake) {
        Ok(outcome) => outcome,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Upgrade::Blocked),
        Err(error) => Err(failed(handshake, &error)),
    }
}

/// Writes some of the request. Returns whether all of it had been written and flushed before.
fn write_request(
    stream: &mut impl ByteStream,
    handshake: &Handshake,
    written: &mut usize,
) -> io::Result<bool> {
    let rest = &handshake.request()[*written..];
    if rest.is_empty() {
        return stream.flush().map(|()| true);
    }
    match stream.write(rest)? {
        0 => Err(io::ErrorKind::WriteZero.into()),
        count => {
            *written += count;
            Ok(false)
        }
    }
}

fn read_answer(
    stream: &mut impl ByteStream,
    handshake: &mut Handshake,
) -> io::Result<Result<Upgrade, OpenFailure>> {
    stream.read(HEAD, |bytes| match bytes {
        [] => Err(handshake.ended()),
        bytes => Ok(handshake.received(bytes)?.map_or(Upgrade::Going, Upgrade::Done)),
    })
}

/// Returns the failure after an error of the stream. A refusal that came before the error counts.
fn failed(handshake: &Handshake, error: &io::Error) -> OpenFailure {
    match handshake.is_refused() {
        true => handshake.ended(),
        false => OpenFailure::classify(OpenStep::Upgrade, error),
    }
}

/// Reads `rest` first, then the stream.
fn read<T>(
    stream: &mut impl ByteStream,
    rest: &mut Vec<u8>,
    size: usize,
    take: impl FnOnce(&[u8]) -> T,
) -> io::Result<T> {
    match std::mem::take(rest) {
        rest if rest.is_empty() => stream.read(size, take),
        rest => Ok(take(&rest)),
    }
}

/// The part of `pending` that one write offers.
fn offer(pending: &[u8]) -> &[u8] {
    &pending[..pending.len().min(WRITE)]
}

/// Converts an error of the transport for the core.
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
