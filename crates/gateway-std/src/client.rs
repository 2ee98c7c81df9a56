//! The client: drives one engine on the thread that calls it. No channel, no policy.

use std::fmt;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use gateway_core::{
    CloseFrame, ConnectionState, GiveUpCause, Instant, Network, Statistics, Verdict,
};
use gateway_wire::{
    ClientEvent, Endpoint, Engine, FlushError, Message, MessageId, Progress, SendError, Session,
};
use thiserror::Error;

use crate::builder::Builder;
use crate::os::Os;
use crate::sender::{Control, Mailbox, Sender};
use crate::system::System;

/// A WebSocket connection that stays up, for as long as it is asked for events.
///
/// It is an [`Iterator`] of what happened: [`recv`](Self::recv), or `next`. It connects when first asked, and then keeps the
/// heartbeat, reconnects, and closes, all inside of these calls and of [`send`](Self::send). Other threads speak to it
/// through a [`Sender`].
///
/// **Ask it.** A client that nobody asks for events sends no heartbeat and does not reconnect. On the next call what
/// has arrived meanwhile is read before any deadline is judged. While events wait to be taken, the clock is read and other threads'
/// requests are taken with every eighth: if your application takes a second for each, both are up to eight seconds late.
///
/// **Dropping it** aborts the connection; the peer sees 1006. Call [`close`](Self::close) and take events until
/// `None` for a close handshake.
///
/// ```no_run
/// use gateway_std::{Client, ClientEvent};
///
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let mut client = Client::builder("wss://gateway.example/feed").build()?;
/// let sender = client.sender();
/// std::thread::spawn(move || sender.send("hello from another thread"));
/// for event in &mut client {
///     match event {
///         ClientEvent::Message(message) => println!("{:?}", message.as_text()),
///         other => println!("{other:?}"),
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "a client does nothing unless it is asked for events"]
pub struct Client<S: System = Os> {
    engine: Engine<S>,
    endpoint: Endpoint,
    mailbox: Arc<Mailbox>,
    wakeups: u64,
}

/// Nothing happened in the time that was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("nothing happened in the time that was given; ask again")]
#[allow(clippy::exhaustive_structs)] // there is nothing to add
pub struct TimedOut;

/// How a flush ends that has stalled.
const STALLED: Poll<Result<(), FlushError>> = Poll::Ready(Err(FlushError::Stalled));

impl Client {
    /// Begins with a `ws://` or `wss://` URL.
    pub fn builder(url: impl Into<String>) -> Builder {
        Builder::new(url.into())
    }
}

impl<S: System> Client<S> {
    pub(crate) fn new(session: Session, endpoint: Endpoint, system: S) -> Self {
        let mailbox = Arc::new(Mailbox::new(system.waker()));
        Self { engine: Engine::new(session, system), endpoint, mailbox, wakeups: 0 }
    }

    /// Waits for the next event; `None` once the connection is CLOSED and every event was taken.
    pub fn recv(&mut self) -> Option<ClientEvent> {
        // Without a limit of time there is nothing to run out.
        let _ = self.wait_until(None);
        self.take_event()
    }

    /// Waits for the next event, at most so long; with zero it takes what is there. `None` once the connection is CLOSED
    /// and every event was taken.
    ///
    /// # Errors
    /// Nothing happened in that time. Nothing is lost by it.
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<Option<ClientEvent>, TimedOut> {
        let until = self.engine.host().now().saturating_add(timeout);
        self.wait_until(Some(until))?;
        Ok(self.take_event())
    }

    /// Sends a message, and returns its number.
    ///
    /// It is written at once, unless input that was already read is waiting to be returned by
    /// [`recv`](Self::recv): then it is written together with the answers to that, before the next read or once they are 16 KiB. So a
    /// plain loop of `recv` and `send` makes few system calls, and one `send` without any further call still
    /// arrives.
    ///
    /// While the write buffer is full this waits, and keeps the heartbeat meanwhile. It goes on reading until the backlog of
    /// what came in is full, too.
    ///
    /// A message that was taken has exactly one outcome: it is sent, unless a [`ClientEvent::Outcome`] says
    /// otherwise.
    ///
    /// # Errors
    /// Returns the message while the connection is not ready or is closing. `send` may fail before you receive
    /// `Disconnected`; keep taking events. [`Stalled`](gateway_core::SendRejection::Stalled) where the write buffer is full and
    /// the transport took no byte for [`send_stall`](Builder::send_stall): the peer may wait until you have read what it sent.
    /// Take events with [`recv`](Self::recv), then send the message again.
    pub fn send(&mut self, message: impl Into<Message>) -> Result<MessageId, SendError> {
        // A thread that sends without a pause takes other threads' messages, too; first, so that these do not come between it and
        // the space that it waits for.
        let _ = self.open_mail();
        if self.engine.session().is_write_blocked() {
            self.engine.wait_for_space();
            self.drive(|session| session.poll_space().is_ready());
            let space = self.engine.session().poll_space();
            self.end_wait(matches!(space, Poll::Ready(Err(_))));
            if let Poll::Ready(Err(stalled)) = space {
                return Err(SendError::new(stalled, message.into()));
            }
        }
        let id = self.engine.send(message.into())?;
        if let Some(position) = self.engine.write_sent() {
            self.drive(|session| session.is_send_over(position));
            self.end_wait(self.engine.session().poll_flushed(position) == STALLED);
        }
        Ok(id)
    }

