//! Sending while away, at a limited rate, and until all of it has left.

use proptest::prelude::*;

use super::observing::Recording;
use super::*;
use crate::counts::Counts;
use crate::endpoint::Endpoint;
use crate::outbox::Outbox;
use crate::outcome::Accepted;
use crate::provider::Request;
use crate::rate::Rate;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::builder("ws://gateway.example/feed?token=1").build().unwrap()
}

fn with(outbox: Outbox) -> Session {
    session(calm()).with_sent_reported(true).with_outbox(outbox, &endpoint())
}

pub(super) fn paced(mut session: Session, rate: Rate) -> Session {
    session = session.with_rate(rate.bucket(&mut Vec::new()));
    session
}

/// Connects, or waits for the retry, and opens a socket.
pub(super) fn ready(session: &mut Session, now: Instant) -> SocketId {
    session.connect(now);
    let id = opens(session);
    session.opened(now, id);
    assert!(session.is_ready());
    id
}

fn send(session: &mut Session, text: &str) -> Accepted {
    session.send(Message::text(text)).unwrap()
}

fn refusal(session: &mut Session, text: &str) -> SendRejection {
    session.send(Message::text(text)).unwrap_err().rejection()
}

pub(super) fn lose(session: &mut Session, now: Instant, id: SocketId) {
    session.failed(now, id, Failure::Reset, "");
    let Some(Order::Drop { id: dropped, .. }) = session.next_order() else { panic!("no drop") };
    assert_eq!(dropped, id);
    session.dropped(id);
}

/// The transport takes and flushes all bytes. Returns the texts in them.
pub(super) fn write_all(session: &mut Session, id: SocketId) -> Vec<String> {
    let texts = texts(session.pending());
    session.written(id, session.pending().len());
    session.flushed(id);
    tick_if_due(session, session.now);
    texts
}

/// As a driver does after it has written.
fn tick_if_due(session: &mut Session, now: Instant) {
    if session.deadline().is_some_and(|due| due <= now) {
        session.tick(now);
    }
}

/// The texts of a client's short frames.
fn texts(mut bytes: &[u8]) -> Vec<String> {
    let mut texts = Vec::new();
    while let [first, length, rest @ ..] = bytes {
        let length = usize::from(length & 0x7f);
        assert!(length < 126, "a short frame");
        let (mask, rest) = rest.split_at(4);
        let (payload, rest) = rest.split_at(length);
        if *first == 0x81 {
            let clear: Vec<_> =
                payload.iter().zip(mask.iter().cycle()).map(|(a, b)| a ^ b).collect();
            texts.push(String::from_utf8(clear).unwrap());
        }
        bytes = rest;
    }
    texts
}

#[test]
fn what_was_sent_while_away_leaves_in_order_behind_the_messages_of_every_ready() {
    let mut session = with(Outbox::default());
    session.set_on_ready("a", "subscribe").unwrap();
    for text in ["one", "two"] {
        assert!(send(&mut session, text).is_queued());
    }

    let id = ready(&mut session, at(1));
    let third = send(&mut session, "three");

    assert!(!third.is_queued());
    assert_eq!(write_all(&mut session, id), ["subscribe", "one", "two", "three"]);
    assert_eq!(outcomes(&mut session), [(1, 3, Fate::Sent { socket: id })]);
}

#[test]
fn a_full_outbox_drops_the_oldest_message_or_refuses_the_newest() {
    let outbox = Outbox::default().messages(2);
    let mut dropping = with(outbox);
    for text in ["one", "two", "three", "four"] {
        assert!(send(&mut dropping, text).is_queued());
    }
    assert_eq!(outcomes(&mut dropping), [(1, 2, Fate::Rejected)]);

    let mut refusing = with(outbox.refuse_newest());
    send(&mut refusing, "one");
    send(&mut refusing, "two");
    assert_eq!(refusal(&mut refusing, "three"), SendRejection::OutboxFull);
    let id = ready(&mut refusing, at(1));
    assert_eq!(write_all(&mut refusing, id), ["one", "two"]);
}

