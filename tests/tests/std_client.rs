//! The blocking client on real sockets: it connects, echoes, survives a drop, is woken by other
//! threads, and closes.

use std::time::Duration;

use gateway_std::core::{
    AcceptanceRule, CloseCode, CloseFrame, DisconnectCause, GiveUpCause, Login, Notice, RefusalRule,
};
use gateway_std::{Client, ClientEvent, Message};
use gateway_tests::{Frame, calm, serve};

fn client(url: &str) -> Client {
    Client::builder(url).config(calm().build().unwrap()).seed(7).build().unwrap()
}

fn until_ready(client: &mut Client) {
    for event in client {
        if let ClientEvent::Notice(Notice::Ready { .. }) = event {
            return;
        }
    }
    panic!("never ready");
}

#[test]
fn it_echoes_and_closes() {
    let server = serve(async |listener| {
        let mut peer = listener.peer().await;
        peer.echo().await;
    });
    let mut client = client(&server.url);

    until_ready(&mut client);
    client.send("hello").unwrap();
    let echoed = client.find_map(|event| match event {
        ClientEvent::Message(message) => Some(message),
        _ => None,
    });
    client.close(CloseFrame::NORMAL);
    let rest: Vec<_> = client.by_ref().collect();

    assert_eq!(echoed, Some(Message::text("hello")));
    assert!(client.gave_up().is_none(), "{rest:?}");
    server.join();
}

#[test]
fn it_rides_out_a_drop() {
    let server = serve(async |listener| {
        drop(listener.peer().await);
        let mut peer = listener.peer().await;
        peer.send(Frame::text("back")).await;
        peer.echo().await;
    });
    let mut client = client(&server.url);

    let mut lost = 0;
    let back = client.find_map(|event| match event {
        ClientEvent::Disconnected { cause: DisconnectCause::Lost(_), .. } => {
            lost += 1;
            None
        }
        ClientEvent::Message(message) => Some(message),
        _ => None,
    });

    assert_eq!((lost, back), (1, Some(Message::text("back"))));
    drop(client);
    server.join();
}

#[test]
fn a_deadline_that_passes_loses_nothing() {
    let server = serve(async |listener| {
        let mut peer = listener.peer().await;
        peer.frame().await;
        peer.send(Frame::text("late")).await;
        peer.echo().await;
    });
    let mut client = client(&server.url);
    until_ready(&mut client);

    let nothing = client.recv_timeout(Duration::from_millis(1));
    client.send("now").unwrap();
    let late = client.recv();

    assert!(nothing.is_err(), "{nothing:?}");
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
    let mut client = client(&server.url);
    until_ready(&mut client);
    let sender = client.sender();
    let other = std::thread::spawn(move || {
        let id = sender.send("from afar").unwrap();
        (id.number(), sender)
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

#[test]
fn a_refused_login_waits_for_the_close_and_says_why() {
    const REFUSAL: &str = r#"{"ok":false,"why":"starting"}"#;
    let server = serve(async |listener| {
        for code in [1013, 1013, 1013, 1000, 1000] {
            let mut peer = listener.peer().await;
            assert_eq!(peer.frame().await, Frame::text("hello"));
            peer.send(Frame::text("a greeting")).await;
            peer.send(Frame::text(REFUSAL)).await;
            peer.send(Frame::text("a message")).await;
            peer.send(Frame::close(code, "bye")).await;
            assert_eq!(peer.rest().await.len(), 1, "the answer to the Close");
        }
    });
    let login = Login::Message {
        send: "hello".into(),
        accepted: AcceptanceRule::parse("/ok=true").unwrap(),
        refused: RefusalRule::parse("/ok=false").into_iter().collect(),
        timeout: Login::TIMEOUT,
    };
    let config = calm().login(login).build().unwrap();
    let mut client = Client::builder(&server.url).config(config).seed(7).build().unwrap();

    let (mut texts, mut refusals, mut ends) = (Vec::new(), 0, Vec::new());
    for event in client.by_ref() {
        match event {
            ClientEvent::Message(message) => texts.push(message),
            ClientEvent::LoginRefused { reason, .. } if &*reason == REFUSAL => refusals += 1,
            ClientEvent::Disconnected { cause, detail, .. } if &*detail == REFUSAL => {
                ends.push(cause);
            }
            other => assert!(matches!(other, ClientEvent::Notice(_)), "{other:?}"),
        }
    }

    let codes = [1013, 1013, 1013, 1000, 1000].map(|code| CloseCode::new(code).ok());
    assert_eq!(ends, codes.map(DisconnectCause::LoginRefused));
    assert_eq!((refusals, texts.len()), (5, 10));
    assert_eq!(client.gave_up(), Some(GiveUpCause::LoginRefused));
    server.join();
}
