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
/// Additive increase, multiplicative decrease, as TCP does it: what is too much for the way is taken away by thirds.
#[derive(Debug, Clone)]
pub struct Congestion {
    ceiling: usize,
    allowed: usize,
    /// Of the window that is being filled: answers, and those to a SYN that was resent.
    answers: u32,
    resent: u32,
    /// The share of resent SYNs that this network is known to have anyway.
    usual: Option<f64>,
    /// When the allowance last changed.
    changed: Moment,
}

impl Congestion {
    /// Answers that are judged together: enough that one loss is no trend.
    const WINDOW: u32 = 64;
    /// How much more than usual is too much, in all and times the usual share.
    const TOO_MUCH: f64 = 0.1;
    const TIMES: f64 = 3.0;
    /// How slowly what is usual follows, in windows.
    const MEMORY: f64 = 16.0;
    /// Answers that come sooner after a cut are to what was sent before it: the kernel's third SYN leaves after 3 s.
    pub const SETTLING: Duration = Duration::from_secs(4);
    /// How long it takes without trouble until more are allowed again.
    pub const RECOVERY: Duration = Duration::from_secs(1);

    /// No trouble yet: `ceiling` connections may be in flight (at least one).
    #[must_use]
    pub fn new(ceiling: usize) -> Self {
        let ceiling = ceiling.max(1);
        Self { ceiling, allowed: ceiling, answers: 0, resent: 0, usual: None, changed: Moment::START }
    }

    /// How many connections may be in flight. Those above it are not cut off; no new one is opened until enough have ended.
    #[must_use]
    pub const fn allowed(&self) -> usize {
        self.allowed
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
        if share > usual * Self::TIMES && share > usual + Self::TOO_MUCH {
            if self.allowed < self.ceiling && now.since(self.changed) < Self::SETTLING {
                return false;
            }
            // What was in flight is the better measure: of 1000 allowed, 60 may be all that the rate brings up.
            self.allowed = (self.allowed.min(in_flight.max(1)) * 2 / 3).max(1);
            self.changed = now;
            return true;
        }
        self.usual = Some(usual + (share - usual) / Self::MEMORY);
        if self.allowed < self.ceiling && now.since(self.changed) >= Self::RECOVERY {
            self.allowed = (self.allowed + (self.ceiling / 20).max(1)).min(self.ceiling);
            self.changed = now;
        }
        false
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
    fn play(congestion: &mut Congestion, seconds: std::ops::Range<u64>, percent: impl Fn(usize) -> u64) -> usize {
        let mut jitter = Jitter::new(7);
        let mut cuts = 0;
        for answer in seconds.start * 200..seconds.end * 200 {
            let roll = jitter.between(Duration::ZERO, Duration::from_micros(100)).as_micros();
            let resent = roll < u128::from(percent(congestion.allowed()));
            cuts += usize::from(congestion.answered(resent, congestion.allowed(), at(answer * 5)));
        }
        cuts
    }

    #[test]
    fn a_network_that_always_loses_some_is_no_reason_to_be_slow() {
        for percent in [0, 2, 10, 19] {
            let mut congestion = Congestion::new(1000);
            assert_eq!(play(&mut congestion, 0..60, |_| percent), 0, "{percent} %");
            assert_eq!(congestion.allowed(), 1000);
        }
    }

    #[test]
    fn one_that_loses_more_the_faster_it_is_swept_is() {
        let mut congestion = Congestion::new(1000);
        assert_eq!(play(&mut congestion, 0..3, |_| 1), 0);
        // Above 300 in flight, a third gets lost.
        let cuts = play(&mut congestion, 3..60, |allowed| if allowed > 300 { 40 } else { 1 });
        assert!(cuts >= 3, "{cuts}");
        assert!(congestion.allowed() < 500, "{}", congestion.allowed());
    }

    #[test]
    fn what_was_taken_away_comes_back_when_the_trouble_is_over() {
        let mut congestion = Congestion::new(1000);
        play(&mut congestion, 0..3, |_| 1);
        assert!(play(&mut congestion, 3..5, |_| 50) >= 1);
        assert!(congestion.allowed() <= 667);
        assert_eq!(play(&mut congestion, 5..60, |_| 1), 0);
        assert_eq!(congestion.allowed(), 1000);
    }

    #[test]
    fn one_burst_is_answered_once() {
        let mut congestion = Congestion::new(1000);
        play(&mut congestion, 0..3, |_| 1);
        assert_eq!(play(&mut congestion, 3..6, |_| 60), 1, "answers within four seconds are to what was sent before");
    }
}
