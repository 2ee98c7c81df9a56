//! Resolves names on a thread of its own. tokio's blocking pool would not do: dropping a runtime waits for its threads, and a
//! resolver may hang for minutes.

use std::future::Future;
use std::mem;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;

use gateway_core::OpenError;
use gateway_wire::{Endpoint, OpenFailure, Resolver, resolve};

type Answer = Result<Vec<SocketAddr>, OpenFailure>;

/// A client's lookups, one at a time. An attempt that begins while an older one's lookup still runs waits for that lookup: a
/// resolver that hangs holds one thread, however many attempts time out.
pub(crate) struct Lookups {
    resolver: Resolver,
    lookup: Arc<Mutex<Lookup>>,
}

#[derive(Default)]
enum Lookup {
    #[default]
    Idle,
    /// The thread runs, and the attempt that waited for it is gone.
    Abandoned,
    /// The thread runs, and an attempt waits for it.
    Awaited(Option<Waker>),
    /// The attempt has yet to take the answer.
    Answered(Answer),
}

/// Waits for a lookup. Dropping it leaves the thread to end by itself.
pub(crate) struct Resolving {
    lookup: Arc<Mutex<Lookup>>,
}

impl Lookups {
    pub(crate) fn new(resolver: Resolver) -> Self {
        Self { resolver, lookup: Arc::default() }
    }

    /// Begins a lookup, or waits for the one that runs.
    pub(crate) fn resolve(&self, endpoint: &Endpoint) -> Resolving {
        let before = mem::replace(&mut *lock(&self.lookup), Lookup::Awaited(None));
        match before {
            Lookup::Abandoned | Lookup::Awaited(_) => {}
            Lookup::Idle | Lookup::Answered(_) => self.spawn(endpoint.clone()),
        }
        Resolving { lookup: Arc::clone(&self.lookup) }
    }

    fn spawn(&self, endpoint: Endpoint) {
        let resolver = Arc::clone(&self.resolver);
        // If the thread cannot be spawned, or panics, this is dropped unanswered.
        let answering = Answering { lookup: Arc::clone(&self.lookup), answer: None };
        let thread = thread::Builder::new().name("gateway-resolver".to_owned());
        let _ = thread.spawn(move || answering.finish(resolve(&endpoint, &resolver)));
    }
}

/// Hands the answer over when it is dropped.
struct Answering {
    lookup: Arc<Mutex<Lookup>>,
    answer: Option<Answer>,
}

impl Answering {
    fn finish(mut self, answer: Answer) {
        self.answer = Some(answer);
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        let answer = self.answer.take().unwrap_or_else(|| {
            let detail = "the resolver's thread could not be started, or panicked";
            Err(OpenFailure::new(OpenError::Dns, detail))
        });
        let mut lookup = lock(&self.lookup);
        match mem::take(&mut *lookup) {
            Lookup::Awaited(waker) => {
                *lookup = Lookup::Answered(answer);
                drop(lookup);
                waker.inspect(Waker::wake_by_ref);
            }
            // Nobody waits. The next attempt asks again, for it may begin much later.
            Lookup::Idle | Lookup::Abandoned | Lookup::Answered(_) => {}
        }
    }
}

impl Future for Resolving {
    type Output = Answer;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Answer> {
        let mut lookup = lock(&self.lookup);
        match mem::take(&mut *lookup) {
            Lookup::Answered(answer) => Poll::Ready(answer),
            Lookup::Idle | Lookup::Abandoned | Lookup::Awaited(_) => {
                *lookup = Lookup::Awaited(Some(cx.waker().clone()));
                Poll::Pending
            }
        }
    }
}

impl Drop for Resolving {
    fn drop(&mut self) {
        let mut lookup = lock(&self.lookup);
        *lookup = match mem::take(&mut *lookup) {
            Lookup::Awaited(_) | Lookup::Abandoned => Lookup::Abandoned,
            Lookup::Idle | Lookup::Answered(_) => Lookup::Idle,
        };
    }
}

fn lock(lookup: &Mutex<Lookup>) -> MutexGuard<'_, Lookup> {
    // Nothing panics while it holds the lock.
    lookup.lock().unwrap_or_else(PoisonError::into_inner)
}
