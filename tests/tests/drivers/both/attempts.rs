//! A provider gives the request of each attempt: what it is told, what the request changes, and what
//! follows if it is bad or missing.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use gateway_tests::{
    Certificates, Driver, Either, Frame, Listener, Peer, Provided as _, calm, client, refuse, serve,
};
use gateway_tokio::core::{
    AcceptanceRule, ConfigBuilder, DisconnectCause, GiveUpCause, Login, OpenError,
};
use gateway_tokio::{Attempt, ClientEvent, ProviderError, Request};

gateway_tests::on_both_drivers! {
    a_provider_is_asked_for_each_attempt_and_told_why
    a_request_changes_the_url_headers_and_subprotocols_of_its_attempt_alone
    a_bad_request_names_the_field_and_the_limit_and_the_next_attempt_asks_again
    a_panic_is_in_the_detail
    a_fatal_error_ends_the_client_and_a_least_delay_is_kept
    a_request_may_move_to_tls_and_name_the_certificate
    the_headers_of_the_answer_are_kept_until_the_next
    a_configuration_that_asks_without_a_provider_is_refused
    a_server_that_repeats_the_secrets_of_a_request_is_not_quoted
}

fn login() -> Login {
    Login::Message {
        send: "the configuration's".into(),
        accepted: AcceptanceRule::Any,
        refused: Vec::new(),
        timeout: Login::TIMEOUT,
    }
}

/// The cause and the detail of the next disconnection.
fn disconnected(client: &mut Either) -> (DisconnectCause, String) {
    match client.until(|event| matches!(event, ClientEvent::Disconnected { .. })).pop() {
        Some(ClientEvent::Disconnected { cause, detail, .. }) => (cause, detail.into()),
        other => panic!("{other:?}"),
    }
}

fn a_provider_is_asked_for_each_attempt_and_told_why(driver: Driver) {
    let server = serve(async |listener| {
        let refused = refuse(listener.tcp().await, "HTTP/1.1 401 Unauthorized\r\n\r\n").await;
        let mut peer = listener.peer().await;
        assert_eq!(peer.frame().await, Frame::text("login 3"));
        peer.send(Frame::text("welcome")).await;
        [refused, peer.head].map(|head| head.header("authorization").unwrap().to_owned())
    });
    let asked = Arc::<Mutex<Vec<Attempt>>>::default();
    let log = Arc::clone(&asked);
    let provider = move |attempt: Attempt| {
        log.lock().unwrap().push(attempt);
        let number = attempt.number;
        let request = Request::new().login(format!("login {number}"));
        match number {
            1 => Err("the vault is closed".into()),
            _ => Ok(request.header("Authorization", format!("Bearer {number}"))),
        }
    };
    let config = calm().login(login()).max_attempts(Some(9)); // an end, if the server fails
    let mut client = client!(driver, &server.url, config,
        .header("Authorization", "Bearer old").provided_by(provider));

    let (cause, detail) = disconnected(&mut client);
    client.until_ready();

    assert_eq!((cause, &*detail), (DisconnectCause::Provider, "the vault is closed"));
    assert_eq!(server.join(), ["Bearer 2", "Bearer 3"]);
    let asked = asked.lock().unwrap();
    let told: Vec<_> =
        asked.iter().map(|told| (told.number, told.last_cause, told.refresh)).collect();
    let refused = OpenError::Http { status: 401, retry_after: None };
    let expected = [
        (1, None, false),
        (2, Some(DisconnectCause::Provider), false),
        (3, Some(DisconnectCause::OpenFailed(refused)), true),
    ];
    assert_eq!(told, expected);
}

