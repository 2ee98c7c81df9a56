//! A virtual network: the scripted peers as byte streams. It has no IO and no clock; a driver's harness
//! advances it.
//!
//! A harness makes its driver dial here, and its application follow a [`Stage`](crate::Stage). It repeats these
//! steps, because what the driver writes makes peers act:
//!
//! 1. Advance the virtual clock to the earliest of the driver's deadline, [`Network::next_event_at`] and
//!    [`Stage::next_at`](crate::Stage::next_at).
//! 2. [Advance](Network::advance) the network, which wakes tasks that wait for a socket.
//! 3. Run the due commands, and drive the driver until it waits again.
//!
//! On a [stall](crate::Command::Stall) the clock advances, and the driver does not run.

use std::io;
use std::task::{Poll, Waker};

use gateway_core::{Instant, OpenError, SocketId};

use crate::deed::Part;
use crate::frame::Frame;
use crate::peer::{Peer, Saw, Task};
use crate::scenario::{Scenario, Script};
use crate::script::{Opening, Provided};
use crate::upgrade::answer_upgrade;
use crate::wire;

/// The beginning of an answer that never ends.
const ENDLESS_HEAD: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nX-Endless: ";

/// Every socket of one scenario.
#[derive(Debug)]
pub struct Network {
    script: Script,
    /// The attempt for which the provider is asked.
    ask: Option<Ask>,
    sockets: Vec<End>,
    wire: Vec<String>,
}

/// A socket of the network, in the order in which they were dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Socket(usize);

/// A provider that is asked.
#[derive(Debug)]
struct Ask {
    number: u64,
    /// When it gives this; `None` once it has.
    due: Option<Instant>,
    provided: Provided,
    wakers: Vec<Waker>,
}

/// The client's end of a socket, and its peer.
#[derive(Debug)]
struct End {
    /// The connection's id for it.
    id: SocketId,
    peer: Peer,
    dial: Dial,
    /// Bytes that the transport has accepted, and the peer's socket has not.
    buffered: Vec<u8>,
    /// How many more bytes the peer's socket accepts.
    window: u64,
    /// Bytes at the peer that are not yet a whole frame or request.
    written: Vec<u8>,
    upgrade: Upgrade,
    /// Bytes that can be read.
    inbox: Vec<u8>,
    /// How many bytes of an endless head have come.
    trickled: usize,
    /// The result of a read with an empty inbox.
    then: Then,
    holder: Holder,
    readers: Vec<Waker>,
    writers: Vec<Waker>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dial {
    Pending,
    Connected,
    Failed(OpenError),
}

#[derive(Debug)]
enum Upgrade {
    Awaited,
    /// The answer that accepts.
    Requested(String),
    Accepted,
    /// The attempt has failed.
    Refused,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    Waits,
    Ends,
    IsReset,
}

/// The state of the driver's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holder {
    Open,
    ShutDown,
    /// The following drop resets the stream.
    Aborted,
    Dropped,
}

impl Network {
    /// The network of a scenario, at 0 ms.
    #[must_use]
    pub fn new(scenario: &Scenario) -> Self {
        let script = scenario.script.clone();
        Self { script, ask: None, sockets: Vec::new(), wire: Vec::new() }
    }

    /// Asks the provider for the request of this attempt. [`poll_ask`](Self::poll_ask) returns what it gives.
    ///
    /// # Panics
    /// If it is asked for another attempt, too.
    pub fn ask(&mut self, now: Instant, number: u64) {
        let (after, provided) = self.script.attempt(number).provided;
        assert!(self.ask.is_none(), "asked for attempt {number} and for {:?}", self.ask);
        let due = Some(now.saturating_add(after));
        self.ask = Some(Ask { number, due, provided, wakers: Vec::new() });
        self.advance(now);
    }

