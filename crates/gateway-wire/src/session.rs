//! A session: the core and the codec together, without IO. Bytes and facts go in; bytes, orders and
//! events come out.

mod abandon;
mod behind;
mod body;
mod breach;
mod clocks;
mod end;
mod flow;
mod lent;
mod limits;
mod link;
mod measuring;
mod observing;
mod on_ready;
mod order;
mod perform;
mod permits;
mod ping;
mod requesting;
mod reserving;
mod resume;
mod sending;
mod stale;
mod standing;
mod turns;
mod waiting;

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use gateway_core::{
    Action, CloseFrame, Config, Connection, Dialect, Event, Frame, Instant, Network, Notice,
    Observer, Outgoing, Secret, SendRejection, SocketId, Verdict,
};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

pub use self::abandon::Unread;
pub use self::behind::Behind;
pub use self::end::SocketEnd;
pub use self::limits::Limits;
use self::link::{Link, Writing};
pub(crate) use self::observing::Facts;
use self::observing::Observing;
use self::on_ready::OnReady;
pub use self::on_ready::OnReadyError;
pub use self::order::Order;
use self::perform::Payload;
pub(crate) use self::perform::weight;
pub use self::permits::Space;
use self::reserving::Reserving;
use self::resume::Resume;
use self::sending::Sending;
use self::waiting::Stall;
pub use self::waiting::{FlushError, FlushErrorKind, Position};
use crate::codec::{Incoming, Input};
use crate::counts::Unsent;
use crate::endpoint::Endpoint;
use crate::event::ClientEvent;
use crate::event_queue::EventQueue;
use crate::hidden::Hidden;
use crate::log::{DeferredLog, Log, LogLines};
use crate::message::Message;
use crate::metrics::Metering;
use crate::name::Name;
use crate::open_failure::OpenFailure;
use crate::outcome::{Accepted, Fate, Ledger, MessageId, SendError};
use crate::provider::{Private, ProviderError, Secrets};

/// A session's dialect, boxed so that drivers need no type parameter.
pub type BoxDialect = Box<dyn Dialect + Send + Sync>;

/// A session's observer, boxed so that drivers need no type parameter.
pub type BoxObserver = Box<dyn Observer + Send + Sync>;

