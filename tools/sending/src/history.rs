//! One history of a session, with what must hold after each step.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use gateway_core::{
    CloseFrame, ConnectionState, Failure, Instant, OpenError, SendRejection, SocketId,
};
use gateway_wire::{
    Accepted, Message, OpenFailure, Order, Repeat, RequestErrorKind, RequestId, Session, Space,
};

use crate::answers::TwoIds;
use crate::books::{Asked, Books, Sent};
use crate::laws::{Before, Checked, hold};
use crate::socket::{Content, Placed, Socket};
use crate::worlds::{LONG, SHORT, World};

/// The time of a request.
const TIMEOUT: Duration = Duration::from_secs(3);

/// The time of a drain.
const DRAIN: Duration = Duration::from_secs(3);

/// How late an event comes after a deadline that was missed, and how long a wait is.
const SECOND: Duration = Duration::from_secs(1);

/// A reservation is for a short message. With the longest header, it holds so many bytes.
const RESERVED: usize = SHORT + 14;

/// A close ends after fewer rounds of orders and deadlines.
const ROUNDS: usize = 20;

/// What happens in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// The application sends a short message.
    Send,
    /// It sends a long one.
    SendLong,
    /// It makes a request.
    Ask,
    /// It makes an idempotent request.
    Repeat,
    /// It makes a long one.
    RepeatLong,
    /// It makes a request that waits for the connection, and is sent at most once.
    Order,
    /// It gives up its oldest request.
    Forget,
    /// It waits to send a message.
    Await,
    /// It gives up this wait.
    Abandon,
    /// It reserves space in the write buffer, and a token.
    Reserve,
    /// It returns that space without using it.
    Release,
    /// It connects.
    Connect,
    /// It replaces the socket.
    Reconnect,
    /// It drains the connection.
    Drain,
    /// It closes the connection.
    Close,
    /// The driver carries out the next order: a socket opens, or is dropped.
    Obey,
    /// The socket of the next order does not open.
    Refuse,
    /// The server accepts the login.
    Accept,
    /// The server answers the request with this id.
    Answer(u64),
    /// The transport takes a byte.
    Nibble,
    /// The transport takes all bytes.
    Take,
    /// The transport flushes what it took.
    Flush,
    /// The transport takes and flushes all bytes.
    Write,
    /// The socket is lost.
    Lose,
    /// The socket fails in a write of all bytes.
    Break,
    /// A second passes, in which nothing is due.
    Wait,
    /// The driver wakes at the deadline, or later if it has overslept.
    Due,
    /// A second more passes than until the deadline, and the driver does not wake.
    Oversleep,
}

/// What must hold, and did not.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Fault {
    /// The rule.
    pub law: &'static str,
    /// What was wrong.
    pub what: String,
}

/// What was seen in all histories of a world.
pub(crate) type Sights = BTreeSet<&'static str>;

/// A session, its transport, its application, and their records.
pub(crate) struct History<'a> {
    pub(crate) world: &'a World,
    pub(crate) session: Session,
    pub(crate) sights: &'a mut Sights,
    pub(crate) now: Instant,
    orders: VecDeque<Order>,
    pub(crate) socket: Option<Socket>,
    /// The socket that is dropped in this step.
    pub(crate) dropped: Option<Socket>,
    is_reserved: bool,
    /// Whether the application waits to send a message.
    pub(crate) is_send_awaited: bool,
    pub(crate) drain_until: Instant,
    pub(crate) books: Books,
}

impl<'a> History<'a> {
    pub(crate) fn new(world: &'a World, session: Session, sights: &'a mut Sights) -> Self {
        Self {
            world,
            session,
            sights,
            now: Instant::from_millis(1_000),
            orders: VecDeque::new(),
            socket: None,
            dropped: None,
            is_reserved: false,
            is_send_awaited: false,
            drain_until: Instant::MAX,
            books: Books::default(),
        }
    }

