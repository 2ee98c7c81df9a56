//! Senders on other threads: every message has one outcome, whatever happens to the connection.

use std::collections::BTreeSet;
use std::sync::mpsc::channel;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use gateway_std::core::{CloseFrame, ConnectionState, Network, SendRejection};
use gateway_std::{Accepted, Client, ClientEvent, End, EndKind, SendError, Sender};
use gateway_tests::{Served, calm, serve};

use super::{client, until_ready};

const THREADS: usize = 8;
const MESSAGES: usize = 500;

#[test]
fn every_message_of_every_thread_is_sent_once() {
    let server = serve(async |listener| listener.peer().await.echo().await);
    let mut client = client(&server.url, calm());
    until_ready(&mut client);
    let senders: Vec<_> = (0..THREADS)
        .map(|thread| {
            let sender = client.sender();
            thread::spawn(move || {
                let send =
                    |number| sender.send(format!("{thread} {number}")).unwrap().id().number();
                (0..MESSAGES).map(send).collect::<Vec<_>>()
            })
        })
        .collect();

    let mut echoed = BTreeSet::new();
    while echoed.len() < THREADS * MESSAGES {
        if let ClientEvent::Message(message) = client.recv().expect("it is open") {
            let text = message.as_text().unwrap().to_owned();
            assert!(echoed.insert(text.clone()), "{text} came twice");
        }
    }

    let numbers: BTreeSet<_> =
        senders.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    assert_eq!(numbers.len(), THREADS * MESSAGES);
    assert_eq!(numbers.last(), Some(&((THREADS * MESSAGES) as u64)));
}

#[test]
fn a_thread_may_enqueue_to_the_client_that_it_drives_itself() {
    let server = serve(async |listener| listener.peer().await.echo().await);
    let mut client = client(&server.url, calm());
    let sender = client.sender();
    let early = sender.enqueue("early").unwrap();
    until_ready(&mut client);

    let receipts: Vec<_> =
        (0..100).map(|number| sender.enqueue(number.to_string()).unwrap()).collect();
    let mut echoed = Vec::new();
    while echoed.len() < receipts.len() {
        if let ClientEvent::Message(message) = client.recv().expect("it is open") {
            echoed.push(message.as_text().unwrap().to_owned());
        }
    }

    let refused = early.wait().unwrap_err();
    assert_eq!(refused.rejection(), SendRejection::NotReady);
    assert_eq!(refused.into_message().as_text(), Some("early"));
    assert_eq!(echoed, (0..100).map(|number| number.to_string()).collect::<Vec<_>>());
    let numbers: Vec<_> =
        receipts.into_iter().map(|receipt| receipt.wait().unwrap().id().number()).collect();
    assert!(numbers.is_sorted_by(|one, next| one + 1 == *next), "{numbers:?}");
}

#[test]
fn messages_that_wait_when_the_client_is_dropped_are_handed_back() {
    let client = client("ws://127.0.0.1:9", calm());
    let senders: Vec<_> = (0..THREADS).map(|_| posted(&client.sender())).collect();

    drop(client);

    for sender in senders {
        let refused = sender.join().unwrap().unwrap_err();
        assert_eq!(refused.rejection(), SendRejection::Gone);
        assert_eq!(refused.into_message().as_text(), Some("hello"));
    }
}

#[test]
fn a_sender_waits_where_the_mailbox_is_full_and_is_let_go_when_the_client_is() {
    let client = client("ws://127.0.0.1:9", calm());
    // More threads than there are places: some wait for a place, the others for their answer.
    let senders: Vec<_> = (0..300).map(|_| posted(&client.sender())).collect();

    drop(client);

    assert!(senders.into_iter().all(|sender| sender.join().unwrap().is_err()));
}

#[test]
fn a_message_before_the_connection_is_ready_is_handed_back() {
    let server = serve(async |listener| listener.peer().await.echo().await);
    let mut client = client(&server.url, calm());
    let sender = client.sender();

    let early = answered(&mut client, posted(&sender));
    until_ready(&mut client);
    let now = answered(&mut client, posted(&sender));

    // The early one came before or after the connection was ready: it has an outcome either way.
    let early = early.map_err(|refused| refused.rejection());
    assert!(matches!(early, Ok(_) | Err(SendRejection::NotReady)), "{early:?}");
    assert!(now.is_ok());
}

