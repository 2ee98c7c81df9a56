//! The life of a client on real sockets: it logs in, echoes, survives a drop, and closes.

use gateway_tests::{Driver, Frame, Peer, calm, client, serve};
use gateway_tokio::core::{
    AcceptanceRule, CloseCode, CloseFrame, ConnectionState, DisconnectCause, Failure, GiveUpCause,
    Login, RefusalRule,
};
use gateway_tokio::{ClientEvent, Message};

gateway_tests::on_both_drivers! {
    it_echoes_and_closes
    it_rides_out_a_drop
    a_refused_login_waits_for_the_close_and_says_why
    headers_basic_authorization_and_subprotocols_arrive_and_the_choice_is_known
    an_end_a_frame_that_is_cut_off_and_a_reset_are_losses
    a_close_without_a_body_is_answered_without_one
    our_close_arrives_although_the_server_had_data_in_flight
    messages_of_many_sizes_arrive_and_one_past_the_limit_names_the_setting_and_both_sizes
}

fn it_echoes_and_closes(driver: Driver) {
    let server = serve(async |listener| listener.peer().await.echo().await);
    let mut client = client!(driver, &server.url, calm());
    let sent = [Message::text("hello"), Message::binary(vec![1, 2, 3])];

    client.until_ready();
    for message in &sent {
        client.send(message.clone()).unwrap();
    }
    let echoed = [client.message(), client.message()];
    client.close(CloseFrame::NORMAL);
    let rest = client.drain();

    assert_eq!(echoed, sent);
    assert_eq!((client.state(), client.gave_up()), (ConnectionState::Closed, None), "{rest:?}");
    server.join();
}

fn it_rides_out_a_drop(driver: Driver) {
    let server = serve(async |listener| {
        drop(listener.peer().await);
        let mut peer = listener.peer().await;
        peer.send(Frame::text("back")).await;
        peer.echo().await;
    });
    let mut client = client!(driver, &server.url, calm());

    let lost = client.lost();
    let back = client.message();

    assert!(matches!(lost, DisconnectCause::Lost(_)), "{lost:?}");
    assert_eq!(back, Message::text("back"));
    drop(client);
    server.join();
}

fn a_refused_login_waits_for_the_close_and_says_why(driver: Driver) {
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
    let mut client = client!(driver, &server.url, calm().login(login));

    let (mut texts, mut refusals, mut ends) = (Vec::new(), 0, Vec::new());
    for event in client.drain() {
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

fn headers_basic_authorization_and_subprotocols_arrive_and_the_choice_is_known(driver: Driver) {
    let server = serve(async |listener| {
        let tcp = listener.tcp().await;
        let mut peer = Peer::accept_with(tcp, "Sec-WebSocket-Protocol: v2.chat\r\n").await;
        peer.rest().await;
        peer.head
    });
    let url = server.url.replace("ws://", "ws://ann:p%40ss@") + "/feed?since=7";
    let more = ("X-Device", "7");
    let mut client = client!(driver, url, calm(),
        .header(more.0, more.1).subprotocol("v1.chat").subprotocol("v2.chat"));

    client.until_ready();

    assert_eq!(client.subprotocol().as_deref(), Some("v2.chat"));
    drop(client);
    let head = server.join();
    assert!(format!("{head:?}").starts_with("GET /feed?since=7 HTTP/1.1\r\n"));
    for (name, value) in [
        ("x-device", "7"),
        ("authorization", "Basic YW5uOnBAc3M="),
        ("sec-websocket-protocol", "v1.chat, v2.chat"),
        ("sec-websocket-version", "13"),
    ] {
        assert_eq!(head.header(name), Some(value));
    }
}

fn an_end_a_frame_that_is_cut_off_and_a_reset_are_losses(driver: Driver) {
    for (bytes, resets, failure) in
        [(0, false, Failure::Eof), (5, false, Failure::Eof), (0, true, Failure::Reset)]
    {
        let server = serve(async move |listener| {
            let mut peer = listener.peer().await;
            peer.write(&Frame::text("cut short").bytes()[..bytes]).await;
            if resets {
                peer.stream.set_zero_linger().unwrap();
            }
        });
        let mut client = client!(driver, &server.url, calm());
        assert_eq!(client.lost(), DisconnectCause::Lost(failure), "{bytes} bytes");
    }
}

fn a_close_without_a_body_is_answered_without_one(driver: Driver) {
    let server = serve(async |listener| {
        let mut peer = listener.peer().await;
        peer.send(Frame::new(0x88, "")).await;
        peer.rest().await
    });
    let mut client = client!(driver, &server.url, calm());
    assert_eq!(client.lost(), DisconnectCause::CloseReceived(None));
    assert_eq!(server.join(), [Frame::new(0x88, "")]);
}

/// A socket that is dropped with unread input is reset, and a reset destroys what was written before
/// it.
fn our_close_arrives_although_the_server_had_data_in_flight(driver: Driver) {
    // The reason of a Close, a text, and a message behind it.
    for breach in [Frame::new(0x88, [0x0f, 0xa0, 0xff]), Frame::text([0xff])] {
        let server = serve(async move |listener| {
            let mut peer = listener.peer().await;
            let flood = Frame::binary([0; 1_000]).bytes().repeat(40);
            peer.write([breach.bytes(), flood].concat()).await;
            peer.rest().await
        });
        let mut client = client!(driver, &server.url, calm());
        assert_eq!(client.lost(), DisconnectCause::ProtocolError(Failure::InvalidUtf8));
        assert_eq!(server.join(), [Frame::close(1007, "")]);
    }
}

fn messages_of_many_sizes_arrive_and_one_past_the_limit_names_the_setting_and_both_sizes(
    driver: Driver,
) {
    let sizes = [1_048_597, 8 << 20, 16 << 20];
    let too_long = 17_u64 << 20;
    let server = serve(async move |listener| {
        let mut peer = listener.peer().await;
        for size in sizes {
            peer.send(Frame::binary(vec![7; size])).await;
        }
        peer.write([&[0x82, 127][..], &too_long.to_be_bytes()].concat()).await;
        peer.rest().await
    });
    let mut client = client!(driver, &server.url, calm());

    for size in sizes {
        assert_eq!(client.message().len(), size);
    }
    let last = client.until(|event| matches!(event, ClientEvent::Disconnected { .. })).pop();

    let Some(ClientEvent::Disconnected { cause, detail, .. }) = last else { panic!() };
    assert_eq!(cause, DisconnectCause::ProtocolError(Failure::TooBig));
    for part in ["max_message_size", "17825792", "16777216"] {
        assert!(detail.contains(part), "{part}: {detail}");
    }
    drop(client);
    assert_eq!(server.join().last(), Some(&Frame::close(1009, "")));
}
