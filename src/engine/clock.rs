//! The one clock of a run, and its randomness: what the probes crate takes as arguments.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sshprobe_probes::random::Seed;
use sshprobe_probes::time::{Moment, UnixMicros};
use tokio::time::Instant;

/// Counts from the start of the run.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    begun: Instant,
    epoch: UnixMicros,
}

impl Clock {
    /// The run begins now.
    #[must_use]
    pub fn start() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let epoch = UnixMicros(u64::try_from(since.as_micros()).unwrap_or(u64::MAX));
        Self { begun: Instant::now(), epoch }
    }

    /// The wall-clock time at which the run began.
    #[must_use]
    pub const fn epoch(&self) -> UnixMicros {
        self.epoch
    }

    /// Now.
    #[must_use]
    pub fn now(&self) -> Moment {
        Moment::from_micros(u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    /// The moment as the runtime's timers want it. A moment that never comes is a century away.
    #[must_use]
    pub fn instant(&self, moment: Moment) -> Instant {
        const CENTURY: u64 = 100 * 365 * 86_400 * 1_000_000;
        self.begun + Duration::from_micros(moment.as_micros().min(CENTURY))
    }
}

/// A seed for one connection, from the operating system.
pub(super) fn seed() -> Seed {
    let mut bytes = [0; 32];
    if aws_lc_rs::rand::fill(&mut bytes).is_err() {
        // The library's generator cannot fail once seeded. A predictable key would be worse than none.
        std::process::abort();
    }
    Seed(bytes)
}

/// 64 random bits, for delays that are not to be foreseen.
pub(super) fn entropy() -> u64 {
    let mut bytes = [0; 8];
    let _ = aws_lc_rs::rand::fill(&mut bytes);
    u64::from_le_bytes(bytes)
}
