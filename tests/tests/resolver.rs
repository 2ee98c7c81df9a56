//! A resolver that hangs, answers late or panics: attempts time out, one thread waits, and nothing
//! waits for that thread.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gateway_tests::{calm, serve, settle, until_ready, while_polling, within};
use gateway_tokio::core::{ConfigBuilder, DisconnectCause, OpenError};

/// A resolver that hangs until the test lets a call go, with the server's address.
struct Hanging {
    calls: Arc<AtomicUsize>,
    go: Sender<SocketAddr>,
    /// Closed once no thread, and no client, holds the resolver any more.
    gone: Receiver<()>,
}

type Resolve = Box<dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync>;

fn hanging() -> (Hanging, Resolve) {
    let (go, held) = channel();
    let (alive, gone) = channel::<()>();
    let (held, calls) = (Mutex::new(held), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&calls);
    let resolve = move |_: &str, _: u16| {
        let _alive = &alive;
        counted.fetch_add(1, Ordering::Relaxed);
        let answer = held.lock().unwrap().recv();
        answer.map(|address| vec![address]).map_err(|_| io::ErrorKind::TimedOut.into())
    };
    (Hanging { calls, go, gone }, Box::new(resolve))
}

impl Hanging {
    fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }
}

fn impatient() -> ConfigBuilder {
    calm().connect_timeout(Duration::from_millis(20))
}

fn tokio_client(config: ConfigBuilder, resolve: Resolve) -> gateway_tokio::Client {
    let builder = gateway_tokio::Client::builder("ws://feed.example:9");
    builder.config(config.build().unwrap()).seed(7).resolver(resolve).build().unwrap()
}

fn std_client(config: ConfigBuilder, resolve: Resolve) -> gateway_std::Client {
    let builder = gateway_std::Client::builder("ws://feed.example:9");
    builder.config(config.build().unwrap()).seed(7).resolver(resolve).build().unwrap()
}

async fn lost(client: &mut gateway_tokio::Client) -> DisconnectCause {
    loop {
        let event = within(client.next()).await.expect("a connection that is not over");
        if let gateway_tokio::ClientEvent::Disconnected { cause, .. } = event {
            return cause;
        }
    }
}

fn std_lost(client: &mut gateway_std::Client) -> DisconnectCause {
    let lost = client.find_map(|event| match event {
        gateway_std::ClientEvent::Disconnected { cause, .. } => Some(cause),
        _ => None,
    });
    lost.expect("a connection that is not over")
}

#[test]
fn a_resolver_that_hangs_holds_one_thread_and_no_runtime() {
    let (hanging, resolve) = hanging();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();

    runtime.block_on(async {
        let mut client = tokio_client(impatient(), resolve);
        for _ in 0..4 {
            assert_eq!(lost(&mut client).await, DisconnectCause::ConnectTimeout);
        }
    });
    drop(runtime);

    assert_eq!(hanging.calls(), 1);
    hanging.go.send(([127, 0, 0, 1], 9).into()).unwrap(); // it still hung
    assert!(hanging.gone.recv().is_err(), "the thread ends with the answer");
}

#[test]
fn a_resolver_that_hangs_holds_one_thread_and_no_blocking_client() {
    let (hanging, resolve) = hanging();
    let mut client = std_client(impatient(), resolve);

    for _ in 0..4 {
        assert_eq!(std_lost(&mut client), DisconnectCause::ConnectTimeout);
    }
    drop(client);

    assert_eq!(hanging.calls(), 1);
    hanging.go.send(([127, 0, 0, 1], 9).into()).unwrap();
    assert!(hanging.gone.recv().is_err(), "the thread ends with the answer");
}

/// Two attempts hang: the first ends by its deadline, the second by the answer to the first one's lookup.
const DEADLINE: Duration = Duration::from_millis(300);

#[tokio::test]
async fn an_answer_that_comes_after_the_deadline_serves_the_attempt_that_waits_then() {
    let server = serve(async |listener| listener.peer().await.rest().await);
    let (hanging, resolve) = hanging();
    let mut client = tokio_client(calm().connect_timeout(DEADLINE), resolve);

    assert_eq!(lost(&mut client).await, DisconnectCause::ConnectTimeout);
    while client.statistics().attempts < 2 {
        within(client.next()).await.expect("a connection that is not over");
    }
    while_polling(&mut client, settle()).await; // the second attempt waits for its addresses
    hanging.go.send(server.url.strip_prefix("ws://").unwrap().parse().unwrap()).unwrap();
    until_ready(&mut client).await;

    assert_eq!(hanging.calls(), 1);
    drop(client);
    server.join();
}

#[test]
fn an_answer_that_comes_after_the_deadline_serves_the_blocking_attempt_that_waits_then() {
    let server = serve(async |listener| listener.peer().await.rest().await);
    let (hanging, resolve) = hanging();
    let mut client = std_client(calm().connect_timeout(DEADLINE), resolve);

    assert_eq!(std_lost(&mut client), DisconnectCause::ConnectTimeout);
    while client.statistics().attempts < 2 {
        client.next().expect("a connection that is not over");
    }
    hanging.go.send(server.url.strip_prefix("ws://").unwrap().parse().unwrap()).unwrap();
    while !client.is_ready() {
        client.next().expect("a connection that is not over");
    }

    assert_eq!(hanging.calls(), 1);
    drop(client);
    server.join();
}

#[tokio::test]
async fn a_resolver_that_fails_or_panics_fails_the_attempt_at_once_and_is_asked_again() {
    let patient = || calm().connect_timeout(Duration::from_secs(3_600));
    let resolvers: [fn() -> Resolve; 2] =
        [|| Box::new(|_, _| panic!("on purpose")), || Box::new(|_, _| Ok(Vec::new()))];
    for resolver in resolvers {
        let mut client = tokio_client(patient(), resolver());
        for _ in 0..3 {
            assert_eq!(lost(&mut client).await, DisconnectCause::OpenFailed(OpenError::Dns));
        }
        let mut client = std_client(patient(), resolver());
        for _ in 0..3 {
            let DisconnectCause::OpenFailed(_) = std_lost(&mut client) else {
                panic!("no failure")
            };
        }
    }
}
