//! An application that takes no events: their number is bounded, and every outcome is kept.

use gateway_core::OpenError;

use super::*;
use crate::open_failure::OpenFailure;

const DAY: u64 = 24 * 3_600;

/// The most that unread events of a day may take.
const MEMORY: i64 = 100_000;

fn news(events: &[ClientEvent]) -> usize {
    let is_news = |event: &&ClientEvent| {
        !matches!(event, ClientEvent::Outcome(_) | ClientEvent::Missed { .. })
    };
    events.iter().filter(is_news).count()
}

fn missed(events: &[ClientEvent]) -> u64 {
    events
        .iter()
        .map(|event| match event {
            ClientEvent::Missed { count } => *count,
            _ => 0,
        })
        .sum()
}

#[test]
fn a_day_of_retries_that_nobody_takes_is_bounded_in_memory_and_counted() {
    let mut session = session(calm());
    let failure = OpenFailure::new(OpenError::Refused, "connection refused (os error 111)");
    let mut attempts = 0;

    let spent = allocation_counter::measure(|| {
        session.connect(at(0));
        while let Some(now) = session.deadline().filter(|deadline| *deadline < at(DAY)) {
            while let Some(order) = session.next_order() {
                match order {
                    Order::Open { id, .. } => {
                        attempts += 1;
                        session.open_failed(now, id, &failure);
                    }
                    Order::Ask { id, .. } => session.provider_answered(now, id),
                    Order::Drop { id, .. } | Order::Abort { id } => session.dropped(id),
                }
            }
            session.tick(session.deadline().unwrap_or(now));
        }
    });

    assert!(spent.bytes_max < MEMORY.unsigned_abs(), "{spent:?}");
    let events = events(&mut session);
    assert!(news(&events) <= 256);
    assert!(attempts > 1_000);
    // Each attempt: CONNECTING, the failure, DISCONNECTED, the retry.
    let produced = news(&events) as u64 + missed(&events);
    assert!((4 * attempts..=4 * attempts + 1).contains(&produced), "{produced} of {attempts}");
}

#[test]
fn a_day_of_heartbeats_that_nobody_takes_is_bounded_in_memory_and_counted() {
    let config = Config::builder().heartbeat(HeartbeatKind::Json);
    let (mut session, id) = open(config, Limits::default());
    let pong = frame(0x81, r#"{"type":"pong"}"#);
    let mut pings = 0;

    let spent = allocation_counter::measure(|| {
        let mut now = at(0);
        while now < at(DAY) {
            if !session.pending().is_empty() {
                pings += 1;
                write_all(&mut session, id);
                session.received(now, id, &pong);
            }
            now = session.deadline().expect("the next ping");
            session.tick(now);
        }
    });

    assert!(session.is_ready() && pings > 2_000);
    assert!(spent.bytes_max < MEMORY.unsigned_abs(), "{spent:?}");
    let events = events(&mut session);
    assert!(news(&events) <= 256);
    let produced = news(&events) as u64 + missed(&events);
    assert!((2 * pings - 1..=2 * pings + 1).contains(&produced), "{produced} of {pings}");
}

/// Sends a message that is lost with its socket, and opens the next one.
fn lose_one(session: &mut Session, id: SocketId) -> Result<SocketId, SendError> {
    session.send(Message::text("lost"))?;
    session.failed(at(1), id, Failure::Reset, "reset");
    session.next_order();
    session.dropped(id);
    session.connect(at(1));
    let id = opens(session);
    session.opened(at(1), id);
    Ok(id)
}

#[test]
fn outcomes_are_all_there_whatever_becomes_of_the_news_around_them() {
    let (mut session, mut id) = open(calm(), Limits::default());
    for _ in 0..1_000 {
        id = lose_one(&mut session, id).unwrap();
    }

    let events = events(&mut session);

    let outcome = |event: &ClientEvent| match event {
        ClientEvent::Outcome(outcome) => Some((outcome.first.number(), outcome.last.number())),
        _ => None,
    };
    assert!(events.iter().filter_map(outcome).eq((1..=1_000).map(|number| (number, number))));
    assert!(news(&events) <= 256 && missed(&events) > 1_000);
}

#[test]
fn a_send_past_4096_unread_outcomes_is_refused_until_some_are_taken() {
    let (mut session, mut id) = open(calm(), Limits::default());
    let mut taken = 0;
    let refused = loop {
        match lose_one(&mut session, id) {
            Ok(next) => (id, taken) = (next, taken + 1),
            Err(refused) => break refused,
        }
        assert!(taken < 5_000, "bounded by nothing");
    };

    assert_eq!((taken, refused.rejection()), (4_097, SendRejection::OutcomesUnread));
    assert!(refused.to_string().contains("take events"), "{refused}");
    assert_eq!(refused.into_message(), Message::text("lost"), "it is handed back");
    while !matches!(session.next_event(), Some(ClientEvent::Outcome(_))) {}
    session.send(Message::text("taken")).unwrap();
}

#[test]
fn an_error_text_of_any_length_is_kept_to_2_kib() {
    let mut session = session(calm());
    session.connect(at(0));
    let id = opens(&mut session);
    let text = format!("x{}", "ä".repeat(100_000));

    session.open_failed(at(1), id, &OpenFailure::new(OpenError::Io, text));

    let detail = events(&mut session).into_iter().find_map(|event| match event {
        ClientEvent::Disconnected { detail, .. } => Some(detail),
        _ => None,
    });
    assert_eq!(detail.unwrap().len(), 2_047, "no character is cut");
}
