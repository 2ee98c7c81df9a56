//! What a dialect asks for, and messages on every ready.

use gateway_core::{
    Dialect, DisconnectCause, Duties, Exchange, Interest, Message as Shown, Received, Secrets,
    Verdict,
};

use super::*;
use crate::endpoint::Endpoint;
use crate::guarded::Guarded;
use crate::session::OnReadyError;

/// Calls these functions.
#[derive(Clone, Copy)]
struct Scripted {
    opened: fn(&mut Exchange<'_>),
    received: fn(&str, &mut Exchange<'_>) -> Received,
}

const QUIET: Scripted = Scripted { opened: |_| {}, received: |_, _| Received::Deliver };

impl Dialect for Scripted {
    fn duties(&self) -> Duties {
        Duties::NONE.with_login(Login::TIMEOUT)
    }

    fn interest(&self) -> Interest {
        Interest::TEXT
    }

    fn opened(&mut self, exchange: &mut Exchange<'_>) {
        (self.opened)(exchange);
    }

    fn received(&mut self, message: Shown<'_>, exchange: &mut Exchange<'_>) -> Received {
        match message {
            Shown::Text(text) => (self.received)(text, exchange),
            Shown::Binary(_) => Received::Deliver,
        }
    }
}

fn spoken(dialect: Scripted) -> Session {
    let guarded = Guarded::new(Box::new(move || Box::new(dialect))).unwrap();
    let config = calm().build().unwrap().with_dialect(guarded.duties());
    let endpoint = Endpoint::builder("ws://own.example/").build().unwrap();
    Session::new(Arc::new(config), 7, Box::new(guarded)).with_resumable(endpoint)
}

/// Opens the next socket.
fn opened(session: &mut Session, now: Instant) -> SocketId {
    session.connect(now);
    let id = loop {
        match session.next_order() {
            Some(Order::Open { id, .. }) => break id,
            Some(Order::Drop { id, .. } | Order::Abort { id }) => session.dropped(id),
            Some(Order::Ask { .. }) => panic!("there is no provider"),
            None => panic!("no order"),
        }
    };
    session.opened(now, id);
    id
}

/// The payloads of the frames that wait to be written, of at most 125 bytes each.
fn sent(session: &mut Session, id: SocketId) -> Vec<String> {
    let mut bytes = session.pending();
    let mut texts = Vec::new();
    while let [_, length, rest @ ..] = bytes {
        let length = usize::from(length & 0x7f);
        let (key, rest) = rest.split_at(4);
        let (masked, rest) = rest.split_at(length);
        let plain = masked.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key);
        texts.push(String::from_utf8_lossy(&plain.collect::<Vec<_>>()).into_owned());
        bytes = rest;
    }
    write_all(session, id);
    texts
}

fn ended(session: &mut Session) -> (DisconnectCause, String) {
    let ended = events(session).into_iter().find_map(|event| match event {
        ClientEvent::Disconnected { cause, detail, .. } => Some((cause, detail.into())),
        _ => None,
    });
    ended.expect("a disconnection")
}

#[test]
fn on_every_ready_the_dialect_speaks_first_then_the_keyed_messages_in_their_order() {
    let mut session = spoken(Scripted {
        opened: |exchange| exchange.send_text("hello"),
        received: |text, exchange| {
            if text == "welcome" {
                exchange.login_accepted();
                exchange.send_text("dialect");
            }
            Received::Consume
        },
    });
    session.set_on_ready("b", "first").unwrap();
    session.set_on_ready("a", "second").unwrap();
    session.set_on_ready("b", "FIRST").unwrap();
    for second in [0, 100] {
        let id = opened(&mut session, at(second));
        assert_eq!(sent(&mut session, id), ["hello"]);
        session.received(at(second), id, &frame(0x81, "welcome"));
        assert_eq!(sent(&mut session, id), ["dialect", "FIRST", "second"]);
        session.failed(at(second + 50), id, Failure::Reset, "reset");
    }
    let id = opened(&mut session, at(200));
    session.received(at(200), id, &frame(0x81, "welcome"));
    sent(&mut session, id);

    session.set_on_ready("c", "now").unwrap();
    assert!(session.remove_on_ready("a") && !session.remove_on_ready("a"));

    assert_eq!(sent(&mut session, id), ["now"], "a change while ready is sent at once");
    let keys: Vec<_> = session.on_ready().map(|(key, _)| key.to_owned()).collect();
    assert_eq!(keys, ["b", "c"]);
    assert!(outcomes(&mut session).is_empty(), "they have no outcome");
}

#[test]
fn messages_on_ready_are_bounded_by_number_and_bytes() {
    let limits = Limits { on_ready: 2, on_ready_bytes: 10, ..Limits::default() };
    let mut session = session(calm()).with_limits(limits);
    session.set_on_ready("a", "1234").unwrap();
    session.set_on_ready("b", "1").unwrap();

    assert_eq!(session.set_on_ready("c", ""), Err(OnReadyError::Count { most: 2 }));
    assert_eq!(session.set_on_ready("b", "12345"), Err(OnReadyError::Bytes { most: 10 }));
    assert_eq!(session.set_on_ready("b", "1234"), Ok(()), "the old message is not counted");
}

#[test]
fn messages_on_ready_that_find_the_buffer_full_are_sent_when_it_is_flushed() {
    let limits = Limits { high_water: 1, ..Limits::default() };
    let (mut session, id) = open(calm(), limits);
    session.send(Message::text("full")).unwrap();

    session.set_on_ready("a", "later").unwrap();

    assert_eq!(sent(&mut session, id), ["full"]);
    assert_eq!(sent(&mut session, id), ["later"]);
}

#[test]
fn a_panic_of_a_dialect_ends_the_socket_with_its_text_and_the_next_socket_gets_a_new_dialect() {
    let mut session = spoken(Scripted {
        opened: |exchange| exchange.login_accepted(),
        received: |text, exchange| {
            exchange.send_text("not sent");
            assert!(text != "boom", "the dialect met {text}");
            Received::Consume
        },
    });
    let id = opened(&mut session, at(0));
    session.received(at(1), id, &frame(0x81, "boom"));

    assert_eq!(sent(&mut session, id), ["\u{3}\u{fffd}"], "1011, and nothing before it");
    let (cause, detail) = ended(&mut session);
    assert_eq!(cause, DisconnectCause::Dialect);
    assert_eq!(detail, "the dialect panicked: the dialect met boom");
    opened(&mut session, at(2));
    assert!(session.is_ready(), "a new dialect accepts the login");
}

#[test]
fn a_dialects_reason_is_shown_escaped_and_without_secrets() {
    let mut session = spoken(Scripted {
        opened: |_| {},
        received: |text, exchange| {
            match text {
                "no" => exchange.login_refused(Verdict::Retry, "bad\ttoken hunter2hunter2"),
                _ => exchange.fail("cannot go on with hunter2hunter2"),
            }
            Received::Consume
        },
    });
    let id = opened(&mut session, at(0));
    let secret = vec![("token".to_owned(), Secret::new("hunter2hunter2"))];
    let secrets = Secrets::new(secret).unwrap();
    let hidden = Hidden::default().and_secrets(&secrets);
    session.set_private(Private { login: None, secrets }, hidden);
    session.received(at(1), id, &frame(0x81, "no"));

    let reason = events(&mut session).into_iter().find_map(|event| match event {
        ClientEvent::LoginRefused { reason, .. } => Some(reason),
        _ => None,
    });
    let reason = reason.expect("a refusal");
    assert!(reason.starts_with("bad\\ttoken ") && !reason.contains("hunter2"), "{reason}");
    session.failed(at(2), id, Failure::Reset, "reset");
    let (cause, detail) = ended(&mut session);
    assert_eq!((cause, &*detail), (DisconnectCause::LoginRefused(None), &*reason));

    let id = opened(&mut session, at(100));
    session.received(at(101), id, &frame(0x81, "what"));
    let (cause, detail) = ended(&mut session);
    assert_eq!(cause, DisconnectCause::Dialect);
    assert!(detail.starts_with("cannot go on with ") && !detail.contains("hunter2"), "{detail}");
}

#[test]
fn what_a_dialect_sent_to_log_in_is_hidden_in_a_refusal() {
    let mut session = spoken(Scripted {
        opened: |exchange| exchange.send_text(r#"{"op":"auth","key":"hunter2hunter2"}"#),
        received: |text, exchange| {
            exchange.login_refused(Verdict::Retry, text);
            Received::Consume
        },
    });
    let id = opened(&mut session, at(0));
    session.received(at(1), id, &frame(0x81, "no auth with hunter2hunter2"));

    let shown = events(&mut session).into_iter().find_map(|event| match event {
        ClientEvent::LoginRefused { reason, .. } => Some(reason),
        _ => None,
    });
    assert_eq!(shown.as_deref(), Some("no auth with (hidden)"));
}

#[test]
fn a_url_that_fails_once_before_it_is_ready_falls_back_to_the_endpoint() {
    let mut session = spoken(Scripted {
        opened: |exchange| match exchange.attempt() {
            1 => {
                exchange.login_accepted();
                exchange.resume_at("ws://other.example/resume");
            }
            2 => exchange.login_accepted(),
            _ => {}
        },
        ..QUIET
    });
    let host = |session: &mut Session, id| {
        session.endpoint_of(id, None).0.map(|endpoint| endpoint.host().to_owned())
    };
    let other = Some("other.example".to_owned());
    let mut hosts = Vec::new();
    for second in [0, 100, 200, 300, 400] {
        session.connect(at(second));
        let id = loop {
            match session.next_order() {
                Some(Order::Open { id, .. }) => break id,
                Some(Order::Drop { id, .. }) => session.dropped(id),
                _ => {}
            }
        };
        hosts.push(host(&mut session, id));
        session.opened(at(second), id);
        session.failed(at(second + 50), id, Failure::Reset, "reset");
    }
    assert_eq!(hosts, [None, other.clone(), other, None, None]);
}

/// Panics in this method, on the first dialect that a test makes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Panics {
    Opened,
    Received,
    Heartbeat,
    Closing,
    Secrets,
    Lost,
}

struct Panicking(Option<Panics>);

impl Panicking {
    fn reach(&self, method: Panics) {
        assert!(self.0 != Some(method), "boom");
    }
}

impl Dialect for Panicking {
    fn duties(&self) -> Duties {
        Duties::NONE.with_heartbeat()
    }

