//! Random delays without asking anyone for randomness.

use std::time::Duration;

/// Delays drawn from a number the driver supplied: the same number gives the same delays again.
///
/// Only for spreading things in time, never for anything secret: the stream (SplitMix64, 8 bytes of state, as there may be
/// tens of thousands of waiting cases) is invertible.
#[derive(Debug, Clone)]
pub struct Jitter(u64);

impl Jitter {
    /// A stream of delays determined by `entropy` alone.
    #[must_use]
    pub const fn new(entropy: u64) -> Self {
        Self(entropy)
    }

    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A delay from `low` to `high`, both included, to the microsecond; `low` where `high` is not above it.
    pub fn between(&mut self, low: Duration, high: Duration) -> Duration {
        let micros = u64::try_from(high.saturating_sub(low).as_micros()).unwrap_or(u64::MAX);
        // Scaled by a 128-bit multiplication, not by a remainder: no delay is likelier than another.
        let span = (u128::from(self.draw()) * (u128::from(micros) + 1)) >> 64;
        low + Duration::from_micros(u64::try_from(span).unwrap_or(micros))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_same_entropy_gives_the_same_delays_and_another_gives_others() {
        let draw = |entropy| {
            let mut jitter = Jitter::new(entropy);
            [(); 4].map(|()| jitter.between(Duration::ZERO, Duration::from_secs(10)))
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        assert_ne!(draw(0), [Duration::ZERO; 4], "no entropy is no excuse for no jitter");
    }

    #[test]
    fn delays_spread_over_the_whole_span() {
        let mut jitter = Jitter::new(1);
        let mut tenths = [0u32; 10];
        for _ in 0..10_000 {
            let delay = jitter.between(Duration::from_secs(1), Duration::from_micros(1_999_999));
            tenths[usize::try_from(delay.subsec_millis() / 100).unwrap()] += 1;
        }
        assert!(tenths.iter().all(|count| (850..1150).contains(count)), "{tenths:?}");
    }

    proptest! {
        #[test]
        fn delays_keep_within_their_bounds(entropy: u64, low in 0u64..1 << 40, span in 0u64..1 << 40) {
            let (low, high) = (Duration::from_micros(low), Duration::from_micros(low + span));
            let delay = Jitter::new(entropy).between(low, high);
            prop_assert!(delay >= low && delay <= high);
        }
    }

    #[test]
    fn bounds_the_wrong_way_round_give_the_lower_one() {
        let (two, one) = (Duration::from_secs(2), Duration::from_secs(1));
        assert_eq!(Jitter::new(3).between(two, one), two);
        assert_eq!(Jitter::new(3).between(two, two), two);
    }
}
