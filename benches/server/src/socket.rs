//! A socket that does not block: what the poll told of it, one read, and what waits to be written.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::mem;
use std::net::Shutdown;
use std::time::Duration;

use mio::event::Event;
use mio::net::TcpStream;

/// Nothing more is read while more than this waits to be written.
pub(crate) const WAITING: usize = 1 << 20;

pub(crate) struct Socket {
    stream: TcpStream,
    readable: bool,
    writable: bool,
    /// The peer's end was announced: a short read is not yet the end of what can be read.
    read_closed: bool,
    /// What could not be written yet, from `written` on; empty when all is written.
    waiting: Vec<u8>,
    written: usize,
}

impl Socket {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            readable: false,
            writable: true,
            read_closed: false,
            waiting: Vec::new(),
            written: 0,
        }
    }

    pub(crate) fn on_event(&mut self, event: &Event) {
        self.readable |= event.is_readable() || event.is_read_closed() || event.is_error();
        self.writable |= event.is_writable();
        self.read_closed |= event.is_read_closed();
    }

    /// Whether there may be something to read, and the peer takes what it is sent.
    pub(crate) fn reads(&self) -> bool {
        self.readable && self.waiting.len() - self.written <= WAITING
    }

    /// Whether more would be written at once.
    pub(crate) fn writes(&self) -> bool {
        self.writable && self.waiting.is_empty()
    }

    /// Whether all that was to be written is.
    pub(crate) fn is_flushed(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Reads once: `Some(0)` is the peer's end, `None` nothing for now.
    pub(crate) fn read(&mut self, into: &mut [u8]) -> io::Result<Option<usize>> {
        match self.stream.read(into) {
            Ok(read) => {
                // A short read took all there was: whatever comes now is a new event.
                self.readable = read > 0 && (read == into.len() || self.read_closed);
                Ok(Some(read))
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.readable = false;
                Ok(None)
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes all of it, behind what waits; what the socket does not take now waits.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut from = 0;
        while self.writes() && from < bytes.len() {
            from += self.write(&bytes[from..])?;
        }
        self.waiting.extend_from_slice(&bytes[from..]);
        Ok(())
    }

    /// Writes once, when nothing waits; less than all means that the socket is full. The rest is the caller's.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.stream.write(bytes) {
            Ok(0) => Err(ErrorKind::WriteZero.into()),
            Ok(written) => {
                self.writable = written == bytes.len();
                Ok(written)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.writable = false;
                Ok(0)
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(0),
            Err(error) => Err(error),
        }
    }

    /// Writes what waits, as far as the socket goes.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        while self.writable && self.written < self.waiting.len() {
            let waiting = mem::take(&mut self.waiting);
            let written = self.write(&waiting[self.written..]);
            self.waiting = waiting;
            self.written += written?;
        }
        if self.written == self.waiting.len() {
            self.waiting = Vec::new();
            self.written = 0;
        } else if self.written > WAITING {
            self.waiting.drain(..self.written);
            self.written = 0;
        }
        Ok(())
    }

    pub(crate) fn shut_down(&self) -> io::Result<()> {
        self.stream.shutdown(Shutdown::Write)
    }

    /// Lets the socket end with a reset, not with a FIN.
    pub(crate) fn reset(self) {
        // A socket that cannot be told so is closed all the same.
        let _ = socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
    }
}
