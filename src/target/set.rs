//! The set that all expressions make together: each target once, counted exactly, walked without being listed.
//!
//! A set holds what the user wrote and, for ranges, the intervals that are left of them after excludes, single targets
//! and earlier ranges have been cut out. Its memory grows with the number of expressions (some 50 bytes and the text
//! for a single target), never with the number of addresses.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::Arc;

use sshprobe_probes::sweep::permutation::Permutation;
use sshprobe_probes::target::{Host, Target, typed_host};

use super::address::{AddrRange, Space};
use super::expr::{Expression, Hosts};
use super::ports::PortSet;
use super::problem::ExprError;
use super::region::{Piece, Region};
use super::share::Share;

/// In which order the addresses of ranges are walked. Everything else keeps the order of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// `--order given`.
    Given,
    /// `--order random`: the ranges share one shuffled order, decided by the seed.
    Random {
        /// `--seed`.
        seed: u64,
    },
}

/// Who says whether a name as it was typed is more than its lower-case form. ssh_config may give `alpha` and `ALPHA` different
/// places; the DNS does not.
pub trait Spelling: std::fmt::Debug + Send + Sync {
    /// Whether `typed` is reached in another way than `name`, the same in lower case and without a trailing dot.
    fn counts(&self, typed: &str, name: &str, user: Option<&str>) -> bool;
}

/// What must not be probed: `--exclude` and `--exclude-file`.
///
/// An exclusion without a port excludes every port. A name excludes the name, not the addresses it has; an excluded
/// address holds for what names resolve to as well, if whoever resolves them asks [`Exclusions::covers_address`].
#[derive(Debug, Clone, Default)]
pub struct Exclusions {
    spaces: BTreeMap<Space, Region>,
    names: HashMap<Box<str>, PortSet>,
}

impl Exclusions {
    /// Excludes what an expression names. Its user does not matter.
    pub fn add(&mut self, expression: &Expression) {
        let ports = expression.ports.clone().unwrap_or_else(PortSet::all);
        match &expression.hosts {
            Hosts::Name(name) => {
                let excluded = self.names.entry(name.clone()).or_insert_with(PortSet::none);
                *excluded = excluded.plus(&ports);
            }
            // No name of a host can be written like that.
            Hosts::Iap(target) => {
                let excluded = self.names.entry(target.to_string().into()).or_insert_with(PortSet::none);
                *excluded = excluded.plus(&ports);
            }
            Hosts::Addresses(range) => {
                self.spaces.entry(range.space).or_default().claim(range.first, range.last, &ports);
            }
        }
    }

    /// Whether nothing is excluded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.spaces.is_empty() && self.names.is_empty()
    }

    /// Whether a port of an address is excluded. An exclusion without a scope holds on every interface.
    #[must_use]
    pub fn covers_address(&self, addr: IpAddr, scope: u32, port: u16) -> bool {
        let (space, number) = Space::of(addr.to_canonical(), scope);
        let anywhere = matches!(space, Space::V6(scope) if scope != 0).then_some(Space::V6(0));
        [Some(space), anywhere]
            .into_iter()
            .flatten()
            .filter_map(|space| self.spaces.get(&space))
            .any(|region| region.contains(number, port))
    }

    /// Whether a port of a name is excluded.
    #[must_use]
    pub fn covers_name(&self, name: &str, port: u16) -> bool {
        self.names.get(name).is_some_and(|ports| ports.contains(port))
    }

    /// Whether a port of where a target is found to be is excluded: excluded is excluded, by whatever name.
    #[must_use]
    pub fn cover(&self, place: &Host, port: u16) -> bool {
        match place {
            Host::Addr(addr, scope) => self.covers_address(*addr, *scope, port),
            Host::Name(name) => self.covers_name(name, port),
            Host::Iap(_) => false,
        }
    }

    /// What of a space is not to be given away from the start.
    fn region(&self, space: Space) -> Region {
        let mut region = self.spaces.get(&space).cloned().unwrap_or_default();
        if let (Space::V6(1..), Some(anywhere)) = (space, self.spaces.get(&Space::V6(0))) {
            for (first, last, ports) in anywhere.pieces() {
                region.claim(first, last, ports);
            }
        }
        region
    }
}

