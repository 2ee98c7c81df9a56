//! A resolver that hangs, answers late or panics: attempts time out, one thread waits, and nothing
//! waits for that thread.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gateway_tests::{Driver, Either, calm, client, serve};
use gateway_tokio::core::DisconnectCause;

gateway_tests::on_both_drivers! {
    a_resolver_that_hangs_holds_one_thread_and_no_client
    an_answer_that_comes_after_the_deadline_serves_the_attempt_that_waits_then
    a_resolver_that_fails_or_panics_fails_the_attempt_at_once_and_is_asked_again
}

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

fn resolving(driver: Driver, connect_timeout: Duration, resolve: Resolve) -> Either {
    let config = calm().connect_timeout(connect_timeout);
    client!(driver, "ws://feed.example:9", config, .resolver(resolve))
}

fn a_resolver_that_hangs_holds_one_thread_and_no_client(driver: Driver) {
    let (hanging, resolve) = hanging();
    let mut client = resolving(driver, Duration::from_millis(20), resolve);

    for _ in 0..4 {
        assert_eq!(client.lost(), DisconnectCause::ConnectTimeout);
    }
    drop(client);

    assert_eq!(hanging.calls(), 1);
    hanging.go.send(([127, 0, 0, 1], 9).into()).unwrap(); // it still hung
    assert!(hanging.gone.recv().is_err(), "the thread ends with the answer");
}

/// Two attempts hang: the first ends by its deadline, the second by the answer to the first one's lookup.
fn an_answer_that_comes_after_the_deadline_serves_the_attempt_that_waits_then(driver: Driver) {
    let server = serve(async |listener| listener.peer().await.rest().await);
    let (hanging, resolve) = hanging();
    let mut client = resolving(driver, Duration::from_millis(300), resolve);

    assert_eq!(client.lost(), DisconnectCause::ConnectTimeout);
    while client.statistics().attempts < 2 {
        client.event();
    }
    client.rest(Duration::from_millis(1)); // the second attempt waits for its addresses
    hanging.go.send(server.url.strip_prefix("ws://").unwrap().parse().unwrap()).unwrap();
    client.until_ready();

    assert_eq!(hanging.calls(), 1);
    drop(client);
    server.join();
}

fn a_resolver_that_fails_or_panics_fails_the_attempt_at_once_and_is_asked_again(driver: Driver) {
    let resolvers: [fn() -> Resolve; 2] =
        [|| Box::new(|_, _| panic!("on purpose")), || Box::new(|_, _| Ok(Vec::new()))];
    for resolver in resolvers {
        let mut client = resolving(driver, Duration::from_secs(3_600), resolver());
        for _ in 0..3 {
            assert!(matches!(client.lost(), DisconnectCause::OpenFailed(_)));
        }
    }
}
