//! The client in a background task, with a bounded handle that can be cloned.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use gateway_core::{CloseCode, CloseFrame, Network, SendRejection, Verdict};
use gateway_wire::{ClientEvent, Message, MessageId, SendError};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use crate::client::Client;

/// How many events, and how many messages to be sent, may wait between the task and its users.
const QUEUE: usize = 256;

/// How many bytes of messages may wait to be sent, beside one message that is longer.
const LETTER_BYTES: usize = 1 << 20;

/// How many events are taken out of the queue at once: they wait at the user's side of it, besides those in the queue.
const BATCH: usize = 32;

/// How many other requests may wait.
const CONTROLS: usize = 16;

/// Speaks to a client in a background task. Clones share it.
///
/// ```no_run
/// use gateway_tokio::{Client, ClientEvent, Message};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let (handle, mut events) = Client::builder("ws://127.0.0.1:9001").build()?.spawn();
/// while let Some(event) = events.next().await {
///     if let ClientEvent::Message(message) = event {
///         if let Err(refused) = handle.send(message).await {
///             println!("{refused}"); // away: the message is in there
///         }
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Handle {
    /// One permit a byte of the messages that may wait in the queue.
    room: Arc<Semaphore>,
    letters: mpsc::Sender<Letter>,
    controls: mpsc::Sender<Control>,
}

/// The answer to come for a message that was [enqueued](Handle::enqueue): its number, once it was taken into the write buffer, or the refusal
/// that hands it back: the connection is not ready, closing, or CLOSED, or the transport took no byte for
/// [`send_stall`](crate::Builder::send_stall). (If the runtime was shut down with the message in its queue, an empty one.)
///
/// Dropping it takes nothing back: the message is sent all the same, and only a refusal goes unheard.
#[derive(Debug)]
#[must_use = "a refusal is told here and nowhere else"]
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

/// What happened, from a client in a background task. Dropping it closes the connection.
#[derive(Debug)]
pub struct Events {
    queue: mpsc::Receiver<ClientEvent>,
    /// Taken out of the queue, the next one last.
    batch: Vec<ClientEvent>,
    waiting: Arc<Waiting>,
}

/// What waits for the user: its weight in bytes, and word to the task with the last event of each batch: by then it has room in
/// the queue for as many again, and where the user has taken all there is, the word comes with all bytes gone.
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

/// A message to be sent, and who waits for its number.
struct Letter {
    message: Message,
    answer: oneshot::Sender<Result<MessageId, SendError>>,
    /// The message's bytes in the queue.
    _room: Option<OwnedSemaphorePermit>,
}

impl Letter {
    fn hand_back(self, why: SendRejection) {
        let _ = self.answer.send(Err(SendError::new(why, self.message))); // the asker may have gone
    }
}

/// A request that overtakes messages.
enum Control {
    Close(CloseCode, String),
    Connect,
    Network(Network),
    LoginAccepted,
    LoginRejected(Verdict),
}

impl Client {
    /// Runs the client in a task of its own, on the current runtime.
    ///
    /// Both queues are bounded in count and bytes. Messages that the application does not take stop the reading (the peer feels it).
    /// Notices stop nothing: past the bound some are dropped, and [`ClientEvent::Missed`] counts them. The timers never stop. The task ends when the connection is CLOSED and every event was taken, or,
    /// after a close with 1000, when [`Events`] is dropped. Dropping every [`Handle`] only ends the sending.
    ///
    /// # Panics
    /// Outside of a tokio runtime, as [`tokio::spawn`] does.
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
    /// Hands a message to the task, and returns its number once it was taken into the write buffer.
    ///
    /// Waits while the queue or the write buffer is full. Cancel-safe in that nothing is half done: a message
    /// whose future was dropped may still be sent.
    ///
    /// # Errors
    /// The message itself where the connection is not ready, closing, or CLOSED, or where the write buffer is full and the transport
    /// took no byte for [`send_stall`](crate::Builder::send_stall). (If the runtime was shut down
    /// with the message in its queue, an empty one.)
    pub async fn send(&self, message: impl Into<Message>) -> Result<MessageId, SendError> {
        self.enqueue(message).await?.await
    }

