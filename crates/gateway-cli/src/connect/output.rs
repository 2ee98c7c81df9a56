//! Writes messages to stdout on a thread, behind a bounded buffer.

use std::{
    borrow::Cow,
    future,
    io::{self, IsTerminal as _, Write},
    thread,
};

use gateway_tokio::Message;
use tokio::sync::{
    mpsc::{self, error::TrySendError},
    oneshot,
};

use super::form::{Form, OutputForm, Written};
use crate::{diagnostics, stdio};

/// Above this many waiting bytes the program reads no more messages from the connection.
const HIGH_WATER: usize = 256 * 1024;

/// Clears the line of the terminal.
const CLEARED: &str = "\r\x1b[K";
const PROMPT: &str = "> ";

/// How a terminal shows the direction of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Marks {
    /// stdout is not a terminal, or the form is JSON.
    #[default]
    None,
    /// Received messages have a mark.
    Received,
    /// stdin is a terminal too, and has a prompt.
    Both,
}

impl Marks {
    /// The marks for the current stdin and stdout.
    pub(crate) fn of_streams(form: Form) -> Self {
        match form {
            Form::Json => Self::None,
            Form::Lines | Form::Null if !io::stdout().is_terminal() => Self::None,
            Form::Lines | Form::Null if io::stdin().is_terminal() => Self::Both,
            Form::Lines | Form::Null => Self::Received,
        }
    }

    /// Makes log lines replace the prompt and print it again.
    pub(crate) fn show_on_stderr(self) {
        if self == Self::Both && io::stderr().is_terminal() {
            diagnostics::stderr().set_around(CLEARED, PROMPT);
        }
    }

    /// Clears the last prompt.
    pub(crate) fn clear_on_stderr(self) {
        if self == Self::Both && io::stderr().is_terminal() {
            diagnostics::stderr().set_around("", "");
            // It never fails.
            let _ = diagnostics::stderr().clone().write_all(CLEARED.as_bytes());
        }
    }

