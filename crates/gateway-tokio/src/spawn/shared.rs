//! A client behind a lock: its engine, and the tasks that wait for it.
//!
//! Under the lock run the engine, and with it the core, the codec, the dialect, the observer, the
//! correlator, the transport, the wall clock, and what a `Dial` says of a transport. After it,
//! tasks are woken, lines are logged, and streams, messages and events are dropped: these may run
//! code of the application's, which may block or call a handle.
//!
//! A section is short. A look of the driver writes at most about 256 KiB, and reads once. Only a
//! socket that ends takes longer: after a failed write, up to 16 reads find the peer's last bytes;
//! with a Close frame, the pending bytes are written as far as the socket takes them.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::{Context, Poll};

use gateway_core::ConnectionState;
use gateway_wire::{
    Counts, End, EndKind, Endpoint, Engine, LogLines, Message, Name, RequestId, Session, Space,
    Status, Unread,
};

use super::error::{HandleError, HandleErrorKind};
use super::request::Callers;
use super::standing::{Standing, Watchers};
use super::turns::{Refusal, Ticket, Turns, Wants};
use super::users::{LEFT, RETIRED, UNREAD, USER, Users};
use super::wakes::{Due, WakeDriver, Wakes};
use crate::host::Tokio;
use crate::open::Opener;
use crate::sync::{Arc, AtomicU8, AtomicUsize, Lock, Ordering, inside};
use crate::wakers::{Half, Wakers};

/// What handles, events and the driver share.
pub(crate) struct Shared {
    state: Lock<State>,
    /// What was dropped where the state could not be locked.
    leavings: Lock<Vec<Leaving>>,
    /// Wakes the driver.
    wakers: std::sync::Arc<Wakers>,
    /// The handles, permits and events that exist, in units of [`USER`], and flags.
    users: AtomicUsize,
    /// The latest standing, to read it without the lock.
    standing: AtomicU8,
    opener: std::sync::Arc<Opener>,
    name: Option<Name>,
}

/// What the lock protects.
pub(crate) struct State {
    /// `None` once the driver is gone, or after a panic.
    pub(super) engine: Option<Box<Engine<Tokio>>>,
    /// What the engine has left for `Events`.
    pub(super) unread: Unread,
    /// The answers that the engine has left for their callers.
    pub(super) answers: BTreeMap<RequestId, Message>,
    /// What the engine was when it ended, and what it has left for the log.
    last: Option<Box<(Last, LogLines)>>,
    /// An engine that has panicked, until the driver drops it.
    broken: Option<Box<Engine<Tokio>>>,
    pub(super) turns: Turns,
    pub(super) reader: Option<std::task::Waker>,
    pub(super) watchers: Watchers,
    pub(super) callers: Callers,
    standing: Standing,
    /// Whether the driver was woken since it last began to look.
    is_driver_called: bool,
}

/// What a client was when it ended.
#[derive(Clone, Copy)]
pub(crate) struct Last {
    pub(crate) end: EndKind,
    pub(crate) status: Status,
    pub(crate) counts: Counts,
}

/// What was dropped.
enum Leaving {
    /// A future that waited for its turn.
    Turn(Ticket),
    /// A future that waited for a change.
    Watch(Ticket),
    /// A future that waited for an answer.
    Request(RequestId),
    /// A permit.
    Permit(Space),
}

impl Shared {
    /// Shares a client between one handle, its events, and a driver.
    pub(crate) fn new(engine: Box<Engine<Tokio>>, wakers: std::sync::Arc<Wakers>) -> Arc<Self> {
        let session = engine.session();
        let (standing, name) = (Standing::of(session), session.name().cloned());
        let opener = std::sync::Arc::clone(&engine.host().opener);
        let state = State {
            engine: Some(engine),
            unread: Unread::default(),
            answers: BTreeMap::new(),
            last: None,
            broken: None,
            turns: Turns::default(),
            reader: None,
            watchers: Watchers::default(),
            callers: Callers::default(),
            standing,
            is_driver_called: false,
        };
        Arc::new(Self {
            state: Lock::new(state),
            leavings: Lock::new(Vec::new()),
            wakers,
            users: AtomicUsize::new(2 * USER),
            standing: AtomicU8::new(standing.to_bits()),
            opener,
            name,
        })
    }

    /// Runs `act` under the lock, then wakes the tasks that it names. `act` must neither block nor
    /// drop anything of the application's.
    pub(crate) fn with<T>(
        &self,
        act: impl FnOnce(&mut State, &mut Wakes) -> T,
    ) -> Result<T, HandleErrorKind> {
        self.locked(act)
    }

    /// The same for what is done for each message: it wakes at most the driver.
    #[inline]
    pub(crate) fn with_driver<T>(
        &self,
        act: impl FnOnce(&mut State, &mut WakeDriver) -> T,
    ) -> Result<T, HandleErrorKind> {
        self.locked(act)
    }

