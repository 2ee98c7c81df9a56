//! What goes out beyond single messages: the outbox, the rate limit, and the end of a drain.

use std::time::Duration;

use gateway_core::{
    CloseCode, CloseFrame, ConnectionState, Instant, Login, SendRejection, SendingFact,
};

use super::Session;
use super::standing::earlier;
use super::turns::{Next, Turns};
use crate::endpoint::Endpoint;
use crate::event::ClientEvent;
use crate::message::Message;
use crate::outbox::{Outbox, QueuedMessages, TakenBack};
use crate::outcome::{Accepted, Fate, MessageId, Outcome};
use crate::rate::TokenBucket;
use crate::requests::Requests;

/// The parts of a session that most clients do not use. A session without them has no such box.
#[derive(Default)]
pub(super) struct Sending {
    pub(super) outbox: Option<QueuedMessages>,
    bucket: Option<TokenBucket>,
    pub(super) requests: Option<Requests>,
    pub(super) turns: Turns,
    drain: Option<Drain>,
    places: Option<Places>,
    absence: Option<Absence>,
    /// The bytes of the write buffer that permits have reserved.
    pub(super) reserved: usize,
    /// Whether the event at hand has answered a request.
    pub(super) is_answered: bool,
    /// Whether it was logged, since the connection was last ready, that the outbox drops messages.
    is_overflow_logged: bool,
}

/// The time in which the connection is not ready.
struct Absence {
    /// Past this time, the application is told.
    limit: Duration,
    since: Option<Instant>,
    is_told: bool,
}

impl Absence {
    fn due(&self) -> Option<Instant> {
        let since = self.since.filter(|_| !self.is_told)?;
        Some(since.saturating_add(self.limit))
    }
}

/// Where the connection was ready, and where this attempt connects to. A place is an endpoint's
/// scheme, host, port and path.
struct Places {
    own: Box<str>,
    /// `None` for the client's own.
    attempt: Option<Box<str>>,
    ready: Option<Box<str>>,
}

/// A close that waits until everything has left.
struct Drain {
    until: Instant,
    code: CloseCode,
    reason: Box<str>,
}

impl Sending {
    /// When the session's `tick` is due for one of these, or at `leaves_at`, or at once if a drain
    /// `has_drained`.
    fn deadline(&self, leaves_at: Option<Instant>, has_drained: bool) -> Option<Instant> {
        let expiry = self.outbox.as_ref().and_then(QueuedMessages::expires_at);
        let until = |drain: &Drain| if has_drained { Instant::ZERO } else { drain.until };
        let drain = self.drain.as_ref().map(until);
        let lost = self.absence.as_ref().and_then(Absence::due);
        let answer = self.requests.as_ref().and_then(Requests::deadline);
        earlier(earlier(earlier(expiry, drain), earlier(leaves_at, lost)), answer)
    }
}

/// Sending while away, and at a limited rate.
impl Session {
    /// Keeps messages while the connection is not ready: see [`Outbox`]. `endpoint` is the client's
    /// own. The settings must be right.
    #[must_use]
    pub(crate) fn with_outbox(mut self, outbox: Outbox, endpoint: &Endpoint) -> Self {
        self.sending_mut().outbox = Some(QueuedMessages::new(outbox));
        if outbox.crosses_endpoints() { self } else { self.with_places(endpoint) }
    }

    /// What waits for the connection is only for the place where it was ready before.
    #[must_use]
    pub(crate) fn with_places(mut self, endpoint: &Endpoint) -> Self {
        let own = endpoint.place().into();
        self.sending_mut().places = Some(Places { own, attempt: None, ready: None });
        self
    }

    /// Limits the rate: see [`Rate`](crate::Rate).
    #[must_use]
    pub(crate) fn with_rate(mut self, bucket: TokenBucket) -> Self {
        self.sending_mut().bucket = Some(bucket);
        self
    }

    /// Reports when the connection has not been ready for this long: see
    /// [`Lost`](ClientEvent::Lost).
    #[must_use]
    pub(crate) fn with_lost_after(mut self, limit: Duration) -> Self {
        self.sending_mut().absence = Some(Absence { limit, since: None, is_told: false });
        self
    }

