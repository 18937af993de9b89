//! New connections a second (`--rate`).

use std::time::Duration;

use crate::time::Moment;

/// Tokens are counted in millionths, so that microseconds times tokens a second needs no division.
const TOKEN: u128 = 1_000_000;

/// A token bucket for new connections, ramped up.
///
/// It starts at a tenth of the rate asked for and grows linearly to the whole within [`Rate::RAMP`]: a mistake in the
/// target list, a small upstream link or a firewall's new-connection limit shows while little has been sent. Unused tokens
/// are kept for [`Rate::SLACK`] only; that is the largest burst, and what makes the rate exact for a driver that asks late.
///
/// The tokens granted so far are a closed function of time, so nothing drifts, however irregularly it is asked.
#[derive(Debug, Clone)]
pub struct Rate {
    per_second: u32,
    begun: Moment,
    spent: u128,
}

impl Rate {
    /// How long it takes to reach the whole rate.
    pub const RAMP: Duration = Duration::from_secs(3);
    /// Tokens not used are kept for this long, but always at least one token.
    pub const SLACK: Duration = Duration::from_millis(50);

    const RAMP_MICROS: u128 = Self::RAMP.as_micros();

    /// A bucket giving `per_second` tokens a second from `now` on; 0 lifts the limit.
    #[must_use]
    pub const fn new(per_second: u32, now: Moment) -> Self {
        Self { per_second, begun: now, spent: 0 }
    }

    /// Takes a token for one new connection.
    ///
    /// # Errors
    ///
    /// The moment at which a token will be there, if there is none now. It is for the first who asks then.
    pub fn permit(&mut self, now: Moment) -> Result<(), Moment> {
        if self.per_second == 0 {
            return Ok(());
        }
        let elapsed = now.since(self.begun).as_micros();
        let granted = self.granted(elapsed);
        let spent = self.spent.max(granted.saturating_sub(self.burst(elapsed)));
        if granted.saturating_sub(spent) >= TOKEN {
            self.spent = spent + TOKEN;
            return Ok(());
        }
        Err(self.begun + Duration::from_micros(u64::try_from(self.reached(spent + TOKEN)).unwrap_or(u64::MAX)))
    }

    /// How long after the start `count` connections can have been begun, none of them kept waiting by anything else.
    #[must_use]
    pub fn time_for(&self, count: u64) -> Duration {
        if self.per_second == 0 {
            return Duration::ZERO;
        }
        Duration::from_micros(u64::try_from(self.reached(u128::from(count) * TOKEN)).unwrap_or(u64::MAX))
    }

    /// All tokens given out `elapsed` microseconds after the start: the integral of a rate that grows from a tenth to the
    /// whole during the ramp, plus the one token with which the bucket starts.
    fn granted(&self, elapsed: u128) -> u128 {
        let per_second = u128::from(self.per_second);
        let ramp = Self::RAMP_MICROS;
        let rising = elapsed.min(ramp);
        let level = elapsed - rising;
        TOKEN + per_second * (2 * ramp * rising + 9 * rising * rising) / (20 * ramp) + per_second * level
    }

