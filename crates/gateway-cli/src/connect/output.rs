//! stdout: messages as lines, written by a thread of its own, with a bounded amount waiting.

use std::{
    io::{self, Write},
    thread,
};

use clap::ValueEnum;
use data_encoding::{BASE64, HEXLOWER};
use gateway_tokio::Message;
use tokio::sync::{
    mpsc::{self, error::TrySendError},
    oneshot,
};

/// With more waiting than this no more messages are taken from the connection.
const HIGH_WATER: usize = 256 * 1024;

/// How binary messages are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Binary {
    Base64,
    Hex,
}

/// What is on its way to stdout.
#[derive(Debug)]
pub(crate) struct Output {
    binary: Option<Binary>,
    waiting: Vec<u8>,
    blocks: mpsc::Sender<Vec<u8>>,
    ended: oneshot::Receiver<io::Result<()>>,
}

impl Output {
    /// Starts the thread.
    ///
    /// # Errors
    /// Where there can be no thread.
    pub(crate) fn start(
        binary: Option<Binary>,
        stream: impl Write + Send + 'static,
    ) -> io::Result<Self> {
        let (blocks, to_write) = mpsc::channel(1);
        let (end, ended) = oneshot::channel();
        thread::Builder::new().name("stdout".to_owned()).spawn(move || {
            // Nobody waits for the end where the program ends at once.
            let _ = end.send(write(stream, to_write));
        })?;
        Ok(Self { binary, waiting: Vec::new(), blocks, ended })
    }

    /// Takes a message as a line. One that is binary is left out unless its form was chosen.
    pub(crate) fn take(&mut self, message: &Message) -> Taken {
        match (message, self.binary) {
            (Message::Text(text), _) => self.waiting.extend_from_slice(text.as_bytes()),
            (Message::Binary(_), None) => return Taken::LeftOut,
            (Message::Binary(bytes), Some(Binary::Base64)) => {
                self.waiting.extend_from_slice(BASE64.encode(bytes).as_bytes());
            }
            (Message::Binary(bytes), Some(Binary::Hex)) => {
                self.waiting.extend_from_slice(HEXLOWER.encode(bytes).as_bytes());
            }
        }
        self.waiting.push(b'\n');
        Taken::Line
    }

    /// Whether no more messages should be taken for now.
    pub(crate) fn is_full(&self) -> bool {
        self.waiting.len() >= HIGH_WATER
    }

    /// Hands what waits to the thread, once there is something and the thread has room. Cancel-safe.
    ///
    /// # Errors
    /// [`Gone`] as soon as the thread has ended; [`finish`](Self::finish) says why.
    pub(crate) async fn pass_on(&mut self) -> Result<(), Gone> {
        if self.waiting.is_empty() {
            self.blocks.closed().await;
            return Err(Gone);
        }
        let permit = self.blocks.reserve().await.map_err(|_| Gone)?;
        permit.send(std::mem::take(&mut self.waiting));
        Ok(())
    }

    /// The same where there is room at once.
    pub(crate) fn try_pass_on(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        match self.blocks.try_reserve() {
            Ok(permit) => permit.send(std::mem::take(&mut self.waiting)),
            // Later, or never: `pass_on` tells.
            Err(TrySendError::Full(()) | TrySendError::Closed(())) => {}
        }
    }

    /// Writes what is left, and returns when all is written.
    ///
    /// # Errors
    /// Why stdout could not be written.
    pub(crate) async fn finish(mut self) -> io::Result<()> {
        if !self.waiting.is_empty() {
            // Where the thread has ended, its error says so below.
            let _ = self.pass_on().await;
        }
        drop(self.blocks);
        self.ended.await.unwrap_or(Ok(()))
    }
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    Line,
    LeftOut,
}

/// stdout takes no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gone;

fn write(mut stream: impl Write, mut blocks: mpsc::Receiver<Vec<u8>>) -> io::Result<()> {
    while let Some(block) = blocks.blocking_recv() {
        stream.write_all(&block)?;
        // A reader waits for the last line there is, not for a full buffer.
        stream.flush()?;
    }
    Ok(())
}
