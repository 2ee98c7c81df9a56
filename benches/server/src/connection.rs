//! One connection: it is given turns, in which it reads, answers and floods as far as its socket goes.

use std::collections::VecDeque;
use std::io;
use std::mem;

use mio::event::Event;
use mio::net::TcpStream;

use crate::clock::Clock;
use crate::flood::{Chunk, Flood};
use crate::frames;
use crate::request::{self, Request};
use crate::session::Session;
use crate::socket::{Socket, WAITING};
use crate::statistics::Statistics;

/// One read takes up to this much.
const INPUT: usize = 256 << 10;
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
    socket: Socket,
    stage: Stage,
    /// The beginning of a request or frame that is not whole.
    rest: Vec<u8>,
    /// How long `rest` becomes, if its header tells already.
    needed: usize,
    floods: VecDeque<Flood>,
}

enum Stage {
    /// The request is not whole.
    Requesting,
    /// It asked for the reset.
    Resetting,
    Open(Session),
    /// What waits is the last: then the sending side is shut down.
    Closing,
    /// What comes in is thrown away until the peer ends: a socket closed before that would be reset, and its last
    /// words lost.
    Discarding,
    /// What waits is the last: then it is over.
    Ending,
}

impl Connection {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self {
            socket: Socket::new(stream),
            stage: Stage::Requesting,
            rest: Vec::new(),
            needed: 0,
            floods: VecDeque::new(),
        }
    }

    pub(crate) fn on_event(&mut self, event: &Event) {
        self.socket.on_event(event);
    }

    /// Writes what waits, reads once, answers, floods: each as far as the socket goes.
    pub(crate) fn turn(&mut self, shared: &mut Shared) -> io::Result<Turn> {
        self.socket.flush()?;
        if self.reads() {
            self.read(shared)?;
        }
        if let Stage::Resetting = self.stage {
            return Ok(Turn::Reset);
        }
        self.socket.send(&shared.output)?;
        shared.output.clear();
        shared.output.shrink_to(WAITING);
        self.pour(shared)?;
        if self.socket.is_flushed() {
            match self.stage {
                Stage::Requesting | Stage::Resetting | Stage::Open(_) | Stage::Discarding => {}
                Stage::Closing => {
                    self.socket.shut_down()?;
                    self.stage = Stage::Discarding;
                }
                Stage::Ending => return Ok(Turn::Over),
            }
        }
        let pours = self.socket.writes() && !self.floods.is_empty();
        Ok(if pours || self.reads() { Turn::Again } else { Turn::Wait })
    }

    /// All others are gone, and the counts zeroed.
    pub(crate) fn on_reset(&mut self, shared: &mut Shared) {
        let answer = request::answer("200 OK", "text/plain", "reset\n");
        shared.output.extend_from_slice(answer.as_bytes());
        self.stage = Stage::Closing;
    }

    /// Ends the connection with a reset, not with a FIN.
    pub(crate) fn reset(self) {
        self.socket.reset();
    }

    /// Is counted no more, and hears no more: what waits is the last.
    pub(crate) fn leave(&mut self, statistics: &mut Statistics) {
        self.become_stage(Stage::Ending, statistics);
    }

    fn become_stage(&mut self, stage: Stage, statistics: &mut Statistics) {
        if let Stage::Open(_) = mem::replace(&mut self.stage, stage) {
            statistics.connections -= 1;
        }
        self.floods = VecDeque::new();
    }

    fn reads(&self) -> bool {
        match self.stage {
            Stage::Requesting | Stage::Open(_) | Stage::Closing | Stage::Discarding => {
                self.socket.reads()
            }
            Stage::Resetting | Stage::Ending => false,
        }
    }

    fn read(&mut self, shared: &mut Shared) -> io::Result<()> {
        // A frame beyond half of the shared input grows in `rest`; any other is completed in the shared input.
        let grows = self.needed > INPUT / 2;
        let begun = if grows { 0 } else { self.rest.len() };
        shared.input[..begun].copy_from_slice(&self.rest[..begun]);
        let Some(read) = self.socket.read(&mut shared.input[begun..])? else { return Ok(()) };
        if read == 0 {
            // What waits is the last, and nothing more is heard.
            self.leave(&mut shared.statistics);
        } else if grows {
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
        if let Stage::Requesting = self.stage {
            taken = self.on_request(bytes, shared);
        }
        let (_, bytes) = bytes.split_at_mut(taken);
        let taken = match &self.stage {
            Stage::Requesting => 0,
            Stage::Open(_) => self.on_frames(bytes, shared),
            Stage::Resetting | Stage::Closing | Stage::Discarding | Stage::Ending => bytes.len(),
        };
        // Whole most of the time, and then it holds no memory.
        self.rest = bytes[taken..].to_vec();
    }

    fn on_request(&mut self, bytes: &[u8], shared: &mut Shared) -> usize {
        let Some((request, size)) = Request::parse(bytes) else { return 0 };
        let (stage, answer) = match request {
            Request::Upgrade(accept) => {
                let session = Session::new(shared.statistics.on_upgrade());
                (Stage::Open(session), request::switching(&accept))
            }
            Request::Reset => (Stage::Resetting, String::new()),
            Request::Statistics => {
                let json = shared.statistics.json();
                (Stage::Closing, request::answer("200 OK", "application/json", &json))
            }
            Request::Refused(status) => {
                let body = format!("{status}\n");
                (Stage::Closing, request::answer(status, "text/plain", &body))
            }
        };
        self.stage = stage;
        shared.output.extend_from_slice(answer.as_bytes());
        size
    }

    fn on_frames(&mut self, bytes: &mut [u8], shared: &mut Shared) -> usize {
        let Stage::Open(session) = &mut self.stage else { return bytes.len() };
        self.needed = 0;
        match session.hear(bytes, shared, &mut self.floods) {
            Ok(_) if session.is_over() => {
                self.become_stage(Stage::Ending, &mut shared.statistics);
                bytes.len()
            }
            Ok((taken, needed)) => {
                self.needed = needed;
                taken
            }
            Err(fault) => {
                let mut payload = fault.code.to_be_bytes().to_vec();
                payload.extend_from_slice(fault.reason.as_bytes());
                frames::write(&mut shared.output, frames::CLOSE, &payload);
                self.become_stage(Stage::Closing, &mut shared.statistics);
                bytes.len()
            }
        }
    }

    /// Writes the next texts of a flood. What waits is then the rest of one frame at most.
    fn pour(&mut self, shared: &mut Shared) -> io::Result<()> {
        let mut poured = 0;
        while poured < TURN && self.socket.writes() {
            let Some(flood) = self.floods.front_mut() else { break };
            if flood.is_over() {
                self.floods.pop_front();
                continue;
            }
            let written = self.socket.write(shared.chunk.next(flood))?;
            let (frames, rest) = shared.chunk.written(flood, written);
            self.socket.send(rest)?;
            shared.statistics.sent += frames;
            poured += written;
        }
        Ok(())
    }
}
