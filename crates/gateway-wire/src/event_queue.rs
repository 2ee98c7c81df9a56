//! The queue of events for the application. It bounds notices and disconnections ("news"), and
//! counts those it drops.

use gateway_core::{ConnectionState, Notice};

use crate::event::ClientEvent;
use crate::message::Message;
use crate::outcome::Outcome;
use crate::queue::Queue;

/// The most news that may wait.
const NEWS: usize = 256;

/// The number of news that are dropped at once. Dropping walks through the whole queue, messages
/// included.
const DROPPED_AT_ONCE: usize = 64;

/// While more ranges of outcomes wait, no message is accepted.
const OUTCOMES: usize = 4_096;

/// Messages, outcomes and news, in the order in which they came.
#[derive(Debug)]
pub(crate) struct EventQueue {
    queue: Queue<ClientEvent>,
    /// Notices and disconnections in the queue.
    news: usize,
    /// Ranges of outcomes in the queue.
    outcomes: usize,
    /// Some news are dropped above this number. It exceeds [`NEWS`] only if most of them may not be
    /// dropped.
    news_limit: usize,
}

impl EventQueue {
    pub(crate) const fn new() -> Self {
        Self { queue: Queue::new(), news: 0, outcomes: 0, news_limit: NEWS }
    }

    #[inline]
    pub(crate) fn push_message(&mut self, message: Message) {
        self.queue.push_back(ClientEvent::Message(message));
    }

    /// Queues a notice or a disconnection. Returns how many were dropped.
    pub(crate) fn push_news(&mut self, event: ClientEvent) -> usize {
        self.queue.push_back(event);
        self.news += 1;
        if self.news > self.news_limit { self.drop_news() } else { 0 }
    }

    /// Queues an outcome. If it continues the last event's range, the two are joined. So an
    /// application that sends without taking events does not fill memory.
    pub(crate) fn push_outcome(&mut self, outcome: Outcome) {
        if let Some(ClientEvent::Outcome(last)) = self.queue.back_mut()
            && last.join(&outcome)
        {
            return;
        }
        self.queue.push_back(ClientEvent::Outcome(outcome));
        self.outcomes += 1;
    }

    /// Returns the next event. A message is first passed to `on_message`.
    #[inline]
    pub(crate) fn pop_front(&mut self, on_message: impl FnOnce(&Message)) -> Option<ClientEvent> {
        // The event is inspected in place, and moved once. A move writes an event in words, and
        // reads it back in wider pieces: such a read waits for the writes. This change took the
        // blocking client's flood from 0.94 to 1.19 times tungstenite's (`benches/run --only
        // flood`, on the Xeon of docs/PERFORMANCE.md, at 34bd091 and 8fbc26f).
        match self.queue.front()? {
            ClientEvent::Message(message) => on_message(message),
            _ => self.count_out(),
        }
        self.queue.pop_front()
    }

    /// Updates the counts before the first event is taken; it is not a message. Not part of
    /// [`pop_front`](Self::pop_front), because most events there are messages.
    #[inline(never)]
    fn count_out(&mut self) {
        match self.queue.front() {
            Some(
                ClientEvent::Notice(_)
                | ClientEvent::Disconnected { .. }
                | ClientEvent::LoginRefused { .. }
                | ClientEvent::Lost { .. },
            ) => {
                self.news -= 1;
                self.news_limit = self.news_limit.min(self.news + DROPPED_AT_ONCE).max(NEWS);
            }
            Some(ClientEvent::Outcome(_)) => self.outcomes -= 1,
            Some(
                ClientEvent::Message(_)
                | ClientEvent::MessagesDropped { .. }
                | ClientEvent::Missed { .. },
            )
            | None => {}
        }
    }

    /// Drops the oldest messages while `drops` says so of the next one. The newest message stays.
    /// [`MessagesDropped`](ClientEvent::MessagesDropped) takes the place of the first one. Returns
    /// how many were dropped.
    #[cold]
    pub(crate) fn drop_messages(&mut self, mut drops: impl FnMut(&Message) -> bool) -> u64 {
        let is_message = |event: &&ClientEvent| matches!(event, ClientEvent::Message(_));
        let mut older = self.queue.iter().filter(is_message).count().saturating_sub(1);
        let mut dropped = 0_u64;
        let (mut is_over, mut has_mark) = (false, false);
        self.queue.retain_mut(|event| match event {
            // Older messages are gone, so the mark of an earlier drop comes first.
            ClientEvent::MessagesDropped { .. } => {
                has_mark = true;
                true
            }
            ClientEvent::Message(message) if !is_over => {
                is_over = !count_down(&mut older) || !drops(message);
                if is_over {
                    return true;
                }
                dropped += 1;
                let is_first = !std::mem::replace(&mut has_mark, true);
                if is_first {
                    *event = ClientEvent::MessagesDropped { count: 0 };
                }
                is_first
            }
            _ => true,
        });
        let is_mark =
            |event: &&mut ClientEvent| matches!(event, ClientEvent::MessagesDropped { .. });
        if let Some(ClientEvent::MessagesDropped { count }) = self.queue.iter_mut().find(is_mark) {
            *count += dropped;
        }
        dropped
    }

