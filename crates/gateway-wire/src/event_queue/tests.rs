//! The queue against a slow model of it, and its bounds in memory.

use std::time::Duration;

use gateway_core::{Because, DisconnectCause, GiveUpCause, RetryCause, SocketId, Verdict};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config as ProptestConfig, RngSeed};

use super::*;
use crate::outcome::Fate;

/// A step of a queue's history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Message,
    Outcome,
    Ping,
    Pong,
    Ready,
    Retry,
    Changed,
    Closed,
    GaveUp,
    Refused,
    Disconnected,
    Lost,
    Take,
}

/// Each event carries the number of its step, so all events differ.
fn event(step: Step, number: u64) -> ClientEvent {
    let socket = SocketId::new(number);
    let from = ConnectionState::Connecting;
    ClientEvent::Notice(match step {
        Step::Message => return ClientEvent::Message(Message::text(number.to_string())),
        Step::Outcome => return ClientEvent::Outcome(outcome(number)),
        Step::Disconnected => {
            let (cause, detail) = (DisconnectCause::PongTimeout, "".into());
            return ClientEvent::Disconnected { socket, cause, detail };
        }
        Step::Refused => {
            let (verdict, reason) = (Verdict::Fatal, "".into());
            return ClientEvent::LoginRefused { socket, verdict, reason };
        }
        Step::Lost => return ClientEvent::Lost { away: Duration::from_secs(number) },
        Step::Ping => Notice::PingSent { socket },
        Step::Pong => Notice::PongReceived { socket, round_trip: None },
        Step::Ready => Notice::Ready { socket, after: Duration::ZERO },
        Step::Retry => Notice::RetryScheduled {
            attempt: u32::try_from(number).unwrap(),
            delay: Duration::ZERO,
            cause: RetryCause::Online,
            because: Because::Hint,
        },
        Step::Changed => {
            let to = ConnectionState::Connected;
            Notice::StateChanged { from, to, socket: Some(socket) }
        }
        Step::Closed => {
            let to = ConnectionState::Closed;
            Notice::StateChanged { from, to, socket: Some(socket) }
        }
        Step::GaveUp => {
            Notice::GaveUp { cause: GiveUpCause::CloseCode(u16::try_from(number).unwrap()) }
        }
        Step::Take => unreachable!("no event"),
    })
}

/// An outcome that no other one continues.
fn outcome(number: u64) -> Outcome {
    Outcome::of(1, 1, Fate::Sent { socket: SocketId::new(number) })
}

fn push(queue: &mut EventQueue, event: ClientEvent) {
    match event {
        ClientEvent::Message(message) => queue.push_message(message),
        ClientEvent::Outcome(outcome) => queue.push_outcome(outcome),
        news => drop(queue.push_news(news)),
    }
}

fn is_news(event: &ClientEvent) -> bool {
    matches!(
        event,
        ClientEvent::Notice(_)
            | ClientEvent::LoginRefused { .. }
            | ClientEvent::Disconnected { .. }
            | ClientEvent::Lost { .. }
    )
}

/// The same rules, applied to one event at a time, each found by a new search.
#[derive(Default)]
struct Model {
    waiting: Vec<ClientEvent>,
    /// The number of news above which dropping is tried again, because news past 256 could not be
    /// dropped.
    tolerated: usize,
}

impl Model {
    fn news(&self) -> usize {
        self.waiting.iter().filter(|event| is_news(event)).count()
    }

    fn push(&mut self, event: ClientEvent) {
        let news = is_news(&event);
        self.waiting.push(event);
        if news && self.news() > self.tolerated.max(256) {
            while self.news() > 192 && self.drop_one() {}
            self.tolerated = self.news() + 64;
        }
    }

    fn take(&mut self) -> Option<ClientEvent> {
        if self.waiting.is_empty() {
            return None;
        }
        let event = self.waiting.remove(0);
        self.tolerated = self.tolerated.min(self.news() + 64);
        Some(event)
    }

    fn drop_one(&mut self) -> bool {
        let protected = self.protected();
        let victim = self.repeated().or_else(|| protected.iter().position(|is| !is));
        let Some(victim) = victim else { return false };
        let missed = |event: &ClientEvent| match event {
            ClientEvent::Missed { count } => Some(*count),
            _ => None,
        };
        let before = self.waiting.iter().position(|event| missed(event).is_some());
        let count = 1 + before.and_then(|at| missed(&self.waiting[at])).unwrap_or(0);
        // Two of them become one, at the place of the first.
        self.waiting[victim] = ClientEvent::Missed { count };
        if let Some(before) = before {
            self.waiting[before.min(victim)] = ClientEvent::Missed { count };
            self.waiting.remove(before.max(victim));
        }
        true
    }

