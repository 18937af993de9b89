//! Which destinations still owe an answer: the memory of a SYN sweep.
//!
//! Every destination gets the same tries at the same distances, so that a queue in the order of the first try is in the order of
//! every later one too: one place in it for each try says what is due next, and no timer is kept for anyone. What is answered or
//! given up leaves at the front. Memory is that of the destinations under way, some 100 bytes each, and never of the sweep: half a
//! million of them are what keeps a sweep of silent addresses going at 100,000 a second.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use crate::time::Moment;

/// When a SYN is sent again, and when its destination is given up.
///
/// Routers send few ICMP errors a second, some of them one: tries that lie further and further apart meet a quiet moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    /// SYNs after the first.
    pub retries: u32,
    /// Between the first two SYNs to one destination.
    pub first_gap: Duration,
    /// Between every two after that.
    pub gap: Duration,
    /// How long the last one is waited for.
    pub patience: Duration,
}

impl Schedule {
    /// How long before this retry, counted from 0, the last SYN was sent.
    const fn before(&self, retry: usize) -> Duration {
        if retry == 0 { self.first_gap } else { self.gap }
    }
}

/// Destinations under way, each with what the caller needs to know of it.
#[derive(Debug)]
pub struct Flights<T> {
    schedule: Schedule,
    most: usize,
    queue: VecDeque<Flight<T>>,
    /// How many have left the queue: the place of its first.
    gone: u64,
    /// The place of the next one to get its second, third, … SYN.
    due: Vec<u64>,
    /// Places by [`super::cookie::Cookie::id`].
    places: Index,
}

/// There are many of these: a [`SocketAddr`] would take up a third of each.
#[derive(Debug)]
struct Flight<T> {
    addr: [u8; 16],
    id: u64,
    first: Moment,
    last: Moment,
    port: u16,
    /// Of `addr` all bytes count, not the first four.
    v6: bool,
    /// `None` once it was answered.
    what: Option<T>,
}

impl<T> Flight<T> {
    fn new(now: Moment, target: SocketAddr, id: u64, what: T) -> Self {
        let mut addr = [0; 16];
        match target.ip() {
            IpAddr::V4(v4) => addr.iter_mut().zip(v4.octets()).for_each(|(to, from)| *to = from),
            IpAddr::V6(v6) => addr = v6.octets(),
        }
        Self { addr, id, first: now, last: now, port: target.port(), v6: target.is_ipv6(), what: Some(what) }
    }

    fn target(&self) -> SocketAddr {
        let [a, b, c, d, ..] = self.addr;
        let addr: IpAddr = if self.v6 { Ipv6Addr::from(self.addr).into() } else { Ipv4Addr::new(a, b, c, d).into() };
        SocketAddr::new(addr, self.port)
    }
}

/// Where a destination stands among those under way, for as long as it owes an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place(u64);

/// A SYN to be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Again {
    /// Where to.
    pub target: SocketAddr,
    /// Its cookie's.
    pub id: u64,
    /// Where it stands.
    pub place: Place,
    /// 1 for the first retry.
    pub retry: u32,
}

/// A destination that is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Done<T> {
    /// Which.
    pub target: SocketAddr,
    /// What the caller knows of it.
    pub what: T,
    /// When its first SYN was sent.
    pub first: Moment,
    /// When its last one was.
    pub last: Moment,
}

impl<T> Flights<T> {
    /// Nobody under way, and room for `most` at a time.
    #[must_use]
    pub fn new(schedule: Schedule, most: usize) -> Self {
        let due = vec![0; usize::try_from(schedule.retries).unwrap_or(usize::MAX)];
        Self {
            schedule,
            most: most.clamp(1, Index::MOST),
            queue: VecDeque::new(),
            gone: 0,
            due,
            places: Index::default(),
        }
    }