/// Everything given away already, so that no target comes twice: not out of two expressions, and not out of a file and
/// stdin.
#[derive(Debug)]
pub(crate) struct Seen {
    exclusions: Arc<Exclusions>,
    /// Where there is none, the spelling of names is nothing.
    spelling: Option<Arc<dyn Spelling>>,
    spaces: HashMap<Space, Region>,
    /// By two keyed hashes of the name: two names in a trillion trillions share them.
    names: HashMap<u128, PortSet>,
    hashers: (RandomState, RandomState),
    /// A set of ports for each distinct list, so that a million lines share one.
    lists: HashSet<PortSet>,
}

impl Seen {
    pub(crate) fn new(exclusions: Arc<Exclusions>, spelling: Option<Arc<dyn Spelling>>) -> Self {
        Self {
            exclusions,
            spelling,
            spaces: HashMap::new(),
            names: HashMap::new(),
            hashers: (RandomState::new(), RandomState::new()),
            lists: HashSet::new(),
        }
    }

    fn shared(&mut self, ports: PortSet) -> PortSet {
        match self.lists.get(&ports) {
            Some(shared) => shared.clone(),
            None => {
                self.lists.insert(ports.clone());
                ports
            }
        }
    }

    /// Whether a name is told apart from its lower-case form.
    fn as_typed(&self, typed: &str, name: &str, user: Option<&str>) -> bool {
        typed != name && self.spelling.as_ref().is_some_and(|spelling| spelling.counts(typed, name, user))
    }

    /// The ports of a name that nobody had yet, and which are not excluded for what it is in lower case.
    fn claim_name(&mut self, name: &str, lower: &str, ports: &PortSet) -> PortSet {
        let key = u128::from(self.hashers.0.hash_one(name)) << 64 | u128::from(self.hashers.1.hash_one(name));
        let excluded = &self.exclusions.names;
        let taken = self.names.entry(key).or_insert_with(|| excluded.get(lower).cloned().unwrap_or_else(PortSet::none));
        let fresh = ports.minus(taken);
        *taken = taken.plus(ports);
        fresh
    }

    fn claim_range(&mut self, range: &AddrRange, ports: &PortSet) -> Vec<Piece> {
        let exclusions = &self.exclusions;
        let region = self.spaces.entry(range.space).or_insert_with(|| exclusions.region(range.space));
        region.claim(range.first, range.last, ports)
    }
}

/// Collects expressions, then gives the set of them.
#[derive(Debug, Default)]
pub(crate) struct SetBuilder {
    text: String,
    entries: Vec<Entry>,
    ranges: Vec<(AddrRange, PortSet, RangeInput)>,
}

/// Where an expression stands in the text, and what is left of it.
#[derive(Debug)]
struct Entry {
    start: usize,
    len: u32,
    /// The name goes as it was typed.
    as_typed: bool,
    /// The place of its first target among all targets.
    index: u64,
    what: What,
}

#[derive(Debug)]
enum What {
    /// A name or one address with these ports. The text is read again when it is its turn: that is cheaper than to keep
    /// a million parsed targets.
    One(PortSet),
    /// As many targets out of the ranges, of those in the share.
    Many(u64),
}

#[derive(Debug, Clone)]
struct RangeInput {
    input: Arc<str>,
    user: Option<Arc<str>>,
}

/// What is left of a range in one stretch: addresses in a row, the same ports each.
#[derive(Debug)]
struct Segment {
    /// Index into the inputs.
    range: usize,
    space: Space,
    first: u128,
    ports: PortSet,
    /// The place of its first target among all targets out of ranges that are in the share.
    rank: u64,
    /// The place of its first target among all targets.
    index: u64,
    /// Its targets, in every share together.
    len: u64,
}

/// The targets of ranges that are left in one stretch: addresses in a row with the same ports each.
#[derive(Debug, Clone)]
pub struct Stretch {
    /// The first address.
    pub first: IpAddr,
    /// The ports of each address, never none.
    pub ports: PortSet,
    /// `user@` in front of the range.
    pub user: Option<Arc<str>>,
    /// The index of its first target.
    pub index: u64,
    /// Its targets, in every share together.
    pub len: u64,
    /// Which of them are to be probed.
    pub share: Share,
}

impl Stretch {
    /// How many of them are to be probed.
    #[must_use]
    pub const fn targets(&self) -> u64 {
        self.share.count(self.index, self.len)
    }
}

