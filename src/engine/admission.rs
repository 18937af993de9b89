//! Who may open a connection now. Pure: the time comes as an argument, and nobody is woken here.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use sshprobe_probes::govern::congestion::Congestion;
use sshprobe_probes::govern::host::HostGate;
use sshprobe_probes::govern::ledger::{Cost, Ledger};
use sshprobe_probes::govern::penalty::Class;
use sshprobe_probes::govern::rate::Rate;
use sshprobe_probes::govern::roundtrip::RoundTrips;
use sshprobe_probes::govern::subnet::{Net, Subnet};
use sshprobe_probes::govern::trouble::LocalBackoff;
use sshprobe_probes::time::Moment;

/// The governors of a run, and those who wait for them.
///
/// Whoever wants a connection is in one of three places: `later`, until a moment; `crowded`, until somebody leaves the
/// same neighbourhood; or in line for a slot and a token, in the order of arrival. Nobody waits behind somebody who waits
/// for something else.
///
/// There are two lines: `again`, of those who were put off for want of something of ours, and `ready`, of all others. The
/// first has most of the turns, as its patience would be over before it is tried a second time, but not all: else those who
/// can never have a connection would keep everybody else from being tried.
#[derive(Debug)]
pub(super) struct Admission<W> {
    rate: Rate,
    subnet: Subnet,
    hosts: HostGate,
    ledger: Ledger,
    backoff: LocalBackoff,
    congestion: Congestion,
    trips: RoundTrips,
    in_flight: usize,
    ready: VecDeque<Waiting<W>>,
    again: VecDeque<Waiting<W>>,
    /// So many of `again` have gone since one of `ready` has.
    row: u8,
    later: BinaryHeap<Later<W>>,
    crowded: HashMap<Net, VecDeque<Waiting<W>>>,
    arrivals: u64,
    /// The next token comes at this moment, and somebody waits for it.
    token: Option<Moment>,
}

/// What a connection is made for, as far as those care who let it through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Errand {
    pub(super) server: SocketAddr,
    /// What the server may charge for it, at worst.
    pub(super) class: Class,
    /// How long its connect may take, less where the round trips there are known; `None` where they cannot be.
    pub(super) within: Option<Duration>,
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Upshot {
    pub(super) cost: Cost,
    /// How long the target's answer to the handshake took, where it was the target's.
    pub(super) heard: Option<Duration>,
}

impl Upshot {
    /// Nothing left this machine.
    pub(super) const NOTHING: Self = Self { cost: Cost::Nothing, heard: None };
}

impl Errand {
    fn addr(&self) -> IpAddr {
        self.server.ip()
    }
}

#[derive(Debug)]
struct Waiting<W> {
    who: W,
    errand: Errand,
    /// It was put off for want of something of ours.
    put_off: bool,
    /// It was called up for a place in its neighbourhood.
    called: bool,
}

#[derive(Debug)]
struct Later<W> {
    at: Moment,
    arrival: u64,
    waiting: Waiting<W>,
}

impl<W> Admission<W> {
    /// So many who were put off go, and then one who was not.
    const TURNS: u8 = 3;

    pub(super) fn new(rate: Rate, subnet: Subnet, hosts: HostGate, backoff: LocalBackoff) -> Self {
        let congestion = Congestion::new(backoff.allowed());
        Self {
            rate,
            subnet,
            hosts,
            ledger: Ledger::new(),
            backoff,
            congestion,
            trips: RoundTrips::new(),
            in_flight: 0,
            ready: VecDeque::new(),
            again: VecDeque::new(),
            row: 0,
            later: BinaryHeap::new(),
            crowded: HashMap::new(),
            arrivals: 0,
            token: None,
        }
    }

    /// `who` wants a connection, not before `at`; it may have been `put_off` before for want of something of ours.
    pub(super) fn want(&mut self, who: W, errand: Errand, at: Moment, put_off: bool) {
        self.postpone(Waiting { who, errand, put_off, called: false }, at);
    }

