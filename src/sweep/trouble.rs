//! Waiting while this machine cannot send.

use std::time::Duration;

use sshprobe_probes::evidence::Errno;
use sshprobe_probes::time::Moment;

/// How long nothing is sent, after the kernel would not take a packet.
#[derive(Debug, Default)]
pub(super) struct Pause {
    until: Option<Moment>,
    wait: Duration,
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

    /// Something is short. The wait doubles for as long as nothing can be sent at all.
    pub(super) fn short(&mut self, now: Moment) {
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
            pause.short(at(1000));
            waits.push(pause.until(at(1000)).unwrap().since(at(1000)).as_millis());
        }
        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 320, 500, 500]);
        assert_eq!(pause.until(at(1500)), None);
        pause.over();
        pause.queue_full(at(2000));
        assert_eq!(pause.until(at(2000)), Some(at(2001)));
    }

    #[test]
    fn refusals_are_told_apart() {
        assert_eq!(Refusal::of(Errno::EAGAIN), Refusal::QueueFull);
        assert_eq!(Refusal::of(Errno::ENOBUFS), Refusal::Short);
        assert_eq!(Refusal::of(Errno::EPERM), Refusal::Filtered);
        assert_eq!(Refusal::of(Errno::ENETUNREACH), Refusal::NoWay);
    }
}
