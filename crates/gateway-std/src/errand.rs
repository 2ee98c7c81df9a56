//! Blocking tasks ("errands") off the client's thread: the provider, name resolution, reading TLS
//! files, and the application's own `dial`.

use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::thread;

use gateway_core::OpenError;
use gateway_wire::{
    Asking, Attempt, Endpoint, Handshake, OpenFailure, ProviderError, Request, Resolver, Tls,
    literal_address, resolve,
};
use rustls::ClientConfig;

use crate::dial::{Dial, Transport};

/// A provider. The client asks it for the request of each attempt, on a helper thread.
pub type Provider = Arc<dyn Fn(Attempt) -> Result<Request, ProviderError> + Send + Sync>;

/// What an attempt needs to open its socket.
pub(crate) struct Fetched {
    pub(crate) handshake: Handshake,
    /// `None` without TLS.
    pub(crate) tls: Option<Arc<ClientConfig>>,
    pub(crate) route: Route,
}

/// How the server is reached.
pub(crate) enum Route {
    Addresses(Vec<SocketAddr>),
    Dialled { transport: Box<dyn Transport>, fails_whole: bool },
}

/// A blocking task that waits or runs. If this is dropped, a waiting task is not started, and a
/// running task's result is dropped.
pub(crate) struct Errand<T> {
    outcome: Receiver<T>,
    is_wanted: Arc<AtomicBool>,
}

impl<T> Drop for Errand<T> {
    fn drop(&mut self) {
        self.is_wanted.store(false, Ordering::Relaxed);
    }
}

impl<T, E> Errand<Result<T, E>> {
    /// Returns the result. If the helper thread has ended without one, that is `dead`.
    pub(crate) fn poll(&self, dead: impl FnOnce(&'static str) -> E) -> Poll<Result<T, E>> {
        match self.outcome.try_recv() {
            Ok(outcome) => Poll::Ready(outcome),
            Err(TryRecvError::Empty) => Poll::Pending,
            Err(TryRecvError::Disconnected) => Poll::Ready(Err(dead(
                "the helper thread ended without an answer: did the resolver or `dial` panic?",
            ))),
        }
    }
}

/// Runs a client's blocking tasks. A task that cannot block runs at once. The others share one
/// helper thread, which ends with the last of them. However long a provider or a resolver hangs, a
/// client has no second helper thread.
pub(crate) struct Errands {
    work: Arc<Work>,
    queue: Arc<Mutex<Queue>>,
}

struct Work {
    endpoint: Endpoint,
    tls: Option<Tls>,
    dial: Option<Arc<dyn Dial>>,
    provider: Option<Provider>,
    resolver: Resolver,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Order>,
    /// What the helper thread does; `None` if there is none.
    thread: Option<Busy>,
}

/// What the helper thread does.
#[derive(Clone, Copy)]
enum Busy {
    /// It looks for the next task.
    Next,
    /// It calls the provider for the attempt with this number.
    Provider(u64),
    /// It resolves a name, reads TLS files, or calls the user's `dial`.
    Opening,
}

struct Order {
    is_wanted: Arc<AtomicBool>,
    task: Task,
}

enum Task {
    Ask { attempt: Attempt, reply: Reply<Result<Request, ProviderError>> },
    Open { endpoint: Option<Arc<Endpoint>>, reply: Reply<Result<Fetched, OpenFailure>> },
}

/// The addresses that were resolved for an attempt that was dropped meanwhile.
struct Resolved {
    host: String,
    port: u16,
    addresses: Vec<SocketAddr>,
}

/// Where the answer goes. Dropping this wakes the waiting client, with or without an answer.
struct Reply<T> {
    answer: Option<Sender<T>>,
    waker: Waker,
}

impl<T> Reply<T> {
    fn send(self, outcome: T) {
        if let Some(answer) = &self.answer {
            // If the attempt is gone, this drops the answer, and everything that it holds open.
            let _ = answer.send(outcome);
        }
    }
}

impl<T> Drop for Reply<T> {
    fn drop(&mut self) {
        self.answer = None; // before the wake: the woken client must see that no answer will come
        self.waker.wake_by_ref();
    }
}

impl Errands {
    pub(crate) fn new(
        endpoint: Endpoint,
        tls: Option<Tls>,
        dial: Option<Arc<dyn Dial>>,
        provider: Option<Provider>,
        resolver: Resolver,
    ) -> Self {
        let work = Work { endpoint, tls, dial, provider, resolver };
        Self { work: Arc::new(work), queue: Arc::default() }
    }

