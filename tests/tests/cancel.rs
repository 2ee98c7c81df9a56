//! A future that is dropped half-way loses and duplicates nothing, wherever it is cut.

use futures_util::SinkExt as _;
use gateway_tests::{Cuts, Frame, Sockets, calm, client, memory, settle, within};
use gateway_tokio::core::{AcceptanceRule, CloseFrame, ConfigBuilder, Login, Notice, Secret};
use gateway_tokio::{Client, ClientEvent, Message};

const MESSAGES: usize = 20;

fn config() -> ConfigBuilder {
    calm().login(Login::Message {
        send: Secret::new("login"),
        accepted: AcceptanceRule::parse("/type=welcome").expect("a rule"),
        refused: Vec::new(),
        timeout: Login::TIMEOUT,
    })
}

fn pair() -> (Client, Sockets) {
    let (memory, sockets) = memory(16); // small: most writes and reads take several polls
    (client("ws://gateway.example", config()).dial(memory).build().unwrap(), sockets)
}

/// Accepts the login, echoes, answers the Close; returns the messages that came.
async fn serve(mut sockets: Sockets) -> Vec<String> {
    let mut peer = sockets.peer().await;
    assert_eq!(peer.frame().await, Frame::text("login"));
    peer.send(Frame::text(r#"{"type":"welcome"}"#)).await;
    let mut arrived = Vec::new();
    loop {
        let frame = peer.frame().await;
        if frame.first == 0x88 {
            peer.send(frame).await;
            assert_eq!(peer.next().await, None);
            return arrived;
        }
        arrived.push(frame.as_text().to_owned());
        peer.send(frame).await;
    }
}

fn text(number: usize) -> String {
    format!("message {number}, longer than the socket's buffer")
}

/// Takes the next event, however often that is cut.
async fn next(client: &mut Client, cuts: &mut Cuts) -> Option<ClientEvent> {
    loop {
        if let Some(event) = cuts.once(client.next()).await {
            return event;
        }
    }
}

/// Sends, and where that is cut asks the counters whether the message was taken, as a user can.
async fn send(client: &mut Client, cuts: &mut Cuts, message: &str) {
    loop {
        let before = client.statistics().frames_out;
        match cuts.once(client.send(message)).await {
            Some(sent) => {
                sent.unwrap();
                return;
            }
            None if client.statistics().frames_out > before => return,
            None => {}
        }
    }
}

/// The whole life of a client; returns its events.
async fn live(client: &mut Client, cuts: &mut Cuts) -> Vec<ClientEvent> {
    let mut events = Vec::new();
    while !client.is_ready() {
        events.extend(next(client, cuts).await);
    }
    for number in 0..MESSAGES {
        if number % 2 == 0 {
            send(client, cuts, &text(number)).await;
        } else {
            client.feed(Message::text(text(number))).await.unwrap();
            while cuts.once(client.flush()).await.is_none() {}
        }
    }
    let mut echoes = 0;
    while echoes < MESSAGES {
        let event = next(client, cuts).await;
        echoes += usize::from(matches!(event, Some(ClientEvent::Message(_))));
        events.extend(event);
    }
    client.close(CloseFrame::NORMAL);
    while let Some(event) = next(client, cuts).await {
        events.push(event);
    }
    events
}

/// Runs the life with these cuts; returns the messages that arrived, the events, and the cuts.
async fn run(mut cuts: Cuts) -> (Vec<String>, Vec<ClientEvent>, Cuts) {
    let (mut client, sockets) = pair();
    let server = tokio::spawn(serve(sockets));
    let events = within(live(&mut client, &mut cuts)).await;
    (within(server).await.unwrap(), events, cuts)
}

fn is_as_expected(arrived: &[String], events: &[ClientEvent], place: &str) {
    let expected: Vec<_> = (0..MESSAGES).map(text).collect();
    assert_eq!(arrived, expected, "{place}");
    assert_eq!(gateway_tests::texts(events), expected, "{place}");
    let states = events.iter().filter_map(|event| match event {
        ClientEvent::Notice(Notice::StateChanged { to, .. }) => Some(to.name()),
        _ => None,
    });
    let states: Vec<_> = states.collect();
    assert_eq!(
        states,
        ["CONNECTING", "CONNECTED", "AUTHENTICATED", "CLOSING", "CLOSED"],
        "{place}"
    );
    let others = events.iter().filter(|event| {
        !matches!(event, ClientEvent::Message(_) | ClientEvent::Notice(Notice::StateChanged { .. }))
    });
    assert_eq!(others.count(), 2, "{place}: one Ready, one Disconnected: {events:?}");
}

#[tokio::test]
async fn a_cut_at_any_one_point_changes_nothing() {
    let mut at = 0;
    loop {
        let (arrived, events, cuts) = run(Cuts::at(at)).await;
        is_as_expected(&arrived, &events, &format!("cut at {at}"));
        at += 1;
        if at >= cuts.seen() {
            break;
        }
    }
    assert!(at > 50, "the life has {at} points only");
}

#[tokio::test]
async fn a_cut_at_every_point_changes_nothing() {
    let (arrived, events, _) = run(Cuts::everywhere()).await;
    is_as_expected(&arrived, &events, "cut everywhere");
}

/// Like `serve`, for messages of which some may be missing.
async fn spawned(mut cuts: Cuts) -> (Vec<String>, Vec<String>, Vec<ClientEvent>, Cuts) {
    let (client, sockets) = pair();
    let server = tokio::spawn(serve(sockets));
    let (handle, mut events) = client.spawn();
    let mut seen = Vec::new();
    let next = async |events: &mut gateway_tokio::Events, cuts: &mut Cuts| loop {
        if let Some(event) = cuts.once(events.next()).await {
            return event;
        }
    };
    while !matches!(seen.last(), Some(ClientEvent::Notice(Notice::Ready { .. }))) {
        seen.extend(next(&mut events, &mut cuts).await);
    }
    let mut told = Vec::new();
    for number in 0..MESSAGES {
        if let Some(sent) = cuts.once(handle.send(text(number))).await {
            sent.unwrap();
            told.push(text(number));
        }
    }
    settle().await;
    // Messages that were reported accepted come back; the others are unknown.
    let mut echoes = 0;
    while echoes < told.len() {
        let event = next(&mut events, &mut cuts).await;
        echoes += usize::from(matches!(&event, Some(ClientEvent::Message(message))
            if told.iter().any(|text| message.as_text() == Some(text))));
        seen.extend(event);
    }
    handle.close(CloseFrame::NORMAL).await;
    while let Some(event) = next(&mut events, &mut cuts).await {
        seen.push(event);
    }
    (within(server).await.unwrap(), told, seen, cuts)
}

fn is_in_order_and_complete(arrived: &[String], told: &[String], place: &str) {
    let expected: Vec<_> = (0..MESSAGES).map(text).collect();
    let mut positions =
        arrived.iter().map(|text| expected.iter().position(|other| other == text).unwrap());
    let mut last = positions.next().unwrap();
    for position in positions {
        assert!(last < position, "{place}: doubled or out of order");
        last = position;
    }
    assert!(told.iter().all(|text| arrived.contains(text)), "{place}: one is lost");
}

#[tokio::test]
async fn a_handle_and_its_events_may_be_cut_at_any_one_point() {
    let mut at = 0;
    loop {
        let (arrived, told, seen, cuts) = within(spawned(Cuts::at(at))).await;
        is_in_order_and_complete(&arrived, &told, &format!("cut at {at}"));
        assert!(told.len() + 1 >= MESSAGES);
        assert_eq!(gateway_tests::disconnected(&seen).len(), 1);
        at += 1;
        if at >= cuts.seen() {
            break;
        }
    }
    assert!(at > 20, "the life has {at} points only");
}

#[tokio::test]
async fn a_handles_sends_may_all_be_cut() {
    let (client, sockets) = pair();
    let server = tokio::spawn(serve(sockets));
    let (handle, mut events) = client.spawn();
    while !matches!(within(events.next()).await, Some(ClientEvent::Notice(Notice::Ready { .. }))) {}
    let mut cuts = Cuts::everywhere();
    for number in 0..MESSAGES {
        let _ = cuts.once(handle.send(text(number))).await;
    }
    settle().await;
    handle.close(CloseFrame::NORMAL).await;
    while within(events.next()).await.is_some() {}

    is_in_order_and_complete(&within(server).await.unwrap(), &[], "cut everywhere");
}
