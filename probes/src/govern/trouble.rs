//! Trouble of this machine: no descriptors, ports or buffers left, a full connection-tracking table.
//!
//! EMFILE, ENFILE, ENOBUFS, ENOMEM and EADDRNOTAVAIL say nothing about the target. The connection is put off, and fewer are
//! kept in flight for a while, as what is short comes back when connections end.

use std::time::Duration;

use crate::time::Moment;

/// The run's answer to local exhaustion: how long to wait, and how many connections may be in flight.
///
/// Additive increase, multiplicative decrease: a first sign of trouble takes away a third, once per waiting time however many
/// connections run into it at once; a second without trouble gives a twentieth of the ceiling back.
#[derive(Debug, Clone)]
pub struct LocalBackoff {
    ceiling: usize,
    allowed: usize,
    wait: Duration,
    /// Until then, further trouble belongs to the episode already answered.
    answered_until: Option<Moment>,
    /// When the allowance last changed.
    changed: Moment,
}

impl LocalBackoff {
    /// The first waiting time. It doubles with each further episode until one connection could be opened.
    pub const FIRST_WAIT: Duration = Duration::from_millis(50);
    /// The longest waiting time.
    pub const LONGEST_WAIT: Duration = Duration::from_secs(2);
    /// How long it takes without trouble until more are allowed again.
    pub const RECOVERY: Duration = Duration::from_secs(1);

    /// No trouble yet: `ceiling` connections may be in flight (at least one).
    #[must_use]
    pub fn new(ceiling: usize) -> Self {
        let ceiling = ceiling.max(1);
        Self { ceiling, allowed: ceiling, wait: Self::FIRST_WAIT, answered_until: None, changed: Moment::START }
    }

    /// How many connections may be in flight. Those above it are not cut off; no new one is opened until enough have ended.
    #[must_use]
    pub const fn allowed(&self) -> usize {
        self.allowed
    }

    /// A connection ran into local trouble at `now`, with `in_flight` others up: when to try it again.
    ///
    /// For how long one connection is put off at all is [`Patience`]'s.
    pub fn note(&mut self, in_flight: usize, now: Moment) -> Moment {
        if let Some(until) = self.answered_until.filter(|until| *until > now) {
            return until;
        }
        // What was possible is the better measure: of 1000 allowed, 60 may be all there are descriptors for.
        self.allowed = (self.allowed.min(in_flight.max(1)) * 2 / 3).max(1);
        self.changed = now;
        let until = now + self.wait;
        self.answered_until = Some(until);
        self.wait = (self.wait * 2).min(Self::LONGEST_WAIT);
        until
    }

    /// A connection could be opened at `now`.
    pub fn recovered(&mut self, now: Moment) {
        if self.answered_until.is_some_and(|until| until > now) {
            return;
        }
        self.answered_until = None;
        self.wait = Self::FIRST_WAIT;
        if self.allowed < self.ceiling && now.since(self.changed) >= Self::RECOVERY {
            self.allowed = (self.allowed + (self.ceiling / 20).max(1)).min(self.ceiling);
            self.changed = now;
        }
    }
}

/// How long one connection is put off because of local trouble before its record says `local-error`.
///
/// Each connection has its own: local ports may be used up towards one address alone (EADDRNOTAVAIL) while all others go well.
#[derive(Debug, Clone, Copy, Default)]
pub struct Patience {
    since: Option<Moment>,
}

impl Patience {
    /// In all. TIME_WAIT, which holds local ports, lasts a minute; half of it frees half of them.
    pub const TOTAL: Duration = Duration::from_secs(30);

    /// Whether trouble at `now` is the end of it.
    pub fn exhausted(&mut self, now: Moment) -> bool {
        let since = *self.since.get_or_insert(now);
        now.since(since) >= Self::TOTAL
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(millis: u64) -> Moment {
        Moment::from_micros(millis * 1000)
    }

    #[test]
    fn trouble_that_many_meet_at_once_is_one_episode() {
        let mut backoff = LocalBackoff::new(1000);
        assert_eq!(backoff.note(900, at(10)), at(60));
        for more in 0..500 {
            assert_eq!(backoff.note(900, at(11 + more / 20)), at(60));
        }
        assert_eq!(backoff.allowed(), 600);
    }

    #[test]
    fn the_number_that_was_possible_is_what_is_cut() {
        let mut backoff = LocalBackoff::new(1000);
        backoff.note(60, at(0));
        assert_eq!(backoff.allowed(), 40);
        backoff.note(0, at(1000));
        assert_eq!(backoff.allowed(), 1, "one is always allowed");
    }

    #[test]
    fn waiting_doubles_until_a_connection_could_be_opened() {
        let mut backoff = LocalBackoff::new(10);
        let mut now = at(0);
        let mut waits = Vec::new();
        for _ in 0..8 {
            let again = backoff.note(10, now);
            waits.push(again.since(now).as_millis());
            now = again;
        }
        assert_eq!(waits, [50, 100, 200, 400, 800, 1600, 2000, 2000]);
        backoff.recovered(now);
        assert_eq!(backoff.note(10, now), now + LocalBackoff::FIRST_WAIT);
    }

    #[test]
    fn it_recovers_slowly_up_to_the_ceiling() {
        let mut backoff = LocalBackoff::new(100);
        backoff.note(99, at(0));
        assert_eq!(backoff.allowed(), 66);
        backoff.recovered(at(40));
        assert_eq!(backoff.allowed(), 66, "a success within the same episode proves nothing");
        for millis in (0..=20_000).step_by(10) {
            backoff.recovered(at(100 + millis));
        }
        assert_eq!(backoff.allowed(), 100);
        let mut slow = LocalBackoff::new(100);
        slow.note(99, at(0));
        for millis in (0..3000).step_by(10) {
            slow.recovered(at(100 + millis));
        }
        assert_eq!(slow.allowed(), 81, "three steps of five in three seconds");
    }

    #[test]
    fn one_connection_is_put_off_for_half_a_minute_at_most() {
        let mut patience = Patience::default();
        assert!(!patience.exhausted(at(5000)), "the first trouble starts the count");
        assert!(!patience.exhausted(at(34_999)));
        assert!(patience.exhausted(at(35_000)));
    }

    proptest! {
        #[test]
        fn at_least_one_and_never_more_than_the_ceiling(
            ceiling in 0usize..5000,
            steps in proptest::collection::vec((any::<bool>(), 0usize..6000, 0u64..3000), 0..100),
        ) {
            let mut backoff = LocalBackoff::new(ceiling);
            let mut now = at(0);
            for (trouble, in_flight, gap) in steps {
                now = now + Duration::from_millis(gap);
                if trouble {
                    let again = backoff.note(in_flight, now);
                    prop_assert!(again > now && again.since(now) <= LocalBackoff::LONGEST_WAIT);
                } else {
                    backoff.recovered(now);
                }
                prop_assert!((1..=ceiling.max(1)).contains(&backoff.allowed()));
            }
        }
    }
}
