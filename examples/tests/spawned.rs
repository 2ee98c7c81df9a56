//! Runs the examples of clients in tasks, against the hostile server of this project and against
//! another library's server.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use gateway_hostile::{Script, Server};
use gateway_tokio::core::Config;
use gateway_tokio::{Client, EndKind};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

#[allow(dead_code, reason = "its main is not run")]
#[path = "../spawned/health.rs"]
mod health;
#[allow(dead_code, reason = "its main is not run")]
#[path = "../spawned/many.rs"]
mod many;
#[allow(dead_code, reason = "its main is not run")]
#[path = "../spawned/shutdown.rs"]
mod shutdown;

/// A server of tokio-tungstenite's that echoes, and its URL.
async fn echo_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut socket = tokio_tungstenite::accept_async(tcp).await.unwrap();
                while let Some(Ok(message)) = socket.next().await {
                    if message.is_text() && socket.send(message).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    url
}

/// Asks the endpoint; returns the status line and the body.
async fn asked(address: std::net::SocketAddr) -> (String, String) {
    let mut tcp = TcpStream::connect(address).await.unwrap();
    tcp.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    tcp.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.lines().next().unwrap().to_owned(), body.to_owned())
}

#[tokio::test]
async fn the_health_endpoint_follows_the_connection() {
    let url = echo_server().await;
    let (handle, events) = Client::builder(&url).name("feed").build().unwrap().spawn();
    tokio::spawn(health::work(events));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let endpoint = health::router(handle.clone());
    tokio::spawn(async move { axum::serve(listener, endpoint).await });
    handle.ready().await.unwrap();

    let (status, body) = asked(address).await;
    assert_eq!(status, "HTTP/1.1 200 OK");
    assert!(
        body.starts_with(r#"{"state":"CONNECTED","is_ready":true,"is_draining":false,"socket":1,"#),
        "{body}"
    );

    handle.close(gateway_tokio::core::CloseFrame::NORMAL).unwrap();
    handle.closed().await;
    let (status, body) = asked(address).await;
    assert_eq!(status, "HTTP/1.1 503 Service Unavailable");
    assert!(
        body.starts_with(
            r#"{"state":"CLOSED","is_ready":false,"is_draining":false,"queued_messages":0,"#
        ),
        "{body}"
    );
    assert!(body.contains(r#""last_disconnect":{"cause":"requested"}"#), "{body}");
}

/// The server drops connections, so some messages are refused and some may be lost. All are accounted for.
#[tokio::test]
async fn a_shutdown_accounts_for_every_message() {
    let calm = echo_server().await;
    let hostile = Server::builder().script(Script::named("drop").unwrap()).start().unwrap();
    for (url, is_hostile) in [(calm, false), (hostile.url().to_owned(), true)] {
        let config = Config::builder().initial_delay(Duration::from_millis(1)).build().unwrap();
        let client = Client::builder(url).config(config).build().unwrap();

        let account = shutdown::run(client, Duration::from_millis(1), many_turns()).await.unwrap();

        assert_eq!(account.end.kind(), EndKind::Closed);
        assert!(account.lost <= account.accepted, "{account:?}");
        assert!(is_hostile || account.lost == 0, "{account:?}");
    }
}

/// Lets the others have many turns.
async fn many_turns() {
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Write::write(&mut *self.0.lock().unwrap(), bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn two_hundred_clients_get_their_answers_and_the_log_names_each() {
    let log = Log::default();
    let written = log.clone();
    let subscriber =
        tracing_subscriber::fmt().with_ansi(false).with_writer(move || written.clone()).finish();
    // For all threads: other tests of this process log, too.
    tracing::subscriber::set_global_default(subscriber).unwrap();

    let answered = many::run(&echo_server().await).await.unwrap();

    assert_eq!(answered, many::CLIENTS);
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    for number in 0..many::CLIENTS {
        let name = format!("client{{name=client-{number:03} ");
        let lines = log.lines().filter(|line| line.contains(&name));
        assert!(lines.clone().any(|line| line.contains("CONNECTING -> CONNECTED")), "{name}");
        assert!(lines.clone().any(|line| line.contains("CLOSING -> CLOSED")), "{name}");
    }
}
