//! An open WebSocket: it writes what waits, reads, answers and floods, each as far as the socket goes.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::mem;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use tokio::net::TcpStream;

use crate::clock::Clock;
use crate::flood::{Chunk, Flood};
use crate::frames::{self, Header};

/// One read takes up to this much.
const INPUT: usize = 256 << 10;
/// Nothing more is read while more than this waits to be written.
const WAITING: usize = 1 << 20;
/// A flood gives way to reading after this much.
const TURN: usize = 512 << 10;

const PING: &[u8] = b"{\"type\":\"ping\"";
const PONG: &[u8] = b"{\"type\":\"pong\"";

/// What all connections share, so that each is small.
pub(crate) struct Shared {
    input: Vec<u8>,
    /// What a read is answered with; empty between two.
    output: Vec<u8>,
    chunk: Chunk,
    clock: Clock,
    /// When the heartbeats came since the start or the last reset, in nanoseconds.
    pub(crate) pings: Vec<u64>,
}

impl Default for Shared {
    fn default() -> Self {
        let (input, output, pings) = (vec![0; INPUT], Vec::new(), Vec::new());
        Self { input, output, chunk: Chunk::new(), clock: Clock::start(), pings }
    }
}

pub(crate) struct Connection {
    stream: TcpStream,
    shared: Rc<RefCell<Shared>>,
    /// What could not be written yet.
    waiting: BytesMut,
    /// The beginning of a frame that is not whole.
    rest: Vec<u8>,
    /// A message of several frames that is not complete: its opcode, and its bytes so far.
    fragments: Option<(u8, Vec<u8>)>,
    floods: VecDeque<Flood>,
    /// What waits is the last.
    is_ending: bool,
}

impl Connection {
    /// Bytes that follow the request directly, if there are any, are processed with the next read.
    pub(crate) fn new(stream: TcpStream, shared: Rc<RefCell<Shared>>, rest: Vec<u8>) -> Self {
        let (waiting, floods) = (BytesMut::new(), VecDeque::new());
        Self { stream, shared, waiting, rest, fragments: None, floods, is_ending: false }
    }

    /// Serves until the client closes or ends. Dropped before that, it is reset.
    pub(crate) async fn live(mut self) -> io::Result<()> {
        while !(self.is_ending && self.waiting.is_empty()) {
            poll_fn(|cx| self.turn(cx)).await?;
        }
        self.is_ending = true;
        Ok(())
    }