#[test]
fn a_message_that_waited_too_long_is_expired_and_not_dropped_for_another() {
    let outbox = Outbox::default().messages(1).time_to_live(Duration::from_secs(10));
    for outbox in [outbox, outbox.refuse_newest()] {
        let mut session = with(outbox);
        send(&mut session, "one");
        session.set_time(at(11)); // no tick came
        send(&mut session, "two");
        assert_eq!(outcomes(&mut session), [(1, 1, Fate::Expired)]);
    }
}

#[test]
fn a_message_longer_than_the_whole_outbox_is_refused() {
    let mut session = with(Outbox::default().bytes(4));
    send(&mut session, "four");
    assert_eq!(refusal(&mut session, "fives"), SendRejection::OutboxFull);
    assert_eq!(outcomes(&mut session), [], "nothing was dropped for it");
}

#[test]
fn a_message_expires_at_its_deadline_and_also_if_the_connection_is_ready_too_late() {
    let mut session = with(Outbox::default().time_to_live(Duration::from_secs(10)));
    send(&mut session, "one");
    assert_eq!(session.deadline(), Some(at(10)));
    session.tick(at(9));
    assert_eq!(session.queued_messages(), 1);
    session.tick(at(10));
    assert_eq!((session.queued_messages(), session.queued_bytes()), (0, 0));
    assert_eq!(outcomes(&mut session), [(1, 1, Fate::Expired)]);

    send(&mut session, "two"); // at 10 s
    let id = ready(&mut session, at(21)); // no tick came meanwhile
    assert_eq!(write_all(&mut session, id), [] as [&str; 0]);
    assert_eq!(outcomes(&mut session), [(2, 2, Fate::Expired)]);
}

#[test]
fn what_was_begun_is_never_queued_again_and_the_rest_leaves_on_the_next_socket() {
    let limits = Limits { high_water: 10, ..Limits::default() };
    let mut session = with(Outbox::default()).with_limits(limits);
    for text in ["one", "two", "three"] {
        send(&mut session, text);
    }
    let id = ready(&mut session, at(1));
    assert_eq!(session.queued_messages(), 1, "the buffer is full");
    assert!(session.poll_space().is_pending(), "the third one is before later messages");
    session.written(id, 4);
    lose(&mut session, at(1), id);
    assert_eq!(outcomes(&mut session), [(1, 1, Fate::MaybeSent { socket: id })]);

    let id = ready(&mut session, at(9));
    assert_eq!(write_all(&mut session, id), ["two", "three"]);
    assert_eq!(outcomes(&mut session), [(2, 3, Fate::Sent { socket: id })]);
}

#[test]
fn a_full_buffer_takes_the_outbox_in_pieces_and_then_later_messages() {
    let limits = Limits { high_water: 10, ..Limits::default() };
    let mut session = with(Outbox::default()).with_limits(limits);
    for text in ["one", "two", "three", "four"] {
        send(&mut session, text);
    }
    let id = ready(&mut session, at(1));
    assert_eq!(write_all(&mut session, id), ["one", "two"]);
    assert!(session.is_full(), "messages are left");
    assert!(send(&mut session, "five").is_queued(), "behind them");
    assert_eq!(write_all(&mut session, id), ["three"]);
    assert_eq!(write_all(&mut session, id), ["four", "five"]);
    assert!(!session.is_full());
}

#[test]
fn a_close_rejects_what_waits_and_refuses_what_comes() {
    let mut session = with(Outbox::default());
    send(&mut session, "one");
    session.close(at(1), CloseFrame::NORMAL);
    assert_eq!(session.state(), ConnectionState::Closed);
    assert_eq!(outcomes(&mut session), [(1, 1, Fate::Rejected)]);
    assert_eq!(refusal(&mut session, "two"), SendRejection::Closed);

    let id = ready(&mut session, at(2)); // a connect request starts anew
    assert_eq!(write_all(&mut session, id), [] as [&str; 0]);
}

