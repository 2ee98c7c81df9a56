//! The demo's client on either driver.
//!
//! The blocking driver waits only for a short time at once. In between, the demo checks its own deadline.
//! Nothing else runs on this thread.

use std::{future::ready, time::Duration};

use clap::ValueEnum;
use futures_util::FutureExt as _;
use gateway_dialects::Preset;
use gateway_tokio::{
    Accepted, ClientEvent, SendError,
    core::{CloseFrame, Config, ConfigErrors, SendRejection, Statistics},
};

use super::login::Provider;
use crate::record::FileRecorder;

/// How long the blocking driver waits at once.
const SLICE: Duration = Duration::from_millis(50);

/// The driver that runs the connection.
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

pub(crate) struct Setup {
    pub(crate) url: String,
    pub(crate) config: Config,
    pub(crate) dialect: Preset,
    pub(crate) seed: Option<u64>,
    pub(crate) recorder: Option<FileRecorder>,
}

/// The two builders have the same methods, but no common trait.
macro_rules! built {
    ($builder:expr, $setup:expr) => {{
        let Setup { url: _, config, dialect, seed, recorder } = $setup;
        let mut builder = $builder.config(config).dialect(move || dialect.dialect());
        builder = builder.report_sent(true);
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
        let provider = Provider::default();
        match driver {
            Driver::Tokio => {
                let builder = gateway_tokio::Client::builder(url)
                    .attempt(move |attempt| ready(Ok(provider.request(attempt))));
                built!(builder, setup).map(Self::Tokio)
            }
            Driver::Std => {
                let builder = gateway_std::Client::builder(url)
                    .attempt(move |attempt| Ok(provider.request(attempt)));
                built!(builder, setup).map(Self::Std)
            }
        }
    }

    /// Waits for the next event. Returns `None` at the end of the connection.
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

    /// Sends a message. Waits for space in the write buffer.
    pub(crate) async fn send(&mut self, text: String) -> Result<Accepted, SendError> {
        match self {
            Self::Tokio(client) => client.send(text).await,
            Self::Std(client) => client.send(text),
        }
    }

    /// Puts a message into the write buffer. Returns `false` without sending if there was no space.
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

    /// Writes what the kernel accepts now. Returns the events.
    pub(crate) async fn write_on(&mut self) -> Vec<ClientEvent> {
        let mut events = Vec::new();
        match self {
            Self::Tokio(client) => {
                // If it does not finish at once, the kernel's buffer is full.
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