    /// Asks the provider, if there is one. Wakes `waker` when it has answered.
    pub(crate) fn ask(&self, attempt: Attempt, waker: Waker) -> Asking {
        if self.work.provider.is_none() {
            return Asking::nobody();
        }
        let (errand, reply) = errand(waker);
        let is_wanted = Arc::clone(&errand.is_wanted);
        self.delegate(&is_wanted, Task::Ask { attempt, reply });
        let queue = Arc::clone(&self.queue);
        let asking =
            Asking::new(self.work.endpoint.clone(), move || errand.poll(ProviderError::retry));
        asking.with_delay(move || lock(&queue).delay(&is_wanted))
    }

    /// Prepares to open a socket. `endpoint` is the attempt's, if it is not the client's own. Wakes
    /// `waker` when that is done.
    pub(crate) fn open(
        &self,
        endpoint: Option<Arc<Endpoint>>,
        waker: Waker,
    ) -> Errand<Result<Fetched, OpenFailure>> {
        let (errand, reply) = errand(waker);
        if self.work.may_block(endpoint.as_deref()) {
            self.delegate(&errand.is_wanted, Task::Open { endpoint, reply });
        } else {
            reply.send(self.work.fetch(endpoint.as_deref(), None));
        }
        errand
    }

    fn delegate(&self, is_wanted: &Arc<AtomicBool>, task: Task) {
        let mut queue = lock(&self.queue);
        queue.waiting.retain(|order| order.is_wanted.load(Ordering::Relaxed));
        queue.waiting.push_back(Order { is_wanted: Arc::clone(is_wanted), task });
        if queue.thread.is_some() {
            return;
        }
        let (work, shared) = (Arc::clone(&self.work), Arc::clone(&self.queue));
        let helper = thread::Builder::new().name("gateway-helper".to_owned());
        match helper.spawn(move || run(&work, &shared)) {
            Ok(_) => queue.thread = Some(Busy::Next),
            Err(error) => {
                let why = format!("the helper thread could not be started: {error}");
                queue.waiting.drain(..).for_each(|order| order.task.fail(&why));
            }
        }
    }
}

fn errand<T>(waker: Waker) -> (Errand<T>, Reply<T>) {
    let (answer, outcome) = channel();
    let is_wanted = Arc::new(AtomicBool::new(true));
    (Errand { outcome, is_wanted }, Reply { answer: Some(answer), waker })
}

impl Queue {
    /// Why this task has not begun yet.
    fn delay(&self, is_wanted: &Arc<AtomicBool>) -> Option<String> {
        let waits = self.waiting.iter().any(|order| Arc::ptr_eq(&order.is_wanted, is_wanted));
        let busy = self.thread.filter(|_| waits)?;
        Some(format!("the provider was not called: the helper thread is still busy with {busy}"))
    }
}

impl fmt::Display for Busy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Next => f.write_str("an earlier task"),
            Self::Provider(number) => write!(f, "the provider's call for attempt {number}"),
            Self::Opening => f.write_str(
                "the name resolution, the TLS files or the `dial` of an earlier attempt",
            ),
        }
    }
}

impl Task {
    const fn busy(&self) -> Busy {
        match self {
            Self::Ask { attempt, .. } => Busy::Provider(attempt.number),
            Self::Open { .. } => Busy::Opening,
        }
    }

    fn fail(self, why: &str) {
        match self {
            Self::Ask { reply, .. } => reply.send(Err(ProviderError::retry(why))),
            Self::Open { reply, .. } => reply.send(Err(OpenFailure::new(OpenError::Io, why))),
        }
    }
}

fn run(work: &Work, queue: &Mutex<Queue>) {
    // Also if a resolver panics: the next task starts another thread.
    struct Ends<'a>(&'a Mutex<Queue>);
    impl Drop for Ends<'_> {
        fn drop(&mut self) {
            let mut queue = lock(self.0);
            queue.thread = None;
            queue.waiting.clear(); // dropping them wakes their attempts, which fail and retry
        }
    }
    let ends = Ends(queue);
    let mut resolved = None;
    loop {
        let mut waiting = lock(queue);
        let Some(Order { is_wanted, task }) = waiting.waiting.pop_front() else {
            waiting.thread = None;
            drop(waiting);
            // `thread` was cleared under the lock that found the queue empty.
            std::mem::forget(ends);
            return;
        };
        waiting.thread = Some(task.busy());
        drop(waiting);
        if !is_wanted.load(Ordering::Relaxed) {
            continue;
        }
        match task {
            Task::Ask { attempt, reply } => reply.send(work.ask(attempt)),
            Task::Open { endpoint, reply } => {
                let endpoint = endpoint.as_deref();
                let fetched = work.fetch(endpoint, resolved.take());
                if is_wanted.load(Ordering::Relaxed) {
                    reply.send(fetched);
                } else if let Ok(Fetched { route: Route::Addresses(addresses), .. }) = fetched {
                    // A slow resolver may answer an attempt that has timed out. The next attempt
                    // already waits, and uses that answer if it is for the same host.
                    let endpoint = endpoint.unwrap_or(&work.endpoint);
                    let (host, port) = (endpoint.host().to_owned(), endpoint.port());
                    resolved = Some(Resolved { host, port, addresses });
                }
            }
        }
        lock(queue).thread = Some(Busy::Next);
    }
}

