//! Spacing between connections to one host (`--per-host`).

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use crate::time::Moment;

/// Where one address stands.
#[derive(Debug, Clone, Copy)]
enum State {
    /// This many connections to it are up. More than one only where the driver started one that was not asked for.
    InFlight(u32),
    /// The last one has ended: the next may start at this moment.
    FreeAt(Moment),
}

/// Keeps connections to one address apart: the next starts no sooner than the spacing after the END of the one before, and
/// never two at once.
///
/// Several targets may be one host (`10.0.0.0/24:22,2222`), and sshd (9.8 and later) charges a source address for every
/// connection when it ends: a second has to run off before the next one adds to it. A spacing of zero keeps nothing apart.
///
/// Remembers the addresses with a connection up and those whose spacing has not passed yet, nothing else.
#[derive(Debug)]
pub struct HostGate {
    spacing: Duration,
    hosts: BTreeMap<IpAddr, State>,
    /// Addresses in the order in which their spacing passes; an entry may be out of date.
    passing: VecDeque<(Moment, IpAddr)>,
}

impl HostGate {
    /// A gate keeping `spacing` between connections to one address.
    #[must_use]
    pub const fn new(spacing: Duration) -> Self {
        Self { spacing, hosts: BTreeMap::new(), passing: VecDeque::new() }
    }

    /// Whether a connection to `addr` may start now. If it does, say so with [`Self::started`] before asking again.
    ///
    /// # Errors
    ///
    /// When to ask again: the end of the spacing or, while a connection is up, the earliest moment it could be.
    pub fn may_start(&mut self, addr: IpAddr, now: Moment) -> Result<(), Moment> {
        self.forget(now);
        match self.hosts.get(&addr.to_canonical()) {
            Some(State::InFlight(_)) => Err(now + self.spacing),
            Some(State::FreeAt(free)) if *free > now => Err(*free),
            Some(State::FreeAt(_)) | None => Ok(()),
        }
    }

    /// A connection to `addr` is being opened.
    pub fn started(&mut self, addr: IpAddr) {
        if self.spacing.is_zero() {
            return;
        }
        let state = self.hosts.entry(addr.to_canonical()).or_insert(State::InFlight(0));
        *state = match *state {
            State::InFlight(count) => State::InFlight(count.saturating_add(1)),
            State::FreeAt(_) => State::InFlight(1),
        };
    }

    /// A connection to `addr` has ended, whatever became of it.
    pub fn ended(&mut self, addr: IpAddr, now: Moment) {
        self.forget(now);
        let addr = addr.to_canonical();
        if let Some(state) = self.hosts.get_mut(&addr) {
            match *state {
                State::InFlight(count) if count > 1 => *state = State::InFlight(count - 1),
                State::InFlight(_) => {
                    let free = now + self.spacing;
                    *state = State::FreeAt(free);
                    self.passing.push_back((free, addr));
                }
                State::FreeAt(_) => {}
            }
        }
    }

    /// How many addresses are remembered.
    #[must_use]
    pub fn remembered(&self) -> usize {
        self.hosts.len()
    }

