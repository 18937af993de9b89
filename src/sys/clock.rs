//! The one clock of a run.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sshprobe_probes::time::{Moment, UnixMicros};

/// Turns the machine's monotonic clock into [`Moment`]s. Copied freely: all copies agree.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: Instant,
    epoch: UnixMicros,
}

impl Clock {
    /// A clock whose [`Moment::START`] is now.
    #[must_use]
    pub fn start() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let epoch = UnixMicros(u64::try_from(since_epoch.as_micros()).unwrap_or(u64::MAX));
        Self { start: Instant::now(), epoch }
    }

    /// The present moment.
    #[must_use]
    pub fn now(&self) -> Moment {
        Moment::START + self.start.elapsed()
    }

    /// The wall-clock time of [`Moment::START`]. Read once: a clock that is set during a run must not reorder its records.
    #[must_use]
    pub const fn epoch(&self) -> UnixMicros {
        self.epoch
    }

    /// `moment` for tokio's timers. One too far away to count is a century ahead.
    #[must_use]
    pub fn instant(&self, moment: Moment) -> tokio::time::Instant {
        const CENTURY: Duration = Duration::from_secs(100 * 365 * 86_400);
        let span = moment.since(Moment::START).min(CENTURY);
        // A timer that fires before its moment has come would be asked for again at once.
        tokio::time::Instant::from_std(self.start + span)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_and_instants_agree_and_do_not_overflow() {
        let clock = Clock::start();
        let now = clock.now();
        let instant = clock.instant(now);
        assert!(instant <= tokio::time::Instant::now());
        assert!(clock.instant(Moment::from_micros(u64::MAX)) > instant);
        assert!(clock.epoch() > UnixMicros(1_700_000_000_000_000));
    }
}
