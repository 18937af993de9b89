//! Which answers are worth asking again for, and after how long.

use std::time::Duration;

use crate::diagnose::Code;
use crate::govern::jitter::Jitter;

/// An answer that says more about the moment than about the host: the next one may be another.
///
/// `throttled-or-penalised` (`Not allowed at this time`) is none of them although it passes: sshd may mean us by it, and
/// knocking again is what it penalises. Silence is none either: the kernel has already resent the SYN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transient {
    /// `Exceeded MaxStartups`: too many unauthenticated connections, of anyone's. sshd drops at random from 10 on, so asking
    /// again after a random while often helps, and asking in step with the rest of a sweep does not.
    Throttled,
    /// Closed or reset before an identification: a load balancer between two backends, dropbear over its limit, an sshd of
    /// before 8.2 past MaxStartups, a fork that failed.
    Dropped,
    /// The way was lost before it led anywhere, or its own credential had aged: a relay, or something before it, had a bad
    /// moment.
    Way,
    /// Whoever is on the way has too much to do, and may have said for how long.
    Busy {
        /// What it said, at most [`Transient::BUSY_MOST`] of which is heeded.
        after: Option<Duration>,
    },
}

impl Transient {
    /// Whether `code` is a transient answer, and which.
    #[must_use]
    pub const fn of(code: Code) -> Option<Transient> {
        match code {
            Code::ThrottledMaxstartups => Some(Transient::Throttled),
            Code::ClosedNoIdent | Code::ResetNoIdent => Some(Transient::Dropped),
            _ => None,
        }
    }

    /// How long after the end of the connection to try again, with at least `per_host` between the two.
    ///
    /// `tries` is how many came before, the one just ended among them.
    #[must_use]
    pub fn delay(self, tries: u32, per_host: Duration, jitter: &mut Jitter) -> Duration {
        match self {
            Transient::Way => per_host + jitter.between(Duration::ZERO, Self::DROPPED_JITTER),
            Transient::Busy { after } => {
                let random = jitter.between(Self::THROTTLED_LEAST, Self::THROTTLED_MOST);
                let grown = random.saturating_mul(1 << tries.saturating_sub(1).min(8)).min(Self::BUSY_MOST);
                // Not in step with whoever was told the same.
                let asked = after.map(|after| after.min(Self::BUSY_MOST) + random / 4);
                asked.unwrap_or(grown).max(per_host)
            }
            Transient::Throttled => jitter.between(Self::THROTTLED_LEAST, Self::THROTTLED_MOST).max(per_host),
            Transient::Dropped => per_host + jitter.between(Duration::ZERO, Self::DROPPED_JITTER),
        }
    }

    /// The longest that anybody is waited for because he said so, or after many tries.
    pub const BUSY_MOST: Duration = Duration::from_secs(60);
    /// The shortest wait after [`Transient::Throttled`].
    pub const THROTTLED_LEAST: Duration = Duration::from_secs(2);
    /// The longest wait after [`Transient::Throttled`].
    pub const THROTTLED_MOST: Duration = Duration::from_secs(10);
    /// The most that is added to the spacing after [`Transient::Dropped`], so that hosts behind one proxy are not asked in step.
    pub const DROPPED_JITTER: Duration = Duration::from_millis(500);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_passes_by_itself_is_asked_again() {
        assert_eq!(Transient::of(Code::ThrottledMaxstartups), Some(Transient::Throttled));
        assert_eq!(Transient::of(Code::ClosedNoIdent), Some(Transient::Dropped));
        assert_eq!(Transient::of(Code::ResetNoIdent), Some(Transient::Dropped));
        for code in [Code::ThrottledOrPenalised, Code::TimeoutConnect, Code::Refused, Code::ClosedAfter5s, Code::Ok] {
            assert_eq!(Transient::of(code), None, "{code:?}");
        }
    }

    #[test]
    fn delays_are_random_within_their_bounds_and_never_below_the_spacing() {
        let spacing = Duration::from_millis(1200);
        let mut jitter = Jitter::new(5);
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..200 {
            let delay = Transient::Throttled.delay(1, spacing, &mut jitter);
            assert!(delay >= Transient::THROTTLED_LEAST && delay <= Transient::THROTTLED_MOST);
            seen.insert(delay);
            let delay = Transient::Dropped.delay(1, spacing, &mut jitter);
            assert!(delay >= spacing && delay <= spacing + Transient::DROPPED_JITTER);
            let wide = Duration::from_secs(60);
            assert_eq!(Transient::Throttled.delay(1, wide, &mut jitter), wide);
        }
        assert!(seen.len() > 190, "hardly two alike");
    }

    #[test]
    fn who_is_busy_is_left_alone_for_as_long_as_it_says_and_longer_each_time_but_not_for_ever() {
        let (spacing, mut jitter) = (Duration::from_millis(1200), Jitter::new(5));
        let secs = Duration::from_secs;
        for _ in 0..200 {
            let mut delay = |after: Option<u64>, tries| {
                Transient::Busy { after: after.map(secs) }.delay(tries, spacing, &mut jitter)
            };
            assert!((secs(7)..=secs(10)).contains(&delay(Some(7), 1)));
            assert!((secs(60)..=secs(63)).contains(&delay(Some(86_400), 1)));
            assert!((spacing..=secs(3)).contains(&delay(Some(0), 1)));
            assert!((secs(2)..=secs(10)).contains(&delay(None, 1)));
            assert!((secs(8)..=secs(40)).contains(&delay(None, 3)));
            assert!(delay(None, u32::MAX) == secs(60));
            let way = Transient::Way.delay(1, spacing, &mut jitter);
            assert!((spacing..=spacing + Transient::DROPPED_JITTER).contains(&way));
        }
    }
}
