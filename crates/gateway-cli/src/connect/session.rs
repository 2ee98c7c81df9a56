//! The loop of `gateway connect`: lines to messages, messages to lines, signals to a close.

use std::{future::Future, pin::Pin, time::Duration};

use gateway_tokio::{
    Accepted, Client, ClientEvent, Handle, Message, SendError,
    core::{CloseFrame, ConnectionState, GiveUpCause, Notice, SendRejection},
};
use tokio::time::Instant;

use super::{
    events::Events,
    form::Written,
    input::Input,
    output::{Gone, Output, is_broken_pipe},
    sendings::Sendings,
};
use crate::{clock, signals::Signals};

pub(crate) struct Session {
    pub(crate) signals: Signals,
    pub(crate) input: Input,
    pub(crate) output: Output,
    pub(crate) events: Events,
    pub(crate) after_input: AfterInput,
    /// Whether the client keeps messages while the connection is not ready.
    pub(crate) has_outbox: bool,
    /// Whether only one message is written.
    pub(crate) once: bool,
    pub(crate) close_timeout: Duration,
}

/// What happens at the end of stdin, once every line has its outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum AfterInput {
    /// The connection goes on.
    #[default]
    Stay,
    /// It closes after this many messages since the start or after this time, whichever is first.
    Close { messages: Option<u64>, linger: Option<Duration> },
}

/// How long after the deadline of a close the process ends, even without the close.
const CLOSE_SLACK: Duration = Duration::from_millis(50);
/// How long after the deadline of a close the process ends, whatever hangs. The difference is for the
/// last lines of the log.
const END_SLACK: Duration = Duration::from_millis(250);

const ESCAPED: &str = "line breaks in messages are written as \\n and \\r, and a terminal gets no control \
    characters; two forms are exact: --output json (one object a line) and --output null (raw, with a NUL \
    after each)";

const CLOSED_AS_ASKED: u8 = 0;
const FAILED: u8 = 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    No,
    /// Every line has its outcome; the client is closing.
    InputOver,
    /// A signal came. The program waits for nothing after the deadline.
    Signalled {
        until: Instant,
    },
    /// stdout failed, or its reader is gone.
    OutputGone,
}

/// The state of the loop.
struct Progress {
    has_outbox: bool,
    /// Whether the client accepts messages: the connection is ready, or there is an outbox.
    is_open: bool,
    /// Whether the connection is lost, or the first attempt has failed.
    is_retrying: bool,
    /// Whether a message was rejected because of unread events, or because the outbox was full. The
    /// next one then waits until an event is read. Each message that leaves the outbox has one.
    takes_event_first: bool,
    ending: Ending,
    sendings: Sendings,
    handing: Option<Handing>,
    /// Whether stdout failed. This may happen before any ending.
    is_output_gone: bool,
    /// Binary messages that were not written, because no form was chosen.
    left_out: u64,
    /// Messages received.
    received: u64,
    /// When `--linger` is over.
    lingers_until: Option<Instant>,
    is_escape_reported: bool,
    /// The detail of the last disconnection.
    failure: String,
    gave_up: Option<GiveUpCause>,
    /// Messages that came while closing and did not fit into the buffer for stdout.
    unwritten: u64,
}

/// A message on its way into the client's buffer.
type Handing = Pin<Box<dyn Future<Output = Result<Accepted, SendError>>>>;

/// How long the program may take to end after a signal.
pub(crate) fn longest_end(close_timeout: Duration) -> Duration {
    close_timeout.saturating_add(END_SLACK)
}

