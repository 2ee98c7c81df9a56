//! Proxies of both kinds on real sockets: honest ones, refusing ones and hostile ones.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use gateway_tests::{
    Asked, Certificates, Driver, Either, Listener, Peer, ProxyKind, Served, calm, client, relay,
    serve,
};
use gateway_tokio::core::{ConfigBuilder, DisconnectCause, GiveUpCause, OpenError};
use gateway_tokio::{ClientEvent, Proxy};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

gateway_tests::on_every_driver! {
    each_kind_of_proxy_leads_to_a_plain_and_to_a_secure_server
    a_proxy_over_tls_leads_to_a_plain_and_to_a_secure_server
    user_and_password_reach_the_proxy_and_no_header_of_the_server_does
    a_proxy_that_refuses_is_retried_with_its_words
    a_proxy_that_asks_for_a_password_is_given_up
    garbage_and_a_hang_up_are_failures_of_the_proxy
    a_proxy_that_never_ends_its_answer_meets_the_connect_timeout
    a_proxy_that_answers_a_byte_at_a_time_meets_the_connect_timeout
    what_a_server_sends_before_it_is_asked_is_not_lost
    a_proxy_that_cannot_be_reached_is_named
    a_server_in_no_proxy_is_reached_directly
    a_proxys_own_certificate_is_checked_even_if_the_servers_is_not
}

/// A name that no resolver knows: the proxy has to resolve it.
const HOST: &str = "server.invalid";

fn port(url: &str) -> u16 {
    url.rsplit_once(':').unwrap().1.parse().unwrap()
}

fn place(proxy: &Served<()>) -> String {
    format!("localhost:{}", port(&proxy.url))
}

/// A server that echoes, over TLS if `secure`, to one client.
fn echo(secure: Option<TlsAcceptor>) -> Served<()> {
    serve(async move |listener: Listener| match secure {
        Some(acceptor) => {
            let stream = listener.tls(&acceptor).await.unwrap();
            Peer::accept(stream).await.echo().await;
        }
        None => listener.peer().await.echo().await,
    })
}

/// A proxy that leads one client to the server on this port, whatever host the client asks for.
fn honest(kind: ProxyKind, tls: Option<TlsAcceptor>, to: u16) -> (Served<()>, Receiver<Asked>) {
    let (asked, heard) = channel();
    let proxy = serve(async move |listener: Listener| match tls {
        Some(acceptor) => lead(kind, listener.tls(&acceptor).await.unwrap(), to, asked).await,
        None => lead(kind, listener.tcp().await, to, asked).await,
    });
    (proxy, heard)
}

async fn lead(
    kind: ProxyKind,
    mut stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    to: u16,
    asked: Sender<Asked>,
) {
    asked.send(kind.read(&mut stream).await).unwrap();
    stream.write_all(kind.accepts()).await.unwrap();
    stream.flush().await.unwrap();
    relay(stream, to).await;
}

/// A proxy that gives each client this answer to its request, and hangs up.
fn answering(kind: ProxyKind, answer: &'static [u8]) -> Served<()> {
    serve(async move |listener: Listener| {
        let mut stream = listener.tcp().await;
        kind.read(&mut stream).await;
        finish(stream, answer).await;
    })
}

/// Writes the last bytes, and waits until the client leaves: unread bytes would reset the connection.
async fn finish(mut stream: TcpStream, answer: &[u8]) {
    stream.write_all(answer).await.unwrap();
    let _ = stream.shutdown().await;
    let _ = stream.read_to_end(&mut Vec::new()).await;
}

/// The cause of the next end of a socket, and its text.
fn lost(client: &mut Either) -> (DisconnectCause, String) {
    loop {
        if let ClientEvent::Disconnected { cause, detail, .. } = client.event() {
            return (cause, detail.to_string());
        }
    }
}

fn failed(error: OpenError) -> DisconnectCause {
    DisconnectCause::OpenFailed(error)
}

/// Settings with which no failed attempt is followed by another one.
fn once() -> ConfigBuilder {
    calm().max_attempts(Some(0))
}

#[track_caller]
fn assert_echoes(client: &mut Either) {
    client.until_ready();
    client.send("hello").unwrap();
    assert_eq!(client.message().as_text(), Some("hello"));
}

fn each_kind_of_proxy_leads_to_a_plain_and_to_a_secure_server(driver: Driver) {
    for kind in ProxyKind::ALL {
        for secure in [false, true] {
            let certificates = Certificates::new(HOST);
            let server = echo(secure.then(|| certificates.acceptor().clone()));
            let (proxy, asked) = honest(kind, None, port(&server.url));
            let scheme = if secure { "wss" } else { "ws" };
            let url = format!("{scheme}://{HOST}:7777/path");
            let mut client = client!(driver, url, once(),
                .tls(certificates.trusted()).proxy(kind.url(&place(&proxy))));
            assert_echoes(&mut client);
            assert_eq!(asked.recv().unwrap().place, format!("{HOST}:7777"), "{kind:?} {secure}");
        }
    }
}

