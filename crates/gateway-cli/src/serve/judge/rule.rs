//! The rules that a client is held to, each in words that stand without this project.

use std::time::Duration;

use gateway_tokio::core::format_duration;

/// A wait shorter than this is none.
pub(crate) const AT_ONCE: Duration = Duration::from_millis(100);

/// How long a client may take to fail a connection on a breach of the protocol, which it reads at once.
const FAILS_WITHIN: Duration = Duration::from_secs(5);

/// What is expected of a client. A script in the table names the rules that it puts to the test.
///
/// Where a rule speaks of a bound it is the one that the judge was given: `--within`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// Does not leave a connection that works.
    Stays,
    /// Is connected in the end, or soon again.
    StillThere,
    /// Tries again after a loss, soon enough.
    ComesBack,
    /// Tries again at once so many times in a row at most.
    Waits { at_once: usize },
    /// Waits longer when it fails again and again, or gives up.
    BacksOff,
    /// Heeds a `Retry-After`: no wait is shorter.
    HeedsRetryAfter { least: Duration },
    /// Gives up an attempt that is not answered in full.
    GivesUpOpening,
    /// Leaves a connection on which nothing comes any more.
    NoticesSilence,
    /// Fails the connection after a breach of the protocol, with one of these codes or none.
    FailsConnection { codes: &'static [u16] },
    /// Answers pings, the last one at least.
    AnswersPings,
    /// Answers a Close frame with one.
    AnswersClose,
    /// Hangs up when its own Close frame finds no end.
    HangsUpAfterClose,
    /// Sends no close code that is for its own use alone.
    ClosesLegally,
}

impl Rule {
    /// The bound of this rule, where that of the judge is `within`.
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

    /// The rule in words, with the bound in them.
    pub(crate) fn words(self, within: Duration) -> String {
        let bound = format_duration(self.bound(within));
        match self {
            Self::Stays => "stays connected while what it sends comes back".to_owned(),
            Self::StillThere => format!(
                "stays, as a pong may come unasked, or leaves, as no ping was answered, and is \
                 back within {bound} (RFC 6455, 5.5.3)"
            ),
            Self::ComesBack => format!("tries again within {bound} of a loss"),
            Self::Waits { at_once } => {
                let least = format_duration(AT_ONCE);
                let often = match at_once {
                    1 => "never twice in a row".to_owned(),
                    more => format!("{more} times in a row at most"),
                };
                format!(
                    "waits at least {least} before it tries again; at once {often} (in the spirit of RFC \
                     6455, 7.2.3, which speaks of abnormal closures)"
                )
            }
            Self::BacksOff => {
                "waits longer as it fails again and again, accepted or not, or gives up (RFC 6455, \
                 7.2.3, for abnormal closures)"
                    .to_owned()
            }
            Self::HeedsRetryAfter { least } => {
                let least = format_duration(least);
                format!("comes not before Retry-After is over, {least} here (RFC 9110, 10.2.3)")
            }
            Self::GivesUpOpening => {
                format!("gives up an attempt whose answer is not complete within {bound}")
            }
            Self::NoticesSilence => format!("leaves within {bound} of the last that it heard"),
            Self::FailsConnection { codes } => {
                let codes: Vec<_> = codes.iter().map(u16::to_string).collect();
                let codes = codes.join(" or ");
                format!(
                    "fails the connection within {bound}, with {codes} if with a Close frame \
                     (RFC 6455, 7.1.7)"
                )
            }
            Self::AnswersPings => format!(
                "answers the latest of many pings at least, within {bound} (RFC 6455, 5.5.2 and \
                 5.5.3)"
            ),
            Self::AnswersClose => {
                "answers a Close frame with a Close frame (RFC 6455, 5.5.1)".to_owned()
            }
            Self::HangsUpAfterClose => format!(
                "hangs up within {bound} of its Close frame, though the server does not (RFC \
                 6455, 7.1.1 lets it wait for a while, and no longer is of use)"
            ),
            Self::ClosesLegally => {
                "sends no close code that must not be on the wire, such as 1006 (RFC 6455, 7.4.1)"
                    .to_owned()
            }
        }
    }
}
