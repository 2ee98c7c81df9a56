//! One connection: what it is told by the poll, what it reads and answers, what waits to be written.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::mem;
use std::net::Shutdown;
use std::time::Duration;

use mio::event::Event;
use mio::net::TcpStream;

use crate::clock::Clock;
use crate::flood::{Chunk, Flood};
use crate::frames;
use crate::request::{self, Request};
use crate::session::Session;
use crate::statistics::Statistics;

/// One read takes up to this much.
const INPUT: usize = 256 << 10;
/// Nothing more is read while more than this waits to be written.
const WAITING: usize = 1 << 20;
/// A flood gives way to the other connections after this much.
const TURN: usize = 512 << 10;

/// What all connections share, so that each is small.
pub(crate) struct Shared {
    input: Box<[u8]>,
    /// What a turn answers; empty between turns.
    pub(crate) output: Vec<u8>,
    chunk: Chunk,
    pub(crate) statistics: Statistics,
    pub(crate) clock: Clock,
}

impl Shared {
    pub(crate) fn new() -> Self {
        Self {
            input: vec![0; INPUT].into(),
            output: Vec::new(),
            chunk: Chunk::new(),
            statistics: Statistics::default(),
            clock: Clock::start(),
        }
    }
}

/// How a connection's turn ended.
pub(crate) enum Turn {
    /// It waits for its next event.
    Wait,
    /// It has more to do at once.
    Again,
    /// It asks for the reset of all others, and for [`Connection::on_reset`] then.
    Reset,
    /// It is over.
    Over,
}

pub(crate) struct Connection {
    stream: TcpStream,
    stage: Stage,
    readable: bool,
    writable: bool,
    /// The peer's end was announced: a short read is not yet the end of what can be read.
    read_closed: bool,
    /// The beginning of a request or frame that is not whole.
    rest: Vec<u8>,
    /// How long `rest` becomes, if its header tells already.
    needed: usize,
    /// What could not be written yet, from `written` on.
    waiting: Vec<u8>,
    written: usize,
    floods: VecDeque<Flood>,
}

enum Stage {
    /// The request is not whole.
    Requesting,
    /// It asked for the reset.
    Resetting,
    Open(Session),
    /// What waits is the last: then the sending side is shut down, and what comes in is thrown away until the peer ends.
    Closing,
    Discarding,
    /// What waits is the last: then it is over.
    Ending,
}

