//! Requests that wait for their answers. Every request ends: with its answer, or with the reason why
//! there is none.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use gateway_core::{Instant, RequestEnd, SendingFact};
use thiserror::Error;

use crate::correlation::{CorrelationError, Correlator};
use crate::counts::RequestCounts;
use crate::message::Message;
use crate::name::{Name, Prefix};
use crate::queue::free_if_large;
use crate::session::{Facts, weight};

/// A request that was made. A client's requests have different ids. It is not the id in the message,
/// which may start again with each socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(u64);

impl RequestId {
    /// Returns how many requests were made before it, plus 1.
    pub(crate) const fn number(self) -> u64 {
        self.0
    }

    fn ends(self, end: RequestEnd) -> SendingFact {
        SendingFact::RequestEnded { request: self.0, end }
    }
}

/// A request ended without an answer. The error's text begins with the client's name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{}the request has no answer: {why}", Prefix(.name.as_ref()))]
pub struct RequestError {
    why: NoAnswer,
    name: Option<Name>,
}

/// Why a request ended without an answer, and whether the server may have it. Drivers make a
/// [`RequestError`] of it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{kind}{}", if self.tells_more() { "; the request was not sent" } else { "" })]
pub struct NoAnswer {
    kind: RequestErrorKind,
    is_maybe_sent: bool,
}

impl NoAnswer {
    /// Of a request of which the server may have a part.
    #[must_use]
    pub const fn of_maybe_sent(kind: RequestErrorKind) -> Self {
        Self { kind, is_maybe_sent: true }
    }

    /// Returns the reason.
    #[must_use]
    pub const fn kind(&self) -> &RequestErrorKind {
        &self.kind
    }

    /// Whether the server may have the request.
    #[must_use]
    pub const fn is_maybe_sent(&self) -> bool {
        self.is_maybe_sent
    }

    /// Whether the kind alone does not say that nothing was sent.
    const fn tells_more(&self) -> bool {
        !self.is_maybe_sent
            && matches!(self.kind, RequestErrorKind::TimedOut | RequestErrorKind::Gone)
    }
}

/// Of a request of which no byte was written, unless the kind says otherwise.
impl From<RequestErrorKind> for NoAnswer {
    fn from(kind: RequestErrorKind) -> Self {
        let is_maybe_sent = kind == RequestErrorKind::MaybeSent;
        Self { kind, is_maybe_sent }
    }
}

/// Why a request ended without an answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RequestErrorKind {
    /// The client has no [`Correlator`]: set one with the builder's `requests`.
    #[error("the client has no correlator; set one with `requests`")]
    NoCorrelator,
    /// The connection is not ready. Nothing was sent. `request_when_ready` waits instead.
    #[error("the connection is not ready; nothing was sent")]
    NotReady,
    /// The connection is draining, closing or CLOSED. Nothing was sent.
    #[error("the connection is draining, closing or closed; nothing was sent")]
    Closed,
    /// There are as many requests as [`Limits::requests`](crate::Limits::requests), or the messages
    /// of those that may be sent again have as many bytes as
    /// [`Limits::request_bytes`](crate::Limits::request_bytes). Nothing was sent.
    #[error("too many requests are pending; nothing was sent")]
    Full,
    /// The message cannot hold an id. Nothing was sent.
    #[error("the message cannot hold an id, and was not sent: {0}")]
    Correlation(CorrelationError),
    /// The answer did not come in time. If it comes later, it is an ordinary message. The time also
    /// covers the wait for the connection and for the rate limit, so the request may not have left:
    /// see [`RequestError::is_maybe_sent`].
    #[error("the answer did not come in time")]
    TimedOut,
    /// The connection was lost or closed before any byte of the request was written.
    #[error("the connection was lost before the request was sent")]
    NotSent,
    /// The connection was lost after the request was written, at least in part. The server may have
    /// carried it out.
    #[error("the connection was lost before the answer came; the server may have the request")]
    MaybeSent,
    /// The client is gone: it was dropped, its runtime was shut down, or its code panicked.
    #[error(
        "the client is gone: it was dropped, it left its fleet, its runtime was shut down, or its code panicked"
    )]
    Gone,
    /// The request was made from within an observer, a dialect or a correlator, which must not
    /// wait.
    #[error("an observer, a dialect or a correlator must not make a request")]
    Reentrant,
}

