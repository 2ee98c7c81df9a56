//! Futures of the application's that a spawned client polls outside of its lock: providers and
//! `Dial`s. They may take long, or use a handle.

use std::future::Future;
use std::pin::Pin;
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
            Err(_) => std::future::pending().await, // the driver is gone
        }
    });
    (inside, Outside(Box::pin(Working { future, sender: Some(sender) })))
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
