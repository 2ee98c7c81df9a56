//! Opening a socket with the blocking client: one deadline covers everything, and a late result is
//! dropped.

use std::io::Read as _;
use std::net::{TcpListener, TcpStream};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use gateway_std::core::{CloseFrame, ConfigBuilder, DisconnectCause, Notice, OpenError};
use gateway_std::{Client, ClientEvent, Dial, Endpoint, OpenFailure, Request, Transport};
use gateway_tests::calm;

use super::builder;

/// Takes events up to the next retry; returns why the socket was lost.
fn until_retry(client: &mut Client) -> DisconnectCause {
    until_retry_with_detail(client).0
}

fn until_retry_with_detail(client: &mut Client) -> (DisconnectCause, Box<str>) {
    let mut lost = None;
    for event in client {
        match event {
            ClientEvent::Disconnected { cause, detail, .. } => lost = Some((cause, detail)),
            ClientEvent::Notice(Notice::RetryScheduled { .. }) => return lost.expect("a cause"),
            _ => {}
        }
    }
    panic!("the connection is over");
}

/// A provider, or a dial, that waits until the test lets it go.
struct Held(Mutex<Receiver<()>>);

impl Held {
    fn wait(&self) {
        let _ = self.0.lock().unwrap().recv(); // the test may be over
    }
}

/// A client whose provider does this, and then waits until the test lets it go.
fn held_up(
    config: ConfigBuilder,
    first: impl Fn() + Send + Sync + 'static,
) -> (Client, Sender<()>) {
    let (go, held) = channel();
    let held = Held(Mutex::new(held));
    let builder = builder("ws://127.0.0.1:9", config).attempt(move |_| {
        first();
        held.wait();
        Ok(Request::new())
    });
    (builder.build().unwrap(), go)
}

/// Connects at once, and hands the socket over when it is let go.
struct Late {
    held: Held,
    address: std::net::SocketAddr,
}

impl Dial for Late {
    fn dial(&self, _: &Endpoint) -> Result<Box<dyn Transport>, OpenFailure> {
        let socket = TcpStream::connect(self.address).unwrap();
        socket.set_nonblocking(true).unwrap();
        self.held.wait();
        Ok(Box::new(mio::net::TcpStream::from_std(socket)))
    }
}

#[test]
fn the_connect_deadline_covers_what_blocks_before_the_socket() {
    let (go, held) = channel::<()>();
    let held = Held(Mutex::new(held));
    let config = calm().connect_timeout(Duration::from_millis(20));
    let resolver = move |_: &str, _| {
        held.wait();
        Ok(Vec::new())
    };
    let mut client = builder("ws://gateway.example", config).resolver(resolver).build().unwrap();

    for _ in 0..3 {
        assert_eq!(until_retry(&mut client), DisconnectCause::ConnectTimeout);
    }
    drop(go);
}

#[test]
fn a_provider_that_hangs_keeps_the_helper_thread_and_later_attempts_say_so() {
    let (mut client, go) = held_up(calm().attempt_timeout(Duration::from_millis(20)), || {});

    let (cause, detail) = until_retry_with_detail(&mut client);
    assert_eq!((cause, &*detail), (DisconnectCause::AttemptTimeout, ""), "it was called");
    for _ in 0..2 {
        let (cause, detail) = until_retry_with_detail(&mut client);
        assert_eq!(cause, DisconnectCause::AttemptTimeout);
        let expected = "the provider was not called: the helper thread is still busy with the \
                        provider's call for attempt 1";
        assert_eq!(&*detail, expected);
    }

    // Once it returns, the next attempt calls the provider, and its request is used.
    drop(go);
    while until_retry(&mut client) == DisconnectCause::AttemptTimeout {}
    assert_eq!(client.statistics().last_open_error, Some(OpenError::Refused));
}

#[test]
fn close_wins_at_once_while_an_attempt_blocks() {
    let (mut client, _go) = held_up(calm(), || {});
    let sender = client.sender();
    let other = std::thread::spawn(move || sender.close(CloseFrame::NORMAL));

    let mut causes = Vec::new();
    for event in &mut client {
        if let ClientEvent::Disconnected { cause, .. } = event {
            causes.push(cause);
        }
    }

    other.join().unwrap();
    assert!(matches!(causes[..], [] | [DisconnectCause::Requested]), "{causes:?}");
}

#[test]
fn a_socket_that_opens_after_it_was_given_up_is_closed() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (go, held) = channel();
    let late = Late { held: Held(Mutex::new(held)), address: listener.local_addr().unwrap() };
    let config = calm().connect_timeout(Duration::from_millis(20)).max_attempts(Some(0));
    let mut client = builder("ws://gateway.example", config).dial(late).build().unwrap();

    let over: Vec<_> = client.by_ref().collect();
    let (mut server, _) = listener.accept().unwrap();
    go.send(()).unwrap();
    let mut request = Vec::new();
    let end = server.read_to_end(&mut request);

    assert!(client.gave_up().is_some(), "{over:?}");
    assert_eq!((end.unwrap(), request), (0, Vec::new()), "nothing is said on it, and it is closed");
}

#[test]
fn a_resolver_that_panics_fails_the_attempt_at_once() {
    let config = calm().connect_timeout(Duration::from_secs(3_600));
    let resolver = |_: &str, _| panic!("on purpose");
    let mut client = builder("ws://gateway.example", config).resolver(resolver).build().unwrap();

    for _ in 0..3 {
        assert_eq!(until_retry(&mut client), DisconnectCause::OpenFailed(OpenError::Io));
    }
}

#[test]
fn a_provider_is_not_asked_for_an_attempt_that_was_given_up_in_the_queue() {
    let (asked, asks) = channel();
    let config = calm().attempt_timeout(Duration::from_millis(5)).max_attempts(Some(3));
    let (mut client, go) = held_up(config, move || {
        let _ = asked.send(()); // the test may be over
    });

    let _over: Vec<_> = client.by_ref().collect(); // four attempts, the first of which holds the helper up
    drop(client);
    go.send(()).unwrap();

    assert_eq!(asks.iter().count(), 1); // up to the end of the helper
}
