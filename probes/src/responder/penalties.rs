//! The accounts that an sshd keeps of its clients (PerSourcePenalties, OpenSSH 9.8 and later), as its listener does the sums.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use crate::govern::penalty::{Budget, Class};
use crate::time::Moment;

/// What one sshd holds against those who connected to it, with the defaults of sshd_config(5).
///
/// It counts whole seconds, as sshd does, and blocks single addresses (`PerSourceNetBlockSize 32:128`).
#[derive(Debug, Clone, Default)]
pub struct SourcePenalties {
    sources: HashMap<IpAddr, Entry>,
    refused: u64,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    /// In seconds.
    expiry: u64,
    /// It was above `min` once, and has not run down since.
    active: bool,
}

impl SourcePenalties {
    /// What a source that is refused is told before the connection is closed.
    pub const REFUSAL: &[u8] = b"Not allowed at this time\r\n";

    /// Nothing is held against anybody.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether a connection from `source` is served. One that is not is never charged.
    pub fn admits(&mut self, source: IpAddr, now: Moment) -> bool {
        let now = seconds(now);
        let blocked = match self.sources.get(&source) {
            Some(entry) if entry.expiry <= now => {
                self.sources.remove(&source);
                false
            }
            Some(entry) => entry.active,
            None => false,
        };
        self.refused += u64::from(blocked);
        !blocked
    }

    /// A connection from `source` has ended.
    pub fn charge(&mut self, source: IpAddr, class: Class, now: Moment) {
        let now = seconds(now);
        let entry = self.sources.entry(source).or_insert(Entry { expiry: now, active: false });
        if entry.expiry <= now {
            *entry = Entry { expiry: now, active: false };
        }
        entry.expiry = entry.expiry.saturating_add(class.charge().as_secs()).min(now + Budget::CAP.as_secs());
        entry.active |= entry.expiry - now > Budget::ENFORCED.as_secs();
    }

    /// What is outstanding from `source`.
    #[must_use]
    pub fn outstanding(&self, source: IpAddr, now: Moment) -> Duration {
        let expiry = self.sources.get(&source).map_or(0, |entry| entry.expiry);
        Duration::from_secs(expiry.saturating_sub(seconds(now)))
    }

    /// Connections that were turned away so far.
    #[must_use]
    pub const fn refused(&self) -> u64 {
        self.refused
    }
}

fn seconds(now: Moment) -> u64 {
    now.as_micros() / 1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const SOURCE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

    fn at(millis: u64) -> Moment {
        Moment::from_micros(millis * 1000)
    }

    /// How many connections in a row are served that end `apart` ms after one another.
    fn served(class: Class, apart: u64) -> u64 {
        let mut sshd = SourcePenalties::new();
        let mut made = 0;
        while sshd.admits(SOURCE, at(made * apart)) {
            sshd.charge(SOURCE, class, at(made * apart));
            made += 1;
            assert!(made < 1000, "never refused");
        }
        made
    }

    /// What was measured of OpenSSH 10.5: 16 banner grabs within a second, and four times `none` for nobody there.
    #[test]
    fn as_many_are_served_as_by_a_real_sshd() {
        assert_eq!(served(Class::NoAuth, 20), 16);
        assert_eq!(served(Class::InvalidUser, 20), 4);
        assert_eq!(served(Class::InvalidUser, 200), 4);
        assert_eq!(served(Class::AuthFail, 250), 4, "and the fifth where a second has passed before it");
        assert_eq!(served(Class::RefuseConnection, 20), 2);
        // LoginGraceTime of 9.8, and a crash: one is enough.
        assert_eq!(served(Class::GraceExceeded, 20), 1);
        assert_eq!(served(Class::Crash, 20), 1);
    }

    #[test]
    fn who_was_refused_once_is_served_again_when_all_has_run_down_and_not_before() {
        let mut sshd = SourcePenalties::new();
        for _ in 0..16 {
            assert!(sshd.admits(SOURCE, at(0)));
            sshd.charge(SOURCE, Class::NoAuth, at(0));
        }
        assert!(!sshd.admits(SOURCE, at(1)));
        assert!(!sshd.admits(SOURCE, at(15_900)), "below min is not enough once it is active");
        assert!(sshd.admits(SOURCE, at(16_000)));
        assert_eq!(sshd.refused(), 2, "and being refused cost nothing");
        sshd.charge(SOURCE, Class::NoAuth, at(16_000));
        assert!(sshd.admits(SOURCE, at(16_100)), "it begins anew");
    }

    #[test]
    fn the_sum_is_capped_and_others_do_not_pay() {
        let mut sshd = SourcePenalties::new();
        for _ in 0..10 {
            sshd.charge(SOURCE, Class::Crash, at(0));
        }
        assert_eq!(sshd.outstanding(SOURCE, at(0)), Budget::CAP);
        assert!(sshd.admits(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2)), at(0)));
    }
}