    /// Waits for what the provider gives for this attempt.
    pub fn poll_ask(&mut self, number: u64, waker: &Waker) -> Poll<Provided> {
        let ask = self.ask.as_mut().filter(|ask| ask.number == number);
        let ask = ask.unwrap_or_else(|| panic!("attempt {number} is not asked for"));
        if ask.due.is_some() {
            ask.wakers.push(waker.clone());
            return Poll::Pending;
        }
        Poll::Ready(ask.provided)
    }

    /// The driver has dropped the question for this attempt: its request is there, or is not needed any more.
    pub fn drop_ask(&mut self, number: u64) {
        self.ask.take_if(|ask| ask.number == number);
    }

    /// Opens the socket of this attempt. [`poll_dial`](Self::poll_dial) returns its result.
    ///
    /// # Panics
    /// If the driver still has another socket: there is at most one.
    pub fn dial(&mut self, now: Instant, number: u64) -> Socket {
        assert_eq!(self.held_sockets(), 0, "a second socket is dialled");
        let peer = Peer::new(now, self.script.attempt(number));
        let window = peer.plan().takes;
        let dial = match peer.opening() {
            Opening::Failed(_) | Opening::NeverConnected => Dial::Pending,
            Opening::Accepted
            | Opening::Answered { .. }
            | Opening::HungUp
            | Opening::Stalled
            | Opening::Trickled(_) => Dial::Connected,
        };
        self.sockets.push(End {
            id: SocketId::new(number),
            peer,
            dial,
            buffered: Vec::new(),
            window,
            written: Vec::new(),
            upgrade: Upgrade::Awaited,
            inbox: Vec::new(),
            trickled: 0,
            then: Then::Waits,
            holder: Holder::Open,
            readers: Vec::new(),
            writers: Vec::new(),
        });
        Socket(self.sockets.len() - 1)
    }

    /// Waits for the byte stream of the attempt or its failure.
    pub fn poll_dial(&mut self, socket: Socket, waker: &Waker) -> Poll<Result<(), OpenError>> {
        let end = held(&mut self.sockets, socket);
        match end.dial {
            Dial::Pending => {
                end.readers.push(waker.clone());
                Poll::Pending
            }
            Dial::Connected => Poll::Ready(Ok(())),
            Dial::Failed(error) => Poll::Ready(Err(error)),
        }
    }

    /// Reads into `buffer`. Returns 0 at the end of the stream.
    ///
    /// # Errors
    /// The stream was reset.
    pub fn poll_read(
        &mut self,
        socket: Socket,
        buffer: &mut [u8],
        waker: &Waker,
    ) -> Poll<io::Result<usize>> {
        let end = held(&mut self.sockets, socket);
        if !end.inbox.is_empty() {
            let count = end.inbox.len().min(buffer.len());
            buffer[..count].copy_from_slice(&end.inbox[..count]);
            end.inbox.drain(..count);
            return Poll::Ready(Ok(count));
        }
        match end.then {
            Then::Waits => {
                end.readers.push(waker.clone());
                Poll::Pending
            }
            Then::Ends => Poll::Ready(Ok(0)),
            Then::IsReset => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
        }
    }