    /// The state has changed.
    pub(super) fn note_absence(&mut self, to: ConnectionState) {
        let (is_over, now) = (self.is_connection_ready() || is_closed(to), self.now);
        let absence = self.sending.as_mut().and_then(|sending| sending.absence.as_mut());
        let Some(absence) = absence else { return };
        if is_over {
            (absence.since, absence.is_told) = (None, false);
        } else {
            absence.since.get_or_insert(now);
        }
    }

    /// Reports a connection that has not been ready for too long.
    fn report_lost(&mut self) {
        let now = self.now;
        let absence = self.sending.as_mut().and_then(|sending| sending.absence.as_mut());
        let Some(absence) = absence.filter(|absence| absence.due().is_some_and(|due| now >= due))
        else {
            return;
        };
        absence.is_told = true;
        let away = absence.since.map(|since| now.saturating_duration_since(since));
        self.notify(ClientEvent::Lost { away: away.unwrap_or_default() });
    }

    pub(super) fn sending_mut(&mut self) -> &mut Sending {
        self.sending.get_or_insert_default()
    }

    /// Whether the session must know the time before it [accepts](Self::accept) a message.
    #[must_use]
    #[inline]
    pub const fn needs_time(&self) -> bool {
        self.sending.is_some()
    }

    /// Sets the time of the next call that has none.
    pub fn set_time(&mut self, now: Instant) {
        self.now = now;
        if self.is_held_back {
            self.hold_back(); // a token may have come back
        }
    }

