//! Requests and their answers: each ends, once, whatever happens to the connection.

use gateway_core::{Dialect, Exchange, Interest, Message as Shown, Received};
use proptest::prelude::*;

use super::observing::Recording;
use super::sending::{endpoint, lose, paced, ready, write_all};
use super::*;
use crate::correlation::{CorrelationError, Correlator, JsonCorrelator};
use crate::outbox::Outbox;
use crate::provider::Request;
use crate::rate::Rate;
use crate::requests::{NoAnswer, Repeat, RequestErrorKind, RequestId};

pub(super) fn asking() -> Session {
    let correlator = JsonCorrelator::new("/id").unwrap();
    session(calm()).with_sent_reported(true).with_requests(Box::new(correlator))
}

/// A request whose time is over in ten seconds.
fn request(
    session: &mut Session,
    now: Instant,
    repeat: Repeat,
) -> Result<RequestId, RequestErrorKind> {
    let message = Message::text("{}");
    session.request(now, &message, Duration::from_secs(10), repeat)
}

fn once(session: &mut Session, now: Instant) -> RequestId {
    request(session, now, Repeat::Never).unwrap()
}

fn receive(session: &mut Session, id: SocketId, text: &str) {
    session.received(session.now, id, &frame(0x81, text));
}

fn messages(session: &mut Session) -> Vec<String> {
    let text = |event: ClientEvent| match event {
        ClientEvent::Message(message) => message.as_text().map(str::to_owned),
        _ => None,
    };
    events(session).into_iter().filter_map(text).collect()
}

fn answer(session: &mut Session, request: RequestId) -> Option<Result<String, RequestErrorKind>> {
    let answer = session.take_answer(request)?.map_err(|why| why.kind().clone());
    Some(answer.map(|message| message.as_text().unwrap().to_owned()))
}