fn a_proxy_over_tls_leads_to_a_plain_and_to_a_secure_server(driver: Driver) {
    for secure in [false, true] {
        let (of_proxy, of_server) = (Certificates::new("localhost"), Certificates::new(HOST));
        let server = echo(secure.then(|| of_server.acceptor().clone()));
        let acceptor = Some(of_proxy.acceptor().clone());
        let (proxy, asked) = honest(ProxyKind::Connect, acceptor, port(&server.url));
        let scheme = if secure { "wss" } else { "ws" };
        let proxy = Proxy::new(format!("https://{}", place(&proxy))).tls(of_proxy.trusted());
        let mut client = client!(driver, format!("{scheme}://{HOST}"), once(),
            .tls(of_server.trusted()).proxy(proxy));
        client.until_ready();
        let large = vec![7; 900_000];
        client.send(large.clone()).unwrap();
        assert!(client.message().as_bytes() == large);
        let default = if secure { 443 } else { 80 };
        assert_eq!(asked.recv().unwrap().place, format!("{HOST}:{default}"));
    }
}

fn user_and_password_reach_the_proxy_and_no_header_of_the_server_does(driver: Driver) {
    for (kind, login) in
        [(ProxyKind::Connect, "Basic dXNAZXI6cDp3"), (ProxyKind::Socks5, "us@er:p:w")]
    {
        let server = echo(None);
        let (proxy, asked) = honest(kind, None, port(&server.url));
        let url = kind.url(&format!("us%40er:p%3Aw@{}", place(&proxy)));
        let mut client = client!(driver, format!("ws://of:server@{HOST}/secret?secret"), once(),
            .header("X-Secret", "secret").proxy(url));
        assert_echoes(&mut client);
        let asked = asked.recv().unwrap();
        assert_eq!(asked.login.as_deref(), Some(login));
        assert!(!asked.head.to_lowercase().contains("secret"), "{}", asked.head);
        assert!(!asked.head.contains("\r\nAuthorization"), "{}", asked.head);
    }
}

