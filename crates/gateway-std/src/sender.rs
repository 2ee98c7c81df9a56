//! Speaking to a client from other threads: a bounded mailbox that wakes it up at once.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use gateway_core::{CloseCode, CloseFrame, Network, SendRejection, Verdict};
use gateway_wire::{Message, MessageId, SendError};

/// How many messages may wait to be taken.
const LETTERS: usize = 256;

/// How many bytes of messages may wait to be taken, beside one message that is longer.
const LETTER_BYTES: usize = 1 << 20;

/// How many other requests may wait.
const CONTROLS: usize = 16;

/// Speaks to a [`Client`](crate::Client) from another thread. Clones share it.
///
/// A client that waits in [`recv`](crate::Client::recv) is woken at once; one that is busy elsewhere takes the request when it
/// is next asked for an event. So a thread that owns a client uses the client itself: with a `Sender` it would wait for itself,
/// but where it [enqueues](Self::enqueue) no more than there is room for, and asks for events before it waits for receipts.
///
/// ```no_run
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use gateway_std::Client;
/// use gateway_std::core::CloseFrame;
///
/// let mut client = Client::builder("ws://127.0.0.1:9001").build()?;
/// while !client.is_ready() && client.recv().is_some() {} // before that, what is sent is handed back
/// let sender = client.sender();
/// std::thread::spawn(move || {
///     for line in std::io::stdin().lines().map_while(Result::ok) {
///         if let Err(refused) = sender.send(line) {
///             eprintln!("{refused}"); // the message is in there
///         }
///     }
///     sender.close(CloseFrame::NORMAL);
/// });
/// for event in &mut client {
///     println!("{event:?}");
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Sender {
    mailbox: Arc<Mailbox>,
}

impl Sender {
    pub(crate) const fn new(mailbox: Arc<Mailbox>) -> Self {
        Self { mailbox }
    }

    /// Hands a message to the client, and returns its number once it was taken into the write buffer. Waits for that, and
    /// while the mailbox (256 messages, 1 MiB) or the write buffer is full.
    ///
    /// # Errors
    /// The message itself where the connection is not ready, closing, or CLOSED, or the client is gone; also where the write buffer is
    /// full and the transport took no byte for [`send_stall`](crate::Builder::send_stall).
    pub fn send(&self, message: impl Into<Message>) -> Result<MessageId, SendError> {
        self.enqueue(message)?.wait()
    }

    /// Hands a message to the client and goes on: the [`Receipt`] tells what became of it. Waits while the mailbox is full.
    /// Many messages, and their receipts waited for together, may wake the client once, where [`send`](Self::send) wakes it for each.
    ///
    /// # Errors
    /// The message itself where the connection is CLOSED and its events are taken, or the client is gone. All other refusals are the
    /// receipt's.
    pub fn enqueue(&self, message: impl Into<Message>) -> Result<Receipt, SendError> {
        let (answer, outcome) = sync_channel(1);
        self.mailbox.post(Letter { message: message.into(), answer })?;
        Ok(Receipt { outcome })
    }

    /// Starts to close the connection; overtakes messages that wait to be taken.
    pub fn close(&self, frame: CloseFrame<'_>) {
        self.mailbox.ask(Control::Close(frame.code(), frame.reason().to_owned()));
    }

    /// Connects at once where a retry was waited for, or again after CLOSED, when the client is next asked for an event.
    pub fn connect(&self) {
        self.mailbox.ask(Control::Connect);
    }

    /// Says that a login with [`Login::External`](gateway_core::Login::External) was accepted.
    pub fn login_accepted(&self) {
        self.mailbox.ask(Control::LoginAccepted);
    }

    /// Says that a login with [`Login::External`](gateway_core::Login::External) was refused, and what follows.
    pub fn login_rejected(&self, verdict: Verdict) {
        self.mailbox.ask(Control::LoginRejected(verdict));
    }

    /// Passes on a hint of the operating system.
    pub fn network_changed(&self, network: Network) {
        self.mailbox.ask(Control::Network(network));
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}

/// The answer to come for a message that was [enqueued](Sender::enqueue).
///
/// Dropping it takes nothing back: the message is sent all the same, and only a refusal goes unheard.
#[must_use = "a refusal is told here and nowhere else"]
pub struct Receipt {
    outcome: mpsc::Receiver<Result<MessageId, SendError>>,
}

impl Receipt {
    /// Waits until the message was taken into the write buffer, and returns its number.
    ///
    /// # Errors
    /// The message itself where the connection is not ready, closing, or CLOSED, or the client is gone; also where the write buffer is
    /// full and the transport took no byte for [`send_stall`](crate::Builder::send_stall).
    pub fn wait(self) -> Result<MessageId, SendError> {
        let gone = |_| Err(SendError::new(SendRejection::Closed, Message::text("")));
        self.outcome.recv().unwrap_or_else(gone)
    }
}

impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receipt").finish_non_exhaustive()
    }
}

/// A message to be sent, and who waits for its number.
pub(crate) struct Letter {
    message: Message,
    answer: SyncSender<Result<MessageId, SendError>>,
}

impl Letter {
    /// Answers with what `send` makes of the message.
    pub(crate) fn answer(self, send: impl FnOnce(Message) -> Result<MessageId, SendError>) {
        let _ = self.answer.send(send(self.message)); // one answer, room for one; the asker may have gone
    }