impl SetBuilder {
    /// Adds an expression. What names one host takes its place at once; ranges wait for [`SetBuilder::finish`], as a
    /// target named one by one belongs to its name wherever it stands.
    pub(crate) fn add(&mut self, text: &str, expression: Expression, default_ports: &PortSet, seen: &mut Seen) {
        let ports = match expression.ports {
            Some(ports) => seen.shared(ports),
            None => default_ports.clone(),
        };
        let mut as_typed = false;
        let what = match &expression.hosts {
            Hosts::Name(name) => {
                let typed = typed_host(text);
                as_typed = seen.as_typed(typed, name, expression.user.as_deref());
                What::One(seen.claim_name(if as_typed { typed } else { name }, name, &ports))
            }
            Hosts::Iap(target) => {
                let name = target.to_string();
                What::One(seen.claim_name(&name, &name, &ports))
            }
            Hosts::Addresses(range) if range.is_single() => {
                let left = seen.claim_range(range, &ports).pop().map_or_else(PortSet::none, |piece| piece.ports);
                What::One(seen.shared(left))
            }
            Hosts::Addresses(range) => {
                let user = expression.user.as_deref().map(Arc::from);
                self.ranges.push((*range, ports, RangeInput { input: text.into(), user }));
                What::Many(0)
            }
        };
        let start = self.text.len();
        match &what {
            What::One(ports) if ports.is_empty() => return,
            What::One(_) => self.text.push_str(text),
            What::Many(_) => {}
        }
        let len = u32::try_from(self.text.len() - start).unwrap_or(u32::MAX);
        self.entries.push(Entry { start, len, as_typed, index: 0, what });
    }

    /// Cuts the ranges and counts everything. Targets get their index from `index` on; a share of them keeps the indices of the
    /// whole.
    ///
    /// # Errors
    ///
    /// More than `limit` targets, those of other shares included: how many (at most `u128::MAX`).
    pub(crate) fn finish(self, seen: &mut Seen, index: u64, limit: u64, share: Share) -> Result<Set, u128> {
        let Self { text, mut entries, ranges } = self;
        let mut inputs = Vec::with_capacity(ranges.len());
        let mut pieces = Vec::with_capacity(ranges.len());
        let mut total: u128 = 0;
        for (range, ports, input) in ranges {
            let claimed = seen.claim_range(&range, &ports);
            for piece in &claimed {
                total = total.saturating_add(count(piece));
            }
            pieces.push((range.space, claimed));
            inputs.push(input);
        }
        for entry in &entries {
            if let What::One(ports) = &entry.what {
                total = total.saturating_add(ports.len().into());
            }
        }
        let Some(total) = u64::try_from(total).ok().filter(|total| *total <= limit) else { return Err(total) };
        let mut segments = Vec::new();
        let (mut rank, mut next) = (0u64, index);
        let mut pieces = pieces.into_iter().enumerate();
        for entry in &mut entries {
            entry.index = next;
            match &mut entry.what {
                What::One(ports) => next += u64::from(ports.len()),
                What::Many(points) => {
                    let Some((range, (space, claimed))) = pieces.next() else { continue };
                    for piece in claimed {
                        // The sum of all is below 2^64.
                        let len = u64::try_from(count(&piece)).unwrap_or(u64::MAX);
                        segments.push(Segment {
                            range,
                            space,
                            first: piece.first,
                            ports: piece.ports,
                            rank,
                            index: next,
                            len,
                        });
                        let ours = share.count(next, len);
                        rank += ours;
                        *points += ours;
                        next += len;
                    }
                }
            }
        }
        Ok(Set { text, entries, inputs, segments, total, from_ranges: rank, share })
    }
}

/// The targets of a piece, at most `u128::MAX`.
fn count(piece: &Piece) -> u128 {
    (piece.last - piece.first).saturating_add(1).saturating_mul(piece.ports.len().into())
}

/// Every target once.
#[derive(Debug)]
pub(crate) struct Set {
    text: String,
    entries: Vec<Entry>,
    inputs: Vec<RangeInput>,
    segments: Vec<Segment>,
    total: u64,
    /// Those out of ranges that are in the share.
    from_ranges: u64,
    share: Share,
}

impl Set {
    /// How many targets there are, in every share together.
    pub(crate) const fn total(&self) -> u64 {
        self.total
    }

    /// Walks the targets that are in the share.
    pub(crate) fn walk(self, order: Order) -> Walk {
        let shuffle = match order {
            Order::Given => None,
            Order::Random { seed } => Some(Permutation::new(self.from_ranges, seed)),
        };
        Walk { set: self, shuffle, entry: 0, done: 0, range_rank: 0, single: None }
    }

