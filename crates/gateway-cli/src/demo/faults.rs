//! The faults of the demo, in order. The server makes each, and the client survives it.

use gateway_tokio::core::{DisconnectCause, OpenError, SocketId};

use super::stage::{DemoError, Happened, Stage};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Drop,
    Silent,
    Refused,
    AcceptThenDrop,
    Restart,
    FullBuffer,
}

/// A fault that the client survived.
#[derive(Debug)]
pub(crate) struct Ridden {
    pub(crate) title: &'static str,
    /// How the client noticed it.
    pub(crate) noticed: &'static str,
    pub(crate) attempts: u32,
    pub(crate) away: std::time::Duration,
    /// Messages in flight when the socket was reset.
    pub(crate) unanswered: u64,
}

/// Messages of the exchange before the first fault and after each.
pub(crate) const MESSAGES: u64 = 20;
/// Messages that the client sends before it notices the silence.
const INTO_THE_VOID: u64 = 3;
/// Attempts that are refused, or that are accepted and dropped.
const TIMES: u64 = 3;
/// The size of a message where the buffer is to be filled.
const LARGE: usize = 16 * 1024;
/// No buffer of any kernel holds so many of them.
const MOST_LARGE: u64 = 8_192;

impl Fault {
    pub(crate) const ALL: [Self; 6] = [
        Self::Drop,
        Self::Silent,
        Self::Refused,
        Self::AcceptThenDrop,
        Self::Restart,
        Self::FullBuffer,
    ];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Drop => "The server resets the connection",
            Self::Silent => "The server goes silent, half-open",
            Self::Refused => "The port refuses connections",
            Self::AcceptThenDrop => "The server accepts, then drops",
            Self::Restart => "The server restarts, and the token expires",
            Self::FullBuffer => "The socket breaks with a full write buffer",
        }
    }

    fn about(self) -> &'static str {
        match self {
            Self::Drop => {
                "A TCP reset, as a crashed process or a proxy with a short timeout sends it."
            }
            Self::Silent => {
                "TCP stays up, and nothing arrives any more, as after a pulled cable. Only the heartbeat\n\
                 detects it: a ping each 500 ms, and dead if nothing comes within 300 ms after one."
            }
            Self::Refused => {
                "The connection is reset, and for a while no server listens on the port."
            }
            Self::AcceptThenDrop => {
                "Each upgrade succeeds, then the server ends TCP. An open connection is not yet stable:\n\
                 the client keeps counting its attempts, so that it does not hammer such a server."
            }
            Self::Restart => {
                "A Close frame with 1012, service restart. Then the server refuses the login: its token was\n\
                 good for five."
            }
            Self::FullBuffer => {
                "The server stops reading while the client sends: the kernel's buffers fill up,\n\
                 then the client's buffer. Then the socket is reset."
            }
        }
    }

    fn moral(self) -> &'static str {
        match self {
            Self::Drop => "The client waited for a random delay, and connected again.",
            Self::Silent => {
                "The client treated the silent server as dead, reset the socket, and connected again.\n\
                 The messages that it sent meanwhile are accounted for."
            }
            Self::Refused => "The client tried again, each time after another random delay.",
            Self::AcceptThenDrop => {
                "The short opens did not reset the delay: the client kept counting its attempts."
            }
            Self::Restart => {
                "The policy retries after 1012. After the refused login the client asked its provider for\n\
                 another token, and logged in with that."
            }
            Self::FullBuffer => {
                "Every message has its outcome: sent (the kernel accepted it, the peer may not have it),\n\
                 maybe_sent (perhaps written in part), rejected (not written: safe to send again)."
            }
        }
    }

    /// Plays the fault on a ready connection, until it is ready again. No echo is outstanding at the
    /// start or at the end.
    pub(crate) async fn play(self, number: usize, stage: &mut Stage) -> Result<Ridden, DemoError> {
        stage.settle().await?;
        stage.screen.heading(number, self.title(), self.about());
        let (before, since) = (stage.socket(), stage.screen.elapsed());
        let first = stage.ledger.next_number();
        let noticed = match self {
            Self::Drop => drop_all(stage).await?,
            Self::Silent => silent(stage).await?,
            Self::Refused => refused(stage).await?,
            Self::AcceptThenDrop => accept_then_drop(stage).await?,
            Self::Restart => restart(stage).await?,
            Self::FullBuffer => full_buffer(stage).await?,
        };
        stage.until_ready_after(before).await?;
        let away = stage.screen.elapsed().saturating_sub(since);
        let unanswered = stage.ledger.counts_from(first).unanswered;
        if self == Self::FullBuffer {
            account(stage, first).await?;
        }
        stage.exchange(MESSAGES).await?;
        stage.screen.remark(self.moral());
        Ok(Ridden { title: self.title(), noticed, attempts: stage.attempt(), away, unanswered })
    }
}