    /// Whether there is room for another one.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.queue.len() < self.most
    }

    /// How many have a place: those that owe an answer, and those behind them.
    #[must_use]
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether nobody is under way.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Notes that the first SYN to a destination is being sent.
    ///
    /// # Errors
    /// One with the same id is under way (the same destination a second time, or a chance of one in 2^44 for a million of them):
    /// `what` is given back, to be launched later.
    pub fn launch(&mut self, now: Moment, target: SocketAddr, id: u64, what: T) -> Result<Place, T> {
        let place = self.gone + self.queue.len() as u64;
        if !self.places.insert(id, place as u32) {
            return Err(what);
        }
        self.queue.push_back(Flight::new(now, target, id, what));
        Ok(Place(place))
    }

    /// The next SYN that is to be sent again, which is noted as sent now. To be asked until there is none, before anybody is
    /// launched.
    pub fn again(&mut self, now: Moment) -> Option<Again> {
        // The last retry first: the longer one waits, the sooner it leaves its place.
        for at in (0..self.due.len()).rev() {
            // No try before the one that precedes it.
            let end = match at.checked_sub(1) {
                None => self.gone + self.queue.len() as u64,
                Some(before) => self.due.get(before).copied().unwrap_or(0),
            };
            let gap = self.schedule.before(at);
            let due = self.due.get_mut(at)?;
            *due = (*due).max(self.gone);
            while *due < end {
                let index = usize::try_from(*due - self.gone).unwrap_or(usize::MAX);
                let Some(flight) = self.queue.get_mut(index) else { break };
                if flight.what.is_none() {
                    *due += 1;
                    continue;
                }
                if now < flight.last + gap {
                    break;
                }
                flight.last = now;
                *due += 1;
                let retry = u32::try_from(at).unwrap_or(u32::MAX).saturating_add(1);
                let place = Place(*due - 1);
                return Some(Again { target: flight.target(), id: flight.id, place, retry });
            }
        }
        None
    }

    fn place(&self, id: u64) -> Option<Place> {
        let low = self.places.get(id)?;
        // No more are under way than 32 bits can count.
        Some(Place(self.gone + u64::from(low.wrapping_sub(self.gone as u32))))
    }

    /// What the caller knows of a destination that owes an answer.
    pub fn owing(&mut self, id: u64) -> Option<&mut T> {
        let place = self.place(id)?;
        self.at(place)
    }

    /// The same of the destination that stands, or stood, at a place.
    pub fn at(&mut self, Place(place): Place) -> Option<&mut T> {
        self.queue.get_mut(usize::try_from(place.checked_sub(self.gone)?).ok()?)?.what.as_mut()
    }

    /// The destination that stands at a place, if it owes an answer.
    #[must_use]
    pub fn target(&self, Place(place): Place) -> Option<SocketAddr> {
        let flight = self.queue.get(usize::try_from(place.checked_sub(self.gone)?).ok()?)?;
        flight.what.as_ref().map(|_| flight.target())
    }

    /// Takes the destination that an answer came from; `None` if it has been answered before, or owes none.
    pub fn answered(&mut self, id: u64) -> Option<Done<T>> {
        let Place(place) = self.place(id)?;
        let flight = self.queue.get_mut(usize::try_from(place.checked_sub(self.gone)?).ok()?)?;
        let what = flight.what.take()?;
        self.places.remove(id);
        Some(Done { target: flight.target(), what, first: flight.first, last: flight.last })
    }

    /// The next destination that is given up. To be asked until there is none.
    pub fn silent(&mut self, now: Moment) -> Option<Done<T>> {
        loop {
            let last_try = self.due.last().copied();
            let flight = self.queue.front()?;
            let owes = flight.what.is_some();
            // With its last try behind it, or without any to come.
            let tried = last_try.is_none_or(|due| due > self.gone);
            if owes && !(tried && now >= flight.last + self.schedule.patience) {
                return None;
            }
            let flight = self.queue.pop_front()?;
            self.gone += 1;
            let (target, Flight { id, first, last, what, .. }) = (flight.target(), flight);
            if let Some(what) = what {
                self.places.remove(id);
                return Some(Done { target, what, first, last });
            }
        }
    }

    /// When [`Self::again`] or [`Self::silent`] will have something to say, if nothing is answered before; never too late.
    #[must_use]
    pub fn wake(&self) -> Option<Moment> {
        let last_of = |place: u64| {
            let index = usize::try_from(place.checked_sub(self.gone)?).ok()?;
            self.queue.get(index).map(|flight| flight.last)
        };
        let due = self.due.iter().enumerate();
        let retries = due.filter_map(|(at, due)| Some(last_of((*due).max(self.gone))? + self.schedule.before(at)));
        // Whoever still has a try to come wakes us for that.
        let tried = self.due.last().is_none_or(|due| *due > self.gone);
        let given_up = self.queue.front().filter(|_| tried).map(|flight| flight.last + self.schedule.patience);
        retries.chain(given_up).min()
    }
}

