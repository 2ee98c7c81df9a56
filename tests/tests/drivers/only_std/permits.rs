//! Permits of senders: space that is reserved before there is a message.

use std::thread::{self, JoinHandle};
use std::time::Duration;

use gateway_std::core::{CloseFrame, SendRejection};
use gateway_std::{Accepted, Client, ClientEvent, Limits, Permit, ReserveErrorKind, Sender};
use gateway_tests::{calm, serve};

use super::{builder, until_ready};

/// A client whose write buffer holds 1,000 bytes.
fn small(url: &str) -> Client {
    let mut limits = Limits::default();
    limits.high_water = 1_000;
    builder(url, calm()).limits(limits).name("feed-7").build().unwrap()
}

/// Drives the client until the thread is done.
fn driven<T>(client: &mut Client, user: JoinHandle<T>) -> T {
    while !user.is_finished() {
        let _ = client.recv_timeout(Duration::from_millis(1));
    }
    user.join().unwrap()
}

fn reserved(client: &mut Client, bytes: usize) -> Permit {
    let sender = client.sender();
    driven(client, thread::spawn(move || sender.reserve(bytes))).unwrap()
}

/// Serves all that waits for the client, and lets it look at its socket.
fn turn(client: &mut Client) {
    while client.recv_timeout(Duration::ZERO).is_ok() {}
}

fn message(client: &mut Client) -> String {
    let found = client.find_map(|event| match event {
        ClientEvent::Message(message) => message.as_text().map(str::to_owned),
        _ => None,
    });
    found.expect("it is open")
}

#[test]
fn a_permits_message_gets_its_number_when_it_is_sent() {
    let server = serve(async |listener| listener.peer().await.echo().await);
    let mut client = small(&server.url);
    until_ready(&mut client);
    let sender = client.sender();
    let user = thread::spawn(move || {
        let permit = sender.reserve(100).unwrap();
        let first = sender.send("first").unwrap();
        let second = permit.send("second").unwrap();
        [first, second, sender.send("third").unwrap()].map(Accepted::id)
    });

    let echoed = [(); 3].map(|()| message(&mut client));

    assert_eq!(echoed, ["first", "second", "third"]);
    assert!(user.join().unwrap().is_sorted_by(|one, next| one < next));
}

#[test]
fn what_is_reserved_is_taken_from_the_others_until_it_is_used_or_given_up() {
    for is_used in [true, false] {
        let server = serve(async |listener| listener.peer().await.echo().await);
        let mut client = small(&server.url);
        until_ready(&mut client);
        // Space is given while there is some: the last permit passes the mark.
        let first = reserved(&mut client, 600);
        let second = reserved(&mut client, 600);
        let sender = client.sender();
        let waits = sender.enqueue("waits").unwrap();
        let asking = sender.clone();
        let asks = thread::spawn(move || asking.reserve(1));
        turn(&mut client);
        let own = client.try_send("the client's own").unwrap_err();
        assert_eq!(own.rejection(), SendRejection::WriteBlocked);
        let before = client.wakeups();
        assert!(client.recv_timeout(Duration::from_millis(20)).is_err());
        assert!(client.wakeups() - before < 5, "only permits make space: it rests");

        let used = thread::spawn(move || match is_used {
            true => drop(first.send("x").unwrap()),
            false => drop(first),
        });

        if is_used {
            assert_eq!(message(&mut client), "x");
        }
        assert_eq!(message(&mut client), "waits");
        used.join().unwrap();
        assert!(waits.wait().is_ok());
        drop(driven(&mut client, asks).unwrap());
        drop(second);
    }
}

#[test]
fn a_client_that_sends_itself_waits_for_a_permit_and_serves_it_meanwhile() {
    let server = serve(async |listener| listener.peer().await.echo().await);
    let mut client = small(&server.url);
    until_ready(&mut client);
    let permit = reserved(&mut client, 2_000);
    let user = thread::spawn(move || permit.send("first").unwrap());

    let second = client.send("second").unwrap();

    assert!(user.join().unwrap().id() < second.id());
    assert_eq!([(); 2].map(|()| message(&mut client)), ["first", "second"]);
}

#[test]
fn a_permit_survives_a_reconnect_and_needs_no_connection() {
    let server = serve(async |listener| {
        listener.peer().await.echo().await;
        listener.peer().await.echo().await;
    });
    let mut client = small(&server.url);
    let before = reserved(&mut client, 990);
    until_ready(&mut client);
    let asking = client.sender();
    let asks = thread::spawn(move || asking.reserve(100));
    client.reconnect();
    assert!(client.any(|event| matches!(event, ClientEvent::Disconnected { .. })));
    until_ready(&mut client);

    let user = thread::spawn(move || before.send("from before").unwrap());

    assert_eq!(message(&mut client), "from before");
    user.join().unwrap();
    drop(driven(&mut client, asks).unwrap());
}

#[test]
fn a_message_that_is_longer_than_its_permit_comes_back_and_releases_the_space() {
    let server = serve(async |listener| listener.peer().await.echo().await);
    let mut client = small(&server.url);
    until_ready(&mut client);
    let permit = reserved(&mut client, 2_000);
    assert_eq!(permit.bytes(), 2_000);

    let refused = permit.send("x".repeat(2_001)).unwrap_err();

    assert_eq!((refused.rejection(), refused.name()), (LONGER, Some("feed-7")));
    assert_eq!(refused.into_message().len(), 2_001);
    client.send("there is space").unwrap();
}

const LONGER: SendRejection = SendRejection::LongerThanReserved;

#[test]
fn no_permit_is_given_or_used_once_the_client_is_closed_or_dropped() {
    let mut client = small("ws://127.0.0.1:9");
    let sender = client.sender();
    let permits = [(); 2].map(|()| reserved(&mut client, 10));
    let [first, second] = permits;
    client.close(CloseFrame::NORMAL);
    let refused = |sender: &Sender| sender.reserve(1).unwrap_err();
    let asking = sender.clone();
    let closing = thread::spawn(move || refused(&asking));
    assert_eq!(driven(&mut client, closing).kind(), ReserveErrorKind::Closed);
    while client.recv().is_some() {}

    assert_eq!(first.send("late").unwrap_err().rejection(), SendRejection::Closed);
    assert_eq!(refused(&sender).to_string(), "feed-7: the connection is closing or closed");

    drop(client);
    assert_eq!(second.send("late").unwrap_err().rejection(), SendRejection::Gone);
    assert_eq!(refused(&sender).kind(), ReserveErrorKind::Gone);
}

#[test]
fn a_thread_that_waits_to_reserve_is_told_when_the_client_is_dropped() {
    let client = small("ws://127.0.0.1:9");
    let sender = client.sender();
    let waiting = thread::spawn(move || sender.reserve(1).unwrap_err());

    drop(client);

    assert_eq!(waiting.join().unwrap().kind(), ReserveErrorKind::Gone);
}
