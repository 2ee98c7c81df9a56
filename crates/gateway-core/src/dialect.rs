//! A dialect: a small state machine for what a server expects beyond RFC 6455.

mod effect;
mod exchange;
mod interest;

use alloc::boxed::Box;
use core::time::Duration;

pub use effect::{DialectCall, DialectCallKind, Effect, Part, Spoken};
pub use exchange::Exchange;
pub(crate) use exchange::{Moment, Speech, Voice};
pub use interest::Interest;

use crate::action::DisconnectCause;
use crate::event::Message;
use crate::secrets::Secrets;

/// What a server expects beyond RFC 6455: its greeting, login, heartbeat and answers.
///
/// A dialect is a small state machine. The connection calls it at the moments below, and the
/// dialect says through the [`Exchange`] what is to happen: messages to send, an accepted or
/// refused login, an answered ping, the heartbeat's interval. It does no IO and must not block.
///
/// | method | when it is called |
/// |---|---|
/// | [`opened`](Self::opened) | a socket opened; behind the login message of the configuration |
/// | [`received`](Self::received) | a message of [`interest`](Self::interest) came: while logging in, ready or closing |
/// | [`heartbeat`](Self::heartbeat) | a ping is due, if the kind of the heartbeat is [`Dialect`](crate::HeartbeatKind::Dialect) |
/// | [`closing`](Self::closing) | our Close frame is about to be sent; not if the dialect itself leaves, the login was refused, or the server violated the protocol |
/// | [`lost`](Self::lost) | an open socket is gone |
/// | [`secrets`](Self::secrets) | before [`opened`](Self::opened), with a driver of this project |
///
/// One dialect serves all sockets of a connection, one after the other. So it can keep a session
/// over a reconnect. [`opened`](Self::opened) starts a new socket.
///
/// ```
/// use gateway_core::{Dialect, Duties, Exchange, Interest, Message, Received};
///
/// /// A server that expects `h` as a heartbeat, and answers with `h`.
/// struct OneLetter;
///
/// impl Dialect for OneLetter {
///     fn duties(&self) -> Duties {
///         Duties::NONE.with_heartbeat()
///     }
///     fn interest(&self) -> Interest {
///         Interest::texts_up_to(1)
///     }
///     fn heartbeat(&mut self, exchange: &mut Exchange<'_>) {
///         exchange.send_text("h");
///     }
///     fn received(&mut self, message: Message<'_>, exchange: &mut Exchange<'_>) -> Received {
///         if message != Message::Text("h") {
///             return Received::Deliver;
///         }
///         exchange.pong(None);
///         Received::Consume
///     }
/// }
/// ```
pub trait Dialect {
    /// What the dialect does in place of the machine. The drivers' builders ask once, and set the
    /// configuration accordingly: see [`Config::with_dialect`](crate::Config::with_dialect).
    fn duties(&self) -> Duties {
        Duties::NONE
    }

    /// Whether the dialect does nothing at all. Then it is never called, and costs nothing.
    fn is_silent(&self) -> bool {
        false
    }

    /// Which messages the dialect wants to see. The connection asks after each call of another
    /// method, and keeps the answer. All other messages skip the dialect, and cost nothing more.
    fn interest(&self) -> Interest;

    /// A socket opened. Greet the server, or wait for its greeting.
    fn opened(&mut self, exchange: &mut Exchange<'_>) {
        let _ = exchange;
    }

    /// A message of [`interest`](Self::interest) came. Returns whether the application gets it.
    fn received(&mut self, message: Message<'_>, exchange: &mut Exchange<'_>) -> Received;

    /// It is time for a ping: send one. If the dialect sends nothing, no ping was sent, and the
    /// next one is due an interval later.
    fn heartbeat(&mut self, exchange: &mut Exchange<'_>) {
        let _ = exchange;
    }

    /// Our Close frame is about to be sent: take leave of the server. Only what is sent counts.
    ///
    /// This is not called if the dialect itself [leaves](Exchange::leave), if the login was refused, or if
    /// the server violated the protocol. Nor is it called before an abort, which has no Close frame.
    fn closing(&mut self, exchange: &mut Exchange<'_>) {
        let _ = exchange;
    }

    /// A socket is about to open, and the provider gave these named secrets for it. They replace those
    /// of the socket before.
    fn secrets(&mut self, secrets: &Secrets) {
        let _ = secrets;
    }

    /// An open socket is gone. After a suspend, a socket that was logging in is replaced without
    /// this call.
    fn lost(&mut self, cause: DisconnectCause) {
        let _ = cause;
    }
}

/// Who gets a message that the dialect has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums)] // there is no third case
#[must_use]
pub enum Received {
    /// The application gets it.
    Deliver,
    /// The message belongs to the dialect, and the application does not see it. It is no
    /// application message for `data_timeout`.
    Consume,
}

/// What a dialect does in place of the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Duties {
    /// It sends the pings of the heartbeat.
    pub heartbeat: bool,
    /// It logs in, within this time. The connection is ready when the dialect calls
    /// [`login_accepted`](Exchange::login_accepted).
    pub login: Option<Duration>,
}

impl Duties {
    /// The machine does everything.
    pub const NONE: Self = Self { heartbeat: false, login: None };

    /// The dialect sends the pings.
    #[must_use]
    pub const fn with_heartbeat(self) -> Self {
        Self { heartbeat: true, ..self }
    }

    /// The dialect logs in, within `timeout`.
    #[must_use]
    pub const fn with_login(self, timeout: Duration) -> Self {
        Self { login: Some(timeout), ..self }
    }
}

/// The dialect of a server that expects nothing beyond RFC 6455. The default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoDialect;

impl Dialect for NoDialect {
    fn is_silent(&self) -> bool {
        true
    }

    fn interest(&self) -> Interest {
        Interest::NONE
    }

    fn received(&mut self, _: Message<'_>, _: &mut Exchange<'_>) -> Received {
        Received::Deliver
    }
}

#[deny(clippy::missing_trait_methods, reason = "a default would call nothing of the inner one")]
impl<D: Dialect + ?Sized> Dialect for Box<D> {
    fn duties(&self) -> Duties {
        (**self).duties()
    }

    fn is_silent(&self) -> bool {
        (**self).is_silent()
    }

    fn interest(&self) -> Interest {
        (**self).interest()
    }

    fn opened(&mut self, exchange: &mut Exchange<'_>) {
        (**self).opened(exchange);
    }

    fn received(&mut self, message: Message<'_>, exchange: &mut Exchange<'_>) -> Received {
        (**self).received(message, exchange)
    }

    fn heartbeat(&mut self, exchange: &mut Exchange<'_>) {
        (**self).heartbeat(exchange);
    }

    fn closing(&mut self, exchange: &mut Exchange<'_>) {
        (**self).closing(exchange);
    }

    fn secrets(&mut self, secrets: &Secrets) {
        (**self).secrets(secrets);
    }

    fn lost(&mut self, cause: DisconnectCause) {
        (**self).lost(cause);
    }
}