    /// The target with this index, whichever share it is in; an error as for [`Walk`].
    pub(crate) fn at(&self, index: u64) -> Option<Result<Target, ExprError>> {
        // As with ranks: of entries that begin at one place all but the last are empty.
        let at = self.entries.partition_point(|entry| entry.index <= index).checked_sub(1)?;
        let entry = self.entries.get(at)?;
        let What::One(ports) = &entry.what else {
            let at = self.segments.partition_point(|segment| segment.index <= index).checked_sub(1)?;
            let segment = self.segments.get(at)?;
            return (index < self.total).then(|| self.in_segment(segment, index - segment.index))?.map(Ok);
        };
        let port = ports.nth(u32::try_from(index - entry.index).ok()?)?;
        let text = self.text.get(entry.start..entry.start + entry.len as usize)?;
        Some(single(text, entry.as_typed).map(|target| Target { index, port, ..target }))
    }

    /// Gives `take` bytes that no other set has: every expression, what is left of it, the indices and the share.
    pub(crate) fn spell(&self, mut take: impl FnMut(&[u8])) {
        for entry in &self.entries {
            let text = self.text.get(entry.start..entry.start + entry.len as usize).unwrap_or_default();
            let ports = if let What::One(ports) = &entry.what { ports.to_string() } else { String::new() };
            let spelling = if entry.as_typed { " as typed" } else { "" };
            take(format!("{} {text:?} {ports}{spelling}\n", entry.index).as_bytes());
        }
        for Segment { range, space, first, ports, index, .. } in &self.segments {
            let input = self.inputs.get(*range).map(|range| &range.input);
            take(format!("{index} {input:?} {space:?} {first} {ports}\n").as_bytes());
        }
        take(format!("{} {}\n", self.total, self.share).as_bytes());
    }

    /// The target at a place among those out of ranges that are in the share.
    fn out_of_ranges(&self, rank: u64) -> Option<Target> {
        // Of segments that begin at one place all but the last have nothing in the share.
        let at = self.segments.partition_point(|segment| segment.rank <= rank).checked_sub(1)?;
        let segment = self.segments.get(at)?;
        self.in_segment(segment, self.share.offset(segment.index, rank - segment.rank))
    }

    /// The target so far behind the first of a segment.
    fn in_segment(&self, segment: &Segment, offset: u64) -> Option<Target> {
        let input = self.inputs.get(segment.range)?;
        let width = u64::from(segment.ports.len());
        let (addr, scope) = segment.space.address(segment.first + u128::from(offset / width));
        Some(Target {
            input: input.input.clone(),
            index: segment.index + offset,
            host: Host::Addr(addr, scope),
            port: segment.ports.nth(u32::try_from(offset % width).ok()?)?,
            place: None,
            user: input.user.clone(),
            from_range: true,
        })
    }
}

/// A walk over a [`Set`]: targets named one by one at their place, and at the places of the ranges their addresses,
/// shuffled over all ranges together.
#[derive(Debug)]
pub(crate) struct Walk {
    set: Set,
    shuffle: Option<Permutation>,
    /// The current entry, and how many of its targets in the share have been given.
    entry: usize,
    done: u64,
    range_rank: u64,
    /// The current entry, if it is a single host.
    single: Option<Target>,
}

impl Walk {
    /// How many targets there are, in every share together.
    pub(crate) const fn total(&self) -> u64 {
        self.set.total
    }

    /// Takes the ranges out of what is walked.
    pub(crate) fn take_ranges(&mut self) -> Vec<Stretch> {
        let set = &mut self.set;
        for entry in &mut set.entries {
            if let What::Many(points) = &mut entry.what {
                *points = 0;
            }
        }
        let of = |segment: Segment| {
            let (first, _) = segment.space.address(segment.first);
            let user = set.inputs.get(segment.range).and_then(|input| input.user.clone());
            Stretch { first, ports: segment.ports, user, index: segment.index, len: segment.len, share: set.share }
        };
        std::mem::take(&mut set.segments).into_iter().map(of).collect()
    }

    /// What is walked.
    pub(crate) const fn set(&self) -> &Set {
        &self.set
    }
}