#[test]
fn answers_that_no_one_takes_stop_the_reading() {
    for behind in [Behind::StopReading, Behind::DropOldest] {
        let backlog = 2 * (100 + size_of::<ClientEvent>()); // two answers have space, and not three
        let limits = Limits { backlog, ..Limits::default() };
        let mut session = asking().with_limits(limits).with_behind(behind);
        let id = ready(&mut session, at(1));
        let _ = events(&mut session);
        let requests = [(); 3].map(|()| once(&mut session, at(1)));
        write_all(&mut session, id);

        for number in 1..=3 {
            assert!(session.wants_input());
            let filler = "x".repeat(80);
            receive(&mut session, id, &format!(r#"{{"id":{number},"x":"{filler}"}}"#));
        }
        assert!(!session.wants_input() && session.is_flow_changed(), "{behind:?}");
        assert!(!session.has_messages());

        assert!(session.take_answer(requests[0]).is_some());
        session.forget_request(requests[1]);
        assert!(session.wants_input());
        assert_eq!(session.take_answers().into_keys().collect::<Vec<_>>(), [requests[2]]);
    }
}

#[test]
fn each_request_gets_its_own_answer_in_any_order() {
    let mut session = asking();
    let id = ready(&mut session, at(1));
    let [first, second] = [(); 2].map(|()| once(&mut session, at(1)));
    assert_eq!(write_all(&mut session, id), [r#"{"id":1}"#, r#"{"id":2}"#]);

    receive(&mut session, id, r#"{"id":2,"b":0}"#);
    receive(&mut session, id, r#"{"push":1}"#);
    receive(&mut session, id, r#"{"id":1,"a":0}"#);

    assert_eq!(answer(&mut session, second), Some(Ok(r#"{"id":2,"b":0}"#.into())));
    assert_eq!(answer(&mut session, first), Some(Ok(r#"{"id":1,"a":0}"#.into())));
    assert_eq!(answer(&mut session, first), None, "it was taken");
    assert_eq!(messages(&mut session), [r#"{"push":1}"#]);
    assert_eq!((session.unanswered_requests(), session.deadline()), (0, None));
}

#[test]
fn an_answer_may_come_before_the_request_was_flushed() {
    let mut session = asking();
    let id = ready(&mut session, at(1));
    let request = once(&mut session, at(1));
    receive(&mut session, id, r#"{"id":1}"#);
    assert_eq!(answer(&mut session, request), Some(Ok(r#"{"id":1}"#.into())));
}

#[test]
fn an_answer_twice_late_or_for_no_request_is_a_message_and_counted() {
    let mut session = asking();
    let id = ready(&mut session, at(1));
    let [answered, late] = [(); 2].map(|()| once(&mut session, at(1)));
    receive(&mut session, id, r#"{"id":1}"#);
    receive(&mut session, id, r#"{"id":1}"#);
    assert_eq!(session.deadline(), Some(at(11)));
    session.tick(at(11));
    receive(&mut session, id, r#"{"id":2}"#);
    receive(&mut session, id, r#"{"id":77}"#);

    assert!(matches!(answer(&mut session, answered), Some(Ok(_))));
    assert_eq!(answer(&mut session, late), Some(Err(RequestErrorKind::TimedOut)));
    assert_eq!(messages(&mut session), [r#"{"id":1}"#, r#"{"id":2}"#, r#"{"id":77}"#]);
    assert_eq!(session.unmatched_answers(), 3);
}

#[test]
fn a_request_needs_a_ready_connection_unless_it_is_idempotent() {
    let mut session = asking();
    let refused = request(&mut session, at(1), Repeat::Never);
    assert_eq!(refused, Err(RequestErrorKind::NotReady));
    let waits = request(&mut session, at(1), Repeat::OnReconnect).unwrap();

    let id = ready(&mut session, at(2));

    assert_eq!(write_all(&mut session, id), [r#"{"id":1}"#]);
    receive(&mut session, id, r#"{"id":1}"#);
    assert!(matches!(answer(&mut session, waits), Some(Ok(_))));
}

#[test]
fn a_request_that_is_sent_at_most_once_waits_until_a_byte_of_it_is_written() {
    let mut session = asking();
    let [first, second] =
        [(); 2].map(|()| request(&mut session, at(1), Repeat::WhileUnsent).unwrap());
    let id = ready(&mut session, at(2));
    session.written(id, 1);
    lose(&mut session, at(3), id);

    assert_eq!(answer(&mut session, first), Some(Err(RequestErrorKind::MaybeSent)));
    assert_eq!(answer(&mut session, second), None, "no byte of it was written");
    let id = ready(&mut session, at(4));
    assert_eq!(write_all(&mut session, id), [r#"{"id":3}"#]);
    receive(&mut session, id, r#"{"id":3}"#);
    assert!(matches!(answer(&mut session, second), Some(Ok(_))));
}

#[test]
fn the_end_of_a_request_says_whether_the_server_may_have_it() {
    let mut session = asking();
    let waits = request(&mut session, at(1), Repeat::WhileUnsent).unwrap();
    session.tick(at(11));
    let waited = session.take_answer(waits).unwrap().unwrap_err();
    assert_eq!((waited.kind(), waited.is_maybe_sent()), (&RequestErrorKind::TimedOut, false));
    assert_eq!(waited.to_string(), "the answer did not come in time; the request was not sent");

    let id = ready(&mut session, at(12));
    let [repeated, written] =
        [Repeat::OnReconnect, Repeat::Never].map(|repeat| request(&mut session, at(12), repeat));
    write_all(&mut session, id);
    session.tick(at(22));
    for request in [repeated, written] {
        let late = session.take_answer(request.unwrap()).unwrap().unwrap_err();
        assert_eq!((late.kind(), late.is_maybe_sent()), (&RequestErrorKind::TimedOut, true));
    }

    let repeated = request(&mut session, at(23), Repeat::OnReconnect).unwrap();
    write_all(&mut session, id);
    lose(&mut session, at(24), id);
    session.tick(at(33));
    let late = session.take_answer(repeated).unwrap().unwrap_err();
    assert!(late.is_maybe_sent(), "the lost connection had it");
}

#[test]
fn a_request_that_waits_for_the_rate_limit_at_its_end_was_not_sent() {
    let mut session = paced(asking(), Rate::new(1, Duration::from_secs(60)));
    let id = ready(&mut session, at(1));
    let [sent, waits] = [(); 2].map(|()| once(&mut session, at(1)));
    write_all(&mut session, id);
    session.tick(at(11));

    let is_maybe_sent =
        |end: Option<Result<Message, NoAnswer>>| end.unwrap().unwrap_err().is_maybe_sent();
    assert!(is_maybe_sent(session.take_answer(sent)));
    assert!(!is_maybe_sent(session.take_answer(waits)));
}

/// One message in a second.
fn each_second(session: Session) -> Session {
    paced(session, Rate::new(1, Duration::from_secs(1)))
}

/// At each of these seconds the deadline is due. Returns what leaves.
fn leaves(session: &mut Session, id: SocketId, seconds: impl Iterator<Item = u64>) -> Vec<String> {
    seconds
        .flat_map(|second| {
            session.tick(at(second));
            write_all(session, id)
        })
        .collect()
}

#[test]
fn requests_and_the_outbox_take_turns_behind_the_requests_that_waited() {
    let mut session = each_second(asking().with_outbox(Outbox::default(), &endpoint()));
    for text in ["one", "two"] {
        session.send(Message::text(text)).unwrap();
    }
    for _ in 0..2 {
        request(&mut session, at(1), Repeat::OnReconnect).unwrap();
    }
    let id = ready(&mut session, at(1));
    for _ in 0..3 {
        once(&mut session, at(1));
    }

    let expected =
        [r#"{"id":1}"#, r#"{"id":2}"#, "one", r#"{"id":3}"#, "two", r#"{"id":4}"#, r#"{"id":5}"#];
    let first = write_all(&mut session, id);
    assert_eq!([first, leaves(&mut session, id, 2..9)].concat(), expected);
}

#[test]
fn requests_that_never_pause_leave_every_second_token_to_messages() {
    let mut session = each_second(asking());
    let id = ready(&mut session, at(1));
    for _ in 0..3 {
        once(&mut session, at(1));
    }
    write_all(&mut session, id);

    session.wait_for_space(at(1));
    assert!(session.poll_space().is_pending(), "no token is there");
    session.tick(at(2));
    assert!(session.poll_space().is_ready(), "it is the message's turn");
    session.send(Message::text("one")).unwrap();
    assert!(session.is_full(), "the next is a request's");
    session.wait_for_space(at(2));

    assert_eq!(write_all(&mut session, id), ["one"]);
    assert_eq!(leaves(&mut session, id, 3..5), [r#"{"id":2}"#]);
    session.send(Message::text("two")).unwrap();
    assert_eq!(leaves(&mut session, id, 5..6), ["two", r#"{"id":3}"#]);
}

#[test]
fn a_message_that_does_not_come_in_its_turn_holds_up_requests_for_a_moment() {
    let mut session = each_second(asking());
    let id = ready(&mut session, at(1));
    for _ in 0..2 {
        once(&mut session, at(1));
    }
    write_all(&mut session, id);
    session.wait_for_space(at(1));
    session.tick(at(2));
    assert!(session.pending().is_empty(), "the turn is the message's");

    let passes_at = at(2).saturating_add(Duration::from_millis(100));
    assert_eq!(session.deadline(), Some(passes_at));
    session.tick(passes_at);
    assert_eq!(write_all(&mut session, id), [r#"{"id":2}"#]);

    once(&mut session, at(3));
    session.tick(session.deadline().unwrap());
    session.set_time(session.deadline().unwrap());
    session.end_wait(); // the message's future was dropped
    session.tick(session.deadline().unwrap());
    assert_eq!(write_all(&mut session, id), [r#"{"id":3}"#]);
}

#[test]
fn a_request_that_waits_for_an_id_holds_no_message_back() {
    let correlator = JsonCorrelator::new("/id").unwrap().greatest(1);
    let mut session = session(calm()).with_requests(Box::new(correlator));
    let id = ready(&mut session, at(1));
    for _ in 0..2 {
        once(&mut session, at(1));
    }
    assert!(!session.is_full());
    session.send(Message::text("one")).unwrap();
    assert_eq!(write_all(&mut session, id), [r#"{"id":1}"#, "one"]);
    receive(&mut session, id, r#"{"id":1}"#);
    assert_eq!(write_all(&mut session, id), [r#"{"id":1}"#]);
}

#[test]
fn a_lost_connection_ends_requests_at_once_and_says_whether_they_were_sent() {
    let mut session = asking();
    let id = ready(&mut session, at(1));
    let [flushed, begun, kept] = [(); 3].map(|()| once(&mut session, at(1)));
    let one = session.pending().len() / 3;
    session.written(id, one);
    session.flushed(id);
    session.written(id, 1);
    lose(&mut session, at(2), id);

    assert_eq!(answer(&mut session, flushed), Some(Err(RequestErrorKind::MaybeSent)));
    assert_eq!(answer(&mut session, begun), Some(Err(RequestErrorKind::MaybeSent)));
    assert_eq!(answer(&mut session, kept), Some(Err(RequestErrorKind::NotSent)));
    assert_eq!(outcomes(&mut session), [], "requests are not among the outcomes");
}

#[test]
fn an_idempotent_request_is_sent_again_in_its_order_until_its_time_is_over() {
    let mut session = asking();
    let id = ready(&mut session, at(1));
    let [first, second] =
        [(); 2].map(|()| request(&mut session, at(1), Repeat::OnReconnect).unwrap());
    write_all(&mut session, id);
    lose(&mut session, at(2), id);
    let id = ready(&mut session, at(3));
    assert_eq!(write_all(&mut session, id), [r#"{"id":3}"#, r#"{"id":4}"#]);
    receive(&mut session, id, r#"{"id":3}"#);
    lose(&mut session, at(4), id);
    session.tick(at(11));

    assert!(matches!(answer(&mut session, first), Some(Ok(_))));
    assert_eq!(answer(&mut session, second), Some(Err(RequestErrorKind::TimedOut)));
    let id = ready(&mut session, at(12));
    assert_eq!(write_all(&mut session, id), [] as [&str; 0]);
}

#[test]
fn requests_that_are_sent_again_keep_their_order() {
    let mut session = asking();
    let id = ready(&mut session, at(1));
    let requests = [(); 8].map(|()| request(&mut session, at(1), Repeat::OnReconnect).unwrap());
    lose(&mut session, at(2), id);
    let id = ready(&mut session, at(3));
    write_all(&mut session, id);
    for (request, number) in requests.into_iter().zip(9..) {
        let text = format!(r#"{{"id":{number}}}"#);
        receive(&mut session, id, &text);
        assert_eq!(answer(&mut session, request), Some(Ok(text)));
    }
}

#[test]
fn a_close_ends_what_waits_and_the_end_of_the_socket_what_was_sent() {
    let mut session = asking();
    let id = ready(&mut session, at(1));
    let once = once(&mut session, at(1));
    let again = request(&mut session, at(1), Repeat::OnReconnect).unwrap();
    write_all(&mut session, id);
    session.close(at(2), CloseFrame::NORMAL);
    assert_eq!(request(&mut session, at(2), Repeat::OnReconnect), Err(RequestErrorKind::Closed));
    assert_eq!(answer(&mut session, once), None, "the answer may still come");
    session.failed(at(3), id, Failure::Eof, "");
    let Some(Order::Drop { id, .. }) = session.next_order() else { panic!("no drop") };
    session.dropped(id);

    for request in [once, again] {
        assert_eq!(answer(&mut session, request), Some(Err(RequestErrorKind::MaybeSent)));
    }
}

#[test]
fn a_request_that_waited_for_a_connection_was_not_sent_when_the_client_closes() {
    let mut session = asking();
    let waits = request(&mut session, at(1), Repeat::OnReconnect).unwrap();
    session.close(at(2), CloseFrame::NORMAL);
    assert_eq!(answer(&mut session, waits), Some(Err(RequestErrorKind::NotSent)));
}

#[test]
fn requests_are_bounded_and_one_that_is_forgotten_makes_space() {
    let limits = Limits { requests: 2, ..Limits::default() };
    let mut session = asking().with_limits(limits);
    let id = ready(&mut session, at(1));
    let [first, _] = [(); 2].map(|()| once(&mut session, at(1)));
    assert_eq!(request(&mut session, at(1), Repeat::Never), Err(RequestErrorKind::Full));

    session.forget_request(first);

    once(&mut session, at(1));
    receive(&mut session, id, r#"{"id":1}"#);
    assert_eq!(messages(&mut session), [r#"{"id":1}"#], "no one waits for it");
}

#[test]
fn a_message_that_cannot_hold_an_id_ends_its_request() {
    let mut session = asking();
    ready(&mut session, at(1));
    let timeout = Duration::from_secs(10);
    let request = session.request(at(1), &Message::text("[]"), timeout, Repeat::Never).unwrap();
    let no_place = CorrelationError::NoPlace { pointer: "/id".into() };
    assert_eq!(answer(&mut session, request), Some(Err(RequestErrorKind::Correlation(no_place))));
    assert!(session.pending().is_empty());
}

#[test]
fn without_a_correlator_there_are_no_requests() {
    let mut session = session(calm());
    ready(&mut session, at(1));
    assert_eq!(request(&mut session, at(1), Repeat::Never), Err(RequestErrorKind::NoCorrelator));
}

/// Ids from 1 to 3, as the whole text.
struct Few;

impl Correlator for Few {
    fn attach(&mut self, id: u64, _: &Message) -> Result<Message, CorrelationError> {
        Ok(Message::text(id.to_string()))
    }

    fn answered(&mut self, message: &Message) -> Option<u64> {
        message.as_text()?.parse().ok()
    }

    fn greatest_id(&self) -> u64 {
        3
    }
}

#[test]
fn ids_start_again_and_skip_those_of_pending_requests() {
    let mut session = session(calm()).with_requests(Box::new(Few));
    let id = ready(&mut session, at(1));
    for _ in 0..3 {
        once(&mut session, at(1));
    }
    receive(&mut session, id, "1");
    receive(&mut session, id, "3");
    let [fourth, fifth, sixth] = [(); 3].map(|()| once(&mut session, at(1)));
    assert_eq!(write_all(&mut session, id), ["1", "2", "3", "1", "3"]);
    assert!(!session.is_full(), "the sixth has no id yet, and holds no message back");
    receive(&mut session, id, "2");
    assert_eq!(write_all(&mut session, id), ["2"]);
    for (request, answered) in [(fourth, "1"), (fifth, "3"), (sixth, "2")] {
        receive(&mut session, id, answered);
        assert_eq!(answer(&mut session, request), Some(Ok(answered.into())));
    }
}

#[test]
fn a_request_that_is_forgotten_frees_its_id_for_one_that_waits() {
    let mut session = session(calm()).with_requests(Box::new(Few));
    let id = ready(&mut session, at(1));
    let [first, ..] = [(); 4].map(|()| once(&mut session, at(1)));
    assert_eq!(write_all(&mut session, id), ["1", "2", "3"]);
    session.forget_request(first);
    assert!(session.deadline().is_some_and(|due| due <= at(1)), "the fourth may leave");
    session.tick(at(1));
    assert_eq!(write_all(&mut session, id), ["1"]);
    assert!(!session.is_full());
}

#[test]
fn a_request_that_waits_for_an_id_leaves_no_deadline_that_is_due() {
    let rate = crate::rate::Rate::new(8, Duration::from_secs(1)).burst(8);
    let mut session =
        session(calm()).with_requests(Box::new(Few)).with_rate(rate.bucket(&mut Vec::new()));
    ready(&mut session, at(2));
    for _ in 0..4 {
        once(&mut session, at(2));
    }
    session.tick(at(3));
    assert_eq!(session.deadline(), Some(at(12)), "their time");
}

#[test]
fn a_request_whose_time_is_over_is_not_sent_if_the_connection_is_ready_too_late() {
    let mut session = asking();
    let late = request(&mut session, at(1), Repeat::OnReconnect).unwrap();
    let id = ready(&mut session, at(11)); // no tick came meanwhile
    assert_eq!(write_all(&mut session, id), [] as [&str; 0]);
    assert_eq!(answer(&mut session, late), Some(Err(RequestErrorKind::TimedOut)));
}

#[test]
fn a_drain_waits_for_answers() {
    let mut session = asking();
    let id = ready(&mut session, at(1));
    once(&mut session, at(1));
    session.drain(at(1), CloseFrame::NORMAL, at(9));
    write_all(&mut session, id);
    assert_eq!(session.state(), ConnectionState::Connected);
    receive(&mut session, id, r#"{"id":1}"#);
    assert_eq!(session.state(), ConnectionState::Closing);
}

/// A dialect that numbers its greeting and its pings.
struct Counting;

impl Dialect for Counting {
    fn duties(&self) -> gateway_core::Duties {
        gateway_core::Duties::NONE.with_heartbeat()
    }

    fn interest(&self) -> gateway_core::Interest {
        gateway_core::Interest::NONE
    }

    fn opened(&mut self, exchange: &mut gateway_core::Exchange<'_>) {
        let number = exchange.next_number();
        exchange.send_text(number);
    }

    fn heartbeat(&mut self, exchange: &mut gateway_core::Exchange<'_>) {
        let number = exchange.next_number();
        exchange.send_text(number);
    }

    fn received(
        &mut self,
        _: gateway_core::Message<'_>,
        _: &mut gateway_core::Exchange<'_>,
    ) -> gateway_core::Received {
        gateway_core::Received::Deliver
    }
}

/// Acknowledges each text, and also delivers it.
#[derive(Clone, Copy)]
struct Acknowledging;

impl Dialect for Acknowledging {
    fn interest(&self) -> Interest {
        Interest::TEXT
    }

    fn received(&mut self, _: Shown<'_>, exchange: &mut Exchange<'_>) -> Received {
        exchange.send_text("ack");
        Received::Deliver
    }
}

fn acknowledging(greatest: u64) -> Session {
    let correlator = JsonCorrelator::new("/id").unwrap().greatest(greatest);
    let config = Arc::new(calm().build().unwrap());
    Session::new(config, 7, Box::new(Acknowledging)).with_requests(Box::new(correlator))
}

#[test]
fn a_dialects_answer_to_an_answer_is_sent_before_what_the_answer_makes_possible() {
    let mut session = acknowledging(1);
    let id = ready(&mut session, at(1));
    let [_, _] = [(); 2].map(|()| once(&mut session, at(1)));
    assert_eq!(write_all(&mut session, id), [r#"{"id":1}"#], "the only id is taken");

    receive(&mut session, id, r#"{"id":1}"#);

    assert_eq!(write_all(&mut session, id), ["ack", r#"{"id":1}"#]);
}

#[test]
fn a_dialects_answer_to_the_last_answer_of_a_drain_is_sent_before_the_close() {
    let mut session = acknowledging(9);
    let id = ready(&mut session, at(1));
    once(&mut session, at(1));
    write_all(&mut session, id);
    session.drain(at(2), CloseFrame::NORMAL, at(60));

    receive(&mut session, id, r#"{"id":1}"#);
    assert_eq!(write_all(&mut session, id), ["ack"]);

    assert_eq!(session.state(), ConnectionState::Closing);
}

#[test]
fn requests_that_wait_are_not_for_another_endpoint() {
    let mut session = asking().with_places(&endpoint());
    let id = ready(&mut session, at(1));
    let [sent, unsent] =
        [(); 2].map(|()| request(&mut session, at(1), Repeat::OnReconnect).unwrap());
    let one = session.pending().len() / 2;
    session.written(id, one);
    session.flushed(id);
    lose(&mut session, at(2), id);

    session.connect(at(3));
    let id = opens(&mut session);
    let other = Request::new().url("ws://other.example/feed");
    let plan = other.plan(&endpoint(), &Login::None).unwrap();
    let _ = session.endpoint_of(id, Some(&plan));
    session.opened(at(3), id);

    assert_eq!(write_all(&mut session, id), [] as [&str; 0]);
    assert_eq!(answer(&mut session, sent), Some(Err(RequestErrorKind::MaybeSent)));
    assert_eq!(answer(&mut session, unsent), Some(Err(RequestErrorKind::NotSent)));
}

#[test]
fn a_correlator_that_panics_costs_one_answer_or_one_request() {
    struct Panics;
    impl Correlator for Panics {
        fn attach(&mut self, id: u64, request: &Message) -> Result<Message, CorrelationError> {
            assert_ne!(request.as_text(), Some("secret"));
            Ok(Message::text(id.to_string()))
        }

        fn answered(&mut self, message: &Message) -> Option<u64> {
            Some(message.as_text().unwrap().parse().unwrap())
        }
    }
    let mut session = session(calm()).with_requests(Box::new(Panics));
    let id = ready(&mut session, at(1));
    let message = Message::text("secret");
    let wrong = session.request(at(1), &message, Duration::from_secs(10), Repeat::Never).unwrap();
    let right = once(&mut session, at(1));

    let Some(Err(RequestErrorKind::Correlation(error))) = answer(&mut session, wrong) else {
        panic!("it has no id")
    };
    assert_eq!(error.to_string(), "the request cannot have an id: the correlator panicked");
    receive(&mut session, id, "no number");
    receive(&mut session, id, "2");
    assert_eq!(messages(&mut session), ["no number"]);
    assert_eq!(answer(&mut session, right), Some(Ok("2".into())));
}

#[test]
fn the_ids_of_requests_and_of_a_dialect_come_from_the_same_numbers() {
    let config = Config::builder().heartbeat(HeartbeatKind::Dialect).build().unwrap();
    let correlator = JsonCorrelator::new("/id").unwrap();
    let mut session =
        Session::new(Arc::new(config), 7, Box::new(Counting)).with_requests(Box::new(correlator));
    for _ in 0..2 {
        let id = ready(&mut session, at(1));
        request(&mut session, at(1), Repeat::Never).unwrap();
        let due = session.connection.next_deadline().unwrap();
        session.at(due, Event::Tick, super::super::perform::Payload::None);
        request(&mut session, due, Repeat::Never).unwrap();
        let sent = write_all(&mut session, id);
        assert_eq!(sent, ["1", r#"{"id":2}"#, "3", r#"{"id":4}"#], "each socket starts at 1");
        lose(&mut session, due, id);
    }
}

#[derive(Clone, Debug)]
enum Step {
    Ask(bool),
    Answer(u64),
    Forget,
    Connect,
    Open,
    Write(usize),
    Lose,
    Wait(u64),
    Close,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => any::<bool>().prop_map(Step::Ask),
        6 => (1_u64..6).prop_map(Step::Answer),
        1 => Just(Step::Forget),
        2 => Just(Step::Connect),
        3 => Just(Step::Open),
        4 => (0_usize..60).prop_map(Step::Write),
        1 => Just(Step::Lose),
        3 => (0_u64..6_000).prop_map(Step::Wait),
        1 => Just(Step::Close),
    ];
    prop::collection::vec(step, 0..120)
}

proptest! {
    /// Whatever happens: each request ends once, no later than its time, and a journal of it is
    /// consistent.
    #[test]
    fn each_request_ends_once(steps in steps()) {
        let limits = Limits { high_water: 20, requests: 4, ..Limits::default() };
        let recording = Recording::default();
        let mut session = session(calm())
            .with_requests(Box::new(Few))
            .with_limits(limits)
            .with_observer(recording.observer());
        let mut now = at(1);
        let mut open = std::collections::BTreeMap::new();
        let (mut socket, mut counted) = (None, 0);
        for step in steps {
            match step {
                Step::Ask(is_idempotent) => {
                    let repeat = if is_idempotent { Repeat::OnReconnect } else { Repeat::Never };
                    if let Ok(made) = request(&mut session, now, repeat) {
                        counted += 1;
                        prop_assert!(open.insert(made, now.saturating_add(Duration::from_secs(10))).is_none());
                    }
                }
                Step::Answer(number) => {
                    if let Some(id) = socket {
                        session.received(now, id, &frame(0x81, number.to_string()));
                    }
                }
                Step::Forget => {
                    if let Some((request, _)) = open.pop_first() {
                        session.forget_request(request);
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
                        prop_assert!(session.deadline() != Some(due), "a deadline that stays due");
                    }
                    now = until;
                    session.tick(now);
                }
                Step::Close => session.close(now, CloseFrame::NORMAL),
            }
            while let Some(order) = session.next_order() {
                if let Order::Drop { id, .. } | Order::Abort { id } = order {
                    session.dropped(id);
                    socket = socket.filter(|open| *open != id);
                }
            }
            let ended: Vec<_> = session.ended_requests().collect();
            for request in ended {
                prop_assert!(session.take_answer(request).is_some());
                prop_assert!(open.remove(&request).is_some(), "a request ended twice");
            }
            prop_assert!(open.values().all(|due| now < *due), "a request outlived its time");
            prop_assert_eq!(session.unanswered_requests(), open.len());
            let counts = session.counts().requests;
            prop_assert_eq!((counts.made, counts.pending()), (counted, open.len() as u64));
        }
        drop(session);
        recording.check();
    }
}
