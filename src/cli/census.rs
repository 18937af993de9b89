//! What is among the targets, counted for `--plan`: what comes out of a range by the stretch, not by the address.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use sshprobe_probes::target::{Host, Target};

use crate::cli::exit::Exit;
use crate::cli::routes::Routes;
use crate::engine::{Assigned, By};
use crate::journal::Bits;
use crate::report::Progress;
use crate::target::source::Lot;
use crate::target::{Share, Stretch, Targets};
use crate::transport::Road;

/// What is among the targets.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Census {
    pub(super) targets: u64,
    pub(super) names: u64,
    pub(super) from_ranges: u64,
    pub(super) share: Share,
    /// By an earlier part of the run.
    pub(super) done: u64,
    pub(super) ports: BTreeSet<u16>,
    /// `user@` of expressions.
    pub(super) users: BTreeSet<String>,
    /// Targets of the fullest subnet.
    pub(super) fullest: u64,
    /// Those that ssh_config sends elsewhere, through a program of its own, or nowhere.
    pub(super) elsewhere: u64,
    pub(super) by_program: u64,
    pub(super) by_jump: u64,
    pub(super) nowhere: u64,
    /// Hosts on the way to others.
    pub(super) jump_hosts: u64,
    /// So many of them are at most behind each other.
    pub(super) in_a_row: u32,
}

impl Census {
    /// Counts the targets that are not `done`, and reports bad lines of standard input.
    pub(super) fn of(targets: Targets, done: &Bits, routes: &mut Routes) -> (Self, Exit) {
        let mut census = Self { share: targets.share(), done: done.len(), ..Self::default() };
        let usual_jumps = routes.usual().jumps();
        census.in_a_row = routes.usual().jump_hosts();
        let mut subnets = Subnets::default();
        let mut exit = Exit::Clean;
        for lot in targets.in_lots() {
            match lot {
                Ok(Lot::Stretch(stretch)) => census.add_stretch(&stretch, done, &mut subnets),
                Ok(Lot::One(target)) if done.has(target.index) => {}
                Ok(Lot::One(target)) => {
                    let Assigned { target, by } = routes.assign(target);
                    census.elsewhere += u64::from(target.place.is_some());
                    match by {
                        By::Usual => {}
                        By::Own(route) => {
                            census.by_program += u64::from(matches!(route.transport, Road::Command(_)));
                            census.in_a_row = census.in_a_row.max(route.transport.jump_hosts());
                            census.by_jump += u64::from(route.transport.jumps() && !usual_jumps);
                        }
                        By::Nothing(_) => census.nowhere += 1,
                    }
                    census.add(&target, &mut subnets);
                }
                Err(problem) => {
                    // Not eprintln!, which panics where nobody reads standard error.
                    Progress::none().say(&format!("sshprobe: error: {problem}"));
                    exit = Exit::Program;
                }
            }
        }
        #[cfg(feature = "login")]
        {
            census.jump_hosts = routes.jump_hosts();
        }
        // Some that are done may have been counted among them.
        census.fullest = subnets.fullest().min(census.targets);
        (census, exit)
    }

    fn add(&mut self, target: &Target, subnets: &mut Subnets) {
        self.targets += 1;
        self.from_ranges += u64::from(target.from_range);
        self.ports.insert(target.port);
        self.add_user(target.user.as_deref());
        match target.place() {
            Host::Name(_) | Host::Iap(_) => self.names += 1,
            Host::Addr(addr, _) => subnets.add(*addr),
        }
    }

    /// No way of its own leads to an address out of a range: what holds for one of them holds for all.
    fn add_stretch(&mut self, stretch: &Stretch, done: &Bits, subnets: &mut Subnets) {
        let left = stretch.targets().saturating_sub(done.count(stretch.index, stretch.len));
        if left == 0 {
            return;
        }
        self.targets += left;
        self.from_ranges += left;
        self.add_user(stretch.user.as_deref());
        // A share takes the same ports again after as many of its targets as an address has ports.
        let width = u64::from(stretch.ports.len());
        for nth in 0..stretch.targets().min(width) {
            let at = stretch.share.offset(stretch.index, nth) % width;
            self.ports.extend(u32::try_from(at).ok().and_then(|at| stretch.ports.nth(at)));
        }
        subnets.add_stretch(stretch);
    }

