//! The parts of scripts: attempts, the peer's deeds, and the application's commands.

use std::time::Duration;

use gateway_core::{Failure, Network, OpenError, RetryAfter, Verdict};

use crate::deed::Deed;

/// A span in milliseconds.
#[must_use]
pub const fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// A span in seconds.
#[must_use]
pub const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// One attempt to open a socket, and what its provider and its peer do.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// What the provider gives, and how long it takes; only with `ask_provider`.
    pub(crate) provided: (Duration, Provided),
    pub(crate) opening: Opening,
    /// The time from the dial to the result.
    pub(crate) after: Duration,
    /// Deeds with their times after the opening.
    pub(crate) deeds: Vec<(Duration, Deed)>,
    pub(crate) manners: Manners,
    /// How many bytes after the upgrade the peer's socket accepts.
    pub(crate) takes: u64,
    /// How many more the client's transport buffers until the socket accepts them.
    pub(crate) buffers: u64,
}

/// What a provider gives when it is asked for an attempt's request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // a harness that does not know one must not compile
pub enum Provided {
    /// An empty request.
    Request,
    /// An error with this verdict.
    Failure(Verdict),
    /// A panic.
    Panic,
}

/// The result of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    /// 101 with correct headers.
    Accepted,
    /// The byte stream fails.
    Failed(OpenError),
    /// A byte stream with a response that does not complete the handshake.
    Answered { bytes: Vec<u8>, reads_as: OpenError },
    /// A byte stream that ends without an answer.
    HungUp,
    /// The byte stream never opens.
    NeverConnected,
    /// A byte stream without a response.
    Stalled,
    /// A byte stream with an endless response head, one byte per interval.
    Trickled(Duration),
}

/// How the peer reacts to frames.
#[derive(Clone, Debug, Default)]
pub(crate) struct Manners {
    pub(crate) pongs: Option<Pongs>,
    /// The answer to a Close, and its delay.
    pub(crate) close: Option<(Duration, Deed)>,
    /// Texts, each with its answer.
    pub(crate) answers: Vec<(&'static str, Duration, Deed)>,
    /// The delay of the echo of any other message.
    pub(crate) echo: Option<Duration>,
}

/// How pings are answered.
#[derive(Clone, Debug)]
pub(crate) struct Pongs {
    pub(crate) after: Duration,
    pub(crate) style: PongStyle,
    /// How many pings are answered.
    pub(crate) most: usize,
}

/// The content of a pong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)]
pub enum PongStyle {
    /// The ping's timestamp.
    Echo,
    /// No timestamp.
    Bare,
    /// A timestamp of another time.
    Wrong,
}

/// The socket opens after `delay`.
#[must_use]
pub fn accepts_after(delay: Duration) -> Attempt {
    attempt(Opening::Accepted, delay)
}

/// Opening the socket fails after `delay`.
#[must_use]
pub fn fails_after(delay: Duration, error: OpenError) -> Attempt {
    attempt(Opening::Failed(error), delay)
}

/// The server answers the upgrade with another status than 101.
#[must_use]
pub fn answers_http(delay: Duration, status: u16) -> Attempt {
    answers_http_with(delay, status, None)
}

/// The server answers the upgrade with another status than 101, maybe with a `Retry-After`.
#[must_use]
pub fn answers_http_with(delay: Duration, status: u16, retry_after: Option<RetryAfter>) -> Attempt {
    let header = match retry_after {
        Some(RetryAfter::Seconds(seconds)) => format!("Retry-After: {seconds}\r\n"),
        Some(RetryAfter::Date(date)) => {
            let date = std::time::UNIX_EPOCH + millis(date.0);
            format!("Retry-After: {}\r\n", httpdate::fmt_http_date(date))
        }
        None => String::new(),
    };
    let head = format!("HTTP/1.1 {status} no\r\n{header}Content-Length: 0\r\n\r\n");
    let reads_as = OpenError::Http { status, retry_after };
    attempt(Opening::Answered { bytes: head.into_bytes(), reads_as }, delay)
}

/// The response is not HTTP.
#[must_use]
pub fn speaks_no_http(delay: Duration) -> Attempt {
    let bytes = b"SSH-2.0-OpenSSH_9.2\r\n".to_vec();
    attempt(Opening::Answered { bytes, reads_as: OpenError::NotHttp }, delay)
}

/// The server answers 101 with a wrong `Sec-WebSocket-Accept` (RFC 6455 section 4.1).
#[must_use]
pub fn upgrades_wrongly(delay: Duration) -> Attempt {
    let head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n";
    let bytes = head.as_bytes().to_vec();
    attempt(Opening::Answered { bytes, reads_as: OpenError::Upgrade }, delay)
}

/// The server ends the stream without an answer to the upgrade.
#[must_use]
pub fn hangs_up_in_the_upgrade(delay: Duration) -> Attempt {
    attempt(Opening::HungUp, delay)
}

/// The network never answers.
#[must_use]
pub fn never_connects() -> Attempt {
    attempt(Opening::NeverConnected, Duration::MAX)
}

/// The provider gives no request.
#[must_use]
pub fn provider_hangs() -> Attempt {
    never_connects().provider_answers(Duration::MAX)
}

/// The provider fails.
#[must_use]
pub fn provider_fails_after(delay: Duration, verdict: Verdict) -> Attempt {
    Attempt { provided: (delay, Provided::Failure(verdict)), ..never_connects() }
}

/// The provider panics.
#[must_use]
pub fn provider_panics_after(delay: Duration) -> Attempt {
    Attempt { provided: (delay, Provided::Panic), ..never_connects() }
}

/// A byte stream opens at once, and the upgrade is never answered.
#[must_use]
pub fn stalls_in_the_upgrade() -> Attempt {
    attempt(Opening::Stalled, Duration::MAX)
}

/// The response head comes byte by byte and never ends.
#[must_use]
pub fn trickles_its_answer(every: Duration) -> Attempt {
    attempt(Opening::Trickled(every), every)
}

fn attempt(opening: Opening, after: Duration) -> Attempt {
    let provided = (Duration::ZERO, Provided::Request);
    let (deeds, manners) = (Vec::new(), Manners::default());
    Attempt { provided, opening, after, deeds, manners, takes: u64::MAX, buffers: 0 }
}

impl Attempt {
    /// The provider gives its request after `delay`. Without this it does so at once.
    #[must_use]
    pub fn provider_answers(mut self, delay: Duration) -> Self {
        self.provided = (delay, Provided::Request);
        self
    }

