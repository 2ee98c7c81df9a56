//! Turns the core's actions into orders, bytes and events.

use gateway_core::{
    Action, Actions, CloseFrame, DisconnectCause, Encoded, Event, Instant, Login, Notice, Outgoing,
    SocketId,
};
use tracing::level_filters::LevelFilter;

use super::link::{Link, Writing};
use super::ping::is_ping;
use super::sending::is_closed;
use super::{Order, Session};
use crate::codec::Incoming;
use crate::escape::{escaped, first_bytes};
use crate::event::ClientEvent;
use crate::hidden::Hidden;
use crate::message::Message;
use crate::outcome::Outcome;
use crate::provider::Attempt;

/// The most bytes of an error's text that are kept. The application's own code may return a text of
/// any length.
const DETAIL: usize = 2 << 10;

/// The most bytes that are kept of the text that refused a login, before it is escaped.
const REFUSAL: usize = 512;

/// The payload of the current event. An action only names it.
pub(super) enum Payload<'a> {
    None,
    Incoming(Incoming),
    Close(CloseFrame<'a>),
    Detail(&'a str),
}

impl Session {
    /// Passes an event to the core, and carries out its actions.
    pub(super) fn at(&mut self, now: Instant, event: Event<'_>, mut payload: Payload<'_>) {
        self.now = now;
        let actions = self.handle(now, event);
        self.perform_all(&actions, &mut payload);
    }

    /// The only place where the core gets an event.
    pub(super) fn handle(&mut self, now: Instant, event: Event<'_>) -> Actions {
        if self.observer.is_some() {
            return self.handle_observed(now, event);
        }
        self.connection.handle(now, event)
    }

    /// Not part of [`handle`](Self::handle), so that no actions are copied without an observer.
    #[inline(never)]
    fn handle_observed(&mut self, now: Instant, event: Event<'_>) -> Actions {
        self.report_facts();
        let actions = self.connection.handle(now, event);
        if let Some(observing) = &mut self.observer {
            observing.observe(&self.connection.observed(now, event, &actions));
        }
        actions
    }

    pub(super) fn perform_all(&mut self, actions: &Actions, payload: &mut Payload<'_>) {
        if let Some(reason) = self.connection.spoken(actions).reason() {
            let reason = String::from_utf8_lossy(self.connection.part(reason)).into_owned();
            self.said = Some(escaped(&self.without_secrets(&reason, REFUSAL)).into());
        }
        for action in actions {
            self.perform(*action, payload);
        }
        self.said = None;
        if std::mem::take(&mut self.is_newly_ready) {
            if let Some(link) = &mut self.link {
                link.was_ready = true; // only now: the call that accepts the login may send, too
            }
            self.compare_places();
            self.start_turns();
            self.advance(); // behind the dialect's own messages
        }
        if std::mem::take(&mut self.is_newly_closing) {
            self.settle_closing();
        }
        if self.needs_time() {
            self.settle_answer();
        }
        self.reserve_open();
        self.report_facts();
    }

    /// Carries out the actions for a message. Nearly all messages are only delivered.
    #[inline(always)]
    pub(super) fn answer_message(&mut self, actions: &Actions, message: Message) {
        match actions.as_slice() {
            [Action::Deliver] if self.needs_time() => {
                self.deliver_or_answer(message);
                self.settle_answer();
            }
            [Action::Deliver] => self.deliver(message),
            _ => {
                let incoming = Incoming::Message(message);
                self.perform_all(actions, &mut Payload::Incoming(incoming));
            }
        }
    }

    // Inlined: otherwise the message passes through memory twice on its way into the queue.
    #[inline(always)]
    pub(super) fn deliver(&mut self, message: Message) {
        self.backlog += weight(&message);
        self.events.push_message(message);
        if LevelFilter::current() == LevelFilter::TRACE {
            self.log_message();
        }
    }

    /// Logs the last message. Not part of [`deliver`](Self::deliver), which nearly always has
    /// nothing to log.
    #[cold]
    #[inline(never)]
    fn log_message(&mut self) {
        if let Some(ClientEvent::Message(message)) = self.events.back() {
            self.log.message(message.len());
        }
    }

    /// Logs and queues a notice or a disconnection.
    pub(super) fn notify(&mut self, event: ClientEvent) {
        self.log.news(&event);
        self.metering.news(&event);
        let dropped = self.events.push_news(event);
        if dropped > 0 {
            self.log.dropped(dropped);
            self.metering.missed(dropped);
        }
    }

    /// Logs and queues an outcome.
    pub(super) fn report(&mut self, outcome: Outcome) {
        self.log.outcome(&outcome);
        self.settle(outcome);
    }

    /// Queues an outcome, without a log line.
    pub(super) fn settle(&mut self, outcome: Outcome) {
        self.unsent.count(&outcome);
        self.metering.outcome(&outcome);
        self.events.push_outcome(outcome);
        self.note(outcome.fact());
    }

    fn perform(&mut self, action: Action, payload: &mut Payload<'_>) {
        match action {
            Action::AskProvider { id, credentials } => {
                let last_cause = self.connection.statistics(self.now).last_disconnect;
                let attempt = Attempt::of(id, credentials, last_cause);
                self.orders.push_back(Order::Ask { id, attempt });
            }
            Action::ReserveOpen(earliest) => self.want_open(earliest),
            Action::ReleaseOpen => self.release_open(),
            Action::OpenSocket { id, credentials } => {
                self.orders.push_back(Order::Open { id, credentials });
            }
            Action::CloseSocket(id) => {
                let farewell = self.leave(id);
                self.orders.push_back(Order::Drop { id, farewell });
            }
            Action::AbortSocket(id) => {
                let _ = self.leave(id); // its last bytes are not written
                self.orders.push_back(Order::Abort { id });
            }
            // The report follows when the other actions of this event are carried out.
            Action::Drain(id) => {
                if let Some(link) = self.link.as_mut().filter(|link| link.id == id) {
                    link.is_draining = true;
                }
            }
            Action::ResumeAt(url) => {
                let url = String::from_utf8_lossy(self.connection.part(url)).into_owned();
                self.resume_at(&url);
            }
            Action::Send(_, outgoing) => self.put(outgoing, payload),
            Action::Deliver => {
                if let Payload::Incoming(Incoming::Message(message)) =
                    std::mem::replace(payload, Payload::None)
                {
                    self.deliver_or_answer(message);
                }
            }
            Action::Notify(Notice::Disconnected { socket, cause }) => {
                self.note_end(socket, cause);
                self.forget_resumed(socket);
                let is_own =
                    matches!(cause, DisconnectCause::Dialect | DisconnectCause::LoginRefused(_));
                let said = self.said.take().filter(|_| is_own);
                let detail = self.refusal_of(cause).or(said);
                let detail = detail.unwrap_or_else(|| self.detail(payload));
                self.notify(ClientEvent::Disconnected { socket, cause, detail });
            }
            Action::Notify(Notice::LoginRefused { socket, verdict }) => {
                let reason = self.note_refusal(socket, payload);
                self.notify(ClientEvent::LoginRefused { socket, verdict, reason });
            }
            Action::Notify(notice @ Notice::Ready { socket, .. }) => {
                self.prove_resumed(socket);
                self.on_ready.start();
                self.is_newly_ready = true;
                self.stable_at = self.connection.stable_at().map(|at| (socket, at));
                self.notify(ClientEvent::Notice(notice));
            }
            Action::Notify(notice) => {
                match notice {
                    Notice::PongReceived { .. } => self.on_pong(),
                    Notice::StateChanged { to, .. } => {
                        self.is_newly_closing |= is_closed(to);
                        self.note_absence(to);
                        self.is_held_back &= self.is_connection_ready();
                    }
                    _ => {}
                }
                self.notify(ClientEvent::Notice(notice));
            }
            // A driver arms its timer for `deadline()`, which always equals the timer of these
            // actions.
            Action::ScheduleTimer(_) | Action::CancelTimer => {}
        }
    }

    /// Keeps the beginning of the text that refused the login, without secrets, and returns it.
    #[cold]
    fn note_refusal(&mut self, socket: SocketId, payload: &Payload<'_>) -> Box<str> {
        let reason = self.said.take().unwrap_or_else(|| {
            let Payload::Incoming(Incoming::Message(message)) = payload else { return "".into() };
            let text = self.without_secrets(message.as_text().unwrap_or_default(), REFUSAL);
            escaped(&text).into()
        });
        if let Some(link) = self.link.as_mut().filter(|link| link.id == socket) {
            link.refusal = Some(reason.clone());
        }
        reason
    }

    /// The first `most` bytes of a text of the server's, without the login and the request's
    /// secrets. They are removed before the text is cut, so that no part of one is left.
    fn without_secrets(&self, text: &str, most: usize) -> String {
        let login = match (&self.private.login, self.connection.config().login()) {
            (Some(login), _) | (None, Login::Message { send: login, .. }) => {
                Hidden::of_login(login)
            }
            _ => Hidden::default(),
        };
        let sent = self.link.as_ref().map_or(&[][..], |link| &link.dialect_login);
        let login = sent.iter().fold(login, Hidden::and_login);
        let longest = login.longest().max(self.hidden.longest());
        let text = login.removed_from(first_bytes(text, most + longest));
        first_bytes(&self.hidden.removed_from(&text), most).to_owned()
    }

    /// The text of a disconnection, in addition to its cause.
    fn detail(&self, payload: &Payload<'_>) -> Box<str> {
        match payload {
            Payload::Incoming(Incoming::Close(Some((_, reason)))) => {
                self.without_secrets(reason, CloseFrame::MAX_REASON).into()
            }
            Payload::Detail(detail) => first_bytes(detail, DETAIL).into(),
            Payload::None | Payload::Incoming(_) | Payload::Close(_) => "".into(),
        }
    }

    /// Returns the text that refused the login, if the refusal ended the socket.
    fn refusal_of(&mut self, cause: DisconnectCause) -> Option<Box<str>> {
        let link = self.link.as_mut().filter(|_| matches!(cause, DisconnectCause::LoginRefused(_)));
        link?.refusal.take().filter(|text| !text.is_empty())
    }

    fn put(&mut self, outgoing: Outgoing, payload: &Payload<'_>) {
        if takes_token(outgoing) {
            self.take_token();
        }
        let Some(link) = &mut self.link else { return };
        let Link { codec, output, farewell, .. } = link;
        *farewell |= matches!(outgoing, Outgoing::RequestedClose | Outgoing::Close(_));
        if let (Outgoing::RequestedClose, Payload::Close(frame)) = (outgoing, payload) {
            return codec.encode_close(frame.code(), frame.reason(), output.buffer());
        }
        if let (Outgoing::Login, Some(login)) = (outgoing, &self.private.login) {
            return codec.encode_text(login.reveal(), output.buffer());
        }
        self.scratch.clear();
        let behind = output.pending().len() as u64;
        match self.connection.encode(&outgoing, &mut self.scratch) {
            Some(Encoded::Text) => {
                let start = output.end();
                codec.encode_text(&self.scratch, output.buffer());
                match outgoing {
                    Outgoing::Dialect(_) => {
                        link.remember_login(&self.scratch);
                        link.add_answer(start);
                    }
                    Outgoing::Pong(_) => link.add_answer(start),
                    _ => {}
                }
            }
            Some(Encoded::Binary(bytes)) => {
                let start = output.end();
                codec.encode_binary(bytes, output.buffer());
                if matches!(outgoing, Outgoing::Dialect(_)) {
                    link.remember_login(std::str::from_utf8(bytes).unwrap_or_default());
                    link.add_answer(start);
                }
            }
            Some(Encoded::Ping) => codec.encode_ping(self.scratch.as_bytes(), output.buffer()),
            Some(Encoded::Close(code)) => codec.encode_close(code, "", output.buffer()),
            None => {}
        }
        if is_ping(outgoing) {
            link.pings.on_queued(link.output.end(), behind);
        }
        self.scratch.clear(); // a login is not kept in memory
        if let Outgoing::Dialect(_) = outgoing {
            link.bound_answers(self.limits.most_answers());
        }
    }

    #[inline]
    pub(super) fn block_if_full(&mut self) {
        let high_water = self.limits.high_water;
        if self.link.as_ref().is_some_and(|link| link.output.pending().len() > high_water) {
            self.block();
        }
    }

    /// Blocks writing. A permit's message must be accepted. So the core is not blocked while bytes are
    /// reserved; `poll_space` holds all other messages back.
    #[cold]
    fn block(&mut self) {
        let is_reserved = self.sending.as_ref().is_some_and(|sending| sending.reserved > 0);
        let Some(link) = self.link.as_mut().filter(|link| link.writing == Writing::Free) else {
            return;
        };
        if !is_reserved {
            link.writing = Writing::Blocked { until: link.output.end() };
            let id = link.id;
            self.at(self.now, Event::WriteBlocked(id), Payload::None);
        }
    }
}

/// Whether a frame counts for the rate limit. What answers the server's pings does not: otherwise the
/// server could keep the application from sending.
const fn takes_token(outgoing: Outgoing) -> bool {
    match outgoing {
        Outgoing::Requested
        | Outgoing::Login
        | Outgoing::Ping(_)
        | Outgoing::WebSocketPing(_)
        | Outgoing::DialectPing(_)
        | Outgoing::Dialect(_) => true,
        Outgoing::RequestedClose | Outgoing::Close(_) | Outgoing::Pong(_) => false,
    }
}

/// Backlog cost of a queued message: its payload and its place in the queue. So empty messages are
/// bounded too.
pub(crate) fn weight(message: &Message) -> usize {
    message.len() + size_of::<ClientEvent>()
}