    pub(crate) fn refuse(self, why: SendRejection) {
        self.answer(|message| Err(SendError::new(why, message)));
    }
}

/// A request that overtakes messages.
pub(crate) enum Control {
    Close(CloseCode, String),
    Connect,
    Network(Network),
    LoginAccepted,
    LoginRejected(Verdict),
}

/// What other threads ask of a client.
pub(crate) struct Mailbox {
    mail: Mutex<Mail>,
    /// Told when there is room again, or never will be.
    room: Condvar,
    /// Whether there is mail: looked at without the lock, before each look at the socket.
    any: AtomicBool,
    /// Whether the client waits, and must be woken.
    asleep: AtomicBool,
    waker: Waker,
}

#[derive(Default)]
struct Mail {
    letters: VecDeque<Letter>,
    /// What the letters weigh.
    bytes: usize,
    controls: VecDeque<Control>,
    /// The connection is over and its events are taken, or the client is gone: nobody opens letters.
    retired: bool,
}

impl Mailbox {
    pub(crate) fn new(waker: Waker) -> Self {
        Self {
            mail: Mutex::default(),
            room: Condvar::new(),
            any: AtomicBool::new(false),
            asleep: AtomicBool::new(false),
            waker,
        }
    }

    /// Waits for room, and leaves a letter.
    fn post(&self, letter: Letter) -> Result<(), SendError> {
        let mut mail = self.lock();
        let is_full = |mail: &Mail| {
            mail.letters.len() >= LETTERS
                || (mail.bytes > 0 && mail.bytes + letter.message.len() > LETTER_BYTES)
        };
        while is_full(&mail) && !mail.retired {
            mail = self.room.wait(mail).unwrap_or_else(PoisonError::into_inner);
        }
        if mail.retired {
            return Err(SendError::new(SendRejection::Closed, letter.message));
        }
        mail.bytes += letter.message.len();
        mail.letters.push_back(letter);
        self.ring(mail);
        Ok(())
    }

    /// Waits for room, and leaves a request. Where nobody takes them for now the oldest gives way: it is the newest that
    /// counts when the client is asked again.
    fn ask(&self, control: Control) {
        let mut mail = self.lock();
        while mail.controls.len() >= CONTROLS && !mail.retired {
            mail = self.room.wait(mail).unwrap_or_else(PoisonError::into_inner);
        }
        if mail.controls.len() >= CONTROLS {
            mail.controls.pop_front();
        }
        mail.controls.push_back(control);
        self.ring(mail);
    }

    fn ring(&self, mail: MutexGuard<'_, Mail>) {
        self.any.store(true, Ordering::SeqCst);
        drop(mail);
        if self.asleep.swap(false, Ordering::SeqCst) {
            self.waker.wake_by_ref();
        }
    }

    /// Whether requests or messages wait to be taken.
    #[inline]
    pub(crate) fn has_mail(&self) -> bool {
        self.any.load(Ordering::SeqCst)
    }

    pub(crate) fn next_control(&self) -> Option<Control> {
        if !self.has_mail() {
            return None;
        }
        let mut mail = self.lock();
        let control = mail.controls.pop_front();
        self.taken(&mail);
        control
    }

    pub(crate) fn next_letter(&self) -> Option<Letter> {
        if !self.has_mail() {
            return None;
        }
        let mut mail = self.lock();
        let letter = mail.letters.pop_front();
        if let Some(letter) = &letter {
            mail.bytes -= letter.message.len();
        }
        self.taken(&mail);
        letter
    }

    fn taken(&self, mail: &Mail) {
        let any = !mail.letters.is_empty() || !mail.controls.is_empty();
        self.any.store(any, Ordering::SeqCst);
        self.room.notify_all();
    }

    /// How many messages wait to be taken.
    pub(crate) fn waiting_letters(&self) -> usize {
        if !self.has_mail() {
            return 0;
        }
        self.lock().letters.len()
    }

    /// The client is about to wait: whether it may, for there is nothing that it can do. A letter whose wait for space in the write
    /// buffer is under way is nothing to stay awake for: the socket or the deadline wakes the client.
    pub(crate) fn fall_asleep(&self, letters_wait_for_space: bool) -> bool {
        self.asleep.store(true, Ordering::SeqCst);
        if !self.has_mail() {
            return true;
        }
        let mail = self.lock();
        if mail.controls.is_empty() && (mail.letters.is_empty() || letters_wait_for_space) {
            return true;
        }
        self.wake_up();
        false
    }

    /// The client has waited.
    pub(crate) fn wake_up(&self) {
        self.asleep.store(false, Ordering::SeqCst);
    }

    /// Nobody opens letters any more: those that wait are refused, and those that come.
    pub(crate) fn retire(&self) {
        let mut mail = self.lock();
        mail.retired = true;
        mail.bytes = 0;
        let letters = std::mem::take(&mut mail.letters);
        self.taken(&mail);
        drop(mail);
        letters.into_iter().for_each(|letter| letter.refuse(SendRejection::Closed));
    }

    /// Letters are opened again.
    pub(crate) fn reopen(&self) {
        self.lock().retired = false;
    }

    fn lock(&self) -> MutexGuard<'_, Mail> {
        // What a thread that panicked left is whole: nothing here panics between two changes.
        self.mail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
