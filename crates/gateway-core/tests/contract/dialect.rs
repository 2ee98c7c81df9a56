//! The rules of dialects, one by one. Random dialects meet all of them at once: see `tests/properties`.

mod exchange;
mod farewells;
mod heartbeat;
mod limits;
mod login;
mod losses;
mod silence;

use std::sync::Arc;

use gateway_core::{
    Action, ConfigBuilder, Dialect, Event, Exchange, Frame, HeartbeatKind, Interest, Login,
    Message, Notice, Outgoing, Received,
};
use gateway_testkit::{Fixed, Rig};

use super::words::seconds;

/// A dialect of a test: a function for each method.
#[derive(Clone)]
struct Says {
    interest: Interest,
    opened: fn(&mut Exchange<'_>),
    received: fn(Message<'_>, &mut Exchange<'_>) -> Received,
    heartbeat: fn(&mut Exchange<'_>),
    closing: fn(&mut Exchange<'_>),
}

/// It does nothing.
const SILENT: Says = Says {
    interest: Interest::ALL,
    opened: |_| {},
    received: |_, _| Received::Deliver,
    heartbeat: |_| {},
    closing: |_| {},
};

impl Dialect for Says {
    fn interest(&self) -> Interest {
        self.interest
    }

    fn opened(&mut self, exchange: &mut Exchange<'_>) {
        (self.opened)(exchange);
    }

    fn received(&mut self, message: Message<'_>, exchange: &mut Exchange<'_>) -> Received {
        (self.received)(message, exchange)
    }

    fn heartbeat(&mut self, exchange: &mut Exchange<'_>) {
        (self.heartbeat)(exchange);
    }

    fn closing(&mut self, exchange: &mut Exchange<'_>) {
        (self.closing)(exchange);
    }
}

/// A connection with a dialect, which the checker judges, too.
struct Talk(Rig<Fixed, Says>);

impl Talk {
    /// Its socket is opening.
    fn begun(config: ConfigBuilder, says: Says) -> Self {
        let config = Arc::new(config.build().unwrap());
        let mut talk = Self(Rig::speaking(config, Fixed::HALF, says));
        talk.0.on(Event::ConnectRequested);
        talk
    }

    /// Its socket has opened, with these actions.
    fn opened(config: ConfigBuilder, says: Says) -> (Self, Vec<Action>) {
        let mut talk = Self::begun(config, says);
        let done = talk.0.open();
        (talk, done)
    }

    /// It is ready.
    fn ready(config: ConfigBuilder, says: Says) -> Self {
        let (talk, _) = Self::opened(config, says);
        assert!(talk.0.connection.is_ready());
        talk
    }

    /// The server sends a text.
    fn hear(&mut self, text: &str) -> Vec<Action> {
        let id = self.0.socket();
        self.0.on(Event::FrameReceived(id, Frame::Text(text)))
    }

    fn ignored(&self) -> u64 {
        self.0.connection.statistics(self.0.now).effects_ignored
    }
}

/// A dialect that sends the pings, every 30 s; nothing else is due.
fn beating() -> ConfigBuilder {
    gateway_core::Config::builder().heartbeat(HeartbeatKind::Dialect)
}

/// A dialect that logs in.
fn logging_in() -> ConfigBuilder {
    beating().login(Login::Dialect { timeout: seconds(10) })
}

/// What leaves: the lengths of the dialect's messages, `ping` and the length for a ping, and the code of a
/// Close.
fn sent(actions: &[Action]) -> Vec<String> {
    let sent = actions.iter().filter_map(|action| match action {
        Action::Send(_, Outgoing::Dialect(part)) => Some(part.len.to_string()),
        Action::Send(_, Outgoing::DialectPing(part)) => Some(format!("ping {}", part.len)),
        Action::Send(_, Outgoing::Close(code)) => Some(format!("close {code}")),
        Action::Send(_, other) => Some(format!("{other:?}")),
        _ => None,
    });
    sent.collect()
}

fn notices(actions: &[Action]) -> Vec<Notice> {
    let notices = actions.iter().filter_map(|action| match action {
        Action::Notify(notice) => Some(*notice),
        _ => None,
    });
    notices.collect()
}

/// The position of the first such action.
fn place(actions: &[Action], is_it: impl Fn(&Action) -> bool) -> usize {
    actions.iter().position(is_it).expect("an action")
}