    /// The moment, in microseconds after the start, at which `tokens` have been given out.
    fn reached(&self, tokens: u128) -> u128 {
        let ramp = Self::RAMP_MICROS;
        let risen = self.granted(ramp);
        if tokens >= risen {
            return ramp + (tokens - risen).div_ceil(u128::from(self.per_second.max(1)));
        }
        let (mut low, mut high) = (0, ramp);
        while low < high {
            let middle = (low + high) / 2;
            if self.granted(middle) >= tokens {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        low
    }

    /// The most that may be unused: what the present rate gives in [`Self::SLACK`].
    fn burst(&self, elapsed: u128) -> u128 {
        let ramp = Self::RAMP_MICROS;
        let present = u128::from(self.per_second) * (ramp + 9 * elapsed.min(ramp)) / (10 * ramp);
        (present * Self::SLACK.as_micros()).max(TOKEN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::govern::jitter::Jitter;
    use proptest::prelude::*;

    /// Runs `rate` until `end`, asking again when told to, plus up to `late`, and returns the moments of all permits.
    fn run(mut rate: Rate, start: Moment, end: Moment, late: Duration) -> Vec<Moment> {
        let mut jitter = Jitter::new(1);
        let mut now = start;
        let mut permits = Vec::new();
        while now < end {
            match rate.permit(now) {
                Ok(()) => permits.push(now),
                Err(again) => {
                    assert!(again > now, "asking again must be later than {now:?}");
                    now = again + jitter.between(Duration::ZERO, late);
                }
            }
        }
        permits
    }

    fn seconds(count: u64) -> Moment {
        Moment::from_micros(count * 1_000_000)
    }

    fn in_second(permits: &[Moment], second: u64) -> usize {
        permits.iter().filter(|at| (seconds(second)..seconds(second + 1)).contains(at)).count()
    }

    #[test]
    fn it_ramps_up_and_then_holds_the_rate_asked_for() {
        let permits = run(Rate::new(1000, Moment::START), Moment::START, seconds(8), Duration::ZERO);
        let each: Vec<usize> = (0..8).map(|second| in_second(&permits, second)).collect();
        assert_eq!(each, [250, 550, 850, 1000, 1000, 1000, 1000, 1000]);
        let first_tenth = permits.iter().filter(|at| at.as_micros() < 100_000).count();
        assert!((10..=13).contains(&first_tenth), "a tenth of the rate at first: {first_tenth}");
    }

    #[test]
    fn a_driver_that_asks_late_still_gets_the_whole_rate() {
        let permits = run(Rate::new(1000, Moment::START), Moment::START, seconds(8), Duration::from_millis(40));
        for second in 3..8 {
            let count = in_second(&permits, second);
            assert!((960..=1040).contains(&count), "second {second}: {count}");
        }
        let all: usize = permits.len();
        assert!((6600..=6651).contains(&all), "{all}");
    }

    #[test]
    fn an_idle_bucket_never_bursts_more_than_its_slack() {
        let mut rate = Rate::new(1000, Moment::START);
        let late = seconds(3600);
        let burst = (0..1000).take_while(|_| rate.permit(late).is_ok()).count();
        assert_eq!(burst, 50, "50 ms worth");
        let mut early = Rate::new(1000, Moment::START);
        let at = Moment::from_micros(100_000);
        let burst = (0..1000).take_while(|_| early.permit(at).is_ok()).count();
        assert!((6..=7).contains(&burst), "while ramping up the burst is smaller too: {burst}");
    }

    #[test]
    fn slow_rates_give_one_at_a_time() {
        let permits = run(Rate::new(1, Moment::START), Moment::START, seconds(13), Duration::ZERO);
        assert_eq!(permits.first(), Some(&Moment::START), "the first need not wait");
        for pair in permits.windows(2).skip(3) {
            assert_eq!(pair[1].since(pair[0]), Duration::from_secs(1));
        }
    }

    #[test]
    fn zero_lifts_the_limit() {
        let mut rate = Rate::new(0, Moment::START);
        assert!((0..100_000).all(|_| rate.permit(Moment::START).is_ok()));
    }

    #[test]
    fn a_clock_that_steps_back_grants_nothing_twice() {
        let mut rate = Rate::new(10, seconds(5));
        assert!(rate.permit(seconds(5)).is_ok());
        assert!(rate.permit(Moment::START).is_err());
        assert!(rate.permit(seconds(5)).is_err());
    }

    proptest! {
        #[test]
        fn never_more_than_the_rate_and_its_slack_in_any_window(
            per_second in 1u32..200_000,
            gaps in proptest::collection::vec(0u64..400_000, 1..60),
        ) {
            let mut rate = Rate::new(per_second, Moment::START);
            let mut now = Moment::START;
            let mut taken = Vec::new();
            for gap in gaps {
                now = now + Duration::from_micros(gap);
                let mut count = 0u64;
                while count < 20_000 && rate.permit(now).is_ok() {
                    count += 1;
                }
                taken.push((now, count));
            }
            let slack = (u64::from(per_second) / 20).max(1);
            for (at, &(from, _)) in taken.iter().enumerate() {
                let mut sum = 0;
                for &(until, count) in &taken[at..] {
                    sum += count;
                    let span = until.since(from).as_micros();
                    let allowed = u64::try_from(u128::from(per_second) * span / 1_000_000).unwrap() + slack + 1;
                    prop_assert!(sum <= allowed, "{sum} > {allowed} within {span} us at {per_second}/s");
                }
            }
        }

        #[test]
        fn the_moment_named_is_the_first_that_works(per_second in 1u32..4_000_000_000, asked in 0u64..20_000_000) {
            let mut rate = Rate::new(per_second, Moment::START);
            let now = Moment::from_micros(asked);
            let mut tries = 0;
            let again = loop {
                match rate.permit(now) {
                    Err(again) => break again,
                    Ok(()) if tries > 20_000 => return Ok(()),
                    Ok(()) => tries += 1,
                }
            };
            let before = Moment::from_micros(again.as_micros() - 1);
            prop_assert!(rate.clone().permit(before).is_err());
            prop_assert!(rate.permit(again).is_ok());
        }
    }

    #[test]
    fn the_time_foretold_is_the_time_it_takes() {
        for per_second in [1, 10, 1000] {
            let permits = run(
                Rate::new(per_second, Moment::START),
                Moment::START,
                Moment::from_micros(6_000_000),
                Duration::ZERO,
            );
            let told = Rate::new(per_second, Moment::START).time_for(permits.len() as u64);
            let took = permits.last().unwrap().since(Moment::START);
            assert!(took.abs_diff(told) < Duration::from_millis(1), "{per_second}: {took:?}, foretold {told:?}");
        }
        assert_eq!(Rate::new(0, Moment::START).time_for(1 << 40), Duration::ZERO);
    }
}