    pub(crate) fn back(&self) -> Option<&ClientEvent> {
        self.queue.iter().next_back()
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether too many outcomes wait for another message to be accepted.
    #[inline]
    pub(crate) const fn is_full_of_outcomes(&self) -> bool {
        self.outcomes > OUTCOMES
    }

    /// Drops news until three quarters of the limit are left, as far as they may be dropped.
    #[cold]
    fn drop_news(&mut self) -> usize {
        let newest = Newest::of(&self.queue);
        let (mut repeated, mut old, mut missed) = (0, 0, 0);
        let mut judge = Judge::new(&newest);
        for event in self.queue.iter() {
            match judge.judge(event) {
                Class::Repeated => repeated += 1,
                Class::Old => old += 1,
                Class::Missed(count) => missed += count,
                Class::Kept => {}
            }
        }
        let excess = self.news - (NEWS - DROPPED_AT_ONCE);
        repeated = repeated.min(excess);
        old = old.min(excess - repeated);
        let dropped = repeated + old;
        self.news -= dropped;
        self.news_limit = (self.news + DROPPED_AT_ONCE).max(NEWS);
        if dropped > 0 {
            self.remove(&newest, repeated, old, missed + dropped as u64);
        }
        dropped
    }

    /// Removes the first `repeated` and `old` events of the two classes. `Missed` takes the place
    /// of the first one.
    fn remove(&mut self, newest: &Newest, mut repeated: usize, mut old: usize, missed: u64) {
        let mut judge = Judge::new(newest);
        let mut mark = Some(ClientEvent::Missed { count: missed });
        self.queue.retain_mut(|event| {
            let is_removed = match judge.judge(event) {
                Class::Repeated => count_down(&mut repeated),
                Class::Old => count_down(&mut old),
                Class::Missed(_) => true, // its count is in the new one
                Class::Kept => false,
            };
            match mark.take_if(|_| is_removed) {
                Some(mark) => {
                    *event = mark;
                    true
                }
                None => !is_removed,
            }
        });
    }
}

/// Decrements the counter. Returns false if it was zero.
const fn count_down(left: &mut usize) -> bool {
    let any = *left > 0;
    *left = left.saturating_sub(1);
    any
}

/// For each kind of event of which one is kept: the position of the newest.
#[derive(Default)]
struct Newest {
    ping: Option<usize>,
    pong: Option<usize>,
    ready: Option<usize>,
    closed: Option<usize>,
    gave_up: Option<usize>,
}

impl Newest {
    fn of(queue: &Queue<ClientEvent>) -> Self {
        let mut newest = Self::default();
        for (index, event) in queue.iter().enumerate() {
            let ClientEvent::Notice(notice) = event else { continue };
            match notice {
                Notice::PingSent { .. } => newest.ping = Some(index),
                Notice::PongReceived { .. } => newest.pong = Some(index),
                Notice::Ready { .. } => newest.ready = Some(index),
                Notice::StateChanged { to: ConnectionState::Closed, .. } => {
                    newest.closed = Some(index);
                }
                Notice::GaveUp { .. } => newest.gave_up = Some(index),
                _ => {}
            }
        }
        newest
    }
}

/// Whether an event may be dropped.
enum Class {
    /// Never dropped.
    Kept,
    /// Dropped first: a newer heartbeat of the same kind waits as well.
    Repeated,
    /// Dropped next, the oldest first.
    Old,
    /// Marks where events were dropped before.
    Missed(u64),
}

/// Classifies the events of a queue, starting at its front.
struct Judge<'a> {
    newest: &'a Newest,
    index: usize,
    /// Whether messages wait before the event, of the socket whose disconnection comes next.
    messages_wait: bool,
}

impl<'a> Judge<'a> {
    const fn new(newest: &'a Newest) -> Self {
        Self { newest, index: 0, messages_wait: false }
    }

    fn judge(&mut self, event: &ClientEvent) -> Class {
        let index = Some(self.index);
        self.index += 1;
        match event {
            ClientEvent::Message(_) => {
                self.messages_wait = true;
                Class::Kept
            }
            ClientEvent::Outcome(_) | ClientEvent::MessagesDropped { .. } => Class::Kept,
            ClientEvent::Missed { count } => Class::Missed(*count),
            ClientEvent::Disconnected { .. } => {
                if std::mem::take(&mut self.messages_wait) {
                    Class::Kept
                } else {
                    Class::Old
                }
            }
            ClientEvent::LoginRefused { .. } | ClientEvent::Lost { .. } => Class::Old,
            ClientEvent::Notice(notice) => self.judge_notice(notice, index),
        }
    }

    fn judge_notice(&self, notice: &Notice, index: Option<usize>) -> Class {
        match notice {
            Notice::PingSent { .. } if index != self.newest.ping => Class::Repeated,
            Notice::PongReceived { .. } if index != self.newest.pong => Class::Repeated,
            Notice::Ready { .. } if index == self.newest.ready => Class::Kept,
            Notice::StateChanged { .. } if index == self.newest.closed => Class::Kept,
            Notice::GaveUp { .. } if index == self.newest.gave_up => Class::Kept,
            _ => Class::Old,
        }
    }
}

#[cfg(test)]
mod tests;