    /// Writes as many of `bytes` as the peer's socket and the transport's buffer accept.
    ///
    /// # Errors
    /// The stream was reset.
    ///
    /// # Panics
    /// If the driver has already shut down writing, or its bytes are not WebSocket.
    pub fn poll_write(
        &mut self,
        now: Instant,
        socket: Socket,
        bytes: &[u8],
        waker: &Waker,
    ) -> Poll<io::Result<usize>> {
        let Self { sockets, wire, .. } = self;
        let end = held(sockets, socket);
        assert!(end.holder == Holder::Open, "{socket:?} is written to after its shutdown");
        if end.then == Then::IsReset {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        if let Upgrade::Awaited = end.upgrade {
            end.upgrade_is_written(bytes);
            return Poll::Ready(Ok(bytes.len()));
        }
        let buffered = end.buffered.len() as u64;
        let room = end.window.saturating_add(end.peer.plan().buffers).saturating_sub(buffered);
        let count = bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX));
        if count == 0 {
            end.writers.push(waker.clone());
            return Poll::Pending;
        }
        end.buffered.extend_from_slice(&bytes[..count]);
        wire.extend(end.pass_on(now));
        Poll::Ready(Ok(count))
    }

    /// Passes on what the transport has buffered.
    ///
    /// # Errors
    /// The stream was reset.
    pub fn poll_flush(
        &mut self,
        now: Instant,
        socket: Socket,
        waker: &Waker,
    ) -> Poll<io::Result<()>> {
        let Self { sockets, wire, .. } = self;
        let end = held(sockets, socket);
        if end.buffered.is_empty() {
            return Poll::Ready(Ok(()));
        }
        if end.then == Then::IsReset {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        wire.extend(end.pass_on(now));
        if end.buffered.is_empty() {
            return Poll::Ready(Ok(()));
        }
        end.writers.push(waker.clone());
        Poll::Pending
    }

    /// Whether a failing write on the last socket passes on nothing.
    #[must_use]
    pub fn fails_whole(&self) -> bool {
        self.sockets.last().is_none_or(|end| end.peer.plan().buffers == 0)
    }

    /// The driver shuts down writing.
    pub fn shutdown(&mut self, socket: Socket) {
        held(&mut self.sockets, socket).holder = Holder::ShutDown;
    }

    /// The driver resets the stream when it drops it, as with a zero `SO_LINGER`.
    pub fn abort(&mut self, socket: Socket) {
        held(&mut self.sockets, socket).holder = Holder::Aborted;
    }

    /// The driver has dropped the socket or the attempt. Bytes in flight are lost.
    ///
    /// # Panics
    /// If it was already dropped.
    pub fn drop_socket(&mut self, now: Instant, socket: Socket) {
        let end = held(&mut self.sockets, socket);
        let holder = std::mem::replace(&mut end.holder, Holder::Dropped);
        let is_refused =
            matches!(end.dial, Dial::Failed(_)) || matches!(end.upgrade, Upgrade::Refused);
        match holder {
            Holder::Aborted => self.wire.push(wire::aborted(now, end.id)),
            Holder::Open | Holder::ShutDown | Holder::Dropped if is_refused => {}
            Holder::Open | Holder::ShutDown | Holder::Dropped => {
                self.wire.push(wire::gone(now, end.id));
            }
        }
    }

    /// When the provider next gives what it was asked for, or a peer acts on a socket that is not dropped.
    #[must_use]
    pub fn next_event_at(&self) -> Option<Instant> {
        let held = self.sockets.iter().filter(|end| end.holder != Holder::Dropped);
        let asked = self.ask.as_ref().and_then(|ask| ask.due);
        held.filter_map(|end| end.peer.next_at()).chain(asked).min()
    }

    /// Runs the due deeds of the provider and the peers, and wakes waiting tasks.
    ///
    /// # Panics
    /// If an attempt opens without an upgrade request.
    pub fn advance(&mut self, now: Instant) {
        if let Some(ask) = &mut self.ask
            && ask.due.take_if(|due| *due <= now).is_some()
        {
            ask.wakers.drain(..).for_each(Waker::wake);
        }
        for end in self.sockets.iter_mut().filter(|end| end.holder != Holder::Dropped) {
            while let Some(task) = end.peer.next(now) {
                end.act(task);
            }
        }
    }

    /// Whether the driver has not dropped its question to the provider. At the end it must have.
    #[must_use]
    pub const fn is_asked(&self) -> bool {
        self.ask.is_some()
    }

    /// How many sockets the driver has not dropped. At the end this must be 0.
    #[must_use]
    pub fn held_sockets(&self) -> usize {
        self.sockets.iter().filter(|end| end.holder != Holder::Dropped).count()
    }

    /// What the peers have seen, line by line.
    #[must_use]
    pub fn wire(&self) -> &[String] {
        &self.wire
    }
}