impl RequestError {
    /// Creates the error of the client with this name.
    #[must_use]
    pub fn new(why: impl Into<NoAnswer>, name: Option<Name>) -> Self {
        Self { why: why.into(), name }
    }

    /// Returns why the request has no answer.
    #[must_use]
    pub const fn kind(&self) -> &RequestErrorKind {
        &self.why.kind
    }

    /// Whether the server may have the request, and may have carried it out. If not, you can make
    /// the request again: the server does not have it.
    ///
    /// ```
    /// use gateway_wire::{RequestError, RequestErrorKind};
    ///
    /// fn what_to_do(error: &RequestError) -> &'static str {
    ///     if error.is_maybe_sent() { "ask the server" } else { "make the request again" }
    /// }
    ///
    /// assert!(RequestError::new(RequestErrorKind::MaybeSent, None).is_maybe_sent());
    /// assert!(!RequestError::new(RequestErrorKind::NotReady, None).is_maybe_sent());
    /// ```
    #[must_use]
    pub const fn is_maybe_sent(&self) -> bool {
        self.why.is_maybe_sent
    }

    /// Returns the client's name, if it has one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_ref().map(Name::as_str)
    }
}

/// Whether a request waits for the connection, and whether it is sent again if that is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // these are all that a driver offers
pub enum Repeat {
    /// It needs a connection that is ready, and ends when that is lost.
    Never,
    /// It waits for the connection, also for the next one if this one is lost before any byte of it
    /// was written. It is sent at most once: after that it ends when the connection is lost.
    WhileUnsent,
    /// It is idempotent: it waits for the connection, and is sent again after each reconnect, until
    /// its answer comes or its time is over.
    OnReconnect,
}

/// How a request ended.
pub(crate) type Ended = Result<Message, NoAnswer>;

/// The requests of a session.
pub(crate) struct Requests {
    correlator: Box<dyn Correlator>,
    greatest_id: u64,
    /// The requests so far. The number of a request is how many were made.
    counts: RequestCounts,
    /// The last id of a message, if the dialect does not count them.
    numbers: u64,
    /// The requests that have not been written yet, oldest first.
    waiting: VecDeque<Waiting>,
    /// The requests in the outgoing bytes of this socket, by the ids in their messages.
    pending: BTreeMap<u64, Pending>,
    /// How requests ended, until their callers take it.
    ended: BTreeMap<RequestId, Ended>,
    /// The backlog cost of the answers among them.
    untaken: usize,
    /// The bytes of all messages that are kept here.
    bytes: usize,
    /// No request is due before this instant.
    earliest: Instant,
    /// The answers that no request has waited for.
    unmatched: u64,
}

struct Waiting {
    request: RequestId,
    due: Instant,
    repeat: Repeat,
    message: Message,
    /// Whether an earlier socket has taken a part of it.
    was_begun: bool,
}

struct Pending {
    request: RequestId,
    due: Instant,
    repeat: Repeat,
    /// The positions of its message in the outgoing bytes.
    bytes: Range<u64>,
    /// The message without its id, if it may be sent again.
    kept: Option<Message>,
    was_begun: bool,
}

/// The limits of requests: a number, and the bytes of kept messages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MostRequests {
    pub(crate) count: usize,
    pub(crate) bytes: usize,
}

impl Requests {
    pub(crate) fn new(correlator: Box<dyn Correlator>) -> Self {
        Self {
            greatest_id: correlator.greatest_id().max(1),
            correlator,
            counts: RequestCounts::default(),
            numbers: 0,
            waiting: VecDeque::new(),
            pending: BTreeMap::new(),
            ended: BTreeMap::new(),
            untaken: 0,
            bytes: 0,
            earliest: Instant::MAX,
            unmatched: 0,
        }
    }