/// The places of those who owe an answer, by their ids, which are hashes already.
///
/// Every address enters it and leaves it again, so that it is to be small and to touch memory once each time: ids beside the lower
/// halves of places, in a table that is at most half full, each where its id says or in the next free slot behind that.
#[derive(Debug, Default)]
struct Index {
    /// A power of two of them, or none.
    slots: Vec<Slot>,
    taken: usize,
}

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    id: u64,
    place: u32,
    taken: bool,
}

impl Index {
    /// As many as a table of slots can be made for, and far fewer than 32 bits count.
    const MOST: usize = 1 << 28;
    const FEWEST: usize = 1 << 10;

    /// Where an id is, or would be; `None` only of a table without a free slot.
    fn find(&self, id: u64) -> Option<usize> {
        let mask = self.slots.len().checked_sub(1)?;
        let start = id as usize & mask;
        // Ends: half of the slots are free.
        (0..=mask)
            .map(|step| (start + step) & mask)
            .find(|at| self.slots.get(*at).is_none_or(|slot| !slot.taken || slot.id == id))
    }

    fn get(&self, id: u64) -> Option<u32> {
        self.slots.get(self.find(id)?).filter(|slot| slot.taken).map(|slot| slot.place)
    }

    /// Adds an id; `false` if it was there.
    fn insert(&mut self, id: u64, place: u32) -> bool {
        if self.taken * 2 >= self.slots.len() {
            let wider = vec![Slot::default(); (self.slots.len() * 2).max(Self::FEWEST)];
            for slot in std::mem::replace(&mut self.slots, wider).into_iter().filter(|slot| slot.taken) {
                if let Some(to) = self.find(slot.id).and_then(|at| self.slots.get_mut(at)) {
                    *to = slot;
                }
            }
        }
        let Some(slot) = self.find(id).and_then(|at| self.slots.get_mut(at)) else { return false };
        if slot.taken {
            return false;
        }
        *slot = Slot { id, place, taken: true };
        self.taken += 1;
        true
    }