fn a_proxy_that_refuses_is_retried_with_its_words(driver: Driver) {
    let forbidden = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 18\r\n\r\nnot this\x1b[31m port";
    for (kind, answer, words) in [
        (ProxyKind::Connect, &forbidden[..], r"answered 403: not this\u{1b}[31m port"),
        (
            ProxyKind::Connect,
            b"HTTP/1.1 302 x\r\nLocation: http://portal/\r\n\r\n",
            "302, Location: http://portal/",
        ),
        (
            ProxyKind::Socks5,
            b"\x05\x05\x00\x01\0\0\0\0\0\0",
            "the server refused the connection (SOCKS5 reply 5)",
        ),
    ] {
        let proxy = answering(kind, answer);
        let mut client =
            client!(driver, format!("ws://{HOST}"), calm(), .proxy(kind.url(&place(&proxy))));
        let (cause, detail) = lost(&mut client);
        assert_eq!(cause, failed(OpenError::Proxy), "{detail}");
        let named = format!("the proxy {} ", place(&proxy));
        assert!(detail.starts_with(&named) && detail.contains(words), "{detail}");
        assert_eq!(client.gave_up(), None);
    }
}

fn a_proxy_that_asks_for_a_password_is_given_up(driver: Driver) {
    let asks =
        b"HTTP/1.1 407 x\r\nProxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n";
    for (kind, answer, login, words) in [
        (ProxyKind::Connect, &asks[..], "", "give them in its URL"),
        (ProxyKind::Connect, asks, "user:hunter2@", "does not accept the user and the password"),
    ] {
        let proxy = answering(kind, answer);
        let url = kind.url(&format!("{login}{}", place(&proxy)));
        let mut client = client!(driver, format!("ws://{HOST}"), calm(), .proxy(url));
        let (cause, detail) = lost(&mut client);
        assert_eq!(cause, failed(OpenError::ProxyCredentials));
        assert!(detail.contains(words) && !detail.contains("hunter2"), "{detail}");
        client.drain();
        assert_eq!(client.gave_up(), Some(GiveUpCause::Configuration));
    }
    for (answer, login) in [(&[5, 0xff][..], ""), (&[5, 2, 1, 1], "user:hunter2@")] {
        let proxy =
            serve(async move |listener: Listener| finish(listener.tcp().await, answer).await);
        let url = format!("socks5://{login}{}", place(&proxy));
        let mut client = client!(driver, format!("ws://{HOST}"), calm(), .proxy(url));
        let (cause, detail) = lost(&mut client);
        assert_eq!(cause, failed(OpenError::ProxyCredentials), "{detail}");
        client.drain();
        assert_eq!(client.gave_up(), Some(GiveUpCause::Configuration));
    }
}

fn garbage_and_a_hang_up_are_failures_of_the_proxy(driver: Driver) {
    for scheme in ["http", "socks5"] {
        for answer in [&b"220 mail.example ESMTP\r\n"[..], b"", b"\x05", b"HTTP/1.1 200 OK\r\n"] {
            let proxy =
                serve(async move |listener: Listener| finish(listener.tcp().await, answer).await);
            let url = format!("{scheme}://{}", place(&proxy));
            let mut client = client!(driver, format!("wss://{HOST}"), calm(), .proxy(url));
            let (cause, detail) = lost(&mut client);
            assert_eq!(cause, failed(OpenError::Proxy), "{scheme} {detail}");
            assert_eq!(client.gave_up(), None);
        }
    }
}

fn a_proxy_that_never_ends_its_answer_meets_the_connect_timeout(driver: Driver) {
    for (scheme, answer) in [("http", &b"HTTP/1.1 200 OK\r\n"[..]), ("socks5", &[5])] {
        let proxy = serve(async move |listener: Listener| {
            let mut stream = listener.tcp().await;
            stream.write_all(answer).await.unwrap();
            let _ = stream.read_to_end(&mut Vec::new()).await; // until the client leaves
        });
        let url = format!("{scheme}://{}", place(&proxy));
        let config = once().connect_timeout(Duration::from_secs(1));
        let mut client = client!(driver, format!("ws://{HOST}"), config, .proxy(url));
        assert_eq!(client.lost(), DisconnectCause::ConnectTimeout, "{scheme}");
        proxy.join();
    }
}

/// No byte of it puts the deadline off.
fn a_proxy_that_answers_a_byte_at_a_time_meets_the_connect_timeout(driver: Driver) {
    let proxy = serve(async move |listener: Listener| {
        let mut stream = listener.tcp().await;
        let mut pace = tokio::time::interval(Duration::from_millis(100));
        for byte in b"HTTP/1.1 200 OK\r\nX: ".iter().chain(std::iter::repeat(&b'x')) {
            pace.tick().await;
            if stream.write_all(&[*byte]).await.is_err() {
                break; // the client has left
            }
        }
    });
    let url = format!("http://{}", place(&proxy));
    let config = once().connect_timeout(Duration::from_secs(1));
    let mut client = client!(driver, format!("ws://{HOST}"), config, .proxy(url));
    assert_eq!(client.lost(), DisconnectCause::ConnectTimeout);
    proxy.join();
}

fn what_a_server_sends_before_it_is_asked_is_not_lost(driver: Driver) {
    let busy = b"HTTP/1.1 429 x\r\nContent-Length: 4\r\n\r\nbusy";
    for kind in ProxyKind::ALL {
        let proxy = serve(async move |listener: Listener| {
            let mut stream = listener.tcp().await;
            kind.read(&mut stream).await;
            finish(stream, &[kind.accepts(), busy].concat()).await;
        });
        let url = kind.url(&place(&proxy));
        let mut client = client!(driver, format!("ws://{HOST}"), once(), .proxy(url));
        let (cause, detail) = lost(&mut client);
        assert_eq!(cause, failed(OpenError::Http { status: 429, retry_after: None }), "{kind:?}");
        assert_eq!(detail, "the server answered 429: busy");
    }
}

fn a_proxy_that_cannot_be_reached_is_named(driver: Driver) {
    let refused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (proxy, error, named) in [
        (
            format!("http://u:secret@{refused}"),
            OpenError::Refused,
            format!("the proxy {refused}: "),
        ),
        (
            "socks5://something.invalid:9".into(),
            OpenError::Dns,
            "the proxy something.invalid:9: ".into(),
        ),
    ] {
        let mut client = client!(driver, format!("ws://{HOST}"), calm(), .proxy(proxy));
        let (cause, detail) = lost(&mut client);
        assert_eq!(cause, failed(error), "{detail}");
        assert!(detail.starts_with(&named) && !detail.contains("secret"), "{detail}");
    }
}

fn a_server_in_no_proxy_is_reached_directly(driver: Driver) {
    let server = echo(None);
    let proxy = Proxy::new("http://something.invalid:9").no_proxy("127.0.0.0/8");
    let mut client = client!(driver, &server.url, once(), .proxy(proxy));
    assert_echoes(&mut client);
}

fn a_proxys_own_certificate_is_checked_even_if_the_servers_is_not(driver: Driver) {
    let certificates = Certificates::new("localhost");
    let proxy = serve(async move |listener: Listener| {
        listener.tls(certificates.acceptor()).await.map(drop)
    });
    let url = format!("https://localhost:{}", port(&proxy.url));
    let mut client = client!(driver, format!("wss://{HOST}"), once(),
        .tls(gateway_tokio::Tls::insecure().unwrap()).proxy(url));
    let (cause, detail) = lost(&mut client);
    assert_eq!(cause, failed(OpenError::Certificate), "{detail}");
    assert!(detail.starts_with("TLS to the proxy localhost:"), "{detail}");
    assert!(proxy.join().is_err());
}
