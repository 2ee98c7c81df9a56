//! Sending while away, at a limited rate, and until all of it has left, on real sockets.

use std::time::Duration;

use gateway_tests::{Driver, Frame, Peer, Provided as _, calm, client, serve};
use gateway_tokio::core::{CloseFrame, ConnectionState, DisconnectCause, SendRejection};
use gateway_tokio::{Attempt, ClientEvent, EndKind, Fate, Outbox, Rate, Request};
use tokio::net::TcpStream;

gateway_tests::on_every_driver! {
    what_is_sent_before_and_between_connections_arrives_in_order
    a_message_that_waits_too_long_expires
    a_full_outbox_returns_the_newest_message_if_it_is_set_to
    what_waits_for_one_endpoint_is_not_sent_to_another
    a_drain_sends_what_waits_and_then_closes
    a_drain_that_takes_too_long_rejects_what_is_left
    a_message_waits_for_the_rate_limit
    a_message_that_must_not_wait_for_the_rate_limit_is_paced
    a_hundred_thousand_sends_while_away_all_have_an_outcome
}

fn what_is_sent_before_and_between_connections_arrives_in_order(driver: Driver) {
    let server = serve(async |listener| {
        let mut first = listener.peer().await;
        let mut frames = vec![first.frame().await, first.frame().await];
        drop(first);
        let mut second = listener.peer().await;
        frames.extend([second.frame().await, second.frame().await]);
        second.echo().await;
        frames
    });
    let mut client = client!(driver, &server.url, calm(), .outbox(Outbox::default()));

    let queued = ["one", "two"].map(|text| client.send(text).unwrap().is_queued());
    client.lost();
    for text in ["three", "four"] {
        client.send(text).unwrap();
    }
    client.until_ready();
    client.close(CloseFrame::NORMAL);
    client.drain();

    assert_eq!(queued, [true, true]);
    assert_eq!(server.join(), ["one", "two", "three", "four"].map(Frame::text));
}

fn a_message_that_waits_too_long_expires(driver: Driver) {
    // The kernel accepts the connection, and nobody answers the upgrade.
    let server = serve(async |listener| {
        let tcp = listener.tcp().await;
        std::future::pending::<()>().await;
        drop(tcp);
    });
    let outbox = Outbox::default().time_to_live(Duration::from_millis(20));
    let mut client = client!(driver, &server.url, calm(), .outbox(outbox));

    let id = client.send("one").unwrap().id();
    let events = client.until(|event| matches!(event, ClientEvent::Outcome(_)));

    let Some(ClientEvent::Outcome(outcome)) = events.last() else { panic!("no outcome") };
    assert_eq!((outcome.first, outcome.last, outcome.fate), (id, id, Fate::Expired));
    assert_eq!(client.state(), ConnectionState::Connecting);
}

fn a_full_outbox_returns_the_newest_message_if_it_is_set_to(driver: Driver) {
    let server = serve(async |listener| drop(listener.peer().await));
    let outbox = Outbox::default().messages(1).refuse_newest();
    let mut client = client!(driver, &server.url, calm(), .outbox(outbox));

    client.send("one").unwrap();
    let refused = client.send("two").unwrap_err();

    assert_eq!(refused.rejection(), SendRejection::OutboxFull);
    assert_eq!(refused.into_message().as_text(), Some("two"));
}

fn what_waits_for_one_endpoint_is_not_sent_to_another(driver: Driver) {
    let first = serve(async |listener| drop(listener.peer().await));
    let second = serve(async |listener| all_of(listener.peer().await).await);
    let urls = [first.url.clone(), second.url.clone()];
    let provider = move |attempt: Attempt| {
        let place = usize::from(attempt.number > 1);
        Ok(Request::new().url(urls[place].as_str()))
    };
    let mut client = client!(driver, &first.url, calm(),
        .provided_by(provider).outbox(Outbox::default()));

    client.lost();
    let queued = client.send("for the first").unwrap();
    let events = client.until(|event| matches!(event, ClientEvent::Outcome(_)));
    client.until_ready();
    client.send("for the second").unwrap();
    client.end(Duration::from_secs(60));

    assert!(queued.is_queued());
    assert_eq!(events.last().and_then(fate), Some(Fate::Rejected));
    let sent = [Frame::text("for the second"), Frame::close(1000, "")];
    assert_eq!(second.join(), sent);
}

