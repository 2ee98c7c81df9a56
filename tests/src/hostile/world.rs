//! The sockets of the hostile world: two pipes each, with a server and a plan of faults.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use gateway_wire::core::OpenError;
use gateway_wire::{OpenFailure, ProviderError, Request};

use super::plan::{Fault, Op, Plan};
use super::server::{Seen, Server, Story};

/// So many bytes a pipe takes before the server must read, and so many the stream's own buffer holds.
const CAPACITY: usize = 24;

/// No run has as many polls as this: one that does goes round in circles.
const MOST_POINTS: usize = 50_000;

/// All sockets of a run. Clones share them.
#[derive(Clone, Debug)]
pub struct World(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    plan: Plan,
    story: Story,
    points: Vec<Op>,
    sockets: Vec<Socket>,
    /// Attempts under way and streams that are open, as the client holds them.
    alive: usize,
    most_alive: usize,
    /// Questions to the provider that are under way.
    questions: usize,
    /// Faults that have hurt a socket or a question, and those among them that were silence.
    hurts: usize,
    stalls: usize,
}

#[derive(Debug)]
struct Socket {
    server: Server,
    /// Written and not flushed: the stream's own buffer.
    held: Vec<u8>,
    /// On its way to the server.
    inbox: Vec<u8>,
    /// On its way to the client.
    outbox: VecDeque<u8>,
    reading: Side,
    writing: Side,
    /// For each kind of poll whether it has waited and is to be done now.
    has_waited: [bool; 5],
    is_hurt: bool,
}

/// How a direction of a socket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Fine,
    Ended,
    Failed(io::ErrorKind),
    Silent,
}

impl World {
    /// No socket yet.
    #[must_use]
    pub fn new(plan: Plan, story: Story) -> Self {
        let (points, sockets) = (Vec::new(), Vec::new());
        let (alive, most_alive, stalls, hurts) = (0, 0, 0, 0);
        let state =
            State { plan, story, points, sockets, alive, most_alive, questions: 0, hurts, stalls };
        Self(Arc::new(Mutex::new(state)))
    }

    /// What goes wrong here.
    #[must_use]
    pub fn plan(&self) -> Plan {
        self.lock().plan.clone()
    }

    /// What the server does.
    #[must_use]
    pub fn story(&self) -> Story {
        self.lock().story
    }

    /// Every poll so far.
    #[must_use]
    pub fn points(&self) -> Vec<Op> {
        self.lock().points.clone()
    }

    /// The sockets, and attempts to open one, that the client holds now; and the most that it ever held.
    #[must_use]
    pub fn alive(&self) -> [usize; 2] {
        let state = self.lock();
        [state.alive, state.most_alive]
    }

    /// The questions to the provider that are under way.
    #[must_use]
    pub fn questions(&self) -> usize {
        self.lock().questions
    }

    /// How many faults have hurt a socket or a question, and how many of these were silence.
    #[must_use]
    pub fn hurts(&self) -> [usize; 2] {
        let state = self.lock();
        [state.hurts, state.stalls]
    }

    /// What the server saw on each socket, and whether a fault has hurt that.
    #[must_use]
    pub fn seen(&self) -> Vec<(Seen, bool)> {
        let state = self.lock();
        state.sockets.iter().map(|socket| (socket.server.seen.clone(), socket.is_hurt)).collect()
    }

    pub(crate) fn ask(&self) -> Question {
        self.lock().questions += 1;
        Question { world: self.clone(), has_waited: false, hangs: false }
    }

    pub(crate) fn dial(&self) -> Stream {
        let mut state = self.lock();
        state.add_socket();
        state.alive += 1;
        state.most_alive = state.most_alive.max(state.alive);
        Stream { world: self.clone(), index: state.sockets.len() - 1 }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// One for each attempt: the client numbers those without an answer of the provider, too.
    fn add_socket(&mut self) -> &mut Socket {
        let number = self.sockets.len() as u64 + 1;
        self.sockets.push(Socket::new(Server::new(number, self.story)));
        self.sockets.last_mut().expect("just added")
    }

    /// A poll: what the plan has for it.
    fn planned(&mut self, op: Op) -> Option<Fault> {
        let planned = self.plan.fault(self.points.len(), op);
        self.points.push(op);
        assert!(self.points.len() < MOST_POINTS, "it goes round in circles: {:?}", self.plan);
        planned
    }

    /// A poll: what goes wrong at it. A fault that cannot happen to it is none.
    fn meet(&mut self, op: Op, index: usize, waker: &Waker) -> Option<Fault> {
        let planned = self.planned(op);
        let socket = &mut self.sockets[index];
        let waited = &mut socket.has_waited[op as usize];
        // Silence wakes no task.
        let waits = self.plan.waits && !*waited && socket.writing != Side::Silent;
        *waited = waits;
        let everywhere = match op {
            Op::Read if self.plan.short_reads => Some(Fault::Short),
            Op::Write if self.plan.short_writes => Some(Fault::Short),
            _ => None,
        };
        let fault = planned.or(if waits { Some(Fault::Wait) } else { everywhere });
        if let Some(fault) = fault.filter(|fault| fault.hurts()) {
            socket.is_hurt = true;
            self.hurts += 1;
            self.stalls += usize::from(fault == Fault::Stall);
        }
        if fault == Some(Fault::Wait) {
            waker.wake_by_ref();
        }
        fault
    }
}

impl Socket {
    fn new(server: Server) -> Self {
        Self {
            server,
            held: Vec::new(),
            inbox: Vec::new(),
            outbox: VecDeque::new(),
            reading: Side::Fine,
            writing: Side::Fine,
            has_waited: [false; 5],
            is_hurt: false,
        }
    }