    /// Does what it can do now; pending where that is nothing.
    fn turn(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shared = Rc::clone(&self.shared);
        let shared = &mut *shared.borrow_mut();
        let mut has_moved = self.flush(cx)?;
        if !self.is_ending && self.waiting.len() <= WAITING {
            has_moved |= self.read(shared, cx)?;
        }
        if !self.is_ending {
            has_moved |= self.pour(shared, cx)?;
        }
        if has_moved { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    /// Writes what waits. Returns whether anything was written.
    fn flush(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        let mut has_moved = false;
        while !self.waiting.is_empty() {
            match Pin::new(&mut self.stream).poll_write(cx, &self.waiting)? {
                Poll::Ready(written) => self.waiting.advance(written),
                Poll::Pending => return Ok(has_moved),
            }
            has_moved = true;
        }
        self.waiting = BytesMut::new();
        Ok(has_moved)
    }

    /// Writes these bytes behind what waits; what the socket does not take now waits.
    fn send(&mut self, mut bytes: &[u8], cx: &mut Context<'_>) -> io::Result<()> {
        while self.waiting.is_empty() && !bytes.is_empty() {
            match Pin::new(&mut self.stream).poll_write(cx, bytes)? {
                Poll::Ready(written) => bytes.advance(written),
                Poll::Pending => break,
            }
        }
        self.waiting.extend_from_slice(bytes);
        Ok(())
    }

    /// Reads once, and answers. Returns whether anything came.
    fn read(&mut self, shared: &mut Shared, cx: &mut Context<'_>) -> io::Result<bool> {
        // A frame beyond half of the shared input grows in `rest`; any other is completed in the shared input.
        let grows = self.rest.len() > INPUT / 2;
        let begun = if grows { 0 } else { self.rest.len() };
        shared.input[..begun].copy_from_slice(&self.rest[..begun]);
        let mut buffer = ReadBuf::new(&mut shared.input[begun..]);
        let Poll::Ready(()) = Pin::new(&mut self.stream).poll_read(cx, &mut buffer)? else {
            return Ok(false);
        };
        let read = buffer.filled().len();
        let heard = if read == 0 {
            self.end();
            Ok(())
        } else if grows {
            self.rest.extend_from_slice(&shared.input[..read]);
            let mut bytes = mem::take(&mut self.rest);
            self.hear(&mut bytes, shared)
        } else {
            let mut input = mem::take(&mut shared.input);
            let heard = self.hear(&mut input[..begun + read], shared);
            shared.input = input;
            heard
        };
        self.send(&shared.output, cx)?;
        shared.output.clear();
        shared.output.shrink_to(WAITING);
        heard?;
        Ok(true)
    }

    /// Takes the frames that are whole; the rest is kept.
    fn hear(&mut self, bytes: &mut [u8], shared: &mut Shared) -> io::Result<()> {
        let mut taken = 0;
        while !self.is_ending
            && let Some(header) = Header::parse(&bytes[taken..])?
        {
            let begin = taken + header.size;
            let payload = bytes.get_mut(begin..).and_then(|rest| rest.get_mut(..header.length));
            let Some(payload) = payload else { break };
            header.unmask(payload);
            self.on_frame(&header, payload, shared);
            taken = begin + header.length;
        }
        // Whole most of the time, and then it holds no memory.
        self.rest = bytes[taken..].to_vec();
        Ok(())
    }

    #[inline]
    fn on_frame(&mut self, header: &Header, payload: &[u8], shared: &mut Shared) {
        match (header.opcode, &mut self.fragments) {
            (frames::PING, _) => frames::write(&mut shared.output, frames::PONG, payload),
            (frames::PONG, _) => {}
            (frames::CLOSE, _) => {
                frames::write(&mut shared.output, frames::CLOSE, payload);
                self.end();
            }
            (_, Some((_, message))) => {
                message.extend_from_slice(payload);
                if header.fin
                    && let Some((opcode, message)) = self.fragments.take()
                {
                    self.on_message(opcode, &message, shared);
                }
            }
            (opcode, None) if header.fin => self.on_message(opcode, payload, shared),
            (opcode, None) => self.fragments = Some((opcode, payload.to_vec())),
        }
    }

    #[inline]
    fn on_message(&mut self, opcode: u8, payload: &[u8], shared: &mut Shared) {
        if opcode == frames::TEXT {
            if let Some(rest) = payload.strip_prefix(PING) {
                shared.pings.push(shared.clock.nanoseconds());
                frames::write_header(&mut shared.output, frames::TEXT, payload.len());
                shared.output.extend_from_slice(PONG);
                shared.output.extend_from_slice(rest);
                return;
            }
            if let Some(flood) = Flood::parse(payload) {
                self.floods.push_back(flood);
                return;
            }
        }
        frames::write(&mut shared.output, opcode, payload);
    }

    fn end(&mut self) {
        self.is_ending = true;
        self.floods.clear();
    }

    /// Writes the next texts of a flood. What waits is then the rest of one frame at most.
    fn pour(&mut self, shared: &mut Shared, cx: &mut Context<'_>) -> io::Result<bool> {
        let mut poured = 0;
        while poured < TURN && self.waiting.is_empty() {
            let Some(flood) = self.floods.front_mut() else { break };
            if flood.is_over() {
                self.floods.pop_front();
                continue;
            }
            let next = shared.chunk.next(flood);
            let Poll::Ready(written) = Pin::new(&mut self.stream).poll_write(cx, next)? else {
                break;
            };
            let rest = shared.chunk.written(flood, written);
            self.send(rest, cx)?;
            poured += written;
        }
        Ok(poured > 0)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if !self.is_ending {
            // If the socket rejects the setting, it is closed without a reset.
            let _ = self.stream.set_zero_linger();
        }
    }
}