    /// Hands a message to the task and goes on: the [`Receipt`] tells what became of it. Many messages, and their receipts
    /// awaited together, may take the way to the task and back once, where [`send`](Self::send) takes it for each.
    ///
    /// Waits while the queue is full. Cancel-safe: a message whose future was dropped before it was done is not sent.
    ///
    /// ```no_run
    /// # async fn example(handle: gateway_tokio::Handle) -> Result<(), gateway_tokio::SendError> {
    /// let mut receipts = Vec::new();
    /// for number in 0..100 {
    ///     receipts.push(handle.enqueue(format!("reading {number}")).await?);
    /// }
    /// for receipt in receipts {
    ///     receipt.await?; // taken into the write buffer, in this order
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The message itself where the task has ended. All other refusals are the receipt's.
    pub async fn enqueue(&self, message: impl Into<Message>) -> Result<Receipt, SendError> {
        let message = message.into();
        // One message alone is always taken, however long it is.
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

    /// Starts to close the connection; overtakes messages that wait to be taken.
    pub async fn close(&self, frame: CloseFrame<'_>) {
        // A task that has ended is closed already.
        let _ = self.controls.send(Control::Close(frame.code(), frame.reason().to_owned())).await;
    }

    /// Connects at once where a retry was waited for.
    pub async fn connect(&self) {
        let _ = self.controls.send(Control::Connect).await;
    }

    /// Says that a login with [`Login::External`](gateway_core::Login::External) was accepted.
    pub async fn login_accepted(&self) {
        let _ = self.controls.send(Control::LoginAccepted).await;
    }

    /// Says that a login with [`Login::External`](gateway_core::Login::External) was refused, and what follows.
    pub async fn login_rejected(&self, verdict: Verdict) {
        let _ = self.controls.send(Control::LoginRejected(verdict)).await;
    }

    /// Passes on a hint of the operating system.
    pub async fn network_changed(&self, network: Network) {
        let _ = self.controls.send(Control::Network(network)).await;
    }
}

impl Events {
    /// The next event; `None` once the connection is CLOSED.
    ///
    /// Cancel-safe.
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

/// Yields what [`Events::next`] does.
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
    // The message that is next, while the write buffer has no space for it.
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
        // Only messages stop the reading: notices are bounded without it, and unread pings would end the connection.
        let held = !room && client.has_messages();
        client.hold(held);
        let driven_out = client.is_driven_out();
        // Every arm is cancel-safe: a drive leaves its progress in the client, a request is taken or not, a
        // notification that was not used is kept.
        tokio::select! {
            biased;
            Some(control) = controls.recv() => match control {
                Control::Connect if abandoned => {} // nobody would hear of it
                control => obey(&mut client, control),
            },
            () = events.closed(), if !abandoned => {
                abandoned = true;
                client.close(CloseFrame::NORMAL);
            }
            () = waiting.taken.notified(), if !room => {}
            Some(letter) = letters.recv(), if next.is_none() => next = Some(letter),
            // A drive with nothing to drive is ready at once, and would be so for ever.
            () = client.drive(room, held, next.is_some()), if !driven_out => {}
        }
    }
    // What still waits to be taken goes back to its senders.
    letters.close();
    if let Some(letter) = next {
        letter.hand_back(SendRejection::Closed);
    }
    while let Some(letter) = letters.recv().await {
        letter.hand_back(SendRejection::Closed);
    }
}

/// Hands over what waits, as far as there is room; says whether there was enough.
fn deliver(client: &mut Client, events: &mpsc::Sender<ClientEvent>, waiting: &Waiting) -> bool {
    while client.has_events() {
        let places = events.capacity().min(client.waiting_events());
        match events.try_reserve_many(places) {
            Ok(_) if places == 0 => return false, // asked all the same: the queue may be closed
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
            // Somebody else would have to send.
            Err(mpsc::error::TrySendError::Full(())) => return false,
            Err(mpsc::error::TrySendError::Closed(())) => {
                let _ = client.take_event(); // nobody listens any more
            }
        }
    }
    true
}

/// Takes all messages that wait, as far as there is space: they are written together by the next drive. Those that come
/// meanwhile are left for the next time, so that senders that are refused at once keep no one from driving the client.
fn post(client: &mut Client, letters: &mut mpsc::Receiver<Letter>, first: Letter) {
    let waiting = letters.len();
    let Letter { message, answer, .. } = first;
    let _ = answer.send(client.try_send(message)); // the asker may have gone
    for _ in 0..waiting {
        if client.is_write_blocked() {
            return;
        }
        let Ok(Letter { message, answer, .. }) = letters.try_recv() else { return };
        let _ = answer.send(client.try_send(message));
    }
}

/// Returns all messages that wait to their senders: for each of them the transport has taken nothing for too long.
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
        Control::Network(network) => client.network_changed(network),
        Control::LoginAccepted => client.login_accepted(),
        Control::LoginRejected(verdict) => client.login_rejected(verdict),
    }
}
