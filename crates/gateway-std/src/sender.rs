//! Uses a client from other threads, through a bounded mailbox that wakes it at once.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use gateway_core::{CloseCode, CloseFrame, Network, SendRejection, Verdict};
use gateway_wire::{Message, MessageId, SendError};

/// The most messages that may wait in the mailbox.
const LETTERS: usize = 256;

/// The most bytes of messages that may wait in the mailbox. A single longer message may also wait.
const LETTER_BYTES: usize = 1 << 20;

/// The most other requests that may wait.
const CONTROLS: usize = 16;

/// Sends messages and requests to a [`Client`](crate::Client) from another thread. All clones use
/// the same client.
///
/// A `Sender` wakes a client that waits in [`recv`](crate::Client::recv) at once. A client that is
/// busy elsewhere processes the request when you next ask it for an event.
///
/// On the thread that owns the client, [`Sender::send`] would deadlock. Use the client's own
/// methods there. That thread may [enqueue](Self::enqueue) messages while the mailbox has space. It
/// must then ask for events before it waits for receipts.
///
/// ```no_run
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use gateway_std::Client;
/// use gateway_std::core::CloseFrame;
///
/// let mut client = Client::builder("ws://127.0.0.1:9001").build()?;
/// while !client.is_ready() && client.recv().is_some() {} // until then, `send` fails
/// let sender = client.sender();
/// std::thread::spawn(move || {
///     for line in std::io::stdin().lines().map_while(Result::ok) {
///         if let Err(refused) = sender.send(line) {
///             eprintln!("{refused}"); // the error contains the message
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

    /// Passes a message to the client, and returns its number once the client has accepted it into
    /// its write buffer. Waits while the mailbox (256 messages, 1 MiB) or the write buffer is full.
    ///
    /// # Errors
    /// Returns the message if the connection is not ready, is closing, or is CLOSED, or if the
    /// client was dropped. It also returns the message if the write buffer is full and the
    /// transport took no byte for [`send_stall`](crate::Builder::send_stall), or if more than 4,096
    /// ranges of outcomes are unread.
    pub fn send(&self, message: impl Into<Message>) -> Result<MessageId, SendError> {
        self.enqueue(message)?.wait()
    }

    /// Passes a message to the client, and returns a [`Receipt`] without waiting for the result.
    /// Waits while the mailbox is full. [`send`](Self::send) wakes the client for each message. If
    /// you enqueue many messages, and then wait for their receipts together, they may wake it only
    /// once.
    ///
    /// # Errors
    /// Returns the message if the connection is CLOSED and its events are taken, or if the client
    /// was dropped. The receipt returns all other errors.
    pub fn enqueue(&self, message: impl Into<Message>) -> Result<Receipt, SendError> {
        let (answer, outcome) = sync_channel(1);
        self.mailbox.post(Letter { message: message.into(), answer })?;
        Ok(Receipt { outcome })
    }

    /// Starts to close the connection. This overtakes messages in the mailbox.
    pub fn close(&self, frame: CloseFrame<'_>) {
        self.mailbox.ask(Control::Close(frame.code(), frame.reason().to_owned()));
    }

    /// Connects at once if the client has not started, if it is waiting to retry, or if it is
    /// closing or CLOSED; see [`Client::connect`](crate::Client::connect). A client that is not
    /// waiting for an event connects when you next ask it for one.
    pub fn connect(&self) {
        self.mailbox.ask(Control::Connect);
    }

    /// Replaces the socket on purpose; see [`Client::reconnect`](crate::Client::reconnect).
    pub fn reconnect(&self) {
        self.mailbox.ask(Control::Reconnect);
    }

    /// Reports that the running login was accepted; see
    /// [`Client::login_accepted`](crate::Client::login_accepted).
    pub fn login_accepted(&self) {
        self.mailbox.ask(Control::LoginAccepted);
    }

    /// Reports that the running login was refused, or that an accepted login is no longer valid;
    /// see [`Client::login_rejected`](crate::Client::login_rejected).
    pub fn login_rejected(&self, verdict: Verdict) {
        self.mailbox.ask(Control::LoginRejected(verdict));
    }

    /// Reports a hint from the operating system: the network is back, or gone; see
    /// [`Client::network_changed`](crate::Client::network_changed).
    pub fn network_changed(&self, network: Network) {
        self.mailbox.ask(Control::Network(network));
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}