#[test]
fn what_waits_is_rejected_when_the_client_gives_up() {
    let mut session = session(calm().max_attempts(Some(1)))
        .with_outbox(Outbox::default().without_time_to_live(), &endpoint());
    send(&mut session, "one");
    session.connect(at(1));
    while session.state() != ConnectionState::Closed {
        let id = opens(&mut session);
        let failed = OpenFailure::new(gateway_core::OpenError::Dns, "");
        session.open_failed(at(1), id, &failed);
        let _ = session.next_order();
        if let Some(due) = session.deadline() {
            session.tick(due);
        }
    }
    assert_eq!(outcomes(&mut session), [(1, 1, Fate::Rejected)]);
    assert_eq!(refusal(&mut session, "two"), SendRejection::Closed);
}

#[test]
fn what_waits_when_the_driver_ends_is_rejected() {
    let mut session = with(Outbox::default());
    send(&mut session, "one");
    let outcome = session.abandon(0).find_map(|event| match event {
        ClientEvent::Outcome(outcome) => Some(outcome.fate),
        _ => None,
    });
    assert_eq!(outcome, Some(Fate::Rejected));
}

#[test]
fn what_waits_is_not_for_another_endpoint_unless_the_outbox_says_so() {
    for (url, crosses, expected) in [
        ("ws://gateway.example/feed?token=2", false, Fate::Sent { socket: SocketId::new(2) }),
        ("ws://other.example/feed", false, Fate::Rejected),
        ("ws://gateway.example/other", false, Fate::Rejected),
        ("ws://other.example/feed", true, Fate::Sent { socket: SocketId::new(2) }),
    ] {
        let mut session = with(Outbox::default().across_endpoints(crosses));
        let id = ready(&mut session, at(1));
        lose(&mut session, at(1), id);
        send(&mut session, "one");
        session.connect(at(2));
        let id = opens(&mut session);
        let plan = Request::new().url(url).plan(&endpoint(), &Login::None).unwrap();
        let _ = session.endpoint_of(id, Some(&plan));
        session.opened(at(2), id);
        write_all(&mut session, id);
        assert_eq!(outcomes(&mut session), [(1, 1, expected)], "{url}");
    }
}

#[test]
fn the_applications_own_login_is_not_queued_behind_the_outbox() {
    let login = Login::External { timeout: Login::TIMEOUT };
    let mut session = session(calm().login(login)).with_outbox(Outbox::default(), &endpoint());
    send(&mut session, "one");
    session.connect(at(1));
    let id = opens(&mut session);
    session.opened(at(1), id);
    assert!(!send(&mut session, "login").is_queued());
    session.login_accepted(at(2));
    assert_eq!(write_all(&mut session, id), ["login", "one"]);
}

#[test]
fn a_message_waits_for_a_token_and_leaves_when_it_is_there() {
    let rate = Rate::new(2, Duration::from_secs(10)).burst(1).reserve(0); // one in 5 s
    let mut session = paced(session(calm()), rate);
    let id = ready(&mut session, at(10));
    send(&mut session, "one");
    assert!(session.poll_space().is_pending());
    assert_eq!(refusal(&mut session, "two"), SendRejection::Paced);
    assert_eq!(session.deadline(), Some(at(15)));
    session.tick(at(15));
    assert!(session.poll_space().is_ready());
    send(&mut session, "two");
    assert_eq!(write_all(&mut session, id), ["one", "two"]);
}

#[test]
fn the_outbox_and_the_messages_of_every_ready_are_paced_too() {
    let rate = Rate::new(2, Duration::from_secs(10)).burst(1).reserve(0);
    let mut session = paced(with(Outbox::default().without_time_to_live()), rate);
    session.set_on_ready("a", "subscribe a").unwrap();
    session.set_on_ready("b", "subscribe b").unwrap();
    send(&mut session, "one");
    let id = ready(&mut session, at(10));
    assert_eq!(write_all(&mut session, id), ["subscribe a"]);
    for (seconds, expected) in [(15, "subscribe b"), (20, "one")] {
        assert_eq!(session.deadline(), Some(at(seconds)));
        session.tick(at(seconds));
        assert_eq!(write_all(&mut session, id), [expected]);
    }
}

