//! Runs the client in a background task, with a bounded handle that can be cloned.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use gateway_core::{CloseCode, CloseFrame, Network, SendRejection, Verdict};
use gateway_wire::{ClientEvent, Message, MessageId, ResponseHeaders, SendError};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use crate::client::Client;

/// The most events that may wait for the user, and the most messages that may wait for the task.
const QUEUE: usize = 256;

/// The most bytes of messages that may wait to be sent. A single longer message may also wait.
const LETTER_BYTES: usize = 1 << 20;

/// The most events that are taken from the queue at once. They wait on the user's side, in addition
/// to those in the queue.
const BATCH: usize = 32;

/// The most other requests that may wait.
const CONTROLS: usize = 16;

/// Sends messages and requests to a client in a background task. All clones use the same client.
///
/// ```no_run
/// use gateway_tokio::{Client, ClientEvent, Message};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let (handle, mut events) = Client::builder("ws://127.0.0.1:9001").build()?.spawn();
/// while let Some(event) = events.next().await {
///     if let ClientEvent::Message(message) = event {
///         if let Err(refused) = handle.send(message).await {
///             println!("{refused}"); // not connected; the error contains the message
///         }
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Handle {
    /// One permit for each byte of the messages that may wait in the queue.
    room: Arc<Semaphore>,
    letters: mpsc::Sender<Letter>,
    controls: mpsc::Sender<Control>,
}

/// The pending result of a message that was [enqueued](Handle::enqueue).
///
/// Awaiting it returns the message's number as soon as the client has accepted the message into its
/// write buffer. Dropping the receipt does not take the message back: the client still tries to
/// send the message, but you do not learn whether it was accepted.
///
/// # Errors
/// Returns the message if the connection is not ready, is closing, or is CLOSED. It also returns
/// the message if the write buffer is full and the transport took no byte for
/// [`send_stall`](crate::Builder::send_stall), or if more than 4,096 ranges of outcomes are unread.
/// If the runtime was shut down with the message in the task's queue, the error contains an empty
/// message instead.
#[derive(Debug)]
#[must_use = "only the receipt returns a refusal"]
pub struct Receipt {
    outcome: oneshot::Receiver<Result<MessageId, SendError>>,
}

impl Future for Receipt {
    type Output = Result<MessageId, SendError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let gone = |_| Err(SendError::new(SendRejection::Closed, Message::text("")));
        Pin::new(&mut self.outcome).poll(cx).map(|outcome| outcome.unwrap_or_else(gone))
    }
}

/// The events of a client in a background task. Dropping this closes the connection with 1000.
#[derive(Debug)]
pub struct Events {
    queue: mpsc::Receiver<ClientEvent>,
    /// Events taken from the queue, in reverse order.
    batch: Vec<ClientEvent>,
    waiting: Arc<Waiting>,
}

/// What waits for the user: its size in bytes, and a notification for the task. The user's side
/// notifies the task with the last event of each batch. By then the queue has space for as many
/// events again. If the user has taken all events, their bytes are already subtracted.
#[derive(Debug, Default)]
struct Waiting {
    bytes: AtomicUsize,
    taken: Notify,
}

fn weight(event: &ClientEvent) -> usize {
    match event {
        ClientEvent::Message(message) => message.len(),
        _ => 0,
    }
}

/// A message to be sent, and where its result goes.
struct Letter {
    message: Message,
    answer: oneshot::Sender<Result<MessageId, SendError>>,
    /// The permits for the message's bytes in the queue.
    _room: Option<OwnedSemaphorePermit>,
}

impl Letter {
    fn hand_back(self, why: SendRejection) {
        let _ = self.answer.send(Err(SendError::new(why, self.message))); // the sender may be gone
    }
}

/// A request that overtakes messages.
enum Control {
    Close(CloseCode, String),
    Connect,
    Reconnect,
    Network(Network),
    LoginAccepted,
    LoginRejected(Verdict),
    ResponseHeaders(oneshot::Sender<ResponseHeaders>),
}