/// The core, frames, buffers and outcomes of one client: everything in a driver but the IO.
///
/// A driver passes in bytes and facts, carries out [`next_order`](Self::next_order), and writes
/// [`pending`](Self::pending). It wakes up at [`deadline`](Self::deadline), and passes
/// [`next_event`](Self::next_event) to the application. It decides nothing.
///
/// A call that comes twice, late or out of order changes nothing. The session counts it in
/// [`stale_events`](gateway_core::Statistics::stale_events). These calls are out of order:
///
/// - The call names a socket that is not the open one, or not open yet.
/// - The call reports the result of an attempt too early: before the driver took its order, or
///   before it reported the previous socket as dropped.
/// - The call reports a socket as dropped that is in use.
/// - The call reports more bytes as written than are pending.
///
/// ```
/// use std::sync::Arc;
/// use gateway_core::{Config, Instant, NoDialect};
/// use gateway_wire::{Order, Session};
///
/// let mut session = Session::new(Arc::new(Config::default()), 7, Box::new(NoDialect));
/// session.connect(Instant::ZERO);
/// let Some(Order::Open { id, .. }) = session.next_order() else { unreachable!() };
/// session.opened(Instant::from_millis(30), id);
/// assert!(session.is_ready());
/// session.tick(session.deadline().unwrap()); // an interval later
/// assert!(!session.pending().is_empty(), "the first ping waits to be written");
/// ```
pub struct Session {
    connection: Connection<ChaCha8Rng, BoxDialect>,
    now: Instant,
    link: Option<Link>,
    ledger: Ledger,
    unsent: Unsent,
    orders: VecDeque<Order>,
    /// The last attempt for which the driver took the order to ask the provider.
    asking: Option<SocketId>,
    /// The last attempt whose order to open a socket the driver took.
    opening: Option<SocketId>,
    /// The number of orders to drop a socket that never opened, which the driver took and has not
    /// yet answered with [`dropped`](Self::dropped).
    unanswered_drops: u32,
    /// Calls that were ignored, without the stale events that the core counts.
    stale_calls: u32,
    /// How the last socket ended, until the driver takes it.
    ended: Option<(SocketId, SocketEnd)>,
    /// When the connection that last became ready counts as stable.
    stable_at: Option<(SocketId, Instant)>,
    events: EventQueue,
    /// The backlog cost of the messages in `events`, and of those that are lent, in bytes.
    backlog: usize,
    /// The backlog cost of the messages that are lent, in bytes.
    lent: usize,
    limits: Limits,
    behind: Behind,
    dropped_messages: u64,
    report_sent: bool,
    stall: Stall,
    /// The attempt that was refused, and the end of the wait for the refusal's body.
    body_due: Option<(SocketId, Instant)>,
    /// The last socket that was dropped while someone waited for its flush: the position up to
    /// which it had flushed.
    lost: Option<Position>,
    /// Whether the application takes no messages now.
    held: bool,
    /// Whether the core knows that reading is paused.
    paused: bool,
    /// What the request of this attempt sets beyond the endpoint.
    private: Private,
    /// What the texts of this attempt's server must not show.
    hidden: Hidden,
    scratch: String,
    /// Why the dialect refuses the login or leaves, during the actions of that event.
    said: Option<Box<str>>,
    /// Where the dialect resumes its session. `None` without a dialect.
    resume: Option<Box<Resume>>,
    seed: u64,
    on_ready: OnReady,
    /// Whether the event at hand has made the connection ready.
    is_newly_ready: bool,
    /// Whether the event at hand has made the connection CLOSING or CLOSED.
    is_newly_closing: bool,
    sending: Option<Box<Sending>>,
    /// Whether messages of the application wait behind others, or for the rate limit.
    is_held_back: bool,
    observer: Option<Box<Observing>>,
    /// `None` unless the core's `shared_budget` is on.
    reserving: Option<Box<Reserving>>,
    name: Option<Name>,
    log: Log,
    metering: Metering,
}

impl Session {
    /// Creates a session with default limits. `seed` is the seed of the jitter.
    #[must_use]
    pub fn new(config: Arc<Config>, seed: u64, dialect: BoxDialect) -> Self {
        let random = ChaCha8Rng::seed_from_u64(seed);
        Self {
            connection: Connection::with_dialect(config, random, dialect),
            now: Instant::ZERO,
            link: None,
            ledger: Ledger::new(),
            unsent: Unsent::default(),
            orders: VecDeque::new(),
            asking: None,
            opening: None,
            unanswered_drops: 0,
            stale_calls: 0,
            ended: None,
            stable_at: None,
            events: EventQueue::new(),
            backlog: 0,
            lent: 0,
            limits: Limits::default(),
            behind: Behind::StopReading,
            dropped_messages: 0,
            report_sent: false,
            stall: Stall::new(Self::SEND_STALL),
            body_due: None,
            lost: None,
            held: false,
            paused: false,
            private: Private::default(),
            hidden: Hidden::default(),
            scratch: String::new(),
            said: None,
            resume: None,
            seed,
            on_ready: OnReady::default(),
            is_newly_ready: false,
            is_newly_closing: false,
            sending: None,
            is_held_back: false,
            observer: None,
            reserving: None,
            name: None,
            log: Log::default(),
            metering: Metering::default(),
        }
    }

    /// From now on passes each event of the core to `observer`, with the core's actions, and each
    /// fact about messages and requests. Set it before the first event.
    #[must_use]
    pub fn with_observer(mut self, mut observer: BoxObserver) -> Self {
        observer.begin(self.connection.config(), self.seed);
        self.observer = Some(Box::new(Observing::new(observer)));
        self
    }

