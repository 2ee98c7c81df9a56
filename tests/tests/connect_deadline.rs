//! The connect deadline covers everything up to the end of the upgrade, on every attempt. In memory
//! with a paused clock, so the deadline is exact to the millisecond.

use std::time::Duration;

use gateway_tests::{Head, Sockets, calm, client, disconnected, elapse, memory, now, until};
use gateway_tokio::core::{DisconnectCause, Notice};
use gateway_tokio::{Client, ClientEvent};
use tokio::io::AsyncWriteExt as _;

const DEADLINE: Duration = Duration::from_secs(10);

fn pair() -> (Client, Sockets) {
    let (memory, sockets) = memory(1 << 16);
    let config = calm()
        .connect_timeout(DEADLINE)
        .initial_delay(Duration::from_secs(1))
        .max_delay(Duration::from_secs(1));
    (client("ws://gateway.example", config).dial(memory).build().unwrap(), sockets)
}

async fn until_given_up(client: &mut Client) -> Vec<ClientEvent> {
    until(client, |event| matches!(event, ClientEvent::Notice(Notice::RetryScheduled { .. }))).await
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_answers_is_left_at_the_deadline_every_time() {
    let (mut client, _sockets) = pair();
    for _ in 0..3 {
        let start = until(&mut client, |event| {
            matches!(event, ClientEvent::Notice(Notice::StateChanged { .. }))
        });
        start.await;
        let started = now();

        let events = until_given_up(&mut client).await;

        assert_eq!(disconnected(&events), [DisconnectCause::ConnectTimeout]);
        let took = now() - started;
        assert!(took >= DEADLINE && took <= DEADLINE + Duration::from_millis(2), "{took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_drips_does_not_move_the_deadline() {
    let (mut client, mut sockets) = pair();
    let started = now();
    tokio::spawn(async move {
        let mut stream = sockets.stream().await;
        let answer = Head::read(&mut stream).await.acceptance("");
        for byte in answer.bytes() {
            elapse(Duration::from_secs(1)).await;
            if stream.write_all(&[byte]).await.is_err() {
                return;
            }
        }
    });

    let events = until_given_up(&mut client).await;

    assert_eq!(disconnected(&events), [DisconnectCause::ConnectTimeout]);
    assert!(now() - started <= DEADLINE + Duration::from_millis(2));
}

#[tokio::test(start_paused = true)]
async fn an_answer_in_single_bytes_within_the_deadline_opens() {
    let (mut client, mut sockets) = pair();
    tokio::spawn(async move {
        let mut stream = sockets.stream().await;
        let answer = Head::read(&mut stream).await.acceptance("");
        for byte in answer.bytes() {
            elapse(Duration::from_millis(10)).await;
            stream.write_all(&[byte]).await.unwrap();
        }
        std::future::pending::<()>().await;
    });

    gateway_tests::until_ready(&mut client).await;
}

#[tokio::test(start_paused = true)]
async fn endless_headers_are_cut_off_before_the_deadline() {
    let (mut client, mut sockets) = pair();
    tokio::spawn(async move {
        let mut stream = sockets.stream().await;
        Head::read(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 101 x\r\n").await;
        while stream.write_all(b"X-More: and more\r\n").await.is_ok() {}
    });
    let started = now();

    let events = until_given_up(&mut client).await;

    let [DisconnectCause::OpenFailed(error)] = disconnected(&events)[..] else {
        panic!("{events:?}")
    };
    assert_eq!(error.name(), "not_http");
    assert!(now() - started < Duration::from_secs(1));
}