async fn drop_all(stage: &mut Stage) -> Result<&'static str, DemoError> {
    stage.control.drop_all();
    expect_lost(stage).await
}

async fn silent(stage: &mut Stage) -> Result<&'static str, DemoError> {
    stage.control.go_silent();
    for _ in 0..INTO_THE_VOID {
        let number = stage.ledger.next_number();
        stage.send(number.to_string()).await?;
    }
    stage.screen.happened(format_args!("{INTO_THE_VOID} messages sent, without an answer"));
    match stage.until_retry().await? {
        cause @ DisconnectCause::PongTimeout => Ok(cause.name()),
        cause => Err(DemoError::OtherCause(cause.name())),
    }
}

async fn refused(stage: &mut Stage) -> Result<&'static str, DemoError> {
    stage.control.refuse(true).await;
    drop_all(stage).await?;
    for _ in 0..TIMES {
        match stage.until_retry().await? {
            DisconnectCause::OpenFailed(OpenError::Refused) => {}
            cause => return Err(DemoError::OtherCause(cause.name())),
        }
    }
    stage.control.refuse(false).await;
    stage.screen.happened("the port is open again");
    Ok("refused")
}

async fn accept_then_drop(stage: &mut Stage) -> Result<&'static str, DemoError> {
    stage.control.accept_then_drop(TIMES);
    drop_all(stage).await?;
    for _ in 0..TIMES {
        expect_lost(stage).await?;
    }
    Ok("lost")
}

async fn restart(stage: &mut Stage) -> Result<&'static str, DemoError> {
    stage.control.restart();
    match stage.until_retry().await? {
        DisconnectCause::CloseReceived(Some(code)) if code.number() == 1012 => {}
        cause => return Err(DemoError::OtherCause(cause.name())),
    }
    match stage.until_retry().await? {
        DisconnectCause::LoginRefused(_) => Ok("close 1012"),
        cause => Err(DemoError::OtherCause(cause.name())),
    }
}

async fn expect_lost(stage: &mut Stage) -> Result<&'static str, DemoError> {
    match stage.until_retry().await? {
        cause @ DisconnectCause::Lost(_) => Ok(cause.name()),
        cause => Err(DemoError::OtherCause(cause.name())),
    }
}

async fn full_buffer(stage: &mut Stage) -> Result<&'static str, DemoError> {
    stage.control.go_silent();
    let first = stage.ledger.next_number();
    fill(stage).await?;
    let handed_over = stage.ledger.next_number() - first;
    stage.screen.happened(format_args!(
        "{handed_over} messages of 16 KiB handed over; then the write buffer was full"
    ));
    stage.control.drop_all();
    expect_lost(stage).await
}

/// Sends until the client's and the kernel's buffers are full.
async fn fill(stage: &mut Stage) -> Result<(), DemoError> {
    let padding = "x".repeat(LARGE);
    let mut full = 0;
    for _ in 0..MOST_LARGE {
        let number = stage.ledger.next_number();
        if stage.put(format!("{number} {padding}"))? {
            full = 0;
            continue;
        }
        // Twice in a row: in between, the kernel had time to drain its buffer.
        full += 1;
        if full == 2 {
            return Ok(());
        }
        stage.write_on().await?;
    }
    Err(DemoError::NeverFull)
}

/// Shows the outcomes of the messages before the full buffer, and sends the rejected ones again.
async fn account(stage: &mut Stage, first: u64) -> Result<(), DemoError> {
    let counts = stage.ledger.counts_from(first);
    stage.screen.happened(format_args!(
        "of {} messages {} were sent, {} maybe_sent, {} rejected: {} in all",
        counts.handed_over,
        counts.sent,
        counts.maybe_sent,
        counts.rejected,
        counts.sent + counts.maybe_sent + counts.rejected,
    ));
    stage.screen.happened(format_args!("the {} rejected ones are sent again", counts.rejected));
    stage.exchange(counts.rejected).await
}

impl Stage {
    /// Waits until a later socket than this one is ready.
    async fn until_ready_after(&mut self, socket: SocketId) -> Result<(), DemoError> {
        while self.next().await? != Happened::Ready || self.socket() <= socket {}
        Ok(())
    }
}
