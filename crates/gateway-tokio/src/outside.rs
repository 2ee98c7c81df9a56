//! Futures of the application's that a spawned client polls outside of its lock: providers and
//! `Dial`s. They may take long, or use a handle.

use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, ready};

use tokio::sync::oneshot;

/// A future that can be sent.
pub(crate) type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A future that is polled outside of the lock.
pub(crate) struct Outside(Boxed<()>);

/// Splits a future in two: one for the inside of the lock, which only waits for the result, and one
/// for the outside, which does the work. If the inner one is dropped, the outer one ends.
pub(crate) fn split<T: Send + 'static>(future: Boxed<T>) -> (Boxed<T>, Outside) {
    let (sender, receiver) = oneshot::channel();
    let inside = Box::pin(async {
        match receiver.await {
            Ok(output) => output,
            Err(_) => pending().await, // the driver is gone
        }
    });
    (inside, Outside(Box::pin(Working { future, sender: Some(sender) })))
}

/// A future that the client polls itself, and that may move out later: the client may be spawned
/// meanwhile.
pub(crate) struct Movable<T>(Arc<Mutex<Boxed<T>>>);

/// The way to a [`Movable`] future of any output. It does not keep the future.
pub(crate) type WayOut = Weak<dyn MoveOut>;

pub(crate) trait MoveOut: Send + Sync {
    /// Splits the future. Its place inside then waits for the result.
    fn move_out(&self) -> Outside;
}

impl<T: Send + 'static> Movable<T> {
    pub(crate) fn new(future: Boxed<T>) -> (Self, WayOut) {
        let place = Arc::new(Mutex::new(future));
        let way_out: WayOut = Arc::downgrade(&(Arc::clone(&place) as Arc<dyn MoveOut>));
        (Self(place), way_out)
    }
}

impl<T> Future for Movable<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        held(&self.0).as_mut().poll(cx)
    }
}

impl<T: Send + 'static> MoveOut for Mutex<Boxed<T>> {
    fn move_out(&self) -> Outside {
        let mut place = held(self);
        let (inside, outside) = split(std::mem::replace(&mut *place, Box::pin(pending())));
        *place = inside;
        outside
    }
}

/// Only one thread at a time has the client, so the lock is free.
fn held<T>(place: &Mutex<T>) -> MutexGuard<'_, T> {
    place.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Working<T> {
    future: Boxed<T>,
    sender: Option<oneshot::Sender<T>>,
}

impl<T> Future for Working<T> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.sender.as_ref().is_none_or(oneshot::Sender::is_closed) {
            return Poll::Ready(());
        }
        let output = ready!(self.future.as_mut().poll(cx));
        if let Some(sender) = self.sender.take() {
            let _ = sender.send(output); // it may be dropped by now
        }
        Poll::Ready(())
    }
}

/// Polls each of them, and drops those that are done. Returns whether any was.
pub(crate) fn poll_all(outside: &mut Vec<Outside>, cx: &mut Context<'_>) -> bool {
    let before = outside.len();
    outside.retain_mut(|outside| outside.0.as_mut().poll(cx).is_pending());
    outside.len() < before
}