    /// Sets the limits of the buffers.
    #[must_use]
    pub const fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets the name and endpoint of the client's span, which all its log lines are in. The endpoint
    /// is shown as its `Display` shows it: without userinfo and query.
    #[must_use]
    pub fn with_identity(mut self, name: Option<Name>, endpoint: &Endpoint) -> Self {
        self.log = Log::new(name.clone(), endpoint);
        self.name = name;
        self
    }

    /// Sets host and port of the attempt that begins, if they are not the client's own. Its log lines
    /// show them.
    pub(crate) fn log_server(&mut self, server: Option<String>) {
        self.log.server(server);
    }

    /// From now on keeps log lines until [`take_log_lines`](Self::take_log_lines), so that a driver
    /// can write them while it holds no lock. The same holds for metrics. Call this once.
    pub fn defer_log(&mut self) -> DeferredLog {
        let meters = self.metering.defer();
        self.log.defer().with_meters(meters)
    }

    /// Returns the log lines since the last call, if the log is [deferred](Self::defer_log), and what
    /// the metrics have to report.
    pub fn take_log_lines(&mut self) -> LogLines {
        self.log.take_lines().with_report(self.metering.take_report())
    }

    /// Sets whether an outcome is also reported for messages that were sent. All other outcomes are
    /// always reported.
    #[must_use]
    pub const fn with_sent_reported(mut self, report: bool) -> Self {
        self.report_sent = report;
        self
    }

    // Requests of the application.

    /// Connects at once if the session has not started, if it is waiting to retry, or if it is
    /// closing or CLOSED. Otherwise this does nothing. A socket that is closing is dropped, without
    /// waiting for the peer's Close frame.
    pub fn connect(&mut self, now: Instant) {
        self.at(now, Event::ConnectRequested, Payload::None);
    }

    /// Replaces the socket on purpose: see
    /// [`ReconnectRequested`](gateway_core::Event::ReconnectRequested).
    pub fn reconnect(&mut self, now: Instant) {
        self.at(now, Event::ReconnectRequested, Payload::None);
    }

    /// Starts to close the connection.
    pub fn close(&mut self, now: Instant, frame: CloseFrame<'_>) {
        self.at(now, Event::CloseRequested(frame), Payload::Close(frame));
    }

    /// Appends a message to the write buffer, or to the [outbox](crate::Outbox) if there is one and
    /// the connection is not ready. The message gets the time of the last call with a `now`.
    ///
    /// # Errors
    /// Returns the message if the connection does not accept it now, or if more than 4,096 ranges
    /// of outcomes are unread.
    pub fn send(&mut self, message: Message) -> Result<Accepted, SendError> {
        self.accept(&message)
            .map_err(|rejection| SendError::new(rejection, message).named(self.name.clone()))
    }

    /// The same as [`send`](Self::send), but leaves the message to the caller, also if the
    /// connection accepts it.
    ///
    /// # Errors
    /// Returns the reason if the connection does not accept the message now, or if more than 4,096
    /// ranges of outcomes are unread.
    pub fn accept(&mut self, message: &Message) -> Result<Accepted, SendRejection> {
        if self.events.is_full_of_outcomes() {
            return Err(self.refuse(message, SendRejection::OutcomesUnread));
        }
        if self.sending.is_some() {
            return self.accept_with_care(message, false);
        }
        self.accept_now(None, message).map(Accepted::Buffered)
    }

    /// Appends a message to the write buffer, if the connection accepts it. Its number is the next
    /// one, if it has none yet.
    // Inlined: a call costs some 25 instructions for each message.
    #[inline(always)]
    fn accept_now(
        &mut self,
        number: Option<u64>,
        message: &Message,
    ) -> Result<MessageId, SendRejection> {
        let actions = self.handle(self.now, Event::SendRequested(message.borrowed()));
        match (actions.as_slice(), &mut self.link) {
            ([Action::Send(_, Outgoing::Requested)], Some(link)) => {
                let number = number.unwrap_or_else(|| self.ledger.next_number());
                let id = link.take(message, number, &mut self.ledger);
                self.block_if_full();
                Ok(id)
            }
            ([Action::Notify(Notice::SendRejected(rejection))], _) => Err(*rejection),
            // Local invariant, tested in the core: each request gets one of the two actions, and
            // none is accepted without a socket.
            _ => unreachable!("a send request without an answer"),
        }
    }

