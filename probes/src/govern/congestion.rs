//! Trouble of the network: more of what is sent gets lost than before.
//!
//! A sweep that is too fast for an uplink or a firewall loses SYNs, and what is lost three times is taken for a dead address. The
//! sign is those who answer: how many of them had to be asked a second time. A network that always loses some is no reason to be
//! slow; one that loses more the faster it is swept is. So the share is held against what it was, and it was measured first while
//! the rate was still ramped up.

use std::time::Duration;

use crate::time::Moment;

/// How many connections may be in flight for the network's sake.
///
/// Additive increase, multiplicative decrease, as TCP does it: what is too much for the way is taken away by thirds. If less is not
/// lost then, it is not for us that it is lost (another network, one that is far), and that much is what is usual from then on.
#[derive(Debug, Clone)]
pub struct Congestion {
    ceiling: usize,
    allowed: usize,
    /// Of the window that is being filled: answers, and those to a SYN that was resent.
    answers: u32,
    resent: u32,
    /// The share of resent SYNs that this network is known to have anyway.
    usual: Option<f64>,
    /// The share that was too much, where it has yet to be seen whether the cut has helped.
    cut_for: Option<f64>,
    /// The last window was too much.
    suspected: bool,
    /// When the allowance last changed.
    changed: Moment,
}

impl Congestion {
    /// Answers that are judged together: enough that one loss is no trend.
    const WINDOW: u32 = 128;
    /// How much more than usual is too much, in all and times the usual share.
    const TOO_MUCH: f64 = 0.1;
    const TIMES: f64 = 3.0;
    /// A cut has helped if the share fell below so much of what it was.
    const HELPED: f64 = 0.9;
    /// How slowly what is usual follows, in windows.
    const MEMORY: f64 = 16.0;
    /// No fewer than this share of the ceiling, nor than so many, are ever allowed.
    const LEAST_SHARE: usize = 20;
    const LEAST: usize = 32;
    /// Answers that come sooner after a cut are to what was sent before it: the kernel's third SYN leaves after 3 s.
    pub const SETTLING: Duration = Duration::from_secs(4);
    /// How long it takes without trouble until more are allowed again.
    pub const RECOVERY: Duration = Duration::from_secs(1);
    /// The same where nobody answers who could tell.
    pub const BLIND_RECOVERY: Duration = Duration::from_secs(10);

    /// No trouble yet: `ceiling` connections may be in flight (at least one).
    #[must_use]
    pub fn new(ceiling: usize) -> Self {
        let ceiling = ceiling.max(1);
        let (usual, cut_for, changed) = (None, None, Moment::START);
        Self { ceiling, allowed: ceiling, answers: 0, resent: 0, usual, cut_for, suspected: false, changed }
    }

    /// How many connections may be in flight at `now`. Those above it are not cut off; no new one is opened until enough have
    /// ended.
    #[must_use]
    pub fn allowed(&self, now: Moment) -> usize {
        let steps = now.since(self.changed).as_micros() / Self::BLIND_RECOVERY.as_micros();
        let back = usize::try_from(steps).unwrap_or(usize::MAX).saturating_mul(self.step());
        self.allowed.saturating_add(back).min(self.ceiling)
    }

    /// The same where it is less than it could be.
    #[must_use]
    pub fn reduced(&self, now: Moment) -> Option<usize> {
        Some(self.allowed(now)).filter(|allowed| *allowed < self.ceiling)
    }

    /// Somebody has answered, to a SYN that was `resent` or to the first one, while `in_flight` connections were up or being
    /// opened. Whether less is allowed from now on.
    pub fn answered(&mut self, resent: bool, in_flight: usize, now: Moment) -> bool {
        self.answers += 1;
        self.resent += u32::from(resent);
        if self.answers < Self::WINDOW {
            return false;
        }
        let share = f64::from(self.resent) / f64::from(self.answers);
        (self.answers, self.resent) = (0, 0);
        let usual = *self.usual.get_or_insert(share);
        let settled = self.cut_for.is_none() || now.since(self.changed) >= Self::SETTLING;
        if share > usual * Self::TIMES && share > usual + Self::TOO_MUCH {
            // The first such window may have begun before the trouble, and one alone may be chance.
            if !settled || !std::mem::replace(&mut self.suspected, true) {
                return false;
            }
            self.suspected = false;
            if self.cut_for.is_some_and(|before| share > before * Self::HELPED) {
                (self.usual, self.cut_for) = (Some(share), None);
                return false;
            }
            // What was in flight is the better measure: of 1000 allowed, 600 may be all that the rate brings up.
            let least = (self.ceiling / Self::LEAST_SHARE).max(Self::LEAST).min(self.ceiling);
            self.allowed = (self.allowed(now).min(in_flight) * 2 / 3).max(least);
            (self.cut_for, self.changed) = (Some(share), now);
            return true;
        }
        self.suspected = false;
        if settled {
            self.cut_for = None;
        }
        // Not upwards while less is allowed: what our own rate makes the network lose must not become what is usual.
        if share < usual || self.reduced(now).is_none() {
            self.usual = Some(usual + (share - usual) / Self::MEMORY);
        }
        if self.allowed < self.ceiling && now.since(self.changed) >= Self::RECOVERY {
            self.allowed = (self.allowed(now) + self.step()).min(self.ceiling);
            self.changed = now;
        }
        false
    }

