//! Each way in which opening a socket fails: its name, and what follows.

use std::time::Duration;

use gateway_tests::{Head, Listener, calm, client, drain, refuse, until, while_polling};
use gateway_tokio::core::{
    Because, ConnectionState, DisconnectCause, GiveUpCause, Notice, OpenError, RetryAfter,
    UnixMillis,
};
use gateway_tokio::{Client, ClientEvent};
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;

/// What follows on the first attempt.
#[derive(Debug, PartialEq)]
enum Verdict {
    Retry { delay: Duration, because: Because },
    GaveUp(GiveUpCause),
}

/// Polls up to the verdict on the attempt; gives its cause as well.
async fn verdict(client: &mut Client) -> (OpenError, Verdict) {
    let mut verdict = None;
    let events = until(client, |event| {
        verdict = match event {
            ClientEvent::Notice(Notice::RetryScheduled { delay, because, .. }) => {
                Some(Verdict::Retry { delay: *delay, because: *because })
            }
            ClientEvent::Notice(Notice::GaveUp { cause }) => Some(Verdict::GaveUp(*cause)),
            _ => None,
        };
        verdict.is_some()
    })
    .await;
    match gateway_tests::disconnected(&events)[..] {
        [DisconnectCause::OpenFailed(error)] => (error, verdict.unwrap()),
        ref other => panic!("{other:?}"),
    }
}

/// The verdict on a server that answers the upgrade so. The wall clock is a minute before the date below.
async fn verdict_on(answer: &'static str) -> (OpenError, Verdict) {
    let listener = Listener::bind().await;
    let wall = || UnixMillis(784_111_777_000 - 60_000);
    let mut client = client(listener.url(), calm()).wall_clock(wall).build().unwrap();
    tokio::spawn(async move { refuse(listener.tcp().await, answer).await });
    verdict(&mut client).await
}

const fn http(status: u16) -> OpenError {
    OpenError::Http { status, retry_after: None }
}

fn is_backoff(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Retry { delay, because: Because::Backoff } if *delay <= Duration::from_millis(5))
}

#[tokio::test]
async fn statuses_that_may_pass_are_retried_with_backoff() {
    for (answer, status) in [
        ("HTTP/1.1 200 OK\r\n\r\n", 200),
        ("HTTP/1.1 408 Request Timeout\r\n\r\n", 408),
        ("HTTP/1.1 425 Too Early\r\n\r\n", 425),
        ("HTTP/1.1 429 Too Many Requests\r\n\r\n", 429),
        ("HTTP/1.1 500 x\r\nContent-Length: 2\r\n\r\nno", 500),
        ("HTTP/1.1 503 x\r\nRetry-After: soon\r\n\r\n", 503),
        ("HTTP/1.0 503 x\r\n\r\n", 503),
    ] {
        let (error, verdict) = verdict_on(answer).await;
        assert_eq!(error, http(status));
        assert!(is_backoff(&verdict), "{answer}: {verdict:?}");
    }
}

#[tokio::test]
async fn statuses_that_will_not_pass_are_fatal() {
    for (answer, status) in [
        ("HTTP/1.1 400 Bad Request\r\n\r\n", 400),
        ("HTTP/1.1 404 Not Found\r\n\r\n", 404),
        ("HTTP/1.1 410 Gone\r\n\r\n", 410),
    ] {
        let fatal = Verdict::GaveUp(GiveUpCause::HttpStatus(status));
        assert_eq!(verdict_on(answer).await, (http(status), fatal));
    }
}

#[tokio::test]
async fn retry_after_is_kept_to_with_a_bound_and_some_jitter() {
    for (answer, least) in [
        ("HTTP/1.1 429 x\r\nRetry-After: 7\r\n\r\n", 7),
        ("HTTP/1.1 503 x\r\nretry-after:   90  \r\n\r\n", 90),
        ("HTTP/1.1 503 x\r\nRetry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n", 60),
        // Half a minute by the server's clock, which counts, and a minute by ours.
        (
            "HTTP/1.1 503 x\r\nDate: Sun, 06 Nov 1994 08:49:07 GMT\r\n\
             Retry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n",
            30,
        ),
        ("HTTP/1.1 429 x\r\nRetry-After: 86400\r\n\r\n", 300),
        ("HTTP/1.1 429 x\r\nRetry-After: 99999999999999999999999\r\n\r\n", 300),
        ("HTTP/1.1 429 x\r\nRetry-After: Fri, 31 Dec 9999 23:59:59 GMT\r\n\r\n", 300),
    ] {
        let (error, verdict) = verdict_on(answer).await;

        assert!(matches!(error, OpenError::Http { retry_after: Some(_), .. }), "{answer}");
        let Verdict::Retry { delay, because } = verdict else { panic!("{answer}: {verdict:?}") };
        let least = Duration::from_secs(least);
        let most = least + (least / 5).max(Duration::from_secs(1)) + Duration::from_millis(5);
        assert!(least <= delay && delay <= most, "{answer}: {delay:?}");
        assert_eq!(because, Because::RetryAfter);
    }
}

#[tokio::test]
async fn a_retry_after_in_the_past_or_of_zero_delays_no_more_than_its_jitter() {
    for (answer, header) in [
        ("HTTP/1.1 429 x\r\nRetry-After: 0\r\n\r\n", RetryAfter::Seconds(0)),
        (
            "HTTP/1.1 429 x\r\nRetry-After: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\n",
            RetryAfter::Date(UnixMillis(0)),
        ),
    ] {
        let (error, verdict) = verdict_on(answer).await;
        assert_eq!(error, OpenError::Http { status: 429, retry_after: Some(header) });
        let Verdict::Retry { delay, .. } = verdict else { panic!("{verdict:?}") };
        assert!(delay <= Duration::from_millis(1_005), "{delay:?}");
    }
}