    fn add_user(&mut self, user: Option<&str>) {
        if let Some(user) = user.filter(|user| !self.users.contains(*user)) {
            self.users.insert(user.to_owned());
        }
    }
}

/// How many targets a /24 or /64 has.
#[derive(Debug, Default)]
struct Subnets {
    /// Of those named one by one.
    named: BTreeMap<u128, u64>,
    /// By how much the number out of ranges rises or falls from a subnet on.
    steps: BTreeMap<u128, i128>,
}

impl Subnets {
    /// Past so many with targets named one by one no new ones are counted: the fullest is among the first, or all are small.
    const NAMED: usize = 1 << 16;

    fn add(&mut self, addr: IpAddr) {
        let (number, shift, mark) = numbered(addr);
        let subnet = number >> shift | mark;
        if self.named.len() < Self::NAMED || self.named.contains_key(&subnet) {
            *self.named.entry(subnet).or_insert(0) += 1;
        }
    }

    fn add_stretch(&mut self, stretch: &Stretch) {
        let (number, shift, mark) = numbered(stretch.first);
        let width = u64::from(stretch.ports.len());
        let last = number + u128::from((stretch.len / width).saturating_sub(1));
        let (begins, ends) = (number >> shift, last >> shift);
        if begins == ends {
            return self.step(begins | mark, 1, stretch.targets());
        }
        let of = |offset: u64, len: u64| stretch.share.count(stretch.index.saturating_add(offset), len);
        let targets = |addresses: u128| u64::try_from(addresses).unwrap_or(u64::MAX).saturating_mul(width);
        let head = targets(((begins + 1) << shift) - number);
        let tail = targets(last - (ends << shift) + 1);
        self.step(begins | mark, 1, of(0, head));
        self.step((begins + 1) | mark, ends - begins - 1, stretch.share.most(targets(1 << shift)));
        self.step(ends | mark, 1, of(stretch.len - tail, tail));
    }

    /// So many subnets from `first` on have so many targets more.
    fn step(&mut self, first: u128, subnets: u128, targets: u64) {
        if subnets > 0 {
            *self.steps.entry(first).or_insert(0) += i128::from(targets);
            *self.steps.entry(first + subnets).or_insert(0) -= i128::from(targets);
        }
    }

    /// The targets of the fullest.
    fn fullest(self) -> u64 {
        let mut level = 0;
        let levels: Vec<(u128, i128)> = self
            .steps
            .into_iter()
            .map(|(at, by)| {
                level += by;
                (at, level)
            })
            .collect();
        let out_of_ranges = |subnet: u128| {
            let at = levels.partition_point(|(at, _)| *at <= subnet);
            at.checked_sub(1).and_then(|at| levels.get(at)).map_or(0, |(_, level)| *level)
        };
        let with_names = self.named.into_iter().map(|(subnet, count)| i128::from(count) + out_of_ranges(subnet));
        let most = levels.iter().map(|(_, level)| *level).chain(with_names).max().unwrap_or(0);
        u64::try_from(most).unwrap_or(u64::MAX)
    }
}

