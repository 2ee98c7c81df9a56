//! The words that scripts are written in: how each attempt goes, what the peer does then, and what the application wants.

use std::time::Duration;

use gateway_core::{Failure, Network, OpenError, RetryAfter, Verdict};

use crate::deed::Deed;

/// So many milliseconds.
#[must_use]
pub const fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// So many seconds.
#[must_use]
pub const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// How one attempt to open a socket goes, and what its peer does from then on.
#[derive(Clone, Debug)]
pub struct Attempt {
    pub(crate) opening: Opening,
    /// From the dial to the opening's outcome.
    pub(crate) after: Duration,
    /// Each at its time after the opening.
    pub(crate) deeds: Vec<(Duration, Deed)>,
    pub(crate) manners: Manners,
    /// How many of the client's bytes the peer's socket takes, from the first after the upgrade on.
    pub(crate) takes: u64,
    /// How many more the client's own transport takes and keeps until the socket takes them.
    pub(crate) buffers: u64,
}

/// What becomes of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    /// 101, and the right headers.
    Accepted,
    /// There is no byte stream.
    Failed(OpenError),
    /// A byte stream, and an answer that is no completed handshake.
    Answered { bytes: Vec<u8>, reads_as: OpenError },
    /// A byte stream that ends without an answer.
    HungUp,
    /// There never is a byte stream.
    NeverConnected,
    /// A byte stream on which nothing comes.
    Stalled,
    /// A byte stream on which a head without an end comes, a byte each so often.
    Trickled(Duration),
}

/// What the peer does on what it sees.
#[derive(Clone, Debug, Default)]
pub(crate) struct Manners {
    pub(crate) pongs: Option<Pongs>,
    /// The answer to a Close, and its delay.
    pub(crate) close: Option<(Duration, Deed)>,
    /// Texts, and what each is answered with.
    pub(crate) answers: Vec<(&'static str, Duration, Deed)>,
    /// The delay of the echo of any other message.
    pub(crate) echo: Option<Duration>,
}

/// How pings are answered.
#[derive(Clone, Debug)]
pub(crate) struct Pongs {
    pub(crate) after: Duration,
    pub(crate) style: PongStyle,
    /// How many are answered.
    pub(crate) most: usize,
}

/// What stands in a pong.
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

/// The socket cannot be opened: that is known after `delay`.
#[must_use]
pub fn fails_after(delay: Duration, error: OpenError) -> Attempt {
    attempt(Opening::Failed(error), delay)
}

/// The server answers the upgrade with another status than 101.
#[must_use]
pub fn answers_http(delay: Duration, status: u16) -> Attempt {
    answers_http_with(delay, status, None)
}

/// The server answers the upgrade with another status than 101, and says when to come again.
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

/// What answers is no web server.
#[must_use]
pub fn speaks_no_http(delay: Duration) -> Attempt {
    let bytes = b"SSH-2.0-OpenSSH_9.2\r\n".to_vec();
    attempt(Opening::Answered { bytes, reads_as: OpenError::NotHttp }, delay)
}

/// The server says 101 with an answer to another key than ours (RFC 6455 section 4.1).
#[must_use]
pub fn upgrades_wrongly(delay: Duration) -> Attempt {
    let head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n";
    let bytes = head.as_bytes().to_vec();
    attempt(Opening::Answered { bytes, reads_as: OpenError::Upgrade }, delay)
}

/// The server hangs up in place of answering the upgrade.
#[must_use]
pub fn hangs_up_in_the_upgrade(delay: Duration) -> Attempt {
    attempt(Opening::HungUp, delay)
}

/// No answer from the network, ever.
#[must_use]
pub fn never_connects() -> Attempt {
    attempt(Opening::NeverConnected, Duration::MAX)
}

/// A byte stream opens at once, and the upgrade is never answered.
#[must_use]
pub fn stalls_in_the_upgrade() -> Attempt {
    attempt(Opening::Stalled, Duration::MAX)
}

/// A byte of the answer's head comes each so often, and the head never ends.
#[must_use]
pub fn trickles_its_answer(every: Duration) -> Attempt {
    attempt(Opening::Trickled(every), every)
}

fn attempt(opening: Opening, after: Duration) -> Attempt {
    let (deeds, manners) = (Vec::new(), Manners::default());
    Attempt { opening, after, deeds, manners, takes: u64::MAX, buffers: 0 }
}

impl Attempt {
    /// So long after the opening the peer does this. At zero: with the answer to the upgrade, in the same read.
    #[must_use]
    pub fn then(mut self, after: Duration, deed: Deed) -> Self {
        self.deeds.push((after, deed));
        self
    }

    /// From `first` after the opening on the peer does this `count` times, once each `every`.
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

    /// The peer's socket takes so many bytes of the client's after the upgrade, and no more until a [`Deed::takes`]: what
    /// goes beyond waits with the client.
    #[must_use]
    pub fn takes(mut self, bytes: u64) -> Self {
        self.takes = bytes;
        self
    }

    /// The client's transport takes so many bytes more than the peer's socket does, as one with TLS: written, and not
    /// flushed.
    #[must_use]
    pub fn buffers(mut self, bytes: u64) -> Self {
        self.buffers = bytes;
        self
    }

    /// The peer is well-mannered: pings are answered after 20 ms, and so is a Close.
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

    /// The peer answers a Close with the same.
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

    /// The peer does this on that very text.
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

/// What the application does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // a harness that does not know one must not compile
pub enum Command {
    /// It wants a connection. The first one stands at 0 ms in every script.
    Connect,
    /// It wants the connection closed.
    Close {
        /// The code.
        code: u16,
        /// The reason.
        reason: &'static str,
    },
    /// It sends a text. A driver may wait here until it is written.
    Send(&'static str),
    /// It hands over a text, and does not wait for it to be written, nor for room.
    Feed(&'static str),
    /// Its own login was accepted.
    LoginAccepted,
    /// Its own login was refused.
    LoginRejected(Verdict),
    /// It takes no more messages. Its driver stops reading and does everything else.
    PauseReading,
    /// It takes messages again.
    ResumeReading,
    /// The operating system says so.
    Network(Network),
    /// The machine slept: the wall clock goes ahead by so many milliseconds, and nothing else does. The next timer shows it.
    Sleep(Duration),
    /// The wall clock is set back.
    SetBack(Duration),
    /// The program is held up for so long: its driver is not driven. What comes meanwhile is there in one read when it goes
    /// on, and what is due meanwhile is late.
    Stall(Duration),
}

/// Closes with 1000.
pub const CLOSE: Command = Command::Close { code: 1000, reason: "" };

/// How the failure of an open socket reads, for a raw deed.
pub const fn breaks(failure: Failure) -> crate::deed::Heard {
    crate::deed::Heard::Failed(failure)
}
