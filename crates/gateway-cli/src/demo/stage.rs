//! Runs the client of the demo: enters each event in the ledger, and shows it.

use std::time::Duration;

use gateway_hostile::Control;
use gateway_tokio::{
    ClientEvent,
    core::{Config, DisconnectCause, GiveUpCause, Notice, RetryCause, SendRejection, SocketId},
};
use thiserror::Error;

use super::{
    client::Client,
    ledger::Ledger,
    screen::{Paint, Screen, millis},
};
use crate::clock::Stopwatch;

#[derive(Debug, Error)]
pub(crate) enum DemoError {
    #[error("the client gave up: {0}")]
    GaveUp(GiveUpCause),
    #[error("the connection closed too early")]
    Closed,
    #[error("the client rejected a message: {}", .0.name())]
    NotTaken(SendRejection),
    #[error("the client numbered a message {0}, but it is number {1}")]
    Misnumbered(u64, u64),
    #[error("the write buffer never became full")]
    NeverFull,
    #[error("the client reported {0}, which is not the fault that the server made")]
    OtherCause(&'static str),
}

/// The client, the control of its server, and the ledger.
pub(crate) struct Stage {
    pub(crate) client: Client,
    pub(crate) control: Control,
    pub(crate) ledger: Ledger,
    pub(crate) screen: Screen,
    pub(crate) config: Config,
    pub(crate) pings: u64,
    pub(crate) pongs: u64,
    /// The socket that is ready, or was last.
    socket: SocketId,
    ready_since: Stopwatch,
    last_delay: Duration,
    attempt: u32,
}

/// An event, as far as the faults depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Happened {
    Ready,
    /// A socket was lost.
    Gone(DisconnectCause),
    /// A retry is scheduled, with this cause of the loss.
    Retry(DisconnectCause),
    Pong,
    Other,
}

impl Stage {
    pub(crate) fn new(client: Client, control: Control, screen: Screen, config: Config) -> Self {
        Self {
            client,
            control,
            ledger: Ledger::default(),
            screen,
            config,
            pings: 0,
            pongs: 0,
            socket: SocketId::new(0),
            ready_since: Stopwatch::start(),
            last_delay: Duration::ZERO,
            attempt: 0,
        }
    }

    /// The number of the last retry.
    pub(crate) fn attempt(&self) -> u32 {
        self.attempt
    }

    /// The socket that is ready, or was last.
    pub(crate) fn socket(&self) -> SocketId {
        self.socket
    }

    /// Waits for the next event; enters and shows it.
    pub(crate) async fn next(&mut self) -> Result<Happened, DemoError> {
        match self.client.next().await {
            Some(event) => self.on_event(event),
            None => Err(DemoError::Closed),
        }
    }

    /// Waits until the client is ready.
    pub(crate) async fn until_ready(&mut self) -> Result<(), DemoError> {
        while self.next().await? != Happened::Ready {}
        Ok(())
    }

    /// Waits for the end of a socket, open or opening, and for the retry that follows.
    pub(crate) async fn until_retry(&mut self) -> Result<DisconnectCause, DemoError> {
        loop {
            if let Happened::Retry(cause) = self.next().await? {
                return Ok(cause);
            }
        }
    }

    /// Sends `messages` messages, and waits until every echo is back.
    pub(crate) async fn exchange(&mut self, messages: u64) -> Result<(), DemoError> {
        let first = self.ledger.next_number();
        for number in first..first + messages {
            self.send(number.to_string()).await?;
        }
        loop {
            let counts = self.ledger.counts_from(first);
            if counts.awaited + counts.unsettled == 0 {
                let good = self.screen.paint(Paint::Good, "every one came back once");
                let line = format!("{messages} messages sent; {good}");
                self.screen.happened(line);
                return Ok(());
            }
            if let Happened::Gone(cause) = self.next().await? {
                return Err(DemoError::OtherCause(cause.name()));
            }
        }
    }

    /// Sends a message, whatever becomes of it.
    pub(crate) async fn send(&mut self, text: String) -> Result<(), DemoError> {
        let number = self.ledger.next_number();
        let accepted = self.client.send(text).await;
        let accepted = accepted.map_err(|error| DemoError::NotTaken(error.rejection()))?;
        if accepted.id().number() != number {
            return Err(DemoError::Misnumbered(accepted.id().number(), number));
        }
        self.ledger.hand_over(self.socket);
        Ok(())
    }