#[test]
fn no_message_overtakes_those_of_every_ready_when_a_token_is_back() {
    for has_outbox in [false, true] {
        let rate = Rate::new(2, Duration::from_secs(10)).burst(1).reserve(0);
        let session = if has_outbox { with(Outbox::default()) } else { session(calm()) };
        let mut session = paced(session, rate);
        session.set_on_ready("a", "subscribe").unwrap();
        let id = ready(&mut session, at(10));
        write_all(&mut session, id);
        lose(&mut session, at(11), id);
        let id = ready(&mut session, at(12)); // without a token
        session.set_time(at(15)); // before the tick
        let accepted = session.accept(&Message::text("one"));
        let expected = if has_outbox { Ok(true) } else { Err(SendRejection::Paced) };
        assert_eq!(accepted.map(Accepted::is_queued), expected);
        session.tick(at(15));
        assert_eq!(write_all(&mut session, id), ["subscribe"]);
    }
}

#[test]
fn a_heartbeat_never_waits_for_a_token() {
    let config = Config::builder().heartbeat_interval(Duration::from_secs(5));
    let mut session = paced(session(config), Rate::new(1, Duration::from_secs(60)));
    let id = ready(&mut session, at(10));
    send(&mut session, "one");
    write_all(&mut session, id);
    session.tick(at(15));
    assert!(!session.pending().is_empty(), "the ping");
    assert_eq!(session.poll_space(), std::task::Poll::Pending);
}

#[test]
fn a_ping_that_takes_the_last_token_makes_messages_wait() {
    let config = Config::builder().heartbeat_interval(Duration::from_secs(5));
    let rate = Rate::new(2, Duration::from_secs(60)).burst(2).reserve(1);
    let mut session = paced(session(config), rate);
    let id = ready(&mut session, at(10));
    assert!(session.poll_space().is_ready());
    session.tick(at(15));
    write_all(&mut session, id);
    assert!(session.poll_space().is_pending(), "a send waits, and does not fail");
}

#[test]
fn messages_that_return_to_a_full_outbox_are_rejected_oldest_first() {
    let mut session = with(Outbox::default().messages(2));
    let id = ready(&mut session, at(1));
    for text in ["one", "two", "three"] {
        assert!(!send(&mut session, text).is_queued());
    }
    lose(&mut session, at(2), id);
    assert_eq!(outcomes(&mut session), [(1, 1, Fate::Rejected)]);
    let id = ready(&mut session, at(3));
    assert_eq!(write_all(&mut session, id), ["two", "three"]);
}

#[test]
fn a_message_in_the_write_buffer_of_a_closing_connection_does_not_return() {
    let mut session = with(Outbox::default());
    let id = ready(&mut session, at(1));
    send(&mut session, "one");
    session.close(at(1), CloseFrame::NORMAL);
    lose(&mut session, at(2), id);
    assert_eq!(outcomes(&mut session), [(1, 1, Fate::Rejected)]);
    let id = ready(&mut session, at(3));
    assert_eq!(write_all(&mut session, id), [] as [&str; 0]);
}

#[test]
fn a_drain_sends_what_was_accepted_and_then_closes() {
    let mut session = with(Outbox::default());
    send(&mut session, "one");
    session.connect(at(1));
    let id = opens(&mut session);
    session.drain(at(1), CloseFrame::NORMAL, at(9));
    assert_eq!(refusal(&mut session, "two"), SendRejection::Closed);
    assert_eq!(session.state(), ConnectionState::Connecting);
    session.opened(at(2), id);
    assert_eq!(write_all(&mut session, id), ["one"]);
    assert_eq!(session.state(), ConnectionState::Closing);
    assert_eq!(outcomes(&mut session), [(1, 1, Fate::Sent { socket: id })]);
}

