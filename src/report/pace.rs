//! How fast a run goes, and when it will be over. The time comes as an argument.

use std::collections::VecDeque;
use std::time::Duration;

/// What was begun and what is done, over time.
///
/// Who is silent is done seconds after it was begun, and many at once. So what is left to begin is measured against the pace of
/// beginnings, and how long one takes by when those now done were begun: neither waits for the other to settle.
#[derive(Debug, Default)]
pub(super) struct Pace {
    beginnings: Speed,
    endings: Speed,
    /// How many were begun by when, as far back as anybody begun then is not done.
    begun: VecDeque<(Duration, u64)>,
    done: u64,
    now: Duration,
    /// When all will be over, as it was forecast when something last happened: a run that waits for its last few is not
    /// promised the same moment over and over.
    over: Option<Duration>,
}

/// As far back as beginnings are remembered, in changes: seen five times a second, more than ten minutes.
const REMEMBERED: usize = 4096;

impl Pace {
    /// So many are done and begun, those that are done among them.
    pub(super) fn observe(&mut self, now: Duration, done: u64, begun: u64, total: Option<u64>) {
        // Whoever waits for a further connection was begun all the same.
        let begun = begun.max(done).max(self.begun.back().map_or(0, |(_, begun)| *begun));
        let happened = self.begun.back().is_none_or(|(_, before)| *before != begun) || self.done != done;
        self.beginnings.observe(now, begun);
        self.endings.observe(now, done);
        (self.done, self.now) = (done, now);
        self.remember(now, begun);
        if happened {
            self.over = total.and_then(|total| self.forecast(total));
        }
    }

    /// Targets done a second.
    pub(super) const fn per_second(&self) -> Option<f64> {
        self.endings.per_second
    }

    /// How long it will take until all are done; `None` while nothing can be said, and once it has taken longer.
    pub(super) fn left(&self) -> Option<Duration> {
        let left = self.over?.checked_sub(self.now).filter(|left| !left.is_zero())?;
        // Tenths of a second would only flicker.
        Some(Duration::from_secs(left.as_secs() + 1))
    }

    fn remember(&mut self, now: Duration, begun: u64) {
        let [.., (_, before), (last, count)] = self.begun.make_contiguous() else {
            return self.begun.push_back((now, begun));
        };
        // Of a stretch in which nothing was begun both ends are kept.
        if *before == begun && *count == begun {
            *last = now;
        } else {
            self.begun.push_back((now, begun));
        }
        while self.begun.get(1).is_some_and(|(_, begun)| *begun <= self.done) {
            self.begun.pop_front();
        }
        if self.begun.len() > REMEMBERED {
            let mut keep = false;
            self.begun.retain(|_| {
                keep = !keep;
                keep
            });
        }
    }

    /// When the last of so many was begun, between two looks in the proportion.
    fn begun_at(&self, count: u64) -> Option<Duration> {
        let at = self.begun.iter().position(|(_, begun)| *begun >= count)?;
        let (then, many) = *self.begun.get(at)?;
        let Some((before, few)) = at.checked_sub(1).and_then(|at| self.begun.get(at)) else { return Some(then) };
        let share = (count - few) as f64 / (many - few).max(1) as f64;
        Some(*before + then.saturating_sub(*before).mul_f64(share.min(1.0)))
    }

    fn forecast(&self, total: u64) -> Option<Duration> {
        let begun = self.begun.back().map_or(0, |(_, begun)| *begun);
        let takes = self.now.saturating_sub(self.begun_at(self.done)?);
        if begun < total {
            return Some(self.now + self.beginnings.time_for(total - begun)? + takes);
        }
        // Nobody is left to begin. In the order in which they were begun, or at the pace at which they end, whichever is later.
        let by_pace = self.now + self.endings.time_for(total.saturating_sub(self.done))?;
        Some(by_pace.max(self.begun_at(begun)? + takes))
    }
}

/// So many a second, smoothed over about ten seconds, so that a burst does not make a forecast jump.
#[derive(Debug, Default)]
struct Speed {
    /// Until then there was none.
    began: Duration,
    last: Option<(Duration, u64)>,
    per_second: Option<f64>,
}

/// The time over which a change of pace is believed.
const SMOOTHING: f64 = 10.0;

impl Speed {
    fn observe(&mut self, now: Duration, count: u64) {
        // The time before the first one is no sign of slowness.
        let Some((then, before)) = self.last.filter(|(_, before)| self.per_second.is_some() || *before != count) else {
            (self.began, self.last) = (now, Some((now, count)));
            return;
        };
        let span = now.saturating_sub(then).as_secs_f64();
        if span < 0.05 {
            return;
        }
        let rate = count.saturating_sub(before) as f64 / span;
        // In the beginning it is the plain average: one early sample must not stand for ten seconds.
        let share = span / now.saturating_sub(self.began).as_secs_f64();
        let weight = share.max(1.0 - (-span / SMOOTHING).exp());
        self.per_second = Some(self.per_second.map_or(rate, |old| old + weight * (rate - old)));
        self.last = Some((now, count));
    }

