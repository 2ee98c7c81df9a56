//! One step of a history: an event and its time.

use core::time::Duration;

use gateway_core::{
    Backlog, CloseFrame, Event, Instant, Message as Sent, Network, SocketId, UnixMillis,
};

use crate::message::Message;
use crate::state::State;

/// How long the machine sleeps: longer than any accepted drift of the clock.
pub(crate) const NAP: Duration = Duration::from_secs(60);

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// When it happens.
    pub when: When,
    /// What happens.
    pub what: What,
    /// What the dialect asks for, if it is called: an index into the choices of the configuration.
    pub says: usize,
}

/// When something happens, relative to the deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum When {
    /// At once.
    Now,
    /// A millisecond before the deadline.
    JustBefore,
    /// At the deadline.
    Due,
    /// After the deadline, because the program stalled; or just later, if there is no deadline.
    Late,
}

impl When {
    pub(crate) const ALL: [Self; 4] = [Self::Now, Self::JustBefore, Self::Due, Self::Late];

    /// The instant, if it is different and in the future.
    pub(crate) fn instant(self, state: &State, stall: Duration) -> Option<Instant> {
        let (now, deadline) = (state.now, state.connection.next_deadline());
        let at = match (self, deadline) {
            (Self::Now, _) => return Some(now),
            (Self::JustBefore, deadline) => deadline?.saturating_sub(Duration::from_millis(1)),
            (Self::Due, deadline) => deadline?,
            (Self::Late, deadline) => deadline.unwrap_or(now).saturating_add(stall),
        };
        (at > now).then_some(at)
    }
}

/// What happens. A socket's name is its age: 0 is the last one opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum What {
    /// The user asks for a connection.
    Connect,
    /// The user asks for its end.
    Close,
    /// The user sends a message.
    Send,
    /// The operating system says that the network is back.
    Online,
    /// The driver wakes and reports the wall clock, which agrees with the monotonic one.
    Wake,
    /// The machine slept for a minute: the wall clock is ahead by that.
    Sleep,
    /// The application stops reading.
    Pause,
    /// The application reads again.
    Resume,
    /// The socket accepts no more bytes.
    Block,
    /// The socket has accepted all waiting bytes.
    Flush,
    /// Part of the newest ping stays in the driver's buffer, behind this many bytes. The socket has accepted none
    /// for this many milliseconds.
    Hold(u64, u64),
    /// The socket accepts bytes, and the ping is still held.
    Progress,
    /// The socket has accepted the held ping, behind this many unproven bytes.
    Hand(u64),
    /// The socket has accepted the newest ping at once, behind this many unproven bytes.
    WriteBehind(u64),
    /// The user asks for another socket.
    Reconnect,
    /// The driver reserves an open in the shared budget, so many milliseconds from now.
    Reserve(u64),
    /// The driver reports that its buffer is empty, as the machine asked.
    Drained,
    /// The timer fires.
    Tick,
    /// The server or the network creates an event, which is now in flight.
    Say(usize, Saying),
    /// It is lost.
    Lose(usize, Saying),
    /// It is delivered.
    Hear(usize, Saying),
    /// It is delivered, and stays in flight.
    HearFirst(usize, Saying),
}

/// An event of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Saying(pub(crate) Message);

impl What {
    /// Whether the dialect may be called.
    pub(crate) const fn may_call(self) -> bool {
        match self {
            Self::Tick | Self::Close | Self::Reconnect | Self::Drained => true,
            Self::Hear(_, Saying(message)) | Self::HearFirst(_, Saying(message)) => {
                message.may_call()
            }
            _ => false,
        }
    }

    /// Whether a driver reports it only in the write pass of the ping.
    pub(crate) const fn is_at_once(self) -> bool {
        matches!(self, Self::Hold(..) | Self::WriteBehind(_))
    }

    /// The event for the connection, if any.
    pub(crate) fn event(self, state: &State, now: Instant) -> Option<Event<'static>> {
        let last = state.last;
        let wall = |slept: Duration| {
            let since = now.saturating_duration_since(Instant::ZERO);
            Event::WallClock(UnixMillis(0).saturating_add(since).saturating_add(slept))
        };
        let id = |age: usize| SocketId::new(last.saturating_sub(age as u64));
        Some(match self {
            Self::Connect => Event::ConnectRequested,
            Self::Close => Event::CloseRequested(CloseFrame::NORMAL),
            Self::Send => Event::SendRequested(Sent::Text("message")),
            Self::Online => Event::NetworkChanged(Network::Online),
            Self::Wake => wall(state.slept),
            Self::Sleep => wall(state.slept.saturating_add(NAP)),
            Self::Pause => Event::ReadingPaused(id(0)),
            Self::Resume => Event::ReadingResumed(id(0)),
            Self::Block => Event::WriteBlocked(id(0)),
            Self::Flush => Event::Flushed(id(0)),
            Self::Hold(bytes, idle) => {
                let idle = Duration::from_millis(idle);
                Event::PingHeld(id(0), Backlog { bytes, idle })
            }
            Self::Progress => Event::WriteProgressed(id(0)),
            Self::Hand(unproven) | Self::WriteBehind(unproven) => {
                Event::PingHanded(id(0), unproven)
            }
            Self::Reconnect => Event::ReconnectRequested,
            Self::Reserve(millis) => {
                Event::OpenReserved(now.saturating_add(Duration::from_millis(millis)))
            }
            Self::Drained => Event::Drained(id(0)),
            Self::Tick => Event::Tick,
            Self::Hear(age, Saying(message)) | Self::HearFirst(age, Saying(message)) => {
                message.event(id(age))
            }
            Self::Say(..) | Self::Lose(..) => return None,
        })
    }

    /// The text for a step without an event.
    pub(crate) fn words(self, last: u64) -> String {
        match self {
            Self::Say(age, Saying(message)) => {
                format!("of socket {}, the server {}", last - age as u64, message.words())
            }
            Self::Lose(age, Saying(message)) => {
                format!("of socket {}, lost: the server {}", last - age as u64, message.words())
            }
            other => format!("{other:?}"),
        }
    }
}