    /// Puts a message into the write buffer. Returns whether there was space.
    pub(crate) fn put(&mut self, text: String) -> Result<bool, DemoError> {
        let is_taken = self.client.put(text);
        let is_taken = is_taken.map_err(|error| DemoError::NotTaken(error.rejection()))?;
        if is_taken {
            self.ledger.hand_over(self.socket);
        }
        Ok(is_taken)
    }

    /// Writes what the kernel accepts now, and lets it and the server run.
    pub(crate) async fn write_on(&mut self) -> Result<(), DemoError> {
        for event in self.client.write_on().await {
            self.on_event(event)?;
        }
        Ok(())
    }

    /// Waits until the connection counts as stable, and then for a round trip.
    pub(crate) async fn settle(&mut self) -> Result<(), DemoError> {
        let stable = self.config.stable_after().max(self.last_delay);
        while self.next().await? != Happened::Pong || self.ready_since.elapsed() < stable {}
        Ok(())
    }

    /// Closes with 1000, and waits until that is done.
    pub(crate) async fn close(&mut self) -> Result<(), DemoError> {
        self.client.close();
        while let Some(event) = self.client.next().await {
            self.on_event(event)?;
        }
        Ok(())
    }

    fn on_event(&mut self, event: ClientEvent) -> Result<Happened, DemoError> {
        match event {
            ClientEvent::Message(message) => {
                self.ledger.echo(message.as_text().unwrap_or_default());
                Ok(Happened::Other)
            }
            ClientEvent::Outcome(outcome) => {
                self.ledger.settle(outcome);
                Ok(Happened::Other)
            }
            ClientEvent::Disconnected { socket, cause, detail } => {
                self.ledger.cut_off(socket);
                self.show_loss(cause, &detail);
                Ok(Happened::Gone(cause))
            }
            ClientEvent::Notice(notice) => self.on_notice(notice),
            // What a later driver has news of.
            _ => Ok(Happened::Other),
        }
    }

    fn on_notice(&mut self, notice: Notice) -> Result<Happened, DemoError> {
        match notice {
            Notice::StateChanged { from, to, socket } => {
                let (from, to) = (self.screen.state(from), self.screen.state(to));
                let socket = socket.map(|socket| format!("   socket {socket}")).unwrap_or_default();
                self.screen.happened(format_args!("{from} -> {to}{socket}"));
            }
            Notice::Ready { socket, .. } => {
                (self.socket, self.ready_since) = (socket, Stopwatch::start());
                return Ok(Happened::Ready);
            }
            Notice::RetryScheduled { attempt, delay, cause, .. } => {
                (self.attempt, self.last_delay) = (attempt, delay);
                let wait = self.screen.paint(Paint::Waiting, millis(delay));
                self.screen.happened(format_args!("retry {attempt} in {wait}"));
                if let RetryCause::Disconnected(cause) = cause {
                    return Ok(Happened::Retry(cause));
                }
            }
            Notice::PingSent { .. } => self.pings = self.pings.saturating_add(1),
            Notice::PongReceived { round_trip, .. } => {
                self.pongs = self.pongs.saturating_add(1);
                let span = round_trip.map_or_else(|| "unknown".to_owned(), millis);
                let line = format!("heartbeat answered, round trip {span}");
                let line = self.screen.paint(Paint::Faint, line);
                self.screen.happened(line);
                return Ok(Happened::Pong);
            }
            Notice::GaveUp { cause } => return Err(DemoError::GaveUp(cause)),
            // Not part of the plot.
            _ => {}
        }
        Ok(Happened::Other)
    }

    fn show_loss(&mut self, cause: DisconnectCause, refusal: &str) {
        let detail = match cause {
            DisconnectCause::CloseReceived(Some(code)) => format!(" {code}"),
            DisconnectCause::Lost(how) | DisconnectCause::ProtocolError(how) => {
                format!(" ({})", how.name())
            }
            DisconnectCause::OpenFailed(how) => format!(" ({})", how.name()),
            DisconnectCause::LoginRefused(_) => format!(" ({refusal})"),
            // The rest say it all by their names.
            _ => String::new(),
        };
        let cause = self.screen.paint(Paint::Bad, format!("{}{detail}", cause.name()));
        self.screen.happened(cause);
    }
}
