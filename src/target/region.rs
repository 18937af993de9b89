//! Which ports of which addresses are taken: a map of disjoint address intervals.

use std::collections::BTreeMap;

use super::ports::PortSet;

/// Addresses in a row that have the same ports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The first address.
    pub first: u128,
    /// The last address, itself included.
    pub last: u128,
    /// Their ports, never none.
    pub ports: PortSet,
}

/// Taken ports by address, in one space of addresses.
///
/// Each claim adds at most two boundaries, and neighbours with the same ports melt into one interval, so that it grows
/// with the number of claims and never with the number of addresses.
#[derive(Debug, Clone, Default)]
pub struct Region {
    /// By first address: last address and taken ports (never none).
    taken: BTreeMap<u128, (u128, PortSet)>,
}

impl Region {
    /// Whether a port of an address is taken.
    #[must_use]
    pub fn contains(&self, address: u128, port: u16) -> bool {
        self.taken
            .range(..=address)
            .next_back()
            .is_some_and(|(_, (last, ports))| *last >= address && ports.contains(port))
    }

    /// Takes `ports` of every address from `first` to `last`, and gives what of it was not taken before, in order.
    pub fn claim(&mut self, first: u128, last: u128, ports: &PortSet) -> Vec<Piece> {
        if ports.is_empty() || last < first {
            return Vec::new();
        }
        let from = match self.taken.range(..first).next_back() {
            // One address further: a neighbour may melt with what is inserted.
            Some((start, (end, _))) if *end >= first || end.checked_add(1) == Some(first) => *start,
            _ => first,
        };
        let to = last.saturating_add(1);
        let touched: Vec<u128> = self.taken.range(from..=to).map(|(start, _)| *start).collect();

        let mut fresh = Joined::default();
        let mut rebuilt = Joined::default();
        // The first address not dealt with yet; `None` behind the last of all.
        let mut next = Some(first);
        for start in touched {
            let Some((end, taken)) = self.taken.remove(&start) else { continue };
            if start < first {
                rebuilt.push(start, end.min(first - 1), &taken);
            }
            if let Some(at) = next.filter(|at| *at < start && *at <= last) {
                // `at` is below `start`, so neither is zero.
                let gap_end = last.min(start - 1);
                fresh.push(at, gap_end, ports);
                rebuilt.push(at, gap_end, ports);
                next = gap_end.checked_add(1);
            }
            let (low, high) = (start.max(first), end.min(last));
            if low <= high {
                fresh.push(low, high, &ports.minus(&taken));
                rebuilt.push(low, high, &taken.plus(ports));
                next = high.checked_add(1);
            }
            if end > last {
                rebuilt.push(start.max(to), end, &taken);
            }
        }
        if let Some(at) = next.filter(|at| *at <= last) {
            fresh.push(at, last, ports);
            rebuilt.push(at, last, ports);
        }
        self.taken.extend(rebuilt.0.into_iter().map(|piece| (piece.first, (piece.last, piece.ports))));
        fresh.0
    }

    /// How many intervals there are.
    #[cfg(test)]
    pub(crate) fn intervals(&self) -> usize {
        self.taken.len()
    }

    /// Every interval, in order.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = (u128, u128, &PortSet)> {
        self.taken.iter().map(|(first, (last, ports))| (*first, *last, ports))
    }
}

/// Pieces in ascending order, neighbours with the same ports joined.
#[derive(Default)]
struct Joined(Vec<Piece>);

