//! One step of a history: an event and its time.

use core::time::Duration;

use gateway_core::{
    Backlog, CloseFrame, Event, Instant, Message as Sent, Network, SocketId, UnixMillis,
};

use crate::message::Message;
use crate::state::State;

/// How long the machine sleeps: more than any clock is allowed to drift.
pub(crate) const NAP: Duration = Duration::from_secs(60);

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// When it happens.
    pub when: When,
    /// What happens.
    pub what: What,
}

/// When something happens, seen from the deadline in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum When {
    /// At once.
    Now,
    /// A millisecond before the deadline.
    JustBefore,
    /// At the deadline.
    Due,
    /// Past the deadline, after a stall of our own; or just later, where there is no deadline.
    Late,
}

impl When {
    pub(crate) const ALL: [Self; 4] = [Self::Now, Self::JustBefore, Self::Due, Self::Late];

    /// The instant, if it is one of its own that lies ahead.
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

/// What happens. A socket is named by its age: 0 is the last that was opened.
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
    /// The driver is awake and tells the wall clock, which agrees with the monotonic one.
    Wake,
    /// The machine slept a minute: the wall clock is ahead by so much.
    Sleep,
    /// The application stops reading.
    Pause,
    /// The application reads again.
    Resume,
    /// The socket takes no more bytes.
    Block,
    /// The socket has taken what waited.
    Flush,
    /// The driver's write left part of the newest ping in its buffer, behind so many bytes. The socket has taken none for so many
    /// milliseconds.
    Hold(u64, u64),
    /// The socket takes bytes, and the ping is still held.
    Progress,
    /// The socket has the ping that was held, behind so many unproven bytes.
    Hand(u64),
    /// The socket has taken the newest ping at once, behind so many unproven bytes.
    WriteBehind(u64),
    /// The timer fires.
    Tick,
    /// The server, or the network, says something: it is in flight from here on.
    Say(usize, Saying),
    /// It is lost.
    Lose(usize, Saying),
    /// It is delivered.
    Hear(usize, Saying),
    /// It is delivered, and will be again.
    HearFirst(usize, Saying),
}

/// Something that is said of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Saying(pub(crate) Message);

impl What {
    /// Whether a driver reports it only in the pass that sent the ping.
    pub(crate) const fn is_at_once(self) -> bool {
        matches!(self, Self::Hold(..) | Self::WriteBehind(_))
    }

    /// What the connection is told, if it is told.
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
            Self::Tick => Event::Tick,
            Self::Hear(age, Saying(message)) | Self::HearFirst(age, Saying(message)) => {
                message.event(id(age))
            }
            Self::Say(..) | Self::Lose(..) => return None,
        })
    }

    /// The words for what the connection is not told.
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
