//! What an observer receives about messages and requests, and when.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};

use gateway_core::{MessageFate, Observed, RequestEnd, SendingFact};
use gateway_journal::{Journal, Recorder};

use super::requests::asking;
use super::sending::{endpoint, lose, paced, ready, write_all};
use super::*;
use crate::outbox::Outbox;
use crate::rate::Rate;
use crate::requests::Repeat;

/// A journal in memory.
#[derive(Clone, Default)]
pub(super) struct Recording(Arc<Mutex<Vec<u8>>>);

impl io::Write for Recording {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Recording {
    pub(super) fn observer(&self) -> BoxObserver {
        Box::new(Recorder::new(self.clone(), |error| panic!("{error}")))
    }

    /// Checks that the journal contradicts itself nowhere, and replays as recorded. Drop the session
    /// before.
    pub(super) fn check(&self) {
        let journal = self.0.lock().unwrap();
        for step in Journal::read(journal.as_slice()).unwrap().replay() {
            let step = step.unwrap_or_else(|error| {
                panic!("{error}\n{}", String::from_utf8_lossy(&journal));
            });
            assert!(step.is_as_recorded(), "{}\n{}", step.recorded(), step.description());
        }
    }
}

/// Keeps the facts. Panics at the first one if it is told to.
#[derive(Clone, Default)]
struct Seen {
    facts: Arc<Mutex<Vec<(Instant, SendingFact)>>>,
    panics: bool,
}

impl Observer for Seen {
    fn observe(&mut self, _: &Observed<'_>) {}

    fn sending(&mut self, now: Instant, fact: &SendingFact) {
        self.facts.lock().unwrap().push((now, *fact));
        if self.panics {
            std::panic::resume_unwind(Box::new("of the observer"));
        }
    }
}

impl Seen {
    fn take(&self) -> Vec<(Instant, SendingFact)> {
        std::mem::take(&mut self.facts.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The facts since the last call, all of this time.
    fn at(&self, now: Instant) -> Vec<SendingFact> {
        let facts = self.take();
        assert!(facts.iter().all(|(at, _)| *at == now), "{facts:?}");
        facts.into_iter().map(|(_, fact)| fact).collect()
    }
}

const fn settled(first: u64, last: u64, fate: MessageFate) -> SendingFact {
    SendingFact::MessagesSettled { first, last, fate }
}

fn queueing(seen: &Seen) -> Session {
    let outbox = Outbox::default().messages(3).time_to_live(Duration::from_secs(10));
    asking().with_outbox(outbox, &endpoint()).with_observer(Box::new(seen.clone()))
}

#[test]
fn an_observer_sees_each_message_through_the_outbox_a_loss_and_its_time_to_live() {
    let seen = Seen::default();
    let mut session = queueing(&seen);
    session.set_time(at(1));
    for text in ["one", "three", "four", "five"] {
        session.send(Message::text(text)).unwrap();
    }
    let queued = |number, bytes| SendingFact::MessageQueued { number, bytes };
    let dropped = settled(1, 1, MessageFate::Rejected);
    assert_eq!(seen.at(at(1)), [queued(1, 3), queued(2, 5), queued(3, 4), dropped, queued(4, 4)]);

    let id = ready(&mut session, at(2));
    let buffered = |number| SendingFact::MessageBuffered { number };
    assert_eq!(seen.at(at(2)), [buffered(2), buffered(3), buffered(4)]);

    session.written(id, 6 + 5 + 1); // "three", and the head of "four"
    session.flushed(id);
    assert_eq!(seen.at(at(2)), [settled(2, 2, MessageFate::Sent)]);
    lose(&mut session, at(3), id);
    let expected = [
        settled(3, 3, MessageFate::MaybeSent),
        SendingFact::MessagesReturned { first: 4, last: 4 },
    ];
    assert_eq!(seen.at(at(3)), expected);

    session.tick(at(11));
    assert_eq!(seen.at(at(11)), [settled(4, 4, MessageFate::Expired)]);
}

#[test]
fn an_observer_sees_how_each_request_ended() {
    let seen = Seen::default();
    let mut session = queueing(&seen);
    let ends = |request, end| SendingFact::RequestEnded { request, end };
    let id = ready(&mut session, at(1));
    let ask = |session: &mut Session, now, text: &str, repeat| {
        session.request(now, &Message::text(text), Duration::from_secs(5), repeat).unwrap()
    };
    for (text, repeat) in [
        ("{}", Repeat::Never),
        ("[]", Repeat::Never),
        ("{}", Repeat::Never),
        ("{}", Repeat::OnReconnect),
    ] {
        ask(&mut session, at(1), text, repeat);
    }
    let timeout = Duration::from_secs(5);
    let made = |request, is_idempotent| SendingFact::RequestMade {
        request,
        bytes: 2,
        is_idempotent,
        timeout,
    };
    let buffered = |request, id| SendingFact::RequestBuffered { request, id };
    let expected = [
        made(1, false),
        buffered(1, 1),
        made(2, false),
        ends(2, RequestEnd::Correlation),
        made(3, false),
        buffered(3, 3),
        made(4, true),
        buffered(4, 4),
    ];
    assert_eq!(seen.at(at(1)), expected);

    for _ in 0..2 {
        session.received(at(2), id, &frame(0x81, r#"{"id":1}"#));
    }
    let unmatched = SendingFact::AnswerUnmatched;
    assert_eq!(seen.at(at(2)), [ends(1, RequestEnd::Answered), unmatched]);
    lose(&mut session, at(3), id);
    assert_eq!(seen.at(at(3)), [ends(3, RequestEnd::NotSent)]);
    ready(&mut session, at(4));
    assert_eq!(seen.at(at(4)), [buffered(4, 5)]);
    session.tick(at(6));
    assert_eq!(seen.at(at(6)), [ends(4, RequestEnd::TimedOut)]);

    let forgotten = ask(&mut session, at(7), "{}", Repeat::Never);
    session.forget_request(forgotten);
    session.forget_request(forgotten);
    assert_eq!(seen.take().pop(), Some((at(7), ends(5, RequestEnd::Forgotten))));
}

#[test]
fn an_observer_sees_what_was_refused_and_why_messages_wait() {
    let seen = Seen::default();
    let rate = Rate::new(2, Duration::from_secs(2)).burst(1).reserve(0);
    let mut session = paced(session(calm()), rate).with_observer(Box::new(seen.clone()));
    let id = ready(&mut session, at(1));
    session.send(Message::text("one")).unwrap();
    let until = at(2);
    assert_eq!(seen.at(at(1)), [SendingFact::RateLimited { until }]);
    session.send(Message::text("two")).unwrap_err();
    session.drain(at(1), CloseFrame::NORMAL, at(9));
    session.send(Message::text("three")).unwrap_err();
    let refused = |bytes, why| SendingFact::MessageRefused { bytes, why };
    let expected = [
        refused(3, SendRejection::Paced),
        SendingFact::DrainStarted { until: at(9) },
        refused(5, SendRejection::Closed),
    ];
    assert_eq!(seen.at(at(1)), expected);
    write_all(&mut session, id);
    assert_eq!(seen.at(at(1)), [], "no one asked for what was sent");
}

#[test]
fn an_abandoned_session_reports_the_last_facts_when_it_is_dropped() {
    let seen = Seen::default();
    let mut session = queueing(&seen);
    session.send(Message::text("one")).unwrap();
    seen.take();
    let unread = session.abandon(0);
    assert_eq!(seen.take(), [], "the driver's lock may be held");
    drop(session);
    assert_eq!(seen.at(at(0)), [settled(1, 1, MessageFate::Rejected)]);
    assert_eq!(unread.count(), 1);
}

#[test]
fn an_observer_that_panics_costs_no_outcome_and_is_not_called_again() {
    let seen = Seen { panics: true, ..Seen::default() };
    let mut session = queueing(&Seen::default());
    for text in ["one", "two"] {
        session.send(Message::text(text)).unwrap();
    }
    let id = ready(&mut session, at(1));
    session.observer = Some(Box::new(Observing::new(Box::new(seen.clone()))));
    session.written(id, 1);
    session.failed(at(2), id, Failure::Reset, "");
    session.next_order();

    catch_unwind(AssertUnwindSafe(|| session.dropped(id))).unwrap_err();

    let unread = session.abandon(0);
    drop(session);
    assert_eq!(seen.take().len(), 1);
    let fates: Vec<_> = unread
        .filter_map(|event| match event {
            ClientEvent::Outcome(outcome) => Some((outcome.first.number(), outcome.fate)),
            _ => None,
        })
        .collect();
    assert_eq!(fates, [(1, Fate::MaybeSent { socket: id }), (2, Fate::Rejected)]);
}
