//! The traps of the codec, seen on the wire: what it answers itself, what it hides, and what it
//! leaves to the driver.

use gateway_tests::{
    Frame, Listener, Peer, calm, client, disconnected, drain, until, until_ready, while_polling,
};
use gateway_tokio::core::{
    CloseCode, CloseFrame, DisconnectCause, Failure, GiveUpCause, OpenError, RetryAfter,
};
use gateway_tokio::{Client, ClientEvent};
use tokio::net::TcpStream;

/// A client, and the server's side of its first socket.
async fn pair() -> (Client, Listener, Peer<TcpStream>) {
    let listener = Listener::bind().await;
    let mut client = client(listener.url(), calm().max_message_size(1_000)).build().unwrap();
    let (peer, _) = while_polling(&mut client, listener.peer()).await;
    until_ready(&mut client).await;
    (client, listener, peer)
}

/// What the client writes after these bytes, up to the end of the socket; and then it dials again.
async fn broken_by(bytes: &[u8]) -> (Vec<Frame>, Vec<ClientEvent>) {
    let (mut client, listener, mut peer) = pair().await;
    while_polling(&mut client, async {
        peer.write(bytes).await;
        let frames = peer.rest().await;
        listener.peer().await;
        frames
    })
    .await
}

#[tokio::test]
async fn every_ping_has_one_pong_and_nothing_else_is_sent() {
    let (mut client, _listener, mut peer) = pair().await;

    let (frames, _) = while_polling(&mut client, async {
        let pings = ["one", "two", "", "four"].map(|payload| Frame::ping(payload).bytes());
        peer.write(pings.concat()).await;
        peer.send(Frame::ping("alone")).await;
        peer.send(Frame::close(4000, "")).await;
        peer.rest().await
    })
    .await;

    let pongs = ["one", "two", "", "four", "alone"].map(Frame::pong);
    assert_eq!(frames, [&pongs[..], &[Frame::close(4000, "")]].concat());
}

#[tokio::test]
async fn a_servers_close_is_answered_once_with_its_code() {
    let (frames, events) = broken_by(&Frame::close(4321, "enough").bytes()).await;

    assert_eq!(frames, [Frame::close(4321, "enough")]);
    let code = CloseCode::new(4321).unwrap();
    assert_eq!(disconnected(&events), [DisconnectCause::CloseReceived(Some(code))]);
    assert!(events.iter().any(
        |event| matches!(event, ClientEvent::Disconnected { detail, .. } if &**detail == "enough")
    ));
}

#[tokio::test]
async fn a_close_without_a_body_is_answered_without_one() {
    let (frames, events) = broken_by(&Frame::new(0x88, "").bytes()).await;

    assert_eq!(frames, [Frame::new(0x88, "")]);
    assert_eq!(disconnected(&events), [DisconnectCause::CloseReceived(None)]);
}

#[tokio::test]
async fn a_clients_close_is_sent_once_and_nothing_after_it() {
    let (mut client, _listener, mut peer) = pair().await;
    client.send("last words").await.unwrap();
    client.close(CloseFrame::new(4002, "bye").unwrap());
    client.close(CloseFrame::NORMAL);

    let (frames, _) = while_polling(&mut client, async {
        let first = [peer.frame().await, peer.frame().await];
        peer.write([Frame::ping("late").bytes(), Frame::text("late").bytes()].concat()).await;
        peer.send(Frame::close(4002, "bye")).await;
        [&first[..], &peer.rest().await].concat()
    })
    .await;

    assert_eq!(frames, [Frame::text("last words"), Frame::close(4002, "bye")]);
    assert_eq!(client.next().await, None);
    assert!(client.send("too late").await.is_err());
}

#[tokio::test]
async fn data_that_comes_before_the_answer_to_our_close_is_delivered() {
    let (mut client, _listener, mut peer) = pair().await;
    client.close(CloseFrame::NORMAL);

    let (_, mut events) = while_polling(&mut client, async {
        peer.frame().await;
        peer.write([Frame::text("late").bytes(), Frame::close(1000, "").bytes()].concat()).await;
        peer.rest().await
    })
    .await;
    events.extend(drain(&mut client).await);

    assert_eq!(gateway_tests::texts(&events), ["late"]);
    assert_eq!(disconnected(&events), [DisconnectCause::Requested]);
}