    /// Whether this step can happen now, and may change something.
    pub(crate) fn offers(&self, step: Step) -> bool {
        let has_pending = !self.session.pending().is_empty();
        let is_linked = self.live().is_some() && self.session.socket() == self.live();
        match step {
            // A driver sends once there is space, or with a permit.
            Step::Send | Step::SendLong => {
                !self.world.has_permits || self.is_reserved || self.session.poll_space().is_ready()
            }
            Step::Ask | Step::Repeat | Step::RepeatLong | Step::Order => true,
            Step::Forget => self.books.open().next().is_some(),
            Step::Await => !self.is_send_awaited && self.session.poll_space().is_pending(),
            Step::Abandon => self.is_send_awaited,
            Step::Reserve => !self.is_reserved && !self.is_closed() && self.session.may_reserve(),
            Step::Release => self.is_reserved,
            Step::Connect => match self.session.state() {
                ConnectionState::Disconnected
                | ConnectionState::Closing
                | ConnectionState::Closed => true,
                ConnectionState::Connecting
                | ConnectionState::Connected
                | ConnectionState::Authenticated => false,
            },
            Step::Reconnect => self.session.is_connection_ready(),
            Step::Drain | Step::Close => !self.is_closed(),
            Step::Obey => !self.orders.is_empty(),
            Step::Refuse => matches!(self.orders.front(), Some(Order::Open { .. })),
            Step::Accept => is_linked && !self.session.is_connection_ready() && !self.is_closed(),
            Step::Answer(id) => is_linked && self.has_on_wire(id),
            Step::Nibble => has_pending,
            Step::Take | Step::Write => has_pending || self.session.is_dirty(),
            Step::Flush => self.session.is_dirty(),
            Step::Lose => is_linked,
            Step::Break => is_linked && has_pending,
            Step::Wait => {
                let later = self.now.saturating_add(SECOND);
                self.session.deadline().is_none_or(|due| due > later)
            }
            Step::Due => self.session.deadline().is_some(),
            Step::Oversleep => self.session.deadline().is_some_and(|due| due >= self.now),
        }
    }

    pub(crate) fn live(&self) -> Option<SocketId> {
        self.socket.as_ref().map(|socket| socket.id)
    }

    pub(crate) fn is_closed(&self) -> bool {
        matches!(self.session.state(), ConnectionState::Closing | ConnectionState::Closed)
    }

    fn has_on_wire(&self, id: u64) -> bool {
        let is_it = |placed: &Placed| matches!(placed.content, Content::Request(_, of) if of == id);
        self.socket.as_ref().is_some_and(|socket| socket.frames.iter().any(is_it))
    }

    /// Takes a step, and checks everything.
    pub(crate) fn take(&mut self, step: Step) -> Checked {
        let before = Before { step: Some(step), answered: self.answered(step), ..self.before() };
        self.act(step)?;
        self.check(before)
    }

    fn before(&self) -> Before {
        let (is_ready, is_draining) =
            (self.session.is_connection_ready(), self.session.is_draining());
        Before { step: None, is_ready, is_draining, answered: None }
    }

    /// The request that an answer must end.
    fn answered(&self, step: Step) -> Option<RequestId> {
        let (Step::Answer(id), Some(live)) = (step, self.live()) else { return None };
        let mut open = self.books.open().filter(|_| self.session.is_connection_ready());
        open.find(|asked| asked.placed == Some((live, id))).map(|asked| asked.request)
    }

    fn act(&mut self, step: Step) -> Checked {
        let now = self.now;
        match step {
            Step::Send => self.send(SHORT)?,
            Step::SendLong => self.send(LONG)?,
            Step::Ask => self.ask(SHORT, Repeat::Never)?,
            Step::Repeat => self.ask(SHORT, Repeat::OnReconnect)?,
            Step::RepeatLong => self.ask(LONG, Repeat::OnReconnect)?,
            Step::Order => self.ask(SHORT, Repeat::WhileUnsent)?,
            Step::Forget => {
                let oldest = self.books.asked.iter_mut().find(|asked| !asked.is_over);
                let Some(oldest) = oldest else { return Ok(()) };
                oldest.is_over = true;
                self.session.forget_request(oldest.request);
                self.sights.insert("forgotten");
            }
            Step::Await => {
                self.session.set_time(now);
                self.session.wait_for_space(now);
                self.is_send_awaited = true;
                self.sights.insert("awaited");
            }
            Step::Abandon => {
                self.session.set_time(now);
                self.session.end_wait();
                self.is_send_awaited = false;
                self.books.left_since = None;
            }
            Step::Reserve => {
                self.session.set_time(self.now);
                self.session.reserve(Space::of(SHORT));
                self.is_reserved = true;
                self.sights.insert("reserved");
            }
            Step::Release => {
                self.is_reserved = false;
                self.session.set_time(self.now);
                self.session.release(Space::of(SHORT));
            }
            Step::Connect => self.session.connect(now),
            Step::Reconnect => self.session.reconnect(now),
            Step::Drain => {
                self.drain_until = now.saturating_add(DRAIN);
                self.session.drain(now, CloseFrame::NORMAL, self.drain_until);
            }
            Step::Close => self.session.close(now, CloseFrame::NORMAL),
            Step::Obey => self.obey(),
            Step::Refuse => {
                if let Some(Order::Open { id, .. }) = self.orders.pop_front() {
                    let failure = OpenFailure::new(OpenError::Dns, "");
                    self.session.open_failed(now, id, &failure);
                }
            }
            Step::Accept => self.receive(&[0x81, 2, b'o', b'k']),
            Step::Answer(id) => self.receive(&TwoIds::answer(id)),
            Step::Nibble => self.take_bytes(1),
            Step::Take => self.take_bytes(usize::MAX),
            Step::Flush => self.flush(),
            Step::Write => {
                self.take_bytes(usize::MAX);
                self.flush();
            }
            Step::Lose => self.lose(),
            Step::Break => {
                let count = self.session.pending().len();
                if let Some(socket) = &mut self.socket {
                    socket.offered = socket.written + count;
                    self.session.write_failed(socket.id, count);
                }
                self.lose();
            }
            Step::Wait => self.now = now.saturating_add(SECOND),
            Step::Due => {
                self.now = self.session.deadline().map_or(now, |due| due.max(now));
                self.session.tick(self.now);
            }
            Step::Oversleep => {
                self.now = self.session.deadline().unwrap_or(now).saturating_add(SECOND);
            }
        }
        Ok(())
    }

