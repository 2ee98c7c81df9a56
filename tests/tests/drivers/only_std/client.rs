//! A deadline that passes, and a sender on another thread.

use std::time::Duration;

use gateway_std::core::CloseFrame;
use gateway_std::{ClientEvent, Message};
use gateway_tests::{Frame, serve};

use super::at_rest;

#[test]
fn a_deadline_that_passes_loses_nothing() {
    let server = serve(async |listener| {
        let mut peer = listener.peer().await;
        peer.frame().await;
        peer.send(Frame::text("late")).await;
        peer.echo().await;
    });
    let mut client = at_rest(&server.url);

    let nothing = client.recv_timeout(Duration::from_millis(1));
    client.send("now").unwrap();
    let late = client.recv();

    let nothing = nothing.unwrap_err().to_string();
    assert_eq!(nothing, "feed-7: no event came before the timeout; ask again");
    assert_eq!(late, Some(ClientEvent::Message(Message::text("late"))));
    drop(client);
    server.join();
}

#[test]
fn a_sender_on_another_thread_is_heard_while_the_client_waits() {
    let server = serve(async |listener| {
        let mut peer = listener.peer().await;
        peer.echo().await;
    });
    let mut client = at_rest(&server.url);
    let sender = client.sender();
    let other = std::thread::spawn(move || {
        let accepted = sender.send("from afar").unwrap();
        (accepted.id().number(), sender)
    });

    let heard = client.recv();
    let (number, sender) = other.join().unwrap();
    sender.close(CloseFrame::NORMAL);
    while client.recv().is_some() {}

    assert_eq!(heard, Some(ClientEvent::Message(Message::text("from afar"))));
    assert_eq!(number, 1);
    assert!(sender.send("too late").is_err());
    server.join();
}