impl Client {
    /// Runs the client in a new task on the current runtime.
    ///
    /// The queues in both directions are bounded in number (256) and in bytes:
    ///
    /// - Messages to send: up to 1 MiB, then `send` waits.
    /// - Received messages: up to [`Limits::backlog`](crate::Limits::backlog), or until the queue
    ///   holds 256 events and another message waits. Then the client stops reading until you take
    ///   some.
    /// - Notices do not stop the reading. Past the limit the client drops some, and
    ///   [`ClientEvent::Missed`] counts them.
    ///
    /// The task keeps the client's deadlines even while you take no events. It ends when the
    /// connection is CLOSED and the queue has space for the last events. You can still receive
    /// these, but the client cannot connect again. If you drop [`Events`], the client closes the
    /// connection with 1000, and the task ends. If you drop every [`Handle`], you can no longer
    /// send, but the connection stays open.
    ///
    /// # Panics
    /// Panics outside of a tokio runtime, as [`tokio::spawn`] does.
    pub fn spawn(self) -> (Handle, Events) {
        let (letters, letter_queue) = mpsc::channel(QUEUE);
        let (controls, control_queue) = mpsc::channel(CONTROLS);
        let (event_queue, events) = mpsc::channel(QUEUE);
        let waiting = Arc::<Waiting>::default();
        let room = Arc::new(Semaphore::new(LETTER_BYTES));
        tokio::spawn(run(self, letter_queue, control_queue, event_queue, Arc::clone(&waiting)));
        (Handle { room, letters, controls }, Events { queue: events, batch: Vec::new(), waiting })
    }
}

impl Handle {
    /// Passes a message to the task, and returns its number once the client has accepted it into
    /// its write buffer. Waits while the queue or the write buffer is full.
    ///
    /// Cancel-safe: nothing is left half done. If you drop the future, the message may still be
    /// sent.
    ///
    /// # Errors
    /// Returns the message if the connection is not ready, is closing, or is CLOSED. It also
    /// returns the message if the write buffer is full and the transport took no byte for
    /// [`send_stall`](crate::Builder::send_stall), or if more than 4,096 ranges of outcomes are
    /// unread. If the runtime was shut down with the message in the task's queue, the error
    /// contains an empty message instead.
    pub async fn send(&self, message: impl Into<Message>) -> Result<MessageId, SendError> {
        self.enqueue(message).await?.await
    }

    /// Passes a message to the task, and returns a [`Receipt`] without waiting for the result.
    /// [`send`](Self::send) costs a round trip to the task for each message. If you enqueue many
    /// messages, and then await their receipts together, they may share one round trip.
    ///
    /// Waits while the queue is full. Cancel-safe: if you drop the future before it completes, the
    /// message is not sent.
    ///
    /// ```no_run
    /// # async fn example(handle: gateway_tokio::Handle) -> Result<(), gateway_tokio::SendError> {
    /// let mut receipts = Vec::new();
    /// for number in 0..100 {
    ///     receipts.push(handle.enqueue(format!("reading {number}")).await?);
    /// }
    /// for receipt in receipts {
    ///     receipt.await?; // accepted into the write buffer, in this order
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Returns the message if the task has ended. The receipt returns all other errors.
    pub async fn enqueue(&self, message: impl Into<Message>) -> Result<Receipt, SendError> {
        let message = message.into();
        // A message longer than the limit takes all permits, so it is accepted if it is alone.
        let bytes = u32::try_from(message.len().min(LETTER_BYTES)).unwrap_or(u32::MAX);
        let _room = match Arc::clone(&self.room).try_acquire_many_owned(bytes) {
            Ok(permit) => Some(permit),
            Err(_) => Arc::clone(&self.room).acquire_many_owned(bytes).await.ok(),
        };
        let (answer, outcome) = oneshot::channel();
        let letter = Letter { message, answer, _room };
        if let Err(mpsc::error::SendError(letter)) = self.letters.send(letter).await {
            return Err(SendError::new(SendRejection::Closed, letter.message));
        }
        Ok(Receipt { outcome })
    }