impl Session {
    /// Runs until the connection is CLOSED, and stdout is written. Returns the exit status.
    pub(crate) async fn run(mut self, client: Client) -> u8 {
        let (handle, mut news) = client.spawn();
        let mut now = Progress::new(self.has_outbox);
        if now.is_open {
            self.output.prompt();
        }
        loop {
            now.hand_on(&handle);
            // After a signal the program does not wait for a reader of stdout.
            let takes_news = !self.output.is_full() || now.ending.deadline().is_some();
            let wants_lines = now.is_open || self.input.is_asked();
            // Every arm is cancel-safe: each borrows the state of its progress.
            tokio::select! {
                biased;
                () = self.signals.first() => {
                    tracing::info!("signal received; closing");
                    let until = clock::after(self.close_timeout.saturating_add(CLOSE_SLACK));
                    now.ending = Ending::Signalled { until };
                    close(&handle);
                }
                () = clock::until(now.ending.deadline()) => break,
                () = clock::until(now.lingers_until), if now.ending == Ending::No => {
                    now.close(Ending::InputOver, &handle);
                }
                passed = self.output.pass_on(now.needs_reader(self.after_input)), if !now.is_output_gone => {
                    if let Err(gone) = passed {
                        now.is_output_gone = true;
                        self.on_output_gone(gone, &mut now, &handle);
                    }
                }
                handed = handed(&mut now.handing), if now.handing.is_some() => {
                    self.events.stamp();
                    now.on_handed(handed, &mut self.events);
                }
                event = news.next(), if takes_news => match event {
                    Some(event) => self.on_event(event, &mut now),
                    None => break,
                },
                batch = self.input.next(), if wants_lines && now.takes_lines() => {
                    self.events.stamp();
                    now.sendings.read(batch, &mut self.events);
                    self.output.prompt();
                }
            }
            if now.is_output_gone && now.sendings.is_over() {
                now.close(Ending::OutputGone, &handle);
            } else if now.is_over(self.after_input) {
                now.close(Ending::InputOver, &handle);
            }
        }
        self.finish(now).await
    }

    fn on_event(&mut self, event: ClientEvent, now: &mut Progress) {
        self.events.stamp();
        now.takes_event_first = false;
        let is_message = matches!(event, ClientEvent::Message(_));
        now.received = now.received.saturating_add(u64::from(is_message));
        match event {
            // stdout failed, or only one message was requested.
            ClientEvent::Message(_) if now.is_output_gone || self.once && now.received > 1 => {}
            ClientEvent::Message(message) if self.output.is_full() => {
                drop(message);
                now.unwritten = now.unwritten.saturating_add(1);
            }
            ClientEvent::Message(message) => match self.output.take(&message) {
                Written::Exactly => self.output.try_pass_on(),
                Written::Escaped => {
                    self.output.try_pass_on();
                    if !std::mem::replace(&mut now.is_escape_reported, true) {
                        tracing::warn!("{ESCAPED}");
                    }
                }
                Written::LeftOut => {
                    if now.left_out == 0 {
                        tracing::warn!(
                            "a binary message was not written; use --binary or --output json"
                        );
                    }
                    now.left_out = now.left_out.saturating_add(1);
                }
            },
            ClientEvent::Notice(notice) => {
                self.events.notice(notice);
                match notice {
                    Notice::RetryScheduled { .. } => now.is_retrying = true,
                    Notice::Ready { .. } => {
                        now.is_retrying = false;
                        now.is_open = true;
                        self.output.prompt();
                    }
                    Notice::StateChanged { to, .. } => {
                        now.is_open = now.has_outbox && outbox_accepts(to)
                    }
                    Notice::GaveUp { cause } => now.gave_up = Some(cause),
                    // Other notices matter only to `--events`.
                    _ => {}
                }
            }
            ClientEvent::Disconnected { socket, cause, detail } => {
                self.events.disconnected(socket, cause, &detail);
                now.failure = detail.into();
            }
            ClientEvent::LoginRefused { socket, reason, .. } => {
                self.events.login_refused(socket, &reason);
            }
            ClientEvent::Outcome(outcome) => now.sendings.settle(outcome, &mut self.events),
            ClientEvent::Lost { away } => self.events.lost(away),
            ClientEvent::MessagesDropped { count } => self.events.messages_dropped(count),
            ClientEvent::Missed { count } => self.events.missed(count),
            // Events of later drivers.
            _ => {}
        }
    }