    fn remove(&mut self, id: u64) {
        let Some(mut hole) = self.find(id).filter(|at| self.slots.get(*at).is_some_and(|slot| slot.taken)) else {
            return;
        };
        let mask = self.slots.len() - 1;
        self.taken -= 1;
        // Whoever stands behind it because it was taken moves up: no search may end at a hole before it has come to its id.
        let mut at = hole;
        loop {
            at = (at + 1) & mask;
            let Some(next) = self.slots.get(at).copied().filter(|slot| slot.taken) else { break };
            let home = next.id as usize & mask;
            // From its home, the way to where it is leads over the hole.
            if (at.wrapping_sub(home) & mask) >= (at.wrapping_sub(hole) & mask) {
                if let Some(to) = self.slots.get_mut(hole) {
                    *to = next;
                }
                hole = at;
            }
        }
        if let Some(slot) = self.slots.get_mut(hole) {
            *slot = Slot::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    const FIRST_GAP: u64 = 400_000;
    const GAP: u64 = 1_000_000;
    const PATIENCE: u64 = 2_000_000;

    fn flights(retries: u32, most: usize) -> Flights<u64> {
        let [first_gap, gap, patience] = [FIRST_GAP, GAP, PATIENCE].map(Duration::from_micros);
        Flights::new(Schedule { retries, first_gap, gap, patience }, most)
    }

    fn target(number: u64) -> SocketAddr {
        ([10, 0, (number >> 8) as u8, number as u8], 22).into()
    }

    fn at(micros: u64) -> Moment {
        Moment::from_micros(micros)
    }

    /// An id that is no number in a row.
    fn id(number: u64) -> u64 {
        number.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    #[test]
    fn the_silent_get_all_their_tries_and_are_then_given_up() {
        let mut flights = flights(2, 10);
        flights.launch(at(5), target(1), id(1), 1).unwrap();
        assert_eq!(flights.launch(at(5), target(1), id(1), 9), Err(9), "it is under way");
        let again = |retry| Some(Again { target: target(1), id: id(1), place: Place(0), retry });
        assert_eq!(flights.wake(), Some(at(5 + FIRST_GAP)));
        assert_eq!(flights.again(at(4 + FIRST_GAP)), None);
        assert_eq!(flights.again(at(5 + GAP)), again(1));
        assert_eq!(flights.again(at(5 + GAP)), None);
        assert_eq!(flights.wake(), Some(at(5 + 2 * GAP)));
        assert_eq!(flights.again(at(4 + 2 * GAP)), None);
        // The second came late, and so the third does.
        assert_eq!(flights.again(at(5 + 2 * GAP)), again(2));
        assert_eq!(flights.again(at(u64::MAX)), None);
        assert_eq!(flights.wake(), Some(at(5 + 2 * GAP + PATIENCE)));
        assert_eq!(flights.silent(at(4 + 2 * GAP + PATIENCE)), None);
        let done = Done { target: target(1), what: 1, first: at(5), last: at(5 + 2 * GAP) };
        assert_eq!(flights.silent(at(5 + 2 * GAP + PATIENCE)), Some(done));
        assert_eq!((flights.silent(at(u64::MAX)), flights.is_empty(), flights.wake()), (None, true, None));
        assert_eq!(flights.answered(id(1)), None, "too late");
        flights.launch(at(9), target(1), id(1), 1).unwrap();
    }

    #[test]
    fn the_answered_are_left_alone() {
        let mut flights = flights(1, 10);
        for number in 0..3 {
            flights.launch(at(number), target(number), id(number), number).unwrap();
        }
        *flights.owing(id(1)).unwrap() += 5;
        *flights.at(Place(1)).unwrap() += 5;
        assert_eq!(flights.owing(id(77)), None);
        let done = flights.answered(id(1)).unwrap();
        assert_eq!((done.what, done.target, done.first), (11, target(1), at(1)));
        assert!(flights.owing(id(1)).is_none() && flights.at(Place(1)).is_none());
        assert_eq!(flights.answered(id(1)), None, "once");
        assert_eq!(flights.answered(id(77)), None, "nobody's");
        let mut again = Vec::new();
        while let Some(syn) = flights.again(at(GAP * 2)) {
            again.push(syn.target);
        }
        assert_eq!(again, [target(0), target(2)]);
        assert_eq!(flights.len(), 3, "its place is kept until those before it are done");
        assert_eq!(flights.silent(at(GAP * 2 + PATIENCE)).map(|done| done.what), Some(0));
        assert_eq!(flights.silent(at(GAP * 2 + PATIENCE)).map(|done| done.what), Some(2));
        assert!(flights.is_empty() && flights.places.taken == 0 && flights.at(Place(0)).is_none());
    }

    #[test]
    fn without_retries_patience_is_all() {
        let mut flights = flights(0, 1);
        flights.launch(at(0), target(1), id(1), 1).unwrap();
        assert!(!flights.has_room());
        assert_eq!(flights.again(at(u64::MAX)), None);
        assert_eq!(flights.silent(at(PATIENCE - 1)), None);
        assert!(flights.silent(at(PATIENCE)).is_some() && flights.has_room());
    }

    proptest! {
        /// The table of places does what a map does, however its ids crowd.
        #[test]
        fn the_index_is_a_map(steps in proptest::collection::vec((0u64..3, 0u64..1000, 0u32..3), 0..600)) {
            let (mut index, mut map) = (Index::default(), BTreeMap::new());
            for (at, (what, number, spread)) in steps.into_iter().enumerate() {
                // Some are neighbours, some share a slot at every size, and some stand at the end of the table.
                let id = match spread {
                    0 => number,
                    1 => number << 32 | 7,
                    _ => u64::MAX - number % 8 - (number << 40),
                };
                match what {
                    0 => index.remove(id),
                    _ => prop_assert_eq!(index.insert(id, at as u32), !map.contains_key(&id)),
                }
                match what {
                    0 => drop(map.remove(&id)),
                    _ => drop(map.entry(id).or_insert(at as u32)),
                }
                prop_assert_eq!((index.taken, index.get(id)), (map.len(), map.get(&id).copied()));
            }
            for (id, place) in &map {
                prop_assert_eq!(index.get(*id), Some(*place));
            }
        }

        /// A whole sweep under virtual time, against a network that loses SYNs and answers as it likes: every destination is done
        /// once, the silent ones got every try, no sooner than they should, and the answered ones none after that.
        #[test]
        fn every_destination_is_done_once(
            count in 0u64..60,
            retries in 0u32..4,
            most in 1usize..20,
            // For each: which of its SYNs is answered, if any, and how much later.
            fates in proptest::collection::vec((0u32..6, 0u64..PATIENCE), 60),
            pace in 1u64..400_000,
        ) {
            let mut flights = flights(retries, most);
            let mut now = 0u64;
            let mut next = 0u64;
            let mut sent: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
            let mut answers: Vec<(u64, u64)> = Vec::new();
            let mut done: BTreeMap<u64, (u64, bool)> = BTreeMap::new();
            let send = |number: u64, now: u64, sent: &mut BTreeMap<u64, Vec<u64>>, answers: &mut Vec<(u64, u64)>| {
                let tries = sent.entry(number).or_default();
                let (answered, delay) = fates[number as usize];
                if answered == tries.len() as u32 {
                    answers.push((now + delay, number));
                }
                tries.push(now);
            };
            while next < count || !flights.is_empty() {
                answers.sort_unstable_by(|one, other| other.cmp(one));
                while answers.last().is_some_and(|(due, _)| *due <= now) {
                    let (_, number) = answers.pop().unwrap();
                    if let Some(flight) = flights.answered(id(number)) {
                        prop_assert_eq!(flight.what, number);
                        prop_assert!(done.insert(number, (now, true)).is_none());
                    }
                }
                while let Some(flight) = flights.silent(at(now)) {
                    prop_assert!(done.insert(flight.what, (now, false)).is_none());
                    prop_assert!(now >= flight.last.as_micros() + PATIENCE);
                }
                if let Some(again) = flights.again(at(now)) {
                    let number = (0..count).find(|number| id(*number) == again.id).unwrap();
                    prop_assert_eq!(again.retry as usize, sent[&number].len());
                    prop_assert!(!done.contains_key(&number));
                    send(number, now, &mut sent, &mut answers);
                } else if next < count && flights.has_room() {
                    prop_assert!(flights.launch(at(now), target(next), id(next), next).is_ok());
                    send(next, now, &mut sent, &mut answers);
                    next += 1;
                } else if let Some(wake) = flights.wake().filter(|wake| wake.as_micros() > now) {
                    // Nothing to do before: whoever sleeps till then misses nothing.
                    let until = answers.iter().map(|(due, _)| *due).min().unwrap_or(u64::MAX);
                    now = wake.as_micros().min(until.max(now + 1));
                    continue;
                }
                prop_assert!(flights.len() <= most);
                now += pace;
            }
            prop_assert_eq!(done.len() as u64, count);
            for (number, (_, answered)) in &done {
                let tries = &sent[number];
                let apart: Vec<_> = tries.windows(2).map(|pair| pair[1] - pair[0]).collect();
                prop_assert!(apart.first().is_none_or(|first| *first >= FIRST_GAP), "{tries:?}");
                prop_assert!(apart.iter().skip(1).all(|other| *other >= GAP), "{tries:?}");
                prop_assert!(*answered || tries.len() == retries as usize + 1, "{tries:?}");
                let fate = fates[*number as usize].0;
                prop_assert!(*answered == (fate <= retries), "answered {answered}, fate {fate}");
            }
        }
    }
}