#[tokio::test]
async fn a_close_code_that_may_not_be_sent_is_a_breach_and_is_retried() {
    let mut bodies = [999, 1004, 1005, 1006, 1015, 2999, 5000]
        .map(|code: u16| code.to_be_bytes().to_vec())
        .to_vec();
    bodies.push(vec![3]); // half a code

    for body in bodies {
        let (frames, events) = broken_by(&Frame::new(0x88, &body).bytes()).await;

        assert_eq!(frames.len(), 1, "{body:?}: {frames:?}");
        assert_eq!(frames[0].payload[..2], 1002_u16.to_be_bytes(), "{body:?}");
        let cause = DisconnectCause::ProtocolError(Failure::Protocol);
        assert_eq!(disconnected(&events), [cause], "{body:?}");
    }
}

#[tokio::test]
async fn a_message_that_came_in_one_read_with_a_breach_after_it_can_be_answered() {
    let (mut client, _listener, mut peer) = pair().await;
    peer.write([Frame::text("question").bytes(), Frame::new(0x85, "").bytes()].concat()).await;

    let is_message = |event: &ClientEvent| matches!(event, ClientEvent::Message(_));
    until(&mut client, is_message).await;
    client.send("answer").await.unwrap();
    let (frames, events) = while_polling(&mut client, peer.rest()).await;

    assert_eq!(frames, [Frame::text("answer"), Frame::close(1002, "")]);
    let cause = DisconnectCause::ProtocolError(Failure::Protocol);
    assert_eq!(disconnected(&events), [cause]);
}

#[tokio::test]
async fn a_peer_that_accuses_us_of_a_breach_is_left_for_good() {
    let (mut client, _listener, mut peer) = pair().await;

    let (frames, mut events) = while_polling(&mut client, async {
        peer.send(Frame::close(1002, "you broke it")).await;
        peer.rest().await
    })
    .await;
    events.extend(drain(&mut client).await);

    assert_eq!(frames, [Frame::close(1002, "you broke it")]);
    assert_eq!(client.gave_up(), Some(GiveUpCause::CloseCode(1002)));
    let cause = DisconnectCause::CloseReceived(Some(CloseCode::PROTOCOL_ERROR));
    assert_eq!(disconnected(&events), [cause]);
}

#[tokio::test]
async fn a_bare_end_of_the_stream_is_lost_and_no_breach() {
    let (mut client, listener, peer) = pair().await;

    let ((), events) = while_polling(&mut client, async {
        drop(peer);
        listener.peer().await;
    })
    .await;

    assert_eq!(disconnected(&events), [DisconnectCause::Lost(Failure::Eof)]);
}

#[tokio::test]
async fn an_end_in_the_middle_of_a_frame_is_lost_and_no_breach() {
    let (mut client, listener, mut peer) = pair().await;

    let ((), events) = while_polling(&mut client, async {
        peer.write(&Frame::text("cut short").bytes()[..5]).await;
        drop(peer);
        listener.peer().await;
    })
    .await;

    assert_eq!(disconnected(&events), [DisconnectCause::Lost(Failure::Eof)]);
}

#[tokio::test]
async fn a_reset_is_lost() {
    let (mut client, listener, peer) = pair().await;

    let ((), events) = while_polling(&mut client, async {
        peer.stream.set_zero_linger().unwrap();
        drop(peer);
        listener.peer().await;
    })
    .await;

    assert_eq!(disconnected(&events), [DisconnectCause::Lost(Failure::Reset)]);
}

