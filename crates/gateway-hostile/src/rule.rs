//! The rules for a client. Their words need no knowledge of this project.

use std::time::Duration;

use gateway_core::format_duration;

/// A shorter wait counts as no wait.
pub(crate) const AT_ONCE: Duration = Duration::from_millis(100);

/// How long a client may take to fail a connection after a protocol error, which it reads at once.
const FAILS_WITHIN: Duration = Duration::from_secs(5);

/// What is expected of a client. Each script in the table lists the rules that it tests.
///
/// The limit in a rule is `--within`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// Does not leave a connection that works.
    Stays,
    /// Is connected at the end, or reconnects soon.
    StillThere,
    /// Tries again soon enough after a loss.
    ComesBack,
    /// Tries again without a wait at most `at_once` times in a row.
    Waits { at_once: usize },
    /// Waits longer after repeated failures, or gives up.
    BacksOff,
    /// Honours a `Retry-After`: no wait is shorter.
    HeedsRetryAfter { least: Duration },
    /// Gives up an attempt whose response is not complete.
    GivesUpOpening,
    /// Leaves a connection on which nothing more arrives.
    NoticesSilence,
    /// Fails the connection after a protocol error, with one of these codes or without a Close.
    FailsConnection { codes: &'static [u16] },
    /// Answers pings, at least the last one.
    AnswersPings,
    /// Answers a Close frame with one.
    AnswersClose,
    /// Ends TCP if the server does not after the client's Close frame.
    HangsUpAfterClose,
    /// Sends no close code that must not be on the wire.
    ClosesLegally,
}

impl Rule {
    /// The limit of this rule, given `--within`.
    pub(crate) fn bound(self, within: Duration) -> Duration {
        match self {
            Self::FailsConnection { .. } => within.min(FAILS_WITHIN),
            Self::Stays
            | Self::StillThere
            | Self::ComesBack
            | Self::Waits { .. }
            | Self::BacksOff
            | Self::HeedsRetryAfter { .. }
            | Self::GivesUpOpening
            | Self::NoticesSilence
            | Self::AnswersPings
            | Self::AnswersClose
            | Self::HangsUpAfterClose
            | Self::ClosesLegally => within,
        }
    }

    /// The rule in words, with its limit.
    pub(crate) fn words(self, within: Duration) -> String {
        let bound = format_duration(self.bound(within));
        match self {
            Self::Stays => "stays connected while the server echoes its messages".to_owned(),
            Self::StillThere => format!(
                "stays (a pong may be unsolicited), or leaves (no ping was answered) and reconnects \
                 within {bound} (RFC 6455, 5.5.3)"
            ),
            Self::ComesBack => format!("tries again within {bound} of a loss"),
            Self::Waits { at_once } => {
                let least = format_duration(AT_ONCE);
                let often = match at_once {
                    1 => "never retries at once twice in a row".to_owned(),
                    more => format!("retries at once at most {more} times in a row"),
                };
                format!(
                    "waits at least {least} before it tries again; {often} (RFC 6455, 7.2.3, applied beyond \
                     abnormal closures)"
                )
            }
            Self::BacksOff => {
                "waits longer after repeated failures, also if the server had accepted, or gives up \
                 (RFC 6455, 7.2.3, for abnormal closures)"
                    .to_owned()
            }
            Self::HeedsRetryAfter { least } => {
                let least = format_duration(least);
                format!("tries again no sooner than Retry-After says, here {least} (RFC 9110, 10.2.3)")
            }
            Self::GivesUpOpening => {
                format!("gives up an attempt if the response is not complete within {bound}")
            }
            Self::NoticesSilence => format!("ends the connection within {bound} after the server's last bytes"),
            Self::FailsConnection { codes } => {
                let codes: Vec<_> = codes.iter().map(u16::to_string).collect();
                let codes = codes.join(" or ");
                format!(
                    "fails the connection within {bound}; its Close frame, if it sends one, has {codes} \
                     (RFC 6455, 7.1.7)"
                )
            }
            Self::AnswersPings => format!(
                "answers at least the last of many pings within {bound} (RFC 6455, 5.5.2 and 5.5.3)"
            ),
            Self::AnswersClose => {
                "answers a Close frame with a Close frame (RFC 6455, 5.5.1)".to_owned()
            }
            Self::HangsUpAfterClose => format!(
                "ends TCP within {bound} after its Close frame, even if the server does not (RFC 6455, \
                 7.1.1 lets a client wait, and a longer wait has no use)"
            ),
            Self::ClosesLegally => {
                "sends no close code that must not be on the wire, such as 1006 (RFC 6455, 7.4.1)"
                    .to_owned()
            }
        }
    }
}