#[tokio::test]
async fn refused_credentials_are_refreshed_once_and_then_it_is_given_up() {
    for (answer, status) in [("HTTP/1.1 401 x\r\n\r\n", 401), ("HTTP/1.1 403 x\r\n\r\n", 403)] {
        let listener = Listener::bind().await;
        let mut client = client(listener.url(), calm()).build().unwrap();
        let server = tokio::spawn(async move {
            refuse(listener.tcp().await, answer).await;
            refuse(listener.tcp().await, answer).await;
            listener
        });

        let (first, retried) = verdict(&mut client).await;
        let (second, ended) = verdict(&mut client).await;

        assert_eq!((first, second), (http(status), http(status)));
        assert!(is_backoff(&retried));
        assert_eq!(ended, Verdict::GaveUp(GiveUpCause::HttpStatus(status)));
        assert_eq!(client.next().await, None);
        assert_eq!(client.state(), ConnectionState::Closed);
        server.await.unwrap();
    }
}

#[tokio::test]
async fn a_redirection_is_not_followed() {
    let (listener, elsewhere) = (Listener::bind().await, Listener::bind().await);
    let mut client = client(listener.url(), calm()).build().unwrap();
    let answer = format!("HTTP/1.1 302 Found\r\nLocation: {}/\r\n\r\n", elsewhere.url());

    let (_, mut events) =
        while_polling(&mut client, async { refuse(listener.tcp().await, &answer).await }).await;
    events.extend(drain(&mut client).await);

    assert_eq!(client.gave_up(), Some(GiveUpCause::HttpStatus(302)));
    tokio::select! {
        biased;
        _ = elsewhere.tcp() => panic!("the Location was contacted"),
        () = gateway_tests::settle() => {}
    }
}

#[tokio::test]
async fn what_is_no_http_or_no_websocket_has_its_name_and_is_retried() {
    let long: &'static str =
        Box::leak(format!("HTTP/1.1 101 x\r\nX: {}\r\n\r\n", "x".repeat(70 << 10)).into());
    for (answer, expected) in [
        ("SSH-2.0-OpenSSH_9.2\r\n", OpenError::NotHttp),
        ("220 mail.example ESMTP\r\n", OpenError::NotHttp),
        ("", OpenError::NotHttp),
        ("HTTP/1.1 101 Switching", OpenError::NotHttp),
        ("HTTP/2 101 x\r\n\r\n", OpenError::NotHttp),
        (long, OpenError::NotHttp),
        ("HTTP/1.1 101 x\r\n\r\n", OpenError::Upgrade),
        (
            "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: no\r\n\r\n",
            OpenError::Upgrade,
        ),
        ("HTTP/1.1 101 x\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n", OpenError::Upgrade),
    ] {
        let (error, verdict) = verdict_on(answer).await;
        let shown = &answer[..answer.len().min(60)];
        assert_eq!(error, expected, "{shown}");
        assert!(is_backoff(&verdict), "{shown}: {verdict:?}");
    }
}

#[tokio::test]
async fn an_http_1_0_answer_is_no_upgrade() {
    let listener = Listener::bind().await;
    let mut client = client(listener.url(), calm()).build().unwrap();
    tokio::spawn(async move {
        let mut tcp = listener.tcp().await;
        let head = Head::read(&mut tcp).await;
        let answer = head.acceptance("").replacen("HTTP/1.1", "HTTP/1.0", 1);
        tcp.write_all(answer.as_bytes()).await.unwrap();
    });

    let (error, verdict) = verdict(&mut client).await;

    assert_eq!(error, OpenError::Upgrade);
    assert!(is_backoff(&verdict));
}

#[tokio::test]
async fn a_subprotocol_that_was_not_offered_is_refused() {
    let listener = Listener::bind().await;
    let mut client = client(listener.url(), calm()).subprotocol("chat").build().unwrap();
    tokio::spawn(async move {
        let mut tcp = listener.tcp().await;
        let head = Head::read(&mut tcp).await;
        let answer = head.acceptance("Sec-WebSocket-Protocol: other\r\n");
        tcp.write_all(answer.as_bytes()).await.unwrap();
        let _ = tcp.read_u8().await;
    });

    assert_eq!(verdict(&mut client).await.0, OpenError::Upgrade);
}

#[tokio::test]
async fn a_refused_port_and_an_unknown_host_have_their_names_and_are_retried() {
    let refused = Listener::bind().await.url();
    for (url, expected) in
        [(refused.as_str(), OpenError::Refused), ("ws://something.invalid:1", OpenError::Dns)]
    {
        let mut client = client(url, calm()).build().unwrap();
        let (error, verdict) = verdict(&mut client).await;
        assert_eq!(error, expected, "{url}");
        assert!(is_backoff(&verdict), "{url}: {verdict:?}");
    }
}

#[tokio::test]
async fn a_server_that_comes_up_late_is_found() {
    let listener = Listener::bind().await;
    let mut client = client(listener.url(), calm()).build().unwrap();

    let ((), _) = while_polling(&mut client, async {
        for _ in 0..3 {
            refuse(listener.tcp().await, "HTTP/1.1 503 x\r\n\r\n").await;
        }
        let mut peer = listener.peer().await;
        peer.send(gateway_tests::Frame::text("at last")).await;
    })
    .await;
    let events = until(&mut client, |event| matches!(event, ClientEvent::Message(_))).await;

    assert_eq!(gateway_tests::texts(&events), ["at last"]);
    assert_eq!(client.statistics().attempts, 4);
}