    /// The next who may go, with what for. Ask until there is none; whoever goes has to [`Self::leave`] again.
    pub(super) fn admit(&mut self, now: Moment) -> Option<(W, Errand)> {
        while self.later.peek().is_some_and(|first| first.at <= now) {
            let Some(first) = self.later.pop() else { break };
            self.line(first.waiting.put_off).push_back(first.waiting);
        }
        self.token = None;
        while self.in_flight < self.backoff.allowed().min(self.congestion.allowed(now)) {
            let waiting = self.first_in_line()?;
            let (addr, errand) = (waiting.errand.addr(), waiting.errand);
            let bearable = self.hosts.may_start(addr, now);
            if let Err(again) = bearable.and_then(|()| self.ledger.may_start(errand.server, errand.class, now)) {
                // A place in its neighbourhood that it may have been called up for is somebody else's now.
                self.call(addr);
                // Never before `now`, or this loop would not end.
                self.postpone(Waiting { called: false, ..waiting }, again.max(now + Duration::from_micros(1)));
                continue;
            }
            if !self.subnet.enter(addr) {
                let queue = self.crowded.entry(Net::of(addr)).or_default();
                // The other line was quicker: that costs nobody his place among those who wait there.
                if waiting.called {
                    queue.push_front(waiting)
                } else {
                    queue.push_back(waiting)
                }
                continue;
            }
            if let Err(again) = self.rate.permit(now) {
                self.subnet.leave(addr);
                self.line(waiting.put_off).push_front(waiting);
                self.token = Some(again);
                return None;
            }
            self.hosts.started(addr);
            self.ledger.started(errand.server, errand.class);
            self.in_flight += 1;
            self.row = if waiting.put_off { self.row.saturating_add(1) } else { 0 };
            let within = errand.within.map(|most| self.trips.patience(addr, most));
            return Some((waiting.who, Errand { within, ..errand }));
        }
        None
    }

    const fn line(&mut self, put_off: bool) -> &mut VecDeque<Waiting<W>> {
        if put_off { &mut self.again } else { &mut self.ready }
    }

    /// Takes out whose turn it is.
    fn first_in_line(&mut self) -> Option<Waiting<W>> {
        let put_off = self.row < Self::TURNS;
        self.line(put_off).pop_front().or_else(|| self.line(!put_off).pop_front())
    }

    /// When to ask again, if nobody leaves and nobody comes before.
    pub(super) fn wake_at(&self) -> Option<Moment> {
        let later = self.later.peek().map(|first| first.at);
        later.into_iter().chain(self.token).min()
    }

    /// A connection is over, and came to this. Whether an answer was to a SYN that the kernel had to send again.
    pub(super) fn leave(&mut self, errand: Errand, upshot: Upshot, now: Moment) -> bool {
        let addr = errand.addr();
        let resent = upshot.heard.is_some_and(|took| self.trips.answered(addr, took));
        if upshot.heard.is_some() {
            self.congestion.answered(resent, self.in_flight, now);
        }
        self.in_flight = self.in_flight.saturating_sub(1);
        self.hosts.ended(addr, now);
        self.ledger.ended(errand.server, errand.class, upshot.cost, now);
        self.subnet.leave(addr);
        self.call(addr);
        resent
    }

    /// Makes the first of those who wait for a place in the neighbourhood of `addr` ready.
    fn call(&mut self, addr: IpAddr) {
        let key = Net::of(addr);
        if let Some(queue) = self.crowded.get_mut(&key) {
            let next = queue.pop_front();
            if queue.is_empty() {
                self.crowded.remove(&key);
            }
            // It has waited longest of all in its line.
            if let Some(next) = next {
                self.line(next.put_off).push_front(Waiting { called: true, ..next });
            }
        }
    }

    /// How many connections may be in flight for the network's sake, where that is less than asked for.
    pub(super) fn slowed(&self, now: Moment) -> Option<usize> {
        self.congestion.reduced(now)
    }

    /// A connection could not be opened for want of something of ours: when to try it again.
    pub(super) fn trouble(&mut self, now: Moment) -> Moment {
        // The one that ran into it is still counted, and was not possible.
        self.backoff.note(self.in_flight.saturating_sub(1), now)
    }

    /// A connection was not heard of, which may be the doing of a full table of the kernel's: when to try it again.
    pub(super) fn table_full(&mut self, now: Moment) -> Moment {
        self.backoff.note_full_table(now)
    }

    /// A connection could be opened.
    pub(super) fn recovered(&mut self, now: Moment) {
        self.backoff.recovered(now);
    }

    fn postpone(&mut self, waiting: Waiting<W>, at: Moment) {
        self.arrivals += 1;
        self.later.push(Later { at, arrival: self.arrivals, waiting });
    }
}

// The earliest first, and of those the one that came first: the reverse of what a heap of maxima does.
impl<W> Ord for Later<W> {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.arrival).cmp(&(self.at, self.arrival))
    }
}

impl<W> PartialOrd for Later<W> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<W> PartialEq for Later<W> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<W> Eq for Later<W> {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;
    use std::net::Ipv4Addr;