    /// Starts to close the connection. This overtakes messages in the queue.
    pub async fn close(&self, frame: CloseFrame<'_>) {
        // If the task has ended, the connection is already closed.
        let _ = self.controls.send(Control::Close(frame.code(), frame.reason().to_owned())).await;
    }

    /// Connects at once if the client is waiting to retry or is closing; see [`Client::connect`].
    /// This does nothing after you have dropped [`Events`], or after the task has ended. The task
    /// of a CLOSED client ends as soon as its last events are in your queue. To connect again,
    /// build a new client.
    pub async fn connect(&self) {
        let _ = self.controls.send(Control::Connect).await;
    }

    /// Replaces the socket on purpose; see [`Client::reconnect`]. This overtakes messages in the
    /// queue. It does nothing after you have dropped [`Events`], or after the task has ended.
    pub async fn reconnect(&self) {
        let _ = self.controls.send(Control::Reconnect).await;
    }

    /// Reports that the running login was accepted; see
    /// [`Client::login_accepted`].
    pub async fn login_accepted(&self) {
        let _ = self.controls.send(Control::LoginAccepted).await;
    }

    /// Reports that the running login was refused, or that an accepted login is no longer valid;
    /// see [`Client::login_rejected`].
    pub async fn login_rejected(&self, verdict: Verdict) {
        let _ = self.controls.send(Control::LoginRejected(verdict)).await;
    }

    /// Returns the header fields of the server's last answer 101; see
    /// [`Client::response_headers`]. Returns `None` after the task has ended.
    pub async fn response_headers(&self) -> Option<ResponseHeaders> {
        let (answer, headers) = oneshot::channel();
        self.controls.send(Control::ResponseHeaders(answer)).await.ok()?;
        headers.await.ok()
    }

    /// Reports a hint from the operating system: the network is back, or gone; see
    /// [`Client::network_changed`].
    pub async fn network_changed(&self, network: Network) {
        let _ = self.controls.send(Control::Network(network)).await;
    }
}

impl Events {
    /// Returns the next event. Returns `None` once the connection is CLOSED.
    ///
    /// Cancel-safe: if you drop the future, no event is lost.
    pub async fn next(&mut self) -> Option<ClientEvent> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<ClientEvent>> {
        if self.batch.is_empty() {
            ready!(self.queue.poll_recv_many(cx, &mut self.batch, BATCH));
            self.batch.reverse();
        }
        let event = self.batch.pop();
        if let Some(event) = &event {
            self.waiting.bytes.fetch_sub(weight(event), Ordering::Relaxed);
            if self.batch.is_empty() {
                self.waiting.taken.notify_one();
            }
        }
        Poll::Ready(event)
    }
}

/// Yields the same events as [`Events::next`].
impl Stream for Events {
    type Item = ClientEvent;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<ClientEvent>> {
        self.get_mut().poll_recv(cx)
    }
}

