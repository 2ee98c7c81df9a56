//! A client's ledger on either driver: what it sends, its outcomes, and what comes back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::time::Duration;

use gateway_core::{Action, Config, DisconnectCause, Notice, Observed, Observer};
use gateway_testkit::Checker;
use gateway_tokio::{
    ClientEvent, Fate, Message, Outcome, RequestError, RequestErrorKind, SendError, Status,
};

use crate::draws::{Draws, Purpose};
use crate::ledger::{Ask, Kind, SocketBook};
use crate::payload;
use crate::shared::{Counts, Phase, Shared, Slot};

/// The books of one client.
pub(crate) struct Teller {
    shared: Arc<Shared>,
    slot: Arc<Slot>,
    draws: Draws,
    /// The number of the last message that was made.
    made: u64,
    /// Messages that were taken and have no outcome yet: the driver's number, and ours.
    unsettled: BTreeMap<u64, u64>,
    /// The number of the last request.
    asked: u64,
    /// The socket that was ready last, by the client's number.
    socket: Option<(u64, SocketBook)>,
    is_ready: bool,
}

/// What a client does next.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Deed {
    /// So many messages, each sent for itself.
    Send(u64),
    /// So many messages, written together later.
    Cork(u64),
    /// So many long messages, more than the socket takes at once.
    Flood(u64),
    /// A request, which may be idempotent.
    Ask(bool),
    /// Close, and connect again.
    Restart,
}

impl Deed {
    pub(crate) const fn is_corked(self) -> bool {
        matches!(self, Self::Cork(_))
    }
}

impl Teller {
    pub(crate) fn new(shared: Arc<Shared>, slot: Arc<Slot>) -> Self {
        let draws = Draws::of(Purpose::Client, shared.seed, slot.place.who(), 0);
        Self {
            shared,
            slot,
            draws,
            made: 0,
            unsettled: BTreeMap::new(),
            asked: 0,
            socket: None,
            is_ready: false,
        }
    }

    pub(crate) fn is_now(&self, phase: Phase) -> bool {
        self.shared.now_is(phase)
    }

    /// Until the next deed.
    pub(crate) fn pace(&mut self) -> Duration {
        self.draws.millis(5..60)
    }

    pub(crate) fn deed(&mut self) -> Option<Deed> {
        if !self.is_now(Phase::Storm) {
            return None;
        }
        Some(match self.draws.within(0..400) {
            0 => Deed::Restart,
            397.. => Deed::Flood(self.draws.within(5..25)),
            1..=20 => Deed::Send(self.draws.within(10..80)),
            21..=60 => Deed::Cork(self.draws.within(2..40)),
            61..=110 if self.slot.kit.asks => Deed::Ask(self.draws.once_in(2)),
            _ => Deed::Send(1),
        })
    }

    /// The next message of a deed, and its number.
    pub(crate) fn message(&mut self, deed: Deed) -> (u64, Message) {
        self.made += 1;
        let bytes = match self.draws.within(0..100) {
            _ if matches!(deed, Deed::Flood(_)) => self.draws.within(20_000..120_000),
            0 => self.draws.within(20_000..200_000),
            1..=5 => self.draws.within(300..20_000),
            _ => self.draws.within(0..300),
        };
        let text =
            payload::of_client(self.slot.index, self.made, usize::try_from(bytes).unwrap_or(0));
        let binary = self.draws.once_in(4);
        (self.made, if binary { Message::binary(text.into_bytes()) } else { Message::text(text) })
    }

    /// The next request, and its number.
    pub(crate) fn request(&mut self) -> (u64, Message) {
        self.asked += 1;
        (self.asked, Message::text(payload::of_request(self.slot.index, self.asked)))
    }

    /// How long a request may take.
    pub(crate) const REQUEST: Duration = Duration::from_millis(250);