    fn interest(&self) -> Interest {
        Interest::TEXT
    }

    fn opened(&mut self, _: &mut Exchange<'_>) {
        self.reach(Panics::Opened);
    }

    fn received(&mut self, _: Shown<'_>, _: &mut Exchange<'_>) -> Received {
        self.reach(Panics::Received);
        Received::Deliver
    }

    fn heartbeat(&mut self, exchange: &mut Exchange<'_>) {
        self.reach(Panics::Heartbeat);
        exchange.send_text("h");
    }

    fn closing(&mut self, _: &mut Exchange<'_>) {
        self.reach(Panics::Closing);
    }

    fn secrets(&mut self, _: &Secrets) {
        self.reach(Panics::Secrets);
    }

    fn lost(&mut self, _: DisconnectCause) {
        self.reach(Panics::Lost);
    }
}

#[test]
fn a_panic_in_any_method_ends_one_socket_and_is_reported() {
    use std::sync::atomic::{AtomicBool, Ordering};

    for method in [
        Panics::Opened,
        Panics::Received,
        Panics::Heartbeat,
        Panics::Secrets,
        Panics::Lost,
        Panics::Closing,
    ] {
        let is_first = AtomicBool::new(true);
        let guarded = Guarded::new(Box::new(move || {
            let is_first = is_first.swap(false, Ordering::Relaxed);
            Box::new(Panicking(is_first.then_some(method)))
        }))
        .unwrap();
        let config = Config::builder().heartbeat_interval(Duration::from_secs(10)).build().unwrap();
        let config = config.with_dialect(guarded.duties());
        let mut session = Session::new(Arc::new(config), 7, Box::new(guarded));
        let secrets = |session: &mut Session| {
            session.set_private(Private::default(), Hidden::default());
        };
        secrets(&mut session);
        let id = opened(&mut session, at(0));
        match method {
            Panics::Opened | Panics::Secrets => {}
            Panics::Received => session.received(at(1), id, &frame(0x81, "x")),
            Panics::Heartbeat => session.tick(at(10)),
            Panics::Lost => {
                session.failed(at(1), id, Failure::Reset, "");
                assert_eq!(ended(&mut session).1, "");
                opened(&mut session, at(20));
            }
            Panics::Closing => session.close(at(1), CloseFrame::NORMAL),
        }
        if method == Panics::Closing {
            assert_eq!(session.state(), ConnectionState::Closing, "our own Close comes first");
        } else {
            let (cause, detail) = ended(&mut session);
            let lost = DisconnectCause::Dialect;
            assert_eq!((cause, &*detail), (lost, "the dialect panicked: boom"));
        }
        secrets(&mut session);
        opened(&mut session, at(100));
        assert!(session.is_ready(), "the next socket has a fresh dialect");
    }
}

#[test]
fn a_dialect_or_its_duties_that_panic_at_once_are_an_error_with_the_panics_text() {
    let refused = Guarded::new(Box::new(|| panic!("boom")));
    assert_eq!(refused.err().as_deref(), Some("boom"));
}

#[test]
fn a_read_that_asks_a_dialect_for_endless_answers_fails_the_socket() {
    let mut session = spoken(Scripted {
        opened: |exchange| exchange.login_accepted(),
        received: |_, exchange| {
            exchange.send_text("a".repeat(60_000));
            Received::Consume
        },
    });
    let id = opened(&mut session, at(0));
    let flood: Vec<u8> = (0..1_000).flat_map(|_| frame(0x81, "?")).collect();

    session.received(at(1), id, &flood);

    let limit = session.limits.most_answers();
    assert!(session.pending().len() < limit + 70_000, "{}", session.pending().len());
    assert!(session.is_breach_due());
    session.fail_breached(at(1));
    let (cause, detail) = ended(&mut session);
    assert_eq!(cause, DisconnectCause::ProtocolError(Failure::Protocol));
    assert_eq!(&*detail, format!("the server asks for answers of more than {limit} bytes at once"));
}

#[test]
fn a_binary_login_is_hidden_also_after_the_login_and_later_texts_are_not() {
    let mut session = spoken(Scripted {
        opened: |exchange| {
            exchange.login_accepted();
            exchange.send_binary(b"letmein99");
        },
        received: |text, exchange| {
            if text == "renew" {
                exchange.send_text("plainword");
            } else {
                exchange.leave(CloseCode::POLICY_VIOLATION, Verdict::Retry, text);
            }
            Received::Consume
        },
    });
    let id = opened(&mut session, at(0));
    session.received(at(1), id, &frame(0x81, "renew"));
    session.received(at(1), id, &frame(0x81, "wrong: letmein99 plainword"));
    assert_eq!(ended(&mut session).1, "wrong: (hidden) plainword");
}

#[test]
fn the_first_reason_of_a_dialect_counts_and_no_later_end_shows_it() {
    let mut session = spoken(Scripted {
        opened: |exchange| exchange.login_accepted(),
        received: |text, exchange| {
            exchange.leave(CloseCode::POLICY_VIOLATION, Verdict::Retry, text);
            exchange.leave(CloseCode::POLICY_VIOLATION, Verdict::Retry, "second");
            Received::Consume
        },
    });
    let id = opened(&mut session, at(0));
    session.received(at(1), id, &frame(0x81, "first"));
    assert_eq!(ended(&mut session), (DisconnectCause::Dialect, "first".to_owned()));
}