#[test]
fn a_session_that_drains_is_not_ready_and_says_so() {
    let mut session = session(calm());
    let id = ready(&mut session, at(1));
    send(&mut session, "one");
    session.drain(at(2), CloseFrame::NORMAL, at(9));

    let status = session.status(at(2));
    assert_eq!((session.is_ready(), status.is_ready, status.is_draining), (false, false, true));
    assert_eq!(status.state, ConnectionState::Connected);

    write_all(&mut session, id);
    let status = session.status(at(3));
    assert_eq!((status.is_ready, status.is_draining), (false, false), "it closes");
}

#[test]
fn a_drain_ends_at_its_deadline_and_rejects_what_is_left() {
    let mut session = with(Outbox::default());
    send(&mut session, "one");
    session.connect(at(1));
    session.drain(at(1), CloseFrame::NORMAL, at(3));
    session.tick(at(3));
    assert_eq!(session.state(), ConnectionState::Closed);
    assert_eq!(outcomes(&mut session), [(1, 1, Fate::Rejected)]);
}

#[test]
fn a_drain_with_nothing_left_closes_at_once() {
    let mut session = session(calm());
    let id = ready(&mut session, at(1));
    session.drain(at(1), CloseFrame::NORMAL, at(9));
    assert_eq!(session.state(), ConnectionState::Closing);
    assert_eq!(write_all(&mut session, id), [] as [&str; 0]);
}

#[test]
fn a_drain_ends_if_what_is_left_has_expired_when_the_connection_is_ready() {
    let mut session = with(Outbox::default().time_to_live(Duration::from_secs(4)));
    send(&mut session, "one");
    session.connect(at(1));
    let id = opens(&mut session);
    session.drain(at(2), CloseFrame::NORMAL, at(9));
    session.opened(at(5), id); // before the tick
    assert_eq!(session.state(), ConnectionState::Closing);
}

#[test]
fn a_drain_waits_for_no_token_if_nothing_is_left() {
    for is_lost in [false, true] {
        let mut session = paced(session(calm()), Rate::new(1, Duration::from_secs(60)));
        let id = ready(&mut session, at(1));
        send(&mut session, "one");
        write_all(&mut session, id);
        if is_lost {
            session.failed(at(2), id, Failure::Reset, "");
        }
        session.drain(at(2), CloseFrame::NORMAL, at(9));
        let expected = if is_lost { ConnectionState::Closed } else { ConnectionState::Closing };
        assert_eq!(session.state(), expected);
    }
}

#[test]
fn a_connection_that_is_lost_holds_no_message_back() {
    let mut session = paced(session(calm()), Rate::new(1, Duration::from_secs(60)));
    let id = ready(&mut session, at(1));
    send(&mut session, "one");
    assert!(session.is_full(), "no token is left");
    session.failed(at(2), id, Failure::Reset, "");
    assert!(!session.is_full());
}

#[test]
fn what_waits_beside_reserved_space_leaves_when_the_buffer_is_flushed() {
    let limits = Limits { high_water: 20, ..Limits::default() };
    let mut session = with(Outbox::default()).with_limits(limits);
    session.reserve(Space::of(0)); // a header
    for text in ["one", "two"] {
        send(&mut session, text);
    }
    let id = ready(&mut session, at(1));
    assert_eq!(write_all(&mut session, id), ["one"]);
    assert_eq!(write_all(&mut session, id), ["two"]);
    assert!(!session.is_full());
}

#[test]
fn a_flush_lets_messages_leave_at_the_time_of_the_flush() {
    let rate = Rate::new(10, Duration::from_secs(10)).burst(5);
    let limits = Limits { high_water: 1, ..Limits::default() };
    let mut session = paced(with(Outbox::default()).with_limits(limits), rate);
    for number in 0..20 {
        send(&mut session, &number.to_string());
    }
    let id = ready(&mut session, at(100)); // the buffer takes one
    let mut left = 0;
    for second in 120..130 {
        loop {
            session.written(id, session.pending().len());
            session.flushed(id);
            let due = session.deadline().filter(|due| *due <= at(second));
            if due.is_none() {
                break;
            }
            session.tick(at(second));
            left += texts(session.pending()).len();
        }
    }
    assert!(left <= 10, "{left} messages left in ten seconds");
}

