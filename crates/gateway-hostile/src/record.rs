//! The record of what clients do, kept while a client is judged.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use crate::{
    clock::Stopwatch,
    dialect::envelope::Incoming,
    frames::{Frames, Passed},
    judge::observed::{Attempt, End, Observed, PingKind},
};

/// How many attempts are recorded. Further ones are only counted.
const MAX_ATTEMPTS: usize = 10_000;
/// The end of a request.
const END_OF_HEAD: [u8; 4] = *b"\r\n\r\n";

/// The record of all connections since it was created.
#[derive(Debug)]
pub(crate) struct Record {
    stopwatch: Stopwatch,
    seen: Mutex<Observed>,
}

/// The pen for one connection. Its drop records that the server has ended TCP, if it was still open.
#[derive(Debug)]
pub(crate) struct Pen {
    record: Arc<Record>,
    index: usize,
    reading: Reading,
    /// The payload of a flood's last ping.
    flood_end: [u8; 4],
}

/// How to parse the client's bytes.
#[derive(Debug)]
enum Reading {
    /// As its request. These are the last bytes so far.
    Head([u8; 4]),
    Frames(Frames),
}

impl Record {
    pub(crate) fn begin() -> Arc<Self> {
        Arc::new(Self { stopwatch: Stopwatch::start(), seen: Mutex::default() })
    }

    /// Returns a pen for a new connection, or `None` if there are too many.
    pub(crate) fn pen(self: &Arc<Self>) -> Option<Pen> {
        let started = self.stopwatch.elapsed();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let index = seen.attempts.len();
        if index >= MAX_ATTEMPTS {
            seen.unrecorded = seen.unrecorded.saturating_add(1);
            return None;
        }
        seen.attempts.push(Attempt { started, ..Attempt::default() });
        let (record, reading) = (Arc::clone(self), Reading::Head([0; 4]));
        Some(Pen { record, index, reading, flood_end: [0; 4] })
    }

    /// Ends the record and returns it.
    pub(crate) fn end(&self) -> Observed {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut seen = std::mem::take(&mut *seen);
        seen.span = self.stopwatch.elapsed();
        seen
    }

    fn note(&self, index: usize, note: impl FnOnce(&mut Attempt, Duration)) {
        let now = self.stopwatch.elapsed();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        // There is none if the record has ended.
        if let Some(attempt) = seen.attempts.get_mut(index) {
            note(attempt, now);
        }
    }
}

impl Pen {
    /// The upgrade is complete.
    pub(crate) fn opened(&self) {
        self.note(|attempt, now| attempt.opened = Some(now));
    }

    /// The response does not upgrade.
    pub(crate) fn answered(&self, status: u16) {
        self.note(|attempt, _| attempt.http_status = Some(status));
    }

    /// The script breaks the protocol.
    pub(crate) fn fault(&self) {
        self.note(|attempt, now| attempt.fault = attempt.fault.or(Some(now)));
    }

    /// The flood of pings begins. The last ping has this payload.
    pub(crate) fn flood(&mut self, last: [u8; 4]) {
        self.flood_end = last;
        self.note(|attempt, now| attempt.flood = Some(now));
    }

    /// The server sends its own Close frame. It does not count if the client has already left.
    pub(crate) fn closes(&self, code: u16) {
        self.note(|attempt, now| {
            if attempt.left_at().is_none() {
                attempt.server_close = attempt.server_close.or(Some((now, code)));
            }
        });
    }

    /// TCP has ended. Only its first end counts.
    pub(crate) fn ended(&self, end: End) {
        self.note(|attempt, now| attempt.end = attempt.end.or(Some((now, end))));
    }

    /// Bytes have been written to the client.
    pub(crate) fn sent(&self, bytes: usize) {
        self.note(|attempt, now| {
            attempt.bytes_sent = attempt.bytes_sent.saturating_add(bytes as u64);
            if attempt.client_close.is_none() {
                attempt.last_sent = Some(now);
            }
        });
    }

    /// Bytes of the client have been read.
    pub(crate) fn received(&mut self, mut bytes: &[u8]) {
        self.note(|attempt, _| {
            attempt.bytes_received = attempt.bytes_received.saturating_add(bytes.len() as u64);
        });
        if let Reading::Head(last) = &mut self.reading {
            let end = bytes.iter().position(|byte| {
                last.rotate_left(1);
                last[3] = *byte;
                *last == END_OF_HEAD
            });
            let Some(end) = end else { return };
            self.reading = Reading::Frames(Frames::default());
            bytes = &bytes[end + 1..];
        }
        let mut passed = Vec::new();
        if let Reading::Frames(frames) = &mut self.reading {
            frames.take(bytes, |frame| passed.push(frame));
        }
        for frame in passed {
            self.note(|attempt, now| note_frame(attempt, now, &frame, self.flood_end));
        }
    }