fn a_request_changes_the_url_headers_and_subprotocols_of_its_attempt_alone(driver: Driver) {
    let other = serve(async |listener| {
        let tcp = listener.tcp().await;
        Peer::accept_with(tcp, "Sec-WebSocket-Protocol: v3\r\n").await.head
    });
    let own = serve(async |listener| listener.peer().await.head);
    let url = own.url.replace("ws://", "ws://ann:pw@") + "/own";
    let moved = other.url.clone() + "/ticket-1?key=2";
    let provider = move |attempt: Attempt| {
        Ok(match attempt.number {
            1 => Request::new().url(moved.as_str()).header("x-device", "8").subprotocol("v3"),
            _ => Request::new(),
        })
    };
    let mut client = client!(driver, url, calm(),
        .header("X-Device", "7").header("X-Kept", "1").subprotocol("v1").provided_by(provider));

    assert!(matches!(client.lost(), DisconnectCause::Lost(_)));
    let moved = other.join();
    client.until_ready();
    let own = own.join();

    assert!(format!("{moved:?}").starts_with("GET /ticket-1?key=2 HTTP/1.1\r\n"));
    for (name, value) in [
        ("x-device", Some("8")),
        ("x-kept", Some("1")),
        ("sec-websocket-protocol", Some("v3")),
        ("authorization", None),
    ] {
        assert_eq!(moved.header(name), value, "{name}");
    }
    assert!(format!("{own:?}").starts_with("GET /own HTTP/1.1\r\n"));
    for (name, value) in
        [("x-device", "7"), ("sec-websocket-protocol", "v1"), ("authorization", "Basic YW5uOnB3")]
    {
        assert_eq!(own.header(name), Some(value), "{name}");
    }
}

fn a_bad_request_names_the_field_and_the_limit_and_the_next_attempt_asks_again(driver: Driver) {
    let server = serve(async |listener| listener.peer().await.rest().await);
    let provider = |attempt: Attempt| {
        let request = Request::new();
        Ok(match attempt.number {
            1 => request.url("no url"),
            2 => (0..10_000).fold(request, |all, number| all.header(format!("X-{number}"), "v")),
            3 => request.header("X-Token", "line\r\nX-Forged: hunter2"),
            4 => request.login("hunter2"),
            _ => request,
        })
    };
    let mut client = client!(driver, &server.url, calm(), .provided_by(provider));

    for expected in [
        "url: must be a URL such as wss://",
        "headers = 10000 headers: must be at most 128",
        "headers = X-Token: must have a value without control characters",
        "login: must not be set unless login.send is configured",
    ] {
        let (cause, detail) = disconnected(&mut client);
        assert_eq!(cause, DisconnectCause::Provider);
        assert!(detail.contains(expected) && !detail.contains("hunter2"), "{detail}");
    }
    client.until_ready();
    assert_eq!(client.statistics().attempts, 5);
    drop(client);
    server.join();
}

fn a_panic_is_in_the_detail(driver: Driver) {
    let server = serve(async |listener| listener.peer().await.rest().await);
    let provider = |attempt: Attempt| match attempt.number {
        1 | 2 => panic!("no token of {}", attempt.number),
        _ => Ok(Request::new()),
    };
    let mut client = client!(driver, &server.url, calm(), .provided_by(provider));

    for number in [1, 2] {
        let (cause, detail) = disconnected(&mut client);
        assert_eq!(cause, DisconnectCause::Provider);
        assert_eq!(detail, format!("the provider panicked: no token of {number}"));
    }
    client.until_ready();
    drop(client);
    server.join();
}

fn a_fatal_error_ends_the_client_and_a_least_delay_is_kept(driver: Driver) {
    let provider = |attempt: Attempt| match attempt.number {
        1 => Err(ProviderError::not_before(Duration::from_millis(10), "busy")),
        _ => Err(ProviderError::fatal("the account is closed")),
    };
    let mut client = client!(driver, "ws://127.0.0.1:9", calm(), .provided_by(provider));

    let events = client.drain();

    assert_eq!(client.gave_up(), Some(GiveUpCause::Provider));
    let details = events.iter().filter_map(|event| match event {
        ClientEvent::Disconnected { detail, .. } => Some(&**detail),
        _ => None,
    });
    assert_eq!(details.collect::<Vec<_>>(), ["busy", "the account is closed"]);
    assert!(format!("{events:?}").contains("because: Policy"), "{events:?}");
}