#[test]
fn a_drain_that_ends_with_a_flush_waits_for_the_peers_close_from_then_on() {
    let mut session = with(Outbox::default());
    let id = ready(&mut session, at(1));
    send(&mut session, "one");
    session.drain(at(20), CloseFrame::NORMAL, at(60));
    session.written(id, session.pending().len());
    session.flushed(id); // at 28 s, say
    assert_eq!(session.deadline(), Some(Instant::ZERO), "it is due at once");
    session.tick(at(28));
    assert_eq!(session.state(), ConnectionState::Closing);
    assert_eq!(session.deadline(), Some(at(30)));
}

#[test]
fn a_message_longer_than_the_outbox_is_not_kept_for_the_next_socket() {
    let mut session = with(Outbox::default().bytes(4));
    let id = ready(&mut session, at(1));
    send(&mut session, "longer");
    send(&mut session, "four");
    lose(&mut session, at(2), id);
    assert_eq!(outcomes(&mut session), [(1, 1, Fate::Rejected)]);
    assert_eq!(session.queued_bytes(), 4);
}

#[test]
fn the_applications_own_login_is_sent_while_draining() {
    let login = Login::External { timeout: Login::TIMEOUT };
    let mut session = session(calm().login(login)).with_outbox(Outbox::default(), &endpoint());
    send(&mut session, "one");
    session.drain(at(1), CloseFrame::NORMAL, at(60));
    session.connect(at(1));
    let id = opens(&mut session);
    session.opened(at(1), id);
    send(&mut session, "login");
    session.login_accepted(at(2));
    assert_eq!(write_all(&mut session, id), ["login", "one"]);
}

fn permitted(session: &mut Session, text: &str, space: Space) -> Result<Accepted, SendRejection> {
    session.accept_reserved(&Message::text(text), space)
}

#[test]
fn a_permit_holds_a_token_until_it_is_used_or_dropped() {
    let rate = Rate::new(2, Duration::from_secs(10)).burst(1).reserve(0); // one in 5 s
    for is_used in [true, false] {
        let mut session = paced(session(calm()), rate);
        let id = ready(&mut session, at(1));
        assert!(session.may_reserve());
        session.reserve(Space::of(3));
        assert!(!session.may_reserve(), "the one token is held");

        session.set_time(at(60)); // the token is not spent, and none comes in addition
        assert!(!session.may_reserve());
        assert_eq!(refusal(&mut session, "two"), SendRejection::Paced);
        assert_eq!(session.deadline(), None, "only the permit ends the wait");

        match is_used {
            true => assert!(permitted(&mut session, "one", Space::of(3)).is_ok()),
            false => session.release(Space::of(3)),
        }
        assert_eq!(session.may_reserve(), !is_used);
        if is_used {
            assert_eq!(session.deadline(), Some(at(65)));
            session.tick(at(65));
        }
        send(&mut session, "two");
        let expected: &[_] = if is_used { &["one", "two"] } else { &["two"] };
        assert_eq!(write_all(&mut session, id), expected);
    }
}

#[test]
fn permits_wait_for_tokens_also_while_there_is_no_connection() {
    let rate = Rate::new(2, Duration::from_secs(10)).burst(1).reserve(0);
    let mut session = paced(session(calm()), rate);
    let id = ready(&mut session, at(1));
    send(&mut session, "one");
    session.failed(at(2), id, Failure::Reset, "");

    assert!(!session.may_reserve() && !session.is_full());
    assert!(session.deadline().is_some_and(|due| due <= at(6)));
    session.tick(at(6));
    assert!(session.may_reserve());
}