impl Joined {
    fn push(&mut self, first: u128, last: u128, ports: &PortSet) {
        if ports.is_empty() {
            return;
        }
        match self.0.last_mut() {
            Some(piece) if piece.last.checked_add(1) == Some(first) && piece.ports == *ports => piece.last = last,
            _ => self.0.push(Piece { first, last, ports: ports.clone() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn ports(text: &str) -> PortSet {
        PortSet::parse(text).unwrap()
    }

    fn claim(region: &mut Region, first: u128, last: u128, list: &str) -> String {
        let pieces = region.claim(first, last, &ports(list));
        pieces.iter().map(|p| format!("{}-{}:{}", p.first, p.last, p.ports)).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_is_taken_is_not_given_again() {
        let mut region = Region::default();
        assert_eq!(claim(&mut region, 10, 19, "22"), "10-19:22");
        assert_eq!(claim(&mut region, 10, 19, "22"), "");
        assert_eq!(claim(&mut region, 15, 24, "22"), "20-24:22");
        assert_eq!(claim(&mut region, 12, 12, "22-23"), "12-12:23");
        assert_eq!(claim(&mut region, 0, 30, "22,23"), "0-9:22-23 10-11:23 13-24:23 25-30:22-23");
        assert_eq!(region.intervals(), 1);
        assert!(region.contains(30, 23) && !region.contains(31, 23) && !region.contains(30, 24));
    }

    #[test]
    fn the_ends_of_the_space_hold() {
        let mut region = Region::default();
        assert_eq!(claim(&mut region, u128::MAX, u128::MAX, "1"), format!("{0}-{0}:1", u128::MAX));
        assert_eq!(claim(&mut region, 0, 0, "1"), "0-0:1");
        assert_eq!(claim(&mut region, 0, u128::MAX, "1"), format!("1-{}:1", u128::MAX - 1));
        assert_eq!(claim(&mut region, 0, u128::MAX, "1"), "");
        assert_eq!(region.intervals(), 1);
    }

    /// A list of a whole /16 in any order melts into one interval.
    #[test]
    fn memory_follows_the_intervals() {
        let mut region = Region::default();
        for i in 0..65_536u128 {
            let scattered = i * 40_503 % 65_536;
            assert_eq!(region.claim(scattered, scattered, &PortSet::ssh()).len(), 1);
        }
        assert_eq!(region.intervals(), 1);
    }

    proptest! {
        #[test]
        fn as_a_set_of_points(claims in proptest::collection::vec((0u128..40, 0u128..12, proptest::collection::btree_set(1u16..5, 0..4), any::<bool>()), 0..24)) {
            let mut region = Region::default();
            let mut model: BTreeSet<(u128, u16)> = BTreeSet::new();
            for (first, len, list, at_the_end) in claims {
                let base = if at_the_end { u128::MAX - 51 } else { 0 };
                let (first, last) = (base + first, base + first + len);
                let list = list.iter().fold(PortSet::none(), |set, port| set.plus(&PortSet::single(*port)));
                let mut fresh = BTreeSet::new();
                let mut end = None;
                for piece in region.claim(first, last, &list) {
                    prop_assert!(piece.first <= piece.last && !piece.ports.is_empty());
                    prop_assert!(end.is_none_or(|end| piece.first > end));
                    end = Some(piece.last);
                    for address in piece.first..=piece.last {
                        for n in 0..piece.ports.len() {
                            fresh.insert((address, piece.ports.nth(n).unwrap()));
                        }
                    }
                }
                let wanted: BTreeSet<(u128, u16)> = (first..=last)
                    .flat_map(|address| (0..list.len()).map(move |n| (address, n)))
                    .map(|(address, n)| (address, list.nth(n).unwrap()))
                    .filter(|point| !model.contains(point))
                    .collect();
                prop_assert_eq!(&fresh, &wanted);
                model.extend(wanted);
                // Disjoint, sorted, and no two neighbours that could be one.
                let pieces: Vec<_> = region.pieces().collect();
                for pair in pieces.windows(2) {
                    prop_assert!(pair[0].1 < pair[1].0);
                    prop_assert!(pair[0].1 + 1 < pair[1].0 || pair[0].2 != pair[1].2);
                }
                for (address, port) in model.iter().copied().chain([(base, 1), (last, 9)]) {
                    prop_assert_eq!(region.contains(address, port), model.contains(&(address, port)));
                }
            }
        }
    }
}