    /// Takes a message into the write buffer, and returns its number. It never waits, and does not write: the next call of
    /// [`recv`](Self::recv), [`send`](Self::send) or [`flush`](Self::flush) does, for all that was taken, in one go.
    ///
    /// # Errors
    /// The message itself where the connection is not ready, or is closing, or the write buffer is full.
    pub fn try_send(&mut self, message: impl Into<Message>) -> Result<MessageId, SendError> {
        self.engine.send(message.into())
    }

    /// Writes and flushes all messages that were taken before, whatever other threads send meanwhile. Returns at once where
    /// no socket is open.
    ///
    /// # Errors
    /// [`FlushError::Stalled`] where the transport took no byte for [`send_stall`](Builder::send_stall): the peer may wait until you
    /// have read what it sent. Take events, then flush again. [`FlushError::Lost`] where the socket was lost first:
    /// [`ClientEvent::Outcome`] says what became of the messages.
    pub fn flush(&mut self) -> Result<(), FlushError> {
        let _ = self.open_mail();
        let Some(position) = self.engine.wait_for_flush() else { return Ok(()) };
        self.drive(|session| session.poll_flushed(position).is_ready());
        let flushed = self.engine.session().poll_flushed(position);
        self.end_wait(flushed == STALLED);
        match flushed {
            Poll::Ready(flushed) => flushed,
            Poll::Pending => Err(FlushError::Lost), // the connection is over
        }
    }

    /// Starts to close the connection. Take events until `None`: that is within the close timeout.
    ///
    /// Wins in every state, at once; a reconnect that was due is not made.
    pub fn close(&mut self, frame: CloseFrame<'_>) {
        self.engine.close(frame);
    }

    /// Connects again after CLOSED, or at once where a retry was waited for.
    pub fn connect(&mut self) {
        self.engine.connect();
        self.mailbox.reopen();
    }

    /// Says that a login with [`Login::External`](gateway_core::Login::External) was accepted.
    pub fn login_accepted(&mut self) {
        self.engine.login_accepted();
    }

    /// Says that a login with [`Login::External`](gateway_core::Login::External) was refused, and what follows.
    pub fn login_rejected(&mut self, verdict: Verdict) {
        self.engine.login_rejected(verdict);
    }

    /// Passes on a hint of the operating system: a waiting client tries at once when the network is back.
    pub fn network_changed(&mut self, network: Network) {
        self.engine.network_changed(network);
    }

    /// Speaks to this client from other threads. Clones share it.
    #[must_use]
    pub fn sender(&self) -> Sender {
        Sender::new(Arc::clone(&self.mailbox))
    }

    /// The state.
    #[must_use]
    pub fn state(&self) -> ConnectionState {
        self.engine.state()
    }

    /// Whether messages are taken.
    #[must_use]
    pub const fn is_ready(&self) -> bool {
        self.engine.session().is_ready()
    }

    /// Why the connection was given up, if it was.
    #[must_use]
    pub const fn gave_up(&self) -> Option<GiveUpCause> {
        self.engine.session().gave_up()
    }

    /// The subprotocol that the server chose on the socket that opened last.
    #[must_use]
    pub fn subprotocol(&self) -> Option<&str> {
        self.engine.subprotocol()
    }

