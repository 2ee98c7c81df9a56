//! A client of a fleet: what the fleet and the client's thread share.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread::JoinHandle;
use std::time::Duration;

use gateway_wire::{Account, ClientEvent, Counts, EndKind, Name, Source, Status, Unread};

use crate::clock::Countdown;

/// The most events that are handed over at once.
pub(crate) const BATCH: usize = 16;

/// No more are handed over at once after messages of this many bytes.
pub(crate) const BATCH_BYTES: usize = 64 << 10;

/// What the fleet and the client's thread share.
pub(crate) struct Member {
    state: Mutex<State>,
    /// Notified when the thread ends.
    over: Condvar,
    /// Whether an order waits. Read without the lock, in each round of the thread.
    is_ordered: AtomicBool,
    /// Wakes the client's thread.
    waker: Waker,
}

struct State {
    order: Option<Order>,
    /// Events that were handed over. The thread hands over more once all are taken.
    batch: VecDeque<ClientEvent>,
    /// Whether the thread has more events, and must be woken when the batch is taken.
    has_more: bool,
    /// Whether nobody takes events any more.
    is_unread: bool,
    reader: Option<Waker>,
    last: Last,
    /// How the client ended.
    end: Option<EndKind>,
    /// Whether the client is dropped, and its thread ends.
    is_over: bool,
    thread: Option<JoinHandle<()>>,
}

/// What the thread has last shown of its client.
#[derive(Clone, Copy)]
pub(crate) struct Last {
    pub(crate) status: Status,
    pub(crate) counts: Counts,
}

/// What the thread must do with its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Close it, at once or after it has drained, and end when it is CLOSED.
    Leave { drain: Option<Duration> },
    /// End now.
    Cut,
}

impl Member {
    pub(crate) fn new(waker: Waker, last: Last) -> Self {
        let state = State {
            order: None,
            batch: VecDeque::new(),
            has_more: false,
            is_unread: false,
            reader: None,
            last,
            end: None,
            is_over: false,
            thread: None,
        };
        Self {
            state: Mutex::new(state),
            over: Condvar::new(),
            is_ordered: AtomicBool::new(false),
            waker,
        }
    }

    // For the client's thread.

    pub(crate) fn has_order(&self) -> bool {
        self.is_ordered.load(Ordering::SeqCst)
    }

    pub(crate) fn take_order(&self) -> Option<Order> {
        if !self.has_order() {
            return None;
        }
        let mut state = self.lock();
        self.is_ordered.store(false, Ordering::SeqCst);
        state.order.take()
    }

    /// Whether a batch can be handed over. If not, the thread is woken when it can.
    pub(crate) fn takes_batch(&self) -> bool {
        let mut state = self.lock();
        let takes = state.is_unread || state.batch.is_empty();
        state.has_more = !takes;
        takes
    }

    /// Hands events over. The reader takes them later.
    pub(crate) fn hand_over(&self, batch: VecDeque<ClientEvent>, last: Last) {
        let mut state = self.lock();
        state.last = last;
        if state.is_unread {
            drop(state);
            return drop(batch);
        }
        state.batch.extend(batch);
        wake_reader(state);
    }

    /// The client has ended. Its thread drops it next.
    pub(crate) fn end(&self, end: EndKind, last: Last, unread: Unread) {
        let mut state = self.lock();
        (state.end, state.last) = (Some(end), last);
        if state.is_unread {
            drop(state);
            return drop(unread);
        }
        state.batch.extend(unread);
        wake_reader(state);
    }

    /// The thread ends, or there is none.
    pub(crate) fn end_thread(&self) {
        let mut state = self.lock();
        state.end.get_or_insert(EndKind::Gone); // code of the application's has panicked twice
        state.is_over = true;
        wake_reader(state);
        self.over.notify_all();
    }

    // For the fleet.

    pub(crate) fn set_thread(&self, thread: JoinHandle<()>) {
        self.lock().thread = Some(thread);
    }

    pub(crate) fn order(&self, order: Order) {
        let mut state = self.lock();
        state.order = Some(order);
        self.is_ordered.store(true, Ordering::SeqCst);
        drop(state);
        self.waker.wake_by_ref();
    }

    /// Waits until the thread ends.
    pub(crate) fn wait_until_over(&self, time: &Countdown) {
        let mut state = self.lock();
        loop {
            let left = time.left();
            if state.is_over || left.is_zero() {
                break;
            }
            let waited = self.over.wait_timeout(state, left);
            (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
        let thread = if state.is_over { state.thread.take() } else { None };
        drop(state);
        if let Some(thread) = thread {
            let _ = thread.join(); // it has nothing left to do
        }
    }

    /// The account of the client. `hung` is its end if its thread still runs.
    pub(crate) fn account(&self, name: Name, hung: EndKind) -> Account {
        let state = self.lock();
        let end = state.end.filter(|_| state.is_over).unwrap_or(hung);
        Account::new(name, end, state.last.counts)
    }

    pub(crate) fn last_status(&self) -> Status {
        self.lock().last.status
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.lock().end.is_some()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The data is consistent even if a thread panicked: nothing panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes the reader outside of the lock.
fn wake_reader(mut state: MutexGuard<'_, State>) {
    let reader = state.reader.take();
    drop(state);
    if let Some(waker) = reader {
        waker.wake();
    }
}

/// The events of a client in a fleet. They end with its thread.
pub(crate) struct MemberEvents(pub(crate) Arc<Member>);

impl Source for MemberEvents {
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<ClientEvent>> {
        let mut state = self.0.lock();
        if let Some(event) = state.batch.pop_front() {
            let is_awaited = state.batch.is_empty() && std::mem::take(&mut state.has_more);
            drop(state);
            if is_awaited {
                self.0.waker.wake_by_ref();
            }
            return Poll::Ready(Some(event));
        }
        if state.is_over {
            return Poll::Ready(None);
        }
        let previous = state.reader.replace(cx.waker().clone());
        drop(state);
        drop(previous);
        Poll::Pending
    }
}

/// The client goes on, and its events are dropped.
impl Drop for MemberEvents {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.is_unread = true;
        let (batch, reader) = (std::mem::take(&mut state.batch), state.reader.take());
        drop(state);
        drop((batch, reader));
        self.0.waker.wake_by_ref();
    }
}