impl Connection {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            stage: Stage::Requesting,
            readable: false,
            writable: true,
            read_closed: false,
            rest: Vec::new(),
            needed: 0,
            waiting: Vec::new(),
            written: 0,
            floods: VecDeque::new(),
        }
    }

    pub(crate) fn on_event(&mut self, event: &Event) {
        self.readable |= event.is_readable() || event.is_read_closed() || event.is_error();
        self.writable |= event.is_writable();
        self.read_closed |= event.is_read_closed();
    }

    /// Writes what waits, reads once, answers, floods: each as far as the socket goes.
    pub(crate) fn turn(&mut self, shared: &mut Shared) -> io::Result<Turn> {
        self.flush()?;
        if self.reads() {
            self.read(shared)?;
        }
        if matches!(self.stage, Stage::Resetting) {
            return Ok(Turn::Reset);
        }
        self.deliver(shared)?;
        self.pour(shared)?;
        if self.waiting.is_empty() {
            match self.stage {
                Stage::Requesting | Stage::Resetting | Stage::Open(_) | Stage::Discarding => {}
                Stage::Closing => {
                    self.stream.shutdown(Shutdown::Write)?;
                    self.stage = Stage::Discarding;
                }
                Stage::Ending => return Ok(Turn::Over),
            }
        }
        let pours = self.writable && !self.floods.is_empty();
        Ok(if pours || self.reads() { Turn::Again } else { Turn::Wait })
    }

    /// All others are gone, and the counts zeroed.
    pub(crate) fn on_reset(&mut self, shared: &mut Shared) {
        self.stage = Stage::Closing;
        let answer = request::answer("200 OK", "text/plain", "reset\n");
        shared.output.extend_from_slice(answer.as_bytes());
    }

    /// Ends the connection with a reset, not with a FIN.
    pub(crate) fn reset(self, statistics: &mut Statistics) {
        // A socket that cannot be told so is closed all the same.
        let _ = socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
        self.leave(statistics);
    }

    /// Is counted no more, and closed.
    pub(crate) fn leave(self, statistics: &mut Statistics) {
        if let Stage::Open(_) = self.stage {
            statistics.connections -= 1;
        }
    }

    fn reads(&self) -> bool {
        let hears = !matches!(self.stage, Stage::Resetting | Stage::Ending);
        hears && self.readable && self.waiting.len() - self.written <= WAITING
    }

    fn read(&mut self, shared: &mut Shared) -> io::Result<()> {
        // A frame beyond half of the shared input grows in `rest`; any other is completed in the shared input.
        let grows = self.needed > INPUT / 2;
        let begun = if grows { 0 } else { self.rest.len() };
        if !grows {
            shared.input[..begun].copy_from_slice(&self.rest);
        }
        let read = match self.stream.read(&mut shared.input[begun..]) {
            Ok(0) => return self.on_end(shared),
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.readable = false;
                return Ok(());
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
            Err(error) => return Err(error),
        };
        // A short read took all there was: whatever comes now is a new event.
        self.readable = read == INPUT - begun || self.read_closed;
        if grows {
            self.rest.extend_from_slice(&shared.input[..read]);
            if self.rest.len() >= self.needed {
                let mut bytes = mem::take(&mut self.rest);
                self.hear(&mut bytes, shared);
            }
        } else {
            let mut input = mem::take(&mut shared.input);
            self.hear(&mut input[..begun + read], shared);
            shared.input = input;
        }
        Ok(())
    }

    /// Takes what is whole; the rest is kept.
    fn hear(&mut self, bytes: &mut [u8], shared: &mut Shared) {
        let mut taken = 0;
        if matches!(self.stage, Stage::Requesting) {
            taken = self.on_request(bytes, shared);
        }
        let bytes = &mut bytes[taken..];
        let (taken, needed) = match &mut self.stage {
            Stage::Requesting => (0, 0),
            Stage::Open(session) => match session.hear(bytes, shared, &mut self.floods) {
                Ok(heard) if session.is_over() => {
                    self.leave_open(Stage::Ending, shared);
                    heard
                }
                Ok(heard) => heard,
                Err(fault) => {
                    let mut payload = fault.code.to_be_bytes().to_vec();
                    payload.extend_from_slice(fault.reason.as_bytes());
                    frames::write(&mut shared.output, frames::CLOSE, &payload);
                    self.leave_open(Stage::Closing, shared);
                    (bytes.len(), 0)
                }
            },
            Stage::Resetting | Stage::Closing | Stage::Discarding | Stage::Ending => {
                (bytes.len(), 0)
            }
        };
        self.needed = needed;
        self.rest.clear();
        self.rest.extend_from_slice(&bytes[taken..]);
        if self.rest.is_empty() {
            self.rest = Vec::new();
        }
    }

    fn on_request(&mut self, bytes: &[u8], shared: &mut Shared) -> usize {
        let Some((request, size)) = Request::parse(bytes) else { return 0 };
        let answer = match request {
            Request::Upgrade(accept) => {
                self.stage = Stage::Open(Session::new(shared.statistics.accepted));
                shared.statistics.accepted += 1;
                shared.statistics.connections += 1;
                request::switching(&accept)
            }
            Request::Reset => {
                self.stage = Stage::Resetting;
                return size;
            }
            Request::Statistics => {
                self.stage = Stage::Closing;
                request::answer("200 OK", "application/json", &shared.statistics.json())
            }
            Request::Refused(status) => {
                self.stage = Stage::Closing;
                request::answer(status, "text/plain", &format!("{status}\n"))
            }
        };
        shared.output.extend_from_slice(answer.as_bytes());
        size
    }

    /// The peer ended: nothing more is heard, and what waits is the last.
    fn on_end(&mut self, shared: &mut Shared) -> io::Result<()> {
        self.readable = false;
        self.leave_open(Stage::Ending, shared);
        Ok(())
    }

    fn leave_open(&mut self, stage: Stage, shared: &mut Shared) {
        if let Stage::Open(_) = mem::replace(&mut self.stage, stage) {
            shared.statistics.connections -= 1;
        }
        self.floods = VecDeque::new();
    }

    /// Writes the turn's answers, behind what waits.
    fn deliver(&mut self, shared: &mut Shared) -> io::Result<()> {
        let mut from = 0;
        while self.waiting.is_empty() && self.writable && from < shared.output.len() {
            from += self.write(&shared.output[from..])?;
        }
        self.waiting.extend_from_slice(&shared.output[from..]);
        shared.output.clear();
        shared.output.shrink_to(WAITING);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
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

    /// Writes the next texts of a flood. What waits is then the rest of one frame at most.
    fn pour(&mut self, shared: &mut Shared) -> io::Result<()> {
        let mut poured = 0;
        while poured < TURN && self.writable && self.waiting.is_empty() {
            let Some(mut flood) = self.floods.pop_front() else { break };
            if !flood.is_over() {
                let written = self.write(shared.chunk.next(&flood))?;
                let (frames, rest) = shared.chunk.written(&mut flood, written);
                self.waiting.extend_from_slice(rest);
                shared.statistics.sent += frames;
                poured += written;
                self.floods.push_front(flood);
            }
        }
        Ok(())
    }

    /// Writes once; less than all means that the socket is full.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
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
}