    /// Where it connects to.
    #[must_use]
    pub const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// What the connection has done so far.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.engine.statistics()
    }

    /// How often it has woken up from waiting: an idle client wakes for its own deadlines and for what the peer sends.
    #[must_use]
    pub const fn wakeups(&self) -> u64 {
        self.wakeups
    }

    /// Stops or resumes reading, as a client does whose application is behind. For tests.
    #[doc(hidden)]
    pub const fn hold(&mut self, held: bool) {
        self.engine.hold(held);
    }

    /// The system that it runs on.
    #[must_use]
    pub const fn system(&self) -> &S {
        self.engine.host()
    }

    /// Drives everything until an event waits, or until the connection is over.
    fn wait_until(&mut self, until: Option<Instant>) -> Result<(), TimedOut> {
        if !self.engine.session().has_events() {
            self.drive_until(Session::has_events, until)?;
        }
        if self.engine.is_look_due() {
            self.look_around();
        }
        Ok(())
    }

    fn take_event(&mut self) -> Option<ClientEvent> {
        if !self.engine.session().has_events() {
            self.mailbox.retire();
        }
        self.engine.take_event()
    }

    fn drive(&mut self, done: impl Fn(&Session) -> bool) {
        // Without a limit of time there is nothing to run out.
        let _ = self.drive_until(done, None);
    }

    /// Drives everything until `done`, or until the connection is over.
    fn drive_until(
        &mut self,
        done: impl Fn(&Session) -> bool,
        until: Option<Instant>,
    ) -> Result<(), TimedOut> {
        self.engine.begin();
        // A timeout of zero still takes one look at the socket.
        let mut has_looked = false;
        loop {
            let _ = self.engine.carry_out_orders();
            // First: however much other threads send, the one that waits here goes on when it can.
            if done(self.engine.session()) {
                return Ok(());
            }
            // A peer that floods with what is no event, and threads whose messages are refused,
            // keep nobody past the time given.
            if has_looked && until.is_some_and(|until| self.engine.host().now() >= until) {
                return Err(TimedOut);
            }
            let has_opened_mail = self.open_mail();
            if self.engine.session().is_over() && !has_opened_mail {
                return Ok(()); // and no other thread has asked to connect again
            }
            if has_opened_mail {
                let _ = self.engine.carry_out_orders(); // what was asked for may have made some
            }
            has_looked = true;
            if self.engine.look() == Progress::Made {
                continue;
            }
            let now = self.engine.host().now();
            let deadline = self.engine.session().deadline();
            if deadline.is_some_and(|deadline| now >= deadline) {
                self.engine.fire(now);
                continue;
            }
            if has_opened_mail {
                continue; // there may be an event
            }
            if until.is_some_and(|until| now >= until) {
                return Err(TimedOut);
            }
            let session = self.engine.session();
            if self.mailbox.fall_asleep(session.poll_space().is_pending() && session.is_waiting()) {
                self.engine.host_mut().wait(earliest(deadline, until));
                self.wakeups = self.wakeups.saturating_add(1);
                self.mailbox.wake_up();
            }
        }
    }

    /// Between events that are already waiting, once in a while: what is due, and what other threads ask for, does not wait
    /// until the application has taken all of them.
    fn look_around(&mut self) {
        let asked = self.open_mail();
        if self.engine.check_suspend() || self.engine.due().is_some() {
            self.engine.catch_up();
        } else if asked {
            let _ = self.engine.carry_out_orders();
            let _ = self.engine.write();
        }
    }

    /// The wait of this thread is over. Where it has stalled, so have those of other threads' messages. Where not, none of these is
    /// taken yet: the space is this thread's.
    fn end_wait(&mut self, has_stalled: bool) {
        if has_stalled {
            let _ = self.open_mail();
        }
        self.engine.end_wait();
    }

    /// Does what other threads have asked for; says whether they had.
    #[inline]
    fn open_mail(&mut self) -> bool {
        self.mailbox.has_mail() && self.open_all_mail()
    }

    fn open_all_mail(&mut self) -> bool {
        let mut any = false;
        while let Some(control) = self.mailbox.next_control() {
            any = true;
            match control {
                Control::Close(code, reason) => {
                    if let Ok(frame) = CloseFrame::new(code.number(), &reason) {
                        self.close(frame);
                    }
                }
                Control::Connect => self.connect(),
                Control::Network(network) => self.network_changed(network),
                Control::LoginAccepted => self.login_accepted(),
                Control::LoginRejected(verdict) => self.login_rejected(verdict),
            }
        }
        any | self.open_letters()
    }

    /// Takes the messages of other threads, as far as there is space for them. Those that come meanwhile are left for the next
    /// time, so that threads that are refused at once do not keep this one busy.
    fn open_letters(&mut self) -> bool {
        let (mut any, mut has_stalled) = (false, false);
        for _ in 0..self.mailbox.waiting_letters() {
            let space = self.engine.session().poll_space();
            if space.is_pending() {
                self.engine.wait_for_space();
                return any;
            }
            let Some(letter) = self.mailbox.next_letter() else { break };
            any = true;
            match space {
                Poll::Ready(Err(stalled)) => {
                    letter.refuse(stalled);
                    has_stalled = true;
                }
                Poll::Ready(Ok(())) | Poll::Pending => {
                    letter.answer(|message| self.engine.send(message));
                }
            }
        }
        if has_stalled {
            self.engine.end_wait(); // a message that comes later has a wait of its own
        }
        any
    }
}

fn earliest(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// Yields what [`Client::recv`] does.
impl<S: System> Iterator for Client<S> {
    type Item = ClientEvent;

    fn next(&mut self) -> Option<ClientEvent> {
        self.recv()
    }
}

/// What other threads still wait for is refused.
impl<S: System> Drop for Client<S> {
    fn drop(&mut self) {
        self.mailbox.retire();
    }
}

impl<S: System> fmt::Debug for Client<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("endpoint", &self.endpoint)
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}
