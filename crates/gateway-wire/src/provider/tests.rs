use std::task::Poll;
use std::time::Duration;

use gateway_core::{AcceptanceRule, Config, Login, Secret, Verdict};

use super::*;
use crate::endpoint::Endpoint;

fn base() -> Endpoint {
    Endpoint::builder("ws://old.example/path").header("X-One", "1").build().unwrap()
}

fn login() -> Login {
    Login::Message {
        send: "configured".into(),
        accepted: AcceptanceRule::Any,
        refused: Vec::new(),
        timeout: Login::TIMEOUT,
    }
}

fn plan(request: Request, login: &Login) -> Result<AttemptPlan, String> {
    let mut given = Some(Ok(request));
    let mut asking = Asking::new(base(), move || Poll::Ready(given.take().unwrap()));
    match asking.poll(login) {
        Poll::Ready(plan) => plan.map_err(|error| {
            assert_eq!(error.verdict(), Verdict::Retry);
            error.to_string()
        }),
        Poll::Pending => panic!("it is there"),
    }
}

#[test]
fn a_request_that_changes_nothing_leaves_the_clients_endpoint() {
    let plan = plan(Request::new(), &Login::None).unwrap();
    assert!(plan.endpoint.is_none() && plan.private.login.is_none());
    assert!(matches!(
        Asking::nobody().poll(&Login::None),
        Poll::Ready(Ok(AttemptPlan { endpoint: None, .. }))
    ));
}

#[test]
fn a_request_may_set_every_part_of_an_attempt() {
    let request = Request::new()
        .url("wss://new.example/key")
        .header("Authorization", "Bearer t")
        .subprotocol("a")
        .subprotocol("b")
        .tls_name("front.example")
        .login("fresh")
        .secret("token", "t-1");

    let plan = plan(request, &login()).unwrap();

    let endpoint = plan.endpoint.unwrap();
    assert_eq!((endpoint.host(), endpoint.tls_name()), ("new.example", "front.example"));
    assert_eq!(endpoint.subprotocols(), ["a", "b"]);
    assert_eq!(endpoint.headers().count(), 2);
    assert_eq!(plan.private.login, Some(Secret::new("fresh")));
    let secrets = plan.private.secrets;
    assert_eq!(secrets.get("token"), Some(&Secret::new("t-1")));
    assert_eq!(secrets.get("other"), None);
    assert_eq!(secrets.names().collect::<Vec<_>>(), ["token"]);
}

#[test]
fn all_errors_of_a_request_are_told_at_once_on_one_line_and_without_secrets() {
    let request = Request::new()
        .url("http://h?key=hunter2")
        .header("X", "hunter2\r\nY: z")
        .subprotocol("hunter2 ")
        .tls_name("\n")
        .login("hunter2")
        .secret("hunter2!", "hunter2");

    let text = plan(request, &Login::None).unwrap_err();

    assert!(text.starts_with("the provider's request is refused: url: must "), "{text}");
    for field in
        ["; headers = X: ", "; subprotocols: ", "; tls_name = ", "; login: ", "; secrets: "]
    {
        assert!(text.contains(field), "{field} is not in {text}");
    }
    assert!(!text.contains("hunter2") && !text.contains(char::is_control), "{text}");
}

#[test]
fn logins_and_secrets_have_limits() {
    let large = "x".repeat(Config::MAX_LOGIN + 1);
    let refused = |request| {
        let text = plan(request, &login()).unwrap_err();
        text.trim_start_matches("the provider's request is refused: ").to_owned()
    };

    let told = refused(Request::new().login(large.as_str()));
    assert_eq!(told, "login: must be at most 65536 bytes");
    let told = refused(Request::new().secret("a", large.as_str()));
    assert_eq!(told, "secrets: must each be at most 65536 bytes");
    let told = refused(Request::new().secret("a", "1").secret("a", "2"));
    assert_eq!(told, "secrets = a: must each have its own name");
    for name in ["", "a b", &"n".repeat(65)] {
        let told = refused(Request::new().secret(name, "1"));
        assert_eq!(told, "secrets: must have names of 1 to 64 letters, digits, and _-.");
    }
    let many = (0..33).fold(Request::new(), |all, number| all.secret(number.to_string(), "x"));
    assert_eq!(refused(many), "secrets = 33: must be at most 32");
}

#[test]
fn debug_shows_neither_a_secret_nor_the_url() {
    let request = Request::new()
        .url("wss://hunter2.example/hunter2")
        .header("X", "hunter2")
        .login("hunter2")
        .secret("token", "hunter2");

    let shown = format!("{request:?} {:?}", Secrets::new(vec![("a".into(), "hunter2".into())]));

    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(shown.ends_with("Ok({\"a\"})"), "{shown}");
}

#[test]
fn a_panic_is_an_error_with_its_text() {
    let panics: [(fn() -> Poll<_>, _); 3] = [
        (|| panic!("out of tokens"), "out of tokens"),
        (|| panic!("{} is out", "token"), "token is out"),
        (|| std::panic::panic_any(7), "no text"),
    ];
    for (panics, expected) in panics {
        let mut asking = Asking::new(base(), panics);

        let Poll::Ready(Err(error)) = asking.poll(&Login::None) else { panic!("it panics") };

        assert_eq!(error.to_string(), format!("the provider panicked: {expected}"));
        assert_eq!(error.verdict(), Verdict::Retry);
    }
}

#[test]
fn an_error_has_a_verdict_and_the_text_of_its_sources() {
    #[derive(Debug, thiserror::Error)]
    #[error("no token")]
    struct NoToken(#[source] std::num::ParseIntError);

    let source = "x".parse::<u8>().unwrap_err();
    let error = ProviderError::from(NoToken(source));
    assert_eq!(error.to_string(), "no token: invalid digit found in string");
    assert_eq!(error.verdict(), Verdict::Retry);
    assert_eq!(ProviderError::fatal("over").verdict(), Verdict::Fatal);
    for (asked, least) in [(30, 30), (u64::MAX, 365 * 86_400)] {
        let error = ProviderError::not_before(Duration::from_secs(asked), "busy");
        assert_eq!(error.verdict(), Verdict::RetryNoSoonerThan(Duration::from_secs(least)));
    }
    assert_eq!(
        format!("{:?}", ProviderError::fatal("over")),
        "ProviderError { verdict: Fatal, error: \"over\" }"
    );
}

#[test]
fn a_provider_that_has_not_begun_says_why() {
    let asking = Asking::new(base(), || Poll::Pending);
    assert_eq!(asking.delay(), None);
    let asking = asking.with_delay(|| Some("the thread is busy".to_owned()));
    assert_eq!(asking.delay().as_deref(), Some("the thread is busy"));
}