    /// The server reads and answers; whether that has moved anything.
    fn serve(&mut self) -> bool {
        if self.inbox.is_empty() {
            return false;
        }
        self.server.receive(&mut self.inbox, &mut self.outbox);
        true
    }

    /// Passes on what the stream's own buffer holds; whether it is empty.
    fn pass_on(&mut self) -> bool {
        let room = CAPACITY.saturating_sub(self.inbox.len()).min(self.held.len());
        self.inbox.extend(self.held.drain(..room));
        self.held.is_empty()
    }

    /// What a fault does to both directions, and its result.
    fn suffer(&mut self, fault: Fault) -> Poll<io::Error> {
        let kind = match fault {
            Fault::Wait | Fault::Short => return Poll::Pending,
            Fault::Stall => {
                (self.reading, self.writing) = (Side::Silent, Side::Silent);
                return Poll::Pending;
            }
            Fault::Broken => {
                self.writing = Side::Failed(io::ErrorKind::BrokenPipe);
                return Poll::Ready(io::ErrorKind::BrokenPipe.into());
            }
            Fault::Reset | Fault::Passed | Fault::End => io::ErrorKind::ConnectionReset,
            Fault::Other => io::ErrorKind::Other,
        };
        (self.reading, self.writing) = (Side::Failed(kind), Side::Failed(kind));
        Poll::Ready(kind.into())
    }
}

/// A question to the provider, until it is answered or dropped.
#[derive(Debug)]
pub(crate) struct Question {
    world: World,
    has_waited: bool,
    hangs: bool,
}

impl Question {
    pub(crate) fn poll(&mut self, waker: &Waker) -> Poll<Result<Request, ProviderError>> {
        if self.hangs {
            return Poll::Pending;
        }
        let mut state = self.world.lock();
        let planned = state.planned(Op::Ask);
        let waits = state.plan.waits && !std::mem::replace(&mut self.has_waited, true);
        match planned.or(waits.then_some(Fault::Wait)) {
            None => return Poll::Ready(Ok(Request::new())),
            Some(Fault::Wait) => {
                waker.wake_by_ref();
                return Poll::Pending;
            }
            Some(fault) => {
                state.hurts += 1;
                state.add_socket().is_hurt = true;
                self.hangs = fault == Fault::Stall;
                state.stalls += usize::from(self.hangs);
            }
        }
        match self.hangs {
            true => Poll::Pending,
            false => Poll::Ready(Err(ProviderError::retry("the plan has it so"))),
        }
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        self.world.lock().questions -= 1;
    }
}

/// The client's end of a socket, connected or on its way.
#[derive(Debug)]
pub(crate) struct Stream {
    world: World,
    index: usize,
}

impl Stream {
    pub(crate) fn poll_dial(&mut self, waker: &Waker) -> Poll<Result<(), OpenFailure>> {
        let mut state = self.world.lock();
        let fault = state.meet(Op::Dial, self.index, waker);
        let socket = &mut state.sockets[self.index];
        if socket.writing == Side::Silent {
            return Poll::Pending;
        }
        let class = match fault {
            None => return Poll::Ready(Ok(())),
            Some(Fault::Wait | Fault::Stall) => {
                return socket.suffer(fault.unwrap_or(Fault::Wait)).map(|_| Ok(()));
            }
            Some(Fault::Reset) => OpenError::Refused,
            Some(Fault::Broken) => OpenError::Unreachable,
            Some(Fault::Other | Fault::Short | Fault::End | Fault::Passed) => OpenError::Dns,
        };
        Poll::Ready(Err(OpenFailure::new(class, "the plan has it so")))
    }