    /// Whether the connection is CLOSING or CLOSED: nothing is sent before the next connect.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        is_closed(self.state())
    }

    /// Whether the session keeps messages while the connection is not ready.
    #[must_use]
    pub fn has_outbox(&self) -> bool {
        self.outbox().is_some()
    }

    /// Returns how many messages wait in the outbox.
    #[must_use]
    pub fn queued_messages(&self) -> usize {
        self.outbox().map_or(0, QueuedMessages::len)
    }

    /// Returns how many bytes their payloads have.
    #[must_use]
    pub fn queued_bytes(&self) -> usize {
        self.outbox().map_or(0, QueuedMessages::bytes)
    }

    fn outbox(&self) -> Option<&QueuedMessages> {
        self.sending.as_ref()?.outbox.as_ref()
    }

    fn outbox_mut(&mut self) -> Option<&mut QueuedMessages> {
        self.sending.as_mut()?.outbox.as_mut()
    }

    fn bucket_mut(&mut self) -> Option<&mut TokenBucket> {
        self.sending.as_mut()?.bucket.as_mut()
    }

    /// Accepts a message of a session that has an outbox, a rate limit or reserved space, or is
    /// draining. A permitted message has a token and space of its own.
    #[cold]
    pub(super) fn accept_with_care(
        &mut self,
        message: &Message,
        is_permitted: bool,
    ) -> Result<Accepted, SendRejection> {
        let accepted = self.accept_or_queue(message, is_permitted);
        self.hold_back();
        self.report_facts();
        accepted
    }

    /// Does not accept a message, and reports that to the observer. The core reports its own.
    #[cold]
    pub(super) fn refuse(&mut self, message: &Message, why: SendRejection) -> SendRejection {
        self.note(SendingFact::MessageRefused { bytes: message.len() as u64, why });
        self.report_facts();
        why
    }

    fn accept_or_queue(
        &mut self,
        message: &Message,
        is_permitted: bool,
    ) -> Result<Accepted, SendRejection> {
        if let Some(sending) = &mut self.sending {
            sending.turns.on_send();
        }
        if self.is_draining() && !self.takes_login() {
            return Err(self.refuse(message, SendRejection::Closed));
        }
        let is_ready = self.is_connection_ready();
        // The messages of every ready may still wait for a token, which has come back by now.
        let is_behind = is_ready && self.on_ready.is_due() && !self.is_write_blocked();
        if self.outbox().is_some_and(|outbox| !is_ready || is_behind || !outbox.is_empty())
            && !is_closed(self.state())
            && !self.takes_login()
        {
            if is_permitted {
                self.use_freed(); // what waits before it: no message is dropped that could leave
            }
            return self.queue(message);
        }
        if is_ready && !is_permitted && (is_behind || !self.has_token()) {
            return Err(self.refuse(message, SendRejection::Paced));
        }
        if !is_permitted && self.is_reserved_by_others() && self.takes_messages() {
            return Err(self.refuse(message, SendRejection::WriteBlocked));
        }
        let (now, start) = (self.now, self.buffer_end());
        let accepted = self.accept_numbered(self.ledger.next_number(), message);
        if let (Ok(_), Some(sending)) = (&accepted, &mut self.sending) {
            sending.turns.on_message_left();
        }
        if let (true, Ok(id), Some(outbox)) = (is_ready, &accepted, self.outbox_mut()) {
            outbox.add_buffered(now, id.number(), message, start);
        }
        accepted.map(Accepted::Buffered)
    }

    #[inline(never)]
    fn accept_numbered(
        &mut self,
        number: u64,
        message: &Message,
    ) -> Result<MessageId, SendRejection> {
        let accepted = self.accept_now(Some(number), message)?;
        self.take_token();
        Ok(accepted)
    }

    /// Puts a message into the outbox.
    fn queue(&mut self, message: &Message) -> Result<Accepted, SendRejection> {
        self.expire(); // what has waited too long takes no space
        let is_accepted = |outbox: &QueuedMessages| outbox.accepts(message.len());
        if !self.outbox().is_some_and(is_accepted) {
            return Err(self.refuse(message, SendRejection::OutboxFull));
        }
        self.drop_oldest_queued(message.len());
        let (now, id) = (self.now, self.ledger.give_number());
        if let Some(outbox) = self.outbox_mut() {
            outbox.push(now, id.number(), message.detached());
        }
        let (number, bytes) = (id.number(), message.len() as u64);
        self.note(SendingFact::MessageQueued { number, bytes });
        Ok(Accepted::Queued(id))
    }

    /// The end of the outgoing bytes.
    fn buffer_end(&self) -> u64 {
        self.link.as_ref().map_or(0, |link| link.output.end())
    }

    /// The bytes before this position were written. Only messages behind it may return to the outbox.
    pub(super) fn keep_unwritten(&mut self, written: u64) {
        if let Some(outbox) = self.outbox_mut() {
            outbox.on_written(written);
        }
    }

    /// Reports messages that were not written, except those that return to the outbox.
    #[cold]
    pub(super) fn reject_unless_kept(&mut self, outcome: Outcome) {
        let keeps = !is_closed(self.state());
        let mut numbers = outcome.first.number()..=outcome.last.number();
        self.report_each(Fate::Rejected, |session| {
            numbers.find(|number| {
                !keeps || !session.outbox().is_some_and(|outbox| outbox.keeps(*number))
            })
        });
    }

    /// Puts messages that were not written back into the outbox. Reports those that do not fit.
    pub(super) fn take_back_unwritten(&mut self) {
        let is_over = is_closed(self.state());
        let Some(outbox) = self.outbox_mut() else { return };
        if is_over {
            return outbox.on_written(u64::MAX); // their outcomes are reported
        }
        let TakenBack { returned, rejected } = outbox.take_back();
        for run in returned.chunk_by(|number, next| number + 1 == *next) {
            if let [first, ..] = run
                && let [.., last] = run
            {
                self.note(SendingFact::MessagesReturned { first: *first, last: *last });
            }
        }
        let mut rejected = rejected.into_iter();
        self.report_each(Fate::Rejected, |_| rejected.next());
    }

    /// Drops the oldest messages until one of this length fits.
    fn drop_oldest_queued(&mut self, length: usize) {
        while let Some(number) =
            self.outbox_mut().filter(|outbox| !outbox.fits(length)).and_then(|o| o.drop_oldest())
        {
            // Without a log line for each: an application may send thousands while it is away.
            if let Some(sending) = &mut self.sending
                && !std::mem::replace(&mut sending.is_overflow_logged, true)
            {
                self.log.outbox_full();
            }
            self.settle(Outcome::of(number, number, Fate::Rejected));
        }
    }

    /// Reports this outcome of each message that `next` returns.
    fn report_each(&mut self, fate: Fate, mut next: impl FnMut(&mut Self) -> Option<u64>) {
        let mut range: Option<(u64, u64)> = None;
        loop {
            let number = next(self);
            match (range, number) {
                (Some((first, last)), Some(number)) if number == last + 1 => {
                    range = Some((first, number));
                    continue;
                }
                (Some((first, last)), _) => self.report(Outcome::of(first, last, fate)),
                (None, _) => {}
            }
            let Some(number) = number else { return };
            range = Some((number, number));
        }
    }

    /// Whether a message of the application would log in.
    fn takes_login(&self) -> bool {
        self.state() == ConnectionState::Connected
            && !self.is_connection_ready()
            && matches!(self.config().login(), Login::External { .. })
            && !self.connection.is_login_refused()
    }

    /// Whether a message of the application may leave now.
    pub(super) fn has_token(&self) -> bool {
        let bucket = self.sending.as_ref().and_then(|sending| sending.bucket.as_ref());
        bucket.is_none_or(|bucket| bucket.allows(self.now))
    }

    /// Takes a token for a frame that was put into the write buffer.
    #[inline]
    pub(super) fn take_token(&mut self) {
        if self.sending.is_some() {
            self.take_token_of_bucket();
        }
    }

    #[cold]
    fn take_token_of_bucket(&mut self) {
        let now = self.now;
        self.sending_mut().turns.on_token_taken();
        let Some(bucket) = self.bucket_mut() else { return };
        bucket.take(now);
        if let Some(until) = bucket.next_at().filter(|next_at| now < *next_at) {
            self.note(SendingFact::RateLimited { until });
        }
        self.hold_back(); // a ping may have taken the last token
    }

    /// Keeps tokens for permits.
    pub(super) fn hold_tokens(&mut self, tokens: u32) {
        if let Some(bucket) = self.bucket_mut() {
            bucket.hold(tokens);
            self.hold_back();
        }
    }

    /// Permits were used or dropped.
    pub(super) fn let_go_of_tokens(&mut self, tokens: u32) {
        if let Some(bucket) = self.bucket_mut() {
            bucket.let_go(tokens);
        }
    }

    /// Sends what waits for the connection, as far as there are space and tokens: first the
    /// messages of every ready, then requests and the outbox, [in turn](Self::send_in_turn).
    /// Messages that are sent later wait until the outbox is empty.
    pub(super) fn advance(&mut self) {
        if !self.is_connection_ready() {
            self.is_held_back = false;
            return;
        }
        if self.on_ready.is_due() {
            self.send_on_ready();
        }
        if self.sending.is_some() {
            if !self.on_ready.is_due() {
                self.expire(); // the tick that is due may come only after this call
                self.send_in_turn();
            }
            self.hold_back();
            self.close_if_drained(); // what was left may have expired
        }
    }

    /// Notes whether messages of the application have to wait.
    pub(super) fn hold_back(&mut self) {
        let is_behind = self.on_ready.is_due() || self.next_to_leave() != Next::Sent;
        let waits = is_behind || !self.has_token();
        self.is_held_back = self.is_connection_ready() && waits;
    }

    /// Sends the oldest message of the outbox. Returns whether it has left.
    pub(super) fn send_queued(&mut self) -> bool {
        let Some((number, message)) = self.outbox().and_then(QueuedMessages::front) else {
            return false;
        };
        let (message, start) = (message.clone(), self.buffer_end());
        if self.accept_numbered(number, &message).is_err() {
            return false; // the buffer is full
        }
        if let Some(outbox) = self.outbox_mut() {
            outbox.on_buffered(start);
        }
        self.sending_mut().turns.on_message_left();
        self.note(SendingFact::MessageBuffered { number });
        true
    }

    fn expire(&mut self) {
        let now = self.now;
        if let Some((requests, mut facts)) = self.requests_and_facts() {
            requests.expire(now, &mut facts);
        }
        self.report_each(Fate::Expired, |session| session.outbox_mut()?.drop_expired(now));
    }

    /// Notes the URL of this attempt's request; `None` if it has none.
    pub(super) fn note_place(&mut self, planned: Option<&Endpoint>) {
        if let Some(places) = self.sending.as_mut().and_then(|sending| sending.places.as_mut()) {
            places.attempt = planned.map(|endpoint| endpoint.place().into());
        }
    }

    /// The connection is ready. If it is ready at another place than before, the requests and the
    /// messages of the outbox that wait are not for this server.
    pub(super) fn compare_places(&mut self) {
        if let Some(sending) = &mut self.sending {
            sending.is_overflow_logged = false;
        }
        let places = self.sending.as_mut().and_then(|sending| sending.places.as_mut());
        let Some(places) = places else { return };
        let place = places.attempt.clone().unwrap_or_else(|| places.own.clone());
        let is_other = places.ready.as_ref().is_some_and(|ready| *ready != place);
        places.ready = Some(place);
        if is_other {
            if let Some((requests, mut facts)) = self.requests_and_facts() {
                requests.end_waiting(&mut facts);
            }
            self.reject_queued();
        }
    }

    /// Reports all messages of the outbox as rejected.
    pub(super) fn reject_queued(&mut self) {
        self.report_each(Fate::Rejected, |session| session.outbox_mut()?.drop_oldest());
    }

    /// Starts to close the connection once everything has left, or at `until` at the latest.
    ///
    /// From now on no message is accepted. What was accepted before is sent: messages in the
    /// outbox, too, if the connection is ready in time. Requests wait for their answers. What is
    /// left at `until` is
    /// [`Rejected`](crate::Fate::Rejected). A second call changes code, reason and `until`.
    pub fn drain(&mut self, now: Instant, frame: CloseFrame<'_>, until: Instant) {
        self.now = now;
        if is_closed(self.state()) {
            return;
        }
        let (code, reason) = (frame.code(), frame.reason().into());
        self.sending_mut().drain = Some(Drain { until, code, reason });
        self.note(SendingFact::DrainStarted { until });
        self.close_if_drained();
        self.report_facts();
    }

    /// Whether the session is [draining](Self::drain).
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.sending.as_ref().is_some_and(|sending| sending.drain.is_some())
    }

    /// Closes the connection if it is draining, and nothing is left or its time is over.
    pub(super) fn close_if_drained(&mut self) {
        let Some(drain) = self.sending.as_ref().and_then(|sending| sending.drain.as_ref()) else {
            return;
        };
        if !self.has_drained() && self.now < drain.until {
            return;
        }
        let Some(Drain { code, reason, .. }) = self.sending_mut().drain.take() else { return };
        if let Ok(frame) = CloseFrame::new(code.number(), &reason) {
            self.close(self.now, frame);
        }
    }

    /// Whether nothing is left that a drain waits for.
    fn has_drained(&self) -> bool {
        let is_subscribing = self.is_connection_ready() && self.on_ready.is_due();
        let has_left = self.is_flushed() && self.queued_messages() == 0 && !is_subscribing;
        has_left && self.unanswered_requests() == 0
    }

    /// When [`tick`](Self::tick) is due for what is sent while away or at a limited rate.
    pub(super) fn sending_deadline(&self) -> Option<Instant> {
        let sending = self.sending.as_ref()?;
        let has_drained = sending.drain.is_some() && self.has_drained();
        sending.deadline(self.leaves_at(), has_drained)
    }

    /// When what is held back may leave. In the past, if it may leave now: for example after a
    /// [flush](Self::flushed), when there is space beside what is reserved.
    fn leaves_at(&self) -> Option<Instant> {
        if !self.is_connection_ready() {
            return self.token_at().filter(|at| self.now < *at); // a permit may wait for it
        }
        if !self.is_held_back {
            return self.turn_passes_at();
        }
        if self.is_buffer_full() {
            return None;
        }
        match self.sending.as_ref()?.bucket {
            Some(_) => self.token_at(),
            None => Some(Instant::ZERO),
        }
    }

    /// When the rate limit has a token. `None` without a limit, and while permits hold the tokens.
    fn token_at(&self) -> Option<Instant> {
        self.sending.as_ref()?.bucket.as_ref()?.next_at()
    }

    /// Evaluates that deadline. Returns whether it was due.
    pub(super) fn tick_sending(&mut self, now: Instant) -> bool {
        if self.sending_deadline().is_none_or(|deadline| now < deadline) {
            return false;
        }
        self.now = now;
        self.report_lost();
        self.expire();
        self.advance();
        self.close_if_drained();
        self.report_facts();
        true
    }

    /// The connection is closing or CLOSED: nothing leaves the outbox any more.
    pub(super) fn settle_closing(&mut self) {
        let Some(sending) = &mut self.sending else { return };
        sending.drain = None;
        self.is_held_back = false;
        if let Some((requests, mut facts)) = self.requests_and_facts() {
            requests.end_waiting(&mut facts);
        }
        self.reject_queued();
    }

    /// The socket is lost, and has taken the bytes before `written`.
    pub(super) fn settle_requests(&mut self, written: u64) {
        let is_over = is_closed(self.state());
        if let Some((requests, mut facts)) = self.requests_and_facts() {
            requests.on_lost(written, &mut facts);
            if is_over {
                requests.end_waiting(&mut facts);
            }
        }
    }
}

/// Whether nothing is sent before the next connect.
pub(super) const fn is_closed(state: ConnectionState) -> bool {
    matches!(state, ConnectionState::Closing | ConnectionState::Closed)
}