    /// The number of requests that have not ended.
    pub(crate) fn unanswered(&self) -> usize {
        self.waiting.len() + self.pending.len()
    }

    /// How many requests were made, and how they ended.
    pub(crate) const fn counts(&self) -> RequestCounts {
        self.counts
    }

    /// The number of answers that no request has waited for.
    pub(crate) const fn unmatched(&self) -> u64 {
        self.unmatched
    }

    /// Adds a request, which waits to be sent.
    pub(crate) fn add(
        &mut self,
        message: Message,
        due: Instant,
        repeat: Repeat,
        most: MostRequests,
    ) -> Result<RequestId, RequestErrorKind> {
        let bytes = self.bytes.saturating_add(message.len());
        let is_too_much = bytes > most.bytes && self.bytes > 0; // one long message is accepted
        if self.unanswered() + self.ended.len() >= most.count || is_too_much {
            return Err(RequestErrorKind::Full);
        }
        self.counts.made += 1;
        self.bytes = bytes;
        self.earliest = self.earliest.min(due);
        let request = RequestId(self.counts.made);
        self.waiting.push_back(Waiting { request, due, repeat, message, was_begun: false });
        Ok(request)
    }

    /// Whether a request waits to be sent.
    pub(crate) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// The next request, if an id is free for it.
    pub(crate) fn sendable(&self) -> Option<RequestId> {
        let next = self.waiting.front()?.request;
        ((self.pending.len() as u64) < self.greatest_id).then_some(next)
    }

    /// The request that was made last.
    pub(crate) fn newest(&self) -> Option<RequestId> {
        (self.counts.made > 0).then_some(RequestId(self.counts.made))
    }

    /// Returns the id and the message of the next request. [`on_sent`](Self::on_sent) follows if it
    /// was written. `number` returns the next id, if the dialect counts them. A request whose message
    /// cannot hold an id ends here.
    pub(crate) fn next(
        &mut self,
        mut number: impl FnMut() -> Option<u64>,
        facts: &mut Facts<'_>,
    ) -> Option<(u64, Message)> {
        loop {
            let request = self.waiting.front()?;
            let greatest = self.greatest_id;
            let id = loop {
                let counted = number().unwrap_or_else(|| {
                    self.numbers = self.numbers.wrapping_add(1).max(1);
                    self.numbers
                });
                let id = (counted - 1) % greatest + 1;
                // All ids are taken only if there are fewer ids than pending requests.
                let are_all_taken = self.pending.len() as u64 >= greatest;
                if !self.pending.contains_key(&id) || are_all_taken {
                    break id;
                }
            };
            if self.pending.contains_key(&id) {
                return None; // until one of them ends
            }
            match attach(&mut *self.correlator, id, &request.message) {
                Ok(message) => return Some((id, message)),
                Err(error) => {
                    let request = request.request;
                    self.take_waiting();
                    self.ended.insert(request, Err(RequestErrorKind::Correlation(error).into()));
                    self.counts.end(request, RequestEnd::Correlation, facts);
                }
            }
        }
    }

    /// The next request was written with this id, to these positions.
    pub(crate) fn on_sent(&mut self, id: u64, bytes: Range<u64>, facts: &mut Facts<'_>) {
        let Some(sent) = self.take_waiting() else { return };
        let Waiting { request, due, repeat, message, was_begun } = sent;
        let kept = (repeat != Repeat::Never).then_some(message);
        self.bytes += kept.as_ref().map_or(0, Message::len);
        self.pending.insert(id, Pending { request, due, repeat, bytes, kept, was_begun });
        facts.note(SendingFact::RequestBuffered { request: request.0, id });
    }

    fn take_waiting(&mut self) -> Option<Waiting> {
        let taken = self.waiting.pop_front()?;
        free_if_large(&mut self.waiting);
        self.bytes -= taken.message.len();
        Some(taken)
    }