    /// Reports that the running login [was accepted](gateway_core::Event::LoginAccepted).
    pub fn login_accepted(&mut self, now: Instant) {
        self.at(now, Event::LoginAccepted, Payload::None);
    }

    /// Reports that the running login [was refused](gateway_core::Event::LoginRejected), or that an
    /// accepted login is no longer valid. `verdict` decides what follows.
    pub fn login_rejected(&mut self, now: Instant, verdict: Verdict) {
        self.at(now, Event::LoginRejected(verdict), Payload::None);
    }

    /// Reports a hint from the operating system: the network is back, or gone.
    pub fn network_changed(&mut self, now: Instant, network: Network) {
        self.at(now, Event::NetworkChanged(network), Payload::None);
    }

    // Reports of the driver.

    /// Reports that the provider gave the request of this attempt, as ordered, and that the driver
    /// accepts it.
    pub fn provider_answered(&mut self, now: Instant, id: SocketId) {
        if self.is_not_asked(id) {
            return self.ignore();
        }
        self.at(now, Event::ProviderAnswered(id), Payload::None);
    }

    /// Reports that the provider failed, or that its request is refused.
    pub fn provider_failed(&mut self, now: Instant, id: SocketId, error: &ProviderError) {
        if self.is_not_asked(id) {
            return self.ignore();
        }
        let event = Event::ProviderFailed(id, error.verdict());
        self.at(now, event, Payload::Detail(&error.to_string()));
    }

    /// Reports an open socket. Call this after you took its order and reported the previous socket
    /// as [`dropped`](Self::dropped).
    pub fn opened(&mut self, now: Instant, id: SocketId) {
        if self.connection.socket() == Some(id) && !self.is_linked(id) {
            if self.is_not_ordered(id) || self.link.is_some() {
                return self.ignore();
            }
            self.paused = false;
            self.link = Some(Link::new(id, self.connection.config().max_message_size()));
        } else if self.connection.socket() != Some(id) && self.is_linked(id) {
            // The socket was opened before, and its order to drop was given.
            return self.ignore();
        }
        self.at(now, Event::SocketOpened(id), Payload::None);
    }

    /// Reports that a socket could not be opened.
    pub fn open_failed(&mut self, now: Instant, id: SocketId, failure: &OpenFailure) {
        if self.is_not_ordered(id) {
            return self.ignore();
        }
        let event = Event::OpenFailed(id, failure.error());
        self.at(now, event, Payload::Detail(failure.detail()));
    }

    /// Processes the bytes of one read. All frames in them get the time `now`.
    pub fn received(&mut self, now: Instant, id: SocketId, bytes: &[u8]) {
        self.now = now;
        self.decode(now, id, bytes);
        if self.behind == Behind::DropOldest && self.backlog - self.lent > self.limits.backlog {
            self.drop_oldest_messages();
        }
    }

