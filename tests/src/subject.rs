//! The client under the suite: one that the harness polls, or one in a task.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::Stream as _;
use gateway_tokio::core::{CloseFrame, Network, Statistics, Verdict};
use gateway_tokio::{Client, ClientEvent, Events, Handle, SendError};

/// How the client runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Runs {
    /// The harness polls it.
    Polled,
    /// In a task. It is spawned by the first command that connects it.
    Spawned,
}

/// The client.
pub(crate) struct Subject {
    runs: Runs,
    stage: Stage,
}

enum Stage {
    Polled(Box<Client>),
    Spawned(Handle, Events),
    Gone,
}

impl Subject {
    pub(crate) fn new(client: Client, runs: Runs) -> Self {
        Self { runs, stage: Stage::Polled(Box::new(client)) }
    }

    /// The next event.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<ClientEvent>> {
        match &mut self.stage {
            Stage::Polled(client) => Pin::new(&mut **client).poll_next(cx),
            Stage::Spawned(_, events) => Pin::new(events).poll_next(cx),
            Stage::Gone => Poll::Ready(None),
        }
    }

    pub(crate) fn connect(&mut self) {
        self.spawn();
        match &mut self.stage {
            Stage::Polled(client) => client.connect(),
            Stage::Spawned(handle, _) => handle.connect().expect("its task runs"),
            Stage::Gone => {}
        }
    }

    pub(crate) fn reconnect(&mut self) {
        self.spawn();
        match &mut self.stage {
            Stage::Polled(client) => client.reconnect(),
            Stage::Spawned(handle, _) => handle.reconnect().expect("its task runs"),
            Stage::Gone => {}
        }
    }

    fn spawn(&mut self) {
        if self.runs == Runs::Polled {
            return;
        }
        self.stage = match std::mem::replace(&mut self.stage, Stage::Gone) {
            Stage::Polled(client) => {
                let (handle, events) = client.spawn();
                Stage::Spawned(handle, events)
            }
            other => other,
        };
    }

    pub(crate) async fn send(&mut self, text: &str) -> Result<(), SendError> {
        match &mut self.stage {
            Stage::Polled(client) => client.send(text).await.map(drop),
            Stage::Spawned(handle, _) => handle.send(text).await.map(drop),
            Stage::Gone => Ok(()),
        }
    }

    pub(crate) fn try_send(&mut self, text: &str) -> Result<(), SendError> {
        match &mut self.stage {
            Stage::Polled(client) => client.try_send(text).map(drop),
            Stage::Spawned(handle, _) => handle.try_send(text).map(drop),
            Stage::Gone => Ok(()),
        }
    }

    pub(crate) fn close(&mut self, frame: CloseFrame<'_>) {
        match &mut self.stage {
            Stage::Polled(client) => client.close(frame),
            Stage::Spawned(handle, _) => handle.close(frame).expect("its task runs"),
            Stage::Gone => {}
        }
    }

    pub(crate) fn login_accepted(&mut self) {
        match &mut self.stage {
            Stage::Polled(client) => client.login_accepted(),
            Stage::Spawned(handle, _) => handle.login_accepted().expect("its task runs"),
            Stage::Gone => {}
        }
    }

    pub(crate) fn login_rejected(&mut self, verdict: Verdict) {
        match &mut self.stage {
            Stage::Polled(client) => client.login_rejected(verdict),
            Stage::Spawned(handle, _) => handle.login_rejected(verdict).expect("its task runs"),
            Stage::Gone => {}
        }
    }

    pub(crate) fn network_changed(&mut self, network: Network) {
        match &mut self.stage {
            Stage::Polled(client) => client.network_changed(network),
            Stage::Spawned(handle, _) => handle.network_changed(network).expect("its task runs"),
            Stage::Gone => {}
        }
    }

    pub(crate) fn hold(&mut self, held: bool) {
        match &mut self.stage {
            Stage::Polled(client) => client.hold(held),
            Stage::Spawned(handle, _) => handle.hold(held).expect("its task runs"),
            Stage::Gone => {}
        }
    }

    pub(crate) fn statistics(&self) -> Statistics {
        match &self.stage {
            Stage::Polled(client) => client.statistics(),
            Stage::Spawned(handle, _) => handle.statistics().expect("its task runs"),
            Stage::Gone => Statistics::default(),
        }
    }

    /// Drops a client that the harness polls.
    pub(crate) fn end_if_polled(&mut self) {
        if self.is_polled() {
            self.stage = Stage::Gone;
        }
    }

    /// Whether it runs only while the harness polls it.
    pub(crate) const fn is_polled(&self) -> bool {
        matches!(self.stage, Stage::Polled(_))
    }
}