/// An address as a number, how many of its bits tell hosts of one subnet apart, and what keeps the subnets of IPv6 apart from those
/// of IPv4, none of which is a number as high as that.
const fn numbered(addr: IpAddr) -> (u128, u32, u128) {
    match addr {
        IpAddr::V4(addr) => (addr.to_bits() as u128, 8, 0),
        IpAddr::V6(addr) => (addr.to_bits(), 64, 1 << 127),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::Sources;

    fn open(targets: &[&str], exclude: &[&str], share: Share) -> Targets {
        let words = |list: &[&str]| list.iter().map(ToString::to_string).collect();
        let sources = Sources { targets: words(targets), exclude: words(exclude), share, ..Sources::default() };
        let sources = Sources { max_targets: u64::MAX, ..sources };
        sources.open_with(Box::new(std::io::empty())).unwrap()
    }

    /// What a walk over every target counts.
    fn walked(targets: Targets, done: &Bits) -> Census {
        let mut census = Census { share: targets.share(), done: done.len(), ..Census::default() };
        let mut subnets = Subnets::default();
        for target in targets.map(Result::unwrap).filter(|target| !done.has(target.index)) {
            census.add(&target, &mut subnets);
        }
        census.fullest = subnets.fullest();
        census
    }

    fn counted(targets: Targets, done: &Bits) -> Census {
        let mut census = Census { share: targets.share(), done: done.len(), ..Census::default() };
        let mut subnets = Subnets::default();
        for lot in targets.in_lots() {
            match lot.unwrap() {
                Lot::Stretch(stretch) => census.add_stretch(&stretch, done, &mut subnets),
                Lot::One(target) => census.add(&target, &mut subnets),
            }
        }
        census.fullest = subnets.fullest();
        census
    }

    #[test]
    fn by_the_stretch_it_comes_to_what_a_walk_comes_to() {
        let cases: [(&[&str], &[&str]); 9] = [
            (&["10.0.0.0/22"], &[]),
            (&["10.0.0.7-200:22,2222", "10.0.0.0/23:22"], &["10.0.0.128/25"]),
            (&["10.0.0.0/24", "10.0.0.0/24:2222", "me@10.0.1.0/24:1-40"], &["10.0.0.9:22"]),
            (&["10.0.0.200-10.0.2.3:22-24"], &["10.0.1.0/24"]),
            (&["10.0.0.3", "web1", "10.0.0.0/30", "10.0.7.0/30", "10.0.0.77:99"], &[]),
            (&["[2001:db8::]/120:22,80", "[2001:db8::1]:7"], &["[2001:db8::40]/122"]),
            (&["[2001:db8::ffff:ffff:ffff:ff00]/120", "[2001:db8:0:1::]/121"], &[]),
            (&["0.0.0.0/24", "[::]/120"], &[]),
            (&["a@10.0.0.0/28", "b@10.0.0.8-40", "192.0.2.1-2"], &["192.0.2.0/24"]),
        ];
        for (targets, exclude) in cases {
            for share in ["1/1", "1/2", "3/7", "250/256", "999/1000"] {
                let share: Share = share.parse().unwrap();
                let none = Bits::default();
                let by_walk = walked(open(targets, exclude, share), &none);
                let mut by_lot = counted(open(targets, exclude, share), &none);
                if share.is_part() {
                    // Of whole subnets the one is taken that has most; by one it may be none of these.
                    assert!(by_lot.fullest.abs_diff(by_walk.fullest) <= targets.len() as u64, "{targets:?} {share}");
                    by_lot.fullest = by_walk.fullest;
                }
                assert_eq!(by_lot, by_walk, "{targets:?} {share}");
            }
        }
    }

    #[test]
    fn what_is_done_is_not_counted_again() {
        let targets = || open(&["10.0.0.0/20", "10.1.0.0/28:22,23"], &[], Share::WHOLE);
        let mut done = Bits::default();
        (0..4_090).chain(4_100..4_127).for_each(|index| {
            done.add(index);
        });
        let (by_walk, by_lot) = (walked(targets(), &done), counted(targets(), &done));
        assert_eq!((by_lot.targets, by_lot.from_ranges, by_lot.done), (11, 11, 4_117));
        assert_eq!((by_walk.targets, by_walk.from_ranges), (11, 11));
    }

    /// A /0 with all ports takes no longer than a /24: there is nothing to be walked.
    #[test]
    fn a_range_is_one_lot_however_large() {
        let targets = open(&["0.0.0.0/0:22,2222", "[2001:db8::]/66", "web1"], &["10.0.0.0/8:22"], Share::WHOLE);
        let lots: Vec<Lot> = targets.in_lots().map(Result::unwrap).collect();
        assert_eq!(lots.len(), 5, "three pieces of the first one, the second, and a name");
        let census = counted(open(&["0.0.0.0/0:22,2222"], &["10.0.0.0/8:22"], Share::WHOLE), &Bits::default());
        assert_eq!((census.targets, census.fullest), ((2 << 32) - (1 << 24), 512));
    }

    #[test]
    fn lines_of_standard_input_are_counted_by_the_stretch_too() {
        let sources = Sources { files: vec!["-".into()], max_targets: u64::MAX, ..Sources::default() };
        let lines = "10.0.0.0/8\nweb1\nnot a target\n10.0.0.0/7\n";
        let lots: Vec<_> = sources.open_with(Box::new(lines.as_bytes())).unwrap().in_lots().collect();
        let targets = lots.iter().flatten().map(|lot| match lot {
            Lot::One(_) => 1,
            Lot::Stretch(stretch) => stretch.targets(),
        });
        assert_eq!((lots.len(), targets.sum::<u64>()), (4, (1 << 25) + 1));
        assert_eq!(lots.iter().filter(|lot| lot.is_err()).count(), 1);
    }
}