    #[inline(always)]
    fn decode(&mut self, now: Instant, id: SocketId, bytes: &[u8]) {
        let mut input = Input::new(bytes);
        let mut frames = 0_u32;
        loop {
            let Some(link) = self.link.as_mut().filter(|link| link.id == id && !link.is_left)
            else {
                if frames == 0 {
                    self.received_out_of_order(id);
                }
                return; // the frame before ended the socket
            };
            if link.breach.is_some() {
                return; // nothing is read after a protocol violation
            }
            if let Some(text) = input.next_text() {
                frames += 1;
                let actions = self.handle(now, Event::FrameReceived(id, Frame::Text(&text)));
                self.answer_message(&actions, Message::Text(text));
                continue;
            }
            if frames > 0 && link.codec.is_done_with(&input) {
                break;
            }
            match link.codec.decode(&mut input) {
                Ok(Some(Incoming::Message(message))) => {
                    frames += 1;
                    let actions = self.handle(now, Event::FrameReceived(id, message.as_frame()));
                    self.answer_message(&actions, message);
                }
                Ok(Some(incoming)) => {
                    frames += 1;
                    link.answer(&incoming);
                    let frame = incoming.borrowed();
                    let actions = self.handle(now, Event::FrameReceived(id, frame));
                    self.perform_all(&actions, &mut Payload::Incoming(incoming));
                }
                Ok(None) => break,
                Err(breach) => return self.breached(now, id, breach),
            }
        }
        if frames == 0 {
            self.at(now, Event::BytesReceived(id), Payload::None);
        }
    }

    /// Reports that an open socket has ended.
    pub fn failed(
        &mut self,
        now: Instant,
        id: SocketId,
        failure: gateway_core::Failure,
        detail: &str,
    ) {
        self.at(now, Event::SocketFailed(id, failure), Payload::Detail(detail));
    }

    /// Reports that the transport took `count` of the pending bytes.
    ///
    /// If `count` exceeds the pending bytes, the call is out of order. All pending bytes then count
    /// as offered. So no message among them is reported as safe to send again.
    pub fn written(&mut self, id: SocketId, count: usize) {
        let Some(link) = self.linked(id) else { return };
        if count <= link.output.pending().len() {
            link.on_written(count);
        } else {
            link.output.on_failed(count);
            self.ignore();
        }
    }

    /// Reports that the transport takes no more bytes for now.
    pub fn write_waits(&mut self, id: SocketId) {
        if let Some(link) = self.linked(id) {
            link.output.on_waiting();
        }
    }

    /// Reports that the transport failed while it was offered `count` of the pending bytes. It may
    /// have taken some of them.
    pub fn write_failed(&mut self, id: SocketId, count: usize) {
        let Some(link) = self.linked(id) else { return };
        let is_pending = count <= link.output.pending().len();
        link.output.on_failed(count);
        if !is_pending {
            self.ignore();
        }
    }

    /// Reports that the transport has flushed all bytes that it took.
    pub fn flushed(&mut self, id: SocketId) {
        let Some(link) = self.linked(id) else { return };
        link.output.on_flushed();
        let flushed = link.output.flushed();
        let unblocked = match link.writing {
            Writing::Blocked { until } => flushed >= until,
            Writing::Free => false,
        };
        if unblocked {
            link.writing = Writing::Free;
        }
        if link.output.pending().is_empty() {
            link.pings.on_drained();
            self.stall.clear();
        }
        self.settle_flushed(id, flushed);
        // The core ignores the last bytes of a socket that it has left.
        if unblocked && self.connection.socket() == Some(id) {
            self.at(self.now, Event::Flushed(id), Payload::None);
            if self.on_ready.is_due() && !self.needs_time() {
                self.advance();
            }
        }
        // What now may leave, or close, depends on the time: `deadline` is due.
        if self.needs_time() {
            self.keep_unwritten(flushed);
        }
        self.report_facts();
    }

    /// Settles the messages that were flushed.
    #[inline]
    fn settle_flushed(&mut self, id: SocketId, flushed: u64) {
        if !self.report_sent {
            return self.ledger.forget_flushed(flushed);
        }
        while let Some(sent) = self.ledger.settle_flushed(id, flushed) {
            self.report(sent);
        }
    }

    /// Reports that the socket was dropped, as ordered. The messages that it still held now get
    /// their outcomes.
    pub fn dropped(&mut self, id: SocketId) {
        if self.connection.socket() == Some(id) {
            return self.ignore(); // the socket is in use
        }
        let Some(link) = self.link.take_if(|link| link.id == id) else {
            // The socket never opened, or this call is a repeat.
            match self.unanswered_drops.checked_sub(1) {
                Some(left) => self.unanswered_drops = left,
                None => self.ignore(),
            }
            return;
        };
        let flushed = link.output.flushed();
        self.lost = (link.awaited > 0).then(|| Position::new(id, flushed)).or(self.lost);
        self.stall.clear();
        self.settle_lost(&link);
        self.metering.touch(); // the write buffer is gone
        self.report_facts();
    }

