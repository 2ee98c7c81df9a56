//! A server for blocking clients, with its own thread and runtime.

use std::future::Future;
use std::thread::JoinHandle;

use crate::listener::Listener;

/// A server under way, and where it listens.
#[derive(Debug)]
pub struct Served<T> {
    /// `ws://` and the address.
    pub url: String,
    thread: JoinHandle<T>,
}

impl<T> Served<T> {
    /// Waits for what the server's script returns.
    ///
    /// # Panics
    /// The script panicked.
    pub fn join(self) -> T {
        self.thread.join().expect("the server's script succeeds")
    }
}

/// Listens on a free port, and runs `script` there.
///
/// # Panics
/// There is no runtime to be had.
pub fn serve<T, F>(script: impl FnOnce(Listener) -> F + Send + 'static) -> Served<T>
where
    T: Send + 'static,
    F: Future<Output = T>,
{
    let (told, address) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let listener = Listener::bind().await;
            let _ = told.send(listener.url()); // the test waits for it
            script(listener).await
        })
    });
    Served { url: address.recv().expect("a server that listens"), thread }
}