#[test]
fn what_a_permit_releases_is_for_those_that_wait() {
    let rate = Rate::new(2, Duration::from_secs(10)).burst(1).reserve(0);
    let mut session = paced(with(Outbox::default()), rate);
    send(&mut session, "one");
    session.reserve(Space::of(3));
    let id = ready(&mut session, at(1));
    assert_eq!(write_all(&mut session, id), [] as [&str; 0]);

    session.release(Space::of(3));

    assert_eq!(write_all(&mut session, id), ["one"]);
}

#[test]
fn what_a_permit_has_reserved_makes_space_in_a_full_outbox_for_its_message() {
    let rate = Rate::new(2, Duration::from_secs(10)).burst(1).reserve(0); // one in 5 s
    let outbox = Outbox::default().messages(2);
    for outbox in [outbox, outbox.refuse_newest()] {
        let limits = Limits { high_water: 20, ..Limits::default() };
        let mut session = paced(with(outbox), rate).with_limits(limits);
        send(&mut session, "one");
        send(&mut session, "two");
        session.reserve(Space::of(100)); // more than the write buffer
        let id = ready(&mut session, at(1));
        assert_eq!(write_all(&mut session, id), [] as [&str; 0]);

        assert!(permitted(&mut session, "three", Space::of(100)).unwrap().is_queued());

        assert_eq!(write_all(&mut session, id), ["one"]);
        assert_eq!(outcomes(&mut session), [(1, 1, Fate::Sent { socket: id })]);
        session.tick(at(6));
        assert_eq!(write_all(&mut session, id), ["two"]);
    }
}

#[test]
fn only_a_permit_uses_what_is_reserved() {
    let limits = Limits { high_water: 20, ..Limits::default() };
    let mut session = session(calm()).with_limits(limits);
    let id = ready(&mut session, at(1));
    session.reserve(Space::of(100));

    assert_eq!(refusal(&mut session, "two"), SendRejection::WriteBlocked);
    let long = "long".repeat(100);
    let refused = permitted(&mut session, &long, Space::of(3));
    assert_eq!(refused.unwrap_err(), SendRejection::LongerThanReserved);
    assert!(permitted(&mut session, "one", Space::of(100)).is_ok());
    assert_eq!(write_all(&mut session, id), ["one"]);
}

fn lost(session: &mut Session) -> Vec<Duration> {
    let lost = |event| match event {
        ClientEvent::Lost { away } => Some(away),
        _ => None,
    };
    events(session).into_iter().filter_map(lost).collect()
}

#[test]
fn a_connection_that_is_away_for_too_long_is_reported_once_in_each_absence() {
    let limit = Duration::from_secs(30);
    let config = calm().connect_timeout(Duration::from_secs(60));
    let mut session = session(config).with_lost_after(limit);
    assert_eq!(session.deadline(), None, "it has not started");
    session.connect(at(1));
    let id = opens(&mut session);
    session.tick(at(30));
    assert_eq!(lost(&mut session), [] as [Duration; 0]);
    session.tick(at(31));
    session.tick(at(32));
    assert_eq!(lost(&mut session), [limit]);

    session.opened(at(40), id);
    session.failed(at(50), id, Failure::Reset, "");
    session.tick(at(79));
    assert_eq!(lost(&mut session), [] as [Duration; 0]);
    session.tick(at(81));
    assert_eq!(lost(&mut session), [Duration::from_secs(31)]);

    session.close(at(90), CloseFrame::NORMAL);
    assert_eq!(session.deadline(), None);
}

/// One step of a random history.
#[derive(Clone, Debug)]
enum Step {
    Send(usize),
    Connect,
    Open,
    Write(usize),
    Lose,
    Wait(u64),
    Close,
    Drain(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0_usize..40).prop_map(Step::Send),
        2 => Just(Step::Connect),
        3 => Just(Step::Open),
        4 => (0_usize..60).prop_map(Step::Write),
        2 => Just(Step::Lose),
        3 => (0_u64..8_000).prop_map(Step::Wait),
        1 => Just(Step::Close),
        1 => (0_u64..4_000).prop_map(Step::Drain),
    ];
    prop::collection::vec(step, 0..120)
}

