//! The whole driver: one wait, one fact, and what follows from it.

use alloc::string::String;
use alloc::sync::Arc;
use core::fmt;

use gateway_core::{
    Action, CloseFrame, Config, Connection, ConnectionState, Encoded, Event, Frame, Message,
    Notice, Outgoing, SocketId,
};
use heapless::Deque;
use rand_pcg::Pcg32;

use crate::board::{Board, Payload, Wakeup};

/// How many readings wait while there is no connection.
pub const OUTBOX: usize = 8;

/// The longest reading, in bytes.
pub const READING: usize = 64;

/// So much news is heard past a deadline before it fires: a peer that never stops talking starves no timer.
const NEWS_BEFORE_TICK: u32 = 16;

/// What the device does with what comes. Neither call waits.
pub trait Application {
    /// A message came in.
    fn message(&mut self, message: Message<'_>);

    /// News of the connection.
    fn notice(&mut self, notice: Notice);
}

/// A reading is longer than [`READING`], or [`OUTBOX`] of them are waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRoom;

impl fmt::Display for NoRoom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no room for this reading")
    }
}

impl core::error::Error for NoRoom {}

/// A device that sends readings, and keeps a few while it is away.
pub struct Device<B> {
    driver: Driver<B>,
    payload: Payload,
    outbox: Deque<heapless::String<READING>, OUTBOX>,
    overdue: u32,
}

impl<B: Board> Device<B> {
    /// A device that connects when it is asked to.
    pub fn new(mut board: B, config: Arc<Config>) -> Self {
        // 16 bytes of state are enough to spread retries.
        let [state, stream] = board.entropy();
        let connection = Connection::new(config, Pcg32::new(state, stream));
        let driver = Driver { board, connection, scratch: String::new() };
        Self { driver, payload: Payload::new(), outbox: Deque::new(), overdue: 0 }
    }

    /// The board.
    pub const fn board(&self) -> &B {
        &self.driver.board
    }

    /// The board.
    pub const fn board_mut(&mut self) -> &mut B {
        &mut self.driver.board
    }

    /// The state.
    pub fn state(&self) -> ConnectionState {
        self.driver.connection.state()
    }

    /// Connects, and stays connected, for as long as [`step`](Self::step) is called.
    pub fn connect(&mut self, application: &mut impl Application) {
        self.driver.tell(Event::ConnectRequested, application);
    }

    /// Starts to close the connection.
    pub fn close(&mut self, application: &mut impl Application) {
        self.driver.tell(Event::CloseRequested(CloseFrame::NORMAL), application);
    }

    /// Takes a reading, which is sent at the end of the next [`step`](Self::step) that finds the connection ready.
    ///
    /// # Errors
    /// There is no room for it.
    pub fn post(&mut self, reading: &str) -> Result<(), NoRoom> {
        let reading = heapless::String::try_from(reading).map_err(|_| NoRoom)?;
        self.outbox.push_back(reading).map_err(|_| NoRoom)
    }

    /// Waits for one fact, and does what follows from it. Dropping the future loses nothing: what is not awaited is done at
    /// once.
    pub async fn step(&mut self, application: &mut impl Application) {
        self.send_readings(application);
        let Self { driver, payload, overdue, .. } = self;
        let deadline = driver.connection.next_deadline();
        match driver.board.wait(deadline, payload).await {
            Wakeup::Network(socket, news) => {
                driver.tell(news.of(socket, payload), application);
                *overdue = if driver.is_due() { *overdue + 1 } else { 0 };
            }
            Wakeup::Due => *overdue = NEWS_BEFORE_TICK,
        }
        if *overdue >= NEWS_BEFORE_TICK {
            *overdue = 0;
            driver.fire(application);
        }
        self.send_readings(application);
    }

    fn send_readings(&mut self, application: &mut impl Application) {
        while self.driver.connection.is_ready() {
            let Some(reading) = self.outbox.pop_front() else { return };
            self.driver.tell(Event::SendRequested(Message::Text(&reading)), application);
        }
    }
}

impl<B> fmt::Debug for Device<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Device")
            .field("connection", &self.driver.connection)
            .field("outbox", &self.outbox.len())
            .finish_non_exhaustive()
    }
}

/// The core, and the board that carries out its orders.
struct Driver<B> {
    board: B,
    connection: Connection<Pcg32>,
    /// For the texts of the core's own.
    scratch: String,
}

impl<B: Board> Driver<B> {
    /// Hands over one fact and carries out what follows, in order.
    fn tell(&mut self, event: Event<'_>, application: &mut impl Application) {
        for action in self.connection.handle(self.board.now(), event) {
            match action {
                Action::AskProvider { .. } => {} // only with `ask_provider`
                Action::ReserveOpen(_) | Action::ReleaseOpen => {} // only with `shared_budget`
                Action::OpenSocket { id, .. } => self.board.open(id),
                Action::CloseSocket(id) => self.board.close(id),
                Action::AbortSocket(id) => self.board.abort(id),
                Action::Drain(_) => {}    // only with `renew_after`
                Action::ResumeAt(_) => {} // only with a dialect
                Action::Send(id, outgoing) => self.send(id, outgoing, event),
                Action::Deliver => match event {
                    Event::FrameReceived(_, Frame::Text(text)) => {
                        application.message(Message::Text(text));
                    }
                    Event::FrameReceived(_, Frame::Binary(bytes)) => {
                        application.message(Message::Binary(bytes));
                    }
                    _ => {} // messages alone are delivered
                },
                Action::Notify(notice) => application.notice(notice),
                Action::ScheduleTimer(_) | Action::CancelTimer => {} // next_deadline says the same
            }
        }
    }

    fn send(&mut self, socket: SocketId, outgoing: Outgoing, event: Event<'_>) {
        self.scratch.clear();
        let frame = match self.connection.encode(&outgoing, &mut self.scratch) {
            Some(Encoded::Text) => Frame::Text(&self.scratch),
            Some(Encoded::Binary(bytes)) => Frame::Binary(bytes),
            Some(Encoded::Ping) => Frame::Ping(self.scratch.as_bytes()),
            Some(Encoded::Close(code)) => Frame::Close(CloseFrame::new(code.number(), "").ok()),
            // What the event in hand carries.
            None => match event {
                Event::SendRequested(Message::Text(text)) => Frame::Text(text),
                Event::SendRequested(Message::Binary(bytes)) => Frame::Binary(bytes),
                Event::CloseRequested(frame) => Frame::Close(Some(frame)),
                _ => return, // no other event asks for something to be sent
            },
        };
        self.board.send(socket, frame);
    }

    /// The deadline is due.
    fn fire(&mut self, application: &mut impl Application) {
        if let Some(wall) = self.board.wall() {
            self.tell(Event::WallClock(wall), application);
        }
        self.tell(Event::Tick, application);
    }

    fn is_due(&self) -> bool {
        let now = self.board.now();
        self.connection.next_deadline().is_some_and(|deadline| now >= deadline)
    }
}