    fn of_received(self) -> Cow<'static, str> {
        match self {
            Self::None => "".into(),
            Self::Received => "< ".into(),
            // Replaces the prompt.
            Self::Both => format!("{CLEARED}< ").into(),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Output {
    form: OutputForm,
    marks: Marks,
    waiting: Vec<u8>,
    blocks: mpsc::Sender<Vec<u8>>,
    ended: oneshot::Receiver<io::Result<()>>,
    /// How the thread has ended, once that is known.
    end: Option<io::Result<()>>,
    /// Reports that the reader is gone. `None` if that is not known.
    reader_gone: Option<oneshot::Receiver<()>>,
}

impl Output {
    /// Starts the thread.
    ///
    /// # Errors
    /// Where there can be no thread.
    pub(crate) fn start(
        form: OutputForm,
        marks: Marks,
        stream: impl Write + Send + 'static,
    ) -> io::Result<Self> {
        let (blocks, to_write) = mpsc::channel(1);
        let (end, ended) = oneshot::channel();
        thread::Builder::new().name("stdout".to_owned()).spawn(move || {
            // The receiver may be gone if the program exits.
            let _ = end.send(write(stream, to_write));
        })?;
        Ok(Self { form, marks, waiting: Vec::new(), blocks, ended, end: None, reader_gone: None })
    }

    /// Notices that the reader of stdout is gone before there is anything to write: while the server
    /// is down or sends nothing, that may never be.
    ///
    /// # Errors
    /// Where there can be no thread.
    pub(crate) fn watching(mut self, reader: stdio::Reader) -> io::Result<Self> {
        let (report, reader_gone) = oneshot::channel();
        thread::Builder::new().name("stdout reader".to_owned()).spawn(move || {
            if reader.is_gone() {
                // The receiver may be gone if the program exits.
                let _ = report.send(());
            }
        })?;
        self.reader_gone = Some(reader_gone);
        Ok(self)
    }

    /// Buffers a message in its form.
    pub(crate) fn take(&mut self, message: &Message) -> Written {
        let before = self.waiting.len();
        self.waiting.extend_from_slice(self.marks.of_received().as_bytes());
        let written = self.form.write(message, &mut self.waiting);
        match written {
            Written::LeftOut => self.waiting.truncate(before),
            Written::Exactly | Written::Escaped => self.prompt(),
        }
        written
    }

    /// Buffers a prompt, if stdin and stdout are terminals.
    pub(crate) fn prompt(&mut self) {
        match self.marks {
            Marks::Both => self.waiting.extend_from_slice([CLEARED, PROMPT].concat().as_bytes()),
            Marks::None | Marks::Received => {}
        }
    }

    /// Whether the buffer is full.
    pub(crate) fn is_full(&self) -> bool {
        self.waiting.len() >= HIGH_WATER
    }

    /// Waits until there is something to write and the thread is free, then hands it over. Cancel-safe.
    ///
    /// # Errors
    /// [`Gone`] as soon as a write has failed. If it `needs_reader`, also as soon as the reader is
    /// gone.
    pub(crate) async fn pass_on(&mut self, needs_reader: bool) -> Result<(), Gone> {
        if self.waiting.is_empty() {
            tokio::select! {
                () = self.blocks.closed() => {}
                () = gone(&mut self.reader_gone), if needs_reader => return Err(Gone::Reader),
            }
        } else if let Ok(permit) = self.blocks.reserve().await {
            permit.send(std::mem::take(&mut self.waiting));
            return Ok(());
        }
        Err(self.gone().await)
    }

    /// Why the thread has ended. Cancel-safe.
    async fn gone(&mut self) -> Gone {
        if self.end.is_none() {
            self.end = Some((&mut self.ended).await.unwrap_or(Ok(())));
        }
        match &self.end {
            Some(Err(error)) if is_broken_pipe(error) => Gone::Reader,
            Some(_) | None => Gone::Failed,
        }
    }

    /// Hands the buffer to the thread, if the thread is free.
    pub(crate) fn try_pass_on(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        match self.blocks.try_reserve() {
            Ok(permit) => permit.send(std::mem::take(&mut self.waiting)),
            // `pass_on` does it later, or reports the error.
            Err(TrySendError::Full(()) | TrySendError::Closed(())) => {}
        }
    }

    /// Writes the rest. Returns once everything is written.
    ///
    /// # Errors
    /// Why stdout could not be written.
    pub(crate) async fn finish(mut self) -> io::Result<()> {
        if self.marks == Marks::Both {
            self.waiting.extend_from_slice(CLEARED.as_bytes());
        }
        if !self.waiting.is_empty() {
            // Where the thread has ended, its error says so below.
            let _ = self.pass_on(false).await;
        }
        drop(self.blocks);
        match self.end {
            Some(end) => end,
            None => self.ended.await.unwrap_or(Ok(())),
        }
    }
}

/// stdout takes no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gone {
    /// Its reader is gone.
    Reader,
    /// A write has failed for another reason, which [`Output::finish`] returns.
    Failed,
}

/// Whether a write failed because the reader is gone.
pub(crate) fn is_broken_pipe(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe
}

/// Waits for the report that the reader is gone. Cancel-safe.
async fn gone(reader_gone: &mut Option<oneshot::Receiver<()>>) {
    if let Some(report) = reader_gone {
        let is_gone = report.await.is_ok();
        *reader_gone = None;
        if is_gone {
            return;
        }
    }
    future::pending().await
}

fn write(mut stream: impl Write, mut blocks: mpsc::Receiver<Vec<u8>>) -> io::Result<()> {
    while let Some(block) = blocks.blocking_recv() {
        stream.write_all(&block)?;
        // A reader waits for the last line there is, not for a full buffer.
        stream.flush()?;
    }
    Ok(())
}