    fn at(millis: u64) -> Moment {
        Moment::from_micros(millis * 1000)
    }

    fn addr(net: u8, host: u8) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(10, 0, net, host))
    }

    fn errand(addr: IpAddr) -> Errand {
        Errand { server: (addr, 22).into(), class: Class::InvalidUser, within: None }
    }

    fn admission(rate: u32, subnet: u32, spacing: u64, slots: usize) -> Admission<u32> {
        Admission::new(
            Rate::new(rate, Moment::START),
            Subnet::new(subnet),
            HostGate::new(Duration::from_millis(spacing)),
            LocalBackoff::new(slots),
        )
    }

    fn all(admission: &mut Admission<u32>, now: Moment) -> Vec<u32> {
        std::iter::from_fn(|| admission.admit(now).map(|(who, _)| who)).collect()
    }

    #[test]
    fn slots_are_given_in_the_order_of_arrival() {
        let mut admission = admission(0, 0, 0, 2);
        for who in 0..4 {
            admission.want(who, errand(addr(0, 1)), at(0), false);
        }
        assert_eq!(all(&mut admission, at(0)), [0, 1]);
        assert_eq!(admission.wake_at(), None, "only a leaver can change that");
        admission.leave(errand(addr(0, 1)), Upshot::NOTHING, at(5));
        assert_eq!(all(&mut admission, at(5)), [2]);
    }

    #[test]
    fn who_waits_for_a_moment_holds_nobody_up() {
        let mut admission = admission(0, 0, 0, 1);
        admission.want(0, errand(addr(0, 1)), at(5000), false);
        admission.want(1, errand(addr(0, 2)), at(0), false);
        assert_eq!(all(&mut admission, at(0)), [1]);
        assert_eq!(admission.wake_at(), Some(at(5000)));
        admission.leave(errand(addr(0, 2)), Upshot::NOTHING, at(10));
        assert_eq!(all(&mut admission, at(4999)), [0u32; 0]);
        assert_eq!(all(&mut admission, at(5000)), [0]);
    }

    /// Else its patience would be over before it is tried a second time.
    #[test]
    fn who_was_put_off_goes_before_those_who_have_not_been_tried() {
        let mut admission = admission(0, 0, 0, 1);
        for who in 0..4 {
            admission.want(who, errand(addr(0, 1)), at(0), false);
        }
        assert_eq!(all(&mut admission, at(0)), [0]);
        admission.want(9, errand(addr(0, 2)), at(50), true);
        for (now, next) in [(40, 1), (60, 9), (70, 2)] {
            admission.leave(errand(addr(0, 1)), Upshot::NOTHING, at(now));
            assert_eq!(all(&mut admission, at(now)), [next]);
        }
    }

    /// Who is put off again and again, as what it lacks is lacking for good, keeps nobody from being tried.
    #[test]
    fn who_is_put_off_again_and_again_starves_nobody() {
        let mut admission = admission(0, 0, 0, 1);
        // A full table gives all who run into it the same moment.
        for who in 0..3 {
            admission.want(who, errand(addr(0, 1)), at(50), true);
        }
        for who in [100, 101] {
            admission.want(who, errand(addr(1, 1)), at(60), false);
        }
        let (mut tried, mut now) = (Vec::new(), 100);
        for _ in 0..11 {
            let (who, errand) = admission.admit(at(now)).expect("somebody is in line");
            tried.push(who);
            now += 5000;
            admission.leave(errand, Upshot::NOTHING, at(now));
            if who < 100 {
                admission.want(who, errand, at(now + 2000), true);
            }
        }
        assert_eq!(tried, [0, 1, 2, 100, 0, 1, 2, 101, 0, 1, 2]);
    }

    #[test]
    fn who_was_called_up_in_vain_keeps_its_place() {
        let mut admission = admission(0, 1, 0, 10);
        for who in 0..4 {
            admission.want(who, errand(addr(0, 1)), at(0), false);
        }
        assert_eq!(all(&mut admission, at(0)), [0]);
        admission.want(9, errand(addr(0, 2)), at(5), true);
        for (now, next) in [(10, 9), (20, 1), (30, 2), (40, 3)] {
            admission.leave(errand(addr(0, 1)), Upshot::NOTHING, at(now));
            assert_eq!(all(&mut admission, at(now)), [next]);
        }
        assert!(admission.crowded.is_empty());
    }

    #[test]
    fn a_crowded_neighbourhood_holds_nobody_else_up() {
        let mut admission = admission(0, 1, 0, 10);
        admission.want(0, errand(addr(0, 1)), at(0), false);
        admission.want(1, errand(addr(0, 2)), at(0), false);
        admission.want(2, errand(addr(0, 3)), at(0), false);
        admission.want(3, errand(addr(1, 1)), at(0), false);
        assert_eq!(all(&mut admission, at(0)), [0, 3]);
        admission.leave(errand(addr(1, 1)), Upshot::NOTHING, at(1));
        assert_eq!(all(&mut admission, at(1)), [0u32; 0], "somebody left another one");
        admission.leave(errand(addr(0, 1)), Upshot::NOTHING, at(1));
        assert_eq!(all(&mut admission, at(1)), [1]);
        admission.leave(errand(addr(0, 2)), Upshot::NOTHING, at(1));
        assert_eq!(all(&mut admission, at(1)), [2]);
        assert!(admission.crowded.is_empty());
    }

    #[test]
    fn one_host_is_left_alone_for_its_spacing() {
        let mut admission = admission(0, 0, 1200, 10);
        admission.want(0, errand(addr(0, 1)), at(0), false);
        admission.want(1, errand(addr(0, 1)), at(0), false);
        assert_eq!(all(&mut admission, at(0)), [0]);
        admission.leave(errand(addr(0, 1)), Upshot::NOTHING, at(100));
        let mut now = at(100);
        let mut admitted = Vec::new();
        while admitted.is_empty() {
            now = admission.wake_at().expect("a moment to ask again").max(now);
            admitted = all(&mut admission, now);
        }
        assert_eq!((admitted, now), (vec![1], at(1300)));
    }

    #[test]
    fn one_server_is_asked_only_as_often_as_it_bears_by_all_together() {
        let mut admission = admission(0, 0, 0, 10);
        for who in 0..4 {
            admission.want(who, errand(addr(0, 1)), at(0), false);
        }
        assert_eq!(all(&mut admission, at(0)), [0, 1], "5 s each, of 12");
        for _ in 0..2 {
            admission.leave(
                errand(addr(0, 1)),
                Upshot { cost: Cost::Charged(Class::InvalidUser), heard: None },
                at(10),
            );
        }
        assert_eq!(all(&mut admission, at(2990)), [0u32; 0]);
        let mut now = at(2990);
        let mut admitted = Vec::new();
        while admitted.is_empty() {
            now = admission.wake_at().expect("a moment to ask again").max(now);
            admitted = all(&mut admission, now);
        }
        assert_eq!((admitted, now), (vec![2], at(3010)));
    }

    #[test]
    fn a_connect_is_given_less_time_where_round_trips_are_known_to_be_short() {
        let mut admission = admission(0, 0, 0, 10);
        let most = Duration::from_secs(5);
        let direct = |host| Errand { within: Some(most), ..errand(addr(0, host)) };
        let within = |admission: &mut Admission<u32>, errand| {
            admission.want(0, errand, at(0), false);
            admission.admit(at(0)).expect("room").1.within
        };
        assert_eq!(within(&mut admission, direct(1)), Some(most));
        let heard = Upshot { cost: Cost::Nothing, heard: Some(Duration::from_millis(3)) };
        assert!(!admission.leave(direct(1), heard, at(3)));
        assert_eq!(within(&mut admission, direct(2)), Some(RoundTrips::LEAST));
        assert_eq!(within(&mut admission, errand(addr(0, 3))), None, "a tunnel is no handshake with the target");
    }

    #[test]
    fn a_network_that_begins_to_lose_what_is_sent_gets_less_at_a_time() {
        let mut admission = admission(0, 0, 0, 300);
        let upshot = |millis| Upshot { cost: Cost::Nothing, heard: Some(Duration::from_millis(millis)) };
        let turn = |admission: &mut Admission<u32>, now, took| {
            for who in 0..256 {
                admission.want(who, errand(addr(0, 1)), at(now), false);
                let _ = all(admission, at(now));
                admission.leave(errand(addr(0, 1)), upshot(took), at(now));
            }
        };
        turn(&mut admission, 0, 2);
        turn(&mut admission, 10_000, 1003);
        for who in 0..200 {
            admission.want(who, errand(addr(0, u8::try_from(who).unwrap())), at(10_001), false);
        }
        assert_eq!(admission.slowed(at(10_001)), Some(32));
        assert_eq!(all(&mut admission, at(10_001)).len(), 32);
    }

    #[test]
    fn a_place_that_the_first_in_line_cannot_use_yet_goes_to_the_next() {
        let mut admission = admission(0, 1, 1200, 10);
        admission.want(0, errand(addr(0, 1)), at(0), false);
        admission.want(1, errand(addr(0, 2)), at(0), false);
        admission.want(2, errand(addr(0, 3)), at(0), false);
        assert_eq!(all(&mut admission, at(0)), [0]);
        admission.leave(errand(addr(0, 1)), Upshot::NOTHING, at(1));
        assert_eq!(all(&mut admission, at(1)), [1]);
        admission.want(3, errand(addr(0, 1)), at(2), false);
        assert_eq!(all(&mut admission, at(2)), [0u32; 0], "the host of 3 has not had its rest, and 2 finds no place");
        admission.leave(errand(addr(0, 2)), Upshot::NOTHING, at(3));
        assert_eq!(all(&mut admission, at(3)), [2]);
    }

    #[test]
    fn the_rate_is_waited_for_without_losing_a_place_in_the_subnet() {
        let mut admission = admission(10, 1, 0, 10);
        admission.want(0, errand(addr(0, 1)), at(0), false);
        assert_eq!(all(&mut admission, at(0)), [0]);
        admission.leave(errand(addr(0, 1)), Upshot::NOTHING, at(0));
        admission.want(1, errand(addr(0, 1)), at(0), false);
        assert_eq!(all(&mut admission, at(0)), [0u32; 0]);
        let token = admission.wake_at().expect("a token comes");
        assert!(token > at(0));
        assert_eq!(all(&mut admission, token), [1]);
    }

    #[test]
    fn trouble_leaves_fewer_slots() {
        let mut admission = admission(0, 0, 0, 30);
        for who in 0..60 {
            let last = u8::try_from(who).unwrap();
            admission.want(who, errand(addr(0, last)), at(0), false);
        }
        assert_eq!(all(&mut admission, at(0)).len(), 30);
        let again = admission.trouble(at(1));
        assert!(again > at(1));
        for last in 0..15 {
            admission.leave(errand(addr(0, last)), Upshot::NOTHING, at(2));
        }
        assert_eq!(all(&mut admission, at(2)).len(), 4, "19 of 29 may be up");
    }

    proptest! {
        #[test]
        fn everybody_goes_in_the_end_and_no_limit_is_ever_broken(
            rate in prop_oneof![Just(0u32), 50u32..2000],
            per_subnet in 0u32..4,
            spacing in prop_oneof![Just(0u64), 1u64..50],
            slots in 1usize..6,
            wants in proptest::collection::vec((0u8..3, 0u8..4, 0u64..200, 1u64..40, any::<bool>()), 1..60),
        ) {
            let mut admission = admission(rate, per_subnet, spacing, slots);
            for (who, (net, host, when, _, put_off)) in wants.iter().enumerate() {
                let (who, errand) = (u32::try_from(who).unwrap(), errand(addr(*net, *host)));
                admission.want(who, errand, at(*when), *put_off);
            }
            let mut now = at(0);
            let mut up: Vec<(Moment, IpAddr)> = Vec::new();
            let mut gone = BTreeSet::new();
            while gone.len() < wants.len() || !up.is_empty() {
                while let Some((who, Errand { server, .. })) = admission.admit(now) {
                    let to = server.ip();
                    let (.., when, lasts, _) = wants[who as usize];
                    prop_assert!(at(when) <= now);
                    prop_assert!(gone.insert(who), "admitted twice");
                    up.push((now + Duration::from_millis(lasts), to));
                    prop_assert!(up.len() <= slots);
                    let near = up.iter().filter(|(_, other)| Net::of(*other) == Net::of(to)).count();
                    prop_assert!(per_subnet == 0 || near <= per_subnet as usize);
                    prop_assert!(spacing == 0 || up.iter().filter(|(_, other)| *other == to).count() == 1);
                }
                let ends = up.iter().map(|(end, _)| *end).min();
                let next = ends.into_iter().chain(admission.wake_at()).min();
                prop_assert!(next.is_some() || gone.len() == wants.len(), "nobody would ever be woken");
                let Some(next) = next else { break };
                now = next.max(now);
                up.sort_unstable();
                while up.first().is_some_and(|(end, _)| *end <= now) {
                    let (_, to) = up.remove(0);
                    admission.leave(errand(to), Upshot::NOTHING, now);
                }
            }
            prop_assert!(admission.crowded.is_empty() && admission.later.is_empty());
            prop_assert!(admission.ready.is_empty() && admission.again.is_empty());
            prop_assert_eq!(admission.in_flight, 0);
        }
    }
}
