//! Waiting while this machine cannot send, and telling apart whether it can send nothing or not there.

use std::time::Duration;

use sshprobe_probes::evidence::Errno;
use sshprobe_probes::time::Moment;

use crate::sys::batch::BATCH;

/// How long nothing is sent, after the kernel would not take a packet.
#[derive(Debug)]
pub(super) struct Pause {
    until: Option<Moment>,
    wait: Duration,
    /// Packets refused one after the other, with none between them that went out.
    row: usize,
    room: usize,
}

impl Default for Pause {
    fn default() -> Self {
        Self { until: None, wait: Duration::ZERO, row: 0, room: BATCH }
    }
}

impl Pause {
    /// A queue that is full empties by itself, soon.
    const GLANCE: Duration = Duration::from_millis(1);
    const FIRST: Duration = Duration::from_millis(5);
    const LONGEST: Duration = Duration::from_millis(500);

    /// The queue towards the link is full: a matter of course for who sends as fast as it goes.
    pub(super) fn queue_full(&mut self, now: Moment) {
        self.until = Some(now + Self::GLANCE);
    }

    /// Something is short for the first of `waiting` packets, which goes behind the others.
    ///
    /// It may be short for some of them alone, however many those are: so all are tried before there is a pause, and none comes as
    /// long as others go out. Each pause is twice as long as the one before; and others are let in besides, as those that wait may
    /// have in common what no other has.
    pub(super) fn short(&mut self, now: Moment, waiting: usize) {
        self.row += 1;
        if self.row < waiting {
            return;
        }
        self.row = 0;
        self.room = self.room.saturating_add(BATCH);
        self.wait = (self.wait * 2).clamp(Self::FIRST, Self::LONGEST);
        self.until = Some(now + self.wait);
    }

    /// Packets went out.
    pub(super) fn over(&mut self) {
        *self = Self::default();
    }

    /// Until when nothing is to be sent.
    pub(super) fn until(&self, now: Moment) -> Option<Moment> {
        self.until.filter(|until| *until > now)
    }

    /// As long as fewer than so many packets were refused and still wait to be tried again, new ones are made ready.
    pub(super) const fn room(&self) -> usize {
        self.room
    }
}

/// How a packet fared among others.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Standing {
    /// How many others had gone out when it was last refused.
    out: Option<u64>,
    /// So often it was refused again although others had gone out in between.
    strikes: u8,
    wait: Duration,
}

impl Standing {
    /// Of the others between two refusals, before it is more than bad luck with a queue that is full now and then.
    const OTHERS: u64 = BATCH as u64 / 4;
    /// One more refusal of the kind could still be bad luck: who is set aside by mistake is late, and no more.
    const STRIKES: u8 = 2;
    /// Every try costs as much as a packet that goes out.
    const FIRST: Duration = Duration::from_millis(400);
    /// Of a table of neighbours that is full, every try has the kernel go through all of it.
    const FIRST_KNOWN: Duration = Duration::from_secs(1);
    const LONGEST: Duration = Duration::from_secs(2);

    /// Something was short for it, after `out` packets had gone out in all. Where it is short for this one and not for others:
    /// for how long it is left alone, while they go on.
    pub(super) fn refused(&mut self, out: u64) -> Option<Duration> {
        if self.out.is_some_and(|before| out.saturating_sub(before) >= Self::OTHERS) {
            self.strikes = self.strikes.saturating_add(1);
        }
        self.out = Some(out);
        if self.strikes < Self::STRIKES {
            return None;
        }
        Some(self.wait_from(Self::FIRST))
    }

    /// What it lacks is known to be lacking for some and not for others: for how long it is left alone.
    pub(super) fn left_alone(&mut self) -> Duration {
        self.strikes = Self::STRIKES;
        self.wait_from(Self::FIRST_KNOWN)
    }

    fn wait_from(&mut self, first: Duration) -> Duration {
        self.wait = (self.wait * 2).clamp(first, Self::LONGEST);
        self.wait
    }