    /// How long so many more will take; `None` while nothing can be said.
    fn time_for(&self, left: u64) -> Option<Duration> {
        let rate = self.per_second.filter(|rate| *rate > 0.01)?;
        Duration::try_from_secs_f64(left as f64 / rate).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is forecast each tick of a run of `total`, at seconds since its start; `begun` and `done` say how many by then.
    fn forecasts(
        total: u64,
        end: f64,
        begun: impl Fn(f64) -> f64,
        done: impl Fn(f64) -> f64,
    ) -> Vec<(f64, Option<f64>)> {
        let mut pace = Pace::default();
        let ticks = (end * 5.0) as u32;
        let of = |count: f64| (count.max(0.0) as u64).min(total);
        (0..ticks)
            .map(|tick| {
                let now = f64::from(tick) / 5.0;
                pace.observe(Duration::from_secs_f64(now), of(done(now)), of(begun(now)), Some(total));
                (now, pace.left().map(|left| left.as_secs_f64()))
            })
            .collect()
    }

    /// From `since` on each forecast is true to a tenth and a second.
    #[track_caller]
    fn assert_true(forecasts: &[(f64, Option<f64>)], end: f64, since: f64) {
        for (now, told) in forecasts.iter().filter(|(now, _)| *now >= since && *now < end - 0.5) {
            let left = end - now;
            let told = told.unwrap_or_else(|| panic!("nothing is told {now} s on"));
            assert!((told - left).abs() <= 1.2 + left / 10.0, "{now} s on {told} s are told where {left} s are left");
        }
    }

    #[test]
    fn what_answers_at_once_is_over_when_its_pace_says() {
        let by = |now: f64| now * 100.0;
        assert_true(&forecasts(6_000, 60.0, by, by), 60.0, 1.0);
    }

    /// Nothing is done for five seconds, then all at the pace at which they were begun.
    #[test]
    fn silence_that_is_waited_for_does_not_stretch_a_forecast() {
        let told = forecasts(30_000, 35.0, |now| now * 1_000.0, |now| (now - 5.0) * 1_000.0);
        assert!(told[3].1.is_some(), "it is known before the first one is done");
        assert_true(&told, 35.0, 5.2);
        // The same of a run so short that all is begun by then.
        assert_true(&forecasts(4_000, 9.0, |now| now * 1_000.0, |now| (now - 5.0) * 1_000.0), 9.0, 5.6);
    }

    #[test]
    fn a_pace_that_changes_is_followed() {
        let by = |now: f64| if now < 30.0 { now * 1_000.0 } else { 30_000.0 + (now - 30.0) * 200.0 };
        let told = forecasts(50_000, 130.0, by, |now| by(now - 5.0));
        // Ten seconds smooth it: four times that, and it is all there is.
        assert_true(&told, 135.0, 72.0);
    }

    #[test]
    fn what_is_done_in_bulk_brings_the_end_nearer_all_the_while() {
        let done = |now: f64| ((now - 5.0) / 2.0).floor() * 2_000.0;
        let told = forecasts(60_000, 65.0, |now| now * 1_000.0, done);
        assert_true(&told, 66.0, 9.0);
        for pair in told.iter().filter(|(now, _)| *now > 10.0).collect::<Vec<_>>().windows(11) {
            assert!(pair[10].1 < pair[0].1, "it stands still for two seconds from {pair:?}");
        }
    }

    /// The last few hang for twenty seconds: nobody is told for all of them that it takes one more.
    #[test]
    fn nothing_is_promised_of_the_last_few_over_and_over() {
        let done = |now: f64| if now < 10.0 { now * 500.0 } else { 4_995.0 };
        let told = forecasts(5_000, 30.0, |now| now * 500.0, done);
        let late: Vec<_> = told.iter().filter(|(now, left)| *now > 12.0 && left.is_some()).collect();
        assert!(late.is_empty(), "{late:?}");
    }

    #[test]
    fn what_went_before_an_interruption_is_no_pace() {
        let mut pace = Pace::default();
        for second in 0..10 {
            pace.observe(Duration::from_secs(second), 50_000 + 10 * second, 50_000 + 10 * second, Some(50_200));
        }
        assert_eq!((pace.per_second().map(f64::round), pace.left()), (Some(10.0), Some(Duration::from_secs(12))));
        pace.observe(Duration::from_secs(20), 50_200, 50_200, Some(50_200));
        assert_eq!(pace.left(), None, "all is done");
    }

    #[test]
    fn the_past_takes_bounded_room() {
        let mut pace = Pace::default();
        for tick in 0..50_000 {
            pace.observe(Duration::from_millis(200 * tick), 0, tick, None);
        }
        assert!(pace.begun.len() <= REMEMBERED);
        assert_eq!(pace.left(), None, "nobody knows how many there are");
    }
}