impl Work {
    fn may_block(&self, endpoint: Option<&Endpoint>) -> bool {
        let endpoint = endpoint.unwrap_or(&self.endpoint);
        self.dial.is_some()
            || literal_address(endpoint).is_none()
            || self.tls_of(endpoint).is_some_and(|tls| tls.try_config().is_none())
    }

    fn tls_of(&self, endpoint: &Endpoint) -> Option<Tls> {
        let tls = self.tls.as_ref().filter(|_| endpoint.is_secure())?;
        Some(tls.for_endpoint(endpoint))
    }

    /// A provider that panics does not end the thread.
    fn ask(&self, attempt: Attempt) -> Result<Request, ProviderError> {
        let Some(provider) = &self.provider else { return Ok(Request::new()) };
        let asked = catch_unwind(AssertUnwindSafe(|| provider(attempt)));
        asked.unwrap_or_else(|panic| Err(ProviderError::panicked(&*panic)))
    }

    /// `resolved` are addresses that were just resolved for another attempt.
    fn fetch(
        &self,
        endpoint: Option<&Endpoint>,
        resolved: Option<Resolved>,
    ) -> Result<Fetched, OpenFailure> {
        let endpoint = endpoint.unwrap_or(&self.endpoint);
        let handshake = Handshake::start(endpoint);
        let route = match &self.dial {
            Some(dial) => {
                Route::Dialled { transport: dial.dial(endpoint)?, fails_whole: dial.fails_whole() }
            }
            None => Route::Addresses(self.addresses(endpoint, resolved)?),
        };
        let tls = self.tls_of(endpoint).map(|tls| tls.config()).transpose()?;
        Ok(Fetched { handshake, tls, route })
    }

    fn addresses(
        &self,
        endpoint: &Endpoint,
        resolved: Option<Resolved>,
    ) -> Result<Vec<SocketAddr>, OpenFailure> {
        let is_same = |known: &Resolved| {
            (known.host.as_str(), known.port) == (endpoint.host(), endpoint.port())
        };
        let known = resolved.filter(is_same).map(|known| known.addresses);
        let known = known.or_else(|| literal_address(endpoint).map(|only| vec![only]));
        known.map_or_else(|| resolve(endpoint, &self.resolver), Ok)
    }
}

fn lock(queue: &Mutex<Queue>) -> MutexGuard<'_, Queue> {
    // The data is consistent even if a thread panicked: nothing panics while it holds the lock.
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work(url: &str, tls: Option<Tls>) -> Work {
        let endpoint = Endpoint::builder(url).build().unwrap();
        let resolver = gateway_wire::system_resolver();
        Work { endpoint, tls, dial: None, provider: None, resolver }
    }

    #[test]
    fn files_of_tls_are_read_on_the_helper_thread() {
        let path = std::env::temp_dir().join(format!("gateway-std-{}.pem", std::process::id()));
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(&path, made.cert.pem()).unwrap();
        let file = Tls::pem_file(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        for (tls, expected) in
            [(None, false), (Tls::insecure().ok(), false), (Some(file.clone()), true)]
        {
            let work = work("wss://127.0.0.1:9", tls);
            assert_eq!(work.may_block(None), expected, "{:?}", work.tls);
        }

        // The request of an attempt decides whether its socket needs TLS.
        let plain = work("ws://127.0.0.1:9", Some(file));
        let secure = Endpoint::builder("wss://127.0.0.1:9").build().unwrap();
        assert!(!plain.may_block(None) && plain.may_block(Some(&secure)));
    }

    #[test]
    fn addresses_of_another_host_are_not_used() {
        let mut work = work("ws://one.example:9", None);
        let own: SocketAddr = "127.0.0.1:9".parse().unwrap();
        work.resolver = Arc::new(move |_, _| Ok(vec![own]));
        let other: SocketAddr = "127.0.0.2:9".parse().unwrap();
        for (host, port, expected) in
            [("one.example", 9, other), ("one.example", 8, own), ("two.example", 9, own)]
        {
            let addresses = vec![other];
            let resolved = Some(Resolved { host: host.to_owned(), port, addresses });
            assert_eq!(
                work.addresses(&work.endpoint, resolved).unwrap(),
                [expected],
                "{host}:{port}"
            );
        }
    }
}
