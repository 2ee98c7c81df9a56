//! Messages that wait until the connection is ready.

use std::collections::VecDeque;
use std::time::Duration;

use gateway_core::{ConfigError, Instant, format_duration};

use crate::message::Message;
use crate::queue::free_if_large;

/// The settings of an outbox, which keeps messages while the connection is not ready. Without one,
/// `send` fails meanwhile.
///
/// The outbox is bounded by a number, by bytes, and by time. When the connection is ready again, the
/// messages leave in the order in which they were sent, after the messages of
/// [on ready](crate::Session::set_on_ready). Each has one [outcome](crate::Fate), like every message.
///
/// When the client closes or gives up, all messages that wait are
/// [`Rejected`](crate::Fate::Rejected). To send them first, drain the client. A spawned client closes
/// when its last handle and its events are dropped.
///
/// If the connection is lost, messages of which no byte was written return to the outbox. A message
/// that was [maybe sent](crate::Fate::MaybeSent) does not: the server might then have it twice.
///
/// ```
/// use std::time::Duration;
/// use gateway_wire::Outbox;
///
/// let outbox = Outbox::default().messages(1_000).time_to_live(Duration::from_secs(300));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "pass it to a builder"]
pub struct Outbox {
    messages: usize,
    bytes: usize,
    time_to_live: Option<Duration>,
    when_full: WhenFull,
    across_endpoints: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WhenFull {
    DropOldest,
    RefuseNewest,
}

impl Default for Outbox {
    /// 256 messages, 1 MiB and 30 s; a full outbox drops its oldest message.
    fn default() -> Self {
        Self {
            messages: 256,
            bytes: 1 << 20,
            time_to_live: Some(Duration::from_secs(30)),
            when_full: WhenFull::DropOldest,
            across_endpoints: false,
        }
    }
}

impl Outbox {
    /// The greatest number of messages.
    pub const MOST_MESSAGES: usize = 1 << 20;

    /// The greatest number of bytes.
    pub const MOST_BYTES: usize = 1 << 30;

    /// The shortest time to live.
    pub const SHORTEST_TIME_TO_LIVE: Duration = Duration::from_millis(1);

    /// Sets how many messages may wait: 1 to 2^20. The default is 256.
    pub const fn messages(self, messages: usize) -> Self {
        Self { messages, ..self }
    }

    /// Sets how many bytes the payloads of the waiting messages may have together: 1 to 2^30. The
    /// default is 1 MiB.
    pub const fn bytes(self, bytes: usize) -> Self {
        Self { bytes, ..self }
    }

    /// Sets how long a message may wait. A message that has waited longer is not sent, and its
    /// outcome is [`Expired`](crate::Fate::Expired). The time counts from when `send` accepts the
    /// message, and does not start again if the message returns to the outbox. The default is 30 s.
    pub const fn time_to_live(self, span: Duration) -> Self {
        Self { time_to_live: Some(span), ..self }
    }

    /// Lets messages wait without a limit of time.
    pub const fn without_time_to_live(self) -> Self {
        Self { time_to_live: None, ..self }
    }

    /// Drops the oldest message when the outbox is full. Its outcome is
    /// [`Rejected`](crate::Fate::Rejected). This is the default.
    pub const fn drop_oldest(self) -> Self {
        Self { when_full: WhenFull::DropOldest, ..self }
    }

    /// Refuses a new message when the outbox is full: `send` returns it with
    /// [`OutboxFull`](gateway_core::SendRejection::OutboxFull).
    pub const fn refuse_newest(self) -> Self {
        Self { when_full: WhenFull::RefuseNewest, ..self }
    }

    /// Sets whether messages are also sent if the connection becomes ready at another endpoint than
    /// before: another scheme, host, port or path. By default they are
    /// [`Rejected`](crate::Fate::Rejected) then. The URL at which a dialect resumes its session
    /// counts as the same endpoint, and so does a URL with another query.
    pub const fn across_endpoints(self, across: bool) -> Self {
        Self { across_endpoints: across, ..self }
    }

    pub(crate) const fn crosses_endpoints(self) -> bool {
        self.across_endpoints
    }