    /// Reports the outcomes of the messages that a lost socket still held.
    fn settle_lost(&mut self, link: &Link) {
        let written = link.output.touched();
        self.settle_flushed(link.id, link.output.flushed());
        self.keep_unwritten(written);
        while let Some(outcome) = self.ledger.settle_lost(link.id, written) {
            match outcome.fate {
                Fate::Rejected if self.has_outbox() => self.reject_unless_kept(outcome),
                _ => self.report(outcome),
            }
        }
        self.take_back_unwritten();
        self.settle_requests(written);
    }

    /// Evaluates the deadline. Call this when it is due; an early call changes nothing.
    pub fn tick(&mut self, now: Instant) {
        self.tick_saying(now, "");
    }

    /// Does the same. If this ends an attempt, `detail` says more about that.
    pub(crate) fn tick_saying(&mut self, now: Instant, detail: &str) {
        self.body_due.take_if(|(_, due)| now >= *due);
        let is_own = self.stall.expire(now) | self.tick_sending(now);
        if is_own && self.connection.next_deadline().is_none_or(|deadline| now < deadline) {
            return; // only for the session
        }
        self.at(now, Event::Tick, Payload::Detail(detail));
        self.report_if_drained(now);
    }

    /// Sets the login message of the attempt that is about to open; `None` for the configuration's.
    pub fn set_login(&mut self, login: Option<Secret>) {
        self.private.login = login;
    }

    /// Sets what the request of the attempt that is about to open has set, and what the texts of its
    /// server must not show.
    pub(crate) fn set_private(&mut self, private: Private, hidden: Hidden) {
        self.hidden = hidden.and_secrets(&private.secrets);
        self.connection.set_secrets(&private.secrets);
        self.private = private;
    }

    /// Returns the named secrets of the current attempt's request.
    #[must_use]
    pub const fn secrets(&self) -> &Secrets {
        &self.private.secrets
    }

    // Output for the driver.

    /// Returns the next event for the application, if one is waiting.
    #[inline]
    pub fn next_event(&mut self) -> Option<ClientEvent> {
        let backlog = &mut self.backlog;
        self.events.pop_front(|message| *backlog -= weight(message))
    }

    /// Whether events wait for the application.
    #[must_use]
    #[inline]
    pub fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    /// Returns the number of events that wait for the application.
    #[must_use]
    pub fn waiting_events(&self) -> usize {
        self.events.len()
    }

    /// Whether messages are among these events.
    #[must_use]
    #[inline]
    pub const fn has_messages(&self) -> bool {
        self.backlog > 0 // even an empty message has a cost
    }

    /// How many bytes the next read should take.
    pub(crate) fn read_size(&self) -> usize {
        self.link.as_ref().map_or(0, |link| link.codec.read_size())
    }

    /// Returns the bytes to write to the socket.
    #[must_use]
    pub fn pending(&self) -> &[u8] {
        self.link.as_ref().map_or(&[], |link| link.output.pending())
    }

    /// Whether a write is worthwhile even if more bytes may follow. This is so after 16 KiB of new
    /// bytes since the last write: the peer can start to process them.
    #[must_use]
    pub fn is_much_pending(&self) -> bool {
        self.link.as_ref().is_some_and(|link| link.output.is_much())
    }

    /// Whether the transport has taken bytes that it has not flushed.
    #[must_use]
    pub fn is_dirty(&self) -> bool {
        self.link.as_ref().is_some_and(|link| link.output.is_dirty())
    }
}

/// Shows the state, but no payloads and no login, because they may be secret.
impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("connection", &self.connection)
            .field("pending", &self.pending().len())
            .field("events", &self.events.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