    /// The first heartbeat that is followed by another one of its kind.
    fn repeated(&self) -> Option<usize> {
        let kinds: [fn(&ClientEvent) -> bool; 2] = [
            |event| matches!(event, ClientEvent::Notice(Notice::PingSent { .. })),
            |event| matches!(event, ClientEvent::Notice(Notice::PongReceived { .. })),
        ];
        let first = |kind: fn(&ClientEvent) -> bool| {
            let mut places = self.waiting.iter().enumerate().filter(|(_, event)| kind(event));
            let (first, _) = places.next()?;
            places.next().map(|_| first)
        };
        kinds.into_iter().filter_map(first).min()
    }

    fn protected(&self) -> Vec<bool> {
        let newest: [fn(&Notice) -> bool; 3] = [
            |notice| matches!(notice, Notice::Ready { .. }),
            |notice| matches!(notice, Notice::GaveUp { .. }),
            |notice| matches!(notice, Notice::StateChanged { to: ConnectionState::Closed, .. }),
        ];
        let newest = newest.map(|kind| {
            let of_kind =
                |event: &ClientEvent| matches!(event, ClientEvent::Notice(notice) if kind(notice));
            self.waiting.iter().rposition(of_kind)
        });
        let behind_message = |index: usize| {
            self.waiting[..index]
                .iter()
                .rev()
                .take_while(|event| !matches!(event, ClientEvent::Disconnected { .. }))
                .any(|event| matches!(event, ClientEvent::Message(_)))
        };
        let is_protected = |(index, event): (usize, &ClientEvent)| match event {
            ClientEvent::Message(_)
            | ClientEvent::Outcome(_)
            | ClientEvent::MessagesDropped { .. }
            | ClientEvent::Missed { .. } => true,
            ClientEvent::LoginRefused { .. } | ClientEvent::Lost { .. } => false,
            ClientEvent::Disconnected { .. } => behind_message(index),
            ClientEvent::Notice(_) => newest.contains(&Some(index)),
        };
        self.waiting.iter().enumerate().map(is_protected).collect()
    }
}

/// Histories of several hundred steps in runs, so that news accumulate. A run is one kind of event,
/// two kinds in turn, or many takes.
fn histories() -> impl Strategy<Value = Vec<Step>> {
    let step = || {
        select(vec![
            Step::Message,
            Step::Outcome,
            Step::Ping,
            Step::Pong,
            Step::Ready,
            Step::Retry,
            Step::Changed,
            Step::Closed,
            Step::GaveUp,
            Step::Refused,
            Step::Disconnected,
            Step::Lost,
            Step::Take,
        ])
    };
    let run =
        (step(), step(), 1..120_usize).prop_map(|(one, other, turns)| [one, other].repeat(turns));
    prop::collection::vec(run, 1..10).prop_map(|runs| runs.concat())
}

fn seeded() -> ProptestConfig {
    ProptestConfig {
        cases: 100,
        rng_seed: RngSeed::Fixed(0x5eed),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(seeded())]

    #[test]
    fn what_is_taken_and_what_is_missed_are_all_that_came_in_order(history in histories()) {
        let (mut queue, mut model) = (EventQueue::new(), Model::default());
        let (mut produced, mut taken) = (Vec::new(), Vec::new());
        for (number, step) in (0..).zip(history) {
            if step == Step::Take {
                let event = queue.pop_front(|_| {});
                prop_assert_eq!(&event, &model.take());
                taken.extend(event);
                continue;
            }
            produced.push(event(step, number));
            push(&mut queue, event(step, number));
            model.push(event(step, number));
            prop_assert_eq!(queue.len(), model.waiting.len());
            if queue.news > 256 {
                let news = model.waiting.iter().zip(model.protected());
                let protected = news.filter(|(event, is)| is_news(event) && *is).count();
                prop_assert!(queue.news <= protected + 64);
            }
        }
        while let Some(event) = queue.pop_front(|_| {}) {
            prop_assert_eq!(Some(event.clone()), model.take());
            taken.push(event);
        }
        prop_assert!(queue.is_empty() && model.waiting.is_empty());
        prop_assert_eq!((queue.news, queue.outcomes, queue.news_limit), (0, 0, NEWS));

        // In order: each taken event is found after the one before it. All events between two are
        // news, and counted.
        let (mut missed, mut passed) = (0, 0);
        let mut rest = produced.iter();
        for event in &taken {
            if let ClientEvent::Missed { count } = event {
                missed += count;
                continue;
            }
            for one in rest.by_ref() {
                if one == event {
                    break;
                }
                prop_assert!(is_news(one), "{:?}", one);
                passed += 1;
            }
        }
        passed += rest.count() as u64;
        prop_assert_eq!(missed, passed);
    }
}