    #[inline]
    fn locked<T, W: Due + Default>(
        &self,
        act: impl FnOnce(&mut State, &mut W) -> T,
    ) -> Result<T, HandleErrorKind> {
        let mut section = Section::enter(self, W::default())?;
        let mut state = self.state.lock().ok_or(HandleErrorKind::Gone)?;
        let output = act(&mut state, &mut section.wakes);
        drop(state);
        Ok(output)
    }

    /// Passes a request to the engine. The driver carries out what follows from it.
    pub(crate) fn request<T>(
        &self,
        act: impl FnOnce(&mut Engine<Tokio>) -> T,
    ) -> Result<T, HandleError> {
        self.request_if(|_| true, act)
    }

    /// The same for a request that may open a socket: a client that leaves its fleet opens none.
    pub(crate) fn request_socket(
        &self,
        act: impl FnOnce(&mut Engine<Tokio>),
    ) -> Result<(), HandleError> {
        self.request_if(|users| !users.retired(), act)
    }

    /// Passes a request to the engine if the users allow it, which is read under the lock.
    fn request_if<T>(
        &self,
        allow: impl FnOnce(Users) -> bool,
        act: impl FnOnce(&mut Engine<Tokio>) -> T,
    ) -> Result<T, HandleError> {
        let done = self.with(|state, wakes| {
            let engine = state.engine.as_mut().filter(|_| allow(self.users()));
            let output = engine.map(|engine| act(engine));
            state.settle(self, wakes);
            state.call_driver(wakes);
            output
        });
        done.and_then(|output| output.ok_or(HandleErrorKind::Gone)).map_err(|kind| self.error(kind))
    }

    /// Looks at the engine.
    pub(crate) fn inspect<T>(
        &self,
        look: impl FnOnce(&Engine<Tokio>) -> T,
    ) -> Result<T, HandleError> {
        self.with(|state, _| state.engine.as_deref().map(look))
            .and_then(|output| output.ok_or(HandleErrorKind::Gone))
            .map_err(|kind| self.error(kind))
    }

    pub(crate) fn error(&self, kind: HandleErrorKind) -> HandleError {
        HandleError::new(kind, self.name.clone())
    }

    pub(crate) fn end_of(&self, kind: EndKind) -> End {
        End::new(kind, self.name.clone())
    }