/// The pending result of a message that was [enqueued](Sender::enqueue).
///
/// Dropping the receipt does not take the message back: the client still tries to send the message,
/// but you do not learn whether it was accepted.
#[must_use = "only the receipt returns a refusal"]
pub struct Receipt {
    outcome: mpsc::Receiver<Result<MessageId, SendError>>,
}

impl Receipt {
    /// Waits until the client has accepted the message into its write buffer, and returns its
    /// number.
    ///
    /// # Errors
    /// Returns the message if the connection is not ready, is closing, or is CLOSED, or if the
    /// client was dropped. It also returns the message if the write buffer is full and the
    /// transport took no byte for [`send_stall`](crate::Builder::send_stall), or if more than 4,096
    /// ranges of outcomes are unread.
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

/// A message to be sent, and where its result goes.
pub(crate) struct Letter {
    message: Message,
    answer: SyncSender<Result<MessageId, SendError>>,
}

impl Letter {
    /// Answers with the result of `send`.
    pub(crate) fn answer(self, send: impl FnOnce(Message) -> Result<MessageId, SendError>) {
        // The channel has space for the one answer, and the sender may be gone.
        let _ = self.answer.send(send(self.message));
    }

    pub(crate) fn refuse(self, why: SendRejection) {
        self.answer(|message| Err(SendError::new(why, message)));
    }
}

/// A request that overtakes messages.
pub(crate) enum Control {
    Close(CloseCode, String),
    Connect,
    Reconnect,
    Network(Network),
    LoginAccepted,
    LoginRejected(Verdict),
}

/// The requests and messages of other threads.
pub(crate) struct Mailbox {
    mail: Mutex<Mail>,
    /// Notified when there is space again, or when there never will be.
    room: Condvar,
    /// Whether anything waits. Read without the lock, before each look at the socket.
    any: AtomicBool,
    /// Whether the client waits, and must be woken.
    asleep: AtomicBool,
    waker: Waker,
}

#[derive(Default)]
struct Mail {
    letters: VecDeque<Letter>,
    /// The bytes of all messages in `letters`.
    bytes: usize,
    controls: VecDeque<Control>,
    /// No one takes messages any more: the connection is over and its events are taken, or the
    /// client was dropped.
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

    /// Waits for space, and queues a message.
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

    /// Waits for space, and queues a request. If no one takes requests for now, drops the oldest
    /// one: only the newest matter when the client is asked for an event again.
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

    /// Whether requests or messages wait.
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

    /// The number of messages that wait.
    pub(crate) fn waiting_letters(&self) -> usize {
        if !self.has_mail() {
            return 0;
        }
        self.lock().letters.len()
    }

    /// Called before the client waits. Returns whether it may: there must be nothing that it can
    /// do. A message that waits for space in the write buffer is no reason to stay awake, because
    /// the socket or the deadline wakes the client.
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

    /// Called after the client has waited.
    pub(crate) fn wake_up(&self) {
        self.asleep.store(false, Ordering::SeqCst);
    }

    /// No one takes messages any more: refuses those that wait, and all that come later.
    pub(crate) fn retire(&self) {
        let mut mail = self.lock();
        mail.retired = true;
        mail.bytes = 0;
        let letters = std::mem::take(&mut mail.letters);
        self.taken(&mail);
        drop(mail);
        letters.into_iter().for_each(|letter| letter.refuse(SendRejection::Closed));
    }

    /// Messages are taken again.
    pub(crate) fn reopen(&self) {
        self.lock().retired = false;
    }

    fn lock(&self) -> MutexGuard<'_, Mail> {
        // The data is consistent even if a thread panicked: nothing here panics between two
        // changes.
        self.mail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
