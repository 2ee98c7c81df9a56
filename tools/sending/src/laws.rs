//! What must hold after each step, and at the end of a history.

use std::time::Duration;

use gateway_core::{Instant, Notice};
use gateway_wire::{ClientEvent, Fate, NoAnswer, Outcome, Repeat, RequestErrorKind, RequestId};

use crate::answers::TwoIds;
use crate::books::{Asked, Sent};
use crate::history::{Fault, History, Step};
use crate::socket::{Content, Placed, Socket};

/// How long a turn is left for a message that the application waits to send.
const PATIENCE: Duration = Duration::from_millis(100);

pub(crate) type Checked = Result<(), Fault>;

/// The session before a step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Before {
    /// The step, or `None` at the end of the history.
    pub(crate) step: Option<Step>,
    pub(crate) is_ready: bool,
    pub(crate) is_draining: bool,
    /// The request that the step answers.
    pub(crate) answered: Option<RequestId>,
}

pub(crate) fn hold(law: &'static str, holds: bool, what: impl FnOnce() -> String) -> Checked {
    if holds { Ok(()) } else { Err(Fault { law, what: what() }) }
}

impl History<'_> {
    /// Checks everything that a step may have changed.
    pub(crate) fn check(&mut self, before: Before) -> Checked {
        self.take_orders();
        let events: Vec<_> = std::iter::from_fn(|| self.session.next_event()).collect();
        let is_notice =
            |event: &ClientEvent| matches!(event, ClientEvent::Notice(Notice::Ready { .. }));
        let is_newly_ready = events.iter().any(is_notice);
        if is_newly_ready {
            self.books.first = self.books.tried;
            self.is_send_awaited = false;
        }
        self.check_frames(before, before.is_ready || is_newly_ready)?;
        self.take_back();
        for event in &events {
            self.check_event(before, event)?;
        }
        self.check_requests(before)?;
        self.check_socket()?;
        self.check_outbox()?;
        self.check_deadline(before)?;
        self.check_waits()?;
        self.check_drain(before)
    }

    /// The new frames of the open socket.
    fn check_frames(&mut self, before: Before, is_ready: bool) -> Checked {
        let Some(socket) = &mut self.socket else { return Ok(()) };
        let from = socket
            .read(self.session.pending())
            .map_err(|what| Fault { law: "frames are whole", what })?;
        for index in from..socket.frames.len() {
            self.check_turn(before, index)?;
            let Some(socket) = &self.socket else { return Ok(()) };
            let (frame, earlier) = (socket.frames[index], &socket.frames[..index]);
            let is_own = matches!(frame.content, Content::Login | Content::Close);
            let show = || format!("{:?} on socket {}", frame.content, socket.id.number());
            hold("only the login leaves before the connection is ready", is_own || is_ready, show)?;
            let is_open = earlier.iter().all(|frame| frame.content != Content::Close);
            hold("nothing leaves behind a Close frame", is_open, show)?;
            if is_own {
                continue;
            }
            let waits = frame.start.saturating_sub(socket.written);
            hold("the write buffer keeps its bound", waits <= self.world.high_water, || {
                format!("{} behind {waits} bytes", show())
            })?;
            let is_subscribed = earlier.iter().any(|frame| frame.content == Content::OnReady);
            let must_be = self.world.has_on_ready && !is_subscribed;
            let is_in_turn = (frame.content == Content::OnReady) == must_be;
            hold("the messages of every ready come first, once", is_in_turn, show)?;
            self.books.left_at.push(self.now);
            self.books.left_since = None;
            match frame.content {
                Content::Message(index) => {
                    let sent = self.books.sent.get_mut(index);
                    let waits = sent.as_ref().is_some_and(|sent| sent.is_queued());
                    hold("a message leaves once, and only without an outcome", waits, show)?;
                    let Some(sent) = sent else { continue };
                    sent.placed = Some(socket.id);
                    let number = sent.number.unwrap_or_default();
                    hold("no expired message leaves", !sent.has_expired(self.now), show)?;
                    hold("messages leave in their order", number > self.books.left, show)?;
                    self.books.left = number;
                }
                Content::Request(number, id) => {
                    let open = |asked: &Asked| asked.number == number && !asked.is_over;
                    let later =
                        |asked: &Asked| asked.number > number && asked.is_on(Some(socket.id));
                    let is_first = !self.books.asked.iter().any(later);
                    hold("requests leave in their order", is_first, show)?;
                    let session = &self.session;
                    let is_taken = |asked: &Asked| {
                        asked.placed == Some((socket.id, id))
                            && !session.is_request_over(asked.request)
                    };
                    let is_free = !self.books.open().any(is_taken);
                    hold("requests that wait have different ids", is_free, show)?;
                    let asked = self.books.asked.iter_mut().find(|asked| open(asked));
                    hold("a request leaves only while it waits", asked.is_some(), show)?;
                    let Some(asked) = asked else { continue };
                    hold("a request leaves once on a socket", !asked.is_on(Some(socket.id)), show)?;
                    let may_leave = match asked.repeat {
                        Repeat::Never => asked.placed.is_none(),
                        Repeat::WhileUnsent => !asked.was_begun,
                        Repeat::OnReconnect => true,
                    };
                    hold("only a request that may be sent again leaves again", may_leave, show)?;
                    hold("no request leaves after its time", self.now < asked.due, show)?;
                    if asked.placed.is_some() {
                        self.sights.insert("repeated");
                    }
                    asked.placed = Some((socket.id, id));
                }
                Content::OnReady | Content::Login | Content::Close => {}
            }
        }
        let Some((messages, span)) = self.world.rate else { return Ok(()) };
        let last = self.books.left_at.last().copied().unwrap_or(Instant::ZERO);
        let within = |at: &&Instant| at.saturating_add(span) > last;
        let count = self.books.left_at.iter().rev().take_while(within).count();
        hold("no span has more messages than the limit", count <= messages as usize, || {
            format!("{count} in {span:?}")
        })
    }

    /// Messages of a dropped socket of which no byte was written return to the outbox, the newest
    /// first, as far as there is space.
    fn take_back(&mut self) {
        let (Some(socket), Some(queue)) = (&self.dropped, self.world.outbox) else { return };
        if self.is_closed() {
            return;
        }
        for frame in socket.frames.iter().rev().filter(|frame| !socket.has_begun(frame)) {
            let Content::Message(index) = frame.content else { continue };
            let (count, bytes) = (self.books.queued().count(), self.books.queued_bytes());
            let sent = &mut self.books.sent[index];
            if count < queue.messages && bytes + sent.length <= queue.bytes {
                sent.placed = None;
                self.books.left = sent.number.unwrap_or_default() - 1;
                self.sights.insert("returned");
            }
        }
    }

    pub(crate) fn check_event(&mut self, before: Before, event: &ClientEvent) -> Checked {
        let ClientEvent::Outcome(outcome) = event else { return Ok(()) };
        for number in outcome.first.number()..=outcome.last.number() {
            self.check_outcome(before, number, outcome)?;
        }
        Ok(())
    }

    fn check_outcome(&mut self, before: Before, number: u64, outcome: &Outcome) -> Checked {
        let is_rejectable = self.is_rejectable(before, number);
        let Some(index) = self.books.index_of(number) else {
            let what = format!("{outcome:?}");
            return Err(Fault { law: "an outcome is of an accepted message", what });
        };
        let sent = &mut self.books.sent[index];
        let show = |sent: &Sent| format!("{outcome:?} of {sent:?}");
        hold("a message has one outcome", sent.fate.is_none(), || show(sent))?;
        let place = sent
            .placed
            .and_then(|_| place(&[&self.socket, &self.dropped], Content::Message(index)));
        let is_dropped = self.dropped.as_ref().map(|socket| socket.id);
        let is_right = match (outcome.fate, place) {
            (Fate::Sent { socket: id }, Some((socket, frame))) => {
                id == socket.id && socket.has_flushed(frame)
            }
            (Fate::MaybeSent { socket: id }, Some((socket, frame))) => {
                id == socket.id
                    && is_dropped == Some(id)
                    && socket.has_begun(frame)
                    && !socket.has_flushed(frame)
            }
            (Fate::Rejected, Some((socket, frame))) => {
                is_dropped == Some(socket.id) && !socket.has_begun(frame)
            }
            (Fate::Rejected, None) => sent.is_queued() && is_rejectable,
            (Fate::Expired, None) => sent.has_expired(self.now),
            _ => false,
        };
        hold("an outcome agrees with the transport", is_right, || show(sent))?;
        sent.fate = Some(outcome.fate);
        self.sights.insert(match outcome.fate {
            Fate::Sent { .. } => "sent",
            Fate::MaybeSent { .. } => "maybe_sent",
            Fate::Rejected => "rejected",
            _ if matches!(before.step, Some(Step::Send | Step::SendLong)) => "expired_by_send",
            _ => "expired",
        });
        Ok(())
    }

    /// Whether a message in the outbox may be rejected now.
    fn is_rejectable(&mut self, before: Before, number: u64) -> bool {
        let oldest = self.books.queued().next();
        // A send drops no message that has expired: it reports that instead.
        let is_oldest =
            oldest.is_some_and(|sent| sent.number == Some(number) && !sent.has_expired(self.now));
        let (count, bytes) = (self.books.queued().count(), self.books.queued_bytes());
        let is_overfull = self.world.outbox.is_some_and(|queue| {
            queue.drops_oldest && (count > queue.messages || bytes > queue.bytes)
        });
        if is_oldest && is_overfull {
            self.sights.insert("dropped");
            return true;
        }
        let is_asked = matches!(before.step, None | Some(Step::Close));
        is_asked || self.is_closed() && !self.is_drained(before)
    }

    /// Whether a drain has closed the connection before its time. Then nothing may have waited.
    fn is_drained(&self, before: Before) -> bool {
        let was_draining = before.is_draining || before.step == Some(Step::Drain);
        let is_over = self.is_closed() && !self.session.is_draining();
        was_draining && is_over && self.now < self.drain_until && before.step != Some(Step::Close)
    }

    /// How requests have ended.
    pub(crate) fn check_requests(&mut self, before: Before) -> Checked {
        let ended: Vec<_> = self.session.ended_requests().collect();
        for request in ended {
            let Some(end) = self.session.take_answer(request) else {
                let what = format!("{request:?} has ended, and has no end");
                return Err(Fault { law: "each request ends once", what });
            };
            let index = self.books.asked.iter().position(|asked| asked.request == request);
            let index = index.filter(|index| !self.books.asked[*index].is_over);
            let Some(index) = index else {
                let what = format!("{request:?} ends with {end:?}, and has no more to end");
                return Err(Fault { law: "each request ends once", what });
            };
            let asked = &self.books.asked[index];
            let (socket, is_lost) = match (&self.socket, &self.dropped) {
                (_, Some(dropped)) if asked.is_on(Some(dropped.id)) => (Some(dropped), true),
                (socket, _) => {
                    (socket.as_ref().filter(|socket| asked.is_on(Some(socket.id))), false)
                }
            };
            let is_begun = asked.was_begun || socket.is_some_and(|socket| has_begun(socket, asked));
            let is_closing = self.is_closed() && !self.is_drained(before);
            let may_be_lost =
                is_lost || self.dropped.is_some() || is_closing || before.step.is_none();
            let is_right = match &end {
                Ok(_) => {
                    let answered = match before.step {
                        Some(Step::Answer(id)) => Some(id),
                        _ => None,
                    };
                    !is_lost && socket.is_some() && asked.placed.map(|(_, id)| id) == answered
                }
                Err(why) => {
                    let is_over = match why.kind() {
                        RequestErrorKind::TimedOut => self.now >= asked.due,
                        RequestErrorKind::NotSent => {
                            let may_wait = asked.repeat != Repeat::Never;
                            let is_last = self.is_closed() || before.step.is_none();
                            may_be_lost && !is_begun && (is_last || !may_wait)
                        }
                        RequestErrorKind::MaybeSent => may_be_lost && is_begun,
                        _ => false,
                    };
                    // What is in the write buffer leaves.
                    let is_maybe_sent = is_begun || socket.is_some() && !is_lost;
                    is_over && why.is_maybe_sent() == is_maybe_sent
                }
            };
            let show = || format!("{end:?} of {asked:?}");
            hold("the end of a request agrees with the transport", is_right, show)?;
            let again = self.session.take_answer(request);
            hold("each request ends once", again.is_none(), || format!("{again:?} of {asked:?}"))?;
            self.sights.insert(match end.as_ref().map_err(NoAnswer::kind) {
                Ok(_) => "answered",
                Err(RequestErrorKind::TimedOut) => "timed_out",
                Err(RequestErrorKind::NotSent) => "not_sent",
                Err(_) => "maybe_sent",
            });
            self.books.asked[index].is_over = true;
        }
        if let Some(request) = before.answered {
            let waits = self.books.open().find(|asked| asked.request == request);
            hold("an answer ends its request", waits.is_none(), || format!("{waits:?}"))?;
        }
        let (unanswered, open) = (self.session.unanswered_requests(), self.books.open().count());
        let show = || format!("{unanswered} in place of {open}");
        hold("each request waits until it ends", unanswered == open, show)?;
        hold("requests keep their bound", open <= self.world.requests, || open.to_string())
    }

    /// A dropped socket leaves nothing open, and a flush settles what it covers.
    fn check_socket(&mut self) -> Checked {
        if let Some(socket) = self.dropped.take() {
            let is_open = |sent: &&Sent| sent.placed == Some(socket.id) && sent.fate.is_none();
            let left = self.books.sent.iter().find(is_open);
            hold("each message of a lost socket has an outcome", left.is_none(), || {
                format!("{left:?}")
            })?;
            for asked in self.books.asked.iter_mut().filter(|asked| !asked.is_over) {
                if asked.is_on(Some(socket.id)) {
                    asked.was_begun |= has_begun(&socket, asked);
                    let show = || format!("{asked:?}");
                    let is_kept = match asked.repeat {
                        Repeat::Never => false,
                        Repeat::WhileUnsent => !asked.was_begun,
                        Repeat::OnReconnect => true,
                    };
                    hold("a lost socket ends its requests", is_kept, show)?;
                } else if asked.repeat == Repeat::Never {
                    let what = format!("{asked:?}");
                    return Err(Fault { law: "a lost socket ends its requests", what });
                }
            }
        }
        let Some(socket) = &self.socket else { return Ok(()) };
        for frame in socket.frames.iter().filter(|frame| socket.has_flushed(frame)) {
            if let Content::Message(index) = frame.content {
                let sent = &self.books.sent[index];
                hold("a flush settles what it covers", sent.fate.is_some(), || {
                    format!("{sent:?}")
                })?;
            }
        }
        Ok(())
    }

    /// The outbox has what waits for it, and no more than its limits.
    fn check_outbox(&self) -> Checked {
        let told = (self.session.queued_messages(), self.session.queued_bytes());
        let (count, bytes) = (self.books.queued().count(), self.books.queued_bytes());
        hold("the outbox has what has no outcome", told == (count, bytes), || {
            format!("{told:?} in place of {:?}", (count, bytes))
        })?;
        let keeps =
            self.world.outbox.is_none_or(|queue| count <= queue.messages && bytes <= queue.bytes);
        hold("the outbox keeps its bounds", keeps, || format!("{count} messages, {bytes} bytes"))
    }

    /// A tick leaves nothing that is due.
    fn check_deadline(&self, before: Before) -> Checked {
        if before.step != Some(Step::Due) {
            return Ok(());
        }
        let now = self.now;
        let deadline = self.session.deadline();
        let show = || format!("{deadline:?} at {now:?}");
        hold("after a tick no deadline is due", deadline.is_none_or(|due| due > now), show)?;
        let late = self.books.open().find(|asked| asked.due <= now);
        hold("a request ends by its time", late.is_none(), || format!("{late:?}"))?;
        let old = self.books.queued().find(|sent| sent.has_expired(now));
        hold("a message expires at its time", old.is_none(), || format!("{old:?}"))?;
        let is_over = !self.session.is_draining() || now < self.drain_until;
        hold("a drain ends at its time", is_over, || format!("{:?}", self.drain_until))
    }

    /// Nothing waits that could leave, and there is a deadline for what waits for the rate limit.
    fn check_waits(&mut self) -> Checked {
        let holds = self.session.is_full() && !self.session.is_write_blocked();
        let may_hold = self.session.is_connection_ready() || self.reserved() > 0;
        hold("a connection that is not ready holds no send back", may_hold || !holds, String::new)?;
        let deadline = self.session.deadline();
        let is_tick_due = deadline.is_some_and(|due| due <= self.now);
        if !self.session.is_connection_ready() || is_tick_due || self.has_no_space() {
            return Ok(());
        }
        let live = self.live();
        if self.reserved() > 0 && self.world.rate.is_some() {
            return Ok(()); // the one token is held
        }
        let on_socket = self.books.open().filter(|asked| asked.is_on(live)).count();
        let off_socket = self.books.open().count() - on_socket;
        let has_request = off_socket > 0 && on_socket < TwoIds::COUNT;
        let waits = self.books.queued().next().is_some() || has_request;
        let queued = self.books.queued().count();
        let show = || {
            format!(
                "{queued} messages and {off_socket} requests wait; the deadline is {deadline:?}"
            )
        };
        let token_at = self.token_at();
        if self.now < token_at {
            let is_timed = !waits || deadline.is_some_and(|due| due <= token_at);
            return hold("what waits for the rate limit has a deadline", is_timed, show);
        }
        let is_left = has_request && self.is_send_awaited && self.books.queued().next().is_none();
        let passes_at = self.books.left_since.unwrap_or(self.now).saturating_add(PATIENCE);
        let is_short = deadline.is_some_and(|due| due <= passes_at);
        hold("nothing waits without a reason", !waits || is_left && is_short, show)?;
        if is_left {
            self.books.left_since.get_or_insert(self.now);
            self.sights.insert("left");
        }
        hold("no send waits without a reason", !self.session.is_full(), show)
    }

    /// Requests and messages take turns, if both wait: behind the requests that waited for the
    /// connection, and unless a message has not come in its time.
    fn check_turn(&mut self, before: Before, index: usize) -> Checked {
        let Some(socket) = &self.socket else { return Ok(()) };
        let is_either =
            |content: &Content| matches!(content, Content::Message(_) | Content::Request(..));
        let content = socket.frames[index].content;
        let earlier = socket.frames[..index].iter().rev().map(|frame| frame.content);
        let last = earlier.clone().find(is_either);
        let show = || format!("{content:?} behind {last:?}");
        match (content, last) {
            (Content::Request(number, _), Some(Content::Request(..))) => {
                let is_first = number < self.books.first;
                let has_message = self.books.queued().next().is_some() || self.is_send_awaited;
                let since = self.books.left_since;
                let has_passed = since.is_some_and(|at| self.now >= at.saturating_add(PATIENCE));
                if has_passed && has_message {
                    self.sights.insert("passed");
                }
                let is_right = is_first || !has_message || has_passed;
                hold("requests and messages take turns", is_right, show)
            }
            (Content::Message(index), Some(Content::Message(_))) => {
                let is_sent = matches!(before.step, Some(Step::Send | Step::SendLong))
                    && index + 1 == self.books.sent.len();
                let is_permitted =
                    !self.world.has_permits || self.world.steps.contains(&Step::Reserve);
                let live = Some(socket.id);
                let open = |asked: &&Asked| !self.session.is_request_over(asked.request);
                let on_socket = self.books.open().filter(open).filter(|asked| asked.is_on(live));
                let off_socket = self.books.open().filter(open).filter(|asked| !asked.is_on(live));
                let has_request = off_socket.count() > 0 && on_socket.count() < TwoIds::COUNT;
                let is_right = !has_request || is_sent && is_permitted;
                hold("requests and messages take turns", is_right, show)
            }
            _ => Ok(()),
        }
    }

    fn has_no_space(&self) -> bool {
        let reserved = self.reserved();
        let fills = self.session.pending().len() + reserved > self.world.high_water;
        self.session.is_write_blocked() || reserved > 0 && fills
    }

    /// A drain ends once nothing is left, and not before.
    fn check_drain(&mut self, before: Before) -> Checked {
        let session = &self.session;
        let is_tick_due = session.deadline().is_some_and(|due| due <= self.now);
        let is_lost = self.socket.is_some() && self.live() != session.socket(); // its drop comes
        if session.is_draining() && !is_tick_due && !is_lost {
            let is_left = session.queued_messages() > 0
                || session.unanswered_requests() > 0
                || !session.is_flushed()
                || self.subscribes();
            hold("a drain ends once nothing is left", is_left, || {
                format!("until {:?}", self.drain_until)
            })?;
        }
        if self.is_drained(before) {
            let open = self.books.open().next();
            hold("a drain waits for answers", open.is_none(), || format!("{open:?}"))?;
            self.sights.insert("drained");
        }
        Ok(())
    }

    /// The history is over: everything must be settled.
    pub(crate) fn check_end(&self) -> Checked {
        let open = self.books.sent.iter().find(|sent| sent.number.is_some() && sent.fate.is_none());
        hold("each message has an outcome at the end", open.is_none(), || format!("{open:?}"))?;
        let asked = self.books.open().next();
        hold("each request has ended at the end", asked.is_none(), || format!("{asked:?}"))
    }
}

fn place<'a>(sockets: &[&'a Option<Socket>], content: Content) -> Option<(&'a Socket, &'a Placed)> {
    sockets.iter().copied().flatten().find_map(|socket| {
        let frame = socket.frames.iter().find(|frame| frame.content == content)?;
        Some((socket, frame))
    })
}

/// Whether the transport may have a part of this request.
fn has_begun(socket: &Socket, asked: &Asked) -> bool {
    socket.frames.iter().any(|frame| {
        matches!(frame.content, Content::Request(number, _) if number == asked.number)
            && socket.has_begun(frame)
    })
}
