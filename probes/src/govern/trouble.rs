//! Trouble of this machine: no descriptors, ports or buffers left, a full table of the kernel's.
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
    through: Through,
    /// When a table of the kernel's was last seen to be full.
    table_full: Option<Moment>,
}

/// How many connections could be opened lately: in the span that goes on, and in the one before it.
#[derive(Debug, Clone, Copy, Default)]
struct Through {
    since: Moment,
    now: usize,
    before: usize,
}

impl Through {
    /// As long as a connect is waited for, or nearly so: what gets through in the meantime is what a next round can be.
    const SPAN: Duration = Duration::from_secs(5);

    fn note(&mut self, now: Moment, count: usize) {
        let spans = now.since(self.since).as_micros() / Self::SPAN.as_micros();
        if spans > 0 {
            *self = Self { since: now, now: 0, before: if spans == 1 { self.now } else { 0 } };
        }
        self.now = self.now.saturating_add(count);
    }

    fn a_span(&self) -> usize {
        self.now.max(self.before)
    }
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
        Self {
            ceiling,
            allowed: ceiling,
            wait: Self::FIRST_WAIT,
            answered_until: None,
            changed: Moment::START,
            through: Through::default(),
            table_full: None,
        }
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
        // What was possible is the better measure: of 1000 allowed, 60 may be all there are descriptors for. And a shortage of
        // another kind than a full table is one in which fewer do help.
        self.answer((self.allowed.min(in_flight.max(1)) * 2 / 3).max(1), None, now)
    }

    /// A connection was not heard of while a table of the kernel's was full, of connections or of neighbours: when to try it again.
    ///
    /// Nothing of ours makes room in it by ending: entries go when their time has come, and whoever tries then has one. A
    /// connection that is waited for in vain holds none, so that nothing is won by having one at a time, and the run would go at
    /// the pace of their timeouts. So half as many more are tried as got through lately, which has each get through within a
    /// few tries; and no fewer than a twentieth of the ceiling, as in a range of silent addresses nothing gets through although
    /// there is room.
    pub fn note_full_table(&mut self, now: Moment) -> Moment {
        self.through.note(now, 0);
        self.answer(self.allowed.min(self.through_full_table()), Some(now), now)
    }

    /// Answers trouble that belongs to no episode already answered by allowing so many.
    fn answer(&mut self, allowed: usize, table_full: Option<Moment>, now: Moment) -> Moment {
        if let Some(until) = self.answered_until.filter(|until| *until > now) {
            return until;
        }
        (self.allowed, self.table_full, self.changed) = (allowed, table_full, now);
        let until = now + self.wait;
        self.answered_until = Some(until);
        self.wait = (self.wait * 2).min(Self::LONGEST_WAIT);
        until
    }

    /// How many connections are tried at a time while the table is full.
    fn through_full_table(&self) -> usize {
        let through = self.through.a_span();
        (through + through / 2).max(self.ceiling / 20).clamp(1, self.ceiling)
    }

    /// A connection could be opened at `now`.
    pub fn recovered(&mut self, now: Moment) {
        self.through.note(now, 1);
        if self.table_full.is_some_and(|full| now.since(full) < Through::SPAN) {
            // That it is full is only heard when a connection has been waited for: until then a second without trouble is no sign.
            self.allowed = self.allowed.max(self.through_full_table());
            return;
        }
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
    /// As a rule. TIME_WAIT, which holds local ports, lasts a minute; half of it frees half of them.
    pub const TOTAL: Duration = Duration::from_secs(30);
    /// The same where a table of neighbours is full: who has answered keeps its place for 15 to 45 seconds
    /// (`base_reachable_time`), and five more.
    pub const NEIGHBOURS: Duration = Duration::from_secs(60);

    /// A connection that is tried again had to wait for its turn so long: what others are waited for is not counted.
    pub fn in_line(&mut self, span: Duration) {
        self.since = self.since.map(|since| since + span);
    }

    /// Whether trouble at `now` is the end of it, if it is borne for so long altogether.
    pub fn exhausted(&mut self, altogether: Duration, now: Moment) -> bool {
        let since = *self.since.get_or_insert(now);
        now.since(since) >= altogether
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

    /// A table in which room for `freed` connections comes a second, and `wanted` that are to be made, each of which sends its SYN
    /// at once, after 1 and 3 s, and gives up after 5: how many have got through in two minutes, and how many have not within
    /// their patience.
    fn through_a_full_table(
        freed: usize,
        wanted: usize,
        note: impl Fn(&mut LocalBackoff, Moment) -> Moment,
    ) -> (usize, usize) {
        const TICK: u64 = 100;
        let mut backoff = LocalBackoff::new(1000);
        let mut fresh = wanted;
        // Those that were tried go first.
        let mut again: Vec<(Moment, Patience)> = Vec::new();
        let mut up: Vec<(Moment, Patience)> = Vec::new();
        let (mut room, mut through, mut lost) = (0, 0, 0);
        for now in (0..120_000).step_by(TICK as usize).map(at) {
            room = (room + (freed * TICK as usize).div_ceil(1000)).min(2 * freed);
            let mut still = Vec::new();
            for (begun, mut patience) in up.drain(..) {
                let age = now.since(begun).as_millis() as u64;
                if age >= 5_000 {
                    let not_before = note(&mut backoff, now);
                    if patience.exhausted(Patience::TOTAL, now) {
                        lost += 1
                    } else {
                        again.push((not_before, patience))
                    }
                } else if room > 0 && [0, 1_000, 3_000].iter().any(|sent| (*sent..sent + TICK).contains(&age)) {
                    room -= 1;
                    through += 1;
                    backoff.recovered(now);
                } else {
                    still.push((begun, patience));
                }
            }
            up = still;
            again.sort_by_key(|(not_before, _)| *not_before);
            while up.len() < backoff.allowed() {
                if again.first().is_some_and(|(not_before, _)| *not_before <= now) {
                    let (not_before, mut patience) = again.remove(0);
                    patience.in_line(now.since(not_before));
                    up.push((now, patience));
                } else if fresh > 0 {
                    fresh -= 1;
                    up.push((now, Patience::default()));
                } else {
                    break;
                }
            }
        }
        (through, lost)
    }

    #[test]
    fn while_the_table_stays_full_a_run_goes_at_the_pace_at_which_entries_come_free() {
        for freed in [10, 50, 200] {
            let possible = freed * 120;
            let (through, lost) = through_a_full_table(freed, 2 * possible, LocalBackoff::note_full_table);
            assert!(through * 5 >= possible * 4, "{through} of {possible}, {lost} lost");
            assert!(lost * 20 <= through, "{lost} lost of {through}");
        }
    }

    #[test]
    fn a_full_table_through_which_nothing_comes_is_tried_by_a_few_at_a_time() {
        let mut backoff = LocalBackoff::new(1000);
        let mut now = at(0);
        for _ in 0..100 {
            now = backoff.note_full_table(now);
        }
        assert_eq!(backoff.allowed(), 50);
        let mut small = LocalBackoff::new(3);
        for _ in 0..100 {
            now = small.note_full_table(now);
        }
        assert_eq!(small.allowed(), 1);
    }

    #[test]
    fn one_connection_is_put_off_for_half_a_minute_at_most() {
        let mut patience = Patience::default();
        assert!(!patience.exhausted(Patience::TOTAL, at(5000)), "the first trouble starts the count");
        assert!(!patience.exhausted(Patience::TOTAL, at(34_999)));
        assert!(patience.exhausted(Patience::TOTAL, at(35_000)));
        patience.in_line(Duration::from_secs(10));
        assert!(!patience.exhausted(Patience::TOTAL, at(44_999)), "waiting for a turn is no trouble");
        assert!(patience.exhausted(Patience::TOTAL, at(45_000)));
    }

    proptest! {
        #[test]
        fn at_least_one_and_never_more_than_the_ceiling(
            ceiling in 0usize..5000,
            steps in proptest::collection::vec((0u8..3, 0usize..6000, 0u64..3000), 0..100),
        ) {
            let mut backoff = LocalBackoff::new(ceiling);
            let mut now = at(0);
            for (trouble, in_flight, gap) in steps {
                now = now + Duration::from_millis(gap);
                if trouble > 0 {
                    let again =
                        if trouble == 1 { backoff.note(in_flight, now) } else { backoff.note_full_table(now) };
                    prop_assert!(again > now && again.since(now) <= LocalBackoff::LONGEST_WAIT);
                } else {
                    backoff.recovered(now);
                }
                prop_assert!((1..=ceiling.max(1)).contains(&backoff.allowed()));
            }
        }
    }
}
