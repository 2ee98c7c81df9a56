//! stdout: messages, written by a thread of its own, with a bounded amount waiting.

use std::{
    io::{self, Write},
    thread,
};

use gateway_tokio::Message;
use tokio::sync::{
    mpsc::{self, error::TrySendError},
    oneshot,
};

use super::form::{OutputForm, Written};

/// With more waiting than this no more messages are taken from the connection.
const HIGH_WATER: usize = 256 * 1024;

/// What is on its way to stdout.
#[derive(Debug)]
pub(crate) struct Output {
    form: OutputForm,
    waiting: Vec<u8>,
    blocks: mpsc::Sender<Vec<u8>>,
    ended: oneshot::Receiver<io::Result<()>>,
}

impl Output {
    /// Starts the thread.
    ///
    /// # Errors
    /// Where there can be no thread.
    pub(crate) fn start(form: OutputForm, stream: impl Write + Send + 'static) -> io::Result<Self> {
        let (blocks, to_write) = mpsc::channel(1);
        let (end, ended) = oneshot::channel();
        thread::Builder::new().name("stdout".to_owned()).spawn(move || {
            // Nobody waits for the end where the program ends at once.
            let _ = end.send(write(stream, to_write));
        })?;
        Ok(Self { form, waiting: Vec::new(), blocks, ended })
    }

    /// Takes a message in its form.
    pub(crate) fn take(&mut self, message: &Message) -> Written {
        self.form.write(message, &mut self.waiting)
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
