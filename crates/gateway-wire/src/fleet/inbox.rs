//! The events of all clients of a fleet in one stream.
//!
//! An event waits in its client, within the client's own bounds, until the reader takes it. So a
//! reader that is slow, or that does not read at all, fills no other memory and stops no client. Here
//! waits only the number of each client that may have events.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use crate::event::ClientEvent;
use crate::name::Name;

/// The events of one client, as a driver has them.
pub trait Source: Send + 'static {
    /// Takes the next event. Wakes `cx` when there is one. Returns `None` when no event will come any
    /// more: the client is gone. While a client is CLOSED, it may connect again.
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<ClientEvent>>;
}

/// Where clients join a fleet's stream of events.
pub struct Inbox<S> {
    state: Mutex<State<S>>,
}

struct State<S> {
    /// Clients that the reader has not seen yet.
    joined: Vec<(u64, Name, S)>,
    /// How many clients have joined so far.
    numbers: u64,
    /// The clients that may have events, in the order in which the reader asks them.
    ready: VecDeque<u64>,
    reader: Option<Waker>,
    /// Whether no client will join any more.
    is_closed: bool,
    /// Whether the reader was dropped.
    is_unread: bool,
}

impl<S: Source> Inbox<S> {
    /// Creates an inbox, and its only reader.
    #[must_use]
    pub fn new() -> (Arc<Self>, InboxReader<S>) {
        let state = State {
            joined: Vec::new(),
            numbers: 0,
            ready: VecDeque::new(),
            reader: None,
            is_closed: false,
            is_unread: false,
        };
        let inbox = Arc::new(Self { state: Mutex::new(state) });
        (Arc::clone(&inbox), InboxReader { inbox, clients: HashMap::new() })
    }

    /// Adds a client's events to the stream. If there is no reader, drops the source.
    pub fn join(&self, name: Name, source: S) {
        let mut state = self.lock();
        if state.is_unread {
            drop(state);
            return drop(source);
        }
        state.numbers += 1;
        let number = state.numbers;
        state.joined.push((number, name, source));
        state.push(number).wake(state);
    }

    /// No client will join any more: the stream ends with the last event of those that have.
    pub fn close(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        let reader = state.reader.take();
        drop(state);
        Call(reader).run();
    }

    fn lock(&self) -> MutexGuard<'_, State<S>> {
        // The data is consistent even if a thread panicked: nothing panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S> State<S> {
    fn push(&mut self, number: u64) -> Call {
        self.ready.push_back(number);
        Call(self.reader.take())
    }
}

/// The reader's waker, which is woken outside of the lock.
#[must_use]
struct Call(Option<Waker>);

impl Call {
    fn wake<S>(self, outside: MutexGuard<'_, State<S>>) {
        drop(outside);
        self.run();
    }

    fn run(self) {
        if let Some(waker) = self.0 {
            waker.wake();
        }
    }
}

/// Takes the events of a fleet's clients.
///
/// Clients have turns: after one event of a client, the others that have events come first.
pub struct InboxReader<S: Source> {
    inbox: Arc<Inbox<S>>,
    clients: HashMap<u64, Joined<S>>,
}

/// A client whose events the reader takes.
struct Joined<S> {
    name: Name,
    source: S,
    turn: Arc<Turn<S>>,
    waker: Waker,
}

impl<S: Source> InboxReader<S> {
    /// Takes the next event, with the name of its client. Returns `None` when the inbox is closed, no
    /// client is left, and every event is taken.
    pub fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<(Name, ClientEvent)>> {
        // One turn for each client that is ready now. A source that wakes itself, because it must
        // yield, then does not keep this call busy.
        for _ in 0..self.turns() {
            let Some(number) = self.inbox.lock().ready.pop_front() else { break };
            let Some(client) = self.clients.get_mut(&number) else { continue };
            client.turn.is_due.store(false, Ordering::SeqCst);
            match client.source.poll_event(&mut Context::from_waker(&client.waker)) {
                Poll::Ready(Some(event)) => {
                    client.turn.request();
                    return Poll::Ready(Some((client.name.clone(), event)));
                }
                Poll::Ready(None) => drop(self.clients.remove(&number)),
                Poll::Pending => {}
            }
        }
        let mut state = self.inbox.lock();
        if !state.ready.is_empty() {
            drop(state);
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if state.is_closed && self.clients.is_empty() {
            return Poll::Ready(None);
        }
        let previous = state.reader.replace(cx.waker().clone());
        drop(state);
        drop(previous);
        Poll::Pending
    }

    /// Takes in the clients that have joined. Returns how many clients are ready.
    fn turns(&mut self) -> usize {
        let mut state = self.inbox.lock();
        let (joined, ready) = (std::mem::take(&mut state.joined), state.ready.len());
        drop(state);
        for (number, name, source) in joined {
            let is_due = AtomicBool::new(true); // it joined with a turn
            let turn = Arc::new(Turn { inbox: Arc::clone(&self.inbox), number, is_due });
            let waker = Waker::from(Arc::clone(&turn));
            self.clients.insert(number, Joined { name, source, turn, waker });
        }
        ready
    }
}

/// Whether it is a client's turn. The client's waker requests it, once until the turn comes.
struct Turn<S> {
    inbox: Arc<Inbox<S>>,
    number: u64,
    is_due: AtomicBool,
}

impl<S: Source> Turn<S> {
    fn request(&self) {
        if !self.is_due.swap(true, Ordering::SeqCst) {
            let mut state = self.inbox.lock();
            state.push(self.number).wake(state);
        }
    }
}

impl<S: Source> Wake for Turn<S> {
    fn wake(self: Arc<Self>) {
        self.request();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.request();
    }
}

/// The clients go on, and their events are dropped.
impl<S: Source> Drop for InboxReader<S> {
    fn drop(&mut self) {
        let mut state = self.inbox.lock();
        state.is_unread = true;
        state.ready = VecDeque::new();
        let joined = std::mem::take(&mut state.joined);
        drop(state);
        drop(joined);
    }
}

impl<S> fmt::Debug for Inbox<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox").finish_non_exhaustive()
    }
}

impl<S: Source> fmt::Debug for InboxReader<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InboxReader").field("clients", &self.clients.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
