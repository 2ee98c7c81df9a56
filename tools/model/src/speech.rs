//! A dialect that asks for one of a few things, which the search chooses with each step.

use core::time::Duration;

use gateway_core::{CloseCode, Dialect, Exchange, Interest, Message, Received, Verdict};

/// One thing that a dialect asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    Send,
    Pong,
    Accept,
    Refuse,
    Leave,
    /// A short interval.
    Faster,
    /// No interval.
    Zero,
    /// Something from the server.
    Expect,
}

/// What it asks for in the next call.
pub(crate) type Asks = &'static [Ask];

/// The dialect of a world. It has no memory, so it is no part of a state.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Speech {
    pub(crate) asks: Asks,
    is_shown: bool,
}

impl Speech {
    /// It sees every message, if there is more than one choice.
    pub(crate) const fn of(choices: &[Asks]) -> Self {
        Self { asks: &[], is_shown: choices.len() > 1 }
    }

    fn speak(&self, exchange: &mut Exchange<'_>) {
        for ask in self.asks {
            match ask {
                Ask::Send => exchange.send_text("x"),
                Ask::Pong => exchange.pong(None),
                Ask::Accept => exchange.login_accepted(),
                Ask::Refuse => exchange.login_refused(Verdict::Retry, ""),
                Ask::Leave => exchange.leave(CloseCode::NORMAL, Verdict::Retry, ""),
                Ask::Faster => exchange.set_heartbeat(Duration::from_secs(3), None),
                Ask::Zero => exchange.set_heartbeat(Duration::ZERO, None),
                Ask::Expect => exchange.expect_within(Duration::from_secs(6)),
            }
        }
    }
}

impl Dialect for Speech {
    fn interest(&self) -> Interest {
        if self.is_shown { Interest::ALL } else { Interest::NONE }
    }

    fn opened(&mut self, exchange: &mut Exchange<'_>) {
        self.speak(exchange);
    }

    fn received(&mut self, _: Message<'_>, exchange: &mut Exchange<'_>) -> Received {
        self.speak(exchange);
        Received::Deliver
    }

    fn heartbeat(&mut self, exchange: &mut Exchange<'_>) {
        self.speak(exchange);
    }

    fn closing(&mut self, exchange: &mut Exchange<'_>) {
        self.speak(exchange);
    }
}
