//! What must be possible in each state, tried on a copy of the connection.

use gateway_core::{
    Action, Actions, Connection, ConnectionState, DisconnectCause, Event, Frame, Instant, Notice,
    SocketId,
};
use gateway_testkit::Fixed;

use crate::environment::Ping;
use crate::message::Message;
use crate::speech::Speech;
use crate::state::State;

/// The most events that a healthy world needs: CLOSING's Tick, connect, the provider's answer, open, login.
const STEPS_TO_READY: usize = 5;

/// How many deadlines of a healthy connection are checked.
const DEADLINES: usize = 5;

/// The result of a drill, or what went wrong.
pub(crate) type Outcome = Result<(), String>;

/// An early Tick changes nothing.
pub(crate) fn early_tick(state: &State) -> Outcome {
    if state.fault.is_some() || state.connection.next_deadline().is_some_and(|at| at <= state.now) {
        return Ok(());
    }
    let mut connection = state.connection.clone();
    let actions = connection.handle(state.now, Event::Tick);
    if actions.is_empty() && connection.machine() == state.connection.machine() {
        return Ok(());
    }
    Err(format!("a Tick at {:?}, out of turn, yields {actions:?}", state.now))
}

/// CLOSING ends with the Tick at its deadline.
pub(crate) fn closing_ends(state: &State) -> Outcome {
    if state.fault.is_some() || state.connection.state() != ConnectionState::Closing {
        return Ok(());
    }
    let deadline = state.connection.next_deadline().ok_or("CLOSING has no deadline")?;
    let latest = state.now.saturating_add(state.connection.config().close_timeout());
    if deadline > latest {
        return Err(format!("CLOSING lasts until {deadline:?}"));
    }
    let mut connection = state.connection.clone();
    let actions = connection.handle(deadline.max(state.now), Event::Tick);
    match connection.state() {
        ConnectionState::Closed => Ok(()),
        other => Err(format!("the Tick at CLOSING's deadline leads to {other}: {actions:?}")),
    }
}

/// A healthy network and a connect request lead to ready, and ready stays until a renewal.
pub(crate) fn recovers(state: &State) -> Outcome {
    if state.fault.is_some() {
        return Ok(());
    }
    let mut healthy = Healthy {
        connection: state.connection.clone(),
        now: state.now,
        holds_ping: state.environment.ping == Ping::Held,
    };
    healthy.connection.dialect_mut().asks = &[]; // which is the healthiest
    for _ in 0..STEPS_TO_READY {
        if healthy.connection.is_ready() {
            break;
        }
        healthy.step()?;
    }
    healthy.stay()
}

/// A connection in a world without faults.
struct Healthy {
    connection: Connection<Fixed, Speech>,
    now: Instant,
    /// Part of a ping waits in the driver's buffer.
    holds_ping: bool,
}

impl Healthy {
    fn step(&mut self) -> Outcome {
        let state = self.connection.state();
        let event = match (state, self.connection.next_deadline()) {
            (ConnectionState::Disconnected, _) if self.connection.is_reserving() => {
                Event::OpenReserved(self.now)
            }
            (ConnectionState::Closed, _) | (ConnectionState::Disconnected, None) => {
                Event::ConnectRequested
            }
            (ConnectionState::Disconnected | ConnectionState::Closing, Some(deadline)) => {
                self.now = self.now.max(deadline);
                Event::Tick
            }
            (ConnectionState::Closing, None) => return Err("CLOSING for ever".to_owned()),
            (ConnectionState::Connecting, _) if self.connection.is_asking() => {
                Message::Provided.event(self.socket()?)
            }
            (ConnectionState::Connecting, _) => Message::Opened.event(self.socket()?),
            (ConnectionState::Connected | ConnectionState::Authenticated, deadline) => {
                let accepted = Message::LoginAccepted.event(self.socket()?);
                let _ = self.connection.handle(self.now, accepted);
                if self.connection.is_ready() {
                    return Ok(());
                }
                // The login was refused earlier: the client leaves the socket at the deadline.
                self.now = self.now.max(deadline.ok_or("CONNECTED without a deadline")?);
                Event::Tick
            }
        };
        let _ = self.connection.handle(self.now, event);
        Ok(())
    }

    /// The application reads, the socket accepts waiting bytes, the server answers and sends data, as late as
    /// possible. What has come when the timer fires is handed over before the Tick.
    fn stay(&mut self) -> Outcome {
        if !self.connection.is_ready() {
            let state = self.connection.state();
            return Err(format!("{state} after {STEPS_TO_READY} events of a healthy world"));
        }
        let socket = self.socket()?;
        let _ = self.connection.handle(self.now, Event::ReadingResumed(socket));
        if self.holds_ping {
            let _ = self.connection.handle(self.now, Event::PingHanded(socket, 0));
        }
        for _ in 0..DEADLINES {
            let deadline = self.connection.next_deadline().ok_or("ready without a deadline")?;
            self.now = self.now.max(deadline);
            let data = Event::FrameReceived(socket, Frame::Binary(b"data"));
            for event in [Message::Pong.event(socket), data] {
                let _ = self.connection.handle(self.now, event);
            }
            let actions = self.connection.handle(self.now, Event::Tick);
            if is_renewed(&actions) {
                return Ok(());
            }
            if !self.connection.is_ready() || self.connection.socket() != Some(socket) {
                return Err(format!("a healthy connection is left: {actions:?}"));
            }
        }
        Ok(())
    }

    fn socket(&self) -> Result<SocketId, String> {
        let state = self.connection.state();
        self.connection.socket().ok_or_else(|| format!("{state} without a socket"))
    }
}

fn is_renewed(actions: &Actions) -> bool {
    actions.iter().any(|action| {
        matches!(
            action,
            Action::Notify(Notice::Disconnected { cause: DisconnectCause::Renewal, .. })
        )
    })
}