fn count(counts: &mut Counts, fate: Fate, messages: u64) {
    match fate {
        Fate::Sent { .. } => counts.sent += messages,
        Fate::MaybeSent { .. } => counts.maybe_sent += messages,
        Fate::Rejected => counts.rejected += messages,
        Fate::Expired => counts.expired += messages,
    }
}

proptest! {
    /// Whatever happens: each accepted message has one outcome, messages leave in the order in which
    /// they were accepted, the outbox keeps its bounds, the session's counts are those of the outcomes,
    /// and a journal of it is consistent.
    #[test]
    fn each_message_has_one_outcome(steps in steps(), refuses in any::<bool>(), is_paced in any::<bool>()) {
        let outbox = Outbox::default().messages(4).bytes(100).time_to_live(Duration::from_secs(10));
        let outbox = if refuses { outbox.refuse_newest() } else { outbox.drop_oldest() };
        let limits = Limits { high_water: 64, ..Limits::default() };
        let recording = Recording::default();
        let mut session = with(outbox).with_limits(limits).with_observer(recording.observer());
        if is_paced {
            session = paced(session, Rate::new(4, Duration::from_secs(4)));
        }
        let mut now = at(1);
        let (mut accepted, mut settled, mut left) = (Vec::new(), Vec::new(), Vec::new());
        let (mut socket, mut counts) = (None, Counts::default());
        for step in steps {
            session.set_time(now);
            match step {
                Step::Send(length) => {
                    if let Ok(taken) = session.send(Message::text("x".repeat(length))) {
                        accepted.push(taken.id().number());
                    }
                }
                Step::Connect => session.connect(now),
                Step::Open => {
                    if let Some(id) = session.socket().filter(|_| socket.is_none()) {
                        session.opened(now, id);
                        socket = session.is_ready().then_some(id);
                    }
                }
                Step::Write(count) => {
                    if let Some(id) = socket {
                        session.written(id, count.min(session.pending().len()));
                        session.flushed(id);
                    }
                }
                Step::Lose => {
                    if let Some(id) = socket {
                        session.failed(now, id, Failure::Reset, "");
                    }
                }
                Step::Wait(millis) => {
                    let until = now.saturating_add(Duration::from_millis(millis));
                    while let Some(due) = session.deadline().filter(|due| *due <= until) {
                        session.tick(due);
                        if session.deadline() == Some(due) {
                            prop_assert!(false, "a deadline that stays due");
                        }
                    }
                    now = until;
                    session.tick(now);
                }
                Step::Close => session.close(now, CloseFrame::NORMAL),
                Step::Drain(millis) => {
                    let until = now.saturating_add(Duration::from_millis(millis));
                    session.drain(now, CloseFrame::NORMAL, until);
                }
            }
            while let Some(order) = session.next_order() {
                if let Order::Drop { id, .. } | Order::Abort { id } = order {
                    session.dropped(id);
                    socket = socket.filter(|open| *open != id);
                }
            }
            for (first, last, fate) in outcomes(&mut session) {
                settled.extend(first..=last);
                count(&mut counts, fate, last - first + 1);
                if fate != Fate::Expired {
                    left.extend(first..=last);
                }
            }
            prop_assert!(session.queued_messages() <= 4 && session.queued_bytes() <= 100);
            counts.accepted = accepted.len() as u64;
            prop_assert_eq!(session.counts(), counts);
        }
        session.close(now, CloseFrame::NORMAL);
        while let Some(due) = session.deadline() {
            session.tick(due);
            while let Some(order) = session.next_order() {
                if let Order::Drop { id, .. } | Order::Abort { id } = order {
                    session.dropped(id);
                }
            }
        }
        for (first, last, fate) in outcomes(&mut session) {
            settled.extend(first..=last);
            count(&mut counts, fate, last - first + 1);
        }
        prop_assert_eq!((session.counts(), counts.unsettled()), (counts, 0));
        settled.sort_unstable();
        prop_assert_eq!(settled, accepted);
        drop(session);
        recording.check();
    }
}
