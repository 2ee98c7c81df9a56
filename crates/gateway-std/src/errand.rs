//! Blocking tasks ("errands") off the client's thread: credentials, name resolution, reading TLS
//! files, and the application's own `dial`.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::thread;

use gateway_core::{Credentials, OpenError, Secret};
use gateway_wire::{
    Endpoint, Handshake, LoginCredentials, OpenFailure, ProviderError, Resolver, Tls,
    literal_address, resolve,
};
use rustls::ClientConfig;

use crate::dial::{Dial, Transport};

/// A credentials provider. The client calls it before each attempt, on a helper thread.
/// [`Credentials::Refresh`] means that the server has refused the last credentials.
pub type Provider =
    Arc<dyn Fn(Credentials) -> Result<LoginCredentials, ProviderError> + Send + Sync>;

/// The result of a blocking task.
pub(crate) struct Fetched {
    pub(crate) handshake: Handshake,
    pub(crate) login: Option<Secret>,
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
pub(crate) struct Errand {
    outcome: Receiver<Result<Fetched, OpenFailure>>,
    is_wanted: Arc<AtomicBool>,
}

impl Drop for Errand {
    fn drop(&mut self) {
        self.is_wanted.store(false, Ordering::Relaxed);
    }
}

impl Errand {
    pub(crate) fn poll(&self) -> Option<Result<Fetched, OpenFailure>> {
        match self.outcome.try_recv() {
            Ok(outcome) => Some(outcome),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Err(OpenFailure::new(
                OpenError::Io,
                "the helper thread ended without an answer: did the credentials provider or the resolver panic?",
            ))),
        }
    }
}

/// Runs a client's blocking tasks. A task that cannot block runs at once. The others share one
/// helper thread, which ends with the last of them. However long a resolver hangs, a client has no
/// second helper thread.
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
    is_running: bool,
}

struct Order {
    credentials: Credentials,
    is_wanted: Arc<AtomicBool>,
    reply: Reply,
}

/// Where the answer goes. Dropping this wakes the waiting client, with or without an answer.
struct Reply {
    answer: Option<Sender<Result<Fetched, OpenFailure>>>,
    waker: Waker,
}

impl Reply {
    fn send(self, outcome: Result<Fetched, OpenFailure>) {
        if let Some(answer) = &self.answer {
            // If the attempt is gone, this drops the answer, and everything that it holds open.
            let _ = answer.send(outcome);
        }
    }
}

impl Drop for Reply {
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

    /// Starts a task. Wakes `waker` when the task is done.
    pub(crate) fn begin(&self, credentials: Credentials, waker: Waker) -> Errand {
        let (answer, outcome) = channel();
        let is_wanted = Arc::new(AtomicBool::new(true));
        let reply = Reply { answer: Some(answer), waker };
        if self.work.may_block() {
            self.delegate(Order { credentials, is_wanted: Arc::clone(&is_wanted), reply });
        } else {
            reply.send(self.work.fetch(credentials, None));
        }
        Errand { outcome, is_wanted }
    }

    fn delegate(&self, order: Order) {
        let mut queue = lock(&self.queue);
        queue.waiting.retain(|order| order.is_wanted.load(Ordering::Relaxed));
        queue.waiting.push_back(order);
        if queue.is_running {
            return;
        }
        let (work, shared) = (Arc::clone(&self.work), Arc::clone(&self.queue));
        let helper = thread::Builder::new().name("gateway-resolver".to_owned());
        match helper.spawn(move || run(&work, &shared)) {
            Ok(_) => queue.is_running = true,
            Err(error) => {
                let failure = OpenFailure::new(
                    OpenError::Io,
                    format!("the helper thread could not be started: {error}"),
                );
                queue.waiting.drain(..).for_each(|order| order.reply.send(Err(failure.clone())));
            }
        }
    }
}

fn run(work: &Work, queue: &Mutex<Queue>) {
    // Also if a provider panics: the next task starts another thread.
    struct Ends<'a>(&'a Mutex<Queue>);
    impl Drop for Ends<'_> {
        fn drop(&mut self) {
            let mut queue = lock(self.0);
            queue.is_running = false;
            queue.waiting.clear(); // dropping them wakes their attempts, which fail and retry
        }
    }
    let ends = Ends(queue);
    let mut resolved = None;
    loop {
        let mut waiting = lock(queue);
        let Some(order) = waiting.waiting.pop_front() else {
            waiting.is_running = false;
            drop(waiting);
            // `is_running` was cleared under the lock that found the queue empty.
            std::mem::forget(ends);
            return;
        };
        drop(waiting);
        if !order.is_wanted.load(Ordering::Relaxed) {
            continue;
        }
        let fetched = work.fetch(order.credentials, resolved.take());
        if order.is_wanted.load(Ordering::Relaxed) {
            order.reply.send(fetched);
        } else if let Ok(Fetched { route: Route::Addresses(addresses), .. }) = fetched {
            // A slow resolver may answer an attempt that has timed out. The next attempt already
            // waits, and uses that answer.
            resolved = Some(addresses);
        }
    }
}

impl Work {
    fn may_block(&self) -> bool {
        self.provider.is_some()
            || self.dial.is_some()
            || literal_address(&self.endpoint).is_none()
            || self.tls.as_ref().is_some_and(|tls| tls.try_config().is_none())
    }

    /// `resolved` are addresses that were just resolved for another attempt.
    fn fetch(
        &self,
        credentials: Credentials,
        resolved: Option<Vec<SocketAddr>>,
    ) -> Result<Fetched, OpenFailure> {
        let (headers, login) = self.ask(credentials)?.into_parts()?;
        let handshake = Handshake::start(&self.endpoint, &headers);
        let route = match &self.dial {
            Some(dial) => Route::Dialled {
                transport: dial.dial(&self.endpoint)?,
                fails_whole: dial.fails_whole(),
            },
            None => Route::Addresses(self.addresses(resolved)?),
        };
        let tls = self.tls.as_ref().map(Tls::config);
        Ok(Fetched { handshake, login, tls, route })
    }

    fn addresses(&self, resolved: Option<Vec<SocketAddr>>) -> Result<Vec<SocketAddr>, OpenFailure> {
        let known = resolved.or_else(|| literal_address(&self.endpoint).map(|only| vec![only]));
        known.map_or_else(|| resolve(&self.endpoint, &self.resolver), Ok)
    }

    fn ask(&self, credentials: Credentials) -> Result<LoginCredentials, OpenFailure> {
        let Some(provider) = &self.provider else { return Ok(LoginCredentials::new()) };
        provider(credentials).map_err(|error| {
            OpenFailure::new(OpenError::Io, format!("the credentials provider failed: {error}"))
        })
    }
}

fn lock(queue: &Mutex<Queue>) -> MutexGuard<'_, Queue> {
    // The data is consistent even if a thread panicked: nothing panics while it holds the lock.
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_tls_are_read_on_the_helper_thread() {
        let path = std::env::temp_dir().join(format!("gateway-std-{}.pem", std::process::id()));
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(&path, made.cert.pem()).unwrap();
        let file = Tls::pem_file(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        for (tls, expected) in [(None, false), (Tls::insecure().ok(), false), (Some(file), true)] {
            let endpoint = Endpoint::builder("wss://127.0.0.1:9").build().unwrap();
            let resolver = gateway_wire::system_resolver();
            let work = Work { endpoint, tls, dial: None, provider: None, resolver };
            assert_eq!(work.may_block(), expected, "{:?}", work.tls);
        }
    }
}
