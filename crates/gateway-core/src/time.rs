//! Time as data: the caller passes the time, and the core reads no clock.

use core::fmt;
use core::num::NonZeroU64;
use core::time::Duration;

use serde::{Deserialize, Serialize};

/// A point in monotonic time: nanoseconds since an epoch that you choose.
///
/// A test cannot construct the standard library's `Instant`, and it does not exist without `std`.
/// So the core has its own type. All arithmetic saturates. `u64` nanoseconds last 584 years.
///
/// ```
/// use core::time::Duration;
/// use gateway_core::Instant;
///
/// let start = Instant::from_nanos(5_000_000_000);
/// let later = start.saturating_add(Duration::from_millis(250));
/// assert_eq!(later.saturating_duration_since(start), Duration::from_millis(250));
/// assert_eq!(start.saturating_duration_since(later), Duration::ZERO);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Instant(u64);

impl Instant {
    /// Your epoch.
    pub const ZERO: Self = Self(0);

    /// The last instant that this type can represent.
    pub const MAX: Self = Self(u64::MAX);

    /// The instant `nanos` nanoseconds after the epoch.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// The instant `millis` milliseconds after the epoch, at most [`Instant::MAX`].
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// Nanoseconds since the epoch.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// This instant plus `span`, at most [`Instant::MAX`].
    #[must_use]
    pub fn saturating_add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(nanos(span)))
    }

    /// This instant minus `span`, at least [`Instant::ZERO`].
    #[must_use]
    pub fn saturating_sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(nanos(span)))
    }

    /// The span since `earlier`, zero if `earlier` is later than `self`.
    #[must_use]
    pub const fn saturating_duration_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Instant({}ns)", self.0)
    }
}

/// Moves instants, for a model checker: `from` to `to`, and all others by the same span.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shift {
    pub(crate) from: Instant,
    pub(crate) to: Instant,
}

impl Shift {
    pub(crate) const fn apply(self, instant: &mut Instant) {
        *instant = self.moved(*instant);
    }

    pub(crate) const fn moved(self, instant: Instant) -> Instant {
        Instant(instant.0.saturating_add(self.to.0).saturating_sub(self.from.0))
    }
}

/// The wall clock: milliseconds since 1970-01-01T00:00:00Z.
///
/// The core uses it for the heartbeat's timestamp, for a `Retry-After` date, and to detect a
/// suspend: it compares the wall clock with monotonic time. No deadline depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixMillis(pub u64);

impl UnixMillis {
    /// This time plus `span`, rounded down to milliseconds.
    #[must_use]
    pub fn saturating_add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)))
    }

    /// The span since `earlier`, zero if `earlier` is later than `self`.
    #[must_use]
    pub const fn saturating_duration_since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// An instant or a span, stored so that an `Option` of it takes eight bytes.
///
/// `u64::MAX - 1` is stored as `u64::MAX`. So `u64::MAX`, at which sums saturate, is exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Compact(NonZeroU64);

impl Compact {
    pub(crate) const fn new(nanos: u64) -> Self {
        Self(NonZeroU64::MIN.saturating_add(nanos))
    }

    pub(crate) const fn at(instant: Instant) -> Self {
        Self::new(instant.0)
    }

    pub(crate) const fn nanos(self) -> u64 {
        match self.0 {
            NonZeroU64::MAX => u64::MAX,
            kept => kept.get() - 1,
        }
    }

    pub(crate) const fn instant(self) -> Instant {
        Instant(self.nanos())
    }
}

/// The nanoseconds of a span, at most `u64::MAX`.
pub(crate) fn nanos(span: Duration) -> u64 {
    span.as_secs().saturating_mul(1_000_000_000).saturating_add(span.subsec_nanos().into())
}

/// Rounds a span down to whole milliseconds.
pub(crate) fn whole_millis(span: Duration) -> Duration {
    Duration::from_millis(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
}

/// A span as a whole number of nanoseconds, exact for every `Duration`. The field's name states the
/// unit.
pub(crate) mod span_ns {
    use core::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    const SECOND: u128 = 1_000_000_000;

    pub(crate) fn serialize<S: Serializer>(
        span: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match u64::try_from(span.as_nanos()) {
            Ok(nanos) => serializer.serialize_u64(nanos),
            Err(_) => serializer.serialize_u128(span.as_nanos()),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        let nanos = u128::deserialize(deserializer)?;
        let seconds = u64::try_from(nanos / SECOND).ok();
        seconds
            .zip(u32::try_from(nanos % SECOND).ok())
            .map(|(seconds, nanos)| Duration::new(seconds, nanos))
            .ok_or_else(|| D::Error::custom("a span must be shorter than 2^64 seconds"))
    }

    /// The same for an optional span.
    pub(crate) mod option {
        use core::time::Duration;

        use serde::{Deserialize, Deserializer, Serialize, Serializer};

        #[derive(Serialize, Deserialize)]
        #[serde(transparent)]
        struct Span(#[serde(with = "super")] Duration);

        #[expect(clippy::ref_option, reason = "serde requires this signature")]
        pub(crate) fn serialize<S: Serializer>(
            span: &Option<Duration>,
            serializer: S,
        ) -> Result<S::Ok, S::Error> {
            span.map(Span).serialize(serializer)
        }

        pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
            deserializer: D,
        ) -> Result<Option<Duration>, D::Error> {
            Ok(Option::<Span>::deserialize(deserializer)?.map(|Span(span)| span))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_in_eight_bytes_is_exact_from_the_first_nanosecond_to_the_last() {
        for nanos in [0, 1, 2, 1_000_000_007, u64::MAX - 2, u64::MAX] {
            assert_eq!(Compact::at(Instant::from_nanos(nanos)).instant().as_nanos(), nanos);
            assert_eq!(Compact::new(nanos).nanos(), nanos);
        }
        assert_eq!(Compact::at(Instant::from_nanos(u64::MAX - 1)).instant().as_nanos(), u64::MAX);
    }
}