    /// Takes a message if it answers a request. Otherwise returns it.
    pub(crate) fn take_answer(
        &mut self,
        message: Message,
        facts: &mut Facts<'_>,
    ) -> Option<Message> {
        let Some(id) = answered(&mut *self.correlator, &message) else { return Some(message) };
        let Some(answered) = self.pending.remove(&id) else {
            self.unmatched = self.unmatched.saturating_add(1);
            facts.note(SendingFact::AnswerUnmatched);
            return Some(message);
        };
        self.bytes -= answered.kept.as_ref().map_or(0, Message::len);
        self.untaken += weight(&message);
        self.ended.insert(answered.request, Ok(message));
        self.counts.end(answered.request, RequestEnd::Answered, facts);
        if self.unanswered() == 0 {
            self.earliest = Instant::MAX;
        }
        None
    }

    /// When a request may be due. It may have ended meanwhile: then [`expire`](Self::expire) does
    /// nothing.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        (self.earliest < Instant::MAX).then_some(self.earliest)
    }

    /// Ends the requests whose time is over.
    pub(crate) fn expire(&mut self, now: Instant, facts: &mut Facts<'_>) {
        if now < self.earliest {
            return;
        }
        self.end_if(|due| now >= due, facts);
        let waiting = self.waiting.iter().map(|request| request.due);
        let pending = self.pending.values().map(|request| request.due);
        self.earliest = waiting.chain(pending).min().unwrap_or(Instant::MAX);
    }

    fn end_if(&mut self, is_over: impl Fn(Instant) -> bool, facts: &mut Facts<'_>) {
        let Self { waiting, pending, ended, bytes, counts, .. } = self;
        let mut end = |request: RequestId, freed: usize, is_maybe_sent: bool| {
            *bytes -= freed;
            let kind = RequestErrorKind::TimedOut;
            ended.insert(request, Err(NoAnswer { kind, is_maybe_sent }));
            counts.end(request, RequestEnd::TimedOut, facts);
        };
        waiting.retain(|request| {
            let ends = is_over(request.due);
            if ends {
                end(request.request, request.message.len(), request.was_begun);
            }
            !ends
        });
        pending.retain(|_, request| {
            let ends = is_over(request.due);
            if ends {
                // Its bytes leave even if none has left yet.
                end(request.request, request.kept.as_ref().map_or(0, Message::len), true);
            }
            !ends
        });
    }

    /// The socket is lost, and has taken the bytes before `written`. Requests that may be sent on
    /// the next one wait for it, in the order in which they were made; all others end.
    pub(crate) fn on_lost(&mut self, written: u64, facts: &mut Facts<'_>) {
        let Self { waiting, pending, ended, bytes, counts, .. } = self;
        waiting.retain(|request| {
            let stays = request.repeat != Repeat::Never;
            if !stays {
                *bytes -= request.message.len();
                ended.insert(request.request, Err(RequestErrorKind::NotSent.into()));
                counts.end(request.request, RequestEnd::NotSent, facts);
            }
            stays
        });
        for lost in std::mem::take(pending).into_values() {
            let was_begun = lost.was_begun || lost.bytes.start < written;
            let Pending { request, due, repeat, kept, .. } = lost;
            let is_repeated = match repeat {
                Repeat::Never => false,
                Repeat::WhileUnsent => !was_begun,
                Repeat::OnReconnect => true,
            };
            match kept {
                Some(message) if is_repeated => {
                    waiting.push_back(Waiting { request, due, repeat, message, was_begun });
                }
                kept => {
                    *bytes -= kept.as_ref().map_or(0, Message::len);
                    ended.insert(request, Err(unanswered(was_begun).into()));
                    counts.end(request, unanswered_end(was_begun), facts);
                }
            }
        }
        waiting.make_contiguous().sort_unstable_by_key(|request| request.request);
    }

    /// No further socket opens: ends the requests that wait for one.
    pub(crate) fn end_waiting(&mut self, facts: &mut Facts<'_>) {
        while let Some(request) = self.take_waiting() {
            self.ended.insert(request.request, Err(unanswered(request.was_begun).into()));
            self.counts.end(request.request, unanswered_end(request.was_begun), facts);
        }
    }

    /// Whether any request has ended that its caller has not taken.
    pub(crate) fn has_ended(&self) -> bool {
        !self.ended.is_empty()
    }

    /// The requests that have ended, and that their callers have not taken.
    pub(crate) fn ended(&self) -> impl Iterator<Item = RequestId> {
        self.ended.keys().copied()
    }

    /// Whether this request has ended.
    pub(crate) fn is_over(&self, request: RequestId) -> bool {
        self.ended.contains_key(&request)
    }

    /// Takes how this request ended.
    pub(crate) fn take(&mut self, request: RequestId) -> Option<Ended> {
        let ended = self.ended.remove(&request)?;
        if let Ok(answer) = &ended {
            self.untaken -= weight(answer);
        }
        Some(ended)
    }

    /// Takes all answers that their callers have not taken.
    pub(crate) fn take_answers(&mut self) -> BTreeMap<RequestId, Message> {
        self.untaken = 0;
        let ended = std::mem::take(&mut self.ended).into_iter();
        ended.filter_map(|(request, end)| Some((request, end.ok()?))).collect()
    }

    /// The backlog cost of the answers that their callers have not taken.
    pub(crate) const fn untaken(&self) -> usize {
        self.untaken
    }

    /// No one waits for this request any more. If its message was sent, its answer is an ordinary
    /// message.
    pub(crate) fn forget(&mut self, request: RequestId, facts: &mut Facts<'_>) {
        if self.take(request).is_some() {
            return; // it has ended
        }
        let before = self.unanswered();
        let Self { waiting, pending, bytes, .. } = self;
        waiting.retain(|other| {
            let is_other = other.request != request;
            if !is_other {
                *bytes -= other.message.len();
            }
            is_other
        });
        pending.retain(|_, other| {
            let is_other = other.request != request;
            if !is_other {
                *bytes -= other.kept.as_ref().map_or(0, Message::len);
            }
            is_other
        });
        if self.unanswered() < before {
            self.counts.end(request, RequestEnd::Forgotten, facts);
        }
    }
}

