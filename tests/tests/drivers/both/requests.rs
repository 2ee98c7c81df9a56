//! Requests and their answers on real sockets.

use std::time::Duration;

use gateway_tests::{Driver, Frame, GUARD, calm, client, serve};
use gateway_tokio::core::{CloseFrame, DisconnectCause};
use gateway_tokio::{
    ClientEvent, CorrelationError, EndKind, JsonCorrelator, Message, Rate, RequestErrorKind,
};

gateway_tests::on_every_driver! {
    a_request_gets_its_answer_and_other_messages_stay_events
    a_late_answer_is_a_message_and_counted
    a_lost_connection_ends_a_request_at_once
    an_idempotent_request_survives_a_reconnect
    a_request_before_the_connection_is_refused_unless_it_is_idempotent
    a_request_that_is_sent_at_most_once_waits_for_the_connection
    a_request_says_whether_the_server_may_have_it
    a_message_that_cannot_hold_an_id_is_not_sent
    a_drain_sends_what_was_accepted_and_closes
}

fn by_id() -> JsonCorrelator {
    JsonCorrelator::new("/id").unwrap()
}

fn a_request_gets_its_answer_and_other_messages_stay_events(driver: Driver) {
    let server = serve(async |listener| {
        let mut peer = listener.peer().await;
        for number in 1..=3 {
            let request = format!(r#"{{"id":{number},"method":"time"}}"#);
            assert_eq!(peer.frame().await, Frame::text(request));
            peer.send(Frame::text(r#"{"push":1}"#)).await;
            peer.send(Frame::text(format!(r#"{{"id":{number},"result":7}}"#))).await;
        }
        peer.rest().await
    });
    let mut client = client!(driver, &server.url, calm(), .requests(by_id()));

    client.until_ready();
    for number in 1..=3 {
        let answer = client.request(r#"{"method":"time"}"#, GUARD).unwrap();
        assert_eq!(answer.as_text(), Some(format!(r#"{{"id":{number},"result":7}}"#).as_str()));
    }

    for _ in 0..3 {
        assert_eq!(client.message(), Message::text(r#"{"push":1}"#));
    }
}

fn a_late_answer_is_a_message_and_counted(driver: Driver) {
    let server = serve(async |listener| {
        let mut peer = listener.peer().await;
        peer.frame().await;
        peer.frame().await;
        peer.send(Frame::text(r#"{"id":1}"#)).await;
        peer.rest().await
    });
    let mut client = client!(driver, &server.url, calm(), .requests(by_id()));

    client.until_ready();
    let late = client.request("{}", Duration::from_millis(20)).unwrap_err();
    client.send("now").unwrap();

    assert_eq!(late.kind(), &RequestErrorKind::TimedOut);
    assert_eq!(client.message(), Message::text(r#"{"id":1}"#));
    let status = client.status();
    assert_eq!((status.unanswered_requests, status.unmatched_answers), (0, 1));
}

fn a_lost_connection_ends_a_request_at_once(driver: Driver) {
    let server = serve(async |listener| {
        let mut peer = listener.peer().await;
        peer.frame().await;
        drop(peer);
        listener.peer().await.rest().await
    });
    let mut client = client!(driver, &server.url, calm(), .requests(by_id()));

    client.until_ready();
    let lost = client.request("{}", GUARD).unwrap_err();

    assert_eq!(lost.kind(), &RequestErrorKind::MaybeSent);
    let cause = client.lost();
    assert!(matches!(cause, DisconnectCause::Lost(_)), "{cause:?}");
}

fn an_idempotent_request_survives_a_reconnect(driver: Driver) {
    let server = serve(async |listener| {
        let mut peer = listener.peer().await;
        let first = peer.frame().await;
        drop(peer);
        let mut peer = listener.peer().await;
        let second = peer.frame().await;
        peer.send(Frame::text(r#"{"id":2,"ok":true}"#)).await;
        peer.rest().await;
        [first, second]
    });
    let mut client = client!(driver, &server.url, calm(), .requests(by_id()));

    let answer = client.request_idempotent("{}", GUARD).unwrap();
    drop(client);

    assert_eq!(answer.as_text(), Some(r#"{"id":2,"ok":true}"#));
    assert_eq!(server.join(), [r#"{"id":1}"#, r#"{"id":2}"#].map(Frame::text));
}

fn a_request_before_the_connection_is_refused_unless_it_is_idempotent(driver: Driver) {
    let server = serve(async |listener| {
        let mut peer = listener.peer().await;
        peer.frame().await;
        peer.send(Frame::text(r#"{"id":1}"#)).await;
        peer.rest().await
    });
    let mut client = client!(driver, &server.url, calm(), .requests(by_id()));

    let refused = client.request("{}", GUARD).unwrap_err();
    let answer = client.request_idempotent("{}", GUARD);

    assert_eq!(refused.kind(), &RequestErrorKind::NotReady);
    assert!(answer.is_ok(), "{answer:?}");
    client.close(CloseFrame::NORMAL);
    let closed = client.request_idempotent("{}", GUARD).unwrap_err();
    assert_eq!(closed.kind(), &RequestErrorKind::Closed);
}

fn a_request_that_is_sent_at_most_once_waits_for_the_connection(driver: Driver) {
    let server = serve(async |listener| {
        let mut peer = listener.peer().await;
        let frames = [peer.frame().await];
        peer.send(Frame::text(r#"{"id":1}"#)).await;
        peer.frame().await; // the second request
        drop(peer);
        listener.peer().await.rest().await;
        frames
    });
    let mut client = client!(driver, &server.url, calm(), .requests(by_id()));

    let answer = client.request_when_ready("{}", GUARD).unwrap();
    let lost = client.request_when_ready("{}", GUARD).unwrap_err();

    assert_eq!(answer.as_text(), Some(r#"{"id":1}"#));
    assert_eq!(lost.kind(), &RequestErrorKind::MaybeSent);
}

fn a_request_says_whether_the_server_may_have_it(driver: Driver) {
    let server = serve(async |listener| listener.peer().await.rest().await);
    let rate = Rate::new(1, Duration::from_secs(3_600));
    let mut client = client!(driver, &server.url, calm(), .requests(by_id()).rate(rate));
    let short = Duration::from_millis(20);

    let refused = client.request("{}", GUARD).unwrap_err();
    client.until_ready();
    let sent = client.request("{}", short).unwrap_err();
    let waited = client.request("{}", short).unwrap_err();

    assert!(!refused.is_maybe_sent());
    assert_eq!((sent.kind(), sent.is_maybe_sent()), (&RequestErrorKind::TimedOut, true));
    assert_eq!((waited.kind(), waited.is_maybe_sent()), (&RequestErrorKind::TimedOut, false));
}

fn a_message_that_cannot_hold_an_id_is_not_sent(driver: Driver) {
    let server = serve(async |listener| listener.peer().await.rest().await);
    let mut client = client!(driver, &server.url, calm(), .requests(by_id()));

    client.until_ready();
    let refused = client.request(Message::binary(vec![1]), GUARD).unwrap_err();
    drop(client);

    assert_eq!(refused.kind(), &RequestErrorKind::Correlation(CorrelationError::Binary));
    assert_eq!(server.join(), []);
}

fn a_drain_sends_what_was_accepted_and_closes(driver: Driver) {
    let server = serve(async |listener| {
        let mut peer = listener.peer().await;
        assert_eq!(peer.frame().await, Frame::text("a message"));
        let close = Frame::close(1000, "");
        assert_eq!(peer.frame().await, close);
        peer.send(close).await;
    });
    let mut client = client!(driver, &server.url, calm(), .requests(by_id()));

    client.until_ready();
    client.send("a message").unwrap();
    let end = client.end(GUARD);

    assert_eq!(end.kind(), EndKind::Closed);
    assert!(!client.drain().iter().any(|event| matches!(event, ClientEvent::Outcome(_))));
    server.join();
}
