//! What an open WebSocket hears: messages are echoed, heartbeats answered, floods begun.

use std::collections::VecDeque;
use std::mem;

use crate::connection::Shared;
use crate::flood::Flood;
use crate::frames::{self, Fault, Header, protocol};

const PING: &[u8] = b"{\"type\":\"ping\"";
const PONG: &[u8] = b"{\"type\":\"pong\"";
/// Floods that one connection may have asked for and not yet been given.
const FLOODS: usize = 1024;

pub(crate) struct Session {
    /// Counted from 0 since the start or the last reset.
    number: u64,
    state: State,
}

enum State {
    Open,
    /// Within a message of several frames: its opcode, and what came of it.
    Fragmented(u8, Vec<u8>),
    /// The peer's Close is answered.
    Closed,
}

impl Session {
    pub(crate) fn new(number: u64) -> Self {
        Self { number, state: State::Open }
    }

    pub(crate) fn is_over(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    /// Takes the frames that are whole. Returns how many bytes they were, and how long the next frame is, if that is known.
    pub(crate) fn hear(
        &mut self,
        bytes: &mut [u8],
        shared: &mut Shared,
        floods: &mut VecDeque<Flood>,
    ) -> Result<(usize, usize), Fault> {
        let mut taken = 0;
        while let Some(header) = Header::parse(&bytes[taken..])? {
            let begin = taken + header.size;
            let end = begin + header.length;
            let Some(payload) = bytes.get_mut(begin..end) else { return Ok((taken, end - taken)) };
            header.unmask(payload);
            self.on_frame(&header, payload, shared, floods)?;
            if self.is_over() {
                return Ok((bytes.len(), 0));
            }
            taken = end;
        }
        Ok((taken, 0))
    }

    #[inline]
    fn on_frame(
        &mut self,
        header: &Header,
        payload: &[u8],
        shared: &mut Shared,
        floods: &mut VecDeque<Flood>,
    ) -> Result<(), Fault> {
        match (header.opcode, &mut self.state) {
            (frames::PING, _) => frames::write(&mut shared.output, frames::PONG, payload),
            (frames::PONG, _) => {}
            (frames::CLOSE, _) => {
                frames::write(&mut shared.output, frames::CLOSE, payload);
                self.state = State::Closed;
            }
            (frames::CONTINUATION, State::Fragmented(opcode, message)) => {
                if message.len() + payload.len() > frames::LONGEST {
                    return Err(Fault { code: 1009, reason: "a message is longer than 64 MiB" });
                }
                message.extend_from_slice(payload);
                if header.fin {
                    let (opcode, message) = (*opcode, mem::take(message));
                    self.state = State::Open;
                    return self.on_message(opcode, &message, shared, floods);
                }
            }
            (frames::CONTINUATION, _) => return Err(protocol("nothing is there to continue")),
            (_, State::Fragmented(..)) => return Err(protocol("a message begins within another")),
            (opcode, _) if header.fin => return self.on_message(opcode, payload, shared, floods),
            (opcode, _) => self.state = State::Fragmented(opcode, payload.to_vec()),
        }
        Ok(())
    }

    #[inline]
    fn on_message(
        &mut self,
        opcode: u8,
        payload: &[u8],
        shared: &mut Shared,
        floods: &mut VecDeque<Flood>,
    ) -> Result<(), Fault> {
        shared.statistics.messages += 1;
        if opcode == frames::TEXT {
            if let Some(rest) = payload.strip_prefix(PING) {
                shared.statistics.on_ping(self.number, shared.clock.nanoseconds());
                frames::write_header(&mut shared.output, frames::TEXT, payload.len());
                shared.output.extend_from_slice(PONG);
                shared.output.extend_from_slice(rest);
                shared.statistics.sent += 1;
                return Ok(());
            }
            if let Some(flood) = Flood::parse(payload) {
                if floods.len() == FLOODS {
                    return Err(Fault {
                        code: 1008,
                        reason: "too many floods are asked for at once",
                    });
                }
                floods.push_back(flood?);
                return Ok(());
            }
        }
        frames::write(&mut shared.output, opcode, payload);
        shared.statistics.sent += 1;
        Ok(())
    }
}
