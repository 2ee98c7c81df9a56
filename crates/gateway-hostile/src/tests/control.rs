//! Faults made to order on a running server, and its end.

use super::*;

async fn assert_echoes(client: &mut Client) {
    say(client, "hello").await;
    assert_eq!(hear(client).await, "hello");
}

#[tokio::test]
async fn drop_all_resets_every_connection_and_takes_new_ones() {
    let server = start(Options::default());
    let mut clients = [server.connect().await, server.connect().await];
    for client in &mut clients {
        assert_echoes(client).await;
    }

    server.control.drop_all();

    for client in &mut clients {
        assert_eq!(hear(client).await, "lost");
    }
    assert_echoes(&mut server.connect().await).await;
}

#[tokio::test]
async fn a_silent_connection_stays_open_through_a_restart_until_it_is_dropped() {
    let server = start(Options::default());
    let mut client = server.connect().await;
    assert_echoes(&mut client).await;

    server.control.go_silent();
    say(&mut client, "hello").await;
    assert!(is_silent(client.next()).await);
    assert_echoes(&mut server.connect().await).await;
    server.control.restart();
    assert!(is_silent(client.next()).await);

    server.control.drop_all();
    assert_eq!(hear(&mut client).await, "lost");
}

#[tokio::test]
async fn a_silent_connection_is_forgotten_when_the_client_hangs_up() {
    let server = start(Options::default());
    let mut client = server.connect().await;
    assert_echoes(&mut client).await;
    server.control.go_silent();
    say(&mut client, "never read").await;
    assert!(is_silent(client.next()).await);

    soon(tokio::io::AsyncWriteExt::shutdown(client.get_mut())).await.expect("open");

    assert_eq!(hear(&mut client).await, "lost");
}

#[tokio::test]
async fn while_refusing_new_connections_fail_and_old_ones_go_on() {
    let server = start(Options::default());
    let mut client = server.connect().await;

    for _ in 0..3 {
        soon(server.control.refuse(true)).await;
        let error = server.dial().await.expect_err("refused");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        assert_echoes(&mut client).await;

        soon(server.control.refuse(false)).await;
        assert_echoes(&mut server.connect().await).await;
    }
}

#[tokio::test]
async fn a_refusal_ordered_before_the_first_turn_of_the_server_is_heard() {
    let server = start(Options::default());

    soon(server.control.refuse(true)).await;

    assert!(server.dial().await.is_err());
}

#[tokio::test]
async fn refuse_returns_where_the_server_has_ended() {
    let server = start(Options::default());
    let control = server.control.clone();
    server.stop().await;

    soon(control.refuse(true)).await;
}

#[tokio::test]
async fn accept_then_drop_concerns_the_next_connections_alone() {
    let server = start(Options::default());
    let mut before = server.connect().await;
    assert_echoes(&mut before).await;

    server.control.accept_then_drop(2);

    for _ in 0..2 {
        assert_eq!(hear(&mut server.connect().await).await, "lost");
    }
    assert_echoes(&mut server.connect().await).await;
    assert_echoes(&mut before).await;
    assert_eq!(server.control.tally().connections, 4);
}

#[tokio::test]
async fn a_restart_closes_with_1012() {
    let server = start(Options::default());
    let mut client = server.connect().await;
    assert_echoes(&mut client).await;

    server.control.restart();

    assert_eq!(hear(&mut client).await, "close 1012");
    assert_eq!(hear(&mut client).await, "end");
}

#[tokio::test]
async fn the_end_closes_with_1001() {
    let server = start(Options::default());
    let mut client = server.connect().await;
    assert_echoes(&mut client).await;

    let _ = server.stop.send(());

    assert_eq!(hear(&mut client).await, "close 1001");
    assert_eq!(hear(&mut client).await, "end");
    soon(server.task).await.expect("no panic").expect("no error");
}

#[tokio::test]
async fn the_end_does_not_wait_for_clients_that_do_not_answer() {
    let server = start(Options::default());
    let mut silent = server.connect().await;
    assert_echoes(&mut silent).await;
    let _unopened = server.dial().await.expect("it listens");
    let _deaf = server.connect().await;

    let ended = clock::within(Duration::from_secs(2), server.stop()).await;

    assert!(ended.is_some());
}