#[test]
fn a_connection_that_was_closed_refuses_and_one_that_is_connected_again_takes() {
    let (mut client, sender, _server) = closed();

    let closed = sender.send("late").map_err(|refused| refused.rejection());
    client.connect();
    until_ready(&mut client);
    let again = posted(&sender);
    let echoed = client.find(|event| matches!(event, ClientEvent::Message(_)));

    assert_eq!(closed, Err(SendRejection::Closed));
    assert!(again.join().unwrap().is_ok());
    assert!(echoed.is_some());
}

/// A client that a sender has closed, and its server, which echoes on one more connection.
fn closed() -> (Client, Sender, Served<()>) {
    let server = serve(async |listener| {
        listener.peer().await.echo().await;
        listener.peer().await.echo().await;
    });
    let mut client = client(&server.url, calm());
    let sender = client.sender();
    until_ready(&mut client);
    sender.close(CloseFrame::NORMAL);
    while client.recv().is_some() {}
    (client, sender, server)
}

type Answer = Result<Accepted, SendError>;

/// Drives the client until the message has its answer. An echo does not say so: it may be another's.
fn answered(client: &mut Client, posted: JoinHandle<Answer>) -> Answer {
    while !posted.is_finished() {
        // It may have had its answer already: then nothing more comes.
        let _ = client.recv_timeout(Duration::from_millis(1));
    }
    posted.join().unwrap()
}

fn posted(sender: &Sender) -> JoinHandle<Answer> {
    let sender = sender.clone();
    thread::spawn(move || sender.send("hello"))
}

#[test]
fn a_request_to_connect_after_closed_is_kept_among_many_others() {
    let (mut client, sender, _server) = closed();

    for _ in 0..100 {
        sender.network_changed(Network::Online);
    }
    sender.connect();

    until_ready(&mut client);
}

#[test]
fn a_request_to_connect_after_closed_is_kept_before_many_others() {
    let (mut client, sender, _server) = closed();

    sender.connect();
    for _ in 0..100 {
        sender.network_changed(Network::Online);
    }

    until_ready(&mut client);
}

#[test]
fn a_sender_that_connects_again_waits_for_the_new_connection() {
    for connect in [Sender::connect, Sender::reconnect] {
        let (mut client, sender, _server) = closed();
        let (done, is_done) = channel();
        let user = thread::spawn(move || {
            connect(&sender);
            done.send(()).unwrap();
            let ready = sender.ready();
            done.send(()).unwrap();
            (ready, sender.closed().kind())
        });

        // The client takes the request while the sender already waits.
        is_done.recv().unwrap();
        until_ready(&mut client);
        is_done.recv().unwrap();
        client.close(CloseFrame::NORMAL);
        while client.recv().is_some() {}

        assert_eq!(user.join().unwrap(), (Ok(()), EndKind::Closed));
    }
}

#[test]
fn an_end_is_shown_again_once_a_request_to_connect_is_over() {
    let mut client = client("ws://127.0.0.1:9", calm());
    let sender = client.sender();
    client.close(CloseFrame::NORMAL);
    while client.recv().is_some() {}
    for _ in 0..20 {
        sender.connect(); // the oldest of these are dropped
        sender.close(CloseFrame::NORMAL);
    }

    while client.recv().is_some() {}

    assert_eq!(sender.ready().unwrap_err().kind(), EndKind::Closed);
}

#[test]
fn a_request_to_connect_after_closed_is_taken_by_the_next_call_whatever_number_that_has() {
    let mut client = client("ws://127.0.0.1:9", calm());
    let sender = client.sender();
    for calls in 0..8 {
        sender.close(CloseFrame::NORMAL);
        while client.recv().is_some() {}
        for _ in 0..calls {
            assert!(client.recv().is_none());
        }

        sender.connect();

        assert!(client.recv().is_some(), "behind {calls} calls without an event");
    }
}