    fn note(&self, note: impl FnOnce(&mut Attempt, Duration)) {
        self.record.note(self.index, note);
    }
}

impl Drop for Pen {
    fn drop(&mut self) {
        self.ended(End::ServerFinished);
    }
}

fn note_frame(attempt: &mut Attempt, now: Duration, frame: &Passed, flood_end: [u8; 4]) {
    match frame.opcode {
        OpCode::Control(Control::Close) if attempt.client_close.is_none() => {
            attempt.client_close = Some((now, frame.close_code()));
        }
        OpCode::Control(Control::Ping) => attempt.pings.add(now, PingKind::WebSocket),
        OpCode::Control(Control::Pong) => {
            attempt.pongs = attempt.pongs.saturating_add(1);
            if attempt.flood.is_some() && frame.start == flood_end {
                attempt.flood_answered = attempt.flood_answered.or(Some(now));
            }
        }
        OpCode::Data(Data::Text | Data::Binary) => {
            let is_ping =
                frame.text().is_some_and(|text| matches!(Incoming::parse(text), Incoming::Ping(_)));
            if is_ping {
                attempt.pings.add(now, PingKind::Application);
            } else {
                attempt.messages = attempt.messages.saturating_add(1);
            }
        }
        OpCode::Data(Data::Continue | Data::Reserved(_))
        | OpCode::Control(Control::Close | Control::Reserved(_)) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(record: &Record) -> Attempt {
        record.end().attempts.remove(0)
    }

    #[test]
    fn what_a_client_sends_is_told_apart_however_it_comes() {
        let frames = b"\x81\x82\0\0\0\0hi\x89\x80\0\0\0\0\x81\x8f\0\0\0\0{\"type\":\"ping\"}\
            \x8a\x80\0\0\0\0\x88\x82\0\0\0\0\x0f\xa0";
        let bytes = [&b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"[..], frames].concat();
        for size in [1, 3, bytes.len()] {
            let record = Record::begin();
            let mut pen = record.pen().expect("there is room");

            bytes.chunks(size).for_each(|piece| pen.received(piece));

            let seen = attempt(&record);
            let kinds: Vec<_> = seen.pings.first.iter().map(|(_, kind)| *kind).collect();
            assert_eq!(kinds, [PingKind::WebSocket, PingKind::Application], "{size}");
            assert_eq!((seen.messages, seen.pongs), (1, 1));
            assert_eq!(seen.client_close.map(|(_, code)| code), Some(Some(4000)));
            assert_eq!(seen.bytes_received, bytes.len() as u64);
        }
    }

    #[test]
    fn the_pong_that_counts_is_that_of_the_last_ping() {
        let record = Record::begin();
        let mut pen = record.pen().expect("there is room");
        pen.flood([0, 0, 0, 9]);

        pen.received(b"\r\n\r\n\x8a\x84\0\0\0\0\0\0\0\x08");
        pen.received(b"\x8a\x84\0\0\0\0\0\0\0\x09");

        let seen = attempt(&record);
        assert_eq!(seen.pongs, 2);
        assert!(seen.flood_answered.is_some());
    }

    #[test]
    fn the_first_end_counts_and_a_close_after_it_is_none() {
        let record = Record::begin();
        let pen = record.pen().expect("there is room");
        pen.ended(End::ClientReset);
        pen.closes(1002);
        drop(pen);

        let seen = attempt(&record);

        assert_eq!(seen.end.map(|(_, end)| end), Some(End::ClientReset));
        assert_eq!(seen.server_close, None);
    }

    #[test]
    fn a_record_is_bounded_and_over_when_it_has_ended() {
        let record = Record::begin();
        let pens: Vec<_> = (0..=MAX_ATTEMPTS).map(|_| record.pen()).collect();
        assert!(pens[MAX_ATTEMPTS].is_none());

        let seen = record.end();

        assert_eq!((seen.attempts.len(), seen.unrecorded), (MAX_ATTEMPTS, 1));
        drop(pens);
        assert!(record.end().attempts.is_empty());
    }
}