    /// The peer does this at `after` since the opening. At zero it comes in the same read as the answer to the
    /// upgrade.
    #[must_use]
    pub fn then(mut self, after: Duration, deed: Deed) -> Self {
        self.deeds.push((after, deed));
        self
    }

    /// The peer does this `count` times: at `first` after the opening, then once each `every`.
    #[must_use]
    pub fn then_each(
        mut self,
        first: Duration,
        every: Duration,
        count: u32,
        deed: impl Fn(u32) -> Deed,
    ) -> Self {
        self.deeds.extend((0..count).map(|number| (first + every * number, deed(number))));
        self
    }

    /// The peer's socket accepts this many bytes after the upgrade, and no more until a [`Deed::takes`]. The
    /// rest waits in the client.
    #[must_use]
    pub fn takes(mut self, bytes: u64) -> Self {
        self.takes = bytes;
        self
    }

    /// The client's transport buffers this many bytes more than the peer's socket accepts, as with TLS: they are
    /// written, but not flushed.
    #[must_use]
    pub fn buffers(mut self, bytes: u64) -> Self {
        self.buffers = bytes;
        self
    }

    /// The peer answers pings and a Close after 20 ms.
    #[must_use]
    pub fn polite(self) -> Self {
        self.answers_pings(millis(20), PongStyle::Echo).answers_close(millis(20))
    }

    /// The peer answers pings, of either kind.
    #[must_use]
    pub fn answers_pings(mut self, after: Duration, style: PongStyle) -> Self {
        self.manners.pongs = Some(Pongs { after, style, most: usize::MAX });
        self
    }

    /// The peer answers no more pings than this.
    #[must_use]
    pub fn answers_pings_at_most(mut self, most: usize) -> Self {
        if let Some(pongs) = &mut self.manners.pongs {
            pongs.most = most;
        }
        self
    }

    /// The peer answers a Close with the same Close.
    #[must_use]
    pub fn answers_close(self, after: Duration) -> Self {
        self.on_close(after, Deed::close(1000, ""))
    }

    /// The peer does this on a Close.
    #[must_use]
    pub fn on_close(mut self, after: Duration, deed: Deed) -> Self {
        self.manners.close = Some((after, deed));
        self
    }

    /// The peer does this on exactly this text.
    #[must_use]
    pub fn on_text(mut self, text: &'static str, after: Duration, deed: Deed) -> Self {
        self.manners.answers.push((text, after, deed));
        self
    }

    /// The peer sends each message back.
    #[must_use]
    pub fn echoes(mut self, after: Duration) -> Self {
        self.manners.echo = Some(after);
        self
    }
}

/// A command of the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // a harness that does not know one must not compile
pub enum Command {
    /// Requests a connection. Every script has one at 0 ms.
    Connect,
    /// Requests another socket in place of the current one.
    Reconnect,
    /// Requests a close.
    Close {
        /// The code.
        code: u16,
        /// The reason.
        reason: &'static str,
    },
    /// Sends a text. A driver may wait here until it is written.
    Send(&'static str),
    /// Hands over a text without waiting for space or for the write.
    Feed(&'static str),
    /// The embedder's login was accepted.
    LoginAccepted,
    /// The embedder's login was refused.
    LoginRejected(Verdict),
    /// Takes no more messages. The driver only stops reading.
    PauseReading,
    /// Takes messages again.
    ResumeReading,
    /// The operating system reports a network change.
    Network(Network),
    /// The machine slept: only the wall clock goes ahead. The next timer notices it.
    Sleep(Duration),
    /// The wall clock is set back.
    SetBack(Duration),
    /// The program is stalled for this long: its driver does not run. Then it reads everything at once, and
    /// its timers fire late.
    Stall(Duration),
}

/// Closes with 1000.
pub const CLOSE: Command = Command::Close { code: 1000, reason: "" };

/// The failure of an open socket, for a raw deed.
pub const fn breaks(failure: Failure) -> crate::deed::Heard {
    crate::deed::Heard::Failed(failure)
}
