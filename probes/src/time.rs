//! Time as an argument: this crate never reads a clock.

use std::borrow::Cow;
use std::fmt;
use std::ops::Add;
use std::time::{Duration, UNIX_EPOCH};

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A point in time, in microseconds since the run started.
///
/// The driver owns the clock and passes the present moment with every call; tests and replay invent one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Moment(u64);

impl Moment {
    /// The start of the run.
    pub const START: Moment = Moment(0);

    /// The moment `micros` microseconds after the start of the run.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since the start of the run.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// How long ago `earlier` was; zero if it lies in the future.
    #[must_use]
    pub const fn since(self, earlier: Moment) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Moment {
    type Output = Moment;

    /// Saturates: a deadline too far away to count is one that never comes.
    fn add(self, span: Duration) -> Moment {
        Moment(self.0.saturating_add(u64::try_from(span.as_micros()).unwrap_or(u64::MAX)))
    }
}

/// Wall-clock time, in microseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct UnixMicros(pub u64);

impl UnixMicros {
    /// The same as every record has it.
    #[must_use]
    pub fn timestamp(self) -> Timestamp {
        Timestamp((self.0 / 1000).min(Timestamp::LAST))
    }
}

/// Wall-clock time in milliseconds since 1970-01-01T00:00:00Z; written as RFC 3339 in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The end of the year 9999: RFC 3339 has four digits for it.
    const LAST: u64 = 253_402_300_799_999;
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(self.0)).fmt(f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <Cow<'de, str>>::deserialize(deserializer)?;
        let at = humantime::parse_rfc3339(&text).map_err(|fault| D::Error::custom(format!("{text:?}: {fault}")))?;
        let since = at.duration_since(UNIX_EPOCH).map_err(|_| D::Error::custom(format!("{text:?} is before 1970")))?;
        Ok(Self(u64::try_from(since.as_millis()).unwrap_or(u64::MAX).min(Self::LAST)))
    }
}

impl Add<Duration> for UnixMicros {
    type Output = UnixMicros;

    fn add(self, span: Duration) -> UnixMicros {
        UnixMicros(self.0.saturating_add(u64::try_from(span.as_micros()).unwrap_or(u64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_saturate_instead_of_wrapping() {
        let late = Moment::from_micros(u64::MAX - 1);
        assert_eq!(late + Duration::from_secs(1), Moment::from_micros(u64::MAX));
        assert_eq!(Moment::START.since(late), Duration::ZERO);
        assert_eq!(Moment::from_micros(3).since(Moment::from_micros(1)), Duration::from_micros(2));
    }

    #[test]
    fn wall_clock_is_written_as_rfc_3339_and_read_back() {
        for (micros, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_795_435_200_000_000, "2026-11-23T12:00:00.000Z"),
            (1_795_435_200_123_999, "2026-11-23T12:00:00.123Z"),
            (u64::MAX, "9999-12-31T23:59:59.999Z"),
        ] {
            let at = UnixMicros(micros).timestamp();
            assert_eq!(at.to_string(), text);
            assert_eq!(serde_json::to_string(&at).unwrap(), format!("{text:?}"));
            assert_eq!(serde_json::from_str::<Timestamp>(&format!("{text:?}")).unwrap(), at);
        }
        for odd in ["\"\"", "\"yesterday\"", "\"1969-12-31T23:59:59Z\"", "7"] {
            assert!(serde_json::from_str::<Timestamp>(odd).is_err(), "{odd}");
        }
    }
}