#[tokio::test]
async fn each_breach_is_answered_with_its_code_once_and_retried() {
    let two_gib = [vec![0x82, 127], (2_u64 << 30).to_be_bytes().to_vec()].concat();
    let fragments = [
        Frame::new(0x02, [0; 600]).bytes(),
        Frame::new(0x00, [0; 600]).bytes(),
        Frame::new(0x80, [0; 600]).bytes(),
    ];
    for (name, bytes, code, failure) in [
        ("bad UTF-8", Frame::text([0xff]).bytes(), 1007, Failure::InvalidUtf8),
        (
            "bad UTF-8 in a reason",
            Frame::new(0x88, [0x0f, 0xa0, 0xff]).bytes(),
            1007,
            Failure::InvalidUtf8,
        ),
        ("reserved bits", Frame::new(0xc1, "x").bytes(), 1002, Failure::Protocol),
        ("a masked frame", Frame::text("x").masked(), 1002, Failure::Protocol),
        ("an unknown data opcode", Frame::new(0x83, "x").bytes(), 1002, Failure::Protocol),
        ("an unknown control opcode", Frame::new(0x8b, "x").bytes(), 1002, Failure::Protocol),
        ("a continuation of nothing", Frame::new(0x80, "x").bytes(), 1002, Failure::Protocol),
        ("a fragmented ping", Frame::new(0x09, "x").bytes(), 1002, Failure::Protocol),
        ("a ping of 126 bytes", Frame::ping([0; 126]).bytes(), 1002, Failure::Protocol),
        ("2 GiB announced", two_gib, 1009, Failure::TooBig),
        ("one byte too many", Frame::binary([0; 1_001]).bytes(), 1009, Failure::TooBig),
        ("fragments that add up", fragments.concat(), 1009, Failure::TooBig),
    ] {
        let (frames, events) = broken_by(&bytes).await;

        assert_eq!(frames, [Frame::close(code, "")], "{name}");
        assert_eq!(disconnected(&events), [DisconnectCause::ProtocolError(failure)], "{name}");
    }
}

#[tokio::test]
async fn what_came_before_a_breach_is_delivered_and_what_comes_after_is_not() {
    let bytes =
        [Frame::text("good").bytes(), Frame::text([0xff]).bytes(), Frame::text("late").bytes()];

    let (_, events) = broken_by(&bytes.concat()).await;

    assert_eq!(gateway_tests::texts(&events), ["good"]);
}

#[tokio::test]
async fn our_close_arrives_although_the_server_had_data_in_flight() {
    // A socket that is dropped with unread input is reset, and a reset destroys what was written before it.
    let flood = Frame::binary([0; 1_000]).bytes().repeat(40);

    let (frames, events) = broken_by(&[Frame::text([0xff]).bytes(), flood].concat()).await;

    assert_eq!(frames, [Frame::close(1007, "")]);
    let cause = DisconnectCause::ProtocolError(Failure::InvalidUtf8);
    assert_eq!(disconnected(&events), [cause]);
}

#[tokio::test]
async fn the_names_that_logs_show_tell_lost_from_breach() {
    assert_eq!(DisconnectCause::Lost(Failure::Eof).name(), "lost");
    assert_eq!(DisconnectCause::ProtocolError(Failure::Protocol).name(), "protocol_error");
    let retry_after = Some(RetryAfter::Seconds(1));
    assert_eq!(OpenError::Http { status: 429, retry_after }.name(), "http");
}

#[tokio::test]
async fn by_default_messages_of_many_sizes_arrive_and_one_past_16_mib_names_the_setting_and_both_sizes()
 {
    let listener = Listener::bind().await;
    let mut client = client(listener.url(), calm()).build().unwrap();
    let (mut peer, _) = while_polling(&mut client, listener.peer()).await;
    until_ready(&mut client).await;
    let sizes = [1_048_597, 8 << 20, 16 << 20];
    let too_long = 17_u64 << 20;

    let server = tokio::spawn(async move {
        for size in sizes {
            peer.send(Frame::binary(vec![7; size])).await;
        }
        peer.write([&[0x82, 127][..], &too_long.to_be_bytes()].concat()).await;
        peer.rest().await
    });
    let gone = |event: &ClientEvent| matches!(event, ClientEvent::Disconnected { .. });
    let events = until(&mut client, gone).await;

    let received: Vec<usize> = events
        .iter()
        .filter_map(|event| match event {
            ClientEvent::Message(message) => Some(message.len()),
            _ => None,
        })
        .collect();
    assert_eq!(received, sizes);
    let Some(ClientEvent::Disconnected { cause, detail, .. }) = events.last() else { panic!() };
    assert_eq!(*cause, DisconnectCause::ProtocolError(Failure::TooBig));
    for part in ["max_message_size", "17825792", "16777216"] {
        assert!(detail.contains(part), "{part}: {detail}");
    }
    drop(client);
    assert_eq!(server.await.unwrap().last(), Some(&Frame::close(1009, "")));
}