    pub(crate) fn poll_read(&mut self, into: &mut [u8], waker: &Waker) -> Poll<io::Result<usize>> {
        let mut state = self.world.lock();
        let fault = state.meet(Op::Read, self.index, waker);
        let socket = &mut state.sockets[self.index];
        match socket.reading {
            Side::Fine => {}
            Side::Ended => return Poll::Ready(Ok(0)),
            Side::Failed(kind) => return Poll::Ready(Err(kind.into())),
            Side::Silent => return Poll::Pending,
        }
        let most = match fault {
            None => CAPACITY,
            Some(Fault::Short) => 1,
            Some(Fault::End) => {
                socket.reading = Side::Ended;
                return Poll::Ready(Ok(0));
            }
            Some(fault) => return socket.suffer(fault).map(Err),
        };
        if socket.outbox.is_empty() {
            if socket.server.has_hung_up() {
                return Poll::Ready(Ok(0));
            }
            if socket.serve() {
                waker.wake_by_ref();
            }
            return Poll::Pending;
        }
        let count = most.min(into.len()).min(socket.outbox.len());
        for (to, byte) in into.iter_mut().zip(socket.outbox.drain(..count)) {
            *to = byte;
        }
        Poll::Ready(Ok(count))
    }

    pub(crate) fn poll_write(&mut self, bytes: &[u8], waker: &Waker) -> Poll<io::Result<usize>> {
        let mut state = self.world.lock();
        let fault = state.meet(Op::Write, self.index, waker);
        let buffered = state.plan.buffered;
        let socket = &mut state.sockets[self.index];
        if let Some(failed) = failed(socket.writing) {
            return failed.map(Err);
        }
        let most = match fault {
            None => bytes.len(),
            Some(Fault::Short) => 1,
            Some(Fault::End) => {
                socket.writing = Side::Failed(io::ErrorKind::BrokenPipe);
                return Poll::Ready(Ok(0));
            }
            Some(Fault::Passed) => {
                let held = std::mem::take(&mut socket.held);
                socket.inbox.extend(held);
                socket.inbox.extend(bytes);
                return socket.suffer(Fault::Passed).map(Err);
            }
            Some(fault) => return socket.suffer(fault).map(Err),
        };
        if buffered && socket.held.len() == CAPACITY {
            socket.pass_on();
        }
        let pipe = if buffered { &mut socket.held } else { &mut socket.inbox };
        let count = most.min(bytes.len()).min(CAPACITY.saturating_sub(pipe.len()));
        if count == 0 {
            socket.serve();
            waker.wake_by_ref();
            return Poll::Pending;
        }
        pipe.extend(&bytes[..count]);
        Poll::Ready(Ok(count))
    }

    pub(crate) fn poll_flush(&mut self, waker: &Waker) -> Poll<io::Result<()>> {
        let mut state = self.world.lock();
        let fault = state.meet(Op::Flush, self.index, waker);
        let socket = &mut state.sockets[self.index];
        if let Some(failed) = failed(socket.writing) {
            return failed.map(Err);
        }
        if let Some(fault) = fault {
            if fault == Fault::Passed {
                let held = std::mem::take(&mut socket.held);
                socket.inbox.extend(held);
            }
            return socket.suffer(fault).map(Err);
        }
        if socket.pass_on() {
            return Poll::Ready(Ok(()));
        }
        socket.serve();
        waker.wake_by_ref();
        Poll::Pending
    }

    pub(crate) fn poll_shutdown(&mut self, waker: &Waker) -> Poll<io::Result<()>> {
        let mut state = self.world.lock();
        let fault = state.meet(Op::Shutdown, self.index, waker);
        let socket = &mut state.sockets[self.index];
        if let Some(failed) = failed(socket.writing) {
            return failed.map(Err);
        }
        if let Some(fault) = fault {
            return socket.suffer(fault).map(Err);
        }
        socket.writing = Side::Failed(io::ErrorKind::BrokenPipe);
        Poll::Ready(Ok(()))
    }

    pub(crate) fn fails_whole(&self) -> bool {
        !self.world.lock().plan.buffered
    }
}

fn failed(side: Side) -> Option<Poll<io::Error>> {
    match side {
        Side::Fine => None,
        Side::Ended => Some(Poll::Ready(io::ErrorKind::BrokenPipe.into())),
        Side::Failed(kind) => Some(Poll::Ready(kind.into())),
        Side::Silent => Some(Poll::Pending),
    }
}

impl Drop for Stream {
    /// The server reads to the end what was passed on.
    fn drop(&mut self) {
        let mut state = self.world.lock();
        state.alive -= 1;
        state.sockets[self.index].serve();
    }
}