    pub(crate) const fn name(&self) -> Option<&Name> {
        self.name.as_ref()
    }

    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.opener.endpoint
    }

    /// The standing after the last section that changed it.
    pub(crate) fn standing(&self) -> Standing {
        Standing::from_bits(self.standing.load(Ordering::Acquire))
    }

    // Users.

    pub(crate) fn add_user(&self) {
        self.users.fetch_add(USER, Ordering::Relaxed);
    }

    /// The driver of a client without users closes it, and ends.
    pub(crate) fn remove_user(&self) {
        let before = self.users.fetch_sub(USER, Ordering::AcqRel);
        if !Users::from_bits(before - USER).exist() {
            self.wakers.wake_all();
        }
    }

    pub(crate) fn users(&self) -> Users {
        Users::from_bits(self.users.load(Ordering::Acquire))
    }

    /// From now on the driver ends when the connection is CLOSED, also while there are users.
    pub(crate) fn retire(&self) {
        self.users.fetch_or(RETIRED, Ordering::AcqRel);
        self.wakers.wake_all();
    }

    /// No one takes events any more: the driver drops them, or this call if it is gone.
    pub(crate) fn remove_reader(&self) {
        self.users.fetch_or(UNREAD, Ordering::AcqRel);
        self.wakers.wake_all();
        if self.standing() == Standing::GONE {
            drop(self.with(|state, _| std::mem::take(&mut state.unread)));
        }
    }

    /// Registers the driver's task. Call this before the driver looks at anything: what changes
    /// after that wakes it.
    pub(crate) fn register_driver(&self, cx: &Context<'_>) {
        self.wakers.register(Half::Stream, cx.waker());
    }

    // What is dropped.

    /// A future that waited for its turn was dropped.
    pub(crate) fn leave_turns(&self, ticket: Ticket) {
        let left = self.with(|state, wakes| {
            state.turns.leave(ticket, wakes);
            state.settle_turns(wakes);
            state.call_driver(wakes); // a request may leave in its place
        });
        if left == Err(HandleErrorKind::Reentrant) {
            self.leave_behind(Leaving::Turn(ticket));
        }
    }

    /// A future that waited for a change was dropped.
    pub(crate) fn leave_watch(&self, ticket: Ticket) {
        let left = self.with(|state, wakes| state.watchers.leave(ticket, wakes));
        if left == Err(HandleErrorKind::Reentrant) {
            self.leave_behind(Leaving::Watch(ticket));
        }
    }

    /// A future that waited for an answer was dropped.
    pub(crate) fn forget_request(&self, request: RequestId) {
        let left = self.with(|state, wakes| {
            state.forget_request(request, wakes);
            state.settle(self, wakes);
        });
        if left == Err(HandleErrorKind::Reentrant) {
            self.leave_behind(Leaving::Request(request));
        }
    }

    /// Reserved space was not used.
    pub(crate) fn release(&self, space: Space) {
        let released = self.with(|state, wakes| {
            state.release(space, wakes);
            state.settle(self, wakes);
        });
        if released == Err(HandleErrorKind::Reentrant) {
            self.leave_behind(Leaving::Permit(space));
        }
    }

    /// Leaves this to the driver, because an observer or a dialect has dropped it. No other lock is
    /// taken while this one is held.
    #[cold]
    fn leave_behind(&self, leaving: Leaving) {
        if let Some(mut leavings) = self.leavings.lock() {
            leavings.push(leaving);
        }
        self.users.fetch_or(LEFT, Ordering::AcqRel);
        self.wakers.wake_all();
    }

    pub(super) fn clear_leavings(&self, state: &mut State, wakes: &mut Wakes) {
        self.users.fetch_and(!LEFT, Ordering::AcqRel);
        // An observer runs below, and may leave something behind, too: the driver is then woken again.
        let left = self.leavings.lock().map(|mut leavings| std::mem::take(&mut *leavings));
        for leaving in left.into_iter().flatten() {
            match leaving {
                Leaving::Turn(ticket) => state.turns.leave(ticket, wakes),
                Leaving::Watch(ticket) => state.watchers.leave(ticket, wakes),
                Leaving::Request(request) => state.forget_request(request, wakes),
                Leaving::Permit(space) => state.release(space, wakes),
            }
        }
    }

    /// Ends the client now, whatever its driver does. Returns what it was; `None` under the lock,
    /// where it can end only later.
    pub(crate) fn cut(this: &Arc<Self>) -> Option<Last> {
        Self::end(this, EndKind::CutOff);
        if inside::is_inside() {
            return None;
        }
        this.wakers.wake_all(); // the driver ends, too
        this.state.lock()?.last.as_deref().map(|(last, _)| *last)
    }

    /// The driver is gone. Everything that waits ends, all messages get their outcomes, and the
    /// sockets are dropped. `kind` is how the client ended if it is not CLOSED.
    pub(crate) fn end(this: &Arc<Self>, kind: EndKind) {
        if inside::is_inside() {
            // An observer or a dialect drops the driver. It may run under this very lock.
            let shared = Arc::clone(this);
            return inside::defer(move || Self::end(&shared, kind));
        }
        let mut wakes = Wakes::default();
        inside::replace(true);
        let mut state = this.state.rescue();
        let engine = state.end(this, this.state.is_poisoned(), kind, &mut wakes);
        let broken = state.broken.take();
        let unread =
            if this.users().read() { None } else { Some(std::mem::take(&mut state.unread)) };
        this.state.clear_poison();
        drop(state);
        inside::replace(false);
        wakes.wake();
        // The client has ended. A panic of the application's code must not unwind out of a shutdown,
        // which ends other clients after this one.
        let _ = catch_unwind(AssertUnwindSafe(|| drop((engine, broken, unread))));
        inside::run_deferred();
    }

    /// Code of the application's has panicked under the lock. Everything that waits ends. The driver
    /// drops the engine, because this thread unwinds.
    #[cold]
    fn fail(&self) {
        let mut wakes = Wakes::default();
        let mut state = self.state.rescue();
        if let Some(engine) = state.end(self, true, EndKind::Gone, &mut wakes) {
            state.broken = Some(engine);
        }
        self.state.clear_poison(); // without the engine, the state is in order
        drop(state);
        self.wakers.wake_all();
        wakes.wake();
    }
}

/// A stay inside the lock. On its way out it wakes tasks, also if it panics.
struct Section<'a, W: Due> {
    shared: &'a Shared,
    wakes: W,
}

impl<'a, W: Due> Section<'a, W> {
    #[inline]
    fn enter(shared: &'a Shared, wakes: W) -> Result<Self, HandleErrorKind> {
        if inside::replace(true) {
            return Err(HandleErrorKind::Reentrant);
        }
        Ok(Self { shared, wakes })
    }
}

impl<W: Due> Drop for Section<'_, W> {
    #[inline]
    fn drop(&mut self) {
        inside::replace(false);
        if self.shared.state.is_poisoned() {
            self.shared.fail();
        }
        if self.wakes.wakes_driver() {
            self.shared.wakers.wake_all();
        }
        self.wakes.wake();
        inside::run_deferred();
    }
}