    fn forget(&mut self, now: Moment) {
        while let Some((free, addr)) = self.passing.front().copied() {
            if free > now {
                break;
            }
            self.passing.pop_front();
            // The address may be in flight again since, or have ended again and wait for a later moment.
            if matches!(self.hosts.get(&addr), Some(State::FreeAt(free)) if *free <= now) {
                self.hosts.remove(&addr);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::Ipv4Addr;

    const SPACING: Duration = Duration::from_millis(1200);

    fn at(millis: u64) -> Moment {
        Moment::from_micros(millis * 1000)
    }

    fn host(last: u8) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(10, 0, 0, last))
    }

    #[test]
    fn the_spacing_counts_from_the_end_of_the_one_before() {
        let mut gate = HostGate::new(SPACING);
        assert_eq!(gate.may_start(host(1), at(0)), Ok(()));
        gate.started(host(1));
        assert_eq!(gate.may_start(host(1), at(5000)), Err(at(6200)), "never two at once, however long it takes");
        assert_eq!(gate.may_start(host(2), at(5000)), Ok(()), "another host is none of its business");
        gate.ended(host(1), at(7000));
        assert_eq!(gate.may_start(host(1), at(7000)), Err(at(8200)));
        assert_eq!(gate.may_start(host(1), at(8199)), Err(at(8200)));
        assert_eq!(gate.may_start(host(1), at(8200)), Ok(()));
    }

    #[test]
    fn an_address_is_the_same_host_however_it_is_written() {
        let mut gate = HostGate::new(SPACING);
        gate.started("::ffff:10.0.0.1".parse().unwrap());
        assert!(gate.may_start(host(1), at(0)).is_err());
        gate.ended(host(1), at(0));
        assert_eq!(gate.may_start("::ffff:10.0.0.1".parse().unwrap(), at(1200)), Ok(()));
    }

    #[test]
    fn hosts_whose_spacing_has_passed_are_forgotten() {
        let mut gate = HostGate::new(SPACING);
        for last in 0..100 {
            gate.started(host(last));
            gate.ended(host(last), at(u64::from(last) * 100));
        }
        assert!(gate.remembered() <= 13, "those ended within the last 1.2 s: {}", gate.remembered());
        assert_eq!(gate.may_start(host(0), at(60_000)), Ok(()));
        assert_eq!(gate.remembered(), 0);
        assert!(gate.passing.is_empty());
    }

    #[test]
    fn zero_spacing_keeps_nothing_apart_and_remembers_nothing() {
        let mut gate = HostGate::new(Duration::ZERO);
        gate.started(host(1));
        assert_eq!(gate.may_start(host(1), at(0)), Ok(()));
        gate.ended(host(1), at(0));
        assert_eq!(gate.may_start(host(1), at(0)), Ok(()));
        assert_eq!(gate.remembered(), 0);
    }

    #[test]
    fn one_started_unasked_is_waited_for_as_well() {
        let mut gate = HostGate::new(SPACING);
        gate.started(host(1));
        gate.started(host(1));
        gate.ended(host(1), at(0));
        assert!(gate.may_start(host(1), at(5000)).is_err());
        gate.ended(host(1), at(5000));
        assert_eq!(gate.may_start(host(1), at(6200)), Ok(()));
        gate.ended(host(1), at(9000));
        assert_eq!(gate.may_start(host(1), at(9000)), Ok(()), "an end without a start is nothing");
    }

    proptest! {
        #[test]
        fn connections_to_one_host_never_come_closer_than_the_spacing(
            steps in proptest::collection::vec((0u8..4, 0u64..900, any::<bool>()), 1..200),
        ) {
            let mut gate = HostGate::new(SPACING);
            let mut now = at(0);
            let mut up = [false; 4];
            let mut last_end = [None::<Moment>; 4];
            for (which, gap, end) in steps {
                now = now + Duration::from_millis(gap);
                let index = usize::from(which);
                if up[index] {
                    prop_assert!(gate.may_start(host(which), now).is_err());
                    if end {
                        gate.ended(host(which), now);
                        up[index] = false;
                        last_end[index] = Some(now);
                    }
                    continue;
                }
                let free = last_end[index].is_none_or(|end| now.since(end) >= SPACING);
                match gate.may_start(host(which), now) {
                    Ok(()) => {
                        prop_assert!(free);
                        gate.started(host(which));
                        up[index] = true;
                    }
                    Err(again) => {
                        prop_assert!(!free);
                        prop_assert_eq!(Some(again), last_end[index].map(|end| end + SPACING));
                    }
                }
                prop_assert!(gate.remembered() <= 4 && gate.passing.len() <= 4);
            }
        }
    }
}
