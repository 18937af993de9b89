//! Time as an argument: this crate never reads a clock.

use std::ops::Add;
use std::time::Duration;

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
    /// RFC 3339 in UTC with milliseconds, as every record's `started` has it.
    #[must_use]
    pub fn rfc3339(self) -> String {
        let at = std::time::UNIX_EPOCH.checked_add(Duration::from_micros(self.0));
        at.map_or_else(String::new, |at| humantime::format_rfc3339_millis(at).to_string())
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
    fn wall_clock_is_written_as_rfc_3339() {
        assert_eq!(UnixMicros(1_795_435_200_000_000).rfc3339(), "2026-11-23T12:00:00.000Z");
    }
}