    /// It was refused before, and it is not known yet that others fare better.
    pub(super) const fn is_doubtful(&self) -> bool {
        self.out.is_some() && self.strikes < Self::STRIKES
    }

    /// It was refused where others were not.
    pub(super) const fn is_out(&self) -> bool {
        self.strikes >= Self::STRIKES
    }
}

/// What the kernel means by not sending a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Its queue is full.
    QueueFull,
    /// It is short of something: buffers, memory, room for another neighbour.
    Short,
    /// A filter of this machine dropped it.
    Filtered,
    /// There is no way to the destination: connect() finds the same, and words it best.
    NoWay,
}

impl Refusal {
    pub(super) fn of(errno: Errno) -> Self {
        match errno {
            Errno::EAGAIN => Self::QueueFull,
            Errno::ENOBUFS | Errno::ENOMEM => Self::Short,
            Errno::EPERM => Self::Filtered,
            _ => Self::NoWay,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Moment {
        Moment::from_micros(millis * 1000)
    }

    #[test]
    fn pauses_grow_until_something_goes_out() {
        let mut pause = Pause::default();
        assert_eq!(pause.until(at(0)), None);
        let mut waits = Vec::new();
        for _ in 0..9 {
            pause.short(at(1000), 1);
            waits.push(pause.until(at(1000)).unwrap().since(at(1000)).as_millis());
        }
        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 320, 500, 500]);
        assert_eq!(pause.until(at(1500)), None);
        pause.over();
        pause.queue_full(at(2000));
        assert_eq!(pause.until(at(2000)), Some(at(2001)));
    }

    /// Of ten that wait: how many are tried before each pause, and how long that is.
    #[test]
    fn all_are_tried_before_all_have_to_wait() {
        let mut pause = Pause::default();
        let (mut now, mut tried) = (at(0), 0);
        let mut pauses = Vec::new();
        while pauses.len() < 5 {
            tried += 1;
            pause.short(now, 10);
            if let Some(until) = pause.until(now) {
                pauses.push((tried, until.since(now).as_millis(), pause.room()));
                (now, tried) = (until, 0);
            }
        }
        let wanted =
            [(10, 5, 2 * BATCH), (10, 10, 3 * BATCH), (10, 20, 4 * BATCH), (10, 40, 5 * BATCH), (10, 80, 6 * BATCH)];
        assert_eq!(pauses, wanted, "and more are let in each time");
        pause.over();
        pause.short(now, 10);
        assert_eq!((pause.until(now), pause.room()), (None, BATCH), "one may be the only one");
    }

    #[test]
    fn who_is_refused_while_others_go_out_is_left_alone() {
        let mut lonely = Standing::default();
        assert!(!lonely.is_doubtful() && !lonely.is_out());
        let mut known = lonely;
        assert_eq!((known.left_alone().as_millis(), known.is_out()), (1000, true));
        let waits: Vec<_> = (0..8).map(|nth| lonely.refused(100 * nth).map(|wait| wait.as_millis())).collect();
        let wanted = [None, None, Some(400), Some(800), Some(1600), Some(2000), Some(2000), Some(2000)];
        assert_eq!(waits, wanted);
        assert!(!lonely.is_doubtful() && lonely.is_out());
    }

    #[test]
    fn who_is_refused_like_all_others_is_not() {
        let mut one_of_many = Standing::default();
        assert!(
            (0..100).all(|nth| one_of_many.refused(7 + nth).is_none()),
            "a trickle gets out, and it is everybody's turn"
        );
        assert!(one_of_many.is_doubtful());
        let mut unlucky = Standing::default();
        assert_eq!((unlucky.refused(0), unlucky.refused(1000), unlucky.refused(1000)), (None, None, None));
    }

    #[test]
    fn refusals_are_told_apart() {
        assert_eq!(Refusal::of(Errno::EAGAIN), Refusal::QueueFull);
        assert_eq!(Refusal::of(Errno::ENOBUFS), Refusal::Short);
        assert_eq!(Refusal::of(Errno::EPERM), Refusal::Filtered);
        assert_eq!(Refusal::of(Errno::ENETUNREACH), Refusal::NoWay);
    }
}
