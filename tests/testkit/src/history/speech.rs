//! The plan of a dialect, and a dialect that asks for what its plan says.

use core::time::Duration;
use std::sync::Arc;

use gateway_core::{CloseCode, Dialect, Exchange, Interest, Message, Received};
use serde::{Deserialize, Serialize};

use super::plan::{Echo, Ruling};

/// More stamps than the core remembers.
const MOST_STAMPS: usize = 8;

/// The codes of a Close frame with which a dialect leaves.
const CODES: [CloseCode; 3] = [CloseCode::NORMAL, CloseCode::GOING_AWAY, CloseCode::INTERNAL_ERROR];

/// What a dialect asks for, call by call. The calls of each method are repeated from the first one
/// when all are made. An empty plan is that of a dialect that wants nothing and does nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Speech {
    /// Its interest at first, and after each call.
    pub interest: Vec<Wants>,
    /// What it asks for when a socket opens.
    pub opened: Vec<Call>,
    /// What it asks for when a message comes.
    pub received: Vec<Call>,
    /// What it asks for when a ping is due.
    pub heartbeat: Vec<Call>,
    /// What it asks for before our Close.
    pub closing: Vec<Call>,
}

/// Which messages it wants to see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Wants {
    #[default]
    All,
    Nothing,
    Texts,
    Binaries,
    TextsUpTo(u8),
    BinariesUpTo(u8),
}

/// One call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Call {
    /// Whether the application does not get the message.
    pub is_consumed: bool,
    /// What the dialect asks for.
    pub asks: Vec<Ask>,
}

/// One thing that a dialect asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Ask {
    /// A text of this length.
    Text(u16),
    /// A binary message of this length.
    Binary(u16),
    /// Without a number: one more than the last stamp.
    Stamp(Option<u64>),
    LoginAccepted,
    LoginRefused(Ruling),
    Pong(Echo),
    SetHeartbeat(Span, Option<Span>),
    ExpectWithin(Span),
    /// With one of a few codes.
    Leave(u8, Ruling),
    ResumeAt(u8),
    /// It cannot go on.
    Fail,
}

/// A span of any length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Span {
    Zero,
    Millis(u32),
    Nanos(u16),
    Endless,
}

impl Span {
    const fn duration(self) -> Duration {
        match self {
            Self::Zero => Duration::ZERO,
            Self::Millis(millis) => Duration::from_millis(millis as u64),
            Self::Nanos(nanos) => Duration::from_nanos(nanos as u64),
            Self::Endless => Duration::MAX,
        }
    }
}

/// A dialect that asks for what its plan says. Clones do the same.
#[derive(Clone, Debug, Default)]
pub struct Drawn {
    speech: Arc<Speech>,
    /// How many calls were made, of all methods and of each.
    calls: usize,
    opened: usize,
    received: usize,
    heartbeat: usize,
    closing: usize,
    /// The stamps of its last pings, the newest last.
    stamps: Vec<u64>,
}

impl Drawn {
    /// The dialect of this plan.
    #[must_use]
    pub fn new(speech: Speech) -> Self {
        Self { speech: Arc::new(speech), ..Self::default() }
    }

    fn speak(
        &mut self,
        calls: impl Fn(&Speech) -> &Vec<Call>,
        made: impl Fn(&mut Self) -> &mut usize,
        exchange: &mut Exchange<'_>,
    ) -> Received {
        self.calls += 1;
        let count = *made(self);
        *made(self) += 1;
        let speech = Arc::clone(&self.speech);
        let calls = calls(&speech);
        let Some(call) = count.checked_rem(calls.len()).and_then(|place| calls.get(place)) else {
            return Received::Deliver;
        };
        for ask in &call.asks {
            self.ask(*ask, exchange);
        }
        if call.is_consumed { Received::Consume } else { Received::Deliver }
    }

    fn ask(&mut self, ask: Ask, exchange: &mut Exchange<'_>) {
        match ask {
            Ask::Text(length) => exchange.send_text("t".repeat(length.into())),
            Ask::Binary(length) => exchange.send_binary(&vec![0; length.into()]),
            Ask::Stamp(stamp) => {
                let next = self.stamps.last().map_or(1, |stamp| stamp.saturating_add(1));
                exchange.stamp(self.keep(stamp.unwrap_or(next)));
            }
            Ask::LoginAccepted => exchange.login_accepted(),
            Ask::LoginRefused(ruling) => exchange.login_refused(ruling.verdict(), "no"),
            Ask::Pong(echo) => exchange.pong(self.echoed(echo)),
            Ask::SetHeartbeat(interval, timeout) => {
                exchange.set_heartbeat(interval.duration(), timeout.map(Span::duration));
            }
            Ask::ExpectWithin(span) => exchange.expect_within(span.duration()),
            Ask::Leave(code, ruling) => {
                let code = CODES[usize::from(code) % CODES.len()];
                exchange.leave(code, ruling.verdict(), "");
            }
            Ask::ResumeAt(length) => exchange.resume_at("u".repeat(length.into())),
            Ask::Fail => exchange.fail("lost the thread"),
        }
    }

    fn keep(&mut self, stamp: u64) -> u64 {
        if self.stamps.len() == MOST_STAMPS {
            self.stamps.remove(0);
        }
        self.stamps.push(stamp);
        stamp
    }

    /// A small number counts back from the newest stamp.
    fn echoed(&self, echo: Echo) -> Option<u64> {
        let back = |back: u64| {
            let back = usize::try_from(back).unwrap_or(usize::MAX);
            self.stamps.iter().nth_back(back).copied()
        };
        match echo {
            Echo::None => None,
            Echo::Newest => back(0),
            Echo::Other(number) => Some(back(number).unwrap_or(number)),
        }
    }
}

impl Dialect for Drawn {
    fn interest(&self) -> Interest {
        let list = &self.speech.interest;
        let wants = self.calls.checked_rem(list.len()).map(|place| list[place]);
        match wants.unwrap_or(Wants::Nothing) {
            Wants::All => Interest::ALL,
            Wants::Nothing => Interest::NONE,
            Wants::Texts => Interest::TEXT,
            Wants::Binaries => Interest::BINARY,
            Wants::TextsUpTo(most) => Interest::texts_up_to(most.into()),
            Wants::BinariesUpTo(most) => Interest::binaries_up_to(most.into()),
        }
    }

    fn opened(&mut self, exchange: &mut Exchange<'_>) {
        let _ = self.speak(|speech| &speech.opened, |drawn| &mut drawn.opened, exchange);
    }

    fn received(&mut self, message: Message<'_>, exchange: &mut Exchange<'_>) -> Received {
        assert!(self.interest().wants(message), "it is shown a message that it does not want");
        self.speak(|speech| &speech.received, |drawn| &mut drawn.received, exchange)
    }

    fn heartbeat(&mut self, exchange: &mut Exchange<'_>) {
        let _ = self.speak(|speech| &speech.heartbeat, |drawn| &mut drawn.heartbeat, exchange);
    }

    fn closing(&mut self, exchange: &mut Exchange<'_>) {
        let _ = self.speak(|speech| &speech.closing, |drawn| &mut drawn.closing, exchange);
    }
}
