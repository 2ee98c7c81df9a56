//! The demo's client on either driver: the few operations that its stage needs.
//!
//! The blocking driver is not asked to wait for longer than a slice of time at once: between two of them the demo's own
//! deadline is looked at. Nothing else lives on its thread.

use std::time::Duration;

use clap::ValueEnum;
use futures_util::FutureExt as _;
use gateway_tokio::{
    ClientEvent, MessageId, SendError,
    core::{CloseFrame, Config, ConfigErrors, SendRejection, Statistics},
};

use crate::record::FileRecorder;

/// How long the blocking driver waits at once.
const SLICE: Duration = Duration::from_millis(50);

/// Which driver runs the connection: the asynchronous or the blocking one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Driver {
    #[default]
    Tokio,
    Std,
}

/// A client of one of the drivers.
pub(crate) enum Client {
    Tokio(Box<gateway_tokio::Client>),
    Std(Box<gateway_std::Client>),
}

/// What a client is made from.
pub(crate) struct Setup {
    pub(crate) url: String,
    pub(crate) config: Config,
    pub(crate) seed: Option<u64>,
    pub(crate) recorder: Option<FileRecorder>,
}

/// The two builders have the same methods, and no trait in common.
macro_rules! built {
    ($builder:expr, $setup:expr) => {{
        let Setup { url: _, config, seed, recorder } = $setup;
        let mut builder = $builder.config(config).report_sent(true);
        if let Some(seed) = seed {
            builder = builder.seed(seed);
        }
        if let Some(recorder) = recorder {
            builder = builder.observer(recorder);
        }
        builder.build().map(Box::new)
    }};
}

impl Client {
    pub(crate) fn new(driver: Driver, setup: Setup) -> Result<Self, ConfigErrors> {
        let url = setup.url.clone();
        match driver {
            Driver::Tokio => built!(gateway_tokio::Client::builder(url), setup).map(Self::Tokio),
            Driver::Std => built!(gateway_std::Client::builder(url), setup).map(Self::Std),
        }
    }

    /// Waits for the next event; none when the connection is over.
    pub(crate) async fn next(&mut self) -> Option<ClientEvent> {
        match self {
            Self::Tokio(client) => client.next().await,
            Self::Std(client) => loop {
                if let Ok(event) = client.recv_timeout(SLICE) {
                    return event;
                }
                tokio::task::yield_now().await;
            },
        }
    }

    /// Sends a message. A full write buffer is waited for, as long as the heartbeat finds the peer alive.
    pub(crate) async fn send(&mut self, text: String) -> Result<MessageId, SendError> {
        match self {
            Self::Tokio(client) => client.send(text).await,
            Self::Std(client) => client.send(text),
        }
    }

    /// Puts a message into the write buffer. Says whether there was room at once; if not, it was not taken.
    pub(crate) fn put(&mut self, text: String) -> Result<bool, SendError> {
        let taken = match self {
            Self::Tokio(client) => client.try_send(text),
            Self::Std(client) => client.try_send(text),
        };
        match taken {
            Ok(_) => Ok(true),
            Err(error) if error.rejection() == SendRejection::WriteBlocked => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Writes what the kernel takes now, and yields the events that come of it.
    pub(crate) async fn write_on(&mut self) -> Vec<ClientEvent> {
        let mut events = Vec::new();
        match self {
            Self::Tokio(client) => {
                // Where it is not done at once there is no room left.
                let _ = client.flush().now_or_never();
            }
            Self::Std(client) => {
                while let Ok(Some(event)) = client.recv_timeout(Duration::ZERO) {
                    events.push(event);
                }
            }
        }
        tokio::task::yield_now().await;
        events
    }

    /// Starts to close with 1000.
    pub(crate) fn close(&mut self) {
        match self {
            Self::Tokio(client) => client.close(CloseFrame::NORMAL),
            Self::Std(client) => client.close(CloseFrame::NORMAL),
        }
    }

    pub(crate) fn statistics(&self) -> Statistics {
        match self {
            Self::Tokio(client) => client.statistics(),
            Self::Std(client) => client.statistics(),
        }
    }
}