fn drain(queue: &mut EventQueue) -> Vec<ClientEvent> {
    std::iter::from_fn(|| queue.pop_front(|_| {})).collect()
}

#[test]
fn outcomes_are_all_there_and_a_hundred_thousand_notices_are_bounded_and_counted() {
    let mut queue = EventQueue::new();
    for number in 0..100_000 {
        push(&mut queue, event(Step::Retry, number));
        if number % 100 == 0 {
            push(&mut queue, event(Step::Outcome, number));
        }
    }

    let events = drain(&mut queue);

    let outcomes = events.iter().filter(|event| matches!(event, ClientEvent::Outcome(_))).count();
    let news = events.iter().filter(|event| is_news(event)).count() as u64;
    assert_eq!(outcomes, 1_000);
    assert!(news <= 256);
    assert_eq!(events[0], ClientEvent::Missed { count: 100_000 - news });
}

#[test]
fn repeated_heartbeats_go_before_older_news_and_missed_is_where_the_first_was() {
    let mut queue = EventQueue::new();
    let tale = [Step::Changed, Step::Ready, Step::Message];
    let tale = tale.into_iter().chain([Step::Ping, Step::Pong].repeat(127)).chain([Step::Retry]);
    for (number, step) in (0..).zip(tale) {
        push(&mut queue, event(step, number));
    }

    let events = drain(&mut queue);

    for (number, step) in [(0, Step::Changed), (1, Step::Ready), (2, Step::Message)] {
        assert_eq!(events[usize::try_from(number).unwrap()], event(step, number));
    }
    assert_eq!(events[3], ClientEvent::Missed { count: 65 });
    assert_eq!(events[4], event(Step::Pong, 3 + 65), "the oldest are gone");
    assert_eq!(events.last(), Some(&event(Step::Retry, 3 + 254)));
}

#[test]
fn the_end_the_newest_ready_and_the_disconnection_behind_a_message_stay() {
    let mut queue = EventQueue::new();
    let kept =
        [Step::Ready, Step::Message, Step::Disconnected, Step::Closed, Step::GaveUp, Step::Outcome];
    for (number, step) in (0..).zip(kept) {
        push(&mut queue, event(step, number));
    }
    for number in 6..10_000 {
        let step = if number % 2 == 0 { Step::Retry } else { Step::Disconnected };
        push(&mut queue, event(step, number));
    }

    let events = drain(&mut queue);

    for (number, step) in (0..).zip(kept) {
        assert_eq!(events[usize::try_from(number).unwrap()], event(step, number));
    }
    assert!(matches!(events[6], ClientEvent::Missed { .. }));
}

#[test]
fn past_4096_ranges_of_outcomes_it_is_full_until_some_are_taken() {
    let mut queue = EventQueue::new();
    (0..4_096).for_each(|number| queue.push_outcome(outcome(number)));
    assert!(!queue.is_full_of_outcomes());
    queue.push_outcome(outcome(4_096));
    assert!(queue.is_full_of_outcomes());
    queue.pop_front(|_| {});
    assert!(!queue.is_full_of_outcomes());
}

#[test]
fn dropped_messages_leave_one_mark_with_their_count_and_the_rest_stays_in_order() {
    let mut queue = EventQueue::new();
    let steps =
        [Step::Ready, Step::Message, Step::Ping, Step::Message, Step::Message, Step::Message];
    for (number, step) in (0..).zip(steps) {
        push(&mut queue, event(step, number));
    }
    let drops = |count: u64| {
        let mut left = count;
        move |_: &Message| {
            let drops = left > 0;
            left -= u64::from(drops);
            drops
        }
    };
    assert_eq!(queue.drop_messages(drops(2)), 2);
    assert_eq!(queue.drop_messages(drops(1)), 1);
    assert_eq!(queue.drop_messages(drops(0)), 0);
    let waiting: Vec<_> = std::iter::from_fn(|| queue.pop_front(|_| {})).collect();
    let mark = ClientEvent::MessagesDropped { count: 3 };
    assert_eq!(
        waiting,
        [event(Step::Ready, 0), mark, event(Step::Ping, 2), event(Step::Message, 5)]
    );
}