impl RequestCounts {
    /// Counts the end of a request, and reports it to the observer.
    fn end(&mut self, request: RequestId, end: RequestEnd, facts: &mut Facts<'_>) {
        self.count(end);
        facts.note(request.ends(end));
    }
}

/// Calls the application's code. If it panics, the request ends, and the connection goes on.
fn attach(
    correlator: &mut dyn Correlator,
    id: u64,
    request: &Message,
) -> Result<Message, CorrelationError> {
    // The panic's text may hold text of the request.
    catch_unwind(AssertUnwindSafe(|| correlator.attach(id, request)))
        .unwrap_or_else(|_| Err(CorrelationError::Other("the correlator panicked".to_owned())))
}

/// Calls the application's code. If it panics, the message is an ordinary one.
fn answered(correlator: &mut dyn Correlator, message: &Message) -> Option<u64> {
    catch_unwind(AssertUnwindSafe(|| correlator.answered(message))).unwrap_or_default()
}

/// Why a request has no answer, whose connection is lost.
const fn unanswered(was_begun: bool) -> RequestErrorKind {
    if was_begun { RequestErrorKind::MaybeSent } else { RequestErrorKind::NotSent }
}

/// The same for an observer.
const fn unanswered_end(was_begun: bool) -> RequestEnd {
    if was_begun { RequestEnd::MaybeSent } else { RequestEnd::NotSent }
}

/// Shows counts, but no messages, because they may be secret.
impl fmt::Debug for Requests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Requests")
            .field("waiting", &self.waiting.len())
            .field("pending", &self.pending.len())
            .field("ended", &self.ended.len())
            .finish_non_exhaustive()
    }
}