async fn run(
    mut client: Client,
    mut letters: mpsc::Receiver<Letter>,
    mut controls: mpsc::Receiver<Control>,
    events: mpsc::Sender<ClientEvent>,
    waiting: Arc<Waiting>,
) {
    let mut abandoned = false;
    client.engine.end_wait(); // of a future that was dropped before the client was spawned
    // The next message, while the write buffer has no space for it.
    let mut next: Option<Letter> = None;
    loop {
        let room = deliver(&mut client, &events, &waiting);
        if client.is_over() {
            break;
        }
        if let Some(letter) = next.take() {
            match client.poll_space() {
                Poll::Ready(Ok(())) => post(&mut client, &mut letters, letter),
                Poll::Ready(Err(stalled)) => hand_back(&mut letters, letter, stalled),
                Poll::Pending => next = Some(letter),
            }
        }
        // Only messages stop the reading. Notices are bounded without that, and unread pings would
        // end the connection.
        let held = !room && client.has_messages();
        client.hold(held);
        let driven_out = client.is_driven_out();
        // Every arm is cancel-safe: a drive keeps its progress in the client, a request is either
        // received or not, and an unused notification is kept.
        tokio::select! {
            biased;
            Some(control) = controls.recv() => match control {
                Control::Connect | Control::Reconnect if abandoned => {} // no one receives its events
                control => obey(&mut client, control),
            },
            () = events.closed(), if !abandoned => {
                abandoned = true;
                client.close(CloseFrame::NORMAL);
            }
            () = waiting.taken.notified(), if !room => {}
            Some(letter) = letters.recv(), if next.is_none() => next = Some(letter),
            // A drive with nothing to do is ready at once, and would make this a busy loop.
            () = client.drive(room, held, next.is_some()), if !driven_out => {}
        }
    }
    // Messages that still wait go back to their senders.
    letters.close();
    if let Some(letter) = next {
        letter.hand_back(SendRejection::Closed);
    }
    while let Some(letter) = letters.recv().await {
        letter.hand_back(SendRejection::Closed);
    }
}

/// Moves events to the user's queue as far as it has space. Returns whether all of them were moved.
fn deliver(client: &mut Client, events: &mpsc::Sender<ClientEvent>, waiting: &Waiting) -> bool {
    while client.has_events() {
        let places = events.capacity().min(client.waiting_events());
        match events.try_reserve_many(places) {
            Ok(_) if places == 0 => return false, // asked because the queue may be closed
            Ok(permits) => {
                for permit in permits {
                    let is_full = waiting.bytes.load(Ordering::Relaxed) > client.backlog_limit();
                    if is_full && !events.is_closed() {
                        return false;
                    }
                    let Some(event) = client.take_event() else { break };
                    waiting.bytes.fetch_add(weight(&event), Ordering::Relaxed);
                    permit.send(event);
                }
            }
            // Cannot happen: no one else sends into this queue.
            Err(mpsc::error::TrySendError::Full(())) => return false,
            Err(mpsc::error::TrySendError::Closed(())) => {
                let _ = client.take_event(); // no one receives it
            }
        }
    }
    true
}

/// Sends all messages that wait, as far as there is space. The next drive writes them together.
/// Messages that come meanwhile wait for the next call. Otherwise senders whose messages are
/// refused at once could keep this loop running, and the client would not be driven.
fn post(client: &mut Client, letters: &mut mpsc::Receiver<Letter>, first: Letter) {
    let waiting = letters.len();
    let Letter { message, answer, .. } = first;
    let _ = answer.send(client.try_send(message)); // the sender may be gone
    for _ in 0..waiting {
        if client.is_write_blocked() {
            return;
        }
        let Ok(Letter { message, answer, .. }) = letters.try_recv() else { return };
        let _ = answer.send(client.try_send(message));
    }
}

/// Returns all messages that wait to their senders, because the wait of each of them has stalled.
fn hand_back(letters: &mut mpsc::Receiver<Letter>, first: Letter, why: SendRejection) {
    let waiting = letters.len();
    first.hand_back(why);
    for _ in 0..waiting {
        let Ok(letter) = letters.try_recv() else { return };
        letter.hand_back(why);
    }
}

fn obey(client: &mut Client, control: Control) {
    match control {
        Control::Close(code, reason) => {
            if let Ok(frame) = CloseFrame::new(code.number(), &reason) {
                client.close(frame);
            }
        }
        Control::Connect => client.connect(),
        Control::Reconnect => client.reconnect(),
        Control::Network(network) => client.network_changed(network),
        Control::LoginAccepted => client.login_accepted(),
        Control::LoginRejected(verdict) => client.login_rejected(verdict),
        Control::ResponseHeaders(answer) => {
            let _ = answer.send(client.response_headers().clone()); // the caller may be gone
        }
    }
}