    /// What is given back at a time.
    fn step(&self) -> usize {
        (self.ceiling / 20).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::govern::jitter::Jitter;

    fn at(millis: u64) -> Moment {
        Moment::from_micros(millis * 1000)
    }

    /// Two hundred answers a second, of which `percent` of a hundred were to a resent SYN; how often less was allowed.
    fn play(congestion: &mut Congestion, seconds: std::ops::Range<u64>, percent: impl Fn(usize) -> usize) -> usize {
        let mut jitter = Jitter::new(7);
        let mut cuts = 0;
        for answer in seconds.start * 200..seconds.end * 200 {
            let now = at(answer * 5);
            let allowed = congestion.allowed(now);
            let roll = jitter.between(Duration::ZERO, Duration::from_micros(100)).as_micros();
            let resent = roll < percent(allowed) as u128;
            cuts += usize::from(congestion.answered(resent, allowed, now));
        }
        cuts
    }

    #[test]
    fn a_network_that_always_loses_some_is_no_reason_to_be_slow() {
        for percent in [0, 2, 10, 19] {
            let mut congestion = Congestion::new(1000);
            assert_eq!(play(&mut congestion, 0..60, |_| percent), 0, "{percent} %");
            assert_eq!(congestion.reduced(at(60_000)), None);
        }
    }

    /// From a clean network on to one that loses some whatever we do, or is so far away that no answer comes within a second.
    #[test]
    fn nor_is_one_that_comes_later_in_the_sweep() {
        for percent in [15, 40, 100] {
            let mut congestion = Congestion::new(1000);
            play(&mut congestion, 0..5, |_| 0);
            let cuts = play(&mut congestion, 5..60, |_| percent);
            assert!((1..=4).contains(&cuts), "{percent} %: {cuts}");
            assert_eq!(congestion.reduced(at(60_000)), None, "{percent} %");
        }
    }

    /// As much gets through as the way holds, and the rest is lost.
    #[test]
    fn one_that_loses_more_the_faster_it_is_swept_is() {
        let mut congestion = Congestion::new(1000);
        assert_eq!(play(&mut congestion, 0..3, |_| 1), 0);
        let loses = |allowed: usize| if allowed > 300 { 100 - 100 * 300 / allowed } else { 1 };
        assert!(play(&mut congestion, 3..30, loses) >= 3);
        let mut most = 0;
        for second in 30..60 {
            play(&mut congestion, second..second + 1, loses);
            most = most.max(congestion.allowed(at(second * 1000 + 1000)));
        }
        assert!(most < 800, "{most}: less than the 1000 that it could be");
    }

    #[test]
    fn what_was_taken_away_comes_back_when_the_trouble_is_over() {
        let mut congestion = Congestion::new(1000);
        play(&mut congestion, 0..3, |_| 1);
        assert!(play(&mut congestion, 3..5, |_| 50) >= 1);
        assert!(congestion.reduced(at(5000)).is_some_and(|allowed| allowed <= 667));
        assert_eq!(play(&mut congestion, 5..60, |_| 1), 0);
        assert_eq!(congestion.reduced(at(60_000)), None);
    }

    #[test]
    fn it_comes_back_where_nobody_answers_any_more_too_and_is_never_next_to_nothing() {
        let mut congestion = Congestion::new(1000);
        play(&mut congestion, 0..3, |_| 0);
        for _ in 0..3 * Congestion::WINDOW {
            congestion.answered(true, 3, at(3000));
        }
        assert_eq!(congestion.reduced(at(3000)), Some(50));
        assert_eq!(congestion.reduced(at(43_000)), Some(250));
        assert_eq!(congestion.reduced(at(1_000_000)), None);
        let mut few = Congestion::new(4);
        play(&mut few, 0..3, |_| 0);
        play(&mut few, 3..9, |_| 60);
        assert_eq!(few.reduced(at(9000)), None, "of so few there is nothing to be taken");
    }

    #[test]
    fn one_burst_is_answered_once() {
        let mut congestion = Congestion::new(1000);
        play(&mut congestion, 0..3, |_| 1);
        assert_eq!(play(&mut congestion, 3..6, |_| 60), 1, "answers within four seconds are to what was sent before");
    }
}