    /// Input that has an end is read to its end, also without a reader of stdout.
    fn on_output_gone(&self, gone: Gone, now: &mut Progress, handle: &Handle) {
        match (gone, self.after_input) {
            (Gone::Reader, AfterInput::Close { .. }) if !now.sendings.is_over() => {
                tracing::warn!(
                    "the reader of stdout is gone (broken pipe); closing at the end of stdin"
                );
            }
            (Gone::Reader, _) => {
                tracing::warn!("the reader of stdout is gone (broken pipe); closing");
                now.close(Ending::OutputGone, handle);
            }
            (Gone::Failed, _) => {
                tracing::warn!("cannot write to stdout; closing");
                now.close(Ending::OutputGone, handle);
            }
        }
    }

    /// Writes the remaining messages, and reports what was lost. Returns the exit status.
    async fn finish(mut self, mut now: Progress) -> u8 {
        self.events.stamp();
        if let Some(batch) = self.input.left_over() {
            now.sendings.read(batch, &mut self.events);
        }
        let not_sent = now.sendings.give_up(&mut self.events);
        let deadline = now.ending.deadline();
        let written = tokio::select! {
            biased;
            // The connection is already closed; only stdout is left.
            () = self.signals.first() => Ok(()),
            () = clock::until(deadline) => Ok(()),
            written = self.output.finish() => written,
        };
        if now.left_out > 1 {
            tracing::warn!(messages = now.left_out, "binary messages were not written");
        }
        if now.unwritten > 0 {
            tracing::warn!(
                messages = now.unwritten,
                "messages were not written: they came while closing and stdout was slow"
            );
        }
        if !now.is_output_gone && written.as_ref().is_err_and(is_broken_pipe) {
            tracing::warn!(
                "the reader of stdout is gone (broken pipe): the last messages were not written"
            );
        }
        let broken = written.err().filter(|error| !is_broken_pipe(error));
        if let Some(error) = &broken {
            tracing::error!(%error, "cannot write to stdout");
        }
        // If warnings are logged, the driver has already logged it.
        if let Some(cause) = now.gave_up.filter(|_| !tracing::enabled!(tracing::Level::WARN)) {
            let detail = (!now.failure.is_empty()).then_some(tracing::field::debug(&now.failure));
            tracing::error!(cause = cause.name(), detail, "gave up");
        }
        if not_sent > 0 {
            tracing::error!(lines = not_sent, "lines were not sent");
        }
        let status = match now.ending {
            _ if not_sent > 0 || broken.is_some() || now.sendings.is_broken() => FAILED,
            // The client gave up.
            Ending::No => FAILED,
            Ending::InputOver | Ending::Signalled { .. } | Ending::OutputGone => CLOSED_AS_ASKED,
        };
        self.signals.settle(status);
        status
    }
}

impl Progress {
    fn new(has_outbox: bool) -> Self {
        Self {
            has_outbox,
            is_open: has_outbox,
            is_retrying: false,
            takes_event_first: false,
            ending: Ending::No,
            sendings: Sendings::default(),
            handing: None,
            is_output_gone: false,
            left_out: 0,
            received: 0,
            lingers_until: None,
            is_escape_reported: false,
            failure: String::new(),
            gave_up: None,
            unwritten: 0,
        }
    }

    /// Whether the conditions of `after_input` are met. Starts the timer of `--linger`.
    fn is_over(&mut self, after_input: AfterInput) -> bool {
        let AfterInput::Close { messages, linger } = after_input else { return false };
        if !self.sendings.is_over() {
            return false;
        }
        if self.lingers_until.is_none() {
            self.lingers_until = linger.map(clock::after);
        }
        match messages {
            Some(messages) => self.received >= messages,
            None => linger.is_none(),
        }
    }

    /// Whether the program ends if stdout loses its reader. It does once each line has its outcome. It
    /// also does while it reconnects, because lines might wait for a socket forever, unless input that
    /// has an end is to be sent.
    fn needs_reader(&self, after_input: AfterInput) -> bool {
        self.sendings.is_over() || self.is_retrying && after_input == AfterInput::Stay
    }