fn a_request_may_move_to_tls_and_name_the_certificate(driver: Driver) {
    let certificates = Certificates::new("front.example");
    let (trusted, acceptor) = (certificates.trusted(), certificates.acceptor().clone());
    let server = serve(async move |listener: Listener| {
        // Without the name the certificate is refused.
        assert!(listener.tls(&acceptor).await.is_err());
        let stream = listener.tls(&acceptor).await.unwrap();
        let name = stream.get_ref().1.server_name().map(str::to_owned);
        Peer::accept(stream).await.rest().await;
        name
    });
    let secure = server.url.replace("ws://", "wss://");
    let provider = move |attempt: Attempt| {
        let request = Request::new().url(secure.as_str());
        Ok(match attempt.number {
            1 => request,
            _ => request.tls_name("front.example"),
        })
    };
    let mut client =
        client!(driver, "ws://unused.example", calm(), .tls(trusted).provided_by(provider));

    let (cause, _) = disconnected(&mut client);
    assert_eq!(cause, DisconnectCause::OpenFailed(OpenError::Certificate));
    client.until_ready();
    drop(client);
    assert_eq!(server.join().as_deref(), Some("front.example"));
}

fn the_headers_of_the_answer_are_kept_until_the_next(driver: Driver) {
    let server = serve(async |listener| {
        for node in ["a", "b"] {
            let more = format!("X-Node:  {node} \r\nSet-Cookie: s={node}\r\n");
            let mut peer = Peer::accept_with(listener.tcp().await, &more).await;
            peer.send(Frame::close(1012, "")).await;
        }
    });
    let mut client = client!(driver, &server.url, calm());
    assert_eq!(client.response_header("X-Node"), None, "there was no answer yet");

    for node in ["a", "b"] {
        client.lost();
        assert_eq!(client.response_header("x-node").as_deref(), Some(node));
        assert_eq!(client.response_header("upgrade").as_deref(), Some("websocket"));
    }
    assert_eq!(client.response_header("x-other"), None);
    drop(client);
    server.join();
}

fn a_configuration_that_asks_without_a_provider_is_refused(_: Driver) {
    let asks = || calm().ask_provider(true).build().unwrap();
    let errors = [
        gateway_tokio::Client::builder("ws://h").config(asks()).build().unwrap_err(),
        gateway_std::Client::builder("ws://h").config(asks()).build().unwrap_err(),
    ];
    for error in errors {
        let text = error.to_string();
        assert!(
            text.starts_with("ask_provider = true: must not be set without a provider"),
            "{text}"
        );
    }
}

fn a_server_that_repeats_the_secrets_of_a_request_is_not_quoted(driver: Driver) {
    let server = serve(async |listener| {
        let body = "no /ticket-17/feed for key-of-today, Bearer hunter22, nor named-secret";
        let answer = format!("HTTP/1.1 403 x\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        refuse(listener.tcp().await, &answer).await;
        let mut peer = listener.peer().await;
        peer.send(Frame::close(4001, "named-secret is not known")).await;
    });
    let url = server.url.clone();
    let provider = move |_: Attempt| {
        let request = Request::new().url(format!("{url}/ticket-17/feed?k=key-of-today"));
        Ok(request.header("Authorization", "Bearer hunter22").secret("token", "named-secret"))
    };
    let config: ConfigBuilder = calm().rule(
        gateway_tokio::core::Rule::new(403, 403, gateway_tokio::core::Verdict::Retry).unwrap(),
    );
    let mut client = client!(driver, "ws://unused.example/base", config, .provided_by(provider));

    let (_, refused) = disconnected(&mut client);
    let (_, closed) = disconnected(&mut client);

    for secret in ["ticket-17", "key-of-today", "hunter22"] {
        assert!(!refused.contains(secret), "{refused}");
    }
    assert!(refused.contains("403") && closed.contains("(hidden) is not known"), "{closed}");
    drop(client);
    server.join();
}
