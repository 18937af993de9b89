//! The set that all expressions make together: each target once, counted exactly, walked without being listed.
//!
//! A set holds what the user wrote and, for ranges, the intervals that are left of them after excludes, single targets
//! and earlier ranges have been cut out. Its memory grows with the number of expressions (some 50 bytes and the text
//! for a single target), never with the number of addresses.

use std::net::IpAddr;
use std::sync::Arc;

use sshprobe_probes::sweep::permutation::Permutation;
use sshprobe_probes::target::{Host, Target, typed_host};

use super::address::{AddrRange, Space};
use super::expr::{Expression, Hosts};
use super::ports::PortSet;
use super::problem::ExprError;
use super::region::Piece;
use super::seen::Seen;
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
mod tests;