    /// Hands the next message to the client, if it accepts one.
    fn hand_on(&mut self, handle: &Handle) {
        let may_hand_on = self.is_open && !self.takes_event_first && self.ending == Ending::No;
        if self.handing.is_some() || !may_hand_on {
            return;
        }
        if let Some(message) = self.sendings.hand_out() {
            let handle = handle.clone();
            self.handing = Some(Box::pin(send(handle, message)));
        }
    }

    fn on_handed(&mut self, handed: Result<Accepted, SendError>, events: &mut Events) {
        self.handing = None;
        match handed {
            Ok(accepted) => self.sendings.taken(accepted, events),
            Err(error) => {
                tracing::debug!(%error, "the connection does not accept a line yet; it waits");
                match error.rejection() {
                    SendRejection::WriteBlocked | SendRejection::Stalled => {}
                    SendRejection::OutcomesUnread
                    | SendRejection::OutboxFull
                    | SendRejection::Paced => self.takes_event_first = true,
                    // The socket was lost while the message waited, and another one is ready.
                    SendRejection::NotReady if self.has_outbox => {}
                    // A notice of the loss follows later, and then the next `Ready`.
                    _ => self.is_open = false,
                }
                self.sendings.handed_back();
            }
        }
    }

    fn takes_lines(&self) -> bool {
        self.ending == Ending::No && self.sendings.wants_lines()
    }

    fn close(&mut self, ending: Ending, handle: &Handle) {
        if self.ending == Ending::No {
            self.ending = ending;
            close(handle);
        }
    }
}

impl Ending {
    fn deadline(self) -> Option<Instant> {
        match self {
            Self::Signalled { until } => Some(until),
            Self::No | Self::InputOver | Self::OutputGone => None,
        }
    }
}

/// Whether an outbox accepts messages in this state.
fn outbox_accepts(state: ConnectionState) -> bool {
    !matches!(state, ConnectionState::Closing | ConnectionState::Closed)
}

fn close(handle: &Handle) {
    // If the client's task is gone, its events end.
    if let Err(error) = handle.close(CloseFrame::NORMAL) {
        tracing::error!(%error, "cannot close");
    }
}

async fn send(handle: Handle, message: Message) -> Result<Accepted, SendError> {
    handle.send(message).await
}

/// The result of a hand-over. Pending if there is none.
async fn handed(handing: &mut Option<Handing>) -> Result<Accepted, SendError> {
    match handing {
        Some(handing) => handing.await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::super::{
        form::OutputForm,
        input::{Batch, InputForm, Line},
        output::Marks,
    };
    use super::*;
    use crate::clock::Stopwatch;

    #[tokio::test]
    async fn a_refused_line_is_not_sent_again_before_an_event_is_taken() {
        for rejection in
            [SendRejection::OutcomesUnread, SendRejection::OutboxFull, SendRejection::Paced]
        {
            let mut session = Session {
                signals: Signals::listen(Duration::MAX).unwrap(),
                input: Input::start(io::empty(), InputForm::lines(1)).unwrap(),
                output: Output::start(OutputForm::default(), Marks::None, io::sink()).unwrap(),
                events: Events::open(None, None, Stopwatch::start()).unwrap(),
                after_input: AfterInput::Stay,
                has_outbox: false,
                once: false,
                close_timeout: Duration::ZERO,
            };
            let (handle, _events) = Client::builder("ws://127.0.0.1:9").build().unwrap().spawn();
            let mut now = Progress { is_open: true, ..Progress::new(false) };
            let line = Batch { lines: vec![Line::Message(Message::text("line"))], end: None };
            now.sendings.read(line, &mut session.events);
            now.hand_on(&handle);
            assert!(now.handing.is_some());

            let refused = SendError::new(rejection, Message::text("line"));
            now.on_handed(Err(refused), &mut session.events);
            now.hand_on(&handle);
            assert!(now.handing.is_none(), "a loop that is refused at once would spin");
            assert!(!now.takes_lines(), "stdin waits");

            session.on_event(ClientEvent::Missed { count: 1 }, &mut now);
            now.hand_on(&handle);
            assert!(now.handing.is_some());
        }
    }
}