    /// The request with this number has ended.
    pub(crate) fn answered(
        &mut self,
        number: u64,
        is_idempotent: bool,
        end: Result<Message, RequestError>,
    ) {
        let counts = self.counts();
        let count = if end.is_ok() { &counts.answered } else { &counts.unanswered };
        count.fetch_add(1, Relaxed);
        let is_unsent = match end {
            Ok(answer) => {
                let of = answer.as_text().and_then(payload::answered).map(|(of, _)| of);
                if of != Some(number) {
                    self.wrong(Kind::Other, format!("request {number} got the answer of {of:?}"));
                }
                false
            }
            Err(error) => {
                match error.kind() {
                    RequestErrorKind::TimedOut
                    | RequestErrorKind::MaybeSent
                    | RequestErrorKind::NotReady
                    | RequestErrorKind::Closed
                    | RequestErrorKind::Full
                    | RequestErrorKind::NotSent => {}
                    _ => self.wrong(Kind::Other, format!("request {number}: {error}")),
                }
                !error.is_maybe_sent()
            }
        };
        self.shared.ledger.asked(self.slot.index, Ask { number, is_idempotent, is_unsent });
    }

    /// A message was handed over, and taken by this number of the driver's or handed back.
    pub(crate) fn handed_over(&mut self, number: u64, to: Result<u64, SendError>) {
        match to {
            Ok(id) => drop(self.unsettled.insert(id, number)),
            Err(refused) => self.refused(number, &refused.into_message()),
        }
    }

    /// What is handed back must be what was handed over.
    fn refused(&self, number: u64, back: &Message) {
        self.counts().refused.fetch_add(1, Relaxed);
        let text = String::from_utf8_lossy(back.as_bytes());
        if payload::number_of(self.slot.index, &text) != Some(number) {
            self.wrong(Kind::Other, format!("{number} was refused, and another handed back"));
        }
    }

    pub(crate) fn event(&mut self, event: &ClientEvent) {
        match event {
            ClientEvent::Message(message) => self.delivered(message),
            ClientEvent::Outcome(outcome) => self.settled(outcome),
            ClientEvent::Notice(Notice::Ready { socket, after }) => {
                self.leave();
                self.socket = Some((socket.number(), self.book(socket.number())));
                self.is_ready = true;
                let away = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
                self.counts().longest_away.fetch_max(away, Relaxed);
            }
            ClientEvent::Disconnected { cause, socket, .. } => {
                self.is_ready = false;
                if let Some((of, book)) = &mut self.socket
                    && *of == socket.number()
                {
                    book.heard_the_end = matches!(
                        cause,
                        DisconnectCause::CloseReceived(_) | DisconnectCause::ProtocolError(_)
                    );
                }
            }
            ClientEvent::Notice(_) => {}
            _ => {} // the enum may grow; what is not known is not booked
        }
    }

    /// After each step: says to the harness whether anything is under way.
    pub(crate) fn rest(&mut self) {
        let is_quiet = self.is_ready && self.unsettled.is_empty() && !self.is_now(Phase::Storm);
        // Before the gateway's first message something is under way.
        let greeted = self.socket.as_ref().filter(|(_, book)| is_quiet && book.delivered > 0);
        self.slot.quiet.store(greeted.map_or(0, |(_, book)| book.connection), SeqCst);
    }

    /// The client is CLOSED and every event was taken.
    pub(crate) fn closed(&mut self, is_asked: bool) {
        self.leave();
        if let Some(number) = self.unsettled.values().next() {
            let (count, number) = (self.unsettled.len(), *number);
            self.wrong(Kind::Other, format!("{count} messages from {number} on have no outcome"));
            self.unsettled.clear();
        }
        if !is_asked {
            self.wrong(Kind::Other, "gave up, though nothing fatal happened".into());
        }
    }

    /// The end: nothing is left in the client.
    pub(crate) fn left(&self, status: &Status) {
        let left = (status.queued_messages, status.queued_bytes, status.unanswered_requests);
        if left != (0, 0, 0) {
            self.wrong(Kind::Other, format!("messages, bytes, requests are left: {left:?}"));
        }
        let statistics = &status.statistics;
        self.counts().attempts.fetch_add(statistics.attempts, Relaxed);
        self.counts().reconnects.fetch_add(statistics.reconnects, Relaxed);
    }

    /// A book for the socket that got ready: of the connection that was noted when it did.
    fn book(&self, socket: u64) -> SocketBook {
        match self.slot.take_noted(socket) {
            Some(connection) => SocketBook::of(connection),
            None => {
                self.wrong(Kind::Other, format!("socket {socket} is told ready, and never got so"));
                SocketBook::of(0)
            }
        }
    }

    fn leave(&mut self) {
        if let Some((_, book)) = self.socket.take() {
            self.shared.ledger.left(self.slot.index, book);
        }
        self.is_ready = false;
    }