fn held(sockets: &mut [End], socket: Socket) -> &mut End {
    let end = &mut sockets[socket.0];
    assert!(end.holder != Holder::Dropped, "{socket:?} is used after it was dropped");
    end
}

impl End {
    fn act(&mut self, task: Task) {
        match task {
            Task::Open(opening) => self.open(opening),
            Task::Trickle => {
                let byte = ENDLESS_HEAD.get(self.trickled).copied().unwrap_or(b'x');
                self.trickled += 1;
                self.inbox.push(byte);
            }
            Task::Do(deed) => {
                for part in deed.parts {
                    self.act_in_part(part);
                }
                return;
            }
        }
        self.readers.drain(..).for_each(Waker::wake);
    }

    /// Wakes only the task that waits for this.
    fn act_in_part(&mut self, part: Part) {
        match part {
            Part::Bytes { bytes, .. } => self.inbox.extend(bytes),
            Part::Takes(bytes) => {
                self.window = self.window.saturating_add(bytes);
                return self.writers.drain(..).for_each(Waker::wake);
            }
            Part::End => self.then = Then::Ends,
            Part::Reset => {
                self.then = Then::IsReset;
                self.writers.drain(..).for_each(Waker::wake);
            }
        }
        self.readers.drain(..).for_each(Waker::wake);
    }

    fn upgrade_is_written(&mut self, bytes: &[u8]) {
        self.written.extend_from_slice(bytes);
        if let Some((length, answer)) = answer_upgrade(&self.written) {
            self.written.drain(..length);
            self.upgrade = Upgrade::Requested(answer);
        }
    }

    /// Moves bytes to the peer's socket. Returns what the peer has seen of them.
    fn pass_on(&mut self, now: Instant) -> Vec<String> {
        let count = self.buffered.len().min(usize::try_from(self.window).unwrap_or(usize::MAX));
        self.window -= count as u64;
        self.written.extend(self.buffered.drain(..count));
        let mut seen = Vec::new();
        while let Some(frame) = Frame::take(&mut self.written) {
            let saw = saw(frame);
            seen.push(wire::saw(now, self.id, &saw));
            self.peer.saw(now, &saw);
        }
        seen
    }

    fn open(&mut self, opening: Opening) {
        match opening {
            Opening::Accepted => {
                let Upgrade::Requested(answer) =
                    std::mem::replace(&mut self.upgrade, Upgrade::Accepted)
                else {
                    panic!("a socket opens, and nobody has asked for the upgrade");
                };
                self.inbox.extend(answer.bytes());
            }
            Opening::Answered { bytes, .. } => {
                self.upgrade = Upgrade::Refused;
                self.inbox.extend(bytes);
            }
            Opening::HungUp => {
                self.upgrade = Upgrade::Refused;
                self.then = Then::Ends;
            }
            Opening::Failed(error) => self.dial = Dial::Failed(error),
            Opening::NeverConnected | Opening::Stalled | Opening::Trickled(_) => {}
        }
    }
}

fn saw(frame: Frame) -> Saw {
    let text = |bytes| String::from_utf8(bytes).expect("a client sends UTF-8");
    match frame.first {
        0x81 => Saw::Text(text(frame.payload)),
        0x82 => Saw::Binary(frame.payload),
        0x88 if frame.payload.is_empty() => Saw::Close(None),
        0x88 => {
            let reason = frame.payload.get(2..).expect("a code has two bytes").to_vec();
            let code = u16::from_be_bytes([frame.payload[0], frame.payload[1]]);
            Saw::Close(Some((code, text(reason))))
        }
        0x89 => Saw::Ping(frame.payload),
        0x8a => Saw::Pong(frame.payload),
        first => panic!("a frame of a client's begins with {first:#x}"),
    }
}