    fn receive(&mut self, bytes: &[u8]) {
        if let Some(id) = self.live() {
            self.session.received(self.now, id, bytes);
        }
    }

    fn lose(&mut self) {
        if let Some(id) = self.live() {
            self.session.failed(self.now, id, Failure::Reset, "");
        }
    }

    fn take_bytes(&mut self, most: usize) {
        let Some(socket) = &mut self.socket else { return };
        let count = self.session.pending().len().min(most);
        socket.written += count;
        self.session.written(socket.id, count);
    }

    fn flush(&mut self) {
        let Some(socket) = &mut self.socket else { return };
        socket.flushed = socket.written;
        self.session.flushed(socket.id);
    }

    /// Carries out the next order.
    fn obey(&mut self) {
        match self.orders.pop_front() {
            Some(Order::Open { id, .. }) => {
                self.socket = Some(Socket::new(id));
                self.session.opened(self.now, id);
            }
            Some(Order::Drop { id, .. } | Order::Abort { id }) => {
                if self.live() == Some(id) {
                    self.dropped = self.socket.take();
                }
                self.session.dropped(id);
            }
            Some(Order::Ask { .. }) | None => {}
        }
    }

    /// The bytes of the write buffer that are reserved.
    pub(crate) const fn reserved(&self) -> usize {
        if self.is_reserved { RESERVED } else { 0 }
    }

    /// Takes the session's orders. One to drop an attempt goes in place of that to open it.
    pub(crate) fn take_orders(&mut self) {
        while let Some(order) = self.session.next_order() {
            if let Order::Drop { id, .. } | Order::Abort { id } = order {
                self.orders.retain(
                    |other| !matches!(other, Order::Open { id: opens, .. } if *opens == id),
                );
            }
            self.orders.push_back(order);
        }
    }

    /// When the next message may leave.
    pub(crate) fn token_at(&self) -> Instant {
        let Some((_, span)) = self.world.rate else { return Instant::ZERO };
        self.books.left_at.last().map_or(Instant::ZERO, |last| last.saturating_add(span))
    }

    fn send(&mut self, length: usize) -> Checked {
        let expected = self.expected_of_send(length);
        let text = format!("{:.<length$}", format!("m{}", self.books.sent.len()));
        self.session.set_time(self.now);
        let message = Message::text(text);
        let result = match std::mem::take(&mut self.is_reserved) {
            true => self.session.accept_reserved(&message, Space::of(length)),
            false => self.session.accept(&message),
        };
        self.is_send_awaited = false;
        let told = result.map(Accepted::is_queued);
        hold("a send is accepted or refused for its reason", told == expected, || {
            format!("{result:?} in place of {expected:?}")
        })?;
        self.sights.insert(match result {
            Ok(Accepted::Queued(_)) => "queued",
            Ok(Accepted::Buffered(_)) => "buffered",
            Err(SendRejection::OutboxFull) => "outbox_full",
            Err(SendRejection::Paced) => "paced",
            Err(SendRejection::Closed) => "closed",
            Err(_) => "refused",
        });
        let expires_at = self.world.outbox.map(|queue| self.now.saturating_add(queue.time_to_live));
        let number = result.ok().map(|accepted| accepted.id().number());
        if let Some(number) = number {
            self.books.accepted += 1;
            hold("numbers follow each other", number == self.books.accepted, || {
                format!("{number} is not {}", self.books.accepted)
            })?;
        }
        self.books.sent.push(Sent { number, length, expires_at, placed: None, fate: None });
        Ok(())
    }