    fn settled(&mut self, outcome: &Outcome) {
        for id in outcome.first.number()..=outcome.last.number() {
            // An outbox may report a newer message first: one that expired, or was dropped.
            let next = self.unsettled.first_key_value().map(|(next, _)| *next);
            let is_in_turn = self.slot.kit.queues || next == Some(id);
            let Some(number) = self.unsettled.remove(&id).filter(|_| is_in_turn) else {
                let what = format!("outcome of {id}, where {next:?} is next: {outcome:?}");
                return self.wrong(Kind::Other, what);
            };
            let (socket, is_sent) = match outcome.fate {
                Fate::Sent { socket } => (socket, true),
                Fate::MaybeSent { socket } => (socket, false),
                Fate::Expired if self.slot.kit.queues => {
                    self.counts().expired.fetch_add(1, Relaxed);
                    continue;
                }
                Fate::Rejected => {
                    self.counts().rejected.fetch_add(1, Relaxed);
                    continue;
                }
                _ => return self.wrong(Kind::Other, format!("{outcome:?}")),
            };
            let counts = self.shared.counts(self.slot.driver);
            match &mut self.socket {
                Some((of, book)) if *of == socket.number() => {
                    let (list, count) = if is_sent {
                        (&mut book.sent, &counts.sent)
                    } else {
                        (&mut book.maybe, &counts.maybe)
                    };
                    list.push(number);
                    count.fetch_add(1, Relaxed);
                }
                _ => self.wrong(
                    Kind::Other,
                    format!("an outcome of a socket that is not ready: {outcome:?}"),
                ),
            }
        }
    }

    fn delivered(&mut self, message: &Message) {
        let late = message.as_text().and_then(payload::answered);
        if late.is_some() && self.slot.kit.asks {
            return; // its request has timed out
        }
        let Some((connection, told, echo)) = message.as_text().and_then(payload::from_gateway)
        else {
            return self.wrong(Kind::Other, format!("{} bytes that nobody sent", message.len()));
        };
        let Some((socket, book)) = &mut self.socket else {
            return self.wrong(Kind::Other, format!("a message of {connection} before Ready"));
        };
        let mut wrong = None;
        if book.connection != connection {
            let what = format!("socket {socket} of {} delivers of {connection}", book.connection);
            wrong = Some((Kind::Other, what));
        } else if told < book.delivered {
            let what = format!("connection {connection}: message {told} is delivered again");
            wrong = Some((Kind::Doubled, what));
        } else if told > book.delivered {
            let what = format!("connection {connection}: {} comes before {}", told, book.delivered);
            wrong = Some((Kind::Lost, what));
        }
        book.delivered = told + 1;
        if let Ok(number) = echo.parse::<u64>() {
            if book.echoed.last().is_some_and(|last| *last >= number) {
                wrong = Some((Kind::Doubled, format!("{number} came back again, or out of turn")));
            }
            book.echoed.push(number);
            self.shared.counts(self.slot.driver).echoed.fetch_add(1, Relaxed);
        }
        if let Some((kind, what)) = wrong {
            self.wrong(kind, what);
        }
    }

    fn counts(&self) -> &Counts {
        self.shared.counts(self.slot.driver)
    }

    fn wrong(&self, kind: Kind, what: String) {
        self.shared.ledger.wrong(kind, format!("client {}: {what}", self.slot.index));
    }
}

/// The testkit's checker on a client's core. It also notes to which connection of the gateway's each socket belongs, of which the
/// client's own messages tell nothing where none arrives.
pub(crate) struct Watch {
    checker: Option<Checker>,
    shared: Arc<Shared>,
    slot: Arc<Slot>,
}

impl Watch {
    pub(crate) fn new(shared: Arc<Shared>, slot: Arc<Slot>, config: Arc<Config>) -> Self {
        Self { checker: Some(Checker::new(config)), shared, slot }
    }
}

impl Observer for Watch {
    fn observe(&mut self, observed: &Observed<'_>) {
        for action in observed.actions {
            if let Action::Notify(Notice::Ready { socket, .. }) = action {
                self.slot.note_ready(socket.number());
            }
        }
        let Some(checker) = &mut self.checker else { return };
        if let Err(violation) = checker.observe(observed) {
            let what = format!("client {}: {violation}", self.slot.index);
            self.shared.ledger.wrong(Kind::Violation, what);
            self.checker = None; // its books are worth nothing from here on
        }
    }
}
