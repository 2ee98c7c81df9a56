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
    Asking, Attempt, Endpoint, Handshake, Hop, Layer, OpenFailure, ProviderError, Request,
    Resolver, Route, Router, TlsLayer,
};
use rustls::ClientConfig;

use crate::dial::{Dial, Transport};

/// A provider. The client asks it for the request of each attempt, on a helper thread.
pub type Provider = Arc<dyn Fn(Attempt) -> Result<Request, ProviderError> + Send + Sync>;

/// What an attempt needs to open its socket.
pub(crate) struct Fetched {
    pub(crate) handshake: Handshake,
    pub(crate) bottom: Bottom,
    /// What comes over the bottom, in this order.
    pub(crate) layers: VecDeque<Layer<Secure>>,
}

/// The stream under all layers.
pub(crate) enum Bottom {
    /// TCP to one of these addresses.
    Tcp { hop: Hop, addresses: Vec<SocketAddr> },
    /// The user's own.
    Dialled { transport: Box<dyn Transport>, fails_whole: bool },
}

/// TLS, and its settings for the next handshake.
pub(crate) type Secure = (TlsLayer, Arc<ClientConfig>);

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
    router: Router,
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
    hop: Hop,
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
        router: Router,
        dial: Option<Arc<dyn Dial>>,
        provider: Option<Provider>,
        resolver: Resolver,
    ) -> Self {
        let work = Work { endpoint, router, dial, provider, resolver };
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
        let route = self.work.route(endpoint.as_deref());
        if route.as_ref().is_ok_and(|route| self.work.may_block(route)) {
            self.delegate(&errand.is_wanted, Task::Open { endpoint, reply });
        } else {
            reply.send(route.and_then(|route| self.work.fetch(endpoint.as_deref(), route, None)));
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
                let fetched = work.route(endpoint);
                let fetched = fetched.and_then(|way| work.fetch(endpoint, way, resolved.take()));
                if is_wanted.load(Ordering::Relaxed) {
                    reply.send(fetched);
                } else if let Ok(Fetched { bottom: Bottom::Tcp { hop, addresses }, .. }) = fetched {
                    // A slow resolver may answer an attempt that has timed out. The next attempt
                    // already waits, and uses that answer if it is for the same host.
                    resolved = Some(Resolved { hop, addresses });
                }
            }
        }
        lock(queue).thread = Some(Busy::Next);
    }
}

impl Work {
    fn route(&self, endpoint: Option<&Endpoint>) -> Result<Route, OpenFailure> {
        self.router.route(endpoint.unwrap_or(&self.endpoint))
    }

    fn may_block(&self, route: &Route) -> bool {
        let is_to_be_read = |layer: &Layer<TlsLayer>| match layer {
            Layer::Tls(tls) => tls.try_config().is_none(),
            Layer::Tunnel(_) => false,
        };
        self.dial.is_some()
            || route.hop.literal_address().is_none()
            || route.layers.iter().any(is_to_be_read)
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
        route: Route,
        resolved: Option<Resolved>,
    ) -> Result<Fetched, OpenFailure> {
        let endpoint = endpoint.unwrap_or(&self.endpoint);
        let handshake = Handshake::start(endpoint);
        let Route { hop, layers } = route;
        let bottom = match &self.dial {
            Some(dial) => {
                Bottom::Dialled { transport: dial.dial(endpoint)?, fails_whole: dial.fails_whole() }
            }
            None => {
                let addresses = self.addresses(&hop, resolved)?;
                Bottom::Tcp { hop, addresses }
            }
        };
        let prepared = |layer: Layer<TlsLayer>| match layer {
            Layer::Tls(tls) => tls.config().map(|config| Layer::Tls((tls, config))),
            Layer::Tunnel(tunnel) => Ok(Layer::Tunnel(tunnel)),
        };
        let layers = layers.into_iter().map(prepared).collect::<Result<_, _>>()?;
        Ok(Fetched { handshake, bottom, layers })
    }

    fn addresses(
        &self,
        hop: &Hop,
        resolved: Option<Resolved>,
    ) -> Result<Vec<SocketAddr>, OpenFailure> {
        let known = resolved.filter(|known| known.hop == *hop).map(|known| known.addresses);
        let known = known.or_else(|| hop.literal_address().map(|only| vec![only]));
        known.map_or_else(|| hop.resolve(&self.resolver), Ok)
    }
}

fn lock(queue: &Mutex<Queue>) -> MutexGuard<'_, Queue> {
    // The data is consistent even if a thread panicked: nothing panics while it holds the lock.
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use gateway_wire::{Opens, Provider as HasProvider, Settings, Tls};

    use super::*;

    fn work(url: &str, tls: Option<Tls>) -> Work {
        let settings = Settings { tls, ..Settings::new(url) };
        let parts = settings.build(Opens::Driver, HasProvider::Given).unwrap();
        let (endpoint, router) = (parts.endpoint, parts.router);
        let resolver = gateway_wire::system_resolver();
        Work { endpoint, router, dial: None, provider: None, resolver }
    }

    fn may_block(work: &Work, endpoint: Option<&Endpoint>) -> bool {
        work.may_block(&work.route(endpoint).unwrap())
    }

    #[test]
    fn files_of_tls_are_read_on_the_helper_thread() {
        let path = std::env::temp_dir().join(format!("gateway-std-{}.pem", std::process::id()));
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(&path, made.cert.pem()).unwrap();
        let file = Tls::pem_file(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        for (tls, expected) in [(Tls::insecure().unwrap(), false), (file.clone(), true)] {
            let work = work("wss://127.0.0.1:9", Some(tls.clone()));
            assert_eq!(may_block(&work, None), expected, "{tls:?}");
        }

        // The request of an attempt decides whether its socket needs TLS.
        let plain = work("ws://127.0.0.1:9", Some(file));
        let secure = Endpoint::builder("wss://127.0.0.1:9").build().unwrap();
        assert!(!may_block(&plain, None) && may_block(&plain, Some(&secure)));
    }

    #[test]
    fn addresses_of_another_host_are_not_used() {
        let mut work = work("ws://one.example:9", None);
        let own: SocketAddr = "127.0.0.1:9".parse().unwrap();
        work.resolver = Arc::new(move |_, _| Ok(vec![own]));
        let other: SocketAddr = "127.0.0.2:9".parse().unwrap();
        for (url, expected) in [
            ("ws://one.example:9", other),
            ("ws://one.example:8", own),
            ("ws://two.example:9", own),
        ] {
            let endpoint = Endpoint::builder(url).build().unwrap();
            let hop = work.route(Some(&endpoint)).unwrap().hop;
            let resolved = Some(Resolved { hop, addresses: vec![other] });
            let own = work.route(None).unwrap().hop;
            assert_eq!(work.addresses(&own, resolved).unwrap(), [expected], "{url}");
        }
    }
}