fn a_drain_sends_what_waits_and_then_closes(driver: Driver) {
    let server = serve(async |listener| all_of(listener.peer().await).await);
    let mut client =
        client!(driver, &server.url, calm(), .outbox(Outbox::default()).report_sent(true));

    client.send("one").unwrap();
    client.send("two").unwrap();
    let end = client.end(Duration::from_secs(60));

    assert_eq!(end.kind(), EndKind::Closed);
    let sent = client.drain().into_iter().find_map(|event| match event {
        ClientEvent::Outcome(outcome) => Some((outcome.count(), outcome.fate)),
        _ => None,
    });
    assert!(matches!(sent, Some((2, Fate::Sent { .. }))), "{sent:?}");
    let frames = server.join();
    assert_eq!(frames[..2], ["one", "two"].map(Frame::text));
    assert_eq!(frames[2..], [Frame::close(1000, "")]);
}

fn a_drain_that_takes_too_long_rejects_what_is_left(driver: Driver) {
    let server = serve(async |listener| {
        let tcp = listener.tcp().await;
        std::future::pending::<()>().await;
        drop(tcp);
    });
    let mut client = client!(driver, &server.url, calm(), .outbox(Outbox::default()));

    client.send("one").unwrap();
    let end = client.end(Duration::from_millis(20));

    assert_eq!(end.kind(), EndKind::Closed);
    let events = client.drain();
    let fates: Vec<_> = events.iter().filter_map(fate).collect();
    assert_eq!(fates, [Fate::Rejected], "{events:?}");
    assert_eq!(client.send("two").unwrap_err().rejection(), SendRejection::Closed);
}

fn a_message_waits_for_the_rate_limit(driver: Driver) {
    const MESSAGES: usize = 6;
    let server = serve(async |listener| all_of(listener.peer().await).await);
    let rate = Rate::new(2, Duration::from_millis(40)).burst(2);
    let mut client = client!(driver, &server.url, calm(), .rate(rate));

    client.until_ready();
    let texts: Vec<_> = (0..MESSAGES).map(|number| format!("message {number}")).collect();
    for text in &texts {
        assert!(!client.send(text.as_str()).unwrap().is_queued());
    }
    let end = client.end(Duration::from_secs(60));

    assert_eq!(end.kind(), EndKind::Closed);
    let frames = server.join();
    assert_eq!(frames[..MESSAGES], texts.iter().map(Frame::text).collect::<Vec<_>>());
}

fn a_message_that_must_not_wait_for_the_rate_limit_is_paced(driver: Driver) {
    let rate = Rate::new(1, Duration::from_secs(3_600));
    for outbox in [None, Some(Outbox::default())] {
        let server = serve(async |listener| listener.peer().await.rest().await);
        let mut client = match outbox {
            None => client!(driver, &server.url, calm(), .rate(rate)),
            Some(outbox) => client!(driver, &server.url, calm(), .rate(rate).outbox(outbox)),
        };
        client.until_ready();
        client.send("one").unwrap();

        let refused = client.try_send("two").unwrap_err();

        assert_eq!(refused.rejection(), SendRejection::Paced, "{outbox:?}");
        assert_eq!(refused.into_message().as_text(), Some("two"));
    }
}

fn a_hundred_thousand_sends_while_away_all_have_an_outcome(driver: Driver) {
    const SENDS: u64 = 100_000;
    let server = serve(async |listener| all_of(listener.peer().await).await);
    let outbox = Outbox::default().messages(100).without_time_to_live();
    let mut client = client!(driver, &server.url, calm(), .outbox(outbox).report_sent(true));

    for _ in 0..SENDS {
        assert!(client.send("x").unwrap().is_queued());
    }
    let end = client.end(Duration::from_secs(60));

    assert_eq!(end.kind(), EndKind::Closed);
    let (mut sent, mut rejected) = (0, 0);
    for event in client.drain() {
        match event {
            ClientEvent::Outcome(outcome) if outcome.fate == Fate::Rejected => {
                rejected += outcome.count();
            }
            ClientEvent::Outcome(outcome) => sent += outcome.count(),
            ClientEvent::Disconnected { cause, .. } => {
                assert_eq!(cause, DisconnectCause::Requested)
            }
            _ => {}
        }
    }
    assert_eq!((sent, rejected), (100, SENDS - 100));
    assert_eq!(server.join().len(), 101, "the newest hundred, and a Close");
}

/// Takes the frames up to the client's Close, and answers it.
async fn all_of(mut peer: Peer<TcpStream>) -> Vec<Frame> {
    let mut frames = Vec::new();
    while frames.last() != Some(&Frame::close(1000, "")) {
        frames.push(peer.frame().await);
    }
    peer.send(Frame::close(1000, "")).await;
    frames
}

fn fate(event: &ClientEvent) -> Option<Fate> {
    match event {
        ClientEvent::Outcome(outcome) => Some(outcome.fate),
        _ => None,
    }
}