    /// Reports each wrong setting.
    pub(crate) fn check(self, errors: &mut Vec<ConfigError>) {
        let mut check = |field: &str, value: String, is_right: bool, limit: String| {
            if !is_right {
                errors.push(ConfigError::new(format!("outbox.{field}"), value, limit));
            }
        };
        let is_count = (1..=Self::MOST_MESSAGES).contains(&self.messages);
        let limit = format!("must be from 1 to {}", Self::MOST_MESSAGES);
        check("messages", self.messages.to_string(), is_count, limit);
        let is_size = (1..=Self::MOST_BYTES).contains(&self.bytes);
        let limit = format!("must be from 1 to {}", Self::MOST_BYTES);
        check("bytes", self.bytes.to_string(), is_size, limit);
        if let Some(span) = self.time_to_live {
            let is_span = span >= Self::SHORTEST_TIME_TO_LIVE;
            check("time_to_live", format_duration(span), is_span, "must be at least 1ms".into());
        }
    }
}

/// The messages that wait, oldest first. Their numbers grow.
#[derive(Debug)]
pub(crate) struct QueuedMessages {
    settings: Outbox,
    entries: VecDeque<Queued>,
    /// The bytes of their payloads.
    bytes: usize,
    /// Messages in the write buffer, until the first of their bytes is written. Bytes and numbers
    /// have the same order.
    buffered: VecDeque<Buffered>,
}

/// A message in the write buffer.
#[derive(Debug)]
struct Buffered {
    queued: Queued,
    /// Its first position in the outgoing bytes.
    start: u64,
}

/// What became of the messages in the write buffer of a lost socket. Both lists are in order.
pub(crate) struct TakenBack {
    /// The numbers of those that wait again.
    pub(crate) returned: Vec<u64>,
    /// The numbers of those that do not fit.
    pub(crate) rejected: Vec<u64>,
}

#[derive(Debug)]
struct Queued {
    number: u64,
    message: Message,
    /// All messages have the same time to live, so the front expires first.
    expires_at: Instant,
}

impl QueuedMessages {
    pub(crate) const fn new(settings: Outbox) -> Self {
        Self { settings, entries: VecDeque::new(), bytes: 0, buffered: VecDeque::new() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether a message of this length can be queued, maybe in place of older ones.
    pub(crate) fn accepts(&self, length: usize) -> bool {
        match self.settings.when_full {
            WhenFull::DropOldest => length <= self.settings.bytes,
            WhenFull::RefuseNewest => self.fits(length),
        }
    }

    /// Whether a message of this length can be queued in addition to the others.
    pub(crate) fn fits(&self, length: usize) -> bool {
        self.entries.len() < self.settings.messages
            && self.bytes.saturating_add(length) <= self.settings.bytes
    }

    /// Queues a message that the outbox [accepts](Self::accepts). First
    /// [drop](Self::drop_oldest) the oldest ones, until it [fits](Self::fits).
    pub(crate) fn push(&mut self, now: Instant, number: u64, message: Message) {
        let queued = self.timed(now, number, message);
        self.bytes += queued.message.len();
        self.entries.push_back(queued);
    }

    fn timed(&self, now: Instant, number: u64, message: Message) -> Queued {
        let limit = self.settings.time_to_live;
        let expires_at = limit.map_or(Instant::MAX, |span| now.saturating_add(span));
        Queued { number, message, expires_at }
    }

    /// The oldest message is in the write buffer, from this position on.
    pub(crate) fn on_buffered(&mut self, start: u64) {
        let Some(queued) = self.pop() else { return };
        self.buffered.push_back(Buffered { queued, start });
    }

    /// A message that did not wait is in the write buffer, from this position on.
    /// A message that is longer than the outbox could never wait in it.
    pub(crate) fn add_buffered(
        &mut self,
        now: Instant,
        number: u64,
        message: &Message,
        start: u64,
    ) {
        if message.len() <= self.settings.bytes {
            let queued = self.timed(now, number, message.detached());
            self.buffered.push_back(Buffered { queued, start });
        }
    }

    /// The bytes before this position were written.
    pub(crate) fn on_written(&mut self, written: u64) {
        while self.buffered.front().is_some_and(|message| message.start < written) {
            self.buffered.pop_front();
        }
        free_if_large(&mut self.buffered);
    }

    /// The socket is lost. Messages of which no byte was written wait again, before all others.
    pub(crate) fn take_back(&mut self) -> TakenBack {
        let (mut returned, mut rejected) = (Vec::new(), Vec::new());
        // The newest first, since each goes to the front.
        for Buffered { queued, .. } in std::mem::take(&mut self.buffered).into_iter().rev() {
            if self.fits(queued.message.len()) {
                self.bytes += queued.message.len();
                returned.push(queued.number);
                self.entries.push_front(queued);
            } else {
                rejected.push(queued.number);
            }
        }
        returned.reverse();
        rejected.reverse();
        TakenBack { returned, rejected }
    }

    /// Whether the message with this number is in the write buffer, and may wait again.
    pub(crate) fn keeps(&self, number: u64) -> bool {
        self.buffered.binary_search_by_key(&number, |message| message.queued.number).is_ok()
    }

    fn pop(&mut self) -> Option<Queued> {
        let oldest = self.entries.pop_front()?;
        self.bytes -= oldest.message.len();
        free_if_large(&mut self.entries);
        Some(oldest)
    }

    /// Removes the oldest message, and returns its number.
    pub(crate) fn drop_oldest(&mut self) -> Option<u64> {
        self.pop().map(|oldest| oldest.number)
    }

    /// Removes the oldest message if it has waited too long, and returns its number.
    pub(crate) fn drop_expired(&mut self, now: Instant) -> Option<u64> {
        self.expires_at().filter(|at| now >= *at)?;
        self.drop_oldest()
    }

    /// The oldest message.
    pub(crate) fn front(&self) -> Option<(u64, &Message)> {
        self.entries.front().map(|oldest| (oldest.number, &oldest.message))
    }

    /// When the oldest message expires.
    pub(crate) fn expires_at(&self) -> Option<Instant> {
        self.entries.front().map(|oldest| oldest.expires_at).filter(|at| *at < Instant::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    /// Queues messages of these lengths, and returns the numbers that were dropped for them.
    fn push(queue: &mut QueuedMessages, lengths: &[usize]) -> Vec<u64> {
        let mut dropped = Vec::new();
        for (number, length) in (1..).zip(lengths) {
            if !queue.accepts(*length) {
                continue;
            }
            while !queue.fits(*length) {
                dropped.extend(queue.drop_oldest());
            }
            queue.push(at(number), number, Message::binary(vec![0; *length]));
        }
        dropped
    }

    #[test]
    fn the_oldest_messages_make_space_by_number_and_by_bytes() {
        let mut queue = QueuedMessages::new(Outbox::default().messages(2).bytes(10));
        assert_eq!(push(&mut queue, &[4, 4, 4, 11, 10]), [1, 2, 3]);
        assert_eq!((queue.len(), queue.bytes()), (1, 10));
        assert_eq!(queue.front().map(|(number, _)| number), Some(5));
    }

    #[test]
    fn an_outbox_that_refuses_the_newest_drops_nothing() {
        let mut queue =
            QueuedMessages::new(Outbox::default().messages(2).bytes(10).refuse_newest());
        assert_eq!(push(&mut queue, &[4, 7, 6, 0]), [] as [u64; 0]);
        assert_eq!((queue.len(), queue.bytes()), (2, 10));
    }

    #[test]
    fn a_message_expires_when_its_time_to_live_is_over() {
        let second = Duration::from_secs(1);
        let mut queue = QueuedMessages::new(Outbox::default().time_to_live(second));
        push(&mut queue, &[1, 1]); // at 1 and 2 ms
        assert_eq!(queue.expires_at(), Some(at(1_001)));
        assert_eq!(queue.drop_expired(at(1_000)), None);
        assert_eq!(queue.drop_expired(at(1_001)), Some(1));
        assert_eq!(queue.drop_expired(at(1_001)), None);
        assert_eq!(queue.bytes(), 1);
    }

    #[test]
    fn without_a_time_to_live_nothing_expires() {
        let mut queue = QueuedMessages::new(Outbox::default().without_time_to_live());
        push(&mut queue, &[1]);
        assert_eq!(queue.expires_at(), None);
        assert_eq!(queue.drop_expired(Instant::MAX), None);
    }

    #[test]
    fn each_wrong_setting_is_named() {
        let mut errors = Vec::new();
        Outbox::default().messages(0).bytes(0).time_to_live(Duration::ZERO).check(&mut errors);
        let fields: Vec<_> = errors.iter().map(ConfigError::field).collect();
        assert_eq!(fields, ["outbox.messages", "outbox.bytes", "outbox.time_to_live"]);
    }
}
