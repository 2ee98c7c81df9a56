//! The server of the hostile world: it answers at once, and records what it saw.

use std::collections::VecDeque;

use gateway_testkit::Frame;

use crate::peer::Head;

/// The login that the server wants.
pub(crate) const LOGIN: &str = "login";

/// What the server does in addition to answering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "the tests run all of them")]
pub enum Story {
    /// It answers, pings in both ways, and waits for the client's Close.
    Chat,
    /// The same, but it closes the first socket with 1012 in the middle.
    Restart,
    /// It answers messages with messages, and pings as WebSocket does: no heartbeat, nor an answer to one, counts as a frame.
    Quiet,
}

/// What the server saw on one socket, and what it wrote there.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Seen {
    /// The messages that came whole.
    pub messages: Vec<String>,
    /// The messages that were written for the client, in order.
    pub sent: Vec<String>,
    /// WebSocket pings that it sent, and pongs that came.
    pub pings: [usize; 2],
    /// JSON pings that it sent, and pongs that came.
    pub json_pings: [usize; 2],
    /// Heartbeats that came.
    pub heartbeats: usize,
    /// Close frames that came.
    pub closes: usize,
    /// Frames that came behind a Close.
    pub after_close: usize,
    /// It has sent a Close itself.
    pub has_closed: bool,
}

/// The server's end of one socket.
#[derive(Debug)]
pub struct Server {
    number: u64,
    story: Story,
    unread: Vec<u8>,
    stage: Stage,
    /// What it has seen.
    pub seen: Seen,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Upgrade,
    Login,
    Open,
    HungUp,
}

impl Server {
    /// One that has read nothing, for the socket of this number.
    #[must_use]
    pub fn new(number: u64, story: Story) -> Self {
        let (unread, seen) = (Vec::new(), Seen::default());
        Self { number, story, unread, stage: Stage::Upgrade, seen }
    }

    /// Whether it says nothing more.
    #[must_use]
    pub fn has_hung_up(&self) -> bool {
        self.stage == Stage::HungUp
    }

    /// Reads these bytes, and writes its answers.
    ///
    /// # Panics
    /// The client's first frame is no login.
    pub fn receive(&mut self, bytes: &mut Vec<u8>, out: &mut VecDeque<u8>) {
        self.unread.append(bytes);
        if self.stage == Stage::Upgrade {
            let Some(head) = Head::take(&mut self.unread) else { return };
            out.extend(head.acceptance("").as_bytes());
            self.stage = Stage::Login;
        }
        while let Some(frame) = Frame::take(&mut self.unread) {
            self.frame(&frame, out);
        }
    }

    fn frame(&mut self, frame: &Frame, out: &mut VecDeque<u8>) {
        if self.seen.closes > 0 {
            self.seen.after_close += 1;
        }
        match frame.first {
            0x88 => {
                self.seen.closes += 1;
                if !self.seen.has_closed {
                    self.seen.has_closed = true;
                    out.extend(frame.bytes());
                }
                self.stage = Stage::HungUp;
            }
            0x8a => self.seen.pings[1] += 1,
            _ if self.stage == Stage::Login => {
                assert_eq!(frame.as_text(), LOGIN, "the login is the first frame");
                self.stage = Stage::Open;
                out.extend(Frame::text(r#"{"type":"welcome"}"#).bytes());
                self.ping(out);
                self.say(format!("{}: welcome", self.number), out);
                if self.story != Story::Quiet {
                    self.seen.json_pings[0] += usize::from(!self.seen.has_closed);
                    self.write(&Frame::text(r#"{"type":"ping","timestamp":5}"#), out);
                }
            }
            _ if frame.is_heartbeat() => {
                self.seen.heartbeats += 1;
                self.write(&Frame::text(r#"{"type":"pong"}"#), out);
            }
            _ if frame.as_text().starts_with(r#"{"type":"pong""#) => self.seen.json_pings[1] += 1,
            _ => self.message(frame.as_text().to_owned(), out),
        }
    }

    fn message(&mut self, text: String, out: &mut VecDeque<u8>) {
        self.seen.messages.push(text.clone());
        let count = self.seen.messages.len();
        if count % 3 == 1 {
            self.ping(out);
        }
        self.say(format!("{}: answer to {text}", self.number), out);
        if self.story == Story::Restart && self.number == 1 && count == 3 {
            self.write(&Frame::close(1012, "back soon"), out);
            self.seen.has_closed = true;
        }
    }

    fn ping(&mut self, out: &mut VecDeque<u8>) {
        self.seen.pings[0] += usize::from(!self.seen.has_closed);
        self.write(&Frame::ping("are you there"), out);
    }

    fn say(&mut self, text: String, out: &mut VecDeque<u8>) {
        self.write(&Frame::text(&text), out);
        if !self.seen.has_closed {
            self.seen.sent.push(text);
        }
    }

    fn write(&self, frame: &Frame, out: &mut VecDeque<u8>) {
        if !self.seen.has_closed {
            out.extend(frame.bytes());
        }
    }
}
