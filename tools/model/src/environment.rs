//! The environment of the connection: the user's wish, the driver's sockets, and the server of each
//! socket.

use gateway_core::{Action, ConnectionState, Event, Notice, Outgoing, SocketId};

use crate::law::{Fault, Law};
use crate::message::{Message, Messages};
use crate::step::What;

/// How many sockets the network remembers: the last, and the one before.
pub(crate) const REMEMBERED: usize = 2;

/// Everything but the connection and the time. A socket's name is its age: 0 is the last one opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Environment {
    pub(crate) lines: [Line; REMEMBERED],
    /// The user has asked for a connection, and not for its end since.
    pub(crate) is_wanted: bool,
    /// The application reads from the last socket.
    pub(crate) is_reading: bool,
    /// The last socket accepts bytes.
    pub(crate) is_writing: bool,
    /// Unanswered pings on the last socket.
    pub(crate) unanswered: u32,
    /// Where the newest ping on the last socket is.
    pub(crate) ping: Ping,
    /// The machine waits for an empty buffer of the last socket.
    pub(crate) is_draining: bool,
}

/// Where a ping is, as the driver knows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Ping {
    /// It was just sent, and the driver has not reported it yet.
    Unreported,
    /// Part of it waits in the driver's buffer.
    Held,
    /// The socket has it, or there is none.
    #[default]
    Gone,
}

