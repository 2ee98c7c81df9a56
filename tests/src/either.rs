//! A client of either driver behind one blocking interface: a test is written once, and runs on both.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use gateway_tokio::core::{CloseFrame, ConnectionState, DisconnectCause, GiveUpCause, Statistics};
use gateway_tokio::{
    Accepted, Attempt, ClientEvent, End, Events, FlushError, Handle, Message, OnReadyError,
    ProviderError, Request, RequestError, SendError, Status,
};
use tokio::runtime::Runtime;

use crate::client::{disconnected, messages};
use crate::clock::{GUARD, within};

/// The drivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "each test runs on all of them")]
pub enum Driver {
    /// The async one.
    Tokio,
    /// The blocking one.
    Std,
    /// The async one, spawned into a task and used by its handle.
    Spawned,
}

/// Makes two tests of each function that takes a [`Driver`].
#[macro_export]
macro_rules! on_both_drivers {
    ($($name:ident)*) => {
        mod on_tokio {
            $(#[test] fn $name() { super::$name($crate::Driver::Tokio); })*
        }
        mod on_std {
            $(#[test] fn $name() { super::$name($crate::Driver::Std); })*
        }
    };
}

/// Makes three tests of each function that takes a [`Driver`]: on both drivers, and on a spawned client.
#[macro_export]
macro_rules! on_every_driver {
    ($($name:ident)*) => {
        $crate::on_both_drivers! { $($name)* }
        mod on_spawned {
            $(#[test] fn $name() { super::$name($crate::Driver::Spawned); })*
        }
    };
}

/// A client of a driver with these settings, a fixed seed, and what else its builder is called with:
/// `client!(driver, url, calm(), .header("X-Device", "7"))`.
#[macro_export]
macro_rules! client {
    ($driver:expr, $url:expr, $config:expr $(, $($more:tt)+)?) => {{
        let config = $config.build().expect("valid settings");
        match $driver {
            $crate::Driver::Tokio => $crate::Either::from(
                gateway_tokio::Client::builder($url).config(config).seed(7)$($($more)+)?,
            ),
            $crate::Driver::Std => $crate::Either::from(
                gateway_std::Client::builder($url).config(config).seed(7)$($($more)+)?,
            ),
            $crate::Driver::Spawned => $crate::Either::spawned(
                gateway_tokio::Client::builder($url).config(config).seed(7)$($($more)+)?,
            ),
        }
    }};
}

/// A client of one of the drivers. One of tokio's is polled only in a call, on its own runtime.
pub enum Either {
    /// A client of tokio's.
    Tokio(Box<gateway_tokio::Client>, Runtime),
    /// A blocking client.
    Std(Box<gateway_std::Client>),
    /// A spawned client of tokio's. Its task runs only in a call, too.
    Spawned(Handle, Events, Runtime),
}

impl From<gateway_tokio::Builder> for Either {
    fn from(builder: gateway_tokio::Builder) -> Self {
        Self::Tokio(Box::new(builder.build().expect("a client")), runtime())
    }
}

impl From<gateway_std::Builder> for Either {
    fn from(builder: gateway_std::Builder) -> Self {
        Self::Std(Box::new(builder.build().expect("a client")))
    }
}

/// One expression for both clients, and one for the handle of the spawned one.
macro_rules! each {
    ($either:expr, $client:ident => $call:expr, $handle:ident => $other:expr) => {
        match $either {
            Either::Tokio($client, _) => $call,
            Either::Std($client) => $call,
            Either::Spawned($handle, ..) => $other,
        }
    };
}

impl Either {
    /// A spawned client.
    ///
    /// # Panics
    /// The settings are wrong.
    #[must_use]
    pub fn spawned(builder: gateway_tokio::Builder) -> Self {
        let runtime = runtime();
        let (handle, events) = {
            let _inside = runtime.enter();
            builder.build().expect("a client").spawn()
        };
        Self::Spawned(handle, events, runtime)
    }

    /// The next event; `None` at the end.
    ///
    /// # Panics
    /// None comes for a long time.
    pub fn recv(&mut self) -> Option<ClientEvent> {
        match self {
            Self::Tokio(client, runtime) => runtime.block_on(async { within(client.next()).await }),
            Self::Std(client) => client.recv_timeout(GUARD).expect(NEVER_CAME),
            Self::Spawned(_, events, runtime) => {
                runtime.block_on(async { within(events.next()).await })
            }
        }
    }

    /// The next event.
    ///
    /// # Panics
    /// The connection is over.
    pub fn event(&mut self) -> ClientEvent {
        self.recv().expect("a connection that is not over")
    }

    /// Drives the client for so long, and drops its events.
    pub fn rest(&mut self, span: Duration) {
        match self {
            Self::Tokio(client, runtime) => {
                let _ = runtime.block_on(async { tokio::time::timeout(span, client.next()).await });
            }
            Self::Std(client) => drop(client.recv_timeout(span)),
            Self::Spawned(_, events, runtime) => {
                let _ = runtime.block_on(async { tokio::time::timeout(span, events.next()).await });
            }
        }
    }

    /// Takes events until the connection is ready; the last may still wait.
    pub fn until_ready(&mut self) {
        while !self.is_ready() {
            self.event();
        }
    }

    /// Takes events up to the first that fits, which is the last of those returned.
    pub fn until(&mut self, mut fits: impl FnMut(&ClientEvent) -> bool) -> Vec<ClientEvent> {
        let mut events = Vec::new();
        while !events.last().is_some_and(&mut fits) {
            events.push(self.event());
        }
        events
    }

    /// Takes events up to the next end of a socket; returns its cause.
    pub fn lost(&mut self) -> DisconnectCause {
        let events = self.until(|event| matches!(event, ClientEvent::Disconnected { .. }));
        disconnected(&events)[0]
    }

    /// Takes events up to the next message.
    pub fn message(&mut self) -> Message {
        let events = self.until(|event| matches!(event, ClientEvent::Message(_)));
        messages(&events).remove(0)
    }

    /// Takes all events up to the end.
    pub fn drain(&mut self) -> Vec<ClientEvent> {
        std::iter::from_fn(|| self.recv()).collect()
    }

    /// Sends a message.
    ///
    /// # Errors
    /// What the client refuses it for.
    pub fn send(&mut self, message: impl Into<Message>) -> Result<Accepted, SendError> {
        match self {
            Self::Tokio(client, runtime) => runtime.block_on(client.send(message)),
            Self::Std(client) => client.send(message),
            Self::Spawned(handle, _, runtime) => runtime.block_on(handle.send(message)),
        }
    }

    /// Sends a message, or returns it at once.
    ///
    /// # Errors
    /// What the client refuses it for.
    pub fn try_send(&mut self, message: impl Into<Message>) -> Result<Accepted, SendError> {
        each!(self, client => client.try_send(message), handle => handle.try_send(message))
    }

    /// Flushes what was sent.
    ///
    /// # Errors
    /// What the client says of it.
    ///
    /// # Panics
    /// The client is spawned: its task flushes, and nobody else.
    pub fn flush(&mut self) -> Result<(), FlushError> {
        match self {
            Self::Tokio(client, runtime) => {
                runtime.block_on(async { within(client.flush()).await })
            }
            Self::Std(client) => client.flush(),
            Self::Spawned(..) => panic!("a handle does not flush"),
        }
    }

    /// Sets the message of this key, which is sent on every ready.
    ///
    /// # Errors
    /// What the client refuses it for.
    pub fn set_on_ready(
        &mut self,
        key: &str,
        message: impl Into<Message>,
    ) -> Result<(), OnReadyError> {
        each!(self,
            client => client.set_on_ready(key, message),
            handle => handle.set_on_ready(key, message))
    }

    /// Removes the message of this key. Returns whether there was one.
    pub fn remove_on_ready(&mut self, key: &str) -> bool {
        each!(self,
            client => client.remove_on_ready(key),
            handle => handle.remove_on_ready(key).expect(ALIVE))
    }

    /// Closes the connection.
    pub fn close(&mut self, frame: CloseFrame<'_>) {
        each!(self, client => client.close(frame), handle => handle.close(frame).expect(ALIVE));
    }

    /// Makes a request, and waits for its answer.
    ///
    /// # Errors
    /// Why there is none.
    pub fn request(
        &mut self,
        message: impl Into<Message>,
        timeout: Duration,
    ) -> Result<Message, RequestError> {
        match self {
            Self::Tokio(client, runtime) => {
                runtime.block_on(async { within(client.request(message, timeout)).await })
            }
            Self::Std(client) => client.request(message, timeout),
            Self::Spawned(handle, _, runtime) => {
                runtime.block_on(async { within(handle.request(message, timeout)).await })
            }
        }
    }

    /// Does the same for an idempotent request.
    ///
    /// # Errors
    /// Why there is no answer.
    pub fn request_idempotent(
        &mut self,
        message: impl Into<Message>,
        timeout: Duration,
    ) -> Result<Message, RequestError> {
        match self {
            Self::Tokio(client, runtime) => runtime
                .block_on(async { within(client.request_idempotent(message, timeout)).await }),
            Self::Std(client) => client.request_idempotent(message, timeout),
            Self::Spawned(handle, _, runtime) => runtime
                .block_on(async { within(handle.request_idempotent(message, timeout)).await }),
        }
    }

    /// Does the same for a request that waits for the connection, and is sent at most once.
    ///
    /// # Errors
    /// Why there is no answer.
    pub fn request_when_ready(
        &mut self,
        message: impl Into<Message>,
        timeout: Duration,
    ) -> Result<Message, RequestError> {
        match self {
            Self::Tokio(client, runtime) => runtime
                .block_on(async { within(client.request_when_ready(message, timeout)).await }),
            Self::Std(client) => client.request_when_ready(message, timeout),
            Self::Spawned(handle, _, runtime) => runtime
                .block_on(async { within(handle.request_when_ready(message, timeout)).await }),
        }
    }

    /// A snapshot.
    #[must_use]
    pub fn status(&self) -> Status {
        each!(self, client => client.status(), handle => handle.status().expect(ALIVE))
    }

    /// Drains the client: closes it once everything has left. Returns how it ended.
    pub fn end(&mut self, limit: Duration) -> End {
        let frame = CloseFrame::NORMAL;
        match self {
            Self::Tokio(client, runtime) => {
                runtime.block_on(async { within(client.drain(frame, limit)).await })
            }
            Self::Std(client) => client.drain(frame, limit),
            Self::Spawned(handle, _, runtime) => {
                runtime.block_on(async { within(handle.drain(frame, limit)).await })
            }
        }
    }

    /// Connects at once.
    pub fn connect(&mut self) {
        each!(self, client => client.connect(), handle => handle.connect().expect(ALIVE));
    }

    /// Whether messages may be sent.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        each!(self, client => client.is_ready(), handle => handle.is_ready())
    }

    /// The state.
    #[must_use]
    pub fn state(&self) -> ConnectionState {
        each!(self, client => client.state(), handle => handle.state())
    }

    /// Why the client has given up.
    #[must_use]
    pub fn gave_up(&self) -> Option<GiveUpCause> {
        each!(self, client => client.gave_up(), handle => handle.gave_up().expect(ALIVE))
    }

    /// The server's choice.
    #[must_use]
    pub fn subprotocol(&self) -> Option<String> {
        each!(self,
            client => client.subprotocol().map(str::to_owned),
            handle => handle.subprotocol().expect(ALIVE))
    }

    /// A field of the server's last answer 101.
    #[must_use]
    pub fn response_header(&self, name: &str) -> Option<String> {
        let headers = each!(self,
            client => client.response_headers().clone(),
            handle => handle.response_headers().expect(ALIVE));
        headers.get(name).map(str::to_owned)
    }

    /// The counters.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        each!(self, client => client.statistics(), handle => handle.statistics().expect(ALIVE))
    }
}

/// A handle's calls fail only without their task.
const ALIVE: &str = "the task is there";

const NEVER_CAME: &str = "what was waited for never came";

fn runtime() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().expect("a runtime")
}

impl fmt::Debug for Either {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        each!(self, client => client.fmt(f), handle => handle.fmt(f))
    }
}

/// A builder of either driver.
pub trait Provided {
    /// Sets a provider that does not wait.
    #[must_use]
    fn provided_by<F>(self, provider: F) -> Self
    where
        F: Fn(Attempt) -> Result<Request, ProviderError> + Send + Sync + 'static;
}

impl Provided for gateway_tokio::Builder {
    fn provided_by<F>(self, provider: F) -> Self
    where
        F: Fn(Attempt) -> Result<Request, ProviderError> + Send + Sync + 'static,
    {
        let provider = Arc::new(provider);
        self.attempt(move |attempt| {
            let provider = Arc::clone(&provider);
            async move { provider(attempt) }
        })
    }
}

impl Provided for gateway_std::Builder {
    fn provided_by<F>(self, provider: F) -> Self
    where
        F: Fn(Attempt) -> Result<Request, ProviderError> + Send + Sync + 'static,
    {
        self.attempt(provider)
    }
}