impl Iterator for Walk {
    /// An error only if the text means nothing any more: an interface named by it has gone since.
    type Item = Result<Target, ExprError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let entry = self.set.entries.get(self.entry)?;
            let (ports, offset) = match &entry.what {
                What::Many(points) if self.done < *points => {
                    let rank = self.range_rank;
                    self.range_rank += 1;
                    self.done += 1;
                    let rank = self.shuffle.as_ref().map_or(Some(rank), |shuffle| shuffle.get(rank))?;
                    return self.set.out_of_ranges(rank).map(Ok);
                }
                What::One(ports) => (Some(ports), self.set.share.offset(entry.index, self.done)),
                What::Many(_) => (None, 0),
            };
            let Some(ports) = ports.filter(|ports| offset < u64::from(ports.len())) else {
                self.entry += 1;
                self.done = 0;
                self.single = None;
                continue;
            };
            let port = ports.nth(u32::try_from(offset).ok()?)?;
            let index = entry.index + offset;
            self.done += 1;
            let single = match &self.single {
                Some(single) => single,
                None => {
                    let text = self.set.text.get(entry.start..entry.start + entry.len as usize)?;
                    match single(text, entry.as_typed) {
                        Ok(target) => self.single.insert(target),
                        Err(error) => return Some(Err(error)),
                    }
                }
            };
            return Some(Ok(Target { index, port, ..single.clone() }));
        }
    }
}