/// One socket: the driver's end, the server's end, and events in flight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Line {
    server: Server,
    driver: Driver,
    /// The server got a ping, and may answer it.
    was_asked: bool,
    /// The server got the login, and may accept or refuse it.
    got_login: bool,
    /// The machine had it aborted.
    was_aborted: bool,
    pub(crate) in_flight: Messages,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum Server {
    /// The provider is asked, and has not answered yet, or never does.
    Provider,
    /// An attempt that is not answered yet, or never.
    Asked,
    Open,
    #[default]
    Gone,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum Driver {
    /// The provider is asked.
    Asking,
    /// The request is there, and the order to open follows in the same event.
    Answered,
    Opening,
    Open,
    /// Open, and a Close was sent.
    Closing,
    #[default]
    Gone,
}

impl Line {
    const fn new(server: Server, driver: Driver, in_flight: Messages) -> Self {
        let (was_asked, got_login, was_aborted) = (false, false, false);
        Self { server, driver, was_asked, got_login, was_aborted, in_flight }
    }

    /// The possible next events of the server or the network.
    pub(crate) fn may_say(&self, message: Message) -> bool {
        let is_possible = match (self.server, message) {
            (
                Server::Provider,
                Message::Provided
                | Message::ProviderFailed
                | Message::ProviderBusy
                | Message::ProviderClosed,
            ) => true,
            (
                Server::Asked,
                Message::Opened | Message::Refused | Message::Unauthorized | Message::Unavailable,
            ) => true,
            // A driver does not read a socket that it has dropped.
            (Server::Open, _) if self.driver == Driver::Gone => false,
            (
                Server::Open,
                Message::Data
                | Message::CloseNormal
                | Message::CloseGoingAway
                | Message::CloseRestart
                | Message::Reset,
            ) => true,
            (Server::Open, Message::Pong) => self.was_asked,
            (Server::Open, Message::LoginAccepted | Message::LoginRefused) => self.got_login,
            (Server::Provider | Server::Asked | Server::Open | Server::Gone, _) => false,
        };
        is_possible && !self.in_flight.has(message)
    }

    /// Creates the event.
    pub(crate) const fn say(&mut self, message: Message) {
        self.in_flight.add(message);
        self.server = match message {
            Message::Opened
            | Message::Data
            | Message::Pong
            | Message::LoginAccepted
            | Message::LoginRefused => Server::Open,
            Message::Provided
            | Message::ProviderFailed
            | Message::ProviderBusy
            | Message::ProviderClosed
            | Message::Refused
            | Message::Unauthorized
            | Message::Unavailable
            | Message::CloseNormal
            | Message::CloseGoingAway
            | Message::CloseRestart
            | Message::Reset => Server::Gone,
        };
    }

    const fn is_held(&self) -> bool {
        !matches!(self.driver, Driver::Gone)
    }

    /// Clears what no longer matters, so that equivalent sockets are equal.
    fn settle(&mut self) {
        if self.driver == Driver::Gone && self.server == Server::Open {
            self.server = Server::Gone;
        }
        if self.server == Server::Gone {
            (self.was_asked, self.got_login) = (false, false);
        }
    }
}

impl Environment {
    /// Whether this other event is possible.
    pub(crate) fn allows(&self, what: What, state: ConnectionState) -> bool {
        let is_up = matches!(state, ConnectionState::Connected | ConnectionState::Authenticated);
        match what {
            What::Pause => is_up && self.is_reading,
            What::Resume => is_up && !self.is_reading,
            What::Block => is_up && self.is_writing,
            What::Flush => is_up && !self.is_writing,
            What::Hold(..) => is_up && self.ping == Ping::Unreported,
            What::Progress | What::Hand(_) => is_up && self.ping == Ping::Held,
            What::WriteBehind(_) => is_up && self.ping == Ping::Unreported,
            What::Drained => is_up && self.is_draining,
            _ => true, // at any time
        }
    }

    pub(crate) fn in_flight(&self) -> u32 {
        self.lines.iter().map(|line| line.in_flight.count()).sum()
    }

    /// Time passes. The driver has made its reports about the write pass of a ping.
    pub(crate) fn waited(&mut self) {
        if self.ping == Ping::Unreported {
            self.ping = Ping::Gone;
        }
    }

    /// Records the event itself, before the connection gets it.
    pub(crate) fn heard(&mut self, event: &Event<'_>, before: ConnectionState, last: u64) {
        match *event {
            Event::ConnectRequested => self.is_wanted = true,
            Event::ReconnectRequested => self.is_wanted |= before != ConnectionState::Closing,
            Event::CloseRequested(_) => self.is_wanted = false,
            Event::SocketOpened(id) => {
                // The driver has a late socket until the machine drops it.
                if let Some(line) = self.line(id, last)
                    && matches!(line.driver, Driver::Opening | Driver::Gone)
                {
                    line.driver = Driver::Open;
                }
            }
            Event::ProviderAnswered(id) => {
                if let Some(line) = self.line(id, last)
                    && line.driver == Driver::Asking
                {
                    line.driver = Driver::Answered;
                }
            }
            Event::ProviderFailed(id, _) => {
                if let Some(line) = self.line(id, last)
                    && line.driver == Driver::Asking
                {
                    line.driver = Driver::Gone;
                }
            }
            Event::OpenFailed(id, _) => {
                if let Some(line) = self.line(id, last) {
                    line.driver = Driver::Gone;
                }
            }
            Event::ReadingPaused(_) => self.is_reading = false,
            Event::ReadingResumed(_) => self.is_reading = true,
            Event::WriteBlocked(_) => self.is_writing = false,
            Event::Flushed(_) => self.is_writing = true,
            Event::PingHeld(..) => self.ping = Ping::Held,
            Event::PingHanded(..) => self.ping = Ping::Gone,
            Event::Drained(_) => self.is_draining = false,
            Event::SendRequested(_)
            | Event::LoginAccepted
            | Event::LoginRejected(_)
            | Event::OpenReserved(_)
            | Event::SocketFailed(..)
            | Event::FrameReceived(..)
            | Event::BytesReceived(_)
            | Event::WriteProgressed(_)
            | Event::WallClock(_)
            | Event::NetworkChanged(_)
            | Event::Tick => {}
        }
    }

    /// Performs an action, as a driver does. `last` counts the sockets.
    pub(crate) fn perform(&mut self, action: &Action, last: &mut u64) -> Result<(), Fault> {
        match *action {
            Action::AskProvider { id, .. } => self.ask(id, last),
            Action::OpenSocket { id, .. } => self.open(id, last),
            Action::Send(id, outgoing) => self.send(id, outgoing, *last),
            Action::CloseSocket(id) => {
                if let Some(line) = self.line(id, *last) {
                    line.driver = Driver::Gone;
                }
                Ok(())
            }
            Action::AbortSocket(id) => self.abort(id, *last),
            Action::Drain(_) => {
                self.is_draining = true;
                Ok(())
            }
            Action::Notify(Notice::PongReceived { .. }) => {
                self.unanswered = self.unanswered.saturating_sub(1);
                Ok(())
            }
            Action::ReserveOpen(_)
            | Action::ReleaseOpen
            | Action::ScheduleTimer(_)
            | Action::CancelTimer
            | Action::ResumeAt(_)
            | Action::Deliver
            | Action::Notify(_) => Ok(()),
        }
    }

    fn ask(&mut self, id: SocketId, last: &mut u64) -> Result<(), Fault> {
        self.begin(id, last)?;
        self.lines[0] = Line::new(Server::Provider, Driver::Asking, Messages::NONE);
        Ok(())
    }

    /// Opens the socket of a new attempt, or of the one whose request is there.
    fn open(&mut self, id: SocketId, last: &mut u64) -> Result<(), Fault> {
        let asked = self.lines[0];
        let is_answered = id.number() == *last && asked.driver == Driver::Answered;
        let in_flight = if is_answered {
            asked.in_flight // the provider may answer twice
        } else {
            self.begin(id, last)?;
            Messages::NONE
        };
        self.lines[0] = Line::new(Server::Asked, Driver::Opening, in_flight);
        Ok(())
    }

    /// A new attempt.
    fn begin(&mut self, id: SocketId, last: &mut u64) -> Result<(), Fault> {
        let is_next = id.number() == *last + 1;
        Law::OneSocket.hold(is_next, || format!("socket {id} is opened after {last}"))?;
        let held = self.held(*last);
        Law::OneSocket
            .hold(held.is_empty(), || format!("socket {id} is opened while {held:?} is held"))?;
        Law::CloseWins
            .hold(self.is_wanted, || format!("socket {id} is opened though nobody wants it"))?;
        *last = id.number();
        self.lines.rotate_right(1);
        self.refresh();
        Ok(())
    }

    /// Resets the state of the last socket.
    fn refresh(&mut self) {
        (self.is_reading, self.is_writing) = (true, true);
        (self.unanswered, self.ping, self.is_draining) = (0, Ping::Gone, false);
    }

    fn abort(&mut self, id: SocketId, last: u64) -> Result<(), Fault> {
        let line = self.line(id, last).filter(|line| line.is_held());
        let Some(line) = line else {
            return Err(
                Law::Abort.broken(format!("{id} is aborted, and the driver has let go of it"))
            );
        };
        Law::Abort.hold(!matches!(line.driver, Driver::Asking | Driver::Answered), || {
            format!("{id} is aborted, and only the provider is asked")
        })?;
        let was_told = line.driver == Driver::Closing;
        (line.driver, line.was_aborted) = (Driver::Gone, true);
        Law::Abort.hold(!was_told, || format!("{id} is aborted after its Close"))
    }

    fn send(&mut self, id: SocketId, outgoing: Outgoing, last: u64) -> Result<(), Fault> {
        let Some(line) = self.line(id, last) else {
            return Err(Law::OneSocket.broken(format!("sent to socket {id}, long gone")));
        };
        Law::Abort.hold(!line.was_aborted, || format!("{outgoing:?} follows the abort of {id}"))?;
        let is_close = matches!(outgoing, Outgoing::Close(_) | Outgoing::RequestedClose);
        match line.driver {
            Driver::Open if is_close => line.driver = Driver::Closing,
            Driver::Open => {}
            Driver::Closing => {
                return Err(Law::OneClose.broken(format!("{outgoing:?} follows the Close of {id}")));
            }
            Driver::Asking | Driver::Answered | Driver::Opening | Driver::Gone => {
                return Err(Law::OneSocket.broken(format!("{outgoing:?} to {id}, not open")));
            }
        }
        match outgoing {
            Outgoing::Ping(_) | Outgoing::WebSocketPing(_) | Outgoing::DialectPing(_) => {
                line.was_asked = true;
                self.unanswered = self.unanswered.saturating_add(1);
                self.ping = Ping::Unreported;
            }
            Outgoing::Login => line.got_login = true,
            Outgoing::Requested
            | Outgoing::RequestedClose
            | Outgoing::Close(_)
            | Outgoing::Dialect(_)
            | Outgoing::Pong(_) => {}
        }
        Ok(())
    }

    /// Clears what no longer matters.
    pub(crate) fn settle(&mut self) {
        for line in &mut self.lines {
            line.settle();
        }
        if !self.lines[0].is_held() {
            self.refresh();
        }
    }

    /// Whether the driver has exactly the socket that the machine names.
    pub(crate) fn agrees(&self, named: Option<SocketId>, last: u64) -> Result<(), Fault> {
        let held = self.held(last);
        let named: Vec<u64> = named.into_iter().map(SocketId::number).collect();
        Law::OneSocket
            .hold(held == named, || format!("the driver holds {held:?}, the machine {named:?}"))
    }

    /// The sockets of the driver.
    fn held(&self, last: u64) -> Vec<u64> {
        let held = self.lines.iter().enumerate().filter(|(_, line)| line.is_held());
        held.map(|(age, _)| last - age as u64).collect()
    }

    fn line(&mut self, id: SocketId, last: u64) -> Option<&mut Line> {
        let age = last.checked_sub(id.number())?;
        self.lines.get_mut(usize::try_from(age).ok()?)
    }
}
