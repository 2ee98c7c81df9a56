//! Each way in which opening a socket fails on real sockets: its name, and what follows.

use std::time::Duration;

use gateway_tests::{Certificates, Driver, Either, Head, Peer, calm, client, refuse, serve};
use gateway_tokio::ClientEvent;
use gateway_tokio::core::{
    Because, CloseFrame, DisconnectCause, GiveUpCause, Notice, OpenError, RetryAfter,
};
use tokio::io::AsyncWriteExt as _;

gateway_tests::on_both_drivers! {
    each_answer_has_its_name_and_what_follows
    an_http_1_0_answer_is_no_upgrade
    a_refused_port_and_an_unknown_host_have_their_names_and_are_retried
    a_plain_server_speaks_no_tls_and_a_secure_one_no_plain_http
    a_large_message_goes_both_ways_over_tls
}

/// What follows on an attempt.
#[derive(Debug, PartialEq)]
enum Then {
    Backoff,
    RetryAfter,
    GaveUp(GiveUpCause),
}

/// The failure of the next attempt, and what follows.
fn verdict(client: &mut Either) -> (OpenError, Then) {
    let DisconnectCause::OpenFailed(error) = client.lost() else { panic!("another loss") };
    loop {
        let ClientEvent::Notice(notice) = client.event() else { continue };
        let then = match notice {
            Notice::RetryScheduled { delay, because: Because::Backoff, .. } => {
                assert!(delay <= Duration::from_millis(5), "{delay:?}");
                Then::Backoff
            }
            Notice::RetryScheduled { because: Because::RetryAfter, .. } => Then::RetryAfter,
            Notice::GaveUp { cause } => Then::GaveUp(cause),
            _ => continue,
        };
        return (error, then);
    }
}

fn each_answer_has_its_name_and_what_follows(driver: Driver) {
    let http = |status| OpenError::Http { status, retry_after: None };
    let seven = OpenError::Http { status: 429, retry_after: Some(RetryAfter::Seconds(7)) };
    let fatal = |status| Then::GaveUp(GiveUpCause::HttpStatus(status));
    for (answer, error, then) in [
        ("HTTP/1.1 200 OK\r\n\r\n", http(200), Then::Backoff),
        ("HTTP/1.1 503 x\r\nContent-Length: 2\r\n\r\nno", http(503), Then::Backoff),
        ("HTTP/1.1 429 x\r\nRetry-After: 7\r\n\r\n", seven, Then::RetryAfter),
        ("HTTP/1.1 404 Not Found\r\n\r\n", http(404), fatal(404)),
        ("HTTP/1.1 302 x\r\nLocation: ws://127.0.0.1:9/\r\n\r\n", http(302), fatal(302)),
        ("220 mail.example ESMTP\r\n", OpenError::NotHttp, Then::Backoff),
        ("", OpenError::NotHttp, Then::Backoff),
        ("HTTP/1.1 101 Switching", OpenError::NotHttp, Then::Backoff),
        ("HTTP/1.1 101 x\r\n\r\n", OpenError::Upgrade, Then::Backoff),
    ] {
        let server = serve(async move |listener| refuse(listener.tcp().await, answer).await);
        let (seen, follows) = verdict(&mut client!(driver, &server.url, calm()));
        assert_eq!((seen, follows), (error, then), "{answer}");
    }
}

fn an_http_1_0_answer_is_no_upgrade(driver: Driver) {
    let server = serve(async |listener| {
        let mut tcp = listener.tcp().await;
        let answer = Head::read(&mut tcp).await.acceptance("").replacen("HTTP/1.1", "HTTP/1.0", 1);
        tcp.write_all(answer.as_bytes()).await.unwrap();
    });
    let verdict = verdict(&mut client!(driver, &server.url, calm()));
    assert_eq!(verdict, (OpenError::Upgrade, Then::Backoff));
}

fn a_refused_port_and_an_unknown_host_have_their_names_and_are_retried(driver: Driver) {
    let refused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (url, error) in [
        (format!("ws://{refused}"), OpenError::Refused),
        ("ws://something.invalid:1".to_owned(), OpenError::Dns),
    ] {
        let verdict = verdict(&mut client!(driver, &url, calm()));
        assert_eq!(verdict, (error, Then::Backoff), "{url}");
    }
}

/// The address of a server as a TLS client dials it.
fn secure(url: &str) -> String {
    format!("wss://localhost:{}", url.rsplit(':').next().unwrap())
}

fn a_plain_server_speaks_no_tls_and_a_secure_one_no_plain_http(driver: Driver) {
    let certificates = Certificates::new("localhost");
    let tls = certificates.trusted();
    let plain = serve(async |listener| {
        let mut tcp = listener.tcp().await;
        tcp.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        let _ = tokio::io::copy(&mut tcp, &mut tokio::io::sink()).await;
    });
    let mut client = client!(driver, secure(&plain.url), calm(), .tls(tls));
    assert_eq!(client.lost(), DisconnectCause::OpenFailed(OpenError::Tls));

    let server = serve(async move |listener| listener.tls(certificates.acceptor()).await.map(drop));
    let mut client = client!(driver, &server.url, calm());
    assert_eq!(client.lost(), DisconnectCause::OpenFailed(OpenError::NotHttp));
}

fn a_large_message_goes_both_ways_over_tls(driver: Driver) {
    let certificates = Certificates::new("localhost");
    let tls = certificates.trusted();
    let server = serve(async move |listener| {
        let stream = listener.tls(certificates.acceptor()).await.unwrap();
        Peer::accept(stream).await.echo().await;
    });
    let mut client = client!(driver, secure(&server.url), calm(), .tls(tls));
    let large = vec![7; 900_000];

    client.until_ready();
    client.send(large.clone()).unwrap();
    client.flush().unwrap();

    assert!(client.message().as_bytes() == large);
    client.close(CloseFrame::NORMAL);
    assert_eq!(client.lost(), DisconnectCause::Requested);
    server.join();
}