impl State {
    /// Wakes the driver, once until it looks.
    #[inline]
    pub(super) fn call_driver(&mut self, wakes: &mut impl Due) {
        if !self.is_driver_called {
            self.is_driver_called = true;
            wakes.wake_driver();
        }
    }

    /// The driver begins to look: what changes from now on wakes it again.
    pub(super) fn answer_driver(&mut self) {
        self.is_driver_called = false;
    }

    /// Wakes those for whom something has changed.
    pub(super) fn settle(&mut self, shared: &Shared, wakes: &mut Wakes) {
        let Some(engine) = &self.engine else { return };
        let session = engine.session();
        if session.has_events() || session.is_over() {
            wakes.push(self.reader.take());
        }
        let standing = Standing::of(session);
        if standing != self.standing {
            self.standing = standing;
            shared.standing.store(standing.to_bits(), Ordering::Release);
            self.watchers.change(wakes);
        }
        self.callers.settle(session, wakes);
        self.settle_turns(wakes);
    }

    /// Wakes the first that waits for space, if there is some. Refuses those that wait in vain.
    pub(super) fn settle_turns(&mut self, wakes: &mut Wakes) {
        let Some(engine) = &mut self.engine else { return };
        if self.turns.is_empty() {
            engine.end_wait();
            return;
        }
        let session = engine.session();
        let socket = session.socket().filter(|_| session.takes_messages());
        let (is_closed, has_outbox) = (session.is_closed(), session.has_outbox());
        let is_lost = |wants| match wants {
            Wants::Send(_) if has_outbox => !session.takes_messages(),
            Wants::Send(on) => socket.is_none() || on != socket,
            Wants::Reserve => is_closed,
        };
        self.turns.refuse(Refusal::Lost, is_lost, wakes);
        match session.poll_space() {
            Poll::Ready(Ok(())) => {
                if self.turns.first().is_some_and(|wants| has_space(session, wants)) {
                    self.turns.call_first(wakes);
                }
            }
            Poll::Ready(Err(_)) => {
                self.turns.refuse(Refusal::Stalled, |_| true, wakes);
                engine.end_wait();
            }
            Poll::Pending => {
                let was_waiting = session.is_waiting();
                engine.wait_for_space();
                // While only permits fill the buffer, there is no deadline to wait for.
                if !was_waiting && engine.session().is_waiting() {
                    self.call_driver(wakes); // for its timer
                }
            }
        }
    }

    /// What waited for the space may leave now: the driver writes it.
    pub(super) fn release(&mut self, space: Space, wakes: &mut Wakes) {
        if let Some(engine) = &mut self.engine {
            engine.release(space);
            self.call_driver(wakes);
        }
    }

    /// A snapshot of the client, or the last one if it has ended.
    pub(super) fn status(&self) -> Option<Status> {
        let last = || self.last.as_deref().map(|(last, _)| last.status);
        self.engine.as_ref().map(|engine| engine.status()).or_else(last)
    }

    /// Takes the log lines so far; the last ones if the client has ended.
    pub(super) fn take_log_lines(&mut self) -> LogLines {
        match (&mut self.engine, &mut self.last) {
            (Some(engine), _) => engine.session_mut().take_log_lines(),
            (None, Some(last)) => std::mem::take(&mut last.1),
            (None, None) => LogLines::default(),
        }
    }

    /// Ends the client, once. Returns the engine, to drop it outside of the lock. Nothing changes the
    /// standing after this.
    fn end(
        &mut self,
        shared: &Shared,
        has_panicked: bool,
        kind: EndKind,
        wakes: &mut Wakes,
    ) -> Option<Box<Engine<Tokio>>> {
        self.call_all(wakes);
        let mut engine = self.engine.take()?;
        self.answers = engine.session_mut().take_answers();
        let end = engine.session().end().map_or(kind, |end| end.kind());
        self.unread = engine.abandon(has_panicked);
        let lines = engine.session_mut().take_log_lines();
        let mut status = engine.status();
        (status.state, status.is_ready) = (ConnectionState::Closed, false);
        (status.socket, status.retry_in) = (None, None);
        let counts = engine.session().counts();
        self.last = Some(Box::new((Last { end, status, counts }, lines)));
        shared.standing.store(Standing::GONE.to_bits(), Ordering::Release);
        Some(engine)
    }

    fn call_all(&mut self, wakes: &mut Wakes) {
        wakes.push(self.reader.take());
        self.watchers.call_all(wakes);
        self.callers.call_all(wakes);
        self.turns.call_all(wakes);
    }
}

/// Whether there is what this one waits for.
pub(super) fn has_space(session: &Session, wants: Wants) -> bool {
    match wants {
        Wants::Send(_) => !session.is_full(),
        Wants::Reserve => session.may_reserve(), // if not, only a permit or a token can help
    }
}