/// The target of an expression that names one host, its index and port yet to be filled in.
fn single(text: &str, as_typed: bool) -> Result<Target, ExprError> {
    let expression = Expression::parse(text)?;
    let host = match expression.hosts {
        Hosts::Name(_) if as_typed => Host::Name(typed_host(text).into()),
        Hosts::Name(name) => Host::Name(name.into()),
        Hosts::Iap(target) => Host::Iap(Arc::from(target)),
        Hosts::Addresses(range) => {
            let (addr, scope) = range.space.address(range.first);
            Host::Addr(addr, scope)
        }
    };
    Ok(Target {
        input: text.into(),
        index: 0,
        host,
        port: 0,
        place: None,
        user: expression.user.map(Arc::from),
        from_range: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Tells a name that has a capital X apart.
    #[derive(Debug)]
    struct CapitalX;

    impl Spelling for CapitalX {
        fn counts(&self, typed: &str, _: &str, user: Option<&str>) -> bool {
            typed.contains('X') || user == Some("x")
        }
    }

    fn build_spelt(given: &[&str], excluded: &[&str]) -> Set {
        let mut exclusions = Exclusions::default();
        excluded.iter().for_each(|text| exclusions.add(&Expression::parse(text).unwrap()));
        let mut seen = Seen::new(Arc::new(exclusions), Some(Arc::new(CapitalX)));
        let mut builder = SetBuilder::default();
        for text in given {
            builder.add(text, Expression::parse(text).unwrap(), &PortSet::ssh(), &mut seen);
        }
        builder.finish(&mut seen, 0, u64::MAX, Share::WHOLE).unwrap()
    }

    #[test]
    fn a_name_that_is_told_apart_goes_as_it_was_typed() {
        let given = ["ax", "Ax", "aX", "aX:22,23", "AX", "x@Ax", "ssh://aX:24"];
        let set = build_spelt(&given, &[]);
        let total = set.total();
        let found: Vec<_> = (0..total).map(|index| set.at(index).unwrap().unwrap()).collect();
        let targets: Vec<Target> = set.walk(Order::Given).map(Result::unwrap).collect();
        assert_eq!(found, targets);
        assert_eq!(
            show(&targets),
            "0=ax:22<ax 1=aX:22<aX 2=aX:23<aX:22,23 3=AX:22<AX 4=x@Ax:22<x@Ax 5=aX:24<ssh://aX:24"
        );
        // Excluded is a name in any case.
        let left: Vec<Target> = build_spelt(&given, &["Ax:22"]).walk(Order::Given).map(Result::unwrap).collect();
        assert_eq!(show(&left), "0=aX:23<aX:22,23 1=aX:24<ssh://aX:24");
    }

    #[test]
    fn how_names_are_told_apart_is_spelt_out() {
        let spelt = |set: Set| {
            let mut bytes = Vec::new();
            set.spell(|more| bytes.extend_from_slice(more));
            String::from_utf8(bytes).unwrap()
        };
        assert_ne!(spelt(build_spelt(&["aX"], &[])), spelt(build(&["aX"], &[], 9).unwrap()));
        assert_eq!(spelt(build_spelt(&["ax"], &[])), spelt(build(&["ax"], &[], 9).unwrap()));
    }

    fn build(given: &[&str], excluded: &[&str], limit: u64) -> Result<Set, u128> {
        let mut exclusions = Exclusions::default();
        for text in excluded {
            exclusions.add(&Expression::parse(text).unwrap());
        }
        let mut seen = Seen::new(Arc::new(exclusions), None);
        let mut builder = SetBuilder::default();
        for text in given {
            builder.add(text, Expression::parse(text).unwrap(), &PortSet::ssh(), &mut seen);
        }
        builder.finish(&mut seen, 0, limit, Share::WHOLE)
    }

    fn walk(given: &[&str], excluded: &[&str], order: Order) -> Vec<Target> {
        let set = build(given, excluded, u64::MAX).unwrap();
        let total = set.total();
        let targets: Vec<Target> = set.walk(order).map(Result::unwrap).collect();
        assert_eq!(targets.len() as u64, total);
        targets
    }

    fn show(targets: &[Target]) -> String {
        let one = |t: &Target| {
            let user = t.user.as_ref().map(|user| format!("{user}@")).unwrap_or_default();
            format!("{}{}={user}{}:{}<{}", t.index, if t.from_range { "r" } else { "" }, t.host, t.port, t.input)
        };
        targets.iter().map(one).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_order_of_the_input_is_kept() {
        let targets = walk(&["b", "10.0.0.2/31:22,23", "root@a:2222", "[::5]:7"], &[], Order::Given);
        assert_eq!(
            show(&targets),
            "0=b:22<b 1r=10.0.0.2:22<10.0.0.2/31:22,23 2r=10.0.0.2:23<10.0.0.2/31:22,23 \
             3r=10.0.0.3:22<10.0.0.2/31:22,23 4r=10.0.0.3:23<10.0.0.2/31:22,23 5=root@a:2222<root@a:2222 6=::5:7<[::5]:7"
        );
    }

    #[test]
    fn duplicates_belong_to_the_first() {
        let targets =
            walk(&["A.example", "a.example.", "root@a.example:22,23", "::1", "[0:0::1]:22"], &[], Order::Given);
        assert_eq!(show(&targets), "0=a.example:22<A.example 1=root@a.example:23<root@a.example:22,23 2=::1:22<::1");
    }

    #[test]
    fn overlapping_ranges_merge_and_the_first_owns() {
        let targets = walk(&["10.0.0.1-3", "10.0.0.2-5", "10.0.0.3-4:22-23"], &[], Order::Given);
        assert_eq!(
            show(&targets),
            "0r=10.0.0.1:22<10.0.0.1-3 1r=10.0.0.2:22<10.0.0.1-3 2r=10.0.0.3:22<10.0.0.1-3 \
             3r=10.0.0.4:22<10.0.0.2-5 4r=10.0.0.5:22<10.0.0.2-5 \
             5r=10.0.0.3:23<10.0.0.3-4:22-23 6r=10.0.0.4:23<10.0.0.3-4:22-23"
        );
    }

    /// Whoever names an address wants to hear of it, whether a range before or behind covers it too.
    #[test]
    fn an_address_named_alone_is_of_no_range() {
        for given in [["10.0.0.0/30", "10.0.0.2"], ["10.0.0.2", "10.0.0.0/30"]] {
            let targets = walk(&given, &[], Order::Random { seed: 5 });
            assert_eq!(targets.len(), 4);
            let named: Vec<&Target> = targets.iter().filter(|t| !t.from_range).collect();
            assert_eq!(
                (named.len(), named[0].host.to_string().as_str(), &*named[0].input),
                (1, "10.0.0.2", "10.0.0.2")
            );
        }
        assert!(!walk(&["10.0.0.1/32"], &[], Order::Given)[0].from_range);
    }

    #[test]
    fn exclusions() {
        let excluded = ["10.0.0.2", "10.0.0.0/31:23", "web", "db:23"];
        let targets = walk(&["10.0.0.0/30:22-23", "web", "db:22-23", "10.0.0.2:99"], &excluded, Order::Given);
        assert_eq!(
            show(&targets),
            "0r=10.0.0.0:22<10.0.0.0/30:22-23 1r=10.0.0.1:22<10.0.0.0/30:22-23 2r=10.0.0.3:22<10.0.0.0/30:22-23 \
             3r=10.0.0.3:23<10.0.0.0/30:22-23 4=db:22<db:22-23"
        );
        assert_eq!(build(&["10.0.0.0/24", "10.0.1.1"], &["10.0.0.0/16"], 9).unwrap().total(), 0);
    }

    #[test]
    fn exclusions_without_a_scope_hold_on_every_interface() {
        let targets = walk(&["[fe80::%1]/126", "[fe80::%2]/126"], &["fe80::1", "fe80::2%2"], Order::Given);
        let left: Vec<String> = targets.iter().map(|t| t.host.to_string()).collect();
        assert_eq!(left, ["fe80::%1", "fe80::2%1", "fe80::3%1", "fe80::%2", "fe80::3%2"]);
        let mut exclusions = Exclusions::default();
        assert!(exclusions.is_empty());
        exclusions.add(&Expression::parse("fe80::1").unwrap());
        exclusions.add(&Expression::parse("10.0.0.0/8:22").unwrap());
        for (addr, scope, port, covered) in [
            ("fe80::1", 3, 22, true),
            ("fe80::1", 0, 1, true),
            ("fe80::2", 3, 22, false),
            ("10.2.3.4", 0, 22, true),
            ("::ffff:10.2.3.4", 0, 22, true),
            ("10.2.3.4", 0, 23, false),
        ] {
            assert_eq!(exclusions.covers_address(addr.parse().unwrap(), scope, port), covered, "{addr}%{scope}:{port}");
        }
    }

    #[test]
    fn a_slash_24_is_256_targets_shuffled() {
        let targets = walk(&["10.0.0.0/24:22"], &[], Order::Random { seed: 1 });
        assert!(targets.iter().all(|t| t.from_range && format!("10.0.0.{}", t.index) == t.host.to_string()));
        let order: Vec<u64> = targets.iter().map(|t| t.index).collect();
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..256).collect::<Vec<_>>());
        assert_ne!(order, sorted);
        let again: Vec<u64> =
            walk(&["10.0.0.0/24:22"], &[], Order::Random { seed: 1 }).iter().map(|t| t.index).collect();
        assert_eq!(order, again);
    }

    /// The load is spread over all ranges given, not over one after the other.
    #[test]
    fn ranges_are_shuffled_together() {
        let targets = walk(&["10.0.0.0/24", "web", "10.1.0.0/24"], &[], Order::Random { seed: 3 });
        assert_eq!(targets[256].host.to_string(), "web");
        let first_half = targets[..256].iter().filter(|t| t.host.to_string().starts_with("10.1.")).count();
        assert!((64..192).contains(&first_half), "{first_half} of 256");
    }

    /// A /8 is one interval: nothing in the set is as long as the range.
    #[test]
    fn a_slash_8_is_held_as_what_it_is() {
        let set = build(&["10.0.0.0/8"], &["10.9.0.0/16"], u64::MAX).unwrap();
        assert_eq!(
            (set.total(), set.entries.len(), set.segments.len(), set.text.len()),
            ((1 << 24) - (1 << 16), 1, 2, 0)
        );
        let mut walk = set.walk(Order::Random { seed: 9 });
        let first = walk.next().unwrap().unwrap();
        assert!(first.from_range && first.host.to_string().starts_with("10."));
        let nth = walk.nth(1_000_000).unwrap().unwrap();
        assert_ne!(nth.host, first.host);
    }

    #[test]
    fn too_many_are_counted_exactly_and_never_listed() {
        assert_eq!(build(&["10.0.0.0/8"], &[], 1 << 24).unwrap().total(), 1 << 24);
        assert_eq!(build(&["10.0.0.0/8", "a"], &[], 1 << 24).unwrap_err(), (1 << 24) + 1);
        assert_eq!(build(&["[2001:db8::]/64"], &[], u64::MAX).unwrap_err(), 1 << 64);
        assert_eq!(build(&["[2001:db8::]/64"], &["[2001:db8::]/65"], u64::MAX).unwrap().total(), 1 << 63);
        assert_eq!(build(&["::/0", "a"], &[], u64::MAX).unwrap_err(), u128::MAX);
        assert_eq!(build(&["[::]/0:1-65535"], &[], u64::MAX).unwrap_err(), u128::MAX);
        assert_eq!(build(&["0.0.0.0/0:1-65535"], &[], u64::MAX).unwrap().total(), (1 << 32) * 65_535);
    }

    #[test]
    fn a_v6_range_near_the_limit_is_walked() {
        let set = build(&["[2001:db8::]/66"], &[], u64::MAX).unwrap();
        for seed in 0..20 {
            let set = build(&["[2001:db8::]/66"], &[], u64::MAX).unwrap();
            let target = set.walk(Order::Random { seed }).next().unwrap().unwrap();
            assert!(target.index < 1 << 62);
        }
        assert_eq!(set.walk(Order::Given).next().unwrap().unwrap().host.to_string(), "2001:db8::");
    }

    /// One expression of a small world where everything overlaps: its text, hosts and ports.
    fn expression() -> impl Strategy<Value = (String, Vec<String>, Vec<u16>)> {
        let hosts = prop_oneof![
            (0u8..24).prop_map(|d| (format!("10.0.0.{d}"), vec![format!("10.0.0.{d}")])),
            (0u8..24, 0u8..8).prop_map(|(d, n)| {
                (format!("10.0.0.{d}-{}", d + n), (d..=d + n).map(|d| format!("10.0.0.{d}")).collect())
            }),
            (0u8..24, 28u8..=32).prop_map(|(d, length)| {
                let size = 1u8 << (32 - length);
                let base = d / size * size;
                (format!("10.0.0.{d}/{length}"), (base..=base + (size - 1)).map(|d| format!("10.0.0.{d}")).collect())
            }),
            (0u16..12, 124u8..=128).prop_map(|(d, length)| {
                let size = 1u16 << (128 - length);
                let base = d / size * size;
                let addr = |d: u16| std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, d).to_string();
                (format!("[{}]/{length}", addr(d)), (base..base + size).map(addr).collect())
            }),
            (0u8..3).prop_map(|n| (format!("host{n}"), vec![format!("host{n}")])),
        ];
        (hosts, proptest::collection::btree_set(20u16..25, 0..3)).prop_map(|((text, hosts), ports)| {
            let list = ports.iter().map(u16::to_string).collect::<Vec<_>>().join(",");
            let text = if list.is_empty() { text } else { format!("{text}:{list}") };
            (text, hosts, ports.into_iter().collect())
        })
    }

    /// What a set must be, by listing everything.
    fn naive(
        given: &[(String, Vec<String>, Vec<u16>)],
        excluded: &[(String, Vec<String>, Vec<u16>)],
    ) -> Vec<(String, u16, String, bool)> {
        let mut taken: HashSet<(String, u16)> = HashSet::new();
        for (_, hosts, ports) in excluded {
            for host in hosts {
                let all: Vec<u16> = if ports.is_empty() { (20..26).collect() } else { ports.clone() };
                taken.extend(all.into_iter().map(|port| (host.clone(), port)));
            }
        }
        let mut owned: Vec<Vec<(String, u16)>> = vec![Vec::new(); given.len()];
        for alone in [true, false] {
            for (i, (_, hosts, ports)) in
                given.iter().enumerate().filter(|(_, (_, hosts, _))| (hosts.len() == 1) == alone)
            {
                for host in hosts {
                    for port in if ports.is_empty() { &[22][..] } else { ports } {
                        if taken.insert((host.clone(), *port)) {
                            owned[i].push((host.clone(), *port));
                        }
                    }
                }
            }
        }
        let flat = given.iter().zip(owned).flat_map(|((text, hosts, _), owned)| {
            owned.into_iter().map(move |(host, port)| (host, port, text.clone(), hosts.len() > 1))
        });
        flat.collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1024))]

        #[test]
        fn a_set_is_what_listing_gives(
            given in proptest::collection::vec(expression(), 0..12),
            excluded in proptest::collection::vec(expression(), 0..4),
            seed: u64,
        ) {
            let wanted = naive(&given, &excluded);
            let texts = |list: &[(String, Vec<String>, Vec<u16>)]| list.iter().map(|(text, ..)| text.clone()).collect::<Vec<_>>();
            let (given, excluded) = (texts(&given), texts(&excluded));
            let given: Vec<&str> = given.iter().map(String::as_str).collect();
            let excluded: Vec<&str> = excluded.iter().map(String::as_str).collect();
            let got = |t: &Target| (t.host.to_string(), t.port, t.input.to_string(), t.from_range);

            let in_order = walk(&given, &excluded, Order::Given);
            // Ranges list their addresses first and the ports of each; the model does so too.
            let listed: Vec<_> = in_order.iter().map(got).collect();
            prop_assert_eq!(&listed, &wanted);
            let set = build(&given, &excluded, u64::MAX).unwrap();
            for (i, target) in in_order.iter().enumerate() {
                prop_assert_eq!(target.index, i as u64);
                prop_assert_eq!(set.at(i as u64), Some(Ok(target.clone())));
            }
            prop_assert_eq!(set.at(set.total()), None);
            prop_assert_eq!(set.at(u64::MAX), None);

            let mut shuffled = walk(&given, &excluded, Order::Random { seed });
            for (a, b) in shuffled.iter().zip(&in_order) {
                prop_assert_eq!(a.from_range, b.from_range);
                prop_assert!(a.from_range || a == b);
            }
            shuffled.sort_by_key(|target| target.index);
            prop_assert_eq!(shuffled, in_order);
        }
    }
}