    /// Whether the messages of every ready still wait.
    pub(crate) fn subscribes(&self) -> bool {
        let is_subscribed =
            |socket: &Socket| socket.frames.iter().any(|frame| frame.content == Content::OnReady);
        let has_left = self.socket.as_ref().is_some_and(is_subscribed);
        self.world.has_on_ready && self.session.is_connection_ready() && !has_left
    }

    /// Whether a message of this length is queued, or why it is refused.
    fn expected_of_send(&self, length: usize) -> Result<bool, SendRejection> {
        if self.session.is_draining() || self.is_closed() {
            return Err(SendRejection::Closed);
        }
        let waits = self.books.queued().next().is_some();
        let subscribes = self.subscribes() && !self.session.is_write_blocked();
        match self.world.outbox {
            Some(queue) if !self.session.is_connection_ready() || subscribes || waits => {
                let (count, bytes) = self.books.unexpired(self.now);
                let fits = count < queue.messages && bytes + length <= queue.bytes;
                let is_accepted = if queue.drops_oldest { length <= queue.bytes } else { fits };
                if is_accepted { Ok(true) } else { Err(SendRejection::OutboxFull) }
            }
            None if !self.session.is_connection_ready() => Err(SendRejection::NotReady),
            _ if self.now < self.token_at() && !self.is_reserved => Err(SendRejection::Paced),
            _ if self.session.is_write_blocked() => Err(SendRejection::WriteBlocked),
            _ => Ok(false),
        }
    }

    fn ask(&mut self, length: usize, repeat: Repeat) -> Checked {
        let expected = self.expected_of_request(length, repeat);
        let number = self.books.tried;
        self.books.tried += 1;
        let message = Message::text(format!("{:.<length$}", format!("r{number}")));
        let made = self.session.request(self.now, &message, TIMEOUT, repeat);
        let told = made.as_ref().map(|_| ());
        hold(
            "a request is accepted or refused for its reason",
            told == expected.as_ref().copied(),
            || format!("{made:?} in place of {expected:?}"),
        )?;
        match made {
            Ok(request) => self.books.asked.push(Asked {
                request,
                number,
                due: self.now.saturating_add(TIMEOUT),
                repeat,
                length,
                placed: None,
                was_begun: false,
                is_over: false,
            }),
            Err(refusal) => {
                self.sights.insert(match refusal {
                    RequestErrorKind::NotReady => "not_ready",
                    RequestErrorKind::Full => "full",
                    _ => "closed",
                });
            }
        }
        Ok(())
    }

    fn expected_of_request(&self, length: usize, repeat: Repeat) -> Result<(), RequestErrorKind> {
        if self.session.is_draining() || self.is_closed() {
            return Err(RequestErrorKind::Closed);
        }
        if repeat == Repeat::Never && !self.session.is_connection_ready() {
            return Err(RequestErrorKind::NotReady);
        }
        let live = self.live();
        let bytes: usize = self.books.open().map(|asked| asked.kept(live)).sum();
        let is_too_long = bytes > 0 && bytes + length > self.world.request_bytes;
        if self.books.open().count() >= self.world.requests || is_too_long {
            return Err(RequestErrorKind::Full);
        }
        Ok(())
    }

    /// Closes the session, and drives it until it is over.
    pub(crate) fn close(mut self) -> Checked {
        let before = Before { is_draining: false, ..self.before() };
        self.session.close(self.now, CloseFrame::NORMAL);
        self.check(before)?;
        for _ in 0..ROUNDS {
            if !self.orders.is_empty() {
                self.obey();
            } else if let Some(due) = self.session.deadline() {
                self.now = due.max(self.now);
                self.session.tick(self.now);
            } else {
                break;
            }
            self.check(before)?;
        }
        hold("a close ends", self.session.is_over() && self.session.deadline().is_none(), || {
            format!("{:?}, deadline {:?}", self.session.state(), self.session.deadline())
        })?;
        self.check_end()
    }

    /// Abandons the session, as if its driver were gone.
    pub(crate) fn abandon(mut self) -> Checked {
        let before = Before { is_draining: false, ..self.before() };
        self.dropped = self.socket.take();
        for event in self.session.abandon(0) {
            self.check_event(before, &event)?;
        }
        self.check_requests(before)?;
        self.check_end()
    }
}