#[test]
fn a_sender_shows_where_the_client_stands_and_waits_for_it() {
    let server = serve(async |listener| listener.peer().await.echo().await);
    let mut client = super::builder(&server.url, calm()).name("feed-7").build().unwrap();
    let sender = client.sender();
    assert_eq!(sender.state(), ConnectionState::Disconnected);
    assert_eq!((sender.name(), client.name()), (Some("feed-7"), Some("feed-7")));
    assert_eq!(sender.endpoint().to_string(), format!("{}/", server.url));
    let waiting = sender.clone();
    let user = thread::spawn(move || {
        waiting.ready().unwrap();
        assert!(waiting.is_ready());
        let before = waiting.statistics().unwrap();
        let status = waiting.status().unwrap();
        assert!(status.is_ready && status.socket.is_some());
        waiting.send("hello").unwrap();
        let after = waiting.statistics().unwrap();
        waiting.close(CloseFrame::NORMAL);
        (before.frames_out, after.frames_out, waiting.closed().kind())
    });

    client.ready().unwrap();
    while client.recv().is_some() {}

    assert_eq!(user.join().unwrap(), (0, 1, EndKind::Closed));
    assert_eq!(sender.state(), ConnectionState::Closed);
    assert_eq!(sender.ready().unwrap_err().kind(), EndKind::Closed);
    assert_eq!(sender.statistics().unwrap().frames_out, 2, "the last ones, with the Close");
    assert_eq!(sender.status().unwrap(), client.status(), "the last one");
    assert_eq!(sender.gave_up(), Ok(None));
    assert_eq!(sender.subprotocol(), Ok(None));
    let headers = sender.response_headers().unwrap();
    assert_eq!(headers.get("upgrade"), Some("websocket"));
    assert_eq!(&headers, client.response_headers());
    assert_eq!(client.closed().to_string(), "feed-7: the connection was closed as requested");
    let refused = sender.send("late").unwrap_err();
    assert!(refused.to_string().starts_with("feed-7: "), "{refused}");
}

#[test]
fn a_watch_of_another_thread_shows_each_change_and_ends_with_the_client() {
    let server = serve(async |listener| listener.peer().await.echo().await);
    let mut client = client(&server.url, calm());
    let mut states = client.sender().states();
    assert_eq!(states.changed(), Some(ConnectionState::Disconnected), "at once");
    let watch = thread::spawn(move || std::iter::from_fn(|| states.changed()).collect::<Vec<_>>());

    client.ready().unwrap();
    client.close(CloseFrame::NORMAL);
    while client.recv().is_some() {}
    drop(client);

    // Those in between may be missed.
    let order = [
        ConnectionState::Disconnected,
        ConnectionState::Connecting,
        ConnectionState::Connected,
        ConnectionState::Closing,
        ConnectionState::Closed,
    ];
    let seen = watch.join().unwrap();
    let places = seen.iter().map(|state| order.iter().position(|other| other == state).unwrap());
    assert!(places.is_sorted(), "{seen:?}");
}

#[test]
fn a_watch_sees_a_change_that_came_before_it_waited() {
    let mut client = client("ws://127.0.0.1:9", calm());
    let mut states = client.sender().states();
    assert_eq!(states.changed(), Some(ConnectionState::Disconnected));
    client.close(CloseFrame::NORMAL);
    while client.recv().is_some() {}
    assert_eq!(states.current(), ConnectionState::Closed);
    assert_eq!(states.changed(), Some(ConnectionState::Closed));

    drop(client);

    assert_eq!(states.changed(), None);
}

#[test]
fn senders_that_wait_are_told_when_the_client_is_dropped() {
    let client = client("ws://127.0.0.1:9", calm());
    let waits: [fn(&Sender) -> End; 5] = [
        Sender::closed,
        |sender| sender.ready().unwrap_err(),
        |sender| sender.statistics().unwrap_err(),
        |sender| sender.status().unwrap_err(),
        |sender| sender.response_headers().unwrap_err(),
    ];
    let threads = waits.map(|wait| {
        let sender = client.sender();
        thread::spawn(move || [wait(&sender), wait(&sender)].map(|end| end.kind()))
    });

    drop(client);

    for thread in threads {
        assert_eq!(thread.join().unwrap(), [EndKind::Gone; 2]);
    }
}

#[test]
fn a_message_that_finds_the_mailbox_full_comes_back() {
    let client = client("ws://127.0.0.1:9", calm());
    let sender = client.sender();
    let receipts: Vec<_> = (0..256).map(|_| sender.try_send("waits").unwrap()).collect();

    let refused = sender.try_send("too many").unwrap_err();
    assert_eq!(refused.rejection(), SendRejection::WriteBlocked);

    drop(client);
    let refused = [sender.try_send("late"), sender.enqueue("late")].map(Result::unwrap_err);
    assert_eq!(refused.map(|refused| refused.rejection()), [SendRejection::Gone; 2]);
    assert_eq!(sender.send("late").unwrap_err().rejection(), SendRejection::Gone);
    for receipt in receipts {
        assert_eq!(receipt.wait().unwrap_err().rejection(), SendRejection::Gone);
    }
}
